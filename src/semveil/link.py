"""The networks of a link: Alice's encoder, Bob's channel, Bob's classifier and decoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from semveil import phy
from semveil.channel import Arrival, Channel, Reception
from semveil.errors import SemveilError
from semveil.nets.convolutional import ImageShape, ResidualReconstructor
from semveil.nets.task import MapEncoder, TaskHead
from semveil.nets.whitening import Prepared
from semveil.protect.base import Mechanism
from semveil.protect.tag import FrameTag
from semveil.rng import Randomness

Modulate = Callable[[Tensor], Tensor]
"""Features ``[B, d]`` → waveform complex ``[B, d/2]``."""


Disturb = Callable[[Arrival], Tensor]
"""Signal at Bob's antenna → Mallory's perturbation, complex, the shape of its signal."""


def to_waveform(latent: Tensor) -> Tensor:
    """Pair the reals of a latent into complex symbols of unit mean power per image.

    Args:
        latent: float ``[B, d]``, ``d`` even.

    Returns:
        Waveform, complex ``[B, d/2]`` with ``‖z‖² = d/2``.

    Example:
        >>> to_waveform(torch.tensor([[3.0, 4.0]]))
        tensor([[0.6000+0.8000j]])
    """
    return phy.normalise_power(torch.view_as_complex(latent.float().unflatten(1, (-1, 2))))


@dataclass
class Answer:
    """Bob's output for one batch.

    Attributes:
        logits: Task scores, float ``[B, classes]``; None if Bob classifies nothing.
        images: Reconstruction, float ``[B, C, H, W]`` in [0, 1]; None if Bob reconstructs nothing.
        lost: Which images Bob knows that he did not get, bool ``[B]``; None where he never knows.
        accepted: Whether he takes each message for one that nobody changed, bool ``[B]``; None if
            nothing of it is tested. Logits and images of rejected messages are there too.
    """

    logits: Tensor | None = None
    images: Tensor | None = None
    lost: Tensor | None = None
    accepted: Tensor | None = None

    @property
    def scores(self) -> Tensor:
        """The logits in float32; an error if Bob classifies nothing."""
        if self.logits is None:
            raise SemveilError("Bob reconstructs images on this link and classifies nothing")
        return self.logits.float()

    @property
    def output(self) -> Tensor:
        """The logits, or the reconstructions of a Bob who classifies nothing."""
        output = self.images if self.logits is None else self.logits
        assert output is not None
        return output

    def log_error(self, images: Tensor) -> Tensor:
        """Logarithm of every reconstruction's mean squared error, float ``[B]``.

        It falls as the PSNR rises, and is as large as a cross-entropy.
        """
        if self.images is None:
            raise SemveilError("Bob reconstructs no image on this link")
        error = (self.images.float() - images).square().flatten(1).mean(1)
        return error.clamp_min(1e-12).log()


@dataclass
class Exchange:
    """One batch sent from Alice to Bob in training.

    Attributes:
        waveform: Transmitted waveform, complex ``[B, k]``.
        answer: Bob's answer.
        information: Information of the waveform about the image under the encoder's
            probabilities, nats per image, scalar; None where there are none (an analog link).
        losses: Further weighted losses of the link itself, scalars, to be minimised.
        unprotected: Bob's answer to the same images sent without protection, where the link
            is trained for that too.
        unkeyed: Bob's answer with a wrong key, which is trained to be useless.
        direct: Bob's answer from the received latent, where he has a classifier for it.
    """

    waveform: Tensor
    answer: Answer
    information: Tensor | None = None
    losses: dict[str, Tensor] = field(default_factory=dict)
    unprotected: Answer | None = None
    unkeyed: Answer | None = None
    direct: Answer | None = None


class LinkNetwork(nn.Module):
    """Alice → waveform → channel → Bob, as one differentiable module.

    Eve receives the output of :meth:`transmit` over her own channel; Mallory adds ``injected`` in
    :meth:`forward` at Bob's antenna.

    Args:
        encoder: Images ``[B, C, H, W]`` → features ``[B, d]``.
        classifier: Features of a reception ``[B, d + 1]`` → logits ``[B, classes]``.
        reconstructor: Features ``[B, d + 1]`` → images ``[B, C, H, W]``; None if Bob
            reconstructs nothing.
        channel: Bob's channel.
        mechanism: Noise on the features before they are sent; none if None.
        modulate: Features → waveform; per-image unit power if omitted.

    Example:
        >>> link = multitask_link((1, 8, 8), classes=10, latent_dim=8, width=4)
        >>> link(torch.zeros(2, 1, 8, 8), snr_db=10.0).logits.shape
        torch.Size([2, 10])
    """

    digital = False
    """Whether the symbols are points of a constellation."""
    fixed_gain = False
    """Whether the power is one on average only, not for every image."""
    classifies = True
    """Whether Bob's answer has logits."""
    differentiable = True
    """Whether Bob's answer has a gradient at the received signal."""
    costly = False
    """Whether sending takes so long that an eavesdropper sends each of her images but once."""
    encrypts = False
    """Whether training sends every image under a key."""
    resizable = False
    """Whether Alice encodes images of other sizes than those the link was built for, too."""
    tag_bits = 0
    """Bits of the keyed tag in every frame; none if zero."""
    active: Callable[[float], int] | None = None
    """How many features are switched on at an SNR in dB, where that may change."""

    def __init__(
        self,
        encoder: nn.Module,
        classifier: nn.Module,
        reconstructor: nn.Module | None,
        channel: Channel,
        mechanism: Mechanism | None = None,
        modulate: Modulate = to_waveform,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.classifier = classifier
        self.reconstructor = reconstructor
        self.channel = channel
        self.mechanism = mechanism
        self.modulate = modulate

    def encode(self, images: Tensor) -> Tensor:
        """Return Alice's features before any noise, float ``[B, d]``, for images."""
        features: Tensor = self.encoder(images)
        return features

    def features(self, images: Tensor, source: Randomness = None) -> Tensor:
        """Return Alice's features, float ``[B, d]``, for images ``[B, C, H, W]``."""
        features = self.encode(images)
        return features if self.mechanism is None else self.mechanism(features, source)

    def transmit(self, images: Tensor, source: Randomness = None) -> Tensor:
        """Return Alice's waveform, complex ``[B, d/2]``, for images ``[B, C, H, W]``.

        Args:
            images: float in [0, 1].
            source: Source of Alice's own randomness, if any.
        """
        return self.modulate(self.features(images, source))

    def expected(self, images: Tensor) -> Tensor:
        """Return the waveform without Alice's own randomness, complex ``[B, d/2]``.

        Differentiable and a function of the image alone, for a white-box Eve.
        """
        return self._in_mean(self.encode(images))

    def _in_mean(self, features: Tensor) -> Tensor:
        if self.mechanism is None:
            return self.modulate(features)
        waveform = self.modulate(self.mechanism.bound(features).float())
        # With a gain per image, noise takes its share of the power.
        share = 0.0 if self.mechanism.fixed_gain else self.mechanism.noise_share
        return waveform * (1 - share) ** 0.5

    def radiate(self, images: Tensor, source: Randomness) -> Tensor:
        """Return the transmitted waveform in training, which Eve receives, complex ``[B, k]``."""
        return self.transmit(images, source)

    def rebuild(self, features: Tensor) -> Tensor:
        """Return Bob's images, ``[B, C, H, W]``."""
        if self.reconstructor is None:
            raise ValueError("Bob reconstructs no image on this link")
        images: Tensor = self.reconstructor(features)
        return images

    def decode(self, features: Tensor) -> Answer:
        """Return Bob's answer to the features ``[B, d + 1]`` of a reception."""
        rebuilt = None if self.reconstructor is None else self.rebuild(features)
        return Answer(self.classifier(features), rebuilt)

    def receive(self, reception: Reception) -> Answer:
        """Return Bob's answer to a reception."""
        return self.decode(reception.features())

    def transmit_signed(self, images: Tensor, messages: Tensor, tag: FrameTag) -> Tensor:
        """Return Alice's waveform with tags, where frames carry them (``tag_bits``).

        Args:
            images: float ``[B, C, H, W]`` in [0, 1].
            messages: Message counters, int64 ``[B]``.
            tag: What makes the tags.

        Returns:
            complex ``[B, k]``.
        """
        raise NotImplementedError(f"{type(self).__name__} has no frames")

    def receive_signed(self, reception: Reception, messages: Tensor, tag: FrameTag) -> Answer:
        """Return Bob's answer, and which messages he accepts by their tags; arguments as above."""
        raise NotImplementedError(f"{type(self).__name__} has no frames")

    def carry(
        self,
        waveform: Tensor,
        snr_db: Tensor | float,
        source: Randomness,
        disturb: Disturb | None = None,
    ) -> Reception:
        """Return Bob's reception of a waveform, complex ``[B, k]``, in training.

        Args:
            waveform: Transmitted waveform.
            snr_db: Bob's SNR, dB, one number or one per image.
            source: Source of fading and noise.
            disturb: Perturbation at his antenna; none if None.
        """
        arrival = self.channel.arrive(waveform, source)
        injected = None if disturb is None else disturb(arrival)
        return self.channel.hear(arrival, snr_db, generator=source, injected=injected)

    def exchange(
        self,
        images: Tensor,
        snr_db: Tensor | float,
        source: Randomness,
        disturb: Disturb | None = None,
    ) -> Exchange:
        """Send images and return what training needs; arguments as for :meth:`carry`."""
        waveform = self.transmit(images, source)
        return Exchange(waveform, self.receive(self.carry(waveform, snr_db, source, disturb)))

    def prepare(self, images: Tensor) -> None:
        """Set what depends on the training images, uint8 ``[N, C, H, W]``, before training."""
        for module in self.modules():
            if isinstance(module, Prepared):
                module.prepare(images)

    @torch.no_grad()
    def calibrate(self, images: Tensor) -> None:
        """Set what depends on the training images, uint8 ``[N, C, H, W]``, after training."""

    def forward(
        self,
        images: Tensor,
        snr_db: Tensor | float,
        *,
        generator: Randomness = None,
        injected: Tensor | None = None,
    ) -> Answer:
        """Send images and return Bob's answer.

        Args:
            images: float ``[B, C, H, W]`` in [0, 1].
            snr_db: Bob's mean E_s/N_0 in dB, one number or one per image.
            generator: Source of fading and noise.
            injected: Mallory's perturbation at Bob's antenna, complex ``[B, overhead + k]``.

        Returns:
            Logits and reconstruction.
        """
        waveform = self.transmit(images, generator)
        reception = self.channel(waveform, snr_db, generator=generator, injected=injected)
        return self.receive(reception)


def own_noise(link: LinkNetwork) -> float:
    """Variance per symbol of Alice's noise in the waveform; zero where it changes indices."""
    if link.mechanism is None or link.digital:
        return 0.0
    return link.mechanism.noise_share


def multitask_link(
    image_shape: ImageShape,
    classes: int,
    latent_dim: int,
    width: int = 32,
    head_width: int = 256,
    channel: Channel | None = None,
    reconstructs: bool = True,
) -> LinkNetwork:
    """Build the link of Sagduyu et al. (arXiv 2512.24452); layer sizes our reading."""
    if latent_dim < 2 or latent_dim % 2:
        raise ValueError(f"latent_dim must be even and positive, not {latent_dim}")
    observed = latent_dim + 1
    # Groups of four channels are normalised together.
    maps = 4 * max(2, 3 * width // 8)
    return LinkNetwork(
        MapEncoder(image_shape, latent_dim, width),
        TaskHead(observed, head_width, classes),
        ResidualReconstructor(observed, image_shape, maps) if reconstructs else None,
        channel or Channel(),
    )


def as_float(images: Tensor) -> Tensor:
    """Convert uint8 images to floats in [0, 1], on the same device."""
    return images.float() / 255
