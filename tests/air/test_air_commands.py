"""The commands about the air, as a shell calls them."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sigmf
from PIL import Image

import semveil as package
from commands import refusal, succeed
from recordings import DIGITS, IMAGES, ROTATION
from semveil.air import counters
from semveil.recording import open_recording, write_recording


def listening(result):
    return json.loads(succeed(result).out)


def test_pictures_come_back_from_a_clean_recording(semveil, clean, tmp_path):
    out = tmp_path / "pictures"
    words = ["receive", clean, "--link", IMAGES, "--out", out, "--original", DIGITS]
    found = listening(semveil(*words, "--json"))
    assert [frame["counter"] for frame in found["frames"]] == [0, 1, 2, 3, 4]
    annotated = [each.start for each in open_recording(clean).annotations]
    np.testing.assert_allclose([frame["start"] for frame in found["frames"]], annotated, atol=1)
    assert sorted(path.name for path in out.iterdir()) == [f"image-{n:06}.png" for n in range(5)]
    # What the link does without noise and without air.
    link = package.load(IMAGES)
    originals = np.stack([np.asarray(Image.open(file)) for file in sorted(DIGITS.iterdir())])
    direct = link.send(originals[:, None], snr_db=60).images.numpy()
    for number, picture in enumerate(sorted(out.iterdir())):
        received = np.asarray(Image.open(picture)) / 255
        np.testing.assert_allclose(received, direct[number, 0], atol=0.03)


def test_the_table_says_what_an_engineer_looks_at(semveil, noisy, tmp_path):
    words = ["receive", noisy, "--link", IMAGES, "--out", tmp_path / "out", "--original", DIGITS]
    shown = succeed(semveil(*words)).out
    assert shown.splitlines()[0].strip() == "Bob, deepjscc-image"
    for title in ("sync", "CFO (Hz)", "SRO (ppm)", "EVM (%)", "SNR (dB)", "PSNR (dB)"):
        assert title in shown
    assert "5 of 5 frames decoded" in shown
    assert f"Pictures: {tmp_path / 'out'}\n" in shown


def test_what_rounds_to_zero_has_no_sign(semveil, clean, tmp_path):
    shown = succeed(semveil("receive", clean, "--link", IMAGES, "--out", tmp_path / "out")).out
    assert " 0.0 " in shown
    assert "-0.0" not in shown


def test_offsets_of_the_channel_are_measured(semveil, noisy, tmp_path):
    words = ["receive", noisy, "--link", IMAGES, "--out", tmp_path / "out", "--original", DIGITS]
    found = listening(semveil(*words, "--json"))
    assert len(found["frames"]) == 5
    stated = [each.start for each in open_recording(noisy).annotations]
    for frame, start in zip(found["frames"], stated, strict=True):
        assert frame["problem"] is None
        assert abs(frame["cfo_hz"] - 9000) < 100
        assert abs(frame["start"] - start) <= 4
        assert frame["psnr_db"] > 10


def test_a_recording_is_plain_sigmf(clean):
    theirs = sigmf.fromfile(clean)
    theirs.validate()
    assert len(theirs.get_annotations()) == 5
    np.testing.assert_array_equal(theirs.read_samples(), open_recording(clean).read())


def test_sixteen_bits_carry_the_same_pictures(semveil, tmp_path):
    base = tmp_path / "int"
    words = ["transmit", DIGITS, "--link", IMAGES, "--out", base, "--datatype", "ci16_le"]
    succeed(semveil(*words))
    assert os.path.getsize(f"{base}.sigmf-data") == 4 * open_recording(base).count
    words = ["receive", base, "--link", IMAGES, "--original", DIGITS, "--json"]
    assert all(frame["problem"] is None for frame in listening(semveil(*words))["frames"])


@pytest.mark.slow
@pytest.mark.parametrize("extra", [["--carrier", "single", "--oversampling", "2"], []])
def test_any_format_is_found_in_the_metadata(semveil, tmp_path, extra):
    base = tmp_path / "other"
    some = sorted(DIGITS.iterdir())[:2]
    words = ["--link", "digits/deepjscc", "--out", base, "--rate", "2e6", *extra]
    succeed(semveil("transmit", *some, *words))
    found = listening(semveil("receive", base, "--link", "digits/deepjscc", "--json"))
    labels = package.data.load("digits").test.y[:2].astype(str).tolist()
    assert [frame["answer"] for frame in found["frames"]] == labels
    assert found["folder"] is None


@pytest.mark.slow
@pytest.mark.parametrize("link", ["digits/mobilesc", "digits/lbvq"])
def test_links_over_ofdm_and_digital_links_answer(semveil, tmp_path, link):
    succeed(semveil("transmit", DIGITS, "--link", link, "--out", tmp_path / "sent"))
    words = ["--snr", "15", "--taps", "6", "--cfo", "-5000", "--seed", "2"]
    succeed(semveil("channel", tmp_path / "sent", "--out", tmp_path / "heard", *words))
    found = listening(semveil("receive", tmp_path / "heard", "--link", link, "--json"))
    labels = package.data.load("digits").test.y[:5].astype(str).tolist()
    assert sum(f["answer"] == y for f, y in zip(found["frames"], labels, strict=True)) >= 4


LONG = """
import resource, sys
from semveil.cli import main
sys.argv = ["semveil", *sys.argv[1:]]
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


