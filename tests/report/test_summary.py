"""Rows, verdicts, and their words."""

from __future__ import annotations

import re
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from semveil.metrics import metric_of, wilson
from semveil.records import Estimate, Record, SystemName
from semveil.report.select import frame
from semveil.report.summary import Row, Verdict, judge, rows, summary, summary_table

percent = metric_of("accuracy").format


def measure(value: float, half: float = 0.01) -> Estimate:
    return Estimate(value, value - half, value + half, 100)


def row_of(records: list[Record], scheme: str) -> Row:
    (row,) = [row for row in rows(frame(records)) if row.system == scheme]
    return row


def only(records: list[Record], **wanted: object) -> Record:
    (found,) = [
        record
        for record in records
        if all(getattr(record, key) == value for key, value in wanted.items())
    ]
    return found


def plain(records: list[Record], width: int = 100) -> str:
    console = Console(file=StringIO(), width=width)
    console.print(summary_table(records))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("bob", "eve", "chance", "reference", "verdict"),
    [
        (0.95, 0.94, 0.1, 0.94, Verdict.NONE),
        (0.90, 0.95, 0.1, 0.94, Verdict.NONE),
        (0.95, 0.50, 0.1, 0.94, Verdict.PARTIAL),
        (0.95, 0.50, 0.1, None, Verdict.PARTIAL),
        (0.95, 0.50, 0.1, 0.51, Verdict.SAME),
        (0.95, 0.105, 0.1, 0.94, Verdict.CHANCE),
        (0.95, 0.105, 0.1, 0.105, Verdict.FAILS),
        (0.95, 0.105, 0.1, None, Verdict.ALONE),
        (0.95, 0.105, 0.1, 0.15, Verdict.FEW),
        (0.105, 0.105, 0.1, 0.94, Verdict.BROKEN),
        (0.105, 0.300, 0.1, 0.94, Verdict.NONE),
        (0.95, 0.50, None, None, Verdict.PARTIAL),
        (None, 0.50, 0.1, 0.94, Verdict.LEAK),
        (None, 0.10, 0.1, 0.94, Verdict.CHANCE),
        (None, 0.10, 0.1, 0.10, Verdict.FAILS),
        (0.95, None, 0.1, 0.94, Verdict.UNTESTED),
        (None, 0.50, None, None, Verdict.UNTESTED),
    ],
)
def test_verdict(
    bob: float | None,
    eve: float | None,
    chance: float | None,
    reference: float | None,
    verdict: Verdict,
) -> None:
    found = [None if value is None else measure(value) for value in (bob, eve, reference)]
    assert judge(found[0], found[1], chance, found[2]) is verdict
    if eve is not None and (bob is not None or chance is not None):
        assert judge(found[0], found[1], chance, found[2], unprotected=True) is Verdict.UNPROTECTED


def test_the_best_of_many_guesses_on_few_images_is_no_leak() -> None:
    """Of 18 guessers among 60 images and 3 classes, the best has 55 % in one of 100 audits."""
    best = wilson(33, 60)
    assert best.low > 1 / 3
    assert judge(None, best, 1 / 3, wilson(50, 60)) is Verdict.LEAK
    few = wilson(29, 60)
    assert few.low > 1 / 3
    assert judge(None, few, 1 / 3, wilson(50, 60), tests=18) is Verdict.FEW


def test_wide_intervals_are_no_protection() -> None:
    eve, reference = wilson(20, 60), wilson(50, 60)
    assert judge(None, eve, 1 / 3, reference) is Verdict.FEW
    eve, reference = wilson(2000, 6000), wilson(5000, 6000)
    assert judge(None, eve, 1 / 3, reference) is Verdict.CHANCE


def levelled(records: list[Record], scheme: str, value: float, **only_at: object) -> list[Record]:
    """Return records in which every fresh Eve on a scheme has one accuracy."""
    half = 0.01
    return [
        replace(record, value=value, ci_low=value - half, ci_high=value + half)
        if record.role == "eve"
        and record.protocol == "adaptive"
        and record.metric == "accuracy"
        and record.system.label == scheme
        and all(getattr(record, key) == wanted for key, wanted in only_at.items())
        else record
        for record in records
    ]


def test_an_eve_who_fails_without_protection_proves_none(quick: list[Record]) -> None:
    hidden = levelled(quick, "cooperative", 0.1)
    assert row_of(hidden, "cooperative").label is Verdict.CHANCE
    untrained = levelled(hidden, "multitask", 0.1)
    untrained = [r for r in untrained if r.role != "eve" or r.protocol == "adaptive"]
    assert row_of(untrained, "cooperative").label is Verdict.FAILS
    assert row_of(untrained, "multitask").label is Verdict.UNPROTECTED
    alone = [record for record in hidden if record.scheme == "cooperative" and not record.control]
    assert row_of(alone, "cooperative").label is Verdict.ALONE


