"""Mallory on the air: an attack that was fitted on a link is added to the frames of a recording."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from semveil import phy
from semveil.adversary.perturb.attack import Attack, Progress, chosen, goal_of
from semveil.adversary.perturb.psr import to_psr
from semveil.adversary.perturb.victim import IncomingBatch, Victim
from semveil.air.receive import batches, joined
from semveil.channel import Arrival, OfdmChannel, Reception
from semveil.errors import SemveilError
from semveil.evaluation.robustness import RobustnessTest
from semveil.experiment.link import Link
from semveil.link import Answer
from semveil.radio import FrameFormat, ReceivedFrame, modulate
from semveil.recipe import AttackConfig
from semveil.recording import Recording
from semveil.recording.samples import Samples
from semveil.rng import generator, uniform

_AT_ONCE = 64
# Mallory's own channel where she is not synchronised.
_TAPS, _DECAY = 8, 1.5  # chips
_OFFSET = 0.1  # largest carrier offset, subcarriers


@dataclass
class Jammer:
    """An attack that is ready to be added to frames.

    Args:
        link: The attacked link.
        settings: One attack at one PSR.
        format: Format of the frames.
        synchronised: Whether the perturbation arrives with the frame's timing, phase and carrier.
            Otherwise it is shifted by up to a block, turned, up to a tenth of a subcarrier off,
            and passes a multipath channel of its own.
        seed: Seed of everything that is drawn.
        progress: Told how far the fitting is.

    Raises:
        SemveilError: If the attack does not apply to the link, or needs what a key hides.
    """

    link: Link
    settings: AttackConfig
    format: FrameFormat
    synchronised: bool
    seed: int
    progress: Progress

    def __post_init__(self) -> None:
        link, run = self.link, self.link.run
        assert run is not None
        test = RobustnessTest(
            link.under_test(), run.splits, run.setting(), self.settings, link.device
        )
        (attack,) = chosen(self.settings)
        attack = attack.towards(goal_of(self.settings))
        if not test.applies(attack):
            raise SemveilError(f"{attack.name} does not apply to {link.name.label}")
        if link.keyed and attack.per_input and attack.needs_gradient and attack.name != "relay":
            raise SemveilError(
                f"{attack.name} needs the symbols that are sent, and the key of "
                f"{link.name.label} hides them; choose another attack"
            )
        test.fit(attack, self.progress)
        self.victim: Victim = test.surrogate
        self.attack: Attack = attack
        (self.psr_db,) = self.settings.psr_db

    def perturbations(
        self, frames: Iterable[ReceivedFrame], recording: Recording
    ) -> Iterator[tuple[int, Samples]]:
        """Yield what is added to frames: first sample and samples, in the order of time."""
        first = 0
        for some in batches(frames, _AT_ONCE):
            symbols = self._symbols(joined(some), first).cpu()
            headers = [frame.header for frame in some if frame.header is not None]
            # Samples are linear in the symbols, but for preamble, header and pilots.
            known = modulate(self.format, headers, torch.zeros_like(symbols))
            sent = modulate(self.format, headers, symbols) - known
            for place, frame in enumerate(some):
                heard = _heard(recording, frame.start, known.shape[1])
                source = generator(self.seed, "air", "jam", "path", first + place)
                yield self._arriving(sent[place], known[place], heard, frame, source)
            first += len(some)

    def _symbols(self, reception: Reception, number: int) -> Tensor:
        """Return the perturbation of data symbols, complex ``[B, k]``."""
        link = self.link
        heard = phy.mmse(reception.symbols, reception.csi, reception.noise_variance)
        heard = phy.normalise_power(heard).to(link.device)
        messages = torch.arange(len(heard), device=link.device)
        images = torch.zeros(len(heard), *link.image_shape, device=link.device)
        labels = messages % link.classes
        if not link.keyed:
            # She does not know what was sent; what Bob would make of it stands for that.
            answer = self._answer(heard)
            labels = labels if answer.logits is None else answer.logits.argmax(1)
            images = images if answer.images is None else answer.images.float()
        incoming = IncomingBatch(_arrival(link, heard), labels, messages, images, heard)
        source = generator(self.seed, "air", "jam", number, device=link.device)
        (delta,) = self.attack.craft(self.victim, incoming, (self.psr_db,), source)
        return _data_symbols(link, delta)

    @torch.no_grad()
    def _answer(self, heard: Tensor) -> Answer:
        known = torch.ones_like(heard)
        noise = torch.full((len(heard),), 1e-3, device=heard.device)
        return self.link.receive(Reception(heard, known, noise))

    def _arriving(
        self,
        sent: Tensor,
        known: Tensor,
        heard: Tensor,
        frame: ReceivedFrame,
        source: torch.Generator,
    ) -> tuple[int, Samples]:
        """Return a perturbation as it arrives, at exactly its PSR: first sample and samples."""
        turn = torch.polar(
            torch.ones(len(sent)),
            torch.arange(len(sent)) * (2 * math.pi * frame.cfo_hz / self.format.sample_rate),
        )
        start = frame.start
        if self.synchronised:
            # The gain of the channel that the frame went through, by what is known of it.
            gain = torch.vdot(known * turn, heard)
            delta = sent * turn * (gain / gain.abs().clamp(min=1e-30))
        else:
            delta, late = self._unsynchronised(sent, source)
            start = max(0, start + late)
        # Preamble and header are no part of the link's waveform.
        energy = float(heard[self.format.header_length :].abs().square().sum())
        noise = 10 ** (-frame.snr_db / 10) / self.format.occupied
        reference = torch.full((1, 1), (energy / (1 + noise)) ** 0.5, dtype=delta.dtype)
        return start, to_psr(delta[None], reference, self.psr_db)[0].numpy()

    def _unsynchronised(self, sent: Tensor, source: torch.Generator) -> tuple[Tensor, int]:
        """Return a perturbation through a channel of Mallory's own, and how late it comes."""
        late, phase, offset = (2 * uniform((3,), generator=source) - 1).tolist()
        profile = phy.exponential_profile(_TAPS, _DECAY)
        taps = phy.multipath_taps(1, profile, generator=source)
        spread = torch.zeros(1, (_TAPS - 1) * self.format.oversampling + 1, dtype=taps.dtype)
        spread[:, :: self.format.oversampling] = taps
        delta = phy.convolve(sent[None], spread)[0]
        place = torch.arange(len(delta))
        cycles = offset * _OFFSET * self.format.spacing / self.format.sample_rate
        angle = math.pi * phase + 2 * math.pi * cycles * place
        return delta * torch.polar(torch.ones_like(angle), angle), round(
            late * self.format.block_length
        )


