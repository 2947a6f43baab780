"""Randomness: named, seeded streams that do not depend on what was drawn before.

Every random number of the toolkit comes from a generator made here. A stream is a pure
function of the seed and of its purpose (``generator(seed, "train", step)``), so that a run
which is resumed, reordered or spread over processes draws the same numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor


def stream(seed: int, *scope: str | int) -> int:
    """Derive an independent 63-bit seed from a seed and the purpose of the stream."""
    digest = hashlib.sha256(repr((int(seed), *scope)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, *scope: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a fresh generator for one purpose.

    Args:
        seed: The user's seed.
        scope: Purpose of the stream, such as ``"train", step``.
        device: Device of the generator.

    Returns:
        A generator on ``device``, seeded with :func:`stream`.

    Example:
        >>> a = torch.randn(2, generator=generator(0, "noise"))
        >>> b = torch.randn(2, generator=generator(0, "noise"))
        >>> bool((a == b).all())
        True
    """
    return torch.Generator(device=device).manual_seed(stream(seed, *scope))


@dataclass(frozen=True)
class Shard:
    """One process's share of the draws of a batch that is spread over several processes.

    Every process draws for the whole batch and keeps its own rows, so that data-parallel
    training has exactly the fading and noise of training in one process.
    """

    generator: torch.Generator
    rank: int
    of: int


Randomness = torch.Generator | Shard | None


def _rows(shape: tuple[int, ...], source: Randomness) -> tuple[tuple[int, ...], slice]:
    if not isinstance(source, Shard):
        return shape, slice(None)
    mine = shape[0]
    return (mine * source.of, *shape[1:]), slice(source.rank * mine, (source.rank + 1) * mine)


def _generator(source: Randomness) -> torch.Generator | None:
    return source.generator if isinstance(source, Shard) else source


def normal(
    shape: tuple[int, ...],
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
    generator: Randomness = None,
) -> Tensor:
    """Draw standard normal numbers; complex dtypes get ``CN(0, 1)``.

    Args:
        shape: Shape of the result; its first dimension counts images.
        dtype: Real or complex floating dtype.
        device: Device of the result; a generator must be on the same device.
        generator: A generator, or a :class:`Shard` of one.

    Returns:
        Numbers of unit variance (complex: 1/2 per real component), ``shape``.

    Example:
        >>> normal((2, 3), dtype=torch.complex64, generator=generator(0)).shape
        torch.Size([2, 3])
    """
    full, mine = _rows(shape, generator)
    return torch.randn(full, dtype=dtype, device=device, generator=_generator(generator))[mine]


def uniform(
    shape: tuple[int, ...],
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
    generator: Randomness = None,
) -> Tensor:
    """Draw numbers uniform in ``[0, 1)``; arguments as for :func:`normal`.

    Example:
        >>> bool((uniform((100,), generator=generator(0)) < 1).all())
        True
    """
    full, mine = _rows(shape, generator)
    return torch.rand(full, dtype=dtype, device=device, generator=_generator(generator))[mine]


@contextmanager
def seeded(seed: int, *scope: str | int) -> Iterator[None]:
    """Seed the global generator within the block, for library code that uses it.

    torch's layers draw their initial weights from the global generator; within the block these
    depend on the seed and the scope alone, and the global state is restored afterwards.

    Args:
        seed: The user's seed.
        scope: Purpose of the stream.

    Example:
        >>> with seeded(0, "weights"):
        ...     a = torch.nn.Linear(2, 1).weight
        >>> with seeded(0, "weights"):
        ...     b = torch.nn.Linear(2, 1).weight
        >>> bool((a == b).all())
        True
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(stream(seed, *scope))
        yield
