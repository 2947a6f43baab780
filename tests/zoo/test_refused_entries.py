"""Entries that are not as they were made: one line each, and what must not be packed."""

from __future__ import annotations

import json
import pickle
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

import semveil
from commands import content, refusal
from forge import restate
from semveil import recipe as recipes
from semveil.errors import SemveilError
from semveil.experiment.run import Run
from semveil.experiment.training import Hardware
from semveil.records import asked_for

NAME = "digits/tiny"
CPU = Hardware(torch.device("cpu"))

FILES = ("config.json", "model.safetensors", "records.jsonl", "README.md")


def lose(name):
    return lambda folder: (folder / name).unlink()


def flip(name):
    def damage(folder):
        body = bytearray((folder / name).read_bytes())
        body[len(body) // 2] ^= 1
        (folder / name).write_bytes(body)

    return damage


def add(name):
    return lambda folder: (folder / name).write_text("more")


def better_figure(folder):
    text = (folder / "config.json").read_text()
    config = json.loads(text)
    config["figures"][0]["value"] = 0.999
    (folder / "config.json").write_text(json.dumps(config))


def other_format(folder):
    restate(folder, format=2)


def other_name(folder):
    restate(folder, name="digits/other")


def no_checks(folder):
    restate(folder, checks=[])


def pickled(folder):
    (folder / "model.safetensors").write_bytes(pickle.dumps({"weights": [1.0]}))
    restate(folder)


def truncated(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    restate(folder)


def other_recipe(folder):
    run = json.loads((folder / "config.json").read_text())["run"]
    run["recipe"]["train"]["epochs"] += 1
    restate(folder, run=run)


def other_width(folder):
    run = json.loads((folder / "config.json").read_text())["run"]
    run["recipe"]["link"]["width"] += 1
    restate(folder, run=run)


def unknown_setting(folder):
    run = json.loads((folder / "config.json").read_text())["run"]
    run["recipe"]["train"]["momentums"] = 1
    run["version"] = "9.9"
    restate(folder, run=run)


def missing_package(folder):
    run = json.loads((folder / "config.json").read_text())["run"]
    run["packages"] = {"semveil-unheard-of": "1.0"}
    restate(folder, run=run)


DAMAGES = {
    **{f"without {name}": (lose(name), name) for name in FILES},
    **{f"altered {name}": (flip(name), name) for name in FILES},
    "an extra file": (add("notes.txt"), "notes.txt"),
    "pickled weights beside": (add("model.pt"), "pickled"),
    "pickled weights": (pickled, "pickled"),
    "a better figure": (better_figure, "config.json is altered"),
    "another format": (other_format, "format 2"),
    "another name": (other_name, "digits/other"),
    "no checks": (no_checks, "checks"),
    "truncated weights": (truncated, "model.safetensors"),
    "weights of another training": (other_recipe, "another training"),
    "weights of another architecture": (other_width, "another architecture"),
    "settings of another version": (unknown_setting, "written by semveil 9.9"),
    "a package that is not there": (missing_package, "semveil-unheard-of"),
}


@pytest.mark.parametrize(("damage", "said"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_entry_is_refused_in_one_line(command, zoo, damage, said, monkeypatch):
    folder = zoo / NAME
    damage(folder)
    before = content(zoo)
    line = refusal(command("verify", NAME))
    assert said in line
    assert len(line) < 500
    assert content(zoo) == before
    monkeypatch.setenv("SEMVEIL_ZOO", str(zoo))
    with pytest.raises(SemveilError) as told:
        semveil.load(NAME)
    assert str(told.value) == line
    # The others are verified nevertheless.
    shutil.copytree(folder, zoo / "digits/again")
    assert command("verify", "--all").code == 2


def test_weights_that_got_worse_are_told(command, zoo):
    path = zoo / NAME / "model.safetensors"
    with_header = path.read_bytes()
    tensors = load_file(path)
    head = next(
        name
        for name in tensors
        if name.startswith("links.rotation.classifier") and name.endswith("weight")
    )
    header = json.loads(with_header[8 : 8 + int.from_bytes(with_header[:8], "little")])
    save_file(
        {name: -tensor if name == head else tensor for name, tensor in tensors.items()},
        path,
        {key: value for key, value in header["__metadata__"].items() if key != "digest"},
    )
    restate(zoo / NAME)
    result = command("verify", NAME)
    assert result.code == 1
    assert result.err == ""
    (line,) = result.out.splitlines()
    assert line.startswith(f"{NAME}: disagrees with its card: accuracy")


@pytest.fixture
def run(trained, tmp_path):
    """A run that may be changed."""
    return shutil.copytree(trained, tmp_path / "run")


def restated(run, **data):
    facts = json.loads((run / "run.json").read_text())
    facts["recipe"]["data"] |= data
    (run / "run.json").write_text(json.dumps(facts))


@pytest.mark.parametrize("images", ["celeba", "imagenette"])
def test_no_weights_of_images_under_terms_are_packed(command, run, zoo, images):
    restated(run, name=images)
    before = content(zoo)
    assert f"trained on {images}" in refusal(command("pack", run, f"{images}/x", "--out", zoo))
    assert content(zoo) == before


def test_no_weights_of_a_folder_of_images_are_packed(command, run, zoo, tmp_path):
    restated(run, name=f"folder:{tmp_path}", image_size=8)
    assert "image folder" in refusal(command("pack", run, "folder/x", "--out", zoo))


@pytest.mark.parametrize(
    "name", ["mnist/x", "x", "digits/X", "digits/../x", "digits/", "digits/x/y"]
)
def test_names_are_those_of_the_data_set(command, trained, zoo, name):
    before = content(zoo)
    assert "digits/NAME" in refusal(command("pack", trained, name, "--out", zoo))
    assert content(zoo) == before


def test_an_entry_is_not_replaced_unasked(command, trained, zoo):
    before = content(zoo)
    assert "--replace" in refusal(command("pack", trained, NAME, "--out", zoo))
    assert content(zoo) == before


def test_a_run_that_is_not_trained_is_not_packed(command, run, zoo):
    (run / "model.safetensors").unlink()
    assert "is not trained" in refusal(command("pack", run, "digits/x", "--out", zoo))


def test_a_run_without_the_link_of_its_recipe_is_not_packed(command, trained, zoo, tmp_path):
    recipe = Run.open(trained, CPU).recipe
    asked = asked_for("deepjscc", "rotation")
    plain = recipes.update(recipe, {"scheme": "deepjscc"})
    Run.create(tmp_path / "job", "mine", plain, [asked], 3, CPU).train()
    before = content(zoo)
    line = refusal(command("pack", tmp_path / "job", "digits/x", "--out", zoo))
    assert "its recipe describes deepjscc, but it trained deepjscc+rotation" in line
    assert content(zoo) == before


def test_a_setting_that_names_a_file_is_not_packed(command, run, zoo):
    facts = json.loads((run / "run.json").read_text())
    facts["recipe"]["audit"]["perceptual_weights"] = "/home/somebody/weights.safetensors"
    (run / "run.json").write_text(json.dumps(facts))
    line = refusal(command("pack", run, "digits/x", "--out", zoo))
    assert line.startswith("recipe.audit.perceptual_weights")
