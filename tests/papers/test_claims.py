"""Claims against records whose verdict is known."""

from __future__ import annotations

import numpy as np
import pytest

from papers.numbers import row, table
from semveil.errors import SemveilError
from semveil.metrics import wilson
from semveil.papers.claims import Claim, Claims, cases, compare, judge
from semveil.papers.files import read
from semveil.papers.values import Selector
from semveil.records import Estimate

YES, NO, OPEN = "confirmed", "refuted", "undecided"


def estimate(low, high):
    return Estimate((low + high) / 2, low, high, 9)


def exactly(value):
    return estimate(value, value)


@pytest.mark.parametrize(
    ("comparison", "interval", "against", "verdict"),
    [
        ("at_least", (0.2, 0.4), [exactly(0.2)], YES),
        ("at_least", (0.2, 0.4), [exactly(0.3)], OPEN),
        ("at_least", (0.2, 0.4), [exactly(0.5)], NO),
        ("at_most", (0.2, 0.4), [exactly(0.4)], YES),
        ("at_most", (0.2, 0.4), [exactly(0.3)], OPEN),
        ("at_most", (0.2, 0.4), [exactly(0.1)], NO),
        ("above", (0.2, 0.4), [exactly(0.2)], OPEN),
        ("above", (0.2, 0.4), [exactly(0.1)], YES),
        ("below", (0.2, 0.4), [exactly(0.5)], YES),
        ("below", (0.2, 0.4), [exactly(0.1)], NO),
        # Against a measured number the whole intervals must lie apart.
        ("above", (0.5, 0.7), [estimate(0.3, 0.4)], YES),
        ("above", (0.5, 0.7), [estimate(0.3, 0.6)], OPEN),
        ("above", (0.5, 0.7), [estimate(0.8, 0.9)], NO),
        ("within", (0.2, 0.4), [exactly(0.1), exactly(0.5)], YES),
        ("within", (0.2, 0.4), [exactly(0.1), exactly(0.3)], OPEN),
        ("within", (0.2, 0.4), [exactly(0.5), exactly(0.6)], NO),
        # No interval proves equality.
        ("equals", (0.2, 0.4), [estimate(0.4, 0.9)], OPEN),
        ("equals", (0.2, 0.4), [estimate(0.5, 0.9)], NO),
    ],
)
def test_comparisons_go_by_the_whole_interval(comparison, interval, against, verdict):
    assert compare(comparison, estimate(*interval), *against) == verdict


def claim(**parts):
    return Claim(claim="It is so", source="section 1", **parts)


def verdicts(found):
    return {case: [f and f.verdict.value for f in row] for case, row in found.findings.items()}


LOST = {"difference": [{"adversary": None}, {"adversary": "pgd"}], "at_least": 0.3}


def test_every_case_is_judged_in_every_column():
    records = []
    for dataset, plain in (("mnist", 0.9), ("cifar10", 0.6)):
        records.append(row(plain, dataset=dataset))
        for psr_db, left in ((-2.0, 0.1), (-6.0, 0.5)):
            records.append(row(left, dataset=dataset, adversary="pgd", psr_db=psr_db))
    one = claim(
        where={"role": "bob", "adversary": "pgd"},
        cases={"dataset": "all"},
        columns={"psr_db": "all"},
        judge=[LOST],
    )
    found = judge(one, Selector(table(*records)))
    assert list(found.columns) == [-6.0, -2.0]
    assert verdicts(found) == {("mnist",): [YES, YES], ("cifar10",): [NO, YES]}
    assert found.counts == {"confirmed": 3, "refuted": 1, "undecided": 0, "not judged": 0}


@pytest.mark.parametrize(("least", "verdict"), [(0.8, YES), (0.85, OPEN), (0.95, NO)])
def test_all_parts_must_hold(least, verdict):
    records = [row(0.9), row(0.5, adversary="pgd"), row(0.85, metric="accuracy_others")]
    parts = [LOST | {"metric": "accuracy"}, {"metric": "accuracy_others", "at_least": least}]
    assert verdicts(judge(claim(judge=parts), _bob(records))) == {(): [verdict]}


def _bob(records):
    return Selector(table(*records))


def test_a_case_without_a_part_has_no_verdict():
    lost = LOST | {"metric": "psnr_db"}
    found = judge(claim(judge=[LOST, lost]), Selector(table(row(0.9), row(0.5, adversary="pgd"))))
    assert not found.measured
    assert set(found.counts.values()) == {0}


def test_what_stands_beside_is_not_judged():
    records = [row(0.9), row(0.5, adversary="pgd"), row(0.8, adversary="jamming")]
    beside = [
        {"adversary": "jamming", "show": "percent", "as": "jamming"},
        {"adversary": "fgm", "show": "percent"},
    ]
    part = LOST | {"show": "points"}
    ((finding,),) = judge(claim(judge=[part], beside=beside), _bob(records)).findings.values()
    assert str(finding) == ("**confirmed**: +40.0 (+38.6 to +41.4); jamming 80.0 (79.0–81.0)")


