"""The result of a conformance test: one check a row, with offset, interval and likely mistake."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

if TYPE_CHECKING:
    from rich.table import Table

ERROR = 1e-5
"""Probability with which one statistical check fails a function that conforms, at the most."""
TOLERANCE_DB = 0.1
"""How far a level in dB may be off; the audit admits as much."""

_Z = float(stats.norm.isf(ERROR / 2))


@dataclass(frozen=True)
class Check:
    """One definition, and what was measured of it.

    Attributes:
        name: What was checked, such as ``SNR at 10 dB``.
        ok: Whether it conforms.
        says: What was measured; for a failure also the likely mistake.
        offset_db: Measured level minus the defined one, dB; None if the check is not of a level.
        interval_db: Interval of the offset at a confidence of 99.999 %, dB; None if there is none.
    """

    name: str
    ok: bool
    says: str
    offset_db: float | None = None
    interval_db: tuple[float, float] | None = None

    def __str__(self) -> str:
        """Return the name, for the identifiers of parametrised tests."""
        return self.name

    def require(self) -> None:
        """Raise an ``AssertionError`` with the likely mistake if it failed."""
        if not self.ok:
            raise AssertionError(f"{self.name}: {self.says}")


@dataclass(frozen=True)
class Report:
    """All checks of one function.

    Attributes:
        name: Name of the function.
        kind: ``channel``, ``transmitter`` or ``perturbation``.
        took: How it was called, and what it returned.
        checks: The checks.
        notes: What is worth knowing and is no failure.

    Example:
        >>> report = Report("mine", "channel", "numpy", [Check("power", False, "3 dB too high")])
        >>> report.ok, [check.name for check in report.failures]
        (False, ['power'])
    """

    name: str
    kind: str
    took: str
    checks: list[Check]
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every check conforms."""
        return not self.failures

    @property
    def failures(self) -> list[Check]:
        """The checks that failed."""
        return [check for check in self.checks if not check.ok]

    def require(self) -> None:
        """Raise an ``AssertionError`` that names every failure if there is one."""
        if not self.ok:
            lines = [f"  {check.name}: {check.says}" for check in self.failures]
            raise AssertionError("\n".join([f"{self.name} does not conform:", *lines]))

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON's types; a number that is not finite is null."""
        found = {"ok": self.ok, **asdict(self), "confidence": 1 - ERROR}
        for check in found["checks"]:
            if check["offset_db"] is not None and not math.isfinite(check["offset_db"]):
                check["offset_db"] = check["interval_db"] = None
        return found

    def table(self) -> Table:
        """Return the table for a terminal."""
        from rich.table import Table

        table = Table(title=f"{self.kind} {self.name}: {self.took}", title_justify="left")
        table.add_column("check")
        table.add_column("offset (dB)", justify="right")
        table.add_column("result")
        for check in self.checks:
            table.add_row(
                check.name,
                "" if check.offset_db is None else f"{check.offset_db:+.2f}",
                check.says if check.ok else f"FAILED: {check.says}",
            )
        return table


@dataclass(frozen=True)
class Level:
    """A mean power over images relative to the defined one, in dB, with its interval."""

    db: float
    low: float
    high: float

    @property
    def off(self) -> bool:
        """Whether the whole interval lies outside the tolerance."""
        return not (self.low <= TOLERANCE_DB and self.high >= -TOLERANCE_DB)

    def near(self, db: float) -> bool:
        """Whether it is a known offset, within its interval and 0.2 dB."""
        return self.low - 0.2 <= db <= self.high + 0.2

    def check(self, name: str, fine: str, mistake: str) -> Check:
        """Return the check of this level."""
        says = fine if not self.off else f"{in_db(self.db)}: {mistake}"
        return Check(name, not self.off, says, self.db, (self.low, self.high))


def level(powers: NDArray[np.float64], nominal: float = 1.0) -> Level:
    """Return the mean of independent powers over a nominal one."""
    mean = float(powers.mean()) / nominal
    error = _Z * float(powers.std(ddof=1)) / math.sqrt(len(powers)) / nominal
    return Level(decibel(mean), decibel(mean - error), decibel(mean + error))


def decibel(ratio: float) -> float:
    """Return a power ratio in dB; minus infinity for none."""
    return 10 * math.log10(ratio) if ratio > 0 else -math.inf


def in_db(offset: float) -> str:
    """Return an offset as messages show it."""
    return f"{offset:+.2f} dB"


def correlation_check(
    name: str, one: NDArray[np.complex128], other: NDArray[np.complex128], fine: str, mistake: str
) -> Check:
    """Check that two sets of complex numbers are uncorrelated.

    ``N·|ρ|²`` of ``N`` independent pairs is exponential, so that ``|ρ|`` alone decides; what is
    below 0.02 counts as none.
    """
    energy = math.sqrt(float((np.abs(one) ** 2).sum() * (np.abs(other) ** 2).sum()))
    rho = abs(complex((one * other.conj()).sum())) / energy if energy else 0.0
    most = max(0.02, math.sqrt(-math.log(ERROR) / one.size))
    return Check(name, rho <= most, fine if rho <= most else f"correlation {rho:.2f}: {mistake}")
