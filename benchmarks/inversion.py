"""Training of an inversion attack, against the training of its bare network.

The attack draws fresh fading and noise for every image; the bare network takes the same steps on
observations prepared beforehand, without validation.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from benchmarks.agreement import require
from benchmarks.link import IMAGE_SHAPE, random_images
from benchmarks.timing import OnRound, Ratio, Rounds, Work, alternate
from semveil.adversary.eavesdrop.eavesdropper import Observations
from semveil.adversary.eavesdrop.inversion import DeconvInversion
from semveil.adversary.eavesdrop.observations import Intercepts, Recording, any_of, numbered
from semveil.adversary.eavesdrop.perceptual import PerceptualLoss
from semveil.adversary.eavesdrop.trainer import Effort, batches, batching
from semveil.channel import Channel
from semveil.device import channels_last, native_bfloat16
from semveil.link import as_float, to_waveform
from semveil.nets.eavesdropper import inversion_network
from semveil.rng import generator, seeded

_CPU = torch.device("cpu")
_CAPACITY, _BATCH, _LEARNING_RATE, _SNRS_DB = "deconv", 256, 2e-3, [4.0, 12.0, 20.0]
_LATENT_DIM = 128


def _send(images: Tensor, source: torch.Generator) -> Tensor:
    return to_waveform(images.flatten(1)[:, :_LATENT_DIM] - 0.5)


def _intercepts(images: int, purpose: str) -> Intercepts:
    labels = torch.zeros(images, dtype=torch.long)
    recording = Recording(
        numbered(_send), random_images(images), labels, purpose=purpose, seed=0, device=_CPU
    )
    return Intercepts(recording, Channel("awgn"))


class Epoch:
    """The first epoch of an inversion attack: by the attack, and by the bare network.

    Args:
        images: Training images; two fifths as many validate, as in an audit.
    """

    def __init__(self, images: int) -> None:
        self.training = _intercepts(images, "training")
        self.validation = _intercepts(-(-2 * images // 5), "validation")
        # The attack's own draws, so that both compute the same result.
        levels, source = torch.tensor(_SNRS_DB), generator(0, "inversion", _CAPACITY, "epoch", 0)
        self.observations, self.targets = [], []
        self.passes = batching(images, _BATCH)[1]
        for rows in batches(images, *batching(images, _BATCH), source):
            heard = self.training.hear(rows, any_of(levels, rows, source), source)
            self.observations.append(heard)
            self.targets.append(self.training.images[rows])

    def attack(self) -> nn.Module:
        """Train as the audit does, and return the network."""
        eve = DeconvInversion()
        eve.fit(
            Observations(
                self.training,
                self.validation,
                _SNRS_DB,
                classes=10,
                effort=Effort(1, 1),
                seed=0,
                perceptual=lambda: PerceptualLoss(lambda images: [images]),
            )
        )
        assert eve.trained is not None
        return eve.trained

    def bare(self) -> nn.Module:
        """Train the same network on the same observations, and nothing else."""
        return self._trained()[0]

    def averaged(self) -> nn.Module:
        """Do the same, and return the average of the weights, which the attack keeps."""
        return self._trained(averaged=True)[1]

    def _trained(self, averaged: bool = False) -> tuple[nn.Module, AveragedModel]:
        with seeded(0, "inversion", _CAPACITY, "weights"):
            network = inversion_network(_CAPACITY, self.training.width, IMAGE_SHAPE)
        channels_last(network)
        steps = len(self.observations)
        average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(steps / (1 + steps)))
        optimiser = torch.optim.Adam(network.parameters(), lr=_LEARNING_RATE, fused=True)
        for step, (heard, images) in enumerate(zip(self.observations, self.targets, strict=True)):
            # The first epoch warms up.
            optimiser.param_groups[0]["lr"] = _LEARNING_RATE * (step + 1) / steps
            with torch.autocast("cpu", torch.bfloat16, enabled=native_bfloat16(_CPU)):
                rebuilt = network(heard)
            optimiser.zero_grad()
            functional.mse_loss(rebuilt.float(), as_float(images)).backward()
            optimiser.step()
            if averaged:
                average.update_parameters(network)
        return network, average


def require_same_network(epoch: Epoch) -> None:
    """Raise :class:`DisagreementError` unless both sides end at the same weights."""
    weights = zip(epoch.attack().parameters(), epoch.averaged().parameters(), strict=True)
    for ours, theirs in weights:
        require("weights of the inverter", ours, theirs, tolerance=1e-3)


def measure(quick: bool, on_round: OnRound) -> Rounds:
    """Time one epoch of each."""
    images = 128 if quick else 6144
    epoch = Epoch(images)
    require_same_network(epoch)
    images *= epoch.passes
    return alternate(
        Work("bare network, per image", epoch.bare, images),
        Work("inversion attack", epoch.attack, images),
        5 if quick else 9,
        on_round,
    )


RATIOS = {
    "inversion_vs_bare": Ratio(
        title="Speed of an inversion attack's training, against its bare network on ready inputs",
        target=(">=", 0.8),
        measure=measure,
    ),
}
