"""Colours under colour blindness: a scheme against its control, its reference and other schemes."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from semveil.records import Record
from semveil.report import figures
from semveil.report.looks import CYCLE
from semveil.report.select import frame
from semveil.schemes import SCHEMES

# What is seen of linear sRGB by those who lack one kind of cones: Machado, Oliveira and Fernandes,
# IEEE TVCG 15(6), 2009, severity 1.
VISION = {
    "trichromacy": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
LIGHT, DARK = "#ffffff", "#14171b"
# ΔE of CIELAB (1976); about 2.3 is just noticeable between two patches side by side.
CLEAR = 15.0


def cielab(colour: str, vision: str) -> NDArray[np.float64]:
    value = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    seen = (VISION[vision] @ linear).clip(0, 1)
    white = XYZ.sum(axis=1)
    share = XYZ @ seen / white
    dark = share * (29 / 6) ** 2 / 3 + 4 / 29
    x, y, z = np.where(share > (6 / 29) ** 3, np.cbrt(share), dark)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def distance(one: str, other: str, vision: str) -> float:
    return float(np.linalg.norm(cielab(one, vision) - cielab(other, vision)))


def test_the_distance_is_that_of_cielab() -> None:
    assert distance("#000000", "#ffffff", "trichromacy") == pytest.approx(100, abs=0.1)
    # Red and green are the same to nobody with all cones, and close to a deuteranope.
    assert distance("#b35900", "#669900", "trichromacy") > 2 * distance(
        "#b35900", "#669900", "deuteranopia"
    )


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("scheme", ["multitask", "cooperative", "minmax-cooperative", "mine", "x"])
def test_a_control_differs_from_its_scheme(quick: list[Record], scheme: str, vision: str) -> None:
    own = replace(quick[0], scheme=scheme)
    colours = figures.palette(frame([own, replace(own, control="noise")]))
    plain, control = (colours[name] for name in (scheme, f"{scheme}/noise"))
    assert distance(plain, control, vision) > CLEAR
    for paper in (LIGHT, DARK):
        assert distance(control, paper, vision) > CLEAR


def test_a_control_has_a_shape_of_its_own(quick: list[Record]) -> None:
    dimensions = [replace(each, latent_dim=d) for d in (16, 32) for each in quick]
    legend = figures.against_dimension(frame(dimensions)).legends[0]
    shapes = {
        text.get_text(): line.get_marker()
        for text, line in zip(legend.get_texts(), legend.get_lines(), strict=True)
    }
    assert shapes["cooperative, control: noise"] == "s" != shapes["cooperative"]


@pytest.mark.parametrize("vision", VISION)
def test_colours_in_turn_differ(vision: str) -> None:
    assert min(distance(*pair, vision) for pair in combinations(CYCLE, 2)) > CLEAR


@pytest.mark.parametrize("vision", VISION)
def test_a_scheme_differs_from_its_reference(quick: list[Record], vision: str) -> None:
    pairs = [(each.name, each.reference) for _, each in SCHEMES.items()]
    pairs = [(name, reference) for name, reference in pairs if name != reference]
    assert len(pairs) > 5
    for names in pairs:
        colours = figures.palette(frame([replace(quick[0], scheme=name) for name in names]))
        assert distance(*(colours[name] for name in names), vision) > CLEAR, names
