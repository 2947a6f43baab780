"""A digital link: tokens are quantised to codewords, and their indices sent as symbols."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from semveil.channel import Channel
from semveil.device import full_precision
from semveil.errors import SemveilError
from semveil.link import Answer, Disturb, Exchange, LinkNetwork, as_float
from semveil.nets.codebook import Codebook
from semveil.phy import average_power
from semveil.phy.qam import Constellation
from semveil.protect.base import Mechanism
from semveil.recipe import Section, Weight
from semveil.rng import Randomness, generator

_MOMENTUM = 0.1


class CodebookConfig(Section):
    """Vector quantisation and digital modulation.

    Attributes:
        size: Codewords; a power of the modulation's order.
        dim: Reals per codeword.
        modulation: ``qam`` or ``psk``.
        order: Points of the constellation; the codebook's size if null.
        entropy_weight: Weight λ of the codewords' entropy in the robust bottleneck.
        commitment: Weight of the encoder's commitment to its codeword.
    """

    section: ClassVar[str] = "codebook"

    size: Annotated[int, Field(ge=2, le=65536)] = 16
    dim: Annotated[int, Field(ge=2, le=4096)] = 64
    modulation: Literal["qam", "psk"] = "qam"
    order: Annotated[int, Field(ge=2, le=65536)] | None = None
    entropy_weight: Annotated[float, Field(ge=-1e3, le=1e3)] = 1e-3
    commitment: Weight = 0.25


def symbols_per_token(size: int, order: int) -> int:
    """Return the number of symbols for one index."""
    symbols, carried = 1, order
    while carried < size:
        carried *= order
        symbols += 1
    if carried != size:
        raise SemveilError(
            f"codebook.size: {size} codewords do not fill whole {order}-point symbols; set a power "
            f"of {order}"
        )
    return symbols


class DigitalLink(LinkNetwork):
    """Alice quantises to a shared codebook and sends indices; Bob decides and looks them up.

    A QAM constellation has unit power on average over its points, not over those that an encoder
    uses: a fixed gain gives the training images unit mean power, and single images deviate from
    it, as on every QAM link. PSK always has unit power.

    In training Bob looks up the indices as received, with a straight-through gradient.
    """

    digital = True
    resizable = True
    power: Tensor
    table: Tensor
    places: Tensor

    def __init__(
        self,
        encoder: nn.Module,
        classifier: nn.Module,
        channel: Channel,
        codebook: Codebook,
        constellation: Constellation,
        entropy_weight: float = 0.0,
        commitment: float = 0.25,
        mechanism: Mechanism | None = None,
    ) -> None:
        super().__init__(encoder, classifier, None, channel, mechanism)
        self.codebook, self.constellation = codebook, constellation
        self.entropy_weight, self.commitment = entropy_weight, commitment
        size, order = len(codebook.words), constellation.order
        digits = symbols_per_token(size, order)
        places = order ** torch.arange(digits - 1, -1, -1)
        points = constellation.points()[(torch.arange(size).unsqueeze(1) // places) % order]
        # Real, so that a change of the link's dtype does not affect it: [K, 2·digits].
        self.register_buffer("table", torch.view_as_real(points).flatten(1), persistent=False)
        self.register_buffer("places", places, persistent=False)
        self.register_buffer("power", torch.ones(()))
        self.fixed_gain = constellation.kind == "qam"

    def tokens(self, images: Tensor, source: Randomness = None) -> Tensor:
        """Return the tokens before quantisation, float ``[B, T, dim]``."""
        tokens: Tensor = self.encoder(images).float()
        if self.mechanism is None:
            return tokens
        return self.mechanism(tokens.flatten(1), source).unflatten(1, tokens.shape[1:])

    def _symbols(self, sent: Tensor) -> Tensor:
        with full_precision(sent.device):
            parts = sent.float() @ self.table
        return torch.view_as_complex(parts.unflatten(2, (-1, 2))).flatten(1)

    def _gain(self) -> Tensor:
        return self.power.rsqrt()

    def transmit(self, images: Tensor, source: Randomness = None) -> Tensor:
        """Return Alice's waveform, complex ``[B, k]``, for images ``[B, C, H, W]``."""
        choice = self.codebook(self.tokens(images, source), source)
        return self._gain() * self._symbols(choice.sent)

    def expected(self, images: Tensor) -> Tensor:
        """Return the waveform without Alice's own randomness, complex ``[B, k]``."""
        tokens = self.encoder(images).float()
        if self.mechanism is not None:
            tokens = self.mechanism.bound(tokens.flatten(1)).float().unflatten(1, tokens.shape[1:])
        return self._gain() * self._symbols(self.codebook(tokens).sent)

    def _received(self, features: Tensor) -> Tensor:
        """Return unbiased symbols at the constellation's scale, complex ``[B, k]``."""
        # MMSE estimates are biased; dividing by the reliability removes the bias.
        parts = features[:, :-1] / features[:, -1:].clamp(min=1e-12)
        symbols = torch.view_as_complex(parts.float().unflatten(1, (-1, 2)).contiguous())
        return symbols / self._gain()

    def indices(self, features: Tensor) -> Tensor:
        """Return the received indices, int ``[B, T]``, for features ``[B, 2k + 1]``."""
        bits = self.constellation.hard(self._received(features))
        weights = 2 ** torch.arange(self.constellation.bits_per_symbol - 1, -1, -1).to(bits.device)
        labels = (bits.unflatten(1, (-1, self.constellation.bits_per_symbol)) * weights).sum(-1)
        return (labels.unflatten(1, (-1, len(self.places))) * self.places).sum(-1)

    def decode(self, features: Tensor) -> Answer:
        """Return Bob's answer to the features ``[B, 2k + 1]`` of a reception.

        Hard decisions have no gradient; in its place stands that of the posterior over codewords
        at unit noise.
        """
        index = self.indices(features)
        words = self.codebook.words
        if not features.requires_grad:
            return Answer(self.classifier(words[index]))
        symbols = torch.view_as_real(self._received(features)).flatten(1)
        each = symbols.unflatten(1, (index.shape[1], -1))
        scores = 2 * each @ self.table.T - self.table.square().sum(1)
        soft = scores.softmax(-1)
        looked_up = F.one_hot(index, len(words)) + soft - soft.detach()
        return Answer(self.classifier(looked_up @ words))

    def exchange(
        self,
        images: Tensor,
        snr_db: Tensor | float,
        source: Randomness,
        disturb: Disturb | None = None,
    ) -> Exchange:
        """Send images; see :meth:`LinkNetwork.exchange`."""
        tokens = self.tokens(images, source)
        choice = self.codebook(tokens, source)
        symbols = self._symbols(choice.sent)
        if self.training:
            self.power.lerp_(average_power(symbols.detach()).mean(), _MOMENTUM)
        waveform = self._gain() * symbols
        received = self.indices(self.carry(waveform, snr_db, source, disturb).features())
        words = self.codebook.words
        if self.codebook.rule == "gumbel":
            got = choice.sent + (F.one_hot(received, len(words)) - choice.sent).detach()
            looked_up = got @ words
            losses = {"entropy": -self.entropy_weight * choice.entropy()}
        else:
            looked_up = tokens + (words[received] - tokens).detach()
            chosen = words[choice.index]
            losses = {
                "codebook": F.mse_loss(chosen, tokens.detach()),
                "commitment": self.commitment * F.mse_loss(tokens, chosen.detach()),
            }
        answer = Answer(self.classifier(looked_up))
        return Exchange(waveform, answer, choice.information(), losses)

    @torch.no_grad()
    def calibrate(self, images: Tensor) -> None:
        """Set the gain so that the training images, uint8 ``[N, C, H, W]``, have unit power."""
        if not self.fixed_gain:
            return
        training = self.training
        self.eval()
        # The noise before quantisation is the same at every calibration.
        source = generator(0, "calibration", device=images.device)
        powers = [
            average_power(self._symbols(self.codebook(self.tokens(as_float(some), source)).sent))
            for some in images.split(500)
        ]
        self.power.copy_(torch.cat(powers).mean())
        self.train(training)
