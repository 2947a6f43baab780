"""Panels on a grid with margins in inches: many times faster than a layout engine, and steady."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

LINE = 0.19  # height of a line of text, inches
LETTER = 0.082  # width of a letter, inches


def panels(count: int, *, columns: int) -> tuple[Figure, list[Axes]]:
    """Return a figure with that many panels on a grid, and the panels in reading order.

    Args:
        count: Panels wanted.
        columns: The most panels beside each other.

    Returns:
        The figure and its panels; call `arrange` when they are drawn.
    """
    from matplotlib.figure import Figure

    columns = min(columns, max(count, 1))
    lines = -(-max(count, 1) // columns)
    figure = Figure()
    axes = figure.subplots(lines, columns, squeeze=False).flatten().tolist()
    for spare in axes[count:]:
        spare.remove()
    return figure, axes[:count]


def arrange(
    figure: Figure,
    axes: Sequence[Axes],
    *,
    width: float,
    height: float,
    x: str = "",
    y: str = "",
    entries: Sequence[Line2D] = (),
    shared: bool = True,
    left: float = 0.75,
    gap: float = 0.25,
) -> None:
    """Give the figure its size, its margins, the names of its axes and its legend.

    Args:
        figure: Figure made by `panels`.
        axes: Its panels.
        width: Width of a panel within its axes, inches.
        height: Height of it.
        x: Name of all horizontal axes.
        y: Name of all vertical axes.
        entries: Lines of the legend, which goes below the panels.
        shared: Whether all panels have the same limits, so that the numbers at the edge do.
        left: Margin on the left, inches.
        gap: Gap between panels; 0.35 more where each has its own numbers.
    """
    if not axes:
        return
    grid = axes[0].get_gridspec()
    columns, lines = grid.ncols, grid.nrows
    titles = max(
        (place.get_title("left").count("\n") + 1) * bool(place.get_title("left")) for place in axes
    )
    top = 0.12 + LINE * titles
    gap_x = gap if shared else gap + 0.35
    gap_y = gap_x + LINE * titles
    room = left + columns * width + (columns - 1) * gap_x + 0.2
    longest = max((len(str(entry.get_label())) for entry in entries), default=1)
    across = max(1, min(len(entries), int(room / (0.55 + LETTER * longest))))
    strip = -(-len(entries) // across) * (LINE + 0.035) + 0.1 if entries else 0.0
    bottom = 0.1 + (0.2 if axes[0].get_xticks().size else 0.0) + (0.22 if x else 0.0)
    tall = top + lines * height + (lines - 1) * gap_y + bottom + strip
    figure.set_size_inches(room, tall)
    figure.subplots_adjust(
        left=left / room,
        right=1 - 0.2 / room,
        top=1 - top / tall,
        bottom=(bottom + strip) / tall,
        wspace=gap_x / width,
        hspace=gap_y / height,
    )
    for number, place in enumerate(axes):
        lowest, leftmost = number + columns >= len(axes), number % columns == 0
        place.set_xlabel(x if lowest else "")
        place.set_ylabel(y if leftmost else "")
        if shared:
            place.tick_params(labelbottom=lowest, labelleft=leftmost)
    if entries:
        figure.legend(
            handles=list(entries),
            loc="lower center",
            bbox_to_anchor=(0.5, 0.0),
            ncols=across,
            borderaxespad=0.2,
        )
