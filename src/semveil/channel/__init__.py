"""Channels from the transmitted waveform to a receiver: fading, noise, channel estimation.

Bob and Eve each have a channel instance, so their fading, noise and CSI are independent.
"""

from semveil.channel.flat import Arrival, Channel, Csi, Fading, Reception
from semveil.channel.multicarrier import OfdmChannel
from semveil.recipe import ChannelConfig

__all__ = ["Arrival", "Channel", "Csi", "Fading", "OfdmChannel", "Reception", "channel_of"]


def channel_of(settings: ChannelConfig) -> Channel:
    """Return the channel that a recipe describes.

    Example:
        >>> channel_of(ChannelConfig(fading="awgn")).name
        'awgn/perfect'
        >>> channel_of(ChannelConfig(fading="multipath", csi="estimated")).name
        'multipath/lmmse'
    """
    if settings.fading != "multipath":
        return Channel(settings.fading, settings.csi, settings.pilots, settings.k_factor_db)
    ofdm = settings.ofdm
    return OfdmChannel(
        csi=settings.csi,
        subcarriers=ofdm.subcarriers,
        prefix=ofdm.prefix,
        pilot_symbols=ofdm.pilot_symbols,
        taps=ofdm.taps,
        decay=ofdm.decay,
        estimator=ofdm.estimator,
        clip_ratio=ofdm.clip_ratio,
    )
