"""Costs of single networks in use, in torch or exported to ONNX: weights, operations, seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from semveil.device import channels_last
from semveil.graphs.exporter import Session, export_available, to_graph
from semveil.metrics.intervals import Estimate, exact, median_of
from semveil.nets.convolutional import ImageShape
from semveil.nets.semantic import SemanticDecoder, SemanticEncoder, maps_shape
from semveil.profiling.memory import peak_bytes
from semveil.profiling.timing import Work, interleave, ratios
from semveil.rng import generator, seeded, uniform
from semveil.schemes.parts import published_body

K = TypeVar("K")

Prepare = Callable[[int], Work]
"""Batch size → work on a batch of that size."""

# Within a round one input is processed again and again for at least so long.
_LEAST_S = 0.05


@dataclass(frozen=True)
class Network:
    """A network in use: evaluation mode, float32, no gradients, channels last."""

    module: nn.Module
    input_shape: tuple[int, ...]

    def prepare(self, batch: int) -> Work:
        """Return the work on a batch."""
        inputs = self._inputs(batch)
        network = channels_last(self.module).eval()

        @torch.no_grad()
        def run() -> object:
            return network(inputs)

        return run

    def prepare_exported(self) -> Prepare:
        """Export it, and return what prepares its runs."""
        example = torch.zeros(2, *self.input_shape)
        run = Session(to_graph(self.module, [example]))

        def prepare(batch: int) -> Work:
            inputs = self._inputs(batch).numpy()
            return lambda: run(inputs)

        return prepare

    def counted(self) -> dict[str, int]:
        """Return its ``parameters`` and its ``flops`` for one input."""
        run = self.prepare(1)
        with FlopCounterMode(display=False) as counter:
            run()
        return {
            "parameters": sum(parameter.numel() for parameter in self.module.parameters()),
            "flops": counter.get_total_flops(),
        }

    def _inputs(self, batch: int) -> torch.Tensor:
        return uniform((batch, *self.input_shape), generator=generator(0, "inputs"))


def costs(
    builds: Mapping[K, Callable[[], Network]],
    reference: K,
    *,
    exported: bool,
    batch: int,
    rounds: int,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[K, dict[str, Estimate]]:
    """Measure all costs of several networks."""
    networks = {name: build() for name, build in builds.items()}
    found: dict[K, dict[str, Estimate]] = {name: {} for name in networks}
    if exported:
        if export_available():
            work = {name: network.prepare_exported() for name, network in networks.items()}
            found = timed(work, reference, batch, rounds)
        return found
    for done, (name, network) in enumerate(networks.items(), start=1):
        numbers = network.counted()
        peak = peak_bytes(partial(_one_input, builds[name]))
        if peak is not None:
            numbers["peak_memory_bytes"] = peak
        found[name] = {metric: exact(value) for metric, value in numbers.items()}
        if progress:
            progress("networks", done, len(networks))
    times = timed({name: each.prepare for name, each in networks.items()}, reference, batch, rounds)
    return {name: found[name] | times[name] for name in networks}


def _one_input(build: Callable[[], Network]) -> Work:
    return build().prepare(1)


def timed(
    work: Mapping[K, Prepare], reference: K, batch: int, rounds: int
) -> dict[K, dict[str, Estimate]]:
    """Time several networks in turn, on one thread; arguments as in :func:`costs`."""
    latency = interleave({name: prepare(1) for name, prepare in work.items()}, rounds, _LEAST_S)
    batches = interleave({name: prepare(batch) for name, prepare in work.items()}, rounds, _LEAST_S)
    latency_ratios, batch_ratios = ratios(latency, reference), ratios(batches, reference)
    return {
        name: {
            "latency_ratio": latency_ratios[name],
            "latency_s": median_of(latency[name]),
            "batch_ratio": batch_ratios[name],
            "throughput_per_s": median_of([batch / each for each in batches[name]]),
        }
        for name in work
    }


def semantic_network(
    end: str, system: str, image_shape: ImageShape, latent_dim: int, width: int, seed: int
) -> Network:
    """Build one end of a semantic system."""
    kind, blocks = published_body(system)
    _, height, length = maps_shape(image_shape, 1)
    channels = latent_dim // (height * length)
    with seeded(seed, "weights"):
        if end == "encoder":
            encoder = SemanticEncoder(image_shape, channels, width, blocks, kind)
            return Network(encoder, image_shape)
        decoder = SemanticDecoder(image_shape, channels, width, blocks, kind)
        return Network(decoder, (latent_dim,))
