"""Keyed pilots: secret symbols at secret places, by which Bob notices that a waveform was changed.

A keyed transform hides an image and does not authenticate the waveform: a relay changes what Bob
decrypts without the key (docs/rotation.md, *Mallory*). Among the blocks of a rotated waveform,
keyed pilots are invisible: their values have the same distribution, and their places follow from
the key. Whoever changes blocks changes pilots too, with the probability of drawing some.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from scipy.stats import chi2, hypergeom, ncx2
from torch import Tensor

from semveil.channel import Reception
from semveil.errors import SemveilError
from semveil.phy.broadcast import per_image, squared_magnitude
from semveil.protect.keyed_transform import require_batch, require_unlike
from semveil.protect.keys import subkey
from semveil.protect.keystream import words
from semveil.protect.normalise import BLOCK, require_norm
from semveil.protect.permute import permutations
from semveil.protect.quaternion import unit_quaternions


@dataclass(frozen=True)
class PilotCheck:
    """What Bob finds in a batch.

    Attributes:
        reception: The reception without the pilots, data symbols complex ``[B, k]``.
        p_value: Probability of pilots at least as far from what Alice sent, if nobody changed
            them, float64 ``[B]``.
        altered: Whether it is below the rate of false alarms, bool ``[B]``.
    """

    reception: Reception
    p_value: Tensor
    altered: Tensor


class KeyedPilots:
    """Pilot blocks of two symbols, new for every message, at places that the key decides.

    The waveform must be that of :class:`~semveil.protect.rotation.Rotation` in its form
    ``blocks``. Its blocks and the pilots are then independent and uniform on one sphere, so that
    what Mallory hears does not depend on the places. A message becomes longer by ``2·blocks``
    channel uses.

    Bob's statistic is the energy of the received pilots' difference from what he expects, over
    the noise: ``χ²`` distributed with ``4·blocks`` degrees of freedom for any fading. It assumes
    white noise of known variance, and

    - with ``trust_csi`` perfect CSI that is out of Mallory's reach. Every change is noticed,
      also one factor for the whole waveform;
    - without it flat fading, whose coefficient Bob estimates from the keyed pilots themselves
      (``4·blocks − 2`` degrees). One complex factor for the whole waveform, which he cannot tell
      from fading, is not noticed; his decoder meets it as an error of the public pilots' CSI.

    A wrong key and a jammer raise the alarm too. The check says that a waveform was changed, not
    how, and an attack that changes few blocks may go unnoticed: :meth:`missed_detection`.

    Args:
        key: 32 secret bytes.
        blocks: Pilot blocks per message.
        false_alarm: Probability of an alarm where nobody changes a message.
        trust_csi: Whether CSI is perfect and out of Mallory's reach.

    Raises:
        SemveilError: If the key has not 32 bytes, there are too few blocks, or the rate of false
            alarms does not lie in (0, 1).

    Example:
        >>> from semveil.channel import Channel
        >>> from semveil.protect.normalise import normalise_blocks
        >>> from semveil.rng import generator, normal
        >>> pilots, messages = KeyedPilots(bytes(32), blocks=4), torch.arange(2)
        >>> z = normalise_blocks(normal((2, 32), generator=generator(0)))
        >>> sent = pilots.insert(z, messages)
        >>> sent.shape
        torch.Size([2, 24])
        >>> heard = Channel()(sent, 10.0, generator=generator(1))
        >>> pilots.check(heard, messages).altered
        tensor([False, False])
        >>> pilots.check(replace(heard, symbols=-heard.symbols), messages).altered
        tensor([True, True])
    """

    def __init__(
        self, key: bytes, blocks: int, false_alarm: float = 1e-3, trust_csi: bool = True
    ) -> None:
        least = 1 if trust_csi else 2
        if blocks < least:
            raise SemveilError(f"keyed pilots: expected {least} blocks or more, not {blocks}")
        if not 0 < false_alarm < 1:
            raise SemveilError(f"false_alarm: expected a probability in (0, 1), not {false_alarm}")
        self.blocks, self.false_alarm, self.trust_csi = blocks, false_alarm, trust_csi
        self._places, self._values = (subkey(key, "pilots", what) for what in ("places", "values"))
        self._freedom = 4 * blocks - (0 if trust_csi else 2)

    def insert(self, waveform: Tensor, messages: Tensor) -> Tensor:
        """Return the waveform with pilots.

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
        require_norm(waveform, BLOCK)
        data = waveform.unflatten(1, (-1, BLOCK))
        pilots = self._pilots(messages, waveform)
        places = self._order(messages, data.shape[1] + self.blocks, waveform.device)
        together = torch.cat([pilots, data], 1)
        return torch.zeros_like(together).scatter(1, _paired(places), together).flatten(1)

    def check(self, reception: Reception, messages: Tensor) -> PilotCheck:
        """Remove the pilots from a reception and test whether they are what Alice sent.

        Args:
            reception: What Bob's antenna heard of the whole message, ``k + 2·blocks`` symbols.
            messages: The counters that they were inserted with, int64 ``[B]``.

        Raises:
            SemveilError: If there are too few symbols for the pilots, or the symbols have
                different coefficients and CSI is not trusted.
        """
        symbols, csi = reception.symbols, reception.csi
        require_batch(symbols, messages)
        count = symbols.shape[1] // BLOCK
        if symbols.shape[1] % BLOCK or count <= self.blocks:
            raise SemveilError(
                f"keyed pilots: {symbols.shape[1]} symbols hold no message with {self.blocks} "
                "blocks of pilots"
            )
        if not self.trust_csi and csi.shape[1] > 1:
            raise SemveilError("keyed pilots without trusted CSI are made for flat fading")
        order = _paired(self._order(messages, count, symbols.device))

        def parts(values: Tensor) -> tuple[Tensor, Tensor]:
            found = values.unflatten(1, (-1, BLOCK)).gather(1, order).flatten(1)
            pilots, data = found.tensor_split([BLOCK * self.blocks], 1)
            return pilots, data

        heard, data = parts(symbols)
        known = self._pilots(messages, symbols).flatten(1)
        gain = data_csi = csi
        if csi.shape[1] > 1:
            gain, data_csi = parts(csi)
        if not self.trust_csi:
            energy = squared_magnitude(known).sum(1, keepdim=True)
            gain = (known.conj() * heard).sum(1, keepdim=True) / energy
        variance = per_image(reception.noise_variance, heard, "noise_variance").double()
        excess = squared_magnitude(heard - gain * known).double() / (variance / 2)
        p_value = torch.as_tensor(chi2.sf(excess.sum(1).cpu().numpy(), self._freedom))
        p_value = p_value.to(symbols.device)
        clear = replace(reception, symbols=data, csi=data_csi)
        return PilotCheck(clear, p_value, p_value < self.false_alarm)

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
        count = symbols // BLOCK + self.blocks
        hits = range(min(changed, self.blocks) + 1)
        threshold = chi2.isf(self.false_alarm, self._freedom)
        snr = 10 ** (snr_db / 10)
        total = 0.0
        for hit in hits:
            energy = 2 * BLOCK * snr * shift * hit
            if not self.trust_csi:
                energy *= 1 - hit / self.blocks
            silent = ncx2.cdf(threshold, self._freedom, energy) if energy else 1 - self.false_alarm
            total += float(hypergeom.pmf(hit, count, changed, self.blocks)) * float(silent)
        return total

    def _order(self, messages: Tensor, count: int, device: torch.device) -> Tensor:
        """Return the place of each pilot, then of each data block, int64 ``[B, count]``."""
        drawn = permutations(words(self._places, messages, count, bits=64))
        secret, rest = drawn.tensor_split([self.blocks], 1)
        # The data keep their order.
        return torch.cat([secret, rest.sort(1).values], 1).to(device)

    def _pilots(self, messages: Tensor, like: Tensor) -> Tensor:
        """Return the pilots, complex ``[B, blocks, 2]``."""
        random = words(self._values, messages, 3 * self.blocks, bits=32)
        a, b = unit_quaternions(random, like.dtype)
        return (torch.stack([a, b], 2) * BLOCK**0.5).to(like.device)


def _paired(order: Tensor) -> Tensor:
    return order.unsqueeze(2).expand(-1, -1, BLOCK)
