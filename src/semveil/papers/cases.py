"""Cases: the combinations of axes that claims are judged in and that tables have rows for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from semveil.papers.values import Fields, Selector
from semveil.papers.words import named


@dataclass(frozen=True)
class Case:
    """One combination of the axes of a claim or a table."""

    fields: Fields = field(default_factory=dict)
    groups: Mapping[str, Fields] = field(default_factory=dict)

    @property
    def words(self) -> tuple[str, ...]:
        """How it is named in tables, one text per axis."""
        return (
            *(named(name, value) for name, value in self.fields.items()),
            *(", ".join(named(n, v) for n, v in group.items()) for group in self.groups.values()),
        )


def cases(selector: Selector, where: Fields, axes: Mapping[str, Any]) -> list[Case]:
    """Return the combinations of axes, in the order of the records."""
    groups = {n: axis for n, axis in axes.items() if isinstance(axis, Mapping) and "of" in axis}
    plain = {name: axis for name, axis in axes.items() if name not in groups}
    listed = {name: axis for name, axis in plain.items() if isinstance(axis, list)}
    found = [name for name in plain if name not in listed]
    settled = {n: v for n, v in where.items() if not (isinstance(v, Mapping) and "by" in v)}
    excluded = {name: axis for name, axis in plain.items() if isinstance(axis, Mapping)}
    rows = selector.rows({**settled, **listed, **excluded})
    occurring = selector.distinct(rows, found) if found else [{}]
    if len(found) == 1 and {type(each[found[0]]) for each in occurring} <= {float, type(None)}:
        occurring = sorted(occurring, key=lambda each: (each[found[0]] is not None, each[found[0]]))
    grouped = [
        selector.distinct(selector.rows({**settled, **group.get("where", {})}), group["of"])
        for group in groups.values()
    ]
    return [
        Case(
            {name: {**each, **dict(zip(listed, values, strict=True))}[name] for name in plain},
            dict(zip(groups, members, strict=True)),
        )
        for each in occurring
        for values in product(*listed.values())
        for members in product(*grouped)
    ]
