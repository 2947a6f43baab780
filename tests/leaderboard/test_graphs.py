"""Defences from outside as graphs in ONNX: scored like links, and refused by name as cheats."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import yaml

from commands import refusal, succeed
from semveil import data

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper, save

K, PIXELS, CLASSES = 16, 64, 10


def mixing() -> np.ndarray:
    """Alice's linear map: orthogonal directions."""
    random = np.random.default_rng(0).standard_normal((PIXELS, 2 * K))
    return np.linalg.qr(random)[0].astype(np.float32)


def write(path: Path, nodes, inputs, outputs, constants) -> str:
    """Write a graph and return its SHA-256."""
    tensors = [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()]

    def value(name, shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])

    graph = helper.make_graph(
        [helper.make_node(kind, ins, outs, **how) for kind, ins, outs, how in nodes],
        "graph",
        [value(*each) for each in inputs],
        [value(*each) for each in outputs],
        tensors,
    )
    opset = [helper.make_opsetid("", 18)]
    save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def enter(board: Path, *, gain_db: float = 0.0, batch: bool = False) -> Path:
    """Enter a linear encoder of unit power, and a decoder by least squares."""
    entry = board / "my-linear-graph"
    (entry / "model").mkdir(parents=True)
    scale = np.float32(K**0.5 * 10 ** (gain_db / 20))
    centre = [("ReduceMean", ["flat", "first"], ["mean"], {"keepdims": 1}),
              ("Sub", ["flat", "mean"], ["seen"], {})] if batch else [
              ("Identity", ["flat"], ["seen"], {})]  # fmt: skip
    encoder = write(
        entry / "model" / "encoder.onnx",
        [
            ("Flatten", ["images"], ["flat"], {"axis": 1}),
            *centre,
            ("MatMul", ["seen", "mixing"], ["latent"], {}),
            ("ReduceL2", ["latent", "last"], ["norm"], {"keepdims": 1}),
            ("Div", ["latent", "norm"], ["unit"], {}),
            ("Mul", ["unit", "scale"], ["scaled"], {}),
            ("Reshape", ["scaled", "shape"], ["symbols"], {}),
        ],
        [("images", [1, 8, 8])],
        [("symbols", [2, K])],
        {
            "mixing": mixing(),
            "scale": scale,
            "first": np.array([0], np.int64),
            "last": np.array([1], np.int64),
            "shape": np.array([-1, 2, K], np.int64),
        },
    )
    splits = data.load("digits")
    latent = splits.system.x.reshape(-1, PIXELS) / np.float32(255) @ mixing()
    sent = latent / np.linalg.norm(latent, axis=1, keepdims=True) * K**0.5
    known = np.eye(CLASSES)[splits.system.y]
    weights = np.linalg.solve(sent.T @ sent + 10 * np.eye(2 * K), sent.T @ known)
    decoder = write(
        entry / "model" / "decoder.onnx",
        [
            ("Flatten", ["symbols"], ["flat"], {"axis": 1}),
            ("MatMul", ["flat", "weights"], ["logits"], {}),
        ],
        [("symbols", [2, K])],
        [("logits", [CLASSES])],
        {"weights": weights.astype(np.float32)},
    )
    stated = {
        "name": entry.name,
        "kind": "defence",
        "authors": ["A. Stranger"],
        "paper": None,
        "licence": "MIT",
        "data": "digits",
        "channel": "awgn/perfect",
        "snr_db": 12.0,
        "bandwidth_ratio": K / PIXELS,
        "asymmetry": "task",
        "threat_model": "Eve wants the image, and Bob the label.",
        "tracks": ["image-privacy"],
        "model": {"encoder": encoder, "decoder": decoder},
    }
    (entry / "entry.yaml").write_text(yaml.safe_dump(stated))
    return entry


def test_a_graph_from_outside_is_checked(semveil, tmp_path):
    out = succeed(semveil("leaderboard", "check", enter(tmp_path / "board"))).out
    assert "accepted" in out
    assert f"{PIXELS * 2 * K + 2 * K * CLASSES + 1} parameters" in out


def test_a_graph_of_too_much_power_is_refused(tmp_path, check):
    line = refusal(check(enter(tmp_path / "board", gain_db=1.0)))
    assert "power is 1.259 per symbol, not 1" in line


def test_a_defence_that_depends_on_its_batch_is_refused(tmp_path, check):
    line = refusal(check(enter(tmp_path / "board", batch=True)))
    assert "depends on the other images of its batch" in line


def test_an_altered_graph_is_refused(tmp_path, check):
    entry = enter(tmp_path / "board")
    with (entry / "model" / "decoder.onnx").open("ab") as file:
        file.write(b"\x00")
    assert "wrong digest" in refusal(check(entry))
