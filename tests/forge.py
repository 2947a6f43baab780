"""Zoo entries changed so that all digests are right again, for the tests of what they state."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def restate(folder: Path, **changes: object) -> None:
    """Change a configuration and state all digests anew, as a forger would."""
    config = json.loads((folder / "config.json").read_text()) | changes
    for name in config["files"]:
        body = (folder / name).read_bytes()
        config["files"][name] = {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    rest = {key: value for key, value in config.items() if key != "digest"}
    config["digest"] = hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
    (folder / "config.json").write_text(json.dumps(config))
