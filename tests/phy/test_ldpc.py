"""LDPC codes of 5G: the code, its rate matching, and how well it is decoded."""

import math
from collections import Counter

import pytest
import torch

from semveil.phy import QPSK, Constellation, awgn, snr_to_noise_variance
from semveil.phy.ldpc import LdpcCode
from semveil.phy.ldpc.check import UNIT, boxplus, extrinsic
from semveil.phy.ldpc.graph import lift
from semveil.rng import generator

CODES = [
    (12, 24, None),  # the smallest; columns of nothing but fillers
    (200, 600, 2),  # rate 1/3
    (292, 400, None),  # rows in part
    (1200, 2432, 4),  # rate 1/2
    (1200, 1800, None),  # rate 2/3
    (1200, 1440, 6),  # rate 5/6, base graph 1
    (8448, 9000, None),  # the largest, the core alone
]


def _bits(rows, k, seed=0):
    return torch.randint(0, 2, (rows, k), generator=generator(seed, "bits"), dtype=torch.uint8)


def _heard(code, bits, constellation, snr_db, seed=0):
    sent = constellation.modulate(code.encode(bits))
    heard = awgn(sent, snr_db, generator=generator(seed, "noise"))
    return constellation.soft(heard, snr_to_noise_variance(snr_db))


def _block_errors(code, llrs, bits, iterations=20):
    return (code.decode(llrs, iterations)[0] != bits).any(1)


@pytest.mark.parametrize(("k", "n", "bits_per_symbol"), CODES)
def test_without_noise_every_bit_comes_back(k, n, bits_per_symbol):
    code = LdpcCode(k, n, bits_per_symbol)
    bits = _bits(5, k)
    sent = code.encode(bits)
    assert sent.shape == (5, n)
    decoded, valid = code.decode(10 * (2.0 * sent - 1))
    assert decoded.dtype == torch.uint8
    assert torch.equal(decoded, bits)
    assert valid.all()


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("k", [100, 640, 1200, 3000])
def test_all_checks_hold(number, k):
    """``H·c = 0`` over the whole mother code, with ``H`` built from the shifts alone."""
    from semveil.phy.ldpc.encoder import Encoder

    graph = lift(number, k)
    filled = torch.zeros(3, graph.information * graph.size, dtype=torch.uint8)
    filled[:, :k] = _bits(3, k)
    word = Encoder(graph, len(graph.rows))(filled)
    assert torch.equal(word[:, :k], filled[:, :k])
    columns = word.unflatten(1, (graph.columns, graph.size)).long()
    for row in graph.rows:
        turned = [columns[:, column].roll(-shift, 1) for column, shift in row]
        assert not (sum(turned) % 2).any()


def test_no_bit_has_more_checks_than_integers_allow():
    for number in (1, 2):
        degrees = Counter(column for row in lift(number, 300).rows for column, _ in row)
        largest = UNIT * (20 + 15 * (max(degrees.values()) + 1))
        assert 4 * largest < 2**15


@pytest.mark.parametrize("degree", [2, 3, 4, 5, 6, 7, 8, 9, 10, 19])
def test_checks_are_near_the_exact_box_plus(degree):
    llrs = 6 * torch.rand(degree, 4000, generator=generator(degree, "check")) + 0.5
    steps = (llrs * UNIT).round().to(torch.int16)
    extrinsic(steps, found := torch.empty_like(steps))
    tanh = (steps.double() / UNIT / 2).tanh()
    for i in range(degree):
        exact = 2 * torch.cat([tanh[:i], tanh[i + 1 :]]).prod(0).atanh()
        minimum = torch.cat([steps[:i], steps[i + 1 :]]).amin(0).double() / UNIT
        ours = (found[i].double() / UNIT).clamp(min=0)
        # The mean error stays well below that of the minimum alone.
        if degree > 2:
            assert (ours - exact).abs().mean() < 0.5 * (minimum - exact).abs().mean()
        else:
            assert torch.equal(ours, minimum)


