"""The pre-activation ResNet: the published network's size, and maps of any size."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from semveil.nets.preact import PreActBlock, PreActResNet


def test_as_many_parameters_as_the_18_layer_network() -> None:
    """11.17 million for CIFAR-10, counted layer by layer."""
    widths = [64, 64, 128, 256, 512]
    expected = 3 * 64 * 9 + 512 * 10 + 10 + 2 * 512
    for before, after in pairwise(widths):
        # Two blocks: the first changes the width, and where it does has a shortcut.
        expected += 9 * (before * after + 3 * after * after) + 2 * before + 6 * after
        expected += before * after if before != after else 0
    network = PreActResNet((3, 32, 32), classes=10)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected == 11_172_170


@pytest.mark.parametrize(("side", "left"), [(8, 4), (28, 4), (32, 4), (64, 8), (2, 2)])
def test_the_last_maps_have_about_four_pixels_a_side(side: int, left: int) -> None:
    network = PreActResNet((2, side, side), classes=3, width=4, blocks=(1, 1, 1, 1))
    maps = torch.rand(2, 2, side, side)
    pooling = next(i for i, layer in enumerate(network.layers) if "Pool" in type(layer).__name__)
    assert network.layers[:pooling](maps).shape == (2, 32, left, left)
    assert network(maps).shape == (2, 3)


def test_an_unchanged_shape_is_added_as_it_is() -> None:
    block = PreActBlock(4, 4, stride=1).eval()
    torch.nn.init.zeros_(block.layers[-1].weight)  # type: ignore[arg-type]
    maps = torch.randn(2, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(block(maps), maps)
