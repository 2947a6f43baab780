"""What stays outside of the graphs of an exported link, in numpy alone: power, keys, OFDM.

Symbols are complex ``[B, k]``, message counters int64 ``[B]``; a counter is used once under a key.
``card.json`` names what a link uses.
"""

import hashlib
import hmac
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def to_complex(reals: Array) -> Array:
    """Turn what graphs have, float ``[B, 2, k]``, into symbols."""
    found: Array = reals[:, 0] + 1j * reals[:, 1]
    return found


def to_reals(symbols: Array) -> Array:
    """Turn symbols into what graphs take, float32 ``[B, 2, k]``."""
    return np.stack([symbols.real, symbols.imag], 1).astype(np.float32)


def normalise_power(symbols: Array, block: int | None = None, stride: int = 1) -> Array:
    """Give every image, or every block of an image, unit mean power per symbol."""
    grouped = gather(symbols, block or symbols.shape[1], stride)
    energy = (np.abs(grouped) ** 2).sum(2, keepdims=True)
    return scatter(grouped * np.sqrt(grouped.shape[2] / energy), stride)


def gather(symbols: Array, block: int, stride: int = 1) -> Array:
    """Return blocks ``[B, k / block, block]``, whose symbols are ``stride`` places apart."""
    grouped = symbols.reshape(len(symbols), -1, block, stride).swapaxes(2, 3)
    return grouped.reshape(len(symbols), -1, block)


def scatter(blocks: Array, stride: int = 1) -> Array:
    """Return the symbols of blocks."""
    grouped = blocks.reshape(len(blocks), -1, stride, blocks.shape[2]).swapaxes(2, 3)
    return grouped.reshape(len(blocks), -1)


def subkey(key: bytes, *scope: str | int) -> bytes:
    """Derive the key of one purpose: HKDF-Expand with SHA-256."""
    purpose = repr(("semveil", *scope)).encode() + b"\x01"
    return hmac.new(key, purpose, hashlib.sha256).digest()


def chacha20(key: bytes, numbers: Array) -> Array:
    """Return ChaCha20's blocks (RFC 8439) by their numbers, uint64 ``[n]``, as ``[n, 64]``."""
    low, high = (numbers & 0xFFFFFFFF).astype(np.uint32), (numbers >> 32).astype(np.uint32)
    fixed = np.frombuffer(b"expand 32-byte k" + key, "<u4")
    start = [np.full_like(low, word) for word in fixed] + [low, high, 0 * low, 0 * low]
    s: list[Array] = list(start)
    for turn in range(20):  # columns, then diagonals
        for i in range(4):
            b, c, d = (4 * row + (i + row * (turn % 2)) % 4 for row in (1, 2, 3))
            for x, y, z, bits in ((i, b, d, 16), (c, d, b, 12), (i, b, d, 8), (c, d, b, 7)):
                s[x] = s[x] + s[y]
                s[z] = (s[z] ^ s[x]) << bits | (s[z] ^ s[x]) >> (32 - bits)
    return np.stack([x + y for x, y in zip(s, start, strict=True)], 1).astype("<u4").view(np.uint8)


