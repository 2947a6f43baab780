"""Who listens to a recording: Bob with his key, or an Eve whom an audit kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from semveil.adversary.eavesdrop.eavesdropper import Eavesdropper
from semveil.air.counters import accepted_counters
from semveil.air.identity import read_key
from semveil.channel import Reception, channel_of
from semveil.errors import SemveilError
from semveil.experiment.kept import kept
from semveil.experiment.link import Link
from semveil.experiment.send import Received, received_by
from semveil.protect.session import Receiver
from semveil.radio import like


def with_key_file(link: Link, key_file: Path | None) -> Link:
    """Return a link under the key in a file; under its public research key if there is none."""
    if key_file is None:
        return link
    if not link.keyed:
        raise SemveilError(f"key: {link.name.label} has none; leave it out")
    return link.with_key(read_key(key_file))


@contextmanager
def counters_of(link: Link, key_file: Path | None) -> Iterator[Receiver | None]:
    """Hold what refuses counters that came before; None where there is no key."""
    if not link.keyed:
        yield None
    elif key_file is None:
        yield Receiver(link.key, new_key=True)
    else:
        with accepted_counters(link.key, key_file) as counters:
            yield counters


class Bob:
    """Bob with the key of his link."""

    party = "Bob"

    def __init__(self, link: Link) -> None:
        self.link = link

    @torch.no_grad()
    def __call__(self, reception: Reception, messages: Tensor) -> Received:
        """Return what he makes of receptions."""
        link = self.link
        assert link.run is not None
        answer = link.receive(_on(reception, link), messages.to(link.device))
        found = received_by(self.party, answer.logits, answer.images, link.run.class_names)
        accepted = None if answer.accepted is None else answer.accepted.tolist()
        return replace(found, accepted=accepted)


class Eve:
    """An eavesdropper who was kept for a link."""

    def __init__(self, link: Link, target: str, listener: Eavesdropper, classes: list[str]) -> None:
        self.link, self.target, self.listener, self.classes = link, target, listener, classes
        self.party = listener.adversary

    @torch.no_grad()
    def __call__(self, reception: Reception, messages: Tensor) -> Received:
        """Return what she makes of receptions; the counters do not help her."""
        gain = reception.csi.abs().square().mean(1)
        snr_db = float(10 * (gain / reception.noise_variance).mean().log10())
        heard = like(_on(reception, self.link), channel_of(self.link.recipe.eve))
        guess = self.listener.listen(heard, snr_db)
        logits, images = (guess, None) if self.target == "label" else (None, guess)
        return received_by(self.party, logits, images, self.classes)


def kept_eves(link: Link, example: Reception) -> list[Eve]:
    """Return the strongest eavesdroppers whom an audit kept, for receptions like the example.

    Raises:
        SemveilError: If none was kept, or they were trained on OFDM and these frames are not.
    """
    found = []
    for target in ("label", "image"):
        one = kept(link, target, like(_on(example, link), channel_of(link.recipe.eve)))
        if one is not None:
            found.append(Eve(link, target, *one))
    if not found:
        assert link.run is not None
        raise SemveilError(
            f"{link.run.folder} keeps no eavesdropper of {link.name.label}: name the folder of a "
            "run that `semveil audit` has audited"
        )
    return found


def _on(reception: Reception, link: Link) -> Reception:
    """Return a reception where the link's networks are."""
    pilots = reception.pilots
    return Reception(
        reception.symbols.to(link.device),
        reception.csi.to(link.device),
        reception.noise_variance.to(link.device),
        None if pilots is None else pilots.to(link.device),
    )
