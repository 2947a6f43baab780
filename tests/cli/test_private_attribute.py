"""Eve is after another attribute than Bob's task: the game, the perturbation and the audit."""

from __future__ import annotations

import json

import pytest

from commands import NO_PAGE, SMALL, refusal, succeed
from semveil import load
from semveil.records import read_records
from semveil.training.checkpoint import load_tensors

pytestmark = pytest.mark.slow

RECIPE = "minmax-cooperative-colored-digits"


def private_run(semveil, folder, *changes):
    """Run the game and the perturbation on coloured digits and return the records."""
    words = ("run", RECIPE, *SMALL, *(f"--set={each}" for each in changes), "--out", folder)
    succeed(semveil(*words, before=NO_PAGE))
    return read_records(folder / "records.jsonl")


@pytest.fixture(scope="module")
def measured(semveil, tmp_path_factory):
    folder = tmp_path_factory.mktemp("private") / "run"
    return folder, private_run(semveil, folder, "train.epochs=8")


def test_every_eve_is_after_the_colour_and_bob_after_the_digit(measured):
    _, records = measured
    asked = {(r.role, r.protocol, r.target) for r in records if r.metric == "accuracy"}
    assert asked == {
        ("bob", "none", "label"),
        ("eve", "paper", "color"),
        ("eve", "adaptive", "color"),
    }
    chances = {r.target: r.value for r in records if r.metric == "chance"}
    assert chances == pytest.approx({"label": 0.1, "color": 0.25}, abs=0.02)


def test_what_protects_is_the_task(measured):
    folder, records = measured
    assert {record.asymmetry for record in records} == {"task"}
    assert load(folder).card.facts["asymmetry"] == "task"


def test_the_simulated_eve_learned_the_colour(measured):
    """On an unprotected link she names it; chance is 25 %."""
    _, records = measured
    (simulated,) = (
        r for r in records if (r.scheme, r.protocol, r.metric) == ("multitask", "paper", "accuracy")
    )
    assert simulated.ci_low > 0.3


def test_a_bob_without_reconstruction_has_no_figures_of_images(measured):
    _, records = measured
    assert not [r for r in records if r.role == "bob" and r.target == "image"]


def test_a_run_knows_the_attribute_without_its_images(semveil, measured):
    folder, _ = measured
    images = json.loads((folder / "run.json").read_text())["images"]
    assert images["private_classes"] == ["red", "green", "blue", "yellow"]
    tensors, _ = load_tensors(folder / "model.safetensors")
    answers = [v.shape[0] for k, v in tensors.items() if k.startswith("eves.minmax.label.")]
    assert answers[-1] == 4


def test_several_eves_take_several_steps(semveil, tmp_path):
    changes = ("privacy.eves=3", "privacy.eve_steps=2", "scheme=minmax")
    records = private_run(semveil, tmp_path / "run", *changes)
    tensors, _ = load_tensors(tmp_path / "run" / "model.safetensors")
    names = {k.split(".")[4] for k in tensors if k.startswith("eves.minmax.label.networks.")}
    assert names == {"0", "1", "2"}
    simulated = [r for r in records if (r.protocol, r.metric) == ("paper", "accuracy")]
    assert {r.scheme for r in simulated} == {"multitask", "minmax"}


def test_bob_may_answer_the_colour_and_eve_want_the_digit(semveil, tmp_path):
    changes = ("data.target=color", "data.private=digit", "scheme=multitask")
    records = private_run(semveil, tmp_path / "run", *changes)
    floors = {r.target: r.value for r in records if r.metric == "chance"}
    assert floors == pytest.approx({"label": 0.25, "digit": 0.1}, abs=0.02)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("data.private=digit", "data.private: digit is already data.target"),
        ("data.private=colour", "unknown attribute of colored-digits 'colour': did you mean"),
        ("perturbation.image_weight=1", "perturbation.image_weight: 1, but Bob reconstructs no"),
        ("privacy.eves=0", "privacy.eves: "),
    ],
)
def test_what_makes_no_sense_is_refused(semveil, tmp_path, setting, said):
    words = ("run", RECIPE, *SMALL, f"--set={setting}", "--out", tmp_path / "run")
    assert refusal(semveil(*words)).startswith(said)


@pytest.mark.slow
def test_the_game_lowers_what_a_fresh_eve_infers(semveil, tmp_path):
    """Both by 95 % intervals: the colour is harder to tell, and Bob answers far above chance.

    Bob reconstructs the image, so that the link without a game tells the colour.
    """
    changes = ("train.epochs=30", "privacy.pretrain_epochs=3", "scheme=minmax")
    changes = (*changes, "train.reconstruction_weight=10")
    effort = ("audit.inference=[linear, mlp]", "audit.inversion=[]", "audit.eve_snr_db=[10]")
    words = (f"--set={each}" for each in (*changes, *effort, "audit.bob_snr_db=[10]"))
    succeed(semveil("run", RECIPE, *words, "--out", tmp_path / "run", before=NO_PAGE))
    records = read_records(tmp_path / "run" / "records.jsonl")
    rates = [r for r in records if r.metric == "accuracy"]
    fresh = [r for r in rates if (r.protocol, r.target) == ("adaptive", "color")]
    plain = max(r.ci_low for r in fresh if r.scheme == "multitask")
    hidden = max(r.ci_high for r in fresh if r.scheme == "minmax")
    assert hidden < plain
    (bob,) = (r for r in rates if (r.scheme, r.role) == ("minmax", "bob"))
    assert bob.ci_low > 0.5
