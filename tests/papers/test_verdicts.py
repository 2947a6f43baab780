"""When no verdict is given: weak links, adversaries who fail anyway, budgets that saturate."""

from __future__ import annotations

import re

import pytest

from commands import succeed
from papers.numbers import row, table
from semveil.errors import SemveilError
from semveil.papers import PAPERS, page
from semveil.papers.claims import Claims, load, verdicts
from semveil.registry import OURS, origin

OWN = sorted(name for name in PAPERS.names() if origin(PAPERS.get(name)) == OURS)

ATTACKED = {"psr_db": -6.0, "dataset": "cifar10"}
CHANCE = row(0.1, 0.0, metric="chance", role="system", dataset="cifar10")
LEVEL = {
    "value": {"role": "bob", "adversary": None, "training": None, "metric": "accuracy"},
    "cases": {"dataset": "all"},
    "published": {"by": "dataset", "cifar10": 0.919, "else": None},
    "source": "Table I",
}
CLAIM = {
    "claim": "Training against PGD helps",
    "source": "section 1",
    "where": {"role": "bob", "metric": "accuracy", "psr_db": -6.0},
    "cases": {"dataset": "all"},
    "links": ["plain"],
    "requires": [
        {
            "difference": [
                {"adversary": None, "training": None},
                {"adversary": "pgd", "training": None},
            ],
            "above": 0.05,
            "show": "points",
            "else": "PGD fails without it too",
        }
    ],
    "judge": [
        {
            "difference": [
                {"adversary": "pgd", "training": "at-pgd"},
                {"adversary": "pgd", "training": None},
            ],
            "at_least": 0.1,
            "show": "points",
        }
    ],
}
CLAIMS = Claims.model_validate({"links": {"plain": LEVEL}, "claims": [CLAIM]})


def link(plain, attacked, hardened, dataset="cifar10"):
    fields = ATTACKED | {"dataset": dataset}
    return [
        CHANCE | {"dataset": dataset},
        row(plain, dataset=dataset),
        row(attacked, adversary="pgd", **fields),
        row(hardened, adversary="pgd", training="at-pgd", **fields),
    ]


def finding(*rows, claims=CLAIMS):
    (one,) = verdicts(claims, table(*rows))
    ((found,),) = one.findings.values()
    return found


@pytest.mark.parametrize(
    ("numbers", "verdict", "reason"),
    [
        ((0.93, 0.3, 0.8), "confirmed", ""),
        ((0.93, 0.3, 0.2), "refuted", ""),
        # Two points below the published level still count, three do not.
        ((0.90, 0.3, 0.8), "confirmed", ""),
        (
            (0.89, 0.3, 0.8),
            "not judged",
            "the link plain on cifar10 is too weak: 89.0 (88.0–90.0) %, 91.9 % is published",
        ),
        ((0.93, 0.9, 0.91), "not judged", "PGD fails without it too: +3.0 (+1.6 to +4.4)"),
        (
            (0.93, 0.0, 0.09),
            "not judged",
            "the budget saturates: Bob is left 9.0 % and 0.0 %, all at chance (10.0 %)",
        ),
        # One side that stands is enough to rank them.
        ((0.93, 0.0, 0.13), "confirmed", ""),
    ],
)
def test_a_claim_is_judged_where_its_conditions_hold(numbers, verdict, reason):
    found = finding(*link(*numbers))
    assert (found.verdict, found.reason) == (verdict, reason)
    assert found.words in str(found)
    assert reason in str(found)


def test_a_link_that_was_not_measured_supports_no_verdict():
    level = LEVEL | {"value": LEVEL["value"] | {"scheme": "deepjscc"}}
    claims = Claims.model_validate({"links": {"plain": level}, "claims": [CLAIM]})
    found = finding(*link(0.93, 0.3, 0.8), claims=claims)
    assert found.verdict == "not judged"
    assert found.reason == "the link plain on cifar10 was not measured, 91.9 % is published"


