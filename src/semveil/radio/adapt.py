"""A reception from the air in the form of the channel that a receiver was trained on."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from semveil import phy
from semveil.channel import Channel, OfdmChannel, Reception
from semveil.errors import SemveilError
from semveil.phy.broadcast import per_image, squared_magnitude


def like(reception: Reception, channel: Channel) -> Reception:
    """Return a reception as a channel would give it, so that trained networks take it.

    For flat fading, symbols are equalised (MMSE) and have one channel coefficient and one noise
    variance; for OFDM, every symbol has its coefficient, and there are the channel's pilots.

    Args:
        reception: Of a :class:`~semveil.radio.ReceivedFrame`.
        channel: What the receiver was trained on.

    Raises:
        SemveilError: If the channel is OFDM and the reception is that of a single carrier.

    Example:
        >>> h = torch.tensor([[2, 2, 0.5, 0.5]]) + 0j
        >>> heard = like(Reception(h, h, torch.tensor(0.1)), Channel())
        >>> heard.symbols.shape, heard.csi.shape
        (torch.Size([1, 4]), torch.Size([1, 1]))
    """
    if not isinstance(channel, OfdmChannel):
        return _flat(reception)
    if reception.pilots is None:
        raise SemveilError("receive: the link was trained on OFDM; receive frames of OFDM")
    response = reception.pilots[:, 0] / phy.zadoff_chu(reception.pilots.shape[-1])
    size = channel.subcarriers
    if size != response.shape[1]:
        response = _resized(response, size)
    pilots = (response * phy.zadoff_chu(size))[:, None].expand(-1, channel.pilot_symbols, -1)
    csi = reception.csi.expand_as(reception.symbols)
    return replace(reception, csi=csi, pilots=pilots)


def _flat(reception: Reception) -> Reception:
    if reception.csi.shape[1] == 1:
        return replace(reception, pilots=None)
    gain = squared_magnitude(reception.csi)
    noise = per_image(reception.noise_variance, gain, "noise_variance")
    # The MMSE estimate is β·z with noise of variance β(1 − β), on average over the symbols.
    beta = (gain / (gain + noise)).mean(1, keepdim=True).clamp(1e-9, 1 - 1e-9)
    symbols = phy.mmse(reception.symbols, reception.csi, reception.noise_variance) / beta
    variance = ((1 - beta) / beta).squeeze(1)
    return Reception(symbols, torch.ones_like(reception.csi[:, :1]), variance)


def _resized(response: Tensor, size: int) -> Tensor:
    """Return a response on another number of subcarriers of the same band, with the same taps."""
    taps = torch.fft.ifft(response)
    least = min(size, response.shape[1])
    return phy.frequency_response(taps[:, :least], size)
