"""From the samples of frames whose start and frequency offset are known to their symbols.

Channel and noise are estimated from the preamble. Clock offset and phase are tracked with the
pilots of all blocks at once: the likelihood of the clock offset is maximised over a grid, which
has no loop to lock and no delay, and phases are smoothed over neighbouring blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from semveil.channel import Reception
from semveil.phy.broadcast import squared_magnitude
from semveil.phy.pilots import zadoff_chu
from semveil.radio.frame import FrameFormat
from semveil.radio.modulate import amplitude, flip, preamble

_TURN = 2 * torch.pi

MOST_STRETCH, _USUAL_STRETCH = 100e-6, 25e-6
"""Clock offsets that are searched, and the standard deviation of those of ordinary oscillators."""

_MOST_TURN = 0.05
"""Residual frequency offset that is searched, turns per block."""

_LEAST_NOISE = 1e-7
"""Noise over received power."""

_ROUNDS = 4
"""Rounds in which the powers of the channel's taps are learned."""

_MOST_JITTER = 0.1
"""Variance of a block's phase up to which phase noise is measured, rad²."""

_WIDTHS = (0, 1, 2, 4, 8, 16)
"""Blocks on each side over which phases may be smoothed."""


@dataclass(frozen=True)
class Estimate:
    """Channel and noise of frames, from their preambles.

    Attributes:
        response: Amplitude, pulse and channel on the used frequencies of a block, complex64
            ``[B, A]``.
        noise: Noise variance per frequency, float64 ``[B]``.
        error: Error variance of the response, float64 ``[B]``.
        taps: Channel taps, those before the window's margin first, complex64 ``[B, T]``.
    """

    response: Tensor
    noise: Tensor
    error: Tensor
    taps: Tensor

    def split(self) -> list[Estimate]:
        """Return the estimates of single frames."""
        parts = (self.response, self.noise, self.error, self.taps)
        return [Estimate(*each) for each in zip(*(part.split(1) for part in parts), strict=True)]

    @classmethod
    def join(cls, estimates: Sequence[Estimate]) -> Estimate:
        """Put estimates of frames together."""
        return cls(
            torch.cat([each.response for each in estimates]),
            torch.cat([each.noise for each in estimates]),
            torch.cat([each.error for each in estimates]),
            torch.cat([each.taps for each in estimates]),
        )


@dataclass(frozen=True)
class Tracked:
    """Blocks of frames with phases corrected, and what was tracked.

    Attributes:
        received: Received blocks on the used frequencies, complex64 ``[B, S, A]``.
        stretch: Length of the received frame over its own, minus one, float64 ``[B]``.
        frequency: Frequency offset that was left, cycles per sample, float64 ``[B]``.
        residual: Mean squared error of the received pilots, float64 ``[B]``.
        evm: Root of it over the root mean square of the pilots, float64 ``[B]``.
        count: Received pilots.
    """

    received: Tensor
    stretch: Tensor
    frequency: Tensor
    residual: Tensor
    evm: Tensor
    count: int


