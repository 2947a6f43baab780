"""The LDPC code of 5G with rate matching, from ``k`` bits to ``n``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import torch
from torch import Tensor

from semveil.phy.ldpc.decoder import Decoder
from semveil.phy.ldpc.encoder import Encoder
from semveil.phy.ldpc.graph import CORE, Graph, base_graph, lift

_FILLER_LLR = 20.0
_MAX_RATE = 0.95


@dataclass(frozen=True)
class LdpcCode:
    """A 5G LDPC code, TS 38.212, sections 5.2.2, 5.3.2 and 5.4.2 (redundancy version 0).

    One code block without segmentation or CRC. ``k`` and ``n`` determine the base graph and the
    lifting size. Fillers, the first two columns of information bits, and parity bits beyond ``n``
    are not sent; rows of the graph without a sent parity bit are not used. Beyond the bits of the
    mother code (rate 1/3 of base graph 1, 1/5 of 2) the circular buffer begins again: bits are
    repeated, and the decoder adds their LLRs.

    Attributes:
        k: Information bits, 12 to 8448.
        n: Bits sent.
        bits_per_symbol: If given, sent bits are interleaved for symbols of that many bits
            (5.4.2.2).

    Raises:
        ValueError: If there is no such code.

    Example:
        >>> code = LdpcCode(k=100, n=200)
        >>> bits = torch.ones(1, 100, dtype=torch.uint8)
        >>> llrs = 4.0 * (2.0 * code.encode(bits) - 1)
        >>> decoded, valid = code.decode(llrs)
        >>> bool((decoded == bits).all()), valid
        (True, tensor([True]))
    """

    k: int
    n: int
    bits_per_symbol: int | None = None

    def __post_init__(self) -> None:
        k, n, m = self.k, self.n, self.bits_per_symbol
        if not 12 <= k <= 8448:
            raise ValueError(f"k={k}: an LDPC code block carries 12 to 8448 information bits")
        if n <= 0 or k / n > _MAX_RATE:
            raise ValueError(f"k={k} bits in n={n}: the code rate is at most {_MAX_RATE}")
        number = base_graph(k, k / n)
        if number == 2 and k > 3840:
            raise ValueError(f"k={k} bits in n={n}: rates below 1/4 end at k=3840")
        if m is not None and (m < 1 or n % m):
            raise ValueError(f"n={n} bits are not a multiple of {m} per symbol")

    @cached_property
    def graph(self) -> Graph:
        """The lifted base graph."""
        return lift(base_graph(self.k, self.k / self.n), self.k)

    @property
    def rate(self) -> float:
        """Code rate ``k / n``."""
        return self.k / self.n

    @property
    def _fillers(self) -> int:
        return self.graph.information * self.graph.size - self.k

    @property
    def n_rows(self) -> int:
        """Rows of the base graph in use: the core, and those whose parity bits are sent."""
        sent = self.n - (self.k - 2 * self.graph.size)
        return min(max(CORE, -(-sent // self.graph.size)), len(self.graph.rows))

    def encode(self, bits: Tensor) -> Tensor:
        """Encode information bits.

        Args:
            bits: Zeros and ones of any dtype, ``[B, k]``.

        Returns:
            Bits to send, the same dtype, ``[B, n]``.

        Raises:
            ValueError: If there are not ``k`` bits in a row.
        """
        if bits.ndim != 2 or bits.shape[1] != self.k:
            raise ValueError(f"bits are {list(bits.shape)}, not [B, {self.k}]")
        filled = torch.nn.functional.pad(bits.to(torch.uint8), (0, self._fillers))
        word = _encoder(self, bits.device)(filled)
        sent = word[:, self._sent(bits.device)]
        if self.bits_per_symbol is not None:
            sent = sent.unflatten(1, (self.bits_per_symbol, -1)).mT.flatten(1)
        return sent.to(bits.dtype)

    def decode(
        self, llrs: Tensor, iterations: int = 20, window: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Decode LLRs; decoding of a codeword stops once all its checks hold.

        Args:
            llrs: ``ln P(1) − ln P(0)`` of the bits sent, float ``[B, n]``.
            iterations: Maximum iterations per codeword.
            window: Codewords decoded at once. The result does not depend on it; the default suits
                a processor's caches.

        Returns:
            Bits, uint8 ``[B, k]``, and whether all checks hold, bool ``[B]``.

        Raises:
            ValueError: If there are not ``n`` LLRs in a row, or there is no iteration.
        """
        if llrs.ndim != 2 or llrs.shape[1] != self.n:
            raise ValueError(f"LLRs are {list(llrs.shape)}, not [B, {self.n}]")
        if iterations < 1 or (window is not None and window < 1):
            raise ValueError(f"{iterations} iterations on {window} codewords at once")
        if self.bits_per_symbol is not None:
            llrs = llrs.unflatten(1, (-1, self.bits_per_symbol)).mT.flatten(1)
        size, first = self.graph.size, self.graph.information
        # Inside, zero is the more likely bit of a positive LLR.
        heard = llrs.new_zeros(len(llrs), (first + self.n_rows) * size)
        heard.index_add_(1, self._sent(llrs.device), -llrs)
        heard[:, self.k : first * size] = _FILLER_LLR
        if window is None:
            window = max(1, (2**16 if llrs.device.type == "cpu" else 2**22) // size)
        bits, valid = _decoder(self, llrs.device)(heard, iterations, window)
        return bits[:, : self.k].to(torch.uint8), valid

    def _sent(self, device: torch.device) -> Tensor:
        """Return the positions of the sent bits in a codeword of the rows in use, in order."""
        size, first = self.graph.size, self.graph.information
        places = torch.arange(2 * size, (first + self.n_rows) * size, device=device)
        places = places[(places < self.k) | (places >= first * size)]
        return places.repeat(-(-self.n // len(places)))[: self.n]


@cache
def _encoder(code: LdpcCode, device: torch.device) -> Encoder:
    return Encoder(code.graph, code.n_rows, device)


@cache
def _decoder(code: LdpcCode, device: torch.device) -> Decoder:
    graph = code.graph
    # A column of fillers only is known and carries no information.
    known = range(-(-code.k // graph.size), graph.information)
    rows = [
        tuple((column, shift) for column, shift in row if column not in known)
        for row in graph.rows[: code.n_rows]
    ]
    return Decoder(rows, graph.information + code.n_rows, graph.size, device)
