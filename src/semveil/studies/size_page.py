"""The page of the study of size: Table III as measured, and claim by claim."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from semveil.studies.words import Value as Number
from semveil.studies.words import markdown_table, pick

OURS = "mobilesc"
REFERENCES = ("mobilenetv2", "jscc-ofdm")
# Table III: parameters of the encoder, of the decoder, seconds per 10,000 images (of either).
PUBLISHED = {
    "mobilesc": (805_464, 804_955, 5.6),
    "mobilenetv2": (1_476_032, 1_475_521, 6.2),
    "jscc-ofdm": (2_760_128, 2_759_617, 6.7),
}
# "Nearly 40 % and 64 % fewer parameters than MobileNet V2 and JSCC".
_FEWER = {"mobilenetv2": 40, "jscc-ofdm": 64}
_ENDS = ("encoder", "decoder")
IMAGES = 10_000


def page(table: pd.DataFrame) -> str:
    """Return the page: method, the table beside the published one, claim by claim."""
    rounds = int(table["n"].max())
    return (
        "# How large and how fast MobileSC is\n\n"
        "Table III of Nan et al. (MobileSC) gives the parameters of encoder and decoder and the "
        "seconds for 10,000 images, beside MobileNetV2's blocks and OFDM-guided JSCC. Here the "
        "same three are built with the published widths (64 channels at first, 256 between, 12 "
        "at the end) and measured; they differ in the blocks between their outer layers alone: "
        f"four SemBlocks, four inverted residuals, two residual blocks. Images are those of "
        f"{table['dataset'].iloc[0]} in size. Networks are untrained: cost does not hang on the "
        "weights.\n\n"
        "**How.** *FLOPs*: convolutions and matrix products for one image, a multiplication and "
        "an addition as two. *Seconds*: processor time of one thread, float32, so that waiting "
        "for others does not count; all three in turn in every round, so a ratio compares work "
        f"of the same moments; the median of {rounds} rounds with its 95 % order-statistic "
        "interval (below six rounds: their whole range). *One by one* repeats single images. "
        "*Exported*: the same network as an ONNX graph, run by onnxruntime. *Memory*: how far a "
        "new process grows while the network is built and handles one image (peak resident set "
        "less what the imports took).\n\n"
        "**Absolute times mean nothing here**: the machine was shared and is no one's target. "
        "Ratios of the same run are what can be compared.\n"
        + "".join(_table(table, series) for series in _series(table))
        + f"\n![Seconds over those of {OURS}](ratios.svg)\n"
        + _claims(table)
    )


def _series(table: pd.DataFrame) -> list[str]:
    """Return what was measured, such as ``exported encoder``."""
    return list(series_of(table).unique())


def series_of(table: pd.DataFrame) -> pd.Series:
    """Return what each record is of, such as ``exported encoder``."""
    part, exported = table["params.part"], table.get("params.exported")
    return part if exported is None else part.mask(exported.notna(), "exported " + part)


def _get(table: pd.DataFrame, system: str, series: str, metric: str) -> Number | None:
    return pick(table[series_of(table) == series], scheme=system, metric=metric)


def _table(table: pd.DataFrame, series: str) -> str:
    rows = []
    for system, published in PUBLISHED.items():
        get = [
            _get(table, system, series, metric)
            for metric in ("parameters", "flops", "peak_memory_bytes", "latency_s",
                           "throughput_per_s", "latency_ratio", "batch_ratio")
        ]  # fmt: skip
        weights, flops, memory, latency, throughput, one, batch = get
        rows.append(
            [
                system,
                f"{weights.value:,.0f}" if weights else "–",
                f"{published[_ENDS.index(series.split()[-1])]:,}",
                f"{flops.value / 1e6:.1f}" if flops else "–",
                f"{memory.value / 2**20:.1f}" if memory else "–",
                f"{IMAGES * latency.value:.1f}" if latency else "–",
                f"{IMAGES / throughput.value:.1f}" if throughput else "–",
                f"{published[2]}",
                _times(one),
                _times(batch),
                f"{published[2] / PUBLISHED[OURS][2]:.2f}",
            ]
        )
    headings = [
        "system", "parameters", "published", "MFLOPs", "memory, MiB", "10,000 images one by one, s",
        "in batches, s", "published, s", f"one by one, times {OURS}", "in batches, times",
        "published, times",
    ]  # fmt: skip
    # What is counted does not change by exporting.
    kept = [0, *range(5, len(headings))] if series.startswith("exported") else range(len(headings))
    lines = [[line[place] for place in kept] for line in (headings, *rows)]
    return f"\n## {series[0].upper()}{series[1:]}\n\n{markdown_table(lines[0], lines[1:])}\n"


def _times(number: Number | None) -> str:
    if number is None:
        return "–"
    if number.low == number.high:
        return f"{number.value:.2f}"
    return f"{number.value:.2f} ({number.low:.2f}–{number.high:.2f})"


def _claims(table: pd.DataFrame) -> str:
    """Return the paper's statements, what was found, and what became of each."""
    rows = [_sizes(table), *(_fewer(table, name) for name in REFERENCES), _megabytes(table)]
    for series in _series(table):
        for metric, how in (("latency_ratio", "one by one"), ("batch_ratio", "in batches")):
            rows.append(_faster(table, series, metric, how))
    rows.append(_alike(table))
    return (
        "\n## Claim by claim\n\n"
        + markdown_table(["the paper says", "published", "measured", ""], rows)
        + "\n\n*Faster*: confirmed where the intervals of both references' ratios lie above 1; "
        "*open* where one includes it and none lies below.\n\n"
        "**Where the paper is silent.** SemBlock's inner widths are not printed: those here are "
        "what makes the published numbers, all six of them but for two parameters of MobileSC's "
        "decoder; no single shape of a block can make both of its ends. The paper does not say on "
        "which machine the seconds were taken (it names one graphics card for all its work), in "
        "which batches, nor whether reading the images counts. Its three systems lie within a "
        "fifth of each other while their operations differ as in the tables above, which is how "
        "it looks when the number of operations a device has to be told of decides, not their "
        "size. Its text on the gain in speed names a number that its table, 1.11 and 1.20 times, "
        "has to stand for here.\n"
    )


