"""Writing a file: the old content or the new, whatever happens, and nothing else left behind."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from commands import content
from semveil.errors import SemveilError
from semveil.files import new_folder, remove_scraps, write_atomic


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("content", ["Größe\n", b"\0\xff", "", b"x" * 3_000_000])
def test_the_content_is_there(tmp_path, content):
    write_atomic(tmp_path / "a.txt", content)
    expected = content.encode() if isinstance(content, str) else content
    assert (tmp_path / "a.txt").read_bytes() == expected
    assert names(tmp_path) == ["a.txt"]


def test_the_old_content_is_replaced_and_a_reader_who_has_it_open_keeps_it(tmp_path):
    write_atomic(tmp_path / "a", "old")
    with (tmp_path / "a").open() as reader:
        write_atomic(tmp_path / "a", "new")
        assert reader.read() == "old"
    assert (tmp_path / "a").read_text() == "new"


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_files_and_folders_follow_the_umask(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        write_atomic(tmp_path / "a", "x")
        new_folder(tmp_path / "b", {"c": "x"})
    finally:
        os.umask(before)
    for file in (tmp_path / "a", tmp_path / "b" / "c"):
        assert stat.S_IMODE(file.stat().st_mode) == mode
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o777 & ~mask


def refused(path, content="new"):
    with pytest.raises(SemveilError, match=r"^cannot write ") as error:
        write_atomic(path, content)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_no_folder(tmp_path):
    refused(tmp_path / "none" / "a")
    assert names(tmp_path) == []


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "file").write_text("x")
    refused(tmp_path / "file" / "a")
    assert names(tmp_path) == ["file"]


def test_a_folder_where_the_file_should_be(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "kept").touch()
    refused(tmp_path / "a")
    assert names(tmp_path) == ["a"]
    assert names(tmp_path / "a") == ["kept"]


def test_a_folder_that_takes_no_files():
    refused(Path("/proc/sys/kernel/a"))


def test_a_text_that_is_no_unicode(tmp_path):
    write_atomic(tmp_path / "a", "old")
    said = refused(tmp_path / "a", "x\ud800")
    assert said.endswith("a: character 2 of its text is half of a surrogate pair")
    with pytest.raises(SemveilError, match="c: character 1 of its text is half of a surrogate"):
        new_folder(tmp_path / "b", {"c": "\udfff"})
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_at_any_call_leaves_the_old_file_and_nothing_else(
    tmp_path, monkeypatch, call, failure
):
    path = tmp_path / "a"
    write_atomic(path, "old")

    def fail(*_, **__):
        raise failure

    if call == "write":
        real = os.fdopen

        def opened(handle, mode):
            file = real(handle, mode)
            return type("Full", (), {
                "__enter__": lambda self: self,
                "__exit__": lambda self, *_: file.close(),
                "write": fail,
            })()  # fmt: skip

        monkeypatch.setattr(os, "fdopen", opened)
    else:
        monkeypatch.setattr(os, call, fail)
    with pytest.raises((SemveilError, KeyboardInterrupt)):
        write_atomic(path, "new")
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_what_a_killed_writer_left_is_found_and_removed(tmp_path):
    others = [".a.txt.bak", "a.part", ".part-time", "b.txt"]
    for name in others:
        (tmp_path / name).touch()
    (tmp_path / "below").mkdir()
    for folder in (tmp_path, tmp_path / "below"):
        if os.fork() == 0:
            os.replace = lambda *_: os.kill(os.getpid(), 9)
            write_atomic(folder / "a", "half-way")
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.wait()[1]) == -9
    assert len(names(tmp_path)) == len(others) + 2
    assert len(names(tmp_path / "below")) == 1
    remove_scraps(tmp_path)
    assert names(tmp_path) == sorted([*others, "below"])
    assert names(tmp_path / "below") == []


def test_a_new_folder_is_made_with_its_parents(tmp_path):
    new_folder(tmp_path / "a" / "b" / "c", {"x": "1", "y/z": b"2"})
    assert content(tmp_path) == {"a/b/c/x": b"1", "a/b/c/y/z": b"2"}


@pytest.mark.parametrize("there", ["folder", "file"])
def test_what_exists_is_no_new_folder(tmp_path, there):
    path = tmp_path / "a"
    path.mkdir() if there == "folder" else path.touch()
    with pytest.raises(SemveilError, match="exists already"):
        new_folder(path, {"x": "1"})


@pytest.mark.parametrize("parent", ["file", "/proc/sys"])
def test_a_folder_that_cannot_be_made_is_refused(tmp_path, parent):
    (tmp_path / "file").touch()
    with pytest.raises(SemveilError, match=r"^cannot make output folder .*: \w"):
        new_folder(tmp_path / parent / "a" / "b", {"x": "1"})
    assert names(tmp_path) == ["file"]
