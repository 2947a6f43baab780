"""Agreeing on keys over a channel that Eve hears: X25519, HKDF-SHA256, and confirmation.

The exchange withstands whoever listens. It does not tell who answered: public keys have to come
from an authentic source (read out over the phone, signed, pinned), or Mallory sits in between.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from semveil.errors import SemveilError
from semveil.protect.keys import KEY_BYTES, require_key
from semveil.protect.session import Receiver, Sender, Session

_TAG_BYTES = 16


@dataclass(frozen=True)
class KeyPair:
    """An X25519 key pair (RFC 7748).

    Attributes:
        private: 32 secret bytes, from the operating system's randomness.

    Raises:
        SemveilError: If ``private`` has not 32 bytes.

    Example:
        >>> KeyPair.generate().public != KeyPair.generate().public
        True
    """

    private: bytes = field(repr=False)

    def __post_init__(self) -> None:
        require_key(self.private)

    @classmethod
    def generate(cls) -> KeyPair:
        """Return a new pair."""
        return cls(X25519PrivateKey.generate().private_bytes_raw())

    @property
    def public(self) -> bytes:
        """The 32 bytes that the other party is to know."""
        own = X25519PrivateKey.from_private_bytes(self.private).public_key()
        return own.public_bytes(Encoding.Raw, PublicFormat.Raw)


@dataclass(frozen=True)
class Agreement:
    """What one party holds after the exchange, before the other has shown the same keys.

    Attributes:
        confirmation: 16 bytes to send to the other party; they reveal nothing about the keys.
    """

    confirmation: bytes
    _expected: bytes = field(repr=False)
    _sending: bytes = field(repr=False)
    _receiving: bytes = field(repr=False)

    def confirm(self, tag: bytes) -> Session:
        """Check the other party's confirmation and open the session.

        Args:
            tag: The other party's :attr:`confirmation`.

        Returns:
            Counters and keys for both directions.

        Raises:
            SemveilError: If the parties hold different keys.

        Example:
            >>> alice, bob = KeyPair.generate(), KeyPair.generate()
            >>> ours, theirs = (agree(a, b.public, b"1") for a, b in ((alice, bob), (bob, alice)))
            >>> session = ours.confirm(theirs.confirmation)
            >>> session.sender.key == theirs.confirm(ours.confirmation).receiver.key
            True
        """
        if not hmac.compare_digest(tag, self._expected):
            raise SemveilError(
                "the other party holds different keys: a wrong public key, salt or confirmation"
            )
        return Session(Sender(self._sending), Receiver(self._receiving))


def agree(mine: KeyPair, theirs: bytes, salt: bytes) -> Agreement:
    """Compute the keys shared with another party, one for each direction.

    X25519, then HKDF-SHA256 with ``info`` = purpose, sender's and receiver's public keys.

    Args:
        mine: Own key pair.
        theirs: The other party's public key, 32 bytes, from an authentic source.
        salt: Public bytes, the same at both parties and new for every session between the same
            pairs: counters begin at zero again, and keys must not.

    Returns:
        The agreement, to be confirmed.

    Raises:
        SemveilError: If ``theirs`` is no public key of another party, or the salt is empty.

    Example:
        >>> alice, bob = KeyPair.generate(), KeyPair.generate()
        >>> len(agree(alice, bob.public, salt=b"session 1").confirmation)
        16
    """
    if not salt:
        raise SemveilError("agreeing on keys needs a salt that is new for every session")
    if theirs == mine.public:
        raise SemveilError("the other party's public key is one's own: it was reflected")
    if len(theirs) != KEY_BYTES:
        raise SemveilError(f"a public key has {KEY_BYTES} bytes, not {len(theirs)}")
    try:
        shared = X25519PrivateKey.from_private_bytes(mine.private).exchange(
            X25519PublicKey.from_public_bytes(theirs)
        )
    except ValueError as error:
        # A point of small order would make the shared secret known to everybody.
        raise SemveilError("the other party's public key is not a valid X25519 key") from error

    def derive(purpose: bytes, sender: bytes, receiver: bytes, length: int) -> bytes:
        info = b"semveil v1 " + purpose + b" " + sender + receiver
        return HKDF(SHA256(), length, salt, info).derive(shared)

    own = mine.public
    return Agreement(
        derive(b"confirm", own, theirs, _TAG_BYTES),
        derive(b"confirm", theirs, own, _TAG_BYTES),
        derive(b"key", own, theirs, KEY_BYTES),
        derive(b"key", theirs, own, KEY_BYTES),
    )
