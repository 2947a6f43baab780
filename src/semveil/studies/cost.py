"""What each scheme costs, in operations, weights, seconds and memory: Table I of the survey."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from semveil import recipe as recipes
from semveil.experiment.jobs import JobContext, read_images, write_results
from semveil.experiment.link import Link
from semveil.profiling.systems import costs
from semveil.recipe import Recipe
from semveil.records import Estimate, Record, SystemName
from semveil.report.figures.ratios import ratios
from semveil.report.select import where
from semveil.studies.base import Job, Study, in_code, nested
from semveil.studies.words import Value as Number
from semveil.studies.words import markdown_table, pick

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REFERENCE = "deepjscc"
SCHEMES = (REFERENCE, "dp", "shuffle", "cipher", "rotation", "vfe", "ibal", "lbvq", "uis")
# The papers send 16 tokens on 16-QAM: a quarter of the analog schemes' bandwidth.
PAPERS_TOKENS, TOKENS = "lbvq, 16 tokens", {"tokens": 16}
BATCH, SMALL_BATCH = 256, 32

# Codewords of the papers have eight times as many reals as their trunk has channels at first.
_WIDE: dict[str, Any] = {"link.width": 64, "codebook.dim": 512}
# Width of a job's links, what does it, and its settings.
_BUDGETS: dict[str, tuple[str, tuple[tuple[int, str, dict[str, Any]], ...]]] = {
    "smoke": ("digits", ((4, "measure_quickly", {"link.width": 4, "train.batch": 4}),)),
    "cpu": (
        "cifar10",
        (
            (16, "measure", {"train.batch": 32}),
            (64, "measure_small_batches", _WIDE | {"train.batch": 4}),
        ),
    ),
    "full": ("cifar10", ((16, "measure", {}), (64, "measure", _WIDE))),
}


def jobs(budget: str, seed: int) -> list[Job]:
    """Return one job per width; each measures all schemes, for ratios within one run.

    Example:
        >>> [job.name for job in jobs("cpu", 0)]
        ['width-16', 'width-64']
    """
    dataset, widths = _BUDGETS[budget]
    return [
        Job(
            f"width-{width}",
            recipes.update(recipes.load(f"{REFERENCE}-{dataset}"), nested(changes)),
            SCHEMES,
            seed,
            {"width": width},
            f"{__name__}:{work}",
        )
        for width, work, changes in widths
    ]


def measure(folder: Path, job: Job, means: JobContext) -> None:
    """Measure every scheme of a job in six rounds, and memory in processes apart."""
    _measure(folder, job, means, BATCH, 6, (*SCHEMES, PAPERS_TOKENS))


def measure_small_batches(folder: Path, job: Job, means: JobContext) -> None:
    """Measure as :func:`measure`, with an eighth of the images in a batch."""
    _measure(folder, job, means, SMALL_BATCH, 6, (*SCHEMES, PAPERS_TOKENS))


def measure_quickly(folder: Path, job: Job, means: JobContext) -> None:
    """Measure in two rounds, and the reference's memory alone: shows that it works."""
    _measure(folder, job, means, BATCH, 2, (REFERENCE,))


def _measure(
    folder: Path, job: Job, means: JobContext, batch: int, rounds: int, weighed: Sequence[str]
) -> None:
    started = time.monotonic()
    splits = means.splits or read_images(job, means)
    systems, found = costs(
        _settings(job),
        REFERENCE,
        splits.image_shape,
        splits.n_classes,
        seed=job.seed,
        batch=batch,
        images=len(splits.system),
        rounds=rounds,
        weighed=weighed,
        progress=means.progress,
    )
    records = [
        _record(job, means.study, name, systems[name], metric, each)
        for name, numbers in found.items()
        for metric, each in numbers.items()
    ]
    write_results(folder, job, means, records, started)


def _settings(job: Job) -> dict[str, Recipe]:
    """Return the settings of every system, by its name in the records."""
    found = {name: recipes.update(job.recipe, {"scheme": name}) for name in SCHEMES}
    tokens = {"scheme": "lbvq", "link": {"latent_dim": 32}}
    return found | {PAPERS_TOKENS: recipes.update(job.recipe, tokens)}


def _record(job: Job, study: str, name: str, link: Link, metric: str, found: Estimate) -> Record:
    recipe = link.recipe
    return Record.of(
        SystemName(link.plan.scheme.name, params=TOKENS if name == PAPERS_TOKENS else {}),
        found,
        study=study,
        dataset=recipe.data.name,
        channel=link.channel.name,
        train_snr_db=recipe.bob.snr_db,
        latent_dim=recipe.link.latent_dim,
        bandwidth_ratio=recipe.link.latent_dim / 2 / prod(link.image_shape),
        role="system",
        asymmetry=link.plan.asymmetry,
        metric=metric,
        interval=found.n > 1,
        seed=job.seed,
    )


