"""The further attacks and the leakage figures, through the audit."""

from dataclasses import replace

import pytest
import torch

from semveil import phy
from semveil.adversary.eavesdrop.observations import numbered
from semveil.channel import Channel
from semveil.evaluation.measure import audit_system
from semveil.evaluation.system import Conditions, SystemUnderTest
from semveil.link import Answer, multitask_link
from semveil.recipe import AuditConfig
from semveil.records import SystemName
from semveil.rng import generator, seeded

from .test_audit import striped

SETTING = Conditions(None, Channel("awgn"), Channel("awgn"), 15.0, (15.0,), (5.0, 25.0), seed=0)
EVERYTHING = AuditConfig(
    inference=["linear"],
    inversion=["linear"],
    losses=["mse", "perceptual"],
    attacks=["rmle", "shadow", "known-plaintext"],
    leakage=True,
    max_epochs=12,
    rounds=1,
)


def pixels(images):
    pairs = (images.flatten(1) - 0.5).unflatten(1, (-1, 2)).contiguous()
    return phy.normalise_power(torch.view_as_complex(pairs))


def in_the_clear(splits):
    x = torch.from_numpy(splits.system.x).float() / 255
    means = torch.stack([x[torch.from_numpy(splits.system.y) == c].mean(0) for c in range(4)])

    def receive(reception, messages):
        equalised = phy.mmse(reception.symbols, reception.csi, reception.noise_variance)
        images = 0.4 * torch.view_as_real(equalised).flatten(1) + 0.5
        logits = -(images[:, None] - means.flatten(1)).square().sum(2)
        return Answer(logits, images.unflatten(1, (1, 8, 8)))

    def shadow(seed):
        with seeded(seed):
            return multitask_link((1, 8, 8), 4, 64, width=8)

    return SystemUnderTest(
        SystemName("pixels"),
        numbered(lambda images, source: pixels(images)),
        receive,
        white_box=pixels,
        shadow=shadow,
    )


def permuted(fixed):
    order = torch.randperm(64, generator=generator(1))

    def transmit(images, source, messages):
        reals = torch.view_as_real(pixels(images)).flatten(1)
        if fixed:
            reals = reals[:, order]
        else:
            draws = [torch.rand(64, generator=generator(2, int(number))) for number in messages]
            keys = torch.stack(draws)
            reals = reals.gather(1, keys.argsort(1))
        return torch.view_as_complex(reals.unflatten(1, (-1, 2)).contiguous())

    return SystemUnderTest(
        SystemName("permuted"),
        transmit,
        white_box=pixels,
        keyed=True,
        permutes=True,
        fixed_key=fixed,
    )


@pytest.fixture(scope="module")
def splits():
    return striped(1500)


def audited(system, splits, settings=EVERYTHING):
    found = audit_system(system, splits, SETTING, settings, torch.device("cpu"))
    return {(r.metric, r.adversary, r.test_snr_db): r for r in found.records if r.role != "bob"}


@pytest.fixture(scope="module")
def clear(splits):
    return audited(in_the_clear(splits), splits)


@pytest.mark.parametrize(
    "adversary", ["linear", "deconv+perceptual", "rmle", "shadow"], ids=lambda name: name
)
def test_every_attack_beats_the_mean_image_on_what_is_sent_in_the_clear(clear, adversary):
    floor = clear["psnr_mean_image_db", None, None].value
    found = clear["psnr_db", f"inversion/{adversary}", 25.0]
    assert found.value > floor + 1
    assert found.protocol == "adaptive"
    shared = clear["mi_bits_20", f"inversion/{adversary}", 25.0].value
    assert clear["mi_bits_20_floor", None, None].value < shared
    assert shared < clear["mi_bits_20_ceiling", None, None].value
    assert clear["nmi_100", f"inversion/{adversary}", 25.0].value > 1
    assert clear["mi_excess_bits_20", f"inversion/{adversary}", 25.0].ci_low > 0
    if adversary == "deconv+perceptual":
        # The judge does not judge who was trained to please it.
        assert ("label_accuracy", f"inversion/{adversary}", 25.0) not in clear
        return
    seen = clear["label_accuracy", f"inversion/{adversary}", 25.0]
    assert 0.3 < seen.value <= clear["label_accuracy_of_originals", None, None].value + 0.1
    assert seen.target == "label"


def test_nobody_needs_known_plaintext_where_there_is_no_key(clear):
    assert not any(adversary == "inversion/known-plaintext" for _, adversary, _ in clear)


