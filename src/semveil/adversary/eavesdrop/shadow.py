"""A query-free attack: Eve trains a shadow encoder that Bob's receiver understands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semveil.adversary.eavesdrop import EAVESDROPPERS
from semveil.adversary.eavesdrop.eavesdropper import (
    Eavesdropper,
    Knowledge,
    Observations,
    Progress,
)
from semveil.adversary.eavesdrop.inversion import MLPInversion
from semveil.adversary.eavesdrop.observations import Intercepts, numbered
from semveil.adversary.eavesdrop.trainer import Effort, train_network
from semveil.channel import Channel, Reception
from semveil.device import native_bfloat16
from semveil.link import Answer, LinkNetwork, as_float
from semveil.nets.convolutional import ImageShape
from semveil.rng import generator, stream

_IMAGE_WEIGHT = 10.0


def fit_shadow(
    shadow: LinkNetwork,
    receive: Callable[[Reception], Answer],
    training: Intercepts,
    validation: Intercepts,
    channel: Channel,
    snr_db: float,
    effort: Effort,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Train a shadow encoder that Bob's frozen receiver understands (He et al., ACSAC 2019).

    Eve knows the architecture, the channel law and Bob's receiver. An encoder that this receiver
    decodes well resembles Alice's: an inverter of the shadow's transmissions, of which Eve can make
    as many as she likes, may then work on Alice's.

    Args:
        shadow: Link of the same architecture, untrained; its transmitter is trained in place.
        receive: Bob's receiver; differentiable, stays as it is.
        training: Her images and labels; the receptions are not used.
        validation: Images for early stopping.
        channel: Channel that she simulates between shadow and receiver.
        snr_db: Its mean E_s/N_0, dB.
        effort: When it stops.
        seed: Seed of the order of the images, fading and noise.
        progress: Told ``(epochs done, epochs at most)``.

    Raises:
        SemveilError: If its loss is not finite.
    """
    device = training.device

    def loss(owner: Intercepts, rows: Tensor, source: torch.Generator) -> Tensor:
        images = as_float(owner.images[rows])
        with torch.autocast(device.type, torch.bfloat16, enabled=native_bfloat16(device)):
            reception = channel(shadow.transmit(images, source), snr_db, generator=source)
            answer = receive(reception)
        wrong = images.new_zeros(())
        if answer.logits is not None:
            wrong = wrong + F.cross_entropy(answer.scores, owner.labels[rows])
        if answer.images is None:
            return wrong
        return wrong + _IMAGE_WEIGHT * F.mse_loss(answer.images.float(), images)

    def validate() -> float:
        source = generator(seed, "shadow", "validation", device=device)
        rows = torch.arange(len(validation), device=device)
        parts = [float(loss(validation, some, source)) * len(some) for some in rows.split(2000)]
        return sum(parts) / len(rows)

    train_network(
        shadow,
        lambda rows, source: loss(training, rows, source),
        validate,
        len(training),
        effort,
        seed,
        ("shadow",),
        device,
        progress,
    )


@EAVESDROPPERS.register
class Shadow(Eavesdropper):
    """Inverts a shadow encoder, which she trains with Bob's receiver; see :func:`fit_shadow`.

    Not under a key, which Bob's receiver would hold for her, nor where his receiver decides for
    the nearest codewords, so that there is no gradient to train a shadow by.

    Example:
        >>> sorted(Shadow.needs)
        ['architecture', 'receiver']
    """

    name = "inversion/shadow"
    description = "reconstructs the image by the inverse of a shadow encoder, without queries"
    source = "He et al., ACSAC 2019"
    target = "image"
    needs = frozenset({"architecture", "receiver"})
    inverter: MLPInversion | None = None

    def network(self, inputs: int, classes: int, image_shape: ImageShape) -> nn.Module:
        """Return the network of the inverter."""
        return MLPInversion().network(inputs, classes, image_shape)

    def applies(self, given: Observations) -> bool:
        """Tell whether the receiver is there, and has a gradient."""
        if not super().applies(given):
            return False
        assert isinstance(given, Knowledge)
        assert given.receiver is not None
        source = generator(given.seed, "shadow", "gradient", device=given.training.device)
        rows = torch.arange(2, device=given.training.device)
        reception = given.training.receive(rows, given.snrs_db[0], source)
        return has_gradient(given.receiver, reception)

    def fit(self, given: Observations, progress: Progress | None = None) -> None:
        """Train the shadow encoder, then its inverter; see :class:`Eavesdropper`."""
        assert isinstance(given, Knowledge)
        assert given.architecture
        assert given.receiver
        assert given.record
        assert given.bob_channel
        assert given.bob_observations
        middle = sorted(given.snrs_db)[len(given.snrs_db) // 2]
        shadow = given.architecture(stream(given.seed, "shadow", "weights"))
        shadow = shadow.to(given.training.device)
        fit_shadow(
            shadow,
            given.receiver,
            *given.bob_observations,
            given.bob_channel,
            middle if given.bob_snr_db is None else given.bob_snr_db,
            given.effort,
            given.seed,
            progress,
        )
        training, validation = given.record(numbered(shadow.transmit), "shadow")
        self.inverter = MLPInversion()
        self.inverter.fit(replace(given, training=training, validation=validation), progress)

    def listen(self, reception: Reception, snr_db: float) -> Tensor:
        """Invert receptions as if the shadow had sent them; see :class:`Eavesdropper`."""
        if self.inverter is None:
            raise ValueError(f"{self.name} is trained before she listens")
        return self.inverter.listen(reception, snr_db)


def has_gradient(receive: Callable[[Reception], Answer], reception: Reception) -> bool:
    """Tell whether a receiver's logits have a gradient with respect to what it received.

    Args:
        receive: The receiver.
        reception: Any reception.
    """
    symbols = reception.symbols.detach().requires_grad_()
    with torch.enable_grad():
        output = receive(replace(reception, symbols=symbols)).output
    if not output.requires_grad:
        return False
    (slope,) = torch.autograd.grad(output.sum(), symbols, allow_unused=True)
    return slope is not None
