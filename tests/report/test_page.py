"""The page: its numbers, its safety, and that it needs nothing but itself."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from semveil.errors import SemveilError
from semveil.metrics import metric_of
from semveil.records import Record, read_records
from semveil.report.page import write_report
from semveil.report.select import frame
from semveil.report.summary import rows

MakeRun = Callable[..., Path]
percent, decibels = (metric_of(name).format for name in ("accuracy", "psnr_db"))
VOID = {"meta", "br", "img", "link", "input", "hr"}


class Reader(HTMLParser):
    """Collects a page's attributes, names and cells, and checks that its tags nest."""

    def __init__(self) -> None:
        super().__init__()
        self.attributes: list[tuple[str, str, str]] = []
        self.rows: list[list[str]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, key, value or "") for key, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, key, value or "") for key, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def read(path: Path) -> tuple[str, Reader]:
    page = path.read_text()
    reader = Reader()
    reader.feed(page)
    assert not reader.open
    return page, reader


def test_table_shows_the_records_numbers(page: Path, quick: list[Record]) -> None:
    _, reader = read(page)
    shown = {cells[0]: cells for cells in reader.rows if len(cells) == 11}
    found = rows(frame(quick))
    assert len(found) == 6
    for row in found:
        cells = shown[row.name]
        bob, fresh = row.figures["bob", "accuracy"], row.figures["adaptive", "accuracy"]
        assert cells[1] == (row.asymmetry or "–")
        low, high = percent(bob.low), percent(bob.high)
        assert cells[2].split() == [percent(bob.value), f"{low}–{high}"]
        assert cells[6].startswith(percent(fresh.value))
        assert cells[7].startswith(decibels(row.figures["adaptive", "psnr_db"].value))
        assert cells[9].startswith(row.label.value)
        assert cells[10].startswith(row.image.value)
    assert shown["chance"][2:9] == ["10.1", "11.03", "–", "10.1", "10.1", "11.03", "–"]


def test_every_part_is_there(page: Path) -> None:
    text, reader = read(page)
    ids = {value for tag, key, value in reader.attributes if (tag, key) == ("section", "id")}
    assert ids == {
        *("summary", "table", "privacy", "snr", "pictures", "symbols", "training"),
        *("reading", "runs", "records"),
    }
    anchors = {value for tag, key, value in reader.attributes if (tag, key) == ("a", "href")}
    assert {f"#{name}" for name in ids} <= anchors
    assert "semveil run quickstart --out runs/quickstart" in text
    assert "2.13.0" in text


def test_pictures_have_the_names_of_their_classes(
    make_run: MakeRun, quick: list[Record], tmp_path: Path
) -> None:
    run = make_run(tmp_path / "named", quick)
    about = json.loads((run / "run.json").read_text())
    names = [f"kind{number}" for number in range(9)] + ["a name that is long"]
    images = {"shape": [1, 8, 8], "classes": names}
    (run / "run.json").write_text(json.dumps(about | {"images": images}))
    write_report(tmp_path / "page.html", [run])
    text = (tmp_path / "page.html").read_text()
    with np.load(run / "samples.npz") as samples:
        shown = [int(label) for label in samples["labels"][:6]]
    assert all(("a name t…" if label == 9 else f">{names[label]}<") in text for label in shown)
    (run / "run.json").write_text(json.dumps(about | {"images": {"shape": [1, 8, 8]}}))
    with pytest.raises(SemveilError, match=r"run\.json is damaged: classes"):
        write_report(tmp_path / "page.html", [run])


def test_nothing_is_loaded_from_elsewhere(page: Path) -> None:
    text, reader = read(page)
    for tag, key, value in reader.attributes:
        if key in {"src", "href", "xlink:href", "srcset", "data", "action", "poster"}:
            assert value.startswith(("#", "data:")), (tag, key, value[:80])
    assert not {tag for tag, _, _ in reader.attributes} & {"script", "link", "iframe", "object"}
    for address in re.findall(r"url\(([^)]*)\)", text):
        assert address.startswith("#")
    assert "@import" not in text
    assert "default-src 'none'" in text


