"""Key agreement over a channel that Eve receives: X25519, HKDF-SHA256, and confirmation.

The exchange is secure against eavesdroppers and against replays of earlier exchanges: both parties
contribute a new nonce to every session's keys. It does not authenticate: public keys must come from
an authentic source (read out over the phone, signed, pinned), or Mallory can be in the middle.

For every session each party

1. draws a nonce by :func:`fresh_nonce` and sends it in the clear;
2. calls :func:`agree` with its own nonce and the one it received, and discards its own: a nonce
   that is used in a second agreement lets Mallory restore the keys of the first;
3. sends its :attr:`Agreement.confirmation` and opens the session with the other's.

Key pairs may serve many sessions; then a private key, once known, opens past sessions too. New
pairs for every session prevent that.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from semveil.errors import SemveilError
from semveil.protect.keys import KEY_BYTES, require_key
from semveil.protect.session import Receiver, Sender, Session, SingleHolder

_TAG_BYTES = 16
_NONCE_BYTES = 16


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
        """The 32 bytes of the public key."""
        own = X25519PrivateKey.from_private_bytes(self.private).public_key()
        return own.public_bytes(Encoding.Raw, PublicFormat.Raw)


@dataclass(eq=False)
class Agreement(SingleHolder):
    """One party's state after the exchange, before the other party has confirmed the keys.

    It opens one session: a second one would reuse message counters under the same keys. It cannot
    be copied, pickled or used in a forked process.

    Attributes:
        confirmation: 16 bytes to send to the other party; they reveal nothing about the keys.
    """

    confirmation: bytes
    _expected: bytes = field(repr=False)
    _sending: bytes = field(repr=False)
    _receiving: bytes = field(repr=False)
    _opened: bool = field(default=False, init=False, repr=False)

    what = "agreement"

    def __post_init__(self) -> None:
        super().__init__()

    def confirm(self, tag: bytes) -> Session:
        """Check the other party's confirmation and open the session.

        Args:
            tag: The other party's :attr:`confirmation`.

        Returns:
            Counters and keys for both directions.

        Raises:
            SemveilError: If the parties hold different keys, or the session was opened before.

        Example:
            >>> alice, bob = KeyPair.generate(), KeyPair.generate()
            >>> hers, his = fresh_nonce(), fresh_nonce()
            >>> ours = agree(alice, bob.public, hers, his)
            >>> theirs = agree(bob, alice.public, his, hers)
            >>> session = ours.confirm(theirs.confirmation)
            >>> session.sender.key == theirs.confirm(ours.confirmation).receiver.key
            True
        """
        if not hmac.compare_digest(tag, self._expected):
            raise SemveilError(
                "the other party holds different keys: a wrong public key, nonce or confirmation"
            )
        with self._alone():
            if self._opened:
                raise SemveilError(
                    "this agreement has opened its session: agree on new keys for another"
                )
            self._opened = True
        return Session(Sender(self._sending), Receiver(self._receiving, new_key=True))


def fresh_nonce() -> bytes:
    """Return 16 public bytes for one session, from the operating system's randomness.

    Example:
        >>> len(fresh_nonce()), fresh_nonce() != fresh_nonce()
        (16, True)
    """
    return secrets.token_bytes(_NONCE_BYTES)


def agree(mine: KeyPair, theirs: bytes, my_nonce: bytes, their_nonce: bytes) -> Agreement:
    """Compute the keys shared with another party, one for each direction.

    X25519, then HKDF-SHA256. Its salt is both nonces, each behind its length (four bytes,
    big-endian), in the order of their parties' public keys; its ``info`` is purpose, sender's and
    receiver's public keys. Counters begin at zero in every session, so that keys must never come
    back: neither party's can, whatever nonce and confirmation Mallory hands it, while its own
    nonce is new.

    Args:
        mine: Own key pair.
        theirs: The other party's public key, 32 bytes, from an authentic source.
        my_nonce: Own public bytes, 16 at least, drawn for this session and used for no other
            (:func:`fresh_nonce`).
        their_nonce: The other party's, as received; it need not be authentic.

    Returns:
        The agreement, to be confirmed.

    Raises:
        SemveilError: If ``theirs`` is no public key of another party, a nonce is too short, or
            both nonces are the same.

    Example:
        >>> alice, bob = KeyPair.generate(), KeyPair.generate()
        >>> len(agree(alice, bob.public, fresh_nonce(), fresh_nonce()).confirmation)
        16
    """
    for whose, nonce in (("one's own", my_nonce), ("the other party's", their_nonce)):
        if len(nonce) < _NONCE_BYTES:
            raise SemveilError(
                f"{whose} nonce has {len(nonce)} bytes, not {_NONCE_BYTES} or more, new for every "
                "session"
            )
    if my_nonce == their_nonce:
        raise SemveilError("the other party's nonce is one's own: it was reflected")
    if theirs == mine.public:
        raise SemveilError("the other party's public key is one's own: it was reflected")
    if len(theirs) != KEY_BYTES:
        raise SemveilError(f"a public key has {KEY_BYTES} bytes, not {len(theirs)}")
    try:
        shared = X25519PrivateKey.from_private_bytes(mine.private).exchange(
            X25519PublicKey.from_public_bytes(theirs)
        )
    except ValueError as error:
        # A point of small order would make the shared secret public.
        raise SemveilError("the other party's public key is not a valid X25519 key") from error

    own = mine.public
    nonces = (nonce for _, nonce in sorted([(own, my_nonce), (theirs, their_nonce)]))
    # Without the lengths, bytes could move from one nonce to the other.
    salt = b"".join(len(nonce).to_bytes(4, "big") + nonce for nonce in nonces)

    def derive(purpose: bytes, sender: bytes, receiver: bytes, length: int) -> bytes:
        info = b"semveil v1 " + purpose + b" " + sender + receiver
        return HKDF(SHA256(), length, salt, info).derive(shared)

    return Agreement(
        derive(b"confirm", own, theirs, _TAG_BYTES),
        derive(b"confirm", theirs, own, _TAG_BYTES),
        derive(b"key", own, theirs, KEY_BYTES),
        derive(b"key", theirs, own, KEY_BYTES),
    )
