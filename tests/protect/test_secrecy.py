"""The law of what Eve hears: uniform where it is proved to be, and the same for every image.

Every verdict is at 99 % confidence over all the comparisons of its test, with fixed seeds. Beside
those that compare images there is a cover without the property, on which the verdict is the
opposite.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from semveil import phy
from semveil.protect import quaternion
from semveil.protect.keyed_transform import KeyedTransform, as_reals, as_symbols
from semveil.protect.keys import research_key
from semveil.protect.keystream import words
from semveil.protect.normalise import normalise_blocks
from semveil.protect.rotation import Form, Rotation
from semveil.protect.shuffle import Shuffle
from semveil.protect.unitary import haar_unitary
from semveil.rng import generator, normal

KEY = research_key(0, "secrecy")
LEVEL = 0.01
D = 16


def _images() -> Tensor:
    """Two waveforms ``[2, 8]`` as unlike as can be: blocks all alike, and all different."""
    alike = torch.tensor([1.0, 0, 0, 0]).repeat(D // 4)
    return normalise_blocks(torch.stack([alike, normal((D,), generator=generator(0, "image"))]))


def _heard(encrypt: Callable[[Tensor, Tensor], Tensor], count: int) -> tuple[Tensor, Tensor]:
    """Send either image ``count`` times, each time as a new message; reals ``[count, D]``."""
    first, second = (image.expand(count, -1) for image in _images())
    return (
        as_reals(encrypt(first, torch.arange(count))),
        as_reals(encrypt(second, torch.arange(count, 2 * count))),
    )


def _same_law(first: Tensor, second: Tensor) -> float:
    """p-value of a permutation test with the energy distance (Székely and Rizzo, 2013)."""
    both = torch.cat([first, second]).double()
    distances = torch.cdist(both, both)
    signs = torch.ones(len(both), dtype=torch.float64)
    signs[len(first) :] = -1
    source = generator(0, "permutations")
    drawn = torch.stack([signs[torch.randperm(len(both), generator=source)] for _ in range(999)])
    # For equal halves −sᵀDs is the energy distance up to a factor.
    null = -((drawn @ distances) * drawn).sum(1)
    return (1 + int((null >= -(signs @ distances @ signs)).sum())) / 1000


def _one_for_all_blocks(waveform: Tensor, messages: Tensor) -> Tensor:
    # A rotation that is uniform and fresh, but shared by the blocks of a message.
    a, b = quaternion.unit_quaternions(words(KEY, messages, 3, 32), waveform.dtype)
    first, second = waveform.unflatten(1, (-1, 2)).unbind(2)
    return torch.stack([a * first - b.conj() * second, b * first + a.conj() * second], 2).flatten(1)


def test_every_coordinate_of_a_block_is_that_of_a_uniform_point_on_the_sphere() -> None:
    count = 4000
    for image in _images():
        sent = as_reals(Rotation(KEY).encrypt(image.expand(count, -1), torch.arange(count)))
        for column in (sent / 2**0.5).T:
            found = stats.kstest(
                column, lambda x: 0.5 + (x * np.sqrt(1 - x**2) + np.arcsin(x)) / np.pi
            )
            assert found.pvalue > LEVEL / (2 * D)


@pytest.mark.parametrize("form", ["blocks", "haar"])
def test_every_direction_is_that_of_a_uniform_point_on_the_sphere(form: Form) -> None:
    # Projections on directions of all reals at once: blocks depend on one another in none of them.
    count, size = 4000, (4 if form == "blocks" else D)
    for image in _images():
        sent = as_reals(Rotation(KEY, form).encrypt(image.expand(count, -1), torch.arange(count)))
        points = sent.unflatten(1, (-1, size))[:, 0] / (size / 2) ** 0.5
        directions = normal((10, size), generator=generator(0, "directions"))
        shadows = points @ (directions / directions.norm(dim=1, keepdim=True)).T
        for shadow in shadows.T:
            # x² of a coordinate of a uniform point on the sphere in n dimensions.
            law = stats.beta(0.5, (size - 1) / 2)
            assert stats.kstest(shadow.square(), law.cdf).pvalue > LEVEL / 20


def _decrypted_change(image: Tensor, delta: Callable[[Tensor], Tensor], count: int) -> Tensor:
    """Return what a perturbation of what is sent is after decryption, reals ``[count, D]``."""
    messages, rotation = torch.arange(count), Rotation(KEY)
    sent = rotation.encrypt(image.expand(count, -1), messages)
    return as_reals(rotation.decrypt(sent + delta(sent), messages) - image)


def test_a_perturbation_that_does_not_depend_on_the_key_loses_its_direction() -> None:
    """Made of the image itself it becomes noise of its norm; made of what is sent it does not."""
    count = 4000
    for image in _images():
        size = as_reals(image.unsqueeze(0)).unflatten(1, (-1, 4)).norm(dim=2)
        assert torch.allclose(size, torch.full_like(size, 2**0.5), atol=1e-5)
        turned = _decrypted_change(image, lambda sent, image=image: -image.expand_as(sent), count)
        for column in (turned / 2**0.5).T:
            found = stats.kstest(
                column, lambda x: 0.5 + (x * np.sqrt(1 - x**2) + np.arcsin(x)) / np.pi
            )
            assert found.pvalue > LEVEL / (2 * D)
        # Blocks are independent: no product of reals of two blocks has a mean.
        first, second = turned[:, :4], turned[:, 4:8]
        products = (first.unsqueeze(2) * second.unsqueeze(1)).flatten(1)
        limit = stats.norm.isf(LEVEL / (4 * products.shape[1]))
        error = products.mean(0).abs() / (products.std(0) / count**0.5)
        assert float(error.max()) < limit
        # −2·z′ flips the image, under every key.
        flipped = _decrypted_change(image, lambda sent: -2 * sent, 50)
        assert torch.allclose(flipped, -2 * as_reals(image.unsqueeze(0)), atol=1e-5)


def test_moments_of_unit_quaternions_are_those_of_haar_measure() -> None:
    count = 20_000
    a, b = quaternion.unit_quaternions(words(KEY, torch.arange(count), 3, 32), torch.complex128)
    q = torch.cat([torch.view_as_real(a), torch.view_as_real(b)], dim=1).flatten(1)
    assert torch.allclose(q.norm(dim=1), torch.ones(count, dtype=q.dtype))
    second, fourth = (
        q.unsqueeze(2) * q.unsqueeze(1),
        q.square().unsqueeze(2) * q.square().unsqueeze(1),
    )
    eye = torch.eye(4, dtype=q.dtype)
    # 4 + 16 + 16 comparisons at 99 % together: 3.63 standard errors.
    for found, expected in ((q, 0), (second, eye / 4), (fourth, (1 + 2 * eye) / 24)):
        error = (found.mean(0) - expected).abs() / (found.std(0) / count**0.5)
        assert error.max() < 3.63


def test_moments_of_unitary_matrices_are_those_of_haar_measure() -> None:
    count, k = 5000, 5
    u = haar_unitary(words(KEY, torch.arange(count), 2 * k * k, 32), k)
    assert (u @ u.mH - torch.eye(k, dtype=u.dtype)).abs().max() < 1e-12
    trace, squared = (m.diagonal(dim1=1, dim2=2).sum(1) for m in (u, u @ u))
    # Diaconis and Shahshahani, 1994: E|tr U^j|² = j for j ≤ k. Without its phases put right, the
    # QR decomposition fails the first.
    checks = [
        (trace.real, 0.0),
        (trace.imag, 0.0),
        (trace.abs().square(), 1.0),
        (squared.abs().square(), 2.0),
        *((u[:, i, j].abs().square(), 1 / k) for i in range(k) for j in range(k)),
        *((u[:, i, j].abs() ** 4, 2 / (k * (k + 1))) for i in range(k) for j in range(k)),
    ]
    limit = stats.norm.isf(LEVEL / (2 * len(checks)))
    for found, expected in checks:
        assert abs(float(found.mean()) - expected) < limit * float(found.std()) / count**0.5


@pytest.mark.parametrize("form", ["blocks", "haar"])
def test_two_images_sound_the_same(form: Form) -> None:
    assert _same_law(*_heard(Rotation(KEY, form).encrypt, 400)) > LEVEL


@pytest.mark.parametrize(
    "encrypt",
    [Shuffle(KEY).encrypt, Shuffle(KEY, fresh=False).encrypt, _one_for_all_blocks],
    ids=["shuffle", "shuffle/fixed", "one rotation for all blocks"],
)
def test_and_the_same_test_hears_what_is_left_by_less(
    encrypt: Callable[[Tensor, Tensor], Tensor],
) -> None:
    assert _same_law(*_heard(encrypt, 400)) <= LEVEL


def _eavesdropper(cover: KeyedTransform, features: Callable[[Tensor], Tensor]) -> float:
    """Accuracy, on new messages, of a classifier that learned which image was sent, with labels."""
    first, second = _heard(cover.encrypt, 2000)
    heard = features(as_symbols(torch.cat([first, second])))
    labels = np.repeat([0, 1], 2000)
    learn = np.arange(4000) % 2 == 0
    model = LogisticRegression(max_iter=2000).fit(heard[learn].numpy(), labels[learn])
    return float(model.score(heard[~learn].numpy(), labels[~learn]))


def _quadratic(z: Tensor) -> Tensor:
    """Every product of two reals, and their sorted values: what shuffles and reuse leave behind."""
    reals = as_reals(z)
    rows, columns = torch.triu_indices(D, D)
    return torch.cat([reals, reals[:, rows] * reals[:, columns], reals.sort(1).values], 1)


@pytest.mark.parametrize("form", ["blocks", "haar"])
def test_a_trained_classifier_is_at_chance(form: Form) -> None:
    # 2000 held-out messages: 99 % of coin tosses lie within 2.58 · √(0.25 / 2000) of one half.
    found = _eavesdropper(Rotation(KEY, form), _quadratic)
    assert abs(found - 0.5) < 2.58 * (0.25 / 2000) ** 0.5


def test_the_same_classifier_reads_shuffles() -> None:
    assert _eavesdropper(Shuffle(KEY), _quadratic) > 0.99


def test_a_counter_used_twice_gives_images_away() -> None:
    # The Hermitian product of two waveforms' symbols, within a block, is the images' own when
    # they were rotated alike.
    first, second = _images()
    rotation, once = Rotation(KEY), torch.tensor([0])

    def product(one: Tensor, two: Tensor) -> Tensor:
        return (one * two.conj()).unflatten(1, (-1, 2)).sum(2)

    sent = [rotation.encrypt(image[None], once) for image in (first, second)]
    assert torch.allclose(product(*sent), product(first[None], second[None]), atol=1e-5)
    fresh = rotation.encrypt(second[None], once + 1)
    assert not torch.allclose(product(sent[0], fresh), product(first[None], second[None]), atol=0.1)


def test_purposes_and_directions_share_no_keystream() -> None:
    def rows(cover: KeyedTransform) -> Tensor:
        z = normalise_blocks(normal((64, D), generator=generator(0, "z")))
        return as_reals(cover.encrypt(phy.normalise_power(z), torch.arange(64)))

    covers = [Rotation(KEY), Rotation(research_key(0, "other direction")), Rotation(KEY, "haar")]
    covered = [rows(cover) for cover in covers]
    for i, one in enumerate(covered):
        for two in covered[:i]:
            # Independent waveforms of unit power: 64 · 16 products of variance 1/4.
            assert float((one * two).sum().abs()) < 4 * (64 * D / 4) ** 0.5