LONG_WORDS = {
    "receive": ["--link", IMAGES],
    "channel": ["--snr", "20", "--taps", "4", "--sro", "20", "--cfo", "100"],
    "jam": ["--link", IMAGES],
}


@pytest.mark.slow
@pytest.mark.parametrize("command", LONG_WORDS)
def test_a_long_recording_takes_no_more_memory(clean, tmp_path, command):
    recording = open_recording(clean)
    frames, silence = recording.read(), np.zeros(250_000, np.complex64)
    peaks = {}
    for count in (4, 32):
        blocks = (block for _ in range(count) for block in (frames, silence))
        base = write_recording(tmp_path / f"long{count}", blocks, 1e6)
        words = [command, base, *LONG_WORDS[command], "--out", tmp_path / f"out{count}", "--json"]
        done = subprocess.run(
            [sys.executable, "-c", LONG, *words], capture_output=True, text=True, check=True
        )
        found = json.loads(done.stdout)
        if command == "receive":
            assert len(found["frames"]) == 5 * count
        peaks[count] = int(done.stderr.split()[-1])
    size = os.path.getsize(f"{base}.sigmf-data") / 1024
    assert size > 60_000
    assert peaks[32] - peaks[4] < size / 2  # kB


@pytest.mark.slow
def test_transmit_and_receive_are_joined_by_a_pipe(tmp_path):
    semveil = f"{sys.executable} -m semveil"
    send = f"{semveil} transmit {DIGITS} --link {IMAGES} --out - --datatype ci16_le"
    hear = f"{semveil} receive - --link {IMAGES} --datatype ci16_le --json"
    done = subprocess.run(
        f"{send} | {hear}", shell=True, capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert [frame["counter"] for frame in json.loads(done.stdout)["frames"]] == [0, 1, 2, 3, 4]
    assert "5 frames, 12,512 samples" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["stdin-received"]


def test_pictures_are_compared_with_their_own_originals_where_the_first_are_lost(
    semveil, clean, tmp_path
):
    recording = open_recording(clean)
    second = recording.annotations[1].start
    write_recording(tmp_path / "late", [recording.read(second - 100)], 1e6)
    words = ["--link", IMAGES, "--original", DIGITS, "--json"]
    late = listening(semveil("receive", tmp_path / "late", *words, "--out", tmp_path / "a"))
    whole = listening(semveil("receive", clean, *words, "--out", tmp_path / "b"))
    measured = [frame["psnr_db"] for frame in late["frames"]]
    assert measured == pytest.approx([f["psnr_db"] for f in whole["frames"][1:]], abs=0.1)


def test_a_recording_that_is_repeated_gives_all_of_its_pictures(semveil, clean, tmp_path):
    samples = open_recording(clean).read()
    base = write_recording(tmp_path / "loop", [samples, samples], 1e6)
    found = listening(semveil("receive", base, "--link", IMAGES, "--json"))
    assert len(found["frames"]) == len(list(Path(found["folder"]).iterdir())) == 10


def test_a_recording_without_a_level_is_told_to_have_none(semveil, tmp_path):
    base = write_recording(tmp_path / "foreign", [np.ones(1000, np.complex64)], 1e6)
    done = semveil("channel", base, "--snr", "10", "--out", tmp_path / "out")
    assert "states no level of frames" in done.err


def test_jam_refuses_what_exists_before_it_fits_anything(semveil, clean, tmp_path):
    silent = write_recording(tmp_path / "silent", [np.zeros(1000, np.complex64)], 1e6)
    line = refusal(semveil("jam", silent, "--link", IMAGES, "--out", clean))
    assert "exists already" in line


def test_an_option_changes_one_setting_of_the_metadata_and_no_other(semveil, tmp_path):
    single = ["--carrier", "single", "--oversampling", "2"]
    words = ["transmit", DIGITS, "--link", IMAGES, "--out", tmp_path / "single", *single]
    succeed(semveil(*words))
    words = ["receive", tmp_path / "single", "--link", IMAGES, "--oversampling", "2", "--json"]
    assert len(listening(semveil(*words))["frames"]) == 5


def test_samples_beyond_full_scale_are_told(semveil, tmp_path):
    words = ["transmit", DIGITS, "--link", IMAGES, "--level", "1", "--out"]
    loud = semveil(*words, tmp_path / "loud", "--datatype", "ci16_le")
    assert "samples are beyond full scale and clipped: lower --level" in loud.err
    assert semveil(*words, tmp_path / "floats").err == ""


@pytest.mark.slow
def test_a_pipe_is_received_like_a_recording(semveil, noisy, tmp_path):
    command = [sys.executable, "-m", "semveil", "receive", "-", "--link", IMAGES, "--json"]
    with open(f"{noisy}.sigmf-data", "rb") as samples:
        done = subprocess.run(
            command, stdin=samples, capture_output=True, text=True, check=True, cwd=tmp_path
        )
    words = ["receive", noisy, "--link", IMAGES, "--out", tmp_path / "file", "--json"]
    from_file = listening(semveil(*words))["frames"]
    assert json.loads(done.stdout)["frames"] == from_file


# Keys and counters


@pytest.fixture
def key(tmp_path):
    file = tmp_path / "key"
    file.write_bytes(bytes(range(32)))
    return file


def keyed(semveil, folder, *extra):
    words = ["transmit", DIGITS, "--link", ROTATION, "--out", folder / "keyed", *extra]
    return semveil(*words)


def test_the_key_and_nothing_of_it_is_in_the_recording(semveil, key, tmp_path):
    succeed(keyed(semveil, tmp_path, "--key", key))
    stated = (tmp_path / "keyed.sigmf-meta").read_text()
    assert "semveil:key_fingerprint" in stated
    for part in (key.read_bytes(), key.read_bytes().hex().encode()):
        for file in tmp_path.iterdir():
            assert part not in file.read_bytes() or file == key


def test_a_wrong_key_decodes_nothing(semveil, key, tmp_path):
    succeed(keyed(semveil, tmp_path, "--key", key))
    other = tmp_path / "other"
    other.write_text(bytes(range(1, 33)).hex())
    before = sorted(tmp_path.iterdir())
    words = ["receive", tmp_path / "keyed", "--link", ROTATION]
    assert "key fingerprint differs" in refusal(semveil(*words, "--key", other))
    assert "key fingerprint differs" in refusal(semveil(*words))
    assert sorted(tmp_path.iterdir()) == before
    right = listening(semveil(*words, "--key", key, "--json"))
    labels = package.data.load("digits").test.y[:5].astype(str).tolist()
    assert sum(f["answer"] == y for f, y in zip(right["frames"], labels, strict=True)) >= 4


@pytest.mark.slow
def test_a_message_is_received_once_and_a_counter_used_once(semveil, key, tmp_path):
    succeed(keyed(semveil, tmp_path, "--key", key))
    words = ["--link", ROTATION, "--key", key]
    first = listening(semveil("receive", tmp_path / "keyed", *words, "--json"))
    line = refusal(semveil("receive", tmp_path / "keyed", *words))
    assert "was received before: a replay" in line
    some = next(iter(sorted(DIGITS.iterdir())))
    succeed(semveil("transmit", some, *words, "--out", tmp_path / "next"))
    second = listening(semveil("receive", tmp_path / "next", *words, "--json"))
    assert [frame["counter"] for frame in first["frames"]] == [0, 1, 2, 3, 4]
    assert [frame["counter"] for frame in second["frames"]] == [5]


def take_three(key_file):
    """Take counters as soon as all processes of the pool are there."""
    together.wait()
    return counters.next_counters(bytes(range(32)), key_file, 3).tolist()


def share(barrier):
    global together
    together = barrier


def test_commands_at_the_same_time_use_no_counter_twice(key):
    fork = multiprocessing.get_context("fork")
    with fork.Pool(8, share, [fork.Barrier(8)]) as pool:
        taken = pool.map(take_three, [key] * 8, chunksize=1)
    assert sorted(number for three in taken for number in three) == list(range(24))


def test_one_command_at_a_time_receives_under_a_key(semveil, key, tmp_path):
    succeed(keyed(semveil, tmp_path, "--key", key))
    words = ["receive", tmp_path / "keyed", "--link", ROTATION, "--key", key]
    with counters.accepted_counters(key.read_bytes(), key):
        assert "another command receives under" in refusal(semveil(*words))


def test_lost_counters_are_not_begun_again(semveil, key, tmp_path):
    succeed(keyed(semveil, tmp_path, "--key", key))
    (tmp_path / "key.sender").unlink()
    words = ["transmit", DIGITS, "--link", ROTATION, "--key", key, "--out", tmp_path / "again"]
    assert "agree on a new key" in refusal(semveil(*words))


def test_a_replayed_frame_among_others_is_refused_alone(semveil, key, tmp_path):
    succeed(keyed(semveil, tmp_path, "--key", key))
    recording = open_recording(tmp_path / "keyed")
    samples = recording.read()
    end = recording.annotations[1].start
    base = write_recording(tmp_path / "replay", [samples, samples[:end]], 1e6)
    words = ["receive", base, "--link", ROTATION, "--key", key, "--json"]
    problems = [frame["problem"] for frame in listening(semveil(*words))["frames"]]
    assert problems[:5] == [None] * 5
    assert "a replay" in problems[5]


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 64, bytes(33)])
def test_a_file_that_is_no_key_is_refused(semveil, tmp_path, content):
    file = tmp_path / "bad"
    file.write_bytes(content)
    assert "holds no key" in refusal(keyed(semveil, tmp_path, "--key", file))


