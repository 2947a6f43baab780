"""``MODULE:NAME``: a function of somebody else's, and what kind it is of."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Literal

from semveil.conform.calling import Form, call, parameters
from semveil.conform.channel_checks import channel
from semveil.conform.fading_checks import Fading
from semveil.conform.perturbation_checks import perturbation
from semveil.conform.report import Report
from semveil.conform.transmitter_checks import transmitter
from semveil.errors import SemveilError, shown

Kind = Literal["auto", "channel", "transmitter", "perturbation"]
KINDS = ("auto", "channel", "transmitter", "perturbation")


def conform(
    target: str,
    kind: Kind = "auto",
    *,
    snr_db: Sequence[float] = (0.0, 10.0, 20.0),
    psr_db: Sequence[float] = (-10.0, -3.0),
    fading: Fading = "auto",
    form: Form = "auto",
    image_shape: Sequence[int] = (1, 32, 32),
    bandwidth_ratio: float | None = None,
    fixed_gain: bool = False,
    seed: int = 0,
) -> Report:
    """Test a function that is named by its module, or by its file.

    Args:
        target: ``MODULE:NAME``, such as ``mine.radio:channel``, or ``FILE.py:NAME``; modules are
            also looked for in the current folder. A class is made without arguments.
        kind: What it is. ``auto``: a function with a parameter that has ``psr`` in its name is a
            perturbation, one with ``snr`` a channel, one with ``image`` a transmitter.
        snr_db: As for :func:`channel`.
        psr_db: As for :func:`perturbation`.
        fading: As for :func:`channel`.
        form: As for :func:`channel`.
        image_shape: Shape ``(C, H, W)`` of the images for a transmitter.
        bandwidth_ratio: As for :func:`transmitter`.
        fixed_gain: As for :func:`transmitter`.
        seed: Seed of everything.

    Raises:
        SemveilError: If there is no such function, its kind is not plain, or it fails.

    Example:
        >>> conform("semveil.phy:awgn").ok
        True
    """
    found = _load(target)
    name = target.rpartition(":")[2]
    if kind == "auto":
        kind = _kind(found, target)
    if kind == "channel":
        return channel(found, snr_db=snr_db, fading=fading, form=form, name=name, seed=seed)
    if kind == "perturbation":
        return perturbation(found, psr_db=psr_db, form=form, name=name, seed=seed)
    return transmitter(
        found,
        tuple(image_shape),
        bandwidth_ratio=bandwidth_ratio,
        fixed_gain=fixed_gain,
        name=name,
        seed=seed,
    )


def _kind(function: Callable[..., Any], target: str) -> Kind:
    names = [name.lower() for name in parameters(function)]
    signs: dict[str, Kind] = {"psr": "perturbation", "snr": "channel", "image": "transmitter"}
    for sign, kind in signs.items():
        if any(sign in name for name in names):
            return kind
    raise SemveilError(
        f"{target} takes {', '.join(names) or 'no parameters that can be read'}: say what it is "
        f"with --kind {', '.join(KINDS[1:])}"
    )


def _load(target: str) -> Callable[..., Any]:
    place, _, name = target.rpartition(":")
    if not place or not name:
        raise SemveilError(
            f"expected MODULE:NAME or FILE.py:NAME, such as mine:channel, not {shown(target)!r}"
        )
    with redirect_stdout(sys.stderr):
        found: Any = _module(place)
        for part in name.split("."):
            if not hasattr(found, part):
                raise SemveilError(f"{place} has no {shown(name)}")
            found = getattr(found, part)
        if isinstance(found, type):
            found = call(f"{target} without arguments", found)
    if not callable(found):
        raise SemveilError(f"{target} is no function: it is of type {type(found).__name__}")
    return found


def _module(place: str) -> object:
    if place.endswith(".py"):
        path = Path(place)
        if not path.is_file():
            raise SemveilError(f"there is no file {shown(place)}")
        spec = spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        _importable(str(path.parent.resolve()))
        call(place, spec.loader.exec_module, module)
        return module
    _importable(str(Path.cwd()))
    return call(place, import_module, place)


def _importable(folder: str) -> None:
    if folder not in sys.path:
        sys.path.insert(0, folder)
