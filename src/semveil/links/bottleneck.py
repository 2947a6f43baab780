"""A link with a variational information bottleneck on its features."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from semveil.channel import Channel
from semveil.link import Disturb, Exchange, LinkNetwork, Modulate, to_waveform
from semveil.nets.task import GatedEncoder
from semveil.phy import snr_to_noise_variance
from semveil.protect.base import Mechanism
from semveil.recipe import Section, Weight
from semveil.rng import Randomness

_K1, _K2, _K3 = 0.63576, 1.8732, 1.48695


class BottleneckConfig(Section):
    """The information bottleneck on what is transmitted.

    Attributes:
        weight: Weight β of the information about the image.
        free_epochs: Share of the epochs before the weight begins to rise from zero.
        full_epochs: Share of the epochs after which it is whole.
        variable_length: Whether coordinates are switched off according to the channel's SNR.
        threshold: Amplitude under which a coordinate is switched off.
    """

    section: ClassVar[str] = "bottleneck"

    weight: Weight = 1e-3
    free_epochs: Annotated[float, Field(ge=0, le=1)] = 0.1
    full_epochs: Annotated[float, Field(ge=0, le=1)] = 0.3
    variable_length: bool = False
    threshold: Annotated[float, Field(ge=0, lt=1)] = 0.01


def noise_per_real(snr_db: Tensor | float) -> Tensor:
    """Return the noise's standard deviation per real component, ``σ = √(N_0/2)``."""
    snr = torch.as_tensor(snr_db, dtype=torch.float32)
    return (snr_to_noise_variance(snr) / 2).sqrt()


def log_uniform_kl(sent: Tensor, sigma: Tensor) -> Tensor:
    """Approximate the rate term of the bottleneck, ``KL(p(ẑ|x) ‖ log-uniform)``, nats per image.

    ``−k1·sigmoid(k2 + k3 ln α²) + ½ softplus(−ln α²) + k1`` with ``α² = σ²/z²`` (Molchanov et
    al., 2017, as used by Shao, Mao, Zhang, arXiv 2102.04170).
    """
    log_alpha = 2 * torch.log(sigma) - torch.log(sent.square() + 1e-8)
    cost = _K1 * (1 - torch.sigmoid(_K2 + _K3 * log_alpha)) + 0.5 * F.softplus(-log_alpha)
    return cost.sum(1)


class BottleneckLink(LinkNetwork):
    """Gated features, with the rate term computed on the transmitted reals."""

    resizable = True

    def __init__(
        self,
        encoder: GatedEncoder,
        classifier: nn.Module,
        channel: Channel,
        snr_db: float,
        threshold: float,
        mechanism: Mechanism | None = None,
        modulate: Modulate = to_waveform,
    ) -> None:
        super().__init__(encoder, classifier, None, channel, mechanism, modulate)
        self.encoder: GatedEncoder
        self.snr_db, self.threshold = snr_db, threshold

    def _encode(self, images: Tensor, snr_db: Tensor | float) -> Tensor:
        sigma = noise_per_real(snr_db).to(images.device).reshape(-1, 1)
        features: Tensor = self.encoder(images, sigma)
        if self.training:
            return features
        return features * (self.encoder.gate(sigma) > self.threshold)

    def _send(self, images: Tensor, snr_db: Tensor | float, source: Randomness) -> Tensor:
        features = self._encode(images, snr_db)
        if self.mechanism is not None:
            features = self.mechanism(features, source)
        return self.modulate(features)

    def encode(self, images: Tensor) -> Tensor:
        """Return Alice's features before any noise, float ``[B, d]``, at the SNR of training."""
        return self._encode(images, self.snr_db)

    def active(self, snr_db: float) -> int:
        """Return the number of features that are switched on at an SNR."""
        parameter = next(self.parameters())
        sigma = noise_per_real(snr_db).to(parameter.device).reshape(1, 1)
        return int((self.encoder.gate(sigma) > self.threshold).sum())

    def transmit(self, images: Tensor, source: Randomness = None) -> Tensor:
        """Return Alice's waveform, complex ``[B, d/2]``, for images ``[B, C, H, W]``."""
        return self._send(images, self.snr_db, source)

    def exchange(
        self,
        images: Tensor,
        snr_db: Tensor | float,
        source: Randomness,
        disturb: Disturb | None = None,
    ) -> Exchange:
        """Send images; see :meth:`LinkNetwork.exchange`."""
        waveform = self._send(images, snr_db, source)
        answer = self.decode(self.carry(waveform, snr_db, source, disturb).features())
        sigma = noise_per_real(snr_db).to(images.device).reshape(-1, 1)
        rate = log_uniform_kl(torch.view_as_real(waveform).flatten(1), sigma).mean()
        return Exchange(waveform, answer, rate)
