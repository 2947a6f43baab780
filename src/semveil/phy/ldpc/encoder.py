"""Systematic encoding on the lifted graph."""

from __future__ import annotations

import torch
from torch import Tensor

from semveil.phy.ldpc.check import parity
from semveil.phy.ldpc.graph import CORE, Graph, positions


class Encoder:
    """Computes the parity bits of the first ``n_rows`` rows of a graph.

    In the sum of the four core rows the double diagonal cancels and the first parity column is the
    only unknown; every other parity column is then the only unknown of one row (Richardson and
    Urbanke, "Efficient encoding of low-density parity-check codes", 2001).
    """

    def __init__(self, graph: Graph, n_rows: int, device: torch.device | str = "cpu") -> None:
        self.graph = graph
        rows = graph.rows[:n_rows]
        self.reads = [positions(row, graph.size).to(device) for row in rows]
        first = graph.information
        shifts = [shift for row in rows[:CORE] for column, shift in row if column == first]
        # Of the three shifts of the first parity column two are equal and cancel.
        self.shift = next(shift for shift in shifts if shifts.count(shift) == 1)
        # The column that each row determines; rows 0, 1 and 3 of the core determine all of its
        # columns.
        self.solved = {0: first + 1, 1: first + 2, 3: first + 3}
        self.solved |= {row: first + row for row in range(CORE, n_rows)}

    def __call__(self, bits: Tensor) -> Tensor:
        """Append parity bits to information bits, fillers included, uint8 ``[B, bits]``."""
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
