"""What Bob and Eve get against the SNR and against the latent dimension."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from semveil.report.figures.layout import arrange, panels
from semveil.report.figures.style import GREY, GUESSING, PARTIES, ROLES, UNITS, palette, styled
from semveil.report.select import (
    SETTING,
    floor,
    home_snr,
    over_seeds,
    paired,
    present,
    strongest,
    where,
)
from semveil.report.summary import signed
from semveil.report.table import heading

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D


WIDEST = 32  # letters of a title above a small panel


@styled
def against_snr(
    frame: pd.DataFrame,
    metric: str = "accuracy",
    *,
    target: str | None = None,
    colours: Mapping[str, str] | None = None,
) -> Figure:
    """Draw a metric against the SNR of the party that it belongs to, one panel per system.

    Args:
        frame: Frame of records.
        metric: ``accuracy``, ``psnr_db`` or ``ssim``.
        target: What is guessed; by default the label, or the image for image metrics.
        colours: Colour of each system (see `palette`).

    Returns:
        The figure; an interval over several seeds spans those of all of them.
    """
    table = parties(frame, metric, target)
    table = table[table["test_snr_db"].notna()]
    colours = colours or palette(frame)
    keys = [*present(table, SETTING), "latent_dim", "train_snr_db"]
    varying = [key for key in keys if table[key].nunique(dropna=False) > 1]
    systems = list(table.groupby([*keys, "system", "psr_db"], dropna=False, sort=False))
    figure, axes = panels(len(systems), columns=3)
    guessing = where(frame, role="system")
    floors = []
    for place, (values, system) in zip(axes, systems, strict=True):
        where_from: dict[str, Any] = dict(zip([*keys, "system", "psr_db"], values, strict=True))
        label, psr_db = str(where_from["system"]), float(where_from["psr_db"])
        several = where(table, system=label)["psr_db"].nunique() > 1
        title = f"{label}, PSR {signed(psr_db)} dB" if several else label
        above = heading((key, where_from[key]) for key in varying)
        words = [line for part in (above, title) for line in wrap(part, WIDEST)]
        place.set_title("\n".join(words))
        for party in ("bob", "paper", "adaptive"):
            _line(place, where(system, party=party), "test_snr_db", party, colours[label])
        floors.append(_floor(place, guessing, metric, target, where_from))
    _limits(axes, metric)
    arrange(
        figure,
        axes,
        width=2.45,
        height=1.7,
        x="SNR (dB)",
        y=UNITS.get(metric, metric),
        entries=_entries(table["party"].unique(), {}, any(floors)),
    )
    return figure


@styled
def against_dimension(
    frame: pd.DataFrame,
    metric: str = "accuracy",
    *,
    target: str | None = None,
    colours: Mapping[str, str] | None = None,
) -> Figure:
    """Draw a metric against the latent dimension at Bob's training SNR, one panel per protocol.

    Args:
        frame: Frame of records.
        metric: ``accuracy``, ``psnr_db`` or ``ssim``.
        target: What is guessed; by default the label, or the image for image metrics.
        colours: Colour of each system (see `palette`).

    Returns:
        The figure, with a row of panels for each dataset or other setting.
    """
    table = at_home(parties(frame, metric, target))
    table = table[table["latent_dim"].notna()]
    colours = colours or palette(frame)
    keys = present(table, SETTING)
    varying = [key for key in keys if table[key].nunique(dropna=False) > 1]
    settings = list(table.groupby(keys, dropna=False, sort=False))
    protocols = [name for name in ("paper", "adaptive") if name in set(table["party"])]
    places = [(values, part, name) for values, part in settings for name in protocols or ["bob"]]
    figure, axes = panels(len(places), columns=2)
    guessing = where(frame, role="system")
    floors = []
    for place, (values, part, protocol) in zip(axes, places, strict=True):
        context = dict(zip(keys, values, strict=True))
        above = heading((key, context[key]) for key in varying)
        place.set_title(" · ".join(filter(None, [above, PARTIES[protocol]])))
        for (name, _), system in part.groupby(["system", "psr_db"], dropna=False, sort=False):
            for party in dict.fromkeys(("bob", protocol)):
                _line(place, where(system, party=party), "latent_dim", party, colours[str(name)])
        floors.append(_floor(place, guessing, metric, target, context))
        place.set_xscale("log", base=2)
        place.set_xticks(sorted(table["latent_dim"].unique()))
        place.xaxis.set_major_formatter("{x:g}")
        place.minorticks_off()
    _limits(axes, metric)
    arrange(
        figure,
        axes,
        width=3.7,
        height=2.3,
        x="latent dimension d (reals)",
        y=UNITS.get(metric, metric),
        entries=_entries(
            table["party"].unique(),
            {name: colours[name] for name in table["system"].unique()},
            any(floors),
        ),
    )
    return figure


def parties(frame: pd.DataFrame, metric: str, target: str | None = None) -> pd.DataFrame:
    """Return a metric's rows of undisturbed Bob and of the strongest Eves, seeds merged.

    Args:
        frame: Frame of records.
        metric: The metric.
        target: What is guessed; by default the label, or the image for image metrics.

    Returns:
        The rows, with a column ``party``: ``bob``, ``paper`` or ``adaptive``.
    """
    goal = _target(metric, target)
    table = where(paired(frame[frame["value"].notna()]), metric=metric)
    table = table[table["target"].isna() | (table["target"] == goal)]
    bob = table[(table["role"] == "bob") & table["adversary"].isna()]
    table = over_seeds(pd.concat([bob, strongest(table)]).sort_index())
    table["party"] = table["protocol"].where(table["role"] == "eve", "bob")
    return table[table["party"].isin(list(PARTIES))]


def at_home(table: pd.DataFrame) -> pd.DataFrame:
    """Keep of each system the figures at the SNR where Bob and Eve are compared.

    Args:
        table: What `parties` returns.

    Returns:
        Its rows at that SNR, and those without one.
    """
    keys = [*present(table, SETTING), "system", "psr_db", "latent_dim", "train_snr_db"]
    kept = [table.iloc[:0]]
    for _, system in table.groupby(keys, dropna=False, sort=False):
        home = home_snr(where(system, role="bob"), where(system, role="eve"))
        kept.append(system[system["test_snr_db"].isna() | (system["test_snr_db"] == home)])
    return pd.concat(kept)


def _target(metric: str, target: str | None) -> str:
    return target or ("label" if metric == "accuracy" else "image")


def _line(place: Axes, table: pd.DataFrame, x: str, party: str, colour: str) -> None:
    if table.empty:
        return
    table = table.sort_values(x)
    value = table["value"].to_numpy()
    below = np.nan_to_num(value - table["ci_low"].to_numpy()).clip(0)
    above = np.nan_to_num(table["ci_high"].to_numpy() - value).clip(0)
    place.errorbar(
        table[x], value, [below, above], color=colour, elinewidth=1, capsize=2, **ROLES[party]
    )


def _floor(
    place: Axes, guessing: pd.DataFrame, metric: str, target: str | None, context: dict[str, Any]
) -> bool:
    """Draw what guessing reaches, and say whether that is known."""
    value = floor(guessing, metric, target=_target(metric, target), **context)
    if value is not None:
        place.axhline(value, **GUESSING)
    return value is not None


def _limits(axes: list[Axes], metric: str) -> None:
    """Give all panels the same limits, so that they can be compared by eye."""
    low = min((place.get_ylim()[0] for place in axes), default=0.0)
    high = max((place.get_ylim()[1] for place in axes), default=1.0)
    pad = 0.04 * (high - low)
    bounded = metric in {"accuracy", "ssim"}
    for place in axes:
        place.set_ylim((0, 1.03) if bounded else (low - pad, high + pad))
        if metric == "accuracy":
            place.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f} %")


def _entries(drawn: np.ndarray, systems: Mapping[str, str], floor: bool) -> list[Line2D]:
    from matplotlib.lines import Line2D

    entries = [
        Line2D([], [], color=colour, linewidth=3, label=name) for name, colour in systems.items()
    ]
    entries += [
        Line2D([], [], color=GREY, label=label, **ROLES[party])
        for party, label in PARTIES.items()
        if party in drawn
    ]
    return [*entries, Line2D([], [], label="guessing", **GUESSING)] if floor else entries
