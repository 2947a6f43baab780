"""Records: one measured number each, the only thing that tables, figures and pages are made of."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from semveil.errors import SemveilError
from semveil.files import write_atomic
from semveil.reading import parse_json, read_regular

Params = Mapping[str, Any]
# Marks of the names that records had before variant, control, training and params were fields.
_MARKS = "(/+"
# Mark of the metrics that records had before image_class was a field.
_OF_A_CLASS = "_class_"
# How JSON in ASCII begins both halves of a surrogate pair, and some other characters.
_HALF = "\\ud"
_MOST = (1 << 63) - 1


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % confidence interval and the sample size behind it.

    Attributes:
        value: The value, in its metric's unit.
        low: Lower end of the interval.
        high: Upper end of it.
        n: How many samples it was estimated from.
    """

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class SystemName:
    """Which system was measured.

    Attributes:
        scheme: Name of a registered scheme, or of a system from elsewhere.
        variant: Another way to send or receive over the same link, such as ``latent``.
        control: What replaces the scheme's own layer, such as ``noise``.
        training: Method of its adversarial training, such as ``semmixed``.
        params: What else tells it apart: names with numbers, words, truth values or lists of them.
            ``protections`` lists the protections added to the scheme.

    Raises:
        SemveilError: If a name holds one of ``( / +``, which labels use, or a parameter is neither
            a plain value nor a list of them.

    Example:
        >>> SystemName("mobilesc", variant="latent", training="semmixed").label
        'mobilesc (latent, semmixed)'
        >>> SystemName("ibal", params={"protections": ["rotation"], "epsilon": 0.1}).label
        'ibal+rotation (epsilon = 0.1)'
        >>> SystemName("cooperative", control="noise").title
        'cooperative, control: noise'
    """

    scheme: str
    variant: str | None = None
    control: str | None = None
    training: str | None = None
    params: Params = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if any(mark in self.scheme for mark in _MARKS):
            raise SemveilError(
                f"scheme {self.scheme!r}: a scheme's name holds none of {' '.join(_MARKS)}; say "
                "what else tells the system apart in variant, control, training or params"
            )
        for key, value in self.params.items():
            if not all(map(_is_plain, value if isinstance(value, list | tuple) else [value])):
                raise SemveilError(
                    f"params.{key}: {value!r} is neither a finite number, a word, true or false, "
                    "nor a list of them"
                )

    @property
    def protections(self) -> tuple[str, ...]:
        """The protections added to the scheme, in order."""
        return tuple(self.params.get("protections", ()))

    @property
    def label(self) -> str:
        """Its name on the command line and among samples, which nothing takes apart."""
        name = "+".join([self.scheme, *self.protections])
        return self._with_notes(f"{name}/{self.control}" if self.control else name)

    @property
    def title(self) -> str:
        """Its name in the tables and legends of reports: in words."""
        added = " and ".join(
            filter(None, [", ".join(self.protections[:-1]), *self.protections[-1:]])
        )
        name = f"{self.scheme} with {added}" if added else self.scheme
        return self._with_notes(f"{name}, control: {self.control}" if self.control else name)

    def _with_notes(self, name: str) -> str:
        others = (_shown(key, each) for key, each in self.params.items() if key != "protections")
        notes = ", ".join(filter(None, [self.variant, *others, self.training]))
        return f"{name} ({notes})" if notes else name


def _is_plain(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, str | int)


def _shown(key: str, value: Any) -> str:
    if value is True:
        return key
    if isinstance(value, list | tuple):
        return f"{key} = {' '.join(map(str, value))}"
    return f"{key} = {value:g}" if isinstance(value, float) else f"{key} = {value}"


Asked = str | SystemName
"""What a run is asked for: a scheme by its name, or with the protections added to it."""


def asked_for(scheme: str, *protections: str) -> SystemName:
    """Return what a run is asked for: a scheme and its added protections."""
    return SystemName(scheme, params={"protections": list(protections)} if protections else {})


def named(asked: Asked) -> SystemName:
    """Return the name of what a run is asked for."""
    return SystemName(asked) if isinstance(asked, str) else asked


def to_plain(asked: Asked) -> str | dict[str, Any]:
    """Return what a run is asked for as ``run.json`` holds it; :func:`from_plain` reads it."""
    name = named(asked)
    if not name.protections:
        return name.scheme
    return {"scheme": name.scheme, "protections": list(name.protections)}


def from_plain(plain: object) -> SystemName:
    """Return what :func:`to_plain` wrote."""
    if isinstance(plain, str):
        return asked_for(plain)
    if isinstance(plain, dict) and plain.keys() == {"scheme", "protections"}:
        scheme, added = plain["scheme"], plain["protections"]
        if isinstance(added, list) and all(isinstance(name, str) for name in [scheme, *added]):
            return asked_for(scheme, *added)
    raise SemveilError(f"{plain!r} is neither a scheme nor a scheme with protections")


