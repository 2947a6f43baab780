"""How numbers are selected from records and made of each other."""

from __future__ import annotations

import math

import pytest
from scipy.stats import norm, ttest_rel

from papers.numbers import row, table
from semveil.errors import SemveilError
from semveil.metrics.intervals import hierarchical
from semveil.papers.values import Scope, Selector, difference, paired, ratio
from semveil.records import Estimate


def number(records, value, **values):
    return Scope(Selector(table(*records)), values).number(value)


ATTACKED = [
    row(0.9),
    row(0.5, adversary="pgd", psr_db=-6.0),
    row(0.7, adversary="jamming", psr_db=-6.0),
    row(0.4, adversary="pgd", psr_db=-2.0),
    row(20.0, metric="psnr_db"),
]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"metric": "psnr_db"}, 20.0),
        ({"metric": "accuracy", "adversary": None}, 0.9),
        # Without an attack there is no PSR and no protocol to compare.
        ({"role": "bob", "metric": "accuracy", "adversary": None, "psr_db": -6.0}, 0.9),
        ({"adversary": "pgd", "psr_db": -2}, 0.4),
        ({"adversary": ["jamming", "fgm"]}, 0.7),
        ({"psr_db": -6.0, "adversary": {"not": ["pgd"]}}, 0.7),
        ({"adversary": "j*"}, 0.7),
        ({"adversary": "fgm"}, None),
        ({"params.epsilon": 0.1}, None),
    ],
)
def test_fields_select_one_number(fields, expected):
    found = number(ATTACKED, fields)
    assert (found and found.value) == expected


def test_what_is_left_open_is_refused():
    with pytest.raises(SemveilError, match=r"several numbers.* differ in adversary, psr_db"):
        number(ATTACKED, {"metric": "accuracy", "adversary": ["pgd", "jamming"]})


def test_a_field_that_records_do_not_have_is_refused():
    with pytest.raises(SemveilError, match="unknown field 'metrc': did you mean 'metric'"):
        number(ATTACKED, {"metrc": "accuracy"})


def test_inner_fields_win_and_any_lifts_them():
    scope = Scope(Selector(table(*ATTACKED))).within({"adversary": "pgd", "psr_db": -6.0})
    assert scope.number({}).value == 0.5
    assert scope.number({"psr_db": -2.0}).value == 0.4
    assert scope.number({"adversary": "any", "psr_db": "any", "metric": "psnr_db"}).value == 20.0


def test_a_choice_depends_on_another_field():
    scope = Scope(Selector(table(*ATTACKED))).within({"adversary": "pgd"})
    wanted = {"psr_db": {"by": "adversary", "pgd": -2.0, "else": -6.0}}
    assert scope.number(wanted).value == 0.4
    assert scope.number(wanted | {"adversary": "jamming"}).value == 0.7
    with pytest.raises(SemveilError, match="no choice by adversary for pgd"):
        scope.number({"psr_db": {"by": "adversary", "fgm": -2.0}})


def test_seeds_are_merged_with_an_interval_over_seeds_and_images():
    seeds = [row(0.8, 0.02, seed=0, n=50), row(0.9, 0.05, seed=1, n=80)]
    # A job of its own may have measured the same number once more.
    found = number([*seeds, seeds[0]], {})
    assert (found.value, found.n) == (pytest.approx(0.85), 80)
    assert found == hierarchical([Estimate(0.8, 0.78, 0.82, 50), Estimate(0.9, 0.85, 0.95, 80)])


def test_the_strongest_eve_counts_in_every_seed():
    eve = {"role": "eve", "protocol": "adaptive", "target": "label"}
    records = [
        row(0.3, adversary="inference/linear", seed=0, **eve),
        row(0.6, adversary="inference/wide", seed=0, **eve),
        row(0.4, adversary="inference/linear", seed=1, **eve),
        row(0.2, adversary="inference/wide", seed=1, **eve),
    ]
    assert number(records, {"role": "eve"}).value == pytest.approx(0.5)


CLASSES = [row(x, image_class=k) for k, x in enumerate((0.2, 0.9, 0.4))]


@pytest.mark.parametrize(
    ("take", "expected"), [("max", 0.9), ("min", 0.2), ("mean", 0.5), ("mean_of_rest", 0.3)]
)
def test_several_numbers_are_reduced(take, expected):
    of_all = row(0.7)
    found = number([of_all, *CLASSES], {"image_class": {"not": [None]}, "take": take})
    assert found.value == pytest.approx(expected)
    assert number([*CLASSES, of_all], {"metric": "accuracy"}).value == 0.7
    assert number([*CLASSES, of_all], {"image_class": 1}).value == 0.9


def test_independent_numbers_are_subtracted_by_zou_and_donner():
    found = number(
        [row(0.9, 0.03), row(0.5, 0.04, adversary="pgd")],
        {"difference": [{"adversary": None}, {"adversary": "pgd"}]},
    )
    assert found.value == pytest.approx(0.4)
    assert (found.low, found.high) == (pytest.approx(0.35), pytest.approx(0.45))


def test_ratios_divide_on_the_logarithm():
    found = number([row(8.0, 0.0)], {"ratio": [{}, 2]})
    assert (found.value, found.low, found.high) == pytest.approx((4.0, 4.0, 4.0))
    with pytest.raises(SemveilError, match="positive"):
        number([row(8.0, 9.0)], {"ratio": [{}, 2]})


