"""The whole chain is one graph to torch.compile, with the same values and gradients."""

import torch

from semveil.phy import OFDM, exponential_profile, multipath_taps
from semveil.rng import generator, normal


def test_ofdm_chain_compiles_without_a_break():
    profile = exponential_profile(4, 2.0)
    taps = multipath_taps(2, profile, generator=generator(0, "taps"))
    data = normal((2, 3, 16), dtype=torch.complex64, generator=generator(0, "data"))

    def chain(z):
        return OFDM(16, 4).link(z, taps, 10.0, profile=profile, clip_ratio=1.5).symbols

    results = []
    for run in (chain, torch.compile(chain, backend="aot_eager", fullgraph=True)):
        torch.manual_seed(0)
        z = data.clone().requires_grad_()
        symbols = run(z)
        symbols.real.sum().backward()
        results.append((symbols.detach(), z.grad))
    torch.testing.assert_close(*results)
