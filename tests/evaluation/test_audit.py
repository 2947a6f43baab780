"""The audit: Eve hears what there is to hear, and nothing where there is nothing."""

import numpy as np
import pytest
import torch

import semveil
from semveil import phy
from semveil.adversary.eavesdrop.observations import Intercepts, Recording, numbered
from semveil.channel import Channel
from semveil.data import Images, ImageSplits, split
from semveil.errors import SemveilError
from semveil.link import Answer
from semveil.metrics.psnr import psnr_db
from semveil.recipe import AuditConfig
from semveil.rng import generator, normal

QUICK = AuditConfig(
    inference=["linear", "mlp", "wide"], inversion=["linear", "mlp"], max_epochs=6, rounds=1
)


def striped(n=600, classes=4, seed=0):
    """Return images whose label is where their bright stripe lies: easy, if they can be heard."""
    random = np.random.default_rng(seed)

    def part(count):
        y = random.integers(0, classes, count)
        x = random.integers(0, 60, (count, 1, 8, 8))
        for row in range(2):
            x[np.arange(count), 0, 2 * y + row] = 255
        return Images(x.astype(np.uint8), y.astype(np.int64))

    return ImageSplits("striped", tuple("abcd"), part(10), part(n), part(200), part(500))


def pixels(images, source):
    pairs = (images.flatten(1) - 0.5).unflatten(1, (-1, 2)).contiguous()
    return phy.normalise_power(torch.view_as_complex(pairs))


def nothing(images, source):
    return phy.normalise_power(normal((len(images), 8), dtype=torch.complex64, generator=source))


@pytest.mark.slow
def test_eves_of_every_capacity_succeed_on_what_is_sent_in_the_clear():
    found = semveil.audit(pixels, striped(), eve_snr_db=[20.0], settings=QUICK, device="cpu")
    by_eve = {
        record.adversary: record.value
        for record in found.records
        if record.role == "eve" and record.metric == "accuracy"
    }
    assert set(by_eve) == {"inference/linear", "inference/mlp", "inference/wide"}
    assert min(by_eve.values()) > 0.95
    floor = next(r.value for r in found.records if r.metric == "psnr_mean_image_db")
    assert found.strongest("psnr_db", 20.0).value > floor + 3


def test_an_eve_of_each_snr_is_the_one_of_an_audit_at_that_snr_alone():
    settings = AuditConfig(inference=["mlp"], inversion=["linear"], max_epochs=3, rounds=1)

    def heard(snrs_db, each_snr):
        own = settings.model_copy(update={"each_snr": each_snr})
        found = semveil.audit(pixels, striped(), eve_snr_db=snrs_db, settings=own, device="cpu")
        return [r for r in found.records if r.role == "eve" and r.test_snr_db == 10.0]

    alone = heard([10.0], each_snr=False)
    assert heard([0.0, 10.0], each_snr=True) == alone
    assert heard([0.0, 10.0], each_snr=False) != alone


@pytest.mark.slow
def test_eves_get_chance_from_a_waveform_that_says_nothing():
    found = semveil.audit(nothing, striped(), eve_snr_db=[20.0], settings=QUICK, device="cpu")
    chance = next(r for r in found.records if r.metric == "chance")
    for record in found.records:
        if record.role == "eve" and record.metric == "accuracy":
            # Guessing among 4: three standard deviations of 500 test images are 0.058.
            assert record.value < 0.25 + 0.058 + 0.02
    assert chance.value == pytest.approx(0.25, abs=0.06)


@pytest.mark.slow
def test_eve_gets_more_at_a_higher_snr():
    found = semveil.audit(
        pixels, striped(), eve_snr_db=[-20.0, -5.0, 20.0], settings=QUICK, device="cpu"
    )
    low, middle, high = (found.strongest("accuracy", s).value for s in (-20.0, -5.0, 20.0))
    assert low < middle < high


