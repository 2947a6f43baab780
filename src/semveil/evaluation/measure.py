"""The audit of one system: what Bob gets, and what every Eve gets, as records."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from semveil.adversary.eavesdrop.choice import chosen
from semveil.adversary.eavesdrop.eavesdropper import Eavesdropper
from semveil.adversary.eavesdrop.observations import Intercepts
from semveil.adversary.eavesdrop.perceptual import PerceptualLoss
from semveil.data.splits import ImageSplits
from semveil.evaluation.admission import admit
from semveil.evaluation.bob import bob
from semveil.evaluation.eavesdroppers import FreshEavesdroppers, simulated
from semveil.evaluation.leakage import Leakage
from semveil.evaluation.privacy_budget import privacy_budget
from semveil.evaluation.recorder import Findings, Progress, Recorder
from semveil.evaluation.signal_checks import recorded
from semveil.evaluation.system import Conditions, SystemUnderTest
from semveil.recipe import AuditConfig
from semveil.records import Record

__all__ = ["Findings", "Progress", "audit_system"]


def audit_system(
    system: SystemUnderTest,
    splits: ImageSplits,
    setting: Conditions,
    settings: AuditConfig,
    device: torch.device,
    progress: Progress | None = None,
    perceptual: PerceptualLoss | None = None,
    eavesdroppers: Sequence[Eavesdropper] | None = None,
    on_admission: Callable[[Sequence[Record]], None] = lambda flags: None,
) -> Findings:
    """Measure one system under both protocols.

    The system is admitted first (see :mod:`semveil.flags`); ``on_admission`` is told its flags.
    Bob is scored on the official test set. Under the paper protocol the system's own simulated
    Eve is scored as she is. Under the adaptive protocol the system is frozen, fresh eavesdroppers
    are trained on images that it was not trained on, and the leakage figures that the settings
    name are added.
    """
    test = recorded(system.transmit, splits.test, "test", setting.seed, device)
    adversary, validation = (
        recorded(system.transmit, part, name, setting.seed, device, test.waveforms.shape[1])
        for name, part in (("adversary", splits.adversary), ("validation", splits.validation))
    )
    case = Recorder(system, splits, setting, settings, test, progress or _silent)
    case.findings.records += admit(case)
    on_admission(case.findings.records)
    training, listening = (Intercepts(part, setting.eve) for part in (adversary, validation))
    leakage = Leakage(case, training, listening, perceptual)
    for figures in (
        case.floors(),
        leakage.ends(),
        bob(case),
        simulated(case, leakage),
        FreshEavesdroppers(case, leakage, adversary, validation).run(
            chosen(settings, system.permutes) if eavesdroppers is None else eavesdroppers
        ),
        leakage.information(),
        leakage.fisher(),
        privacy_budget(case),
    ):
        case.findings.records += figures
    kept = test.waveforms.flatten()[:2000]
    case.findings.samples[f"waveform/{system.name.label}"] = kept.cpu().numpy()
    return case.findings


def measure_bob(
    system: SystemUnderTest,
    splits: ImageSplits,
    setting: Conditions,
    settings: AuditConfig,
    device: torch.device,
) -> list[Record]:
    """Return the records of Bob and of the floors alone, as :func:`audit_system` makes them."""
    test = recorded(system.transmit, splits.test, "test", setting.seed, device)
    case = Recorder(system, splits, setting, settings, test)
    return [*case.floors(), *bob(case)]


def _silent(stage: str, done: int, total: int) -> None:
    pass
