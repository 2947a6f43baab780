"""CelebA's layouts, on noise in the place of faces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from semveil import recipe
from semveil.data import ImageSplits, load
from semveil.data.celeba import CelebA
from semveil.errors import SemveilError
from semveil.experiment.run import Run
from semveil.experiment.training import Hardware

NAMES = ["Male", "Mustache", "Smiling"]
PEOPLE, EACH = 30, 4
COUNT = PEOPLE * EACH
FILES = [f"{number:06}.jpg" for number in range(1, COUNT + 1)]
PERSON = np.arange(COUNT) % PEOPLE
PART = np.where(PERSON < 24, 0, np.where(PERSON < 26, 1, 2))
VALUES = np.random.default_rng(0).integers(0, 2, (COUNT, 3))
VALUES[:, 0] = PERSON % 3 == 0


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("noise")
    random = np.random.default_rng(1)
    for file in FILES:
        Image.fromarray(random.integers(0, 256, (218, 178, 3), dtype=np.uint8)).save(folder / file)
    return folder


@pytest.fixture
def root(tmp_path: Path, pictures: Path) -> Path:
    """The set as its authors publish it."""
    place = tmp_path / "celeba"
    place.mkdir()
    (place / "img_align_celeba").symlink_to(pictures)
    signs = [" ".join(f"{2 * v - 1:2}" for v in row) for row in VALUES]
    lines = [f"{file} {row}" for file, row in zip(FILES, signs, strict=True)]
    (place / "list_attr_celeba.txt").write_text(
        "\n".join([str(COUNT), " ".join(NAMES) + " ", *lines]) + "\n"
    )
    for name, numbers in (("list_eval_partition", PART), ("identity_CelebA", PERSON)):
        lines = [f"{file} {number}" for file, number in zip(FILES, numbers, strict=True)]
        (place / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def parts_of(parts: ImageSplits) -> list:
    return [parts.system, parts.adversary, parts.validation, parts.test]


def test_attributes_partition_and_people_are_those_of_the_lists(root: Path) -> None:
    source = CelebA().read(root, image_size=8, target="Smiling", private="Male")
    assert source.test is not None
    assert source.classes == ("not Smiling", "Smiling")
    assert source.private_classes == ("not Male", "Male")
    for images, part in ((source.train, 0), (source.test, 2)):
        rows = part == PART
        assert images.y.tolist() == VALUES[rows, 2].tolist()
        assert images.private is not None
        assert images.private.tolist() == VALUES[rows, 0].tolist()
        assert images.person is not None
        assert images.person.tolist() == PERSON[rows].tolist()
    assert source.train.x.shape == (96, 3, 8, 8)


def test_the_central_square_is_shrunk(root: Path, pictures: Path) -> None:
    """Against Pillow on the square that the literature cuts out, rows 20 to 198."""
    ours = CelebA().read(root, target="Smiling").train.x[0]
    with Image.open(pictures / FILES[0]) as image:
        square = image.crop((0, 20, 178, 198)).resize((64, 64), Image.Resampling.BICUBIC)
    expected = np.asarray(square).transpose(2, 0, 1)
    # At the upper and lower edge ours sees what lies beyond it, as the cut-out square cannot.
    assert np.array_equal(ours[:, 2:-2], expected[:, 2:-2])
    assert np.abs(ours.astype(int) - expected).max() < 32


def test_the_lists_as_csv_and_images_one_folder_deeper(root: Path, pictures: Path) -> None:
    first = CelebA().read(root, image_size=8, target="Mustache")
    place = root / "celeba"
    heads = {"list_attr_celeba": [], "list_eval_partition": ["image_id partition"]}
    for name, head in heads.items():
        lines = head + (place / f"{name}.txt").read_text().splitlines()
        if not head:
            lines = ["image_id " + lines[1].strip(), *lines[2:]]
        (place / f"{name}.txt").unlink()
        text = "\r\n".join(",".join(line.split()) for line in lines)
        (place / f"{name}.csv").write_text(text, encoding="utf-8-sig")
    (place / "img_align_celeba").unlink()
    (place / "img_align_celeba").mkdir()
    (place / "img_align_celeba" / "img_align_celeba").symlink_to(pictures)
    again = CelebA().read(place, image_size=8, target="Mustache")
    assert np.array_equal(first.train.x, again.train.x)
    assert first.train.y.tolist() == again.train.y.tolist()


def test_nobody_is_in_two_parts(root: Path) -> None:
    parts = load("celeba", root=root, target="Smiling", private="Male", image_size=8, seed=3)
    people = [set(part.person) for part in parts_of(parts)]
    assert sum(map(len, people)) == len(set().union(*people)) == 28
    assert [len(part) for part in parts_of(parts)] == [60, 24, 12, 16]
    assert parts.image_shape == (3, 8, 8)
    assert (parts.n_classes, parts.private_classes) == (2, ("not Male", "Male"))
    whole = {image.tobytes(): (v[2], v[0]) for image, v in zip(*_all(root), strict=True)}
    for part in parts_of(parts):
        labels = zip(part.x, part.y, part.private, strict=True)
        assert all(whole[image.tobytes()] == (y, private) for image, y, private in labels)


def _all(root: Path) -> tuple[np.ndarray, np.ndarray]:
    source = CelebA().read(root, image_size=8, target="Smiling")
    assert source.test is not None
    return (
        np.concatenate([source.train.x, source.test.x]),
        np.concatenate([VALUES[PART == 0], VALUES[PART == 2]]),
    )


def test_a_recipe_says_what_is_loaded(root: Path, tmp_path: Path) -> None:
    changes = ["data.name=celeba", "data.image_size=12", "data.target=Smiling", "data.private=Male"]
    settings = recipe.load("quickstart", changes)
    job = Run(tmp_path, "faces", settings, [], 0, Hardware(torch.device("cpu")), root)
    assert job.splits.image_shape == (3, 12, 12)
    assert job.splits.classes == ("not Smiling", "Smiling")
    assert job.splits.private_classes == ("not Male", "Male")


def test_without_identities_images_are_dealt_out_one_by_one(root: Path) -> None:
    (root / "celeba" / "identity_CelebA.txt").unlink()
    parts = load("celeba", root=root, target="Smiling", image_size=8)
    assert parts.system.person is None
    assert parts.private_classes is parts.system.private is None
    assert [len(part) for part in parts_of(parts)] == [62, 24, 10, 16]


def test_lists_of_no_images(root: Path) -> None:
    lines = (root / "celeba" / "list_attr_celeba.txt").read_text().splitlines()
    (root / "celeba" / "list_attr_celeba.txt").write_text(f"0\n{lines[1]}\n")
    with pytest.raises(SemveilError, match="0 training and 0 test images are too few"):
        load("celeba", root=root, target="Smiling")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "data.target: required for celeba; set one of Male, Mustache, Smiling"),
        ({"target": "Smilling"}, "unknown attribute of celeba 'Smilling': did you mean 'Smiling'"),
        ({"target": "Male", "private": "mustache"}, "did you mean 'Mustache'"),
        ({"target": "Male", "private": "Male"}, "data.private: Male is already data.target"),
        ({"private": "Male"}, "data.target"),
        ({"target": "Male", "image_size": 0}, "image size 0 is not positive"),
    ],
)
def test_settings_that_make_no_sense(root: Path, settings: dict, message: str) -> None:
    with pytest.raises(SemveilError, match=message) as error:
        load("celeba", root=root, **settings)
    assert "\n" not in str(error.value)


def test_attributes_are_for_faces(tmp_path: Path) -> None:
    for name in ("digits", str(tmp_path)):
        size = {} if name == "digits" else {"image_size": 8}
        with pytest.raises(SemveilError, match=r"data\.target: .* a setting of celeba"):
            load(name, target="Smiling", **size)
        with pytest.raises(SemveilError, match=r"data\.private: .* a setting of celeba"):
            load(name, private="Male", **size)


Change = Callable[[Path], object]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: (p / "list_attr_celeba.txt").unlink(), "list_attr_celeba.txt is missing"),
        (lambda p: (p / "list_eval_partition.txt").unlink(), "partition.txt is missing"),
        (lambda p: (p / "img_align_celeba").unlink(), "img_align_celeba is missing"),
        (lambda p: p.rename(p.parent / "faces"), r"celeba is not in .* \(no celeba/\)"),
        (lambda p: cut(p / "list_attr_celeba.txt", 300), "is not a list of attributes"),
        (lambda p: cut(p / "list_attr_celeba.txt", 267), "states 120 images, but has 12"),
        (lambda p: cut(p / "list_attr_celeba.txt", 0), "is not a list of attributes"),
        (lambda p: (p / "list_attr_celeba.txt").write_bytes(b"\xff\xd8\xff\xe0"), "is not text"),
        (lambda p: swap(p / "list_attr_celeba.txt", " 1\n", " 7\n"), "is 7 somewhere, not -1 or 1"),
        (lambda p: cut(p / "list_eval_partition.txt", 390), "is not in it"),
        (
            lambda p: swap(p / "list_eval_partition.txt", " 2\n", " two\n"),
            "not a list with a name",
        ),
        (
            lambda p: again(p / "list_attr_celeba.txt", 7),
            "celeba.txt: 000006.jpg is in it twice",
        ),
        (
            lambda p: again(p / "list_eval_partition.txt", 7),
            "partition.txt: 000008.jpg is in it t",
        ),
        (lambda p: swap(p / "list_eval_partition.txt", " 2\n", " 3\n"), "is 3 somewhere, not 0, 1"),
        (lambda p: signs(p, -1), "all 96 training images are 'not Smiling': a task needs"),
        (lambda p: signs(p, 1), "all 96 training images are 'Smiling': a task needs"),
        (lambda p: cut(p / "identity_CelebA.txt", 0), "identity_CelebA.txt: 000001.jpg is not in"),
        (lambda p: cut(p / "list_eval_partition.txt", 0), "is not in it"),
        (lambda p: swap(p / "list_attr_celeba.txt", "000001", "999999"), "is not in it"),
        (lambda p: [swap(f, "000001", "999999") for f in p.glob("*.txt")], "999999.jpg is not a"),
    ],
)
def test_sets_that_are_not_whole(root: Path, change: Change, message: str) -> None:
    change(root / "celeba")
    with pytest.raises(SemveilError, match=message) as error:
        load("celeba", root=root, image_size=8, target="Smiling")
    assert "\n" not in str(error.value)


def test_an_attribute_that_nobody_has_is_nothing_to_infer(root: Path) -> None:
    signs(root / "celeba", -1)
    with pytest.raises(SemveilError, match="all 96 training images are 'not Smiling'"):
        load("celeba", root=root, image_size=8, target="Male", private="Smiling")


@pytest.mark.parametrize("form", ["semicolons", "quotes", "tabs"])
def test_lists_in_other_forms_are_read_alike(root: Path, form: str) -> None:
    first = CelebA().read(root, image_size=8, target="Mustache")
    between, around = {"semicolons": (";", ""), "quotes": (",", '"'), "tabs": ("\t", "")}[form]
    for path in (root / "celeba").glob("*.txt"):
        lines = [
            between.join(f"{around}{word}{around}" for word in line.split())
            for line in path.read_text().splitlines()
        ]
        path.write_text("\n".join(lines))
    second = CelebA().read(root, image_size=8, target="Mustache")
    assert first.train.y.tolist() == second.train.y.tolist()
    assert np.array_equal(first.train.x, second.train.x)


def test_the_data_folder_may_be_one_of_the_set(root: Path) -> None:
    for place in (root, root / "celeba", root / "celeba" / "img_align_celeba"):
        assert CelebA().locate(place) == root / "celeba"


def test_the_archive_of_the_images_is_to_be_unpacked(root: Path) -> None:
    place = root / "celeba"
    (place / "img_align_celeba").unlink()
    (place / "img_align_celeba.zip").write_bytes(b"PK")
    with pytest.raises(SemveilError, match=r"unpack .*img_align_celeba.zip"):
        CelebA().read(root, target="Smiling")


@pytest.mark.parametrize(
    ("name", "archive"),
    [
        ("celeba", "CelebA.zip"),
        ("celeba", "img_align_celeba.7z"),
        ("mnist", "MNIST.zip"),
        ("cifar10", "cifar-10-python.tar.gz"),
        ("imagenette", "imagenette2-160.tgz"),
    ],
)
def test_archives_are_to_be_unpacked(tmp_path: Path, name: str, archive: str) -> None:
    (tmp_path / archive).write_bytes(b"")
    options = {"target": "Smiling"} if name == "celeba" else {}
    with pytest.raises(SemveilError, match=f"{name}: unpack .*{archive}, next to it"):
        load(name, root=tmp_path, **options)


def cut(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length])


def again(path: Path, line: int) -> None:
    """Repeat a line of a list, with one more image where their number is stated."""
    lines = path.read_text().splitlines()
    lines.append(lines[line])
    if lines[0] == str(COUNT):
        lines[0] = str(COUNT + 1)
    path.write_text("\n".join(lines) + "\n")


def signs(place: Path, sign: int) -> None:
    """Give every image the same value of the last attribute, Smiling."""
    path = place / "list_attr_celeba.txt"
    count, head, *lines = path.read_text().splitlines()
    changed = [" ".join([*line.split()[:-1], str(sign)]) for line in lines]
    path.write_text("\n".join([count, head, *changed]) + "\n")


def swap(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))
