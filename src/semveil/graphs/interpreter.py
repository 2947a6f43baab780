"""ONNX graphs as networks of torch, operator by operator, with gradients.

Each operator is a function of the tensors of its inputs, None where one is left out, and of its
attributes. Semantics are those of ONNX's operators for opsets 11 to 22.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semveil.errors import SemveilError

Attributes = Mapping[str, Any]
Operator = Callable[[list[Any], Attributes], Any]

OPERATORS: dict[str, Operator] = {}
"""Operators of ONNX by name: inputs and attributes → the output, or a tuple of outputs."""

_DTYPES = {
    1: torch.float32,
    2: torch.uint8,
    3: torch.int8,
    6: torch.int32,
    7: torch.int64,
    9: torch.bool,
    10: torch.float16,
    11: torch.float64,
}


def operator(*names: str) -> Callable[[Operator], Operator]:
    """Register a function as operators of ONNX."""

    def register(function: Operator) -> Operator:
        OPERATORS.update(dict.fromkeys(names, function))
        return function

    return register


def _simple(**functions: Callable[..., Tensor]) -> None:
    """Register functions of tensors without attributes."""
    for name, function in functions.items():
        OPERATORS[name] = _without_attributes(function)


def _without_attributes(function: Callable[..., Tensor]) -> Operator:
    return lambda inputs, _: function(*inputs)


def _power(base: Tensor, exponent: Tensor) -> Tensor:
    return torch.pow(base, exponent).to(base.dtype)


def _divide(one: Tensor, other: Tensor) -> Tensor:
    if one.is_floating_point():
        return one / other
    return torch.div(one, other, rounding_mode="trunc")


_simple(
    Add=torch.add,
    Sub=torch.sub,
    Mul=torch.mul,
    Div=_divide,
    Pow=_power,
    MatMul=torch.matmul,
    Neg=torch.neg,
    Abs=torch.abs,
    Sqrt=torch.sqrt,
    Reciprocal=torch.reciprocal,
    Exp=torch.exp,
    Log=torch.log,
    Sin=torch.sin,
    Cos=torch.cos,
    Floor=torch.floor,
    Ceil=torch.ceil,
    Round=torch.round,
    Sign=torch.sign,
    Erf=torch.erf,
    Relu=torch.relu,
    Sigmoid=torch.sigmoid,
    Tanh=torch.tanh,
    Softplus=F.softplus,
    Softsign=F.softsign,
    Mish=F.mish,
    HardSwish=F.hardswish,
    Where=torch.where,
    Equal=torch.eq,
    Greater=torch.gt,
    GreaterOrEqual=torch.ge,
    Less=torch.lt,
    LessOrEqual=torch.le,
    Not=torch.logical_not,
    And=torch.logical_and,
    Or=torch.logical_or,
    Identity=lambda values: values,
    Range=lambda start, end, step: torch.arange(start.item(), end.item(), step.item()),
)


def _given(inputs: list[Any], place: int) -> Any:
    """Return an input, None where it is left out."""
    return inputs[place] if place < len(inputs) else None


def _numbers(values: Tensor | None) -> list[int] | None:
    return None if values is None else [int(value) for value in values.flatten().tolist()]


def _list(inputs: list[Any], place: int, attributes: Attributes, name: str) -> list[int] | None:
    """Return numbers that newer opsets have as an input and older ones as an attribute."""
    found = _numbers(_given(inputs, place))
    return list(attributes[name]) if found is None and name in attributes else found


@operator("Dropout")
def _dropout(inputs: list[Any], attributes: Attributes) -> Tensor:
    found: Tensor = inputs[0]
    return found


@operator("Constant")
def _constant(inputs: list[Any], attributes: Attributes) -> Tensor:
    for name, dtype in (("value_float", torch.float32), ("value_int", torch.int64)):
        if name in attributes or f"{name}s" in attributes:
            return torch.tensor(attributes.get(name, attributes.get(f"{name}s")), dtype=dtype)
    found: Tensor = attributes["value"]
    return found


@operator("ConstantOfShape")
def _constant_of_shape(inputs: list[Any], attributes: Attributes) -> Tensor:
    value = attributes.get("value", torch.zeros(1))
    return torch.full(tuple(inputs[0].tolist()), value.item(), dtype=value.dtype)


@operator("Cast")
def _cast(inputs: list[Any], attributes: Attributes) -> Tensor:
    if attributes["to"] not in _DTYPES:
        raise SemveilError(f"Cast to type {attributes['to']} of ONNX is not known")
    return inputs[0].to(_DTYPES[attributes["to"]])


@operator("CastLike")
def _cast_like(inputs: list[Any], attributes: Attributes) -> Tensor:
    return inputs[0].to(inputs[1].dtype)


@operator("LeakyRelu")
def _leaky_relu(inputs: list[Any], attributes: Attributes) -> Tensor:
    return F.leaky_relu(inputs[0], attributes.get("alpha", 0.01))


@operator("PRelu")
def _prelu(inputs: list[Any], attributes: Attributes) -> Tensor:
    return torch.where(inputs[0] < 0, inputs[0] * inputs[1], inputs[0])


@operator("Elu")
def _elu(inputs: list[Any], attributes: Attributes) -> Tensor:
    return F.elu(inputs[0], attributes.get("alpha", 1.0))


@operator("Selu")
def _selu(inputs: list[Any], attributes: Attributes) -> Tensor:
    alpha, gamma = attributes.get("alpha", 1.67326319), attributes.get("gamma", 1.05070102)
    return gamma * F.elu(inputs[0], alpha)


@operator("HardSigmoid")
def _hard_sigmoid(inputs: list[Any], attributes: Attributes) -> Tensor:
    slope, offset = attributes.get("alpha", 0.2), attributes.get("beta", 0.5)
    return (slope * inputs[0] + offset).clamp(0, 1)


@operator("Gelu")
def _gelu(inputs: list[Any], attributes: Attributes) -> Tensor:
    return F.gelu(inputs[0], approximate=attributes.get("approximate", "none"))


@operator("Clip")
def _clip(inputs: list[Any], attributes: Attributes) -> Tensor:
    low, high = (
        _given(inputs, place) if _given(inputs, place) is not None else attributes.get(name)
        for place, name in ((1, "min"), (2, "max"))
    )
    if low is None and high is None:
        return inputs[0]
    return torch.clamp(inputs[0], low, high)


@operator("Softmax", "LogSoftmax")
def _softmax(inputs: list[Any], attributes: Attributes) -> Tensor:
    log = attributes["op_type"] == "LogSoftmax"
    if attributes["opset"] < 13:  # over all dimensions from the axis on
        flat = inputs[0].flatten(attributes.get("axis", 1))
        return (F.log_softmax if log else F.softmax)(flat, -1).view_as(inputs[0])
    return (F.log_softmax if log else F.softmax)(inputs[0], attributes.get("axis", -1))


@operator("Min", "Max", "Sum", "Mean")
def _across(inputs: list[Any], attributes: Attributes) -> Tensor:
    found, kind = inputs[0], attributes["op_type"]
    for other in inputs[1:]:
        pair = {"Min": torch.minimum, "Max": torch.maximum}.get(kind, torch.add)
        found = pair(found, other)
    return found / len(inputs) if kind == "Mean" else found


@operator("Gemm")
def _gemm(inputs: list[Any], attributes: Attributes) -> Tensor:
    one, other = inputs[:2]
    one = one.T if attributes.get("transA", 0) else one
    other = other.T if attributes.get("transB", 0) else other
    found = attributes.get("alpha", 1.0) * (one @ other)
    added = _given(inputs, 2)
    return found if added is None else found + attributes.get("beta", 1.0) * added


def _kernel_pads(
    attributes: Attributes, sizes: Sequence[int], kernel: Sequence[int]
) -> tuple[list[int], list[int], list[int], list[int]]:
    """Return strides, dilations and the pads at the beginnings and ends of the sides."""
    sides = len(kernel)
    strides = list(attributes.get("strides", [1] * sides))
    dilations = list(attributes.get("dilations", [1] * sides))
    pads = list(attributes.get("pads", [0] * 2 * sides))
    auto = attributes.get("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        whole = [
            max(0, (math.ceil(size / stride) - 1) * stride + dilation * (width - 1) + 1 - size)
            for size, stride, dilation, width in zip(sizes, strides, dilations, kernel, strict=True)
        ]
        less, more = [each // 2 for each in whole], [each - each // 2 for each in whole]
        pads = [*less, *more] if auto == "SAME_UPPER" else [*more, *less]
    elif auto == "VALID":
        pads = [0] * 2 * sides
    return strides, dilations, pads[:sides], pads[sides:]


def _padded(maps: Tensor, first: list[int], last: list[int], value: float = 0.0) -> Tensor:
    amounts = [pad for pair in zip(reversed(first), reversed(last), strict=True) for pad in pair]
    return F.pad(maps, amounts, value=value) if any(amounts) else maps


@operator("Conv")
def _conv(inputs: list[Any], attributes: Attributes) -> Tensor:
    maps, weight, bias = inputs[0], inputs[1], _given(inputs, 2)
    strides, dilations, first, last = _kernel_pads(attributes, maps.shape[2:], weight.shape[2:])
    convolve: Any = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[weight.ndim - 2]
    groups = attributes.get("group", 1)
    if first == last:
        return convolve(maps, weight, bias, strides, first, dilations, groups)
    return convolve(_padded(maps, first, last), weight, bias, strides, 0, dilations, groups)


@operator("ConvTranspose")
def _conv_transpose(inputs: list[Any], attributes: Attributes) -> Tensor:
    maps, weight, bias = inputs[0], inputs[1], _given(inputs, 2)
    sides = weight.ndim - 2
    strides, dilations, first, last = _kernel_pads(attributes, maps.shape[2:], weight.shape[2:])
    extra = list(attributes.get("output_padding", [0] * sides))
    full = [
        (size - 1) * stride + dilation * (width - 1) + 1 + more
        for size, stride, dilation, width, more in zip(
            maps.shape[2:], strides, dilations, weight.shape[2:], extra, strict=True
        )
    ]
    auto, wanted = attributes.get("auto_pad", "NOTSET"), attributes.get("output_shape")
    if wanted is None and auto in ("SAME_UPPER", "SAME_LOWER"):
        wanted = [size * stride for size, stride in zip(maps.shape[2:], strides, strict=True)]
    if wanted is not None:
        cut = [have - want for have, want in zip(full, wanted[-sides:], strict=True)]
        less, more_ = [each // 2 for each in cut], [each - each // 2 for each in cut]
        first, last = (less, more_) if auto == "SAME_UPPER" else (more_, less)
    convolve: Any = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}[sides]
    found = convolve(maps, weight, bias, strides, 0, extra, attributes.get("group", 1), dilations)
    for side, (begin, end) in enumerate(zip(first, last, strict=True)):
        found = found.narrow(2 + side, begin, found.shape[2 + side] - begin - end)
    return found


@operator("MaxPool", "AveragePool")
def _pool(inputs: list[Any], attributes: Attributes) -> Tensor:
    maps, kernel = inputs[0], attributes["kernel_shape"]
    if attributes.get("ceil_mode", 0) or len(attributes["outputs"]) > 1:
        raise SemveilError("pooling with ceil_mode or indices is not known")
    strides, dilations, first, last = _kernel_pads(attributes, maps.shape[2:], kernel)
    sides = len(kernel)
    if attributes["op_type"] == "MaxPool":
        pool: Any = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[sides]
        return pool(_padded(maps, first, last, -math.inf), kernel, strides, 0, dilations)
    if any(dilation != 1 for dilation in dilations):
        raise SemveilError("AveragePool with dilations is not known")
    mean: Any = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}[sides]
    found = mean(_padded(maps, first, last), kernel, strides)
    if attributes.get("count_include_pad", 0) or not any([*first, *last]):
        return found
    return found / mean(_padded(torch.ones_like(maps), first, last), kernel, strides)


@operator("GlobalAveragePool", "GlobalMaxPool")
def _global_pool(inputs: list[Any], attributes: Attributes) -> Tensor:
    sides = tuple(range(2, inputs[0].ndim))
    if attributes["op_type"] == "GlobalMaxPool":
        return inputs[0].amax(sides, keepdim=True)
    return inputs[0].mean(sides, keepdim=True)


@operator("BatchNormalization")
def _batch_norm(inputs: list[Any], attributes: Attributes) -> Tensor:
    if attributes.get("training_mode", 0):
        raise SemveilError("BatchNormalization in training mode: export in evaluation mode")
    maps, scale, shift, mean, variance = inputs
    return F.batch_norm(maps, mean, variance, scale, shift, eps=attributes.get("epsilon", 1e-5))


@operator("InstanceNormalization")
def _instance_norm(inputs: list[Any], attributes: Attributes) -> Tensor:
    return F.instance_norm(
        inputs[0], weight=inputs[1], bias=inputs[2], eps=attributes.get("epsilon", 1e-5)
    )


@operator("LayerNormalization")
def _layer_norm(inputs: list[Any], attributes: Attributes) -> Tensor:
    axis = attributes.get("axis", -1) % inputs[0].ndim
    found = F.layer_norm(
        inputs[0], tuple(inputs[0].shape[axis:]), eps=attributes.get("epsilon", 1e-5)
    )
    shift = _given(inputs, 2)
    found = found * inputs[1]
    return found if shift is None else found + shift


@operator("GroupNormalization")
def _group_norm(inputs: list[Any], attributes: Attributes) -> Tensor:
    maps, scale, shift = inputs
    groups = attributes["num_groups"]
    if len(scale) == groups != maps.shape[1]:  # opset 18: one number per group
        repeats = maps.shape[1] // groups
        scale, shift = scale.repeat_interleave(repeats), shift.repeat_interleave(repeats)
    return F.group_norm(maps, groups, scale, shift, attributes.get("epsilon", 1e-5))


@operator("LpNormalization")
def _lp_norm(inputs: list[Any], attributes: Attributes) -> Tensor:
    return F.normalize(inputs[0], attributes.get("p", 2), attributes.get("axis", -1), eps=0.0)


@operator("Reshape")
def _reshape(inputs: list[Any], attributes: Attributes) -> Tensor:
    sizes = _numbers(inputs[1]) or []
    if not attributes.get("allowzero", 0):
        sizes = [size or inputs[0].shape[place] for place, size in enumerate(sizes)]
    return inputs[0].reshape(sizes)


@operator("Flatten")
def _flatten(inputs: list[Any], attributes: Attributes) -> Tensor:
    axis = attributes.get("axis", 1)
    axis += inputs[0].ndim if axis < 0 else 0
    rows = math.prod(inputs[0].shape[:axis])
    return inputs[0].reshape(rows, -1)


@operator("Transpose")
def _transpose(inputs: list[Any], attributes: Attributes) -> Tensor:
    return inputs[0].permute(tuple(attributes.get("perm", range(inputs[0].ndim - 1, -1, -1))))


@operator("Concat")
def _concat(inputs: list[Any], attributes: Attributes) -> Tensor:
    return torch.cat(inputs, attributes["axis"])


@operator("Split")
def _split(inputs: list[Any], attributes: Attributes) -> tuple[Tensor, ...]:
    axis, parts = attributes.get("axis", 0), _list(inputs, 1, attributes, "split")
    if parts is None:
        count = attributes.get("num_outputs", len(attributes["outputs"]))
        return inputs[0].split(-(-inputs[0].shape[axis] // count), axis)
    return inputs[0].split(parts, axis)


@operator("Slice")
def _slice(inputs: list[Any], attributes: Attributes) -> Tensor:
    values, starts, ends = inputs[0], _numbers(inputs[1]) or [], _numbers(inputs[2]) or []
    axes = _numbers(_given(inputs, 3)) or list(range(len(starts)))
    steps = _numbers(_given(inputs, 4)) or [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        places = range(values.shape[axis])[start:end:step]
        if step == 1:
            values = values.narrow(axis, places.start, len(places))
        else:
            values = values.index_select(axis, torch.tensor(list(places), dtype=torch.int64))
    return values


@operator("Gather")
def _gather(inputs: list[Any], attributes: Attributes) -> Tensor:
    values, places = inputs
    axis = attributes.get("axis", 0) % values.ndim
    places = torch.where(places < 0, places + values.shape[axis], places)
    found = values.index_select(axis, places.flatten())
    return found.reshape(*values.shape[:axis], *places.shape, *values.shape[axis + 1 :])


@operator("GatherElements")
def _gather_elements(inputs: list[Any], attributes: Attributes) -> Tensor:
    axis = attributes.get("axis", 0)
    places = torch.where(inputs[1] < 0, inputs[1] + inputs[0].shape[axis], inputs[1])
    return inputs[0].gather(axis, places)


@operator("GatherND")
def _gather_nd(inputs: list[Any], attributes: Attributes) -> Tensor:
    if attributes.get("batch_dims", 0):
        raise SemveilError("GatherND with batch_dims is not known")
    return inputs[0][tuple(inputs[1].unbind(-1))]


@operator("Squeeze")
def _squeeze(inputs: list[Any], attributes: Attributes) -> Tensor:
    axes = _list(inputs, 1, attributes, "axes")
    return inputs[0].squeeze() if axes is None else inputs[0].squeeze(tuple(axes))


@operator("Unsqueeze")
def _unsqueeze(inputs: list[Any], attributes: Attributes) -> Tensor:
    axes, values = _list(inputs, 1, attributes, "axes") or [], inputs[0]
    rank = values.ndim + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        values = values.unsqueeze(axis)
    return values


@operator("Expand")
def _expand(inputs: list[Any], attributes: Attributes) -> Tensor:
    shape = torch.broadcast_shapes(inputs[0].shape, tuple(inputs[1].tolist()))
    return inputs[0].expand(shape)


@operator("Tile")
def _tile(inputs: list[Any], attributes: Attributes) -> Tensor:
    return inputs[0].repeat(inputs[1].tolist())


@operator("Shape")
def _shape(inputs: list[Any], attributes: Attributes) -> Tensor:
    sizes = list(inputs[0].shape)[attributes.get("start", 0) : attributes.get("end")]
    return torch.tensor(sizes, dtype=torch.int64)


@operator("Size")
def _size(inputs: list[Any], attributes: Attributes) -> Tensor:
    return torch.tensor(inputs[0].numel(), dtype=torch.int64)


@operator("Pad")
def _pad(inputs: list[Any], attributes: Attributes) -> Tensor:
    values, mode = inputs[0], attributes.get("mode", "constant")
    pads = _list(inputs, 1, attributes, "pads") or []
    axes = _numbers(_given(inputs, 3)) or list(range(len(pads) // 2))
    amounts = [0] * 2 * values.ndim
    for place, axis in enumerate(axes):
        last = 2 * (values.ndim - 1 - axis % values.ndim)
        amounts[last], amounts[last + 1] = pads[place], pads[place + len(axes)]
    if mode == "constant":
        filled = _given(inputs, 2)
        return F.pad(values, amounts, value=0.0 if filled is None else filled.item())
    while amounts[-2:] == [0, 0] and len(amounts) > 2 * (values.ndim - 2):
        amounts = amounts[:-2]
    return F.pad(values, amounts, mode={"edge": "replicate", "reflect": "reflect"}[mode])


@operator("Resize", "Upsample")
def _resize(inputs: list[Any], attributes: Attributes) -> Tensor:
    maps = inputs[0]
    old = attributes["op_type"] == "Upsample"
    scales, sizes = _given(inputs, 1 if old else 2), None if old else _given(inputs, 3)
    mode = attributes.get("mode", "nearest")
    where = attributes.get("coordinate_transformation_mode", "asymmetric" if old else "half_pixel")
    if sizes is not None:
        sizes = [int(size) for size in sizes]
    else:
        sizes = [int(size * scale) for size, scale in zip(maps.shape, scales.tolist(), strict=True)]
    if sizes[:2] != list(maps.shape[:2]) or maps.ndim != 4:
        raise SemveilError("Resize of other dimensions than height and width is not known")
    if mode == "nearest":
        whole = all(new % have == 0 for new, have in zip(sizes, maps.shape, strict=True))
        floor = where == "asymmetric" and attributes.get("nearest_mode", "floor") == "floor"
        if not (whole or floor):
            raise SemveilError("Resize by the nearest pixel knows whole factors alone")
        return F.interpolate(maps, sizes[2:], mode="nearest")
    if mode not in ("linear", "cubic") or where not in (
        "half_pixel",
        "pytorch_half_pixel",
        "align_corners",
    ):
        raise SemveilError(f"Resize by {mode} with {where} is not known")
    if mode == "cubic" and attributes.get("cubic_coeff_a", -0.75) != -0.75:
        raise SemveilError("Resize by cubic knows the coefficient -0.75 alone")
    kind = {"linear": "bilinear", "cubic": "bicubic"}[mode]
    return F.interpolate(maps, sizes[2:], mode=kind, align_corners=where == "align_corners")


@operator("DepthToSpace")
def _depth_to_space(inputs: list[Any], attributes: Attributes) -> Tensor:
    block, maps = attributes["blocksize"], inputs[0]
    if attributes.get("mode", "DCR") == "DCR":
        channels = maps.shape[1] // block**2
        maps = maps.unflatten(1, (block, block, channels)).permute(0, 3, 1, 2, 4, 5)
        maps = maps.flatten(1, 3)
    return F.pixel_shuffle(maps, block)


@operator("SpaceToDepth")
def _space_to_depth(inputs: list[Any], attributes: Attributes) -> Tensor:
    block = attributes["blocksize"]
    maps = F.pixel_unshuffle(inputs[0], block).unflatten(1, (-1, block, block))
    return maps.permute(0, 2, 3, 1, 4, 5).flatten(1, 3)


@operator("ArgMax", "ArgMin")
def _arg(inputs: list[Any], attributes: Attributes) -> Tensor:
    if attributes.get("select_last_index", 0):
        raise SemveilError("ArgMax by the last index is not known")
    pick = torch.argmax if attributes["op_type"] == "ArgMax" else torch.argmin
    return pick(inputs[0], attributes.get("axis", 0), bool(attributes.get("keepdims", 1)))


@operator("CumSum")
def _cumsum(inputs: list[Any], attributes: Attributes) -> Tensor:
    if attributes.get("exclusive", 0) or attributes.get("reverse", 0):
        raise SemveilError("CumSum exclusive or in reverse is not known")
    return inputs[0].cumsum(int(inputs[1]))


@operator("OneHot")
def _one_hot(inputs: list[Any], attributes: Attributes) -> Tensor:
    depth, (off, on) = int(inputs[1]), inputs[2]
    if attributes.get("axis", -1) != -1:
        raise SemveilError("OneHot along another axis than the last is not known")
    return torch.where(F.one_hot(inputs[0].long() % depth, depth).bool(), on, off)


_REDUCTIONS: dict[str, Callable[[Tensor, tuple[int, ...], bool], Tensor]] = {
    "ReduceSum": lambda values, axes, keep: values.sum(axes, keepdim=keep),
    "ReduceMean": lambda values, axes, keep: values.mean(axes, keepdim=keep),
    "ReduceMax": lambda values, axes, keep: values.amax(axes, keepdim=keep),
    "ReduceMin": lambda values, axes, keep: values.amin(axes, keepdim=keep),
    "ReduceL1": lambda values, axes, keep: values.abs().sum(axes, keepdim=keep),
    "ReduceL2": lambda values, axes, keep: values.square().sum(axes, keepdim=keep).sqrt(),
    "ReduceSumSquare": lambda values, axes, keep: values.square().sum(axes, keepdim=keep),
    "ReduceLogSumExp": lambda values, axes, keep: values.logsumexp(axes, keepdim=keep),
}


@operator(*_REDUCTIONS)
def _reduce(inputs: list[Any], attributes: Attributes) -> Tensor:
    axes = _list(inputs, 1, attributes, "axes")
    if axes is None or not axes:
        if attributes.get("noop_with_empty_axes", 0):
            return inputs[0]
        axes = list(range(inputs[0].ndim))
    keep = bool(attributes.get("keepdims", 1))
    return _REDUCTIONS[attributes["op_type"]](inputs[0], tuple(axes), keep)


class Interpreted(nn.Module):
    """An ONNX graph as a network: runs its nodes in their order.

    Args:
        model: The model, as ``onnx.load`` returns it, checked.

    Raises:
        SemveilError: If it has an operator that is not among :data:`OPERATORS`.

    Example:
        >>> "Conv" in OPERATORS and "LSTM" not in OPERATORS
        True
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        helper: Any = import_module("onnx.numpy_helper")
        versions = {each.domain: each.version for each in model.opset_import}
        self.opset = versions.get("", versions.get("ai.onnx", 1))
        unknown = {node.op_type for node in model.graph.node} - OPERATORS.keys()
        if unknown:
            raise SemveilError(f"no gradients through {', '.join(sorted(unknown))}")
        self.values: dict[str, str] = {}
        for place, tensor in enumerate(model.graph.initializer):
            value = torch.from_numpy(helper.to_array(tensor).copy())
            self.register_buffer(f"value_{place}", value, persistent=False)
            self.values[tensor.name] = f"value_{place}"
        self.inputs = [each.name for each in model.graph.input if each.name not in self.values]
        self.outputs = [each.name for each in model.graph.output]
        self.steps = [
            (OPERATORS[node.op_type], list(node.input), list(node.output), self._read(node, helper))
            for node in model.graph.node
        ]
        # What was read last by a node is forgotten after it.
        last: dict[str, int] = {}
        for number, (_, inputs, _, _) in enumerate(self.steps):
            last |= dict.fromkeys(inputs, number)
        self.forgotten = [
            [name for name, number in last.items() if number == step and name not in self.outputs]
            for step in range(len(self.steps))
        ]

    def _read(self, node: Any, helper: Any) -> dict[str, Any]:
        get: Any = import_module("onnx.helper").get_attribute_value
        found: dict[str, Any] = {
            "op_type": node.op_type,
            "opset": self.opset,
            "outputs": list(node.output),
        }
        for attribute in node.attribute:
            value = get(attribute)
            if isinstance(value, bytes):
                value = value.decode()
            elif hasattr(value, "raw_data"):
                value = torch.from_numpy(helper.to_array(value).copy())
            found[attribute.name] = value
        return found

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run the graph on one tensor per input, and return every output."""
        known: dict[str, Any] = {"": None}
        known |= {name: getattr(self, place) for name, place in self.values.items()}
        known |= dict(zip(self.inputs, inputs, strict=True))
        for number, (function, names, outputs, attributes) in enumerate(self.steps):
            found = function([known[name] for name in names], attributes)
            results = found if isinstance(found, tuple) else (found,)
            known.update(zip(outputs, results, strict=False))
            for name in self.forgotten[number]:
                known.pop(name, None) if name else None
        return tuple(known[name] for name in self.outputs)