def figures(table: pd.DataFrame) -> Mapping[str, Figure]:
    """Return each scheme's seconds over the reference's."""
    asked = {
        "epoch_ratio": "an epoch of training",
        "latency_ratio": "one image, in use",
        "batch_ratio": "a batch, in use",
    }
    drawn = pd.concat(costs.table.assign(series=costs.width) for costs in _every(table))
    return {"ratios.svg": ratios(drawn, asked, over=REFERENCE)}


# Table I of the survey: G operations, M weights, seconds per epoch, seconds per image.
PUBLISHED = {
    "deepjscc": (0.085, 3.19, 8.23, 0.002),
    "dp": (0.085, 3.19, 8.93, 0.002),
    "shuffle": (0.085, 3.19, 8.79, 0.002),
    "ibal": (0.382, 10.91, 32.5, 0.002),
    "lbvq": (0.477, 12.61, 37.30, 0.004),
}
_COLUMNS = ("flops", "parameters", "epoch", "latency")
# A ratio within a tenth is called negligible, one of two or more substantial.
NEGLIGIBLE, SUBSTANTIAL = 1.1, 2.0


class _Costs:
    """The numbers of one width."""

    def __init__(self, table: pd.DataFrame, width: int) -> None:
        rows = where(table, **{"params.width": width})
        few = rows["params.tokens"].notna()
        self.table = rows.assign(scheme=rows["scheme"].mask(few, PAPERS_TOKENS))
        self.width, self.names = f"width {width}", list(self.table["scheme"].unique())

    def get(self, name: str, metric: str) -> Number | None:
        return pick(self.table, scheme=name, metric=metric)

    def value(self, name: str, metric: str) -> float:
        found = self.get(name, metric)
        return float("nan") if found is None else found.value

    def ratio(self, name: str, column: str) -> Number:
        """Return a cost over the reference's: counted ones exactly, timed ones as measured."""
        timed_ratio = self.get(name, f"{column}_ratio")
        if timed_ratio is not None:
            return timed_ratio
        exact = self.value(name, column) / self.value(REFERENCE, column)
        return Number(exact, exact, exact)


def _every(table: pd.DataFrame) -> list[_Costs]:
    return [_Costs(table, int(width)) for width in table["params.width"].unique()]


def page(table: pd.DataFrame) -> str:
    """Return the page: method, tables beside the published one, claim by claim."""
    every = _every(table)
    image = f"{table['dataset'].iloc[0]}, images as that set has them"
    return (
        "# What each scheme costs\n\n"
        "Table I of the survey (Guo, Zhang, Wang, Feng, Quek) gives operations, weights, seconds "
        "per epoch and seconds per image of five systems on CIFAR-10. Here the same is measured "
        f"for all schemes of this package ({image}), each with the same trunk, at the widths "
        "named: first convolution of 16 channels as in the recipes, or of 64 as in the papers "
        "that the survey cites. Networks are untrained: cost does not hang on the weights.\n\n"
        "**How.** *FLOPs*: convolutions and matrix products of both ends for one image, a "
        "multiplication and an addition as two; nothing elementwise, no sorting, look-up or "
        "keystream. *Training FLOPs*: the same per image and step, forward and backward, with "
        "the simulated Eve. *Weights*: what Alice's waveform and Bob's answer depend on; Eve's "
        "apart, she is there in training only. *Seconds*: processor time of one thread, float32, "
        "so that waiting for others does not count; all schemes in turn in every round, so a ratio "
        "compares work of the same moments; the median of the rounds with its 95 % "
        "order-statistic interval (up to eight rounds: their whole range). An epoch is its number "
        "of steps times a fourth of four steps' seconds, their batch as in `run.json`. Use counts "
        "both ends, cover and keystream at both, and leaves the channel's simulation out. A "
        f"*batch* in use is {BATCH} images ({SMALL_BATCH} at width 64 with the budget `cpu`). "
        "*Memory*: how far a new process grows while both ends handle a batch (peak "
        "resident set less what the imports took), one process each. *Key*: keystream that an "
        "end draws per message; every keyed scheme keeps 32 bytes of key per direction beside "
        "it.\n\n"
        "**Absolute times mean nothing here**: the machine was shared and is no one's target. "
        f"Ratios to `{REFERENCE}` of the same run are what can be compared; `shuffle` trains "
        f"nothing of its own, so its ratio of epochs is that of `{REFERENCE}` to itself and "
        "shows the error of the method.\n"
        + "".join(_tables(costs) for costs in every)
        + f"\n![Seconds over those of {REFERENCE}](ratios.svg)\n"
        + _claims(every)
    )


