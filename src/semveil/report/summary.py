"""One row per system: what Bob gets, what each Eve gets, and the verdict under a stated rule."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pandas as pd

from semveil.report.select import (
    SETTING,
    floor,
    home_snr,
    paired,
    present,
    strongest,
    where,
)


class Verdict(StrEnum):
    """How the strongest Eve stands to Bob and to guessing, at Bob's SNR.

    If the paper's Eve beats every fresh one, it is she who counts.
    """

    NONE = "no protection"
    PARTIAL = "partial"
    CHANCE = "at chance"
    LEAK = "above chance"
    BROKEN = "both at chance"
    UNTESTED = "not tested"


RULES = {
    Verdict.NONE: "The 95 % intervals of Bob and of the strongest Eve overlap, or she is ahead.",
    Verdict.PARTIAL: "Her interval lies below Bob’s and above what guessing gets.",
    Verdict.CHANCE: "Her interval reaches what guessing gets.",
    Verdict.LEAK: "She beats guessing; Bob has no such figure to compare with.",
    Verdict.BROKEN: "Both intervals reach what guessing gets: the link itself does not work.",
    Verdict.UNTESTED: "No fresh Eve was tried at Bob’s SNR, or there is nothing to compare with.",
}


@dataclass(frozen=True)
class Measure:
    """A value with its 95 % interval; without one, the interval is the value itself.

    Attributes:
        value: The number, in its metric's unit.
        low: Lower end of the interval.
        high: Upper end of it.
        n: Test images behind it.
        adversary: Eve's architecture, if the figure is hers.
    """

    value: float
    low: float
    high: float
    n: int
    adversary: str | None = None

    @property
    def exact(self) -> bool:
        """Whether there is no interval to show."""
        return self.low == self.high


@dataclass(frozen=True)
class Row:
    """One system under one condition.

    Attributes:
        condition: What rows are grouped by: run, study, dataset, channel, latent dimension,
            training SNR and seed.
        system: Label of the system.
        scheme: Its scheme.
        control: Whether it is a control.
        psr_db: Perturbation-to-signal ratio, dB.
        asymmetry: What protects.
        snr_db: Bob's SNR, dB, at which both are compared.
        target: What Eve guesses; ``label`` is Bob's own task.
        bob_accuracy: Share of labels that Bob gets right.
        bob_psnr: PSNR of Bob's images, dB.
        eve_paper: Accuracy of the strongest Eve of the paper's protocol.
        eve_fresh: Accuracy of the strongest fresh Eve.
        eve_psnr: PSNR of the strongest fresh Eve's images, dB.
        chance: Accuracy of guessing.
        floor_db: PSNR of the mean image, dB.
        label: Verdict on ``target``.
        image: Verdict on the image.
        fresh_tried: How many fresh Eves competed.
        weaker: Accuracy of the strongest fresh Eve at each lower SNR, dB.
        notes: What weakens the evidence, in words.
    """

    condition: tuple[tuple[str, Any], ...]
    system: str
    scheme: str
    control: bool
    psr_db: float | None
    asymmetry: str | None
    snr_db: float | None
    target: str
    bob_accuracy: Measure | None
    bob_psnr: Measure | None
    eve_paper: Measure | None
    eve_fresh: Measure | None
    eve_psnr: Measure | None
    chance: float | None
    floor_db: float | None
    label: Verdict
    image: Verdict
    fresh_tried: int
    weaker: tuple[tuple[float, Measure], ...]
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The system with its PSR, and Eve's target where it is not Bob's."""
        gap = "\N{NO-BREAK SPACE}"
        psr = f", PSR{gap}{signed(self.psr_db)}{gap}dB" if self.psr_db is not None else ""
        return self.system + psr + ("" if self.target == "label" else f": {self.target}")

    @property
    def place(self) -> str:
        """The SNR of the comparison, where it is not the one that Bob was trained at."""
        if self.snr_db is None or self.snr_db == dict(self.condition)["train_snr_db"]:
            return ""
        return f"at {signed(self.snr_db)} dB"


def signed(number: float) -> str:
    """Return a number in its shortest form, with a true minus sign.

    Example:
        >>> signed(-10.0), signed(2.5)
        ('−10', '2.5')
    """
    return f"{number:g}".replace("-", "−")


def judge(bob: Measure | None, eve: Measure | None, chance: float | None) -> Verdict:
    """Return the verdict on one goal of Eve, under `RULES`.

    Args:
        bob: Bob's figure on the same goal, if he has one.
        eve: The strongest Eve's.
        chance: What guessing gets.

    Returns:
        The verdict.

    Example:
        >>> bob, eve = Measure(0.95, 0.94, 0.96, 900), Measure(0.94, 0.93, 0.95, 900)
        >>> judge(bob, eve, chance=0.1).value
        'no protection'
    """
    if eve is None or (bob is None and chance is None):
        return Verdict.UNTESTED
    guesses = chance is not None and eve.low <= chance
    if bob is not None and chance is not None and bob.low <= chance and guesses:
        return Verdict.BROKEN
    if bob is not None and eve.high >= bob.low:
        return Verdict.NONE
    if guesses:
        return Verdict.CHANCE
    return Verdict.LEAK if bob is None else Verdict.PARTIAL


