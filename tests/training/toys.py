"""Links and games of a size that trains in no time."""

from __future__ import annotations

import torch
from torch import nn

from semveil.nets.eavesdropper import SimulatedEve
from semveil.recipe import check
from semveil.rng import generator, seeded
from semveil.schemes import SCHEMES
from semveil.training.minmax import MinMax, MinMaxConfig
from semveil.training.objective import Batch

SHAPE = (1, 8, 8)
LABELS = torch.arange(8)


def plain_recipe(**privacy):
    """Return settings as a dictionary."""
    return {
        "link": {"latent_dim": 8, "width": 4, "head_width": 16},
        "train": {"reconstruction_weight": 10.0, "epochs": 12},
        "privacy": {
            "form": "uniform",
            "pretrain_epochs": 0,
            "polish_epochs": 0,
            "eve_steps": 1,
            "link_steps": 1,
            "eve_capacity": "linear",
        }
        | privacy,
    }


def game(*, weight=1.0, recipe=None, **privacy):
    """Return a min-max game between a small link and a small Eve."""
    recipe = recipe or check(plain_recipe(**privacy))
    settings = recipe.of(MinMaxConfig).model_copy(update={"weight": weight})
    with seeded(7, "toys"):
        link = SCHEMES.get("multitask")(recipe).build(SHAPE, 10)
        eve = SimulatedEve(settings.eve_capacity, recipe.link.latent_dim + 1, 10, SHAPE)
    objective = MinMax(recipe, link, eve, settings)
    objective.name = "game"
    return objective


def batch():
    """Return eight images of noise."""
    return Batch(torch.rand(8, *SHAPE, generator=generator(3)), LABELS)


def snapshot(module: nn.Module):
    """Return a copy of a module's state."""
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def gradients(loss, module: nn.Module):
    """Return the gradient of a loss by parameter of a module, None where there is none."""
    named = dict(module.named_parameters())
    if not loss.requires_grad:
        return dict.fromkeys(named)
    slopes = torch.autograd.grad(loss, list(named.values()), retain_graph=True, allow_unused=True)
    return dict(zip(named, slopes, strict=True))
