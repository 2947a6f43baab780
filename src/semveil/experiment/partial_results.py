"""What a run has measured so far, system by system, so that an interruption loses one at most."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from semveil.errors import SemveilError
from semveil.evaluation.recorder import Findings
from semveil.records import read_records, write_records
from semveil.report.folder import read_samples
from semveil.result import write_samples

_FOLDER = "parts"


class PartialResults:
    """The finished parts of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / _FOLDER

    def _paths(self, name: str) -> tuple[Path, Path]:
        stem = name.replace("/", ".")
        return self.folder / f"{stem}.npz", self.folder / f"{stem}.jsonl"

    def has(self, name: str) -> bool:
        """Tell whether a part is finished."""
        return self._paths(name)[1].exists()

    def get(self, name: str, measure: Callable[[], Findings]) -> Findings:
        """Return a finished part, or measure it and write it down."""
        part = self._read(name)
        if part is None:
            part = measure()
            self._keep(name, part)
        return part

    def _read(self, name: str) -> Findings | None:
        arrays, lines = self._paths(name)
        if not self.has(name):
            return None
        try:
            samples = read_samples(arrays)
        except SemveilError as error:
            raise SemveilError(f"{error}; without {lines} it is measured again") from None
        return Findings(read_records(lines), samples)

    def _keep(self, name: str, part: Findings) -> None:
        arrays, lines = self._paths(name)
        self.folder.mkdir(exist_ok=True)
        write_samples(arrays, part.samples)
        # The records come last: where they are, the part is whole.
        write_records(lines, part.records)

    def remove(self) -> None:
        """Forget all parts, once their sum is written."""
        shutil.rmtree(self.folder, ignore_errors=True)
