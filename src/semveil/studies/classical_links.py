"""MobileSC at every SNR, under SemAdv and hardened: the semantic half of the comparison."""

from __future__ import annotations

import time
from pathlib import Path

from semveil.adversary.perturb.attack import chosen
from semveil.evaluation.attack_records import attack_system, fit_attacks
from semveil.evaluation.system import SystemUnderTest
from semveil.experiment.checkpoint_cache import train_or_load
from semveil.experiment.jobs import JobContext, begin, write_results
from semveil.experiment.run import Run
from semveil.records import Record
from semveil.studies.base import Job
from semveil.studies.robustness import hardened

_KEPT = ("psnr_db", "ssim", "accuracy")


def measure(folder: Path, job: Job, means: JobContext) -> None:
    """Measure the plain and the hardened link at every SNR, in peace and under SemAdv.

    SemAdv is trained on the plain link, at the SNR that it was trained for, as in the paper.

    Raises:
        SemveilError: As runs and attacks.
    """
    started = time.monotonic()
    plain = begin(folder / "plain", job, means)
    train_or_load(plain, means.links, means.progress)
    mixed = hardened(folder, "semmixed", plain, means)
    attack, device = job.recipe.attack, plain.hardware.device
    attacks = fit_attacks(
        _system(plain, means),
        plain.splits,
        plain.setting(),
        chosen(attack),
        attack,
        device,
        means.progress,
    )
    records: list[Record] = []
    for run in (plain, mixed):
        system = _system(run, means)
        for snr_db in job.recipe.audit.bob_snr_db:
            settings = attack.model_copy(update={"snr_db": snr_db})
            found = attack_system(
                system,
                run.splits,
                run.setting(),
                attacks,
                settings,
                device,
                means.progress,
                fit=False,
            )
            records += [record for record in found.records if record.metric in _KEPT]
    write_results(folder, job, means, records, started)


def _system(run: Run, means: JobContext) -> SystemUnderTest:
    return run.links(run.train(means.progress))[0].under_test()
