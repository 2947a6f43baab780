"""Transfer: Mallory attacks a receiver that she trained herself, and sends Bob what fools it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semveil.adversary.perturb.attack import Progress
from semveil.adversary.perturb.attack_data import AttackData
from semveil.adversary.perturb.iterative import PGD
from semveil.adversary.perturb.victim import IncomingBatch, Victim
from semveil.channel import Reception
from semveil.link import Answer
from semveil.nets.eavesdropper import inference_network
from semveil.recipe import AttackConfig as Settings
from semveil.rng import generator, seeded

Surrogate = Callable[[int, int], nn.Module]
"""Features of a reception, classes → network float ``[B, inputs]`` → logits ``[B, classes]``."""

_DENSE: Surrogate = partial(inference_network, "mlp")


class Transfer:
    """Projected gradient descent against a surrogate of Bob (Papernot et al., arXiv 1605.07277).

    Mallory sees nothing of Bob, not even his answers. She hears images whose classes she knows
    with an antenna as good as his, learns to classify them, and attacks her own receiver.

    Args:
        settings: Passes over her images, images per step and learning rate of the surrogate;
            steps, starts and draws of the attack.
        surrogate: Her receiver; two hidden layers of 256 if omitted.

    Example:
        >>> Transfer(Settings(epochs=2)).needs_gradient
        False
    """

    name = "transfer"
    needs_gradient = False
    per_input = True

    def __init__(self, settings: Settings, surrogate: Surrogate = _DENSE) -> None:
        self.settings, self.surrogate = settings, surrogate
        self.inner = PGD(settings)
        self.network: nn.Module | None = None

    def fit(
        self,
        victim: Victim,
        images: Tensor,
        labels: Tensor,
        psrs_db: Sequence[float],
        seed: int,
        progress: Progress,
    ) -> None:
        """Train the surrogate on what arrives at Bob's antenna; see :class:`Attack`."""
        rehearsal = AttackData(victim, images, labels, seed)
        settings, device = self.settings, images.device

        def hear(rows: Tensor, source: torch.Generator) -> Tensor:
            arrival = rehearsal.scene(rows, source).arrival
            return victim.channel.hear(arrival, victim.snr_db, generator=source).features()

        source = generator(seed, "transfer", device=device)
        inputs = hear(torch.zeros(1, dtype=torch.long, device=device), source).shape[1]
        with seeded(seed, "transfer", "weights"):
            network = self.surrogate(inputs, victim.classes).to(device)
        optimiser = torch.optim.Adam(network.parameters(), lr=settings.lr)
        for epoch in range(settings.epochs):
            shuffled = torch.randperm(len(labels), generator=source, device=device)
            for rows in shuffled.split(settings.batch):
                loss = F.cross_entropy(network(hear(rows, source)), labels[rows])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            progress("transfer: surrogate", epoch + 1, settings.epochs)
        self.network = network.eval().requires_grad_(False)

    def craft(
        self,
        victim: Victim,
        scene: IncomingBatch,
        psrs_db: Sequence[float],
        source: torch.Generator,
    ) -> Tensor:
        """Return what fools the surrogate, complex ``[P, B, T]``; see :class:`Attack`.

        Raises:
            ValueError: Before :meth:`fit`.
        """
        network = self.network
        if network is None:
            raise ValueError("transfer has no surrogate yet")

        def receive(reception: Reception, messages: Tensor) -> Answer:
            return Answer(network(reception.features()))

        return self.inner.craft(replace(victim, receive=receive), scene, psrs_db, source)