def test_box_plus_of_a_line_by_hand():
    a = torch.tensor([[100, 100, 100, 3]], dtype=torch.int16)
    b = torch.tensor([[100, 120, 800, 3]], dtype=torch.int16)
    boxplus(a, b, out := torch.empty_like(a))
    assert out.tolist() == [[91, 96, 100, -6]]


def test_a_codeword_is_decoded_alike_in_any_company():
    code = LdpcCode(100, 200)
    bits = _bits(300, 100)
    llrs = _heard(code, bits, QPSK, 1.0)
    together, valid = code.decode(llrs)
    assert 0 < valid[:12].sum() < 12  # both kinds are there
    for window in (1, 5, 12):
        some, some_valid = code.decode(llrs[:12], window=window)
        assert torch.equal(some, together[:12])
        assert torch.equal(some_valid, valid[:12])


def test_valid_means_that_all_checks_hold():
    code = LdpcCode(100, 200)
    bits = _bits(400, 100)
    decoded, valid = code.decode(_heard(code, bits, QPSK, 0.5))
    wrong = (decoded != bits).any(1)
    assert wrong.sum() > 20
    # What is reported as valid is a codeword, so it is nearly always the one that was sent.
    assert (wrong & valid).sum() < 0.1 * wrong.sum()
    assert not wrong[valid].all()
    assert valid[~wrong].float().mean() > 0.95


def test_more_iterations_and_more_signal_are_never_worse():
    code = LdpcCode(200, 400)
    bits = _bits(500, 200)
    errors = [
        [
            _block_errors(code, _heard(code, bits, QPSK, snr_db), bits, iterations).sum().item()
            for iterations in (1, 3, 8, 20)
        ]
        for snr_db in (0.0, 1.5, 3.0)
    ]
    for row in errors:
        assert row == sorted(row, reverse=True)
    for column in zip(*errors, strict=True):
        assert list(column) == sorted(column, reverse=True)
    assert errors[0][0] == 500
    assert errors[2][3] < 5


@pytest.mark.parametrize(("n", "limit_db"), [(1200, -2.26), (800, 0.19), (600, 2.31), (480, 4.58)])
def test_every_rate_comes_near_its_limit(n, limit_db):
    """Rates 1/3, 1/2, 2/3, 5/6: 400 bits, 1.5 dB above what QPSK of that rate needs at least."""
    code = LdpcCode(400, n, 2)
    bits = _bits(300, 400)
    errors = _block_errors(code, _heard(code, bits, QPSK, limit_db + 1.5), bits)
    assert errors.float().mean() < 0.1
    errors = _block_errors(code, _heard(code, bits, QPSK, limit_db), bits)
    assert errors.float().mean() > 0.5


@pytest.mark.parametrize(("k", "most"), [(100, 820), (640, 3520)])
def test_beyond_the_mother_code_bits_are_repeated_and_their_llrs_added(k, most):
    once, twice = LdpcCode(k, most), LdpcCode(k, 2 * most)
    bits = _bits(40, k)
    sent = once.encode(bits)
    assert torch.equal(twice.encode(bits), torch.cat([sent, sent], 1))
    # So noisy that few codewords are decoded: what agrees is the sum, not the bits sent.
    noise = torch.randn(40, 2 * most, generator=generator(0, "repetition"))
    heard = 0.2 * (2.0 * torch.cat([sent, sent], 1) - 1) + 0.4 * noise
    added = heard[:, :most] + heard[:, most:]
    assert torch.equal(twice.decode(heard)[0], once.decode(added)[0])


def test_bits_of_a_symbol_are_spread_as_asked():
    plain, spread = LdpcCode(100, 240), LdpcCode(100, 240, 4)
    bits = _bits(2, 100)
    expected = plain.encode(bits).reshape(2, 4, 60).transpose(1, 2).flatten(1)
    assert torch.equal(spread.encode(bits), expected)