@dataclass(frozen=True, kw_only=True)
class Record:
    """One measured number; a field that does not apply is ``None``.

    Attributes:
        study: Study or recipe that the number belongs to.
        scheme: Name of the scheme that was measured.
        variant: Another way to send or receive over the same link, such as ``latent``.
        control: What replaces the scheme's own layer, such as ``noise``.
        training: Method of its adversarial training, such as ``semmixed``.
        params: What else tells the system apart, such as ``{"epsilon": 0.1}``; never empty.
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
        target: What is inferred or reconstructed: ``label`` or ``image``.
        metric: Name of the metric, such as ``accuracy``.
        image_class: Class of the images that were measured; None for those of all classes.
        value: The number.
        ci_low: Lower end of its 95 % confidence interval.
        ci_high: Upper end of it.
        n: Test images behind it.
        seed: Seed of the run.
    """

    study: str | None = None
    scheme: str
    variant: str | None = None
    control: str | None = None
    training: str | None = None
    params: Params | None = field(default=None, hash=False)
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
    image_class: int | None = None
    value: float
    ci_low: float | None = None
    ci_high: float | None = None
    n: int
    seed: int

    @classmethod
    def of(
        cls,
        system: SystemName,
        estimate: Estimate,
        *,
        role: str,
        metric: str,
        interval: bool = True,
        **fields: Any,
    ) -> Record:
        """Return the record of one estimate.

        Args:
            system: Which system was measured.
            estimate: The value, its interval, its sample size.
            role: Whose figure it is.
            metric: What was measured.
            interval: Whether the interval is recorded.
            **fields: Further fields of :class:`Record`, by name.

        Example:
            >>> Record.of(SystemName("dp", params={"epsilon": 0.1}), Estimate(0.5, 0.4, 0.6, 90),
            ...     role="bob", metric="accuracy", dataset="digits", channel="awgn/perfect",
            ...     seed=0).params
            {'epsilon': 0.1}
        """
        return cls(
            scheme=system.scheme,
            variant=system.variant,
            control=system.control,
            training=system.training,
            params=dict(system.params) or None,
            role=role,
            metric=metric,
            value=float(estimate.value),
            ci_low=estimate.low if interval else None,
            ci_high=estimate.high if interval else None,
            n=estimate.n,
            **fields,
        )

    @property
    def system(self) -> SystemName:
        """Which system was measured."""
        return SystemName(
            self.scheme, self.variant, self.control, self.training, dict(self.params or {})
        )

    def with_params(self, params: Params) -> Record:
        """Return the same record with further parameters behind its own."""
        return dataclasses.replace(self, params={**(self.params or {}), **params} or None)


_KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "str | None": (str, type(None)),
    "int": (int,),
    "int | None": (int, type(None)),
    "float": (float, int),
    "float | None": (float, int, type(None)),
    "Params | None": (dict, type(None)),
}
FIELDS = tuple(field.name for field in dataclasses.fields(Record))


def to_line(record: Record) -> str:
    """Return a record as one line of JSON; a number that is not finite becomes null.

    Raises:
        SemveilError: If a text holds half a surrogate pair.
    """
    plain = {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in dataclasses.asdict(record).items()
    }
    line = json.dumps(plain)
    if _HALF in line:
        _refuse_halves(plain)
    return line


def _refuse_halves(plain: Mapping[str, Any]) -> None:
    """Refuse half a surrogate pair, which is no text that UTF-8 can hold."""
    for key, value in plain.items():
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise SemveilError(
                f"{key}: character {error.object[error.start]!r} is half of a surrogate pair, "
                "which no file can hold; remove it"
            ) from None


def short_line(record: Record) -> str:
    """Return a record without fields that do not apply, but for those that mark the format."""
    kept = {key: each for key, each in json.loads(to_line(record)).items() if each is not None}
    return json.dumps({"variant": None, "value": None} | kept)


def write_records(path: Path, records: Iterable[Record], *, short: bool = False) -> None:
    """Write records as ``records.jsonl``, whole or not at all; ``short`` as :func:`short_line`.

    Raises:
        SemveilError: If a text holds half a surrogate pair, or the file cannot be written.
    """
    line = short_line if short else to_line
    write_atomic(path, "".join(line(record) + "\n" for record in records))


def read_records(path: Path) -> list[Record]:
    """Read a ``records.jsonl`` file; a value that is null in the file is NaN."""
    try:
        lines = read_regular(path).decode().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SemveilError(f"cannot read records {path}: {error}") from error
    return [_read(line, path, number) for number, line in enumerate(lines, start=1)]


def _writer(path: Path) -> str:
    """Return the version that wrote records, as the ``run.json`` beside them states it."""
    try:
        return str(json.loads(read_regular(path.with_name("run.json")))["version"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return "of an earlier version"


def _read(line: str, path: Path, number: int) -> Record:
    place = f"{path}, line {number}"
    try:
        plain = parse_json(line.encode())
        value, scheme = plain.pop("value"), str(plain["scheme"])
        if _HALF in line.lower():
            _refuse_halves(plain)
    except (SemveilError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise SemveilError(f"{place}: not a record") from None
    missing = ""
    if "variant" not in plain or any(mark in scheme for mark in _MARKS):
        missing = "variant, control, training and params"
    elif "image_class" not in plain and _OF_A_CLASS in str(plain.get("metric")):
        missing = "image_class"
    if missing:
        raise SemveilError(
            f"{place}: written by semveil {_writer(path)}, whose records have no {missing}; run "
            "the same recipe and seed again, which gives the same numbers"
        )
    try:
        record = Record(value=math.nan if value is None else value, **plain)
    except TypeError:
        raise SemveilError(f"{place}: not a record") from None
    for each in dataclasses.fields(Record):
        found = getattr(record, each.name)
        if not isinstance(found, _KINDS[str(each.type)]) or isinstance(found, bool):
            raise SemveilError(f"{place}: {each.name} is of the wrong type")
        # Null alone means that there is no number, and a table of numbers holds no larger integer.
        if (isinstance(found, int) and abs(found) > _MOST) or found in (math.inf, -math.inf):
            raise SemveilError(f"{place}: {each.name} is out of range")
    try:
        _ = record.system
    except SemveilError as error:
        raise SemveilError(f"{place}: {error}") from None
    return record