def test_verdicts_are_given_at_every_snr_of_eve(quick: list[Record]) -> None:
    hidden = levelled(quick, "cooperative", 0.1, test_snr_db=0.0)
    row = row_of(levelled(hidden, "cooperative", 0.1, test_snr_db=10.0), "cooperative")
    verdicts = {level: label for level, label, _ in row.verdicts()}
    assert list(verdicts) == [0.0, 10.0, 20.0]
    assert row.label is verdicts[10.0] is Verdict.CHANCE
    assert verdicts[20.0] is Verdict.PARTIAL
    assert "Eve at 20 dB" in plain(levelled(hidden, "cooperative", 0.1, test_snr_db=10.0))


def test_a_link_that_states_that_nothing_protects_it_is_unprotected(quick: list[Record]) -> None:
    bare = only(quick, scheme="minmax", metric="chance")
    said = replace(bare, metric="unprotected", value=1.0)
    assert row_of([*quick, said], "minmax").label is Verdict.UNPROTECTED


def test_several_seeds_are_one_row(quick: list[Record]) -> None:
    shifted = [
        replace(record, seed=1, value=record.value - 0.1, ci_low=record.ci_low - 0.1)
        if record.role == "bob" and record.metric == "accuracy"
        else replace(record, seed=1)
        for record in quick
    ]
    row, one = row_of([*quick, *shifted], "minmax"), row_of(quick, "minmax")
    assert row.seeds == (0, 1)
    eve, same = row.at("adaptive"), one.at("adaptive")
    assert eve is not None
    assert same is not None
    assert (eve.value, eve.low, eve.high) == pytest.approx((same.value, same.low, same.high), 1e-3)
    bob, alone = row.at("bob"), one.at("bob")
    assert bob is not None
    assert alone is not None
    assert bob.value == pytest.approx(alone.value - 0.05)
    # Beyond either seed, whose values are a tenth apart.
    assert bob.low < alone.value - 0.1
    assert bob.high > alone.value
    assert "seeds 0, 1" in plain([*quick, *shifted])


def test_touching_intervals_are_no_protection() -> None:
    assert judge(measure(0.9, 0.02), measure(0.86, 0.02), 0.1) is Verdict.NONE


def test_rows_carry_the_records_numbers(quick: list[Record]) -> None:
    noise = SystemName("cooperative", control="noise")
    for system in (SystemName("multitask"), SystemName("cooperative"), noise):
        row = row_of(quick, system.label)
        here = {"system": system, "test_snr_db": 10.0, "metric": "accuracy"}
        bob = only(quick, role="bob", **here)
        paper = only(quick, role="eve", protocol="paper", **here)
        fresh = [
            record.value
            for record in quick
            if record.role == "eve"
            and record.protocol == "adaptive"
            and all(getattr(record, key) == value for key, value in here.items())
        ]
        assert row.at("bob") == Estimate(bob.value, bob.ci_low, bob.ci_high, bob.n)
        assert row.figures["paper", "accuracy"].value == paper.value
        assert row.figures["adaptive", "accuracy"].value == max(fresh)
        assert row.eves["adaptive", "accuracy"] == "inference/wide"
        assert row.tried == 3
        assert row.floors["adaptive", "accuracy"] == 0.1013
        assert row.floors["adaptive", "psnr_db"] == 11.03
        assert row.snr_db == 10.0


def test_rows_are_one_per_system_and_condition(study: list[Record]) -> None:
    assert len(rows(frame(study))) == 5 * 4 * 2


def test_bob_under_attack_is_not_bob(quick: list[Record]) -> None:
    bob = only(quick, role="bob", scheme="multitask", metric="accuracy", test_snr_db=10.0)
    attacked = replace(bob, adversary="perturb/pgd", psr_db=-5.0, value=0.2)
    row = row_of([attacked, *quick], "multitask")
    assert row.figures["bob", "accuracy"].value == bob.value
    assert row.psr_db is None


def test_several_powers_are_several_rows(quick: list[Record]) -> None:
    weaker = [
        replace(record, psr_db=-20.0)
        for record in quick
        if record.system.label == "cooperative" and record.psr_db is not None
    ]
    found = [row for row in rows(frame(quick + weaker)) if row.system == "cooperative"]
    assert [row.psr_db for row in found] == [-20.0, -10.0]


def test_without_fresh_eves_nothing_is_claimed(quick: list[Record]) -> None:
    paper_only = [record for record in quick if record.protocol != "adaptive"]
    row = row_of(paper_only, "cooperative")
    assert row.at("paper") is not None
    assert row.label is Verdict.UNTESTED


