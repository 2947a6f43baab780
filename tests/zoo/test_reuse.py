"""Links of the zoo for jobs: those that the jobs train, and no others."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from semveil.errors import SemveilError, SemveilWarning
from semveil.experiment import study
from semveil.experiment.checkpoint_cache import kept_links
from semveil.experiment.jobs import Job, JobContext
from semveil.experiment.pool import Pool
from semveil.experiment.training import Hardware
from semveil.recipe import check, update
from semveil.records import SystemName, from_plain
from semveil.zoo.entry import MODEL, read_entry
from semveil.zoo.reuse import stock

NAME = "digits/tiny"


@pytest.fixture
def job(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A job that trains what the one entry of the zoo holds, and audits it otherwise."""
    monkeypatch.setenv("SEMVEIL_ZOO", str(zoo))
    entry = read_entry(zoo / NAME, NAME)
    run = entry.facts.run
    schemes = tuple(from_plain(each) for each in run.schemes)
    recipe = update(check(entry.run["recipe"]), {"audit": {"max_epochs": 3}})
    return Job("same", recipe, schemes, run.seed)


def test_what_a_job_trains_is_put_there_once(job, zoo, tmp_path):
    links = tmp_path / "links"
    assert stock(links, [job]) == [NAME]
    kept = kept_links(links, job.recipe, job.seed, job.schemes)
    assert kept.read_bytes() == (zoo / NAME / MODEL).read_bytes()
    assert {path.stem for path in links.iterdir()} == {kept.stem}
    assert stock(links, [job]) == []


def test_a_study_says_of_every_job_which_entry_its_link_is(job, zoo, tmp_path):
    links, folder = tmp_path / "links", tmp_path / "study"
    stock(links, [job])
    other = replace(job, name="other", seed=job.seed + 1)
    study.start(folder, "mine", "smoke", job.seed, {})
    context = JobContext("mine", Hardware(torch.device("cpu")), None, links=links)
    study.run(folder, [job, other], context, Pool())
    said = study.read_facts(folder)["jobs"]
    digest = json.loads((zoo / NAME / "config.json").read_text())["digest"]
    assert said["same"]["entry"] == {"name": NAME, "digest": digest}
    assert "entry" not in said["other"]


def test_the_code_of_an_entry_that_no_index_states_is_unknown(job, zoo, tmp_path):
    links = tmp_path / "links"
    kept = kept_links(links, job.recipe, job.seed, job.schemes).with_suffix(".json")
    stock(links, [job])
    assert json.loads(kept.read_text())["code"] == []
    shutil.rmtree(links)
    (zoo / "index.json").unlink()
    with pytest.warns(SemveilWarning, match=f"{NAME} is in no index"):
        stock(links, [job])
    assert json.loads(kept.read_text())["code"] == [{"commit": None, "dirty": False}]


def test_what_no_job_trains_is_left_and_its_weights_are_not_read(job, zoo, tmp_path):
    (zoo / NAME / MODEL).write_bytes(b"damaged")
    longer = update(job.recipe, {"train": {"epochs": 9}})
    # A work of its own may name systems that are no schemes.
    own = replace(job, schemes=(SystemName("no-scheme"),))
    others = [replace(job, seed=job.seed + 1), replace(job, recipe=longer), own]
    assert stock(tmp_path / "links", others) == []
    assert not (tmp_path / "links").exists()
    with pytest.raises(SemveilError, match=r"model\.safetensors is altered"):
        stock(tmp_path / "links", [*others, job])


def test_entries_that_no_job_needs_are_not_read(job, zoo, tmp_path):
    for name in ("mnist", "digits"):
        (zoo / name / "newlink").mkdir(parents=True)
        if name == "mnist":
            assert stock(tmp_path / "links", [job]) == [NAME]
        assert stock(tmp_path / "links", []) == []
    advice = f"{zoo / 'digits/newlink'} is no zoo entry: .*; remove or restore it"
    with pytest.raises(SemveilError, match=advice):
        stock(tmp_path / "links", [job])


def test_what_is_trained_against_attacks_comes_with_what_it_began_with(job, tmp_path, monkeypatch):
    hardened = update(job.recipe, {"harden": {"method": "noise"}})
    kept = kept_links(tmp_path, hardened, job.seed, job.schemes)
    read = read_entry

    def stated(folder, name=None):
        entry = read(folder, name)
        return replace(entry, run=entry.run | {"recipe": hardened.model_dump()})

    for reader in ("read_config", "read_entry"):
        monkeypatch.setattr(f"semveil.zoo.reuse.{reader}", stated)
    assert stock(tmp_path, [job]) == [NAME]
    assert kept.exists()