def test_the_mean_of_independent_numbers_is_narrower_than_they():
    found = number([row(0.5, 0.04, adversary="pgd"), row(0.7, 0.03)], {"mean": ["a", "b"]},
                   a={"adversary": "pgd"}, b={"adversary": None})  # fmt: skip
    assert found.value == pytest.approx(0.6)
    assert found.high - found.value == pytest.approx(0.025)


def test_fields_beside_a_form_hold_for_its_operands():
    records = [*ATTACKED, row(15.0, 1.0, metric="psnr_db", adversary="pgd", psr_db=-6.0)]
    lost = {"difference": [{"adversary": None}, {"adversary": "pgd", "psr_db": -6.0}]}
    assert number(records, lost | {"role": "bob", "metric": "psnr_db"}).value == pytest.approx(5.0)
    assert number(records, lost | {"role": "bob", "metric": "accuracy"}).value == pytest.approx(0.4)


def test_paired_differences_by_students_t():
    one, other = [0.8, 0.7, 0.9], [0.6, 0.65, 0.6]
    found = paired([x - y for x, y in zip(one, other, strict=True)])
    oracle = ttest_rel(one, other).confidence_interval()
    assert found.value == pytest.approx(0.55 / 3)
    assert (found.low, found.high) == (pytest.approx(oracle.low), pytest.approx(oracle.high))


def test_the_best_of_several_paired_differences_has_students_wider_interval():
    one, other = [0.8, 0.7, 0.9], [0.6, 0.65, 0.6]
    found = paired([x - y for x, y in zip(one, other, strict=True)], tests=4)
    oracle = ttest_rel(one, other).confidence_interval(1 - 0.05 / 4)
    assert (found.low, found.high) == (pytest.approx(oracle.low), pytest.approx(oracle.high))
    rows = [row(x, seed=seed) for seed, x in enumerate(one)]
    value = {"metric": "accuracy", "python": "papers.test_values:above_a_half"}
    alone, best = (Scope(Selector(table(*rows)), tests=n).number(value) for n in (1, 4))
    assert alone == paired([x - 0.5 for x in one])
    assert best == paired([x - 0.5 for x in one], tests=4)


def above_a_half(rows, tests=1):
    return paired(list(rows["value"] - 0.5), tests)


def test_one_pair_has_no_interval():
    found = paired([0.2])
    assert (found.low, found.high) == (-math.inf, math.inf)


@pytest.mark.parametrize("form", ["difference", "ratio", "mean"])
def test_a_form_is_not_measured_if_an_operand_is_not(form):
    assert number([row(0.9)], {form: [{"scheme": "mobilesc"}, {"scheme": "dp"}]}) is None


def test_a_function_makes_what_no_form_does():
    found = number(ATTACKED, {"metric": "accuracy", "python": "papers.test_values:gap"})
    assert found.value == pytest.approx(0.5)


def gap(rows):
    width = rows["value"].max() - rows["value"].min()
    return Estimate(width, width, width, len(rows))


def test_a_function_that_is_not_there_is_one_line():
    with pytest.raises(SemveilError, match="there is no function nowhere:gap"):
        number(ATTACKED, {"python": "nowhere:gap"})


def test_intervals_of_differences_and_ratios_agree_with_each_other():
    one, other = Estimate(4.0, 3.0, 6.0, 5), Estimate(2.0, 1.5, 2.5, 7)
    logs = [Estimate(*map(math.log, (x.value, x.low, x.high)), x.n) for x in (one, other)]
    assert ratio(one, other).high == pytest.approx(math.exp(difference(*logs).high))
    assert ratio(one, other).n == 5


EVES = [
    row(rate, 0.04, role="eve", adversary=f"inference/{name}")
    for name, rate in (("linear", 0.3), ("mlp", 0.5), ("wide", 0.6), ("deep", 0.4))
]
RATES = [row(0.1 * k, 0.04, image_class=k) for k in range(2, 7)]


@pytest.mark.parametrize(
    ("records", "value", "tests", "among"),
    [
        (EVES, {"role": "eve"}, 1, 4),
        (EVES, {"role": "eve"}, 3, 12),
        (EVES, {"adversary": "inference/wide"}, 1, 1),
        (RATES, {"image_class": {"not": [None]}, "take": "max"}, 1, 5),
        (RATES, {"image_class": 6}, 2, 2),
    ],
)
def test_the_best_of_several_has_a_wider_interval_where_it_is_judged(records, value, tests, among):
    scope = Scope(Selector(table(*records)))
    plain, judged = scope.number(value), Scope(scope.selector, tests=tests).number(value)
    assert (plain.value, plain.high - plain.value) == (pytest.approx(0.6), pytest.approx(0.04))
    wider = 0.04 * norm.ppf(1 - 0.025 / among) / norm.ppf(0.975)
    assert judged.high - judged.value == pytest.approx(wider)
    assert judged.value - judged.low == pytest.approx(wider)


def test_an_interval_is_not_widened_beyond_what_is_possible():
    eves = [row(0.99, 0.009, role="eve", adversary=name) for name in ("a", "b", "c")]
    assert Scope(Selector(table(*eves)), tests=1).number({}).high == 1.0
