"""How the losses fell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite, nan
from typing import TYPE_CHECKING, Any

from semveil.report.figures.lines import Curve, Panel, draw
from semveil.report.figures.style import styled
from semveil.report.looks import series

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_POINTS = 300
# Words for the parts of a loss's name, which are joined by underscores.
_WORDS = {
    "bob": "Bob’s",
    "ce": "cross-entropy",
    "eve": "Eve’s",
    "latent": "latent-path",
    "layer": "layer’s",
    "link": "link’s",
    "mse": "squared error",
    "total": "total loss",
}


@styled
def training_curves(history: Iterable[Mapping[str, Any]]) -> Figure:
    """Draw every loss against the step, one panel per stage of the training."""
    stages: dict[str, dict[str, list[tuple[float, float, float, float]]]] = {}
    for line in history:
        # Words beside the stage, such as a scheme's name, tell one training from another.
        words = [str(value) for key, value in line.items() if isinstance(value, str) and value]
        curves = stages.setdefault(" · ".join(words), {})
        for name, value in line.items():
            if name != "step" and isinstance(value, int | float) and isfinite(value):
                curves.setdefault(name, []).append((line["step"], value, nan, nan))
    names = dict.fromkeys(name for curves in stages.values() for name in curves)
    looks = {
        name: {"color": look["color"], "linewidth": 1.2} for name, look in series(names).items()
    }
    drawn = []
    for title, curves in stages.items():
        panel = Panel(title)
        for name, points in curves.items():
            shown = points[:: -(-len(points) // MOST_POINTS)]
            panel.curves.append(Curve(shown, {**looks[name], "capsize": 0}))
        values = [value for points in curves.values() for _, value, *_ in points]
        panel.logarithmic = bool(values) and 0 < 30 * min(values) < max(values)
        drawn.append(panel)
    legend = [(in_words(name), look) for name, look in looks.items()]
    return draw(drawn, x="step", y="loss", legend=legend, size=(2.3, 1.5), shared=False)


def in_words(name: str) -> str:
    """Return the name of a loss for a legend: ``bob_ce`` is Bob’s cross-entropy."""
    return " ".join(_WORDS.get(part, part) for part in name.split("_"))
