"""What systems cost: against counts by hand, and against what is known of the machine."""

from __future__ import annotations

import os
import time
from functools import partial

import pytest
import torch

from semveil import recipe as recipes
from semveil.errors import SemveilError
from semveil.experiment.link import untrained
from semveil.nets.whitening import Whitening
from semveil.profiling.memory import in_own_process, memory, peak_bytes
from semveil.profiling.systems import Chain, key_bytes, operations, parameters
from semveil.profiling.timing import interleave, ratios
from semveil.protect.rotation import Rotation
from semveil.protect.shuffle import Shuffle

SHAPE = (1, 8, 8)


def link_of(scheme: str, *changes: str):
    return untrained(scheme, recipes.load(f"{scheme}-digits", changes), SHAPE, 10, seed=0)


def chain_of(batch: int) -> Chain:
    return Chain(link_of("deepjscc"), batch)


def convolutions_and_products(link) -> int:
    """Count by hooks on layers: another way than the counter of operations."""
    found = 0

    def count(layer, inputs, output):
        nonlocal found
        if isinstance(layer, torch.nn.Conv2d):
            found += 2 * output[0].numel() * layer.weight[0].numel()
        elif isinstance(layer, Whitening):
            found += 2 * output[0].numel() * layer.filters[0].numel()
        else:
            found += 2 * output[0].numel() * layer.in_features

    kinds = torch.nn.Conv2d | torch.nn.Linear | Whitening
    layers = [m for m in link.network.modules() if isinstance(m, kinds)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    chain = Chain(link, 1)
    found = 0
    chain()
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize("scheme", ["deepjscc", "shuffle", "rotation", "cipher"])
def test_operations_are_those_of_the_layers(scheme):
    link = link_of(scheme)
    assert operations(link)[0] == convolutions_and_products(link)


def test_an_adversary_costs_training_and_nothing_in_use():
    plain, ibal = operations(link_of("deepjscc")), operations(link_of("ibal"))
    assert ibal[0] == plain[0]
    # Her gradients with respect to the waveform, and her own; nothing is sent for her alone.
    assert 1.2 * plain[1] < ibal[1] < 2 * plain[1]


@pytest.mark.parametrize("scheme", ["deepjscc", "cipher", "ibal", "lbvq", "uis"])
def test_every_weight_is_needed_at_an_end(scheme):
    link = link_of(scheme)
    counts = parameters(link)
    shared = link.network.codebook.words.numel() if scheme in ("lbvq", "uis") else 0
    if scheme == "cipher":
        own = sum(p.numel() for p in link.network.encryptor.parameters())
        encoder = sum(p.numel() for p in link.network.encoder.parameters())
        assert counts["alice"] == own + encoder
    assert counts["alice"] + counts["bob"] - shared == counts["both"]
    assert counts["eve"] == sum(p.numel() for p in link.networks.eve(scheme).image.parameters())


def test_key_material_is_what_the_transforms_read():
    # 64-bit words, one per real; three 32-bit words per two symbols; whole blocks of 64 bytes.
    for symbols in (8, 64):
        assert key_bytes(Shuffle(bytes(32)), symbols) == 8 * 2 * symbols
        assert key_bytes(Rotation(bytes(32)), symbols) == -(-6 * symbols // 64) * 64
    assert key_bytes(link_of("cipher", "cipher.key_bits=520").transform, 16) == 128
    assert key_bytes(None, 64) == 0


def test_each_piece_is_timed_once_per_round_and_repeated_for_long_enough(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, "process_time", lambda: clock[0])
    order = []

    def work(name: str, seconds: float):
        def run() -> None:
            order.append(name)
            clock[0] += seconds

        return run

    seconds = interleave({"one": work("one", 1.0), "three": work("three", 3.0)}, 2, least_s=2.0)
    assert seconds == {"one": [1.0, 1.0], "three": [3.0, 3.0]}
    first, second = ["one", "one", "three"], ["three", "one", "one"]
    assert order == ["one", "three", *first, *second]
    assert ratios(seconds, "one")["three"].value == 3.0


def test_a_process_that_dies_is_one_line():
    with pytest.raises(SemveilError, match="was killed"):
        in_own_process(os._exit, 1)


@pytest.mark.skipif(memory("VmRSS") is None, reason="the system does not tell")
def test_memory_grows_with_the_batch():
    few, many = (peak_bytes(partial(chain_of, batch)) for batch in (64, 4096))
    # The widest map alone, 16 channels of 8 by 8 float32.
    assert many - few > (4096 - 64) * 16 * 64 * 4
