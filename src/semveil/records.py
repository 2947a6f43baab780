"""Records: one measured number each, the only thing that tables, figures and pages are made of."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from semveil.errors import SemveilError
from semveil.files import write_atomic


@dataclass(frozen=True, kw_only=True)
class Record:
    """One measured number; a field that does not apply is ``None``.

    Attributes:
        study: Study or recipe that the number belongs to.
        scheme: Scheme that was measured; a control is named after it, as in
            ``cooperative/noise``.
        dataset: Name of the image set.
        channel: Channel law and CSI, such as ``rayleigh/perfect``.
        train_snr_db: Bob's mean E_s/N_0 in training, dB.
        test_snr_db: Mean E_s/N_0 of the party whose figure this is, in the test, dB.
        latent_dim: Reals in the latent; two of them are one channel use.
        bandwidth_ratio: Channel uses per real number of the source.
        role: Whose figure it is: ``bob``, ``eve``, ``mallory`` or ``system``.
        adversary: Who acted against Bob, or which Eve listened, such as ``inference/mlp``.
        asymmetry: What protects: task, channel, key or knowledge.
        protocol: ``paper``, ``adaptive`` or ``none``.
        psr_db: Perturbation-to-signal ratio, dB.
        target: What is guessed or rebuilt: ``label`` or ``image``.
        metric: Name of the metric, such as ``accuracy``.
        value: The number.
        ci_low: Lower end of its 95 % confidence interval.
        ci_high: Upper end of it.
        n: Test images behind it.
        seed: Seed of the run.
    """

    study: str | None = None
    scheme: str
    dataset: str
    channel: str
    train_snr_db: float | None = None
    test_snr_db: float | None = None
    latent_dim: int | None = None
    bandwidth_ratio: float | None = None
    role: str
    adversary: str | None = None
    asymmetry: str | None = None
    protocol: str = "none"
    psr_db: float | None = None
    target: str | None = None
    metric: str
    value: float
    ci_low: float | None = None
    ci_high: float | None = None
    n: int
    seed: int


_KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "str | None": (str, type(None)),
    "int": (int,),
    "int | None": (int, type(None)),
    "float": (float, int),
    "float | None": (float, int, type(None)),
}
FIELDS = tuple(field.name for field in dataclasses.fields(Record))


def to_line(record: Record) -> str:
    """Return a record as one line of JSON; a number that is not finite becomes null.

    Example:
        >>> line = to_line(Record(scheme="multitask", dataset="digits", channel="awgn/perfect",
        ...     role="bob", metric="accuracy", value=0.5, n=10, seed=0))
        >>> json.loads(line)["metric"]
        'accuracy'
    """
    plain = {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in dataclasses.asdict(record).items()
    }
    return json.dumps(plain)


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write records as ``records.jsonl``, whole or not at all.

    Args:
        path: File to write.
        records: The records, in order.

    Raises:
        SemveilError: If the file cannot be written.
    """
    write_atomic(path, "".join(to_line(record) + "\n" for record in records))


def read_records(path: Path) -> list[Record]:
    """Read a ``records.jsonl`` file.

    Args:
        path: The file.

    Returns:
        Its records, in order; a value that is null in the file is NaN.

    Raises:
        SemveilError: If the file is missing, or a line of it is not a record (with its number).
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SemveilError(f"cannot read records {path}: {error}") from error
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            plain = json.loads(line)
            value = plain.pop("value")
            record = Record(value=math.nan if value is None else value, **plain)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise SemveilError(f"{path}, line {number}: not a record") from None
        for field in dataclasses.fields(Record):
            if not isinstance(getattr(record, field.name), _KINDS[str(field.type)]):
                raise SemveilError(f"{path}, line {number}: {field.name} is of the wrong type")
        records.append(record)
    return records
