"""Keyed rotation of a waveform, fresh for every message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self, get_args

from pydantic import Field
from torch import Tensor

from semveil.errors import SemveilError, unknown
from semveil.protect import hadamard, quaternion, unitary
from semveil.protect.base import PROTECTIONS, KeyedProtection, Mechanism, Protection
from semveil.protect.invariant import (
    COMPLEX_FACTOR,
    QUATERNION_FACTORS,
    REAL_FACTOR,
    block_factors,
)
from semveil.protect.keyed_transform import require_batch, require_unlike
from semveil.protect.keys import subkey
from semveil.protect.normalise import BLOCK, PAIRS, Blocks, require_norm
from semveil.recipe import Recipe, Section

Form = Literal["blocks", "haar", "structured"]


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
        form: ``blocks``: every block by its own unitary matrix, two symbols by a unit quaternion;
            the waveform must come from :func:`~semveil.protect.normalise.normalise_blocks` with
            the same blocks. ``haar``: all symbols by one unitary matrix; unit power per image is
            enough, time grows with ``k³``. ``structured``: rounds of permutation, signs and
            Hadamard transforms; without a proof, and Bob has to remove the channel's phase first.
        blocks: How symbols are grouped in the form ``blocks``.

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
    description = "keyed rotation of every block of symbols, fresh for every message"
    source = "this project"
    protects = "the image and the label, from receivers without the key"
    guarantee = (
        "the waveform is independent of the image (blocks of constant norm, Haar rotations, "
        "ideal keystream); proof in the documentation"
    )
    keeps_norms = True
    needs_norms = True

    class Config(Section):
        """A keyed rotation of blocks of symbols.

        Attributes:
            block: Symbols per block. A block loses one of its reals, so that larger ones cost Bob
                less and Alice more time. Over OFDM, blocks of more than two symbols lie on one
                subcarrier.
        """

        block: Annotated[int, Field(ge=2, le=256)] = BLOCK

    def __init__(self, key: bytes, form: Form = "blocks", blocks: Blocks = PAIRS) -> None:
        if form not in get_args(Form):
            raise unknown("form of rotation", form, get_args(Form))
        self.form, self.blocks = form, blocks
        self.name = "rotation" if form == "blocks" else f"rotation/{form}"
        self._key = subkey(key, "rotation", form)
        if form == "haar":
            self.invariant_maps = COMPLEX_FACTOR
        elif form == "structured":
            self.invariant_maps = REAL_FACTOR
        elif blocks == PAIRS:
            self.invariant_maps = QUATERNION_FACTORS
        else:
            self.invariant_maps = block_factors(blocks)

    @classmethod
    def of(cls, recipe: Recipe, key: bytes) -> Self:
        """Return the rotation under a key, with the settings of a recipe."""
        return cls(key, blocks=cls.blocks_of(recipe))

    @classmethod
    def blocks_of(cls, recipe: Recipe) -> Blocks:
        """Return how a recipe groups symbols."""
        size = recipe.of(cls.Config).block
        over_ofdm = recipe.bob.fading == "multipath" and size > BLOCK
        return Blocks(size, recipe.bob.ofdm.subcarriers if over_ofdm else 1)

    @classmethod
    def fits(cls, recipe: Recipe, symbols: int) -> None:
        """Refuse symbols that are no whole blocks."""
        cls.blocks_of(recipe).check(symbols)

    @classmethod
    def check(cls, recipe: Recipe, before: Sequence[type[Protection]]) -> None:
        """Refuse a gain that does not make norms constant."""
        super().check(recipe, before)
        for other in before:
            if issubclass(other, Mechanism) and other.of(recipe, recipe.link.latent_dim).fixed_gain:
                raise SemveilError(
                    "protections: rotation hides only what has constant norm, and genuine "
                    "differential privacy forbids the gain that would make it constant"
                )

    def encrypt(self, waveform: Tensor, messages: Tensor) -> Tensor:
        """Rotate; see :meth:`semveil.protect.keyed_transform.KeyedTransform.encrypt`."""
        require_batch(waveform, messages)
        require_unlike(messages)
        rotated = self._rotate(waveform, messages, back=False)
        if self.form != "structured":
            require_norm(waveform, self._grouped(waveform))
        return rotated

    def decrypt(self, symbols: Tensor, messages: Tensor) -> Tensor:
        """Rotate back; see :meth:`semveil.protect.keyed_transform.KeyedTransform.decrypt`."""
        require_batch(symbols, messages)
        return self._rotate(symbols, messages, back=True)

    def _grouped(self, symbols: Tensor) -> Blocks:
        return Blocks(symbols.shape[1]) if self.form == "haar" else self.blocks

    def _rotate(self, symbols: Tensor, messages: Tensor, back: bool) -> Tensor:
        if self.form == "structured":
            return hadamard.rotate(symbols, self._key, messages, back)
        blocks = self._grouped(symbols)
        if blocks == PAIRS and self.form == "blocks":
            return quaternion.rotate(symbols, self._key, messages, back)
        blocks.check(symbols.shape[1])
        return blocks.scatter(unitary.rotate(blocks.gather(symbols), self._key, messages, back))
