"""The classical link: the codec's own pictures without errors, the mean picture with them."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from semveil import recipe as recipes
from semveil.data.digits import Digits
from semveil.errors import SemveilError
from semveil.link import as_float
from semveil.links.classical import as_pixels
from semveil.nets.eavesdropper import SimulatedEve
from semveil.phy import average_power
from semveil.rng import generator, seeded
from semveil.schemes.classical import Classical
from semveil.training.objective import Batch

SHAPE = (1, 8, 8)


@pytest.fixture(scope="module")
def source():
    return Digits().read().train


@pytest.fixture(scope="module")
def images(source):
    return as_float(torch.from_numpy(source.x[:32]))


def recipe_of(**changes):
    settings = {
        "link": {"latent_dim": 768},
        "bob": {"fading": "multipath"},
        "semantic": {"classifier_width": 4, "classifier_blocks": 1},
        **changes,
    }
    return recipes.update(recipes.Recipe(scheme="classical"), settings)


def classical(**changes):
    with seeded(0, "weights"):
        return Classical(recipe_of(**changes)).build(SHAPE, 10).eval()


def test_bob_sees_and_classifies_what_the_codec_leaves(images):
    link = classical()
    answer = link(images, 40.0, generator=generator(0))
    codec = link.system.codec
    seen = as_float(torch.from_numpy(codec.decode(codec.fit(as_pixels(images), 44))))
    assert torch.equal(answer.images, seen)
    assert not torch.equal(seen, images)
    assert torch.equal(answer.logits, link.classifier(seen))


@pytest.mark.parametrize(("order", "codec"), [(4, "jpeg2000"), (16, "avif"), (64, "jpeg2000")])
def test_a_budget_is_kept_at_unit_power_whatever_the_mode(images, order, codec):
    waveform = classical(classical={"order": order, "codec": codec}).transmit(images)
    assert waveform.shape == (32, 384)
    # 32 × 384 points of fourth moment below 1.4: five standard errors.
    assert abs(float(average_power(waveform).mean()) - 1) < 5 * (0.4 / (32 * 384)) ** 0.5 + 1e-6


def test_where_nothing_arrives_bob_shows_the_mean_of_the_training_images(images, source):
    link = classical()
    link.calibrate(torch.from_numpy(source.x))
    answer = link(images, -20.0, generator=generator(0))
    mean = torch.from_numpy(source.x).double().mean(0).round() / 255
    assert torch.allclose(answer.images.double(), mean.expand(32, *SHAPE), atol=1e-6)
    # What he knows without a picture is the same for all.
    assert torch.allclose(answer.logits, answer.logits[:1].expand_as(answer.logits), atol=1e-5)


def test_the_mean_image_is_kept_with_the_weights(source):
    link, other = classical(), classical()
    link.calibrate(torch.from_numpy(source.x))
    assert not torch.equal(other.fallback, link.fallback)
    other.load_state_dict(link.state_dict())
    assert torch.equal(other.fallback, link.fallback)


def test_nothing_of_the_chain_has_a_gradient(images):
    link = classical()
    assert not link.differentiable
    assert not link.transmit(images.requires_grad_()).requires_grad
    assert torch.equal(link.expected(images), link.transmit(images))


def test_features_are_no_reception():
    with pytest.raises(ValueError, match="decodes receptions"):
        classical().decode(torch.zeros(2, 769))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"link": {"latent_dim": 770}}, "385 channel uses do not fill whole OFDM symbols"),
        ({"link": {"latent_dim": 8}, "bob": {"fading": "awgn"}}, "4 channel uses of 4 points"),
        ({"protections": ["shuffle"]}, "none can be added to classical"),
    ],
)
def test_settings_that_make_no_link_are_refused(changes, complaint):
    with pytest.raises(SemveilError, match=complaint):
        classical(**changes)


def test_training_teaches_the_classifier_on_images_as_the_codec_leaves_them(source):
    recipe = recipe_of()
    with seeded(0, "weights"):
        link = Classical(recipe).build(SHAPE, 10)
        eve = SimulatedEve("linear", 769, 10, SHAPE)
    objective = Classical(recipe).objective(link, eve)
    assert objective.players["link"] == list(link.classifier.parameters())
    batch = Batch(as_float(torch.from_numpy(source.x[:64])), torch.from_numpy(source.y[:64]))
    codec = link.system.codec
    seen = as_float(torch.from_numpy(codec.decode(codec.fit(source.x[:64], 44))))
    assert not torch.equal(seen, batch.images)

    def loss(step):
        turn = next(turn for turn in objective.turns(step, 12) if turn.player == "link")
        return turn.loss(batch, generator(0, step))

    first = loss(0)["bob_ce"]
    assert torch.allclose(first, F.cross_entropy(link.classifier(seen), batch.labels))
    optimiser = torch.optim.Adam(objective.players["link"], lr=3e-3)
    for step in range(6):
        optimiser.zero_grad()
        loss(step)["total"].backward()
        optimiser.step()
    assert float(loss(6)["bob_ce"]) < 0.7 * float(first)
