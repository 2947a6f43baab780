"""``semveil cost``: what a trained link costs on this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from semveil.cli.options import AsJson, DataRoot, Quiet
from semveil.cli.output import console

if TYPE_CHECKING:
    from rich.table import Table

    from semveil.records import Record

# Metric of the records: label, factor to the unit, unit, decimals.
_ROWS = {
    "latency_s": ("latency, one image", 1e3, "ms", 2),
    "throughput_per_s": ("throughput, batches of {batch}", 1.0, "images/s", 0),
    "peak_memory_bytes": ("peak memory, one image", 1e-6, "MB", 1),
    "flops": ("operations per image", 1e-6, "MFLOP", 2),
    "training_flops": ("operations per image in training", 1e-6, "MFLOP", 2),
    "parameters": ("weights", 1.0, "", 0),
    "parameters_alice": ("weights of Alice", 1.0, "", 0),
    "parameters_bob": ("weights of Bob", 1.0, "", 0),
    "key_bytes": ("keystream per message", 1.0, "bytes", 0),
    "channel_uses": ("channel uses per image", 1.0, "", 0),
    "bandwidth_ratio": ("bandwidth ratio k/n", 1.0, "", 4),
    "overhead": ("pilots and prefixes over symbols", 1.0, "", 2),
}


def cost(
    folder: Annotated[str, typer.Argument(help="A run's folder, or a link of the zoo.")],
    system: Annotated[
        str | None, typer.Option("--system", metavar="NAME", help="Which of the run's systems.")
    ] = None,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Images of a batch.")] = 64,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Measurements of each time.")] = 8,
    data: DataRoot = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Measure time, memory, operations and bandwidth of a trained link on one processor thread."""
    from semveil import api
    from semveil.progress import bars
    from semveil.records import to_line

    with bars(quiet or as_json) as progress:
        found = api.cost(folder, system, batch=batch, rounds=rounds, data=data, progress=progress)
    if as_json:
        print(json.dumps({"records": [json.loads(to_line(record)) for record in found]}))
    elif not quiet:
        console().print(_table(found, batch))


def _table(found: list[Record], batch: int) -> Table:
    from rich.table import Table

    table = Table(
        title=f"{found[0].system.label}, Alice and Bob on one thread", title_justify="left"
    )
    for heading in ("cost", "value", "unit", "95 % interval"):
        table.add_column(heading, justify="left" if heading in ("cost", "unit") else "right")
    records = {record.metric: record for record in found}
    for metric, (label, factor, unit, decimals) in _ROWS.items():
        if metric == "bandwidth_ratio":
            table.add_row(label, f"{found[0].bandwidth_ratio:.{decimals}f}", unit)
        elif metric in records:
            record = records[metric]
            low, high = (
                None if end is None else f"{factor * end:,.{decimals}f}"
                for end in (record.ci_low, record.ci_high)
            )
            table.add_row(
                label.format(batch=batch),
                f"{factor * record.value:,.{decimals}f}",
                unit,
                f"{low}–{high}" if low and high else "",
            )
    return table