def test_bob_is_measured_when_his_receiver_is_given():
    data = striped()

    def receive(reception):
        equalised = phy.mmse(reception.symbols, reception.csi, reception.noise_variance)
        images = torch.view_as_real(equalised).flatten(1).unflatten(1, (1, 8, 8)) + 0.5
        logits = images.unflatten(2, (4, 2)).mean((1, 3, 4))
        return Answer(logits, images)

    found = semveil.audit(
        pixels, data, receive=receive, bob_snr_db=[20.0], eve_snr_db=[20.0],
        settings=AuditConfig(inference=["linear"], inversion=[], max_epochs=3), device="cpu",
    )  # fmt: skip
    bob = next(r for r in found.records if r.role == "bob" and r.metric == "accuracy")
    assert bob.value > 0.95
    assert bob.n == 500
    assert bob.ci_low < bob.value <= bob.ci_high
    assert bob.latent_dim == 64
    assert bob.bandwidth_ratio == pytest.approx(0.5)


def test_floors_are_of_the_images_that_eve_reconstructs():
    data = striped()
    # The first images of a test set may be easier than the others.
    data.test.x[:60] //= 4
    settings = AuditConfig(
        inference=["linear"], inversion=["linear"], images=60, leakage=True, max_epochs=1, rounds=1
    )
    found = semveil.audit(nothing, data, eve_snr_db=[10.0], settings=settings, device="cpu")
    seen = torch.from_numpy(data.test.x[:60]).float() / 255
    mean = torch.from_numpy(data.adversary.x.mean(0)).float() / 255
    floor = next(r for r in found.records if r.metric == "psnr_mean_image_db")
    assert floor.value == pytest.approx(float(psnr_db(mean.expand_as(seen), seen).mean()))
    compared = {"psnr_db", "psnr_db_floor", "mi_bits_20", "mi_bits_20_floor", "mi_bits_20_ceiling"}
    counts = {r.metric: r.n for r in found.records if r.metric in compared and r.role != "bob"}
    assert counts == dict.fromkeys(compared, 60)


def test_the_same_seed_gives_the_same_records_whatever_ran_before():
    settings = AuditConfig(inference=["mlp"], inversion=["linear"], max_epochs=3)

    def once():
        return semveil.audit(
            nothing, striped(), eve_snr_db=[10.0], settings=settings, device="cpu"
        ).records

    first = once()
    torch.manual_seed(99)
    torch.rand(7)
    assert once() == first


@pytest.mark.parametrize(
    ("transmit", "message"),
    [
        (lambda images, source: images.flatten(1), "complex"),
        (lambda images, source: pixels(images, source)[:3], "complex"),
        (lambda images, source: 2 * pixels(images, source), "power is 4.000"),
        (lambda images, source: pixels(images, source) * float("nan"), "not finite"),
    ],
)
def test_a_waveform_that_is_none_is_refused(transmit, message):
    with pytest.raises(SemveilError, match=message):
        semveil.audit(transmit, striped(), settings=QUICK, device="cpu")


def test_every_hearing_has_fresh_fading_and_noise():
    data = striped().adversary
    recording = Recording(
        numbered(pixels),
        torch.from_numpy(data.x),
        torch.from_numpy(data.y),
        purpose="test",
        seed=0,
        device=torch.device("cpu"),
    )
    eve = Intercepts(recording, Channel())
    rows = torch.arange(10)
    source = generator(1)
    assert not torch.equal(eve.hear(rows, 10.0, source), eve.hear(rows, 10.0, source))
    assert torch.equal(eve.hear(rows, 10.0, generator(2)), eve.hear(rows, 10.0, generator(2)))


def test_a_fresh_key_is_not_met_again_in_the_test():
    """A new permutation of each image's pixels: who has seen the test's keys would be right."""

    def keyed(images, source):
        order = torch.rand(len(images), 64, generator=source).argsort(1)
        return pixels(images.flatten(1).gather(1, order).unflatten(1, (1, 8, 8)), source)

    settings = AuditConfig(inference=["mlp"], inversion=[], max_epochs=12, rounds=1)
    found = semveil.audit(keyed, striped(), eve_snr_db=[30.0], settings=settings, device="cpu")
    assert found.strongest("accuracy", 30.0).value < 0.4


