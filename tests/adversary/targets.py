"""The trained link of these tests as Mallory meets it, and how often Bob withstands her."""

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
    """Hear of progress and say nothing."""


def target(trained, channel=AWGN, snr_db=10.0, path=None, receive=None):
    link = trained.link
    return Victim(
        lambda images, source, _: link.transmit(images, source),
        # He rebuilds no image, which nobody looks at here.
        receive or (lambda reception, _: Answer(link.classifier(reception.features()))),
        channel,
        snr_db,
        10,
        path or AttackerChannel(),
    )


def part(trained, name, count=None):
    images = getattr(trained.splits, name)
    return torch.from_numpy(images.x)[:count], torch.from_numpy(images.y).long()[:count]


def scene_of(trained, victim, name="test", count=None, seed=5):
    images, labels = part(trained, name, count)
    return victim.scene(as_float(images), labels, generator(seed))


def found(attack, trained, victim, scene, psrs_db, seed=0):
    """Prepare an attack on Mallory's images and let it craft, complex ``[P, B, T]``."""
    attack.fit(victim, *part(trained, "adversary"), psrs_db, seed, told)
    return attack.craft(victim, scene, psrs_db, generator(seed, "craft"))


@torch.no_grad()
def right(victim, scene, delta, psr_db, draws=8):
    """Return how often Bob is right about each image, over draws of what Mallory cannot know."""
    answers = [
        victim.attacked(scene, delta, psr_db, generator(6, draw)).logits.argmax(1)
        for draw in range(draws)
    ]
    return (torch.stack(answers) == scene.labels).float().mean(0)


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
