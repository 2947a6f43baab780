"""Keyed transforms of a waveform, which only Bob can reverse."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from semveil.channel import Reception
from semveil.errors import SemveilError
from semveil.protect.invariant import COMPLEX_FACTOR, InvariantMaps, common


class KeyedTransform:
    """A keyed transform of the waveform; message counters are public, the key is not.

    Decryption with a wrong key or a wrong counter gives meaningless symbols and no error: an
    analog waveform has no checksum. A transform that tests what arrives says so by
    :meth:`accepts`.

    Attributes:
        name: Name in random streams and cost tables, such as ``rotation/haar``.
        permutes: Whether it permutes the reals of the waveform.
        added_symbols: Symbols that it adds to the waveform, channel uses per message.
        invariant_maps: Maps of the waveform that commute with it under every key. A relay can
            apply them without the key; by default one complex factor, which commutes with every
            complex-linear transform. Where symbols are added, factors of single places follow
            the symbols at these places.
    """

    name: str
    permutes: bool = False
    added_symbols: int = 0
    invariant_maps: InvariantMaps = COMPLEX_FACTOR

    def encrypt(self, waveform: Tensor, messages: Tensor) -> Tensor:
        """Encrypt Alice's waveform.

        Args:
            waveform: complex ``[B, k]``, unit power per image.
            messages: Message counters, int64 ``[B]``, not negative; none may be used twice
                under one key. Within a batch this is checked; across batches
                :class:`~semveil.protect.session.Sender` ensures it.

        Returns:
            The transmitted waveform, complex ``[B, k + added_symbols]``.

        Raises:
            SemveilError: If two images have one counter, unless all share one key anyway
                (``shuffle/fixed``).
        """
        raise NotImplementedError

    def decrypt(self, symbols: Tensor, messages: Tensor) -> Tensor:
        """Reverse :meth:`encrypt`; linear over the reals and differentiable.

        Args:
            symbols: Equalised symbols, complex ``[B, k + added_symbols]``.
            messages: The counters they were encrypted with, int64 ``[B]``.

        Returns:
            Symbols for Bob's decoder, complex ``[B, k]``.
        """
        raise NotImplementedError

    def accepts(self, reception: Reception, messages: Tensor) -> Tensor | None:
        """Say which messages Bob takes for unchanged; None if the transform tests nothing.

        Args:
            reception: What his antenna heard, complex ``[B, k + added_symbols]``.
            messages: The counters they were encrypted with, int64 ``[B]``.

        Returns:
            bool ``[B]``.
        """
        return None


class ComposedTransform(KeyedTransform):
    """Several keyed transforms, applied one after the other.

    Args:
        transforms: In the order in which Alice applies them.
    """

    def __init__(self, transforms: Sequence[KeyedTransform]) -> None:
        self.transforms = transforms
        self.name = "+".join(transform.name for transform in transforms)
        self.invariant_maps = common(transform.invariant_maps for transform in transforms)
        self.added_symbols = sum(transform.added_symbols for transform in transforms)

    def encrypt(self, waveform: Tensor, messages: Tensor) -> Tensor:
        """Apply all of them to a waveform, complex ``[B, k]``."""
        for transform in self.transforms:
            waveform = transform.encrypt(waveform, messages)
        return waveform

    def decrypt(self, symbols: Tensor, messages: Tensor) -> Tensor:
        """Reverse all of them, the last first."""
        for transform in reversed(self.transforms):
            symbols = transform.decrypt(symbols, messages)
        return symbols

    def accepts(self, reception: Reception, messages: Tensor) -> Tensor | None:
        """Return what the last transform says: only that one meets the signal as it arrives."""
        return self.transforms[-1].accepts(reception, messages)


def require_batch(symbols: Tensor, messages: Tensor) -> None:
    """Raise ValueError unless symbols are complex ``[B, k]`` and counters int64 ``[B]``."""
    if not symbols.is_complex() or symbols.ndim != 2:
        raise ValueError(
            "a keyed transform takes complex symbols [B, k], not "
            f"{symbols.dtype} {list(symbols.shape)}"
        )
    if messages.dtype != torch.int64 or messages.shape != symbols.shape[:1]:
        raise ValueError(
            f"one int64 message counter for each of {len(symbols)} images is needed, not "
            f"{messages.dtype} {list(messages.shape)}"
        )


def require_unlike(messages: Tensor) -> None:
    """Raise SemveilError if two images of a batch have the same message counter."""
    ordered = messages.sort().values
    again = ordered[1:] == ordered[:-1]
    if bool(again.any()):
        raise SemveilError(
            f"a message counter is used twice in a batch: {int(ordered[1:][again][0])}, which "
            "would give two images one keystream"
        )


def as_reals(symbols: Tensor) -> Tensor:
    """Return complex ``[B, k]`` as reals ``[B, 2k]``, real and imaginary parts alternating.

    Example:
        >>> as_reals(torch.tensor([[1 + 2j, 3 + 4j]]))
        tensor([[1., 2., 3., 4.]])
    """
    return torch.view_as_real(symbols.resolve_conj()).flatten(1)


def as_symbols(reals: Tensor) -> Tensor:
    """Return reals ``[B, 2k]`` as complex ``[B, k]``, the inverse of :func:`as_reals`.

    Example:
        >>> as_symbols(torch.tensor([[1.0, 2.0]]))
        tensor([[1.+2.j]])
    """
    return torch.view_as_complex(reals.unflatten(1, (-1, 2)).contiguous())


def decrypt_features(features: Tensor, decrypt: Callable[[Tensor], Tensor]) -> Tensor:
    """Reverse a keyed transform on the features of a reception.

    Args:
        features: Equalised symbols as reals, and their reliability, float ``[B, 2k + 1]``.
        decrypt: Equalised symbols complex ``[B, k]`` → the symbols before encryption.

    Returns:
        Features for Bob's decoder, float ``[B, 2k + 1]``.

    Example:
        >>> decrypt_features(torch.tensor([[1.0, 2.0, 0.5]]), lambda symbols: -symbols)
        tensor([[-1.0000, -2.0000,  0.5000]])
    """
    symbols = decrypt(as_symbols(features[:, :-1]))
    return torch.cat([as_reals(symbols), features[:, -1:]], dim=1)
