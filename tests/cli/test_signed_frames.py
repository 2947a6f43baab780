"""The classical link with a keyed tag, from the recipe to the records of attacks."""

from __future__ import annotations

import json

import pytest

from commands import refusal, succeed
from semveil.records import read_records


def settings(*changes):
    return [f"--set={change}" for change in changes]


TAGGED = settings(
    "classical.tag_bits=64",
    "bob.fading=awgn",
    "bob.csi=perfect",
    "eve.fading=awgn",
    "eve.csi=perfect",
    "data.limit=400",
    "semantic.classifier_width=4",
    "train.epochs=2",
    "audit.inference=[linear]",
    "audit.inversion=[]",
    "audit.max_epochs=2",
    "audit.rounds=1",
    "audit.bob_snr_db=[-3, 10]",
    "audit.eve_snr_db=[10]",
)


@pytest.fixture(scope="module")
def run(semveil, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tagged")
    succeed(semveil("run", "classical-digits", *TAGGED, "--out", "run", "-q", folder=folder))
    return folder / "run"


def rates(records, metric):
    found = [r for r in records if r.role == "bob" and r.metric == metric]
    return {(r.adversary, r.psr_db, r.test_snr_db): r.value for r in found}


@pytest.mark.slow
def test_records_say_how_many_frames_bob_rejects(run):
    records = read_records(run / "records.jsonl")
    rejected = rates(records, "rejected_rate")
    # One bit per symbol: nothing is lost at 10 dB, and everything where the capacity is 0.59 bits.
    assert rejected == {(None, None, -3.0): 1.0, (None, None, 10.0): 0.0}
    wrong = rates(records, "undetected_error_rate")
    assert wrong[None, None, -3.0] == 0.0
    assert wrong[None, None, 10.0] == pytest.approx(
        1 - rates(records, "accuracy")[None, None, 10.0]
    )
    assert {(r.asymmetry, r.latent_dim) for r in records if r.role == "bob"} == {(None, 768)}


@pytest.mark.slow
def test_attacks_that_break_frames_leave_no_undetected_errors(semveil, run):
    words = ["--attacks", "jamming,vulnerable-set", "--psr=-30,0"]
    limits = settings("attack.images=60", "attack.vulnerable-set.votes=1")
    succeed(semveil("attack", run, *words, *limits))
    records = read_records(run / "attacks" / "records.jsonl")
    rejected = rates(records, "rejected_rate")
    assert rejected["jamming", -30.0, 10.0] == 0.0
    assert rejected["jamming", 0.0, 10.0] == 1.0
    assert rates(records, "undetected_error_rate")["jamming", 0.0, 10.0] == 0.0


def test_the_setting_is_shown_and_checked(semveil, tmp_path):
    shown = succeed(semveil("show", "classical-digits", *TAGGED, "--json"))
    assert json.loads(shown.out)["classical"]["tag_bits"] == 64
    for change, reason in (
        ("classical.tag_bits=12", "classical.tag_bits: "),
        ("classical.tag_bits=264", "classical.tag_bits: "),
        ("link.latent_dim=128", "leave nothing beside length, checksum and tag"),
    ):
        words = [*TAGGED, f"--set={change}"]
        line = refusal(semveil("train", "classical-digits", *words, folder=tmp_path))
        assert reason in line
