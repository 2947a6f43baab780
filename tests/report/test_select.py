"""Choosing among records."""

from __future__ import annotations

import dataclasses
import math

import pytest

from semveil.records import FIELDS, Record
from semveil.report.select import floor, frame, name_of, over_seeds, strongest, where

EVE = Record(
    scheme="minmax",
    dataset="digits",
    channel="rayleigh/perfect",
    train_snr_db=10.0,
    test_snr_db=10.0,
    latent_dim=16,
    role="eve",
    adversary="inference/linear",
    protocol="adaptive",
    target="label",
    metric="accuracy",
    value=0.3,
    n=100,
    seed=0,
)


def test_frame_keeps_every_field_in_order(quick: list[Record]) -> None:
    table = frame(quick)
    assert tuple(table.columns) == (*FIELDS, "system")
    assert table["value"].tolist() == [record.value for record in quick]


def test_frame_of_nothing_has_the_columns() -> None:
    assert tuple(frame([]).columns) == (*FIELDS, "system")
    assert strongest(frame([])).empty


def test_params_are_columns_and_equal_ones_are_equal() -> None:
    one = dataclasses.replace(EVE, params={"codec": "AVIF", "protections": ["rotation"]})
    other = dataclasses.replace(EVE, params={"protections": ["rotation"], "codec": "AVIF"})
    table = frame([one, other, EVE])
    assert table["params"].nunique() == 1
    assert table["params.codec"].tolist()[:2] == ["AVIF", "AVIF"]
    assert len(where(table, **{"params.protections": '["rotation"]'})) == 2
    assert where(table, params=None)["system"].tolist() == ["minmax"]
    assert name_of(table.iloc[0]) == one.system


def test_strongest_takes_the_largest_of_each_contest() -> None:
    records = [
        EVE,
        dataclasses.replace(EVE, adversary="inference/wide", value=0.8),
        dataclasses.replace(EVE, adversary="inference/mlp", value=0.5),
        dataclasses.replace(EVE, adversary="inference/mlp", value=0.2, test_snr_db=0.0),
        dataclasses.replace(EVE, adversary="inference/mlp", value=0.1, protocol="paper"),
    ]
    assert strongest(frame(records))["value"].tolist() == [0.8, 0.2, 0.1]


@pytest.mark.parametrize(
    "change",
    [
        {"study": "other"},
        {"scheme": "multitask"},
        {"variant": "latent"},
        {"control": "noise"},
        {"training": "semmixed"},
        {"params": {"epsilon": 0.1}},
        {"dataset": "mnist"},
        {"channel": "awgn/perfect"},
        {"latent_dim": 32},
        {"test_snr_db": 0.0},
        {"train_snr_db": None},
        {"protocol": "paper"},
        {"target": "image"},
        {"metric": "psnr_db"},
        {"image_class": 3},
        {"psr_db": -10.0},
        {"seed": 1},
    ],
)
def test_eves_under_other_circumstances_do_not_compete(change: dict[str, object]) -> None:
    other = dataclasses.replace(EVE, value=0.9, **change)
    assert len(strongest(frame([EVE, other]))) == 2


def test_eves_without_optional_fields_compete() -> None:
    bare = dataclasses.replace(EVE, train_snr_db=None, latent_dim=None)
    better = dataclasses.replace(bare, adversary="inference/wide", value=0.4)
    assert strongest(frame([bare, better]))["value"].tolist() == [0.4]


def test_an_eve_that_diverged_never_wins() -> None:
    diverged = dataclasses.replace(EVE, adversary="inference/wide", value=math.nan)
    assert strongest(frame([diverged, EVE]))["adversary"].tolist() == ["inference/linear"]
    assert strongest(frame([diverged])).empty


def attacked(**values: dict[int, float]) -> list[Record]:
    return [
        dataclasses.replace(EVE, adversary=f"inference/{name}", value=value, seed=seed)
        for name, over in values.items()
        for seed, value in over.items()
    ]


