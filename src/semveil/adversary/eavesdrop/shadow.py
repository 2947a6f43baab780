"""A query-free attack: Eve, who never heard the system send an image of hers, builds a shadow."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from semveil.adversary.eavesdrop.observations import Intercepts
from semveil.adversary.eavesdrop.trainer import Effort, train_network
from semveil.channel import Channel, Reception
from semveil.device import native_bfloat16
from semveil.link import Answer, LinkNetwork, as_float
from semveil.rng import generator

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

    Eve knows the architecture, the channel law and Bob's receiver. A transmitter that this
    receiver answers well has to speak much like Alice: an inverter of the shadow's transmissions,
    which Eve can make at will, may then work on Alice's.

    Args:
        shadow: Link of the same architecture, untrained; its transmitter is trained in place.
        receive: Bob's receiver; differentiable, stays as it is.
        training: Her images and labels; of the receptions nothing is used.
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
        wrong = F.cross_entropy(answer.logits.float(), owner.labels[rows])
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
