"""A trained system as it is used: Alice, the channel and Bob, with keys and message counters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor

from semveil.adversary.eavesdrop.observations import FIRST_FREE_MESSAGE, Send, numbered
from semveil.channel import Channel, Reception
from semveil.device import channels_last
from semveil.errors import SemveilError
from semveil.evaluation.system import SystemUnderTest
from semveil.experiment.card import Card, card_of
from semveil.experiment.plan import SystemPlan, plan
from semveil.experiment.training import TrainedNetworks
from semveil.link import Answer, LinkNetwork, as_float, own_noise
from semveil.nets.convolutional import ImageShape
from semveil.protect.invariant import SYMBOL_FACTORS
from semveil.protect.keyed_transform import decrypt_features
from semveil.protect.keys import research_key
from semveil.protect.session import Sender
from semveil.protect.tag import FrameTag
from semveil.recipe import Recipe
from semveil.records import Asked, SystemName
from semveil.rng import Randomness, generator, seeded

if TYPE_CHECKING:
    from semveil.experiment.run import Run


class Link:
    """One system of a run: scheme, networks, learned layer, keyed transform, channel, recipe.

    Where a key hides the waveform or signs its frames, Alice and Bob share a session key, and every
    image is a message with a counter of its own. No counter is used twice in the life of a link, by
    any thread; a keyed link sends in the process that made it only.

    Args:
        plan: Which system, and what it is made of.
        networks: Networks of the run, trained.
        seed: Seed of the run.
        key: Session key, 32 bytes; by default the run's research key, which is no secret.
        run: The run that it is of; None if there is none.

    Attributes:
        network: Encoder, channel and decoder as one torch module.
        layer: What is laid on the waveform; None if nothing is.
        transform: Keyed transform of the waveform; None if there is none.
        key: Its session key.
        key_origin: Where its key comes from, in words.
        counters: Message counters of the last transmission, int64 ``[B]``; None before it, and
            where there is no key.

    Example:
        >>> link = untrained("rotation", Recipe(scheme="rotation"), (1, 8, 8), classes=10, seed=0)
        >>> answer = link.send(torch.rand(2, 1, 8, 8), snr_db=10)
        >>> answer.logits.shape
        torch.Size([2, 10])
        >>> waveform = link.transmit(torch.rand(2, 1, 8, 8))
        >>> waveform.shape, waveform.dtype
        (torch.Size([2, 16]), torch.complex64)
        >>> reception = link.channel(waveform, snr_db=10.0)
        >>> link.receive(reception).logits.shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        plan: SystemPlan,
        networks: TrainedNetworks,
        seed: int,
        key: bytes | None = None,
        run: Run | None = None,
    ) -> None:
        self.plan, self.networks, self.seed, self.run = plan, networks, seed, run
        self.network: LinkNetwork = networks.link(plan.link.stream)
        self.layer = None if plan.layer is None else networks.layer(plan.stream)
        self.transform, self._tag, self._sender = None, None, None
        self.key = session = key or research_key(seed, plan.stream)
        self.key_origin = "given" if key else "public, derived from the seed; for experiments only"
        if plan.transform is not None:
            self.transform = plan.transform(self.network, session)
        if self.network.tag_bits:
            self._tag = FrameTag(session, self.network.tag_bits)
        if self.transform is not None or self._tag is not None:
            self._sender = Sender(session, FIRST_FREE_MESSAGE)
        self.counters: Tensor | None = None

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.image_shape))
        place = "" if self.run is None else f", {self.run.folder}"
        return (
            f"<Link: {self.name.label}, {shape}, {self.classes} classes, "
            f"{self.channel_uses} channel uses, {self.channel.name}{place}>"
        )

    @property
    def name(self) -> SystemName:
        """Which system it is."""
        return self.plan.name

    @property
    def recipe(self) -> Recipe:
        """The settings, with the protections of this system."""
        return self.plan.link.recipe

    @property
    def channel(self) -> Channel:
        """Bob's channel: ``link.channel(waveform, snr_db, generator=g)`` is what he receives."""
        return self.network.channel

    @property
    def keyed(self) -> bool:
        """Whether Alice and Bob share a key."""
        return self._sender is not None

    @property
    def added_symbols(self) -> int:
        """Channel uses per image that the keyed transform adds."""
        return 0 if self.transform is None else self.transform.added_symbols

    @property
    def image_shape(self) -> ImageShape:
        """Channels, height, width of the images."""
        return self.networks.image_shape

    @property
    def classes(self) -> int:
        """Answers of the task."""
        return self.networks.classes

    @property
    def card(self) -> Card:
        """What it is, how it was trained, and what its run's records say; ``print`` shows it."""
        return card_of(self)

    @property
    def asymmetry(self) -> str | None:
        """What protects it: task, channel, key or knowledge; None if nothing does."""
        own = self.plan.asymmetry
        # Trained to hide another attribute than Bob's task, it rests on that.
        return "task" if own == "knowledge" and self.networks.private else own

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return next((each.device for each in self.networks.parameters()), torch.device("cpu"))

    def with_key(self, key: bytes) -> Link:
        """Return the same system under another session key of 32 bytes.

        It starts at the same counter each time: use a key in one object alone.
        """
        return Link(self.plan, self.networks, self.seed, key, self.run)

    @torch.no_grad()
    def send(
        self,
        images: Tensor | np.ndarray[Any, Any],
        snr_db: Tensor | float | None = None,
        generator: Randomness = None,
    ) -> Answer:
        """Send images over Bob's channel and return what he makes of them.

        Args:
            images: ``[B, C, H, W]``, uint8, or float in [0, 1].
            snr_db: Bob's mean E_s/N_0 in dB, one number or one per image; that of the training if
                None.
            generator: Source of fading, noise and Alice's own randomness.

        Returns:
            Logits ``[B, classes]`` and, where Bob reconstructs images, these; where he tests
            messages, which he accepts.

        Raises:
            SemveilError: If images are of another shape or range, an SNR is not finite, there are
                neither one nor ``B``, or the generator is none.
        """
        level = self.snr_or_default(snr_db)
        count = torch.as_tensor(level).numel()
        if count not in (1, len(images)):
            raise SemveilError(
                f"snr_db: expected one number, or one per image; there are {count} for "
                f"{len(images)} images"
            )
        waveform, counters = self._transmit(images, generator)
        return self.receive(self.channel(waveform, level, generator=generator), counters)

    def transmit(
        self, images: Tensor | np.ndarray[Any, Any], generator: Randomness = None
    ) -> Tensor:
        """Return the waveform that leaves Alice's antenna, complex ``[B, k]``.

        Each image is one message with a new counter, if the waveform is keyed.

        Args:
            images: ``[B, C, H, W]``, uint8, or float in [0, 1].
            generator: Source of Alice's own randomness, where she has any.

        Raises:
            SemveilError: If images are of another shape or range.
        """
        return self._transmit(images, generator)[0]

    def _transmit(
        self, images: Tensor | np.ndarray[Any, Any], generator: Randomness
    ) -> tuple[Tensor, Tensor | None]:
        """Return a waveform and, where it is keyed, the counters of its messages."""
        pixels = self._pixels(images)
        if not isinstance(generator, Randomness):
            raise SemveilError(f"generator: expected a torch.Generator, not {generator!r}")
        counters = None
        if self._sender is not None:
            self.counters = counters = self._sender.take(len(pixels)).to(self.device)
        return self.transmit_numbered(pixels, generator, counters), counters

    def receive(self, reception: Reception, messages: Tensor | None = None) -> Answer:
        """Return what Bob makes of a reception: equalise, undo the keyed transform, decode.

        Args:
            reception: What his antenna heard; see :attr:`channel`.
            messages: Counters of the messages, int64 ``[B]``; those of the last :meth:`transmit`
                if None.

        Raises:
            SemveilError: If it is no reception, is of another number of symbols than the link
                sends, or the last transmission had another number of messages.
        """
        if not isinstance(reception, Reception):
            raise SemveilError(
                "receive: expected a reception, as link.channel(waveform, snr_db) returns it, "
                f"not {type(reception).__name__}"
            )
        self._check_width(reception)
        if self._sender is None:
            read = self.plan.receive
            return (
                self.network.receive(reception) if read is None else read(self.network, reception)
            )
        if messages is None:
            messages = self.counters
        if messages is None or len(messages) != len(reception.symbols):
            raise SemveilError(
                f"receive: {len(reception.symbols)} messages were received, and the last "
                f"transmission had {0 if messages is None else len(messages)}"
            )
        if self.transform is None:
            assert self._tag is not None
            return self.network.receive_signed(reception, messages, self._tag)
        decrypt = partial(self.transform.decrypt, messages=messages)
        answer = self.network.decode(decrypt_features(reception.features(), decrypt))
        return replace(answer, accepted=self.transform.accepts(reception, messages))

    def transmit_numbered(
        self, images: Tensor, source: Randomness, messages: Tensor | None
    ) -> Tensor:
        """Return the waveform of messages whose counters are given, complex ``[B, k]``.

        For evaluations, whose numbers depend on the counters.

        Args:
            images: float ``[B, C, H, W]`` in [0, 1], on the link's device.
            source: Source of Alice's own randomness.
            messages: Message counters, int64 ``[B]``; ignored where there is no key.

        Raises:
            SemveilError: If there is a key and there are no counters.
        """
        if self._sender is not None and messages is None:
            raise SemveilError("messages: required, since this link has a key")
        if self._tag is None:
            waveform = self.network.transmit(images, source)
        else:
            waveform = self.network.transmit_signed(images, cast(Tensor, messages), self._tag)
        if self.layer is not None:
            waveform = self.layer(waveform, source)
        self.channel_uses = waveform.shape[-1] + self.added_symbols
        if self.transform is None:
            return waveform
        return self.transform.encrypt(waveform, cast(Tensor, messages))

    def snr_or_default(self, snr_db: Tensor | float | None) -> Tensor | float:
        """Return an SNR, dB, or that of Bob's training if there is none."""
        if snr_db is None:
            return self.recipe.bob.snr_db
        try:
            levels = torch.as_tensor(snr_db, dtype=torch.float32)
        except (TypeError, ValueError, RuntimeError):
            raise SemveilError(f"snr_db: expected numbers in dB, not {snr_db!r}") from None
        if not bool(levels.isfinite().all()):
            raise SemveilError("snr_db: expected finite numbers, in dB")
        return snr_db if isinstance(snr_db, Tensor | float | int) else levels.to(self.device)

    @cached_property
    @torch.no_grad()
    def channel_uses(self) -> int:
        """Symbols per image: those of a blank one before the first transmission."""
        blank = torch.zeros(1, *self.image_shape, device=self.device)
        sent = self.network.transmit(blank, generator(0, "width", device=self.device))
        return sent.shape[-1] + self.added_symbols

    def _check_width(self, reception: Reception) -> None:
        """Refuse another number of symbols than the link sends."""
        width = reception.symbols.shape[-1]
        if width != self.channel_uses:
            raise SemveilError(
                f"receive: {width} symbols per image were received; the link sends "
                f"{self.channel_uses}"
            )

    def _pixels(self, images: Tensor | np.ndarray[Any, Any]) -> Tensor:
        """Return images as floats on the link's device."""
        given = torch.as_tensor(images).to(self.device)
        if tuple(given.shape[1:]) != tuple(self.image_shape):
            shape = ", ".join(map(str, self.image_shape))
            raise SemveilError(f"images: expected [B, {shape}], not {list(given.shape)}")
        if given.dtype == torch.uint8:
            return as_float(given)
        if not given.is_floating_point() or not bool(((given >= 0) & (given <= 1)).all()):
            raise SemveilError("images: expected uint8, or floats between 0 and 1")
        return given.float()

    def under_test(self) -> SystemUnderTest:
        """Return the system as audits and attacks see it."""
        planned, network = self.plan, self.network
        eve = self.networks.simulated(planned.link.stream)
        # She is scored on what she was trained on: in the clear, but for a learned encryptor.
        same = (self.transform is not None) == network.encrypts
        simulated = planned.scheme.simulates if same else ()
        surrogate: tuple[Send, Callable[[Reception, Tensor], Answer]] | None = None
        if self.transform is not None:
            other = self.with_key(research_key(self.seed, f"{planned.stream}, Mallory's"))
            surrogate = other.transmit_numbered, other.receive
        elif self._tag is not None:
            # Frames are no secret; she can neither make tags nor test them.
            surrogate = numbered(network.transmit), self._receive_unsigned
        return SystemUnderTest(
            name=planned.name,
            transmit=self.transmit_numbered,
            receive=self.receive,
            asymmetry=self.asymmetry,
            paper_eve=eve.label if eve and "label" in simulated else None,
            paper_private=eve is not None and eve.private,
            paper_inverter=eve.image if eve and "image" in simulated else None,
            psr_db=None if self.layer is None else self.layer.psr_db,
            total_power=1.0 if self.layer is None else self.layer.total_power,
            fixed_gain=network.fixed_gain,
            trained_gain=network.fixed_gain,
            white_box=network.expected,
            shadow=self._untrained_network,
            mechanism=network.mechanism,
            own_noise=own_noise(network),
            digital=network.digital,
            permutes=self.transform is not None and self.transform.permutes,
            active=network.active,
            keyed=self.transform is not None,
            fixed_key=planned.fixed_key,
            differentiable=network.differentiable,
            costly=network.costly,
            surrogate=surrogate,
            invariant_maps=(
                SYMBOL_FACTORS if self.transform is None else self.transform.invariant_maps
            ),
        )

    def _receive_unsigned(self, reception: Reception, messages: Tensor | None = None) -> Answer:
        return self.network.receive(reception)

    def _untrained_network(self, seed: int) -> LinkNetwork:
        with seeded(seed, "weights"):
            return self.plan.link.scheme.build(self.image_shape, self.classes)


def untrained(
    asked: Asked, recipe: Recipe, image_shape: ImageShape, classes: int, seed: int
) -> Link:
    """Return a system with random weights: costs do not depend on training."""
    planned = plan([asked], recipe)[0]
    networks = TrainedNetworks([planned], recipe, image_shape, classes, seed)
    channels_last(networks).eval()
    return Link(planned, networks, seed)
