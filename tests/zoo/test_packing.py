"""Packing that is refused, fails, is killed or is done twice at once: no entry is lost."""

from __future__ import annotations

import json

import pytest

from commands import content, refusal, succeed

NAME = "digits/tiny"
QUICK = ("--weights", "float32", "--no-eve")
# Ends the process at a call of a function of os that handles the entry.
KILL = """
import os, signal
real, calls = os.{call}, []
def call(*given, **how):
    calls.extend([given] if "{within}" in str(given[0]) else [])
    if len(calls) == {number}:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*given, **how)
os.{call} = call
"""


@pytest.fixture
def pack(command, trained, zoo):
    def run(name=NAME, *words, before=""):
        return command("pack", trained, name, "--out", zoo, *QUICK, *words, before=before)

    return run


def version(zoo):
    return json.loads((zoo / NAME / "config.json").read_text())["version"]


@pytest.mark.parametrize("text", ["{", '{"entries": {"digits/tiny": 1}}', "\udcff"])
def test_a_damaged_index_is_told_before_anything_is_written(pack, zoo, text):
    (zoo / "index.json").write_text(text, errors="surrogateescape")
    before = content(zoo)
    for words in (("digits/other",), (NAME, "--replace")):
        assert f"{zoo / 'index.json'} is damaged" in refusal(pack(*words))
        assert content(zoo) == before


@pytest.mark.parametrize("words", [("digits/other",), (NAME, "--replace")])
def test_an_index_that_cannot_be_written_takes_the_entry_back(pack, zoo, words):
    before = content(zoo)
    full = """
import semveil.zoo.places as places
from semveil.errors import SemveilError
def full(path, content):
    raise SemveilError(f"cannot write {path}: No space left on device")
places.write_atomic = full
"""
    assert "No space left" in refusal(pack(*words, before=full))
    assert content(zoo) == before


@pytest.mark.parametrize(
    ("call", "within", "number"),
    [("rename", NAME, 1), ("rename", ".tiny", 2), ("fsync", "", 3), ("rmdir", ".kept", 1)],
)
def test_a_kill_during_a_replacement_loses_no_version(pack, command, zoo, call, within, number):
    kill = KILL.format(call=call, within=within, number=number)
    result = pack(NAME, "--replace", before=kill)
    assert result.code == -9
    listed = json.loads(succeed(command("list", "--json")).out)[NAME]
    assert listed["version"] == (2 if call == "rmdir" else 1)
    succeed(command("verify", NAME))
    succeed(pack(NAME, "--replace"))
    assert version(zoo) == listed["version"] + 1
    assert [path.name for path in (zoo / "digits").iterdir()] == ["tiny"]


def test_two_who_pack_at_once_are_both_in_the_index(semveil, trained, zoo, tmp_path):
    names = [f"digits/twin-{number}" for number in range(4)]
    # Long enough for the others to read the same index.
    slow = """
import time
import semveil.zoo.places as places
real = places.write_atomic
def write(*given):
    time.sleep(0.5)
    real(*given)
places.write_atomic = write
"""
    environment = {"SEMVEIL_ZOO": str(zoo)}
    processes = [
        semveil.start(
            *("zoo", "pack", trained, name, "--out", zoo, *QUICK),
            folder=tmp_path,
            environment=environment,
            before=slow,
        )
        for name in names
    ]
    for process in processes:
        succeed(process.wait())
    assert json.loads((zoo / "index.json").read_text())["entries"].keys() == {NAME, *names}
