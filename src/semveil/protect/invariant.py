"""Maps of a waveform that commute with keyed transforms, so that a relay needs no key.

Who hears a keyed waveform ``E(z)`` and changes it by such a map ``f`` makes Bob decrypt ``f(z)``,
since ``f(E(z)) = E(f(z))``. docs/rotation.md proves which maps survive which transform.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from semveil.protect.normalise import Blocks

_KNOTS = 32
_WIDEST = 3.1


@dataclass(frozen=True)
class InvariantMaps:
    """Maps that commute with a keyed transform under every key and counter.

    Attributes:
        name: Name of the family.
        size: Number of symbols ``k`` → number of complex parameters ``P``.
        apply: Parameters complex ``[1, P]`` and a waveform complex ``[B, k]`` → complex
            ``[B, k]``; linear over the reals in the parameters.
        includes: Smaller families, the larger ones first: these maps are among its own.

    Example:
        >>> z, c = torch.tensor([[1 + 1j, 2 + 0j]]), torch.tensor([[1j, 0j]])
        >>> QUATERNION_FACTORS.apply(c, z)
        tensor([[-1.+1.j,  0.+2.j]])
    """

    name: str
    size: Callable[[int], int]
    apply: Callable[[Tensor, Tensor], Tensor]
    includes: tuple[InvariantMaps, ...] = ()

    @property
    def all(self) -> tuple[InvariantMaps, ...]:
        """The family itself and the smaller ones."""
        return (self, *self.includes)


def common(families: Iterable[InvariantMaps]) -> InvariantMaps:
    """Return the largest known family that commutes with all of several transforms.

    Args:
        families: Those of the transforms.

    Example:
        >>> common([QUATERNION_FACTORS, VALUE_MAPS]).name
        'real factor'
    """
    first, *others = families
    shared = [each for each in first.all if all(each in other.all for other in others)]
    return shared[0] if shared else REAL_FACTOR


def _times_real(factor: Tensor, waveform: Tensor) -> Tensor:
    return factor.real * waveform


def _times(factors: Tensor, waveform: Tensor) -> Tensor:
    return factors * waveform


def _left_quaternions(factors: Tensor, waveform: Tensor) -> Tensor:
    """Multiply blocks from the left: (a + b·j)(z₁ + z₂·j) = (a·z₁ − b·z̄₂) + (a·z₂ + b·z̄₁)·j."""
    a, b = factors.unflatten(1, (-1, 2)).unbind(2)
    first, second = waveform.unflatten(1, (-1, 2)).unbind(2)
    pair = (a * first - b * second.conj(), a * second + b * first.conj())
    return torch.stack(pair, 2).flatten(1)


def _of_values(knots: Tensor, waveform: Tensor) -> Tensor:
    """Map each real by a piecewise linear function, given at equally spaced values."""
    heights = torch.view_as_real(knots).flatten()
    reals = torch.view_as_real(waveform.resolve_conj())
    place = (reals.clamp(-_WIDEST, _WIDEST) + _WIDEST) * ((_KNOTS - 1) / (2 * _WIDEST))
    below = place.detach().floor().long().clamp_max(_KNOTS - 2)
    share = place - below
    mapped = heights[below] * (1 - share) + heights[below + 1] * share
    return torch.view_as_complex(mapped)


REAL_FACTOR = InvariantMaps("real factor", lambda symbols: 1, _times_real)
"""One real factor for the waveform: it commutes with every linear map."""
COMPLEX_FACTOR = InvariantMaps("complex factor", lambda symbols: 1, _times, (REAL_FACTOR,))
"""One complex factor for the waveform: it commutes with every complex-linear map."""
QUATERNION_FACTORS = InvariantMaps(
    "quaternion factors",
    lambda symbols: symbols,
    _left_quaternions,
    (COMPLEX_FACTOR, REAL_FACTOR),
)
"""A left quaternion factor for each block of two symbols: it commutes with right factors."""
VALUE_MAPS = InvariantMaps("value maps", lambda symbols: _KNOTS // 2, _of_values, (REAL_FACTOR,))
"""One function of a real for all reals: it commutes with every permutation of them."""


def block_factors(blocks: Blocks) -> InvariantMaps:
    """Return the complex factors of blocks: they commute with unitary matrices of every block.

    Example:
        >>> z, c = torch.tensor([[1 + 1j, 2 + 0j, 3 + 0j, 1j]]), torch.tensor([[1j, 2 + 0j]])
        >>> block_factors(Blocks(2)).apply(c, z)
        tensor([[-1.+1.j,  0.+2.j,  6.+0.j,  0.+2.j]])
    """

    def apply(factors: Tensor, waveform: Tensor) -> Tensor:
        return blocks.scatter(factors.unsqueeze(2) * blocks.gather(waveform))

    includes = (COMPLEX_FACTOR, REAL_FACTOR)
    return InvariantMaps("block factors", lambda symbols: symbols // blocks.size, apply, includes)


SYMBOL_FACTORS = InvariantMaps(
    "symbol factors", lambda symbols: symbols, _times, (COMPLEX_FACTOR, REAL_FACTOR)
)
"""A complex factor for each symbol: what a relay may do where no key hides the waveform."""
