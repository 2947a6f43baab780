"""The header of a frame: whose link it is, which message, and how long the frame is."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from semveil.errors import SemveilError
from semveil.phy import QPSK, crc
from semveil.phy.gold import gold_sequence
from semveil.phy.ldpc import LdpcCode

VERSION = 1
"""Version of the frame format."""

MOST_SYMBOLS = 1 << 24
"""Symbols of the link that a frame carries at most."""

LINK_BYTES, KEY_BYTES = 8, 4
_LAYOUT = struct.Struct(f">B{LINK_BYTES}s{KEY_BYTES}sqHI")
_BITS = 8 * _LAYOUT.size
_CRC: crc.Crc = "crc24a"
_SCRAMBLING = 0x0A1F
_MOST_LLR = 20.0


@dataclass(frozen=True)
class Header:
    """What a frame says about itself, in clear.

    Attributes:
        link: Digest of the link, 8 bytes.
        images: Images in the frame, 1 to 65,535.
        symbols: The link's symbols per image.
        key: Fingerprint of the key, 4 bytes; zeros where there is no key. Never the key.
        counter: Message counter of the first image; the others follow.
        version: Version of the frame format.

    Raises:
        SemveilError: If a field is out of range.

    Example:
        >>> header = Header(link=b"digits.1", images=2, symbols=64, counter=7)
        >>> header.payload
        128
    """

    link: bytes
    images: int
    symbols: int
    key: bytes = bytes(KEY_BYTES)
    counter: int = 0
    version: int = VERSION

    def __post_init__(self) -> None:
        if len(self.link) != LINK_BYTES or len(self.key) != KEY_BYTES:
            raise SemveilError(
                f"header: a digest of {LINK_BYTES} bytes and a fingerprint of {KEY_BYTES} are "
                f"needed, not {len(self.link)} and {len(self.key)}"
            )
        if not 1 <= self.images < 1 << 16:
            raise SemveilError(f"header: {self.images} images; a frame has 1 to {(1 << 16) - 1}")
        if not (self.symbols >= 1 and self.payload <= MOST_SYMBOLS):
            raise SemveilError(
                f"header: {self.images} images of {self.symbols} symbols; a frame carries 1 to "
                f"{MOST_SYMBOLS} symbols"
            )
        if not 0 <= self.counter < 1 << 63 or not 0 <= self.version < 256:
            raise SemveilError(
                f"header: counter {self.counter} or version {self.version} is out of range"
            )

    @property
    def payload(self) -> int:
        """The link's symbols in the frame."""
        return self.images * self.symbols

    def pack(self) -> bytes:
        """Return the header as bytes, big-endian."""
        return _LAYOUT.pack(
            self.version, self.link, self.key, self.counter, self.images, self.symbols
        )

    @classmethod
    def unpack(cls, octets: bytes) -> Header:
        """Read a header.

        Raises:
            SemveilError: If it is of another version, or a field is out of range.
        """
        version, link, key, counter, images, symbols = _LAYOUT.unpack(octets)
        if version != VERSION:
            raise SemveilError(f"header: frame format {version}; this receiver reads {VERSION}")
        return cls(link, images, symbols, key, counter, version)


def encode(headers: Sequence[Header], coded_bits: int) -> Tensor:
    """Return headers as QPSK symbols, complex64 ``[B, coded_bits / 2]``.

    CRC of 24 bits, the LDPC code of 5G from 240 bits to ``coded_bits``, scrambling.

    Args:
        headers: One per frame.
        coded_bits: Bits sent per header, even and at least 320.
    """
    octets = np.frombuffer(b"".join(header.pack() for header in headers), np.uint8)
    bits = np.unpackbits(octets.reshape(len(headers), -1), axis=1)
    message = crc.append(torch.from_numpy(bits), _CRC)
    coded = _code(coded_bits).encode(message)
    return QPSK.modulate(coded ^ gold_sequence(coded_bits, _SCRAMBLING))


def decode(symbols: Tensor) -> list[Header | str]:
    """Decode headers.

    Args:
        symbols: Matched symbols ``conj(h)·y/σ²``, complex ``[B, coded_bits / 2]``.

    Returns:
        The header of each frame, or in one line why there is none.
    """
    # With symbols conj(h)·y/σ² the LLR of a bit is −2√2 of its part, whatever the gain.
    llrs = torch.view_as_real(symbols.resolve_conj()).flatten(1) * -(8**0.5)
    llrs = torch.nan_to_num(llrs, 0.0, _MOST_LLR, -_MOST_LLR).clamp(-_MOST_LLR, _MOST_LLR)
    n = llrs.shape[1]
    signs = 1 - 2 * gold_sequence(n, _SCRAMBLING).to(llrs)
    decoded, _ = _code(n).decode(llrs * signs)
    passed = crc.check(decoded, _CRC).tolist()
    rows = np.packbits(decoded[:, :_BITS].numpy(), axis=1)
    return [
        _read(octets.tobytes()) if good else "header: checksum differs"
        for octets, good in zip(rows, passed, strict=True)
    ]


def _read(octets: bytes) -> Header | str:
    try:
        return Header.unpack(octets)
    except SemveilError as error:
        return str(error)


@cache
def _code(coded_bits: int) -> LdpcCode:
    return LdpcCode(_BITS + crc.length(_CRC), coded_bits, QPSK.bits_per_symbol)
