"""Progress bars with rate and time left, on standard error; results on standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f}/s" if speed else "–/s", style="progress.data.speed")


class Bars:
    """One bar per stage; on anything but a terminal, one line when a stage ends."""

    def __init__(self, progress: Progress | None, console: Console) -> None:
        self.progress, self.console = progress, console
        self.tasks: dict[str, TaskID] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show how far a stage is."""
        if self.progress is None:
            return
        if stage not in self.tasks:
            self.tasks[stage] = self.progress.add_task(stage, total=total)
        task = self.progress.tasks[self.tasks[stage]]
        ended = not task.finished and done >= total
        self.progress.update(task.id, completed=done, total=total)
        if ended and not self.console.is_terminal:
            self.console.print(f"{stage}: done")


@contextmanager
def bars(quiet: bool) -> Iterator[Bars]:
    """Show progress bars within the block."""
    console = Console(stderr=True, markup=False, emoji=False, highlight=False)
    if quiet:
        yield Bars(None, console)
        return
    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        # What is printed while bars are shown goes where it belongs, into a file or pipe too.
        redirect_stdout=sys.stdout.isatty(),
    )
    with progress:
        yield Bars(progress, console)


def show(shown: RenderableType) -> None:
    """Print text or a table, with a question mark for what the terminal's encoding lacks."""
    console = Console(markup=False, emoji=False, highlight=False, width=100)
    with console.capture() as captured:
        console.print(shown, soft_wrap=isinstance(shown, str))
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(captured.get().encode(encoding, "replace").decode(encoding), end="")
