"""The keyed tag: HMAC-SHA256 of another library, keys of its own, and the stated forgeries."""

from __future__ import annotations

import numpy as np
import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from scipy import stats

from semveil.errors import SemveilError
from semveil.protect.keys import research_key, subkey
from semveil.protect.tag import FrameTag

KEY = research_key(0, "tag")


@pytest.mark.parametrize("bits", [8, 64, 256])
@pytest.mark.parametrize("message", [0, 258, 2**63 - 1])
def test_it_is_hmac_over_counter_and_content(bits, message):
    known = HMAC(subkey(KEY, "tag", bits), SHA256())
    known.update(message.to_bytes(8, "big") + b"frame")
    assert FrameTag(KEY, bits).sign(message, b"frame") == known.finalize()[: bits // 8]


def test_keys_lengths_counters_and_contents_do_not_share_tags():
    tag = FrameTag(KEY, 64)
    signed = tag.sign(1, b"frame")
    others = [
        FrameTag(research_key(1, "tag"), 64).sign(1, b"frame"),
        FrameTag(KEY, 256).sign(1, b"frame")[:8],
        tag.sign(2, b"frame"),
        tag.sign(1, b"frame\0"),
        # No byte moves from the counter to the content.
        tag.sign(0, b"\1frame"),
    ]
    assert signed not in others
    assert not any(tag.verify(1, b"frame", other) for other in others)
    assert tag.verify(1, b"frame", signed)


def test_a_guess_is_right_once_in_two_to_the_number_of_bits():
    tag, source = FrameTag(KEY, 8), np.random.default_rng(0)
    guesses = 50_000
    right = sum(tag.verify(n, b"frame", source.bytes(1)) for n in range(guesses))
    low, high = stats.binom.interval(0.999, guesses, 2**-8)
    assert low <= right <= high


@pytest.mark.parametrize("bits", [0, 4, 12, 264])
def test_other_lengths_are_refused(bits):
    with pytest.raises(SemveilError, match="tag_bits: expected a multiple of 8 from 8 to 256"):
        FrameTag(KEY, bits)
