"""The pages of our papers on the committed records, and what templates may call."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from papers.numbers import row, table
from semveil.errors import SemveilError
from semveil.papers import PAPERS, page
from semveil.papers.claims import Claims, verdicts
from semveil.papers.execute import footer
from semveil.records import read_records
from semveil.report.select import frame

RESULTS = Path(__file__).parents[2] / "results"


@pytest.mark.slow
@pytest.mark.parametrize("name", PAPERS.names())
def test_our_pages_render_on_the_committed_records(name):
    path = RESULTS / name / "records.jsonl"
    if not path.exists():
        pytest.skip("not run for the committed results")
    paper = PAPERS.get(name)()
    assert paper.description
    assert paper.source
    found = paper.render(frame(read_records(path)))
    assert found.text.startswith("# ")
    for file in found.figures:
        assert f"]({file})" in found.text
    for judged in paper.judge(frame(read_records(path))):
        assert judged.claim.claim in found.text
        assert judged.measured or judged.claim.source == "ours"


@pytest.mark.parametrize("name", PAPERS.names())
def test_a_committed_page_names_every_version_and_precision_of_its_jobs(name):
    folder = RESULTS / name
    if not (folder / "run.json").exists():
        pytest.skip("not run for the committed results")
    jobs = json.loads((folder / "run.json").read_text())["jobs"]
    footer = (folder / "README.md").read_text().rpartition("## What was run")[2]
    named = set(re.findall(r"\d+\.\d+\.\d+\+[0-9a-f]{7}\b", footer))
    assert named == {job["version"] for job in jobs.values()}
    stated = {job["hardware"].get("precision") for job in jobs.values()} - {None}
    assert set(re.findall(r"b?float\d+", footer)) == stated
    commits = {part["commit"][:7] for job in jobs.values() for part in job.get("code", ())}
    assert all(commit in footer for commit in commits)


def test_a_page_states_the_widths_of_links_over_ofdm():
    def job(scheme, width):
        recipe = {"scheme": scheme, "data": {"name": "mnist"}, "link": {"width": width}}
        return {"version": "0.1.0+1234567", "hardware": {}, "recipe": recipe}

    jobs = {"a": job("mobilesc", 16), "b": job("jscc-ofdm", 64), "c": job("deepjscc", 8)}
    told = footer("attacks", {"budget": "cpu", "seed": 0, "jobs": jobs})
    assert "over OFDM: 16 (mnist), 64 (mnist); as published: 64." in told
    del jobs["a"], jobs["b"]
    assert "OFDM" not in footer("attacks", {"budget": "cpu", "seed": 0, "jobs": jobs})


def filled(tmp_path, template, *rows, claims=None):
    path = tmp_path / "page.md.j2"
    path.write_text(template)
    records = table(*rows)
    spec = Claims.model_validate(claims or {})
    return page.render(path, records, verdicts(spec, records), spec.values).text


ROWS = [
    row(0.9, dataset="mnist"),
    row(0.5, dataset="mnist", adversary="pgd", psr_db=-6.0),
    row(0.25, dataset="mnist", adversary="pgd", psr_db=-2.0),
    row(0.7, dataset="cifar10"),
]


def test_a_table_has_a_row_per_case_and_a_column_per_value(tmp_path):
    template = """{{ table(
        where={"role": "bob", "dataset": "mnist"},
        rows={"adversary": "all"},
        columns=[
          {"each": {"psr_db": {"not": [none]}}, "head": "{psr_db} dB", "show": "share"},
          {"head": "PSNR", "metric": "psnr_db"},
          {"head": "published", "value": "published", "show": "share"},
        ]) }}"""
    text = filled(
        tmp_path, template, *ROWS,
        claims={"values": {"published": {"by": "adversary", "pgd": 0.3, "else": None}}},
    )  # fmt: skip
    assert text.splitlines() == [
        "| attack | −6 dB | −2 dB | published |",
        "| --- | --- | --- | --- |",
        "| No attack | 90.0 | 90.0 | – |",
        "| pgd | 50.0 | 25.0 | 30.0 |",
    ]


def test_numbers_stand_in_sentences(tmp_path):
    template = (
        '{{ values("dataset") | join(", ") }}: {{ number({"dataset": "mnist", "adversary": none, '
        '"role": "bob"}) | percent }} {{ number({"dataset": "svhn"}) | percent }} '
        '{{ measured({"adversary": "fgm"}) }}'
    )
    assert filled(tmp_path, template, *ROWS) == "mnist, cifar10: 90.0 (89.0–91.0) – False\n"


def test_a_figure_is_drawn_from_what_is_selected(tmp_path):
    path = tmp_path / "page.md.j2"
    path.write_text(
        '{{ figure("a.svg", "papers.test_pages:count", "A", {"adversary": "pgd"}, more=1) }}\n'
        '{{ figure("b.svg", "papers.test_pages:count", "B", {"adversary": "fgm"}) }}\n'
        '{{ figure("c.svg", "papers.test_pages:count", "C", [{"psr_db": -6}, {"psr_db": -2}]) }}\n'
    )
    found = page.render(path, table(*ROWS))
    assert found.text == "![A](a.svg)\n\n![C](c.svg)\n"
    assert {name: draw() for name, draw in found.figures.items()} == {"a.svg": 3, "c.svg": 2}


def count(rows, more=0):
    return len(rows) + more


def test_claims_are_counted_and_shown(tmp_path):
    claim = {
        "claim": "Bob is right",
        "source": "section 1",
        "where": {"role": "bob", "adversary": None},
        "cases": {"dataset": "all"},
        "judge": [{"at_least": 0.8, "show": "rate"}],
    }
    other = claim | {"claim": "Bob sees well", "where": {"metric": "psnr_db"}}
    text = filled(tmp_path, "{{ claims() }}", *ROWS, claims={"claims": [claim, other]})
    assert "| 1. Bob is right | 1 | 1 | 0 |" in text
    assert "Every case is judged by itself." in text
    assert "| 2. Bob sees well | – | – | – |" in text
    assert "| mnist | **confirmed**: 90.0 (89.0–91.0) % |" in text
    assert "| cifar10 | **refuted**: 70.0 (69.0–71.0) % |" in text
    assert "Not measured." in text.partition("### 2.")[2]


def test_a_page_says_how_many_eavesdroppers_ran_out_of_epochs(tmp_path):
    def eve(value, snr_db, **fields):
        return row(value, role="eve", metric="converged", test_snr_db=snr_db, **fields)

    # Each listens at two SNRs.
    eves = [
        eve(done, snr_db, adversary=name)
        for name, done in (("inference/mlp", 1.0), ("inference/wide", 0.0))
        for snr_db in (10.0, 20.0)
    ]
    text = filled(tmp_path, "{{ claims() }}", *ROWS, *eves)
    assert "(`converged` is 0): 1 of 2. Trained for longer" in text
    text = filled(tmp_path, "{{ convergence() }}", *ROWS, *eves[:2])
    assert text.strip().endswith("(`converged` is 0): 0 of 1.")
    assert filled(tmp_path, "{{ convergence() }}", *ROWS).strip() == ""


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("\n{{ tabel() }}", "line 2: 'tabel'"),
        ('{{ number({"metrc": "accuracy"}) }}', "line 1: .*did you mean 'metric'"),
        ('{{ number({"role": "bob"}) }}', "several numbers"),
        ('{{ figure("a.svg", "nothing.here", "A") }}', "no function semveil.report.figures"),
        ("{% if %}", "page.md.j2, line 1"),
    ],
)
def test_a_mistake_in_a_page_is_one_line(tmp_path, template, words):
    with pytest.raises(SemveilError, match=words) as raised:
        filled(tmp_path, template, *ROWS)
    assert "\n" not in str(raised.value)