def test_every_seed_has_its_own_strongest_eve() -> None:
    table = frame(attacked(linear={0: 0.5, 1: 0.6}, mlp={0: 0.7, 1: 0.4}))
    assert strongest(table)["value"].tolist() == [0.6, 0.7]


def test_an_eve_who_attacked_some_seeds_counts_where_she_is_the_strongest_there() -> None:
    records = attacked(linear={0: 0.5, 1: 0.6, 2: 0.55}, mlp={0: 0.9})
    assert strongest(frame(records))[["seed", "value"]].values.tolist() == [[0, 0.9]]
    other = dataclasses.replace(records[1], scheme="multitask")
    assert strongest(frame([*records, other]))["value"].tolist() == [0.9, 0.6]


@pytest.mark.parametrize(
    "values",
    [
        # Weaker there than those who attacked all seeds.
        {"linear": {0: 0.5, 1: 0.6, 2: 0.1}, "wide": {0: 0.4}},
        # Stronger there, but less than those get over all seeds.
        {"linear": {0: 0.5, 1: 0.6, 2: 0.9}, "wide": {0: 0.55}},
        # Diverged there.
        {"linear": {0: 0.5, 1: 0.6, 2: 0.1}, "wide": {0: math.nan}},
    ],
)
def test_an_eve_who_attacked_some_seeds_makes_no_eve_weaker(
    values: dict[str, dict[int, float]],
) -> None:
    found = strongest(frame(attacked(**values)))
    assert found["value"].tolist() == list(values["linear"].values())


def test_a_number_of_no_eve_in_particular_has_every_seed() -> None:
    records = [dataclasses.replace(EVE, adversary=None, seed=seed) for seed in range(2)]
    assert len(strongest(frame(records))) == 2


def test_a_seed_counts_where_an_eve_diverged() -> None:
    table = frame(attacked(linear={0: 0.5, 1: 0.6}, mlp={0: 0.9, 1: math.nan}))
    assert strongest(table)["value"].tolist() == [0.6, 0.9]
    assert strongest(frame(attacked(mlp={0: math.nan, 1: math.nan}))).empty


def test_the_least_distance_is_the_strongest() -> None:
    far = dataclasses.replace(EVE, metric="mse_floor_db", value=0.5)
    near = dataclasses.replace(far, adversary="inference/wide", value=0.1)
    assert strongest(frame([far, near]))["value"].tolist() == [0.1]


def test_strongest_ignores_the_other_roles(quick: list[Record]) -> None:
    assert set(strongest(frame(quick))["role"]) == {"eve"}


def test_floor_is_narrowed_while_records_agree() -> None:
    chance = dataclasses.replace(
        EVE, role="system", adversary=None, protocol="none", metric="chance", value=0.1
    )
    other = dataclasses.replace(chance, target="moustache", value=0.96)
    table = frame([chance, other])
    assert floor(table, "accuracy", dataset="digits", target="moustache") == 0.96
    assert floor(table, "accuracy", dataset="digits", target="label", scheme="absent") == 0.1
    assert floor(table, "accuracy", dataset="mnist") is None
    assert floor(table, "psnr_db", dataset="digits") is None


def test_seeds_are_merged_with_one_interval_which_stays_possible() -> None:
    first = dataclasses.replace(EVE, value=0.98, ci_low=0.96, ci_high=0.99)
    second = dataclasses.replace(EVE, value=1.0, ci_low=0.98, ci_high=1.0, seed=1)
    other = dataclasses.replace(EVE, test_snr_db=4.0, value=0.5, ci_low=None, ci_high=None)
    merged = over_seeds(frame([first, second, other])).sort_values("test_snr_db")
    assert merged["value"].tolist() == pytest.approx([0.5, 0.99])
    lone, both = merged[["ci_low", "ci_high"]].to_numpy().tolist()
    assert lone == [0.5, 0.5]
    assert both[0] < 0.97
    assert both[1] == 1.0


def test_where_matches_missing_values() -> None:
    table = frame([EVE, dataclasses.replace(EVE, psr_db=-10.0)])
    assert len(where(table, psr_db=None)) == 1
    assert len(where(table, psr_db=-10.0)) == 1
