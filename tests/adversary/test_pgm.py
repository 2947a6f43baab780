"""PGM: stronger than noise of its power, and harder to tell from it where that has a weight."""

import torch

from semveil.adversary.perturb.attacker_channel import AttackerChannel
from semveil.adversary.perturb.pgm import PGM, PgmGenerator
from semveil.adversary.perturb.psr import jamming
from semveil.recipe import AttackConfig as Settings
from semveil.rng import generator, normal

from .targets import clearly_stronger, found, part, right, scene_of, target, told

THOROUGH = Settings(epochs=12, batch=50, shift=0)


def test_it_is_stronger_than_jamming(victim):
    bob = target(victim)
    scene = scene_of(victim, bob)
    (delta,) = found(PGM(THOROUGH), victim, bob, scene, [0.0])
    noise = jamming(scene.arrival.signal, 0.0, generator=generator(8))
    assert clearly_stronger(
        right(victim=bob, scene=scene, delta=noise, psr_db=0.0),
        right(victim=bob, scene=scene, delta=delta, psr_db=0.0),
    )


def test_its_aim_is_the_binary_cross_entropy_of_the_truth_or_that_of_the_class_wanted():
    logits = normal((50, 10), generator=generator(0))
    labels = torch.arange(50) % 10
    odds = logits.softmax(1)
    truth = odds.gather(1, labels[:, None])[:, 0]
    game = PgmGenerator(Settings(), 8, 10)
    assert torch.allclose(game.aim(logits, labels, None, None), -(1 - truth).log().mean())
    game = PgmGenerator(Settings(wrong=4), 8, 10)
    assert torch.allclose(game.aim(logits, labels, None, None), -odds[:, 4].log().mean())


def test_it_rehearses_the_shift_that_it_is_to_withstand():
    game = PgmGenerator(Settings(shift=4), 8, 10)
    assert game.rehearsed(AttackerChannel("rayleigh", 1, True)) == AttackerChannel(
        "rayleigh", 4, True
    )
    assert game.rehearsed(AttackerChannel(timing=9)) == AttackerChannel(timing=9)


def test_who_is_deceived_in_training_tells_noise_from_perturbations_less_well(victim):
    bob = target(victim)
    known = []
    # A weight next to nothing: its discriminator learns, and the generator does not mind.
    for weight in (1e-6, 30.0):
        settings = THOROUGH.model_copy(update={"disguise": weight, "lr": 3e-3})
        attack = PGM(settings)
        attack.fit(bob, *part(victim, "adversary"), [-3.0], 0, told)
        noise = normal((2000, 16), dtype=torch.complex64, generator=generator(4))
        drawn = attack.game.draw(2000, -3.0, generator(5))
        said = attack.game.judged(drawn) < 0, attack.game.judged(noise) > 0
        known.append(float(torch.cat(said).float().mean()))
    assert abs(known[1] - 0.5) < abs(known[0] - 0.5) - 0.05
