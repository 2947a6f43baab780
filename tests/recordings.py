"""What the tests of recordings send: pictures of the documentation, links of the package."""

from pathlib import Path

DIGITS = Path(__file__).parents[1] / "docs" / "assets" / "digits"
IMAGES = "digits/deepjscc-image"
ROTATION = "digits/rotation"
