"""Real digits through keyed links: Bob reads them as ever, Eve who learns with labels does not."""

from __future__ import annotations

import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from torch import Tensor

from semveil.channel import Channel
from semveil.phy import mmse
from semveil.protect.keyed_transform import KeyedTransform, as_reals
from semveil.protect.keys import research_key
from semveil.protect.normalise import normalise_blocks
from semveil.protect.rotation import Rotation
from semveil.protect.shuffle import Shuffle
from semveil.rng import generator

KEY = research_key(0, "digits")
SNR_DB = 10.0
LEARN = 1000


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    """Waveforms ``[N, 32]``, the pixels in blocks of four, and labels ``[N]``."""
    pixels, labels = load_digits(return_X_y=True)
    order = torch.randperm(len(labels), generator=generator(0, "order"))
    return normalise_blocks(torch.tensor(pixels) / 16 - 0.5)[order], torch.tensor(labels)[order]


def _equalised(sent: Tensor, who: str) -> Tensor:
    source = generator(0, who)
    heard = Channel("rayleigh", "estimated")(sent.to(torch.complex64), SNR_DB, generator=source)
    return mmse(heard.symbols, heard.csi, heard.noise_variance)


def _accuracy(model: LogisticRegression | MLPClassifier, heard: Tensor, labels: Tensor) -> float:
    return float(model.score(as_reals(heard[LEARN:]).numpy(), labels[LEARN:].numpy()))


def _eve(cover: KeyedTransform, digits: tuple[Tensor, Tensor]) -> float:
    waveforms, labels = digits
    heard = _equalised(cover.encrypt(waveforms, torch.arange(len(labels))), "eve")
    model = MLPClassifier((128,), max_iter=60, random_state=0)
    model.fit(as_reals(heard[:LEARN]).numpy(), labels[:LEARN].numpy())
    return _accuracy(model, heard, labels)


def test_bob_trained_without_a_key_reads_covered_digits_as_well(
    digits: tuple[Tensor, Tensor],
) -> None:
    waveforms, labels = digits
    messages = torch.arange(len(labels))
    plain = _equalised(waveforms, "bob")
    bob = LogisticRegression(max_iter=500).fit(
        as_reals(plain[:LEARN]).numpy(), labels[:LEARN].numpy()
    )
    expected = _accuracy(bob, plain, labels)
    assert expected > 0.7
    # 99 %: two shares of 797 with a standard error of at most √(0.25 / 797) each.
    margin = 2.58 * (2 * 0.25 / (len(labels) - LEARN)) ** 0.5
    for form in ("blocks", "haar"):
        rotation = Rotation(KEY, form)
        heard = _equalised(rotation.encrypt(waveforms, messages), "bob")
        found = _accuracy(bob, rotation.decrypt(heard, messages), labels)
        assert abs(found - expected) < margin
        wrong = Rotation(research_key(1), form).decrypt(heard, messages)
        assert _accuracy(bob, wrong, labels) < 0.15


# Sixty epochs are enough for her to read what can be read.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_eve_is_at_chance_under_the_rotation_and_not_under_a_fixed_shuffle(
    digits: tuple[Tensor, Tensor],
) -> None:
    count = len(digits[1]) - LEARN
    # Chance is a tenth; 99 % of lucky guessers stay below this.
    assert _eve(Rotation(KEY), digits) < 0.1 + 2.33 * (0.09 / count) ** 0.5
    assert _eve(Shuffle(KEY, fresh=False), digits) > 0.5
