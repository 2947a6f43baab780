"""Reproduction of two small studies of another package: interrupted, failing, and checked."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import SAVE_ALWAYS, SMALL, CommandLine, content, refusal, scraps, succeed
from semveil import api
from semveil.errors import SemveilError
from semveil.experiment.provenance import state_of
from semveil.records import read_records

PAPERS = '''
import os, time
from pathlib import Path
from semveil.experiment.jobs import write_results
from semveil.papers import PAPERS, Paper
from semveil.records import Record

def count(folder, job, context):
    """Take a step or two; fail if that is asked for."""
    context.progress and context.progress("count", 0, 2)
    sum(i * i for i in range(200_000))
    if job.name == os.environ.get("FAIL"):
        raise ValueError("the tally\\n is lost")
    context.progress and context.progress("count", 1, 2)
    found = Record(study=context.study, scheme="deepjscc", dataset="digits", channel="none",
                   role="system", metric="images", value=float(job.seed), n=1, seed=job.seed)
    write_results(folder, job, context, [found], time.monotonic())

@PAPERS.register
class Small(Paper):
    name, folder = "small", Path(__file__).parent / "small"

@PAPERS.register
class Tally(Paper):
    name, folder = "tally", Path(__file__).parent / "tally"

@PAPERS.register
class Other(Paper):
    name, folder = "other", Path(__file__).parent / "other"
'''
CHANGES = [change.removeprefix("--set=").partition("=") for change in SMALL]
SMALL_JOBS = f"""
title: Two links, one of them measured twice
rank: 2
settings:
  - set:
{chr(10).join(f"      {key}: {value}" for key, _, value in CHANGES)}
jobs:
  - {{name: "seed-{{seed}}", recipe: deepjscc-digits, schemes: [deepjscc], over: {{seed: [0, 1]}}}}
  - {{name: again, recipe: deepjscc-digits, schemes: [deepjscc], params: {{again: 1}}}}
"""
TALLY_JOBS = """
title: Numbers
rank: 1
jobs:
  - name: "tally-{seed}"
    recipe: deepjscc-digits
    schemes: [deepjscc]
    work: tiny_papers:count
    over: {seed: [0, 1, 2]}
    params: {seed: "{seed}"}
"""
OTHER_JOBS = """
title: A number
rank: 0
jobs:
  - {name: number, recipe: deepjscc-digits, schemes: [deepjscc], work: "tiny_papers:count"}
