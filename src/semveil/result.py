"""What an evaluation found: records, and arrays for pictures. Knows no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semveil.errors import SemveilError, unknown
from semveil.files import write_atomic
from semveil.records import Record, write_records

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure

    from semveil.report.comparison import Comparison
    from semveil.report.folder import RunFolder

# Names of files that no folder is meant by; a folder may well be called run-0.5.
OTHER_FILES = {".csv", ".html", ".json", ".npz", ".parquet", ".pdf", ".tsv", ".txt", ".xlsx"}
Samples = dict[str, "np.ndarray[Any, Any]"]
# The axes of plots, each also by the name of its column in the data frame.
AXES = {
    "psr_db": "psr_db",
    "snr_db": "snr_db",
    "test_snr_db": "snr_db",
    "latent_dim": "latent_dim",
}


@dataclass
class Result:
    """What an evaluation, an audit or an attack found.

    Attributes:
        records: One per measured number.
        samples: Arrays for pictures by key: ``originals``, ``bob/<system>`` and ``eve/<system>``
            uint8 ``[N, C, H, W]``, ``labels`` int ``[N]``, ``waveform/<system>`` complex64 ``[M]``.
        folder: Where a command left them, beside its report; None if they lie nowhere yet.
        classes: Names of the classes by number, for the page; none if they are not known.

    Example:
        >>> eve = Record(scheme="mine", dataset="digits", channel="awgn/perfect", role="eve",
        ...     adversary="inference/mlp", protocol="adaptive", test_snr_db=10.0,
        ...     target="label", metric="accuracy", value=0.5, n=10, seed=0)
        >>> found = Result([eve])
        >>> found.strongest("accuracy", 10).adversary
        'inference/mlp'
        >>> found.to_pandas()["value"].tolist()
        [0.5]
    """

    records: list[Record] = field(default_factory=list)
    samples: Samples = field(default_factory=dict)
    folder: Path | None = None
    classes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        systems = list(dict.fromkeys(record.system.label for record in self.records))
        shown = ", ".join(systems[:3]) + (" …" if len(systems) > 3 else "")
        of = f" of {shown}" if shown else ""
        place = "" if self.folder is None else f" in {self.folder}"
        return f"<Result: {len(self.records)} records{of}{place}>"

    def to_pandas(self, *, by_class: bool = False) -> pd.DataFrame:
        """Return the records as a data frame: one row each, one column per field.

        Args:
            by_class: Also those of the images of one class each, which ``image_class`` names.
        """
        from semveil.report.select import frame, where

        table = frame(self.records)
        return table if by_class else where(table).reset_index(drop=True)

    def _repr_html_(self) -> str:
        from html import escape

        table = self.to_pandas().dropna(axis="columns", how="all")
        return f"<p>{escape(repr(self))}</p>{table.to_html(max_rows=20, notebook=True)}"

    def strongest(self, metric: str, snr_db: float) -> Record:
        """Return the record of the eavesdropper who got the most.

        Args:
            metric: Name of a metric, such as ``accuracy``, ``psnr_db`` or ``ssim``.
            snr_db: Her SNR, dB; one of those that she was tested at.

        Raises:
            SemveilError: If no eavesdropper has the metric, or none at this SNR; the message
                names what was measured.
        """
        from semveil.metrics import metric_of

        try:
            level = float(snr_db)
        except (TypeError, ValueError):
            raise SemveilError(f"snr_db: expected a number in dB, not {snr_db!r}") from None

        eves = [r for r in self.records if r.role == "eve" and r.image_class is None]
        measured = [record for record in eves if record.metric == metric]
        if not measured:
            raise unknown("metric of an eavesdropper", metric, {record.metric for record in eves})
        found = [record for record in measured if record.test_snr_db == level]
        if not found:
            levels = {r.test_snr_db for r in measured if r.test_snr_db is not None}
            raise SemveilError(
                f"no eavesdropper was tested at {level:g} dB; {metric} was measured at "
                f"{', '.join(f'{each:g}' for each in sorted(levels))} dB"
            )
        sign = 1 if metric_of(metric).higher_is_better else -1
        return max(found, key=lambda record: sign * record.value)

    def plot(self, metric: str = "accuracy", x: str = "psr_db") -> Figure:
        """Draw a metric with its 95 % intervals, and its floor, such as chance.

        Args:
            metric: Name of a metric that was measured.
            x: ``psr_db`` (Bob, one line per attack), ``snr_db`` or ``test_snr_db`` (Bob and the
                strongest eavesdroppers) or ``latent_dim``.

        Returns:
            The figure; ``figure.savefig("figure.png")`` writes it.

        Raises:
            SemveilError: If the axis or the metric is unknown, or nothing was measured along it.
        """
        from semveil.report.attack_rows import attack_rows, merged, panels_of
        from semveil.report.figures import against_dimension, against_snr, parties
        from semveil.report.figures.attacks import against_psr

        if x not in AXES:
            raise unknown("axis", x, AXES)
        table = self.to_pandas(by_class=True)
        if metric not in set(table["metric"]):
            raise unknown("metric", metric, set(table["metric"]))
        axis = AXES[x]
        if axis == "psr_db":
            rows = [row for row in attack_rows(merged(table)) if not row.rows.empty]
            if not rows:
                raise SemveilError("nothing was measured against the PSR: evaluate with attacks")
            if not any((row.budgets and (row.table["metric"] == metric).any()) for row in rows):
                raise SemveilError(f"{metric} was not measured against the PSR")
            return against_psr(panels_of(rows), metric)
        column = "test_snr_db" if axis == "snr_db" else axis
        if parties(table, metric)[column].isna().all():
            raise SemveilError(f"{metric} of Bob and of eavesdroppers was not measured against {x}")
        return (against_snr if axis == "snr_db" else against_dimension)(table, metric)

    def report(self, path: str | Path) -> Path:
        """Write an HTML page that needs nothing but itself, and return its path.

        Raises:
            SemveilError: If there are no records, the name does not end in ``.html``, or the page
                cannot be written.
        """
        from semveil.report.page import require_html, write_page

        require_html(path)
        write_page(Path(path), [self._as_run()])
        return Path(path)

    def compare(
        self,
        *others: Result | str | Path,
        snr_db: float | None = None,
        bandwidth_ratio: float | None = None,
    ) -> Comparison:
        """Put the systems beside those of other results or folders, on equal terms.

        All are shown at one SNR and on the same axes. What is not equal, such as the SNR of
        training, the data, the bandwidth ratio or the seeds, stands beneath each name and in
        the attribute ``about``. Results that differ in nothing but the seed are one row.

        Args:
            others: Results, or folders of runs.
            snr_db: SNR of Bob and Eve, dB; by default that at which this result compares them.
            bandwidth_ratio: Channel uses over the numbers of an image, by default this result's;
                of each system the nearest counts.

        Returns:
            The comparison: ``print`` shows its table, ``to_pandas()`` returns it, ``plot()``,
            ``plot_accuracies()`` and ``plot_images()`` draw it, ``report("page.html")`` writes a
            page.

        Raises:
            SemveilError: If nothing was measured at this SNR, this result has several bandwidth
                ratios and none is named, or a folder has no records.

        Example:
            >>> mine, theirs = (
            ...     Result([Record(scheme=scheme, dataset="digits", channel="awgn/perfect",
            ...         role="eve", adversary="inference/mlp", protocol="adaptive", n=10, seed=0,
            ...         test_snr_db=10.0, target="label", metric="accuracy", value=value)])
            ...     for scheme, value in (("mine", 0.5), ("deepjscc", 0.9))
            ... )
            >>> found = mine.compare(theirs, snr_db=10)
            >>> found.to_pandas()[["system", "eve_accuracy"]].values.tolist()
            [['mine', 0.5], ['deepjscc', 0.9]]
        """
        from semveil.report.comparison import compare
        from semveil.report.folder import read_run

        runs = [self._as_run()]
        for other in others:
            runs.append(other._as_run() if isinstance(other, Result) else read_run(Path(other)))
        return compare(runs, snr_db, bandwidth_ratio)

    def _as_run(self) -> RunFolder:
        """Return what a folder would hold, named after it or after what was measured."""
        from semveil.report.folder import RunFolder

        if not self.records:
            raise SemveilError("nothing to compare or report: there are no records")
        names = dict.fromkeys(record.study or record.scheme for record in self.records)
        name = ", ".join(names) if self.folder is None else self.folder.name
        about = {"images": {"classes": list(self.classes)}}
        return RunFolder(name, self.records, about, self.samples)

    def write(self, folder: str | Path) -> Path:
        """Write ``records.jsonl`` and ``samples.npz``, as ``semveil report FOLDER`` reads them.

        Args:
            folder: Folder, made if it is missing; or a file ``….jsonl`` for the records alone.

        Returns:
            The file with the records.

        Raises:
            SemveilError: If the name is that of another kind of file, or it cannot be written.
        """
        path = Path(folder)
        if path.suffix.lower() in OTHER_FILES:
            raise SemveilError(
                f"{path}: name a folder, or a file ….jsonl; to_pandas() writes other formats"
            )
        if path.suffix != ".jsonl":
            path /= "records.jsonl"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SemveilError(f"cannot make {path.parent}: {error.strerror or error}") from None
        if path.parent == Path(folder) and self.samples:
            write_samples(path.with_name("samples.npz"), self.samples)
        write_records(path, self.records)
        return path


def read_result(folder: Path) -> Result:
    """Read the records and samples of a folder."""
    from semveil.report.folder import read_run

    found = read_run(folder)
    return Result(found.records, found.samples, folder)


def write_samples(path: Path, samples: Samples) -> None:
    """Write arrays as ``.npz``, whole or not at all."""
    import numpy as np

    content = BytesIO()
    np.savez_compressed(content, **samples)  # type: ignore[arg-type]
    write_atomic(path, content.getvalue())
