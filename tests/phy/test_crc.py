"""Cyclic redundancy checks: what they find, and that they are the standard's."""

import pytest
import torch

from semveil.phy import crc
from semveil.rng import generator

KINDS = ["crc16", "crc24a"]


def _bits(rows, n):
    return torch.randint(0, 2, (rows, n), generator=generator(0, "crc"), dtype=torch.uint8)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 15, 1000])
def test_what_was_sent_passes(kind, n):
    sent = crc.append(_bits(20, n), kind)
    assert sent.dtype == torch.uint8
    assert sent.shape == (20, n + crc.length(kind))
    assert crc.check(sent, kind).all()


@pytest.mark.parametrize("kind", KINDS)
def test_every_burst_within_the_check_length_is_found(kind):
    # A polynomial with a constant term divides no burst shorter than itself.
    n, width = 60, crc.length(kind)
    source = generator(1, "burst")
    bursts = torch.randint(0, 2, (500, width), generator=source, dtype=torch.uint8)
    bursts[:, 0] = 1
    starts = torch.randint(0, n + 1, (500, 1), generator=source)
    errors = torch.zeros(500, n + width, dtype=torch.uint8)
    errors.scatter_(1, starts + torch.arange(width), bursts)
    sent = crc.append(_bits(500, n), kind)
    assert not crc.check(sent ^ errors, kind).any()


def test_random_rows_pass_as_rarely_as_sixteen_bits_say():
    passed = crc.check(_bits(400_000, 24), "crc16").sum().item()
    # 400,000 / 2^16 = 6.1 are expected; outside of this range lies less than 1e-4.
    assert 0 < passed < 18


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_as_sionna(kind):
    pytest.importorskip("sionna.phy")
    from sionna.phy.fec.crc import CRCEncoder

    for n in (1, 37, 1200):
        bits = _bits(9, n).float()
        assert torch.equal(crc.append(bits, kind), CRCEncoder(kind.upper(), device="cpu")(bits))


def test_one_clear_line():
    with pytest.raises(ValueError, match="unknown check 'crc8': there are crc16 and crc24a"):
        crc.append(_bits(1, 5), "crc8")
    with pytest.raises(ValueError, match=r"bits are \[5\]"):
        crc.append(_bits(1, 5)[0], "crc16")
    with pytest.raises(ValueError, match=r"bits are \[2, 0\]"):
        crc.check(_bits(2, 16), "crc16")
