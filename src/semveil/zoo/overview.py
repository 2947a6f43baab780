"""What is in the zoo, one line each. Knows no torch."""

from __future__ import annotations

from typing import Any

from semveil.errors import SemveilError, shown
from semveil.metrics import metric_of
from semveil.zoo.entry import FigureFacts, read_config
from semveil.zoo.places import entries, places, published


def overview() -> dict[str, dict[str, Any]]:
    """Return what the entries that are here, and those that can be fetched, say of themselves.

    Returns:
        By name: ``place``, ``summary``, and where the entry is here ``folder``, ``version`` and
        ``bytes``. Files are not checked; a configuration that cannot be read is the summary.
    """
    found: dict[str, dict[str, Any]] = {
        name: {"place": "not here", "summary": f"run `semveil zoo fetch {name}`"}
        for name in published()
    }
    for place in places():
        for folder in place.misnamed():
            found[shown("/".join(folder.parts[-2:]))] = {
                "place": place.about,
                "folder": str(folder),
                "summary": "not usable: names are of lower-case letters, digits, dots and hyphens",
            }
    for name, (folder, place) in entries().items():
        about: dict[str, Any] = {"place": place.about, "folder": str(folder)}
        try:
            entry = read_config(folder)
        except SemveilError as error:
            found[name] = about | {"summary": str(error)}
            continue
        facts = entry.facts
        summary = f"{facts.title}, version {facts.version}, {entry.size / 1024:.0f} KiB: "
        # Of each party what comes first, so that a link without a task is told by its images.
        first = {figure.party: figure for figure in reversed(facts.figures)}
        summary += "; ".join(_line(first[party]) for party in sorted(first))
        found[name] = about | {"summary": summary, "version": facts.version, "bytes": entry.size}
    return dict(sorted(found.items()))


def _line(figure: FigureFacts) -> str:
    metric = metric_of(figure.metric)
    unit = f" {metric.unit}" if metric.unit else ""
    return f"{figure.party} {metric.title} {metric.format(figure.value)}{unit}"