class Demodulator:
    """Demodulates frames at the receiver's own rate.

    Samples of a frame, complex64 ``[B, T]``, begin with the first tap of the prefix of the
    preamble; offsets in frequency are in cycles per sample.

    Args:
        frame: Format of the frames, with ``inner`` samples per chip.
        margin: Samples by which windows start early within the prefix; a quarter of the prefix if
            None.
    """

    def __init__(self, frame: FrameFormat, margin: int | None = None) -> None:
        self.frame = frame
        self.prefix = frame.prefix * frame.oversampling
        self.margin = self.prefix // 4 if margin is None else margin
        self.size = frame.subcarriers * frame.oversampling
        # What a prefix holds, and the tails of pulses at fractional delays.
        tail = min(self.prefix // 2, frame.half_length // 8)
        self.support = torch.arange(-tail, self.prefix + tail + 1)

    @cached_property
    def _fine(self) -> tuple[Tensor, Tensor, Tensor]:
        """Bins of a half, its spectrum, and the transform from taps to received bins."""
        frame = self.frame
        half = preamble(frame)[-frame.half_length :]
        bins = frame.bins(frame.preamble * frame.subcarriers)
        known = torch.fft.fft(half, norm="ortho")[bins % frame.half_length]
        design = known[:, None] * _transform(bins, self.support, frame.half_length)
        return bins % frame.half_length, known, design.to(torch.complex128)

    @cached_property
    def _coarse(self) -> Tensor:
        """Transform from taps to the response of a block's used frequencies."""
        frame = self.frame
        gain = amplitude(frame) * frame.weights(frame.subcarriers)
        return gain[:, None] * _transform(frame.used, self.support, self.size)

    @cached_property
    def _pilots(self) -> Tensor:
        """Transform from taps to the pilot symbol of the link's OFDM, complex64 ``[T, N]``."""
        size = self.frame.subcarriers
        transform = _transform(torch.arange(size), self.support - self.margin, size)
        return amplitude(self.frame) * (transform * zadoff_chu(size)[:, None]).T

    def derotate(self, samples: Tensor, cfo: Tensor) -> Tensor:
        """Undo frequency offsets, float64 ``[B]``; the phase is zero at the first sample."""
        return samples * phasors(-cfo, samples.shape[1])

    def estimate(self, samples: Tensor) -> Estimate:
        """Estimate channel and noise from the preambles of derotated samples."""
        first = self.prefix - self.margin
        body = samples[:, first : first + 2 * self.frame.half_length]
        bins, known, design = self._fine
        halves = torch.fft.fft(body.unflatten(1, (2, -1)), norm="ortho")[..., bins]
        noise = squared_magnitude(halves[:, 0] - halves[:, 1]).double().mean(1) / 2
        # Single precision has no less noise.
        floor = _LEAST_NOISE * squared_magnitude(halves).double().mean((1, 2))
        noise = noise.maximum(floor).clamp(min=1e-30)
        mean, variance = halves.mean(1), noise / 2
        gram = design.mH @ design
        matched = mean.to(torch.complex128) @ design.conj()
        power = squared_magnitude(mean).double().mean(1) - variance
        power = power.clamp(min=1e-3 * variance) / squared_magnitude(known).double().mean()
        prior = (power / len(self.support))[:, None].expand(-1, len(self.support))
        for _ in range(_ROUNDS):
            taps, spread = _lmmse(gram, matched, prior, variance)
            # MacKay's fixed point for the powers of the taps: what the data tell of each.
            told = 1 - (spread.diagonal(dim1=1, dim2=2).real / prior).clamp(max=1 - 1e-6)
            prior = (squared_magnitude(taps) / told).clamp(min=1e-30)
        coarse = self._coarse.to(torch.complex128)
        error = (spread * (coarse.mH @ coarse).T).sum((1, 2)).real / len(coarse)
        taps = taps.to(torch.complex64)
        return Estimate(taps @ self._coarse.T, noise, error, taps)

    def track(self, samples: Tensor, found: Estimate, blocks: Tensor) -> Tracked:
        """Demodulate blocks and undo what clock and oscillator do to them.

        Args:
            samples: Derotated.
            found: From :meth:`estimate`.
            blocks: Which blocks are known ones, bool ``[S]``, those of the header first.
        """
        count = len(blocks)
        # Windows stay within the prefix for so many blocks at the largest clock offset.
        safe = max(8, int(self.prefix / 4 / MOST_STRETCH / self.frame.block_length))
        stretch = samples.new_zeros(len(samples), dtype=torch.float64)
        if count > safe:
            matched = self._matched(samples, found, blocks[:safe], stretch)[1]
            stretch = self._stretch(matched, found, blocks[:safe], stretch, MOST_STRETCH)
            reach = 8 / (safe * self.frame.block_length)
        else:
            reach = MOST_STRETCH
        received, matched = self._matched(samples, found, blocks, stretch)
        finer = self._stretch(matched, found, blocks, stretch, reach)
        place = self._places(count)
        turn = self._slope(place[None] * (finer - stretch)[:, None])
        aligned = matched * self._pick(turn, blocks)
        phase, frequency = self._phase(aligned.sum(-1), found, blocks)
        turn = turn * torch.polar(torch.ones_like(phase), -phase)[..., None].to(turn.dtype)
        received = received * turn
        error, power, n = self._error(received, found, blocks)
        return Tracked(received, finer, frequency, error, (error / power).sqrt(), n)

    def _places(self, count: int) -> Tensor:
        """Return the samples from the middle of the preamble to each block, float64 ``[S]``."""
        step = torch.arange(count, dtype=torch.float64) * self.frame.block_length
        return step + self.frame.half_length + self.prefix

    def _slope(self, delay: Tensor) -> Tensor:
        """Return the factor that undoes delays in samples, complex64 ``[..., A]``."""
        angle = delay[..., None] * (self.frame.used.double() * (_TURN / self.size))
        return torch.polar(torch.ones_like(angle), angle).to(torch.complex64)

    def _pick(self, grid: Tensor, blocks: Tensor) -> Tensor:
        """Return the pilots of a grid ``[B, S, A]``."""
        if self.frame.single:
            return grid[:, blocks]
        return grid[..., self.frame.pilot_mask]

    def _known(self, blocks: Tensor) -> Tensor:
        """Return what is sent on the pilots, complex64 ``[S', P]``."""
        frame = self.frame
        if not frame.single:
            return frame.pilots(len(blocks))
        # The known blocks of header and data each begin with the first.
        head = int(frame.known_blocks(frame.header_blocks).sum())
        rest = int(blocks.sum()) - head
        symbols = torch.cat([frame.pilots(min(head, head + rest)), frame.pilots(max(rest, 0))])
        spectrum = torch.fft.fft(symbols, norm="ortho")
        return spectrum[:, frame.used % frame.subcarriers]

    def _matched(
        self, samples: Tensor, found: Estimate, blocks: Tensor, stretch: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return received blocks, and their pilots times the conjugates of what was expected."""
        frame = self.frame
        place = self._places(len(blocks))
        drift = place * stretch[:, None]
        whole = drift.round()
        first = (place + whole).long() + self.prefix + frame.half_length - self.margin
        index = first[..., None] + torch.arange(self.size)
        rows = torch.arange(len(samples))[:, None, None]
        windows = samples[rows, index.clamp(0, samples.shape[1] - 1)]
        grid = torch.fft.fft(windows, norm="ortho")[..., frame.used % self.size]
        grid = grid * self._slope(drift - whole)
        expected = self._pick(found.response[:, None].expand(-1, len(blocks), -1), blocks)
        expected = expected * self._known(blocks)
        return grid, self._pick(grid, blocks) * expected.conj()

    def _stretch(
        self, matched: Tensor, found: Estimate, blocks: Tensor, start: Tensor, reach: float
    ) -> Tensor:
        """Return the most likely clock offset near a start, float64 ``[B]``.

        The phase of every block is unknown: its pilots are added coherently, blocks by magnitude.
        """
        place = self._places(len(blocks))
        frequencies = self.frame.used.double()
        if self.frame.single:
            place = place[blocks]
        else:
            frequencies = frequencies[self.frame.pilot_mask]
        # A quarter of a turn at the edge of the band, over the whole frame.
        step = min(reach, self.size / (4 * float(frequencies.abs().max() * place.max())) / 2)
        grid = torch.arange(-int(reach / step) - 1, int(reach / step) + 2) * step
        turns = _turns(grid, place, frequencies / self.size)
        score = torch.stack(
            [(matched * each).sum(-1).abs().double().sum(1) for each in turns.unbind()], 1
        )
        offset = start[:, None] + grid
        score = score * (2 / found.noise[:, None]) - (offset / _USUAL_STRETCH) ** 2 / 2
        return start + step * (_peak(score) - (len(grid) // 2))

    def _phase(self, phasor: Tensor, found: Estimate, blocks: Tensor) -> tuple[Tensor, Tensor]:
        """Return the phase of every block, float64 ``[B, S]``, and the frequency in it ``[B]``."""
        frame = self.frame
        # In blocks, from the middle of the preamble, whose phase is that of the estimate.
        place = self._places(len(blocks)) / frame.block_length
        phasor = phasor.to(torch.complex128)
        energy = squared_magnitude(found.response).double().sum(1, keepdim=True)
        known = place
        if frame.single:
            known = torch.cat([place.new_zeros(1), place[blocks]])
            phasor = torch.cat([(2 * frame.preamble * energy).to(phasor.dtype), phasor], 1)
        # The halves of the preamble leave this much of the frequency open.
        ratio = energy / len(frame.used) / found.noise[:, None]
        spread = (1 / ratio + 1 / (2 * ratio**2)).div(len(self._fine[0])).sqrt()
        spread = 1.5 * spread * frame.block_length / (_TURN * frame.half_length)
        step = 0.25 / max(float(known.max()), 1.0)
        grid = torch.arange(-int(_MOST_TURN / step) - 1, int(_MOST_TURN / step) + 2) * step
        score = (phasor @ _unit(-grid[None] * known[:, None])).abs()
        score = score * (2 / found.noise[:, None]) - (grid / spread) ** 2 / 2
        turns = step * (_peak(score) - (len(grid) // 2))
        still = phasor * _unit(-turns[:, None] * known)
        smooth = _smoothed(still, self._jitter(found, blocks), int(frame.single))
        if frame.single:
            smooth = _between(smooth, known, place)
        phase = smooth.angle() + _TURN * turns[:, None] * place
        return phase, turns / frame.block_length

    def _jitter(self, found: Estimate, blocks: Tensor) -> Tensor:
        """Return the variance that noise gives the phase of a block's pilots, float64 ``[B]``."""
        expected = self._pick(found.response[:, None].expand(-1, len(blocks), -1), blocks)
        energy = squared_magnitude(expected[:, 0]).double().sum(1).clamp(min=1e-30)
        return found.noise / (2 * energy)

    def _error(
        self, received: Tensor, found: Estimate, blocks: Tensor
    ) -> tuple[Tensor, Tensor, int]:
        expected = self._pick(found.response[:, None].expand(-1, len(blocks), -1), blocks)
        expected = expected * self._known(blocks)
        error = squared_magnitude(self._pick(received, blocks) - expected).double()
        power = squared_magnitude(expected).double().mean((1, 2))
        return error.mean((1, 2)), power.clamp(min=1e-30), error[0].numel()

    def matched(self, tracked: Tracked, found: Estimate, blocks: Tensor) -> Tensor:
        """Return matched data symbols ``conj(h)·y/σ²`` of all data blocks, complex ``[B, k']``.

        A single carrier is equalised first; its gain is that of the equalised symbols.
        """
        symbols, gain, variance = self._equalised(tracked, found, blocks)
        return (symbols * gain.conj() / variance[:, None]).to(torch.complex64)

    def reception(
        self, tracked: Tracked, found: Estimate, blocks: Tensor, header: int, images: int, k: int
    ) -> list[Reception]:
        """Return the link's symbols of each frame.

        Args:
            tracked: All blocks.
            found: From :meth:`estimate`.
            blocks: Which blocks are known ones, bool ``[S]``.
            header: Blocks of the header.
            images: Images per frame.
            k: Symbols per image.
        """
        symbols, gain, variance = self._equalised(tracked, found, blocks)
        skip = int((~blocks[:header]).sum()) * self.frame.data_per_block
        # At real gain, since a flip of one part commutes with no phase.
        gain = gain[:, skip:]
        size = gain.abs()
        symbols = flip(self.frame, symbols[:, skip:] * (gain.conj() / size.clamp(min=1e-30)))
        scale = size.square().mean(1, keepdim=True).sqrt().clamp(min=1e-30)
        symbols, size = symbols / scale, size / scale
        variance = variance / scale.squeeze(1).square()
        shape = (images, k)
        if self.frame.single:
            # One channel for all symbols, as of flat fading.
            return [
                Reception(symbols[row, : images * k].reshape(shape), one.expand(images, 1), noise)
                for row, (one, noise) in enumerate(
                    zip(size[:, :1].to(torch.complex64), variance.float(), strict=True)
                )
            ]
        pilots = (found.taps @ self._pilots / scale)[:, None]
        return [
            Reception(
                symbols[row, : images * k].reshape(shape),
                size[row, : images * k].reshape(shape).to(torch.complex64),
                variance[row].float(),
                pilots[row].expand(images, 1, -1),
            )
            for row in range(len(symbols))
        ]

    def snr_db(self, tracked: Tracked, found: Estimate) -> Tensor:
        """Return received energy per symbol over the noise variance of a symbol, dB ``[B]``."""
        energy = squared_magnitude(found.response).double().sum(1)
        frame = self.frame
        energy = energy / (frame.subcarriers if frame.single else len(frame.used))
        return 10 * torch.log10(energy / self._noise(tracked, found))

    def _noise(self, tracked: Tracked, found: Estimate) -> Tensor:
        """Return the noise variance of a symbol, by preamble and pilots, float64 ``[B]``."""
        ahead = len(self._fine[0])
        total = ahead * (found.noise + found.error) + tracked.count * tracked.residual
        return total / (ahead + tracked.count)

    def _equalised(
        self, tracked: Tracked, found: Estimate, blocks: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return data symbols, their channel, complex64 ``[B, k']`` both, and noise ``[B]``."""
        frame = self.frame
        noise, response = self._noise(tracked, found), found.response[:, None]
        if not frame.single:
            mask = ~frame.pilot_mask
            data = tracked.received[..., mask].flatten(1)
            return data, response[..., mask].expand(-1, len(blocks), -1).flatten(1), noise
        matched = folded(frame, tracked.received[:, ~blocks] * response.conj())
        gain = folded(frame, squared_magnitude(response).double())
        filtered = gain + noise[:, None, None]
        time = torch.fft.ifft(matched / filtered.float(), norm="ortho").flatten(1)
        # The MMSE estimate is β·z with noise of variance β(1 − β).
        beta = (gain / filtered).mean((1, 2)).clamp(1e-9, 1 - 1e-9)
        ones = time.new_ones(time.shape)
        return time / beta[:, None].float(), ones, (1 - beta) / beta


def folded(frame: FrameFormat, values: Tensor) -> Tensor:
    """Add the used frequencies ``[..., A]`` that are one at the rate of symbols, ``[..., N]``."""
    place = (frame.used % frame.subcarriers).expand_as(values)
    return values.new_zeros(*values.shape[:-1], frame.subcarriers).scatter_add_(-1, place, values)


def _lmmse(gram: Tensor, matched: Tensor, prior: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """Return LMMSE taps ``[B, T]`` and their error covariance ``[B, T, T]``."""
    precision = gram / variance[:, None, None] + torch.diag_embed((1 / prior).to(gram.dtype))
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(precision))
    taps = (inverse @ (matched / variance[:, None])[..., None]).squeeze(-1)
    return taps, inverse


def _transform(bins: Tensor, support: Tensor, size: int) -> Tensor:
    """Return ``exp(−2πj·k·t/size)``, complex64 ``[A, T]``."""
    angle = (bins[:, None] * support[None] % size).double() * (-_TURN / size)
    return torch.polar(torch.ones_like(angle), angle).to(torch.complex64)


def _smoothed(phasor: Tensor, jitter: Tensor, skip: int) -> Tensor:
    """Smooth phasors ``[B, S]`` over neighbours, over as many as noise and phase noise suggest.

    Phases are a random walk, whose steps are measured, in noise of the variance ``jitter``. Of all
    triangular windows each frame has that of the least error. ``skip`` phasors at the beginning are
    no part of the walk.
    """
    walk = torch.zeros_like(jitter)
    for apart in (1, 4):
        last = max(phasor.shape[1] - apart, skip)
        steps = phasor[:, skip + apart :] * phasor[:, skip:last].conj()
        count = max(steps.shape[1], 1)
        # Beyond what chance makes of noise alone.
        excess = steps.angle().square().sum(1) / count - 2 * jitter * (1 + count**-0.5)
        walk = walk.maximum(excess / apart)
    # In stronger noise angles wrap, and their variance is no longer that of the noise.
    walk = torch.where(jitter < _MOST_JITTER, walk, 0)
    smooth, errors = list[Tensor](), list[Tensor]()
    for width in _WIDTHS:
        place = torch.arange(-width, width + 1, dtype=torch.float64)
        window = 1 - place.abs() / (width + 1)
        window = window / window.sum()
        half, far = window[width + 1 :], place[width + 1 :]
        shared = (half[:, None] * half * torch.minimum(far[:, None], far)).sum()
        errors.append(jitter * window.square().sum() + walk * 2 * shared)
        parts = torch.view_as_real(phasor).mT.flatten(0, 1)[:, None]
        parts = torch.nn.functional.conv1d(parts, window[None, None], padding=width)
        smooth.append(torch.view_as_complex(parts[:, 0].unflatten(0, (-1, 2)).mT.contiguous()))
    best = torch.stack(errors).argmin(0)
    return torch.stack(smooth)[best, torch.arange(len(phasor))]


def phasors(frequency: Tensor, length: int) -> Tensor:
    """Return ``exp(2πj·f·n)`` for cycles per sample, float64 ``[B]``: complex64 ``[B, length]``."""
    # Sine and cosine of every sample would take longer than the products.
    step = 256
    fine = _unit(frequency[:, None] * torch.arange(step))
    coarse = _unit(frequency[:, None] * (step * torch.arange(-(-length // step))) % 1.0)
    whole = coarse.to(torch.complex64)[..., None] * fine.to(torch.complex64)[:, None]
    return whole.flatten(1)[:, :length]


def _turns(grid: Tensor, place: Tensor, frequencies: Tensor) -> Tensor:
    """Return the factors that undo each clock offset of a grid, complex64 ``[G, S, P]``."""
    return _unit(grid[:, None, None] * place[:, None] * frequencies).to(torch.complex64)


def _unit(turns: Tensor) -> Tensor:
    return torch.polar(torch.ones_like(turns), _TURN * turns)


def _peak(score: Tensor) -> Tensor:
    """Return where a score is largest, refined by a parabola, float64 ``[B]``."""
    place = score.argmax(1).clamp(1, score.shape[1] - 2)
    left, middle, right = (score.gather(1, place[:, None] + d).squeeze(1) for d in (-1, 0, 1))
    bend = (2 * middle - left - right).clamp(min=1e-30)
    return place + ((right - left) / (2 * bend)).clamp(-0.5, 0.5)


def _between(values: Tensor, known: Tensor, place: Tensor) -> Tensor:
    """Interpolate complex values ``[B, S']`` at places, linearly; constant beyond both ends."""
    after = torch.searchsorted(known, place).clamp(1, len(known) - 1)
    low, high = known[after - 1], known[after]
    share = ((place - low) / (high - low)).clamp(0, 1)
    return values[:, after - 1] * (1 - share) + values[:, after] * share