def test_names_within_the_page_are_unique(page: Path) -> None:
    _, reader = read(page)
    names = [value for _, key, value in reader.attributes if key == "id"]
    assert len(names) == len(set(names))


def test_figures_and_tables_can_be_read_without_eyes(page: Path) -> None:
    text, reader = read(page)
    drawings = text.count("<svg ")
    described = [v for t, k, v in reader.attributes if (t, k) == ("svg", "aria-labelledby")]
    captions = [v for t, k, v in reader.attributes if (t, k) == ("figcaption", "id")]
    assert drawings == len(described) == 7
    assert described == captions
    assert all(len(words) > 20 for words in re.findall(r"<figcaption[^>]*>([^<]+)<", text))
    heads = [tag for tag, key, _ in reader.attributes if tag == "th" and key == "scope"]
    assert len(heads) == text.count("<th ") == len(re.findall(r"<th[ >]", text))
    assert ("html", "lang", "en") in reader.attributes


def test_downloads_are_the_records(page: Path, quick: list[Record], tmp_path: Path) -> None:
    text, _ = read(page)
    found = dict(
        re.findall(
            r'href="data:(?:application/jsonl|text/csv);base64,([^"]+)" download="([^"]+)"', text
        )
    )
    files = {name: base64.b64decode(content) for content, name in found.items()}
    (tmp_path / "records.jsonl").write_bytes(files["records.jsonl"])
    assert read_records(tmp_path / "records.jsonl") == quick
    assert files["records.csv"].decode().count("\n") == len(quick) + 1


def test_page_is_small(page: Path) -> None:
    assert page.stat().st_size < 1_000_000


@pytest.mark.slow
def test_same_run_same_bytes_in_another_process(
    page: Path, quick_run: Path, tmp_path: Path
) -> None:
    code = (
        "import sys; from pathlib import Path; from semveil.report.page import write_report;"
        "write_report(Path(sys.argv[1]), [Path(sys.argv[2])])"
    )
    again = tmp_path / "again.html"
    arguments = [sys.executable, "-c", code, str(again), str(quick_run)]
    subprocess.run(arguments, check=True, env={**os.environ, "PYTHONHASHSEED": "77"})
    assert again.read_bytes() == page.read_bytes()


def test_what_comes_from_outside_is_escaped(
    make_run: MakeRun, quick: list[Record], tmp_path: Path
) -> None:
    evil = '<script>alert("1")</script>'
    records = [
        dataclasses.replace(
            record,
            scheme="<b>",
            variant=evil,
            dataset=evil,
            channel=evil,
            study=evil,
            asymmetry=evil,
        )
        for record in quick
        if record.scheme == "multitask"
    ]
    folder = make_run(tmp_path / "<b>run", records)
    (folder / "run.json").write_text(
        json.dumps({"recipe": {evil: evil}, "command": evil, "versions": {evil: evil}})
    )
    name = records[0].system.label
    samples = {
        "originals": np.zeros((1, 1, 8, 8), np.uint8),
        f"bob/{name}": np.zeros((1, 1, 8, 8), np.uint8),
        f"waveform/{name}": np.ones(4, np.complex64),
    }
    np.savez(folder / "samples.npz", **samples)  # type: ignore[arg-type]
    (folder / "history.jsonl").write_text(json.dumps({"step": 0, "stage": evil, evil: 1.0}) + "\n")
    write_report(tmp_path / "a.html", [folder])
    text, reader = read(tmp_path / "a.html")
    assert "<script" not in text
    assert "<b>" not in text
    assert "&lt;script&gt;" in text
    assert not [tag for tag, _, _ in reader.attributes if tag in {"script", "b"}]


@pytest.mark.slow
def test_several_runs_share_a_page(make_run: MakeRun, quick: list[Record], tmp_path: Path) -> None:
    few = [record for record in quick if record.scheme in {"multitask", "minmax"}]
    worse = [
        dataclasses.replace(record, value=0.111, ci_low=None, ci_high=None)
        if record.role == "bob" and record.metric == "accuracy"
        else record
        for record in few
    ]
    first = make_run(tmp_path / "one" / "run", few)
    second = make_run(tmp_path / "two" / "run", worse, pictures=False)
    write_report(tmp_path / "a.html", [first, second])
    _, reader = read(tmp_path / "a.html")
    groups = [cells[0] for cells in reader.rows if len(cells) == 1]
    # The table of results, then that of each SNR.
    assert [group.split(" · ")[0] for group in groups] == ["run (1)", "run (2)"] * 2
    shown = [cells[2] for cells in reader.rows if len(cells) == 11 and cells[0] == "multitask"]
    assert shown[0].startswith("95.7")
    assert shown[1] == "11.1"
    names = [value for _, key, value in reader.attributes if key == "id"]
    assert len(names) == len(set(names))


