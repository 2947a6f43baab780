"""``semveil send``: what Bob and the strongest eavesdropper get of images of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semveil.channel import channel_of
from semveil.data.decode import decode
from semveil.errors import SemveilError
from semveil.experiment.kept import kept
from semveil.experiment.link import Link
from semveil.link import as_float
from semveil.metrics import psnr_db
from semveil.nets.convolutional import ImageShape
from semveil.rng import generator

# Rec. 601: what of each colour makes an image grey.
_LUMA = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Received:
    """What one party makes of the images that were sent; PSNR in dB."""

    party: str
    answers: list[str] | None = None
    probabilities: list[float] | None = None
    images: NDArray[np.uint8] | None = None
    psnr_db: list[float] | None = None
    accepted: list[bool] | None = None


@dataclass(frozen=True)
class Sent:
    """Images that were sent, and what every party made of them.

    Attributes:
        system: Label of the system that sent them.
        snr_db: SNR of Bob and of the eavesdropper, dB.
        files: The files.
        originals: The images as they were sent, uint8 ``[N, C, H, W]``.
        received: Bob first, then the eavesdroppers that the audit kept.
    """

    system: str
    snr_db: float
    files: list[Path]
    originals: NDArray[np.uint8]
    received: list[Received]

    def pictures(self) -> dict[str, NDArray[Any]]:
        """Return the images of all parties as the pictures of reports take them."""
        found: dict[str, NDArray[Any]] = {"originals": self.originals}
        for each in self.received:
            if each.images is not None:
                found[f"{'bob' if each.party == 'Bob' else 'eve'}/{self.system}"] = each.images
        return found


def send(link: Link, files: Sequence[Path], snr_db: float | None = None, seed: int = 0) -> Sent:
    """Send image files over a trained link, and let the audit's strongest eavesdroppers listen."""
    if link.run is None:
        raise SemveilError("send: this link was not trained in a run")
    originals = fitted(files, link.image_shape)
    level = float(link.snr_or_default(snr_db))
    source = generator(seed, "send", "bob", device=link.device)
    with torch.no_grad():
        waveform = link.transmit(originals, source)
        answer = link.receive(link.channel(waveform, level, generator=source))
    sent = torch.from_numpy(originals).to(link.device)
    bob = received_by("Bob", answer.logits, answer.images, link.run.class_names, sent)
    if answer.accepted is not None:
        bob = replace(bob, accepted=answer.accepted.tolist())
    received = [bob]
    source = generator(seed, "send", "eve", device=link.device)
    heard = channel_of(link.recipe.eve)(waveform, level, generator=source)
    for target in ("label", "image"):
        found = kept(link, target, heard)
        if found is not None:
            eve, classes = found
            guess = eve.listen(heard, level)
            logits, images = (guess, None) if target == "label" else (None, guess)
            received.append(received_by(eve.adversary, logits, images, classes, sent))
    if len(received) == 1:
        raise SemveilError(
            f"{link.run.folder} keeps no eavesdropper of {link.name.label}: "
            "name the folder of a run that `semveil audit` has audited"
        )
    return Sent(link.name.label, level, list(files), originals, received)


def fitted(files: Sequence[Path], image_shape: ImageShape) -> NDArray[np.uint8]:
    """Return image files as a link takes them, uint8 ``[N, C, H, W]``."""
    channels, height, width = image_shape
    if height != width:
        raise SemveilError(f"send: images of this link are {height}×{width}, not square")
    images, _ = decode(files, height)
    if channels == 1:
        return np.einsum("nchw,c->nhw", images, _LUMA).round().astype(np.uint8)[:, None]
    return images


def received_by(
    party: str,
    logits: Tensor | None,
    images: Tensor | None,
    classes: Sequence[str],
    sent: Tensor | None = None,
) -> Received:
    """Return what a party makes of images, from its logits or its reconstructions of them."""
    found: dict[str, Any] = {}
    if logits is not None:
        best = logits.float().softmax(1).max(1)
        found["answers"] = [classes[number] for number in best.indices.tolist()]
        found["probabilities"] = best.values.tolist()
    if images is not None:
        if sent is not None:
            found["psnr_db"] = psnr_db(images.float(), as_float(sent)).tolist()
        pixels = (images.float().clamp(0, 1) * 255).round().to(torch.uint8)
        found["images"] = pixels.cpu().numpy()
    return Received(party, **found)
