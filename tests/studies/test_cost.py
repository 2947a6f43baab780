"""What systems cost: against counts by hand, and against what is known of the machine."""

from __future__ import annotations

import os
import random
from statistics import median

import pytest
import torch

from semveil import recipe as recipes
from semveil.errors import SemveilError
from semveil.experiment.costs import Chain, interleave, key_bytes, operations
from semveil.experiment.memory import in_own_process, memory, peak_of
from semveil.experiment.transceiver import build
from semveil.metrics.medians import median_of
from semveil.metrics.powerlaw import fit_power_law
from semveil.protect.rotation import Rotation
from semveil.protect.shuffle import Shuffle
from semveil.studies import cost

SHAPE = (1, 8, 8)


def ends_of(scheme: str, *changes: str):
    return build(scheme, recipes.load(f"{scheme}-digits", changes), SHAPE, 10, seed=0)


def convolutions_and_products(ends) -> int:
    """Count by hooks on layers: another way than the counter of operations."""
    found = 0

    def count(layer, inputs, output):
        nonlocal found
        if isinstance(layer, torch.nn.Conv2d):
            found += 2 * output[0].numel() * layer.weight[0].numel()
        else:
            found += 2 * output[0].numel() * layer.in_features

    layers = [m for m in ends.link.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    chain = Chain(ends, 1)
    found = 0
    chain()
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize("scheme", ["deepjscc", "shuffle", "rotation", "cipher"])
def test_operations_are_those_of_the_layers(scheme):
    ends = ends_of(scheme)
    assert operations(ends)[0] == convolutions_and_products(ends)


def test_an_adversary_costs_training_and_nothing_in_use():
    plain, ibal = operations(ends_of("deepjscc")), operations(ends_of("ibal"))
    assert ibal[0] == plain[0]
    assert ibal[1] > 1.5 * plain[1]


@pytest.mark.parametrize("scheme", ["deepjscc", "cipher", "ibal", "lbvq", "uis"])
def test_every_weight_is_needed_at_an_end(scheme):
    ends = ends_of(scheme)
    counts = ends.parameters()
    shared = ends.link.codebook.words.numel() if scheme in ("lbvq", "uis") else 0
    if scheme == "cipher":
        own = sum(p.numel() for p in ends.link.encryptor.parameters())
        encoder = sum(p.numel() for p in ends.link.encoder.parameters())
        assert counts["alice"] == own + encoder
    assert counts["alice"] + counts["bob"] - shared == counts["both"]
    assert counts["eve"] == sum(p.numel() for p in ends.trained.eve(scheme).image.parameters())


def test_key_material_is_what_the_transforms_read():
    # 64-bit words, one per real; three 32-bit words per two symbols; whole blocks of 64 bytes.
    for symbols in (8, 64):
        assert key_bytes(Shuffle(bytes(32)), symbols) == 8 * 2 * symbols
        assert key_bytes(Rotation(bytes(32)), symbols) == -(-6 * symbols // 64) * 64
    assert key_bytes(ends_of("cipher", "cipher.key_bits=520").cover, 16) == 128
    assert key_bytes(None, 64) == 0


def test_double_work_takes_double_time():
    square = torch.ones(300, 300)
    work = {
        "one": lambda: square @ square,
        "three": lambda: [square @ square for _ in range(3)],
    }
    seconds = interleave(work, rounds=9, least_s=0.01)
    ratio = median(b / a for a, b in zip(seconds["one"], seconds["three"], strict=True))
    assert 1.8 < ratio < 5


def test_a_process_that_dies_is_one_line():
    with pytest.raises(SemveilError, match="killed, perhaps for want of it"):
        in_own_process(os._exit, 1)


@pytest.mark.skipif(memory("VmRSS") is None, reason="the system does not tell")
def test_memory_grows_with_the_batch():
    recipe = recipes.load("deepjscc-digits")
    few, many = (peak_of("deepjscc", recipe, SHAPE, 10, batch) for batch in (64, 4096))
    # The widest map alone, 16 channels of 8 by 8 float32.
    assert many - few > (4096 - 64) * 16 * 64 * 4


def test_the_interval_of_a_median_covers_it():
    # Exponential, median ln 2; with n = 8 the whole range covers 99.2 %, with 20 the 6th to 15th
    # value 95.9 %. Of 2000 trials, four standard deviations of either.
    source = random.Random(0)
    for n, share in ((8, 0.9922), (20, 0.9586)):
        found = [median_of([source.expovariate(1.0) for _ in range(n)]) for _ in range(2000)]
        covered = sum(each.low <= 0.693147 <= each.high for each in found) / 2000
        assert abs(covered - share) < 4 * (share * (1 - share) / 2000) ** 0.5
    with pytest.raises(ValueError, match="no value"):
        median_of([])


def test_the_interval_of_an_exponent_covers_it():
    source = random.Random(1)
    x = [1, 2, 4, 8, 16, 32]
    hits = inside = 0
    for _ in range(1000):
        y = [3 * each**0.7 * source.lognormvariate(0, 0.2) for each in x]
        law = fit_power_law(x, y)
        hits += law.low <= 0.7 <= law.high
        _, low, high = law.at(1000)
        inside += low <= 3 * 1000**0.7 * source.lognormvariate(0, 0.2) <= high
    # Four standard deviations of 1000 trials at 95 %.
    assert abs(hits / 1000 - 0.95) < 0.028
    assert abs(inside / 1000 - 0.95) < 0.028
    for bad in ([1, 2], [1, 1, 1], [1, 2, 0]):
        with pytest.raises(ValueError, match="power law"):
            fit_power_law(bad, [1.0] * len(bad))


def test_verdicts_follow_the_intervals():
    number = cost.Number
    clear, wide = number(3.0, 2.5, 3.5), number(2.1, 1.5, 2.6)
    small, same = number(1.02, 0.98, 1.05), number(1.0, 1.0, 1.0)
    assert cost._verdict([clear, clear], ">=") == "confirmed"
    assert cost._verdict([clear, wide], ">=") == "open"
    assert cost._verdict([clear, small], ">=") == "not for all"
    assert cost._verdict([small], ">=") == "not confirmed"
    assert cost._verdict([small, same], "<=") == "confirmed"
    assert cost._verdict([small, clear], "<=") == "not for all"
    assert cost._verdict([same, same], "==") == "confirmed"
    assert cost._verdict([same, small], "==") == "not confirmed"