def test_a_key_for_a_link_without_one_is_refused(semveil, key, tmp_path):
    words = ["transmit", DIGITS, "--link", IMAGES, "--key", key, "--out", tmp_path / "x"]
    assert "deepjscc-image has none" in refusal(semveil(*words))


# Bad input


def other_rate(base):
    change(base, lambda fields: fields.update({"core:sample_rate": 2e6}))


def no_rate(base):
    change(base, lambda fields: fields.pop("core:sample_rate"))


def other_version(base):
    change(base, lambda fields: fields.update({"semveil:version": 9}))


def bad_format(base):
    change(base, lambda fields: fields["semveil:format"].update(subcarriers="many"))


def unknown_format(base):
    change(base, lambda fields: fields["semveil:format"].update(antennas=4))


def change(base, edit):
    meta = Path(f"{base}.sigmf-meta")
    found = json.loads(meta.read_text())
    edit(found["global"])
    meta.write_text(json.dumps(found))


def not_finite(base):
    data = Path(f"{base}.sigmf-data")
    samples = np.frombuffer(data.read_bytes(), np.complex64).copy()
    samples[4321] = np.nan
    data.write_bytes(samples.tobytes())
    change(base, lambda fields: fields.pop("core:sha512"))


def truncated(base):
    data = Path(f"{base}.sigmf-data")
    data.write_bytes(data.read_bytes()[:50_000])


