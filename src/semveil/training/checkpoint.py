"""Checkpoints: safetensors files with facts in the header, written atomically; no pickles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer

from semveil.errors import SemveilError
from semveil.files import write_atomic

_FORMAT = "semveil-1"


def save_tensors(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write tensors and JSON facts to one file, atomically."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomic(path, save(plain, {"format": _FORMAT, "facts": json.dumps(facts)}))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors of a file, on the CPU, and its facts; see :func:`save_tensors`."""
    if not path.is_file():
        raise SemveilError(f"no checkpoint {path}")
    try:
        with safe_open(str(path), framework="pt") as file:
            header = file.metadata() or {}
            if header.get("format") != _FORMAT:
                raise SemveilError(f"checkpoint {path} was not written by semveil")
            return {name: file.get_tensor(name) for name in file.keys()}, json.loads(  # noqa: SIM118
                header["facts"]
            )
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise SemveilError(f"checkpoint {path} is truncated or damaged: {reason}") from None


def load_weights(module: nn.Module, tensors: dict[str, Tensor], where: Path) -> None:
    """Load weights into a module that must have exactly their names and shapes."""
    own = module.state_dict()
    for name in sorted(own.keys() | tensors.keys()):
        here = tuple(own[name].shape) if name in own else "nothing"
        there = tuple(tensors[name].shape) if name in tensors else "nothing"
        if here != there:
            raise SemveilError(
                f"checkpoint {where} is of another architecture: "
                f"{name} is {there} there and {here} here"
            )
    module.load_state_dict(tensors)


def optimiser_tensors(prefix: str, optimiser: Optimizer) -> dict[str, Tensor]:
    """Flatten an optimiser's state into named tensors."""
    state = optimiser.state_dict()["state"]
    return {
        f"{prefix}/{index}/{key}": value
        for index, entries in state.items()
        for key, value in entries.items()
    }


def restore_optimiser(prefix: str, optimiser: Optimizer, tensors: dict[str, Tensor]) -> None:
    """Restore the state of :func:`optimiser_tensors`, if there is any."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        start, _, rest = name.partition("/")
        if start == prefix:
            index, key = rest.split("/")
            state.setdefault(int(index), {})[key] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
