"""GNU Radio's channel model between two files; runs on the Python that GNU Radio is installed for.

    python3 gnuradio_channel.py IN OUT < CHANNELS

The samples are complex64. ``CHANNELS`` is a JSON list of settings: the file is cut into as many
equal pieces, each of which goes through a model of its own. ``noise_voltage`` squared is the power
of the complex noise, ``frequency_offset`` is in cycles per sample, ``epsilon`` is the sender's
clock over the receiver's, ``taps`` are pairs of real and imaginary part.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def main(source: str, sink: str, settings: list[dict[str, Any]]) -> None:
    """Send the pieces of a file through their models, one behind the other."""
    from gnuradio import blocks, channels, gr

    size = gr.sizeof_gr_complex
    length = os.path.getsize(source) // size // len(settings)
    for place, each in enumerate(settings):
        model = channels.channel_model(
            each.get("noise_voltage", 0.0),
            each.get("frequency_offset", 0.0),
            each.get("epsilon", 1.0),
            [complex(*tap) for tap in each.get("taps", [[1, 0]])],
            each.get("seed", 0),
            False,
        )
        flow = gr.top_block()
        flow.connect(
            blocks.file_source(size, source, False, place * length, length),
            model,
            blocks.file_sink(size, sink, place > 0),
        )
        flow.run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.load(sys.stdin))