def rows(table: pd.DataFrame) -> list[Row]:
    """Sum up a frame of records, one row per system, condition and target of Eve's guess.

    Args:
        table: Frame of records (see `semveil.report.select.frame`).

    Returns:
        The rows, in the order in which conditions and schemes first occur.
    """
    table = paired(table)
    keys = [*present(table, SETTING), "latent_dim", "train_snr_db", "seed"]
    parties = table[table["role"].isin(["bob", "eve"])]
    floors = table[table["role"] == "system"]
    found: list[Row] = []
    for values, group in parties.groupby(keys, dropna=False, sort=False):
        condition = dict(zip(keys, values, strict=True))
        for label, system in group.groupby("system", sort=False):
            for psr_db in _powers(system):
                found.extend(_system(floors, condition, system, str(label), psr_db))
    return found


def _powers(system: pd.DataFrame) -> list[float | None]:
    """The PSRs of a system; figures without one belong to each of them."""
    clean = system[(system["role"] == "eve") | system["adversary"].isna()]
    known = sorted(clean["psr_db"].dropna().unique())
    return list(known) or [None]


def _system(
    floors: pd.DataFrame,
    condition: dict[str, Any],
    system: pd.DataFrame,
    label: str,
    psr_db: float | None,
) -> list[Row]:
    if psr_db is not None:
        system = system[system["psr_db"].isna() | (system["psr_db"] == psr_db)]
    # Bob under attack is another figure than Bob.
    bob = system[(system["role"] == "bob") & system["adversary"].isna()]
    eve = strongest(system)
    snr_db = home_snr(bob, eve)
    bob = where(bob, test_snr_db=snr_db)
    here = where(eve, test_snr_db=snr_db)
    asymmetries = system["asymmetry"].dropna().unique()
    context = {**condition, "system": label}
    floor_db = floor(floors, "psnr_db", **context)

    bob_accuracy = measure(
        bob[bob["target"].isna() | (bob["target"] == "label")], metric="accuracy"
    )
    bob_psnr = measure(bob, metric="psnr_db")
    images = here[here["target"].isna() | (here["target"] == "image")]
    eve_psnr = measure(images, metric="psnr_db", protocol="adaptive")
    paper_psnr = measure(images, metric="psnr_db", protocol="paper")
    guesses = here[(here["metric"] == "accuracy") & here["value"].notna()]
    found = []
    for target in list(guesses["target"].dropna().unique()) or ["label"]:
        paper = measure(guesses, target=target, protocol="paper")
        fresh = measure(guesses, target=target, protocol="adaptive")
        chance = floor(floors, "accuracy", **{**context, "target": target})
        fresh_ones = where(
            system, role="eve", protocol="adaptive", test_snr_db=snr_db, target=target
        )
        tried = fresh_ones.dropna(subset=["value"])["adversary"].nunique()
        own = bob_accuracy if target == "label" else None
        found.append(
            Row(
                condition=tuple(condition.items()),
                system=label,
                scheme=str(system["scheme"].iloc[0]),
                control=bool(system["control"].notna().any()),
                psr_db=psr_db,
                asymmetry=str(asymmetries[0]) if len(asymmetries) else None,
                snr_db=snr_db,
                target=str(target),
                bob_accuracy=bob_accuracy,
                bob_psnr=bob_psnr,
                eve_paper=paper,
                eve_fresh=fresh,
                eve_psnr=eve_psnr,
                chance=chance,
                floor_db=floor_db,
                label=judge(own, _best(paper, fresh), chance),
                image=judge(bob_psnr, _best(paper_psnr, eve_psnr), floor_db),
                fresh_tried=tried,
                weaker=_weaker(eve, str(target), snr_db),
                notes=_notes(tried, paper, fresh),
            )
        )
    return found


def _best(paper: Measure | None, fresh: Measure | None) -> Measure | None:
    """The stronger Eve, but only once there are fresh ones: the paper's alone proves nothing."""
    if fresh is None or paper is None:
        return fresh
    return max(fresh, paper, key=lambda measure: measure.value)


def measure(table: pd.DataFrame, **wanted: Any) -> Measure | None:
    """Return the first number that fits, with its interval; None if there is none.

    Args:
        table: Frame of records.
        **wanted: Columns and the values they must have.
    """
    found = where(table, **wanted)
    found = found[found["value"].notna()]
    if found.empty:
        return None
    row = found.iloc[0]
    value = float(row["value"])
    low, high = row["ci_low"], row["ci_high"]
    return Measure(
        value=value,
        low=value if pd.isna(low) else float(low),
        high=value if pd.isna(high) else float(high),
        n=int(row["n"]),
        adversary=None if pd.isna(row["adversary"]) else str(row["adversary"]),
    )


def _weaker(
    eve: pd.DataFrame, target: str, snr_db: float | None
) -> tuple[tuple[float, Measure], ...]:
    if snr_db is None:
        return ()
    fresh = where(eve, metric="accuracy", protocol="adaptive", target=target)
    below = sorted(fresh.loc[fresh["test_snr_db"] < snr_db, "test_snr_db"].unique())
    found = ((float(level), measure(fresh, test_snr_db=level)) for level in below)
    return tuple((level, measure) for level, measure in found if measure is not None)


def _notes(tried: int, paper: Measure | None, fresh: Measure | None) -> tuple[str, ...]:
    notes = []
    if 0 < tried < 3:
        notes.append(f"only {tried} fresh Eve{'s' * (tried > 1)} tried, not 3")
    if paper is not None and fresh is not None and paper.low > fresh.high:
        notes.append("the paper’s Eve beats every fresh one: these were not trained to the end")
    return tuple(notes)