def _sizes(table: pd.DataFrame) -> list[str]:
    off = {}
    for system, published in PUBLISHED.items():
        for end, expected in zip(_ENDS, published, strict=False):
            found = _get(table, system, end, "parameters")
            if found is not None and found.value != expected:
                off[f"{system}'s {end}"] = found.value - expected
    # What is left open of a block cannot be more than a few numbers.
    near = all(abs(difference) < 100 for difference in off.values())
    return [
        "Parameters as in Table III",
        "the tables above",
        "; ".join(f"{name}: {number:+.0f}" for name, number in off.items()) or "all the same",
        ("confirmed but for that" if near else "not confirmed") if off else "confirmed",
    ]


def _fewer(table: pd.DataFrame, reference: str) -> list[str]:
    ours, theirs = (_get(table, system, "encoder", "parameters") for system in (OURS, reference))
    assert ours is not None
    assert theirs is not None
    fewer = 100 * (1 - ours.value / theirs.value)
    tabled = 100 * (1 - PUBLISHED[OURS][0] / PUBLISHED[reference][0])
    verdict = "not confirmed" if fewer < _FEWER[reference] else "confirmed; understated"
    return [
        f"Fewer parameters than `{reference}`",
        f"nearly {_FEWER[reference]} % (its own table: {tabled:.1f} %)",
        f"{fewer:.1f} %",
        verdict,
    ]


def _megabytes(table: pd.DataFrame) -> list[str]:
    found = [_get(table, OURS, end, "parameters") for end in _ENDS]
    # Four bytes a parameter.
    sizes = [4 * number.value / 1e6 for number in found if number is not None]
    said = all(round(size, 1) == 3.2 for size in sizes)
    return [
        "Encoder or decoder is only about 3.2 MB",
        "3.2 MB",
        " and ".join(f"{size:.2f}" for size in sizes) + " MB in float32 (the paper: int 32)",
        "confirmed" if said else "not confirmed",
    ]


def _faster(table: pd.DataFrame, series: str, metric: str, how: str) -> list[str]:
    found = [_get(table, reference, series, metric) for reference in REFERENCES]
    numbers = [number for number in found if number is not None]
    pairs = zip(REFERENCES, found, strict=True)
    return [
        f"The {series} is faster than both, {how}",
        ", ".join(f"{name} {PUBLISHED[name][2] / PUBLISHED[OURS][2]:.2f}" for name in REFERENCES),
        ", ".join(f"{name} {_times(number)}" for name, number in pairs),
        verdict(numbers),
    ]


def verdict(ratios: Sequence[Number]) -> str:
    """Return what became of the claim that all these ratios are above one.

    Example:
        >>> verdict([Number(1.2, 1.1, 1.3), Number(1.1, 0.9, 1.3)])
        'open'
    """
    if not ratios:
        return "not measured"
    if all(number.low > 1 for number in ratios):
        return "confirmed"
    return "not confirmed" if any(number.high < 1 for number in ratios) else "open"


def _alike(table: pd.DataFrame) -> list[str]:
    """Return whether decoders take as long as encoders, as Table III has it."""
    shown, apart = [], False
    for system in PUBLISHED:
        ends = [_get(table, system, end, "latency_s") for end in _ENDS]
        encoder, decoder = (number for number in ends if number is not None)
        shown.append(f"{system} {decoder.value / encoder.value:.2f}")
        apart = apart or decoder.low > encoder.high or decoder.high < encoder.low
    return [
        "Decoders take as long as encoders (one by one, decoder over encoder)",
        "1.00 each",
        ", ".join(shown),
        "not confirmed" if apart else "open",
    ]