def test_where_no_level_is_published_nothing_is_asked_of_the_link():
    assert finding(*link(0.6, 0.3, 0.5, dataset="svhn")).verdict == "confirmed"


def test_half_a_decibel_is_allowed():
    level = LEVEL | {"value": LEVEL["value"] | {"metric": "psnr_db"}, "published": 25.13}
    claims = Claims.model_validate({"links": {"plain": level}, "claims": [CLAIM]})
    for quality, verdict in ((24.7, "confirmed"), (24.5, "not judged")):
        seen = row(quality, 0.2, metric="psnr_db", dataset="cifar10")
        found = finding(*link(0.5, 0.3, 0.5), seen, claims=claims)
        assert found.verdict == verdict


def test_a_page_names_the_links_and_writes_a_shared_reason_once(tmp_path):
    template = tmp_path / "page.md.j2"
    template.write_text("{{ claims() }}")
    claim = CLAIM | {"cases": {"dataset": "all", "training": ["at-pgd", "at-pgm"]}}
    spec = Claims.model_validate({"links": {"plain": LEVEL}, "claims": [claim]})
    records = table(*link(0.6, 0.3, 0.5), *link(0.6, 0.3, 0.5, dataset="svhn"))
    text = page.render(template, records, verdicts(spec, records)).text
    assert "| plain, cifar10 | 60.0 (59.0–61.0) % | 91.9 % | Table I |" in text
    assert "| plain, svhn | 60.0 (59.0–61.0) % | none | Table I |" in text
    assert text.count("is too weak") == 1
    assert text.count("**not judged** [1]: +20.0") == 2
    assert "| 1. Training against PGD helps | 2 | 0 | 0 | 2 |" in text


def test_links_are_shared_between_files(tmp_path):
    (tmp_path / "links.yaml").write_text(
        "links: {a: {value: {metric: ssim}, published: 1, source: b}}"
    )
    (tmp_path / "claims.yaml").write_text(
        "include: links.yaml\nclaims: [{claim: a, source: b, links: [a], judge: [{above: 1}]}]"
    )
    claims = load(tmp_path / "claims.yaml")
    assert list(claims.links) == ["a"]
    with pytest.raises(SemveilError, match="ssim is neither in % nor in dB"):
        verdicts(claims, table(row(0.5, metric="ssim")))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("claims: [{claim: a, source: b, links: [plane], judge: [{above: 1}]}]", "link 'plane'"),
        ("links: {a: {value: {metrik: x}, published: 1, source: b}}", "'metric'"),
        ("links: {a: {value: {metric: x}, source: b}}", "links.a.published"),
        ("include: nowhere.yaml", "nowhere.yaml"),
    ],
)
def test_a_mistake_in_links_is_one_line(tmp_path, text, words):
    path = tmp_path / "claims.yaml"
    path.write_text(text)
    with pytest.raises(SemveilError, match=re.escape(words)) as raised:
        load(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", OWN)
def test_a_claim_of_an_attack_or_an_eavesdropper_rests_on_a_link(name):
    # What it costs, how large it is and how keys grow rests on no trained link.
    untrained = {"cost", "devices", "size"}
    claims = PAPERS.get(name)().claims()
    assert bool(claims.links) == (name not in untrained and bool(claims.claims))


@pytest.mark.slow
def test_a_small_study_says_what_is_not_judged(semveil, tmp_path):
    folder = tmp_path / "results" / "relay"
    words = ("study", "relay", "--budget", "smoke", "-q", "--out", folder)
    succeed(semveil(*words, folder=tmp_path))
    text = (folder / "README.md").read_text()
    # Digits have no published level.
    assert re.search(r"^\| deepjscc, digits \| .* % \| none \|", text, flags=re.M)
    # Trained for seconds, no perturbation does what a verdict needs.
    reason = "it does not cost five points more than noise without a key: "
    assert re.search(re.escape(reason) + r"[+−]\d+\.\d \([+−]\d", text)
    shown = succeed(semveil("papers", "relay", folder=tmp_path)).out
    assert re.search(r"claims: .*\d+ not judged", shown)