def test_the_bounds_grow_with_the_snr_and_keep_to_their_ceilings(clear):
    low, high = (clear["infonce_nats", "critic", snr] for snr in (5.0, 25.0))
    ceiling = clear["infonce_ceiling_nats", "critic", 25.0].value
    assert 1 < low.value < high.value <= ceiling
    low, high = (clear["dfil", None, snr].value for snr in (5.0, 25.0))
    assert high == pytest.approx(100 * low, rel=1e-4)
    assert clear["mse_floor_db", None, 25.0].value == pytest.approx(
        clear["mse_floor_db", None, 5.0].value - 20, abs=1e-3
    )


@pytest.mark.slow
def test_a_fixed_permutation_is_recovered_and_undone(splits):
    found = audited(permuted(fixed=True), splits, EVERYTHING.model_copy(update={"leakage": False}))
    floor = found["psnr_mean_image_db", None, None].value
    eve = "inversion/known-plaintext"
    low, high = (found["permutation_recovered", eve, snr].value for snr in (5.0, 25.0))
    assert high >= low > 0.9
    assert found["psnr_db", eve, 25.0].value > floor + 2
    assert ("psnr_db", "inversion/rmle-sorted", 25.0) in found
    assert not any(adversary == "inversion/shadow" for _, adversary, _ in found)


@pytest.mark.slow
def test_a_fresh_permutation_gives_known_plaintext_nothing(splits):
    only = {"attacks": ["known-plaintext"], "losses": ["mse"], "leakage": False}
    found = audited(permuted(fixed=False), splits, EVERYTHING.model_copy(update=only))
    floor = found["psnr_mean_image_db", None, None].value
    assert found["psnr_db", "inversion/known-plaintext", 25.0].value < floor
    assert not any(metric == "permutation_recovered" for metric, _, _ in found)


@pytest.mark.slow
def test_what_an_image_shares_with_anybodys_is_not_counted_as_leakage(splits):
    """Without a word of the image in the waveform, the excess is zero; the plain figure is not."""

    def noise(images, source, messages):
        shape = images.flatten(1).shape[0], images[0].numel() // 2
        draws = torch.randn(shape, generator=source, dtype=torch.complex64)
        return phy.normalise_power(draws)

    only = {"attacks": [], "losses": ["mse"], "inversion": ["mlp"], "max_epochs": 4}
    found = audited(
        SystemUnderTest(SystemName("noise"), noise), splits, EVERYTHING.model_copy(update=only)
    )
    eve = "inversion/mlp"
    excess = found["mi_excess_bits_20", eve, 25.0]
    assert excess.ci_low <= 0 <= excess.ci_high
    assert abs(excess.value) < 0.02


def test_a_digital_waveform_has_no_slope_and_no_fisher_information(splits):
    def points(images):
        signs = torch.view_as_real(pixels(images)).sign() + 0 * images.sum()
        return phy.normalise_power(torch.view_as_complex(signs))

    system = replace(
        in_the_clear(splits),
        transmit=numbered(lambda images, source: points(images)),
        white_box=points,
    )
    only = {"attacks": [], "losses": ["mse"], "inversion": [], "max_epochs": 2}
    found = audited(system, splits, EVERYTHING.model_copy(update=only))
    assert any(metric == "infonce_nats" for metric, _, _ in found)
    assert not any(metric == "dfil" for metric, _, _ in found)


def test_a_shadow_has_nothing_to_learn_from_a_receiver_without_slope(splits):
    system = in_the_clear(splits)

    def decided(reception, messages):
        return system.receive(replace(reception, symbols=reception.symbols.detach()), messages)

    only = {"attacks": ["shadow"], "losses": ["mse"], "inversion": [], "leakage": False}
    found = audited(replace(system, receive=decided), splits, EVERYTHING.model_copy(update=only))
    assert not any(adversary == "inversion/shadow" for _, adversary, _ in found)


def test_nothing_of_this_is_measured_unasked(splits):
    quick = AuditConfig(inference=["linear"], inversion=["linear"], max_epochs=1)
    found = audited(in_the_clear(splits), splits, quick)
    assert {adversary for _, adversary, _ in found if adversary} == {
        "inference/linear",
        "inversion/linear",
    }
    assert not any(metric.startswith(("mi_", "nmi", "infonce", "dfil")) for metric, _, _ in found)
