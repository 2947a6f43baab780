"""GNU Radio's own OFDM chain, on the Python that GNU Radio is installed for.

    python3 gnuradio_ofdm.py FILE PACKETS

It writes a recording of its own packets with noise 20 dB below them, and receives it once for
every line on its standard input, answering with the bytes that it decoded.
"""

import random
import sys

BYTES = 96
SETTINGS = {
    "fft_len": 64,
    "cp_len": 16,
    "packet_length_tag_key": "length",
    "bps_header": 1,
    "bps_payload": 2,
}


def write(name: str, packets: int) -> int:
    """Write a recording; return its samples."""
    import numpy as np
    from gnuradio import blocks, digital, gr

    source = random.Random(0)
    data = [source.randrange(256) for _ in range(BYTES * packets)]
    flow, sink = gr.top_block(), blocks.vector_sink_c()
    flow.connect(
        blocks.vector_source_b(data, False),
        blocks.stream_to_tagged_stream(gr.sizeof_char, 1, BYTES, "length"),
        digital.ofdm_tx(rolloff=0, **SETTINGS),
        blocks.multiply_const_cc(0.05),
        sink,
    )
    flow.run()
    x = np.array(sink.data(), np.complex64)
    draw = np.random.default_rng(0).standard_normal((2, len(x)))
    noise = np.sqrt(np.mean(np.abs(x) ** 2) / 200) * (draw[0] + 1j * draw[1])
    (x + noise).astype(np.complex64).tofile(name)
    return len(x)


def receive(name: str) -> int:
    """Receive a recording; return how many bytes were decoded."""
    from gnuradio import blocks, digital, gr

    flow, sink = gr.top_block(), blocks.vector_sink_b()
    flow.connect(
        blocks.file_source(gr.sizeof_gr_complex, name, False),
        digital.ofdm_rx(frame_length_tag_key="frame_length", **SETTINGS),
        sink,
    )
    flow.run()
    return len(sink.data())


if __name__ == "__main__":
    print(write(sys.argv[1], int(sys.argv[2])), flush=True)
    for _ in sys.stdin:
        print(receive(sys.argv[1]), flush=True)
