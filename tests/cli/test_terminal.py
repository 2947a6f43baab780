"""What commands print reaches every terminal, and shells complete their words."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
import yaml

from commands import NO_PAGE, refusal, settings, succeed


def started(*words, **environment):
    """Run the command in a process of its own, whose terminal has its own encoding."""
    return subprocess.run(
        [sys.executable, "-m", "semveil", *map(str, words)],
        capture_output=True,
        env=os.environ | environment,
        check=False,
    )


@pytest.mark.parametrize(
    "encoding",
    [
        "ascii",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("cp437", "latin-1", "cp1252")),
    ],
)
def test_everything_can_be_printed_in_any_encoding(finished, encoding):
    for words in (["--help"], ["list"], ["run", "--resume", finished]):
        shown = started(*words, PYTHONIOENCODING=encoding)
        assert (shown.returncode, shown.stderr) == (0, b""), words
        assert shown.stdout.decode(encoding)
    in_unicode = started("run", "--resume", finished, PYTHONIOENCODING="utf-8").stdout.decode()
    assert "±" in in_unicode
    if encoding == "ascii":
        assert "+-" in shown.stdout.decode()


def test_names_are_printed_as_they_are(semveil, finished, tmp_path):
    """Brackets are markup to rich, and words between colons are pictures."""
    folder = shutil.copytree(finished, tmp_path / "[red]my :smile: run[/]")
    lines = (folder / "records.jsonl").read_text().splitlines()
    renamed = [json.dumps(json.loads(line) | {"study": "[/x] :eyes:"}) for line in lines]
    (folder / "records.jsonl").write_text("\n".join(renamed) + "\n")
    shown = succeed(semveil("run", "--resume", folder, before=NO_PAGE))
    assert f"Report: {folder / 'report.html'}\n" in shown.out
    assert "[/x] :eyes:" in shown.out


def test_folders_are_named_as_they_are_when_they_are_not_there(semveil):
    for name in ("we[red]ird", "x[/y]", ":smile:"):
        line = refusal(semveil("run", "--resume", name))
        assert line == f"{name} holds no run: there is no run.json in it"


def test_a_folder_whose_name_is_no_text_is_reported(semveil, finished, tmp_path):
    odd = tmp_path / os.fsdecode(b"odd\xff")
    shutil.copytree(finished, odd)
    shown = succeed(semveil("report", odd, "--out", tmp_path / os.fsdecode(b"page\xff.html")))
    assert "page" in shown.out
    assert "odd?" in (tmp_path / os.fsdecode(b"page\xff.html")).read_text()


def test_stages_are_told_as_they_are_named(semveil, tmp_path):
    code = "from semveil.progress import bars\nwith bars(False) as told: told('[bold]a[/b]', 1, 1)"
    assert succeed(semveil(instead=code)).err == "[bold]a[/b]: done\n"


def test_a_reader_who_has_had_enough_is_no_error():
    command = f"{sys.executable} -m semveil list | head -1"
    shown = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert (shown.stdout, shown.stderr) == ("schemes:\n", "")


def completed(*words):
    """Return what a shell offers for the last of some words."""
    environment = {
        "_SEMVEIL_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(["semveil", *words]),
        "COMP_CWORD": str(len(words)),
    }
    code = "import sys; sys.argv[0] = 'semveil'; from semveil.cli import main; main()"
    shown = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
    )
    assert shown.stderr == ""
    return shown.stdout.split()


def test_shells_complete_commands_options_and_recipes():
    assert completed("rep") == ["reproduce", "report"]
    assert completed("run", "--res") == ["--resume"]
    assert completed("run", "quick") == ["quickstart"]


def test_settings_are_shown_and_are_a_recipe(semveil, tmp_path):
    shown = succeed(semveil("show", "quickstart", "--set=link.latent_dim=8"))
    assert yaml.safe_load(shown.out)["link"]["latent_dim"] == 8
    (tmp_path / "mine.yaml").write_text(shown.out)
    again = succeed(semveil("show", tmp_path / "mine.yaml", "--json"))
    assert json.loads(again.out) == yaml.safe_load(shown.out)
    assert refusal(semveil("show", "quikstart")).startswith("unknown recipe 'quikstart'")
    line = refusal(semveil("show", "quickstart", *settings("link.latent_dim=7")))
    assert line.startswith("link.latent_dim: ")


@pytest.mark.parametrize(
    ("old", "new"), [("--target", "--source-class"), ("--wrong", "--target-class")]
)
def test_an_old_option_answers_with_the_new_one(semveil, tmp_path, old, new):
    assert refusal(semveil("attack", tmp_path, old, "3")) == f"{old} is now {new}"
