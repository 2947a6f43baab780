"""What the demonstration computes for one picture, without its page."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from PIL import Image

import semveil
from semveil.demo.eves import Background, Eves, eves_of
from semveil.demo.panels import message
from semveil.demo.scene import LADDER_DB, Controls, look
from semveil.demo.studio import Studio
from semveil.errors import SemveilError

CLEAR = Controls(snr_db=30.0)
DIGITS = Path(__file__).parents[2] / "docs" / "assets" / "digits"


@pytest.fixture(scope="module")
def studio() -> Studio:
    names = ["digits/multitask", "digits/rotation", "digits/shuffle", "digits/deepjscc-image"]
    return Studio(names, lambda name: semveil.load(name, device="cpu"), Background(none))


def none(link: object, progress: object) -> Eves:
    raise SemveilError("No Eve here.")


def right(studio: Studio, name: str, controls: Controls) -> int:
    """Return how many of the ten examples Bob names."""
    link, found = studio.link(name), 0
    for number, (title, picture) in enumerate(studio.examples(name).items()):
        bob = look(link, picture, replace(controls, draw=number)).bob
        found += bob.answers == [title]
    return found


def test_the_same_controls_show_the_same(studio: Studio) -> None:
    link, picture = studio.link("digits/shuffle"), studio.examples("digits/shuffle")["3"]
    one, other = (look(link, picture, Controls(draw=draw)) for draw in (5, 5))
    assert np.array_equal(one.symbols, other.symbols)
    assert one.bob.probabilities == other.bob.probabilities
    # Another message has other symbols, of the same power.
    again = look(link, picture, Controls(draw=6)).symbols
    assert not np.array_equal(one.symbols, again)
    for symbols in (one.symbols, again):
        assert np.mean(np.abs(symbols) ** 2) == pytest.approx(1, abs=1e-4)


def test_mallory_changes_nothing_but_what_she_adds(studio: Studio) -> None:
    link, picture = studio.link("digits/multitask"), studio.examples("digits/multitask")["4"]
    weak, strong = (look(link, picture, Controls(psr_db=psr_db)) for psr_db in (-30.0, 10.0))
    assert weak.bob.probabilities == strong.bob.probabilities
    for one, other in zip(weak.attacked, strong.attacked, strict=True):
        assert one.least_psr_db == other.least_psr_db
        assert not np.array_equal(one.bob.images, other.bob.images)


def test_attacks_are_stronger_than_noise_of_their_energy(studio: Studio) -> None:
    link, least = studio.link("digits/multitask"), {}
    for number, picture in enumerate(studio.examples("digits/multitask").values()):
        for one in look(link, picture, Controls(snr_db=20.0, draw=number)).attacked:
            level = LADDER_DB[-1] + 4 if one.least_psr_db is None else one.least_psr_db
            least.setdefault(one.attack, []).append(level)
    means = {attack: np.mean(levels) for attack, levels in least.items()}
    assert means["pgd"] <= means["fgm"] < means["jamming"] - 3


def test_bob_with_a_wrong_key_guesses(studio: Studio) -> None:
    assert right(studio, "digits/rotation", CLEAR) >= 9
    assert right(studio, "digits/rotation", replace(CLEAR, key=b"k" * 32)) >= 9
    assert right(studio, "digits/rotation", replace(CLEAR, wrong_key=True)) <= 5


def test_a_link_that_only_rebuilds_has_pictures_under_attack(studio: Studio) -> None:
    link = studio.link("digits/deepjscc-image")
    seen = look(link, studio.examples("digits/deepjscc-image")["7"], Controls(psr_db=0.0))
    assert seen.bob.answers is None
    errors = {one.attack: one.bob.psnr_db for one in seen.attacked}
    assert errors["pgd"] < errors["jamming"] < seen.bob.psnr_db


@pytest.mark.parametrize("name", ["digits/multitask", "digits/rotation"])
def test_a_control_is_answered_within_300_ms(studio: Studio, name: str) -> None:
    picture, taken = studio.examples(name)["0"], []
    for snr_db in range(6):
        begun = time.process_time()
        studio.show(name, picture, Controls(snr_db=float(snr_db), attack="pgd"))
        taken.append(time.process_time() - begun)
    assert median(taken) < 0.3


def test_who_is_trained_in_the_background_ends_with_the_page(studio: Studio) -> None:
    link, begun = studio.link("digits/rotation"), threading.Event()

    def endless(link: object, progress: Callable[[int, int], None]) -> Eves:
        while True:
            begun.set()
            progress(0, 1)
            time.sleep(0.001)

    background = Background(endless)
    assert background.get("first", link) is None
    assert background.get("second", link) is None
    assert begun.wait(60)
    before = threading.active_count()
    background.close()
    assert threading.active_count() == before - 2
    assert background.get("first", link) is None


@pytest.mark.slow
def test_eve_reads_what_no_key_hides(studio: Studio) -> None:
    found = {}
    for name in ("digits/multitask", "digits/rotation"):
        link, eves = studio.link(name), eves_of(studio.link(name))
        seen = [
            (title, look(link, picture, replace(CLEAR, draw=number), eves))
            for number, (title, picture) in enumerate(studio.examples(name).items())
        ]
        found[name] = sum(each.eve_label.answers == [title] for title, each in seen)
        assert all(each.eve_image.psnr_db[0] > 5 for _, each in seen)
    assert found["digits/multitask"] >= 8
    assert found["digits/rotation"] <= 5


def test_a_digit_that_was_uploaded_is_read(studio: Studio) -> None:
    name = "digits/multitask"
    read = 0
    for number, digit in enumerate("98352"):
        picture = studio.uploaded(name, DIGITS / f"{number}.png")
        answers = look(studio.link(name), picture, replace(CLEAR, draw=number)).bob.answers
        read += answers == [digit]
    assert read >= 4
    dark = studio.uploaded(name, DIGITS / "0.png", invert=True)
    assert np.array_equal(dark, 255 - studio.uploaded(name, DIGITS / "0.png"))


def scripted(path: Path) -> Path:
    path.write_text('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    return path


def huge(path: Path) -> Path:
    Image.new("1", (10_000, 10_000)).save(path)
    return path


def none_at_all(path: Path) -> Path:
    path.write_text("no picture")
    return path


@pytest.mark.parametrize(
    ("make", "name", "said"),
    [
        (scripted, "a.svg", "a.svg is not a readable image"),
        (huge, "b.png", "10000×10000 pixels are more than"),
        (none_at_all, "c.png", "c.png is not a readable image"),
    ],
)
def test_what_is_no_picture_is_refused(studio: Studio, tmp_path: Path, make, name, said) -> None:
    file = make(tmp_path / name)
    with pytest.raises(SemveilError, match=said) as refused:
        studio.uploaded("digits/multitask", file)
    assert str(tmp_path) not in str(refused.value)


def test_messages_are_text() -> None:
    assert "<script>" not in message("<script>alert(1)</script>.png is not a readable image")
    assert message("") == ""
