"""Speed, as ratios: what is timed on both sides runs alternately in one process.

A ratio carries from one machine to another where seconds do not. Every ratio is a file in
:mod:`semveil.bench.ratios`, found by its name; nothing has to be registered.

Importing this package imports no torch, so that a command line which offers it answers at once.
"""

from __future__ import annotations

import os
import pkgutil
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from semveil.bench.base import MissingExtraError, Ratio, Rounds
from semveil.errors import unknown

if TYPE_CHECKING:
    from rich.table import Table

Progress = Callable[[str, int, int], None]
"""Told ``(ratio, rounds done, rounds in all)``."""


def names() -> list[str]:
    """Return the ratios there are.

    Example:
        >>> names()[:3]
        ['encoder_vs_jscc', 'encoder_vs_mobilenetv2', 'inversion_vs_bare']
    """
    from semveil.bench import ratios

    return sorted(module.name for module in pkgutil.iter_modules(ratios.__path__))


def get(name: str) -> Ratio:
    """Return a ratio by name.

    Raises:
        SemveilError: If there is none, with the nearest name.

    Example:
        >>> get("train_vs_plain").target
        ('>=', 2.0)
    """
    if name not in names():
        raise unknown("ratio", name, names())
    ratio = import_module(f"semveil.bench.ratios.{name}").RATIO
    assert isinstance(ratio, Ratio)
    return ratio


def run(
    names: Sequence[str] | None = None, quick: bool = False, progress: Progress | None = None
) -> dict[str, Any]:
    """Measure ratios on this machine's processor.

    Args:
        names: Which ones; all if omitted.
        quick: Fewer and smaller rounds, to see that everything works; the numbers mean less.
        progress: Told how far it is.

    Returns:
        What was found, ready for JSON; each of the first five has one entry per ratio:

        - ``ratios``: the median over the rounds, null where it could not be measured;
        - ``targets``: ``[comparison, bound]``, such as ``[">=", 2.0]``;
        - ``met``: whether it is met, null where there is no ratio;
        - ``rounds``: ``ratio`` (of every round), ``min``, ``median``, ``max``, and for ``over``
          and ``under`` the line, what was timed (``what``) and its ``seconds``; null as above;
        - ``notes``: what to do about a ratio that is null; only for those;
        - ``hardware``, with the load that the machine was under, ``version`` and ``versions``.

    Raises:
        SemveilError: If there is no ratio of a name.
        DisagreementError: If two sides that should compute the same thing do not.

    Example:
        >>> run(["ofdm_vs_sionna"], quick=True)["targets"]
        {'ofdm_vs_sionna': ['>=', 10.0]}
    """
    wanted = {name: get(name) for name in names or _all_names()}
    measured = {name: _measure(name, ratio, quick, progress) for name, ratio in wanted.items()}
    rounds = {name: found for name, found in measured.items() if isinstance(found, Rounds)}
    ratios = {name: rounds[name].median if name in rounds else None for name in wanted}
    return {
        "ratios": ratios,
        "targets": {name: list(ratio.target) for name, ratio in wanted.items()},
        "met": {
            name: None if value is None else wanted[name].met(value)
            for name, value in ratios.items()
        },
        "rounds": {name: rounds[name].plain() if name in rounds else None for name in wanted},
        "notes": {name: str(why) for name, why in measured.items() if name not in rounds},
        **_circumstances(),
    }


_all_names = names  # `run` has an argument of that name


def _measure(
    name: str, ratio: Ratio, quick: bool, progress: Progress | None
) -> Rounds | MissingExtraError:
    def tick(done: int, total: int) -> None:
        if progress:
            progress(name, done, total)

    try:
        return ratio.measure(quick, tick)
    except MissingExtraError as missing:
        return missing


def _circumstances() -> dict[str, Any]:
    import torch

    from semveil.experiment.provenance import provenance

    found = provenance(torch.device("cpu"), 1)
    # A ratio stands up to neighbours better than seconds do, but not to any number of them.
    found["hardware"]["load_average"] = os.getloadavg()[0]
    return found


def table(result: dict[str, Any]) -> Table:
    """Lay out what :func:`run` found.

    Args:
        result: What it returned.

    Returns:
        One row per ratio: its median, the range over the rounds, the target, whether it is met.

    Example:
        >>> table({"ratios": {}, "targets": {}, "met": {}, "rounds": {}, "notes": {}}).row_count
        0
    """
    from rich.markup import escape
    from rich.table import Table

    laid = Table("ratio", "median", "range", "target", "", "of what", title="Speed")
    for name, median in result["ratios"].items():
        comparison, bound = result["targets"][name]
        target = f"{comparison} {bound:g}"
        if median is None:
            laid.add_row(name, "–", "", target, "", escape(result["notes"][name]))
            continue
        rounds = result["rounds"][name]
        laid.add_row(
            name,
            f"{median:.3g}",
            f"{rounds['min']:.3g} … {rounds['max']:.3g}",
            target,
            "met" if result["met"][name] else "not met",
            f"{rounds['over']['what']} / {rounds['under']['what']}",
        )
    return laid
