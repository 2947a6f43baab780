"""A network exported to ONNX, as a device without torch would run it."""

from __future__ import annotations

import logging
import warnings
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from semveil.errors import SemveilError

_LIBRARIES = ("onnx", "onnxscript", "onnxruntime")


def available() -> bool:
    """Tell whether the libraries that exporting needs are installed.

    Example:
        >>> available() in (True, False)
        True
    """
    return all(find_spec(library) for library in _LIBRARIES)


class Exported:
    """A network as an ONNX graph, run by onnxruntime on one thread of the processor.

    Args:
        network: One input, one output; it is exported in evaluation mode.
        input_shape: Shape of one input, without the batch; any batch may be given later.

    Raises:
        SemveilError: If a library that exporting needs is missing.

    Example:
        >>> run = Exported(nn.Linear(3, 2), (3,)) if available() else lambda inputs: inputs[:, :2]
        >>> run(np.zeros((5, 3), np.float32)).shape
        (5, 2)
    """

    def __init__(self, network: nn.Module, input_shape: tuple[int, ...]) -> None:
        if not available():
            raise SemveilError("exporting needs onnxruntime: pip install 'semveil[export]'")
        runtime: Any = import_module("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = runtime.InferenceSession(
            _graph(network.eval(), input_shape), options, providers=["CPUExecutionProvider"]
        )
        self.input = self.session.get_inputs()[0].name

    def __call__(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run on float32 ``[B, *input_shape]``."""
        outputs: NDArray[np.float32] = self.session.run(None, {self.input: inputs})[0]
        return outputs


def _graph(network: nn.Module, input_shape: tuple[int, ...]) -> bytes:
    # The exporter tells of libraries that it does not need here.
    quiet = logging.getLogger("torch.onnx")
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # An example with a batch of one would be taken for a batch that is always one.
            program: Any = torch.onnx.export(
                network,
                (torch.zeros(2, *input_shape),),
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
                verbose=False,
            )
    finally:
        quiet.setLevel(level)
    graph: bytes = program.model_proto.SerializeToString()
    return graph
