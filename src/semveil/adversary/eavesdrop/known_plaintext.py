"""Known plaintext: a fixed permutation is estimated from messages whose images Eve knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from semveil.adversary.eavesdrop import EAVESDROPPERS
from semveil.adversary.eavesdrop.eavesdropper import (
    Eavesdropper,
    Knowledge,
    Observations,
    Progress,
    Truth,
)
from semveil.adversary.eavesdrop.inversion import MLPInversion
from semveil.adversary.eavesdrop.observations import numbered
from semveil.channel import Reception
from semveil.link import as_float
from semveil.metrics import Estimate, wilson
from semveil.nets.convolutional import ImageShape
from semveil.rng import generator
from semveil.section import Section


def estimate_order(sent: Tensor, heard: Tensor) -> Tensor:
    """Estimate one permutation of the components from known plaintext.

    Every component that was heard is correlated with every one that the encoder made, over the
    messages; the assignment of the largest sum of correlations is the estimate (Hungarian
    method). If every message has a permutation of its own, there is nothing to be estimated, and
    what is returned is as good as any.

    Args:
        sent: What the encoder made of images that Eve knows, before the permutation, float
            ``[M, d]``; two messages at least.
        heard: The same messages as she received them, permuted and noisy, float ``[M, d]``.

    Returns:
        ``order``, int ``[d]``: component ``j`` that is heard is component ``order[j]`` that was
        sent.

    Raises:
        ValueError: If the shapes differ, or there are fewer than two messages.

    Example:
        >>> sent = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
        >>> estimate_order(sent, sent[:, [2, 0, 3, 1]]).tolist()
        [2, 0, 3, 1]
    """
    if sent.shape != heard.shape or len(sent) < 2:
        raise ValueError(f"cannot compare {list(sent.shape)} with {list(heard.shape)}")
    from scipy.optimize import linear_sum_assignment

    likeness = _standardised(heard).T @ _standardised(sent)
    _, order = linear_sum_assignment(likeness.cpu().numpy(), maximize=True)
    return torch.from_numpy(order).to(sent.device)


def _standardised(components: Tensor) -> Tensor:
    centred = components.double() - components.double().mean(0)
    return centred / centred.norm(dim=0).clamp(min=1e-12)


def undo(heard: Tensor, order: Tensor) -> Tensor:
    """Put the components back into the order in which they were sent.

    Args:
        heard: float ``[B, d]``, or the features of receptions ``[B, d + 1]``, whose last is none of
            the components.
        order: As :func:`estimate_order` returns it, int ``[d]``.

    Returns:
        The same shape.

    Example:
        >>> undo(torch.tensor([[30.0, 10.0, 20.0, 0.9]]), torch.tensor([2, 0, 1]))
        tensor([[10.0000, 20.0000, 30.0000,  0.9000]])
    """
    restored = heard.clone()
    restored[:, order] = heard[:, : len(order)]
    return restored


@EAVESDROPPERS.register
class KnownPlaintext(Eavesdropper):
    """Estimates a key's permutation from messages whose images she knows, and undoes it.

    She knows the encoder: her inverter is trained on what it sends without a key.

    Example:
        >>> KnownPlaintext(messages=64).target
        'image'
    """

    name = "inversion/known-plaintext"
    description = "reconstructs the image after estimating the permutation from known messages"
    source = "the project's own, by the Hungarian method"
    target = "image"
    needs = frozenset({"encoder"})
    # All at once, so that their fading and noise are one draw.
    at_once = 1 << 40

    class Config(Section):
        """Settings of the estimation of the permutation.

        Attributes:
            messages: Messages whose images she knows.
        """

        messages: Annotated[int, Field(ge=2)] = 256

    config: Config
    inverter: MLPInversion | None = None

    def network(self, inputs: int, classes: int, image_shape: ImageShape) -> nn.Module:
        """Return the network of the inverter."""
        return MLPInversion().network(inputs, classes, image_shape)

    def applies(self, given: Observations) -> bool:
        """Tell whether a key permutes what a known encoder sends."""
        return super().applies(given) and isinstance(given, Knowledge) and given.permutes

    def fit(self, given: Observations, progress: Progress | None = None) -> None:
        """Train the inverter and estimate the permutation; see :class:`Eavesdropper`."""
        assert isinstance(given, Knowledge)
        assert given.encoder
        assert given.record
        encoder, device = given.encoder, given.training.device
        plain = numbered(lambda images, source: encoder(images))
        training, validation = given.record(plain, "plain")
        self.inverter = MLPInversion()
        self.inverter.fit(replace(given, training=training, validation=validation), progress)
        self.rows = torch.arange(min(self.config.messages, len(given.training)), device=device)
        with torch.no_grad():
            self.sent = _reals(encoder(as_float(given.training.images[self.rows])))
        self.orders: dict[float, Tensor] = {}
        for snr_db in given.snrs_db:
            source = generator(given.seed, "known plaintext", str(float(snr_db)), device=device)
            heard = given.training.hear(self.rows, snr_db, source)[:, :-1]
            self.orders[snr_db] = estimate_order(self.sent, heard)

    @torch.no_grad()
    def listen(self, reception: Reception, snr_db: float) -> Tensor:
        """Undo the permutation and invert; see :class:`Eavesdropper`."""
        if self.inverter is None or self.inverter.trained is None:
            raise ValueError(f"{self.name} is trained before she listens")
        restored = undo(reception.features(), self.orders[snr_db])
        return torch.cat([self.inverter.trained(some) for some in restored.split(2000)])

    def figures(self, snr_db: float, truth: Truth) -> Iterator[tuple[str, str | None, Estimate]]:
        """Yield the share of the permutation that she recovered, where one key serves all."""
        if truth.waveforms is not None:
            # Without noise the estimate is exact: the permutation itself.
            exact = estimate_order(self.sent, _reals(truth.waveforms(self.rows)))
            order = self.orders[snr_db]
            yield "permutation_recovered", None, wilson(int((order == exact).sum()), len(order))


def _reals(waveform: Tensor) -> Tensor:
    return torch.view_as_real(waveform.resolve_conj()).flatten(1)
