"""Models of others: what is refused before anything of it runs, and how the rest is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from commands import CommandLine, refusal
from semveil.channel import Channel
from semveil.errors import SemveilError
from semveil.graphs.foreign import ForeignDecoder, ForeignEncoder
from semveil.graphs.load import Runner, read_graph
from semveil.rng import generator

pytest.importorskip("onnxruntime")

IMAGES = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
SHAPE = ["B", 1, 8, 8]


def weights(rows: int, columns: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((rows, columns)).astype(np.float32)


def model(
    nodes: list[Any],
    inputs: dict[str, list[Any] | None],
    outputs: dict[str, list[Any] | None],
    held: dict[str, np.ndarray] | None = None,
    kind: int = TensorProto.FLOAT,
    domains: tuple[str, ...] = ("",),
) -> Any:
    def infos(shapes: dict[str, list[Any] | None]) -> list[Any]:
        return [helper.make_tensor_value_info(name, kind, shape) for name, shape in shapes.items()]

    graph = helper.make_graph(
        nodes,
        "graph",
        infos(inputs),
        infos(outputs),
        [numpy_helper.from_array(value, name) for name, value in (held or {}).items()],
    )
    imports = [helper.make_opsetid(domain, 18) for domain in domains]
    found = helper.make_model(graph, opset_imports=imports)
    found.ir_version = 10
    return found


def linear(reals: int = 16, shape: list[Any] | None = None, sizes: tuple[int, ...] = ()) -> Any:
    """Return a linear encoder: pixels times a matrix, in the shape ``[B, *sizes]``."""
    nodes = [
        helper.make_node("Flatten", ["images"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["latent" if sizes else "out"]),
    ]
    held = {"matrix": weights(64, reals)}
    if sizes:
        nodes.append(helper.make_node("Reshape", ["latent", "sizes"], ["out"]))
        held["sizes"] = np.array([-1, *sizes], np.int64)
    return model(nodes, {"images": shape or SHAPE}, {"out": ["B", *(sizes or (reals,))]}, held)


def saved(path: Path, found: Any) -> Path:
    path.write_bytes(found.SerializeToString())
    return path


def one_node(name: str, domain: str = "") -> Any:
    node = helper.make_node(name, ["images"], ["out"], domain=domain)
    domains = ("",) if not domain else ("", domain)
    return model([node], {"images": SHAPE}, {"out": SHAPE}, domains=domains)


def within_a_loop() -> Any:
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("on", TensorProto.BOOL, [])],
    )
    node = helper.make_node("Loop", ["", "yes"], [], body=body)
    relu = helper.make_node("Relu", ["images"], ["out"])
    held = {"yes": np.array(True)}
    return model([node, relu], {"images": SHAPE}, {"out": SHAPE}, held)


def truncated(path: Path) -> Path:
    content = linear().SerializeToString()
    path.write_bytes(content[: len(content) // 2])
    return path


def short_weights(path: Path) -> Path:
    found = linear()
    found.graph.initializer[0].raw_data = found.graph.initializer[0].raw_data[:-4]
    return saved(path, found)


def outside(path: Path, where: str) -> Path:
    found = linear()
    onnx.external_data_helper.set_external_data(found.graph.initializer[0], where)
    found.graph.initializer[0].ClearField("raw_data")
    return saved(path, found)


def sparse(path: Path) -> Path:
    with path.open("wb") as file:
        file.truncate(4 << 30)
    return path


def linked(path: Path) -> Path:
    """Weights that look as if they were beside the model, and are a link to another folder."""
    secret = path.parent.parent / "secret.bin"
    secret.write_bytes(weights(64, 16).tobytes())
    (path.parent / "weights.bin").symlink_to(secret)
    return outside(path, "weights.bin")


BAD = {
    "text": (lambda path: path.write_text("hello") and path, "is damaged, or no ONNX file"),
    "empty": (lambda path: path.write_bytes(b"") or path, "it holds no graph"),
    "truncated": (truncated, "is damaged"),
    "short-weights": (short_weights, "is damaged"),
    "dynamic-rank": (
        lambda path: saved(path, model(
            [helper.make_node("Relu", ["images"], ["out"])], {"images": None}, {"out": None}
        )),
        "its input images is of dynamic rank",
    ),
    "doubles": (
        lambda path: saved(path, model(
            [helper.make_node("Relu", ["images"], ["out"])], {"images": SHAPE}, {"out": SHAPE},
            kind=TensorProto.DOUBLE,
        )),
        "its input images is not float32",
    ),
    "unknown-operator": (lambda path: saved(path, one_node("Frobnicate")),
                         "unknown operator Frobnicate"),
    "own-domain": (lambda path: saved(path, one_node("Run", "evil")),
                   "unknown operator Run of evil"),
    "loop": (lambda path: saved(path, within_a_loop()), "has a graph within Loop"),
    "parent": (lambda path: outside(path, "../secret.bin"), "weights outside of its folder"),
    "absolute": (lambda path: outside(path, "/etc/passwd"), "weights outside of its folder"),
    "link": (linked, "weights outside of its folder"),
    "missing-weights": (lambda path: outside(path, "gone.bin"), "cannot read its weights gone.bin"),
    "4-GB": (sparse, "it has 4294967296 bytes, more than 536870912"),
    "folder": (lambda path: path.mkdir() or path, "it is a folder"),
    "missing": (lambda path: path, "No such file"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_in_one_line_and_nothing_is_left(
    name: str, tmp_path: Path, semveil: CommandLine
) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    make, says = BAD[name]
    path = make(folder / "encoder.onnx")
    before = sorted(tmp_path.rglob("*"))
    line = refusal(semveil("audit", path, "--data", "digits", folder=tmp_path))
    assert says in line
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "--data: name the images of the encoder"),
        (["--data", "nothing"], "unknown data set 'nothing'"),
        (
            ["--data", "digits", "--snr", "loud"],
            "--snr loud: expected FIRST:LAST:STEP or numbers in dB",
        ),
        (["--data", "digits", "--set", "link.width=3"], "only settings of attack and audit"),
        (["--data", "digits", "--set", "attack.names=[nope]"], "unknown attack 'nope'"),
        (["--data", "digits"], "a symbol of two reals of unit power has a power of two"),
    ],
)
def test_wrong_words_and_a_wrong_power_are_refused(
    words: list[str], says: str, tmp_path: Path, semveil: CommandLine
) -> None:
    # Every real has unit power: 3.01 dB too much.
    nodes = [
        helper.make_node("Flatten", ["images"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["latent"]),
        helper.make_node("LpNormalization", ["latent"], ["unit"]),
        helper.make_node("Mul", ["unit", "scale"], ["out"]),
    ]
    held = {"matrix": weights(64, 16), "scale": np.array(4, np.float32)}
    loud = model(nodes, {"images": SHAPE}, {"out": ["B", 16]}, held)
    path = saved(tmp_path / "loud.onnx", loud)
    quick = ["--quiet"] if "power" in says else []
    line = refusal(semveil("audit", path, *words, *quick, folder=tmp_path))
    assert says in line
    if "power" in says:
        assert "its SNR would be 3.0 dB off" in line


@pytest.mark.parametrize(
    ("sizes", "form"),
    [((2, 8), "real and imaginary parts"), ((8, 2), "pairs"), ((), "two neighbours a symbol"),
     ((4, 2, 2), "two neighbours a symbol")],
)  # fmt: skip
def test_outputs_are_read_as_symbols(sizes: tuple[int, ...], form: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "encoder.onnx", linear(16, sizes=sizes))
    encoder = ForeignEncoder(path, IMAGES, normalise=True)
    assert form in encoder.form
    latent = IMAGES.flatten(1) @ torch.from_numpy(weights(64, 16))
    if sizes == (2, 8):
        wanted = torch.complex(*latent.unflatten(1, (2, 8)).unbind(1))
    else:
        wanted = torch.view_as_complex(latent.unflatten(1, (8, 2)))
    wanted = wanted / (wanted.abs().square().mean(1, keepdim=True)).sqrt()
    found = encoder(IMAGES, torch.Generator())
    assert torch.allclose(found, wanted, atol=1e-5)


def test_a_graph_of_a_fixed_batch_runs_on_any(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Reshape", ["images", "sizes"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["out"]),
    ]
    held = {"matrix": weights(64, 16), "sizes": np.array([2, 64], np.int64)}
    found = model(nodes, {"images": [2, 1, 8, 8]}, {"out": [2, 16]}, held)
    encoder = ForeignEncoder(saved(tmp_path / "two.onnx", found), IMAGES)
    assert encoder.runner.network is not None
    latent = IMAGES.flatten(1) @ torch.from_numpy(weights(64, 16))
    found = torch.view_as_real(encoder(IMAGES, torch.Generator())).flatten(1)
    assert torch.allclose(found, latent, atol=1e-4)


def test_weights_beside_the_model_are_read(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(weights(64, 16).tobytes())
    path = outside(tmp_path / "encoder.onnx", "weights.bin")
    found = Runner(read_graph(path)).check(IMAGES)[0]
    wanted = IMAGES.flatten(1) @ torch.from_numpy(weights(64, 16))
    assert torch.allclose(found, wanted, atol=1e-4)


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (linear(15), "15 reals per image are no whole symbols"),
        (linear(16, ["B", 3, 8, 8]), r"takes \[B, 3, 8, 8\], and the images are \[B, 1, 8, 8\]"),
        (linear(16, ["B", 64]), r"takes \[B, 64\], and the images are"),
    ],
)
def test_an_encoder_that_does_not_fit_is_refused(found: Any, says: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "encoder.onnx", found)
    with pytest.raises(SemveilError, match=says):
        ForeignEncoder(path, IMAGES)


def decoder(inputs: dict[str, list[Any]], nodes: list[Any], classes: int = 10) -> Any:
    held = {"matrix": weights(16, classes)}
    return model(nodes, inputs, {"out": ["B", classes]}, held)


def test_decoders_get_symbols_in_the_encoders_form_and_their_reliability(tmp_path: Path) -> None:
    encoder = ForeignEncoder(saved(tmp_path / "encoder.onnx", linear(16)), IMAGES, normalise=True)
    sent = encoder(IMAGES, torch.Generator())
    reception = Channel("awgn")(sent, 10.0, generator=generator(0))
    times = helper.make_node("MatMul", ["symbols", "matrix"], ["logits"])
    divide = helper.make_node("Div", ["logits", "reliability"], ["out"])
    given = {"symbols": ["B", 16], "reliability": ["B", 1]}
    path = saved(tmp_path / "decoder.onnx", decoder(given, [times, divide]))
    bob = ForeignDecoder(path, encoder, reception, 10, (1, 8, 8))
    # Over AWGN the equaliser multiplies by the reliability; divided by it, symbols are as received.
    reals = torch.view_as_real(reception.symbols).flatten(1)
    wanted = reals @ torch.from_numpy(weights(16, 10))
    assert torch.allclose(bob(reception).scores, wanted, atol=1e-4)
    alone = helper.make_node("MatMul", ["symbols", "matrix"], ["out"])
    path = saved(tmp_path / "plain.onnx", decoder({"symbols": ["B", 16]}, [alone]))
    bob = ForeignDecoder(path, encoder, reception, 10, (1, 8, 8), "zero-forcing")
    assert torch.allclose(bob(reception).scores, wanted, atol=1e-4)
    with pytest.raises(SemveilError, match=r"gives \[B, 10\]; logits are \[B, 7\]"):
        ForeignDecoder(path, encoder, reception, 7, (1, 8, 8))
    wide = saved(tmp_path / "wide.onnx", decoder({"symbols": ["B", 18]}, [alone]))
    with pytest.raises(SemveilError, match=r"takes \[B, 18\], where 8 symbols are \[B, 2, 8\]"):
        ForeignDecoder(wide, encoder, reception, 10, (1, 8, 8))
