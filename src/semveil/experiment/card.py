"""The card of a link: what it is, how it was trained, and what was measured of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from semveil.metrics import METRICS, metric_of
from semveil.protect import Protection, protections
from semveil.records import Record, read_records
from semveil.report.select import floor, frame, home_snr, strongest, where

if TYPE_CHECKING:
    from torch import nn

    from semveil.experiment.link import Link
    from semveil.recipe import Recipe

_WIDTH = 10
_NOTHING = "nothing yet; `semveil audit` measures it"


@dataclass(frozen=True)
class Card:
    """What a link states about itself, ready to be printed.

    Attributes:
        name: Label of the system.
        facts: What it is, by keyword: scheme, source, protects, asymmetry, guarantee, images,
            waveform, channel, training, protections, weights (how many), key.
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
    uses = link.channel_uses
    added = f", {link.added_symbols} of them for keyed pilots" if link.added_symbols else ""
    source = "×".join(map(str, link.image_shape))
    ratio = uses / (link.image_shape[0] * link.image_shape[1] * link.image_shape[2])
    train = recipe.train
    trained = f"{train.epochs} epochs, batch {train.batch}, learning rate {train.lr:g}"
    facts = {
        "scheme": f"{scheme.name}: {scheme.description}",
        "source": scheme.source,
        "protects": link.plan.protects,
        "asymmetry": link.asymmetry or "none",
        "guarantee": link.plan.guarantee,
        "images": f"{recipe.data.name}, {source}, {link.classes} classes",
        "waveform": f"{uses} channel uses per image{added}, bandwidth ratio {ratio:.3g}",
        "channel": f"{link.channel.name}, trained at {_snr(recipe)}",
        "training": f"{trained}, seed {link.seed}",
    }
    if laid := protections(link.plan.scheme.recipe):
        facts["protections"] = ", ".join(_with_settings(each, recipe) for each in laid)
    alice, both = map(_weights, (link.network.encoder, link.network))
    facts["weights"] = f"{both:,} (Alice: {alice:,})"
    if link.keyed:
        facts["key"] = link.key_origin
    if link.name.training:
        facts["training"] += f"; then {link.name.training}, {recipe.harden.epochs} epochs"
    if link.run is None:
        return Card(link.name.label, facts)
    facts["training"] += f"; semveil {link.run.facts.get('version', 'of unknown version')}"
    path = link.run.folder / "records.jsonl"
    records = read_records(path) if path.exists() else []
    measured = [str(figure) for figure in measured_figures(records, link.name.label)]
    return Card(link.name.label, facts, measured)


def _with_settings(protection: type[Protection], recipe: Recipe) -> str:
    """The name of a protection, with its settings."""
    if protection.Config is None:
        return protection.name
    settings = recipe.of(protection.Config).model_dump(exclude_none=True).items()
    return f"{protection.name} ({', '.join(f'{key} {value}' for key, value in settings)})"


def _weights(network: nn.Module) -> int:
    return sum(each.numel() for each in network.parameters())


def _snr(recipe: Recipe) -> str:
    """The SNR of the training, or what it was drawn from."""
    middle, span = recipe.bob.snr_db, recipe.train.snr_span_db
    return f"{middle - span:g} to {middle + span:g} dB" if span else f"{middle:g} dB"


@dataclass(frozen=True)
class CardFigure:
    """A number of a card.

    Attributes:
        party: ``Bob`` or ``strongest Eve``.
        metric: Name of the metric.
        value: The number; recorded as ``metric`` records it.
        ci_low: Lower end of its 95 % confidence interval.
        ci_high: Upper end of it.
        snr_db: SNR of the party in the test, dB.
        n: Test images behind it.
        floor: What a party reaches who receives nothing; None if it was not measured.
        adversary: Which eavesdropper it is; None for Bob.

    Example:
        >>> print(CardFigure("Bob", "accuracy", 0.957, 0.93, 0.97, 10.0, 360, 0.1))
        Bob, accuracy: 95.7 % (93.0 to 97.0) at 10 dB, n = 360, floor 10.0 %
    """

    party: str
    metric: str
    value: float
    ci_low: float
    ci_high: float
    snr_db: float
    n: int
    floor: float | None = None
    adversary: str | None = None

    def __str__(self) -> str:
        metric = metric_of(self.metric)
        unit = f" {metric.unit}" if metric.unit else ""
        parts = [
            f"{self.party}, {metric.title}: {metric.format(self.value)}{unit}",
            f"({metric.format(self.ci_low)} to {metric.format(self.ci_high)})",
            f"at {self.snr_db:g} dB, n = {self.n}",
        ]
        who = f", {self.adversary}" if self.adversary else ""
        end = "" if self.floor is None else f", floor {metric.format(self.floor)}{unit}"
        return " ".join(parts) + who + end


def measured_figures(records: Iterable[Record], label: str) -> Iterator[CardFigure]:
    """Yield what records say of a system; floors are those of all records."""
    table = frame(list(records))
    mine = table[table["system"] == label]
    bob = mine[(mine["role"] == "bob") & mine["adversary"].isna()]
    eve = strongest(where(mine, protocol="adaptive"))
    snr_db = home_snr(bob, eve)
    for name, kind in METRICS.items():
        metric = kind()
        for party, rows in (("Bob", bob), ("strongest Eve", eve)):
            for _, row in where(rows, metric=name, test_snr_db=snr_db).iterrows():
                known = floor(table, name, target=row["target"]) if metric.floors else None
                yield CardFigure(
                    party,
                    name,
                    float(row["value"]),
                    float(row["ci_low"]),
                    float(row["ci_high"]),
                    float(row["test_snr_db"]),
                    int(row["n"]),
                    known,
                    None if party == "Bob" else str(row["adversary"]),
                )