def test_a_stronger_paper_eve_counts_and_is_noted(quick: list[Record]) -> None:
    weak = [
        replace(record, value=0.1, ci_low=0.09, ci_high=0.11)
        if record.protocol == "adaptive" and record.metric == "accuracy"
        else record
        for record in quick
    ]
    row = row_of(weak, "multitask")
    assert row.levels[10.0, "accuracy"] == row.at("paper")
    assert "beats every fresh one" in row.notes[0]


def test_too_few_fresh_eves_are_noted(quick: list[Record]) -> None:
    one = [record for record in quick if record.adversary in {None, "inference/wide"}]
    assert row_of(one, "multitask").notes == ("only 1 fresh Eve tried, not 3",)


def test_a_private_attribute_is_judged_by_its_own_chance(quick: list[Record]) -> None:
    private = [
        replace(record, target="parity", value=0.55, ci_low=0.5, ci_high=0.6)
        for record in quick
        if record.scheme == "multitask" and record.role == "eve" and record.metric == "accuracy"
    ]
    chance = only(quick, scheme="multitask", metric="chance")
    majority = replace(chance, target="parity", value=0.52)
    (row,) = [row for row in rows(frame([*quick, *private, majority])) if row.target == "parity"]
    assert row.floors["adaptive", "accuracy"] == 0.52
    assert row.floors["bob", "accuracy"] == 0.1013
    assert judge(None, row.at("adaptive"), row.floors["adaptive", "accuracy"]) is Verdict.ALONE


def test_missing_intervals_are_the_value_itself(quick: list[Record]) -> None:
    bare = [replace(record, ci_low=None, ci_high=None) for record in quick]
    row = row_of(bare, "minmax")
    bob = row.figures["bob", "accuracy"]
    assert bob.low == bob.value == bob.high
    assert "±" not in plain(bare).replace("± half", "")


def test_a_worse_channel_is_told_beside_the_equal_one(quick: list[Record]) -> None:
    wiretap = [replace(record, asymmetry="channel") for record in quick]
    row = row_of(wiretap, "minmax")
    assert [level for level, _ in row.weaker] == [0.0]


def test_bob_and_eve_on_different_channels_are_one_system(quick: list[Record]) -> None:
    split = [
        replace(record, channel="awgn/perfect") if record.role == "eve" else record
        for record in quick
    ]
    assert len(rows(frame(split))) == 6
    row = row_of(split, "minmax")
    assert row.label is row_of(quick, "minmax").label
    assert row.condition["channel"] == "rayleigh/perfect, Eve awgn/perfect"


def test_several_channels_are_several_settings(quick: list[Record]) -> None:
    other = [replace(record, channel="awgn/perfect") for record in quick]
    assert len(rows(frame(quick + other))) == 12


def test_without_a_training_snr_the_highest_common_one_counts(quick: list[Record]) -> None:
    untrained = [replace(record, train_snr_db=None) for record in quick]
    assert row_of(untrained, "minmax").place == "at 20 dB"
    assert "at 20 dB" in plain(untrained)
    assert row_of(quick, "minmax").place == ""
    eve_only = [record for record in untrained if record.role != "bob"]
    row = row_of(eve_only, "minmax")
    assert row.at("bob") is None
    assert row.label is Verdict.LEAK


def test_terminal_table_fits_and_shows_the_numbers(quick: list[Record]) -> None:
    printed = plain(quick)
    assert max(map(len, printed.splitlines())) <= 100
    for row in rows(frame(quick)):
        for shown in (row.at("bob"), row.at("paper"), row.at("adaptive")):
            assert shown is not None
            assert percent(shown.value) in printed
    assert re.search(r"chance .* 10\.1 ", printed)
    assert "no protection" in printed
    assert "digits · rayleigh/perfect · d = 16" in printed
    assert "…" not in printed


def test_terminal_table_of_a_study_names_every_condition(study: list[Record]) -> None:
    printed = plain(study)
    for dataset in ("mnist", "cifar10"):
        for latent_dim in (4, 8, 16, 32, 64):
            assert f"{dataset} · rayleigh/perfect · d = {latent_dim} ·" in printed


def test_square_brackets_in_names_are_not_markup(quick: list[Record]) -> None:
    odd = [replace(record, scheme="a[red]b") for record in quick[:20]]
    assert "a[red]b" in plain(odd)


def test_a_metric_of_images_is_a_column_with_its_floor(quick: list[Record]) -> None:
    floor = only(quick, scheme="multitask", metric="psnr_mean_image_db")
    table = summary(rows(frame([*quick, replace(floor, metric="ssim_floor", value=0.43)])))
    titles = [column.title for column in table.columns]
    assert titles.count("SSIM") == 2
    (_, lines), *others = table.groups
    assert not others
    chance = next(line for line in lines if line.name == "chance")
    assert chance.cells[titles.index("SSIM") - 1].words == "0.430"
    assert all(len(line.cells) == len(titles) - 1 for line in lines)