def _tables(costs: _Costs) -> str:
    work, times = [], []
    for name in costs.names:
        published = PUBLISHED.get(name)
        flops, weights, epoch, latency = published or (None,) * 4
        get = costs.value
        work.append(
            [
                name,
                f"{get(name, 'flops') / 1e6:.2f}",
                _times(costs.ratio(name, "flops")),
                _over(flops, 0),
                f"{get(name, 'training_flops') / 1e6:.1f}",
                _times(costs.ratio(name, "training_flops")),
                f"{get(name, 'parameters_alice') / 1e3:.1f}",
                f"{get(name, 'parameters_bob') / 1e3:.1f}",
                _times(costs.ratio(name, "parameters")),
                _over(weights, 1),
                f"{get(name, 'parameters_eve') / 1e3:.1f}",
                f"{get(name, 'key_bytes'):.0f}",
                f"{_bandwidth(costs, name):.4f}",
            ]
        )
        memory = costs.get(name, "peak_memory_bytes")
        times.append(
            [
                name,
                _times(costs.ratio(name, "epoch")),
                _over(epoch, 2),
                _times(costs.ratio(name, "latency")),
                _over(latency, 3),
                _times(costs.ratio(name, "batch")),
                f"{get(name, 'epoch_s'):.1f}",
                f"{1e3 * get(name, 'latency_s'):.2f}",
                f"{get(name, 'throughput_per_s'):.0f}",
                f"{memory.value / 2**20:.0f}" if memory else "–",
            ]
        )
    count = [
        "scheme", "MFLOPs", "ratio", "published", "training MFLOPs", "ratio", "Alice, k weights",
        "Bob, k", "both, ratio", "published", "Eve, k", "key, bytes", "bandwidth ratio",
    ]  # fmt: skip
    clock = [
        "scheme", "epoch, ratio", "published", "one image, ratio", "published",
        "a batch, ratio", "epoch, s", "one image, ms", "images per s", "memory, MiB",
    ]  # fmt: skip
    return (
        f"\n## {costs.width[0].upper()}{costs.width[1:]}\n\n{markdown_table(count, work)}\n\n"
        f"{markdown_table(clock, times)}\n\n"
        f"Ratios are to `{REFERENCE}`; *published*: the ratio of Table I's numbers, not measured "
        "here.\n"
    )


def _bandwidth(costs: _Costs, name: str) -> float:
    return float(where(costs.table, scheme=name)["bandwidth_ratio"].iloc[0])


def _times(number: Number) -> str:
    if number.low == number.high:
        return f"{number.value:.2f}"
    return f"{number.value:.2f} ({number.low:.2f}–{number.high:.2f})"


def _over(value: float | None, column: int) -> str:
    return "–" if value is None else f"{value / PUBLISHED[REFERENCE][column]:.2f}"


def _claims(every: Sequence[_Costs]) -> str:
    """Return the survey's statements, the ratios behind them, and what became of each."""
    claims = [
        ("DP and encryption (`shuffle`) have the FLOPs of plain DeepJSCC", ("dp", "shuffle"),
         "flops", "=="),
        ("They have its weights", ("dp", "shuffle"), "parameters", "=="),
        ("They train in about its time", ("dp", "shuffle"), "epoch", "<="),
        ("IBAL and LBVQ need substantially more FLOPs", ("ibal", "lbvq"), "flops", ">="),
        ("They need substantially more weights", ("ibal", "lbvq"), "parameters", ">="),
        ("They need substantially longer training", ("ibal", "lbvq"), "epoch", ">="),
        ("DP, encryption and IBAL answer in about the same time", ("dp", "shuffle", "ibal"),
         "latency", "<="),
        ("LBVQ alone answers substantially later, for its codebook", ("lbvq",), "latency", ">="),
    ]  # fmt: skip
    rows = [
        [
            claim,
            ", ".join(
                f"{name} {_over(PUBLISHED[name][_COLUMNS.index(column)], _COLUMNS.index(column))}"
                for name in names
            ),
            "; ".join(
                f"{costs.width}: "
                + ", ".join(f"{name} {_times(costs.ratio(name, column))}" for name in names)
                for costs in every
            ),
            _verdict([costs.ratio(n, column) for costs in every for n in names], sense),
        ]
        for claim, names, column, sense in claims
    ]
    return (
        "\n## Claim by claim\n\n"
        + markdown_table(["the survey says", "published ratio", "measured ratio", ""], rows)
        + "\n\n*About the same*: the interval lies below "
        f"{NEGLIGIBLE:g}; *substantially*: it lies above {SUBSTANTIAL:g}; *open*: it includes "
        "that bound for some, and none is on the wrong side.\n\n"
        "The survey calls its FLOPs those of the whole training; which at 0.085 G would be "
        "over after a handful of images: they must be those of one image. It does "
        "not say whether the simulated Eve counts among IBAL's weights. At equal trunk, an "
        "adversary in training leaves what is deployed as it was; what the survey's table shows "
        "beside that is different networks.\n"
    )


def _verdict(found: Sequence[Number], sense: str) -> str:
    if sense == "==":
        return "confirmed" if all(number.value == 1 for number in found) else "not confirmed"
    if sense == "<=":
        kept = [number.high <= NEGLIGIBLE for number in found]
        broken = [number.low > NEGLIGIBLE for number in found]
    else:
        kept = [number.low >= SUBSTANTIAL for number in found]
        broken = [number.high < SUBSTANTIAL for number in found]
    if all(kept):
        return "confirmed"
    if all(broken):
        return "not confirmed"
    return "not for all" if any(broken) else "open"


STUDY = Study(
    name="cost",
    title="FLOPs, weights, training time, latency, memory and keys of every scheme",
    jobs=jobs,
    render=in_code(figures, page),
)
