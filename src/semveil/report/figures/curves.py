"""A metric of Bob and the Eves against the SNR, the latent dimension, or of Bob alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from semveil.metrics import IMAGE_METRICS, metric_of
from semveil.report.figures.lines import Curve, Look, Panel, draw
from semveil.report.figures.style import styled
from semveil.report.looks import CONTROLS, FLOOR, PARTIES, ROLES, floor_entry, palette, series
from semveil.report.select import (
    SETTING,
    floor,
    home_snr,
    over_seeds,
    paired,
    present,
    strongest,
    titles,
    varying,
    where,
)
from semveil.report.table import heading
from semveil.style import GREY

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def against_snr(
    frame: pd.DataFrame,
    metric: str = "accuracy",
    *,
    colours: Mapping[str, str] | None = None,
) -> Figure:
    """Draw a metric against the SNR of the party that it belongs to, one panel per system.

    Args:
        frame: Frame of records.
        metric: The metric.
        colours: Colour of each system (see `palette`).

    Returns:
        The figure; over several seeds intervals span seeds and images.
    """
    table = parties(frame, metric)
    table = table[table["test_snr_db"].notna()]
    colours, named = colours or palette(frame), titles(frame)
    keys = [*present(table, SETTING), "latent_dim", "train_snr_db"]
    drawn = []
    for values, rows in table.groupby([*keys, "system", "psr_db"], dropna=False, sort=False):
        context = dict(zip([*keys, "system", "psr_db"], values, strict=True))
        system = str(context["system"])
        several = where(table, system=system)["psr_db"].nunique() > 1
        title = named[system]
        if several:
            title += f", PSR {context['psr_db']:g} dB".replace("-", "−")
        above = heading((key, context[key]) for key in varying(table, keys))
        curves = [
            Curve.of_rows(
                where(rows, party=party), "test_snr_db", {**look, "color": colours[system]}
            )
            for party, look in ROLES.items()
        ]
        drawn.append(Panel(f"{above}\n{title}", curves, floors(frame, metric, **context)))
    return draw(
        drawn,
        x="SNR (dB)",
        metric=metric_of(metric),
        legend=_legend(table, {}, drawn, metric),
    )


@styled
def against_dimension(
    frame: pd.DataFrame,
    metric: str = "accuracy",
    *,
    colours: Mapping[str, str] | None = None,
) -> Figure:
    """Draw a metric against the latent dimension at Bob's training SNR, one panel per protocol.

    Args:
        frame: Frame of records.
        metric: The metric.
        colours: Colour of each system (see `palette`).

    Returns:
        The figure, with a row of panels for each dataset or other setting.
    """
    table = at_home(parties(frame, metric))
    table = table[table["latent_dim"].notna()]
    colours = colours or palette(frame)
    controls = set(table.loc[table["control"].notna(), "system"])
    keys = present(table, SETTING)
    protocols = [name for name in ("paper", "adaptive") if name in set(table["party"])]
    drawn = []
    for values, part in table.groupby(keys, dropna=False, sort=False):
        context = dict(zip(keys, values, strict=True))
        above = heading((key, context[key]) for key in varying(table, keys))
        for protocol in protocols or ["bob"]:
            title = " · ".join(filter(None, [above, PARTIES[protocol]]))
            panel = Panel(title, [], floors(frame, metric, **context))
            for (name, _), rows in part.groupby(["system", "psr_db"], dropna=False, sort=False):
                for party in dict.fromkeys(("bob", protocol)):
                    look = {**ROLES[party], "color": colours[str(name)]}
                    if name in controls:
                        look |= CONTROLS[party]
                    points = where(rows, party=party)
                    panel.curves.append(Curve.of_rows(points, "latent_dim", look))
            drawn.append(panel)
    words = titles(table)
    systems = {
        words[name]: {"color": colours[name], "linewidth": 3}
        | ({**CONTROLS["bob"], "markersize": 7} if name in controls else {})
        for name in words
    }
    return draw(
        drawn,
        x="latent dimension d (reals)",
        metric=metric_of(metric),
        legend=_legend(table, systems, drawn, metric),
        columns=2,
        size=(3.7, 2.3),
        scale="octaves",
        letters=60,
    )


@styled
def systems_against_snr(
    frame: pd.DataFrame, metric: str = "accuracy", *, looks: Mapping[str, Look]
) -> Figure:
    """Draw a metric of all systems against the SNR, a panel for Bob and one for the fresh Eves.

    Args:
        frame: Frame of records.
        metric: The metric.
        looks: Colour and marker of each system.

    Returns:
        The figure, with a row of panels for each dataset; all have the same axes.
    """
    table = parties(frame, metric)
    table = table[table["test_snr_db"].notna() & (table["party"] != "paper")]
    drawn = []
    for dataset, part in table.groupby("dataset", sort=False):
        above = str(dataset) if table["dataset"].nunique() > 1 else ""
        for party in ("bob", "adaptive"):
            title = " · ".join(filter(None, [above, PARTIES[party]]))
            panel = Panel(title, [], floors(frame, metric, dataset=dataset))
            for name, rows in where(part, party=party).groupby("system", sort=False):
                panel.curves.append(Curve.of_rows(rows, "test_snr_db", dict(looks[str(name)])))
            drawn.append(panel)
    named = [(name, {**looks[name]}) for name in table["system"].unique()]
    return draw(
        drawn,
        x="SNR (dB)",
        metric=metric_of(metric),
        legend=[*named, *_floor_entries(drawn, metric)],
        columns=2,
        size=(3.7, 2.3),
    )


@styled
def image_quality(frame: pd.DataFrame, names: Sequence[str] = ("system",)) -> Figure:
    """Draw the quality of all systems' images against Bob's SNR, one panel per metric.

    Args:
        frame: Frame of records.
        names: Fields that tell the systems apart, which the legend shows.

    Returns:
        The figure; dotted are the floors, where they were measured.
    """
    systems: dict[str, pd.DataFrame] = {}
    values: Any
    for values, rows in where(frame, role="bob").groupby(list(names), dropna=False, sort=False):
        known = [value for value in values if not pd.isna(value)]
        words = (f"{value:g}" if isinstance(value, float) else str(value) for value in known)
        systems[", ".join(words)] = rows
    looks: dict[str, Look] = {
        name: look | {"linestyle": "-" if number < 7 else "--"}
        for number, (name, look) in enumerate(series(systems).items())
    }
    drawn = []
    for metric in IMAGE_METRICS:
        panel = Panel(metric_of(metric).label)
        for name, rows in systems.items():
            bob = where(rows, metric=metric)
            panel.curves.append(Curve.of_rows(bob, "test_snr_db", looks[name]))
        panel.levels = floors(frame, metric)
        drawn.append(panel)
    legend = [*looks.items(), *_floor_entries(drawn, IMAGE_METRICS[0])]
    return draw(
        drawn,
        x="SNR (dB)",
        legend=legend,
        columns=2,
        size=(3.3, 2.4),
        shared=False,
        left=0.5,
    )


def parties(frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return a metric's rows of undisturbed Bob and of the strongest Eves, seeds merged."""
    table = where(paired(frame[frame["value"].notna()]), metric=metric)
    table = table[table["target"].isna() | (table["target"] == metric_of(metric).target)]
    bob = table[(table["role"] == "bob") & table["adversary"].isna()]
    table = over_seeds(pd.concat([bob, strongest(table)]).sort_index())
    table["party"] = table["protocol"].where(table["role"] == "eve", "bob")
    return table[table["party"].isin(list(PARTIES))]


