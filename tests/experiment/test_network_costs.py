"""Costs of single networks: counts by hand, and exported networks that compute the same."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch
from torch import nn

from semveil.errors import SemveilError
from semveil.experiment import exported
from semveil.experiment.exported import Exported
from semveil.experiment.network_costs import Network, timed_in_turn
from semveil.nets.semantic import SemanticEncoder
from semveil.rng import generator, seeded, uniform


def test_counts_by_hand() -> None:
    network = Network(nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU()), (2, 4, 5))
    assert network.counted() == {"parameters": 3 * (2 * 9 + 1), "flops": 2 * 2 * 9 * 3 * 20}


def test_what_does_three_times_the_work_takes_longer() -> None:
    one, three = (
        Network(nn.Sequential(*(nn.Linear(256, 256) for _ in range(count))), (256,)).prepare
        for count in (1, 3)
    )
    found = timed_in_turn({"one": one, "three": three}, "one", batch=256, rounds=5)
    assert found["one"]["batch_ratio"].value == 1.0
    assert 1.8 < found["three"]["batch_ratio"].value < 5
    faster = found["one"]["throughput_per_s"].value / found["three"]["throughput_per_s"].value
    assert 1.5 < faster < 6
    assert found["three"]["latency_s"].n == 5


def test_an_exported_encoder_computes_the_same_for_any_batch() -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    with seeded(0, "weights"):
        encoder = SemanticEncoder((1, 12, 9), channels=4, width=4, blocks=1)
    images = uniform((5, 1, 12, 9), generator=generator(0, "images"))
    encoder(images)  # running statistics that are not those of the beginning
    run = Exported(encoder, (1, 12, 9))
    with torch.no_grad():
        expected = encoder.eval()(images)
    assert expected.abs().max() > 1e-3
    for batch in (1, 5):
        found = torch.from_numpy(run(np.asarray(images[:batch])))
        torch.testing.assert_close(found, expected[:batch], atol=1e-5, rtol=1e-4)


def test_a_missing_library_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        exported, "find_spec", lambda name: None if name == "onnxruntime" else find(name)
    )
    with pytest.raises(SemveilError, match=r"semveil\[export\]"):
        Exported(nn.Linear(1, 1), (1,))
