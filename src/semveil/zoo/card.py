"""The card of an entry: its ``README.md``, made from its configuration alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from semveil.metrics import metric_of

KEY = (
    "**The key of this entry is public**: it follows from the seed, which stands on this page. It "
    "hides nothing and is there so that the numbers can be measured again. For messages that are "
    "to be kept from others, load the entry with a secret key of 32 bytes: "
    '`semveil.load("{name}", key=os.urandom(32))`. Bob needs the same key.'
)


def card_text(
    config: Mapping[str, Any],
    facts: Mapping[str, str],
    limits: Sequence[str],
    licence: str,
    keyed: bool,
) -> str:
    """Return the card as Markdown.

    Args:
        config: What ``config.json`` states, but for files and digest.
        facts: What the system is, by keyword; see :class:`semveil.experiment.card.Card`.
        limits: What a user must know, one sentence each.
        licence: Terms of the training images.
        keyed: Whether the system has a key.
    """
    run, name, spent = config["run"], config["name"], config["train_cpu_s"]
    versions = run.get("versions", {})
    parts = [
        f"# {name}",
        facts["scheme"],
        _table(["", ""], ([key, text] for key, text in facts.items() if key != "scheme")),
        "## Measured",
        config["protocol"],
        _table(["party", "metric", "value", "95 % interval", "SNR (dB)", "images", "floor"],
               map(_row, config["figures"])),
        "## Training",
        f"Seed {run['seed']}, "
        f"{f'{spent:.0f} s of processor time' if spent else 'processor time not recorded'} "
        f"({run.get('hardware', {}).get('device') or 'unknown device'}), semveil "
        f"{run.get('version', 'of unknown version')}, torch {versions.get('torch', 'unknown')}. "
        "All settings stand in `config.json` under `run.recipe`. Weights are stored in "
        f"{config['weights']}.",
        "## Use",
        f'```python\nimport semveil\n\nlink = semveil.load("{name}")\n```',
        f"`semveil zoo verify {name}` measures "
        + " and ".join(_check(check) for check in config["checks"])
        + " again.",
    ]  # fmt: skip
    if keyed:
        parts += ["## Key", KEY.format(name=name)]
    parts += [
        "## Licence",
        f"Weights: Apache-2.0. Training images ({run['recipe']['data']['name']}): {licence}.",
        "## Limits",
        "\n".join(f"- {limit}" for limit in limits),
    ]
    return "\n\n".join(parts) + "\n"


def _row(figure: Mapping[str, Any]) -> Iterator[str]:
    metric = metric_of(figure["metric"])
    unit = f" {metric.unit}" if metric.unit else ""
    who = f" ({figure['adversary']})" if figure["adversary"] else ""
    yield figure["party"] + who
    yield metric.title
    yield metric.format(figure["value"]) + unit
    yield f"{metric.format(figure['ci_low'])} to {metric.format(figure['ci_high'])}"
    yield f"{figure['snr_db']:g}"
    yield str(figure["n"])
    yield "" if figure["floor"] is None else metric.format(figure["floor"]) + unit


def _check(check: Mapping[str, Any]) -> str:
    metric = metric_of(check["metric"])
    unit = f" {metric.unit}" if metric.unit else ""
    return (
        f"{metric.title} on {check['images']} test images "
        f"({metric.format(check['value'])} ± {metric.format(check['tolerance'])}{unit})"
    )


def _table(heading: Sequence[str], rows: Any) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )
