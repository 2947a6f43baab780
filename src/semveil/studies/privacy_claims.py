"""The claims of the survey's section IV.C, judged by records."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist
from typing import Any

import pandas as pd

from semveil.studies.words import Value, pick

HOME_DB = 12.0
SURVEY_ATTACKER = "inversion/deconv+perceptual"
LEAK = "mi_excess_bits_20"
OPEN = "deepjscc"
# Of this many figures the largest is taken, which is a little above the rest by chance alone.
_BEST_OF = 8
_WIDER = NormalDist().inv_cdf(1 - 0.025 / _BEST_OF) / NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class System:
    """The records of one system at one latent dimension.

    Attributes:
        label: Its name in tables.
        dimension: Reals per image.
        table: Its rows.
    """

    label: str
    dimension: int
    table: pd.DataFrame

    @property
    def title(self) -> str:
        """Its name in tables, as code."""
        return f"`{self.label}`"

    def field(self, name: str) -> Any:
        """Return what its records have in a column; None if nothing."""
        value = self.table[name].iloc[0] if name in self.table else None
        return None if pd.isna(value) else value

    @property
    def asymmetry(self) -> str | None:
        """What protects the image."""
        names = self.table.loc[self.table["target"] == "image", "asymmetry"].dropna().unique()
        return str(names[0]) if len(names) else None

    def bob(self, snr_db: float = HOME_DB) -> Value | None:
        """Return Bob's accuracy."""
        return pick(self.table, role="bob", metric="accuracy", test_snr_db=snr_db)

    def leakage(self, who: str, snr_db: float = HOME_DB) -> Value | None:
        """Return the excess MI that somebody's images have.

        Args:
            who: ``simulated`` (trained along with the link), ``survey`` (the survey's attacker)
                or ``strongest``.
            snr_db: Eve's SNR, dB.
        """
        wanted = {"role": "eve", "metric": LEAK, "test_snr_db": snr_db}
        if who == "simulated":
            return pick(self.table, **wanted, protocol="paper")
        if who == "survey":
            return pick(self.table, **wanted, adversary=SURVEY_ATTACKER)
        return pick(self._searched_enough(LEAK), **wanted, protocol="adaptive")

    def _searched_enough(self, metric: str) -> pd.DataFrame:
        """Leave out Eves who were scored on few images: chance alone would make one the best."""
        rows = self.table[self.table["metric"] == metric]
        return rows[rows["n"] >= rows["n"].max() / 2]

    def quality(self, snr_db: float = HOME_DB) -> Value | None:
        """Return the PSNR of the strongest Eve, dB."""
        wanted = {"role": "eve", "metric": "psnr_db", "protocol": "adaptive"}
        return pick(self._searched_enough("psnr_db"), **wanted, test_snr_db=snr_db)

    def eve_label(self, snr_db: float = HOME_DB) -> Value | None:
        """Return the accuracy of the strongest Eve who guesses the label."""
        return pick(
            self.table, role="eve", metric="accuracy", protocol="adaptive", test_snr_db=snr_db
        )


def systems(table: pd.DataFrame) -> dict[str, System]:
    """Return the systems of a frame of records by name and dimension, in its order."""
    found: dict[str, System] = {}
    for (label, d), rows in table.astype({"latent_dim": int}).groupby(
        ["system", "latent_dim"], sort=False
    ):
        found[f"{label}@{d}"] = System(str(label), int(str(d)), rows)
    return found


def unprotected(found: Mapping[str, System]) -> System | None:
    """Return the unprotected link at the largest dimension; None if it was not measured."""
    open_links = [system for system in found.values() if system.label == OPEN]
    return max(open_links, key=lambda system: system.dimension, default=None)


def claims(found: Mapping[str, System]) -> Iterator[str]:
    """Yield each claim with its verdict, its numbers, and against whom they were found."""
    yield _accuracy(found)
    for who in ("survey", "strongest"):
        yield _less_leakage(found, who)
    yield _vfe_accuracy(found)
    for who in ("survey", "strongest"):
        yield _vfe_leakage(found, who)
    yield _low_snr(found)
    yield _dp_and_codebook(found)
    for who in ("survey", "strongest"):
        yield _encryption(found, who)
    yield _encryption_costs(found)
    yield _rotation(found)


AGAINST = {"survey": "against the survey's attacker", "strongest": "against the strongest attacker"}


