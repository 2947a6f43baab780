"""Blocks of constant norm, which a rotation needs to hide the image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from semveil.errors import SemveilError

BLOCK = 2
"""Complex symbols per block."""

# Rounding in single precision stays below 1e-6; docs/rotation.md bounds what Eve learns from it.
_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Blocks:
    """How the symbols of a waveform are grouped into blocks.

    Attributes:
        size: Symbols per block.
        stride: Places from one symbol of a block to the next. Over OFDM this is the number of
            subcarriers, so that the symbols of a block have the same gain; else 1.

    Example:
        >>> blocks = Blocks(2, stride=2)
        >>> blocks.gather(torch.arange(4).unsqueeze(0)).flatten().tolist()
        [0, 2, 1, 3]
    """

    size: int = BLOCK
    stride: int = 1

    def check(self, symbols: int) -> None:
        """Refuse a number of symbols that are no whole blocks.

        Raises:
            SemveilError: If they are none.
        """
        if symbols % (self.size * self.stride):
            each = f" on {self.stride} subcarriers" if self.stride > 1 else ""
            raise SemveilError(
                f"rotation.block: {symbols} symbols are no whole blocks of {self.size}{each}; set "
                "another latent dimension (two reals per symbol) or another block"
            )

    def gather(self, symbols: Tensor) -> Tensor:
        """Return blocks ``[B, k / size, size]`` of symbols ``[B, k]``."""
        return symbols.unflatten(1, (-1, self.size, self.stride)).mT.flatten(1, 2)

    def scatter(self, blocks: Tensor) -> Tensor:
        """Return the symbols ``[B, k]`` of blocks; the inverse of :meth:`gather`."""
        return blocks.unflatten(1, (-1, self.stride)).mT.flatten(1)


PAIRS = Blocks()
"""Blocks of two successive symbols."""


def normalise_blocks(latent: Tensor, blocks: Blocks = PAIRS) -> Tensor:
    """Return a waveform of blocks of equal energy.

    By default a block is four consecutive reals of the latent, divided by their norm: a point on
    S³, which loses one dimension of four; larger blocks lose one of as many. The waveform has unit
    power for every image. A block of zeros is sent as ``(√size, 0, …)``, with zero gradient.

    Args:
        latent: float ``[B, d]``, two consecutive reals per symbol.
        blocks: How symbols are grouped.

    Returns:
        Waveform, complex ``[B, d/2]``; in every block ``Σ|z|²`` is the number of its symbols.

    Raises:
        SemveilError: If the symbols are no whole blocks.

    Example:
        >>> normalise_blocks(torch.tensor([[3.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0]]))
        tensor([[0.8485+1.1314j, 0.0000+0.0000j, 0.0000+0.0000j, 0.0000+1.4142j]])
    """
    return torch.view_as_complex(block_reals(latent, blocks).contiguous())


def block_reals(latent: Tensor, blocks: Blocks = PAIRS) -> Tensor:
    """Return the waveform of :func:`normalise_blocks` as reals, float ``[B, d/2, 2]``.

    Arguments and errors are the same.

    Example:
        >>> block_reals(torch.tensor([[3.0, 4.0, 0.0, 0.0]]))
        tensor([[[0.8485, 1.1314],
                 [0.0000, 0.0000]]])
    """
    if latent.shape[1] % 2:
        raise SemveilError(f"{latent.shape[1]} reals are no whole symbols of two")
    # Double precision is kept; bfloat16 would void the guarantee.
    exact = latent if latent.dtype == torch.float64 else latent.float()
    pairs = exact.unflatten(1, (-1, 2))
    blocks.check(pairs.shape[1])
    parts = torch.stack([blocks.gather(each) for each in pairs.unbind(2)], 3).flatten(2)
    # Dividing by the peak (a constant to autograd) keeps the squares from under- or overflowing and
    # does not change the direction.
    peak = parts.detach().abs().amax(2, keepdim=True)
    parts = parts / torch.where(peak > 0, peak, 1.0)
    energy = parts.square().sum(2, keepdim=True)
    directed = parts * (blocks.size / torch.where(energy > 0, energy, 1.0)).sqrt()
    first = torch.zeros_like(parts[:1, :1])
    first[..., 0] = blocks.size**0.5
    filled = torch.where(energy > 0, directed, first).unflatten(2, (-1, 2))
    return torch.stack([blocks.scatter(each) for each in filled.unbind(3)], 2)


def require_norm(waveform: Tensor, blocks: Blocks) -> None:
    """Raise unless every block of every image has the norm of unit power, within 1e-5.

    A rotation keeps norms, so that other norms would reveal the image to Eve.

    Args:
        waveform: complex ``[B, k]``, whole blocks.
        blocks: How symbols are grouped.

    Raises:
        SemveilError: If a norm differs.

    Example:
        >>> require_norm(torch.ones(3, 4) + 0j, PAIRS)
    """
    parts = torch.view_as_real(blocks.gather(waveform.detach()).resolve_conj())
    norms = parts.flatten(2).square().sum(2).sqrt()
    wrong = (norms / blocks.size**0.5 - 1).abs()
    if not bool((wrong <= _TOLERANCE).all()):
        what = "every block" if blocks.size < waveform.shape[1] else "every image"
        raise SemveilError(
            f"a rotation hides an image only if {what} of {blocks.size} symbols has the norm of "
            f"unit power: one is off by {100 * float(wrong.max()):.3g} %"
        )