def at_home(table: pd.DataFrame) -> pd.DataFrame:
    """Keep of each system the figures at the SNR where Bob and Eve are compared."""
    keys = [*present(table, SETTING), "system", "psr_db", "latent_dim", "train_snr_db"]
    kept = [table.iloc[:0]]
    for _, system in table.groupby(keys, dropna=False, sort=False):
        home = home_snr(where(system, role="bob"), where(system, role="eve"))
        kept.append(system[system["test_snr_db"].isna() | (system["test_snr_db"] == home)])
    return pd.concat(kept)


def floors(frame: pd.DataFrame, metric: str, **context: Any) -> list[tuple[float, Look]]:
    """Return a metric's floor as a line across a panel; none if it is not known."""
    value = floor(frame, metric, target=metric_of(metric).target, **context)
    return [] if value is None else [(value, FLOOR)]


def _floor_entries(drawn: Iterable[Panel], metric: str) -> list[tuple[str, Look]]:
    return [floor_entry(metric_of(metric))] if any(panel.levels for panel in drawn) else []


def _legend(
    table: pd.DataFrame, systems: Mapping[str, Look], drawn: Iterable[Panel], metric: str
) -> list[tuple[str, Look]]:
    shown = [
        (PARTIES[party], {**look, "color": GREY})
        for party, look in ROLES.items()
        if party in set(table["party"])
    ]
    return [*systems.items(), *shown, *_floor_entries(drawn, metric)]
