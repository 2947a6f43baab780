"""Secret keys of 32 bytes, and keys derived from them per purpose."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from semveil.errors import SemveilError

KEY_BYTES = 32


def require_key(key: bytes) -> bytes:
    """Return the key if it has 32 bytes.

    Raises:
        SemveilError: If it has not.

    Example:
        >>> len(require_key(bytes(32)))
        32
    """
    if not isinstance(key, bytes) or len(key) != KEY_BYTES:
        found = f"{len(key)}" if isinstance(key, bytes) else f"a {type(key).__name__}"
        raise SemveilError(f"a key has {KEY_BYTES} bytes, not {found}")
    return key


def subkey(key: bytes, *scope: str | int) -> bytes:
    """Derive an independent key for one purpose: HKDF-Expand with SHA-256 (RFC 5869).

    Different scopes never share a keystream.

    Args:
        key: 32 secret bytes.
        scope: Purpose of the derived key.

    Returns:
        32 bytes.

    Raises:
        SemveilError: If ``key`` has another length.

    Example:
        >>> key = research_key(0)
        >>> subkey(key, "shuffle") == subkey(key, "shuffle") != subkey(key, "rotation")
        True
    """
    # The text of a tuple separates its items unambiguously; a concatenation would not.
    purpose = repr(("semveil", *scope)).encode()
    return HKDFExpand(SHA256(), KEY_BYTES, purpose).derive(require_key(key))


def fingerprint(key: bytes) -> bytes:
    """Return 4 bytes that tell keys apart and reveal nothing of them.

    A header in the clear carries it, so that Bob knows a wrong key from a bad reception.

    Args:
        key: 32 secret bytes.

    Raises:
        SemveilError: If ``key`` has another length.

    Example:
        >>> fingerprint(bytes(32)).hex() == fingerprint(bytes(32)).hex() != bytes(4).hex()
        True
    """
    return subkey(key, "fingerprint")[:4]


def research_key(seed: int, *scope: str | int) -> bytes:
    """Return a key that follows from a seed, for reproducible experiments only.

    It protects nothing, since a seed is not secret. Secret keys come from
    :mod:`semveil.protect.agreement`.

    Args:
        seed: The run's seed.
        scope: Purpose of the key.

    Returns:
        32 bytes.

    Example:
        >>> len(research_key(0, "link")), research_key(0) != research_key(1)
        (32, True)
    """
    return hashlib.sha256(repr(("semveil research key", int(seed), *scope)).encode()).digest()
