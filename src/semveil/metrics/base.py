"""What a metric is: its name, unit, direction, bounds, floor and format; and all metrics by name.

Nothing here imports torch, so that reports know metrics without it. A metric's file imports torch
inside the functions that compute it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from semveil.errors import SemveilError
from semveil.metrics.intervals import Estimate, bootstrap_mean, bootstrap_quantile
from semveil.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor


class Metric:
    """A metric as records, tables and figures know it.

    Attributes:
        name: Name in records.
        title: What tables and figures call it.
        description: One line; the docstring's first, or else the title, if it is not set.
        source: Where it is defined.
        unit: Unit as it is shown; empty for a pure number.
        scale: Shown value over recorded value: 100 for a share that is shown in percent.
        decimals: Digits behind the point where it is shown.
        target: What it rates: ``label`` or ``image``.
        higher_is_better: Whether the party whose figure it is gets more from a higher value.
        bounds: Least and greatest possible value.
        axis: Ends of the axis that it is drawn on; those of the data if None.
        floors: Metrics of role ``system`` that hold what a party without the waveform reaches, the
            preferred first.
        ceilings: Metrics that hold its largest possible value on the same data.
        tails: Quantiles over the images that are recorded beside it, such as 0.05 as ``NAME_p5``.
        floor_value: The floor, where it is a constant.
        floor_title: What tables and figures call the floor.

    Example:
        >>> accuracy = metric_of("accuracy")
        >>> accuracy.label, accuracy.format(0.957), accuracy.floors
        ('accuracy (%)', '95.7', ('chance',))
    """

    name: str
    title: str
    description: str = ""
    source: str = ""
    unit: str = ""
    scale: float = 1.0
    decimals: int = 3
    target: str = "image"
    higher_is_better: bool = True
    bounds: tuple[float, float] = (-math.inf, math.inf)
    axis: tuple[float, float] | None = None
    floors: tuple[str, ...] = ()
    ceilings: tuple[str, ...] = ()
    tails: tuple[float, ...] = ()
    floor_value: float | None = None
    floor_title: str = "floor"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "description" not in vars(cls):
            lines = str(cls.__doc__ or getattr(cls, "title", "")).splitlines()
            cls.description = lines[0].rstrip(".") if lines else ""

    @property
    def label(self) -> str:
        """Title and unit, as axes and columns say it."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    def format(self, value: float) -> str:
        """Return a value in the metric's unit, with a true minus sign."""
        return f"{self.scale * value:.{self.decimals}f}".replace("-", "−")

    @classmethod
    def tail_names(cls) -> dict[str, float]:
        """The names under which its tails are recorded, with their quantiles.

        Example:
            >>> metric_of("psnr_db").tail_names()
            {'psnr_db_p5': 0.05, 'psnr_db_p95': 0.95}
        """
        return {f"{cls.name}_p{round(100 * q)}": q for q in cls.tails}


class Rate(Metric):
    """A share of successes: shown in percent, with Wilson's interval."""

    unit = "%"
    scale = 100.0
    decimals = 1
    target = "label"
    floor_title = "chance"
    bounds = axis = (0.0, 1.0)


class ImageMetric(Metric):
    """A metric that compares each image with its original.

    A subclass defines :meth:`per_image`; see ``docs/metrics.md``.

    Attributes:
        sample: Images of an audit that are compared, the first ones; all if None.
    """

    sample: int | None = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "floors" not in vars(cls) and "name" in vars(cls):
            cls.floors = (f"{cls.name}_floor",)

    def per_image(self, images: Tensor, originals: Tensor) -> Tensor:
        """Return the metric of every image.

        Args:
            images: Reconstructions, float ``[B, C, H, W]``.
            originals: Originals, float ``[B, C, H, W]`` in [0, 1].

        Returns:
            One number per image, float ``[B]``.
        """
        raise NotImplementedError

    def __call__(self, images: Tensor, originals: Tensor) -> Tensor:
        """Return the metric of every image, checked: see :meth:`per_image`.

        Raises:
            SemveilError: If the metric returns anything but one number per image.
        """
        values = self.per_image(images, originals)
        if tuple(values.shape) != (len(images),):
            raise SemveilError(
                f"metric {self.name}: per_image returned shape {list(values.shape)} for "
                f"{len(images)} images; return one number per image, float [B]"
            )
        return values

    def estimates(self, values: Tensor, seed: int) -> dict[str, Estimate]:
        """Return what is recorded of the images' values: the mean, and each tail's quantile."""
        found = {self.name: bootstrap_mean(values, seed)}
        tails = self.tail_names().items()
        return found | {name: bootstrap_quantile(values, q) for name, q in tails}


METRICS: Registry[Metric] = Registry("metric", "semveil.metrics")
"""Metrics by their names in records."""


def metric_of(name: str) -> Metric:
    """Return the metric that a name in records belongs to.

    A metric's floors, ceilings and tails, such as ``psnr_db_p5``, have its unit and format. A name
    that no registered metric states is a plain number.

    Example:
        >>> metric_of("psnr_db_p5").unit, metric_of("latency_s").title
        ('dB', 'latency s')
    """
    if name in METRICS:
        return METRICS.get(name)()
    for _, kind in METRICS.items():
        if name in (*kind.floors, *kind.ceilings, *kind.tail_names()):
            return kind()
    plain = Metric()
    plain.name, plain.title = name, name.replace("_", " ")
    return plain


MAIN: dict[str, str] = {"label": "accuracy", "image": "psnr_db"}
"""The metric that says how well a target is recovered, where one is to say it."""

IMAGE_METRICS = ("psnr_db", "ssim")
"""Metrics that are measured of all reconstructions."""


def image_metrics(further: Iterable[str] = (), key: str = "metrics") -> list[ImageMetric]:
    """Return PSNR and SSIM, and further metrics of images by name.

    Args:
        further: Names of further metrics.
        key: The setting that names them, for errors.

    Raises:
        SemveilError: If one is unknown, or is not computed image by image.

    Example:
        >>> [metric.name for metric in image_metrics()]
        ['psnr_db', 'ssim']
    """
    found = []
    for name in dict.fromkeys((*IMAGE_METRICS, *further)):
        metric = METRICS.get(name, key)()
        if not isinstance(metric, ImageMetric):
            able = [each for each, kind in METRICS.items() if issubclass(kind, ImageMetric)]
            raise SemveilError(
                f"{key}: {name} is not computed image by image; choose among {', '.join(able)}"
            )
        found.append(metric)
    return found
