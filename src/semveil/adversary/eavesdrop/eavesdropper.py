"""What every eavesdropper is: trained from scratch on her receptions, then asked for guesses."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semveil.adversary.configured import Configured
from semveil.adversary.eavesdrop.observations import Intercepts, Send, any_of
from semveil.adversary.eavesdrop.perceptual import PerceptualLoss
from semveil.adversary.eavesdrop.trainer import Effort, train_network
from semveil.channel import Channel, Reception
from semveil.device import channels_last, native_bfloat16
from semveil.errors import SemveilError
from semveil.link import Answer, LinkNetwork, as_float
from semveil.metrics import Estimate
from semveil.nets.convolutional import ImageShape
from semveil.plugin_errors import where
from semveil.registry import OURS, origin
from semveil.rng import generator, seeded
from semveil.section import Section

Progress = Callable[[int, int], None]
"""Called with the epochs done and the largest number of epochs."""

_AT_ONCE = 2000


@dataclass(frozen=True)
class Observations:
    """All that an eavesdropper has who knows no more than her channel.

    Attributes:
        training: Her receptions of images that the defence was not trained on.
        validation: Her receptions of further images, for early stopping.
        snrs_db: Her mean E_s/N_0, dB.
        classes: Labels that there are.
        effort: When her training stops.
        seed: Seed of her weights, order, fading and noise.
        perceptual: Returns the perceptual loss, by a network trained on her images.
        shift: Pixels by which her images are moved at most when they are sent anew.
        constellation: Points that symbols come from, complex ``[M]``; None if there are many.
        fitted: Who was trained on these observations already; trained once, she is trained for all.
    """

    training: Intercepts
    validation: Intercepts
    snrs_db: Sequence[float]
    classes: int
    effort: Effort
    seed: int
    perceptual: Callable[[], PerceptualLoss]
    shift: int = 0
    constellation: Tensor | None = None
    fitted: dict[Any, Eavesdropper] = field(default_factory=dict)


@dataclass(frozen=True)
class Knowledge(Observations):
    """What informed eavesdroppers have besides; None where it does not exist or she lacks it.

    Attributes:
        encoder: Images → noiseless waveform, differentiable, without key and without noise.
        architecture: Seed → untrained link of the same architecture.
        receiver: Bob's receiver.
        bob_channel: Bob's channel.
        bob_snr_db: Bob's SNR in training, dB; None if unknown.
        bob_observations: Training and validation receptions with the labels of Bob's task.
        own_noise: Variance per symbol of Alice's own noise.
        permutes: Whether a key permutes the components of the waveform and does nothing else.
        record: Transmitter, purpose → receptions of her training and validation images, sent by
            that transmitter.
        inverter: The best inverter so far.
    """

    encoder: Callable[[Tensor], Tensor] | None = None
    architecture: Callable[[int], LinkNetwork] | None = None
    receiver: Callable[[Reception], Answer] | None = None
    bob_channel: Channel | None = None
    bob_snr_db: float | None = None
    bob_observations: tuple[Intercepts, Intercepts] | None = None
    own_noise: float = 0.0
    permutes: bool = False
    record: Callable[[Send, str], tuple[Intercepts, Intercepts]] | None = None
    inverter: Eavesdropper | None = None


@dataclass(frozen=True)
class Truth:
    """What an evaluation scores guesses by; no eavesdropper has it while she guesses.

    Attributes:
        originals: The images that were sent, float ``[B, C, H, W]``.
        waveforms: Rows of Eve's training images → their waveforms without channel, complex
            ``[B, k]``; None where each message has a key of its own.
    """

    originals: Tensor
    waveforms: Callable[[Tensor], Tensor] | None = None


class Eavesdropper(Configured, ABC):
    """A passive adversary who learns from receptions.

    A subclass states at least ``name`` and :meth:`network`; with ``@EAVESDROPPERS.register`` it can
    be chosen by its name. One network serves all of her SNRs: each training image gets one of them
    at random, and the reliability among her inputs tells her which.

    Args:
        config: Her settings, checked already; those of ``settings``, or the defaults, if omitted.
        settings: Her settings by name.

    Attributes:
        target: What she is after: ``label`` or ``image``.
        needs: Fields of :class:`Knowledge` that she needs besides her receptions; empty for those
            who get :class:`Observations` alone.
        at_once: Receptions that she is given at once.
        pleases_judge: Whether she learned from the network that judges reconstructions, which is
            then no judge of hers.
        detailed: Whether, over OFDM, she reads the reliability of every symbol and the pilots too.
        scaled: Whether, if so, she reads the symbols at unit mean power and the SNR in dB too.
        pace: Epochs of her rounds over those that an audit gives: fewer where each takes long or
            little is left to learn, more where they cost nearly nothing.
        converged: Whether her training ended because it had ceased to improve; None where there was
            no training.
        Learned: What she learns besides her network's weights, kept with them.

    Example:
        >>> class Linear(Eavesdropper):
        ...     name = "inference/mine"
        ...     def network(self, inputs, classes, image_shape):
        ...         return nn.Linear(inputs, classes)
        >>> Linear().network(17, 10, (1, 8, 8))
        Linear(in_features=17, out_features=10, bias=True)
    """

    target: ClassVar[str] = "label"
    needs: ClassVar[frozenset[str]] = frozenset()
    at_once: ClassVar[int] = _AT_ONCE
    detailed: ClassVar[bool] = False
    scaled: ClassVar[bool] = False
    Learned: ClassVar[type[Section]] = Section
    pleases_judge: bool = False
    pace: float = 1.0
    trained: nn.Module | None = None
    converged: bool | None = None

    @classmethod
    def kind(cls) -> str:
        """Return ``informed``, or by her target ``inference`` or ``inversion``."""
        if cls.needs:
            return "informed"
        return "inference" if cls.target == "label" else "inversion"

    @property
    def adversary(self) -> str:
        """Her name in records."""
        return self.name

    @property
    def scope(self) -> tuple[str, ...]:
        """What names her random streams."""
        return tuple(self.adversary.split("/"))

    @abstractmethod
    def network(self, inputs: int, classes: int, image_shape: ImageShape) -> nn.Module:
        """Build her network, untrained.

        Args:
            inputs: Reals per reception; the last one is its reliability.
            classes: Labels that there are.
            image_shape: Channels, height, width.

        Returns:
            Network float ``[B, inputs]`` → logits ``[B, classes]``, or images ``[B, C, H, W]``.
        """

    def loss(self, output: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        """Return what her training minimises, a scalar.

        Args:
            output: Her network's.
            images: float ``[B, C, H, W]`` in [0, 1].
            labels: int ``[B]``.
        """
        if self.target == "image":
            return F.mse_loss(output.float(), images)
        return F.cross_entropy(output.float(), labels)

    def objective(
        self,
        network: nn.Module,
        features: Tensor,
        images: Tensor,
        labels: Tensor,
        source: torch.Generator,
    ) -> Tensor:
        """Return her loss for a batch, a scalar; ``source`` is for what she draws herself.

        If it returns several losses ``[H]``, training minimises their sum.
        """
        return self.loss(network(features), images, labels)

    def validated(self, network: nn.Module, losses: Tensor) -> float:
        """Return the number by which training chooses weights and ends: the validation loss.

        Args:
            network: Her network with the weights of this epoch.
            losses: Validation losses, as :meth:`objective` returns them.
        """
        return float(losses.sum())

    def applies(self, given: Observations) -> bool:
        """Tell whether all that she needs is there."""
        return all(getattr(given, need, None) is not None for need in self.needs)

    def features(self, reception: Reception) -> Tensor:
        """Return what her network reads of a reception, float ``[B, inputs]``."""
        return reception.details(self.scaled) if self.detailed else reception.features()

    def fit(self, given: Observations, progress: Progress | None = None) -> None:
        """Train her to convergence.

        Args:
            given: What she knows; a :class:`Knowledge` for those with ``needs``.
            progress: Called with the epochs done and the largest number of epochs.

        Raises:
            SemveilError: If her network's output has the wrong shape, or her loss is not finite.
        """
        settled = (type(self), repr(self))
        if settled in given.fitted:
            vars(self).update(vars(given.fitted[settled]))
            return
        training, validation, sent = given.training, given.validation, given.training
        device, scope, effort = training.device, self.scope, given.effort
        channels, height, width = training.images.shape[1:]
        levels = torch.tensor(given.snrs_db, dtype=torch.float32, device=device)
        source = generator(given.seed, *scope, "validation", device=device)
        held_out = self.features(validation.receive_each(levels, source))
        inputs = held_out.shape[1]
        with seeded(given.seed, *scope, "weights"):
            network = self.network(inputs, given.classes, (channels, height, width))
        network = channels_last(network.to(device))
        effort = replace(effort, max_epochs=math.ceil(self.pace * effort.max_epochs))
        self._check(network, inputs, training, given.classes)

        def loss(
            owner: Intercepts, features: Tensor, rows: Tensor, source: torch.Generator
        ) -> Tensor:
            images, labels = as_float(owner.images[rows]), owner.labels[rows]
            with torch.autocast(device.type, torch.bfloat16, enabled=native_bfloat16(device)):
                return self.objective(network, features, images, labels, source)

        def begin(epoch: int) -> None:
            nonlocal sent
            sent = training.resent(epoch, given.shift)

        def step(rows: Tensor, source: torch.Generator) -> Tensor:
            heard = sent.receive(rows, any_of(levels, rows, source), source)
            return loss(sent, self.features(heard), rows, source).sum()

        def validate() -> float:
            every = torch.arange(len(held_out), device=device)
            same = generator(given.seed, *scope, "validation draws", device=device)
            parts = [
                loss(validation, held_out[rows], rows, same) * len(rows) / len(held_out)
                for rows in every.split(_AT_ONCE)
            ]
            return self.validated(network, torch.stack(parts).sum(0))

        self.converged = train_network(
            network,
            step,
            validate,
            len(training),
            effort,
            given.seed,
            scope,
            device,
            progress,
            begin,
        )
        self.trained = network
        given.fitted[settled] = self

    @torch.no_grad()
    def _check(self, network: nn.Module, inputs: int, training: Intercepts, classes: int) -> None:
        """Refuse a network whose output is not what she is after."""
        who = self.name if origin(type(self)) == OURS else where(type(self), "network")
        try:
            found = network.eval()(torch.zeros(2, inputs, device=training.device))
        except Exception as error:
            reason = " ".join(str(error).split())
            raise SemveilError(
                f"{who}: its network fails on two receptions of {inputs} reals: {reason}"
            ) from error
        each = (classes,) if self.target == "label" else tuple(training.images.shape[1:])
        if not isinstance(found, Tensor) or tuple(found.shape) != (2, *each):
            shape = list(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise SemveilError(
                f"{who}: its network returns {shape} for two receptions, expected {[2, *each]}"
            )

    @torch.no_grad()
    def listen(self, reception: Reception, snr_db: float) -> Tensor:
        """Return her guesses from receptions of one SNR.

        Args:
            reception: What her antenna received of ``B`` images.
            snr_db: Her mean E_s/N_0, dB.

        Returns:
            float32: logits ``[B, classes]`` or images ``[B, C, H, W]``.

        Raises:
            ValueError: Before :meth:`fit`.
        """
        if self.trained is None:
            raise ValueError(f"{self.name} is trained before she listens")
        guesses: Tensor = self.trained(self.features(reception))
        return guesses

    def learned(self) -> Section:
        """Return what she learned besides her network's weights."""
        return self.Learned()

    def recall(self, learned: Section) -> None:
        """Take what one of her kind had learned; before the network is built.

        Args:
            learned: Of her class ``Learned``.
        """

    def limit(self, images: int) -> int:
        """Return how many test images she is given where an audit reconstructs ``images``."""
        return images

    def figures(self, snr_db: float, truth: Truth) -> Iterator[tuple[str, str | None, Estimate]]:
        """Yield further figures of her last guesses: metric, target, estimate.

        Args:
            snr_db: Her SNR then, dB.
            truth: What they are scored by.
        """
        yield from ()

    def fresh(self) -> Eavesdropper:
        """Return a copy to be trained."""
        return copy.deepcopy(self)


def listen(
    eve: Callable[[Reception], Tensor],
    test: Intercepts,
    snr_db: float,
    source: torch.Generator,
    most: int | None = None,
    at_once: int = _AT_ONCE,
) -> Tensor:
    """Receive the test images once, at one SNR, and return the guesses.

    Args:
        eve: Receptions → guesses.
        test: Receptions of the test images.
        snr_db: Mean E_s/N_0, dB.
        source: Fading and noise.
        most: How many of the first images; all if None.
        at_once: Receptions at a time.

    Returns:
        Logits ``[N, classes]`` or images ``[N, C, H, W]``, float32.
    """
    rows = torch.arange(min(most or len(test), len(test)), device=test.device)
    parts = [eve(test.receive(some, snr_db, source)) for some in rows.split(at_once)]
    return torch.cat(parts)
