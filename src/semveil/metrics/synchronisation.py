"""What receivers of frames lose of the signal-to-noise ratio."""

from __future__ import annotations

from semveil.metrics.base import METRICS, Metric


@METRICS.register
class SnrLoss(Metric):
    """SNR lost against the same receiver that knows start, offsets and channel."""

    name = "snr_loss_db"
    title = "SNR lost to synchronisation"
    unit = "dB"
    decimals = 2
    higher_is_better = False


@METRICS.register
class EqualiserLoss(Metric):
    """SNR that an equaliser which knows the channel loses of received energy over noise."""

    name = "equaliser_loss_db"
    title = "SNR lost in the equaliser"
    unit = "dB"
    decimals = 2
    higher_is_better = False
