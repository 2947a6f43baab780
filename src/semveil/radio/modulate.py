"""From the link's symbols to samples."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from semveil.errors import SemveilError
from semveil.radio.frame import FrameFormat
from semveil.radio.header import Header, encode


def modulate(frame: FrameFormat, headers: Sequence[Header], symbols: Tensor) -> Tensor:
    """Return the samples of frames.

    Args:
        frame: Format of the frames.
        headers: One per frame; each says ``k`` symbols.
        symbols: The link's symbols, of unit mean power, complex ``[B, k]``.

    Returns:
        Samples, complex64 ``[B, frame.frame_length(k)]``; preamble and blocks have root mean
        square ``frame.level`` on average.

    Raises:
        SemveilError: If a header says another number of symbols, or symbols are not finite.

    Example:
        >>> frame = FrameFormat()
        >>> header = Header(link=bytes(8), images=1, symbols=480)
        >>> modulate(frame, [header], torch.ones(1, 480, dtype=torch.complex64)).shape
        torch.Size([1, 2608])
    """
    batch, k = symbols.shape
    if len(headers) != batch or any(header.payload != k for header in headers):
        said = sorted({header.payload for header in headers})
        raise SemveilError(
            f"header: {len(headers)} headers say {said} symbols, where there are {batch} frames "
            f"of {k}"
        )
    if not bool(torch.isfinite(torch.view_as_real(symbols.resolve_conj())).all()):
        raise SemveilError("symbols: expected finite numbers")
    # What is left of the last block is filled before the whitening.
    left = -k % frame.data_per_block
    symbols = torch.cat([symbols.to(torch.complex64), _filler(batch, left)], 1)
    head = blocks(frame, encode(headers, frame.header_bits), 0)
    data = blocks(frame, flip(frame, symbols), frame.header_blocks)
    waveform = _with_prefix(frame, torch.cat([head, data], 1)).flatten(1)
    return torch.cat([preamble(frame).expand(batch, -1), waveform], 1)


def burst(frames: Tensor, gap: int, *, lead: int = 0, tail: int = 0) -> Tensor:
    """Put frames behind each other with silence between them.

    Args:
        frames: Samples of frames, complex ``[B, T]``.
        gap: Silent samples between two frames.
        lead: Silent samples before the first.
        tail: Silent samples after the last.

    Returns:
        complex ``[lead + B·T + (B−1)·gap + tail]``.

    Example:
        >>> burst(torch.ones(2, 2) + 0j, gap=1, lead=1).real
        tensor([0., 1., 1., 0., 1., 1.])
    """
    spaced = torch.nn.functional.pad(frames, (0, gap)).flatten()
    return torch.nn.functional.pad(spaced[: len(spaced) - gap], (lead, tail))


def preamble(frame: FrameFormat) -> Tensor:
    """Return the samples of the preamble, prefix included, complex64 ``[preamble_length]``."""
    size = frame.preamble * frame.subcarriers
    half = _in_time(frame, frame.sequence()[None], size)[0]
    # Used frequencies of the preamble and of blocks are nearly the same share of the band; the
    # exact level is that of the setting.
    half = half * (frame.level / half.abs().square().mean().sqrt())
    whole = torch.cat([half, half])
    return torch.cat([whole[len(whole) - frame.prefix * frame.oversampling :], whole])


def flip(frame: FrameFormat, symbols: Tensor) -> Tensor:
    """Flip signs of real and imaginary parts by the format's sequence; its own inverse."""
    signs = frame.flips(symbols.shape[-1])
    return torch.complex(symbols.real * signs.real, symbols.imag * signs.imag)


def _filler(batch: int, count: int) -> Tensor:
    return torch.full((batch, count), 0.5**0.5 * (1 + 1j), dtype=torch.complex64)


def blocks(frame: FrameFormat, symbols: Tensor, first: int) -> Tensor:
    """Put pilots beside data: complex ``[B, S, symbols of a block]``."""
    data = symbols.unflatten(1, (-1, frame.data_per_block))
    count = data.shape[1]
    known = frame.known_blocks(count)
    size = frame.subcarriers if frame.single else len(frame.used)
    out = data.new_zeros(len(data), len(known), size)
    if frame.single:
        out[:, ~known] = data
        out[:, known] = frame.pilots(int(known.sum()))
    else:
        mask = frame.pilot_mask
        out[..., ~mask] = data
        out[..., mask] = frame.pilots(count, first)
    return out


def _with_prefix(frame: FrameFormat, blocks: Tensor) -> Tensor:
    """Return blocks in time at the format's level, complex ``[B, S, block_length]``."""
    if frame.single:
        spectrum = torch.fft.fft(blocks, norm="ortho")[..., frame.used % frame.subcarriers]
    else:
        spectrum = blocks
    time = _in_time(frame, spectrum, frame.subcarriers) * amplitude(frame)
    prefix = frame.prefix * frame.oversampling
    return torch.cat([time[..., time.shape[-1] - prefix :], time], -1)


def amplitude(frame: FrameFormat) -> float:
    """Return the factor from the unitary transform of symbols of unit power to samples."""
    return frame.level / frame.occupied**0.5


def _in_time(frame: FrameFormat, spectrum: Tensor, size: int) -> Tensor:
    """Return blocks of ``size`` chips from their used frequencies, unitary."""
    grid = spectrum.new_zeros(*spectrum.shape[:-1], size * frame.oversampling)
    grid[..., frame.bins(size) % grid.shape[-1]] = spectrum * frame.weights(size)
    return torch.fft.ifft(grid, norm="ortho")
