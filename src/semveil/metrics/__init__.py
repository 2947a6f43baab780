"""Task and image metrics, each with a 95 % confidence interval."""

from semveil.metrics.balanced import balanced_accuracy
from semveil.metrics.images import psnr_db, ssim
from semveil.metrics.intervals import Estimate, bootstrap_mean, bootstrap_quantile, wilson

__all__ = [
    "Estimate",
    "balanced_accuracy",
    "bootstrap_mean",
    "bootstrap_quantile",
    "psnr_db",
    "ssim",
    "wilson",
]
