"""Folders of images with one subfolder per class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semveil.data import load
from semveil.data.folder import read
from semveil.errors import SemveilError


def fill(folder: Path, count: int, mode: str = "RGB", size: tuple[int, int] = (12, 12)) -> None:
    folder.mkdir(parents=True)
    random = np.random.default_rng(list(str(folder).encode()))
    for number in range(count):
        shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], 3)
        pixels = random.integers(0, 256, shape, dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03}.png")


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    for name in ("fox", "cat", "owl"):
        fill(tmp_path / "animals" / name, 10)
    return tmp_path / "animals"


@pytest.fixture
def official(tmp_path: Path) -> Path:
    for name in ("fox", "cat"):
        fill(tmp_path / "set" / "train" / name, 10)
        fill(tmp_path / "set" / "val" / name, 4)
    return tmp_path / "set"


def test_classes_are_the_subfolders_in_order(plain: Path) -> None:
    (plain / ".cache").mkdir()
    (plain / "cat" / "notes.txt").write_text("not an image")
    (plain / "cat" / ".hidden.png").write_text("not an image")
    source = read(plain, 12)
    assert source.name == "animals"
    assert source.classes == ("cat", "fox", "owl")
    assert source.test is None
    assert source.train.x.shape == (30, 3, 12, 12)
    assert source.train.y.tolist() == [0, 1, 2] * 10


def test_pixels_of_an_image_that_fits_are_kept(plain: Path) -> None:
    train = read(plain, 12).train
    with Image.open(plain / "fox" / "001.png") as image:
        assert np.array_equal(train.x[4], np.asarray(image).transpose(2, 0, 1))


def test_held_out_test_set(plain: Path) -> None:
    parts = load(str(plain), image_size=8)
    assert parts.name == "animals"
    assert parts.image_shape == (3, 8, 8)
    assert np.bincount(parts.test.y).tolist() == [2, 2, 2]
    assert len(parts.system) + len(parts.adversary) + len(parts.validation) == 24
    again = load(f"folder:{plain}", image_size=8)
    assert np.array_equal(parts.system.x, again.system.x)


def test_official_test_set(official: Path) -> None:
    parts = load(f"folder:{official}", image_size=8)
    assert len(parts.test) == 8
    assert len(parts.system) + len(parts.adversary) + len(parts.validation) == 20
    fill(official / "test" / "cat", 1)
    fill(official / "test" / "fox", 1)
    assert len(load(f"folder:{official}", image_size=8).test) == 2


def test_official_parts_need_the_same_classes(official: Path) -> None:
    fill(official / "val" / "owl", 1)
    with pytest.raises(SemveilError, match=r"class 'owl' is not in both train/ and val/"):
        read(official, 8)


def test_central_square_is_kept(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        pixels = np.zeros((10, 30, 3), np.uint8)
        pixels[:, 10:20] = 200
        Image.fromarray(pixels).save(tmp_path / name / "wide.png")
        Image.fromarray(pixels.transpose(1, 0, 2)).save(tmp_path / name / "high.png")
    assert np.all(read(tmp_path, 10).train.x == 200)


def test_image_is_turned_upright(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        pixels = np.zeros((8, 8, 3), np.uint8)
        pixels[:4] = 255
        exif = Image.Exif()
        exif[0x0112] = 3  # upside down
        Image.fromarray(pixels).save(tmp_path / name / "1.png", exif=exif)
    x = read(tmp_path, 8).train.x
    assert np.all(x[:, :, 4:] == 255)
    assert np.all(x[:, :, :4] == 0)


def test_shrinking_averages(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        checks = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
        Image.fromarray(checks).save(tmp_path / name / "1.png")
    assert np.all(np.abs(read(tmp_path, 8).train.x.astype(int) - 127) <= 2)


def test_all_grey_gives_one_channel_and_one_colour_gives_three(tmp_path: Path) -> None:
    fill(tmp_path / "a", 2, "L")
    fill(tmp_path / "b", 2, "L")
    grey = read(tmp_path, 12)
    assert grey.train.x.shape == (4, 1, 12, 12)
    with Image.open(tmp_path / "a" / "000.png") as image:
        assert np.array_equal(grey.train.x[0, 0], np.asarray(image))
    Image.new("RGB", (5, 5), "red").save(tmp_path / "b" / "9.jpg")
    assert read(tmp_path, 12).train.x.shape == (5, 3, 12, 12)


def test_other_pixel_formats(tmp_path: Path) -> None:
    for number, mode in enumerate(("1", "LA", "P", "RGBA", "CMYK")):
        (tmp_path / mode).mkdir()
        suffix = "jpg" if mode == "CMYK" else "png"
        Image.new("RGB", (6, 6), (200, 200, 200)).convert(mode).save(
            tmp_path / mode / f"{number}.{suffix}"
        )
    assert read(tmp_path, 6).train.x.shape == (5, 3, 6, 6)
    fill(tmp_path / "b", 1)
    Image.fromarray(np.full((6, 6), 40000, np.uint16)).save(tmp_path / "b" / "deep.png")
    with pytest.raises(SemveilError, match=r"deep.png: pixel format I;16"):
        read(tmp_path, 6)


def test_damaged_images_are_named(plain: Path) -> None:
    file = plain / "owl" / "003.png"
    sound = file.read_bytes()
    for content in (b"", b"<html>", sound[:60], sound[: len(sound) // 2], b"%!PS-Adobe-3.0 EPSF"):
        file.write_bytes(content)
        with pytest.raises(SemveilError, match=r"003.png is not a readable image") as error:
            read(plain, 8)
        assert "\n" not in str(error.value)


def test_folders_without_the_form_are_refused(plain: Path, tmp_path: Path) -> None:
    with pytest.raises(SemveilError, match="no image folder"):
        load(str(tmp_path / "none"), image_size=8)
    with pytest.raises(SemveilError, match="one subfolder per class, has 0"):
        read(plain / "cat", 8)
    with pytest.raises(SemveilError, match="one subfolder per class, has 1"):
        read(tmp_path, 8)
    with pytest.raises(SemveilError, match=r"data\.image_size: required"):
        load(str(plain))
    with pytest.raises(SemveilError, match="image size 0 is not positive"):
        load(str(plain), image_size=0)
    (plain / "empty").mkdir()
    with pytest.raises(SemveilError, match="empty: no images"):
        read(plain, 8)
