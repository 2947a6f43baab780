"""One picture over one link: what Alice sends, and what Bob, Eve and Mallory make of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semveil.adversary.eavesdrop.observations import FIRST_FREE_MESSAGE
from semveil.adversary.perturb.attack import Goal, misanswer
from semveil.adversary.perturb.gradient import descend
from semveil.adversary.perturb.iterative import expected
from semveil.adversary.perturb.jamming import jamming
from semveil.adversary.perturb.victim import IncomingBatch, Victim, rows_of
from semveil.channel import Reception, channel_of
from semveil.demo.eves import Eves
from semveil.experiment.link import Link
from semveil.experiment.send import Received, received_by
from semveil.link import Answer, as_float
from semveil.protect.keys import research_key
from semveil.rng import generator

# Gradient steps of the attacks; none is noise of the same energy.
ATTACKS = {"jamming": 0, "fgm": 1, "pgd": 10}
# Budgets that are tried for the least one, dB.
LADDER_DB = tuple(float(level) for level in range(-30, 11, 4))


@dataclass(frozen=True)
class Controls:
    """What somebody at the page chooses.

    Attributes:
        snr_db: Bob's SNR, dB.
        eve_gain_db: By how much Eve's SNR is higher, dB.
        psr_db: Mallory's budget, dB.
        attack: The attack that is shown; a name of :data:`ATTACKS`, or None.
        key: Session key of Alice, 32 bytes; that of the link if None.
        wrong_key: Whether Bob decrypts with another key than Alice's.
        draw: Number of the sending: the message counter and the seed of fading and noise.
    """

    snr_db: float = 10.0
    eve_gain_db: float = 0.0
    psr_db: float = -10.0
    attack: str | None = None
    key: bytes | None = None
    wrong_key: bool = False
    draw: int = 0


@dataclass(frozen=True)
class Attacked:
    """Bob under one attack.

    Attributes:
        attack: Its name.
        bob: What he makes of the picture at the chosen PSR.
        flips: Whether he answers otherwise than without the attack; None if he never answers.
        least_psr_db: Least PSR of :data:`LADDER_DB` at which he does; None if at none of them.
    """

    attack: str
    bob: Received
    flips: bool | None
    least_psr_db: float | None


@dataclass(frozen=True)
class Seen:
    """What the page shows of one sending.

    Attributes:
        original: The picture as it was sent, uint8 ``[C, H, W]``.
        symbols: Alice's symbols, complex ``[k]``.
        bob: What Bob makes of it without an attack.
        attacked: Bob under every attack that the link allows.
        eve_label: What Eve infers; None if there is no such Eve.
        eve_image: What Eve rebuilds; None if there is no such Eve.
        eve_snr_db: Eve's SNR, dB.
    """

    original: NDArray[np.uint8]
    symbols: NDArray[np.complex64]
    bob: Received
    attacked: tuple[Attacked, ...]
    eve_label: Received | None
    eve_image: Received | None
    eve_snr_db: float


def look(
    link: Link, picture: NDArray[np.uint8], controls: Controls, eves: Eves | None = None
) -> Seen:
    """Send one picture and return what every party makes of it.

    The same controls give the same fading and noise, so that only what is moved makes a difference.

    Args:
        link: The link.
        picture: uint8 ``[C, H, W]``, of the link's image shape.
        controls: What is chosen.
        eves: Eavesdroppers of the link; nobody listens if None.

    Returns:
        Symbols, answers, reconstructions and attacks.
    """
    assert link.run is not None
    mine = link if controls.key is None else link.with_key(controls.key)
    device, classes = link.device, link.run.class_names
    pixels = torch.from_numpy(picture)[None].to(device)
    counter = torch.tensor([FIRST_FREE_MESSAGE + controls.draw], device=device)
    real, known = _victims(mine, controls)
    incoming, seen_by_mallory = (
        each.send(as_float(pixels), torch.zeros_like(counter), _source(controls, "scene"), counter)
        for each in (real, known)
    )
    with torch.no_grad():
        answer = real.answer(incoming, None, _source(controls, "bob"))
    if answer.logits is not None:
        # What an attack is to change is his usual answer: nobody knows the class of a new picture.
        usual = answer.logits.argmax(1)
        incoming, seen_by_mallory = (
            replace(each, labels=usual) for each in (incoming, seen_by_mallory)
        )

    def received(found: Answer) -> Received:
        return received_by("Bob", found.logits, found.images, classes, pixels)

    attacked = tuple(
        _under(name, real, known, incoming, seen_by_mallory, controls, received)
        for name in _possible(real)
    )
    eve_snr_db = controls.snr_db + controls.eve_gain_db
    heard = channel_of(link.recipe.eve)(
        incoming.waveform, eve_snr_db, generator=_source(controls, "eve")
    )
    return Seen(
        picture,
        incoming.waveform[0].cpu().numpy(),
        received(answer),
        attacked,
        _eve(eves, "label", heard, eve_snr_db, pixels),
        _eve(eves, "image", heard, eve_snr_db, pixels),
        eve_snr_db,
    )


def _victims(link: Link, controls: Controls) -> tuple[Victim, Victim]:
    """Return the link that is used, and the one by which Mallory crafts, who has no key."""
    system = link.under_test()
    assert system.receive is not None
    victim = Victim(
        system.transmit,
        link.with_key(_other_key(link)).receive if controls.wrong_key else system.receive,
        link.channel,
        controls.snr_db,
        link.classes,
        differentiable=system.differentiable,
    )
    if system.surrogate is None:
        return victim, victim
    transmit, receive = system.surrogate
    return victim, replace(victim, transmit=transmit, receive=receive)


def _other_key(link: Link) -> bytes:
    return research_key(link.seed, f"{link.plan.stream}, a wrong one")


def _possible(victim: Victim) -> list[str]:
    return [name for name, steps in ATTACKS.items() if victim.differentiable or not steps]


def _under(
    name: str,
    real: Victim,
    known: Victim,
    incoming: IncomingBatch,
    seen_by_mallory: IncomingBatch,
    controls: Controls,
    received: Callable[[Answer], Received],
) -> Attacked:
    """Return Bob under an attack, at the chosen PSR and at those of the ladder."""
    levels = torch.tensor([controls.psr_db, *LADDER_DB], device=incoming.labels.device)
    deltas = _crafted(name, known, seen_by_mallory, levels, _source(controls, name))
    answers = []
    with torch.no_grad():
        for delta, level in zip(deltas.split(1), levels, strict=True):
            injected = real.arriving(delta, incoming, level)
            answers.append(real.answer(incoming, injected, _source(controls, "bob")))
    if answers[0].logits is None:
        return Attacked(name, received(answers[0]), None, None)
    flips = [int(each.scores.argmax()) != int(incoming.labels) for each in answers]
    least = [level for level, flip in zip(LADDER_DB, flips[1:], strict=True) if flip]
    return Attacked(name, received(answers[0]), flips[0], min(least, default=None))


def _crafted(
    name: str, victim: Victim, incoming: IncomingBatch, levels: Tensor, source: torch.Generator
) -> Tensor:
    """Return a perturbation for each budget, all budgets at once, complex ``[P, T]``."""
    steps, count = ATTACKS[name], len(levels)
    if not steps:
        one = jamming(incoming.arrival.signal, 0.0, generator=source)
        return one.expand(count, -1)
    rows = rows_of(incoming, torch.zeros(count, dtype=torch.int64, device=levels.device))
    loss = expected(victim, rows, misanswer(Goal()), levels, 1, source)
    return descend(rows.arrival.signal, loss, levels, steps)


def _eve(
    eves: Eves | None, target: str, heard: Reception, snr_db: float, pixels: Tensor
) -> Received | None:
    eve = None if eves is None else eves.label if target == "label" else eves.image
    if eves is None or eve is None:
        return None
    guess = eve.listen(heard, snr_db)
    logits, images = (guess, None) if target == "label" else (None, guess)
    return received_by(eve.adversary, logits, images, eves.classes, pixels)


def _source(controls: Controls, party: str) -> torch.Generator:
    return generator(controls.draw, "demo", party)
