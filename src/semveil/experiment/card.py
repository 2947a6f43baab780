"""The card of a link: what it is, how it was trained, and what was measured of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from semveil.metrics import METRICS, Metric
from semveil.records import read_records
from semveil.report.select import floor, frame, home_snr, strongest, where

if TYPE_CHECKING:
    from semveil.experiment.link import Link

_WIDTH = 10
_NOTHING = "nothing yet; `semveil audit` measures it"


@dataclass(frozen=True)
class Card:
    """What a link states about itself, ready to be printed.

    Attributes:
        name: Label of the system.
        facts: What it is, by keyword: scheme, source, protects, asymmetry, guarantee, images,
            waveform, channel, training.
        measured: One line per number: whose, which metric, value with its 95 % interval, SNR,
            test images, floor.

    Example:
        >>> print(Card("mine", {"channel": "awgn/perfect, 10 dB"}))
        mine
          channel   awgn/perfect, 10 dB
          measured  nothing yet; `semveil audit` measures it
    """

    name: str
    facts: dict[str, str] = field(default_factory=dict)
    measured: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        facts = [*self.facts.items()]
        lines = [("measured", line) for line in self.measured or [_NOTHING]]
        rows = [*facts, lines[0], *(("", text) for _, text in lines[1:])]
        return "\n".join([self.name, *(f"  {key:{_WIDTH}}{text}" for key, text in rows)])


def card_of(link: Link) -> Card:
    """Return the card of a link; its run, if it has one, says on which images and when."""
    scheme, recipe = link.plan.scheme, link.recipe
    uses = recipe.link.latent_dim // 2 + link.added_symbols
    added = f", {link.added_symbols} of them for keyed pilots" if link.added_symbols else ""
    source = "×".join(map(str, link.image_shape))
    ratio = uses / (link.image_shape[0] * link.image_shape[1] * link.image_shape[2])
    train = recipe.train
    trained = f"{train.epochs} epochs, batch {train.batch}, learning rate {train.lr:g}"
    facts = {
        "scheme": f"{scheme.name}: {scheme.description}",
        "source": scheme.source,
        "protects": scheme.protects,
        "asymmetry": link.asymmetry or "none",
        "guarantee": scheme.guarantee,
        "images": f"{recipe.data.name}, {source}, {link.classes} classes",
        "waveform": f"{uses} channel uses per image{added}, bandwidth ratio {ratio:.3g}",
        "channel": f"{link.channel.name}, trained at {recipe.bob.snr_db:g} dB",
        "training": f"{trained}, seed {link.seed}",
    }
    if link.name.training:
        facts["training"] += f"; then {link.name.training}, {recipe.harden.epochs} epochs"
    if link.run is None:
        return Card(link.name.label, facts)
    facts["training"] += f"; semveil {link.run.facts.get('version', 'of unknown version')}"
    records = link.run.folder / "records.jsonl"
    table = frame(read_records(records) if records.exists() else [])
    mine = table[table["system"] == link.name.label]
    return Card(link.name.label, facts, list(_measured(table, mine)))


def _measured(table: pd.DataFrame, mine: pd.DataFrame) -> Iterator[str]:
    """Yield the lines of a system's own rows; floors are those of all rows."""
    bob = mine[(mine["role"] == "bob") & mine["adversary"].isna()]
    eve = strongest(where(mine, protocol="adaptive"))
    snr_db = home_snr(bob, eve)
    for name, kind in METRICS.items():
        metric = kind()
        for party, rows in (("Bob", bob), ("strongest Eve", eve)):
            for _, row in where(rows, metric=name, test_snr_db=snr_db).iterrows():
                known = floor(table, name, target=row["target"]) if metric.floors else None
                yield _line(party, metric, row, known)


def _line(party: str, metric: Metric, row: pd.Series, known: float | None) -> str:
    unit = f" {metric.unit}" if metric.unit else ""
    parts = [
        f"{party}, {metric.title}: {metric.format(row['value'])}{unit}",
        f"({metric.format(row['ci_low'])} to {metric.format(row['ci_high'])})",
        f"at {row['test_snr_db']:g} dB, n = {row['n']}",
    ]
    who = f", {row['adversary']}" if party != "Bob" else ""
    end = "" if known is None else f", floor {metric.format(known)}{unit}"
    return " ".join(parts) + who + end
