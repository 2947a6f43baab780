"""How every figure looks, and how it becomes a file or a part of a page."""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from semveil.errors import SemveilError
from semveil.files import write_atomic
from semveil.style import FAINT, GREY, INK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

P = ParamSpec("P")
T = TypeVar("T")

COORDINATES = re.compile(rb' (?:d|x|y|transform)="[^"]*"')
LONG = re.compile(rb"-?\d+\.\d{3,}")

# What is not a series follows the theme of the page; the names are those of its style sheet.
_OF_THEME = {
    INK: "ink",
    GREY: "soft",
    FAINT: "faint",
    "#000000": "ink",
    "#e6e9ec": "grid",
    "#f1f3f5": "wash",
    "#ffffff": "paper",
}

SETTINGS: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": FAINT,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 9.5,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    # Where it would come to lie anyway; looking for a better place takes most of the drawing.
    "axes.titley": 1.0,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "grid.color": "#e6e9ec",
    "grid.linewidth": 0.8,
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "lines.markersize": 5.5,
    # Text stays text: smaller files, and it can be selected and read aloud.
    "svg.fonttype": "none",
    # Without it matplotlib names the parts of a drawing at random.
    "svg.hashsalt": "semveil",
    "text.color": INK,
    # Names come from outside; a dollar sign in one is a dollar sign.
    "text.parse_math": False,
    "xtick.color": FAINT,
    "xtick.major.pad": 6,
    "xtick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.major.pad": 6,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
    "xtick.labelcolor": INK,
    "ytick.color": FAINT,
    "ytick.labelcolor": INK,
}


def styled(draw: Callable[P, T]) -> Callable[P, T]:
    """Run a function under the project's settings, whatever the user's own are."""

    @functools.wraps(draw)
    def inner(*args: P.args, **kwargs: P.kwargs) -> T:
        from matplotlib import style

        with style.context(["default", SETTINGS]):
            return draw(*args, **kwargs)

    return inner


def _short(number: re.Match[bytes]) -> bytes:
    """A coordinate to a hundredth of a point: finer ones only fill the page."""
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".").encode()


@styled
def render(figure: Figure, kind: str) -> bytes:
    """Return a figure as the content of an ``svg`` or ``png`` file, the same on every call."""
    buffer = io.BytesIO()
    empty = {"Date": None, "Creator": None, "Format": None, "Type": None}
    metadata = empty if kind == "svg" else {"Software": None}
    figure.savefig(buffer, format=kind, dpi=120 if kind == "svg" else 160, metadata=metadata)
    content = buffer.getvalue()
    if kind == "svg":
        # The measuring font comes first in matplotlib's own list; a reader may lack it.
        content = content.replace(b"'DejaVu Sans'", b"system-ui, 'DejaVu Sans', sans-serif")
        content = COORDINATES.sub(lambda part: LONG.sub(_short, part[0]), content)
    return content


def save(figure: Figure, path: Path) -> None:
    """Write a figure to a file; the same figure gives the same bytes.

    Args:
        figure: The figure.
        path: File to write; its ending says the format, ``.svg`` or ``.png``.

    Raises:
        SemveilError: If the ending is another, or the file cannot be written.
    """
    kind = path.suffix.removeprefix(".").lower()
    if kind not in {"svg", "png"}:
        raise SemveilError(f"cannot write figure {path}: the name must end in .svg or .png")
    write_atomic(path, render(figure, kind))


def inline(figure: Figure, *, name: str) -> str:
    """Return a figure as an SVG element for the inside of a page."""
    drawing = render(figure, "svg").decode()
    drawing = drawing[drawing.index("<svg") :]
    head, body = drawing.split(">", 1)
    box = re.search(r'viewBox="[^"]+"', head)
    width = float(re.search(r'width="([\d.]+)pt"', head)[1])  # type: ignore[index]
    # Style rules inside an SVG would reach the whole page.
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, flags=re.DOTALL)
    body = body.replace("xlink:href=", "href=")
    # Nothing refers to the names of groups, and browsers do not need the indentation.
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r"\n\s*", "\n", body)
    body = re.sub(r'(\bid="|\bhref="#|url\(#)', rf"\g<1>{name}-", body)
    for colour, variable in _OF_THEME.items():
        body = body.replace(colour, f"var(--{variable})")
    return (
        f'<svg role="img" aria-labelledby="about-{name}" {box[0] if box else ""} '
        f'style="--natural:{width:g}pt" stroke-linejoin="round" stroke-linecap="butt">{body}'
    )
