"""A paper: a table of its own from jobs, claims and a page that are data."""

from pathlib import Path

from semveil.papers import PAPERS, Paper


@PAPERS.register
class Direction(Paper):
    """Whether a guarded link still tells the direction of stripes."""

    name = "direction"
    folder = Path(__file__).parent / "direction"
