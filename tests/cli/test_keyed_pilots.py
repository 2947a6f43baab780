"""Keyed pilots that a recipe turns on: what they cost, what Bob rejects, and what attacks leave."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from PIL import Image
from scipy import stats

import semveil as package
from commands import succeed
from semveil.records import read_records

pytestmark = pytest.mark.slow


def settings(*changes):
    return [f"--set={change}" for change in changes]


# 10 dB, 8 pilot blocks of 4 reals each: 32 degrees of freedom.
PILOTS = settings(
    "protections=[keyed-pilots]",
    "keyed-pilots.false_alarm=0.05",
    "bob.snr_db=10",
    "data.limit=600",
    "link.width=4",
    "train.epochs=8",
    "train.batch=16",
    "link.latent_dim=32",
    "audit.inference=[linear]",
    "audit.inversion=[]",
    "audit.max_epochs=2",
    "audit.rounds=1",
    "audit.bob_snr_db=[10]",
    "audit.eve_snr_db=[10]",
)
ATTACKS = settings("attack.pgd.steps=3", "attack.relay.steps=2", "attack.relay.epochs=1")


@pytest.fixture(scope="module")
def run(semveil, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pilots")
    succeed(semveil("run", "rotation-digits", *PILOTS, "--out", "run", "-q", folder=folder))
    return folder / "run"


def of_bob(records, metric):
    return [r for r in records if r.role == "bob" and r.metric == metric and r.image_class is None]


def within(record, probability):
    """Return whether a share agrees with a probability, at 99.9 % confidence."""
    low, high = stats.binom.interval(0.999, record.n, probability)
    return low <= round(record.value * record.n) <= high


def test_show_counts_the_channel_uses(semveil):
    shown = succeed(semveil("show", "rotation-digits", *PILOTS)).out
    assert "# channel uses per image that protections add: 16\n" in shown
    assert "channel uses" not in succeed(semveil("show", "rotation-digits")).out


def test_records_count_the_pilots_and_the_false_alarms(run):
    records = read_records(run / "records.jsonl")
    pilots = [r for r in records if r.system.label == "rotation+keyed-pilots"]
    assert {(r.latent_dim, r.bandwidth_ratio) for r in pilots} == {(64, 0.5)}
    (rejected,) = of_bob(pilots, "rejected_rate")
    assert within(rejected, 0.05)
    reference = [r for r in records if r.scheme == "deepjscc"]
    assert {r.latent_dim for r in reference} == {32}
    assert of_bob(reference, "rejected_rate") == []


def test_attacks_are_noticed_above_the_noise_and_not_below_it(semveil, run):
    words = ["--attacks", "jamming,relay,pgd", "--psr=-30,-10,0"]
    shown = succeed(semveil("attack", run, *words, *ATTACKS)).out
    assert re.search(r"rejected +undetected", shown)
    records = read_records(run / "attacks" / "records.jsonl")
    threshold = stats.chi2.isf(0.05, 32)
    for attack in ("jamming", "relay", "pgd"):
        found = {r.psr_db: r for r in of_bob(records, "rejected_rate") if r.adversary == attack}
        # Below the noise by 20 dB, an attack is no more noticed than the noise itself.
        assert within(found[-30.0], stats.chi2.sf(threshold / 1.01, 32))
        assert found[0.0].value > 0.99
    (silent,) = [r for r in of_bob(records, "rejected_rate") if r.adversary is None]
    assert within(silent, 0.05)
    jammed = {r.psr_db: r for r in of_bob(records, "rejected_rate") if r.adversary == "jamming"}
    # White noise of the same power doubles the variance of what Bob tests.
    assert within(jammed[-10.0], stats.chi2.sf(threshold / 2, 32))
    rates = {(r.adversary, r.psr_db): r.value for r in of_bob(records, "undetected_error_rate")}
    wrong = {(r.adversary, r.psr_db): 1 - r.value for r in of_bob(records, "accuracy")}
    assert all(rates[key] <= wrong[key] + 1e-9 for key in rates)
    assert rates["relay", 0.0] < 0.01 < wrong["relay", 0.0]


def test_a_relay_of_few_blocks_escapes_as_often_as_it_hits_no_pilot(semveil, run):
    words = ["--attacks", "relay", "--psr=0", "--set=attack.relay.share=0.125"]
    shown = json.loads(succeed(semveil("attack", run, *words, *ATTACKS, "--json")).out)
    records = read_records(run.parent / shown["folder"] / "records.jsonl")
    (rejected,) = [r for r in of_bob(records, "rejected_rate") if r.adversary]
    # Two of 16 blocks, of which 8 are pilots; if she changes but one of the two, half escape.
    two = stats.hypergeom.pmf(0, 16, 8, 2)
    least, most = (0.95 * chance * rejected.n for chance in (two, 0.5))
    missed = rejected.n * (1 - rejected.value)
    assert least - 4 * least**0.5 < missed < most + 4 * most**0.5


def test_send_says_of_each_image_whether_bob_accepts_it(semveil, run):
    file = run.parent / "digit.png"
    Image.fromarray(
        np.kron(package.data.load("digits").test.x[0, 0], np.ones((6, 6), np.uint8))
    ).save(file)
    plain = json.loads(succeed(semveil("send", run, file, file, "--json")).out)
    assert len(plain["parties"]["Bob"]["accepted"]) == 2
    assert "Bob: accepted" in succeed(semveil("send", run, file)).out
    link = package.load(run)
    assert "32 channel uses per image, 16 of them for keyed pilots" in str(link.card)
    images = package.data.load("digits").test.x[:50]
    heard = link.channel(link.transmit(images), 10.0)
    assert int(link.receive(heard).accepted.sum()) > 35
    # A replay under the counters of other messages.
    assert not link.receive(heard, link.counters + 50).accepted.any()
