"""Calls of other people's functions: with the arrays that they take, and errors of one line."""

from __future__ import annotations

import inspect
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from semveil.errors import SemveilError, shown
from semveil.rng import seeded, stream

Complex = NDArray[np.complex128]
Form = Literal["auto", "complex", "real"]
FORMS = ("auto", "complex", "real")
FRAMEWORKS = ("numpy", "torch")

_SHAPES = {"complex": "complex [B, k]", "real": "real [B, 2, k]"}


@contextmanager
def reproducible(seed: int, purpose: str) -> Iterator[None]:
    """Seed the global generators of torch and numpy within the block, without gradients.

    What the function prints goes to the standard error.
    """
    state = np.random.get_state()
    np.random.seed(stream(seed, "conform", purpose) % 2**32)
    try:
        with seeded(seed, "conform", purpose), torch.no_grad(), redirect_stdout(sys.stderr):
            yield
    finally:
        np.random.set_state(state)


def parameters(function: Callable[..., Any]) -> list[str]:
    """Return the names of a function's parameters; of a torch module, those of ``forward``."""
    called = function.forward if isinstance(function, torch.nn.Module) else function
    try:
        return list(inspect.signature(called).parameters)
    except (TypeError, ValueError):
        return []


def name_of(function: Callable[..., Any]) -> str:
    """Return the name of a function, or of the class of an object."""
    return str(getattr(function, "__name__", type(function).__name__))


def call(name: str, function: Callable[..., Any], *args: object, **options: object) -> Any:
    """Call a function; whatever it raises becomes an error of one line."""
    try:
        return function(*args, **options)
    except (Exception, SystemExit) as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        reason = shown(" ".join(str(error).split()), most=300)
        raise SemveilError(
            f"{name} failed: {type(error).__name__}: {reason} ({frame.filename}:{frame.lineno})"
        ) from error


def array_of(value: object) -> NDArray[Any] | None:
    """Return a tensor or array as a numpy array; None if it is neither."""
    if isinstance(value, torch.Tensor):
        return value.detach().resolve_conj().cpu().numpy()
    return value if isinstance(value, np.ndarray) else None


def as_complex(name: str, value: object, images: int, symbols: int | None = None) -> Complex:
    """Return what a function returned as complex ``[B, k]``.

    Raises:
        SemveilError: If it is neither complex ``[B, k]`` nor real ``[B, 2, k]``, nor finite.
    """
    found = array_of(value)
    if found is None:
        raise SemveilError(f"{name} must return an array or a tensor, not {type(value).__name__}")
    made = found
    if not np.iscomplexobj(found) and found.ndim == 3 and found.shape[1] == 2:
        made = found[:, 0] + 1j * found[:, 1]
    if not np.iscomplexobj(made) or made.ndim != 2 or len(made) != images or not made.shape[1]:
        raise SemveilError(
            f"{name} must return complex [{images}, k] or real [{images}, 2, k], "
            f"not {found.dtype} {list(found.shape)}"
        )
    if symbols is not None and made.shape[1] != symbols:
        raise SemveilError(f"{name} must return {symbols} symbols per image, not {made.shape[1]}")
    if not np.isfinite(made).all():
        raise SemveilError(f"{name} returned numbers that are not finite")
    return made.astype(np.complex128)


@dataclass(frozen=True)
class Called:
    """A function from complex ``[B, k]`` to the same, called with the arrays that it takes."""

    name: str
    function: Callable[..., Any]
    framework: str
    form: str

    @property
    def took(self) -> str:
        """How the function is called."""
        return f"{self.framework}, {_SHAPES[self.form]}"

    def __call__(self, symbols: Complex, *levels: object) -> tuple[Complex, Complex | None]:
        """Return what it makes of symbols, and the channel coefficients if it returns them."""
        found, csi = self.returned(symbols, *levels)
        return as_complex(self.name, found, *symbols.shape), _coefficients(csi, len(symbols))

    def returned(self, symbols: Complex, *levels: object) -> tuple[object, object]:
        """Return what it returns: the signal, and what comes with it or None."""
        given: Any = symbols.astype(np.complex64)
        if self.form == "real":
            given = np.stack([given.real, given.imag], 1)
        if self.framework == "torch":
            given = torch.from_numpy(given)
        found = call(self.name, self.function, given, *levels)
        if hasattr(found, "symbols") and hasattr(found, "csi"):
            return found.symbols, found.csi
        if isinstance(found, tuple | list) and found:
            return found[0], found[1] if len(found) > 1 else None
        return found, None

    def signal(self, symbols: Complex, *levels: object) -> object:
        """Return the signal as it returns it, if it is one."""
        found, _ = self.returned(symbols, *levels)
        as_complex(self.name, found, *symbols.shape)
        return found


def _coefficients(csi: object, images: int) -> Complex | None:
    """Return one coefficient per image, complex ``[B]``; None where there is none."""
    found = array_of(csi)
    if found is None or found.size == 0 or found.ndim == 0 or len(found) != images:
        return None
    flat = found.reshape(images, -1)
    if not np.iscomplexobj(flat) and flat.shape[1] == 2:
        return flat[:, 0] + 1j * flat[:, 1]
    return flat[:, 0].astype(np.complex128) if flat.shape[1] == 1 else None


def fitted(function: Callable[..., Any], name: str, form: Form, levels: Sequence[object]) -> Called:
    """Return a function with the first kind of arrays that it takes; complex before real.

    Raises:
        SemveilError: If it takes none of them.
    """
    if form not in FORMS:
        raise SemveilError(f"form: expected {', '.join(FORMS)}, not {shown(repr(form))}")
    symbols = np.exp(1j * np.arange(32.0)).reshape(4, 8)
    forms = ("complex", "real") if form == "auto" else (form,)
    kinds = [Called(name, function, framework, each) for each in forms for framework in FRAMEWORKS]
    return kinds[first_native([(k.framework, partial(k.signal, symbols, *levels)) for k in kinds])]


def first_native(attempts: Sequence[tuple[str, Callable[[], object]]]) -> int:
    """Return which attempt is the first to return arrays of its own framework, or any if none does.

    A function that mixes the arrays of both libraries may run, and mean something else.
    """
    refused: list[str] = []
    found: int | None = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number, (framework, attempt) in enumerate(attempts):
            try:
                value = attempt()
            except SemveilError as error:
                refused.append(str(error))
                continue
            if isinstance(value, torch.Tensor) == (framework == "torch"):
                return number
            found = number if found is None else found
    if found is None:
        raise SemveilError("; or: ".join(dict.fromkeys(refused[: len(FRAMEWORKS)])))
    return found
