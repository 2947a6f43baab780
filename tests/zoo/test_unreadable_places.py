"""A named zoo of which a part cannot be used: told, and no other entry of the name is taken."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
import torch

import semveil
from commands import refusal, succeed
from forge import restate
from semveil.errors import SemveilError
from semveil.training.checkpoint import load_tensors, save_tensors
from semveil.zoo.places import EMBEDDED

NAME = "digits/ibal"


@pytest.fixture
def zoo(tmp_path):
    """A folder with an entry of the name of one of the package."""
    shutil.copytree(EMBEDDED / NAME, tmp_path / "zoo" / NAME)
    return tmp_path / "zoo"


@pytest.mark.parametrize("part", ["zoo/digits", "zoo"])
def test_a_part_that_may_not_be_read_is_told(semveil, zoo, tmp_path, part):
    above = (*Path(sys.prefix).parents, *EMBEDDED.parents)
    closed = [place for place in above if not place.stat().st_mode & 0o001]
    if not os.getuid() and closed:
        pytest.skip(f"nobody but the administrator may read what lies in {closed[0]}")
    (tmp_path / part).chmod(0)
    tmp_path.chmod(0o755)
    # The administrator may read everything.
    stranger = "import os\nif not os.getuid(): os.setuid(65534)"
    environment = {"SEMVEIL_ZOO": "zoo", "XDG_CACHE_HOME": "cache"}
    for words in (("list",), ("show", NAME)):
        result = semveil("zoo", *words, folder=tmp_path, environment=environment, before=stranger)
        line = refusal(result)
        assert line.startswith(f"cannot read {part}")
        assert line.endswith(": Permission denied")


def loaded(name=NAME):
    with pytest.raises(SemveilError) as told:
        semveil.load(name)
    return str(told.value)


def test_what_stands_in_the_place_of_an_entry_is_told(zoo, tmp_path, monkeypatch):
    monkeypatch.setenv("SEMVEIL_ZOO", str(zoo))
    shutil.rmtree(zoo / NAME)
    (zoo / NAME).write_text("a file")
    assert loaded().startswith(f"{zoo / NAME} is no zoo entry")
    (zoo / NAME).unlink()
    (zoo / NAME).symlink_to(tmp_path / "none")
    assert loaded().startswith(f"{zoo / NAME} is no zoo entry")
    (zoo / NAME).unlink()
    (zoo / "digits").rmdir()
    (zoo / "digits").symlink_to(tmp_path / "none")
    assert loaded() == f"cannot read {zoo / 'digits'}: No such file or directory"


def test_an_entry_or_a_set_is_no_zoo(zoo, monkeypatch):
    for named in (zoo / NAME, zoo / "digits"):
        monkeypatch.setenv("SEMVEIL_ZOO", str(named))
        assert "is an entry: expected a folder with entries as SET/NAME" in loaded()


def test_a_folder_is_no_index(zoo, monkeypatch):
    monkeypatch.setenv("SEMVEIL_ZOO", str(zoo))
    (zoo / "index.json").mkdir()
    assert loaded("digits/none") == f"cannot read {zoo / 'index.json'}: it is a folder"


def test_an_entry_that_no_name_finds_is_listed(semveil, zoo):
    shutil.copytree(zoo / NAME, zoo / "digits" / "My_Link")
    (row,) = (
        line
        for line in succeed(semveil("zoo", environment={"SEMVEIL_ZOO": str(zoo)})).out.splitlines()
        if line.startswith("digits/My_Link")
    )
    assert "not usable: names are of lower-case letters" in row


def test_what_is_no_folder_and_no_name_is_told():
    assert loaded(None) == "expected a folder or the name of a zoo entry, not None"
    assert loaded("a" * 5000).endswith("…: File name too long")
    with pytest.raises(SemveilError, match="system: expected a name, not 5"):
        semveil.load(NAME, system=5)


@pytest.mark.parametrize("name", ["", "digits/" + "a" * 300])
def test_a_name_that_none_can_have_is_refused(zoo, name):
    restate(zoo / NAME, name=name)
    assert "config.json is damaged: name: String should" in loaded(zoo / NAME)


def test_codes_in_the_name_of_a_tensor_are_shown(zoo):
    path = zoo / NAME / "model.safetensors"
    tensors, facts = load_tensors(path)
    save_tensors(path, tensors | {"evil\n\x1b[31m": torch.ones(2)}, facts)
    restate(zoo / NAME)
    assert "evil\\n\\x1b[31m is" in loaded(zoo / NAME)
