"""The frame on the air: preamble, header and data blocks, and what each of them occupies.

A frame is a Schmidl–Cox symbol (two equal halves behind a cyclic prefix), then blocks. A block is
an OFDM symbol, or as many symbols of a single carrier with root-raised-cosine pulses, behind its
cyclic prefix. The first blocks carry the header, the others the link's symbols.

::

    | prefix | half | the same half | prefix | header | … | prefix | data | prefix | data | …
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal

import torch
from torch import Tensor

from semveil.errors import SemveilError
from semveil.phy.gold import gold_sequence
from semveil.phy.rrc import root_raised_cosine_response

Carrier = Literal["ofdm", "single"]

_PREAMBLE, _PILOTS, _WHITENING = 0x3E71, 0x2D5A, 0x1C3F
"""Seeds of the pseudo-random sequences; part of the format."""

_MOST_PREFIX, _MOST_HALF = 256, 8192

_TRIALS = 64
"""Sequences of which the one of the lowest peak is the preamble's."""


@dataclass(frozen=True)
class FrameFormat:
    """How a link's symbols are sent; both sides must have the same.

    Attributes:
        sample_rate: Samples per second, Hz.
        carrier: ``ofdm``, or ``single`` for a single carrier with root-raised-cosine pulses.
        oversampling: Samples per chip: per ``1/(N·Δf)`` of OFDM, per symbol of a single carrier.
            A single carrier needs an even number.
        subcarriers: Size ``N`` of a block: subcarriers of OFDM, guards included, or symbols of a
            single carrier.
        prefix: Cyclic prefix of a block and of the preamble, in chips.
        guard_dc: Whether OFDM leaves the subcarrier at DC empty.
        guard_edges: Subcarriers of OFDM left empty at the upper edge of the band, and as many at
            the lower, the one at half the rate included.
        pilot_spacing: OFDM: every so many used subcarriers one is a pilot. Single carrier: after
            every so many blocks one is known.
        roll_off: Roll-off of the pulses of a single carrier, 0 to 1.
        level: Root mean square of the samples of a frame, relative to full scale.
        whitening: Whether the signs of real and imaginary parts of the link's symbols are flipped
            by a pseudo-random sequence.
        preamble: Length of each half of the preamble, in blocks without prefix.
        header_symbols: Symbols that the header takes at least; whole blocks are filled.

    Raises:
        SemveilError: If a setting is out of range.

    Example:
        >>> frame = FrameFormat()
        >>> frame.data_per_block, frame.block_length, frame.preamble_length
        (48, 80, 528)
        >>> frame.frame_length(480)
        2608
    """

    sample_rate: float = 1e6
    carrier: Carrier = "ofdm"
    oversampling: int = 1
    subcarriers: int = 64
    prefix: int = 16
    guard_dc: bool = True
    guard_edges: int = 6
    pilot_spacing: int = 13
    roll_off: float = 0.25
    level: float = 0.25
    whitening: bool = True
    preamble: int = 4
    header_symbols: int = 768

    def __post_init__(self) -> None:
        if self.carrier not in ("ofdm", "single"):
            raise SemveilError(f"carrier: '{self.carrier}' is neither ofdm nor single")
        _within("sample_rate", self.sample_rate, 1, 1e11)
        _within("oversampling", self.oversampling, 1, 64)
        _within("subcarriers", self.subcarriers, 8, 8192)
        _within("prefix", self.prefix, 0, self.subcarriers)
        _within("guard_edges", self.guard_edges, 0, self.subcarriers // 4)
        _within("pilot_spacing", self.pilot_spacing, 1, 1024)
        _within("roll_off", self.roll_off, 0, 1)
        _within("level", self.level, 1e-6, 1e6)
        _within("preamble", self.preamble, 1, 64)
        _within("header_symbols", self.header_symbols, 160, 1 << 16)
        # A receiver solves for the taps within the prefix, from the whole preamble.
        if self.prefix > _MOST_PREFIX:
            raise SemveilError(f"prefix: {self.prefix} is more than {_MOST_PREFIX} chips")
        if self.preamble * self.subcarriers > _MOST_HALF:
            raise SemveilError(
                f"preamble: halves of {self.preamble} blocks of {self.subcarriers} are more than "
                f"{_MOST_HALF} chips"
            )
        if self.subcarriers % 2:
            raise SemveilError(f"subcarriers: {self.subcarriers} is odd; set an even number")
        if self.carrier == "single" and self.oversampling % 2:
            raise SemveilError(
                f"oversampling: a single carrier needs an even number, not {self.oversampling}"
            )
        if self.carrier == "ofdm" and not 2 <= self.pilot_spacing <= len(self.used) // 2:
            raise SemveilError(
                f"pilot_spacing: {self.pilot_spacing} gives no two pilots beside data on "
                f"{len(self.used)} subcarriers; set 2 to {len(self.used) // 2}"
            )

    @property
    def single(self) -> bool:
        """Whether it is a single carrier."""
        return self.carrier == "single"

    @property
    def inner(self) -> int:
        """Samples per chip at which a receiver works: 1 for OFDM, 2 for a single carrier."""
        return 2 if self.single else 1

    @property
    def spacing(self) -> float:
        """Subcarrier spacing ``Δf`` (of a single carrier: one over the block's length), Hz."""
        return self.sample_rate / (self.subcarriers * self.oversampling)

    @cached_property
    def used(self) -> Tensor:
        """Used frequencies in units of the spacing, in ascending order, int64 ``[A]``."""
        return self.bins(self.subcarriers)

    def bins(self, size: int) -> Tensor:
        """Return the used frequencies of a block of ``size`` chips, ascending, int64.

        Frequencies are in units of ``1/size`` of the chip rate.
        """
        half = size // 2
        if self.single:
            edge = math.ceil((1 + self.roll_off) * half) - 1
            return torch.arange(-edge, edge + 1) if self.roll_off else torch.arange(-half, half)
        guard = self.guard_edges * size // self.subcarriers
        found = torch.arange(-half + guard, half - guard + (guard > 0))
        return found[found != 0] if self.guard_dc else found

    def weights(self, size: int) -> Tensor:
        """Return the amplitude of each frequency of :meth:`bins`, float ``[A]``."""
        if self.single:
            return root_raised_cosine_response(self.bins(size) / size, self.roll_off)
        return torch.ones(len(self.bins(size)))

    @cached_property
    def pilot_mask(self) -> Tensor:
        """Which used subcarriers of an OFDM block are pilots, bool ``[A]``."""
        place = torch.arange(len(self.used))
        return place % self.pilot_spacing == self.pilot_spacing // 2

    @cached_property
    def data_per_block(self) -> int:
        """The link's symbols per block."""
        return self.subcarriers if self.single else int((~self.pilot_mask).sum())

    @property
    def occupied(self) -> float:
        """Share of the sample rate that the signal's noise bandwidth is.

        Noise of variance ``σ²`` per sample leaves ``σ² · occupied`` beside a signal of power
        ``level²``, so that the SNR per symbol is ``level² / (σ² · occupied)``.
        """
        share = 1.0 if self.single else len(self.used) / self.subcarriers
        return share / self.oversampling

    @property
    def block_length(self) -> int:
        """Samples per block, prefix included."""
        return (self.subcarriers + self.prefix) * self.oversampling

    @property
    def half_length(self) -> int:
        """Samples of one half of the preamble."""
        return self.preamble * self.subcarriers * self.oversampling

    @property
    def preamble_length(self) -> int:
        """Samples of the preamble, prefix included."""
        return 2 * self.half_length + self.prefix * self.oversampling

    @cached_property
    def header_blocks(self) -> int:
        """Data blocks of the header."""
        return -(-self.header_symbols // self.data_per_block)

    @cached_property
    def header_bits(self) -> int:
        """Coded bits of the header: all of its blocks in QPSK."""
        return 2 * self.header_blocks * self.data_per_block

    def data_blocks(self, symbols: int) -> int:
        """Return the data blocks for a number of the link's symbols."""
        return -(-symbols // self.data_per_block)

    def known_blocks(self, blocks: int) -> Tensor:
        """Return which blocks are known, for a number of data blocks: bool ``[blocks + known]``.

        None of OFDM; of a single carrier one after every ``pilot_spacing`` and one at the end.
        """
        if not self.single:
            return torch.zeros(blocks, dtype=torch.bool)
        known = -(-blocks // self.pilot_spacing)
        mask = torch.arange(blocks + known) % (self.pilot_spacing + 1) == self.pilot_spacing
        mask[-1] = True
        return mask

    @cached_property
    def header_length(self) -> int:
        """Samples from the start of a frame to the end of its header."""
        return self.preamble_length + len(self.known_blocks(self.header_blocks)) * self.block_length

    def frame_length(self, symbols: int) -> int:
        """Return the samples of a frame of ``symbols`` symbols of the link."""
        blocks = len(self.known_blocks(self.data_blocks(symbols)))
        return self.header_length + blocks * self.block_length

    def sequence(self) -> Tensor:
        """Return the preamble's half on its frequencies, ``bins(preamble · N)``, complex64."""
        return _sequence(self)

    def pilots(self, blocks: int, first: int = 0) -> Tensor:
        """Return the known symbols: complex64 ``[blocks, pilots]``, of unit power.

        OFDM: the pilots of data blocks ``first …``. Single carrier: whole known blocks.
        """
        each = self.subcarriers if self.single else int(self.pilot_mask.sum())
        return _signs(_PILOTS, (first + blocks) * each).view(-1, each)[first:]

    def flips(self, symbols: int) -> Tensor:
        """Return the signs of the whitening, ±1 in each part, complex64 ``[symbols]``."""
        if not self.whitening:
            return torch.full((symbols,), 1 + 1j, dtype=torch.complex64)
        return math.sqrt(2) * _signs(_WHITENING, symbols)


def _within(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise SemveilError(f"{name}: {value} is not within {least:g} and {most:g}")


@cache
def _sequence(frame: FrameFormat) -> Tensor:
    # Pseudo-random rather than Zadoff-Chu: a chirp that is offset in frequency looks like one that
    # is offset in time.
    half = frame.preamble * frame.subcarriers
    if frame.single:
        return torch.fft.fft(_signs(_PREAMBLE, half), norm="ortho")[frame.bins(half) % half]
    bins = frame.bins(half)
    tried = _signs(_PREAMBLE, _TRIALS * len(bins)).view(_TRIALS, -1)
    grid = tried.new_zeros(_TRIALS, 2 * half)
    grid[:, bins % (2 * half)] = tried
    return tried[torch.fft.ifft(grid).abs().amax(1).argmin()]


def _signs(seed: int, symbols: int) -> Tensor:
    """Return pseudo-random QPSK symbols of unit power, complex64 ``[symbols]``."""
    length = 1 << max(2 * symbols - 1, 1).bit_length()
    parts = _levels(seed, length)[: 2 * symbols]
    return torch.view_as_complex(parts.view(-1, 2))


@cache
def _levels(seed: int, length: int) -> Tensor:
    return (1 - 2 * gold_sequence(length, seed).float()) * math.sqrt(0.5)
