"""How cost and utility grow with the number of devices: the survey's section on scalability."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch

from semveil import recipe as recipes
from semveil.data.splits import ImageSplits
from semveil.experiment.jobs import JobContext, read_images, write_results
from semveil.experiment.link import Link, untrained
from semveil.link import as_float
from semveil.metrics.intervals import bootstrap_mean, exact
from semveil.metrics.powerlaw import PowerLaw, fit_power_law
from semveil.profiling.devices import (
    epoch_seconds,
    key_costs,
    mean_errors,
    receiver_costs,
    senders,
)
from semveil.protect.laplace import DpConfig, Laplace
from semveil.records import Estimate, Record, SystemName
from semveil.report.figures.growth import Curve, growth
from semveil.studies.base import Job, Study, in_code, nested
from semveil.studies.words import Value as Number
from semveil.studies.words import markdown_table, pick

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 10_000
BATCH = 256
AGREEMENT, OWN = "key-agreement", "lbvq, own codebooks"
MIXED = ("deepjscc", "shuffle", "cipher", "rotation", "lbvq")
TRAINED = ("deepjscc", "ibal", "uis")
EPSILON, CLIP = 1.0, 1.0
_OWN = SystemName("lbvq", params={"codebooks": "own"})
# Images that each device contributes to training.
EACH = 32
_MOST_IMAGES = 1000

_BUDGETS: dict[str, tuple[str, dict[str, Any], dict[str, tuple[int, ...]]]] = {
    "smoke": (
        "digits",
        {"link.width": 4, "train.batch": 16},
        {"keys": (1, 10, 100), "mixed": (1, 10), "mean": (1, 10, 100), "training": (2, 3, 4)},
    ),
    "cpu": (
        "cifar10",
        {"train.batch": 16},
        {
            "keys": (1, 10, 100, 1000, MOST),
            "mixed": (1, 10, 100, 1000, MOST),
            "mean": (1, 10, 100, 1000, MOST),
            "training": (2, 4, 8, 16),
        },
    ),
    "full": (
        "cifar10",
        {"train.batch": 32},
        {
            "keys": (1, 10, 100, 1000, MOST),
            "mixed": (1, 10, 100, 1000, MOST),
            "mean": (1, 10, 100, 1000, MOST),
            "training": (2, 4, 8, 16, 32, 64, 128),
        },
    ),
}
_SCHEMES: dict[str, tuple[str, ...]] = {
    "keys": (AGREEMENT,),
    "mixed": MIXED,
    "mean": ("dp",),
    "training": TRAINED,
}


def jobs(budget: str, seed: int) -> list[Job]:
    """Return one job per question and number of devices.

    Example:
        >>> [job.name for job in jobs("smoke", 0)][:4]
        ['keys-1', 'keys-10', 'keys-100', 'mixed-1']
    """
    dataset, changes, counts = _BUDGETS[budget]
    recipe = recipes.update(recipes.load(f"deepjscc-{dataset}"), nested(changes))
    return [
        Job(
            f"{what}-{n}",
            recipe,
            _SCHEMES[what],
            seed,
            {"devices": n},
            f"{__name__}:measure_{what}",
        )
        for what, numbers in counts.items()
        for n in numbers
    ]


def _devices(job: Job) -> int:
    return int(job.params["devices"])


def _link(job: Job, splits: ImageSplits, scheme: str) -> Link:
    recipe = recipes.update(job.recipe, {"scheme": scheme})
    return untrained(scheme, recipe, splits.image_shape, splits.n_classes, job.seed)


def _leave(
    folder: Path,
    job: Job,
    means: JobContext,
    started: float,
    found: Mapping[tuple[str, str], Estimate],
) -> None:
    """Write what was found, by scheme and metric."""
    recipe = job.recipe
    records = [
        Record.of(
            _OWN if system == OWN else SystemName(system),
            each,
            study=means.study,
            dataset=recipe.data.name,
            channel=f"{recipe.bob.fading}/{recipe.bob.csi}",
            train_snr_db=recipe.bob.snr_db,
            latent_dim=recipe.link.latent_dim,
            role="system",
            metric=metric,
            interval=each.n > 1,
            seed=job.seed,
        )
        for (system, metric), each in found.items()
    ]
    write_results(folder, job, means, records, started)


def measure_keys(folder: Path, job: Job, means: JobContext) -> None:
    """Time a receiver's agreement with all devices, and weigh its sessions."""
    started = time.monotonic()
    found = {(AGREEMENT, metric): each for metric, each in key_costs(_devices(job)).items()}
    _leave(folder, job, means, started, found)


