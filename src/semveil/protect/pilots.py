"""Keyed pilots: secret symbols at secret places, by which Bob notices that a waveform was changed.

A keyed transform hides an image and does not authenticate the waveform: a relay changes what Bob
decrypts without the key (docs/rotation.md, *Mallory*). Among the blocks of a rotated waveform,
keyed pilots are invisible: their values have the same distribution, and their places follow from
the key. Whoever changes blocks changes pilots too, with the probability of drawing some.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

import torch
from pydantic import Field
from torch import Tensor

from semveil.channel import OfdmChannel, Reception, channel_of
from semveil.errors import SemveilError
from semveil.phy.broadcast import per_image, squared_magnitude
from semveil.protect.base import PROTECTIONS, KeyedProtection, Protection
from semveil.protect.invariant import QUATERNION_FACTORS
from semveil.protect.keyed_transform import require_batch, require_unlike
from semveil.protect.keys import subkey
from semveil.protect.keystream import words
from semveil.protect.normalise import BLOCK, PAIRS, require_norm
from semveil.protect.permute import permutations
from semveil.protect.quaternion import unit_quaternions
from semveil.protect.rotation import Rotation
from semveil.recipe import Recipe, Section


@PROTECTIONS.register
class KeyedPilots(KeyedProtection):
    """Pilot blocks of two symbols, new for every message, at places that the key decides.

    The waveform must be that of :class:`~semveil.protect.rotation.Rotation` in its form
    ``blocks``. Its blocks and the pilots are then independent and uniform on one sphere, so that
    what Mallory hears does not depend on the places. A message becomes longer by ``2·blocks``
    channel uses.

    Bob's statistic is the energy of the received pilots' difference from what he expects, over
    the noise: ``χ²`` distributed with ``4·blocks`` degrees of freedom for any fading. It assumes
    white noise of known variance, and

    - with ``trust_csi`` perfect CSI that is out of Mallory's reach. Every factor is noticed that
      moves the pilots further than the noise does, also one for the whole waveform;
    - without it flat fading, whose coefficient Bob estimates from the keyed pilots themselves
      (``4·blocks − 2`` degrees). One complex factor for the whole waveform, which he cannot tell
      from fading, is not noticed; his decoder meets it as an error of the public pilots' CSI.

    A wrong key and a jammer raise the alarm too. The check says that a waveform was changed, not
    how, and an attack that changes few blocks may go unnoticed: :meth:`missed_detection`.

    In a recipe, ``trust_csi`` follows from ``bob.csi``: perfect CSI is trusted.

    Args:
        key: 32 secret bytes.
        blocks: Pilot blocks per message.
        false_alarm: Probability of an alarm where nobody changes a message.
        trust_csi: Whether CSI is perfect and out of Mallory's reach.

    Raises:
        SemveilError: If the key has not 32 bytes, there are too few blocks, or the rate of false
            alarms does not lie in (0, 1).

    Example:
        >>> from dataclasses import replace
        >>> from semveil.channel import Channel
        >>> from semveil.protect.normalise import normalise_blocks
        >>> from semveil.rng import generator, normal
        >>> pilots, messages = KeyedPilots(bytes(32), blocks=4), torch.arange(2)
        >>> z = normalise_blocks(normal((2, 32), generator=generator(0)))
        >>> sent = pilots.encrypt(z, messages)
        >>> sent.shape
        torch.Size([2, 24])
        >>> heard = Channel()(sent, 10.0, generator=generator(1))
        >>> pilots.accepts(heard, messages)
        tensor([True, True])
        >>> pilots.accepts(replace(heard, symbols=-heard.symbols), messages)
        tensor([False, False])
    """

    name = "keyed-pilots"
    description = "keyed pilots among rotated blocks: Bob rejects messages that were changed"
    source = "this project"
    protects = "Bob, from messages that were changed"
    guarantee = "the stated rate of false alarms; a change of few blocks may go unnoticed"
    keeps_norms = True
    last = True
    invariant_maps = QUATERNION_FACTORS

    class Config(Section):
        """Pilots that a key hides among the blocks of a rotated waveform.

        Attributes:
            blocks: Pilot blocks per message, two channel uses each.
            false_alarm: Probability that Bob rejects a message that nobody changed.
        """

        blocks: Annotated[int, Field(ge=2, le=4096)] = 8
        false_alarm: Annotated[float, Field(gt=0, lt=1)] = 1e-3

    def __init__(
        self, key: bytes, blocks: int, false_alarm: float = 1e-3, trust_csi: bool = True
    ) -> None:
        least = 1 if trust_csi else 2
        if blocks < least:
            raise SemveilError(f"keyed pilots: expected {least} blocks or more, not {blocks}")
        from scipy.stats import chi2

        if not 0 < false_alarm < 1:
            raise SemveilError(f"false_alarm: expected a probability in (0, 1), not {false_alarm}")
        self.blocks, self.false_alarm, self.trust_csi = blocks, false_alarm, trust_csi
        self.added_symbols = BLOCK * blocks
        self._places, self._values = (subkey(key, "pilots", what) for what in ("places", "values"))
        self._freedom = 4 * blocks - (0 if trust_csi else 2)
        self._threshold = float(chi2.isf(false_alarm, self._freedom))

    @classmethod
    def of(cls, recipe: Recipe, key: bytes) -> Self:
        """Return the pilots under a key, with the settings of a recipe."""
        settings = recipe.of(cls.Config)
        return cls(key, settings.blocks, settings.false_alarm, recipe.bob.csi == "perfect")

    @classmethod
    def check(cls, recipe: Recipe, before: Sequence[type[Protection]]) -> None:
        """Refuse a waveform that shows the places, and a channel that raises false alarms."""
        keyed = [other for other in before if other.keyed]
        if Rotation not in keyed or not all(other.keeps_norms for other in keyed):
            raise SemveilError(
                "protections: keyed-pilots are hidden among rotated blocks only; put rotation "
                "directly before keyed-pilots"
            )
        if Rotation.blocks_of(recipe) != PAIRS:
            raise SemveilError(
                "protections: keyed-pilots are hidden among blocks of two symbols; set "
                "rotation.block=2"
            )
        channel = channel_of(recipe.bob)
        if not isinstance(channel, OfdmChannel):
            return
        limited = channel.clip_ratio is not None or channel.prefix < channel.taps - 1
        if channel.csi != "perfect" or limited:
            raise SemveilError(
                "protections: keyed-pilots keep their rate of false alarms over OFDM with perfect "
                "CSI, without peak limiting and with a prefix that covers the channel; set "
                "bob.csi=perfect, bob.ofdm.clip_ratio=null, "
                f"bob.ofdm.prefix={max(channel.prefix, channel.taps - 1)}"
            )
        uses = recipe.link.latent_dim // 2 + BLOCK * recipe.of(cls.Config).blocks
        if uses % channel.subcarriers:
            raise SemveilError(
                f"keyed-pilots.blocks: {uses} channel uses, pilots included, do not fill whole "
                f"OFDM symbols of {channel.subcarriers} subcarriers"
            )

    def encrypt(self, waveform: Tensor, messages: Tensor) -> Tensor:
        """Insert the pilots.

        Args:
            waveform: Rotated waveform, complex ``[B, k]``, ``k`` even.
            messages: Message counters, int64 ``[B]``, none used twice under this key.

        Returns:
            complex ``[B, k + 2·blocks]``, of unit power.

        Raises:
            SemveilError: If ``k`` is odd, the norms of blocks are not constant, or a counter is
                used twice in the batch.
        """
        require_batch(waveform, messages)
        require_unlike(messages)
        if waveform.shape[1] % BLOCK:
            raise SemveilError(
                f"keyed pilots lie between blocks of two symbols: {waveform.shape[1]} symbols are "
                "no whole blocks"
            )
        require_norm(waveform, PAIRS)
        data = waveform.unflatten(1, (-1, BLOCK))
        pilots = self._pilots(messages, waveform)
        together = torch.cat([pilots, data], 1)
        places = self._order(messages, together)
        return torch.zeros_like(together).scatter(1, places, together).flatten(1)

    def decrypt(self, symbols: Tensor, messages: Tensor) -> Tensor:
        """Remove the pilots.

        Args:
            symbols: Equalised symbols, complex ``[B, k + 2·blocks]``.
            messages: The counters that they were inserted with, int64 ``[B]``.

        Returns:
            complex ``[B, k]``.

        Raises:
            SemveilError: If there are too few symbols for the pilots.
        """
        return self._split(symbols, messages)[1]

    @torch.no_grad()
    def accepts(self, reception: Reception, messages: Tensor) -> Tensor:
        """Test whether the pilots are what Alice sent.

        Args:
            reception: What Bob's antenna heard of the whole message, ``k + 2·blocks`` symbols.
            messages: The counters that they were inserted with, int64 ``[B]``.

        Returns:
            False where unchanged pilots would be as far from what Alice sent with a probability
            below ``false_alarm``, bool ``[B]``.

        Raises:
            SemveilError: If there are too few symbols for the pilots, or the symbols have
                different coefficients and CSI is not trusted.
        """
        return self._statistic(reception, messages) <= self._threshold

    @torch.no_grad()
    def p_values(self, reception: Reception, messages: Tensor) -> Tensor:
        """Return the probability of pilots at least as far from what Alice sent, if unchanged.

        Arguments and errors are those of :meth:`accepts`.

        Returns:
            float64 ``[B]``, uniform in (0, 1) where nobody changes a message.
        """
        from scipy.stats import chi2

        found = self._statistic(reception, messages)
        return torch.as_tensor(chi2.sf(found.cpu().numpy(), self._freedom)).to(found.device)

    def missed_detection(self, symbols: int, changed: int, shift: float, snr_db: float) -> float:
        """Return the probability that a changed message raises no alarm.

        Mallory multiplies blocks of her choice by one complex ``c``; she does not know which ones
        are pilots.

        Args:
            symbols: Data symbols of a message, ``k``.
            changed: Blocks that she changes, of ``k/2 + blocks``.
            shift: ``|c − 1|²``; 4 for a flipped sign.
            snr_db: ``|h|²/σ²`` of this message, dB.

        Example:
            >>> pilots = KeyedPilots(bytes(32), blocks=16)
            >>> round(pilots.missed_detection(64, changed=12, shift=4.0, snr_db=10.0), 4)
            0.0032
        """
        from scipy.stats import hypergeom, ncx2

        count = symbols // BLOCK + self.blocks
        hits = range(min(changed, self.blocks) + 1)
        snr = 10 ** (snr_db / 10)
        total = 0.0
        for hit in hits:
            energy = 2 * BLOCK * snr * shift * hit
            if not self.trust_csi:
                energy *= 1 - hit / self.blocks
            silent = ncx2.cdf(self._threshold, self._freedom, energy)
            silent = silent if energy else 1 - self.false_alarm
            total += float(hypergeom.pmf(hit, count, changed, self.blocks)) * float(silent)
        return total

    def _statistic(self, reception: Reception, messages: Tensor) -> Tensor:
        """Return the received pilots' squared distance over the noise per real, ``[B]``."""
        symbols, csi = reception.symbols, reception.csi
        if not self.trust_csi and csi.shape[1] > 1:
            raise SemveilError("keyed pilots without trusted CSI are made for flat fading")
        heard, _ = self._split(symbols, messages)
        known = self._pilots(messages, symbols).flatten(1)
        gain = csi
        if csi.shape[1] > 1:
            gain, _ = self._split(csi, messages)
        if not self.trust_csi:
            energy = squared_magnitude(known).sum(1, keepdim=True)
            gain = (known.conj() * heard).sum(1, keepdim=True) / energy
        variance = per_image(reception.noise_variance, heard, "noise_variance").double()
        return (squared_magnitude(heard - gain * known).double() / (variance / 2)).sum(1)

    def _split(self, symbols: Tensor, messages: Tensor) -> tuple[Tensor, Tensor]:
        """Return the symbols of the pilots and of the data, each in its order."""
        require_batch(symbols, messages)
        count = symbols.shape[1] // BLOCK
        if symbols.shape[1] % BLOCK or count <= self.blocks:
            raise SemveilError(
                f"keyed pilots: {symbols.shape[1]} symbols hold no message with {self.blocks} "
                "blocks of pilots"
            )
        blocks = symbols.unflatten(1, (-1, BLOCK))
        found = blocks.gather(1, self._order(messages, blocks)).flatten(1)
        pilots, data = found.tensor_split([self.added_symbols], 1)
        return pilots, data

    def _order(self, messages: Tensor, blocks: Tensor) -> Tensor:
        """Return the place of each pilot, then of each data block, for each of its symbols."""
        drawn = permutations(words(self._places, messages, blocks.shape[1], bits=64))
        secret, rest = drawn.tensor_split([self.blocks], 1)
        # The data keep their order.
        order = torch.cat([secret, rest.sort(1).values], 1).to(blocks.device)
        return order.unsqueeze(2).expand(-1, -1, BLOCK)

    def _pilots(self, messages: Tensor, like: Tensor) -> Tensor:
        """Return the pilots, complex ``[B, blocks, 2]``."""
        random = words(self._values, messages, 3 * self.blocks, bits=32)
        a, b = unit_quaternions(random, like.dtype)
        return (torch.stack([a, b], 2) * BLOCK**0.5).to(like.device)
