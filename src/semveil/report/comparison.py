"""Systems of several runs on equal terms: at one SNR, and at one bandwidth ratio or near it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from semveil.errors import SemveilError, unknown
from semveil.report import figures
from semveil.report.attack_rows import floor_line, only_attacks
from semveil.report.folder import RunFolder
from semveil.report.looks import markers, palette
from semveil.report.select import frame, home_snr, paired, strongest, titles, where
from semveil.report.summary import Row, line_of, rows, shown_columns
from semveil.report.table import WIDEST, Cell, Line, Table, signed, to_rich

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SAME = 0.01  # of a bandwidth ratio


@dataclass(frozen=True)
class ComparedSystem:
    """One system of a comparison.

    Attributes:
        name: Its label, with its run where two runs have systems of one label.
        run: Its run; empty if all systems are of one run.
        row: Its figures and verdicts.
        facts: Its circumstances, by their names.
    """

    name: str
    run: str
    row: Row
    facts: Mapping[str, str]


@dataclass(frozen=True)
class Comparison:
    """Systems of several runs at one SNR, on shared axes.

    Attributes:
        runs: What was compared.
        snr_db: SNR of Bob and Eve, dB.
        bandwidth_ratio: The ratio that was asked for; every system has its own nearest to it.
        systems: The systems, run by run.
        table: Records of these systems at all SNRs, under the names of the comparison.
        left_out: One sentence for each system without a figure at this SNR.

    Example:
        >>> from semveil.records import Record
        >>> mine, theirs = (
        ...     RunFolder(scheme, [Record(scheme=scheme, dataset="digits", role="eve", value=0.5,
        ...     channel="awgn/perfect", adversary="inference/mlp", protocol="adaptive", seed=seed,
        ...     test_snr_db=10.0, target="label", metric="accuracy", n=10)])
        ...     for scheme, seed in (("mine", 0), ("deepjscc", 1))
        ... )
        >>> compare([mine, theirs], 10.0).about
        'Bob and Eve at 10 dB. Not equal: seeds.'
    """

    runs: tuple[RunFolder, ...]
    snr_db: float
    bandwidth_ratio: float | None
    systems: tuple[ComparedSystem, ...]
    table: pd.DataFrame
    left_out: tuple[str, ...]

    @property
    def different(self) -> list[str]:
        """The names of the circumstances that are not the same for all systems."""
        return [
            name
            for name in self.systems[0].facts
            if len({each.facts[name] for each in self.systems}) > 1
        ]

    @property
    def equal(self) -> dict[str, str]:
        """The circumstances that are the same for all systems, by their names."""
        facts = self.systems[0].facts
        return {name: value for name, value in facts.items() if name not in self.different}

    @property
    def about(self) -> str:
        """What is equal and what is not, in words."""
        found = [f"Bob and Eve at {signed(self.snr_db)} dB."]
        found.append(f"Not equal: {', '.join(self.different)}." if self.different else "")
        return " ".join(filter(None, [*found, *self.left_out]))

    def to_table(self, *, every_metric: bool = True) -> Table:
        """Return the table: one row per system, with what is not equal beneath its name."""
        found = [each.row for each in self.systems]
        shown, columns = shown_columns(found, every_metric)
        lines = []
        for each in self.systems:
            notes = [f"{name}: {each.facts[name]}" for name in self.different]
            if each.run and each.run not in each.name:
                notes.insert(0, each.run)
            line = line_of(each.row, shown)
            lines.append(replace(line, name=each.name, note=" · ".join(notes)))
        sets = dict.fromkeys((each.facts["data"], each.row.target) for each in self.systems)
        for data, target in sets:
            of = [e.row for e in self.systems if (e.facts["data"], e.row.target) == (data, target)]
            floors = {key: value for row in of for key, value in row.floors.items()}
            words = [] if target == "label" else [target]
            words += [data] if "data" in self.different else []
            name = ": ".join(filter(None, ["chance", ", ".join(words)]))
            line = floor_line(name, [(metric, floors.get((p, metric))) for p, metric in shown])
            lines.append(Line(name, [Cell(), *line.cells, Cell(), Cell()], faint=True))
        title = " · ".join(f"{name}: {value}" for name, value in self.equal.items())
        return Table("Comparison", columns, [(title, lines)], self.about)

    def to_pandas(self) -> pd.DataFrame:
        """Return one row per system: its circumstances, figures with intervals, and verdicts."""
        found = []
        for each in self.systems:
            line: dict[str, Any] = {"system": each.name, "run": each.run or None, **each.facts}
            for (party, metric), estimate in each.row.figures.items():
                name = {"adaptive": "eve", "paper": "eve_paper"}.get(party, party)
                line[f"{name}_{metric}"] = estimate.value
                line[f"{name}_{metric}_low"] = estimate.low
                line[f"{name}_{metric}_high"] = estimate.high
            line |= {"label_verdict": each.row.label.value, "image_verdict": each.row.image.value}
            found.append(line)
        return pd.DataFrame(found)

    def plot(self, metric: str = "accuracy") -> Figure:
        """Draw a metric of all systems against the SNR: a panel for Bob, one for the fresh Eves.

        Raises:
            SemveilError: If neither Bob nor a fresh Eve has the metric.
        """
        measured = set(figures.parties(self.table, metric)["metric"])
        if not measured:
            raise unknown("metric of Bob and Eve", metric, set(self.table["metric"]))
        return figures.systems_against_snr(self.table, metric, looks=self.looks)

    def plot_accuracies(self) -> Figure:
        """Draw Bob's accuracy against the strongest Eve's at this SNR, one point per system."""
        here = self.table["test_snr_db"].isna() | (self.table["test_snr_db"] == self.snr_db)
        return figures.privacy_utility(self.table[here], colours=palette(self.table))

    def plot_images(self) -> Figure | None:
        """Draw the images of the first run and what Bob and Eve reconstruct in each system.

        Returns:
            The figure; None if no two parts show the same images.
        """
        samples: dict[str, np.ndarray[Any, Any]] = {}
        for group, run in zip(groups(self.runs), self.runs, strict=True):
            originals = run.samples.get("originals")
            if originals is None or not len(originals):
                continue
            base = samples.setdefault("originals", originals)
            n = min(len(base), len(originals))
            if base.shape[1:] != originals.shape[1:] or not np.array_equal(base[:n], originals[:n]):
                continue
            samples.setdefault("labels", run.samples.get("labels", np.arange(len(base))))
            mine = [each for each in self.systems if each.run in ("", group)]
            for each, party in product(mine, ("bob", "eve")):
                key = f"{party}/{each.row.system}"
                if key in run.samples:
                    samples.setdefault(f"{party}/{each.name}", run.samples[key])
        shown = any(key.startswith(("bob/", "eve/")) for key in samples)
        return figures.reconstruction_grid(samples) if shown else None

    @property
    def looks(self) -> dict[str, dict[str, Any]]:
        """Colour and marker of each system."""
        colours, marked = palette(self.table), markers(self.table)
        return {name: {"color": colours[name], "marker": marked[name]} for name in colours}

    def report(self, path: str | Path) -> Path:
        """Write the page on all runs, which begins with the comparison, and return its path.

        Raises:
            SemveilError: If the name does not end in ``.html``, or the page cannot be written.
        """
        from semveil.report.page import require_html, write_page

        require_html(path)
        write_page(Path(path), list(self.runs), self)
        return Path(path)

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(file=StringIO(), width=WIDEST, markup=False, emoji=False, highlight=False)
        with console.capture() as captured:
            console.print(to_rich(self.to_table(every_metric=False)))
        return captured.get()


def compare(
    runs: Sequence[RunFolder], snr_db: float | None = None, bandwidth_ratio: float | None = None
) -> Comparison:
    """Put the systems of several runs beside each other.

    Args:
        runs: What the folders of runs hold, the one that others are compared with first.
        snr_db: SNR of Bob and Eve, dB; by default that at which the first run compares them.
        bandwidth_ratio: Channel uses over the numbers of an image; by default the first run's.

    Raises:
        SemveilError: If nothing was measured at this SNR, or the first run has several bandwidth
            ratios and none is named.
    """
    names = groups(runs)
    parts = [
        part.assign(run=name)
        for name, run in zip(names, runs, strict=True)
        if not only_attacks(part := frame(run.records))
    ]
    if not parts:
        raise SemveilError("nothing to compare: the runs hold attacks on Bob alone")
    table = paired(pd.concat(parts, ignore_index=True))
    table = table[table["adversary"].isna() | (table["role"] == "eve")]
    measured = table[table["role"].isin(["bob", "eve"]) & table["value"].notna()]
    first = where(measured, run=names[0])
    if snr_db is None:
        snr_db = home_snr(where(first, role="bob"), strongest(first))
    levels = sorted(measured["test_snr_db"].dropna().unique())
    if snr_db is None or snr_db not in levels:
        known = ", ".join(signed(level) for level in levels) or "none"
        raise SemveilError(
            f"no system was measured at {'an SNR' if snr_db is None else f'{signed(snr_db)} dB'}; "
            f"SNRs that were: {known}"
        )
    ratios = sorted(first["bandwidth_ratio"].dropna().unique())
    if bandwidth_ratio is None and len(ratios) > 1:
        raise SemveilError(
            f"{names[0]} has several bandwidth ratios: choose one of "
            f"{', '.join(f'{ratio:.4g}' for ratio in ratios)}"
        )
    wanted = bandwidth_ratio or (float(ratios[0]) if ratios else None)
    kept, left_out = [], []
    for (run, system), mine in measured.groupby(["run", "system"], sort=False):
        tested = sorted(mine["test_snr_db"].dropna().unique())
        if snr_db in tested:
            kept.append(nearest(mine[mine["test_snr_db"].notna()], wanted, snr_db))
        else:
            at = ", ".join(map(signed, tested)) or "no"
            left_out.append(f"Left out: {system} of {run}, measured at {at} dB only.")
    floors = where(table, role="system")
    every = pd.concat([*kept, floors], ignore_index=True)
    here = every[(every["test_snr_db"] == snr_db) | (every["role"] == "system")]
    found = rows(here)
    several = len(set(names)) > 1
    labels = _labels(here)
    systems = tuple(
        ComparedSystem(
            row.name.replace(row.title, labels[str(row.condition["run"]), row.system], 1),
            str(row.condition["run"]) if several else "",
            row,
            _facts(row, every),
        )
        for row in found
    )
    return Comparison(
        tuple(runs), float(snr_db), wanted, systems, _shared(every, labels), tuple(left_out)
    )


def nearest(table: pd.DataFrame, wanted: float | None, snr_db: float) -> pd.DataFrame:
    """Return a system's records at the bandwidth ratio next to one, of those tried at an SNR."""
    ratios = where(table, test_snr_db=snr_db)["bandwidth_ratio"].dropna().unique()
    if wanted is None or not len(ratios):
        return table
    best = min(ratios, key=lambda ratio: (abs(math.log(ratio / wanted)), ratio))
    return table[table["bandwidth_ratio"] == best]


