"""What one trained link costs on this machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod

from semveil.device import channels_last
from semveil.experiment.link import Link
from semveil.experiment.plan import Asked, plan
from semveil.experiment.training import TrainedNetworks
from semveil.metrics.intervals import Estimate, exact, median_of
from semveil.nets.convolutional import ImageShape
from semveil.profiling.memory import peak_bytes
from semveil.profiling.systems import Chain, counted
from semveil.profiling.timing import interleave
from semveil.recipe import Recipe
from semveil.records import Record, SystemName

_LEAST_S = 0.02


def link_costs(
    link: Link,
    *,
    batch: int = 64,
    rounds: int = 8,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[Record]:
    """Measure what a link costs, as the study ``cost`` does, on one thread of the processor.

    Alice's and Bob's work is measured, keyed transform included and the channel left out.

    Args:
        link: A trained link that was loaded onto the CPU from a run or the zoo.
        batch: Images of the batch for ``throughput_per_s``.
        rounds: Measurements of each time; six or more have an interval of 95 %.
        progress: Called with stage, steps done, steps in all.

    Returns:
        Records of role ``system``: ``latency_s`` and ``throughput_per_s`` with the interval of a
        median, ``peak_memory_bytes`` of one image on Linux, counts of operations and weights,
        ``key_bytes``, ``channel_uses`` and ``overhead``.

    Example:
        >>> import semveil
        >>> found = link_costs(semveil.load("digits/deepjscc", device="cpu"), batch=2, rounds=2)
        >>> {record.metric: record.value for record in found}["channel_uses"]
        16.0
    """

    def done(step: int) -> None:
        if progress:
            progress("cost", step, 3)

    done(0)
    shape, uses = link.image_shape, link.channel_uses
    # What a process of its own can be sent, and make the system of again.
    assert link.run is not None
    build = partial(
        _untrained, tuple(link.run.schemes), link.run.recipe, link.name, shape, link.classes
    )
    numbers: dict[str, float] = {
        "channel_uses": uses,
        "overhead": link.channel.overhead_share(uses),
        **counted(build()),
    }
    done(1)
    peak = peak_bytes(partial(_one_image, build))
    if peak is not None:
        numbers["peak_memory_bytes"] = peak
    done(2)
    seconds = interleave({1: Chain(link, 1), batch: Chain(link, batch)}, rounds, _LEAST_S)
    done(3)
    estimates = {metric: exact(value) for metric, value in numbers.items()} | {
        "latency_s": median_of(seconds[1]),
        "throughput_per_s": median_of([batch / each for each in seconds[batch]]),
    }
    return [_record(link, uses, metric, found) for metric, found in estimates.items()]


def _record(link: Link, uses: int, metric: str, found: Estimate) -> Record:
    recipe = link.recipe
    return Record.of(
        link.name,
        found,
        study=None,
        dataset=recipe.data.name,
        channel=link.channel.name,
        train_snr_db=recipe.bob.snr_db,
        latent_dim=2 * uses,
        bandwidth_ratio=uses / prod(link.image_shape),
        role="system",
        asymmetry=link.plan.asymmetry,
        metric=metric,
        interval=found.n > 1,
        seed=link.seed,
    )


def _untrained(
    schemes: tuple[Asked, ...],
    recipe: Recipe,
    name: SystemName,
    shape: ImageShape,
    classes: int,
) -> Link:
    """Return a system of a run with random weights, which have gradients: counting needs these."""
    (system,) = [each for each in plan(schemes, recipe) if each.name == name]
    networks = TrainedNetworks([system], system.link.recipe, shape, classes, seed=0)
    channels_last(networks).eval()
    return Link(system, networks, seed=0)


def _one_image(build: Callable[[], Link]) -> Chain:
    link = build()
    # The simulated Eve is not deployed.
    link.networks.eves.clear()
    return Chain(link, 1)