@pytest.mark.parametrize(
    ("k", "n", "m", "message"),
    [
        (11, 40, None, "k=11: an LDPC code block carries 12 to 8448 information bits"),
        (8449, 20000, None, "k=8449: an LDPC code block carries"),
        (100, 99, None, "k=100 bits in n=99: the code rate is at most 0.95"),
        (100, 0, None, "k=100 bits in n=0: the code rate"),
        (4000, 16400, None, "k=4000 bits in n=16400: rates below 1/4 end at k=3840"),
        (100, 201, 2, "n=201 bits are not a multiple of 2 per symbol"),
    ],
)
def test_codes_that_there_are_not(k, n, m, message):
    with pytest.raises(ValueError, match=message):
        LdpcCode(k, n, m)


def test_wrong_shapes():
    code = LdpcCode(100, 200)
    with pytest.raises(ValueError, match=r"bits are \[1, 99\], not \[B, 100\]"):
        code.encode(_bits(1, 99))
    with pytest.raises(ValueError, match=r"LLRs are \[200\], not \[B, 200\]"):
        code.decode(torch.zeros(200))
    with pytest.raises(ValueError, match="0 iterations"):
        code.decode(torch.zeros(1, 200), iterations=0)


def test_no_codewords_are_no_trouble():
    code = LdpcCode(100, 200)
    assert code.encode(_bits(0, 100)).shape == (0, 200)
    assert code.decode(torch.zeros(0, 200))[0].shape == (0, 100)


class TestAgainstSionna:
    """Sionna's encoder, and its whole chain; an independent implementation."""

    @pytest.fixture(autouse=True)
    def _on_the_cpu(self):
        pytest.importorskip("sionna.phy")
        from sionna.phy import config

        before, config.device = config.device, "cpu"
        yield
        config.device = before

    @pytest.mark.parametrize(
        ("k", "n", "bits_per_symbol"),
        [*CODES[:6], (640, 2000, None), (3840, 4800, None), (600, 800, 2), (4000, 11000, None)],
    )
    def test_the_same_codewords(self, k, n, bits_per_symbol):
        from sionna.phy.fec.ldpc import LDPC5GEncoder

        theirs = LDPC5GEncoder(k, n, bits_per_symbol, device="cpu")
        bits = _bits(4, k).float()
        assert torch.equal(LdpcCode(k, n, bits_per_symbol).encode(bits), theirs(bits))

    def test_block_error_rate_of_the_chain(self):
        """16-QAM over AWGN: our chain beside Sionna's own, and its decoder on what ours heard."""
        from sionna.phy import config
        from sionna.phy.channel import AWGN
        from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder
        from sionna.phy.mapping import Demapper, Mapper

        k, n, m, snr_db, frames = 100, 200, 4, 6.2, 600
        code = LdpcCode(k, n, m)
        bits = _bits(frames, k)
        llrs = _heard(code, bits, Constellation("qam", 2**m), snr_db)
        encoder = LDPC5GEncoder(k, n, m, device="cpu")
        decoder = LDPC5GDecoder(encoder, device="cpu")
        ours = _block_errors(code, llrs, bits)
        same = (decoder(llrs) != bits).any(1)

        config.seed = 1
        noise = snr_to_noise_variance(snr_db)
        symbols = Mapper("qam", m, device="cpu")(encoder(bits.float()))
        arrived = AWGN(device="cpu")(symbols, noise)
        theirs = decoder(Demapper("app", "qam", m, device="cpu")(arrived, noise)) != bits
        rates = [errors.float().mean().item() for errors in (ours, same, theirs.any(1))]
        assert all(0.02 < rate < 0.5 for rate in rates)
        # Independent noise: within three standard errors of a difference of two rates.
        mean = (rates[1] + rates[2]) / 2
        assert abs(rates[1] - rates[2]) < 3 * math.sqrt(2 * mean * (1 - mean) / frames)
        # The same noise: of the codewords on which one decoder fails, ours fails on no more.
        lost, won = (ours & ~same).sum().item(), (same & ~ours).sum().item()
        assert lost - won < 3 * math.sqrt(lost + won + 1)
