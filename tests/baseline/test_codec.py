"""The codecs: what is sent fits, is the best that fits, and is what comes out again."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, features

from semveil.baseline.codec import Codec
from semveil.baseline.framing import Framing, avif_framing
from semveil.errors import SemveilError

RGB, GREY = (3, 32, 32), (1, 28, 28)
CODECS = ["jpeg2000", "avif"]


def psnr(one, other):
    return -10 * np.log10(np.square(one / 255.0 - other / 255.0).mean())


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("shape", [RGB, GREY])
def test_more_bytes_look_better_and_none_is_overspent(patches, name, whole, shape):
    images = np.ascontiguousarray(patches[:6, : shape[0], : shape[1], : shape[2]])
    codec = Codec(name, shape, whole)
    header = codec.framing.n_bytes if whole else 0
    seen = []
    for budget in (header + 200, header + 600):
        payloads = codec.fit(images, budget)
        assert max(map(len, payloads)) <= budget
        assert np.median([len(p) for p in payloads]) > header + 0.85 * (budget - header)
        shown = codec.decode(payloads)
        assert shown.shape == images.shape
        assert shown.dtype == np.uint8
        seen.append(psnr(shown, images))
    assert seen[1] > seen[0] + 3


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("shape", [RGB, GREY, (3, 8, 8), (3, 64, 48)])
def test_what_is_left_out_is_the_same_for_all_images(patches, name, shape):
    channels, height, width = shape
    images = np.ascontiguousarray(patches[:6, :channels, :height, :width])
    images[0] = 77
    bare, whole = Codec(name, shape), Codec(name, shape, whole=True)
    for budget in (400, 900):
        payloads = bare.fit(images, budget)
        files = whole.fit(images, budget + bare.framing.n_bytes)
        # A reader of files reads what the receiver restored, and sees what the receiver sees.
        assert [bare.framing.restore(payload) for payload in payloads] == files
        read = [
            Image.open(io.BytesIO(file)).convert("L" if channels == 1 else "RGB") for file in files
        ]
        seen = np.stack([np.atleast_3d(np.asarray(each)).transpose(2, 0, 1) for each in read])
        assert (bare.decode(payloads) == seen).all()


def test_no_quality_that_fits_is_better(patches):
    codec = Codec("jpeg2000", (3, 8, 8))
    image = np.ascontiguousarray(patches[:1, :, :8, :8])
    [payload] = codec.fit(image, 60)
    others = [codec._payload(image[0], setting) for setting in range(1, 601)]
    fitting = [other for other in others if len(other) <= 60]
    assert len(fitting) < len(others)
    shown = codec.decode([payload, *fitting])
    assert psnr(shown[0], image[0]) >= max(psnr(other, image[0]) for other in shown[1:])


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("number", [0, 1])
def test_an_image_that_does_not_fit_is_none(name, number):
    images = np.full((2, *RGB), 128, np.uint8)
    images[1] = np.random.default_rng(0).integers(0, 256, RGB)
    codec = Codec(name, RGB)
    # How many bytes the lowest quality takes depends on the version of the encoder.
    least = len(codec._payload(images[number], codec._settings[0]))
    assert least > 1
    assert codec.fit(images, least - 1)[number] is None
    fitted = codec.fit(images, least)[number]
    assert fitted is not None
    assert len(fitted) <= least


def test_two_channels_are_refused():
    with pytest.raises(SemveilError, match="grey and RGB images, not 2"):
        Codec("jpeg2000", (2, 32, 32))


@pytest.mark.parametrize("name", CODECS)
def test_a_pillow_without_the_codec_is_told(monkeypatch, name):
    monkeypatch.setattr(features, "check", lambda _: False)
    with pytest.raises(SemveilError, match=f"built without {name}"):
        Codec(name, RGB)


def test_no_images_are_no_images():
    assert Codec("jpeg2000", RGB).decode([]).shape == (0, *RGB)


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("whole", [False, True])
def test_garbage_is_an_image_or_none_and_no_accident(name, whole):
    codec, source = Codec(name, RGB, whole), np.random.default_rng(0)
    read = codec.read([source.bytes(int(size)) for size in source.integers(1, 60, 50)] + [None])
    assert all(image is None or image.shape == RGB for image in read)
    assert read[-1] is None
    if whole:
        assert read == [None] * 51
        with pytest.raises(ValueError, match="1 payloads are not images"):
            codec.decode([b"garbage"])


def test_an_image_of_another_size_is_none():
    small = Codec("jpeg2000", (3, 16, 16), whole=True)
    files = small.fit(np.zeros((1, 3, 16, 16), np.uint8), 400)
    assert Codec("jpeg2000", RGB, whole=True).read(files) == [None]


@given(st.binary(max_size=300), st.binary(min_size=4, max_size=40), st.binary(max_size=4))
def test_framing_restores_what_it_stripped(body, prefix, suffix):
    framing = Framing(prefix, ((len(prefix) - 4, 14),), suffix)
    file = framing.restore(body)
    assert framing.strip(file) == body
    assert len(file) == framing.n_bytes + len(body)


def test_a_foreign_header_is_not_stripped(patches):
    def file(side):
        buffer = io.BytesIO()
        Image.fromarray(np.zeros((side, side), np.uint8)).save(buffer, "AVIF")
        return buffer.getvalue()

    with pytest.raises(ValueError, match="header is not that of its codec"):
        avif_framing(file(16)).strip(file(32))
