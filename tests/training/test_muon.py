"""Muon: orthogonal updates, norms that are kept, and who is trained by what."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from semveil.nets.task import FilterConv, TaskEncoder
from semveil.rng import generator, normal, seeded
from semveil.training.muon import Muon, orthogonalise


@pytest.mark.parametrize("shape", [(16, 16), (8, 40), (40, 8)])
def test_updates_keep_singular_vectors_and_take_their_values_near_one(shape):
    matrices = normal((3, *shape), generator=generator(0, *shape))
    found = orthogonalise(matrices, steps=6)
    for before, after in zip(matrices, found, strict=True):
        left, _, right = torch.linalg.svd(before, full_matrices=False)
        diagonal = left.T @ after @ right.T
        # The quintic takes values into [0.68, 1.13]; small ones take more steps.
        assert 0.6 < float(diagonal.diagonal().median()) < 1.25
        assert float((diagonal - diagonal.diagonal().diag()).abs().max()) < 0.1
    # The scale of a gradient does not matter.
    assert torch.allclose(orthogonalise(1024 * matrices), orthogonalise(matrices), atol=1e-3)


def test_it_is_torchs_muon_where_that_takes_the_same():
    # torch's own, for a matrix: three steps, no weight decay, its rate adjusted for the shape.
    start, slopes = (
        normal((6, 10), generator=generator(1)),
        normal((5, 6, 10), generator=generator(2)),
    )
    theirs, ours = nn.Parameter(start.clone()), nn.Parameter(start.clone().view(6, 10, 1, 1))
    reference = torch.optim.Muon([theirs], lr=0.1, momentum=0.6, weight_decay=0.0, ns_steps=3)
    mine = Muon([ours], lr=0.1)
    for slope in slopes:
        theirs.grad, ours.grad = slope.clone(), slope.clone().view(6, 10, 1, 1)
        reference.step()
        mine.step()
    # Both compute in bfloat16, in another order.
    assert torch.allclose(ours.flatten(1), theirs, atol=0.02)
    assert float((ours.flatten(1) - start).abs().max()) > 0.1


def test_filters_before_a_normalisation_keep_their_norm():
    weight = nn.Parameter(normal((8, 4, 3, 3), generator=generator(3)))
    optimiser = Muon([weight], lr=1e-6, normalise=True)
    weight.grad = normal((8, 4, 3, 3), generator=generator(4))
    optimiser.step()
    assert float(weight.norm()) == pytest.approx(8**0.5, rel=1e-4)


def test_the_output_does_not_depend_on_the_scale_of_such_filters():
    with seeded(0):
        encoder = TaskEncoder((3, 16, 16), 8, 4)
    images = torch.rand((32, 3, 16, 16), generator=generator(5))
    before = encoder(images)
    for module in encoder.modules():
        if isinstance(module, FilterConv):
            module.weight.data *= 3
    # Up to the constant that keeps the normalisation from dividing by nothing.
    assert torch.allclose(encoder(images), before, atol=1e-3)