def test_one_loud_image_is_refused_unless_the_gain_is_fixed():
    def uneven(images, source):
        odd = (255 * (images[:, :, 0, 0] + images[:, :, 7, 7])).round() % 2
        return pixels(images, source) * (0.5 + odd).sqrt()

    settings = AuditConfig(inference=["linear"], inversion=[], max_epochs=1)
    kept = {"eve_snr_db": [10.0], "settings": settings, "device": "cpu"}
    with pytest.raises(SemveilError, match="test image"):
        semveil.audit(uneven, striped(), **kept)
    assert semveil.audit(uneven, striped(), fixed_gain=True, **kept).records


def test_numbers_of_any_kind_make_the_same_audit(tmp_path):
    settings = AuditConfig(inference=["linear"], inversion=[], max_epochs=1)

    def once(levels, seed):
        found = semveil.audit(
            pixels, striped(), eve_snr_db=levels, seed=seed, settings=settings, device="cpu"
        )
        found.write(tmp_path / "deep" / "records.jsonl")
        return (tmp_path / "deep" / "records.jsonl").read_text()

    assert once([0.0, 10.0], 0) == once(np.arange(0, 20, 10), np.int64(0))


def test_a_bob_who_rebuilds_nothing_and_a_conjugated_waveform_are_served():
    def receive(reception):
        return Answer(torch.zeros(len(reception.symbols), 4))

    found = semveil.audit(
        lambda images, source: pixels(images, source).conj(), striped(), receive=receive,
        settings=AuditConfig(inference=["linear"], inversion=[], max_epochs=1), device="cpu",
    )  # fmt: skip
    assert {r.metric for r in found.records if r.role == "bob"} == {
        "accuracy",
        "balanced_accuracy",
    }
    with pytest.raises(SemveilError, match="0, 10, 20 dB"):
        found.strongest("accuracy", 3.0)


@pytest.mark.parametrize("levels", [[], 10.0, [float("nan")]])
def test_levels_that_are_none_are_refused(levels):
    with pytest.raises(SemveilError, match="eve_snr_db"):
        semveil.audit(pixels, striped(), eve_snr_db=levels, device="cpu")


def test_images_that_overlap_or_lack_a_class_are_refused():
    data = striped()
    shared = ImageSplits("x", data.classes, data.system, data.test, data.validation, data.test)
    with pytest.raises(SemveilError, match="overlap"):
        semveil.audit(pixels, shared, device="cpu")
    short = ImageSplits("x", ("a", "b"), data.system, data.adversary, data.validation, data.test)
    with pytest.raises(SemveilError, match="labels"):
        semveil.audit(pixels, short, device="cpu")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"eve_snr_db": "10"}, "eve_snr_db must be a sequence of numbers in dB"),
        ({"eve_snr_db": ["ten"]}, "eve_snr_db must be numbers in dB"),
        ({"data": "digits"}, "data: expected an object such as semveil.data.load"),
        ({"settings": {"max_epochs": 1}}, "settings: expected an object such as semveil.recipe"),
        ({"channel": "awgn"}, "channel: expected an object such as semveil.channel.Channel"),
        ({"device": "cuda:1"}, "device: expected auto, cpu or cuda, not 'cuda:1'"),
    ],
)
def test_arguments_of_another_kind_are_refused(change, message):
    given = {"data": striped(), "eve_snr_db": [10.0], "device": "cpu", "quiet": True}
    with pytest.raises(SemveilError, match=message) as error:
        semveil.audit(pixels, **(given | change))
    assert "\n" not in str(error.value)


def test_one_class_is_no_task():
    x = np.random.default_rng(0).integers(0, 256, (60, 1, 8, 8), dtype=np.uint8)
    images = Images(x, np.zeros(60, dtype=np.int64))
    parts = split("mine", images.take(range(40)), images.take(range(40, 60)), ("only",), seed=0)
    with pytest.raises(SemveilError, match="two classes at least"):
        semveil.audit(pixels, parts, device="cpu", quiet=True)
