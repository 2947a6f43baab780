"""Processes that share a batch draw, together, what one process would have drawn."""

import pytest
import torch

from semveil.phy import OFDM, awgn, exponential_profile, multipath_taps, rayleigh, rician
from semveil.rng import Shard, generator

BATCH = 6
DRAWS = {
    "rayleigh": lambda rows, source: rayleigh(len(rows), generator=source),
    "rician": lambda rows, source: rician(len(rows), rows, generator=source),
    "taps": lambda rows, source: multipath_taps(
        len(rows), exponential_profile(4, 2.0), generator=source
    ),
    "awgn": lambda rows, source: awgn(torch.zeros(len(rows), 5) + 0j, rows, generator=source),
    "ofdm": lambda rows, source: (
        OFDM(8, 2)
        .link(
            torch.ones(len(rows), 3, 8) + 0j, torch.ones(len(rows), 1) + 0j, rows, generator=source
        )
        .symbols
    ),
}


@pytest.mark.parametrize("of", [2, 3])
@pytest.mark.parametrize("name", DRAWS)
def test_shards_concatenate_to_one_process(name, of):
    settings = torch.arange(BATCH) * 2.0
    whole = DRAWS[name](settings, generator(0, name))
    parts = [
        DRAWS[name](part, Shard(generator(0, name), rank, of))
        for rank, part in enumerate(settings.chunk(of))
    ]
    torch.testing.assert_close(torch.cat(parts), whole)
