"""Folders that are made whole or not at all, and locks that end with their process."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import pytest

from commands import content, eventually
from semveil.errors import SemveilError
from semveil.files import hold, new_folder, temporary_folder, write_atomic

FILES = {"run.json": "{}\n", "model": b"\0" * 100_000, "eves/a": "x"}
# Everything that makes, writes, renames or removes something.
EVENTS = ("open", "os.mkdir", "os.rename", "os.remove", "fcntl.flock")


def child(work) -> int:
    """Do something in a process of its own; return its id."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(1)
    return pid


def die_at(call: int, work) -> int:
    """Do something in a process that kills itself at some call; return how it ended."""

    def killed() -> None:
        calls = []

        def on_event(name: str, _: object) -> None:
            if name in EVENTS:
                calls.append(name)
                if len(calls) == call:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(on_event)
        work()
        os._exit(0)

    return os.waitstatus_to_exitcode(os.waitpid(child(killed), 0)[1])


def test_a_maker_that_is_killed_at_any_call_leaves_nothing_or_all(tmp_path):
    ended, made = [], 0
    for call in range(1, 60):
        place = tmp_path / str(call)
        place.mkdir()
        path = place / "we[red]ird"
        ended.append(die_at(call, lambda path=path: new_folder(path, FILES)))
        if path.exists():
            made += 1
            with hold(path):
                pass
        else:
            new_folder(path, FILES)
        assert {name: path.joinpath(name).read_bytes() for name in content(path)} == {
            name: text.encode() if isinstance(text, str) else text for name, text in FILES.items()
        }
        # All but the first moments of the other folder can be seen to be over.
        left = [name for name in content(place) if not name.startswith(path.name)]
        assert all(name.endswith(".lock.part") for name in left), left
        if ended[-1] == 0:
            break
    assert ended[-1] == 0
    assert ended[:-1] == [-signal.SIGKILL] * (len(ended) - 1)
    assert made >= 2


def test_of_two_makers_of_one_folder_one_is_refused(tmp_path):
    """Also when the other comes to it in the very last moment."""
    path = tmp_path / "run"
    real = os.rename

    def late(source, target):
        if Path(target) == path and not path.exists():
            os.rename = real
            new_folder(path, {"run.json": "theirs"})
        real(source, target)

    os.rename = late
    try:
        with pytest.raises(SemveilError, match="exists already"):
            new_folder(path, {"run.json": "mine"})
    finally:
        os.rename = real
    assert content(tmp_path) == {"run/run.json": b"theirs"}


def test_who_holds_a_folder_is_said_and_a_kill_ends_it(tmp_path):
    def keep() -> None:
        with hold(tmp_path):
            (tmp_path / "held").touch()
            time.sleep(600)

    other = child(keep)
    eventually((tmp_path / "held").exists, "it is held")
    (tmp_path / ".a.1.part").touch()
    with pytest.raises(SemveilError) as refused, hold(tmp_path):
        pass
    year = time.strftime("%Y-")
    start = f"{tmp_path} is in use by process {other} on {os.uname().nodename} since {year}"
    assert str(refused.value).startswith(start)
    assert "\n" not in str(refused.value)
    assert (tmp_path / ".a.1.part").exists()

    (tmp_path / "held").unlink()
    os.kill(other, signal.SIGKILL)
    with hold(tmp_path):
        assert not (tmp_path / ".a.1.part").exists()
    os.waitpid(other, 0)
    assert content(tmp_path) == {}


def test_who_holds_a_study_leaves_a_job_alone_that_another_holds(tmp_path):
    job, free = tmp_path / "jobs" / "a", tmp_path / "jobs" / "b"
    for folder in (job, free):
        folder.mkdir(parents=True)
        (folder / ".x.1.part").touch()
        (folder / ".lock").write_text("process 1 on elsewhere")

    def keep() -> None:
        with hold(job):
            (job / ".y.2.part").touch()
            time.sleep(600)

    other = child(keep)
    eventually((job / ".y.2.part").exists, "it is held")
    with hold(tmp_path):
        assert sorted(content(tmp_path)) == [".lock", "jobs/a/.lock", "jobs/a/.y.2.part"]
    os.kill(other, signal.SIGKILL)
    os.waitpid(other, 0)


def test_many_who_want_one_folder_have_it_one_after_the_other(tmp_path):
    def add() -> None:
        for _ in range(20):
            while True:
                try:
                    with hold(tmp_path):
                        path = tmp_path / "count"
                        count = int(path.read_text()) if path.exists() else 0
                        time.sleep(0.001)
                        write_atomic(path, str(count + 1))
                    break
                except SemveilError:
                    continue
        os._exit(0)

    for pid in [child(add) for _ in range(4)]:
        assert os.waitpid(pid, 0)[1] == 0
    assert content(tmp_path) == {"count": b"80"}


def test_temporary_folders_of_killed_processes_are_swept(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    home = tmp_path / "home"
    home.mkdir()
    (home / ".lock").touch()
    # Not ours to remove: a link, and a folder without a mark.
    (tmp_path / "semveil-link").symlink_to(home)
    (tmp_path / "semveil-mine").mkdir()

    def work() -> None:
        with temporary_folder() as folder:
            (folder / "images").write_bytes(bytes(1000))
            time.sleep(600)

    killed, living = child(work), child(work)
    eventually(lambda: len(list(tmp_path.glob("*/images"))) == 2, "both have written")
    os.kill(killed, signal.SIGKILL)
    os.waitpid(killed, 0)
    with temporary_folder() as folder:
        # Behind the link, ours, and the living one's.
        assert len(list(tmp_path.glob("semveil-*/.lock"))) == 3
        assert len(list(tmp_path.glob("*/images"))) == 1
    assert not folder.exists()
    assert (home / ".lock").exists()
    assert (tmp_path / "semveil-mine").exists()
    os.kill(living, signal.SIGKILL)
    os.waitpid(living, 0)