def test_a_threshold_may_depend_on_the_case():
    records = [row(0.9, dataset="mnist"), row(0.9, dataset="cifar10")]
    part = {"at_least": {"by": "dataset", "mnist": 0.95, "else": 0.8}}
    found = judge(claim(cases={"dataset": "all"}, judge=[part]), _bob(records))
    assert verdicts(found) == {("mnist",): [NO], ("cifar10",): [YES]}


@pytest.mark.parametrize(
    ("levels", "verdict"), [((0.1, 0.3, 0.5), YES), ((0.1, 0.5, 0.3), NO), ((0.1, 0.3, 0.31), OPEN)]
)
@pytest.mark.parametrize("order", ["increasing", "decreasing"])
def test_monotone_over_an_axis(levels, verdict, order):
    records = [row(x, latent_dim=d) for d, x in zip((8.0, 16.0, 32.0), levels, strict=True)]
    dims = [{"latent_dim": d} for d in (8, 16, 32)]
    part = {order: dims if order == "increasing" else dims[::-1]}
    assert verdicts(judge(claim(judge=[part]), _bob(records))) == {(): [verdict]}


def test_pairs_of_systems_are_groups():
    records = [
        row(0.9, scheme="vfe"),
        row(0.7, scheme="ibal"),
        row(0.7, scheme="dp", params="0.1"),
        row(0.5, scheme="dp", params="0.05"),
    ]
    records[3]["system"] = "dp (epsilon = 0.05)"
    one = claim(
        where={"role": "bob"},
        cases={
            "ours": {"of": ["system"], "where": {"scheme": ["vfe", "ibal"]}},
            "theirs": {"of": ["system"], "where": {"scheme": "dp"}},
        },
        judge=[{"value": {"for": "ours"}, "above": {"for": "theirs"}}],
    )
    found = judge(one, _bob(records))
    assert list(verdicts(found).values()) == [[YES], [YES], [OPEN], [YES]]
    assert ("`ibal`", "`dp (epsilon = 0.05)`") in found.findings


def test_cases_follow_the_records_and_leave_out_what_is_excluded():
    records = [row(0.1, adversary=name) for name in ("pgd", "jamming", "fgm")] + [row(0.9)]
    found = cases(_bob(records), {}, {"adversary": {"not": ["jamming"]}})
    assert [case.fields["adversary"] for case in found] == ["pgd", "fgm", None]
    listed = cases(_bob(records), {}, {"adversary": ["fgm", "uap"], "dataset": "all"})
    assert [case.words for case in listed] == [("fgm", "digits"), ("uap", "digits")]


def test_seeds_count_as_one_case():
    records = [row(0.9, seed=0), row(0.7, seed=1)]
    found = judge(claim(cases={"dataset": "all"}, judge=[{"at_least": 0.65}]), _bob(records))
    assert verdicts(found) == {("digits",): [YES]}


def test_numbers_of_unequal_seeds_are_compared_over_those_they_share():
    # Over all seeds dp would be ahead, on the shared one it is behind.
    records = [
        row(0.5, scheme="vfe", seed=0),
        row(0.9, scheme="vfe", seed=1),
        row(0.6, scheme="dp", seed=0),
    ]
    part = {"scheme": "vfe", "below": {"scheme": "dp"}, "show": "percent"}
    beside = [{"scheme": "dp", "show": "percent", "as": "against"}]
    found = judge(claim(judge=[part], beside=beside), _bob(records))
    ((finding,),) = found.findings.values()
    assert finding.verdict == YES
    assert finding.words == "50.0 (49.0–51.0); against 60.0 (59.0–61.0); 1 of 2 seeds"
    every = judge(
        claim(judge=[part], beside=beside), _bob([*records, row(0.95, scheme="dp", seed=1)])
    )
    ((finding,),) = every.findings.values()
    assert "seeds" not in finding.words


