"""``semveil conform``: other people's files, in a process of its own."""

import json

import pytest

from commands import refusal

GOOD = """
import numpy as np

def channel(z, snr_db):
    print("a word of its own")
    w = np.random.normal(size=z.shape) + 1j * np.random.normal(size=z.shape)
    return z + 10 ** (-snr_db / 20) * w / 2**0.5

def transmit(images):
    z = images.reshape(len(images), -1) - 0.3
    z = z[:, ::2] + 1j * z[:, 1::2]
    return z / np.sqrt((abs(z) ** 2).mean(1, keepdims=True))

class Channel:
    def __call__(self, z, snr_db):
        return channel(z, snr_db)

class Needy:
    def __init__(self, snr_db):
        pass

def per_real(z, snr_db):
    return z + 2**0.5 * (channel(z, snr_db) - z)

def wrong_shape(z, snr_db):
    return z[:, 1:]

def breaks(z, snr_db):
    raise KeyError("no such thing")

def leaves(z, snr_db):
    raise SystemExit(3)

def nothing(z, snr_db):
    return None

def not_finite(z, snr_db):
    return z / 0

def mystery(a, b):
    return a

number = 5
"""


@pytest.fixture
def mine(tmp_path):
    (tmp_path / "mine.py").write_text(GOOD)
    return tmp_path


@pytest.mark.parametrize("target", ["mine:channel", "mine.py:channel", "mine:Channel"])
def test_a_channel_conforms(semveil, mine, target):
    done = semveil("conform", target, folder=mine)
    assert done.code == 0, done
    assert done.out.rstrip().endswith("conforms")
    assert "a word of its own" not in done.out


def test_a_channel_that_does_not_has_status_one_and_its_offset(semveil, mine):
    done = semveil("conform", "mine:per_real", "--snr", "10", folder=mine)
    assert done.code == 1, done
    assert done.err.replace("a word of its own\n", "") == ""
    assert "-3.0" in done.out
    assert "does not conform: 1 of " in done.out


def test_json_holds_every_check(semveil, mine):
    done = semveil("conform", "mine:per_real", "--json", folder=mine)
    assert done.code == 1
    found = json.loads(done.out)
    assert found["kind"] == "channel"
    assert found["took"].startswith("numpy, complex [B, k]")
    (first, *_) = [check for check in found["checks"] if not check["ok"]]
    assert first["offset_db"] == pytest.approx(-3.01, abs=0.1)
    assert first["interval_db"][0] < -3.01 < first["interval_db"][1]


def test_a_transmitter_is_told_by_its_parameters(semveil, mine):
    words = ("conform", "mine:transmit", "--image-shape", "3x16x16", "--bandwidth-ratio")
    assert semveil(*words, "1/2", folder=mine).code == 0
    done = semveil(*words, "1", folder=mine)
    assert done.code == 1
    assert "reals were counted" in " ".join(done.out.split())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["mine"], "expected MODULE:NAME or FILE.py:NAME"),
        (["mine:nobody"], "mine has no nobody"),
        (["mine:number"], "is no function: it is of type int"),
        (["mine:Needy"], "mine:Needy without arguments failed: TypeError"),
        (["absent_module:channel"], "ModuleNotFoundError"),
        (["absent.py:channel"], "there is no file absent.py"),
        (["broken.py:channel"], "SyntaxError"),
        (["mine:mystery"], "say what it is with --kind channel, transmitter, perturbation"),
        (["mine:wrong_shape"], "wrong_shape must return 8 symbols per image, not 7"),
        (["mine:breaks"], "breaks failed: KeyError: 'no such thing'"),
        (["mine:leaves"], "leaves failed: SystemExit: 3"),
        (["mine:nothing"], "must return an array or a tensor, not NoneType"),
        (["mine:not_finite"], "returned numbers that are not finite"),
        (["mine:channel", "--snr", "ten"], "--snr ten: expected"),
        (["mine:transmit", "--image-shape", "3x32"], "--image-shape 3x32"),
        (["mine:transmit", "--bandwidth-ratio", "1/0"], "--bandwidth-ratio 1/0"),
        (["mine:transmit", "--image-shape", "1x3x3"], "transmit failed: ValueError"),
    ],
)
def test_what_cannot_be_tested_is_one_line(semveil, mine, words, says):
    (mine / "broken.py").write_text("def channel(:\n")
    assert says in refusal(semveil("conform", *words, folder=mine))
