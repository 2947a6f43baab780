"""What a run leaves, what it prints, and that it is the same whichever way it came about."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from commands import NO_PAGE, SMALL, content, rows, same_results, scraps, settings, succeed
from semveil.device import native_bfloat16
from semveil.records import read_records
from semveil.training.checkpoint import load_tensors

SYSTEMS = ["multitask", "minmax", "minmax-cooperative", "minmax-cooperative/noise"]
EVES = [
    f"eavesdroppers/{s.replace('/', '.')}.{t}.safetensors"
    for s in SYSTEMS
    for t in ("image", "label")
]
FILES = ["history.jsonl", "model.safetensors", "records.jsonl", "report.html", "run.json"]


def test_it_leaves_its_results_and_nothing_else(finished):
    assert sorted(content(finished)) == sorted([*EVES, *FILES, "samples.npz"])
    assert scraps(finished) == []


def test_every_file_holds_what_it_should(finished):
    about = json.loads((finished / "run.json").read_text())
    assert about["finished"] is True
    assert about["seed"] == 0
    assert about["schemes"] == SYSTEMS[:3]
    assert about["recipe"]["link"]["latent_dim"] == 8
    assert about["wall_s"] > 0
    assert about["versions"]["torch"]
    assert about["hardware"]["cores"] > 0
    computes = "bfloat16" if native_bfloat16(torch.device("cpu")) else "float32"
    assert about["hardware"]["precision"] == computes

    records = read_records(finished / "records.jsonl")
    assert {record.system.label for record in records} == set(SYSTEMS)
    assert {record.seed for record in records} == {0}
    assert {record.study for record in records} == {"quickstart"}
    assert {record.latent_dim for record in records} == {8}
    for role in ("bob", "eve", "system"):
        for system in SYSTEMS:
            assert any(r.role == role and r.system.label == system for r in records)

    history = rows(finished / "history.jsonl")
    assert [(row["stage"], row["step"]) for row in history] == [
        (stage, step) for stage in ("multitask", "minmax") for step in (20, 40, 52)
    ]
    tensors, _ = load_tensors(finished / "model.safetensors")
    assert all(tensor.isfinite().all() for tensor in tensors.values())
    with np.load(finished / "samples.npz") as samples:
        assert samples["originals"].shape == (2, 1, 8, 8)
        assert {f"waveform/{system}" for system in SYSTEMS} <= set(samples.files)
    assert (finished / "report.html").read_text().startswith("<!doctype html>")


def test_two_commands_are_as_good_as_one(semveil, finished, tmp_path):
    folder = tmp_path / "run"
    trained = succeed(semveil("train", "quickstart", *SMALL, "--out", folder))
    assert trained.out == f"Trained: {folder}\n"
    assert sorted(content(folder)) == ["history.jsonl", "model.safetensors", "run.json"]
    assert json.loads((folder / "run.json").read_text())["finished"] is False
    audited = succeed(semveil("audit", folder))
    same_results(folder, finished)
    assert sorted(content(folder)) == sorted(content(finished))
    assert f"Report: {folder / 'report.html'}" in audited.out
    for system in SYSTEMS:
        # A long name is folded.
        assert system[:18] in audited.out


def test_a_scheme_is_trained_without_the_reference(semveil, tmp_path):
    small = ("--set=data.limit=100", "--set=train.epochs=1", "--set=train.batch=20")
    folder = tmp_path / "run"
    succeed(semveil("train", "vfe-digits", *small, "--no-reference", "--out", folder))
    assert json.loads((folder / "run.json").read_text())["schemes"] == ["vfe"]
    stages = {json.loads(line)["stage"] for line in (folder / "history.jsonl").open()}
    assert stages == {"vfe"}


@pytest.mark.slow
def test_the_seed_alone_decides(semveil, finished, tmp_path):
    """Two runs in one process, with other seeds, after all kinds of draws and settings."""
    run = """
import random, sys
import numpy as np, torch
from semveil.cli import main

def run(folder, seed):
    sys.argv = {argv} + ["--seed", seed, "--out", folder]
    try:
        main()
    except SystemExit as end:
        assert end.code == 0, end.code