def test_records_alone_make_a_page(make_run: MakeRun, quick: list[Record], tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a", quick[:1], pictures=False)
    (folder / "run.json").unlink()
    write_report(tmp_path / "a.html", [folder])
    text, reader = read(tmp_path / "a.html")
    ids = {value for tag, key, value in reader.attributes if (tag, key) == ("section", "id")}
    assert ids == {"summary", "table", "reading", "records"}
    assert "not tested for 1 of 1 systems" in " ".join(text.split())


def test_a_study_is_drawn_against_the_dimension(
    make_run: MakeRun, study: list[Record], tmp_path: Path
) -> None:
    few = [
        record
        for record in study
        if record.dataset == "mnist" and record.scheme == "minmax" and record.latent_dim != 8
    ]
    write_report(tmp_path / "a.html", [make_run(tmp_path / "a", few, pictures=False)])
    text, _ = read(tmp_path / "a.html")
    assert 'id="dimension"' in text
    assert "Further figures" in text
    assert (tmp_path / "a.html").stat().st_size < 3_000_000


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("records.jsonl", None, "cannot read records"),
        ("records.jsonl", "", "holds no records"),
        ("records.jsonl", "{}\n", "line 1: not a record"),
        ("run.json", "{", "is damaged: not JSON"),
        ("run.json", "[]", "not an object"),
        ("samples.npz", "junk", "cannot read samples"),
        ("history.jsonl", "junk\n{}\n", "line 1: not a step"),
    ],
)
def test_a_broken_folder_is_one_line(
    make_run: MakeRun,
    quick: list[Record],
    tmp_path: Path,
    name: str,
    content: str | None,
    words: str,
) -> None:
    folder = make_run(tmp_path / "a", quick[:5], pictures=False)
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    with pytest.raises(SemveilError, match=words) as caught:
        write_report(tmp_path / "a.html", [folder])
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "a.html").exists()


def test_half_a_last_line_of_history_is_forgiven(
    make_run: MakeRun, quick: list[Record], tmp_path: Path
) -> None:
    folder = make_run(tmp_path / "a", quick[:5], pictures=False)
    (folder / "history.jsonl").write_text(
        '{"step": 0, "stage": "link", "loss": 1.0}\n{"step": 1, "st'
    )
    write_report(tmp_path / "a.html", [folder])
    assert 'id="training"' in (tmp_path / "a.html").read_text()


def test_pickled_samples_are_refused(
    make_run: MakeRun, quick: list[Record], tmp_path: Path
) -> None:
    folder = make_run(tmp_path / "a", quick[:5], pictures=False)
    np.savez(folder / "samples.npz", originals=np.array([{}], dtype=object))
    with pytest.raises(SemveilError, match="cannot read samples"):
        write_report(tmp_path / "a.html", [folder])


def test_no_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SemveilError, match="no run"):
        write_report(tmp_path / "a.html", [])


def test_text_stands_out_in_light_and_dark() -> None:
    import semveil.report

    style = (Path(semveil.report.__file__).parent / "templates" / "style.css").read_text()
    themes = re.findall(r":root \{(.*?)\}", style, flags=re.DOTALL)
    assert len(themes) == 2
    for theme in themes:
        colours = dict(re.findall(r"--(\w+): (#\w+)", theme))
        for name in ("ink", "soft", "link", "bad", "mixed", "good"):
            assert contrast(colours[name], colours["paper"]) >= 4.5, name


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2."""

    def light(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        parts = [int(digits[start : start + 2], 16) / 255 for start in (0, 2, 4)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return float(np.dot([0.2126, 0.7152, 0.0722], linear))

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)
