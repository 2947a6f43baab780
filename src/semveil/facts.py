"""What ``run.json`` and the headers of weights state, checked when they are read back.

Knows no torch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from semveil.errors import SemveilError, shown
from semveil.reading import parse_json, read_regular

F = TypeVar("F", bound="Facts")

Seed = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]
# Values of an image: five times those of the largest that a recipe asks for.
_MOST_VALUES = 1 << 22


def _moderate(shape: list[int]) -> list[int]:
    if math.prod(shape) > _MOST_VALUES:
        raise ValueError(f"an image of more than {_MOST_VALUES} values")
    return shape


Side = Annotated[int, Field(gt=0)]
Shape = Annotated[list[Side], Field(min_length=3, max_length=3), AfterValidator(_moderate)]
Classes = Annotated[list[str], Field(max_length=1 << 16)]
# No file of ours nests deeper than a recipe does; what writes JSON could not write much more.
_DEPTH = 40
_MOST_BYTES = 1 << 26


class Facts(BaseModel):
    """Keys with values of exactly their types; further keys are allowed."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


class ExactFacts(Facts):
    """Keys with values of exactly their types, and no others."""

    model_config = ConfigDict(extra="forbid")


class ImageFacts(Facts):
    """The images of a run: channels, height, width, and the names of (private) classes."""

    shape: Shape
    classes: Classes
    private_classes: Annotated[Classes, Field(min_length=1)] | None = None


class AttackNames(Facts):
    """The attacks of a recipe, as far as a report needs them."""

    names: list[str] = []


class RecipeFacts(Facts):
    """A recipe, as far as a report needs it."""

    attack: AttackNames = AttackNames()


class About(Facts):
    """What a report reads of any ``run.json``; every key may be missing."""

    study: str | None = None
    budget: str | None = None
    seed: Seed | None = None
    wall_s: Seconds | None = None
    version: str | None = None
    versions: dict[str, str] = {}
    hardware: dict[str, str | int | float | None] = {}
    styles: dict[str, dict[str, Annotated[list[str | int], Field(min_length=3, max_length=3)]]] = {}
    traits: dict[str, dict[str, list[str]]] = {}
    recipe: RecipeFacts = RecipeFacts()
    packages: dict[str, str] = {}
    attacked: str | None = None
    finished: bool = True


class ZooFacts(Facts):
    """An entry of the zoo: its name, and the digest of its configuration and files."""

    name: str
    digest: str


class RunFacts(About):
    """The ``run.json`` of a run; ``entry`` is the one that its links are from, if any."""

    study: str
    schemes: list[str | dict[str, Any]]
    seed: Seed
    recipe: RecipeFacts
    wall_s: Seconds
    finished: bool
    train_cpu_s: Seconds = 0.0
    simulated_eve: bool = True
    images: ImageFacts | None = None
    entry: ZooFacts | None = None


class AttackFacts(About):
    """The ``run.json`` of attacks on a run."""

    study: str
    attacked: str
    images: ImageFacts | None = None
    schemes: Annotated[list[str], Field(min_length=1)]
    seed: Seed
    recipe: RecipeFacts
    wall_s: Seconds
    finished: bool


class JobFacts(RunFacts):
    """The ``run.json`` of a job of a study."""

    version: str
    hardware: dict[str, str | int | float | None]


class CodeFacts(Facts):
    """The commit of the code, None where git cannot tell it, and whether files differ from it."""

    commit: str | None = None
    dirty: bool = False


class CodeStates(Facts):
    """Every state of the code that did a part of something."""

    code: list[CodeFacts] = []


class LinkFacts(CodeStates):
    """Where trained links came from: the code that trained them, or an entry of the zoo."""

    entry: ZooFacts | None = None


class SpentFacts(CodeStates):
    """The time that a job took, the processor's too, the code that did it, what it recorded."""

    wall_s: Seconds = 0.0
    cpu_s: Seconds = 0.0
    records: str | None = None


class StudyFacts(About):
    """The ``run.json`` of a study, with what its jobs took once it is finished."""

    study: str
    budget: str
    seed: Seed
    jobs: dict[str, SpentFacts] = {}


class WeightFacts(Facts):
    """What is stated beside the weights of a run."""

    recipe: dict[str, Any]
    seed: Seed


class CheckpointFacts(Facts):
    """What is stated beside the weights of a stage that is being trained."""

    stage: str
    identity: str
    step: Annotated[int, Field(ge=0)]
    history: list[dict[str, int | float]]


class EavesdropperFacts(Facts):
    """What is stated beside the weights of an eavesdropper."""

    name: str
    config: dict[str, Any]
    classes: Annotated[list[str], Field(min_length=1)]
    learned: dict[str, Any] = {}


def read_facts(path: Path, kind: type[Facts], missing: str) -> dict[str, Any]:
    """Read a file of facts.

    Args:
        path: The file.
        kind: What it must state.
        missing: The error if there is no such file.

    Raises:
        SemveilError: If it is missing, cannot be read, or states something else, or if it was made
            with a package that is not installed.
    """
    try:
        plain = parse_json(read_regular(path, _MOST_BYTES))
    except (FileNotFoundError, NotADirectoryError):
        raise SemveilError(missing) from None
    except OSError as error:
        raise SemveilError(f"cannot read {path}: {error.strerror or error}") from None
    except SemveilError as error:
        raise SemveilError(f"{path} is damaged: {error}") from None
    except (ValueError, RecursionError):
        raise SemveilError(f"{path} is damaged: not JSON in UTF-8") from None
    facts = check_facts(plain, kind, path)
    if isinstance(facts, About):
        refuse_missing(facts.packages, path)
    found: dict[str, Any] = plain
    return found


class MissingPackageError(SemveilError):
    """A package is not installed with which something was made."""


def refuse_missing(packages: dict[str, str], path: Path) -> None:
    """Refuse what was made with packages that are not installed."""
    for name, version in packages.items():
        try:
            distribution(name)
        except (PackageNotFoundError, ValueError):
            raise MissingPackageError(
                f"{path}: made with the package {shown(name)} {shown(version)}, which is not "
                f"installed; install it, as in: pip install {shown(name)}"
            ) from None


def check_facts(plain: object, kind: type[F], where: Path) -> F:
    """Return facts as they were stated in a file.

    Raises:
        SemveilError: If they do not state what they must.

    Example:
        >>> check_facts({"study": "case", "budget": "cpu", "seed": "0"}, StudyFacts, Path("a.json"))
        Traceback (most recent call last):
        ...
        semveil.errors.SemveilError: a.json is damaged: seed: Input should be a valid integer
    """
    try:
        _refuse_depth(plain)
        # A half of a surrogate pair could not be written again.
        json.dumps(plain, ensure_ascii=False).encode()
        return kind.model_validate(plain)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = shown(".".join(map(str, first["loc"])), most=80)
        reason = f"{key}: {first['msg']}" if key else "not an object"
    except UnicodeEncodeError:
        reason = "a text that is no Unicode"
    except ValueError as error:
        reason = str(error)
    raise SemveilError(f"{where} is damaged: {reason}")


def _refuse_depth(plain: object) -> None:
    level: Sequence[object] = [plain]
    for _ in range(_DEPTH):
        inner: list[object] = []
        for each in level:
            if isinstance(each, dict):
                inner += each.values()
            elif isinstance(each, list):
                inner += each
        level = inner
    if level:
        raise ValueError(f"nested more than {_DEPTH} deep")
