"""Costs of single networks: counts by hand, and exported networks that compute the same."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from semveil.errors import SemveilError
from semveil.graphs import exporter
from semveil.graphs.exporter import Session, to_graph
from semveil.nets.semantic import SemanticEncoder
from semveil.profiling.networks import Network, Prepare, timed
from semveil.rng import generator, seeded, uniform


def test_counts_by_hand() -> None:
    network = Network(nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU()), (2, 4, 5))
    assert network.counted() == {"parameters": 3 * (2 * 9 + 1), "flops": 2 * 2 * 9 * 3 * 20}


def test_times_are_per_input_and_over_the_references(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "process_time", lambda: clock[0])

    def network(seconds: float) -> Prepare:
        def prepare(batch: int) -> Callable[[], None]:
            def run() -> None:
                clock[0] += seconds * batch

            return run

        return prepare

    found = timed({"one": network(1.0), "three": network(3.0)}, "one", batch=4, rounds=2)
    values = {metric: estimate.value for metric, estimate in found["three"].items()}
    assert values == {
        "latency_s": 3.0,
        "latency_ratio": 3.0,
        "batch_ratio": 3.0,
        "throughput_per_s": 1 / 3,
    }


@pytest.mark.slow
def test_an_exported_encoder_computes_the_same_for_any_batch() -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    with seeded(0, "weights"):
        encoder = SemanticEncoder((1, 12, 9), channels=4, width=4, blocks=1)
    images = uniform((5, 1, 12, 9), generator=generator(0, "images"))
    encoder(images)  # running statistics that are not those of the beginning
    run = Session(to_graph(encoder, [torch.zeros(2, 1, 12, 9)]))
    with torch.no_grad():
        expected = encoder.eval()(images)
    assert expected.abs().max() > 1e-3
    for batch in (1, 5):
        found = torch.from_numpy(run(np.asarray(images[:batch]))[0])
        torch.testing.assert_close(found, expected[:batch], atol=1e-5, rtol=1e-4)


def test_a_missing_library_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        exporter, "find_spec", lambda name: None if name == "onnxruntime" else find(name)
    )
    with pytest.raises(SemveilError, match=r"semveil\[export\]"):
        to_graph(nn.Linear(1, 1), [torch.zeros(2, 1)])
