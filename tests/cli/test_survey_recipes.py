"""Every recipe SCHEME-DATASET of the survey: it trains, is attacked, and says what protects it."""

from __future__ import annotations

import math
import os

import pytest

from commands import NO_PAGE, scraps, succeed
from semveil.records import read_records

SHORT = [
    f"--set={setting}"
    for setting in (
        "link.width=4",
        "train.epochs=1",
        "audit.inference=[linear]",
        "audit.inversion=[linear]",
        "audit.max_epochs=2",
        "audit.rounds=1",
        "audit.pictures=1",
        "audit.bob_snr_db=[12]",
        "audit.eve_snr_db=[12]",
    )
]
# What a run measures: each system, and what its figures say protects it.
SYSTEMS = {
    "deepjscc": {"deepjscc": None},
    "dp": {"deepjscc": None, "dp": "task"},
    "shuffle": {"deepjscc": None, "shuffle": "key", "shuffle (fixed-key)": "key"},
    "cipher": {"deepjscc": None, "cipher": "key", "cipher (plain)": None},
    "rotation": {
        "deepjscc": None,
        "rotation": "key",
        "rotation (haar)": "key",
        "rotation (structured)": "key",
    },
    "vfe": {"deepjscc": None, "vfe": "task"},
    "ibal": {"deepjscc": None, "ibal": "task"},
    "lbvq": {"deepjscc": None, "lbvq": "task"},
    "uis": {"deepjscc": None, "uis": "task"},
}
COMPOSED = {
    "ibal": ("[rotation]", "ibal+rotation", "key"),
    "deepjscc": ("[laplace, shuffle]", "deepjscc+laplace+shuffle", "key"),
    "uis": ("[laplace]", "uis+laplace", "task"),
}


def measured(semveil, folder, recipe, *settings):
    """Run a recipe and return its records."""
    words = [*SHORT, *(f"--set={setting}" for setting in settings)]
    if "SEMVEIL_DATA" in os.environ:
        words += ["--data", os.environ["SEMVEIL_DATA"]]
    succeed(semveil("run", recipe, *words, "--out", "run", folder=folder, before=NO_PAGE))
    assert scraps(folder / "run") == []
    return read_records(folder / "run" / "records.jsonl")


def check(records, systems, chance):
    assert {record.system.label: record.asymmetry for record in records} == systems
    assert all(math.isfinite(record.value) for record in records)
    for scheme in systems:
        mine = [record for record in records if record.system.label == scheme]
        told = {(record.role, record.metric) for record in mine}
        assert {("bob", "accuracy"), ("eve", "accuracy"), ("eve", "psnr_db")} <= told, scheme
        (bob,) = (r.value for r in mine if (r.role, r.metric) == ("bob", "accuracy"))
        assert bob > chance, scheme


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SYSTEMS)
def test_the_recipe_for_digits(semveil, tmp_path, scheme):
    records = measured(semveil, tmp_path, f"{scheme}-digits", "train.batch=32")
    check(records, SYSTEMS[scheme], chance=0.0)
    # One epoch is enough for the reference to know more than chance: 10 % of 360 digits, 99.9 %.
    (bob,) = (
        r.value
        for r in records
        if (r.system.label, r.role, r.metric) == ("deepjscc", "bob", "accuracy")
    )
    assert bob > 0.16


@pytest.mark.slow
@pytest.mark.parametrize("scheme", COMPOSED)
def test_protections_laid_over_a_scheme(semveil, tmp_path, scheme):
    protections, name, asymmetry = COMPOSED[scheme]
    records = measured(semveil, tmp_path, f"{scheme}-digits", f"protections={protections}")
    check(records, {"deepjscc": None, name: asymmetry}, chance=0.0)


@pytest.mark.slow
@pytest.mark.dataset
@pytest.mark.skipif("SEMVEIL_DATA" not in os.environ, reason="SEMVEIL_DATA is not set")
@pytest.mark.parametrize("recipe", ["ibal-mnist", "lbvq-cifar10", "rotation-mnist"])
def test_the_recipe_for_published_sets(semveil, tmp_path, recipe):
    settings = ("data.limit=3000", "train.epochs=3", "train.batch=64")
    records = measured(semveil, tmp_path, recipe, *settings)
    check(records, SYSTEMS[recipe.partition("-")[0]], chance=0.11)
