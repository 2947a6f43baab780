"""Pseudo-random bytes for numbered messages: ChaCha20 (RFC 8439) with random access."""

from __future__ import annotations

import numpy as np
import torch
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from torch import Tensor

from semveil.errors import SemveilError
from semveil.protect.keys import require_key, subkey

_BLOCK_BYTES = 64
_COUNTERS = 2**32


def require_counters(messages: Tensor) -> Tensor:
    """Return message counters if they are int64, one per message.

    Other types would round large counters, and give two messages one keystream.

    Raises:
        SemveilError: If they are not.

    Example:
        >>> require_counters(torch.tensor([0.5]))
        Traceback (most recent call last):
        semveil.errors.SemveilError: message counters: expected int64 [B], not torch.float32 [1]
    """
    if not isinstance(messages, Tensor) or messages.dtype != torch.int64 or messages.ndim != 1:
        found = (
            f"{messages.dtype} {list(messages.shape)}"
            if isinstance(messages, Tensor)
            else type(messages).__name__
        )
        raise SemveilError(f"message counters: expected int64 [B], not {found}")
    return messages


def cipher_blocks(key: bytes, first: int, count: int) -> np.ndarray:
    """Return consecutive blocks of ChaCha20's keystream.

    A block's number has 128 bits: the lower 32 are RFC 8439's block counter, the upper 96 its
    nonce (little-endian). The counter never wraps: a run that reaches its end continues with the
    next nonce.

    Args:
        key: 32 bytes.
        first: Number of the first block.
        count: Number of blocks.

    Returns:
        uint8 ``[64 · count]``.

    Raises:
        SemveilError: If the key has another length.

    Example:
        >>> both = cipher_blocks(bytes(32), 2**32 - 1, 2)
        >>> bool((both[64:] == cipher_blocks(bytes(32), 2**32, 1)).all())
        True
    """
    require_key(key)
    stream = np.empty(_BLOCK_BYTES * count, np.uint8)
    done = 0
    while done < count:
        nonce, counter = divmod(first + done, _COUNTERS)
        here = min(count - done, _COUNTERS - counter)
        start = counter.to_bytes(4, "little") + nonce.to_bytes(12, "little")
        cipher = Cipher(algorithms.ChaCha20(key, start), mode=None).encryptor()
        part = slice(_BLOCK_BYTES * done, _BLOCK_BYTES * (done + here))
        cipher.update_into(bytes(_BLOCK_BYTES * here), stream[part].data)
        done += here
    return stream


def keystream(key: bytes, messages: Tensor, bytes_per_message: int) -> Tensor:
    """Return the keystream of numbered messages.

    Message ``m`` has the ``n`` whole blocks from ``m·n`` on, ``n = ⌈bytes_per_message / 64⌉``, so
    that consecutive messages take one call of the cipher, in any order. The key is bound to
    ``bytes_per_message``: different lengths do not share a stream.

    Args:
        key: 32 bytes, of one purpose (:func:`~semveil.protect.keys.subkey`).
        messages: Counters, int64 ``[B]``, not negative.
        bytes_per_message: ``L``.

    Returns:
        uint8 ``[B, L]``, on the CPU.

    Raises:
        SemveilError: If the key has not 32 bytes, or counters are not int64.
        ValueError: If ``bytes_per_message`` is not positive or a counter negative.

    Example:
        >>> few = keystream(bytes(32), torch.tensor([7, 3]), 10)
        >>> bool((few[1] == keystream(bytes(32), torch.arange(5), 10)[3]).all())
        True
    """
    if bytes_per_message < 1:
        raise ValueError(f"a message needs at least one byte, not {bytes_per_message}")
    require_counters(messages)
    own = subkey(key, "keystream", bytes_per_message)
    blocks = -(-bytes_per_message // _BLOCK_BYTES)
    counters, place = np.unique(messages.cpu().numpy(), return_inverse=True)
    if not len(counters):
        return torch.empty(0, bytes_per_message, dtype=torch.uint8)
    if counters[0] < 0:
        raise ValueError(f"message counters must not be negative, like {counters[0]}")
    runs = np.split(counters, np.flatnonzero(np.diff(counters) != 1) + 1)
    streams = [cipher_blocks(own, int(run[0]) * blocks, len(run) * blocks) for run in runs]
    rows = np.concatenate(streams).reshape(len(counters), -1)[:, :bytes_per_message]
    return torch.from_numpy(rows[place])


def words(key: bytes, messages: Tensor, count: int, bits: int) -> np.ndarray:
    """Return the keystream of messages as uniform unsigned integers.

    Args:
        key: 32 bytes, of one purpose.
        messages: Counters, int64 ``[B]``.
        count: Words per message, ``n``.
        bits: 32 or 64.

    Returns:
        uint32 or uint64 ``[B, n]``, the same on every machine.

    Raises:
        SemveilError: If the key has not 32 bytes.

    Example:
        >>> words(bytes(32), torch.arange(2), 5, bits=64).shape
        (2, 5)
    """
    size = bits // 8
    return keystream(key, messages, count * size).numpy().view(f"<u{size}")
