"""The trained link of these tests as a victim of attacks, and how often Bob is right."""

import torch

from semveil.adversary.perturb.attacker_channel import AttackerChannel
from semveil.adversary.perturb.victim import Victim
from semveil.channel import Channel
from semveil.link import Answer, as_float
from semveil.rng import generator

AWGN = Channel("awgn")
# One-sided confidence of 99.95 %.
SURE = 3.29


def told(stage, done, total):
    """Ignore progress."""


def target(trained, channel=AWGN, snr_db=10.0, attacker_channel=None, receive=None):
    link = trained.link
    return Victim(
        lambda images, source, _: link.transmit(images, source),
        # He rebuilds no image, which no test here looks at.
        receive or (lambda reception, _: Answer(link.classifier(reception.features()))),
        channel,
        snr_db,
        10,
        attacker_channel or AttackerChannel(),
    )


def part(trained, name, count=None):
    images = getattr(trained.splits, name)
    return torch.from_numpy(images.x)[:count], torch.from_numpy(images.y).long()[:count]


def incoming_of(trained, victim, name="test", count=None, seed=5):
    images, labels = part(trained, name, count)
    return victim.send(as_float(images), labels, generator(seed))


def found(attack, trained, victim, incoming, psrs_db, seed=0):
    """Fit an attack on Mallory's images and return its perturbations, complex ``[P, B, T]``."""
    attack.fit(victim, *part(trained, "adversary"), psrs_db, seed, told)
    return attack.craft(victim, incoming, psrs_db, generator(seed, "craft"))


@torch.no_grad()
def right(victim, incoming, delta, psr_db, draws=8):
    """Return how often Bob is right about each image, over draws of what Mallory cannot know."""
    answers = [
        victim.attacked(incoming, delta, psr_db, generator(6, draw)).logits.argmax(1)
        for draw in range(draws)
    ]
    return (torch.stack(answers) == incoming.labels).float().mean(0)


def gap(weaker, stronger):
    """Return the mean of paired differences, and its standard error."""
    difference = weaker - stronger
    return float(difference.mean()), float(difference.std() / len(difference) ** 0.5)


def clearly_stronger(weaker, stronger):
    mean, error = gap(weaker, stronger)
    return mean > SURE * error


def never_weaker(weaker, stronger):
    mean, error = gap(weaker, stronger)
    return mean >= -SURE * error
