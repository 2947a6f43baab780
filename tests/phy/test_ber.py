"""Measured bit error rates against closed forms, each bit of a symbol on its own.

The bits of one symbol share its noise and its fade, but the same bit of different symbols is
independent, so each bit's errors are binomial and its interval (Clopper-Pearson) is exact. The
level of the intervals is shared between a test's bits: all hold together in 99 % of the cases.
"""

import math

import pytest
import torch
from scipy import integrate, special, stats

from semveil.phy import Constellation, awgn, flat, rayleigh, zero_forcing
from semveil.rng import generator

SYMBOLS = 2**18
CASES = [(2, 0.0), (2, 6.0), (4, 4.0), (4, 9.0), (16, 6.0), (16, 15.0), (64, 10.0), (64, 20.0)]


def gray_qam_ber(order, bit, snr):
    """Exact error rate of one bit of BPSK, QPSK or square Gray QAM at a linear ``E_s/N_0``.

    Cho and Yoon (IEEE Trans. Commun. 50(7), 2002), equation 14, for bit ``k`` of one axis.
    """
    if order == 2:
        return 0.5 * special.erfc(math.sqrt(snr))
    levels, k = math.isqrt(order), bit // 2 + 1
    total = 0.0
    for i in range(levels - levels // 2**k):
        turn = i * 2 ** (k - 1) / levels
        weight = (-1) ** math.floor(turn) * (2 ** (k - 1) - math.floor(turn + 0.5))
        total += weight * special.erfc((2 * i + 1) * math.sqrt(1.5 * snr / (order - 1)))
    return total / levels


def rayleigh_ber(order, bit, snr):
    """The same, averaged over an exponentially distributed SNR."""

    def integrand(power):
        return gray_qam_ber(order, bit, snr * power) * math.exp(-power)

    split = 10 / snr  # errors happen in fades: resolve them on their own
    fades, rest = integrate.quad(integrand, 0, split), integrate.quad(integrand, split, math.inf)
    return fades[0] + rest[0]


def assert_binomial(errors, trials, rate, tests):
    interval = stats.binomtest(errors, trials).proportion_ci(1 - 0.01 / tests, method="exact")
    assert interval.low <= rate <= interval.high, f"{errors / trials} is not {rate}"


@pytest.mark.parametrize("fading", ["awgn", "rayleigh"])
@pytest.mark.parametrize(("order", "snr_db"), CASES)
def test_bit_error_rate_is_the_closed_form(order, snr_db, fading):
    constellation = Constellation("qam", order)
    m = constellation.bits_per_symbol
    source = generator(2024, fading, order, int(snr_db))
    bits = torch.randint(0, 2, (SYMBOLS, m), generator=source, dtype=torch.uint8)
    z = constellation.modulate(bits)
    if fading == "rayleigh":  # one symbol per image: every symbol has its own fade
        h = rayleigh(SYMBOLS, generator=source)
        y = zero_forcing(awgn(flat(h, z), snr_db, generator=source), h)
        closed_form = rayleigh_ber
    else:
        y = awgn(z, snr_db, generator=source)
        closed_form = gray_qam_ber
    errors = (constellation.hard(y) != bits).sum(0)
    for bit in range(m):
        rate = closed_form(order, bit, 10 ** (snr_db / 10))
        assert_binomial(int(errors[bit]), SYMBOLS, rate, tests=m)


def test_the_closed_forms_meet_their_textbook_values():
    assert rayleigh_ber(2, 0, 10.0) == pytest.approx(0.5 * (1 - math.sqrt(10 / 11)), rel=1e-6)
    assert gray_qam_ber(4, 1, 10.0) == pytest.approx(0.5 * special.erfc(math.sqrt(5)), rel=1e-9)
    # second bit of 16-QAM by hand: inner points err both ways, outer ones one way
    a = math.sqrt(10.0 / 10)
    q = [special.erfc(i * a) / 2 for i in (1, 3, 5)]
    assert gray_qam_ber(16, 2, 10.0) == pytest.approx(q[0] + (q[1] - q[2]) / 2, rel=1e-9)


@pytest.mark.parametrize(("order", "snr_db"), [(8, 10.0), (16, 15.0)])
def test_psk_symbol_error_rate(order, snr_db):
    constellation, snr = Constellation("psk", order), 10 ** (snr_db / 10)
    source = generator(2024, "psk", order)
    shape = (SYMBOLS, constellation.bits_per_symbol)
    bits = torch.randint(0, 2, shape, generator=source, dtype=torch.uint8)
    got = constellation.hard(awgn(constellation.modulate(bits), snr_db, generator=source))
    errors = int((got != bits).any(1).sum())
    sine = math.sin(math.pi / order) ** 2
    rate = (
        integrate.quad(
            lambda t: math.exp(-snr * sine / math.sin(t) ** 2), 0, math.pi - math.pi / order
        )[0]
        / math.pi
    )
    assert_binomial(errors, SYMBOLS, rate, tests=1)
