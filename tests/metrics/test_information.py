"""Histogram information against scikit-learn, numpy and closed forms."""

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_images
from sklearn.metrics import mutual_info_score

from semveil.metrics.information import derangement, mi_bits, nmi
from semveil.rng import generator, normal, uniform


def patches(n=40):
    """Return natural 32×32 patches, float ``[n, 3, 32, 32]``."""
    photographs = torch.from_numpy(np.stack(load_sample_images().images)).permute(0, 3, 1, 2)
    tiles = photographs.unfold(2, 32, 32).unfold(3, 32, 32).permute(0, 2, 3, 1, 4, 5)
    tiles = tiles.flatten(0, 2)
    chosen = torch.randperm(len(tiles), generator=generator(0))[:n]
    return tiles[chosen].float() / 255


@pytest.mark.parametrize("bins", [2, 20, 256])
def test_mutual_information_agrees_with_scikit_learn(bins):
    x = patches(6)
    y = (x + 0.1 * normal(x.shape, generator=generator(1))).clamp(0, 1)

    def levels(image):
        grey = np.rint(image.numpy().ravel() * 255)
        return np.minimum(np.floor(grey / 255 * bins + 1e-9), bins - 1)

    expected = [
        mutual_info_score(levels(a), levels(b)) / math.log(2) for a, b in zip(x, y, strict=True)
    ]
    assert mi_bits(x, y, bins).tolist() == pytest.approx(expected, abs=1e-4)


def test_normalised_information_agrees_with_its_definition_in_numpy():
    x = patches(6)
    y = (0.5 * x + 0.2 + 0.02 * normal(x.shape, generator=generator(2))).clamp(0, 1)

    def entropy(counts):
        shares = counts[counts > 0] / counts.sum()
        return -(shares * np.log(shares)).sum()

    def reference(a, b):
        ranges = [np.rint(image.numpy().ravel() * 255) for image in (a, b)]
        # A hair above the edges, where numpy's rounding of the edges decides.
        table, _ = np.histogramdd(
            ranges,
            bins=[
                np.linspace(r.min(), r.max(), 101) - np.r_[np.full(100, 1e-9), 0] for r in ranges
            ],
        )
        return (entropy(table.sum(0)) + entropy(table.sum(1))) / entropy(table.ravel())

    expected = [reference(a, b) for a, b in zip(x, y, strict=True)]
    assert nmi(x, y).tolist() == pytest.approx(expected, abs=1e-4)


def test_an_image_has_its_entropy_with_itself_and_with_its_negative():
    x = (torch.arange(400) % 20 / 19).reshape(1, 1, 20, 20)
    assert float(mi_bits(x, x)) == pytest.approx(math.log2(20))
    assert float(mi_bits(x, 1 - x)) == pytest.approx(math.log2(20))
    assert float(nmi(x, x)) == pytest.approx(2)


def test_what_is_constant_tells_nothing():
    x = patches(3)
    grey = torch.full_like(x, 0.5)
    assert mi_bits(x, grey).tolist() == [0.0] * 3
    assert nmi(x, grey).tolist() == pytest.approx([1.0] * 3)
    assert nmi(grey, grey).tolist() == [1.0] * 3


def test_independent_noise_shows_the_known_bias_of_the_estimate():
    """Miller and Madow: about (bins − 1)² / 2n nats where there is nothing."""
    x, y = uniform((2, 200, 3, 32, 32), generator=generator(3))
    expected = 19**2 / (2 * 3072) / math.log(2)
    assert float(mi_bits(x, y).mean()) == pytest.approx(expected, rel=0.05)


def test_damage_lies_between_floor_and_ceiling_in_order():
    x = patches(100)
    slight = x + 0.03 * normal(x.shape, generator=generator(4))
    heavy = x + 0.08 * normal(x.shape, generator=generator(4))
    unrelated = x[derangement(len(x), generator(5))]
    for measure in (mi_bits, nmi):
        ceiling, near, far, floor = (
            float(measure(x, other).mean()) for other in (x, slight, heavy, unrelated)
        )
        assert ceiling > near > far > floor > 0


@pytest.mark.parametrize("n", [2, 3, 500])
def test_nothing_stays_in_its_place(n):
    rows = derangement(n, generator(n))
    assert bool((rows != torch.arange(n)).all())
    assert rows.sort().values.tolist() == list(range(n))


def test_misuse_is_refused():
    x = torch.zeros(1, 1, 2, 2)
    with pytest.raises(ValueError, match="differ"):
        mi_bits(x, x[:, :, :1])
    with pytest.raises(ValueError, match="bins"):
        nmi(x, x, bins=1)
    with pytest.raises(ValueError, match="change places"):
        derangement(1, generator(0))
