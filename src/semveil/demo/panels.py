"""What the page shows of one sending, as HTML: pictures, symbols, answers and how to read them."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from semveil.demo.scene import Controls, Seen
from semveil.experiment.link import Link

_TITLES = {"jamming": "Jamming", "fgm": "FGM", "pgd": "PGD"}
_MOST_SYMBOLS = 512
# What part of the plot the circle of unit power has as its radius.
_RADIUS = 0.45


def panels(link: Link, seen: Seen, controls: Controls, waiting: bool, note: str) -> str:
    """Return the panels of one sending as HTML.

    Args:
        link: The link.
        seen: From :func:`semveil.demo.scene.look`.
        controls: What was chosen.
        waiting: Whether the eavesdroppers are still being trained.
        note: Where the eavesdroppers come from, or why there are none.
    """
    shown = next((each for each in seen.attacked if each.attack == controls.attack), None)
    return _template().render(
        asymmetry=link.asymmetry,
        controls=controls,
        db=decibel,
        keyed=link.keyed,
        note=note,
        picture=picture,
        plot=plot(seen.symbols),
        seen=seen,
        shown=shown,
        summary=summary(seen, controls),
        titles=_TITLES,
        uses=len(seen.symbols),
        waiting=waiting,
    )


def message(text: str) -> str:
    """Return what went wrong as HTML that screen readers announce; nothing for no text."""
    return str(Markup('<p class="sv-alert" role="alert">{}</p>').format(text)) if text else ""


def summary(seen: Seen, controls: Controls) -> str:
    """Return what happened, one sentence per party."""
    found = []
    if seen.bob.answers:
        found.append(f"Bob answers {_answer(seen.bob)}.")
    elif seen.bob.psnr_db:
        found.append(f"Bob’s picture has a PSNR of {seen.bob.psnr_db[0]:.1f} dB.")
    if seen.eve_label and seen.eve_label.answers:
        found.append(f"Eve infers {_answer(seen.eve_label)}.")
    flipping = [_TITLES[each.attack] for each in seen.attacked if each.flips]
    if seen.bob.answers:
        what = " and ".join(flipping) if flipping else "No attack"
        verb = "change" if len(flipping) > 1 else "changes"
        found.append(f"{what} {verb} Bob’s answer at a PSR of {decibel(controls.psr_db)} dB.")
    return " ".join(found)


def decibel(value: float) -> str:
    """Return a number of decibels as it is printed.

    Example:
        >>> decibel(-10.0)
        '−10'
    """
    return f"{value:g}".replace("-", "−")


def _answer(party: Any) -> str:
    return f"{party.answers[0]} ({party.probabilities[0]:.0%})"


def picture(pixels: NDArray[np.uint8], text: str) -> Markup:
    """Return an image as HTML.

    Args:
        pixels: uint8 ``[C, H, W]``.
        text: What it shows, for those who do not see it.

    Example:
        >>> str(picture(np.zeros((1, 2, 2), np.uint8), "Bob’s picture"))[:52]
        '<img class="sv-picture" alt="Bob’s picture" src="dat'
    """
    plain = pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(plain)).save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    return Markup('<img class="sv-picture" alt="{}" src="data:image/png;base64,{}">').format(
        text, data
    )


def plot(symbols: NDArray[np.complex64]) -> Markup:
    """Return complex symbols ``[k]`` as an SVG drawing; the circle has the radius of unit power."""
    some = symbols[:_MOST_SYMBOLS]
    # Points further out are drawn at the edge.
    places = np.clip(np.stack([some.real, -some.imag], 1) * _RADIUS, -0.98, 0.98) * 100
    dots = Markup("").join(
        Markup('<circle cx="{:.1f}" cy="{:.1f}" r="3"/>').format(x, y) for x, y in places
    )
    return Markup(
        '<svg class="sv-plot" role="img" aria-label="{} complex symbols in the plane" '
        'viewBox="-100 -100 200 200"><path class="sv-axes" d="M-100 0H100M0-100V100"/>'
        '<circle class="sv-unit" r="{}"/>{}</svg>'
    ).format(len(some), 100 * _RADIUS, dots)


def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("semveil.demo"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("panels.html.j2")
