"""What audits and attacks need of a system."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from semveil.adversary.eavesdrop.observations import Send
from semveil.channel import Channel, Reception, channel_of
from semveil.link import Answer, LinkNetwork
from semveil.protect.base import Mechanism
from semveil.protect.invariant import SYMBOL_FACTORS, InvariantMaps
from semveil.recipe import Recipe
from semveil.records import SystemName


@dataclass(frozen=True)
class SystemUnderTest:
    """One system under audit.

    Attributes:
        name: Which system it is.
        transmit: Images float ``[B, C, H, W]`` in [0, 1], a generator and message numbers int
            ``[B]`` → waveform complex ``[B, k]``; the only thing that Eve's side is given.
        receive: Bob's receiver: reception and numbers of the messages → his answer; None where
            there are no records of Bob.
        asymmetry: What protects it: task, channel, key or knowledge; None if nothing.
        paper_eve: The simulated Eve of its training, features → logits; None if there is none.
        paper_private: Whether she infers the private attribute of the images, not Bob's task.
        paper_inverter: The same for the image, features → images.
        psr_db: Power of its perturbation over the signal's, dB; None if it has none.
        total_power: Power per symbol it declares; SNRs refer to one unit.
        fixed_gain: Whether it keeps to that power on average only, as a guarantee that forbids
            data-dependent gains needs it, and not image by image.
        trained_gain: Whether that gain was set on training images, so that the mean power of
            others differs a little.
        white_box: Images → waveform, differentiable, without the secret and without Alice's own
            randomness; None if there is no white-box attack.
        shadow: Builds an untrained link of the same architecture from a seed; None if there is no
            query-free attack.
        own_noise: Variance per symbol of Alice's own noise in the waveform.
        digital: Whether symbols are points of a constellation.
        permutes: Whether the key permutes the components and does nothing else.
        mechanism: Noise on its features whose privacy budget is measured; None if there is none.
        active: How many features are switched on at an SNR in dB, where that may change.
        costly: Whether sending images takes so long that Eve sends each of hers but once.
        keyed: Whether a key hides the waveform.
        fixed_key: Whether it is one key for all messages.
        differentiable: Whether Bob's answer has a gradient at what he receives.
        surrogate: Alice and Bob as an adversary without the key has them: under a key of her own
            where one hides the waveform, without tags where it signs frames. Mallory fits and
            crafts her attacks with these.
        invariant_maps: Maps of the waveform that commute with that key, which a relay applies.
    """

    name: SystemName
    transmit: Send
    receive: Callable[[Reception, Tensor], Answer] | None = None
    asymmetry: str | None = None
    paper_eve: nn.Module | None = None
    paper_private: bool = False
    paper_inverter: nn.Module | None = None
    psr_db: float | None = None
    total_power: float = 1.0
    fixed_gain: bool = False
    trained_gain: bool = False
    white_box: Callable[[Tensor], Tensor] | None = None
    shadow: Callable[[int], LinkNetwork] | None = None
    own_noise: float = 0.0
    digital: bool = False
    permutes: bool = False
    mechanism: Mechanism | None = None
    active: Callable[[float], int] | None = None
    costly: bool = False
    keyed: bool = False
    fixed_key: bool = False
    differentiable: bool = True
    surrogate: tuple[Send, Callable[[Reception, Tensor], Answer]] | None = None
    invariant_maps: InvariantMaps = SYMBOL_FACTORS


@dataclass(frozen=True)
class Conditions:
    """Where and when systems are measured; the same for all that are compared.

    Attributes:
        study: Study or recipe that the records name.
        bob: Bob's channel.
        eve: Eve's channel.
        train_snr_db: Bob's SNR in training; None if unknown.
        bob_snrs_db: Bob's SNRs in the test.
        eve_snrs_db: Eve's SNRs in the test.
        seed: Seed of every stream.
    """

    study: str | None
    bob: Channel
    eve: Channel
    train_snr_db: float | None
    bob_snrs_db: tuple[float, ...]
    eve_snrs_db: tuple[float, ...]
    seed: int

    @classmethod
    def of(cls, recipe: Recipe, study: str | None, seed: int) -> Conditions:
        """Return the conditions that a recipe describes."""
        return cls(
            study=study,
            bob=channel_of(recipe.bob),
            eve=channel_of(recipe.eve),
            train_snr_db=recipe.bob.snr_db,
            bob_snrs_db=tuple(recipe.audit.bob_snr_db),
            eve_snrs_db=tuple(recipe.audit.eve_snr_db),
            seed=seed,
        )
