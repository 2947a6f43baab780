"""Running the command line in processes of its own, many times, without importing torch as often.

:class:`CommandLine` starts one process that imports everything and does nothing with it. Every
command is a fork of that process: it has its own process id, folder, environment and streams,
runs :func:`semveil.cli.main` with its own ``sys.argv``, can be interrupted and killed, and is
gone afterwards, as a command that a shell started would be.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file

PATIENCE_S = 600.0

# quickstart in a second or two: two links and two layers, each link with a checkpoint every 20
# of its 52 steps, and one Eve of each kind.
SMALL = [
    f"--set={setting}"
    for setting in (
        "data.limit=320",
        "link.latent_dim=8",
        "link.width=4",
        "train.epochs=4",
        "train.batch=16",
        "privacy.pretrain_epochs=1",
        "privacy.polish_epochs=1",
        "perturbation.form=fgm",
        "audit.inference=[linear]",
        "audit.inversion=[linear]",
        "audit.max_epochs=2",
        "audit.rounds=1",
        "audit.pictures=2",
        "audit.bob_snr_db=[10]",
        "audit.eve_snr_db=[10]",
    )
]

# Checkpoints are written when 5 s have passed since the last; training here takes less.
SAVE_ALWAYS = """
import semveil.training.loop as loop
loop._SAVE_EVERY_S = -1
"""

# The page takes longer than all the rest; where it is not the point it is left out.
NO_PAGE = """
from semveil.experiment.run import Run
Run.report = lambda self: self.folder / "report.html"
"""


@dataclass(frozen=True)
class Result:
    """What a command left: its exit status and what it printed."""

    code: int
    out: str
    err: str


class Process:
    """A command that runs."""

    def __init__(self, line: CommandLine, pid: int, streams: Path) -> None:
        self.line, self.pid, self.streams = line, pid, streams
        self.code: int | None = None

    def poll(self) -> int | None:
        """Return its exit status, None while it runs; negative if a signal ended it."""
        if self.code is None:
            self.code = self.line.ask({"poll": self.pid})
        return self.code

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; it must still be running."""
        assert self.poll() is None, f"ended before it could be sent {number.name}"
        os.kill(self.pid, number)

    def wait(self) -> Result:
        """Wait for its end."""
        eventually(lambda: self.poll() is not None, "the command ends")
        assert self.code is not None
        out, err = ((self.streams / name).read_text() for name in ("out", "err"))
        return Result(self.code, out, err)


class CommandLine:
    """The process of which commands are forks.

    Args:
        scratch: Folder for what commands print.
        packages: Folder of further packages that are installed for it.
    """

    def __init__(self, scratch: Path, packages: Path | None = None) -> None:
        self.scratch = scratch
        # One thread each: the processes of a test share the machine with nobody's patience.
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        environment.pop("SEMVEIL_DATA", None)
        if packages is not None:
            paths = [str(packages), os.environ.get("PYTHONPATH", "")]
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        self.origin = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def ask(self, question: dict[str, Any]) -> Any:
        assert self.origin.stdin
        assert self.origin.stdout
        self.origin.stdin.write(json.dumps(question) + "\n")
        self.origin.stdin.flush()
        return json.loads(self.origin.stdout.readline())

    def start(
        self,
        *words: str | Path,
        folder: Path | None = None,
        environment: dict[str, str] | None = None,
        before: str = "",
        instead: str = "",
    ) -> Process:
        """Start a command.

        Args:
            words: What follows ``semveil``.
            folder: Where it runs; a scratch folder if omitted.
            environment: Variables to add.
            before: Python to run in its process before it begins.
            instead: Python to run rather than a command.
        """
        streams = Path(tempfile.mkdtemp(dir=self.scratch))
        pid = self.ask(
            {
                "argv": ["semveil", *map(str, words)],
                "folder": str(folder or self.scratch),
                "environment": environment or {},
                "before": before,
                "instead": instead,
                "streams": str(streams),
            }
        )
        return Process(self, pid, streams)

    def __call__(self, *words: str | Path, **how: Any) -> Result:
        """Run a command to its end; arguments as for :meth:`start`."""
        return self.start(*words, **how).wait()

    def close(self) -> None:
        assert self.origin.stdin
        self.origin.stdin.close()
        self.origin.wait(PATIENCE_S)


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Wait until something is the case."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"not in {PATIENCE_S:g} s: {what}"
        time.sleep(0.002)


def refusal(result: Result) -> str:
    """Return the one line with which a command refused, having checked that it is just that."""
    assert result.code == 2, result
    assert result.out == ""
    assert result.err.endswith("\n")
    assert result.err.count("\n") == 1, result.err
    assert result.err.startswith("semveil: ")
    return result.err.removeprefix("semveil: ").strip()


def succeed(result: Result) -> Result:
    """Return a result, having checked that it is a success."""
    assert result.code == 0, result
    return result


def settings(*changes: str) -> list[str]:
    """Return :data:`SMALL` with some settings changed."""
    return [*SMALL, *(f"--set={change}" for change in changes)]


def content(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, hidden ones too."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def same_weights(one: Path, other: Path) -> None:
    """Check that two runs ended at the same weights to the last bit."""
    first, second = (load_file(run / "model.safetensors") for run in (one, other))
    assert list(first) == list(second)
    for name in first:
        assert first[name].tobytes() == second[name].tobytes(), name


def same_results(one: Path, other: Path) -> None:
    """Check that two runs left the same bytes, but for the time that they took."""
    first, second = content(one), content(other)
    timed = {"run.json", "report.html"}
    assert first.keys() - timed == second.keys() - timed
    for name in first.keys() - timed:
        assert first[name] == second[name], name


def rows(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a file with one a line."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def scraps(folder: Path) -> list[str]:
    """Return what no finished run leaves behind: checkpoints, parts, temporary files."""
    return [
        name
        for name in map(str, (path.relative_to(folder) for path in folder.rglob("*")))
        if "checkpoint" in name or "parts" in name or Path(name).name.startswith(".")
    ]


def _fork(question: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        for stream, name in ((1, "out"), (2, "err")):
            target = os.open(
                Path(question["streams"]) / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND
            )
            os.dup2(target, stream)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(question["folder"])
        os.environ |= question["environment"]
        sys.argv = question["argv"]
        signal.signal(signal.SIGINT, signal.default_int_handler)
        exec(question["before"], {})
        if question["instead"]:
            exec(question["instead"], {})
        else:
            from semveil.cli import main

            main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _serve(questions: Iterable[str]) -> None:
    """Import what commands import, then fork for everyone who asks."""
    for name in (
        "sklearn.datasets",
        "torch._dynamo",
        "semveil.cli",
        "semveil.report.page",
        "semveil.papers.execute",
        "semveil.experiment.run",
    ):
        import_module(name)
    from semveil.papers import PAPERS
    from semveil.schemes import SCHEMES

    SCHEMES.load()
    PAPERS.load()
    # Nobody but the tests may interrupt; the origin ends when its input does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "w")
    for line in questions:
        question = json.loads(line)
        answer: int | None
        if "poll" in question:
            ended, status = os.waitpid(question["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if ended else None
        else:
            answer = _fork(question)
        print(json.dumps(answer), file=answers, flush=True)
    os._exit(0)


if __name__ == "__main__":
    _serve(sys.stdin)
