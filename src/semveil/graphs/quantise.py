"""Graphs in eight bits, by onnxruntime: static, with scales from calibration inputs."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semveil.graphs.exporter import require_export

# Layers with weights. Power, constellations and decisions stay in float32: what is proved of a
# waveform rests on them.
QUANTISED = ("Conv", "ConvTranspose", "Gemm")
_BATCH = 64


def quantise(graph: bytes, inputs: Mapping[str, NDArray[np.float32]]) -> bytes:
    """Return a graph whose weights and layers' inputs have eight bits (QDQ).

    Args:
        graph: The graph in float32.
        inputs: Calibration inputs by name, one row per image.
    """
    require_export()
    library: Any = import_module("onnxruntime.quantization")
    rows = len(next(iter(inputs.values())))

    class Reader(library.CalibrationDataReader):
        def __init__(self) -> None:
            starts = range(0, rows, _BATCH)
            self.batches = iter(
                {name: each[at : at + _BATCH] for name, each in inputs.items()} for at in starts
            )

        def get_next(self) -> Mapping[str, NDArray[np.float32]] | None:
            return next(self.batches, None)

    level = logging.getLogger().level
    # It recommends a preparation that these graphs do not need.
    logging.getLogger().setLevel(logging.ERROR)
    try:
        with tempfile.TemporaryDirectory() as folder:
            given, found = Path(folder, "float32.onnx"), Path(folder, "int8.onnx")
            given.write_bytes(graph)
            library.quantize_static(
                given,
                found,
                Reader(),
                quant_format=library.QuantFormat.QDQ,
                op_types_to_quantize=list(QUANTISED),
                per_channel=True,
                activation_type=library.QuantType.QInt8,
                weight_type=library.QuantType.QInt8,
                extra_options={"ActivationSymmetric": False, "WeightSymmetric": True},
            )
            return found.read_bytes()
    finally:
        logging.getLogger().setLevel(level)
