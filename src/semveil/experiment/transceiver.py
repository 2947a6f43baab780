"""The two ends of a system as they are used once trained, and what each is made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from semveil.channel import Reception
from semveil.device import channels_last
from semveil.experiment.plan import SystemPlan, plan
from semveil.experiment.training import TrainedNetworks, build_objective
from semveil.link import Answer, LinkNetwork
from semveil.nets.convolutional import ImageShape
from semveil.protect.keyed_transform import KeyedTransform, as_reals, as_symbols
from semveil.protect.keys import research_key
from semveil.recipe import Recipe
from semveil.records import Asked
from semveil.rng import Randomness, generator
from semveil.train.objective import Objective


@dataclass(frozen=True)
class Transceiver:
    """Alice and Bob of one system, in evaluation mode, with random weights.

    What is computed does not depend on the weights, so that cost is known without training.

    Attributes:
        planned: The system.
        trained: Its networks, the simulated Eve's too.
        link: Its link.
        cover: Keyed transform of its waveform; None if there is none.
        image_shape: Channels, height, width.
        classes: Answers of the task.

    Example:
        >>> ends = build("rotation", Recipe(scheme="rotation"), (1, 8, 8), 10, seed=0)
        >>> images, messages = torch.zeros(2, 1, 8, 8), torch.arange(2)
        >>> ends.bob(ends.reception(images, messages), messages).logits.shape
        torch.Size([2, 10])
    """

    planned: SystemPlan
    trained: TrainedNetworks
    link: LinkNetwork
    cover: KeyedTransform | None
    image_shape: ImageShape
    classes: int

    def alice(self, images: Tensor, messages: Tensor, source: Randomness = None) -> Tensor:
        """Return what leaves the antenna, complex ``[B, k]``.

        Args:
            images: float ``[B, C, H, W]`` in [0, 1].
            messages: Message counters, int64 ``[B]``.
            source: Source of her own randomness, where she has any.
        """
        waveform = self.link.transmit(images, source)
        return waveform if self.cover is None else self.cover.encrypt(waveform, messages)

    def bob(self, reception: Reception, messages: Tensor) -> Answer:
        """Return Bob's answer: equalise, undo the cover, decode."""
        features = reception.features()
        if self.cover is None:
            return self.link.decode(features)
        decrypted = self.cover.decrypt(as_symbols(features[:, :-1]), messages)
        return self.link.decode(torch.cat([as_reals(decrypted), features[:, -1:]], dim=1))

    def reception(self, images: Tensor, messages: Tensor, seed: int = 0) -> Reception:
        """Return what Bob hears of images ``[B, C, H, W]``, at his training SNR."""
        source = generator(seed, "channel")
        waveform = self.alice(images, messages, source)
        snr_db = self.planned.link.recipe.bob.snr_db
        return self.link.channel(waveform, snr_db, generator=source)

    def objective(self) -> Objective:
        """Return what trains the link."""
        return build_objective(self.trained, [self.planned], self.planned.link.stream)

    def parameters(self) -> dict[str, int]:
        """Count the trained numbers that each end's output depends on.

        Found by differentiating: what has a gradient is needed at that end. A codebook is needed
        at both.

        Returns:
            Counts of ``alice``, ``bob``, ``both`` (all of the link), and ``eve`` (whom training
            simulates; no part of what is deployed).

        Example:
            >>> ends = build("deepjscc", Recipe(scheme="deepjscc"), (1, 8, 8), 10, seed=0)
            >>> counts = ends.parameters()
            >>> counts["alice"] + counts["bob"] == counts["both"]
            True
        """
        images = torch.rand((2, *self.image_shape), generator=generator(0, "images"))
        messages = torch.arange(2)
        counts = {"alice": self._needed(torch.view_as_real(self.alice(images, messages)))}
        with torch.no_grad():
            heard = self.reception(images, messages)
        counts["bob"] = self._needed(self.bob(heard, messages).logits)
        counts["both"] = _count(self.link.parameters())
        players = self.objective().players
        counts["eve"] = sum(_count(all_) for name, all_ in players.items() if name != "link")
        return counts

    def _needed(self, output: Tensor) -> int:
        every = [parameter for parameter in self.link.parameters() if parameter.requires_grad]
        gradients = torch.autograd.grad(output.sum(), every, allow_unused=True)
        return _count(p for p, g in zip(every, gradients, strict=True) if g is not None)


def _count(parameters: Iterable[Tensor]) -> int:
    return sum(parameter.numel() for parameter in parameters)


def build(
    scheme: Asked, recipe: Recipe, image_shape: ImageShape, classes: int, seed: int
) -> Transceiver:
    """Build the two ends of a scheme, untrained.

    Args:
        scheme: The scheme, with the protections laid over it.
        recipe: The settings.
        image_shape: Channels, height, width.
        classes: Answers of the task.
        seed: Seed of weights and of the research key.

    Raises:
        SemveilError: If the scheme is unknown or the settings do not fit it.

    Example:
        >>> build("deepjscc", Recipe(scheme="deepjscc"), (1, 8, 8), 10, seed=0).cover is None
        True
    """
    planned = plan([scheme], recipe)[0]
    trained = TrainedNetworks([planned], recipe, image_shape, classes, seed)
    channels_last(trained).eval()
    link, cover = trained.link(planned.link.stream), None
    if planned.cover is not None:
        key = research_key(seed, planned.stream)
        cover = planned.cover(planned.link.recipe, link, key)
    return Transceiver(planned, trained, link, cover, image_shape, classes)
