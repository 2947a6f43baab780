"""GNU Radio's channel model between two files; runs on the Python that GNU Radio is installed for.

    python3 gnuradio_channel.py IN OUT '{"noise_voltage": 0.1, "frequency_offset": 0, ...}'

The samples are complex64. ``noise_voltage`` squared is the power of the complex noise,
``frequency_offset`` is in cycles per sample, ``epsilon`` is the receiver's clock over the sender's.
"""

import json
import sys


def main(source, sink, settings):
    from gnuradio import blocks, channels, gr

    taps = [complex(*tap) for tap in settings.get("taps", [[1, 0]])]
    model = channels.channel_model(
        settings.get("noise_voltage", 0.0),
        settings.get("frequency_offset", 0.0),
        settings.get("epsilon", 1.0),
        taps,
        settings.get("seed", 0),
        False,
    )
    flow = gr.top_block()
    flow.connect(
        blocks.file_source(gr.sizeof_gr_complex, source, False),
        model,
        blocks.file_sink(gr.sizeof_gr_complex, sink),
    )
    flow.run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
