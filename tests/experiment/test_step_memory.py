"""The memory that settings take at least, before anything starts."""

from __future__ import annotations

import pytest
import torch

from semveil import recipe as recipes
from semveil.experiment.estimate import _activations
from semveil.registry import OURS, origin
from semveil.schemes.base import SCHEMES

OWN = {name for name in SCHEMES.names() if origin(SCHEMES.get(name)) == OURS}


# Nothing of the classical link learns.
@pytest.mark.parametrize("name", sorted(OWN - {"classical"}))
def test_a_training_step_of_every_scheme_takes_memory(name):
    recipe = recipes.load(f"{name}-digits")
    with torch.device("meta"):
        link = SCHEMES.get(name)(recipe).build((1, 8, 8), 10)
        few, many = (torch.empty(count, 1, 8, 8) for count in (8, 800))
    assert 0 < 10 * _activations(link, few, 10.0) < _activations(link, many, 10.0)
