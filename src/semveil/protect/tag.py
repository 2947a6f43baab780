"""A keyed tag over a message's counter and its bits, for links with hard symbols."""

from __future__ import annotations

import hmac

from semveil.errors import SemveilError
from semveil.protect.keys import subkey

_COUNTER_BYTES = 8


class FrameTag:
    """HMAC-SHA256 (RFC 2104), truncated to its first bits.

    Without the key, a forged or changed frame is accepted with probability ``2^−bits``; Mallory
    may try as often as Bob listens. The tag hides nothing, and a frame that is sent again under
    its own counter has the right tag: :class:`~semveil.protect.session.Receiver` rejects it.

    Args:
        key: 32 secret bytes.
        bits: Length, a multiple of 8 from 8 to 256.

    Raises:
        SemveilError: If the key has not 32 bytes, or there is no tag of this length.

    Example:
        >>> tag = FrameTag(bytes(32))
        >>> signed = tag.sign(7, b"frame")
        >>> len(signed), tag.verify(7, b"frame", signed), tag.verify(8, b"frame", signed)
        (8, True, False)
    """

    def __init__(self, key: bytes, bits: int = 64) -> None:
        if bits not in range(8, 257, 8):
            raise SemveilError(f"tag_bits: expected a multiple of 8 from 8 to 256, not {bits}")
        self.bits = bits
        # A key of its own for every length: a short tag must not be the beginning of a long one.
        self._key = subkey(key, "tag", bits)

    def sign(self, message: int, content: bytes) -> bytes:
        """Return the tag of a message.

        Args:
            message: Its counter, not negative.
            content: Its bits.

        Returns:
            ``bits / 8`` bytes.
        """
        counter = message.to_bytes(_COUNTER_BYTES, "big")
        return hmac.digest(self._key, counter + content, "sha256")[: self.bits // 8]

    def verify(self, message: int, content: bytes, tag: bytes) -> bool:
        """Return whether a tag is that of a message, in a time that does not depend on it."""
        return hmac.compare_digest(self.sign(message, content), tag)
