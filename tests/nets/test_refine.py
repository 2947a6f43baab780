"""Refinement of channel estimates and symbols: it learns what the closed form cannot know."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from semveil.nets.refine import ChannelRefiner, EqualiserRefiner
from semveil.phy.equalise import mmse
from semveil.rng import generator, normal, seeded


def complex_normal(*shape: int, seed: int) -> Tensor:
    return torch.view_as_complex(normal((*shape, 2), generator=generator(seed, "draw")) / 2**0.5)


def channels(count: int, seed: int) -> Tensor:
    """Two taps of equal power, at 64 subcarriers."""
    return torch.fft.fft(complex_normal(count, 2, seed=seed) / 2**0.5, 64)


def test_as_many_parameters_as_in_the_published_code() -> None:
    expected = 6 * 32 * 25 + 32 * 32 * 25 + 32 * 2 * 25 + 4 * 32
    for refiner in (ChannelRefiner(), EqualiserRefiner()):
        assert sum(parameter.numel() for parameter in refiner.parameters()) == expected


def test_a_channel_of_two_taps_is_learned_from_examples() -> None:
    """One number per subcarrier is shrunk alone; neighbours tell much more of two taps."""
    with seeded(0, "weights"):
        refiner = ChannelRefiner(width=8)
    pilot = torch.ones(64, dtype=torch.complex64)
    optimiser = torch.optim.Adam(refiner.parameters(), lr=1e-2)

    def errors(seed: int, count: int) -> tuple[Tensor, Tensor]:
        channel = channels(count, seed)
        received = channel * pilot + complex_normal(count, 64, seed=1000 + seed)
        alone = received / 2  # LMMSE of one number of unit power in noise of unit power
        refined = refiner(pilot, received, alone)
        return (refined - channel).abs().square().mean(), (alone - channel).abs().square().mean()

    for step in range(60):
        optimiser.zero_grad()
        errors(step, 64)[0].backward()
        optimiser.step()
    refiner.eval()
    with torch.no_grad():
        learned, closed_form = errors(500, 2000)
    assert closed_form.item() == pytest.approx(0.5, abs=0.02)
    assert learned < 0.6 * closed_form


def test_symbols_are_refined_one_by_one_and_scaled_by_nothing_at_first() -> None:
    with seeded(0, "weights"):
        refiner = EqualiserRefiner(width=8).eval()
    channel = channels(3, seed=1)
    received = complex_normal(3, 5, 64, seed=2)
    equalised = mmse(received, channel.unsqueeze(1), 0.1)
    torch.testing.assert_close(refiner(channel, received, equalised), equalised)
    torch.nn.init.normal_(
        refiner.correction.layers[-1].weight,  # type: ignore[arg-type]
        generator=torch.Generator().manual_seed(0),
    )
    refined = refiner(channel, received, equalised)
    assert not torch.allclose(refined, equalised, atol=1e-3)
    alone = torch.cat([refiner(channel, received[:, [s]], equalised[:, [s]]) for s in range(5)], 1)
    torch.testing.assert_close(refined, alone)


def test_subcarriers_that_make_no_square_are_refused() -> None:
    with pytest.raises(ValueError, match="square number, not 60"):
        ChannelRefiner(subcarriers=60)
