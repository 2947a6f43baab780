"""What the Eves get who learn from receptions: the simulated one, and fresh ones."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from semveil.adversary.eavesdrop.fit import INFERENCE, INVERSION, Goal, fit_eavesdropper, listen
from semveil.adversary.eavesdrop.observations import Intercepts
from semveil.adversary.eavesdrop.perceptual import perceptual_inversion
from semveil.evaluation.leakage import Leakage
from semveil.evaluation.recorder import Recorder
from semveil.records import Record


def simulated(case: Recorder, leakage: Leakage) -> Iterator[Record]:
    """The simulated Eve, if there is one, as the system's training left her."""
    test = Intercepts(case.test, case.setting.eve)
    for snr_db in case.setting.eve_snrs_db:
        fields: dict[str, Any] = {"test_snr_db": snr_db, "protocol": "paper"}
        if case.system.paper_eve is not None:
            logits = listen(case.system.paper_eve, test, snr_db, case.hearing(snr_db))
            fields["adversary"] = "inference/simulated"
            # She was trained along with the link, whose training knows Bob's task alone.
            yield from case.guesses("eve", case.task, case.task.right(logits), **fields)
        if case.system.paper_inverter is not None:
            images = listen(
                case.system.paper_inverter,
                test,
                snr_db,
                case.hearing(snr_db),
                case.settings.images,
            )
            fields["adversary"] = "inversion/simulated"
            yield from case.image("eve", images, **fields)
            yield from leakage.image(images, **fields)


def goals(case: Recorder, leakage: Leakage) -> Iterator[tuple[Goal, str]]:
    """What the fresh Eves are after, and their capacities."""
    for capacity in case.settings.inference:
        yield INFERENCE, capacity
    if "mse" in case.settings.losses:
        for architecture in case.settings.inversion:
            yield INVERSION, architecture
    if "perceptual" in case.settings.losses and case.settings.inversion:
        goal = perceptual_inversion(leakage.perceptual)
        for architecture in case.settings.perceptual:
            yield goal, architecture


def fresh(
    case: Recorder, leakage: Leakage, training: Intercepts, validation: Intercepts
) -> Iterator[Record]:
    """Fresh Eves, each at each of her SNRs."""
    test = Intercepts(case.test, case.setting.eve)
    best = -1.0
    middle = sorted(case.setting.eve_snrs_db)[len(case.setting.eve_snrs_db) // 2]
    for goal, capacity in goals(case, leakage):
        adversary = goal.adversary(capacity)
        stage = f"{case.system.name.label}: Eve {adversary}"
        network = fit_eavesdropper(
            goal,
            capacity,
            training,
            validation,
            case.setting.eve_snrs_db,
            case.wanted.classes,
            case.effort,
            case.setting.seed,
            partial(case.progress, stage),
        )
        case.progress(stage, 1, 1)
        for snr_db in case.setting.eve_snrs_db:
            most = None if goal is INFERENCE else case.settings.images
            output = listen(network, test, snr_db, case.hearing(snr_db), most)
            fields: dict[str, Any] = {
                "test_snr_db": snr_db,
                "protocol": "adaptive",
                "adversary": adversary,
            }
            if goal is INFERENCE:
                right = case.wanted.right(output)
                yield from case.guesses("eve", case.wanted, right, **fields)
                continue
            records = list(case.image("eve", output, **fields))
            yield from records
            yield from leakage.image(output, **fields)
            if snr_db == middle and records[0].value > best:
                best = records[0].value
                case.inverter = network
                case.keep("eve", output)
