"""Keyed permutations: uniform, one per message or one for all, undone without loss."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy import stats

from semveil import phy
from semveil.errors import SemveilError
from semveil.protect.keyed_transform import as_reals
from semveil.protect.keys import research_key
from semveil.protect.permute import permutations
from semveil.protect.shuffle import Shuffle
from semveil.rng import generator, normal

KEY = research_key(0, "shuffle")


def _waveform(count: int, k: int = 8) -> torch.Tensor:
    z = normal((count, k), dtype=torch.complex64, generator=generator(0, "waveform"))
    return phy.normalise_power(z)


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize("k", [1, 5, 64])
def test_the_values_stay_and_bob_gets_their_order(k: int, fresh: bool) -> None:
    shuffle, z, messages = Shuffle(KEY, fresh), _waveform(20, k), torch.arange(20) * 3
    sent = shuffle.encrypt(z, messages)
    assert torch.equal(as_reals(sent).sort(1).values, as_reals(z).sort(1).values)
    assert torch.equal(shuffle.decrypt(sent, messages), z)


def test_a_fixed_permutation_is_one_for_all() -> None:
    z, shuffle = _waveform(1).expand(50, -1), Shuffle(KEY, fresh=False)
    sent = shuffle.encrypt(z, torch.arange(50))
    assert shuffle.name == "shuffle/fixed"
    assert bool((sent == sent[0]).all())
    assert not torch.equal(sent[0], z[0])


def test_a_fresh_permutation_is_every_messages_own() -> None:
    z, shuffle = _waveform(1).expand(50, -1), Shuffle(KEY)
    sent = shuffle.encrypt(z, torch.arange(50))
    assert shuffle.name == "shuffle"
    assert len({tuple(row) for row in sent.numpy()}) == 50


def test_a_counter_used_twice_is_refused_where_it_matters() -> None:
    z, twice = _waveform(3), torch.tensor([7, 2, 7])
    with pytest.raises(SemveilError, match="used twice in a batch: 7"):
        Shuffle(KEY).encrypt(z, twice)
    assert Shuffle(KEY, fresh=False).encrypt(z, twice).shape == z.shape
    assert Shuffle(KEY).decrypt(z, twice).shape == z.shape


def test_every_permutation_is_as_likely_as_any_other() -> None:
    count = 24_000
    z = torch.tensor([[0 + 1j, 2 + 3j]]).expand(count, -1)
    rows = as_reals(Shuffle(KEY).encrypt(z, torch.arange(count))).long()
    codes = (rows * torch.tensor([64, 16, 4, 1])).sum(1)
    possible = {
        sum(4 ** (3 - i) * v for i, v in enumerate(p)) for p in itertools.permutations(range(4))
    }
    assert set(codes.tolist()) == possible
    # 99 % confidence.
    assert stats.chisquare(np.unique(codes.numpy(), return_counts=True)[1]).pvalue > 0.01


@pytest.mark.parametrize("size", [1, 2, 3, 4, 128, 129])
def test_permutations_sort_the_words(size: int) -> None:
    random = np.random.default_rng(0).integers(0, 2**63, (50, size)).astype(np.uint64) << np.uint64(
        1
    )
    expected = np.argsort(random, axis=1)
    assert (permutations(random).numpy() == expected).all()


def test_equal_words_still_give_a_permutation() -> None:
    assert permutations(np.full((1, 5), 2**40, np.uint64)).tolist() == [[0, 1, 2, 3, 4]]


@pytest.mark.parametrize("wrong", ["key", "counter"])
def test_a_wrong_key_or_counter_gives_another_order(wrong: str) -> None:
    z, messages = _waveform(200, 64), torch.arange(200)
    sent = Shuffle(KEY).encrypt(z, messages)
    bob = Shuffle(research_key(1) if wrong == "key" else KEY)
    found = bob.decrypt(sent, messages if wrong == "key" else messages + 1000)
    # Independent standard normal components differ by twice their power.
    assert 1.9 < float((found - z).abs().square().mean()) < 2.1


def test_shuffles_and_gradients_meet_in_the_same_place() -> None:
    shuffle, messages = Shuffle(KEY), torch.arange(3)
    z = _waveform(3, 4).to(torch.complex128).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: shuffle.encrypt(z, messages), z)
    assert torch.autograd.gradcheck(lambda z: shuffle.decrypt(z, messages), z)


def test_what_does_not_belong_together_is_refused() -> None:
    shuffle, z = Shuffle(KEY), _waveform(3)
    for symbols, messages in (
        (z, torch.arange(2)),
        (z, torch.arange(3.0)),
        (as_reals(z), torch.arange(3)),
        (z[0], torch.arange(3)),
    ):
        with pytest.raises(ValueError, match=r"a keyed transform takes|message counter"):
            shuffle.encrypt(symbols, messages)
    with pytest.raises(SemveilError, match="32 bytes"):
        Shuffle(b"secret")
