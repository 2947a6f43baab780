"""Stripping the constant bytes of a codec's files, and restoring them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_LENGTH = 4
_START_OF_TILE, _START_OF_DATA, _END = b"\xff\x90", b"\xff\x93", b"\xff\xd9"
_DELIMITER = b"\x12\x00"


@dataclass(frozen=True)
class Framing:
    """The constant bytes of all files of one codec at one image size.

    ``lengths`` are positions in the prefix of 32-bit lengths, each with the bytes that it counts
    beside the image's own.
    """

    prefix: bytes
    lengths: tuple[tuple[int, int], ...]
    suffix: bytes = b""

    @property
    def n_bytes(self) -> int:
        """Bytes that are not sent."""
        return len(self.prefix) + len(self.suffix)

    def restore(self, body: bytes) -> bytes:
        """Return the file of an image's own bytes."""
        prefix = bytearray(self.prefix)
        for position, more in self.lengths:
            prefix[position : position + _LENGTH] = (len(body) + more).to_bytes(_LENGTH, "big")
        return bytes(prefix) + body + self.suffix

    def strip(self, file: bytes) -> bytes:
        """Return the image's own bytes; raise ValueError if the file begins or ends differently."""
        body = file[len(self.prefix) : len(file) - len(self.suffix)]
        if self.restore(body) != file:
            raise ValueError("the file's header is not that of its codec at this size")
        return body


def codestream_framing(file: bytes) -> Framing:
    """Return the framing of JPEG 2000 codestreams of one tile (ISO/IEC 15444-1, annex A)."""
    # The main header holds size, wavelet and step sizes, the tile's header only its length.
    tile = file.index(_START_OF_TILE)
    start = file.index(_START_OF_DATA, tile) + len(_START_OF_DATA)
    # The tile's length counts from its marker and leaves out the end of the codestream.
    return Framing(file[:start], ((tile + 6, start - tile),), _END)


def avif_framing(file: bytes) -> Framing:
    """Return the framing of AVIF files of one image (ISO/IEC 23008-12)."""
    # The boxes around the data hold size, colours and offsets. The sequence header among the data
    # also holds the coding tools of this image, and is sent.
    data = file.index(b"mdat") + 4
    extent = data.to_bytes(_LENGTH, "big") + (len(file) - data).to_bytes(_LENGTH, "big")
    start = data + len(_DELIMITER)
    size, length = data - 8, file.index(extent) + _LENGTH
    return Framing(file[:start], ((length, start - data), (size, start - data + 8)))


FRAMINGS: dict[str, Callable[[bytes], Framing]] = {
    "jpeg2000": codestream_framing,
    "avif": avif_framing,
}
