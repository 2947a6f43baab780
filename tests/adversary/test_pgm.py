"""PGM: stronger than noise of its power, and harder to tell from it where that has a weight."""

import torch

from semveil.adversary.perturb.attack import Goal
from semveil.adversary.perturb.attacker_channel import AttackerChannel
from semveil.adversary.perturb.pgm import PGM, PgmGenerator
from semveil.adversary.perturb.psr import jamming
from semveil.rng import generator, normal

from .targets import clearly_stronger, found, incoming_of, part, right, target, told


def pgm(**settings):
    return PGM(epochs=12, shift=0, **settings).towards(Goal(batch=50))


def test_it_is_stronger_than_jamming(victim):
    bob = target(victim)
    incoming = incoming_of(victim, bob)
    (delta,) = found(pgm(), victim, bob, incoming, [0.0])
    noise = jamming(incoming.arrival.signal, 0.0, generator=generator(8))
    assert clearly_stronger(
        right(victim=bob, incoming=incoming, delta=noise, psr_db=0.0),
        right(victim=bob, incoming=incoming, delta=delta, psr_db=0.0),
    )


def test_its_objective_is_the_binary_cross_entropy_of_the_truth_or_the_target_class():
    logits = normal((50, 10), generator=generator(0))
    labels = torch.arange(50) % 10
    odds = logits.softmax(1)
    truth = odds.gather(1, labels[:, None])[:, 0]
    model = PgmGenerator(PGM.Config(), Goal(), 8, 10)
    assert torch.allclose(model.objective(logits, labels, None, None), -(1 - truth).log().mean())
    model = PgmGenerator(PGM.Config(), Goal(target_class=4), 8, 10)
    assert torch.allclose(model.objective(logits, labels, None, None), -odds[:, 4].log().mean())


def test_it_is_trained_with_the_shift_that_it_has_to_withstand():
    model = PgmGenerator(PGM.Config(shift=4), Goal(), 8, 10)
    assert model.training_channel(AttackerChannel("rayleigh", 1, True)) == AttackerChannel(
        "rayleigh", 4, True
    )
    assert model.training_channel(AttackerChannel(timing=9)) == AttackerChannel(timing=9)


def test_who_is_deceived_in_training_tells_noise_from_perturbations_less_well(victim):
    bob = target(victim)
    known = []
    # A weight next to nothing: its discriminator learns, and the generator does not mind.
    for weight in (1e-6, 30.0):
        attack = pgm(disguise=weight, lr=3e-3)
        attack.fit(bob, *part(victim, "adversary"), [-3.0], 0, told)
        noise = normal((2000, 16), dtype=torch.complex64, generator=generator(4))
        model = attack.model_at(-3.0)
        drawn = model.draw(2000, -3.0, generator(5))
        said = model.judged(drawn) < 0, model.judged(noise) > 0
        known.append(float(torch.cat(said).float().mean()))
    assert abs(known[1] - 0.5) < abs(known[0] - 0.5) - 0.05
