"""Layered decoding of a quasi-cyclic code, in 16-bit integers.

A layer is one row of the base graph: ``Z`` checks that share no bit. Posteriors are updated after
every layer, and half the iterations of a flooding schedule suffice (Hocevar, "A reduced complexity
decoder architecture via layered decoding of LDPC codes", SiPS 2004).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from semveil.phy.ldpc.check import UNIT, extrinsic, negative, parity
from semveil.phy.ldpc.graph import Row, positions

_CHANNEL_LIMIT, _MESSAGE_LIMIT = 20 * UNIT, 15 * UNIT
"""No bit has more than 30 checks, so a posterior stays below 8191, as `boxplus` requires."""

_REFILL, _SHRINK = 8, 2
"""The batch is refilled once 1/8 of its codewords have converged, and compacted once 1/2 have."""


@dataclass(frozen=True)
class Layer:
    """One layer of checks: its messages, the posteriors it reads, the columns it updates."""

    messages: slice
    reads: Tensor
    writes: tuple[int, ...]


class Decoder:
    """Layered decoder of the graph ``rows`` on ``columns`` columns of ``size`` bits each.

    Codewords lie in the last dimension of all tensors, so that a cyclic shift of a column moves
    whole rows of memory. A column keeps the shift of the layer that wrote it last; the next layer
    applies the difference.
    """

    def __init__(
        self, rows: Sequence[Row], columns: int, size: int, device: torch.device | str = "cpu"
    ) -> None:
        self.size = size
        turned = {column: shift for row in rows for column, shift in row}

        def reads(circulants: Row) -> Tensor:
            relative = [(column, shift - turned[column]) for column, shift in circulants]
            return positions(relative, size).to(device)

        self.order = positions([(c, turned.get(c, 0)) for c in range(columns)], size).to(device)
        self.checks = [reads(row) for row in rows]
        self.layers = []
        self.messages = 0
        for row in rows:
            end = self.messages + len(row) * size
            writes = tuple(column for column, _ in row)
            self.layers.append(Layer(slice(self.messages, end), reads(row), writes))
            turned.update(row)
            self.messages = end

    def __call__(self, llrs: Tensor, iterations: int, window: int) -> tuple[Tensor, Tensor]:
        """Return bits, bool ``[B, columns · Z]``, and whether all checks hold, bool ``[B]``.

        ``llrs`` are ``ln P(0) − ln P(1)``, float ``[B, columns · Z]``.
        """
        total = len(llrs)
        found = torch.empty(llrs.shape, dtype=torch.bool, device=llrs.device)
        valid = torch.empty(total, dtype=torch.bool, device=llrs.device)
        who = torch.arange(min(window, total), device=llrs.device)
        begun = len(who)
        left = torch.full_like(who, iterations)
        posterior = self._quantise(llrs[:begun])
        messages = posterior.new_zeros(self.messages, begun)
        while len(who):
            self._iterate(posterior, messages)
            left -= 1
            ones = negative(posterior).to(torch.int8)
            holds = self._all_checks_hold(ones)
            done = ((holds & (left >= 0)) | (left == 0)).nonzero().squeeze(1)
            found[who[done]] = ones.index_select(1, done).T.bool()
            valid[who[done]] = holds[done]
            left[done] = 0
            idle = left <= 0
            n_idle = int(idle.sum())
            if begun < total and _REFILL * n_idle >= len(who):
                slots = idle.nonzero().squeeze(1)[: total - begun]
                who[slots] = torch.arange(begun, begun + len(slots), device=who.device)
                posterior[:, slots] = self._quantise(llrs[begun : begun + len(slots)])
                messages *= (~idle).to(messages.dtype)
                left[slots] = iterations
                begun += len(slots)
            elif begun == total and _SHRINK * n_idle >= len(who):
                busy = (~idle).nonzero().squeeze(1)
                who, left = who[busy], left[busy]
                posterior, messages = posterior[:, busy], messages[:, busy]
        result = torch.empty_like(found)
        result[:, self.order] = found
        return result, valid

    def _quantise(self, llrs: Tensor) -> Tensor:
        steps = (llrs * UNIT).round_().clamp_(-_CHANNEL_LIMIT, _CHANNEL_LIMIT)
        return steps.to(torch.int16).T.index_select(0, self.order)

    def _iterate(self, posterior: Tensor, messages: Tensor) -> None:
        """Update posteriors ``[columns · Z, B]`` and messages ``[edges, B]``, layer by layer."""
        columns = posterior.unflatten(0, (-1, self.size)).unbind(0)
        for layer in self.layers:
            outward = messages[layer.messages].unflatten(0, (-1, self.size))
            inward = posterior.index_select(0, layer.reads).view_as(outward).sub_(outward)
            # Minus one where the product of the others' signs is negative, else zero.
            flip = negative(inward ^ parity(inward))
            extrinsic(inward.abs(), outward)
            outward.clamp_(0, _MESSAGE_LIMIT).bitwise_xor_(flip).sub_(flip)
            for column, update in zip(layer.writes, inward.add_(outward).unbind(0), strict=True):
                columns[column].copy_(update)

    def _all_checks_hold(self, ones: Tensor) -> Tensor:
        """Return for which codewords, ``[columns · Z, B]`` of −1 and 0, all checks hold."""
        broken = torch.zeros_like(ones[0])
        for reads in self.checks:
            broken |= parity(ones.index_select(0, reads).unflatten(0, (-1, self.size))).amin(0)
        return broken == 0
