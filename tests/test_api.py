"""The public interface on trained runs."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import semveil
from commands import SMALL, refusal
from semveil.errors import SemveilError

QUICK = {
    "data.limit": 200,
    "link.latent_dim": 8,
    "link.width": 4,
    "train.epochs": 1,
    "train.batch": 16,
    "audit.inference": ["linear"],
    "audit.inversion": ["linear"],
    "audit.max_epochs": 1,
    "audit.rounds": 1,
    "audit.eve_snr_db": [10.0],
    "audit.bob_snr_db": [10.0],
}


def test_a_run_is_loaded_as_the_scheme_that_it_was_asked_for(finished):
    link = semveil.load(finished)
    assert isinstance(link, semveil.Link)
    assert link.name.label == "minmax-cooperative"
    assert link.recipe.link.latent_dim == 8
    assert not any(p.requires_grad for p in link.networks.parameters())
    images = semveil.data.load("digits").test.x[:5]
    answer = link.send(images, snr_db=10)
    assert answer.logits.shape == (5, 10)
    assert answer.images.shape == (5, 1, 8, 8)


def test_the_other_systems_of_a_run_are_loaded_by_name(finished):
    link = semveil.load(str(finished), system="multitask")
    assert link.layer is None
    with pytest.raises(SemveilError) as refused:
        semveil.load(finished, system="multitak")
    for name in ("did you mean 'multitask'", "minmax-cooperative/noise"):
        assert name in str(refused.value)


def test_loading_and_sending_need_no_data_set(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (80, 8, 8), np.uint8)
    for number, image in enumerate(images):
        place = tmp_path / "data" / ("odd" if number % 2 else "even") / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place)
    changes = QUICK | {"data.name": str(tmp_path / "data"), "data.image_size": 8}
    trained = semveil.train("deepjscc-digits", changes, out=tmp_path / "run", device="cpu")
    shutil.rmtree(tmp_path / "data")
    loaded = semveil.load(tmp_path / "run", device="cpu")
    stored = np.repeat(images[:4, None], loaded.image_shape[0], axis=1)
    assert torch.equal(loaded.transmit(stored), trained.transmit(stored))
    assert loaded.run.class_names == ("even", "odd")


def test_what_is_not_trained_is_not_loaded(finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "run")
    (folder / "model.safetensors").unlink()
    with pytest.raises(SemveilError, match="is not trained"):
        semveil.load(folder)
    with pytest.raises(SemveilError, match="holds no run"):
        semveil.load(tmp_path)


def test_training_returns_the_link_and_leaves_a_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    link = semveil.train("deepjscc-digits", QUICK, device="cpu")
    again = semveil.train("deepjscc-digits", QUICK, device="cpu")
    assert [link.run.folder.name, again.run.folder.name] == ["deepjscc-digits", "deepjscc-digits-2"]
    loaded = semveil.load("runs/deepjscc-digits", device="cpu")
    images = torch.rand(3, 1, 8, 8)
    waveforms = [each.transmit(images) for each in (link, again, loaded)]
    assert torch.equal(waveforms[0], waveforms[1])
    assert torch.equal(waveforms[0], waveforms[2])


def test_a_wrong_setting_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SemveilError, match=r"did you mean 'link.latent_dim'"):
        semveil.train("deepjscc-digits", {"link.latnt_dim": 8})
    with pytest.raises(SemveilError, match=r"link.latent_dim"):
        semveil.train("deepjscc-digits", {"link.latent_dim": 7})
    assert list(tmp_path.iterdir()) == []


def test_a_run_by_function_is_a_run_by_command(finished, tmp_path):
    changes = [word.removeprefix("--set=") for word in SMALL]
    found = semveil.run("quickstart", changes, out=tmp_path / "run", device="cpu")
    assert found.folder == tmp_path / "run"
    assert (found.folder / "report.html").is_file()
    for name in ("records.jsonl", "samples.npz", "history.jsonl"):
        assert (found.folder / name).read_bytes() == (finished / name).read_bytes(), name
    assert found.strongest("accuracy", 10).role == "eve"


def test_the_card_says_what_was_measured(finished):
    link = semveil.load(finished)
    shown = str(link.card)
    assert shown.startswith("minmax-cooperative\n")
    for fact in ("digits, 1×8×8, 10 classes", "4 channel uses", "seed 0", "knowledge"):
        assert fact in shown
    records = semveil.api.read_result(finished).records
    mine = [
        r
        for r in records
        if r.system == link.name and r.metric == "accuracy" and r.image_class is None
    ]
    bob = next(r for r in mine if r.role == "bob")
    eve = max((r for r in mine if r.protocol == "adaptive"), key=lambda r: r.value)
    chance = next(r for r in records if r.metric == "chance")
    for record in (bob, eve, chance):
        assert f"{100 * record.value:.1f} %" in shown
    assert eve.adversary in shown


def test_the_card_of_a_link_without_records_says_so(tmp_path):
    link = semveil.train("deepjscc-digits", QUICK, out=tmp_path / "run", device="cpu")
    assert link.card.measured == []
    assert "nothing yet" in str(link.card)


def test_going_on_takes_nothing_new(semveil, finished):
    for words in (["quickstart"], ["--set=seed=1"], ["--out", "x"], ["--seed", "0"]):
        line = refusal(semveil("train", *words, "--resume", finished))
        assert line == "--resume takes no recipe, --set, --out, --seed or --no-reference"


def test_errors_of_functions_name_no_options(tmp_path):
    with pytest.raises(SemveilError, match="name a recipe") as nameless:
        semveil.train()
    with pytest.raises(SemveilError, match="expected key=value") as valueless:
        semveil.train("deepjscc-digits", ["train.epochs"])
    with pytest.raises(SemveilError, match="exists already") as twice:
        semveil.train("deepjscc-digits", QUICK, out=tmp_path, device="cpu")
    for refused in (nameless, valueless, twice):
        assert "--" not in str(refused.value)


def test_a_link_is_used_by_numbers_generators_and_receptions(finished):
    link = semveil.load(finished, device="cpu")
    assert repr(link).startswith("<Link: minmax-cooperative, 1×8×8, 10 classes, 4 channel uses")
    images = torch.rand(4, 1, 8, 8)
    assert len(link.send(images, snr_db=[0, 5, 10, 15]).logits) == 4
    for given, word in (
        ({"snr_db": [1, 2]}, "2 for 4 images"),
        ({"snr_db": "a"}, "expected numbers in dB, not 'a'"),
        ({"generator": 3}, "expected a torch.Generator, not 3"),
    ):
        with pytest.raises(SemveilError, match=word):
            link.send(images, **given)
    waveform = link.transmit(images)
    with pytest.raises(SemveilError, match="expected a reception"):
        link.receive(waveform)
    with pytest.raises(SemveilError, match="3 symbols per image were received; the link sends 4"):
        link.receive(link.channel(waveform[:, :3], 10.0))
    fresh = semveil.load(finished, device="cpu")
    with pytest.raises(SemveilError, match="3 symbols per image were received; the link sends 4"):
        fresh.receive(fresh.channel(waveform[:, :3], 10.0))


def test_a_link_is_trained_further_as_itself(finished, tmp_path):
    link = semveil.load(finished, device="cpu")
    changes = {"harden.epochs": 1, "harden.steps": 1}
    out = tmp_path / "noise"
    assert semveil.harden(link, "noise", changes, out=out, device="cpu").run.folder == out
    link.run = None
    with pytest.raises(SemveilError, match="name the folder of a trained run"):
        semveil.harden(link, "noise")
