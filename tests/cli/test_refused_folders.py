"""Output folders that cannot be: one line, status 2, nothing written and nothing harmed."""

from __future__ import annotations

import pytest

from commands import SMALL, content, refusal

COMMANDS = [
    ["run", "quickstart"],
    ["train", "quickstart"],
    ["study", "latent-dimension", "--budget", "smoke"],
]


def what(command):
    return command[0]


@pytest.mark.parametrize("command", COMMANDS, ids=what)
@pytest.mark.parametrize("there", ["empty folder", "full folder", "file"])
def test_what_exists_is_not_touched(semveil, tmp_path, command, there):
    out = tmp_path / "out"
    if there == "file":
        out.write_text("mine")
    else:
        out.mkdir()
    if there == "full folder":
        (out / "run.json").write_text("mine")
    before = content(tmp_path)
    line = refusal(semveil(*command, "--out", out, folder=tmp_path))
    assert line.startswith(f"output folder {out} exists already: ")
    assert content(tmp_path) == before
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("command", COMMANDS, ids=what)
def test_below_a_file(semveil, tmp_path, command):
    (tmp_path / "file").write_text("mine")
    line = refusal(semveil(*command, "--out", "file/out", folder=tmp_path))
    assert line == "cannot make output folder file/out: Not a directory"
    assert content(tmp_path) == {"file": b"mine"}


@pytest.mark.parametrize("out", ["/proc/out", "/proc/sys/kernel/out/deep"])
def test_where_nobody_may_write(semveil, tmp_path, out):
    line = refusal(semveil("train", "quickstart", "--out", out, folder=tmp_path))
    assert line.startswith(f"cannot make output folder {out}: ")


def test_a_default_folder_is_never_one_that_exists(semveil, tmp_path):
    for name in ("quickstart", "quickstart-2"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    (tmp_path / "runs" / "quickstart-3").touch()
    result = semveil(
        "train", "quickstart", *SMALL, "--set=scheme=multitask", "--json", folder=tmp_path
    )
    assert result.out == '{"folder": "runs/quickstart-4"}\n'
    assert (tmp_path / "runs" / "quickstart-4" / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("none/page.html", "cannot write none/page.html: there is no folder none"),
        ("file/page.html", "cannot write file/page.html: there is no folder file"),
        ("folder", "cannot write folder: Is a directory"),
    ],
)
def test_a_page_that_cannot_be_written(semveil, finished, tmp_path, out, message):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    assert refusal(semveil("report", finished, "--out", out, folder=tmp_path)) == message
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]


def test_a_report_on_what_is_no_run(semveil, tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "none"):
        line = refusal(semveil("report", folder, "--out", "page.html", folder=tmp_path))
        assert f"{folder}/records.jsonl" in line
    assert not (tmp_path / "page.html").exists()