"""
# Every look at the clock takes a second.
COUNTING_CLOCK = """
import itertools, types
import semveil.papers.reproduce as module
module.time = types.SimpleNamespace(monotonic=itertools.count().__next__)
"""
CODE = """
import semveil.experiment.jobs as jobs
from semveil.facts import CodeFacts
jobs.code = lambda: CodeFacts(commit={commit!r}, dirty={dirty})
"""
STUDIES = {"small": SMALL_JOBS, "tally": TALLY_JOBS, "other": OTHER_JOBS}
BOTH = ("--only", "small", "--only", "tally")


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """The command line where the papers are installed."""
    packages = tmp_path_factory.mktemp("packages")
    (packages / "tiny_papers.py").write_text(PAPERS)
    for name, jobs in STUDIES.items():
        (packages / name).mkdir()
        (packages / name / "jobs.yaml").write_text(jobs)
        (packages / name / "claims.yaml").write_text("claims: []")
        (packages / name / "page.md.j2").write_text(f"# The page of {name}\n")
    about = packages / "tiny_papers-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-papers\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[semveil.plugins]\ntiny = tiny_papers\n")
    line = CommandLine(tmp_path_factory.mktemp("commands"), packages)
    yield line
    line.close()


def reproduce(line, folder, *words, **how):
    """Begin a reproduction in a folder, or go on with it."""
    begin = ["--resume", folder.name] if folder.exists() else ["--out", folder.name]
    words = words if folder.exists() else (*BOTH, "--budget", "smoke", *words)
    given = ("--cores-per-job", "1", *begin, *words)
    return line("reproduce", *given, folder=folder.parent, **how)


def jobs_of(folder):
    """Return the jobs of a manifest."""
    studies = json.loads((folder / "manifest.json").read_text())["studies"]
    return {
        f"{study}/{name}": job
        for study, found in studies.items()
        for name, job in found["jobs"].items()
    }


def states(folder):
    return {name: job["state"] for name, job in jobs_of(folder).items()}


@pytest.fixture(scope="module")
def straight(line, tmp_path_factory) -> Path:
    """The folder of a reproduction that nothing interrupted; not to be changed."""
    folder = tmp_path_factory.mktemp("straight") / "all"
    result = succeed(reproduce(line, folder, "--json"))
    shown = json.loads(result.out)
    assert shown.pop("folder") == "all"
    assert shown == json.loads((folder / "manifest.json").read_text())
    return folder


@pytest.mark.slow
def test_every_job_is_accounted_for(straight):
    manifest = json.loads((straight / "manifest.json").read_text())
    assert (manifest["budget"], manifest["seed"]) == ("smoke", 0)
    # By rank, whatever the order in which they were named.
    assert list(manifest["studies"]) == ["tally", "small"]
    jobs = jobs_of(straight)
    assert [name.partition("/")[2] for name in jobs] == [
        "tally-0", "tally-1", "tally-2", "seed-0", "seed-1", "again",
    ]  # fmt: skip
    for name, job in jobs.items():
        assert (job["state"], job["error"]) == ("done", None), name
        assert len(job["code"]) == 1
        assert job["versions"]["torch"]
        assert job["hardware"]["cores"] > 0
    assert jobs["small/seed-0"]["wall_s"] > 0
    assert jobs["small/seed-0"]["cpu_s"] > 0
    for name, study in manifest["studies"].items():
        records = (straight / name / "records.jsonl").read_bytes()
        assert study["records"] == hashlib.sha256(records).hexdigest()
        assert (straight / name / "README.md").read_text().startswith(f"# The page of {name}")
        assert json.loads((straight / name / "run.json").read_text())["finished"] is True
    # The link that two jobs measure was trained once.
    origins = [json.loads(path.read_text()) for path in (straight / "links").glob("*.json")]
    assert sum("entry" not in origin for origin in origins) == 2
    models = [
        straight / "small" / "jobs" / job / "model.safetensors" for job in ("seed-0", "again")
    ]
    assert models[0].read_bytes() == models[1].read_bytes()


@pytest.mark.slow
def test_stopped_in_time_and_resumed_it_ends_at_the_same_records(line, straight, tmp_path):
    folder = tmp_path / "all"
    pieces = 0
    # 15 looks at the clock: more than any part of a job takes, fewer than all jobs.
    while not folder.exists() or "left" in states(folder).values():
        words = ("--minutes", "0.25", "--quiet")
        result = reproduce(line, folder, *words, before=SAVE_ALWAYS + COUNTING_CLOCK)
        assert (result.code, result.out, result.err) == (0, "", "")
        pieces += 1
        if pieces == 1:
            # The most important study is complete; of the next a job is on its way.
            assert states(folder)["tally/tally-2"] == "done"
            assert (folder / "tally" / "README.md").exists()
            assert states(folder)["small/again"] == "left"
            begun = [name for name, job in jobs_of(folder).items() if job["state"] == "left"]
            assert any(jobs_of(folder)[name]["wall_s"] > 0 for name in begun)
            assert not (folder / "small" / "records.jsonl").exists()
        assert not list(folder.rglob("*.part"))
        assert not list(folder.rglob(".lock"))
    assert pieces > 1
    for name in ("small", "tally"):
        records = (folder / name / "records.jsonl").read_bytes()
        assert records == (straight / name / "records.jsonl").read_bytes()
    assert scraps(folder) == []


ONE, OTHER = "1" * 40, "2" * 40


def tally(line, folder, commit=ONE, dirty=False, words=("--quiet",), **how):
    """Do the study without training, by some state of the code."""
    begin = ["--resume", folder.name] if folder.exists() else ["--only", "tally", "--out", folder]
    before = CODE.format(commit=commit, dirty=dirty)
    return line("reproduce", *begin, *words, folder=folder.parent, before=before, **how)


def is_named(printed, job):
    """Return whether a failed job was printed, with its error, as one line and nothing else."""
    begin, end = f"semveil: tally/{job} failed: ", "ValueError: the tally is lost\n"
    return printed.startswith(begin) and printed.endswith(end) and printed.count("\n") == 1


@pytest.mark.slow
def test_a_job_that_fails_in_a_process_stops_no_other(line, tmp_path):
    folder = tmp_path / "all"
    words = ("--workers", "2", "--quiet")
    result = tally(line, folder, words=words, environment={"FAIL": "tally-0"})
    assert result.code == 1
    assert is_named(result.err, "tally-0")
    assert [name for name, state in states(folder).items() if state != "done"] == ["tally/tally-0"]


def test_a_job_that_fails_is_named_and_the_others_are_done(line, tmp_path):
    folder = tmp_path / "all"
    failing = {"environment": {"FAIL": "tally-1"}}
    result = tally(line, folder, **failing)
    assert result.code == 1
    assert result.out == ""
    assert is_named(result.err, "tally-1")
    after = {"tally/tally-0": "done", "tally/tally-1": "failed", "tally/tally-2": "done"}
    assert states(folder) == after
    assert jobs_of(folder)["tally/tally-1"]["error"].endswith("ValueError: the tally is lost")
    assert not (folder / "tally" / "README.md").exists()
    refused = refusal(line("reproduce", "--check", folder))
    assert refused.startswith(f"{folder}: tally/tally-1 failed: ")
    # It is tried again, and named until it is done.
    assert tally(line, folder, **failing).code == 1
    assert tally(line, folder, words=["--minutes", "0", "--quiet"]).code == 1
    assert states(folder) == after
    succeed(tally(line, folder))
    assert set(states(folder).values()) == {"done"}
    values = [record.value for record in read_records(folder / "tally" / "records.jsonl")]
    assert values == [0.0, 1.0, 2.0]


def restate(path, change):
    facts = json.loads(path.read_text())
    change(facts)
    path.write_text(json.dumps(facts))


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("seed", lambda facts: facts.update(seed=7)),
        ("train.epochs", lambda facts: facts["recipe"]["train"].update(epochs=7)),
        ("schemes", lambda facts: facts.update(schemes=["ibal"])),
        ("work", lambda facts: facts.update(work="tiny_papers:estimate")),
        ("params.seed", lambda facts: facts["params"].update(seed=7)),
        ("params", lambda facts: facts.update(params=[7])),
        ("link.latent_dim", lambda facts: facts["recipe"]["link"].update(latent_dim=64)),
    ],
)
def test_a_job_of_other_settings_is_not_counted(line, tmp_path, key, change):
    folder = tmp_path / "all"
    assert tally(line, folder, environment={"FAIL": "tally-2"}).code == 1
    facts = folder / "tally" / "jobs" / "tally-0" / "run.json"
    restate(facts, change)
    before = content(folder)
    for refused in (
        refusal(tally(line, folder)),
        refusal(line("study", "--resume", "all/tally", "--quiet", folder=tmp_path)),
    ):
        words = f"{facts.relative_to(tmp_path)}: {key} is not that of job tally-0; semveil "
        assert refused.startswith(words)
        assert content(folder) == before


@pytest.mark.parametrize("change", [{"seed": 1}, {"budget": "smoke"}])
def test_studies_of_another_seed_or_budget_do_not_go_on(line, tmp_path, change):
    folder = tmp_path / "all"
    assert tally(line, folder, environment={"FAIL": "tally-2"}).code == 1
    restate(folder / "manifest.json", lambda manifest: manifest.update(change))
    before = content(folder)
    refused = refusal(tally(line, folder))
    assert refused == "all/tally/run.json: study, budget or seed are not those of manifest.json"
    assert content(folder) == before


@pytest.mark.parametrize("name", ["run.json", "records.jsonl", "spent.json"])
def test_a_damaged_job_has_failed_and_the_others_are_done(line, tmp_path, name):
    folder = tmp_path / "all"
    assert tally(line, folder, environment={"FAIL": "tally-2"}).code == 1
    job = folder / "tally" / "jobs" / "tally-0"
    (job / name).write_text("{")
    for _ in range(2):
        result = tally(line, folder)
        assert (result.code, result.out) == (1, "")
        assert result.err.startswith("semveil: tally/tally-0 failed: ")
        assert str((job / name).relative_to(tmp_path)) in result.err
        assert result.err.count("\n") == 1
        damaged = {"tally/tally-0": "failed", "tally/tally-1": "done", "tally/tally-2": "done"}
        assert states(folder) == damaged
        assert result.err.endswith(f"; remove {job.relative_to(tmp_path)} to do it again\n")
    shutil.rmtree(job)
    succeed(tally(line, folder))
    assert set(states(folder).values()) == {"done"}


@pytest.mark.parametrize("left", [0, 1])
def test_a_job_that_lost_records_has_failed(line, tmp_path, left):
    folder = tmp_path / "all"
    assert tally(line, folder, environment={"FAIL": "tally-2"}).code == 1
    job = folder / "tally" / "jobs" / "tally-0"
    records = (job / "records.jsonl").read_bytes()
    assert json.loads((job / "spent.json").read_text())["records"] == (
        hashlib.sha256(records).hexdigest()
    )
    lost = records.splitlines(keepends=True)[0].replace(b"0.0", b"1.0") * left
    (job / "records.jsonl").write_bytes(lost)
    reason = "it is not what spent.json states" if left else "it is empty"
    place = "all/tally/jobs/tally-0"
    said = f"{place}/records.jsonl is damaged: {reason}; remove {place} to do it again"
    result = tally(line, folder)
    assert (result.code, result.err) == (1, f"semveil: tally/tally-0 failed: {said}\n")
    assert states(folder)["tally/tally-2"] == "done"
    refused = refusal(line("study", "--resume", "all/tally", folder=tmp_path))
    assert refused == said
    # An older version states no digest.
    (job / "records.jsonl").write_bytes(records)
    restate(job / "spent.json", lambda facts: facts.pop("records"))
    succeed(tally(line, folder))
    succeed(line("reproduce", "--check", folder))
    # The page is of the records that its run.json states.
    facts = folder / "tally" / "run.json"
    restate(facts, lambda facts: facts["jobs"]["tally-1"].update(records="0" * 64))
    refused = refusal(line("reproduce", "--check", folder))
    assert refused == f"{facts}: jobs are not those of manifest.json"
    succeed(tally(line, folder))
    succeed(line("reproduce", "--check", folder))


# A kill when the jobs are done and the page is not.
KILLED_BEFORE_THE_PAGE = """
import os, signal
import semveil.papers.execute as execute
execute.finish = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
"""


def finished_tally(line, tmp_path):
    """Return the folder of a finished reproduction of one study."""
    folder = tmp_path / "all"
    succeed(tally(line, folder))
    return folder


def test_after_a_kill_before_the_page_it_is_written_from_the_records_of_the_jobs(line, tmp_path):
    folder = finished_tally(line, tmp_path)
    job = folder / "tally" / "jobs" / "tally-1"
    shutil.rmtree(job)
    end = CODE.format(commit=ONE, dirty=False) + KILLED_BEFORE_THE_PAGE
    result = line("reproduce", "--resume", "all", "-q", folder=tmp_path, before=end)
    assert result.code == -signal.SIGKILL
    assert (job / "records.jsonl").exists()
    refused = refusal(line("reproduce", "--check", folder))
    assert refused == f"{folder / 'tally' / 'records.jsonl'} is not what manifest.json names"
    page = folder / "tally" / "README.md"
    page.write_text("of other records")
    succeed(tally(line, folder))
    assert page.read_text().startswith("# The page of tally")
    succeed(line("reproduce", "--check", folder))


def write_garbage(folder, name):
    (folder / "tally" / name).write_text("garbage\n")


def state_an_error(folder):
    def change(manifest):
        manifest["studies"]["tally"]["error"] = "no space"

    restate(folder / "manifest.json", change)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: write_garbage(folder, "records.jsonl"),
        lambda folder: write_garbage(folder, "run.json"),
        lambda folder: (folder / "tally" / "run.json").unlink(),
        lambda folder: (folder / "tally" / "README.md").unlink(),
        state_an_error,
    ],
)
def test_a_study_without_a_whole_page_is_finished_again(line, tmp_path, damage):
    folder = finished_tally(line, tmp_path)
    before = content(folder)
    damage(folder)
    assert refusal(line("reproduce", "--check", folder))
    result = succeed(tally(line, folder))
    assert (result.out, result.err) == ("", "")
    assert content(folder) == before
    succeed(line("reproduce", "--check", folder))


def test_what_the_manifest_names_and_no_study_has_is_refused(line, tmp_path):
    folder = finished_tally(line, tmp_path)
    whole = (folder / "manifest.json").read_text()

    def of_the_study(manifest):
        return manifest["studies"]["tally"]["jobs"]

    for change, said in (
        (lambda all: of_the_study(all).update({"old-job": {}}), "study tally has no job 'old-job'"),
        (lambda all: all["studies"].update(nope={}), "unknown study 'nope'"),
        (lambda all: all.update(budget="nope"), "unknown budget 'nope'"),
    ):
        restate(folder / "manifest.json", change)
        before = content(folder)
        assert refusal(tally(line, folder)).startswith(f"all/manifest.json: {said}")
        assert content(folder) == before
        (folder / "manifest.json").write_text(whole)
    restate(folder / "tally" / "run.json", lambda facts: facts.update(budget="nope"))
    refused = refusal(line("study", "--resume", "all/tally", folder=tmp_path))
    assert refused.startswith("all/tally/run.json: unknown budget 'nope'")


def test_a_study_that_has_not_begun_is_named_by_its_file(line, tmp_path):
    folder = finished_tally(line, tmp_path)
    facts = folder / "tally" / "run.json"
    facts.unlink()
    refused = refusal(line("reproduce", "--check", folder))
    assert refused == f"the study has not begun: there is no {facts}"


def hold_folder(place):
    place.mkdir()
    handle = os.open(place / ".lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def put_file(path):
    path.parent.mkdir(exist_ok=True)
    path.write_text("x")


@pytest.mark.parametrize(
    ("put", "said"),
    [
        (lambda place: put_file(place), "all/other is in the way: move it"),
        (lambda place: put_file(place / "mine"), "all/other is in the way: move it"),
        (lambda place: put_file(place / "jobs"), "all/other is in the way: move it"),
        (hold_folder, "all/other is in use by another process: wait until it has finished"),
    ],
)
def test_what_is_in_the_way_of_a_study_does_not_stop_the_others(line, tmp_path, put, said):
    words = ("reproduce", "-q", "--budget", "smoke", "--minutes", "0", "--out", "all")
    succeed(line(*words, "--only", "other", "--only", "tally", folder=tmp_path))
    folder = tmp_path / "all"
    handle = put(folder / "other")
    result = tally(line, folder)
    assert (result.code, result.out, result.err) == (1, "", f"semveil: other failed: {said}\n")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["studies"]["other"]["error"] == said
    assert (folder / "tally" / "README.md").exists()
    if handle is not None:
        os.close(handle)
        shutil.rmtree(folder / "other")
    else:
        (folder / "other").rename(tmp_path / "moved")
    succeed(tally(line, folder))
    assert (folder / "other" / "README.md").exists()


@pytest.mark.parametrize("made", ["other", "other/jobs"])
def test_an_empty_folder_of_a_study_is_not_in_the_way(line, tmp_path, made):
    words = ("reproduce", "-q", "--budget", "smoke", "--minutes", "0", "--out", "all")
    succeed(line(*words, "--only", "other", folder=tmp_path))
    folder = tmp_path / "all"
    (folder / made).mkdir(parents=True)
    succeed(tally(line, folder))
    succeed(line("reproduce", "--check", folder))


def test_the_command_that_goes_on_has_all_options_that_the_folder_does_not_keep(line, tmp_path):
    options = ("--cores-per-job", "1", "--links", "my links", "--no-zoo")
    words = (*options[2:], "--minutes", "0")
    result = succeed(reproduce(line, tmp_path / "all", *words))
    said = result.out.splitlines()[-1]
    assert said == f"Go on with: semveil reproduce --resume all {shlex.join(options)}"


def test_results_of_one_clean_commit_may_be_committed(line, tmp_path):
    folder = tmp_path / "all"
    succeed(tally(line, folder))
    shown = json.loads(succeed(line("reproduce", "--check", folder, "--json")).out)
    assert (shown["commit"], shown["jobs"], shown["studies"]) == (ONE, 3, ["tally"])
    # Not so with other records, or with those of another study.
    records = folder / "tally" / "records.jsonl"
    kept = records.read_bytes()
    records.write_bytes(kept.replace(b"1.0", b"2.0"))
    refused = refusal(line("reproduce", "--check", folder))
    assert refused == f"{records} is not what manifest.json names"
    records.write_bytes(kept)
    # Nor with a manifest of other jobs, of none, or of another seed, or without the page.
    manifest = folder / "manifest.json"
    stated = manifest.read_text()
    fewer, none, other = (json.loads(stated) for _ in range(3))
    del fewer["studies"]["tally"]["jobs"]["tally-1"]
    none["studies"] = {}
    other["seed"] = 1
    facts = folder / "tally" / "run.json"
    for forged, words in (
        (fewer, f"{facts}: jobs are not those of manifest.json"),
        (other, f"{facts}: study, budget or seed are not those of manifest.json"),
        (none, f"{manifest}: studies: no jobs"),
    ):
        manifest.write_text(json.dumps(forged))
        assert refusal(line("reproduce", "--check", folder)) == words
    manifest.write_text(stated)
    page = folder / "tally" / "README.md"
    page.rename(folder / "page")
    refused = refusal(line("reproduce", "--check", folder))
    assert refused == f"{page}: there is no page of the records"
    (folder / "page").rename(page)
    (folder / "attacks").mkdir()
    (folder / "attacks" / "run.json").write_text("{}")
    refused = refusal(line("reproduce", "--check", folder))
    assert refused == f"{folder}: attacks is not in manifest.json"


def test_results_of_a_dirty_checkout_are_refused(line, tmp_path):
    folder = tmp_path / "all"
    succeed(tally(line, folder, dirty=True))
    refused = refusal(line("reproduce", "--check", folder))
    assert refused == f"{folder}: tally/tally-0 ran from a dirty checkout (and 2 more)"


def test_results_of_an_unknown_commit_are_refused(line, tmp_path):
    folder = tmp_path / "all"
    succeed(tally(line, folder, commit=None))
    refused = refusal(line("reproduce", "--check", folder))
    assert refused == f"{folder}: results of an unknown commit (jobs: 3)"


def test_results_of_several_commits_are_refused(line, tmp_path):
    folder = tmp_path / "all"
    assert tally(line, folder, environment={"FAIL": "tally-2"}).code == 1
    succeed(tally(line, folder, commit=OTHER))
    refused = refusal(line("reproduce", "--check", folder))
    assert refused == f"{folder}: results of 2 commits: 1111111 (jobs: 2), 2222222 (jobs: 1)"


@pytest.mark.slow
def test_a_link_of_another_commit_counts(line, tmp_path):
    words = ("reproduce", "--only", "small", "--budget", "smoke", "--links", "shelf", "-q", "--out")
    for folder, commit in (("first", ONE), ("second", OTHER)):
        before = CODE.format(commit=commit, dirty=False)
        before += "import semveil.experiment.checkpoint_cache as cache; cache.code = jobs.code"
        succeed(line(*words, folder, folder=tmp_path, before=before))
    succeed(line("reproduce", "--check", "first", folder=tmp_path))
    refused = refusal(line("reproduce", "--check", "second", folder=tmp_path))
    assert refused == "second: results of 2 commits: 1111111 (jobs: 3), 2222222 (jobs: 3)"


@pytest.mark.slow
def test_links_of_the_zoo_are_not_trained_again(line, straight, tmp_path):
    zoo = tmp_path / "zoo"
    packed = (straight / "small" / "jobs" / "seed-0", "digits/small", "--out", zoo)
    environment = {"SEMVEIL_ZOO": str(zoo)}
    succeed(line("zoo", "pack", *packed, folder=tmp_path))
    stated = json.loads((zoo / "digits" / "small" / "config.json").read_text())
    words = ("reproduce", "--only", "small", "--budget", "smoke", "-q", "--out")
    entry = {"name": "digits/small", "digest": stated["digest"]}
    for folder, more, origin in (("taken", [], entry), ("trained", ["--no-zoo"], None)):
        succeed(line(*words, folder, *more, folder=tmp_path, environment=environment))
        jobs = tmp_path / folder / "small" / "jobs"
        for job in ("seed-0", "again", "seed-1"):
            facts = json.loads((jobs / job / "run.json").read_text())
            assert facts.get("entry") == (None if job == "seed-1" else origin)
        # Trained at once by the first of the two jobs that measure it, if at all.
        assert (jobs / "seed-0" / "history.jsonl").exists() is (origin is None)
        assert not (jobs / "again" / "history.jsonl").exists()
    weights = (zoo / "digits" / "small" / "model.safetensors").read_bytes()
    assert (tmp_path / "taken" / "small/jobs/seed-0/model.safetensors").read_bytes() == weights
    # What measures counts for the commit, not what trained the entry.
    before = CODE.format(commit=ONE, dirty=False)
    before += "import semveil.experiment.checkpoint_cache as cache; cache.code = jobs.code"
    more = {"folder": tmp_path, "environment": environment, "before": before}
    succeed(line(*words, "clean", **more))
    succeed(line("reproduce", "--check", "clean", folder=tmp_path))
    # Of an entry that no index states nobody knows what trained it.
    (zoo / "index.json").unlink()
    result = succeed(line(*words, "strange", **more))
    assert result.err.startswith("semveil: digits/small is in no index: ")
    refused = refusal(line("reproduce", "--check", "strange", folder=tmp_path))
    assert refused == "strange: results of an unknown commit (jobs: 2)"
    # A damaged one that is needed is told before there is a folder.
    model = zoo / "digits" / "small" / "model.safetensors"
    model.write_bytes(b"damaged")
    assert refusal(line(*words, "damaged", **more)).startswith(f"{model} is altered: ")
    assert not (tmp_path / "damaged").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only", "talli"], "unknown study 'talli': did you mean 'tally'?"),
        (["--only", "tally", "--resume", "all"], "--resume takes no --only, --out or --seed"),
        (["--check", "all", "--budget", "cpu"], "--check only reads: it takes --quiet and --json"),
        (["--check", "all", "--minutes", "3"], "--check only reads: it takes --quiet and --json"),
        (["--check", "all", "--device", "cpu"], "--check only reads: it takes --quiet and --json"),
        (["--check", "all", "--no-zoo"], "--check only reads: it takes --quiet and --json alone"),
        (["--only", "tally", "--ray", "auto"], "ray auto: cannot reach a cluster there: "),
        (["--only", "tally", "--links", "/dev/null/x"], "links: /dev/null is no folder: name"),
        (["--only", "tally", "--links", ""], "--links is empty: give it a value"),
        (["--only", "tally", "--links="], "--links is empty: give it a value"),
        (["--only", "tally", "--out", ""], "--out is empty: give it a value"),
        (["--only", "tally", "--workers", "9" * 20], "workers: 99999999999999999999 is not betw"),
        (["--only", "tally", "--cores-per-job", "4097"], "cores_per_job: 4097 is not between 1"),
        (["--only", "tally", "--devices", "4097"], "devices: 4097 is not between 1 and 1024"),
        (["--only", "tally", "--workers", "1", "--gpus-per-job", "inf"], "gpus_per_job inf: a w"),
        (["--check", "all", "--resume", "all"], "--resume goes on, --check only reads: name one"),
        (["--check", "all"], "all holds no reproduction: there is no manifest.json in it"),
        (["--resume", "all"], "all holds no reproduction: there is no manifest.json in it"),
        (["--minutes", "nan"], "Invalid value for '--minutes': "),
    ],
)
def test_what_does_not_fit_is_one_line(line, tmp_path, words, said):
    assert refusal(line("reproduce", *words, folder=tmp_path)).startswith(said)
    assert list(tmp_path.iterdir()) == []


def test_missing_data_of_every_job_are_told_once_before_anything_is_made(line, tmp_path):
    words = ("reproduce", "--only", "size", "--budget", "gpu", "--links", "links", "--out", "all")
    refused = refusal(line(*words, folder=tmp_path))
    assert refused.startswith("no job can be done: no data folder: set SEMVEIL_DATA ")
    refused = refusal(line(*words, "--data", "nowhere", folder=tmp_path))
    assert refused.startswith("no job can be done: ")
    assert "not in nowhere" in refused
    assert list(tmp_path.iterdir()) == []


def git_in(folder):
    def git(*words):
        named = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        subprocess.run(["git", "-C", folder, *named, *words], check=True, capture_output=True)

    return git


def test_a_zoo_that_cannot_be_used_is_told_before_there_is_a_folder(line, tmp_path):
    words = ("reproduce", "--only", "small", "--budget", "smoke", "--out", "all")
    strange = {"SEMVEIL_ZOO": str(tmp_path / "strange")}
    refused = refusal(line(*words, folder=tmp_path, environment=strange))
    assert refused == f"SEMVEIL_ZOO: there is no folder {tmp_path / 'strange'}"
    entry = tmp_path / "strange" / "digits" / "small"
    entry.mkdir(parents=True)
    refused = refusal(line(*words, folder=tmp_path, environment=strange))
    assert (
        refused == f"{entry} is no zoo entry: there is no config.json in it; remove or restore it"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["strange"]


def test_another_budget_than_it_was_begun_with_is_refused(line, tmp_path):
    folder = tmp_path / "all"
    assert tally(line, folder, environment={"FAIL": "tally-2"}).code == 1
    before = content(folder)
    for command, place in (("reproduce", "all"), ("study", "all/tally")):
        words = (command, "--resume", place, "--budget", "smoke", "--quiet")
        refused = refusal(line(*words, folder=tmp_path))
        assert refused == f"budget: {place} was begun with cpu, not smoke; leave it out"
    assert content(folder) == before
    succeed(tally(line, folder, words=("--budget", "cpu", "--quiet")))


@pytest.mark.parametrize("workers", [0, -1, 10**6])
def test_a_number_of_workers_that_is_none_is_one_line(tmp_path, workers):
    words = f"workers: {workers} is not between 1 and 1024"
    with pytest.raises(SemveilError, match=words):
        api.reproduce(["quantisation"], "smoke", out=tmp_path / "all", workers=workers)
    with pytest.raises(SemveilError, match=words):
        api.study("quantisation", "smoke", out=tmp_path / "all", workers=workers)
    with pytest.raises(SemveilError, match=words):
        api.run("quickstart", out=tmp_path / "all", workers=workers)
    assert list(tmp_path.iterdir()) == []


def test_the_state_of_a_checkout(tmp_path):
    git = git_in(tmp_path)
    assert state_of(tmp_path).commit is None
    git("init")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("1")
    git("add", ".")
    git("commit", "-m", "first")
    clean = state_of(tmp_path)
    assert len(clean.commit) == 40
    assert not clean.dirty
    # New files outside the code, such as results, change no result.
    (tmp_path / "notes.txt").touch()
    assert state_of(tmp_path) == clean
    (tmp_path / "src" / "b.py").touch()
    assert state_of(tmp_path).dirty
    (tmp_path / "src" / "b.py").unlink()
    (tmp_path / "src" / "a.py").write_text("2")
    assert state_of(tmp_path).dirty
    assert state_of(tmp_path).commit == clean.commit


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"])
def test_neither_configuration_nor_variables_of_git_hide_a_change(tmp_path, monkeypatch, name):
    for folder in ("code", "other"):
        (tmp_path / folder / "src").mkdir(parents=True)
        (tmp_path / folder / "src" / "a.py").write_text("1")
        git = git_in(tmp_path / folder)
        git("init")
        git("add", ".")
        git("commit", "-m", folder)
    checkout = tmp_path / "code"
    clean = state_of(checkout)
    assert not clean.dirty
    other = {"GIT_DIR": ".git", "GIT_WORK_TREE": ".", "GIT_INDEX_FILE": ".git/index"}
    (checkout / "src" / "a.py").write_text("2")
    monkeypatch.setenv(name, str(tmp_path / "other" / other[name]))
    assert state_of(checkout) == clean.model_copy(update={"dirty": True})
    monkeypatch.delenv(name)
    git_in(checkout)("checkout", "--", ".")
    git_in(checkout)("config", "status.showUntrackedFiles", "no")
    (checkout / "src" / "b.py").touch()
    assert state_of(checkout) == clean.model_copy(update={"dirty": True})
