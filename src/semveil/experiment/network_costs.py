"""What single networks cost in use: weights, operations, seconds, memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from semveil.device import channels_last
from semveil.experiment.costs import interleave
from semveil.experiment.exported import Exported
from semveil.experiment.memory import in_own_process, memory
from semveil.metrics.intervals import Estimate
from semveil.metrics.medians import median_of
from semveil.rng import generator, uniform

# Within a round one image is handled again and again for at least so long.
_LEAST_S = 0.05

Prepare = Callable[[int], Callable[[], object]]
"""Batch → what handles a batch of that many."""


@dataclass(frozen=True)
class Network:
    """A network in use: evaluation mode, float32, no gradients, channels last.

    Attributes:
        module: The network, of one input and one output.
        input_shape: Shape of one input, without the batch.

    Example:
        >>> Network(nn.Linear(3, 2), (3,)).counted()
        {'parameters': 8, 'flops': 12}
    """

    module: nn.Module
    input_shape: tuple[int, ...]

    def prepare(self, batch: int) -> Callable[[], object]:
        """Return what runs it on a batch."""
        inputs = self._inputs(batch)
        network = channels_last(self.module).eval()

        @torch.no_grad()
        def run() -> object:
            return network(inputs)

        return run

    def prepare_exported(self) -> Prepare:
        """Export it, and return what prepares its runs.

        Raises:
            SemveilError: If a library that exporting needs is missing.
        """
        run = Exported(self.module, self.input_shape)

        def prepare(batch: int) -> Callable[[], object]:
            inputs = self._inputs(batch).numpy()
            return lambda: run(inputs)

        return prepare

    def counted(self) -> dict[str, int]:
        """Return its ``parameters`` and its ``flops`` for one input.

        Counted are convolutions and matrix products, a multiplication and an addition as two.
        """
        run = self.prepare(1)
        with FlopCounterMode(display=False) as counter:
            run()
        return {
            "parameters": sum(parameter.numel() for parameter in self.module.parameters()),
            "flops": counter.get_total_flops(),
        }

    def _inputs(self, batch: int) -> torch.Tensor:
        return uniform((batch, *self.input_shape), generator=generator(0, "inputs"))


def timed_in_turn(
    work: Mapping[str, Prepare], reference: str, batch: int, rounds: int
) -> dict[str, dict[str, Estimate]]:
    """Time several networks in turn, on one thread.

    Args:
        work: What prepares each, by name; the reference among them.
        reference: Whose seconds the others' are divided by, round by round.
        batch: Inputs of a batch.
        rounds: How often each is timed.

    Returns:
        By name and metric, medians with their intervals: ``latency_s`` (one input),
        ``throughput_per_s`` (a batch), ``latency_ratio`` and ``batch_ratio``.

    Example:
        >>> found = timed_in_turn({"a": Network(nn.Linear(3, 2), (3,)).prepare}, "a", 2, rounds=1)
        >>> found["a"]["batch_ratio"].value
        1.0
    """
    found: dict[str, dict[str, Estimate]] = {name: {} for name in work}
    for metric, size in (("latency", 1), ("batch", batch)):
        seconds = interleave(
            {name: prepare(size) for name, prepare in work.items()}, rounds, _LEAST_S
        )
        for name, own in seconds.items():
            pairs = zip(own, seconds[reference], strict=True)
            found[name][f"{metric}_ratio"] = median_of([mine / other for mine, other in pairs])
            if metric == "latency":
                found[name]["latency_s"] = median_of(own)
            else:
                found[name]["throughput_per_s"] = median_of([size / each for each in own])
    return found


def peak_of_network(build: Callable[[], Network], batch: int) -> int | None:
    """Return by how much a network and its work raise a new process's memory.

    The peak of the resident set while the network is built and one batch passes, less what was
    resident when everything had been imported. One thread.

    Args:
        build: Builds it; a function of a module, or a partial of one.
        batch: Inputs.

    Returns:
        Bytes; None where the system does not tell.

    Raises:
        SemveilError: If the process dies.
    """
    return in_own_process(_peak, build, batch)


def _peak(build: Callable[[], Network], batch: int) -> int | None:
    torch.set_num_threads(1)
    before = memory("VmRSS")
    build().prepare(batch)()
    after = memory("VmHWM")
    return None if before is None or after is None else after - before
