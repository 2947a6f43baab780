"""How pages write numbers, and how jobs are named."""

from __future__ import annotations

import pytest

from semveil.papers.jobs import filled, nested
from semveil.papers.words import FORMATS, level, named
from semveil.records import Estimate


@pytest.mark.parametrize(
    ("show", "number", "words"),
    [
        ("percent", (0.5, 0.49, 0.512, 9), "50.0 (49.0–51.2)"),
        ("percent", (0.5, 0.5, 0.5, 9), "50.0"),
        ("points", (0.1, -0.05, 0.2, 9), "+10.0 (−5.0 to +20.0)"),
        ("dB", (-2.5, -3.0, -2.0, 9), "−2.50 (−3.00 to −2.00) dB"),
        ("significant", (1632.0, 943.2, 2000.0, 4), "1,630 (943 to 2,000)"),
        ("spread", (0.5, 0.48, 0.52, 3), "50.0 ± 2.0"),
        ("milliseconds", (0.002, 0.001, 0.003, 3), "2.00 (1.00 to 3.00) ms"),
    ],
)
def test_numbers_are_written_with_their_intervals(show, number, words):
    assert FORMATS[show](Estimate(*number)) == words


def test_a_number_without_an_interval_has_no_brackets():
    assert level(1)(Estimate(1234.5, 1234.5, 1234.5, 1)) == "1,234.5"


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("adversary", None, "No attack"),
        ("psr_db", -10.0, "−10"),
        ("system", "ibal+rotation", "`ibal+rotation`"),
        ("params.exported", True, "yes"),
        ("target", float("nan"), "–"),
    ],
)
def test_fields_are_named(field, value, words):
    assert named(field, value) == words


def test_a_text_that_is_one_variable_has_its_type():
    assert filled(["{weight}", "w-{weight:g}"], {"weight": 0.3}) == [0.3, "w-0.3"]


def test_dotted_keys_are_sections():
    settings = {"link.latent_dim": 8, "link.width": 4, "scheme": "dp"}
    assert nested(settings) == {"link": {"latent_dim": 8, "width": 4}, "scheme": "dp"}
