"""Blocks of constant norm, which a rotation needs to hide the image."""

from __future__ import annotations

import torch
from torch import Tensor

from semveil.errors import SemveilError

BLOCK = 2
"""Complex symbols per block."""

# Rounding in single precision stays below 1e-6; docs/rotation.md bounds what Eve learns from it.
_TOLERANCE = 1e-5


def normalise_blocks(latent: Tensor) -> Tensor:
    """Return a waveform of blocks of two symbols with equal energy.

    A block is four consecutive reals of the latent, divided by their norm: a point on S³, which
    loses one dimension of four. The waveform has unit power for every image. A block of zeros is
    sent as ``(√2, 0)``, with zero gradient.

    Args:
        latent: float ``[B, d]``, ``d`` a multiple of four.

    Returns:
        Waveform, complex ``[B, d/2]``, with ``|z₁|² + |z₂|² = 2`` for every block.

    Raises:
        SemveilError: If ``d`` is not a multiple of four.

    Example:
        >>> normalise_blocks(torch.tensor([[3.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0]]))
        tensor([[0.8485+1.1314j, 0.0000+0.0000j, 0.0000+0.0000j, 0.0000+1.4142j]])
    """
    if latent.shape[1] % (2 * BLOCK):
        raise SemveilError(
            f"blocks of four reals need a latent dimension that is a multiple of four, "
            f"not {latent.shape[1]}"
        )
    # Double precision is kept; bfloat16 would void the guarantee.
    blocks = (latent if latent.dtype == torch.float64 else latent.float()).unflatten(1, (-1, 4))
    # Dividing by the peak (a constant to autograd) keeps the squares from under- or overflowing and
    # does not change the direction.
    peak = blocks.detach().abs().amax(2, keepdim=True)
    blocks = blocks / torch.where(peak > 0, peak, 1.0)
    energy = blocks.square().sum(2, keepdim=True)
    directed = blocks * (BLOCK / torch.where(energy > 0, energy, 1.0)).sqrt()
    first = torch.zeros_like(blocks[:1, :1])
    first[..., 0] = BLOCK**0.5
    filled = torch.where(energy > 0, directed, first)
    return torch.view_as_complex(filled.unflatten(2, (-1, 2)).flatten(1, 2))


def require_norm(waveform: Tensor, block: int) -> None:
    """Raise unless every block of every image has the norm of unit power, within 1e-5.

    A rotation keeps norms, so that other norms would reveal the image to Eve.

    Args:
        waveform: complex ``[B, k]``.
        block: Symbols per block; ``k`` is a multiple of it.

    Raises:
        SemveilError: If a norm differs.

    Example:
        >>> require_norm(torch.ones(3, 4) + 0j, block=2)
    """
    parts = torch.view_as_real(waveform.detach().resolve_conj())
    norms = parts.flatten(1).unflatten(1, (-1, 2 * block)).square().sum(2).sqrt()
    wrong = (norms / block**0.5 - 1).abs()
    if not bool((wrong <= _TOLERANCE).all()):
        what = "every block" if block < waveform.shape[1] else "every image"
        raise SemveilError(
            f"a rotation hides an image only if {what} of {block} symbols has the norm of unit "
            f"power: one is off by {100 * float(wrong.max()):.3g} %"
        )
