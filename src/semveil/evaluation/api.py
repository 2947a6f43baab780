"""``semveil.audit``: the audit of a system that was trained elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import UnionType
from typing import Literal

from semveil.adversary.eavesdrop.choice import chosen
from semveil.adversary.eavesdrop.eavesdropper import Eavesdropper
from semveil.adversary.eavesdrop.observations import Transmit, numbered
from semveil.adversary.eavesdrop.perceptual import PerceptualLoss
from semveil.adversary.perturb.attack import Attack
from semveil.channel import Channel, Reception
from semveil.data.splits import Images, ImageSplits
from semveil.device import pick_device
from semveil.eavesdroppers import standard
from semveil.errors import SemveilError
from semveil.evaluation.answer_checks import checked_receiver
from semveil.evaluation.measure import Progress, audit_system
from semveil.evaluation.system import Conditions, SystemUnderTest
from semveil.flags import admissions
from semveil.link import Answer
from semveil.progress import bars, show
from semveil.recipe import AuditConfig
from semveil.records import Record, SystemName
from semveil.report.summary import UNPROTECTED, summary_table
from semveil.result import Result

ASYMMETRIES = ("task", "channel", "key", "knowledge")


def audit(
    transmit: Transmit,
    data: ImageSplits,
    *,
    receive: Callable[[Reception], Answer] | None = None,
    channel: Channel | None = None,
    eve_channel: Channel | None = None,
    bob_snr_db: Sequence[float] = (10.0,),
    eve_snr_db: Sequence[float] = (0.0, 10.0, 20.0),
    eavesdroppers: Literal["standard"] | Sequence[Eavesdropper] | None = None,
    settings: AuditConfig | None = None,
    fixed_gain: bool = False,
    unprotected: Transmit | None = None,
    asymmetry: str | None = None,
    scheme: str = "mine",
    seed: int = 0,
    device: str = "auto",
    perceptual: PerceptualLoss | None = None,
    progress: Progress | None = None,
    quiet: bool = False,
) -> Result:
    """Let fresh eavesdroppers attack a transmitter, under the adaptive protocol.

    The transmitter is admitted first: faults that make figures meaningless, such as a waveform
    that depends on the rest of the batch, end the audit. Flags, progress and the table of results
    are printed unless ``quiet``.

    Args:
        transmit: Images float ``[B, C, H, W]`` in [0, 1] and a ``torch.Generator`` → waveform
            complex ``[B, k]``, for every image of unit mean power per symbol. It may be random,
            through the generator; it must treat each image on its own.
        data: Images, from ``semveil.data.load`` or made by hand; ``transmit`` should not have
            been trained on the adversary's split.
        receive: Bob's receiver, where his figures are wanted: a reception → logits and images.
        channel: Bob's channel; Rayleigh with perfect CSI if omitted.
        eve_channel: Eve's; as Bob's if omitted.
        bob_snr_db: Bob's mean E_s/N_0 values in the test, dB.
        eve_snr_db: Eve's; take some below, at and above Bob's.
        eavesdroppers: Eavesdroppers, such as ``[semveil.eavesdroppers.MLPInference()]``; those
            that the settings name if None, and ``semveil.eavesdroppers.standard()`` if
            ``"standard"``.
        settings: Eavesdroppers and effort; the defaults of the recipes if omitted.
        fixed_gain: Allow powers that are one on average over the images only, not for every image.
        unprotected: The same transmitter without its protection, which is audited too: a failure
            of Eve counts only if she succeeds there.
        asymmetry: What protects the transmitter: ``task``, ``channel``, ``key`` or ``knowledge``;
            without one it counts as unprotected, and no verdict is given.
        scheme: Name in the records.
        seed: Seed of every stream.
        device: ``auto``, ``cpu`` or ``cuda``.
        perceptual: Perceptual loss on a network of your own, for ``settings.losses`` with
            ``perceptual``; by a classifier trained on Eve's images if omitted.
        progress: Called with stage, steps done, steps in all, instead of the progress bars.
        quiet: Print nothing.

    Returns:
        Records and sample pictures.

    Raises:
        SemveilError: If the waveform is not complex ``[B, k]`` of unit power, depends on the rest
            of its batch or differs at the same generator seed, or if SNRs or images are not valid.

    Example:
        >>> import torch
        >>> from semveil import phy
        >>> from semveil.data import load
        >>> def pixels(images, generator):  # the image itself, two pixels a symbol
        ...     pairs = images.flatten(1).unflatten(1, (-1, 2)) - 0.5
        ...     return phy.normalise_power(torch.view_as_complex(pairs.contiguous()))
        >>> from semveil.eavesdroppers import LinearInference
        >>> found = audit(
        ...     pixels, load("digits"), eavesdroppers=[LinearInference()], eve_snr_db=[10.0],
        ...     device="cpu", quiet=True,
        ... )
        >>> found.strongest("accuracy", 10.0).value > 0.5
        True
    """
    expect(data, ImageSplits, "data", 'semveil.data.load("digits")')
    expect(settings, AuditConfig | None, "settings", "semveil.recipe.AuditConfig(max_epochs=20)")
    expect(channel, Channel | None, "channel", 'semveil.channel.Channel("awgn")')
    expect(eve_channel, Channel | None, "eve_channel", 'semveil.channel.Channel("awgn")')
    bob = channel or Channel()
    bob_snrs_db, eve_snrs_db = (
        levels_of(bob_snr_db, "bob_snr_db"),
        levels_of(eve_snr_db, "eve_snr_db"),
    )
    check_images(data)
    setting = Conditions(
        study=None,
        bob=bob,
        eve=eve_channel or bob,
        train_snr_db=None,
        bob_snrs_db=bob_snrs_db,
        eve_snrs_db=eve_snrs_db,
        seed=int(seed),
    )
    bob_receives = receive and checked_receiver(
        receive, data.n_classes, data.image_shape, differentiable=False
    )
    chosen_eves = eavesdroppers_of(eavesdroppers)
    given = settings or AuditConfig()
    if (asymmetry or unprotected) and asymmetry not in ASYMMETRIES:
        raise SemveilError(
            f"asymmetry: expected what protects the transmitter, {', '.join(ASYMMETRIES)}, "
            f"not {asymmetry!r}"
        )
    say = _silent if quiet else show
    systems = [
        SystemUnderTest(
            SystemName(scheme),
            numbered(transmit),
            None if bob_receives is None else lambda reception, _: bob_receives(reception),
            asymmetry=asymmetry,
            fixed_gain=fixed_gain,
        )
    ]
    if unprotected is not None:
        plain = SystemName(scheme, control=UNPROTECTED)
        systems.insert(0, SystemUnderTest(plain, numbered(unprotected), fixed_gain=fixed_gain))
    unused = unused_settings(given, chosen_eves, receive is not None, perceptual)
    if unused:
        say("\n".join(unused))

    def admitted(flags: Sequence[Record]) -> None:
        say("\n".join(line for each in admissions(flags) for line in each.lines()))

    shown = data.test.x[: given.pictures]
    labels = data.test.y[: len(shown)]
    found = Result(samples={"originals": shown, "labels": labels}, classes=data.classes)
    with bars(quiet or progress is not None) as bar:
        for system in systems:
            findings = audit_system(
                system,
                data,
                setting,
                given,
                pick_device(device),
                progress or bar,
                perceptual,
                chosen_eves,
                admitted,
            )
            found.records += findings.records
            found.samples |= findings.samples
    tried = {record.adversary for record in found.records}
    for eve in chosen(given) if chosen_eves is None else chosen_eves:
        if eve.adversary not in tried:
            needs = ", ".join(sorted(eve.needs)).replace("_", " ")
            say(f"left out: {eve.adversary} needs what a transmitter alone does not give ({needs})")
    say(summary_table(found.records))
    return found


def unused_settings(
    settings: AuditConfig,
    eavesdroppers: Sequence[Eavesdropper] | None,
    bob: bool,
    perceptual: PerceptualLoss | None,
) -> list[str]:
    """Return one line per given setting that an audit does not look at."""
    given = settings.model_fields_set
    found = [
        f"ignored: settings.{name}; the argument {name} counts"
        for name in ("bob_snr_db", "eve_snr_db")
        if name in given
    ]
    if eavesdroppers is not None:
        names = ("inference", "inversion", "losses", "perceptual", "attacks")
        found += [
            f"ignored: settings.{name}; the argument eavesdroppers counts"
            for name in names
            if name in given
        ]
    if perceptual is not None and eavesdroppers is None and "perceptual" not in settings.losses:
        found.append("ignored: perceptual; settings.losses does not name it")
    if not bob:
        found.append("no receive: Bob is not measured, and bob_snr_db is ignored")
    return found


def _silent(shown: object) -> None:
    pass


def eavesdroppers_of(
    chosen: Literal["standard"] | Sequence[Eavesdropper] | None,
) -> Sequence[Eavesdropper] | None:
    """Return eavesdroppers as an audit takes them."""
    if chosen == "standard":
        return standard()
    if isinstance(chosen, str | Eavesdropper) or not all(
        isinstance(each, Eavesdropper) for each in chosen or ()
    ):
        raise SemveilError(
            f'eavesdroppers: expected "standard" or objects such as '
            f"semveil.eavesdroppers.MLPInference(), not {chosen!r}"
        )
    return chosen


def expect(given: object, kind: type | UnionType, name: str, example: str) -> None:
    """Refuse an argument of another type."""
    if not isinstance(given, kind):
        raise SemveilError(f"{name}: expected an object such as {example}, not {given!r:.100}")


def attacks_of(attacks: Attack | Sequence[Attack]) -> Sequence[Attack]:
    """Return attacks as an evaluation takes them."""
    found = [attacks] if isinstance(attacks, str | Attack) else list(attacks)
    for attack in found:
        if not isinstance(attack, Attack):
            raise SemveilError(
                f"attacks: expected objects such as semveil.attacks.PGD(), not {attack!r}"
            )
    return found


def levels_of(values: Sequence[float], name: str) -> tuple[float, ...]:
    """Return SNRs as plain floats, each once."""
    try:
        if isinstance(values, str):
            raise TypeError
        levels = tuple(dict.fromkeys(float(value) for value in values))
    except TypeError:
        raise SemveilError(f"{name} must be a sequence of numbers in dB") from None
    except ValueError as error:
        raise SemveilError(f"{name} must be numbers in dB: {error}") from None
    if not levels or not all(math.isfinite(level) for level in levels):
        raise SemveilError(f"{name} needs at least one number, and finite ones")
    return levels


def check_images(data: ImageSplits) -> None:
    """Refuse images that would make an audit meaningless."""
    if data.n_classes < 2:
        raise SemveilError("data: a task needs two classes at least, not one")
    for name in ("adversary", "validation", "test"):
        part: Images = getattr(data, name)
        if not len(part):
            raise SemveilError(f"the {name} images are missing")
        if not 0 <= int(part.y.min()) <= int(part.y.max()) < data.n_classes:
            raise SemveilError(f"{name} labels must lie in 0 … {data.n_classes - 1}")
        if (part.private is None) != (data.private_classes is None):
            raise SemveilError(f"{name}: private labels and private_classes go together")
    known = {row.tobytes() for row in data.adversary.x}
    if any(row.tobytes() in known for row in data.test.x):
        raise SemveilError("the adversary's images and the test images overlap: keep them apart")