torch.manual_seed(1234), np.random.seed(7), random.seed(7)
run("other", "1")
torch.rand(17), np.random.rand(3)
torch.set_default_dtype(torch.float32)
run("again", "0")
"""
    argv = ["semveil", "run", "quickstart", *SMALL, "--quiet"]
    succeed(semveil(instead=NO_PAGE + run.format(argv=argv), folder=tmp_path))
    same_results(tmp_path / "again", finished)
    for name in ("records.jsonl", "history.jsonl", "model.safetensors", "samples.npz"):
        assert (tmp_path / "other" / name).read_bytes() != (finished / name).read_bytes(), name
    assert {record.seed for record in read_records(tmp_path / "other" / "records.jsonl")} == {1}


def test_going_on_with_a_finished_run_changes_nothing(semveil, finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "run")
    before = content(folder)
    first = succeed(semveil("run", "--resume", folder))
    assert content(folder) == before
    assert "minmax-cooperative" in first.out
    succeed(semveil("train", "--resume", folder, "--quiet"))
    assert content(folder) == before


def test_what_a_kill_at_the_last_moment_left_is_cleared_away(semveil, finished, tmp_path):
    """All results are written, only the tidying up was not."""
    folder = shutil.copytree(finished, tmp_path / "run")
    about = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(about | {"finished": False}))
    (folder / "multitask.checkpoint.safetensors").touch()
    (folder / "parts").mkdir()
    (folder / "parts" / "multitask.jsonl").touch()
    (folder / ".records.jsonl.abc123.part").touch()
    succeed(semveil("run", "--resume", folder, "--quiet", before=NO_PAGE))
    assert sorted(content(folder)) == sorted(content(finished))
    same_results(folder, finished)
    assert json.loads((folder / "run.json").read_text())["finished"] is True


def test_json_is_one_object_and_nothing_else(semveil, finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "run")
    result = succeed(semveil("run", "--resume", folder, "--json", before=NO_PAGE))
    assert result.err == ""
    assert result.out.count("\n") == 1
    shown = json.loads(result.out)
    assert shown["folder"] == str(folder)
    assert shown["report"] == str(folder / "report.html")
    assert shown["records"] == rows(folder / "records.jsonl")


def test_json_has_no_number_that_json_does_not_know(semveil, finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "run")
    lines = rows(folder / "records.jsonl")
    lines[0]["value"] = None
    (folder / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    def unknown(name):
        raise AssertionError(name)

    result = succeed(semveil("audit", folder, "--json", before=NO_PAGE))
    shown = json.loads(result.out, parse_constant=unknown)
    assert shown["records"][0]["value"] is None


def test_quiet_prints_nothing(semveil, finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "run")
    words = (
        ["run", "--resume", folder],
        ["audit", folder],
        ["report", folder, "--out", tmp_path / "page.html"],
        ["train", "quickstart", *settings("scheme=multitask"), "--out", tmp_path / "new"],
    )
    for line in words:
        result = succeed(semveil(*line, "--quiet", before=NO_PAGE))
        assert (result.out, result.err) == ("", ""), line


def test_every_stage_is_named_when_it_is_done(semveil, tmp_path):
    words = ("train", "quickstart", *SMALL, "--out", tmp_path / "run", "--set=train.epochs=3")
    result = succeed(semveil(*words))
    assert result.err == "multitask: done\nminmax: done\n"


def test_a_report_on_several_runs(semveil, finished, tmp_path):
    other = shutil.copytree(finished, tmp_path / "other")
    page = tmp_path / "page.html"
    result = succeed(semveil("report", finished, other, "--out", page))
    assert (result.out, result.err) == (f"Report: {page}\n", "")
    written = page.read_text()
    assert "other" in written
    assert finished.name in written


def test_a_recipe_of_ones_own(semveil, tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "scheme: multitask\ndata: {limit: 320}\nlink: {latent_dim: 4, width: 2}\n"
        "train: {epochs: 1, batch: 16, lr: 1e-3}\n"
    )
    words = ("train", "mine.yaml", "--set", "train.lr=2e-3", "--set", "link.latent_dim=6")
    succeed(semveil(*words, folder=tmp_path))
    about = json.loads((tmp_path / "runs" / "mine" / "run.json").read_text())
    assert about["study"] == "mine"
    assert about["recipe"]["train"]["lr"] == 2e-3
    assert about["recipe"]["link"] == {"latent_dim": 6, "width": 2, "head_width": 256}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["learned", "signal"])
def test_other_layers_train_and_audit_too(semveil, tmp_path, name):
    change = {
        "learned": ["perturbation.form=learned", "perturbation.epochs=2"],
        "signal": ["perturbation.total_power=1.5"],
    }[name]
    words = ("run", "quickstart", *settings("scheme=cooperative", *change))
    succeed(semveil(*words, "--out", "run", folder=tmp_path, before=NO_PAGE))
    found = {record.system.label for record in read_records(tmp_path / "run" / "records.jsonl")}
    assert {"multitask", "cooperative", "cooperative/noise"} <= found
    stages = {row["stage"] for row in rows(tmp_path / "run" / "history.jsonl")}
    if name == "learned":
        assert stages == {"multitask", "cooperative"}
    else:
        assert "cooperative/signal" in found
    assert scraps(tmp_path / "run") == []
