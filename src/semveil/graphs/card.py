"""The card of an exported link: its ``README.md``, made from ``card.json`` alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def card_text(card: Mapping[str, Any]) -> str:
    """Return the card as Markdown."""
    parts = [
        f"# {card['system']}, exported",
        f"Both ends of the link `{card['system']}` (scheme `{card['scheme']}`, trained on "
        f"{card['dataset']}, {card['channel']}, {card['train_snr_db']:g} dB) as ONNX graphs, opset "
        f"{card['opset']}. Made by semveil {card['semveil']}. `card.json` states the same for "
        "programs.",
        "## Graphs",
        _table(("file", "weights", "bytes", "greatest difference from torch"), _files(card)),
        f"Differences were measured on {card['parity_images']} images: of symbols, whose power is "
        "one, of logits, and of pictures in [0, 1]. "
        + (
            f"The scales of the graphs in eight bits come from {card['calibration_images']} "
            "training images (static quantisation, QDQ). Convolutions and dense layers have eight "
            "bits; power, constellation and decisions stay in float32."
            if card["calibration_images"]
            else "There are no graphs in eight bits."
        ),
        "## Inputs and outputs",
        _table(("graph", "tensor", "shape"), _tensors(card)),
        f"All are float32; B is free. Images lie in [0, 1]. `symbols` are real parts "
        f"`[:, 0]` and imaginary parts `[:, 1]`; their power is {card['power']}. The decoder takes "
        "MMSE-equalised, decrypted symbols and their reliability `|h|²/(|h|² + σ²)`, as "
        "`reference.equalise` returns them.",
        "## Use",
        f"What stays outside of the graphs is in `reference.py`: {_outside(card)}.",
        f"```python\n{example(card)}```",
        f"Guarantee of the scheme: {card['guarantee']}.",
    ]
    return "\n\n".join(parts) + "\n"


def example(card: Mapping[str, Any]) -> str:
    """Return a program that sends random images over the exported link, in its folder."""
    outside, shape = card["outside"], tuple(card["encoder"]["inputs"]["images"][1:])
    transform, ofdm = outside["transform"], outside["ofdm"]
    keyed = bool(transform) and transform["function"] != "key_bits"
    bits = bool(transform) and transform["function"] == "key_bits"
    lines = [
        "import numpy as np",
        "import onnxruntime",
        "import reference",
        "",
        'encoder = onnxruntime.InferenceSession("encoder.onnx")',
        'decoder = onnxruntime.InferenceSession("decoder.onnx")',
        f"images = np.random.rand(2, {', '.join(map(str, shape))}).astype(np.float32)",
    ]
    extra = ""
    if transform:
        settings = "".join(f", {key}={value!r}" for key, value in transform["settings"].items())
        lines += [
            "key = bytes(32)  # 32 secret bytes, the same for Bob",
            "messages = np.arange(2)  # a counter for every image, never used again",
        ]
    if bits:
        lines += [f"bits = reference.key_bits(key, messages{settings})"]
        extra = ', "key": bits'
    lines += [
        f'(reals,) = encoder.run(None, {{"images": images{extra}}})',
        "symbols = reference.to_complex(reals)",
    ]
    if keyed:
        call = f"reference.{transform['function']}(symbols, key, messages"
        lines += [f"symbols = {call}{settings})"]
    lines += ["variance = 0.1  # noise per complex sample: an SNR of 10 dB"]
    if ofdm:
        frame = "".join(f", {key}={value!r}" for key, value in ofdm["settings"].items())
        profile = "" if ofdm["profile"] is None else ", profile=profile"
        lines += [
            f"samples = reference.ofdm_modulate(symbols{frame})",
            "noise = np.random.randn(*samples.shape, 2) @ [1, 1j] * np.sqrt(variance / 2)",
            "received = samples + noise  # the channel",
            *([] if not profile else [f"profile = np.array({_rounded(ofdm['profile'])})"]),
            "symbols, reliability = reference.ofdm_demodulate(",
            f"    received, symbols.shape[1]{frame}, variance=variance{profile}",
            ")",
        ]
    else:
        lines += [
            "noise = np.random.randn(*symbols.shape, 2) @ [1, 1j] * np.sqrt(variance / 2)",
            "received = symbols + noise  # the channel, with a coefficient h of one",
            "h = np.ones((2, 1))",
            "symbols, reliability = reference.equalise(received, h, variance)",
        ]
    if keyed:
        lines += [f"symbols = {call}, back=True{settings})"]
    lines += [
        'heard = {"symbols": reference.to_reals(symbols), "reliability": reliability' + extra + "}",
        "answers = decoder.run(None, heard)",
    ]
    return "\n".join(lines) + "\n"


def _rounded(values: list[float]) -> str:
    return "[" + ", ".join(f"{value:.6g}" for value in values) + "]"


def _outside(card: Mapping[str, Any]) -> str:
    outside = card["outside"]
    parts = ["equalisation"]
    if outside["ofdm"]:
        parts = ["OFDM with pilots, channel estimation and equalisation"]
    if outside["transform"]:
        function = outside["transform"]["function"]
        parts.insert(0, {"rotate": "the keyed rotation", "shuffle": "the keyed permutation"}.get(
            function, "the bits of the key that both graphs take"))  # fmt: skip
    return " and ".join(parts)


def _files(card: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, file in card["files"].items():
        differences = file["max_abs_difference"].items()
        told = ", ".join(f"{output} {value:.2g}" for output, value in differences)
        yield f"`{name}`", file["precision"], f"{file['bytes']:,}", told


def _tensors(card: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for graph in ("encoder", "decoder"):
        for kind in ("inputs", "outputs"):
            for name, shape in card[graph][kind].items():
                yield f"{graph}, {kind[:-1]}", f"`{name}`", f"[{', '.join(map(str, shape))}]"


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
