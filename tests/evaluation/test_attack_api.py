"""Attacking a receiver that somebody else built."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import one_hot

import semveil
from semveil.attacks import FGM, PGD, PGM, Attack, BlackBox, Jamming, MinimumPower
from semveil.channel import Channel
from semveil.data import load
from semveil.errors import SemveilError
from semveil.link import Answer, to_waveform
from semveil.recipe import AttackConfig
from semveil.report.attack_rows import attack_rows
from semveil.report.sanity_checks import violations
from semveil.report.select import frame


@pytest.fixture(scope="module")
def system():
    """Ridge regression on the received pixels: a linear receiver that reads digits."""
    data = load("digits")
    x = torch.from_numpy(data.system.x).flatten(1).float() / 255 - 0.5
    sent = torch.view_as_real(to_waveform(x)).flatten(1)
    answers = torch.nn.functional.one_hot(torch.from_numpy(data.system.y)).float()
    ridge = 0.05 * len(sent) * torch.eye(sent.shape[1])
    weights = torch.linalg.solve(sent.T @ sent + ridge, sent.T @ answers)

    def transmit(images, generator):
        return to_waveform(images.flatten(1) - 0.5)

    def receive(reception):
        return Answer(10 * reception.features()[:, :-1] @ weights)

    return data, transmit, receive


def accuracies(found):
    return {
        (record.adversary, record.psr_db): record.value
        for record in found.records
        if record.metric == "accuracy" and record.image_class is None
    }


def test_a_foreign_receiver_falls_to_gradients_and_not_to_noise(system):
    data, transmit, receive = system
    settings = AttackConfig(psr_db=[-20.0, -6.0])
    found = semveil.attack(
        transmit,
        receive,
        data,
        channel=Channel("awgn"),
        snr_db=20.0,
        attacks=[Jamming(), FGM(), PGD(steps=5)],
        settings=settings,
        device="cpu",
    )
    told = accuracies(found)
    assert told[None, None] > 0.85
    assert told["jamming", -6.0] > 0.6
    assert told["fgm", -6.0] < 0.1
    assert told["pgd", -6.0] <= told["fgm", -6.0] + 0.02
    assert told["pgd", -6.0] < told["pgd", -20.0]


def test_without_a_gradient_those_attacks_are_left_out(system):
    data, transmit, receive = system

    def hard(reception):
        answer = receive(reception).logits.detach()
        return Answer(torch.nn.functional.one_hot(answer.argmax(1), 10).float())

    settings = AttackConfig(
        names=["jamming", "pgd", "blackbox"], psr_db=[-6.0], blackbox={"queries": 3}, images=40
    )
    found = semveil.attack(
        transmit, hard, data, settings=settings, differentiable=False, device="cpu"
    )
    assert {record.adversary for record in found.records} == {None, "jamming", "blackbox"}


def decisions(logits):
    return logits.argmax(1)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda logits: Answer(logits * float("nan")), "receive returned logits that are not fin"),
        (lambda logits: Answer(logits / 0), "receive returned logits that are not finite"),
        (
            lambda logits: Answer(decisions(logits)),
            r"logits float \[B, classes\] = \[.*, 10\]",
        ),
        (lambda logits: Answer(logits[:, :9]), r"logits float .* not torch.float32 \[.*, 9\]"),
        (lambda logits: Answer(logits[:1]), r"logits float .* not torch.float32 \[1, 10\]|images"),
        (lambda logits: Answer(logits.flatten()), r"logits float \[B, classes\]"),
        (lambda logits: Answer(logits.detach().numpy()), r"logits float .*, not ndarray"),
        (lambda logits: Answer(one_hot(decisions(logits), 10)), "logits float .* not torch.int64"),
        (lambda logits: Answer(one_hot(decisions(logits), 10).float()), "differentiable=False"),
        (lambda logits: Answer(logits.detach()), "differentiable=False"),
        (lambda logits: Answer(), "must return logits, images or both"),
        (lambda logits: logits, r"must return semveil.link.Answer.*, not Tensor"),
        (lambda logits: Answer(logits, logits), r"images float \[.*, 1, 8, 8\], not torch.float32"),
        (
            lambda logits: Answer(logits, 90 + 0 * pixels(logits)),
            r"images in \[0, 1\].*from 90 to 90",
        ),
        (lambda logits: Answer(logits, pixels(logits).byte()), "images float .* not torch.uint8"),
        (
            lambda logits: Answer(logits, accepted=logits[:, 0]),
            r"accepted bool \[B\] = \[.*\], or None",
        ),
        (
            lambda logits: Answer(logits, accepted=logits > 0),
            r"accepted bool \[B\] = \[.*\], or None",
        ),
    ],
)
def test_answers_that_are_none_are_refused_in_one_line(system, answer, message):
    data, transmit, receive = system
    with pytest.raises(SemveilError, match=message) as error:
        semveil.attack(
            transmit,
            lambda reception: answer(receive(reception).logits),
            data,
            attacks=[FGM()],
            settings=AttackConfig(psr_db=[-6.0], images=20),
            device="cpu",
        )
    assert "\n" not in str(error.value)


def test_a_foreign_receiver_may_say_what_it_accepts(system):
    """Half of the messages are rejected, whatever their answers."""
    data, transmit, receive = system

    def test(reception):
        answer = receive(reception)
        return Answer(answer.logits, accepted=torch.arange(len(answer.logits)) % 2 == 0)

    found = semveil.attack(
        transmit,
        test,
        data,
        attacks=[Jamming()],
        settings=AttackConfig(psr_db=[-6.0], images=200),
        device="cpu",
    )
    bob = [r for r in found.records if r.role == "bob" and r.image_class is None]
    rates = {(r.adversary, r.metric): r.value for r in bob}
    for attack in (None, "jamming"):
        wrong = 1 - rates[attack, "accuracy"]
        assert rates[attack, "rejected_rate"] == 0.5
        assert abs(rates[attack, "undetected_error_rate"] - wrong / 2) < 0.1


def pixels(logits):
    return logits[:, :1, None, None].expand(-1, 1, 8, 8)


def test_an_audit_checks_answers_too(system):
    data, transmit, receive = system
    with pytest.raises(SemveilError, match="receive returned logits that are not finite"):
        semveil.audit(
            transmit,
            data,
            receive=lambda reception: Answer(receive(reception).logits * float("nan")),
            eavesdroppers=[],
            device="cpu",
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda z: 2 * z, "SNR would be 6.0 dB off"),
        (lambda z: z * float("nan"), "transmit returned numbers that are not finite"),
        (lambda z: z.real, r"transmit must return complex \[.*, k\], not torch.float32"),
        (lambda z: z[:, 0], "transmit must return complex"),
    ],
)
def test_an_attack_checks_waveforms_too(system, change, message):
    data, transmit, receive = system
    with pytest.raises(SemveilError, match=message):
        semveil.attack(
            lambda images, source: change(transmit(images, source)),
            receive,
            data,
            attacks=[Jamming()],
            settings=AttackConfig(psr_db=[-6.0], images=20),
            device="cpu",
        )


def test_perturbations_that_do_not_fit_the_memory_are_refused(system, monkeypatch):
    data, transmit, receive = system
    monkeypatch.setattr("semveil.device.free_bytes", lambda: 1000)
    with pytest.raises(SemveilError, match=r"perturbations of 20 images at 1 budgets .*batch"):
        semveil.attack(
            transmit,
            receive,
            data,
            attacks=[Jamming()],
            settings=AttackConfig(psr_db=[-6.0], images=20),
            device="cpu",
        )


def test_generators_that_do_not_fit_the_memory_are_refused(system, monkeypatch):
    data, transmit, receive = system
    monkeypatch.setattr("semveil.device.free_bytes", lambda: 2_000_000)
    stages = []
    with pytest.raises(SemveilError, match=r"the networks of pgm take .* leave this attack out"):
        semveil.attack(
            transmit,
            receive,
            data,
            attacks=[Jamming(), PGM()],
            settings=AttackConfig(psr_db=[-6.0], images=20),
            device="cpu",
            progress=lambda *stage: stages.append(stage),
        )
    assert not stages


class Own(Attack):
    """An attack that is not registered, and returns what it is told to."""

    name = "own"

    def craft(self, victim, incoming, psrs_db, source):
        signal = incoming.arrival.signal
        return self.returned(torch.ones_like(signal).expand(len(psrs_db), *signal.shape))


def test_an_attack_of_ones_own_needs_no_registration(system):
    data, transmit, receive = system
    settings = AttackConfig(psr_db=[-6.0], images=20)
    attack = Own()
    attack.returned = lambda deltas: deltas
    found = semveil.attack(
        transmit, receive, data, attacks=[attack], settings=settings, device="cpu"
    )
    assert {record.adversary for record in found.records} == {None, "own"}


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda deltas: deltas[0], r"own: craft returns torch.complex64 \[20, 32\], expected"),
        (lambda deltas: deltas.real, r"own: craft returns torch.float32 \[1, 20, 32\]"),
        (lambda deltas: None, "own: craft returns .*NoneType"),
        (lambda deltas: deltas * float("nan"), "own: craft returns NaN or infinity"),
        (lambda deltas: deltas / 0, "own: craft returns NaN or infinity"),
    ],
)
def test_a_perturbation_of_the_wrong_form_is_refused(system, returned, message):
    data, transmit, receive = system
    attack = Own()
    attack.returned = returned
    with pytest.raises(SemveilError, match=message):
        semveil.attack(
            transmit,
            receive,
            data,
            attacks=[attack],
            settings=AttackConfig(psr_db=[-6.0], images=20),
            device="cpu",
        )


def attacked(system, *attacks, **settings):
    data, transmit, receive = system
    return semveil.attack(
        transmit,
        receive,
        data,
        channel=Channel("awgn"),
        snr_db=20.0,
        attacks=attacks,
        settings=AttackConfig(images=100, **settings),
        device="cpu",
    ).records


def test_the_least_power_leaves_quantiles_and_a_curve(system):
    records = attacked(
        system, MinimumPower(steps=5), PGD(steps=5), psr_db=[-50.0, -20.0, -14.0, 10.0]
    )
    found = {one.metric: one for one in records if one.metric.startswith("minimum_psr_db")}
    quantiles = [found[f"minimum_psr_db{q}"].value for q in ("_p5", "_p25", "", "_p75", "_p95")]
    assert quantiles == sorted(quantiles)
    assert quantiles[0] < quantiles[-1] - 3
    assert found["minimum_psr_db"].ci_low < quantiles[2] < found["minimum_psr_db"].ci_high
    right = {
        (one.adversary, one.psr_db): one.value
        for one in records
        if one.metric == "accuracy" and one.image_class is None
    }
    assert right["minimum-power", -50.0] == pytest.approx(right[None, None], abs=0.03)
    assert right["minimum-power", 10.0] == 0
    # As strong as an attack that fills the budget.
    for psr_db in (-20.0, -14.0):
        assert right["minimum-power", psr_db] <= right["pgd", psr_db] + 0.03
    # Half of what Bob understands is lost at the median.
    clean = found["minimum_psr_db"].n / 100
    again = attacked(system, MinimumPower(steps=5), psr_db=[quantiles[2]])
    (half,) = (
        one.value
        for one in again
        if one.metric == "accuracy" and one.image_class is None and one.adversary is not None
    )
    assert half == pytest.approx(clean / 2, abs=0.03)


def test_the_black_box_leaves_its_course(system):
    records = attacked(system, BlackBox(queries=100, curve=[20, 50, 400]), psr_db=[-12.0])
    right = {one.metric: one.value for one in records if one.adversary == "blackbox"}
    course = [
        right[name]
        for name in ("accuracy_after_20_queries", "accuracy_after_50_queries", "accuracy")
    ]
    assert course == sorted(course, reverse=True)
    assert course[0] > course[-1]
    assert "accuracy_after_400_queries" not in right


@pytest.mark.parametrize(("psr_db", "flagged"), [([0.0, 6.0], True), ([-40.0, 6.0], False)])
def test_budgets_at_which_nothing_survives_are_flagged(system, psr_db, flagged):
    records = attacked(system, PGD(steps=5), psr_db=psr_db)
    assert [one.adversary for one in records if one.metric == "saturated"] == ["pgd"] * flagged
    said = violations(attack_rows(frame(records)))
    assert any("ranks no links" in one for one in said) is flagged


def test_attacks_that_records_cannot_tell_apart_are_refused(system):
    data, transmit, receive = system
    attacks = [PGD(steps=2), PGD(steps=4)]
    with pytest.raises(SemveilError, match="two attacks have the name 'pgd'"):
        semveil.attack(transmit, receive, data, attacks=attacks, device="cpu")
    with pytest.raises(SemveilError, match="Attack has no name"):
        type("MyAttack", (Attack,), {"craft": Own.craft})()


def test_a_class_that_is_not_there_is_refused(system):
    data, transmit, receive = system
    with pytest.raises(SemveilError, match="there is no class 10"):
        semveil.attack(
            transmit, receive, data, settings=AttackConfig(target_class=10), device="cpu"
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attacks": ["pgd"]}, "attacks: expected objects such as semveil.attacks.PGD"),
        ({"attacks": [PGD]}, "attacks: expected objects such as semveil.attacks.PGD"),
        ({"snr_db": float("nan")}, "snr_db needs at least one number, and finite ones"),
        ({"channel": "awgn"}, "channel: expected an object such as"),
        ({"settings": {}}, "settings: expected an object such as"),
    ],
)
def test_arguments_of_another_kind_are_refused(system, change, message):
    data, transmit, receive = system
    given = {"attacks": [Jamming()], "device": "cpu"} | change
    with pytest.raises(SemveilError, match=message) as error:
        semveil.attack(transmit, receive, data, **given)
    assert "\n" not in str(error.value)
