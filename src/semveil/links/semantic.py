"""A semantic link over OFDM that reconstructs the image and classifies image or latent."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from semveil.channel import Channel, OfdmChannel, Reception
from semveil.errors import SemveilError
from semveil.link import Answer, Disturb, Exchange, LinkNetwork, Modulate, to_waveform
from semveil.nets.refine import ChannelRefiner, EqualiserRefiner
from semveil.nets.semantic import SemanticDecoder, SemanticEncoder
from semveil.recipe import Section, Weight
from semveil.rng import Randomness


class SemanticConfig(Section):
    """The semantic links over OFDM.

    Attributes:
        blocks: Blocks of the encoder's body, and of the decoder's.
        classifier_width: Channels of the classifiers' first convolution.
        classifier_blocks: Residual blocks per stage of the classifiers.
        latent_weight: Weight of the classifier that reads the received latent, without
            reconstruction, beside the classifier of the reconstructed image.
    """

    section: ClassVar[str] = "semantic"

    blocks: Annotated[int, Field(ge=0, le=64)] = 4
    classifier_width: Annotated[int, Field(ge=2, le=512)] = 64
    classifier_blocks: Annotated[int, Field(ge=1, le=16)] = 2
    latent_weight: Weight = 1.0


class SemanticLink(LinkNetwork):
    """MobileSC and its references: maps over OFDM, a decoder, two classifiers.

    Bob classifies (Nan et al., arXiv 2305.07220, sections II-E, II-F) the reconstructed image,
    which is the link's answer, or the received latent, without reconstruction
    (:meth:`understand`). As in OFDM-guided JSCC, networks may ``refine`` the channel estimate and
    the equalised symbols; they are trained for the link's tasks alone (our reading).
    """

    encoder: SemanticEncoder
    reconstructor: SemanticDecoder

    def __init__(
        self,
        encoder: SemanticEncoder,
        decoder: SemanticDecoder,
        classifier: nn.Module,
        latent_classifier: nn.Module,
        channel: Channel,
        refine: bool = False,
        modulate: Modulate = to_waveform,
    ) -> None:
        super().__init__(encoder, classifier, decoder, channel, modulate=modulate)
        self.latent_classifier = latent_classifier
        self.refiners = _refiners(channel) if refine else None

    def observe(self, reception: Reception) -> Tensor:
        """Return the input of Bob's networks for a reception, float ``[B, d + 1]``."""
        if self.refiners is None:
            return reception.features()
        estimator, equaliser = self.refiners
        assert reception.pilots is not None
        assert isinstance(self.channel, OfdmChannel)
        data = reception.symbols.unflatten(1, (-1, self.channel.subcarriers))
        known = self.channel.ofdm.pilots(dtype=data.dtype, device=data.device)
        first = reception.csi.unflatten(1, (-1, self.channel.subcarriers))[:, 0]
        response = estimator(known, reception.pilots.mean(1), first)
        better = replace(reception, csi=response.unsqueeze(1).expand_as(data).flatten(1))
        features = better.features()
        symbols = torch.view_as_complex(features[:, :-1].unflatten(1, (-1, 2)).contiguous())
        refined = equaliser(response, data, symbols.view_as(data)).flatten(1)
        return torch.cat([torch.view_as_real(refined).flatten(1), features[:, -1:]], dim=1)

    def receive(self, reception: Reception) -> Answer:
        """Return Bob's reconstruction and its classification for a reception."""
        return self.decode(self.observe(reception))

    def rebuild(self, features: Tensor) -> Tensor:
        """Return Bob's images, ``[B, C, H, W]``, for the features ``[B, d + 1]`` of a reception."""
        # The published decoder has no reliability among its inputs.
        images: Tensor = self.reconstructor(features[:, :-1])
        return images

    def decode(self, features: Tensor) -> Answer:
        """Return Bob's reconstruction and its classification."""
        images = self.rebuild(features)
        return Answer(self.classifier(images), images)

    def exchange(
        self,
        images: Tensor,
        snr_db: Tensor | float,
        source: Randomness,
        disturb: Disturb | None = None,
    ) -> Exchange:
        """Send images and return the answers of both classifiers."""
        waveform = self.transmit(images, source)
        features = self.observe(self.carry(waveform, snr_db, source, disturb))
        return Exchange(waveform, self.decode(features), direct=Answer(self.read(features)))

    def understand(self, reception: Reception) -> Answer:
        """Return Bob's classification of the received latent, without reconstruction."""
        return Answer(self.read(self.observe(reception)))

    def read(self, features: Tensor) -> Tensor:
        """Return logits ``[B, classes]`` of the features ``[B, d + 1]`` of a reception."""
        maps = features[:, :-1].unflatten(1, self.encoder.maps)
        logits: Tensor = self.latent_classifier(maps)
        return logits


def _refiners(channel: Channel) -> nn.ModuleList:
    if not isinstance(channel, OfdmChannel) or not channel.pilot_symbols:
        raise SemveilError("ofdm.refine: needs fading=multipath and at least one pilot symbol")
    try:
        return nn.ModuleList(
            [ChannelRefiner(channel.subcarriers), EqualiserRefiner(channel.subcarriers)]
        )
    except ValueError as error:
        raise SemveilError(f"ofdm.refine: {error}") from None
