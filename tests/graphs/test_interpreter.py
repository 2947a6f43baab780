"""Every operator of the interpreter against onnxruntime, and its gradients against differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch.autograd import gradcheck

from semveil.errors import SemveilError
from semveil.graphs.interpreter import OPERATORS, Interpreted

onnxruntime = pytest.importorskip("onnxruntime")

RNG = np.random.default_rng(0)


def real(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def positive(*shape: int) -> np.ndarray:
    return np.abs(real(*shape)) + np.float32(0.1)


def whole(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


BOOL = np.array([[True, False, True]])
MAPS = (2, 4, 6, 6)

# Operator, its inputs (the first is given at run time, the others are constants), attributes.
CASES: list[tuple[str, list[np.ndarray | None], dict[str, Any]]] = [
    *[(name, [real(2, 3), real(3)], {}) for name in ("Add", "Sub", "Mul", "Div")],
    ("Div", [np.array([[7, -7, 5]], np.int64), whole(2, 2, -3)], {}),
    ("Pow", [positive(2, 3), np.array(1.5, np.float32)], {}),
    ("Pow", [real(2, 3), np.array(2, np.int64)], {}),
    ("MatMul", [real(2, 3, 4), real(4, 5)], {}),
    *[
        (name, [real(3, 5)], {})
        for name in (
            *("Neg", "Abs", "Exp", "Sin", "Cos", "Floor", "Ceil", "Round", "Sign", "Erf", "Relu"),
            *("Sigmoid", "Tanh", "Softplus", "Softsign", "Mish", "HardSwish", "Identity"),
            *("Elu", "Selu", "LeakyRelu", "HardSigmoid", "Gelu", "Dropout"),
        )
    ],
    *[(name, [positive(3, 5)], {}) for name in ("Sqrt", "Reciprocal", "Log")],
    ("Gelu", [real(3, 5)], {"approximate": "tanh"}),
    ("Elu", [real(3, 5)], {"alpha": 0.5}),
    ("LeakyRelu", [real(3, 5)], {"alpha": 0.2}),
    ("HardSigmoid", [real(3, 5)], {"alpha": 0.4, "beta": 0.3}),
    ("PRelu", [real(*MAPS), real(4, 1, 1)], {}),
    ("Clip", [real(3, 5), np.array(-0.5, np.float32), np.array(0.5, np.float32)], {}),
    ("Clip", [real(3, 5), None, np.array(0.5, np.float32)], {}),
    ("Clip", [real(3, 5)], {}),
    ("Softmax", [real(3, 5)], {"axis": 1}),
    ("Softmax", [real(2, 3, 5)], {"axis": 1}),
    ("LogSoftmax", [real(3, 5)], {}),
    *[(name, [real(3, 5), real(3, 5), real(5)], {}) for name in ("Min", "Max", "Sum", "Mean")],
    *[
        (name, [real(3, 5).round(), real(3, 5).round()], {})
        for name in ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
    ],
    ("Not", [BOOL], {}),
    ("And", [BOOL, ~BOOL], {}),
    ("Or", [BOOL, ~BOOL], {}),
    ("Where", [BOOL, real(2, 3), real(2, 3)], {}),
    ("Range", [np.array(1, np.int64), np.array(9, np.int64), np.array(3, np.int64)], {}),
    ("Cast", [real(3, 5)], {"to": TensorProto.INT64}),
    ("CastLike", [real(3, 5), whole(1)], {}),
    ("Constant", [], {"value": numpy_helper.from_array(real(2, 2))}),
    ("Constant", [], {"value_float": 0.5}),
    ("Constant", [], {"value_ints": [1, 2]}),
    ("ConstantOfShape", [whole(2, 3)], {"value": numpy_helper.from_array(real(1))}),
    ("ConstantOfShape", [whole(2, 3)], {}),
    ("Gemm", [real(2, 3), real(5, 3), real(5)], {"transB": 1}),
    ("Gemm", [real(3, 2), real(3, 5)], {"transA": 1, "alpha": 0.5}),
    ("Gemm", [real(2, 3), real(3, 5), real(2, 5)], {"beta": 2.0}),
    ("Conv", [real(*MAPS), real(5, 4, 3, 3), real(5)], {"pads": [1, 1, 1, 1]}),
    ("Conv", [real(*MAPS), real(5, 4, 3, 3)], {"pads": [0, 1, 2, 1], "strides": [2, 2]}),
    ("Conv", [real(*MAPS), real(4, 1, 3, 3)], {"group": 4, "dilations": [2, 2]}),
    ("Conv", [real(*MAPS), real(5, 4, 4, 3)], {"auto_pad": "SAME_UPPER", "strides": [2, 1]}),
    ("Conv", [real(*MAPS), real(5, 4, 4, 3)], {"auto_pad": "SAME_LOWER"}),
    ("Conv", [real(*MAPS), real(5, 4, 3, 3)], {"auto_pad": "VALID"}),
    ("Conv", [real(2, 4, 9), real(5, 4, 3)], {"pads": [1, 1]}),
    ("ConvTranspose", [real(*MAPS), real(4, 5, 3, 3), real(5)], {}),
    (
        "ConvTranspose",
        [real(*MAPS), real(4, 5, 5, 5), real(5)],
        {"strides": [2, 2], "pads": [2, 2, 2, 2], "output_padding": [1, 1]},
    ),
    (
        "ConvTranspose",
        [real(*MAPS), real(4, 5, 3, 3)],
        {"strides": [2, 2], "pads": [0, 1, 1, 0]},
    ),
    ("ConvTranspose", [real(*MAPS), real(4, 2, 3, 3)], {"group": 2, "dilations": [2, 2]}),
    (
        "ConvTranspose",
        [real(*MAPS), real(4, 5, 3, 3)],
        {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
    ),
    (
        "ConvTranspose",
        [real(*MAPS), real(4, 5, 3, 3)],
        {"strides": [2, 2], "output_shape": [12, 12]},
    ),
    ("MaxPool", [real(*MAPS)], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("MaxPool", [real(*MAPS)], {"kernel_shape": [3, 3], "pads": [1, 0, 1, 2]}),
    ("MaxPool", [real(*MAPS)], {"kernel_shape": [2, 2], "dilations": [2, 2]}),
    ("AveragePool", [real(*MAPS)], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("AveragePool", [real(*MAPS)], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
    (
        "AveragePool",
        [real(*MAPS)],
        {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1},
    ),
    ("GlobalAveragePool", [real(*MAPS)], {}),
    ("GlobalMaxPool", [real(*MAPS)], {}),
    ("BatchNormalization", [real(*MAPS), real(4), real(4), real(4), positive(4)], {}),
    ("InstanceNormalization", [real(*MAPS), real(4), real(4)], {"epsilon": 1e-3}),
    ("LayerNormalization", [real(2, 3, 5), real(5), real(5)], {}),
    ("LayerNormalization", [real(2, 3, 5), real(3, 5)], {"axis": 1}),
    ("GroupNormalization", [real(*MAPS), real(2), real(2)], {"num_groups": 2}),
    ("LpNormalization", [real(3, 5)], {}),
    ("Reshape", [real(2, 6), whole(0, 3, -1)], {}),
    ("Flatten", [real(*MAPS)], {}),
    ("Flatten", [real(*MAPS)], {"axis": -1}),
    ("Transpose", [real(2, 3, 5)], {}),
    ("Transpose", [real(2, 3, 5)], {"perm": [1, 0, 2]}),
    ("Concat", [real(2, 3), real(2, 5)], {"axis": -1}),
    ("Split", [real(2, 5), whole(2, 3)], {"axis": 1, "outputs": 2}),
    ("Split", [real(2, 5)], {"axis": 1, "num_outputs": 2, "outputs": 2}),
    ("Slice", [real(4, 6), whole(1), whole(3), whole(1)], {}),
    ("Slice", [real(4, 6), whole(-1, 0), whole(-100, 6), whole(0, 1), whole(-1, 2)], {}),
    ("Slice", [real(4, 6), whole(1, 2), whole(2**62, -1)], {}),
    ("Gather", [real(4, 6), np.array([[0, -1], [2, 1]], np.int64)], {}),
    ("Gather", [real(4, 6), np.array(-2, np.int64)], {"axis": 1}),
    ("GatherElements", [real(2, 3), np.array([[0, -1], [2, 1]], np.int64)], {"axis": 1}),
    ("GatherND", [real(2, 3, 4), np.array([[0, 1], [1, 2]], np.int64)], {}),
    ("Squeeze", [real(2, 1, 3, 1), whole(1, -1)], {}),
    ("Squeeze", [real(2, 1, 3, 1)], {}),
    ("Unsqueeze", [real(2, 3), whole(0, -1)], {}),
    ("Expand", [real(2, 1), whole(3, 1, 4)], {}),
    ("Tile", [real(2, 3), whole(2, 1)], {}),
    ("Shape", [real(2, 3, 4)], {}),
    ("Shape", [real(2, 3, 4)], {"start": 1, "end": -1}),
    ("Size", [real(2, 3, 4)], {}),
    ("Pad", [real(*MAPS), whole(0, 0, 1, 2, 0, 0, 3, 0)], {}),
    ("Pad", [real(2, 3), whole(1, 2), np.array(0.5, np.float32), whole(1)], {}),
    ("Pad", [real(*MAPS), whole(0, 0, 1, 2, 0, 0, 3, 0)], {"mode": "reflect"}),
    ("Pad", [real(*MAPS), whole(0, 0, 1, 2, 0, 0, 3, 0)], {"mode": "edge"}),
    (
        "Resize",
        [real(*MAPS), None, np.array([1, 1, 2, 2], np.float32)],
        {
            "mode": "nearest",
            "coordinate_transformation_mode": "asymmetric",
            "nearest_mode": "floor",
        },
    ),
    ("Resize", [real(*MAPS), None, np.array([1, 1, 2, 2], np.float32)], {"mode": "nearest"}),
    ("Resize", [real(*MAPS), None, np.array([1, 1, 2, 2], np.float32)], {"mode": "linear"}),
    (
        "Resize",
        [real(*MAPS), None, None, whole(2, 4, 9, 11)],
        {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
    ),
    ("Resize", [real(*MAPS), None, np.array([1, 1, 2, 2], np.float32)], {"mode": "cubic"}),
    ("DepthToSpace", [real(2, 8, 3, 3)], {"blocksize": 2}),
    ("DepthToSpace", [real(2, 8, 3, 3)], {"blocksize": 2, "mode": "CRD"}),
    ("SpaceToDepth", [real(*MAPS)], {"blocksize": 2}),
    ("ArgMax", [real(3, 5)], {"axis": 1, "keepdims": 0}),
    ("ArgMin", [real(3, 5)], {}),
    ("CumSum", [real(3, 5), np.array(1, np.int64)], {}),
    (
        "OneHot",
        [np.array([0, 2, -1], np.int64), np.array(3, np.int64), np.array([0, 2], np.float32)],
        {},
    ),
    *[
        (name, [real(2, 3, 4), whole(-1)], {"keepdims": 0})
        for name in (
            *("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2"),
            *("ReduceSumSquare", "ReduceLogSumExp"),
        )
    ],
    ("ReduceSum", [real(2, 3, 4)], {}),
    ("ReduceSum", [real(2, 3, 4)], {"noop_with_empty_axes": 1}),
]
# Older opsets have attributes where newer ones have inputs.
OLD: list[tuple[int, str, list[np.ndarray | None], dict[str, Any]]] = [
    (11, "Squeeze", [real(2, 1, 3)], {"axes": [1]}),
    (11, "Unsqueeze", [real(2, 3)], {"axes": [1]}),
    (11, "ReduceSum", [real(2, 3)], {"axes": [1]}),
    (11, "ReduceMean", [real(2, 3)], {"axes": [1], "keepdims": 0}),
    (11, "Split", [real(2, 6)], {"axis": 1, "split": [2, 4], "outputs": 2}),
    (11, "Split", [real(2, 6)], {"axis": 1, "outputs": 2}),
    (11, "Softmax", [real(2, 3, 4)], {}),
    (9, "Upsample", [real(*MAPS), np.array([1, 1, 2, 2], np.float32)], {}),
]
ALL = [(18 if case[0] != "Gelu" else 20, *case) for case in CASES] + OLD


def model_of(
    opset: int, name: str, inputs: list[np.ndarray | None], attributes: dict[str, Any]
) -> Any:
    """Return a graph of one node: its first input is given, the others are constants."""
    attributes = dict(attributes)
    outputs = [f"out{number}" for number in range(attributes.pop("outputs", 1))]
    names = ["" if each is None else f"in{place}" for place, each in enumerate(inputs)]
    node = helper.make_node(name, names, outputs, **attributes)
    given = [
        helper.make_tensor_value_info(
            "in0", helper.np_dtype_to_tensor_dtype(inputs[0].dtype), inputs[0].shape
        )
    ] if inputs and inputs[0] is not None else []  # fmt: skip
    constants = [
        numpy_helper.from_array(each, f"in{place}")
        for place, each in enumerate(inputs)
        if each is not None and place
    ]
    found = [helper.make_empty_tensor_value_info(each) for each in outputs]
    graph = helper.make_graph([node], "one", given, found, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    return model


@pytest.mark.parametrize(
    ("opset", "name", "inputs", "attributes"),
    [pytest.param(*case, id=f"{case[1]}-{number}") for number, case in enumerate(ALL)],
)
def test_an_operator_computes_what_onnxruntime_does(
    opset: int, name: str, inputs: list[np.ndarray | None], attributes: dict[str, Any]
) -> None:
    model = model_of(opset, name, inputs, attributes)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    first = {} if not inputs else {"in0": inputs[0]}
    wanted = session.run(None, first)
    found = Interpreted(model)(*(torch.from_numpy(each) for each in first.values()))
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert one.shape == other.shape
        assert one.numpy().dtype == other.dtype
        np.testing.assert_allclose(one.numpy(), other, rtol=1e-4, atol=2e-5)


def test_every_operator_was_tried() -> None:
    assert OPERATORS.keys() == {case[1] for case in ALL}


@pytest.mark.parametrize("name", ["Conv", "ConvTranspose", "BatchNormalization", "PRelu"])
def test_gradients_go_through(name: str) -> None:
    _, inputs, attributes = next(case for case in CASES if case[0] == name)
    network = Interpreted(model_of(18, name, inputs, attributes)).double()
    given = torch.from_numpy(inputs[0]).double()[:1].requires_grad_()  # type: ignore[index]
    assert gradcheck(lambda maps: network(maps)[0], given)


def test_an_operator_that_is_not_known_is_named() -> None:
    model = model_of(18, "Relu", [real(2)], {})
    model.graph.node[0].op_type = "LSTM"
    with pytest.raises(SemveilError, match="no gradients through LSTM"):
        Interpreted(model)
