"""Classical digital modulation: Gray-labelled constellations, hard and soft decisions.

The labelling of QAM is that of 3GPP TS 38.211, section 5.1 (BPSK on the real axis), which is
also Sionna's. LLRs are logits, ``ln P(b=1|y) − ln P(b=0|y)``: a positive LLR means one, as in
Sionna and opposite to many textbooks.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from semveil.phy.broadcast import per_image


@dataclass(frozen=True)
class Constellation:
    """A Gray-labelled constellation, centred and of unit average power.

    QAM is a product of two amplitude modulations: bits 0, 2, 4, ... of a symbol set its real
    part and bits 1, 3, 5, ... its imaginary part. Each axis is processed separately, on ``√M``
    levels instead of ``M`` points, and hard decisions take one comparison per bit. An odd number
    of bits gives a rectangle with twice as many levels on the real axis.

    Attributes:
        kind: ``"qam"`` or ``"psk"``.
        order: Number of points ``M = 2^m``.

    Raises:
        ValueError: If the kind is unknown, or the order is not a power of two above one.

    Example:
        >>> Constellation("qam", 16).modulate(torch.tensor([[0, 0, 1, 1]]))
        tensor([[0.9487+0.9487j]])
        >>> Constellation("qam", 12)
        Traceback (most recent call last):
        ValueError: modulation order 12 is not a power of two above one
    """

    kind: Literal["qam", "psk"]
    order: int

    def __post_init__(self) -> None:
        if self.kind not in ("qam", "psk"):
            raise ValueError(f"unknown modulation '{self.kind}': there are qam and psk")
        if self.order < 2 or self.order & (self.order - 1):
            raise ValueError(f"modulation order {self.order} is not a power of two above one")

    @property
    def bits_per_symbol(self) -> int:
        """Bits ``m`` that one symbol carries."""
        return self.order.bit_length() - 1

    @property
    def _scale(self) -> float:
        """Half the distance between neighbouring levels of QAM at unit average power."""
        real, imag = self._axis_bits
        return math.sqrt(3 / (4**real + 4**imag - 2))

    @property
    def _axis_bits(self) -> tuple[int, int]:
        return (self.bits_per_symbol + 1) // 2, self.bits_per_symbol // 2

    def points(
        self, *, dtype: torch.dtype = torch.complex64, device: torch.device | str = "cpu"
    ) -> Tensor:
        """Return all points, complex ``[M]``; the index of a point, in binary, is its label.

        Example:
            >>> Constellation("qam", 4).points()
            tensor([ 0.7071+0.7071j,  0.7071-0.7071j, -0.7071+0.7071j, -0.7071-0.7071j])
        """
        label = torch.arange(self.order, device=device)
        if self.kind == "psk":
            return _psk_points(label, self.order, dtype)
        bits = _to_bits(label, self.bits_per_symbol).to(dtype.to_real())
        return self.modulate(bits.flatten()).to(dtype)

    def modulate(self, bits: Tensor) -> Tensor:
        """Map bits to symbols.

        QAM is linear in each bit: fractional bits give expected symbols, and gradients.

        Args:
            bits: Zeros and ones of any dtype, ``[..., n·m]``, the bits of a symbol adjacent.

        Returns:
            Symbols, complex ``[..., n]``.

        Raises:
            ValueError: If the last dimension is not a multiple of ``m``.
        """
        m = self.bits_per_symbol
        if bits.shape[-1] % m:
            raise ValueError(f"{bits.shape[-1]} bits are not a multiple of {m} per symbol")
        grouped = bits.unflatten(-1, (-1, m))
        if self.kind == "psk":
            weights = 2 ** torch.arange(m - 1, -1, -1, device=bits.device)
            return _psk_points((grouped.long() * weights).sum(-1), self.order, torch.complex64)
        if not grouped.is_floating_point():
            grouped = grouped.to(torch.get_default_dtype())
        signs = 1 - 2 * grouped
        real, imag = _pam(signs[..., 0::2]), _pam(signs[..., 1::2])
        return torch.complex(self._scale * real, self._scale * imag)

    def hard(self, y: Tensor) -> Tensor:
        """Return the bits of the nearest point.

        Args:
            y: Equalised, unbiased symbols, complex ``[..., n]``.

        Returns:
            Bits, uint8 ``[..., n·m]``.

        Example:
            >>> Constellation("qam", 16).hard(torch.tensor([0.9 + 1.1j]))
            tensor([0, 0, 1, 1], dtype=torch.uint8)
        """
        m = self.bits_per_symbol
        if self.kind == "psk":
            position = (y.angle() * (self.order / (2 * torch.pi))).round().long() % self.order
            return _to_bits(position ^ (position >> 1), m).to(torch.uint8).flatten(-2)
        bits = torch.empty(*y.shape, m, dtype=torch.uint8, device=y.device)
        for axis, (part, n) in enumerate(zip((y.real, y.imag), self._axis_bits, strict=True)):
            rest = part / self._scale
            for i in range(n):
                bits[..., axis + 2 * i] = rest < 0
                rest = 2 ** (n - 1 - i) - rest.abs()
        return bits.flatten(-2)

    def soft(
        self,
        y: Tensor,
        noise_variance: Tensor | float,
        *,
        method: Literal["max-log", "log-map"] = "log-map",
    ) -> Tensor:
        """Compute the LLR of every bit, for equally likely points.

        Args:
            y: Equalised, unbiased symbols, complex ``[B, ..., n]``.
            noise_variance: Variance of the noise in ``y`` per complex symbol: one number, one
                per image ``[B]``, or one per symbol (as many dimensions as ``y``).
            method: ``"log-map"`` for the exact LLR, ``"max-log"`` for the nearest points only.

        Returns:
            ``ln P(b=1|y) − ln P(b=0|y)``, real ``[B, ..., n·m]``; differentiable.

        Raises:
            ValueError: If ``method`` is unknown or ``noise_variance`` has another shape.

        Example:
            >>> Constellation("qam", 2).soft(torch.tensor([[1 + 0j, -0.5]]), 1.0)
            tensor([[-4.,  2.]])
        """
        if method not in ("max-log", "log-map"):
            raise ValueError(f"unknown demapping '{method}': there are max-log and log-map")
        noise = torch.as_tensor(noise_variance)
        if noise.ndim != y.ndim:
            noise = per_image(noise, y, "noise_variance")
        if self.kind == "psk":
            points = self.points(dtype=y.dtype, device=y.device).reshape(-1, *[1] * y.ndim)
            # |y|² is common to all points and |c|² = 1, so only the inner product is left.
            logits = 2 * (y.real * points.real + y.imag * points.imag) / noise
            return torch.stack(_bit_llrs(logits, method), -1).flatten(-2)
        real, imag = (
            self._axis_llrs(part, n, noise, method)
            for part, n in zip((y.real, y.imag), self._axis_bits, strict=True)
        )
        # The real axis has as many bits as the imaginary one, or one more.
        pairs = itertools.zip_longest(real, imag)
        return torch.stack([llr for pair in pairs for llr in pair if llr is not None], -1).flatten(
            -2
        )

    def _axis_llrs(self, part: Tensor, n: int, noise: Tensor, method: str) -> list[Tensor]:
        label = torch.arange(2**n, device=part.device)
        levels = self._scale * _pam(1 - 2 * _to_bits(label, n).to(part.dtype))
        levels = levels.reshape(-1, *[1] * part.ndim)
        # The square of the received part is common to all levels and drops out.
        return _bit_llrs(levels * (2 * part - levels) / noise, method)


BPSK = Constellation("qam", 2)
QPSK = Constellation("qam", 4)


def _pam(signs: Tensor) -> Tensor:
    """Map signs ``[..., n]`` to Gray-labelled odd levels (TS 38.211, section 5.1)."""
    n = signs.shape[-1]
    if n == 0:
        return signs.new_zeros(signs.shape[:-1])
    level = signs[..., -1]
    for i in range(n - 2, -1, -1):
        level = signs[..., i] * (2 ** (n - 1 - i) - level)
    return level


def _to_bits(label: Tensor, m: int) -> Tensor:
    shifts = torch.arange(m - 1, -1, -1, device=label.device)
    return (label.unsqueeze(-1) >> shifts) & 1


def _psk_points(label: Tensor, order: int, dtype: torch.dtype) -> Tensor:
    """Place Gray labels on the circle: neighbours in angle differ in one bit."""
    position = label
    shift = 1
    while shift < order.bit_length():
        position = position ^ (position >> shift)
        shift *= 2
    angle = position.to(dtype.to_real()) * (2 * torch.pi / order)
    return torch.polar(torch.ones_like(angle), angle)


def _bit_llrs(logits: Tensor, method: str) -> list[Tensor]:
    """Turn logits of all labels, ``[2^n, ...]``, into the LLRs of their ``n`` bits."""
    count = logits.shape[0]
    llrs = []
    for i in range(count.bit_length() - 1):
        halves = logits.reshape(2**i, 2, count >> (i + 1), *logits.shape[1:])
        if method == "max-log":
            zero, one = halves.amax((0, 2))
        else:
            zero, one = halves.logsumexp((0, 2))
        llrs.append(one - zero)
    return llrs