def flipped(base):
    data = Path(f"{base}.sigmf-data")
    content = bytearray(data.read_bytes())
    content[1000] ^= 1
    data.write_bytes(content)


def huge_blocks(base):
    change(base, lambda f: f["semveil:format"].update(subcarriers=8192, prefix=8192, preamble=64))


BAD = {
    huge_blocks: "semveil:format: prefix: 8192 is more than 256 chips",
    other_rate: "its frames need 1e+06",
    no_rate: "its metadata states no core:sample_rate; add it there",
    other_version: "frames of version 9; this is version 1",
    bad_format: "semveil:format: subcarriers: 'many' is not of type int",
    unknown_format: "semveil:format: unknown setting of the frame 'antennas'",
    not_finite: "sample 4321 is NaN or infinite",
    truncated: "is truncated",
    flipped: "checksum differs",
}


COMMANDS = [("receive", spoil) for spoil in BAD]
COMMANDS += [(command, not_finite) for command in ("overhear", "jam", "inspect")]


@pytest.mark.parametrize(("command", "spoil"), COMMANDS)
def test_bad_recordings_end_in_one_line(semveil, clean, tmp_path, command, spoil):
    for suffix in (".sigmf-data", ".sigmf-meta"):
        content = clean.with_name(clean.name + suffix).read_bytes()
        (tmp_path / f"bad{suffix}").write_bytes(content)
    spoil(tmp_path / "bad")
    before = sorted(tmp_path.iterdir())
    words = [command, tmp_path / "bad", "--link", IMAGES]
    words += ["--out", tmp_path / ("out.html" if command == "inspect" else "out")]
    assert BAD[spoil] in refusal(semveil(*words))
    assert sorted(tmp_path.iterdir()) == before


