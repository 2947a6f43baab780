"""GNU Radio's channel model, in a process of its own and on its own Python."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from semveil.errors import SemveilError
from semveil.files import temporary_folder
from semveil.recording.samples import Samples

PYTHON = Path("/usr/bin/python3")
_SCRIPT = Path(__file__).with_name("gnuradio_channel.py")


@cache
def installed() -> bool:
    """Whether GNU Radio is on this machine."""
    asked = [str(PYTHON), "-c", "from gnuradio import blocks, channels, gr"]
    if not PYTHON.exists():
        return False
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


def through_gnuradio(samples: Samples, channels: Sequence[Mapping[str, Any]]) -> Samples:
    """Return what the channel model makes of samples.

    Args:
        samples: complex64 ``[T]``; cut into as many equal pieces as there are channels.
        channels: Settings of each piece's model; see :mod:`semveil.papers.work.gnuradio_channel`.

    Returns:
        complex64 ``[T']``: each piece leads by 3 samples and is 8 short.

    Raises:
        SemveilError: If GNU Radio fails.
    """
    with temporary_folder() as folder:
        sent, heard = folder / "sent", folder / "heard"
        samples.tofile(sent)
        command = [str(PYTHON), str(_SCRIPT), str(sent), str(heard)]
        done = subprocess.run(
            command, input=json.dumps(list(channels)), capture_output=True, text=True, check=False
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise SemveilError(f"GNU Radio's channel model failed: {reason}")
        return np.fromfile(heard, np.complex64)
