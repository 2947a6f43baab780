"""The cooperative perturbation: Alice's own, crafted against Eve while it spares Bob.

Sagduyu et al., arXiv 2512.24452: an auxiliary layer superimposes an adversarially crafted
perturbation on the transmitted waveform. How it is crafted is not said; our reading::

    δ = argmin  wish(Eve(z + δ)) + μ [CE_Bob(z + δ) + w MSE_Bob(z + δ)]   at a stated PSR

Alice knows neither the label nor the fading. What Bob must go on saying is his answer to her
noiseless waveform: with the true label instead, the perturbation would write that label into the
waveform. The gradient forms average over channel draws that are the same for every image, so
that a waveform depends on its image alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semveil import phy
from semveil.adversary.perturb.gradient import descend
from semveil.adversary.perturb.psr import jamming, to_psr
from semveil.adversary.privacy_loss import privacy_loss
from semveil.channel import Reception, channel_of
from semveil.link import LinkNetwork
from semveil.nets.dense import Mlp
from semveil.recipe import Recipe
from semveil.rng import Randomness, generator


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
    """What Bob shall go on answering.

    Attributes:
        labels: His labels, int ``[B]``.
        images: His images, float ``[B, C, H, W]``; None if they are not spared.
    """

    labels: Tensor
    images: Tensor | None

    def repeat(self, times: int) -> Wanted:
        """Return the same answers, the whole batch several times over."""
        images = self.images
        return Wanted(
            self.labels.repeat(times),
            None if images is None else images.repeat(times, 1, 1, 1),
        )


class CooperativeAim:
    """What a cooperative perturbation is crafted for.

    Args:
        recipe: Weights and the wish.
        link: Alice and Bob, frozen.
        eve: Surrogate Eve, frozen, features → logits.
    """

    def __init__(self, recipe: Recipe, link: LinkNetwork, eve: nn.Module) -> None:
        self.link, self.eve = link, eve
        self.wish = privacy_loss(recipe.perturbation.aim)
        self.spare_weight = recipe.perturbation.spare_weight
        self.image_weight = recipe.perturbation.image_weight

    @torch.no_grad()
    def wanted(self, waveform: Tensor) -> Wanted:
        """Return what Bob makes of the waveform without fading and noise."""
        one = waveform.new_ones(len(waveform), 1)
        features = Reception(waveform, one, one.real[:1, 0] * 0).features()
        labels = self.link.classifier(features).argmax(1)
        return Wanted(labels, self.link.rebuild(features) if self.image_weight else None)

    def loss(self, bob: Reception, eve: Reception, wanted: Wanted) -> Tensor:
        """Return the loss per image.

        Args:
            bob: What Bob receives of the perturbed waveform.
            eve: What the surrogate Eve receives of it.
            wanted: Bob's answers that shall not change, from :meth:`wanted`.

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
        leak = self.wish(self.eve(eve.features()).float(), wanted.labels)
        return leak + self.spare_weight * kept


class GradientLayer(nn.Module):
    """Per-image gradient form: one step (``fgm``) or several, projected (``pgd``).

    Args:
        recipe: Budget, steps, draws and SNRs.
        aim: What it is crafted for.
        seed: Seed of Alice's own channel draws.

    Shape:
        waveform complex ``[B, k]`` → complex ``[B, k]`` of the stated total power.
    """

    def __init__(self, recipe: Recipe, aim: CooperativeAim, seed: int) -> None:
        super().__init__()
        self.settings = recipe.perturbation
        self.aim = aim
        self.steps = 1 if self.settings.form == "fgm" else self.settings.steps
        self.channels = channel_of(recipe.bob), channel_of(recipe.eve)
        self.snrs_db = recipe.bob.snr_db, recipe.eve.snr_db
        self.seed = seed

    def forward(self, waveform: Tensor, source: Randomness = None) -> Tensor:
        """Perturb waveforms; ``source`` is not used, the layer is deterministic."""
        draws = self.settings.draws
        many = self.aim.wanted(waveform).repeat(draws)

        def loss(delta: Tensor, step: int) -> Tensor:
            sent = superimpose(waveform.detach(), delta, self.settings.total_power)
            bob, eve = (self._hear(sent, party, step) for party in (0, 1))
            return self.aim.loss(bob, eve, many).view(draws, -1).mean(0)

        delta = descend(waveform, loss, self.settings.psr_db, self.steps)
        return superimpose(waveform, delta, self.settings.total_power)

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


class LearnedLayer(nn.Module):
    """Learned form: a network that maps the waveform to its perturbation.

    Args:
        recipe: Budget.
        latent_dim: Reals of the waveform.
        width: Hidden width.

    Shape:
        waveform complex ``[B, k]`` → complex ``[B, k]`` of the stated total power.
    """

    def __init__(self, recipe: Recipe, latent_dim: int, width: int = 256) -> None:
        super().__init__()
        self.settings = recipe.perturbation
        self.network = Mlp(latent_dim, (width, width), latent_dim)

    def forward(self, waveform: Tensor, source: Randomness = None) -> Tensor:
        """Perturb waveforms; ``source`` is not used, the layer is deterministic."""
        direction = self.network(torch.view_as_real(waveform).flatten(1)).float()
        delta = to_psr(
            torch.view_as_complex(direction.unflatten(1, (-1, 2))), waveform, self.settings.psr_db
        )
        return superimpose(waveform, delta, self.settings.total_power)


class NoiseLayer(nn.Module):
    """The control: Gaussian noise of exactly the perturbation's power, fresh per message."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.settings = recipe.perturbation

    def forward(self, waveform: Tensor, source: Randomness = None) -> Tensor:
        """Add the noise to waveforms, complex ``[B, k]``."""
        delta = jamming(waveform, self.settings.psr_db, generator=source)
        return superimpose(waveform, delta, self.settings.total_power)


class SignalLayer(nn.Module):
    """The other control: the total power spent on the signal, nothing on a perturbation."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.settings = recipe.perturbation

    def forward(self, waveform: Tensor, source: Randomness = None) -> Tensor:
        """Scale waveforms, complex ``[B, k]``, to the total power."""
        return superimpose(waveform, torch.zeros_like(waveform), self.settings.total_power)
