"""A digital physical layer: length, payload, checksum, channel code, constellation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from semveil.channel import Reception
from semveil.errors import SemveilError
from semveil.phy import crc
from semveil.phy.broadcast import per_image, squared_magnitude
from semveil.phy.ldpc import LdpcCode
from semveil.phy.qam import Constellation
from semveil.rng import generator

_LENGTH_BYTES = 2
Sign = Callable[[int, bytes], bytes]
"""Place in the batch, length and payload of a message with their padding → its tag."""
# TS 38.212: the longest message with the short CRC, the longest code block of base graph 1, and of
# base graph 2, which carries all rates up to 1/4.
_LONGEST_SHORT, _LONGEST_BLOCK, _LONGEST_ROBUST, _ROBUST = 3824, 8448, 3840, 0.25


class Frame(NamedTuple):
    """A message whose checksum holds: length, payload and padding, and the tag, if it has one."""

    content: bytes
    tag: bytes


@dataclass(frozen=True)
class Transceiver:
    """A digital physical layer with a fixed number of channel uses.

    A message is its length (16 bits), the payload, padding, a keyed tag if there is one, and a CRC
    over all of it (16 bits, or 24 beyond 3,824 bits, as in TS 38.212); several code blocks where
    one would be too long. Coded bits are scrambled by a known sequence, so that padding has the
    constellation's mean power too. All of it counts as channel uses.

    Attributes:
        channel_uses: Data symbols ``k`` per image.
        order: Points of the QAM constellation; 2 is BPSK.
        rate: Information bits per coded bit.
        tag_bits: Bits of the tag, a multiple of 8.

    Raises:
        SemveilError: If they leave no byte for a payload, or there is no code of that rate.

    Example:
        >>> layer = Transceiver(channel_uses=384, order=4, rate=0.5)
        >>> layer.payload_bytes
        44
        >>> waveform = layer.modulate([b"one", b"another"])
        >>> clean = Reception(waveform, torch.ones(2, 1) + 0j, torch.tensor(0.1))
        >>> layer.demodulate(clean)
        [b'one', b'another']
    """

    channel_uses: int
    order: int = 4
    rate: float = 0.5
    tag_bits: int = 0

    def __post_init__(self) -> None:
        if self.payload_bytes < 1:
            raise SemveilError(
                f"classical: {self.channel_uses} channel uses of {self.order} points at rate "
                f"{self.rate:g} carry {self.message_bits} bits, which leave nothing beside "
                f"{'length, checksum and tag' if self.tag_bits else 'length and checksum'}"
            )
        try:
            self._code  # noqa: B018
        except ValueError as error:
            raise SemveilError(f"classical.rate: {error}") from None

    @cached_property
    def constellation(self) -> Constellation:
        """Constellation of the symbols."""
        return Constellation("qam", self.order)

    @property
    def blocks(self) -> int:
        """Code blocks per image."""
        bits = self.channel_uses * self.constellation.bits_per_symbol * self.rate
        return max(
            1, math.ceil(bits / (_LONGEST_ROBUST if self.rate <= _ROBUST else _LONGEST_BLOCK))
        )

    @property
    def _coded(self) -> tuple[int, int]:
        """Symbols and bits of one coded block."""
        symbols = self.channel_uses // self.blocks
        return symbols, symbols * self.constellation.bits_per_symbol

    @property
    def _block_bits(self) -> int:
        return math.floor(self._coded[1] * self.rate + 1e-9)

    @property
    def message_bits(self) -> int:
        """Bits that the code carries per image."""
        return self.blocks * self._block_bits

    @property
    def _checksum(self) -> tuple[crc.Crc, int]:
        return ("crc16", 16) if self.message_bits <= _LONGEST_SHORT else ("crc24a", 24)

    @property
    def payload_bytes(self) -> int:
        """Bytes left for an image."""
        most = (self.message_bits - self._checksum[1] - self.tag_bits) // 8 - _LENGTH_BYTES
        return min(most, 256**_LENGTH_BYTES - 1)

    @cached_property
    def _code(self) -> LdpcCode:
        return LdpcCode(self._block_bits, self._coded[1], self.constellation.bits_per_symbol)

    @cached_property
    def _scrambling(self) -> Tensor:
        n = self.blocks * self._coded[1]
        source = generator(0, "scrambling")
        return torch.randint(0, 2, (n,), generator=source, dtype=torch.uint8)

    def modulate(
        self,
        payloads: Sequence[bytes | None],
        device: torch.device | str = "cpu",
        sign: Sign | None = None,
    ) -> Tensor:
        """Put payloads on the air: data symbols of unit power on average, complex ``[B, k]``.

        A message without a payload has length 0, and the receiver finds none in it either.

        Args:
            payloads: One per message.
            device: Where the symbols are made.
            sign: Makes the tags; zeros are sent in their place if None.

        Raises:
            ValueError: If a payload is empty or longer than ``payload_bytes``.
        """
        messages = self._messages(payloads, sign).to(device)
        blocks = messages.unflatten(1, (self.blocks, -1)).flatten(0, 1)
        coded = self._code.encode(blocks).to(torch.uint8).unflatten(0, (-1, self.blocks)).flatten(1)
        symbols = self.constellation.modulate(coded ^ self._scrambling.to(device))
        left = self.channel_uses - symbols.shape[1]
        return torch.cat([symbols, symbols.new_ones(len(symbols), left)], 1)

    def _messages(self, payloads: Sequence[bytes | None], sign: Sign | None) -> Tensor:
        """Return messages with checksums, uint8 zeros and ones ``[B, message_bits]``."""
        name, checksum = self._checksum
        n_bytes = self.payload_bytes + _LENGTH_BYTES
        for size in (len(payload) for payload in payloads if payload is not None):
            if not 0 < size <= self.payload_bytes:
                raise ValueError(f"a payload of {size} bytes, where 1 to {self.payload_bytes} fit")
        contents = [
            (len(payload).to_bytes(_LENGTH_BYTES, "big") + payload).ljust(n_bytes, b"\0")
            for payload in (each or b"" for each in payloads)
        ]
        blank = bytes(self.tag_bits // 8)
        whole = b"".join(
            content + (blank if sign is None else sign(row, content))
            for row, content in enumerate(contents)
        )
        octets = np.frombuffer(whole, np.uint8).reshape(len(contents), -1)
        bits = torch.from_numpy(np.unpackbits(octets, axis=1))
        left = self.message_bits - checksum - bits.shape[1]
        return crc.append(torch.cat([bits, bits.new_zeros(len(bits), left)], 1), name)

    def demodulate(self, reception: Reception) -> list[bytes | None]:
        """Return the payload of each image, its tag untested; None where the checksum fails."""
        return [frame and self.payload(frame) for frame in self.frames(reception)]

    def frames(self, reception: Reception) -> list[Frame | None]:
        """Decide, decode and check: the message of each image; None where the checksum fails.

        Every symbol is weighed by its own channel: soft decisions know each subcarrier's noise.
        """
        symbols = reception.symbols[:, : self.blocks * self._coded[0]]
        csi = reception.csi.expand_as(reception.symbols)[:, : symbols.shape[1]]
        gain = squared_magnitude(csi).clamp(min=1e-9)
        noise = per_image(reception.noise_variance, gain, "noise_variance").clamp(min=1e-9)
        soft = self.constellation.soft(symbols * csi.conj() / gain, noise / gain)
        signs = 1 - 2 * self._scrambling.to(soft.device, soft.dtype)
        llrs = (soft * signs).unflatten(1, (self.blocks, -1)).flatten(0, 1)
        decoded, _ = self._code.decode(llrs)
        messages = decoded.unflatten(0, (-1, self.blocks)).flatten(1)
        passed = crc.check(messages, self._checksum[0]).tolist()
        end = self.payload_bytes + _LENGTH_BYTES
        rows = np.packbits(messages.cpu().numpy(), axis=1)[:, : end + self.tag_bits // 8]
        return [
            Frame(octets[:end].tobytes(), octets[end:].tobytes()) if good else None
            for octets, good in zip(rows, passed, strict=True)
        ]

    def payload(self, frame: Frame) -> bytes | None:
        """Return the payload of a message; None if its length cannot be, checksum or not."""
        octets = frame.content
        length = int.from_bytes(octets[:_LENGTH_BYTES], "big")
        # Nothing heard decodes to zeros, whose checksum is zero.
        if not 0 < length <= self.payload_bytes:
            return None
        return octets[_LENGTH_BYTES : _LENGTH_BYTES + length]
