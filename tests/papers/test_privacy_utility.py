"""The comparison of all privacy-preserving schemes: its page from records, and a small run."""

from __future__ import annotations

import pytest

from commands import succeed
from semveil import recipe as recipes
from semveil.experiment.plan import plan
from semveil.papers import PAPERS
from semveil.protect.laplace import DpConfig
from semveil.records import Record, named, read_records
from semveil.report.select import frame

PAPER = PAPERS.get("privacy-utility")()
SCHEMES = ("deepjscc", "dp", "shuffle", "cipher", "rotation", "vfe", "ibal", "lbvq", "uis")


def _records(scheme: str, accuracy: float, leak: float, **params: object) -> list[Record]:
    common = {
        "scheme": scheme,
        "params": params or None,
        "dataset": "cifar10",
        "latent_dim": 128,
        "n": 1000,
        "seed": 0,
    }
    found = [
        Record(
            role="bob",
            channel="awgn/perfect",
            metric="accuracy",
            target="label",
            test_snr_db=snr_db,
            value=accuracy,
            ci_low=accuracy - 0.01,
            ci_high=accuracy + 0.01,
            **common,
        )
        for snr_db in (4.0, 8.0, 12.0, 16.0, 20.0)
    ]
    for adversary, value in (("deconv+perceptual", leak), ("linear", leak - 0.2)):
        found.append(
            Record(
                role="eve",
                channel="awgn/perfect",
                metric="mi_excess_bits_20",
                target="image",
                test_snr_db=12.0,
                protocol="adaptive",
                adversary=f"inversion/{adversary}",
                value=value,
                ci_low=value - 0.01,
                ci_high=value + 0.01,
                **common,
            )
        )
    return found


def _counts(records: list[Record], words: str) -> dict[str, int]:
    (found,) = (one for one in PAPER.judge(frame(records)) if words in one.claim.claim)
    return {verdict: n for verdict, n in found.counts.items() if n}


LESS = "codebook group leak less than DP ("


@pytest.mark.parametrize(
    ("leak", "verdict"), [(0.4, "confirmed"), (0.8, "undecided"), (0.605, "undecided")]
)
def test_leakage_is_judged_by_whole_intervals(leak, verdict):
    records = _records("dp", 0.6, 0.6, epsilon=0.1) + _records("ibal", 0.7, leak)
    # What an attacker gets proves something if she gets more than nothing without protection.
    assert _counts(records, LESS + "survey") == {"not judged": 1}
    records += _records("deepjscc", 0.92, 0.9)
    assert _counts(records, LESS + "survey") == {verdict: 1}


def test_the_survey_has_an_attacker_of_its_own_and_the_strongest_counts_besides():
    records = _records("dp", 0.6, 0.6, epsilon=0.1) + _records("ibal", 0.7, 0.5)
    records += _records("deepjscc", 0.92, 0.9)
    changes = {"adversary": "inversion/set", "value": 0.9, "ci_low": 0.89, "ci_high": 0.91}
    records += [
        Record(**{**vars(one), **changes})
        for one in records
        if one.scheme == "ibal" and one.adversary == "inversion/linear"
    ]
    assert _counts(records, LESS + "survey") == {"confirmed": 1}
    assert _counts(records, LESS + "strongest") == {"undecided": 1}


def test_a_genuine_budget_is_not_compared_with_the_published_one():
    records = _records("dp", 0.1, 0.1, reading="genuine") + _records("ibal", 0.7, 0.4)
    assert _counts(records, LESS + "survey") == {}


@pytest.mark.parametrize("budget", ["cpu", "gpu"])
def test_the_budgets_measure_every_scheme_alike(budget):
    jobs = PAPER.jobs(budget, 0)
    assert {named(asked).scheme for job in jobs for asked in job.schemes} == set(SCHEMES)
    assert {job.recipe.bob.snr_db for job in jobs} == {12.0}
    assert {tuple(job.recipe.audit.bob_snr_db) for job in jobs} == {(4.0, 8.0, 12.0, 16.0, 20.0)}
    for field in ("max_epochs", "patience", "batch", "leakage", "eve_snr_db", "inference"):
        assert len({str(getattr(job.recipe.audit, field)) for job in jobs}) == 1
    # Seeds after the first may have fewer inverters, but all schemes the same.
    for field in ("losses", "inversion", "perceptual"):
        assert len({(job.seed == 0, str(getattr(job.recipe.audit, field))) for job in jobs}) <= 2
    assert len({job.recipe.train.epochs for job in jobs}) == 1
    for job in jobs:
        assert plan(job.schemes, job.recipe)


@pytest.fixture(scope="module")
def smoke(tmp_path_factory, semveil):
    folder = tmp_path_factory.mktemp("study") / "smoke"
    words = ("study", "privacy-utility", "--budget", "smoke", "--quiet", "--out", folder)
    succeed(semveil(*words))
    return folder


@pytest.mark.slow
def test_the_smoke_budget_measures_all_schemes_and_writes_the_page(smoke):
    records = read_records(smoke / "records.jsonl")
    names = {record.scheme for record in records}
    assert names == set(SCHEMES)
    assert ("shuffle", "fixed-key") in {(r.scheme, r.variant) for r in records}
    page = (smoke / "README.md").read_text()
    for name in SCHEMES:
        assert f"`{name}" in page
    assert (smoke / "privacy-utility.svg").exists()


@pytest.mark.slow
def test_every_kind_of_attack_has_left_figures(smoke):
    records = read_records(smoke / "records.jsonl")
    adversaries = {record.adversary for record in records}
    assert {
        "inference/set",
        "inversion/deconv+perceptual",
        "inversion/set",
        "inversion/rmle",
        "inversion/shadow",
        "inversion/known-plaintext",
        "distinguisher",
    } <= adversaries
    metrics = {record.metric for record in records}
    assert {
        "mi_bits_20",
        "mi_excess_bits_20",
        "nmi_100",
        "infonce_nats",
        "dfil",
        "label_accuracy",
    } <= metrics


@pytest.mark.slow
def test_noise_states_what_it_really_guarantees(smoke):
    records = read_records(smoke / "records.jsonl")
    noisy = {r.metric: r.value for r in records if r.scheme == "dp" and r.role == "system"}
    settings = recipes.load("dp-digits").of(DpConfig)
    assert noisy["epsilon_vector"] == pytest.approx(2 * 32 * 0.1 / settings.scale)
    assert 1 < noisy["epsilon_lower"] <= noisy["epsilon_vector"]