def measure_mixed(folder: Path, job: Job, means: JobContext) -> None:
    """Time Bob's work on a batch whose messages come from random ones of the devices."""
    started, devices = time.monotonic(), _devices(job)
    splits = means.splits or read_images(job, means)
    systems = {name: _link(job, splits, name) for name in MIXED}
    own = {OWN: systems["lbvq"]}
    costs = receiver_costs(systems, own, devices=devices, batch=BATCH, seed=job.seed)
    found = {(name, metric): each for name, own in costs.items() for metric, each in own.items()}
    found["deepjscc", "senders"] = exact(len(senders(devices, BATCH, job.seed).unique()))
    _leave(folder, job, means, started, found)


def measure_mean(folder: Path, job: Job, means: JobContext) -> None:
    """Measure the error of the mean over devices that each add noise of their own."""
    started, devices = time.monotonic(), _devices(job)
    splits = means.splits or read_images(job, means)
    network = _link(job, splits, "deepjscc").network
    dim = job.recipe.link.latent_dim
    with torch.no_grad():
        shown = torch.from_numpy(splits.test.x[: min(devices, _MOST_IMAGES)])
        features = torch.cat([network.features(as_float(some)) for some in shown.split(500)])
    # Beyond that, several devices have seen the same: the noise is each one's own.
    features = features[torch.arange(devices) % len(features)]
    local = Laplace(DpConfig(reading="genuine", epsilon=EPSILON, clip=CLIP), dim).eval()
    errors = mean_errors(features, local, draws=20, seed=job.seed)
    found = {
        ("dp", "mean_error"): bootstrap_mean(errors),
        ("dp", "epsilon"): exact(local.vector_epsilon),
        ("dp", "expected_error"): exact(local.noise_scale * sqrt(2 / devices)),
        ("dp", "signal"): exact(float(local.bound(features).square().mean().sqrt())),
    }
    _leave(folder, job, means, started, found)


def measure_training(folder: Path, job: Job, means: JobContext) -> None:
    """Time an epoch over the images of all devices, so many from each."""
    started, devices = time.monotonic(), _devices(job)
    splits = means.splits or read_images(job, means)
    found = {
        (name, "epoch_s"): epoch_seconds(_link(job, splits, name), devices, EACH)
        for name in TRAINED
    }
    _leave(folder, job, means, started, found)


class _Fleet:
    """Every record by scheme, metric and number of devices."""

    def __init__(self, table: pd.DataFrame) -> None:
        own = table["params.codebooks"].notna()
        self.table = table.assign(
            scheme=table["scheme"].mask(own, OWN), devices=table["params.devices"].astype(int)
        )

    def over(self, scheme: str, metric: str) -> dict[int, Number]:
        """Return a number by how many devices there were."""
        table = self.table
        rows = table[(table["scheme"] == scheme) & (table["metric"] == metric)]
        found = {int(n): pick(rows, devices=n) for n in sorted(rows["devices"].unique())}
        return {n: each for n, each in found.items() if each is not None}

    def law(self, scheme: str, metric: str) -> PowerLaw | None:
        """Return the power law through the measured points; None for fewer than three."""
        found = self.over(scheme, metric)
        if len(found) < 3:
            return None
        return fit_power_law(list(found), [each.value for each in found.values()])


_GROWING = (
    (AGREEMENT, "agreement_s", "agreeing on keys, s at the receiver"),
    ("dp", "mean_error", "error of the mean over devices"),
    *((name, "epoch_s", "an epoch of training, s") for name in TRAINED),
)


def figures(table: pd.DataFrame) -> Mapping[str, Figure]:
    """Return what grows, measured and extended, and Bob's throughput."""
    fleet = _Fleet(table)
    curves = [_curve(fleet, *which) for which in _GROWING]
    mixed = [
        _curve(fleet, name, "receiver_throughput_per_s", "mixed batches, messages/s", law=False)
        for name in (*MIXED, OWN)
    ]
    return {"devices.svg": growth([*curves, *mixed])}


