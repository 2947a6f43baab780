"""Both ends of a link in real arithmetic, as ONNX has no complex numbers."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from semveil.errors import SemveilError
from semveil.experiment.link import Link
from semveil.link import LinkNetwork, to_waveform
from semveil.links.cipher import CipherLink
from semveil.links.digital import DigitalLink
from semveil.links.semantic import SemanticLink
from semveil.phy import normalise_reals
from semveil.protect.normalise import Blocks, block_reals, normalise_blocks


def refuse_unexportable(link: Link) -> None:
    """Refuse a link whose ends are no networks alone.

    Raises:
        SemveilError: If they are not; the message says why.
    """
    network, why = link.network, None
    if link.layer is not None:
        why = "its perturbation is computed for each image from Bob's and Eve's networks"
    elif network.mechanism is not None:
        why = "Alice draws noise for every message, and a graph draws no random numbers"
    elif network.tag_bits:
        why = "its frames carry keyed tags, which are bits and no network's output"
    elif not network.differentiable:
        why = "it compresses and codes images, which no network does"
    elif isinstance(network, SemanticLink) and network.refiners is not None:
        why = "its networks refine the channel estimate within the receiver; set ofdm.refine=false"
    elif link.plan.receive is not None:
        why = "it is a way to receive of another system, which can be exported"
    if why is not None:
        raise SemveilError(f"{link.name.label} is not exported: {why}")


class Transmitter(nn.Module):
    """Images → the waveform's reals ``[B, 2, k]``, real parts before imaginary ones.

    A learned encryptor is part of it and takes the bits of the key, ±1 ``[B, bits]``.
    """

    def __init__(self, network: LinkNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, key: Tensor | None = None) -> Tensor:
        """Encode ``[B, C, H, W]`` in [0, 1]."""
        reals = _reals(self.network, images)
        if key is not None:
            assert isinstance(self.network, CipherLink)
            reals = normalise_reals(self.network.encryptor(reals.flatten(1), key)).view_as(reals)
        return reals.transpose(1, 2)


def _reals(network: LinkNetwork, images: Tensor) -> Tensor:
    """Return the reals of the waveform, float ``[B, k, 2]``."""
    if isinstance(network, DigitalLink):
        sent = network.codebook(network.tokens(images)).sent @ network.table
        return network.power.rsqrt() * sent.flatten(1).unflatten(1, (-1, 2))
    features, modulate = network.encode(images).float(), network.modulate
    if modulate is to_waveform:
        return normalise_reals(features).unflatten(1, (-1, 2))
    if isinstance(modulate, partial) and modulate.func is normalise_blocks:
        blocks: Blocks = modulate.keywords["blocks"]
        return block_reals(features, blocks)
    raise SemveilError("this link's way from features to symbols is not known as a graph")


class Receiver(nn.Module):
    """Equalised, decrypted symbols as reals ``[B, 2, k]`` and reliability ``[B, 1]`` → answers.

    The answers are logits, images, or both.
    """

    def __init__(self, network: LinkNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, symbols: Tensor, reliability: Tensor, key: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Decode."""
        network, reals = self.network, symbols.transpose(1, 2).flatten(1)
        if isinstance(network, DigitalLink):
            return (_looked_up(network, reals, reliability),)
        if key is not None:
            assert isinstance(network, CipherLink)
            reals = network.decryptor(reals, key)
        answer = network.decode(torch.cat([reals, reliability], 1))
        return tuple(each for each in (answer.logits, answer.images) if each is not None)


def _looked_up(network: DigitalLink, reals: Tensor, reliability: Tensor) -> Tensor:
    """Return the logits of the nearest codewords' symbols: hard decisions, symbol by symbol."""
    unbiased = reals / reliability.clamp(min=1e-12) / network.power.rsqrt()
    each = unbiased.unflatten(1, (-1, network.table.shape[1]))
    nearest = (2 * each @ network.table.T - network.table.square().sum(1)).argmax(-1)
    logits: Tensor = network.classifier(network.codebook.words[nearest])
    return logits
