"""Entries that are not as they were made: one line each, and what must not be packed."""

from __future__ import annotations

import json
import pickle
import re
import shutil

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import semveil
from commands import content, refusal, succeed
from forge import restate
from semveil import recipe as recipes
from semveil.errors import SemveilError
from semveil.experiment.run import Run
from semveil.experiment.training import Hardware
from semveil.records import asked_for
from semveil.training.checkpoint import load_tensors, save_tensors
from semveil.zoo.places import EMBEDDED

NAME = "digits/tiny"
CPU = Hardware(torch.device("cpu"))
# There are no entries but those that SEMVEIL_ZOO names.
ALONE = """
import semveil.zoo.places as places
places.checkout, places.EMBEDDED = lambda: None, places.cache()
"""

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


def in_run(key, value):
    def damage(folder):
        run = json.loads((folder / "config.json").read_text())["run"]
        restate(folder, run=run | {key: value})

    return damage


def in_first(part, key, value):
    def damage(folder):
        config = json.loads((folder / "config.json").read_text())
        config[part][0][key] = value
        restate(folder, **{part: config[part]})

    return damage


def stating(**changes):
    return lambda folder: restate(folder, **changes)


def images(**changes):
    sound = {"shape": [1, 8, 8], "classes": list("0123456789")}
    return in_run("images", sound | changes)


def twice(folder):
    path = folder / "config.json"
    path.write_text(path.read_text().replace("{", '{"title": "another", ', 1))


def byte_order_mark(folder):
    path = folder / "config.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())


def utf_16(folder):
    path = folder / "config.json"
    path.write_text(path.read_text(), encoding="utf-16")


def card(content):
    def damage(folder):
        (folder / "README.md").write_bytes(content)
        restate(folder)

    return damage


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
    "an unknown key": (stating(colour="red"), "colour: Extra inputs are not permitted"),
    "an unknown key with codes": (stating(**{"\x1b[31m": 1}), "\\x1b[31m: Extra inputs"),
    "an unknown key of a figure": (in_first("figures", "colour", 1), "figures.0.colour: Extra"),
    "an unknown key of a check": (in_first("checks", "colour", 1), "checks.0.colour: Extra"),
    "an unknown key of the run": (in_run("colour", 1), "run.colour: Extra"),
    "an unknown key of the images": (images(colour=1), "run.images.colour: Extra"),
    "a key twice": (twice, "config.json is damaged: key 'title' is there twice"),
    "a byte order mark": (byte_order_mark, "config.json is damaged: not JSON in UTF-8"),
    "another encoding": (utf_16, "config.json is damaged: not JSON in UTF-8"),
    "codes in the title": (stating(title="\x1b[2Jmine"), "title: its text has control characters"),
    "two lines in the title": (stating(title="a\nb"), "title: its text has control characters"),
    "codes in a figure": (
        in_first("figures", "party", "\x9b31mBob"),
        "figures.0.party: its text has control characters",
    ),
    "a card that is no text": (card(b"# caf\xe9\n"), "README.md is damaged: not plain text"),
    "codes in the card": (card(b"# \x1b[2J\n"), "README.md is damaged: not plain text"),
    "endless draws": (in_first("checks", "draws", 10**12), "checks.0.draws: Input should be less"),
    "no draws": (in_first("checks", "draws", 0), "checks.0.draws: Input should be greater"),
    "a figure to check that is none": (in_first("checks", "value", float("nan")), "not JSON"),
    "a huge figure to check": (in_first("checks", "value", 1e300), "checks.0.value: Input should"),
    "a negative tolerance": (in_first("checks", "tolerance", -1.0), "checks.0.tolerance: Input"),
    "any figure tolerated": (
        in_first("checks", "tolerance", 0.2),
        "tolerance: Value error, more than 0.1",
    ),
    "a huge figure": (in_first("figures", "value", 10**400), "figures.0.value: Input should"),
    "huge images": (images(shape=[1, 10**6, 10**6]), "run.images.shape: Value error, an image of"),
    "countless classes": (images(classes=["a"] * 70000), "run.images.classes: List should have"),
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
    assert command("verify", "--all", before=ALONE).code == 2