def _curve(fleet: _Fleet, scheme: str, metric: str, title: str, law: bool = True) -> Curve:
    found = fleet.over(scheme, metric)
    fitted = fleet.law(scheme, metric) if law else None
    beyond = [max(found), MOST] if fitted and max(found) < MOST else []
    return Curve(
        title,
        scheme,
        [(n, each.value, each.low, each.high) for n, each in found.items()],
        [(float(n), *fitted.at(n)) for n in beyond] if fitted else [],
    )


def page(table: pd.DataFrame) -> str:
    """Return the page: what was measured, how it grows, claim by claim."""
    fleet = _Fleet(table)
    image = table["dataset"].iloc[0]
    return (
        "# Many devices\n\n"
        "The survey (Guo, Zhang, Wang, Feng, Quek, section on scalability) says in words how each "
        "method fares with many devices, without numbers. Here one receiver, Bob, serves N devices "
        f"({image}; networks and messages as in the recipes), and what depends on N is measured; "
        "a power law is fitted where something grows, on logarithms, and its exponent has "
        "Student's 95 % interval. **Fitted values are marked as such and are no records.** "
        "Seconds are processor time of one thread of a shared machine: growth and ratios mean "
        "something, seconds do not.\n\n"
        + _growth(fleet)
        + "\n\n![What grows with the number of devices](devices.svg)\n"
        + _mixed(fleet)
        + _claims(fleet)
    )


def _growth(fleet: _Fleet) -> str:
    rows = []
    for scheme, metric, what in _GROWING:
        found, law = fleet.over(scheme, metric), fleet.law(scheme, metric)
        first, last = min(found), max(found)
        ends = f"{found[first].value:.3g} at {first}, {found[last].value:.3g} at {last:,}"
        told = _exponent(law) if law else "–"
        measured = ", ".join(f"{n:,}" for n in found)
        rows.append([what, scheme, measured, ends, told, _extended(law, last)])
    headings = ["quantity", "scheme", "measured at N =", "values", "exponent", "fitted, N = 10,000"]
    return markdown_table(headings, rows)


def _exponent(law: PowerLaw) -> str:
    ends = f"{law.exponent:.3f} ({law.low:.3f} to {law.high:.3f})"
    return ends.replace("-", "−")


def _extended(law: PowerLaw | None, last: int) -> str:
    if law is None or last >= MOST:
        return "measured" if last >= MOST else "–"
    value, low, high = law.at(MOST)
    return f"{value:.3g} ({low:.3g}–{high:.3g})"


def _mixed(fleet: _Fleet) -> str:
    numbers = fleet.over("deepjscc", "senders")
    rows = [
        [
            name,
            *(_ratio(found, n) for n in numbers),
            f"{found[min(found)].value:.0f}",
            _key(fleet, name),
        ]
        for name in (*MIXED, OWN)
        if (found := fleet.over(name, "receiver_throughput_per_s"))
    ]
    heads = [f"N = {n:,} ({each.value:.0f} senders)" for n, each in numbers.items()]
    held = fleet.over(AGREEMENT, "session_bytes")
    weight = (
        f"A session takes {held[max(held)].value:.0f} bytes at the receiver (keys, counter, window "
        f"against replays, and the objects that hold them; measured over {max(held):,} of them in "
        f"a process of its own), so {MOST:,} devices take "
        f"{held[max(held)].value * MOST / 2**20:.0f} MiB. "
        if held
        else ""
    )
    words = {name: fleet.over(name, "codebook_bytes")[max(numbers)].value for name in ("lbvq", OWN)}
    return (
        f"\n## One batch from many devices\n\nBob's work on {BATCH} messages, whose senders are "
        "drawn from N devices with a key each: equalise, undo each one's cover, decode. "
        "Throughput over that of the same scheme with one device, 95 % intervals over seven "
        "rounds:\n\n"
        + markdown_table(
            ["scheme", *heads, f"messages/s, N = {min(numbers)}", "keystream, bytes"], rows
        )
        + f"\n\n{weight}Where every pair of devices talks, agreements grow with N²; here they all "
        f"talk to Bob. A shared codebook takes {words['lbvq']:,.0f} bytes whatever N; one per "
        f"device takes {words[OWN] / 2**20:.3g} MiB at N = {max(numbers):,}, in proportion to N.\n"
    )


def _key(fleet: _Fleet, name: str) -> str:
    found = fleet.over(name, "key_bytes")
    return f"{found[min(found)].value:.0f}" if found else "0"


