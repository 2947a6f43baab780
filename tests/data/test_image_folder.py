"""Folders of images with one subfolder per class."""

from __future__ import annotations

import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semveil.data import load
from semveil.data.folder import read
from semveil.errors import SemveilError, SemveilWarning


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


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        ("L", "png"),
        ("P", "png"),
        ("RGB", "png"),
        ("RGBA", "png"),
        ("L", "jpg"),
        ("RGB", "jpg"),
        ("RGB", "webp"),
        ("RGB", "bmp"),
    ],
)
def test_pixels_decide_what_is_grey_not_how_they_are_stored(
    tmp_path: Path, mode: str, suffix: str
) -> None:
    ramp = np.tile(np.arange(0, 240, 20, dtype=np.uint8), (12, 1))
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        options = {"lossless": True} if suffix == "webp" else {}
        Image.fromarray(ramp).convert(mode).save(tmp_path / name / f"1.{suffix}", **options)
    x = read(tmp_path, 12).train.x
    assert x.shape == (2, 1, 12, 12)
    if suffix != "jpg":
        assert np.array_equal(x[0, 0], ramp)
    Image.fromarray(np.stack([ramp, ramp, ramp // 2], 2)).save(tmp_path / "b" / "2.png")
    assert read(tmp_path, 12).train.x.shape == (3, 3, 12, 12)


def test_what_is_not_read_is_counted(plain: Path) -> None:
    for number in range(40):
        Image.new("L", (8, 8)).save(plain / "cat" / f"{number}.tif")
    Image.new("L", (8, 8)).save(plain / "fox" / "1.gif")
    fill(plain / "owl" / "more", 3)
    (plain / "README").write_text("about")
    with pytest.warns(SemveilWarning) as warned:
        source = read(plain, 8)
    assert len(source.train) == 30
    assert len(warned) == 1
    line = str(warned[0].message)
    assert "not read: 1 .gif, 40 .tif, 1 file without a suffix, 1 folder (images are" in line
    assert "\n" not in line


def test_a_set_that_is_read_as_a_whole_warns_of_nothing(plain: Path, official: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(plain, 8)
        read(official, 8)


def test_a_class_of_other_formats_only_says_what_is_there(plain: Path) -> None:
    (plain / "tif").mkdir()
    Image.new("L", (8, 8)).save(plain / "tif" / "1.tif")
    fill(plain / "tif" / "inside", 1)
    with pytest.raises(SemveilError, match=r"no images .* in it, only 1 .tif, 1 folder"):
        read(plain, 8)


@pytest.mark.parametrize(
    "parts",
    [
        ("train", "valid"),
        ("Train", "Test"),
        ("training", "test"),
        ("train",),
        ("test",),
        ("TRAIN", "val"),
        ("validation", "testing"),
    ],
)
def test_near_misses_of_the_layout_are_named(tmp_path: Path, parts: tuple[str, ...]) -> None:
    for part in parts:
        for name in ("fox", "cat"):
            fill(tmp_path / "set" / part / name, 2)
    with pytest.raises(SemveilError, match=r"expected train/ and test/ \(or val/\)") as error:
        read(tmp_path / "set", 8)
    assert all(f"{part}/" in str(error.value) for part in parts)


def test_parts_without_folders_of_classes_are_no_classes(tmp_path: Path) -> None:
    fill(tmp_path / "train", 2)
    fill(tmp_path / "test", 2)
    with pytest.raises(SemveilError, match=r"train: needs one subfolder per class, has 0"):
        read(tmp_path, 8)


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    fill(tmp_path / "train", 2)
    fill(tmp_path / "bus", 2)
    assert read(tmp_path, 8).classes == ("bus", "train")


def test_training_images_are_not_the_test_images(official: Path) -> None:
    (official / "test").symlink_to(official / "train")
    with pytest.raises(SemveilError, match=r"train/ and test/ are the same folder"):
        read(official, 8)
    (official / "test").unlink()
    shutil.copytree(official / "train", official / "test")
    with pytest.raises(SemveilError, match="every training image is in the test set, too"):
        load(str(official), image_size=12)


def test_folders_beside_the_parts_are_counted(official: Path) -> None:
    fill(official / "extra" / "fox", 1)
    with pytest.warns(SemveilWarning, match="not read: 1 folder "):
        assert len(read(official, 8).train) == 20


def test_a_third_part_is_counted(official: Path) -> None:
    for part in ("test", "valid"):
        shutil.copytree(official / "val", official / part)
    with pytest.warns(SemveilWarning, match="not read: 2 folder "):
        assert len(read(official, 8).train) == 20


@pytest.mark.parametrize("suffix", ["webp", "png"])
def test_animations_are_refused(plain: Path, suffix: str) -> None:
    frames = [Image.new("L", (8, 8), level) for level in (10, 20, 30)]
    file = plain / "cat" / f"moving.{suffix}"
    frames[0].save(file, save_all=True, append_images=frames[1:])
    with pytest.raises(SemveilError, match=rf"moving\.{suffix} has 3 frames"):
        read(plain, 8)


def test_pipes_devices_and_huge_images_are_refused(plain: Path) -> None:
    odd = plain / "cat" / "odd.png"
    os.mkfifo(odd)
    with pytest.raises(SemveilError, match=r"odd\.png is not a regular file"):
        read(plain, 8)
    odd.unlink()
    odd.symlink_to("/dev/zero")
    with pytest.raises(SemveilError, match=r"odd\.png is not a regular file"):
        read(plain, 8)
    odd.unlink()
    Image.new("1", (13000, 13000)).save(odd)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(SemveilError, match=r"odd\.png: 13000×13000 pixels are more than"):
            read(plain, 8)


def test_other_pixel_formats(tmp_path: Path) -> None:
    for number, mode in enumerate(("1", "LA", "P", "RGBA", "CMYK")):
        (tmp_path / mode).mkdir()
        suffix = "jpg" if mode == "CMYK" else "png"
        Image.new("RGB", (6, 6), (200, 200, 200)).convert(mode).save(
            tmp_path / mode / f"{number}.{suffix}"
        )
    assert len(read(tmp_path, 6).train) == 5
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
