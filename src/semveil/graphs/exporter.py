"""Networks of torch as ONNX graphs, and graphs run by onnxruntime."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from semveil.errors import SemveilError

OPSET = 18
_LIBRARIES = ("onnx", "onnxscript", "onnxruntime")


def export_available() -> bool:
    """Tell whether the libraries that exporting needs are installed."""
    return all(find_spec(library) for library in _LIBRARIES)


def require_export() -> None:
    """Refuse to go on where a library is missing.

    Raises:
        SemveilError: If one is.
    """
    if not export_available():
        raise SemveilError("exporting needs onnxruntime: pip install 'semveil[export]'")


def to_graph(
    network: nn.Module,
    examples: Sequence[Tensor],
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
) -> bytes:
    """Export a network in evaluation mode; the first dimension of every tensor is free.

    Args:
        network: The network.
        examples: One tensor per input, of a batch of two or more: from a batch of one the exporter
            would infer a fixed batch.
        inputs: Names of the inputs.
        outputs: Names of the outputs.

    Returns:
        The graph in ONNX's own format.
    """
    require_export()
    # The exporter prints about libraries that are not needed here.
    quiet = logging.getLogger("torch.onnx")
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program: Any = torch.onnx.export(
                network.eval(),
                tuple(examples),
                dynamo=True,
                dynamic_shapes=tuple({0: torch.export.Dim.DYNAMIC} for _ in examples),
                input_names=None if inputs is None else list(inputs),
                output_names=None if outputs is None else list(outputs),
                opset_version=OPSET,
                verbose=False,
            )
    finally:
        quiet.setLevel(level)
    model = program.model_proto
    _strip(model.graph)
    graph: bytes = model.SerializeToString()
    return graph


def _strip(graph: Any) -> None:
    """Remove what the exporter notes of its source: names and places of code on this machine."""
    for part in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    for part in (*graph.initializer,):
        part.ClearField("doc_string")
    for tensor in (*graph.input, *graph.output, *graph.value_info):
        for dim in tensor.type.tensor_type.shape.dim[:1]:
            if dim.dim_param:
                dim.dim_param = "B"


class Session:
    """An ONNX graph, run by onnxruntime on one thread of the processor."""

    def __init__(self, graph: bytes) -> None:
        require_export()
        runtime: Any = import_module("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = runtime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self.inputs: list[str] = [each.name for each in self._session.get_inputs()]
        self.outputs: list[str] = [each.name for each in self._session.get_outputs()]

    def __call__(self, *inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run on float32 arrays, one per input, and return every output."""
        found: list[NDArray[np.float32]] = self._session.run(
            None, dict(zip(self.inputs, inputs, strict=True))
        )
        return found