def _facts(row: Row, table: pd.DataFrame) -> dict[str, str]:
    condition = row.condition
    mine = where(table, run=condition["run"], system=row.system, latent_dim=condition["latent_dim"])
    ratios = mine["bandwidth_ratio"].dropna().unique()
    trained = condition["train_snr_db"]
    n = max((found.n for found in row.figures.values()), default=0)
    return {
        "data": str(condition["dataset"]),
        "channel": str(condition["channel"]),
        "SNR of training": "unknown" if pd.isna(trained) else f"{signed(trained)} dB",
        "bandwidth ratio": ", ".join(f"{ratio:.3g}" for ratio in ratios) or "unknown",
        "seeds": ", ".join(map(str, row.seeds)),
        "test images": str(n),
    }


def _labels(table: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Return a name for each system of each run: its label, with the run if others share it."""
    known = table[table["role"] != "system"][["run", "system"]].drop_duplicates()
    often, named = known["system"].value_counts(), titles(table)
    return {
        (run, system): named[system] if often[system] == 1 else f"{named[system]}, {run}"
        for run, system in known.itertuples(index=False)
    }


def _shared(table: pd.DataFrame, labels: Mapping[tuple[str, str], str]) -> pd.DataFrame:
    """Return records without what would give systems panels of their own in a figure."""
    keys = zip(table["run"], table["system"], strict=True)
    renamed = table.assign(
        system=[labels.get(key, key[1]) for key in keys],
        study=None,
        train_snr_db=float("nan"),
        channel=" and ".join(dict.fromkeys(table["channel"])),
    )
    return renamed.drop(columns="run")


def groups(runs: Sequence[RunFolder]) -> list[str]:
    """Return a name for each run; runs that differ in nothing but the seed share one."""
    names = run_names(runs)
    same: dict[frozenset[tuple[object, ...]], list[int]] = {}
    for place, run in enumerate(runs):
        same.setdefault(_but_seeds(run), []).append(place)
    found = list(names)
    for places in same.values():
        seeds = [record_seeds(runs[place]) for place in places]
        if len(set().union(*seeds)) == sum(map(len, seeds)):
            for place in places:
                found[place] = ", ".join(names[each] for each in places)
    return found


def run_names(runs: Sequence[RunFolder]) -> list[str]:
    """Return the names of runs, numbered where they share one."""
    names = [run.name for run in runs]
    return [
        name if names.count(name) == 1 else f"{name} ({names[:place].count(name) + 1})"
        for place, name in enumerate(names)
    ]


def record_seeds(run: RunFolder) -> set[int]:
    """Return the seeds of a run's records."""
    return {record.seed for record in run.records}


def _but_seeds(run: RunFolder) -> frozenset[tuple[object, ...]]:
    """Return what a run measured, without its seed."""
    return frozenset(
        (each.study, each.system, each.dataset, each.channel, each.train_snr_db, each.latent_dim)
        for each in run.records
    )
