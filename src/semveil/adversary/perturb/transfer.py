"""Transfer: gradients of a receiver that Mallory trained herself, used against Bob."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from semveil.adversary.perturb import ATTACKS
from semveil.adversary.perturb.attack import Progress
from semveil.adversary.perturb.attack_data import AttackData
from semveil.adversary.perturb.iterative import PGD
from semveil.adversary.perturb.victim import IncomingBatch, Victim
from semveil.channel import Reception
from semveil.link import Answer
from semveil.nets.eavesdropper import inference_network
from semveil.rng import generator, seeded
from semveil.style import PURPLE, Style

Surrogate = Callable[[int, int], nn.Module]
"""Features of a reception, classes → network float ``[B, inputs]`` → logits ``[B, classes]``."""

_MLP: Surrogate = partial(inference_network, "mlp")


class TransferConfig(PGD.Config):
    """Settings of the transfer attack.

    Attributes:
        steps: Gradient steps against the surrogate.
        restarts: Starts, of which the best is kept.
        epochs: Passes over Mallory's images that train the surrogate.
        lr: Learning rate of the surrogate.
    """

    epochs: Annotated[int, Field(gt=0)] = 10
    lr: Annotated[float, Field(gt=0, le=1)] = 1e-3


@ATTACKS.register
class Transfer(PGD):
    """Projected gradient descent against a surrogate of Bob.

    Mallory sees nothing of Bob, not even his answers. She receives images whose classes she knows
    with an antenna as good as his, learns to classify them, and attacks her own receiver.

    Attributes:
        surrogate: Builds her receiver: an MLP with two hidden layers of 256.

    Example:
        >>> Transfer(epochs=2).needs_gradient
        False
    """

    name = "transfer"
    description = "gradients per input of a receiver that Mallory trained herself"
    source = "Papernot et al., arXiv 1605.07277"
    needs_gradient = False
    needs_labels = True
    style = Style(PURPLE, "P", 70)
    Config = TransferConfig
    config: TransferConfig
    surrogate: Surrogate = staticmethod(_MLP)
    network: nn.Module | None = None

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
        data, config, device = AttackData(victim, images, labels, seed), self.config, images.device

        def hear(rows: Tensor, source: torch.Generator) -> Tensor:
            arrival = data.send(rows, source).arrival
            return victim.channel.hear(arrival, victim.snr_db, generator=source).features()

        source = generator(seed, "transfer", device=device)
        inputs = hear(torch.zeros(1, dtype=torch.long, device=device), source).shape[1]
        with seeded(seed, "transfer", "weights"):
            network = self.surrogate(inputs, victim.classes).to(device)
        optimiser = torch.optim.Adam(network.parameters(), lr=config.lr)
        for epoch in range(config.epochs):
            shuffled = torch.randperm(len(labels), generator=source, device=device)
            for rows in shuffled.split(self.goal.batch):
                loss = F.cross_entropy(network(hear(rows, source)), labels[rows])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            progress("transfer: surrogate", epoch + 1, config.epochs)
        self.network = network.eval().requires_grad_(False)

    def craft(
        self,
        victim: Victim,
        incoming: IncomingBatch,
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

        return super().craft(replace(victim, receive=receive), incoming, psrs_db, source)
