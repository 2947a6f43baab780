"""A metric of images: the mean absolute error, in grey levels."""

from semveil.metrics import METRICS, ImageMetric


@METRICS.register
class MeanAbsoluteError(ImageMetric):
    """Mean absolute error of the pixels."""

    name = "mae"
    title = "mean absolute error"
    source = "example of the documentation"
    unit = "grey levels"
    scale = 255.0
    decimals = 1
    higher_is_better = False
    bounds = (0.0, 1.0)

    def per_image(self, images, originals):
        """Return one number per image, float ``[B]``."""
        return (images.clamp(0, 1) - originals).abs().flatten(1).mean(1)
