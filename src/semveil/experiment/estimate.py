"""A lower bound of the memory that a run takes, from networks without memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn

from semveil import memory
from semveil.adversary.eavesdrop.choice import chosen
from semveil.data.splits import ImageSplits
from semveil.device import free_memory
from semveil.experiment.plan import SystemPlan
from semveil.experiment.training import TrainedNetworks
from semveil.link import LinkNetwork
from semveil.recipe import Recipe
from semveil.training.robust import Robust

_COMPLEX = 8  # bytes
_ADAM = 4  # weights, gradients and two moments


def refuse_too_large(
    systems: list[SystemPlan],
    recipe: Recipe,
    splits: ImageSplits,
    devices: int,
    place: torch.device,
) -> None:
    """Refuse settings whose networks, training steps or waveforms do not fit the memory.

    Args:
        systems: What the run trains and audits.
        recipe: The settings.
        splits: The images.
        devices: Processes that share a batch.
        place: Where everything is computed.

    Raises:
        SemveilError: If a lower bound of what they take is more than what is free.
    """
    free = free_memory(place)
    shape, classes, private = splits.image_shape, splits.n_classes, splits.n_private_classes
    smaller = "make link.latent_dim, link.width or data.image_size smaller"
    weights = 0
    trained = _built(lambda: TrainedNetworks(systems, recipe, shape, classes, 0, private))
    if trained is not None:
        # One link at a time learns.
        largest = max(map(_bytes, trained.links.values()), default=0)
        weights = _bytes(trained) + (_ADAM - 1) * largest
        memory.require_memory(weights, "the networks", smaller, free)
        images = torch.empty(recipe.train.batch // devices, *shape, device="meta")
        for name in trained.links:
            step = weights + _activations(trained.link(name), images, recipe.bob.snr_db)
            what = f"the networks and one training step of {len(images)} images"
            memory.require_memory(step, what, f"{smaller}, or train.batch", free)
        for stage, name in trained.hardenings().items():
            learning = _built(partial(_learning, trained, name, stage))
            if learning is not None:
                # Weights of all networks, gradients and two moments of those that learn.
                others = _bytes(trained) - _bytes(trained.link(name))
                needed = others + _ADAM * _bytes(learning)
                what = f"the networks of adversarial training by {recipe.harden.method}"
                memory.require_memory(needed, what, smaller, free)
    reals = max(system.scheme.latent_dim(shape) for system in systems)
    for eve in chosen(recipe.audit):
        network = _built(partial(eve.network, reals + 1, private or classes, shape))
        if network is not None:
            what = f"the networks of {eve.adversary}"
            memory.require_memory(_ADAM * _bytes(network), what, smaller, free)
    sent = len(splits.adversary) + len(splits.validation) + len(splits.test)
    waveforms = sent * (reals // 2) * _COMPLEX
    memory.require_memory(
        waveforms, f"the waveforms of {sent} images", "make link.latent_dim smaller", free
    )


def _learning(trained: TrainedNetworks, link: str, stage: str) -> nn.Module:
    """Return a link with the generators that it is trained against."""
    plan = trained.planned[link]
    network = trained.link(link)
    return Robust(plan.recipe, network, trained.image_shape, trained.classes, stage).modules


Network = TypeVar("Network", bound=nn.Module)


def _built(build: Callable[[], Network]) -> Network | None:
    """Return networks whose tensors take no memory; None if their classes compute with them."""
    try:
        with torch.device("meta"):
            return build()
    except (RuntimeError, NotImplementedError):
        return None


def _bytes(network: nn.Module) -> int:
    return sum(each.numel() * each.element_size() for each in network.parameters())


def _activations(link: LinkNetwork, images: Tensor, snr_db: float) -> int:
    """Return the bytes that a forward pass keeps for its gradients; 0 where they are not known."""
    own = {id(each) for each in link.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if id(tensor) not in own:
            storage = tensor.untyped_storage()
            kept[storage._cdata] = storage.nbytes()
        return tensor

    try:
        with (
            torch.device("meta"),
            torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        ):
            link.exchange(images, snr_db, None)
    except (RuntimeError, NotImplementedError):
        # Not every operation knows tensors without memory.
        return 0
    return sum(kept.values())
