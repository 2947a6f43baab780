"""The cooperative perturbation: Alice adds it to her waveform against Eve, and it spares Bob.

Sagduyu et al., arXiv 2512.24452: an auxiliary layer superimposes an adversarially crafted
perturbation on the transmitted waveform. How it is crafted is not stated; our reading::

    δ = argmin  privacy_loss(Eve(z + δ)) + μ [CE_Bob(z + δ) + w MSE_Bob(z + δ)]   at a stated PSR

Alice knows neither the label nor the fading. The answer that Bob shall keep is his answer to her
noiseless waveform: with the true label instead, the perturbation would write that label into the
waveform. Where Eve is after a private attribute, of which Bob says nothing, its stand-in is the
surrogate Eve's own answer to that noiseless waveform. The gradient forms average over channel draws
that are the same for every image, so that a waveform depends on its image alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from semveil import phy
from semveil.adversary.perturb.gradient import descend
from semveil.adversary.perturb.psr import jamming, to_psr
from semveil.adversary.privacy_loss import privacy_loss
from semveil.channel import Reception, channel_of
from semveil.errors import SemveilError
from semveil.link import LinkNetwork
from semveil.nets.dense import Mlp
from semveil.recipe import ChannelConfig, Decibel, Positive, Section, Weight
from semveil.rng import Randomness, generator


class PerturbationConfig(Section):
    """The cooperative perturbation on Alice's waveform.

    Attributes:
        form: ``fgm`` (one gradient step), ``pgd`` (several, projected) or ``learned``.
        psr_db: Its power over the signal's, dB, met exactly for every image.
        total_power: Power per symbol of signal and perturbation together.
        aim: Privacy loss, as in min-max training: ``clipped``, ``uniform`` or ``gap``.
        spare_weight: Weight of Bob's own losses against Eve's.
        image_weight: Weight of Bob's image within them; 0 spares his label alone and is faster.
        steps: Gradient steps of ``pgd``.
        draws: Channel draws that a gradient is averaged over.
        epochs: Passes over the system's images that train the ``learned`` form.
    """

    section: ClassVar[str] = "perturbation"

    form: Literal["fgm", "pgd", "learned"] = "pgd"
    psr_db: Decibel = -3.0
    total_power: Annotated[float, Field(gt=0, le=1000)] = 1.0
    aim: Literal["clipped", "uniform", "gap"] = "clipped"
    spare_weight: Weight = 4.0
    image_weight: Weight = 0.0
    steps: Annotated[int, Field(gt=0, le=1000)] = 20
    draws: Annotated[int, Field(gt=0, le=1000)] = 4
    epochs: Positive = 10


def superimpose(waveform: Tensor, delta: Tensor, total_power: float = 1.0) -> Tensor:
    """Add a perturbation and spend exactly the total power on both together.

    Args:
        waveform: Alice's signal, complex ``[B, k]``.
        delta: Perturbation, complex ``[B, k]``.
        total_power: Mean power per symbol of the sum.

    Returns:
        What leaves the antenna, complex ``[B, k]``; the PSR is that of the sum's parts.

    Example:
        >>> superimpose(torch.ones(1, 2) + 0j, torch.tensor([[0j, -1]])).abs()
        tensor([[1.4142, 0.0000]])
    """
    return phy.normalise_power(waveform + delta) * total_power**0.5


@dataclass(frozen=True)
class Wanted:
    """Answers to the noiseless waveform: Bob's, which shall not change, and what Eve is kept from.

    Attributes:
        labels: His labels, int ``[B]``.
        images: His images, float ``[B, C, H, W]``; None if they are not spared.
        eve_labels: What Eve shall not infer, int ``[B]``.
    """

    labels: Tensor
    images: Tensor | None
    eve_labels: Tensor

    def repeat(self, times: int) -> Wanted:
        """Return the same answers, the whole batch several times over."""
        images = self.images
        return Wanted(
            self.labels.repeat(times),
            None if images is None else images.repeat(times, 1, 1, 1),
            self.eve_labels.repeat(times),
        )


class CooperativeAim:
    """The objective of a cooperative perturbation.

    Args:
        settings: Weights and the privacy loss.
        link: Alice and Bob, frozen.
        eve: Surrogate Eve, frozen, features → logits.
        private: Whether she infers a private attribute rather than Bob's task.
    """

    def __init__(
        self,
        settings: PerturbationConfig,
        link: LinkNetwork,
        eve: nn.Module,
        private: bool = False,
    ) -> None:
        self.link, self.eve, self.private = link, eve, private
        self.privacy_loss = privacy_loss(settings.aim)
        self.spare_weight, self.image_weight = settings.spare_weight, settings.image_weight
        if self.image_weight and link.reconstructor is None:
            raise SemveilError(
                f"perturbation.image_weight: {self.image_weight:g}, but Bob reconstructs no image; "
                "set it to 0, or train.reconstruction_weight above 0"
            )

    @torch.no_grad()
    def wanted(self, waveform: Tensor) -> Wanted:
        """Return Bob's and, of a private attribute, Eve's answers to the waveform as it is sent."""
        one = waveform.new_ones(len(waveform), 1)
        features = Reception(waveform, one, one.real[:1, 0] * 0).features()
        labels = self.link.classifier(features).argmax(1)
        images = self.link.rebuild(features) if self.image_weight else None
        return Wanted(labels, images, self.eve(features).argmax(1) if self.private else labels)

    def loss(self, bob: Reception, eve: Reception, wanted: Wanted) -> Tensor:
        """Return the loss per image.

        Args:
            bob: What Bob receives of the perturbed waveform.
            eve: What the surrogate Eve receives of it.
            wanted: Answers from :meth:`wanted`.

        Returns:
            Loss, float ``[B]``.
        """
        heard = bob.features()
        logits = self.link.classifier(heard).float()
        kept = F.cross_entropy(logits, wanted.labels, reduction="none")
        if wanted.images is not None:
            images = self.link.rebuild(heard).float()
            off = (images - wanted.images.float()).square().flatten(1).mean(1)
            kept = kept + self.image_weight * off
        leak = self.privacy_loss(self.eve(eve.features()).float(), wanted.eve_labels)
        return leak + self.spare_weight * kept


class WaveformLayer(nn.Module):
    """A layer on Alice's waveform: complex ``[B, k]`` and randomness → complex ``[B, k]``.

    Attributes:
        psr_db: Power that it adds over the signal's, dB; None if it adds nothing.
        total_power: Mean power per symbol of what leaves the antenna.
        epochs: Passes over the system's images that train it; 0 if nothing is learned.
    """

    psr_db: float | None = None
    total_power: float = 1.0
    epochs: int = 0

    def forward(self, waveform: Tensor, source: Randomness = None) -> Tensor:
        """Return what leaves the antenna."""
        raise NotImplementedError


class CooperativeLayer(WaveformLayer):
    """A layer that superimposes a perturbation of a stated PSR at a stated total power.

    Args:
        settings: Both.
    """

    def __init__(self, settings: PerturbationConfig) -> None:
        super().__init__()
        self.settings = settings
        self.psr_db, self.total_power = settings.psr_db, settings.total_power

    def superimpose(self, waveform: Tensor, delta: Tensor) -> Tensor:
        """Return signal and perturbation at the total power."""
        return superimpose(waveform, delta, self.total_power)


class GradientLayer(CooperativeLayer):
    """Per-image gradient form: one step (``fgm``) or several, projected (``pgd``).

    Args:
        settings: Budget, steps, draws.
        bob: Bob's channel, and the SNR of his training.
        eve: Eve's.
        aim: What it is crafted for.
        seed: Seed of Alice's own channel draws.

    Shape:
        waveform complex ``[B, k]`` → complex ``[B, k]`` of the stated total power.
    """

    def __init__(
        self,
        settings: PerturbationConfig,
        bob: ChannelConfig,
        eve: ChannelConfig,
        aim: CooperativeAim,
        seed: int,
    ) -> None:
        super().__init__(settings)
        self.aim = aim
        self.steps = 1 if settings.form == "fgm" else settings.steps
        self.channels = channel_of(bob), channel_of(eve)
        self.snrs_db = bob.snr_db, eve.snr_db
        self.seed = seed

    def forward(self, waveform: Tensor, source: Randomness = None) -> Tensor:
        """Perturb waveforms; ``source`` is not used, the layer is deterministic."""
        draws = self.settings.draws
        many = self.aim.wanted(waveform).repeat(draws)

        def loss(delta: Tensor, step: int) -> Tensor:
            sent = self.superimpose(waveform.detach(), delta)
            bob, eve = (self._hear(sent, party, step) for party in (0, 1))
            return self.aim.loss(bob, eve, many).view(draws, -1).mean(0)

        delta = descend(waveform, loss, self.settings.psr_db, self.steps)
        return self.superimpose(waveform, delta)

    def _hear(self, sent: Tensor, party: int, step: int) -> Reception:
        """Return ``draws`` receptions of every image, the same draws for each image."""
        draws = self.settings.draws
        source = generator(self.seed, "craft", step, party, device=sent.device)
        # One row per draw carries that draw's fading and noise; the signal is added after.
        silent = self.channels[party](
            sent.new_zeros(draws, sent.shape[1]), self.snrs_db[party], generator=source
        )
        repeated = sent.repeat(draws, 1).view(draws, *sent.shape)
        symbols = silent.csi[:, None] * repeated + silent.symbols[:, None]
        csi = silent.csi[:, None].expand(draws, len(sent), 1)
        return Reception(symbols.flatten(0, 1), csi.flatten(0, 1), silent.noise_variance)


class LearnedLayer(CooperativeLayer):
    """Learned form: a network that maps the waveform to its perturbation.

    Args:
        settings: Budget, epochs.
        latent_dim: Reals of the waveform.
        width: Hidden width.

    Shape:
        waveform complex ``[B, k]`` → complex ``[B, k]`` of the stated total power.
    """

    def __init__(self, settings: PerturbationConfig, latent_dim: int, width: int = 256) -> None:
        super().__init__(settings)
        self.epochs = settings.epochs
        self.network = Mlp(latent_dim, (width, width), latent_dim)

    def forward(self, waveform: Tensor, source: Randomness = None) -> Tensor:
        """Perturb waveforms; ``source`` is not used, the layer is deterministic."""
        direction = self.network(torch.view_as_real(waveform).flatten(1)).float()
        delta = to_psr(
            torch.view_as_complex(direction.unflatten(1, (-1, 2))), waveform, self.settings.psr_db
        )
        return self.superimpose(waveform, delta)


class NoiseLayer(CooperativeLayer):
    """The control: Gaussian noise of exactly the perturbation's power, fresh per message."""

    def forward(self, waveform: Tensor, source: Randomness = None) -> Tensor:
        """Add the noise to waveforms, complex ``[B, k]``."""
        delta = jamming(waveform, self.settings.psr_db, generator=source)
        return self.superimpose(waveform, delta)


class SignalLayer(WaveformLayer):
    """The other control: the total power spent on the signal, nothing on a perturbation."""

    def __init__(self, settings: PerturbationConfig) -> None:
        super().__init__()
        self.total_power = settings.total_power

    def forward(self, waveform: Tensor, source: Randomness = None) -> Tensor:
        """Scale waveforms, complex ``[B, k]``, to the total power."""
        return superimpose(waveform, torch.zeros_like(waveform), self.total_power)
