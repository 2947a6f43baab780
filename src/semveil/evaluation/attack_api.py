"""``semveil.attack``: attacks on the receiver of a system that was trained elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from semveil.adversary.eavesdrop.observations import Transmit, numbered
from semveil.adversary.perturb.attack import Attack, chosen
from semveil.channel import Channel, Reception
from semveil.data.splits import ImageSplits
from semveil.device import pick_device
from semveil.evaluation.admission import admit
from semveil.evaluation.answer_checks import checked_receiver
from semveil.evaluation.api import attacks_of, check_images, expect, levels_of
from semveil.evaluation.attack_records import Progress, attack_system
from semveil.evaluation.recorder import Recorder
from semveil.evaluation.signal_checks import checked_transmitter, recorded
from semveil.evaluation.system import Conditions, SystemUnderTest
from semveil.flags import FLAGS
from semveil.link import Answer
from semveil.recipe import AttackConfig, AuditConfig
from semveil.records import SystemName
from semveil.result import Result


def attack(
    transmit: Transmit,
    receive: Callable[[Reception], Answer],
    data: ImageSplits,
    *,
    attacks: Sequence[Attack] | None = None,
    channel: Channel | None = None,
    snr_db: float = 10.0,
    settings: AttackConfig | None = None,
    differentiable: bool = True,
    fixed_gain: bool = False,
    scheme: str = "mine",
    seed: int = 0,
    device: str = "auto",
    progress: Progress | None = None,
) -> Result:
    """Attack a receiver over the air, by every attack at every budget.

    Args:
        transmit: Images float ``[B, C, H, W]`` in [0, 1] and a ``torch.Generator`` → waveform
            complex ``[B, k]`` of unit mean power per symbol.
        receive: A reception → logits and, if there are any, images; in evaluation mode, with its
            parameters frozen.
        data: Images, from ``semveil.data.load`` or made by hand; attacks are fitted on the
            adversary's split.
        attacks: Attacks; those that the settings name if omitted.
        channel: Bob's channel; Rayleigh with perfect CSI if omitted.
        snr_db: His mean E_s/N_0, dB, unless the settings have one.
        settings: Budgets, goal, numbers of images; the defaults of the recipes if omitted.
        differentiable: Whether the answer has a gradient at what is received; attacks that need
            one are left out otherwise.
        fixed_gain: Allow powers that are one on average only, not for every image.
        scheme: Name in the records.
        seed: Seed of every stream.
        device: ``auto``, ``cpu`` or ``cuda``.
        progress: Called with the name of a stage, the steps done, and the steps in all.

    Returns:
        Records: Bob's accuracy and image quality without and with each attack.

    Raises:
        SemveilError: If images are missing, a class is not there, the waveform is not complex
            ``[B, k]`` of unit power, depends on the rest of its batch or differs at the same
            generator seed, or an answer is not finite, has another form or, unless
            ``differentiable`` is false, no gradient.

    Example:
        >>> import torch
        >>> from semveil import phy
        >>> from semveil.data import load
        >>> mixing = torch.randn(64, 10, generator=torch.Generator().manual_seed(0))
        >>> def pixels(images, generator):  # the image itself, two pixels a symbol
        ...     pairs = images.flatten(1).unflatten(1, (-1, 2)) - 0.5
        ...     return phy.normalise_power(torch.view_as_complex(pairs.contiguous()))
        >>> def guess(reception):
        ...     return Answer(reception.features()[:, :-1] @ mixing)
        >>> from semveil.attacks import FGM, Jamming
        >>> quick = AttackConfig(psr_db=[-10.0], images=50)
        >>> found = attack(
        ...     pixels, guess, load("digits"), attacks=[Jamming(), FGM()], settings=quick,
        ...     device="cpu",
        ... )
        >>> sorted({record.adversary for record in found.records if record.adversary})
        ['fgm', 'jamming']
    """
    expect(data, ImageSplits, "data", 'semveil.data.load("digits")')
    expect(settings, AttackConfig | None, "settings", "semveil.recipe.AttackConfig(images=200)")
    expect(channel, Channel | None, "channel", 'semveil.channel.Channel("awgn")')
    check_images(data)
    (snr_db,) = levels_of([snr_db], "snr_db")
    bob = channel or Channel()
    setting = Conditions(
        study=None,
        bob=bob,
        eve=bob,
        train_snr_db=None,
        bob_snrs_db=(snr_db,),
        eve_snrs_db=(snr_db,),
        seed=int(seed),
    )
    settings = settings or AttackConfig()
    if settings.snr_db is None:
        settings = settings.model_copy(update={"snr_db": float(snr_db)})
    bob_receives = checked_receiver(receive, data.n_classes, data.image_shape, differentiable)
    system = SystemUnderTest(
        SystemName(scheme),
        checked_transmitter(numbered(transmit), "attacked"),
        lambda reception, _: bob_receives(reception),
        differentiable=differentiable,
        fixed_gain=fixed_gain,
    )
    place = pick_device(device)
    sent = data.test.take(range(min(len(data.test), settings.images)))
    recording = recorded(system.transmit, sent, "test", setting.seed, place)
    case = Recorder(system, data, setting, AuditConfig(), recording)
    flags = [record for record in admit(case) if record.metric in FLAGS]
    findings = attack_system(
        system,
        data,
        setting,
        chosen(settings) if attacks is None else attacks_of(attacks),
        settings,
        place,
        progress,
    )
    records = [*flags, *findings.records]
    return Result(records, findings.samples, classes=data.classes)
