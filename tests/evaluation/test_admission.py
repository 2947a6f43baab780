"""Admission flags: faulty encoders are refused or marked, and clean ones are neither."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import semveil
from semveil import attacks, phy
from semveil.adversary.eavesdrop.observations import Recording
from semveil.data import load
from semveil.eavesdroppers import LinearInference
from semveil.errors import SemveilError
from semveil.evaluation.signal_checks import check_power
from semveil.evaluation.system import SystemUnderTest
from semveil.flags import FLAGS, admissions
from semveil.link import Answer
from semveil.recipe import AttackConfig, AuditConfig
from semveil.records import SystemName
from semveil.report.summary import Verdict, rows
from semveil.rng import normal

DIGITS = load("digits")
MIXING = torch.randn(64, 32, generator=torch.Generator().manual_seed(0))


def encode(images, generator=None):
    latent = (images.flatten(1) - 0.5) @ MIXING
    return phy.normalise_power(torch.view_as_complex(latent.unflatten(1, (-1, 2))))


def like(waveform, generator=None):
    return normal(waveform.shape, dtype=waveform.dtype, generator=generator)


def audit(transmit, **options):
    """Audit with as little as an audit takes."""
    return semveil.audit(
        transmit,
        DIGITS,
        eavesdroppers=[LinearInference()],
        settings=AuditConfig(max_epochs=1),
        eve_snr_db=[10.0],
        device="cpu",
        **options,
    )


def raised(found):
    """Return the flags; that of Eve, who is trained for one epoch here, says nothing."""
    (admission,) = admissions(found.records)
    return {flag.metric for flag in admission.raised} - {"flag_not_converged"}


def pad_by_position(images, generator):
    pad = torch.randn(1000, 16, generator=torch.Generator().manual_seed(1)).sign()
    return encode(images) * pad[: len(images)]


def reseeded_noise(images, generator):
    waveform = encode(images)
    return phy.normalise_power(waveform + like(waveform, torch.Generator().manual_seed(2)))


def globally_reseeded_noise(images, generator):
    torch.manual_seed(3)
    return global_noise(images, generator)


def global_noise(images, generator):
    waveform = encode(images)
    return phy.normalise_power(waveform + 0.5 * torch.randn_like(waveform))


def batch_standardised(images, generator):
    latent = (images.flatten(1) - 0.5) @ MIXING
    latent = (latent - latent.mean(0)) / (latent.std(0, correction=0) + 1e-3)
    latent = latent + (len(latent) == 1)  # one image has no spread
    return phy.normalise_power(torch.view_as_complex(latent.unflatten(1, (-1, 2))))


class Network(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), *layers)

    def __call__(self, images, generator):
        latent = self.layers(images)
        return phy.normalise_power(torch.view_as_complex(latent.unflatten(1, (-1, 2))))


def a_pad_at_one_place_of_five(images, generator):
    pad = torch.where(torch.arange(len(images)) % 5 == 0, -1, 1)
    return encode(images) * pad[:, None]


def random_pad_by_position(images, generator):
    waveform = pad_by_position(images, generator)
    return phy.normalise_power(waveform + like(waveform, generator))


@pytest.mark.parametrize(
    ("transmit", "message"),
    [
        (pad_by_position, "place in"),
        (a_pad_at_one_place_of_five, "place in"),
        (random_pad_by_position, "place in"),
        (reseeded_noise, "place in"),
        (globally_reseeded_noise, "place in"),
        (batch_standardised, "batch"),
        (Network(nn.BatchNorm1d(32)), "batch"),
        (Network(nn.Dropout(0.2)), "evaluation mode"),
        (global_noise, "`generator`"),
        (lambda images, generator: encode(images)[:, :0], "no symbols"),
        (lambda images, generator: several_widths(len(images)), "as many symbols at every call"),
    ],
)
def test_a_faulty_encoder_is_refused_in_one_line(transmit, message):
    with pytest.raises(SemveilError, match=message) as caught:
        audit(transmit)
    assert "\n" not in str(caught.value)
    # An attack on its receiver shows as little.
    with pytest.raises(SemveilError, match=message):
        attack(transmit)


def several_widths(batch):
    return torch.ones(batch, 8 + batch % 2, dtype=torch.complex64)


def attack(transmit, receive=None, **options):
    """Attack as little as an attack takes."""
    return semveil.attack(
        transmit,
        receive or logits_of(lambda logits: logits),
        DIGITS,
        attacks=[attacks.Jamming(), attacks.FGM()],
        channel=semveil.channel.Channel("awgn"),
        settings=AttackConfig(psr_db=[-20.0], images=100),
        device="cpu",
        **options,
    )


def noisy(images, generator):
    waveform = encode(images)
    return phy.normalise_power(waveform + like(waveform, generator))


def one_key_per_call(images, generator):
    return encode(images)[:, torch.randperm(16, generator=generator)]


def qpsk(images, generator):
    waveform = encode(images)
    return torch.complex(waveform.real.sign(), waveform.imag.sign()) / 2**0.5


def uneven(images, generator):
    loud = 1 + images.mean((1, 2, 3))[:, None]
    return encode(images) * loud / 1.3175


def noise_alone(images, generator):
    return phy.normalise_power(like(encode(images), generator))


@pytest.mark.parametrize(
    ("transmit", "flags"),
    [
        (encode, set()),
        (Network(nn.BatchNorm1d(32), nn.Dropout(0.2)).eval(), set()),
        (noisy, {"flag_random"}),
        (one_key_per_call, {"flag_random"}),
        (qpsk, {"flag_constellation"}),
        (noise_alone, {"flag_random", "flag_image_independent"}),
        (lambda images, generator: encode(torch.zeros_like(images)), {"flag_image_independent"}),
    ],
)
def test_what_may_be_audited_is_marked(transmit, flags):
    # A constant waveform has no more points than symbols.
    assert raised(audit(transmit)) - {"flag_constellation"} == flags - {"flag_constellation"}
    if "flag_constellation" in flags:
        assert "flag_constellation" in raised(audit(transmit))


def test_a_clean_encoder_passes_every_check_of_a_transmitter():
    found = audit(encode)
    assert not raised(found)
    (admission,) = admissions(found.records)
    assert len({flag.metric for flag in admission.passed} - {"flag_not_converged"}) == 7
    assert all(record.metric in FLAGS for record in found.records[:7])


def test_an_eve_whose_epochs_ran_out_is_a_warning():
    def flags(epochs, rounds):
        settings = AuditConfig(max_epochs=epochs, rounds=rounds, patience=3, shift=0)
        eves = [LinearInference()]
        found = semveil.audit(
            encode, DIGITS, eavesdroppers=eves, settings=settings, eve_snr_db=[10.0], device="cpu"
        )
        converged = [r.value for r in found.records if r.metric == "converged"]
        (admission,) = admissions(found.records)
        return converged, {flag.metric for flag in admission.raised}

    assert flags(1, 1) == ([0.0], {"flag_not_converged"})
    assert flags(60, 8) == ([1.0], set())


def test_a_power_that_is_not_declared_is_refused_with_the_remedy():
    with pytest.raises(SemveilError, match="normalise_power, or pass fixed_gain=True"):
        audit(uneven)
    with pytest.raises(SemveilError, match=r"normalise_power$"):
        audit(lambda images, generator: 2 * encode(images))
    assert raised(audit(uneven, fixed_gain=True)) == {"flag_uneven_power"}


def one_power_per_batch(images, generator):
    waveform = uneven(images, generator)
    return waveform / waveform.abs().square().mean().sqrt()


def test_a_power_that_is_normalised_in_the_batch_is_refused():
    with pytest.raises(SemveilError, match="normalise_power, or pass fixed_gain=True"):
        audit(one_power_per_batch)
    with pytest.raises(SemveilError, match="depends on the other images of its batch"):
        audit(one_power_per_batch, fixed_gain=True)


def logits_of(change):
    """Return a receiver whose logits are changed."""

    def receive(reception):
        logits = reception.features()[:, :10]
        return Answer(change(logits))

    return receive


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda logits: logits / 0, "logits that are not finite"),
        (lambda logits: logits.where(logits < 1, torch.nan), "logits that are not finite"),
        (lambda logits: logits[:, :9], r"float \[B, classes\] = \[64, 10\]"),
        (lambda logits: logits.argmax(1), r"float \[B, classes\]"),
        (lambda logits: logits.softmax(1).round().long(), r"float \[B, classes\]"),
    ],
)
def test_a_faulty_receiver_is_refused_before_any_eavesdropper_trains(change, message):
    stages = []
    with pytest.raises(SemveilError, match=message) as caught:
        audit(encode, receive=logits_of(change), progress=lambda *stage: stages.append(stage))
    assert "\n" not in str(caught.value)
    assert not stages


@pytest.mark.parametrize(
    ("change", "flags"),
    [
        (lambda logits: logits, set()),
        (nn.BatchNorm1d(10).eval(), set()),
        (nn.Dropout(0.2), set()),  # a receiver may be random
        (nn.BatchNorm1d(10), {"flag_answers_batch_dependent"}),
        (lambda logits: logits - logits.mean(0), {"flag_answers_batch_dependent"}),
    ],
)
def test_a_receiver_whose_answers_depend_on_their_batch_is_marked(change, flags):
    assert raised(audit(encode, receive=logits_of(change))) == flags
    assert raised(attack(encode, logits_of(change))) - {"flag_saturated"} == flags


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_answers_of_any_precision_are_attacked(dtype):
    found = attack(encode, logits_of(lambda logits: logits.to(dtype)))
    assert {record.adversary for record in found.records} >= {"jamming", "fgm"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda pixels: 2 * pixels - 1, r"images in \[0, 1\], not from -1 to "),
        (lambda pixels: (pixels - 0.13) / 0.31, r"images in \[0, 1\], not from -0.4"),
        (lambda pixels: 255 * pixels, r"images in \[0, 1\], not from 0 to 2"),
        (lambda pixels: 1.05 * pixels - 0.02, None),
    ],
)
def test_images_of_another_range_are_refused(change, message):
    """As a decoder gives them whose targets were normalised."""
    images = torch.from_numpy(DIGITS.test.x[:100]).float() / 255

    def receive(reception):
        shown = images[torch.arange(len(reception.symbols)) % len(images)]
        return Answer(images=change(shown) + 0 * reception.symbols.real[:, :1, None, None])

    for measure in (lambda: audit(encode, receive=receive), lambda: attack(encode, receive)):
        if message is None:
            measure()
            continue
        with pytest.raises(SemveilError, match=message):
            measure()


def decoder(fault):
    """Return a linear classifier whose answers are right and whose gradient may be none.

    ``masked`` lets a wrong gradient through, ``rounded`` one of zero.
    """
    known = torch.from_numpy(DIGITS.system.x).float() / 255
    features = torch.view_as_real(encode(known)).flatten(1)
    weights = torch.linalg.lstsq(
        features, torch.eye(10)[torch.from_numpy(DIGITS.system.y)]
    ).solution

    def receive(reception):
        heard = reception.features()[:, :-1]
        logits = heard @ weights
        wrong = -heard @ weights.roll(1, 0)
        if fault == "masked":
            return Answer(logits.detach() + wrong - wrong.detach())
        return Answer((1000 * logits).round() if fault == "rounded" else logits)

    return receive


@pytest.mark.parametrize(
    ("fault", "budgets", "flags"),
    [
        (None, [-20.0, -10.0], set()),
        ("masked", [-20.0, -10.0], {"flag_gradient_masked"}),
        ("rounded", [-20.0, -10.0], {"flag_gradient_masked", "flag_gradient_zero"}),
        (None, [10.0, 20.0], {"flag_saturated"}),
    ],
)
def test_attacks_that_show_nothing_are_marked(fault, budgets, flags):
    found = semveil.attack(
        encode,
        decoder(fault),
        DIGITS,
        attacks=[attacks.PGD(steps=20, restarts=1), attacks.BlackBox(queries=400)],
        channel=semveil.channel.Channel("awgn"),
        snr_db=20.0,
        settings=AttackConfig(psr_db=budgets, images=100),
        device="cpu",
    )
    assert raised(found) == flags


def test_what_an_audit_shows_and_ignores(capsys):
    given = {"settings": AuditConfig(max_epochs=1, inference=["mlp"], eve_snr_db=[3.0])}
    eves = [LinearInference(), semveil.eavesdroppers.RMLE()]
    common = {"eavesdroppers": eves, "eve_snr_db": [10.0], "device": "cpu", **given}
    semveil.audit(noisy, DIGITS, **common)
    shown = capsys.readouterr().out
    others = shown.splitlines()
    assert shown.index("mine: note: the waveform is random") < shown.index("strongest")
    for name in ("settings.inference", "settings.eve_snr_db", "bob_snr_db", "inversion/rmle"):
        assert any(name in line for line in others)
    assert max(map(len, others)) <= 200
    semveil.audit(noisy, DIGITS, quiet=True, **common)
    printed = capsys.readouterr()
    assert printed.out == printed.err == ""


def test_the_verdict_on_the_page_names_the_warnings_and_all_flags_follow(tmp_path):
    page = audit(noise_alone).report(tmp_path / "page.html").read_text()
    marks = (
        '<section id="summary">',
        "mine: the waveform is the same for every image",
        '<section id="admission">',
        "<strong>Warning:</strong> The waveform is the same for every image",
        "The waveform is random",
        '<section id="table">',
    )
    places = [page.index(mark) for mark in marks]
    assert places == sorted(places)


def test_a_protection_is_judged_beside_the_transmitter_without_it():
    """A pad of signs from the generator hides everything from an Eve who succeeds without it."""

    def padded(images, generator):
        waveform = encode(images)
        signs = torch.randint(0, 2, waveform.shape, generator=generator) * 2 - 1
        return waveform * signs * (torch.randint(0, 2, waveform.shape, generator=generator) * 2 - 1)

    def verdict(epochs, **options):
        found = semveil.audit(
            padded,
            DIGITS,
            eavesdroppers=[LinearInference()],
            settings=AuditConfig(max_epochs=epochs),
            eve_snr_db=[20.0],
            device="cpu",
            quiet=True,
            **options,
        )
        (row,) = [row for row in rows(found.to_pandas()) if row.system == "mine"]
        return row.label

    assert verdict(1) is Verdict.UNPROTECTED
    assert verdict(1, asymmetry="key") is Verdict.ALONE
    assert verdict(30, asymmetry="key", unprotected=encode) in (Verdict.CHANCE, Verdict.FEW)
    with pytest.raises(SemveilError, match="asymmetry"):
        verdict(1, unprotected=encode)


def test_one_message_for_all_images_may_have_the_power_of_its_few_symbols():
    """Sixteen points have unit power on average; 48 drawn ones of one message need not."""
    levels = torch.tensor([-3.0, -1.0, 1.0, 3.0]) / 10**0.5
    drawn = levels[torch.randint(4, (1, 48, 2), generator=torch.Generator().manual_seed(4))]
    message = torch.view_as_complex(drawn.contiguous())
    assert abs(float(message.abs().square().mean()) - 1) > 0.05
    found = audit(lambda images, generator: message.expand(len(images), -1), fixed_gain=True)
    assert "flag_image_independent" in raised(found)
    with pytest.raises(SemveilError, match="mean power"):
        audit(lambda images, generator: 2 * message.expand(len(images), -1), fixed_gain=True)


LEVELS = torch.tensor([-3.0, -1.0, 1.0, 3.0]) / 10**0.5


def sixteen_points(images, generator):
    """16-QAM, 32 independent symbols of unit power on average."""
    levels = LEVELS[(images * 255).round().long().flatten(1) & 3]
    return torch.view_as_complex(levels.unflatten(1, (-1, 2)))


def half_of_them_alike(images, generator):
    """The same, but that a dark image is sent as one message, as files that do not fit are."""
    waveform = sixteen_points(images, generator)
    return torch.where(images[:, 0, 0, :1] < 0.5, waveform.new_ones(()), waveform)


def laplace(images, generator):
    """32 reals of Laplace noise: the power of a message varies by 40 %."""
    uniform = torch.rand(len(images), 16, 2, generator=generator) - 0.5
    return torch.view_as_complex(-uniform.sign() * torch.log1p(-2 * uniform.abs()) / 2)


def checked_power(transmit, power, **facts):
    """Check a system that sends with so much mean power."""
    pixels = torch.randint(256, (1000, 1, 8, 8), generator=torch.Generator().manual_seed(5))

    def send(images, source, messages):
        return power**0.5 * transmit(images, source)

    recording = Recording(
        send,
        pixels.to(torch.uint8),
        torch.zeros(1000),
        purpose="test",
        seed=0,
        device=torch.device("cpu"),
    )
    return check_power(
        recording, SystemUnderTest(SystemName("mine"), send, fixed_gain=True, **facts)
    )


@pytest.mark.parametrize(
    ("transmit", "off"),
    # The power of the one message of 32 symbols varies by 10 %.
    [(sixteen_points, 0.05), (laplace, 0.05), (half_of_them_alike, 0.5)],
)
def test_a_mean_power_that_is_five_percent_off_is_refused(transmit, off):
    assert not checked_power(transmit, 1.0)
    for power in (1 + off, 1 - off):
        with pytest.raises(SemveilError, match="mean power of all images"):
            checked_power(transmit, power)


def test_a_gain_set_on_training_images_may_give_others_a_little_more_or_less_power():
    """The codewords of unseen images are used otherwise: a warning up to half a dB."""
    assert not checked_power(sixteen_points, 1.0, trained_gain=True)
    for power in (0.95, 1.05):
        assert checked_power(sixteen_points, power, trained_gain=True)
    for power in (0.85, 1.15):
        with pytest.raises(SemveilError, match="mean power of all images"):
            checked_power(sixteen_points, power, trained_gain=True)
