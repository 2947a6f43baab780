"""Checkpoints: safetensors files with facts in the header, written atomically; no pickles."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer

from semveil.errors import SemveilError, shown
from semveil.files import write_atomic

_FORMAT = "semveil-1"


def save_tensors(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write tensors, JSON facts and a digest of both to one file, atomically.

    The same tensors and facts give the same bytes.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(facts)
    content = memoryview(save(plain))
    start = 8 + int.from_bytes(content[:8], "little")
    # The library writes the metadata in another order each time.
    header = json.loads(bytes(content[8:start])) | {
        "__metadata__": {"format": _FORMAT, "facts": text, "digest": _digest(plain, text)}
    }
    words = json.dumps(header, sort_keys=True).encode()
    words += b" " * (-len(words) % 8)
    write_atomic(path, b"".join([len(words).to_bytes(8, "little"), words, content[start:]]))


def _digest(tensors: dict[str, Tensor], facts: str) -> str:
    found = hashlib.sha256(facts.encode())
    for name, tensor in sorted(tensors.items()):
        found.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def load_tensors(
    path: Path, *, digest_required: bool = False
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors of a file, on the CPU, and its facts; see :func:`save_tensors`.

    Files of older versions have no digest, and are not compared with one unless it is required.
    """
    if not path.is_file():
        raise SemveilError(f"no checkpoint {path}")
    try:
        with safe_open(str(path), framework="pt") as file:
            header = file.metadata() or {}
            if header.get("format") != _FORMAT:
                raise SemveilError(f"checkpoint {path} was not written by semveil")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        text = header["facts"]
        if digest_required and "digest" not in header:
            raise ValueError("it has no digest")
        if header.get("digest", digest := _digest(tensors, text)) != digest:
            raise ValueError("its digest is of another content")
        facts: dict[str, Any] = json.loads(text)
    except (SafetensorError, OSError, ValueError, KeyError, RecursionError) as error:
        reason = shown(" ".join(str(error).split()), most=500)
        raise SemveilError(f"checkpoint {path} is truncated or damaged: {reason}") from None
    return tensors, facts


def load_weights(module: nn.Module, tensors: dict[str, Tensor], where: Path) -> None:
    """Load weights into a module that must have exactly their names and shapes."""
    own = module.state_dict()
    for name in sorted(own.keys() | tensors.keys()):
        here = tuple(own[name].shape) if name in own else "nothing"
        there = tuple(tensors[name].shape) if name in tensors else "nothing"
        if here != there:
            raise SemveilError(
                f"checkpoint {where} is of another architecture: "
                f"{shown(name)} is {there} there and {here} here"
            )
        if own[name].is_floating_point() != tensors[name].is_floating_point():
            raise SemveilError(
                f"checkpoint {where} is damaged: {shown(name)} is {tensors[name].dtype}"
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


def restore_optimiser(
    prefix: str, optimiser: Optimizer, tensors: dict[str, Tensor], where: Path
) -> None:
    """Restore the state of :func:`optimiser_tensors`, if there is any."""
    state: dict[int, dict[str, Tensor]] = {}
    parameters = [each for group in optimiser.param_groups for each in group["params"]]
    for name, value in tensors.items():
        start, _, rest = name.partition("/")
        if start == prefix:
            index, _, key = rest.partition("/")
            number = int(index) if index.isdecimal() else len(parameters)
            # The moments are of their parameter's shape; the count of steps has none.
            if number >= len(parameters) or value.shape not in ((), parameters[number].shape):
                raise SemveilError(
                    f"checkpoint {where} is damaged: {shown(name)} fits no parameter"
                )
            state.setdefault(number, {})[key] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
