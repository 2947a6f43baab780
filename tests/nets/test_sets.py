"""Networks blind to order: what they must not see, and what they must."""

import pytest
import torch

from semveil.nets.eavesdropper import INFERENCE, INVERSION, inference_network, inversion_network
from semveil.rng import generator, normal, seeded


def observations(n=16, width=21):
    return normal((n, width), generator=generator(0))


@pytest.mark.parametrize("build", [
    lambda: inference_network("set", 21, 7),
    lambda: inversion_network("set", 21, (2, 8, 6)),
])  # fmt: skip
def test_a_permutation_of_the_components_changes_nothing(build):
    with seeded(0):
        network = build()
    seen = observations()
    order = torch.cat([torch.randperm(20, generator=generator(1)), torch.tensor([20])])
    assert torch.allclose(network(seen), network(seen[:, order]), atol=1e-5)
    # The reliability is none of them.
    swapped = seen[:, [20, *range(1, 20), 0]]
    assert not torch.allclose(network(seen), network(swapped), atol=1e-3)


def test_every_capacity_has_its_network():
    for capacity in INFERENCE:
        assert inference_network(capacity, 21, 7)(observations()).shape == (16, 7)
    for capacity in INVERSION:
        images = inversion_network(capacity, 21, (3, 8, 6)).eval()(observations())
        assert images.shape == (16, 3, 8, 6)
        assert 0 <= float(images.detach().min()) <= float(images.detach().max()) <= 1