def _some(found: Mapping[str, System], *schemes: str) -> list[System]:
    return [
        system
        for system in found.values()
        if system.field("scheme") in schemes
        and system.field("variant") != "plain"
        and system.field("params.protections") is None
        and system.field("params.reading") != "genuine"
    ]


def _compare(
    left: list[System],
    right: list[System],
    number: Callable[[System], Value | None],
    *,
    less: bool = False,
) -> tuple[int, int, int]:
    """Count the pairs in which left is beyond right for sure, the other way round, and in all."""
    ahead = behind = pairs = 0
    for one in left:
        for other in right:
            a, b = number(one), number(other)
            if a is None or b is None:
                continue
            pairs += 1
            if less:
                a, b = b, a
            ahead += a.low > b.high
            behind += a.high < b.low
    return ahead, behind, pairs


def verdict(ahead: int, behind: int, pairs: int) -> str:
    """Return a verdict over pairs of systems.

    Example:
        >>> verdict(3, 0, 3), verdict(0, 3, 3), verdict(2, 1, 3), verdict(0, 0, 0)
        ('Confirmed', 'Not confirmed', 'Not confirmed as a rule', 'Not measured')
    """
    if not pairs:
        return "Not measured"
    if ahead == pairs:
        return "Confirmed"
    return "Not confirmed" if not ahead else "Not confirmed as a rule"


def difference(one: Value, other: Value) -> Value:
    """Return the difference of two independent figures with its interval (Zou and Donner, 2008).

    Example:
        >>> found = difference(Value(0.5, 0.4, 0.6), Value(0.2, 0.2, 0.2))
        >>> round(found.low, 2), round(found.high, 2)
        (0.2, 0.4)
    """
    value = one.value - other.value
    down = math.hypot(one.value - one.low, other.high - other.value)
    up = math.hypot(one.high - one.value, other.value - other.low)
    return Value(value, value - down, value + up)


def _points(one: Value, other: Value) -> str:
    found = difference(one, other)
    parts = (f"{100 * part:+.1f}" for part in (found.value, found.low, found.high))
    value, low, high = (part.replace("-", "−") for part in parts)
    return f"{value} ({low} to {high})"


def _told(claim: str, counts: tuple[int, int, int], against: str = "") -> str:
    ahead, behind, pairs = counts
    under = f" ({AGAINST[against]})" if against else ""
    return (
        f"**{claim}**{under} {verdict(*counts)}: of {pairs} pairs of systems the intervals agree "
        f"with it in {ahead}, contradict it in {behind}, and overlap in {pairs - ahead - behind}."
    )


def _accuracy(found: Mapping[str, System]) -> str:
    left = _some(found, "vfe", "ibal", "lbvq", "uis")
    right = _some(found, "dp", "shuffle", "cipher")
    counts = [
        _compare(left, right, partial(System.bob, snr_db=snr_db))
        for snr_db in (8.0, HOME_DB, 16.0, 20.0)
    ]
    total = (sum(c[0] for c in counts), sum(c[1] for c in counts), sum(c[2] for c in counts))
    return _told(
        "The bottleneck and codebook groups are more accurate than noise and encryption at 8 dB "
        "and above.",
        total,
    )


def _less_leakage(found: Mapping[str, System], who: str) -> str:
    left, right = _some(found, "ibal", "lbvq", "uis"), _some(found, "dp")
    return _told(
        "IBAL and the codebook group leak less than DP.",
        _compare(left, right, lambda system: system.leakage(who), less=True),
        who,
    )


def _vfe_accuracy(found: Mapping[str, System]) -> str:
    vfe, plain = _some(found, "vfe"), unprotected(found)
    ours, theirs = (system.bob() if system else None for system in (next(iter(vfe), None), plain))
    if ours is None or theirs is None:
        return "**VFE's accuracy is excellent.** Not measured."
    kept = difference(ours, theirs)
    word = "Confirmed" if kept.low > -0.02 else "Not confirmed" if kept.high < -0.02 else "Open"
    return (
        f"**VFE's accuracy is excellent.** {word} (taken as: at most two points below the "
        f"unprotected link): {_points(ours, theirs)} points at {HOME_DB:g} dB."
    )


def _vfe_leakage(found: Mapping[str, System], who: str) -> str:
    left, right = _some(found, "ibal"), _some(found, "vfe")
    counts = _compare(left, right, lambda system: system.leakage(who), less=True)
    return _told("VFE leaks more than IBAL.", counts, who)


