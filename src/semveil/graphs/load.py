"""ONNX files of others: read with suspicion, and run by torch or by onnxruntime.

Nothing of a file is run before it was checked: its size, its tensors and where they lie, its
operators, and the shapes of its inputs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from semveil.errors import SemveilError, shown
from semveil.graphs.exporter import Session
from semveil.graphs.interpreter import Interpreted
from semveil.reading import read_regular, require_regular

_MOST_BYTES = 1 << 29
_OWN_DOMAINS = ("", "ai.onnx")
_FLOAT32 = 1
# Of outputs of about one; onnxruntime and torch round differently.
_SAME = 1e-3


@dataclass(frozen=True)
class GraphFile:
    """A checked ONNX file.

    Attributes:
        path: The file.
        model: The model, its external tensors included.
        inputs: Shapes of the inputs by name; None where a dimension is free.
        batch: Size of the batch that it takes; None if any.
    """

    path: Path
    model: Any
    inputs: dict[str, tuple[int | None, ...]]
    batch: int | None


def read_graph(path: str | Path) -> GraphFile:
    """Read an ONNX file and check it, without running anything.

    Args:
        path: The file; weights beside it in its folder are read too.

    Raises:
        SemveilError: If it is damaged, larger than 512 MiB, has weights outside of its folder,
            operators that are not of ONNX, inner graphs, or inputs that are not float32 of a known
            rank.
    """
    path = Path(path)
    if find_spec("onnx") is None or find_spec("onnxruntime") is None:
        raise SemveilError("reading ONNX files needs onnxruntime: pip install 'semveil[export]'")
    onnx: Any = import_module("onnx")
    try:
        content = read_regular(path, _MOST_BYTES)
    except OSError as error:
        raise SemveilError(f"cannot read {path}: {error.strerror or error}") from None
    try:
        model = onnx.load_model_from_string(content)
    except Exception:
        raise SemveilError(f"{path} is damaged, or no ONNX file") from None
    if not model.graph.node or not model.graph.output:
        raise SemveilError(f"{path} is damaged, or no ONNX file: it holds no graph")
    _require_own_operators(path, model)
    _require_weights_here(path, model)
    inputs = _inputs(path, model)
    try:
        onnx.external_data_helper.load_external_data_for_model(model, str(path.parent))
        onnx.checker.check_model(model)
        for tensor in model.graph.initializer:
            onnx.numpy_helper.to_array(tensor)
    except Exception as error:
        reason = shown(" ".join(str(error).split()), most=200)
        raise SemveilError(f"{path} is damaged: {reason}") from None
    sizes = {shape[0] for shape in inputs.values()}
    if len(sizes) > 1:
        raise SemveilError(f"{path}: its inputs take batches of different sizes")
    return GraphFile(path, model, inputs, sizes.pop())


def _require_own_operators(path: Path, model: Any) -> None:
    """Refuse operators of other makers, and graphs within graphs, which may run for ever."""
    defs: Any = import_module("onnx.defs")
    versions = {each.domain: each.version for each in model.opset_import}
    opset = max(versions.get(domain, 0) for domain in _OWN_DOMAINS)
    if not opset:
        raise SemveilError(f"{path} is damaged: it states no opset of ONNX")
    for node in model.graph.node:
        name = shown(node.op_type)
        if node.domain not in _OWN_DOMAINS:
            raise SemveilError(
                f"{path} has the unknown operator {name} of {shown(node.domain)}: export it with "
                "ONNX's own operators"
            )
        try:
            defs.get_schema(node.op_type, opset, "")
        except Exception:
            raise SemveilError(
                f"{path} has the unknown operator {name}, which opset {opset} of ONNX has not"
            ) from None
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            raise SemveilError(f"{path} has a graph within {name}: export it without control flow")


def _tensors(model: Any) -> Iterator[Any]:
    yield from model.graph.initializer
    for sparse in model.graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _require_weights_here(path: Path, model: Any) -> None:
    """Refuse tensors that lie in another folder than the model, or are too many bytes."""
    folder, total = os.path.realpath(path.parent), 0
    for name in {
        entry.value
        for tensor in _tensors(model)
        if tensor.data_location == tensor.EXTERNAL or tensor.external_data
        for entry in tensor.external_data
        if entry.key == "location"
    }:
        place = os.path.realpath(os.path.join(folder, name))
        if os.path.isabs(name) or os.path.commonpath([folder, place]) != folder:
            raise SemveilError(f"{path} has weights outside of its folder: {shown(name)}")
        try:
            total += require_regular(Path(place))
        except OSError as error:
            raise SemveilError(
                f"{path}: cannot read its weights {shown(name)}: {error.strerror or error}"
            ) from None
    if total > _MOST_BYTES:
        raise SemveilError(f"{path}: its weights have {total} bytes, more than {_MOST_BYTES}")


def _inputs(path: Path, model: Any) -> dict[str, tuple[int | None, ...]]:
    held = {tensor.name for tensor in model.graph.initializer}
    found: dict[str, tuple[int | None, ...]] = {}
    for each in model.graph.input:
        if each.name in held:
            continue
        kind, name = each.type.tensor_type, shown(each.name)
        if not kind.HasField("shape") or not kind.shape.dim:
            raise SemveilError(
                f"{path}: its input {name} is of dynamic rank; export it with shapes"
            )
        if kind.elem_type != _FLOAT32:
            raise SemveilError(f"{path}: its input {name} is not float32")
        found[each.name] = tuple(dim.dim_value or None for dim in kind.shape.dim)
    if not found:
        raise SemveilError(f"{path}: it takes no input")
    return found


class Runner:
    """A checked graph that runs, in torch with gradients where it converts.

    Args:
        file: From :func:`read_graph`.

    Attributes:
        network: The graph in torch; None where it does not convert.
        why: Why it does not; None where it does.
    """

    def __init__(self, file: GraphFile) -> None:
        self.file = file
        self.network: Interpreted | None = None
        self.why: str | None = None
        try:
            self._session = Session(file.model.SerializeToString())
        except Exception as error:
            raise self._failure(error) from None
        try:
            self.network = Interpreted(file.model).eval().requires_grad_(False)
        except Exception as error:
            self.why = str(error)

    def _failure(self, error: Exception) -> SemveilError:
        reason = shown(" ".join(str(error).split()), most=200)
        return SemveilError(f"{self.file.path} does not run: {reason}")

    def check(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run on inputs in onnxruntime; use torch from now on only if it computes the same."""
        wanted = self._onnxruntime(*inputs)
        if self.network is not None:
            try:
                with torch.no_grad():
                    found = self._batches(self._torch, *inputs)
            except Exception as error:
                self.network, self.why = None, shown(" ".join(str(error).split()), most=200)
            else:
                off = max(
                    float((one - other).abs().max()) if one.shape == other.shape else np.inf
                    for one, other in zip(found, wanted, strict=True)
                )
                scale = max(1.0, *(float(each.abs().max()) for each in wanted))
                if not off <= _SAME * scale:
                    self.network, self.why = None, f"torch differs from onnxruntime by {off:.2g}"
        return wanted

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run on float32 tensors, and return every output as float32 on their device."""
        if self.network is None:
            return self._onnxruntime(*inputs)
        return self._batches(self._torch, *inputs)

    def _torch(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        assert self.network is not None
        network = self.network.to(inputs[0].device)
        return tuple(each.float() for each in network(*inputs))

    def _onnxruntime(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        def run(*some: Tensor) -> tuple[Tensor, ...]:
            found = self._session(*(each.detach().cpu().contiguous().numpy() for each in some))
            return tuple(torch.from_numpy(each).float().to(some[0].device) for each in found)

        try:
            return self._batches(run, *inputs)
        except Exception as error:
            raise self._failure(error) from None

    def _batches(self, run: Any, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run in batches of the size that the graph takes; the last one is filled up."""
        size, count = self.file.batch, len(inputs[0])
        if size is None:
            found: tuple[Tensor, ...] = run(*inputs)
            return found
        missing = -count % size
        filled = [torch.cat([each, each[:1].expand(missing, *each.shape[1:])]) for each in inputs]
        parts = [run(*some) for some in zip(*(each.split(size) for each in filled), strict=True)]
        return tuple(torch.cat(each)[:count] for each in zip(*parts, strict=True))
