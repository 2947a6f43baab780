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
    """Return a figure with that many panels on a grid, and the panels in reading order."""
    from matplotlib.figure import Figure

    lines = max(1, -(-count // columns))
    columns = max(1, -(-count // lines))  # four are two and two, not three and one
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
    """Give the figure its size, its margins, the names of its axes and its legend."""
    if not axes:
        return
    columns, lines = _grid(axes[0])
    top = 0.12 + LINE * _titles(axes[:columns])
    gap_x = gap if shared else gap + 0.35
    gap_y = gap_x + LINE * _titles(axes[columns:])
    bottom = 0.1 + (0.2 if axes[0].get_xticks().size else 0.0) + (0.22 if x else 0.0)
    room = left + columns * width + (columns - 1) * gap_x + 0.2
    tall = top + lines * height + (lines - 1) * gap_y + bottom
    widths = [0.62 + LETTER * len(str(line.get_label())) for line in entries]
    if sum(widths) <= room:
        across = max(len(entries), 1)
    else:
        across = min(max(2, int(room / max(widths))), len(entries))
    strip = -(-len(entries) // across) * (LINE + 0.035) + 0.1 if entries else 0.0
    tall += strip
    # A legend wider than the panels leaves equal margins on both sides of them.
    spare = max(0.0, across * max(widths, default=0.0) - room) if sum(widths) > room else 0.0
    left, room = left + spare / 2, room + spare
    figure.set_size_inches(room, tall)
    figure.subplots_adjust(
        left=left / room,
        right=1 - (0.2 + spare / 2) / room,
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


def _grid(place: Axes) -> tuple[int, int]:
    grid = place.get_gridspec()
    assert grid is not None
    return grid.ncols, grid.nrows


def _titles(axes: Sequence[Axes]) -> int:
    """The most lines that a title has."""
    titles = (place.get_title(side) for place in axes for side in ("left", "center"))
    return max((len(title.splitlines()) for title in titles), default=0)