def _low_snr(found: Mapping[str, System]) -> str:
    def lost(system: System) -> Value | None:
        low, high = system.bob(4.0), system.bob(20.0)
        return None if low is None or high is None else difference(high, low)

    counts = _compare(_some(found, "lbvq", "uis"), _some(found, "dp", "shuffle", "cipher"), lost)
    return _told(
        "Towards 4 dB the codebook group loses more accuracy than noise and encryption.", counts
    )


def _dp_and_codebook(found: Mapping[str, System]) -> str:
    claim = "**DP at ε = 0.05 leaks like LBVQ and is 3–4 points less accurate.**"
    dp = next((s for s in _some(found, "dp") if s.field("params.epsilon") == 0.05), None)
    parts = []
    for system in _some(found, "lbvq") if dp else []:
        assert dp is not None
        ours, theirs = dp.bob(), system.bob()
        leaks, leak = dp.leakage("survey"), system.leakage("survey")
        if not (ours and theirs and leaks and leak):
            continue
        gap = difference(ours, theirs)
        alike = leaks.low <= leak.high and leak.low <= leaks.high
        fits = gap.low <= -0.03 and gap.high >= -0.04
        word = "confirmed" if alike and fits else "not confirmed"
        parts.append(
            f"against LBVQ at d = {system.dimension} {word}: {_points(ours, theirs)} points of "
            f"accuracy, leakage {_bits(leaks)} to {_bits(leak)}"
        )
    if not parts:
        return f"{claim} Not measured."
    return f"{claim} ({AGAINST['survey']}) At {HOME_DB:g} dB, {'; '.join(parts)}."


def _encryption(found: Mapping[str, System], who: str) -> str:
    left = [s for s in _some(found, "shuffle", "cipher") if s.field("variant") != "fixed-key"]
    right = _some(found, "dp", "vfe", "ibal", "lbvq", "uis")
    return _told(
        "Encryption protects best.",
        _compare(left, right, lambda system: system.leakage(who), less=True),
        who,
    )


def _encryption_costs(found: Mapping[str, System]) -> str:
    plain = unprotected(found)
    theirs = plain.bob() if plain else None
    parts = []
    for system in _some(found, "shuffle", "cipher", "rotation"):
        ours = system.bob()
        if plain is None or ours is None or theirs is None or system.dimension != plain.dimension:
            continue
        gap = difference(ours, theirs)
        word = "costs" if gap.high < 0 else "gains" if gap.low > 0 else "no difference seen"
        parts.append(f"{system.title} {_points(ours, theirs)}, {word}")
    if not parts:
        return "**Encryption costs task performance.** Not measured."
    costs = sum(part.endswith(", costs") for part in parts)
    return (
        f"**Encryption costs task performance.** {verdict(costs, len(parts) - costs, len(parts))}."
        f" Points of Bob's accuracy against the unprotected link at {HOME_DB:g} dB: "
        f"{'; '.join(parts)}. A permutation and a rotation commute with the noise, so that only "
        "learning to decrypt, or training with blocks of constant norm, can change what Bob gets."
    )


def _rotation(found: Mapping[str, System]) -> str:
    parts, held = [], []
    for system in _some(found, "rotation", "ibal+rotation"):
        label, leak = system.eve_label(), system.leakage("strongest")
        chance = pick(system.table, role="system", metric="chance")
        if label is None or leak is None or chance is None:
            continue
        silent = _widened(leak).low <= 0 and _widened(label).low <= chance.high
        held.append(silent)
        parts.append(
            f"{system.title} {'nothing found' if silent else 'something found'}: label "
            f"{label.percent()} where guessing gives {chance.percent()}, leakage {_bits(leak)}"
        )
    return (
        "**Keyed rotation (ours) leaves Eve nothing.** "
        f"{verdict(sum(held), len(held) - sum(held), len(held))} by attack; for blocks and Haar "
        "it is proved. The strongest of all attackers, whose interval is widened for being the "
        f"best of {_BEST_OF} before it is judged: {'; '.join(parts)}."
    )


def _widened(figure: Value) -> Value:
    return Value(
        figure.value,
        figure.value - _WIDER * (figure.value - figure.low),
        figure.value + _WIDER * (figure.high - figure.value),
    )


def _bits(figure: Value) -> str:
    parts = (f"{part:.3f}" for part in (figure.value, figure.low, figure.high))
    value, low, high = (part.replace("-", "−") for part in parts)
    return f"{value} ({low} to {high}) bits"