def keystream(key: bytes, messages: Array, length: int) -> Array:
    """Return ``length`` bytes for every message, uint8 ``[B, length]``."""
    blocks = -(-length // 64)
    first = messages[:, None].astype(np.uint64) * np.uint64(blocks)
    numbers = first + np.arange(blocks, dtype=np.uint64)
    stream = chacha20(subkey(key, "keystream", length), numbers.ravel())
    return stream.reshape(len(messages), -1)[:, :length].copy()


def uniform(key: bytes, messages: Array, count: int) -> Array:
    """Return numbers in (0, 1), float64 ``[B, count]``."""
    found: Array = (keystream(key, messages, 4 * count).view("<u4") + 0.5) * 2.0**-32
    return found


def rotate(
    symbols: Array,
    key: bytes,
    messages: Array,
    back: bool = False,
    block: int = 2,
    stride: int = 1,
    form: str = "blocks",
) -> Array:
    """Turn every block by a unitary matrix of its own, or back; ``haar``: one block of all."""
    key = subkey(key, "rotation", form)
    groups = gather(symbols, block, stride)
    (batch, count, size), turn = groups.shape, 2j * np.pi
    if form == "blocks" and (size, stride) == (2, 1):  # unit quaternions
        share, first, second = np.split(uniform(key, messages, 3 * count), 3, 1)
        a, b = np.sqrt(1 - share) * np.exp(turn * first), np.sqrt(share) * np.exp(turn * second)
        unitary = np.stack([a, -b.conj(), b, a.conj()], 2).reshape(batch, count, 2, 2)
    else:  # the QR decomposition of complex Gaussian matrices
        drawn = uniform(key, messages, 2 * count * size**2).reshape(-1, 2 * size**2)
        radius, angle = np.split(drawn, 2, 1)
        normal = np.sqrt(-np.log(radius)) * np.exp(turn * angle)
        q, r = np.linalg.qr(normal.reshape(-1, size, size))
        diagonal = np.einsum("nii->ni", r)
        unitary = (q * (diagonal / np.abs(diagonal))[:, None]).reshape(batch, count, size, size)
    unitary = unitary.conj().swapaxes(2, 3) if back else unitary
    return scatter((unitary @ groups[..., None])[..., 0], stride)


def shuffle(
    symbols: Array, key: bytes, messages: Array, back: bool = False, fresh: bool = True
) -> Array:
    """Permute the reals of the symbols, or back; all messages alike unless ``fresh``."""
    key, counters = subkey(key, "shuffle" if fresh else "shuffle/fixed"), messages * fresh
    reals = np.stack([symbols.real, symbols.imag], 2).reshape(len(symbols), -1)
    size = reals.shape[1]
    low = np.uint64(2 ** (size - 1).bit_length() - 1)
    words = keystream(key, counters, 8 * size).view("<u8")
    order = (np.sort((words & ~low) | np.arange(size, dtype=np.uint64), 1) & low).astype(int)
    reals = np.take_along_axis(reals, order.argsort(1) if back else order, 1)
    found: Array = reals[:, ::2] + 1j * reals[:, 1::2]
    return found


def key_bits(key: bytes, messages: Array, bits: int) -> Array:
    """Return +1 and −1, float32 ``[B, bits]``: the input ``key`` of a learned encryptor."""
    stream = keystream(subkey(key, "cipher"), messages, -(-bits // 8))
    return 2 * np.unpackbits(stream, 1, bits, "little").astype(np.float32) - 1


def pilot(subcarriers: int) -> Array:
    """Return the pilot symbol, a Zadoff-Chu sequence, complex ``[N]``."""
    n = np.arange(subcarriers)
    return np.exp(-1j * np.pi / subcarriers * (n * (n + subcarriers % 2) % (2 * subcarriers)))


def ofdm_modulate(symbols: Array, subcarriers: int, prefix: int, pilots: int) -> Array:
    """Return the samples of a frame, complex ``[B, T]``."""
    data = symbols.reshape(len(symbols), -1, subcarriers)
    known = np.broadcast_to(pilot(subcarriers), (len(symbols), pilots, subcarriers))
    time = np.fft.ifft(np.concatenate([known, data], 1), norm="ortho")
    framed = np.concatenate([time[..., subcarriers - prefix :], time], 2)
    return framed.reshape(len(symbols), -1)


def ofdm_demodulate(
    samples: Array,
    uses: int,
    subcarriers: int,
    prefix: int,
    pilots: int,
    variance: float,
    profile: Array | None = None,
) -> tuple[Array, Array]:
    """Return the equalised symbols ``[B, uses]`` and their reliability ``[B, 1]``.

    The channel is estimated from the pilots: by LMMSE where its power-delay profile is given, else
    by least squares. ``variance`` is that of the noise per complex sample.
    """
    count, length = pilots + uses // subcarriers, subcarriers + prefix
    grid = samples[:, : count * length].reshape(len(samples), count, length)
    grid = np.fft.fft(grid[..., prefix:], norm="ortho")
    h, error = grid[:, :pilots].mean(1) / pilot(subcarriers), variance / pilots
    if profile is not None:
        gain = profile / (profile + error / subcarriers)
        h = np.fft.fft(np.fft.ifft(h)[:, : len(profile)] * gain, subcarriers)
        error = float((profile * (1 - gain)).sum())
    data = grid[:, pilots:].reshape(len(samples), -1)
    return equalise(data, np.tile(h, (1, count - pilots)), variance + error)


def equalise(symbols: Array, h: Array, variance: float) -> tuple[Array, Array]:
    """Return MMSE-equalised symbols and reliability; ``h`` complex ``[B, 1]`` or ``[B, k]``."""
    power = np.abs(h) ** 2
    reliability = (power / (power + variance)).mean(1, keepdims=True).astype(np.float32)
    return h.conj() / (power + variance) * symbols, reliability
