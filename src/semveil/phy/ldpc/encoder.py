"""Systematic encoding on the lifted graph."""

from __future__ import annotations

import torch
from torch import Tensor

from semveil.phy.ldpc.check import parity
from semveil.phy.ldpc.graph import CORE, Graph, positions


class Encoder:
    """Finds the parity bits of a graph.

    The sum of the four core rows holds the first parity column alone, once (the double diagonal
    beside it cancels), which gives that column; every other is then the only unknown of a row
    (Richardson and Urbanke, "Efficient encoding of low-density parity-check codes", 2001).

    Args:
        graph: The graph; of its rows only the first ``n_rows`` are computed.
        n_rows: How many, at least the core's.
        device: Where it works.
    """

    def __init__(self, graph: Graph, n_rows: int, device: torch.device | str = "cpu") -> None:
        self.graph = graph
        rows = graph.rows[:n_rows]
        self.reads = [positions(row, graph.size).to(device) for row in rows]
        first = graph.information
        shifts = [shift for row in rows[:CORE] for column, shift in row if column == first]
        # Of the three shifts of the first parity column two are alike and cancel.
        self.shift = next(shift for shift in shifts if shifts.count(shift) == 1)
        # The columns that each row gives; the rows 0, 1 and 3 of the core leave none to row 2.
        self.solved = {0: first + 1, 1: first + 2, 3: first + 3}
        self.solved |= {row: first + row for row in range(CORE, n_rows)}

    def __call__(self, bits: Tensor) -> Tensor:
        """Return information bits with their parity bits.

        Args:
            bits: Fillers included, uint8 ``[B, information · Z]``.

        Returns:
            uint8 ``[B, (information + n_rows) · Z]``.
        """
        size = self.graph.size
        word = bits.new_zeros(bits.shape[1] + len(self.reads) * size, len(bits))
        word[: bits.shape[1]] = bits.T
        columns = word.unflatten(0, (-1, size))
        core = torch.stack([self._sum(word, row) for row in range(CORE)])
        columns[self.graph.information] = parity(core).roll(self.shift, 0)
        for row, column in self.solved.items():
            columns[column] = self._sum(word, row)
        return word.T

    def _sum(self, word: Tensor, row: int) -> Tensor:
        return parity(word.index_select(0, self.reads[row]).unflatten(0, (-1, self.graph.size)))
