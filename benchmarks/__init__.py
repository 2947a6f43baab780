"""Speed, as ratios: both sides of a ratio are timed in alternation, in one process.

A ratio carries from one machine to another; seconds do not. Every module of this folder that
defines ``RATIOS`` contributes its ratios.
"""

from __future__ import annotations

import os
import pkgutil
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import torch
from rich.table import Table

from benchmarks.timing import MissingError, Ratio, Rounds
from semveil.errors import unknown
from semveil.experiment.provenance import provenance

OnProgress = Callable[[str, int, int], None]
"""Called with ``(ratio, rounds done, rounds in all)``."""


def ratios() -> dict[str, Ratio]:
    """Return all ratios by name.

    Example:
        >>> list(ratios())[:3]
        ['encoder_vs_jscc', 'encoder_vs_mobilenetv2', 'inversion_vs_bare']
    """
    found: dict[str, Ratio] = {}
    for module in pkgutil.iter_modules(__path__):
        found |= getattr(import_module(f"{__name__}.{module.name}"), "RATIOS", {})
    return dict(sorted(found.items()))


def run(
    names: Sequence[str] | None = None, quick: bool = False, progress: OnProgress | None = None
) -> dict[str, Any]:
    """Measure ratios on this machine's processor.

    Args:
        names: Which ones; all if omitted.
        quick: Fewer and smaller rounds, to see that everything works; less precise.
        progress: Called after every round.

    Returns:
        The result, ready for JSON; each of the first five has one entry per ratio:

        - ``ratios``: the median over the rounds, null where it could not be measured;
        - ``targets``: ``[comparison, bound]``, such as ``[">=", 2.0]``;
        - ``met``: whether it is met, null where there is no ratio;
        - ``rounds``: ``ratio`` (of every round), ``min``, ``median``, ``max``, and for ``over``
          and ``under`` the line, what was timed (``what``) and its ``seconds``; null as above;
        - ``notes``: what to do about a ratio that is null; only for those;
        - ``hardware``, with the machine's load, ``version`` and ``versions``.

    Raises:
        SemveilError: If there is no ratio of a name.
        DisagreementError: If two sides that should compute the same thing do not.
    """
    known = ratios()
    for name in names or ():
        if name not in known:
            raise unknown("ratio", name, list(known))
    wanted = {name: known[name] for name in names or known}
    measured = {name: _measure(name, ratio, quick, progress) for name, ratio in wanted.items()}
    rounds = {name: found for name, found in measured.items() if isinstance(found, Rounds)}
    medians = {name: rounds[name].median if name in rounds else None for name in wanted}
    circumstances = provenance(torch.device("cpu"), 1)
    circumstances["hardware"]["load_average"] = os.getloadavg()[0]
    return {
        "ratios": medians,
        "targets": {name: list(ratio.target) for name, ratio in wanted.items()},
        "met": {
            name: None if value is None else wanted[name].met(value)
            for name, value in medians.items()
        },
        "rounds": {name: rounds[name].plain() if name in rounds else None for name in wanted},
        "notes": {name: str(why) for name, why in measured.items() if name not in rounds},
        **circumstances,
    }


def _measure(
    name: str, ratio: Ratio, quick: bool, progress: OnProgress | None
) -> Rounds | MissingError:
    def on_round(done: int, total: int) -> None:
        if progress:
            progress(name, done, total)

    try:
        return ratio.measure(quick, on_round)
    except MissingError as missing:
        return missing


def table(result: dict[str, Any]) -> Table:
    """Return one row per ratio of a result of :func:`run`: median, range, target, verdict."""
    laid = Table("ratio", "median", "range", "target", "", "of what", title="Speed")
    for name, median in result["ratios"].items():
        comparison, bound = result["targets"][name]
        target = f"{comparison} {bound:g}"
        if median is None:
            laid.add_row(name, "–", "", target, "", result["notes"][name])
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
