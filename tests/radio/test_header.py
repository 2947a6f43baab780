"""The header: what it carries, what protects it, and what is refused."""

import struct

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semveil.errors import SemveilError
from semveil.phy import QPSK, crc
from semveil.phy.gold import gold_sequence
from semveil.phy.ldpc import LdpcCode
from semveil.radio import Header
from semveil.radio.header import MOST_SYMBOLS, decode, encode
from semveil.rng import generator, normal

BITS = 1536


@settings(deadline=None, max_examples=30)
@given(
    link=st.binary(min_size=8, max_size=8),
    key=st.binary(min_size=4, max_size=4),
    counter=st.integers(0, (1 << 63) - 1),
    images=st.integers(1, 255),
    symbols=st.integers(1, 65_536),
)
def test_a_header_survives_noise_stronger_than_the_signal(link, key, counter, images, symbols):
    header = Header(link, images, symbols, key, counter)
    sent = encode([header], BITS)
    noise = normal(tuple(sent.shape), dtype=sent.dtype, generator=generator(counter, "header"))
    # SNR −2 dB.
    variance = 10**0.2
    assert decode((sent + variance**0.5 * noise) / variance) == [header]


def test_noise_alone_passes_no_checksum():
    heard = normal((300, BITS // 2), dtype=torch.complex64, generator=generator(0, "noise"))
    heard[0] = 0
    assert {type(each) for each in decode(heard)} == {str}


def _forged(octets: bytes) -> torch.Tensor:
    """Return a header of any bytes, with a checksum that holds."""
    bits = torch.from_numpy(np.unpackbits(np.frombuffer(octets, np.uint8)))[None]
    coded = LdpcCode(240, BITS, 2).encode(crc.append(bits, "crc24a"))
    return QPSK.modulate(coded ^ gold_sequence(BITS, 0x0A1F))


@pytest.mark.parametrize(
    ("version", "counter", "images", "symbols", "word"),
    [
        (2, 0, 1, 64, "frame format 2"),
        (1, 0, 0, 64, "0 images"),
        (1, 0, 1, 0, "1 images of 0 symbols"),
        (1, 0, 65_535, 4_294_967_295, "4294967295 symbols"),
        (1, 0, 1, MOST_SYMBOLS + 1, str(MOST_SYMBOLS)),
        (1, -1, 1, 64, "counter"),
    ],
)
def test_a_header_that_lies_is_refused_in_one_line(version, counter, images, symbols, word):
    octets = struct.pack(">B8s4sqHI", version, b"link.abc", b"key.", counter, images, symbols)
    (reason,) = decode(4 * _forged(octets))
    assert isinstance(reason, str)
    assert word in reason
    assert "\n" not in reason


def test_a_forged_header_with_good_fields_is_read():
    octets = struct.pack(">B8s4sqHI", 1, b"link.abc", b"key.", 5, 2, 64)
    assert decode(4 * _forged(octets)) == [Header(b"link.abc", 2, 64, b"key.", 5)]


def test_samples_that_are_not_finite_are_no_error():
    heard = torch.full((1, BITS // 2), complex("nan"), dtype=torch.complex64)
    assert isinstance(decode(heard)[0], str)


@pytest.mark.parametrize(
    "fields",
    [
        {"link": b"short"},
        {"key": b"12345"},
        {"images": 0},
        {"images": 1 << 16},
        {"symbols": 0},
        {"symbols": MOST_SYMBOLS + 1},
        {"counter": -1},
        {"version": 256},
    ],
)
def test_fields_out_of_range_are_refused(fields):
    with pytest.raises(SemveilError, match="header"):
        Header(**({"link": bytes(8), "images": 1, "symbols": 64} | fields))
