"""Metrics by name, each with its unit, direction, floor and 95 % confidence interval."""

from semveil.metrics.accuracy import balanced_accuracy, integrity, rates
from semveil.metrics.base import (
    IMAGE_METRICS,
    MAIN,
    METRICS,
    ImageMetric,
    Metric,
    Rate,
    image_metrics,
    metric_of,
)
from semveil.metrics.intervals import bootstrap_mean, bootstrap_quantile, median_of, wilson
from semveil.metrics.psnr import psnr_db
from semveil.metrics.structural_similarity import ssim
from semveil.records import Estimate

__all__ = [
    "IMAGE_METRICS",
    "MAIN",
    "METRICS",
    "Estimate",
    "ImageMetric",
    "Metric",
    "Rate",
    "balanced_accuracy",
    "bootstrap_mean",
    "bootstrap_quantile",
    "image_metrics",
    "integrity",
    "median_of",
    "metric_of",
    "psnr_db",
    "rates",
    "ssim",
    "wilson",
]
