"""What Alice wants of Eve's answer: closed forms, and that every form has a finite optimum."""

import math

import pytest
import torch

from semveil.adversary.privacy_loss import FORMS, clipped, gap, privacy_loss, uniform
from semveil.errors import SemveilError

LN10 = math.log(10)


def one_hot(height, label=0, classes=10):
    """Return logits that are ``height`` at one class and zero elsewhere."""
    logits = torch.zeros(1, classes, dtype=torch.float64)
    logits[0, label] = height
    return logits


def cross_entropy(height, true, classes=10):
    """Return the cross-entropy of :func:`one_hot`, by hand."""
    total = math.log(math.exp(height) + classes - 1)
    return total - height if true else total


LABEL = torch.tensor([0])


@pytest.mark.parametrize("height", [-3.0, -0.5, 0.5, 3.0])
@pytest.mark.parametrize("true", [True, False])
def test_closed_forms(height, true):
    logits = one_hot(height, 0 if true else 1)
    ce = cross_entropy(height, true)
    assert clipped(logits, LABEL).item() == pytest.approx(-min(ce, LN10))
    assert gap(logits, LABEL).item() == pytest.approx(abs(ce - LN10))
    # KL(uniform ‖ p) = −ln C − mean ln p, whoever is right.
    divergence = math.log(math.exp(height) + 9) - height / 10 - LN10
    assert uniform(logits, LABEL).item() == pytest.approx(divergence)


@pytest.mark.parametrize("classes", [2, 10, 100])
@pytest.mark.parametrize(("form", "optimum"), [("clipped", -1.0), ("uniform", 0.0), ("gap", 0.0)])
def test_the_undecided_eve_is_an_optimum_of_every_form(form, optimum, classes):
    undecided = torch.zeros(3, classes, dtype=torch.float64)
    labels = torch.arange(3) % classes
    best = optimum * math.log(classes)
    assert privacy_loss(form)(undecided, labels).tolist() == pytest.approx([best] * 3, abs=1e-12)


@pytest.mark.parametrize("form", sorted(FORMS))
def test_no_logits_beat_the_optimum(form):
    draws = torch.randn(2000, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = torch.arange(2000) % 10
    best = -LN10 if form == "clipped" else 0.0
    for scale in (0.01, 1.0, 30.0, 1e4):
        assert privacy_loss(form)(draws * scale, labels).min() >= best - 1e-9


def test_an_exploding_logit_wins_nothing():
    exploding = one_hot(1e6, label=1)
    assert clipped(exploding, LABEL).item() == pytest.approx(-LN10)
    assert gap(exploding, LABEL).item() > 1e5
    assert uniform(exploding, LABEL).item() > 1e5
    # Confidently wrong is no better than undecided, and gives Alice nothing to push.
    logits = exploding.clone().requires_grad_(True)
    clipped(logits, LABEL).sum().backward()
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize("form", sorted(FORMS))
def test_following_its_slope_ends_at_the_optimum(form):
    logits = one_hot(4.0, 0).requires_grad_(True)
    descent = torch.optim.Adam([logits], lr=0.05)
    for _ in range(600):
        descent.zero_grad()
        privacy_loss(form)(logits, LABEL).sum().backward()
        descent.step()
    best = -LN10 if form == "clipped" else 0.0
    assert privacy_loss(form)(logits, LABEL).item() == pytest.approx(best, abs=0.06)


def test_one_loss_per_image_which_others_do_not_change():
    logits = torch.randn(6, 10, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(6)
    for form in FORMS.values():
        together = form(logits, labels)
        alone = torch.cat([form(logits[i : i + 1], labels[i : i + 1]) for i in range(6)])
        torch.testing.assert_close(together, alone)


def test_an_unknown_form_is_named_with_the_nearest():
    with pytest.raises(SemveilError, match="'uniforn': did you mean 'uniform'"):
        privacy_loss("uniforn")
