"""Recordings on the disk: what other tools read, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings

import numpy as np
import pytest
import sigmf
from hypothesis import given, settings
from hypothesis import strategies as st

from semveil.errors import SemveilError
from semveil.recording import Annotation, open_recording, to_bytes, write_recording


def noise(count: int, seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(count, 2)).astype(np.float32)
    return 0.1 * drawn.view(np.complex64)[:, 0]


@pytest.fixture
def written(tmp_path):
    """A recording with two annotations."""
    pieces = [Annotation(100, 50, "second", {"semveil:counter": 7}), Annotation(3, 40, "first")]
    fields = {"semveil:link": "0123456789abcdef"}
    blocks = iter(np.split(noise(1000), [300, 301]))
    return write_recording(
        tmp_path / "capture", blocks, 2e6, annotations=pieces, fields=fields, description="noise"
    )


def test_sigmf_reads_the_same_samples(written):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # such as an extension that is used and not declared
        theirs = sigmf.fromfile(written)
        theirs.validate()
    np.testing.assert_array_equal(theirs.read_samples(), noise(1000))
    assert theirs.sample_rate == 2e6
    labels = [each["core:label"] for each in theirs.get_annotations()]
    assert labels == ["first", "second"]


def test_sigmf_validates_it_from_a_shell(written):
    command = [sys.executable, "-m", "sigmf.validate", f"{written}.sigmf-meta"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("datatype", ["cf32_le", "ci16_le"])
def test_other_tools_recordings_are_read(tmp_path, datatype):
    samples = (noise(500) * 8192).round() / 8192
    (tmp_path / "theirs.sigmf-data").write_bytes(to_bytes(samples, datatype))
    made = sigmf.SigMFFile(
        data_file=str(tmp_path / "theirs.sigmf-data"),
        global_info={"core:datatype": datatype, "core:sample_rate": 48000},
    )
    made.add_capture(0)
    made.tofile(str(tmp_path / "theirs.sigmf-meta"), overwrite=True)
    ours = open_recording(tmp_path / "theirs")
    assert (ours.sample_rate_hz, ours.count) == (48000, 500)
    np.testing.assert_array_equal(ours.read(), samples)
    np.testing.assert_array_equal(ours.read(), sigmf.fromfile(tmp_path / "theirs").read_samples())


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 700), st.integers(0, 1 << 30))
def test_blocks_and_map_give_every_sample_exactly(tmp_path_factory, count, size, seed):
    path = tmp_path_factory.mktemp("exact") / "capture"
    samples = noise(count, seed)
    recording = open_recording(write_recording(path, [samples], 1.0))
    np.testing.assert_array_equal(recording.read(), samples)
    blocks = list(recording.blocks(size))
    assert all(len(block) <= size for block in blocks)
    np.testing.assert_array_equal(np.concatenate([*blocks, samples[:0]]), samples)
    np.testing.assert_array_equal(
        recording.read(count // 3, count // 2), samples[count // 3 :][: count // 2]
    )


def test_sixteen_bits_round_and_clip(tmp_path):
    samples = np.array([0.25 - 0.5j, 3 - 3j, 1e-6], np.complex64)
    base = write_recording(tmp_path / "int", [samples], 1.0, datatype="ci16_le")
    top = 32767 / 32768
    np.testing.assert_array_equal(open_recording(base).read(), [0.25 - 0.5j, top - 1j, 0])


def test_nothing_is_left_of_a_recording_that_fails(tmp_path):
    def blocks():
        yield noise(10)
        yield np.array([1, np.nan], np.complex64)

    with pytest.raises(SemveilError, match="sample 11 is NaN or infinite"):
        write_recording(tmp_path / "capture", blocks(), 1.0)
    with pytest.raises(ZeroDivisionError):
        write_recording(tmp_path / "capture", (noise(1 // 0) for _ in "x"), 1.0)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(written):
    before = {path: path.read_bytes() for path in written.parent.iterdir()}
    with pytest.raises(SemveilError, match=r"capture\.sigmf-data exists already"):
        write_recording(written, [noise(5)], 1.0)
    assert {path: path.read_bytes() for path in written.parent.iterdir()} == before


def changed(**fields):
    def change(meta, data):
        found = json.loads(meta.read_text())
        found["global"] |= {key.replace("_", ":", 1): value for key, value in fields.items()}
        meta.write_text(json.dumps(found))

    return change


def flip(meta, data):
    content = bytearray(data.read_bytes())
    content[77] ^= 1
    data.write_bytes(content)


def annotate_beyond(meta, data):
    found = json.loads(meta.read_text())
    found["annotations"][0]["core:sample_count"] = 100_000
    meta.write_text(json.dumps(found))


BAD = {
    "truncated": (lambda meta, data: data.write_bytes(data.read_bytes()[:-8]), "is truncated"),
    "cut in a sample": (lambda meta, data: data.write_bytes(data.read_bytes()[:-3]), "truncated"),
    "annotation beyond": (annotate_beyond, "truncated: .* 100003 samples"),
    "no data": (lambda meta, data: data.unlink(), "has metadata and no samples"),
    "no metadata": (lambda meta, data: meta.unlink(), "there is no recording"),
    "a folder": (lambda meta, data: (data.unlink(), data.mkdir()), "it is a folder"),
    "other samples": (flip, "SHA-512 checksum differs"),
    "not JSON": (lambda meta, data: meta.write_text("{"), "it is not JSON"),
    "nested": (lambda meta, data: meta.write_text("[" * 100_000), "it is not JSON"),
    "a list": (lambda meta, data: meta.write_text("[]"), "is no valid SigMF metadata"),
    "not text": (lambda meta, data: meta.write_bytes(b"\xff\x00"), "not text in UTF-8"),
    "other type": (changed(core_datatype="ri8"), "of type ri8 cannot be read"),
    "two channels": (changed(core_num_channels=2), "several channels"),
    "rate": (changed(core_sample_rate="fast"), "core:sample_rate: 'fast' is not"),
    "no rate": (changed(core_sample_rate=0), "is no rate|core:sample_rate"),
    "needs more": (
        changed(core_extensions=[{"name": "theirs", "version": "1.0.0", "optional": False}]),
        "without the extension theirs",
    ),
    "trailing": (changed(core_trailing_bytes=8), "other content"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_recordings_are_refused_in_one_line(written, name):
    spoil, line = BAD[name]
    spoil(*(written.with_suffix(suffix) for suffix in (".sigmf-meta", ".sigmf-data")))
    with pytest.raises(SemveilError, match=line) as raised:
        open_recording(written)
    assert "\n" not in str(raised.value)


def test_samples_that_are_not_finite_are_refused_when_read(tmp_path):
    base = write_recording(tmp_path / "capture", [noise(1000)], 1.0)
    data = base.with_suffix(".sigmf-data")
    samples = np.frombuffer(data.read_bytes(), np.complex64).copy()
    samples[700] = np.inf
    data.write_bytes(samples.tobytes())
    recording = open_recording(base, verify=False)
    with pytest.raises(SemveilError, match="sample 700 is NaN or infinite"):
        list(recording.blocks(256))
    with pytest.raises(SemveilError, match="sample 700 is NaN or infinite"):
        recording.read(650, 100)
    assert len(recording.read(0, 700)) == 700


STREAM = """
import resource, sys
from semveil.recording import open_recording
recording = open_recording(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(sum(len(block) for block in recording.blocks()))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
def test_ten_gigabytes_take_no_memory(tmp_path):
    """A sparse file of 10 GB is read in blocks; its checksum is not stated."""
    count = 1_250_000_000
    meta = {
        "global": {"core:datatype": "cf32_le", "core:version": "1.2.0"},
        "captures": [],
        "annotations": [],
    }
    (tmp_path / "long.sigmf-meta").write_text(json.dumps(meta))
    with (tmp_path / "long.sigmf-data").open("wb") as file:
        file.truncate(8 * count)
    done = subprocess.run(
        [sys.executable, "-c", STREAM, tmp_path / "long"],
        capture_output=True,
        text=True,
        check=True,
    )
    samples, grown = map(int, done.stdout.split())
    assert samples == count
    assert grown < 100_000  # kB