def test_of_readings_with_one_verdict_the_one_nearest_to_confirming_is_shown():
    rows = [row(value, **{"params.weight": weight}) for weight, value in ((1.0, 0.1), (2.0, 0.4))]
    for comparison, shown in (("at_least", 2), ("at_most", 1)):
        limit = 0.5 if comparison == "at_least" else 0.05
        part = {"metric": "accuracy", comparison: limit, "show": "rate"}
        one = claim(readings={"params.weight": [1.0, 2.0]}, judge=[part])
        ((finding,),) = judge(one, Selector(table(*rows))).findings.values()
        assert finding.verdict == NO
        assert f"weight {shown}" in finding.words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("claims: [{claim: a, source: b, juge: [{at_least: 1}]}]", "juge.*did you mean 'judge'"),
        ("claims: [{claim: a, source: b}]", "claims.0.judge"),
        ("claims: [{claim: a, source: b, judge: [{metric: x}]}]", "one comparison"),
        ("claims: [{claim: a, source: b, judge: [{metrik: x, at_least: 1}]}]", "'metric'"),
        ("claims: [{claim: a, source: b, judge: [{at_least: 1, show: pts}]}]", "show: pts"),
        ("claims: [{claim: a, source: b, judge: [{above: 1}], requires: [{above: 1}]}]", "`else`"),
        ("claims: [{claim: a, source: b, cases: {datset: all}, judge: [{above: 1}]}]", "'dataset'"),
        ("values: {x: {difference: [1]}}", "two values"),
        ("values: {x: {take: most}}", "take: most"),
        ("claims: [", "not YAML"),
        ("- 1", "claims.yaml"),
    ],
)
def test_a_mistake_in_claims_is_one_line(tmp_path, text, words):
    path = tmp_path / "claims.yaml"
    path.write_text(text)
    with pytest.raises(SemveilError, match=words) as raised:
        read(path, Claims)
    assert "\n" not in str(raised.value)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        ({None: 0.2, 1.0: 0.1, 3.0: 0.9}, YES),  # one reading confirms it
        ({None: 0.2, 1.0: 0.1, 3.0: 0.3}, NO),  # none does
        ({None: 0.2, 1.0: 0.1, 3.0: 0.5}, OPEN),  # one lies across
        ({1.0: 0.1}, OPEN),  # two were not measured
        ({1.0: 0.9}, YES),
    ],
)
def test_a_claim_falls_only_if_no_reading_of_it_confirms(measured, verdict):
    rows = [
        row(value, adversary="pgd", **{"params.weight": weight})
        for weight, value in measured.items()
    ]
    found = judge(
        claim(
            where={"role": "bob"},
            cases={"adversary": "all"},
            readings={"params.weight": [None, 1.0, 3.0]},
            judge=[{"metric": "accuracy", "at_least": 0.5, "show": "rate"}],
        ),
        Selector(table(*rows)),
    )
    assert verdicts(found) == {("pgd",): [verdict]}
    ((finding,),) = found.findings.values()
    assert ("2 of 3 readings not measured" in finding.words) is (measured == {1.0: 0.1})


@pytest.mark.parametrize(("value", "verdict"), [(0.9, YES), (0.5, OPEN), (0.1, OPEN)])
def test_a_claim_does_not_fall_by_a_setting_that_is_left_open_and_not_varied(value, verdict):
    found = judge(
        claim(
            where={"role": "bob"},
            open="the weights",
            judge=[{"metric": "accuracy", "at_least": 0.5, "show": "rate"}],
        ),
        Selector(table(row(value))),
    )
    ((finding,),) = found.findings.values()
    assert finding.verdict == verdict
    assert ("not varied: the weights" in finding.words) is (value == 0.1)


@pytest.mark.parametrize(
    ("bare", "left", "verdict"),
    [
        (0.9, {None: 0.2, 1.0: 0.1}, NO),
        (0.9, {None: 0.2, 1.0: 0.7}, YES),
        (0.5, {None: 0.2, 1.0: 0.7}, "not judged"),
    ],
)
def test_no_reading_confirms_what_an_adversary_who_fails_anyway_shows(bare, left, verdict):
    rows = [row(v, adversary="pgd", **{"params.weight": weight}) for weight, v in left.items()]
    found = judge(
        claim(
            where={"role": "bob"},
            cases={"adversary": ["pgd"]},
            readings={"params.weight": [None, 1.0]},
            requires=[
                {"adversary": None, "params.weight": None, "above": 0.6, "else": "Bob fails too"}
            ],
            judge=[{"metric": "accuracy", "at_least": 0.5, "show": "rate"}],
        ),
        Selector(table(*rows, row(bare))),
    )
    assert verdicts(found)[("pgd",)] == [verdict]


@pytest.mark.parametrize(("best", "verdict"), [(0.52, OPEN), (0.55, YES), (0.48, NO)])
def test_a_reading_that_confirms_stands_as_the_best_of_all(best, verdict):
    weights = [None, 1.0, 2.0, 3.0, 4.0, 5.0]
    rows = [
        row(best if weight == 3.0 else 0.2, 0.015, adversary="pgd", **{"params.weight": weight})
        for weight in weights
    ]
    read = {"readings": {"params.weight": weights}}
    for readings, expected in ((read, verdict), ({}, YES if best > 0.5 else NO)):
        where = {"role": "bob"} | ({} if readings else {"params.weight": 3.0})
        one = claim(
            where=where,
            cases={"adversary": ["pgd"]},
            judge=[{"metric": "accuracy", "at_least": 0.5, "show": "rate"}],
            **readings,
        )
        assert verdicts(judge(one, Selector(table(*rows))))[("pgd",)] == [expected]


def test_at_its_limit_a_claim_is_decided_by_chance_in_one_case_of_twenty():
    hits = np.random.default_rng(0).binomial(1000, 0.5, 4000)
    found = [compare("at_least", wilson(int(each), 1000), exactly(0.5)) for each in hits]
    decided = sum(str(verdict) != OPEN for verdict in found) / len(found)
    # Three standard errors of the share.
    assert decided == pytest.approx(0.05, abs=3 * (0.05 * 0.95 / len(found)) ** 0.5)
