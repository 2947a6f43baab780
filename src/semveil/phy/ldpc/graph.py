"""Base graph and lifting size of the quasi-cyclic code for ``k`` bits in ``n``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from semveil.phy.ldpc.tables import BASE_GRAPH_1, BASE_GRAPH_2

CORE = 4
"""Rows whose parity bits depend on each other; every other row has its own parity column."""

_SIZES = tuple(
    tuple(start << power for power in range(8) if start << power <= 384)
    for start in (2, 3, 5, 7, 9, 11, 13, 15)
)
"""Lifting sizes by set, TS 38.212, table 5.3.2-1."""

Row = tuple[tuple[int, int], ...]
"""A row of a lifted graph: ``(column, shift)`` of each of its circulants."""


@dataclass(frozen=True)
class Graph:
    """A base graph lifted for ``k`` bits: ``size`` bits per column, fillers end the information's.

    Bit ``t`` of row ``i`` checks bit ``(t + shift) mod size`` of each of the row's columns.
    """

    size: int
    information: int
    rows: tuple[Row, ...]

    @property
    def columns(self) -> int:
        """Columns of information and parity bits."""
        return self.information + len(self.rows)


def positions(circulants: Iterable[tuple[int, int]], size: int) -> Tensor:
    """Return the bits that circulants reach, one circulant after the other."""
    place = torch.arange(size)
    return torch.cat([column * size + (place + shift) % size for column, shift in circulants])


def base_graph(k: int, rate: float) -> int:
    """Return the base graph for ``k`` bits at a code rate: 1 or 2 (TS 38.212, 7.2.2)."""
    return 2 if k <= 292 or (k <= 3824 and rate <= 0.67) or rate <= 0.25 else 1


def lift(number: int, k: int) -> Graph:
    """Lift base graph ``number`` for ``k`` bits by the smallest size (TS 38.212, 5.2.2, 5.3.2)."""
    room = 22 if number == 1 else _room(k)
    size, which = min(
        (size, which) for which, sizes in enumerate(_SIZES) for size in sizes if room * size >= k
    )
    rows: dict[int, list[tuple[int, int]]] = {}
    for line in (BASE_GRAPH_1 if number == 1 else BASE_GRAPH_2).strip().splitlines():
        row, entries = line.split(":")
        for entry in entries.split(","):
            column, *shifts = map(int, entry.split())
            rows.setdefault(int(row), []).append((column, shifts[which] % size))
    return Graph(size, 22 if number == 1 else 10, tuple(map(tuple, rows.values())))


def _room(k: int) -> int:
    """Return the columns of base graph 2 that determine the lifting size (TS 38.212, 5.2.2)."""
    return 10 if k > 640 else 9 if k > 560 else 8 if k > 192 else 6