def test_a_recording_without_frames_is_refused(semveil, tmp_path):
    drawn = np.random.default_rng(0).normal(size=(100_000, 2)).astype(np.float32)
    base = write_recording(tmp_path / "noise", [0.1 * drawn.view(np.complex64)[:, 0]], 1e6)
    for command in ("receive", "overhear"):
        assert "no frame in it" in refusal(semveil(command, base, "--link", IMAGES))
    words = ["jam", base, "--link", IMAGES, "--out", tmp_path / "jammed"]
    assert "no frame in it" in refusal(semveil(*words))
    empty = write_recording(tmp_path / "empty", [], 1e6)
    assert "no frame in it" in refusal(semveil("receive", empty, "--link", IMAGES))


def test_frames_of_another_link_are_refused(semveil, clean):
    line = refusal(semveil("receive", clean, "--link", "digits/deepjscc"))
    assert "sent by another link" in line


def test_a_frame_that_is_cut_is_said_to_be(semveil, clean, tmp_path):
    recording = open_recording(clean)
    last = recording.annotations[-1]
    # In the last block, behind the header.
    whole = recording.read(0, last.start + last.count - 40)
    base = write_recording(tmp_path / "cut", [whole], 1e6)
    found = listening(semveil("receive", base, "--link", IMAGES, "--json"))["frames"]
    assert [frame["problem"] is None for frame in found] == [True] * 4 + [False]
    assert found[-1]["problem"] == "the stream ends within the frame"
    alone = write_recording(tmp_path / "alone", [whole[last.start - 100 :]], 1e6)
    assert "ends within the frame" in refusal(semveil("receive", alone, "--link", IMAGES))


def test_a_header_that_lies_about_lengths_is_refused(semveil, tmp_path):
    import torch

    from semveil.air.identity import link_digest
    from semveil.radio import FrameFormat, Header, modulate

    link, frame = package.load(IMAGES), FrameFormat()
    symbols = torch.ones(1, 48, dtype=torch.complex64)
    headers = [
        Header(link_digest(link), 1, 48),
        Header(link_digest(link), 3, 16),
    ]
    for number, header in enumerate(headers):
        samples = modulate(frame, [header], symbols)[0].numpy()
        silence = np.zeros(600, np.complex64)
        base = write_recording(tmp_path / f"lie{number}", [silence, samples, silence], 1e6)
        line = refusal(semveil("receive", base, "--link", IMAGES))
        assert f"states {header.images} images of {header.symbols} symbols" in line


def test_outputs_that_exist_are_not_overwritten(semveil, clean, tmp_path):
    words = ["channel", clean, "--out", clean, "--snr", "10"]
    assert "exists already" in refusal(semveil(*words))
    for command in ("receive", "overhear"):
        words = [command, clean, "--link", IMAGES, "--out", tmp_path]
        line = refusal(semveil(*words))
        assert line == f"{tmp_path} exists already: name another, or remove it"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--carrier", "double"], "carrier: 'double'"),
        (["--rate", "-1"], "sample_rate: -1"),
        (["--rate", "nan"], "sample_rate: nan"),
        (["--datatype", "cf64"], "unknown data type 'cf64'"),
        (["--device", "gpu"], "expected auto, cpu, cuda or a radio"),
        (["--device", "soapy=driver=x"], "frequency: required with a radio"),
        (["--link", "digits/none"], "unknown zoo entry 'digits/none'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(semveil, tmp_path, words, line):
    given = ["transmit", DIGITS, "--link", IMAGES, "--out", tmp_path / "x", *words]
    assert line in refusal(semveil(*given))
    assert list(tmp_path.iterdir()) == []
