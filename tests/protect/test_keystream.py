"""The keystream, against RFC 8439 and a ChaCha20 written out from it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from semveil.errors import SemveilError
from semveil.protect.keys import research_key, subkey
from semveil.protect.keystream import cipher_blocks, keystream, words

KEY = research_key(0, "keystream")


def _rotate(x: np.ndarray, bits: int) -> np.ndarray:
    return (x << np.uint32(bits)) | (x >> np.uint32(32 - bits))


def _reference_block(key: bytes, number: int) -> bytes:
    """ChaCha20's block function as RFC 8439, section 2.3, has it."""
    state = np.frombuffer(b"expand 32-byte k" + key + number.to_bytes(16, "little"), "<u4").astype(
        np.uint32
    )
    x = state.copy()
    columns = np.array([[0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15]]).T
    diagonals = np.array([[0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14]]).T
    for _ in range(10):
        for a, b, c, d in (columns, diagonals):
            for one, two, three, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                x[one] += x[two]
                x[three] = _rotate(x[three] ^ x[one], bits)
    return (x + state).astype("<u4").tobytes()


def test_vector_of_section_2_3_2() -> None:
    nonce = int.from_bytes(bytes.fromhex("000000090000004a00000000"), "little")
    block = cipher_blocks(bytes(range(32)), (nonce << 32) + 1, 1)
    assert block.tobytes().hex() == (
        "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e"
        "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e"
    )


def test_first_vectors_of_appendix_a_1() -> None:
    assert cipher_blocks(bytes(32), 0, 2).tobytes().hex() == (
        "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
        "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"
        "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
        "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f"
    )


@pytest.mark.parametrize("first", [0, 2**32 - 2, 3 * 2**32 - 1, 2**64 - 2, 2**96 - 1, 2**127])
def test_blocks_at_the_counters_end_are_those_of_the_next_nonce(first: int) -> None:
    blocks = cipher_blocks(KEY, first, 4).tobytes()
    assert blocks == b"".join(_reference_block(KEY, first + i) for i in range(4))


def test_the_counter_does_not_wrap_into_reuse() -> None:
    assert (cipher_blocks(KEY, 2**32, 1) != cipher_blocks(KEY, 0, 1)).any()


def test_messages_across_the_boundary_own_their_blocks() -> None:
    # Six blocks each: message 715827882 begins at block 2³² − 4 and ends in the next nonce.
    message = 2**32 // 6
    stream = keystream(KEY, torch.arange(message - 1, message + 2), 6 * 64)
    own = subkey(KEY, "keystream", 6 * 64)
    for row, number in zip(stream, range(message - 1, message + 2), strict=True):
        expected = b"".join(_reference_block(own, 6 * number + i) for i in range(6))
        assert row.numpy().tobytes() == expected


@pytest.mark.parametrize("length", [1, 63, 64, 65, 384])
def test_overlapping_sets_of_messages_agree(length: int) -> None:
    everything = keystream(KEY, torch.arange(40), length)
    assert everything.shape == (40, length)
    for chosen in ([5, 6, 7], [39, 0, 17], [3, 3, 2], [30, 31, 10, 11, 12]):
        assert torch.equal(keystream(KEY, torch.tensor(chosen), length), everything[chosen])


def test_the_largest_counter_has_a_stream_of_its_own() -> None:
    last = torch.tensor([2**63 - 1])
    assert (keystream(KEY, last, 1024) != keystream(KEY, torch.tensor([0]), 1024)).any()


def test_lengths_keys_and_messages_share_nothing() -> None:
    def blocks(key: bytes, length: int) -> set[bytes]:
        rows = keystream(key, torch.arange(50), length).numpy()
        return {row[i : i + 64].tobytes() for row in rows for i in range(0, length, 64)}

    streams = [blocks(KEY, 64), blocks(KEY, 128), blocks(KEY, 192), blocks(subkey(KEY, "a"), 64)]
    assert len(set().union(*streams)) == 50 * (1 + 2 + 3 + 1)


def test_no_messages_need_no_bytes() -> None:
    assert keystream(KEY, torch.empty(0, dtype=torch.int64), 8).shape == (0, 8)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(SemveilError, match="32 bytes"):
        keystream(bytes(16), torch.arange(2), 8)
    with pytest.raises(SemveilError, match="32 bytes"):
        cipher_blocks(bytes(16), 0, 1)
    with pytest.raises(ValueError, match="negative"):
        keystream(KEY, torch.tensor([-1]), 8)
    with pytest.raises(ValueError, match="at least one byte"):
        keystream(KEY, torch.arange(2), 0)


@pytest.mark.parametrize("bits", [32, 64])
def test_words_are_the_little_endian_bytes_and_look_uniform(bits: int) -> None:
    found = words(KEY, torch.arange(1000), 8, bits)
    first = keystream(KEY, torch.arange(1000), bits)[0, : bits // 8].numpy().tobytes()
    assert int(found[0, 0]) == int.from_bytes(first, "little")
    # 99 % confidence.
    assert stats.kstest(found.ravel() / 2.0**bits, "uniform").pvalue > 0.01
