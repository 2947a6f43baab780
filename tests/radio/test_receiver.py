"""The receiver: frames of every kind in streams of every kind."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from semveil.errors import SemveilError
from semveil.phy import normalise_power
from semveil.radio import FrameFormat, HardwareChannel, Header, Receiver, burst, modulate, receive
from semveil.radio.measure import detection, false_alarms
from semveil.radio.modulate import preamble
from semveil.rng import generator, normal, uniform

OFDM = FrameFormat()
SINGLE = FrameFormat(carrier="single", oversampling=2, pilot_spacing=4)
OTHERS = [
    FrameFormat(oversampling=4),
    FrameFormat(guard_dc=False, guard_edges=0, pilot_spacing=16),
    FrameFormat(subcarriers=128, prefix=20, guard_edges=10, preamble=2, level=3.0),
    FrameFormat(subcarriers=512, prefix=64, guard_edges=40, preamble=1),
    FrameFormat(carrier="single", oversampling=4, roll_off=0.5, whitening=False),
]
K = 192


def _sent(frame, count=5, k=K, images=1):
    z = normal((count, images * k), dtype=torch.complex64, generator=generator(0, "sent", count))
    z = normalise_power(z)
    headers = [Header(b"link.abc", images, k, b"key.", 10 + i) for i in range(count)]
    return modulate(frame, headers, z), z, headers


def _heard(frame, samples, **settings):
    return HardwareChannel(**settings)(samples[None], frame, generator=generator(1))[0]


def _close(heard, z, snr_db):
    """Return whether symbols are those sent, at nearly this SNR."""
    reception = heard.reception
    error = (reception.symbols.flatten() - reception.csi.flatten() * z).abs().square().mean()
    return error < 10 ** (-(snr_db - 1.5) / 10)


@pytest.mark.parametrize("frame", [OFDM, SINGLE, *OTHERS])
def test_frames_are_found_where_they_start_and_their_symbols_are_those_sent(frame):
    samples, z, headers = _sent(frame)
    stream = burst(samples, gap=777, lead=500, tail=300)
    offset = 0.4 * frame.spacing
    found = receive(frame, _heard(frame, stream, snr_db=20.0, cfo_hz=offset))
    assert [each.header for each in found] == headers
    for i, each in enumerate(found):
        assert each.reason is None
        assert abs(each.start - 500 - i * (samples.shape[1] + 777)) <= 2 * frame.oversampling
        assert each.length == samples.shape[1]
        assert each.cfo_hz == pytest.approx(offset, abs=0.01 * frame.spacing)
        assert each.cfo_subcarriers == pytest.approx(0.4, abs=0.01)
        assert each.snr_db == pytest.approx(20, abs=1)
        assert each.evm == pytest.approx(0.1, abs=0.04)
        assert 0.5 < each.sync_metric <= 1
        assert each.reception.symbols.shape == (1, K)
        assert each.reception.csi.shape == (1, 1 if frame.single else K)
        assert _close(each, z[i], 20)


@pytest.mark.parametrize("frame", [OFDM, SINGLE])
@pytest.mark.parametrize("ppm", [-40.0, 40.0])
def test_frames_without_gaps_are_each_synchronised(frame, ppm):
    samples, z, headers = _sent(frame, 30)
    found = receive(frame, _heard(frame, burst(samples, gap=0), snr_db=20.0, sro_ppm=ppm))
    assert [each.header for each in found] == headers
    assert all(_close(each, row, 19.5) for each, row in zip(found, z, strict=True))


@pytest.mark.parametrize("frame", [OFDM, SINGLE])
def test_the_result_does_not_depend_on_the_pieces_of_the_stream(frame):
    samples, _, _ = _sent(frame, 8)
    stream = _heard(frame, burst(samples, gap=1000, lead=3000), snr_db=15.0, taps=4)
    whole = receive(frame, stream)
    receiver, pieces = Receiver(frame), list[object]()
    first = 0
    while first < len(stream):
        size = int(uniform((1,), generator=generator(2, first)) * 9000)
        pieces += receiver.feed(stream[first : first + size])
        first += size
    pieces += receiver.finish()
    assert len(whole) == 8
    for one, other in zip(whole, pieces, strict=True):
        assert (one.start, one.header) == (other.start, other.header)
        torch.testing.assert_close(one.reception.symbols, other.reception.symbols)
    # It is ready for another stream.
    assert [each.start for each in receiver.feed(stream) + receiver.finish()] == [
        each.start for each in whole
    ]


def test_a_long_stream_is_received_in_bounded_memory():
    samples, _, headers = _sent(OFDM, 1)
    receiver, source, found = Receiver(OFDM), generator(3), []
    for i in range(12):
        noise = 0.05 * normal((1 << 17,), dtype=torch.complex64, generator=source)
        if i == 10:
            noise[5000 : 5000 + samples.shape[1]] += samples[0]
        found += receiver.feed(noise)
        assert len(receiver._buffer) < 1 << 20
    found += receiver.finish()
    assert [(each.header, each.start) for each in found] == [(headers[0], (10 << 17) + 5000)]


def test_several_images_of_a_frame_are_rows_of_its_reception():
    samples, z, headers = _sent(OFDM, 2, k=64, images=3)
    found = receive(OFDM, _heard(OFDM, burst(samples, gap=50), snr_db=30.0))
    assert [each.header for each in found] == headers
    reception = found[1].reception
    assert reception.symbols.shape == (3, 64)
    torch.testing.assert_close(
        reception.symbols / reception.csi, z[1].view(3, 64), atol=0.2, rtol=0
    )


@pytest.mark.parametrize("at", [0.28, 0.97])
def test_a_frame_that_is_cut_is_reported_as_cut(at):
    samples, _, headers = _sent(OFDM, 2)
    stream = burst(samples, gap=0)
    found = receive(OFDM, stream[: int((1 + at) * samples.shape[1])])
    assert found[0].header == headers[0]
    assert found[1].reception is None
    assert "ends within" in found[1].reason
    assert (found[1].header == headers[1]) == (at > 0.9)


def test_a_frame_whose_middle_is_missing_does_not_hide_the_next():
    samples, z, headers = _sent(OFDM, 3)
    length = samples.shape[1]
    stream = torch.cat([samples[0], samples[1, : length // 3], samples[2], samples[0, :100]])
    found = receive(OFDM, _heard(OFDM, stream, snr_db=25.0))
    assert [each.header for each in found] == [headers[0], None, headers[2]]
    assert found[1].reason == "header: checksum differs"
    assert _close(found[2], z[2], 25)


def test_samples_that_are_not_finite_count_as_silence():
    samples, z, headers = _sent(OFDM, 3)
    stream = _heard(OFDM, burst(samples, gap=400, lead=400), snr_db=25.0)
    stream[100:200] = complex("nan")
    stream[450 + samples.shape[1]] = complex("inf")
    found = receive(OFDM, stream)
    assert [each.header for each in found] == headers
    assert _close(found[2], z[2], 25)
    assert receive(OFDM, torch.full((5000,), complex("nan"), dtype=torch.complex64)) == []


@pytest.mark.parametrize("length", [0, 1, 700, 3000])
def test_silence_and_short_streams_have_no_frames(length):
    assert receive(OFDM, torch.zeros(length, dtype=torch.complex64)) == []
    assert receive(SINGLE, torch.ones(length, dtype=torch.complex64)) == []


def test_a_frame_may_be_the_whole_stream():
    samples, _, headers = _sent(OFDM, 1)
    (found,) = receive(OFDM, samples[0])
    assert (found.start, found.header) == (0, headers[0])


def test_a_frame_of_more_symbols_than_the_receiver_takes_is_refused():
    samples, _, _ = _sent(OFDM, 2)
    found = receive(OFDM, burst(samples, gap=0), max_symbols=K - 1)
    assert [each.header for each in found] == [None, None]
    assert all(str(K - 1) in each.reason for each in found)


def test_another_version_is_refused_and_another_link_is_left_to_the_caller():
    z = torch.ones(1, K, dtype=torch.complex64)
    other = modulate(OFDM, [Header(b"another.", 1, K)], z)
    newer = modulate(OFDM, [Header(b"link.abc", 1, K, version=2)], z)
    found = receive(OFDM, torch.cat([other, newer], 1)[0])
    assert found[0].header.link == b"another."
    assert found[1].header is None
    assert found[1].reason == "header: frame format 2; this receiver reads 1"


def test_frames_of_different_lengths_follow_each_other():
    long, short = _sent(OFDM, 2, k=2000), _sent(OFDM, 3, k=48)
    stream = torch.cat([long[0][0], short[0][0], short[0][1], long[0][1], short[0][2]])
    found = receive(OFDM, _heard(OFDM, stream, snr_db=25.0))
    assert [each.header.symbols for each in found] == [2000, 48, 48, 2000, 48]


@pytest.mark.parametrize("frame", [OFDM, SINGLE])
def test_hardware_limits_cost_little(frame):
    samples, z, headers = _sent(frame, 6)
    stream = _heard(
        frame,
        burst(samples, gap=500, lead=100),
        snr_db=15.0,
        cfo_hz=0.3 * frame.spacing,
        sro_ppm=-20.0,
        delay=0.5,
        phase_noise=1.0,
        clip_ratio=2.5,
        iq_gain_db=0.3,
        iq_phase_deg=1.0,
        dc_offset=0.05,
        bits=12,
    )
    found = receive(frame, stream)
    assert [each.header for each in found] == headers
    assert all(_close(each, row, 14) for each, row in zip(found, z, strict=True))


def test_an_offset_at_dc_as_strong_as_the_signal_hides_no_frame():
    samples, z, headers = _sent(OFDM, 4)
    stream = _heard(
        OFDM, burst(samples, gap=900), snr_db=20.0, dc_offset=0.7, cfo_hz=0.2 * OFDM.spacing
    )
    found = receive(OFDM, stream)
    assert [each.header for each in found] == headers
    assert all(_close(each, row, 19) for each, row in zip(found, z, strict=True))


def test_a_weak_frame_behind_a_strong_one_is_found():
    samples, _, headers = _sent(OFDM, 2)
    stream = torch.cat([30 * samples[0], 0.01 * samples[1]])
    noise = 3e-4 * normal((len(stream),), dtype=torch.complex64, generator=generator(5))
    assert [each.header for each in receive(OFDM, stream + noise)] == headers


def test_a_preamble_without_a_frame_is_reported_and_passed_over():
    samples, _, headers = _sent(OFDM, 1)
    stream = torch.cat([preamble(OFDM), torch.zeros(200), samples[0]])
    found = receive(OFDM, _heard(OFDM, stream, snr_db=20.0))
    assert [each.header for each in found] == [None, headers[0]]


def test_samples_of_another_kind_are_refused():
    with pytest.raises(SemveilError, match="complex"):
        Receiver(OFDM).feed(torch.zeros(10))
    with pytest.raises(SemveilError, match=r"\[2, 10\]"):
        Receiver(OFDM).feed(torch.zeros(2, 10, dtype=torch.complex64))


@pytest.mark.parametrize("frame", [OFDM, SINGLE])
def test_frames_are_found_at_5_db_over_8_taps_at_any_offset(frame):
    result = detection(frame, HardwareChannel(snr_db=5.0, taps=8), 150, K, cfo=0.9)
    assert result.found >= 149
    assert result.read >= 148
    assert result.wrong == 0


@pytest.mark.parametrize("frame", [OFDM, SINGLE])
def test_noise_has_no_frames(frame):
    assert false_alarms(frame, 2_000_000) == (0, 0)


@pytest.mark.parametrize("frame", [OFDM, SINGLE])
def test_synchronisation_costs_less_than_half_a_db_at_10_db(frame):
    result = detection(frame, HardwareChannel(snr_db=10.0), 60, 480, cfo=0.9)
    assert result.read == 60
    assert 0 < result.loss_db < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("frame", [OFDM, SINGLE])
@pytest.mark.parametrize("ppm", [-40.0, 40.0])
def test_a_clock_offset_is_tracked_over_the_frame_of_a_large_image(frame, ppm):
    channel = HardwareChannel(snr_db=10.0, sro_ppm=ppm)
    result = detection(frame, channel, 3, 32_768, cfo=0.5)
    assert result.read == 3
    assert result.loss_db < 0.5
    assert result.sro_ppm == pytest.approx(ppm, abs=3)


@pytest.mark.parametrize(("linewidth", "bound"), [(10.0, 0.5), (200.0, 1.8)])
def test_phases_are_smoothed_over_as_many_blocks_as_phase_noise_allows(linewidth, bound):
    channel = HardwareChannel(snr_db=10.0, phase_noise=linewidth)
    assert detection(OFDM, channel, 32, 960).loss_db < bound


def test_multipath_within_the_prefix_costs_what_estimation_costs():
    result = detection(OFDM, HardwareChannel(snr_db=15.0, taps=8), 60, 480)
    assert result.loss_db < 0.5
    longer = detection(replace(OFDM, prefix=4), HardwareChannel(snr_db=15.0, taps=8), 60, 480)
    assert longer.loss_db > result.loss_db


def test_a_single_carrier_over_taps_loses_to_interference_and_little_to_synchronisation():
    result = detection(SINGLE, HardwareChannel(snr_db=10.0, taps=8), 120, 480, cfo=0.9)
    assert 0 < result.synchronisation_db < 0.5
    # The MMSE equaliser of blocks of 64 symbols, over as many channels, by the closed form.
    profile = np.exp(-np.arange(8) / 1.5)
    parts = np.random.default_rng(0).normal(size=(2, 20_000, 8))
    taps = (parts[0] + 1j * parts[1]) * np.sqrt(profile / profile.sum() / 2)
    gain = 10 * np.abs(np.fft.fft(taps, 64)) ** 2
    sinr = 1 / (1 / (1 + gain)).mean(1) - 1
    expected = (10 * np.log10(gain.mean(1) / sinr)).mean()
    assert result.loss_db - result.synchronisation_db == pytest.approx(expected, abs=0.3)


@pytest.mark.parametrize(("frame", "taps"), [(OFDM, 8), (SINGLE, 0)])
def test_without_interference_all_that_is_lost_is_due_to_synchronisation(frame, taps):
    result = detection(frame, HardwareChannel(snr_db=10.0, taps=taps), 8, 480, cfo=0.9)
    assert result.synchronisation_db == pytest.approx(result.loss_db, abs=1e-3)