def _ratio(found: Mapping[int, Number], devices: int) -> str:
    first, here = found[min(found)], found[devices]
    return f"{here.value / first.value:.2f} ({here.low / first.value:.2f}–" + (
        f"{here.high / first.value:.2f})"
    )


def _claims(fleet: _Fleet) -> str:
    rows = [list(row) for row in _judged(fleet)]
    return (
        "\n## Claim by claim\n\n"
        + markdown_table(["the survey says", "measured", ""], rows)
        + "\n\nNot measured: distributed and shuffled differential privacy, offloading and network "
        "slicing, which the survey names as remedies; how many epochs a larger set of images "
        "needs; and what the air interface does with N devices.\n"
    )


def _judged(fleet: _Fleet) -> Iterator[tuple[str, str, str]]:
    error, law = fleet.over("dp", "mean_error"), fleet.law("dp", "mean_error")
    expected, spent = fleet.over("dp", "expected_error"), fleet.over("dp", "epsilon")
    signal = fleet.over("dp", "signal")
    last = max(error)
    if law is not None:
        yield (
            "More devices improve the utility of data under DP",
            f"Only of what is averaged over devices: with Laplace noise at ε = {EPSILON:g} per "
            f"message (ℓ1 radius {CLIP:g}), the error of the mean falls as "
            f"N to the power {_exponent(law)}; theory: −0.5, "
            f"{expected[last].value:.3g} expected and {error[last].value:.3g} found at "
            f"N = {last:,}, beside features of {signal[last].value:.3g} (both root mean square). "
            f"One message's ε is {spent[last].value:g} and its noise the same at every N: Bob's "
            "answer to one image gains nothing.",
            "confirmed for means, not for single messages" if law.high < 0 else "not confirmed",
        )
    law = fleet.law(AGREEMENT, "agreement_s")
    keyed = [fleet.over(name, "receiver_throughput_per_s") for name in MIXED[1:4]]
    kept = [each[max(each)].value / each[min(each)].value for each in keyed]
    if law is not None:
        yield (
            "Under encryption the number of devices drives complexity and overhead",
            f"Agreement grows as N to the power {_exponent(law)}, once per "
            f"session; a batch of {BATCH} with as many keys as it has senders is served at "
            + ", ".join(f"{k:.2f} (`{n}`)" for k, n in zip(kept, MIXED[1:4], strict=True))
            + " of the throughput with one key. Beyond one sender per message N no longer "
            "matters: the keystream per message does not depend on it.",
            "confirmed, linear at most" if law.high < 1.1 else "confirmed",
        )
    yield from _training(fleet)
    shared, own = (fleet.over(n, "receiver_throughput_per_s") for n in ("lbvq", OWN))
    last = max(own)
    yield (
        "Under LBVQ the number of devices affects codebook size and complexity",
        "Only if each has a codebook of its own, N times the bytes; looking up in them costs "
        f"{own[last].value / shared[last].value:.2f} of the throughput with a shared one at "
        f"N = {last:,}. Whether one shared codebook serves many kinds of devices as well is not "
        "measured.",
        "not of itself",
    )


def _training(fleet: _Fleet) -> Iterator[tuple[str, str, str]]:
    laws = {name: fleet.law(name, "epoch_s") for name in TRAINED}
    told = [f"`{n}` {_exponent(law)}" for n, law in laws.items() if law]
    plain, ibal = (fleet.over(name, "epoch_s") for name in ("deepjscc", "ibal"))
    factor = [ibal[n].value / plain[n].value for n in plain]
    alike = (
        laws["ibal"]
        and laws["deepjscc"]
        and (
            laws["ibal"].low <= laws["deepjscc"].high and laws["deepjscc"].low <= laws["ibal"].high
        )
    )
    yield (
        "IBAL scales badly: complexity and training demands grow",
        f"An epoch over {EACH} images from each device grows as N to the power "
        + ", ".join(told)
        + f". IBAL's cost is a factor of {min(factor):.1f} to {max(factor):.1f} over plain "
        "training, at every N.",
        "growth is that of any training" if alike else "grows differently from plain training",
    )


STUDY = Study(
    name="devices",
    title="Keys, mixed batches, means under DP and training time against the number of devices",
    jobs=jobs,
    render=in_code(figures, page),
)
