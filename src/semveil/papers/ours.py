"""Registers the papers of this package: every folder beside this file that has jobs."""

from pathlib import Path

from semveil.papers.paper import JOBS, PAPERS, Paper

for _path in sorted(Path(__file__).parent.glob(f"*/{JOBS}")):
    _name = _path.parent.name
    _own = {"name": _name, "folder": _path.parent, "__module__": __name__}
    PAPERS.register(type(_name, (Paper,), _own))
