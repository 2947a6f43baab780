"""Task and image metrics, each with a 95 % confidence interval."""

from semveil.metrics.images import psnr_db, ssim
from semveil.metrics.intervals import Estimate, bootstrap_mean, bootstrap_quantile, wilson

__all__ = ["Estimate", "bootstrap_mean", "bootstrap_quantile", "psnr_db", "ssim", "wilson"]
