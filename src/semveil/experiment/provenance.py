"""On what a run happened: versions, hardware, time."""

from __future__ import annotations

import functools
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from semveil.adversary.perturb import ATTACKS
from semveil.device import native_bfloat16
from semveil.errors import SemveilError
from semveil.facts import CodeFacts
from semveil.schemes.base import SCHEMES
from semveil.style import written_styles, written_traits
from semveil.training import TRAININGS

_LIBRARIES = ("torch", "lightning-fabric", "torchmetrics", "numpy", "scikit-learn", "pydantic")
# The configuration may leave files out.
_STATUS = ("--porcelain=v2", "--branch", "--untracked-files=normal", "--ignore-submodules=none")


_HERE = Path(__file__).resolve().parents[3]


def state_of(checkout: Path) -> CodeFacts:
    """Return the commit of a checkout, and whether it is dirty.

    Dirty is a changed file that git tracks, or a new one below ``src`` that it does not ignore.
    """
    # Without locks: another command of git may be at work.
    words = ["git", "--no-optional-locks", "-C", str(checkout), "status", *_STATUS]
    # A variable of git may mean another checkout, as in a hook; its configuration stays.
    own = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("GIT_CONFIG") or not name.startswith("GIT_")
    }
    try:
        lines = subprocess.run(
            words, capture_output=True, text=True, check=True, env=own
        ).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        return CodeFacts()
    about = dict(line.removeprefix("# ").split(" ", 1) for line in lines if line.startswith("# "))
    commit = about.get("branch.oid", "(initial)")
    changed = [line for line in lines if not line.startswith(("# ", "? "))]
    new = [line for line in lines if line.startswith(("? src/", '? "src/'))]
    return CodeFacts(commit=None if commit == "(initial)" else commit, dirty=bool(changed or new))


@functools.cache
def code() -> CodeFacts:
    """Return the state of the code that runs; without a commit if it is not a checkout.

    It is asked once, when this module is loaded: a checkout that moves on while a process runs
    does not change what that process runs.
    """
    return state_of(_HERE) if (_HERE / ".git").exists() else CodeFacts()


def code_version() -> str:
    """Return the package's version, with the commit where it runs from a checkout.

    Where git cannot tell the commit, ``unknown`` stands in its place.
    """
    number = version("semveil")
    if not (_HERE / ".git").exists():
        return number
    state = code()
    commit = "unknown" if state.commit is None else state.commit[:7]
    return f"{number}+{commit}{'-dirty' if state.dirty else ''}"


def provenance(device: torch.device, devices: int) -> dict[str, Any]:
    """Return code version, library versions, hardware and styles, ready for ``run.json``."""
    for registry in (SCHEMES, ATTACKS, TRAININGS):
        registry.load()
    return {
        "version": code_version(),
        "versions": {"python": platform.python_version()}
        | {library: version(library) for library in _LIBRARIES},
        "hardware": {
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
            "devices": devices,
            "machine": platform.machine(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
            "precision": "bfloat16" if native_bfloat16(device) else "float32",
        },
        # Reports are made without importing what they draw.
        "styles": written_styles(),
        "traits": written_traits(),
    }


@contextmanager
def of_its_version(facts: Mapping[str, Any], path: Path) -> Iterator[None]:
    """Name a ``run.json`` in errors about what it states, and the version that wrote it."""
    try:
        yield
    except SemveilError as error:
        wrote = facts.get("version")
        hint = "; start the run again, or open it with that version"
        hint = f"; it was written by semveil {wrote or 'of an earlier version'}{hint}"
        if wrote == code_version():
            hint = ""
        raise SemveilError(f"{path}: {error}{hint}") from None


code()
