"""What all records of an audit have in common: system, conditions, images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from semveil.adversary.eavesdrop.eavesdropper import Eavesdropper
from semveil.adversary.eavesdrop.observations import Recording
from semveil.adversary.eavesdrop.trainer import Effort
from semveil.data.splits import ImageSplits
from semveil.evaluation.system import Conditions, SystemUnderTest
from semveil.evaluation.tasks import GuessingTask, tasks_of
from semveil.link import as_float
from semveil.metrics import Estimate, bootstrap_mean, image_metrics, psnr_db
from semveil.metrics.floors import image_floor
from semveil.recipe import AuditConfig
from semveil.records import Record
from semveil.rng import generator

Progress = Callable[[str, int, int], None]
# On whole test sets these metrics would take longer than the eavesdroppers.
SAMPLE = 2000


@dataclass
class Findings:
    """Everything measured on one system.

    Attributes:
        records: The numbers.
        samples: Arrays for pictures: ``bob/<system>``, ``eve/<system>`` uint8
            ``[N, C, H, W]`` and ``waveform/<system>`` complex64 ``[M]``.
        eavesdroppers: By target, ``label`` or ``image``, the strongest who learned from receptions
            alone.
    """

    records: list[Record] = field(default_factory=list)
    samples: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)
    eavesdroppers: dict[str, Eavesdropper] = field(default_factory=dict)


class Recorder:
    """One system under audit; turns its figures into records.

    Args:
        system: The system.
        splits: All parties' images.
        setting: Channels, SNRs, seed.
        settings: Eavesdroppers, their effort, metrics.
        test: What the system sent of the test images.
        progress: Called with the name of a stage, the steps done, and the steps in all.
    """

    def __init__(
        self,
        system: SystemUnderTest,
        splits: ImageSplits,
        setting: Conditions,
        settings: AuditConfig,
        test: Recording,
        progress: Progress = lambda stage, done, total: None,
    ) -> None:
        self.system, self.splits, self.setting, self.settings = system, splits, setting, settings
        self.test, self.progress = test, progress
        self.effort = Effort(
            settings.max_epochs, settings.patience, settings.batch, settings.rounds
        )
        self.metrics = image_metrics(settings.metrics, "audit.metrics")
        self.originals = as_float(test.images)
        # Eve's reconstructions are of these alone: floors of other images do not compare.
        self.compared = self.originals[: settings.images]
        self.task, self.wanted = tasks_of(splits, setting.seed)
        self.findings = Findings()

    def record(self, role: str, metric: str, estimate: Estimate, **fields: Any) -> Record:
        """Return a figure as a record."""
        uses = self.test.waveforms.shape[1]
        # Where Eve is after something else than Bob's task, that is the asymmetry.
        other = None if self.wanted is self.task else "task"
        asymmetry = fields.pop("asymmetry", self.system.asymmetry or other)
        return Record.of(
            self.system.name,
            estimate,
            study=self.setting.study,
            dataset=self.splits.name,
            channel=(self.setting.eve if role == "eve" else self.setting.bob).name,
            train_snr_db=self.setting.train_snr_db,
            latent_dim=2 * uses,
            bandwidth_ratio=uses / self.originals[0].numel(),
            role=role,
            asymmetry=asymmetry,
            psr_db=self.system.psr_db,
            metric=metric,
            seed=self.setting.seed,
            **fields,
        )

    def guesses(
        self,
        role: str,
        question: GuessingTask,
        right: Tensor,
        of: str = "{}",
        among_equals: Tensor | None = None,
        **fields: Any,
    ) -> Iterator[Record]:
        """Yield the metrics of guesses at the first test images; see :class:`GuessingTask`."""
        if role == "eve" and question is self.task and self.system.asymmetry == "task":
            # What protects the image does not protect the label, which Bob shall get.
            fields = {"asymmetry": None, **fields}
        for metric, estimate in question.score(right, among_equals):
            yield self.record(role, of.format(metric), estimate, target=question.name, **fields)

    def image(self, role: str, images: Tensor, **fields: Any) -> Iterator[Record]:
        """Yield the quality of reconstructions of the first test images, float ``[N, …]``."""
        for metric in self.metrics:
            some = images[: metric.sample]
            values = metric(some, self.originals[: len(some)])
            for name, estimate in metric.estimates(values, self.setting.seed).items():
                yield self.record(role, name, estimate, target="image", **fields)

    def keep(self, role: str, images: Tensor) -> None:
        """Keep the first reconstructions for the pictures."""
        shown = images[: self.settings.pictures].float().clamp(0, 1)
        pixels = (shown * 255).round().to(torch.uint8).cpu().contiguous().numpy()
        self.findings.samples[f"{role}/{self.system.name.label}"] = pixels

    def hearing(self, snr_db: float) -> torch.Generator:
        """Return the fading and noise of Eve's test at one SNR: the same for every Eve."""
        return generator(self.setting.seed, "eve", str(float(snr_db)), device=self.test.device)

    def floors(self) -> Iterator[Record]:
        """Yield what a party reaches who receives nothing: majority class, constant image."""
        for question in {q.name: q for q in (self.task, self.wanted)}.values():
            for metric, estimate in question.floors():
                yield self.record("system", metric, estimate, target=question.name)
        if self.setting.bob.overhead:
            share = self.setting.bob.overhead_share(self.test.waveforms.shape[1])
            n = len(self.test)
            yield self.record("system", "pilot_overhead", Estimate(share, share, share, n))
        mean = torch.from_numpy(self.splits.adversary.x.mean(0) / 255).float()
        originals, seed = self.compared, self.setting.seed
        mean = mean.to(originals)
        quality = bootstrap_mean(psnr_db(mean.expand_as(originals), originals), seed)
        yield self.record("system", "psnr_mean_image_db", quality, target="image")
        for kind in self.metrics:
            floor = image_floor(kind, mean, originals, seed)
            yield self.record("system", kind.floors[0], floor, target="image")
