"""All costs of several systems, side by side: what is counted, and what is timed in turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from semveil.experiment.costs import STEPS, Chain, TrainingSteps, interleave, key_bytes, operations
from semveil.experiment.transceiver import Transceiver
from semveil.metrics.intervals import Estimate
from semveil.metrics.medians import median_of

_LEAST_S = 0.02


def counted(ends: Transceiver) -> dict[str, int]:
    """Return what is counted rather than timed, by metric.

    Returns:
        ``flops`` per image sent; ``training_flops`` per image and step; ``parameters`` of the
        link, of which ``parameters_alice`` and ``parameters_bob`` at each end and
        ``parameters_eve`` in training only; ``key_bytes`` of keystream per message and end.

    Example:
        >>> from semveil.recipe import Recipe
        >>> from semveil.experiment.transceiver import build
        >>> counted(build("shuffle", Recipe(scheme="shuffle"), (1, 8, 8), 10, 0))["key_bytes"]
        256
    """
    sent, trained = operations(ends)
    weights = ends.parameters()
    return {
        "flops": sent,
        "training_flops": trained,
        "parameters": weights["both"],
        "parameters_alice": weights["alice"],
        "parameters_bob": weights["bob"],
        "parameters_eve": weights["eve"],
        "key_bytes": key_bytes(ends.cover, ends.planned.link.recipe.link.latent_dim // 2),
    }


def timed(
    systems: Mapping[str, Transceiver], reference: str, batch: int, images: int, rounds: int
) -> dict[str, dict[str, Estimate]]:
    """Time all systems in turn.

    Args:
        systems: By name, the reference among them.
        reference: Whose seconds the others' are divided by, round by round.
        batch: Images of a batch in use.
        images: Images of an epoch of training, in batches of the recipe's size.
        rounds: How often each is timed.

    Returns:
        By name and metric, medians with their intervals: ``latency_s`` (one image),
        ``batch_s`` and ``throughput_per_s`` (a batch), ``epoch_s`` (from the seconds of
        :data:`~semveil.experiment.costs.STEPS` steps), and ``latency_ratio``, ``batch_ratio``,
        ``epoch_ratio``.

    Example:
        >>> from semveil.recipe import Recipe
        >>> from semveil.experiment.transceiver import build
        >>> ends = build("deepjscc", Recipe(scheme="deepjscc"), (1, 8, 8), 10, 0)
        >>> found = timed({"deepjscc": ends}, "deepjscc", batch=2, images=512, rounds=1)
        >>> found["deepjscc"]["latency_ratio"].value
        1.0
    """
    pieces: dict[str, Callable[[Transceiver], Callable[[], object]]] = {
        "latency": lambda ends: Chain(ends, 1),
        "batch": lambda ends: Chain(ends, batch),
        "epoch": lambda ends: TrainingSteps(ends, ends.planned.link.recipe.train.batch),
    }
    found: dict[str, dict[str, Estimate]] = {name: {} for name in systems}
    for piece, prepare in pieces.items():
        # Only one kind of work at a time in memory.
        seconds = interleave(
            {name: prepare(ends) for name, ends in systems.items()}, rounds, _LEAST_S
        )
        for name, own in seconds.items():
            pairs = zip(own, seconds[reference], strict=True)
            found[name][f"{piece}_ratio"] = median_of([mine / other for mine, other in pairs])
            if piece == "batch":
                found[name]["throughput_per_s"] = median_of([batch / each for each in own])
            if piece == "epoch":
                steps = images // systems[name].planned.link.recipe.train.batch
                own = [steps / STEPS * each for each in own]
            found[name][f"{piece}_s"] = median_of(own)
    return found
