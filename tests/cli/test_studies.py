"""The studies end to end, at the budget that only shows that they work."""

from __future__ import annotations

import json

import pytest

from commands import content, refusal, scraps, succeed
from semveil.papers import PAPERS
from semveil.records import named, read_records

QUICK = ("case", "perturbation-settings")


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in PAPERS.names()],
)
def test_a_study_ends_with_its_page(semveil, tmp_path, name):
    words = ("study", name, "--budget", "smoke", "--json")
    result = succeed(semveil(*words, folder=tmp_path))
    folder = tmp_path / "runs" / f"{name}-smoke"
    shown = json.loads(result.out)
    assert shown["folder"] == f"runs/{name}-smoke"
    assert shown["report"] == f"runs/{name}-smoke/README.md"

    about = json.loads((folder / "run.json").read_text())
    assert about["finished"] is True
    assert (about["study"], about["budget"], about["seed"]) == (name, "smoke", 0)
    jobs = PAPERS.get(name)().jobs("smoke", 0)
    assert list(about["jobs"]) == [job.name for job in jobs]
    assert sorted(path.name for path in (folder / "jobs").iterdir()) == sorted(about["jobs"])

    records = read_records(folder / "records.jsonl")
    assert len(records) == len(shown["records"])
    assert {record.study for record in records} == {name}
    per_job = [read_records(folder / "jobs" / job.name / "records.jsonl") for job in jobs]
    every = [record for part in per_job for record in part]
    kept = PAPERS.get(name)().kept(every, "smoke")
    assert [r.value for r in records] == [r.value for r in kept]
    # Two studies have more records than their pages use.
    assert (len(kept) < len(every)) == (name in ("attacks", "defences"))
    for job, part in zip(jobs, per_job, strict=True):
        assert {named(asked).scheme for asked in job.schemes} <= {record.scheme for record in part}
        assert json.loads((folder / "jobs" / job.name / "run.json").read_text())["finished"]

    page = (folder / "README.md").read_text()
    figures = sorted(path.name for path in folder.glob("*.svg"))
    assert figures or name != "latent-dimension"
    for figure in figures:
        assert f"]({figure})" in page
        assert (folder / figure).read_text().rstrip().endswith("</svg>")
    assert f"semveil study {name} --budget smoke --seed 0" in page
    # Lower case: Nan is an author.
    assert not {"nan", "NaN"} & set(page.split())
    # Pictures of the user's own images are drawn beside the page, which does not name them.
    pictures = sorted(path.name for path in folder.glob("*.png"))
    assert bool(pictures) == (name in ("case", "faces"))
    # The case is its pictures, of a set whose terms allow a few.
    assert name == "case" or not any(picture in page for picture in pictures)
    top = {"README.md", "records.jsonl", "run.json", *figures, *pictures}
    assert {path.name for path in folder.iterdir()} == top | {"jobs"}
    assert scraps(folder) == []


def test_going_on_takes_no_new_settings(semveil, tmp_path):
    folder = tmp_path / "study"
    folder.mkdir()
    facts = {"study": "latent-dimension", "budget": "smoke", "seed": 0, "finished": False}
    (folder / "run.json").write_text(json.dumps(facts))
    before = content(tmp_path)
    for words in (["latent-dimension"], ["--out", "elsewhere"], ["--seed", "1"]):
        line = refusal(semveil("study", *words, "--resume", folder, folder=tmp_path))
        assert line.startswith("--resume takes no ")
    assert content(tmp_path) == before


def test_a_study_of_another_version_is_named(semveil, tmp_path):
    facts = {"study": "latent-dimensions", "budget": "smoke", "seed": 0}
    (tmp_path / "run.json").write_text(json.dumps(facts))
    line = refusal(semveil("study", "--resume", tmp_path))
    assert "unknown study 'latent-dimensions': did you mean 'latent-dimension'?" in line