def _heard(recording: Recording, start: int, count: int) -> Tensor:
    """Return samples of a recording, silence beyond its ends: a start is an estimate."""
    first, last = max(start, 0), min(start + count, recording.count)
    inside = torch.from_numpy(recording.read(first, last - first))
    return torch.nn.functional.pad(inside, (first - start, start + count - last))


def _arrival(link: Link, heard: Tensor) -> Arrival:
    """Return symbols as they arrive over a channel that changes nothing."""
    frame, channel = link.channel.frame(heard), link.channel
    if isinstance(channel, OfdmChannel):
        taps = torch.zeros(len(heard), channel.taps, dtype=heard.dtype, device=heard.device)
        taps[:, 0] = 1
        return Arrival(phy.convolve(frame, taps), taps)
    return Arrival(frame, torch.ones_like(heard[:, :1]))


def _data_symbols(link: Link, delta: Tensor) -> Tensor:
    """Return the data symbols of a perturbation at the antenna, complex ``[B, k]``."""
    channel = link.channel
    if isinstance(channel, OfdmChannel):
        ofdm = channel.ofdm
        count = (delta.shape[1] - channel.taps + 1) // ofdm.symbol_length
        return ofdm.demodulate(delta, count)[:, channel.pilot_symbols :].flatten(1)
    return delta[:, channel.overhead :]


def added(
    blocks: Iterable[Samples], pieces: Iterable[tuple[int, Samples]], most_early: int
) -> Iterator[Samples]:
    """Yield samples with pieces added to them.

    Args:
        blocks: The samples, block by block.
        pieces: First sample and samples, nearly in the order of their first samples.
        most_early: Samples by which a piece may begin before the one before it.
    """
    waiting: list[tuple[int, Samples]] = []
    source, place, reached = iter(pieces), 0, -most_early
    for block in blocks:
        end = place + len(block)
        while reached < end + most_early and (piece := next(source, None)) is not None:
            waiting.append(piece)
            reached = piece[0]
        total = block.copy()
        for start, samples in waiting:
            first, last = max(start, place), min(start + len(samples), end)
            if first < last:
                total[first - place : last - place] += samples[first - start : last - start]
        waiting = [piece for piece in waiting if piece[0] + len(piece[1]) > end]
        place = end
        yield total
