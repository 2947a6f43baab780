"""Measuring figures of entries again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from semveil.errors import SemveilError
from semveil.experiment.training import Hardware
from semveil.metrics import metric_of
from semveil.zoo.check import measure
from semveil.zoo.entry import CheckFacts, read_entry
from semveil.zoo.open import open_entry
from semveil.zoo.places import entries, find


@dataclass(frozen=True)
class Verified:
    """A figure of an entry that was measured again.

    Attributes:
        check: What the entry states.
        value: What was found; None if the link has no such figure.

    Example:
        >>> check = CheckFacts(
        ...     metric="psnr_db", value=20.0, tolerance=0.3, snr_db=10.0, images=500, draws=4)
        >>> print(Verified(check, 19.9))
        PSNR 19.90 dB (20.00 ± 0.30)
        >>> Verified(check, 14.3).agrees
        False
    """

    check: CheckFacts
    value: float | None

    @property
    def agrees(self) -> bool:
        """Whether it is within the tolerance."""
        check = self.check
        return self.value is not None and abs(self.value - check.value) <= check.tolerance

    def __str__(self) -> str:
        metric = metric_of(self.check.metric)
        unit = f" {metric.unit}" if metric.unit else ""
        value = "not measured" if self.value is None else metric.format(self.value) + unit
        stated = f"{metric.format(self.check.value)} ± {metric.format(self.check.tolerance)}"
        return f"{metric.title} {value} ({stated})"


@dataclass(frozen=True)
class Verification:
    """What became of one entry.

    Attributes:
        name: Its name.
        figures: Figures that were measured again; none where it could not be done.
        problem: Why the entry cannot be used; None if it can.
        skipped: Why no figure was measured; None if some were.
    """

    name: str
    figures: Sequence[Verified] = ()
    problem: str | None = None
    skipped: str | None = None

    @property
    def agrees(self) -> bool | None:
        """Whether it can be used and no figure disagrees; None if no figure was measured."""
        if self.problem is not None:
            return False
        return None if self.skipped is not None else all(figure.agrees for figure in self.figures)


def verify(
    names: Sequence[str] | None = None,
    *,
    data: Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Iterator[Verification]:
    """Check entries, and measure the figures of their checks again, on the CPU.

    Args:
        names: Entries; all that are there if None. Of these, one whose images are not on this
            machine is loaded and not measured.
        data: Folder of the data sets; ``SEMVEIL_DATA`` if omitted.
        progress: Called with the name of an entry, entries done, entries in all.

    Yields:
        What became of each entry, in order.

    Raises:
        SemveilError: If there is no entry, or none of a name.
    """
    chosen = {name: find(name) for name in names} if names is not None else {
        name: folder for name, (folder, _) in entries().items()
    }  # fmt: skip
    if not chosen:
        raise SemveilError("there is no zoo entry on this machine: see `semveil zoo list`")
    for number, (name, folder) in enumerate(chosen.items()):
        if progress is not None:
            progress(name, number, len(chosen))
        yield _verified(name, folder, data, absent_allowed=names is None)


def _verified(name: str, folder: Path, data: Path | None, *, absent_allowed: bool) -> Verification:
    try:
        entry = read_entry(folder, name)
        link = open_entry(entry, Hardware(torch.device("cpu")), data).link()
    except SemveilError as error:
        return Verification(name, problem=str(error))
    assert link.run is not None
    try:
        test = link.run.splits.test
    except SemveilError as error:
        if absent_allowed:
            return Verification(name, skipped=str(error))
        return Verification(name, problem=str(error))
    checks = entry.facts.checks
    try:
        return Verification(name, [Verified(each, measure(link, test, each)) for each in checks])
    except SemveilError as error:
        return Verification(name, problem=f"{name}: {error}")