def other_weights(folder, change):
    """Change the tensors of an entry, with all digests right."""
    path = folder / "model.safetensors"
    tensors, facts = load_tensors(path)
    save_tensors(path, {name: change(name, each) for name, each in tensors.items()}, facts)
    restate(folder)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_weights_that_are_not_finite_are_refused(command, zoo, value):
    path = zoo / NAME / "model.safetensors"
    spoilt = next(name for name, each in load_file(path).items() if each.is_floating_point())
    other_weights(zoo / NAME, lambda name, each: each.fill_(value) if name == spoilt else each)
    said = f"{path} is damaged: {spoilt} has values that are not finite"
    with pytest.raises(SemveilError, match=re.escape(said)):
        semveil.load(zoo / NAME)
    assert refusal(command("verify", NAME)) == said


def test_weights_without_a_digest_of_their_own_are_refused(zoo):
    path = zoo / NAME / "model.safetensors"
    with safe_open(path, "pt") as file:
        stated = {key: value for key, value in file.metadata().items() if key != "digest"}
    save_file(load_file(path), path, stated)
    restate(zoo / NAME)
    with pytest.raises(SemveilError, match=r"model\.safetensors .*: it has no digest"):
        semveil.load(zoo / NAME)


def test_an_entry_that_cannot_be_measured_leaves_the_others_to_be_verified(command, zoo):
    shutil.copytree(EMBEDDED / "digits/deepjscc", zoo / "digits/deepjscc")
    other_weights(
        zoo / "digits/deepjscc",
        lambda _, tensor: tensor.fill_(3e38) if tensor.is_floating_point() else tensor,
    )
    result = command("verify", "--all", "--quiet", before=ALONE)
    assert result.code == 2
    (line,) = result.err.splitlines()
    assert line.startswith("semveil: digits/deepjscc: transmit returned numbers that are not")
    assert result.out == ""
    result = command("verify", "--all", "--json", before=ALONE)
    assert result.code == 2
    broken, sound = json.loads(result.out)
    assert (broken["name"], broken["figures"]) == ("digits/deepjscc", [])
    assert broken["agrees"] is False
    assert sound["name"] == NAME
    assert sound["agrees"]
    assert sound["figures"]


def test_a_check_of_more_images_than_there_are_is_told(command, zoo):
    in_first("checks", "images", 100000)(zoo / NAME)
    assert "a check is of 100000 test images; there are " in refusal(command("verify", NAME))


def test_weights_that_got_worse_are_told(command, zoo):
    tensors = load_file(zoo / NAME / "model.safetensors")
    head = next(
        name
        for name in tensors
        if name.startswith("links.rotation.classifier") and name.endswith("weight")
    )
    other_weights(zoo / NAME, lambda name, tensor: -tensor if name == head else tensor)
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


@pytest.mark.parametrize("lacking", ["hardware", "images", "packages", "version", "versions"])
def test_a_run_that_does_not_say_all_of_itself_is_packed(command, run, zoo, lacking):
    facts = json.loads((run / "run.json").read_text())
    del facts[lacking]
    (run / "run.json").write_text(json.dumps(facts))
    pack = ("pack", run, "digits/x", "--out", zoo, "--weights", "float32", "--no-eve")
    succeed(command(*pack))
    succeed(command("verify", "digits/x"))
    # The images are known, whatever the run says.
    stated = json.loads((zoo / "digits/x/config.json").read_text())["run"]
    assert (lacking in stated) == (lacking == "images")


@pytest.mark.parametrize("key", ["images", "entry", "version"])
def test_null_is_as_good_as_missing(command, run, zoo, key):
    facts = json.loads((run / "run.json").read_text()) | {key: None}
    (run / "run.json").write_text(json.dumps(facts))
    assert semveil.load(run).image_shape == (1, 8, 8)
    pack = ("pack", run, "digits/x", "--out", zoo, "--weights", "float32", "--no-eve")
    succeed(command(*pack))
    assert "None" not in succeed(command("show", "digits/x")).out


@pytest.mark.parametrize("origin", [None, "digits/tiny", []])
def test_a_folder_in_the_way_of_a_run_of_an_entry_is_told(
    zoo, trained, tmp_path, monkeypatch, request, origin
):
    line_of = request.getfixturevalue("semveil")
    folder = shutil.copytree(trained, tmp_path / "runs" / "digits-tiny")
    facts = json.loads((folder / "run.json").read_text()) | {"entry": origin}
    (folder / "run.json").write_text(json.dumps(facts))
    words = ("attack", NAME, "--attacks", "jamming")
    line = refusal(line_of(*words, folder=tmp_path, environment={"SEMVEIL_ZOO": str(zoo)}))
    expected = "holds another run" if origin is None else "run.json is damaged: entry: Input"
    assert expected in line
