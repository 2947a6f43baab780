"""Keyed rotation of a waveform, fresh for every message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from torch import Tensor

from semveil.errors import SemveilError, unknown
from semveil.protect import hadamard, quaternion, unitary
from semveil.protect.base import PROTECTIONS, KeyedProtection, Mechanism, Protection
from semveil.protect.invariant import COMPLEX_FACTOR, QUATERNION_FACTORS, REAL_FACTOR
from semveil.protect.keyed_transform import require_batch, require_unlike
from semveil.protect.keys import subkey
from semveil.protect.normalise import BLOCK, require_norm
from semveil.recipe import Recipe

Form = Literal["blocks", "haar", "structured"]

_ROTATE = {
    "blocks": quaternion.rotate,
    "haar": unitary.rotate,
    "structured": hadamard.rotate,
}
_INVARIANT = {
    "blocks": QUATERNION_FACTORS,
    "haar": COMPLEX_FACTOR,
    "structured": REAL_FACTOR,
}


@PROTECTIONS.register
class Rotation(KeyedProtection):
    """Rotate the waveform so that it no longer depends on the image.

    With ``blocks`` and ``haar`` and a secret key, the waveform's distribution is the same for
    every image (up to the keystream, which is computationally and not perfectly random), so it
    reveals nothing without the key. Bob loses nothing: both are linear over the complex numbers
    and unitary, so they commute with flat fading and preserve white noise.
    Statement, proof and limits: docs/rotation.md.

    It encrypts and does not authenticate. A perturbation that is independent of this message's
    rotation reaches Bob's decoder in a uniformly random direction. One that Mallory makes from
    the waveform that she hears is not: ``(c − 1)`` times a block turns Bob's block into ``c``
    times it.

    Args:
        key: 32 secret bytes.
        form: ``blocks``: every two symbols by their own unit quaternion; the waveform must come
            from :func:`~semveil.protect.normalise.normalise_blocks`. ``haar``: all symbols
            by one unitary matrix; unit power per image is enough, time grows with ``k³``.
            ``structured``: rounds of permutation, signs and Hadamard transforms; without a
            proof, and Bob has to remove the channel's phase first.

    Raises:
        SemveilError: If the key has not 32 bytes or the form is unknown; by :meth:`encrypt`, if
            the norms are not constant or a counter is used twice in a batch, which would void the
            guarantee; by both methods, if the number of symbols does not fit the form.

    Example:
        >>> import torch
        >>> from semveil.protect.normalise import normalise_blocks
        >>> from semveil.rng import generator, normal
        >>> rotation, messages = Rotation(bytes(32)), torch.arange(2)
        >>> z = normalise_blocks(normal((2, 8), generator=generator(0)))
        >>> torch.allclose(rotation.decrypt(rotation.encrypt(z, messages), messages), z, atol=1e-6)
        True
    """

    name = "rotation"
    description = "keyed rotation of every block of four reals, fresh for every message"
    source = "this project"
    keeps_norms = True
    needs_norms = True

    def __init__(self, key: bytes, form: Form = "blocks") -> None:
        if form not in _ROTATE:
            raise unknown("form of rotation", form, get_args(Form))
        self.form = form
        self.name = "rotation" if form == "blocks" else f"rotation/{form}"
        self._key = subkey(key, "rotation", form)
        self._rotate = _ROTATE[form]
        self.invariant_maps = _INVARIANT[form]

    @classmethod
    def check(cls, recipe: Recipe, before: Sequence[type[Protection]]) -> None:
        """Refuse a latent without whole blocks, and a gain that does not make norms constant."""
        super().check(recipe, before)
        dim = recipe.link.latent_dim
        if dim % (2 * BLOCK):
            raise SemveilError(
                f"link.latent_dim: {dim} reals are no whole blocks of four, which rotation turns"
            )
        for other in before:
            if issubclass(other, Mechanism) and other.of(recipe, dim).fixed_gain:
                raise SemveilError(
                    "protections: rotation hides only what has constant norm, and genuine "
                    "differential privacy forbids the gain that would make it constant"
                )

    def encrypt(self, waveform: Tensor, messages: Tensor) -> Tensor:
        """Rotate; see :meth:`semveil.protect.keyed_transform.KeyedTransform.encrypt`."""
        require_batch(waveform, messages)
        require_unlike(messages)
        rotated = self._rotate(waveform, self._key, messages, back=False)
        if self.form != "structured":
            require_norm(waveform, BLOCK if self.form == "blocks" else waveform.shape[1])
        return rotated

    def decrypt(self, symbols: Tensor, messages: Tensor) -> Tensor:
        """Rotate back; see :meth:`semveil.protect.keyed_transform.KeyedTransform.decrypt`."""
        require_batch(symbols, messages)
        return self._rotate(symbols, self._key, messages, back=True)
