"""``python -m semveil``."""

from __future__ import annotations

from semveil.cli import main

main()
