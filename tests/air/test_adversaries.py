"""Eve and Mallory on a recording: overheard, jammed, and pages that show it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import semveil as package
from commands import refusal, succeed
from recordings import DIGITS, IMAGES, ROTATION
from semveil.air.jam import added
from semveil.radio import FrameFormat
from semveil.recording import open_recording, write_recording

HEADER = FrameFormat().header_length


def psnr(semveil, base, folder):
    words = ["receive", base, "--link", IMAGES, "--original", DIGITS, "--out", folder, "--json"]
    frames = json.loads(succeed(semveil(*words)).out)["frames"]
    assert [frame["problem"] for frame in frames] == [None] * 5
    return float(np.mean([frame["psnr_db"] for frame in frames]))


@pytest.fixture(scope="module")
def jammed(semveil, clean):
    """Recordings by attack, at a PSR of −6 dB, synchronised and not."""
    found = {}
    for attack in ("jamming", "pgd"):
        for timing in ("synchronised", "unsynchronised"):
            base = clean.with_name(f"{attack}-{timing}")
            words = ["--attack", attack, "--psr", "-6", f"--{timing}", "--seed", "1"]
            succeed(semveil("jam", clean, "--link", IMAGES, "--out", base, *words))
            found[attack, timing] = base
    return found


@pytest.mark.slow
def test_every_frame_gets_exactly_the_psr(clean, jammed):
    before = open_recording(clean)
    for base in jammed.values():
        after = open_recording(base)
        delta = after.read() - before.read()
        for frame in before.annotations:
            signal = before.read(frame.start + HEADER, frame.count - HEADER)
            # A frame and the silence around it, where a late perturbation ends.
            first, last = frame.start - 200, frame.start + frame.count + 200
            ratio = np.sum(np.abs(delta[first:last]) ** 2) / np.sum(np.abs(signal) ** 2)
            assert 10 * np.log10(ratio) == pytest.approx(-6, abs=0.05)


@pytest.mark.slow
def test_a_crafted_attack_needs_timing_and_noise_does_not(semveil, clean, jammed, tmp_path):
    none = psnr(semveil, clean, tmp_path / "none")
    found = {key: psnr(semveil, base, tmp_path / "-".join(key)) for key, base in jammed.items()}
    assert found["pgd", "synchronised"] < found["jamming", "synchronised"] < none
    assert found["pgd", "synchronised"] < found["pgd", "unsynchronised"]


@pytest.mark.slow
def test_a_frame_without_silence_around_it_is_jammed(semveil, clean, tmp_path):
    recording = open_recording(clean)
    frame = recording.annotations[0]
    for cut in (0, 1):
        samples = recording.read(frame.start + cut, frame.count - cut)
        fields = {"semveil:format": recording.fields["semveil:format"]}
        base = write_recording(tmp_path / f"tight{cut}", [samples], 1e6, fields=fields)
        words = ["jam", base, "--link", IMAGES, "--out", tmp_path / f"jammed{cut}", "--psr", "-20"]
        succeed(semveil(*words))
        after = open_recording(tmp_path / f"jammed{cut}").read()
        data = samples[HEADER - cut :]
        ratio = np.sum(np.abs(after - samples) ** 2) / np.sum(np.abs(data) ** 2)
        assert 10 * np.log10(ratio) == pytest.approx(-20, abs=0.1)


@pytest.mark.slow
def test_the_metadata_says_what_was_done(jammed):
    stated = open_recording(jammed["pgd", "unsynchronised"]).fields["semveil:jammed"]
    assert stated == {"attack": "pgd", "psr_db": -6.0, "synchronised": False}


@pytest.mark.slow
def test_what_a_key_hides_cannot_be_crafted_for(semveil, tmp_path):
    base = tmp_path / "keyed"
    succeed(semveil("transmit", DIGITS, "--link", ROTATION, "--out", base))
    words = ["jam", base, "--link", ROTATION, "--out", tmp_path / "jammed"]
    assert "the key of rotation hides them" in refusal(semveil(*words, "--attack", "pgd"))
    assert "unknown attack 'pdg'" in refusal(semveil(*words, "--attack", "pdg"))
    succeed(semveil(*words, "--attack", "jamming"))


def test_pieces_are_added_across_blocks_of_any_size():
    drawn = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
    samples = drawn.view(np.complex64)[:, 0]
    pieces = [(3, samples[:20]), (1, samples[20:25]), (40, samples[30:58])]
    whole = samples.copy()
    for start, piece in pieces:
        end = min(start + len(piece), 60)
        whole[start:end] += piece[: end - start]
    for size in (1, 7, 60):
        blocks = (samples[at : at + size] for at in range(0, 60, size))
        np.testing.assert_allclose(np.concatenate(list(added(blocks, pieces, 5))), whole, atol=1e-6)


@pytest.mark.slow
def test_a_kept_eve_hears_what_she_hears_over_her_own_channel(semveil, finished, tmp_path):
    base = tmp_path / "capture"
    succeed(semveil("transmit", DIGITS, "--link", finished, "--out", base))
    words = ["overhear", base, "--link", finished, "--original", DIGITS, "--json"]
    heard = json.loads(succeed(semveil(*words)).out)
    assert [each["party"] for each in heard] == ["inference/linear", "inversion/linear"]
    from semveil.channel import Reception
    from semveil.experiment.kept import kept

    link = package.load(finished)
    originals = package.data.load("digits").test.x[:5]
    waveform = link.transmit(originals, torch.Generator().manual_seed(0))
    known = Reception(waveform, torch.ones(5, 1) + 0j, torch.full((5,), 1e-4))
    eve, classes = kept(link, "label", known)
    answers = [classes[number] for number in eve.listen(known, 40.0).argmax(1).tolist()]
    same = [f["answer"] == a for f, a in zip(heard[0]["frames"], answers, strict=True)]
    assert sum(same) >= 4
    assert (tmp_path / "capture-overheard" / "image-000000.png").exists()
    assert all(frame["psnr_db"] is not None for frame in heard[1]["frames"])


def audited(semveil, folder, recipe, *eves):
    """Return a run in which one eavesdropper for each target was trained for an epoch."""
    inference, inversion = eves
    quick = ["data.limit=320", "link.width=4", "train.epochs=1", "train.batch=16"]
    quick += ["audit.max_epochs=1", "audit.rounds=1", "audit.pictures=2"]
    quick += ["audit.bob_snr_db=[10]", "audit.eve_snr_db=[10]"]
    quick += [f"audit.inference=[{inference}]", f"audit.inversion=[{inversion}]"]
    out = folder / f"{recipe}-{inference}"
    succeed(semveil("run", recipe, *(f"--set={each}" for each in quick), "--out", out))
    return out


@pytest.mark.slow
def test_eves_who_read_details_listen_on_the_air(semveil, tmp_path):
    """They read the reliability of every symbol and the pilots, which other frames have too."""
    for recipe in ("deepjscc-digits", "mobilesc-digits"):
        run, base = audited(semveil, tmp_path, recipe, "wide", "wide"), tmp_path / recipe
        succeed(semveil("transmit", DIGITS, "--link", run, "--out", base))
        heard = json.loads(succeed(semveil("overhear", base, "--link", run, "--json")).out)
        assert [len(each["frames"]) for each in heard] == [5, 5]
    single = ["--carrier", "single", "--oversampling", "2", "--out", tmp_path / "single"]
    succeed(semveil("transmit", DIGITS, "--link", run, *single))
    line = refusal(semveil("overhear", tmp_path / "single", "--link", run))
    assert "trained on OFDM" in line


def test_a_run_without_eavesdroppers_is_refused(semveil, clean):
    line = refusal(semveil("overhear", clean, "--link", IMAGES))
    assert "keeps no eavesdropper of deepjscc-image" in line
