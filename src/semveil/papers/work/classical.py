"""What the classical chain shows at each SNR; nothing is trained for it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from semveil.baseline.adaptive import Mode, best, quality, systems_of
from semveil.baseline.codec import Pixels
from semveil.baseline.system import ImageSystem
from semveil.channel import channel_of
from semveil.data.splits import ImageSplits
from semveil.experiment.jobs import Job, JobContext, read_images, write_results
from semveil.metrics import (
    Estimate,
    bootstrap_mean,
    bootstrap_quantile,
    psnr_db,
    ssim,
    wilson,
)
from semveil.records import Record, SystemName
from semveil.rng import generator
from semveil.schemes.classical import Classical

VALIDATION = 100
"""Validation images that modes are chosen by."""
_BATCH = 1000


def measure(folder: Path, job: Job, context: JobContext) -> None:
    """Measure the one mode that a job's recipe names."""
    _measure(folder, job, context, whole=False)


def measure_whole(folder: Path, job: Job, context: JobContext) -> None:
    """Measure the same with every file sent as it is, headers included."""
    _measure(folder, job, context, whole=True)


def _measure(folder: Path, job: Job, context: JobContext, whole: bool) -> None:
    started, bench = time.monotonic(), _Bench(job, context)
    system = Classical(job.recipe).system(bench.splits.image_shape)
    system = replace(system, codec=replace(system.codec, whole=whole))
    write_results(folder, job, context, [*bench.about(system), *bench.curve(system)], started)


def adapt(folder: Path, job: Job, context: JobContext) -> None:
    """Measure the best mode at each SNR, chosen on validation images under fading of their own."""
    started, bench = time.monotonic(), _Bench(job, context)
    system = Classical(job.recipe).system(bench.splits.image_shape)
    validation = bench.splits.validation.x[:VALIDATION]
    systems = systems_of(system.codec, system.layer.channel_uses)
    records: list[Record] = []
    for snr_db in bench.snrs_db:
        chosen = bench.choose(systems, validation, snr_db)
        records += bench.shown(systems[chosen], snr_db)
        for metric, value in (("modulation_order", chosen.order), ("code_rate", chosen.rate)):
            exact = Estimate(value, value, value, len(validation))
            records.append(bench.record("system", metric, exact, test_snr_db=snr_db))
    write_results(folder, job, context, records, started)


class _Bench:
    """A job's images and channel."""

    def __init__(self, job: Job, context: JobContext) -> None:
        self.job, self.study, self.tell = job, context.study, context.progress
        self.splits: ImageSplits = context.splits or read_images(job, context)
        self.images: Pixels = self.splits.test.x[: job.recipe.audit.images]
        self.fallback = self.splits.system.x.mean(0).round().astype(np.uint8)
        self.channel = channel_of(job.recipe.bob)
        self.snrs_db = job.recipe.audit.bob_snr_db

    def choose(
        self, systems: Mapping[Mode, ImageSystem], validation: Pixels, snr_db: float
    ) -> Mode:
        """Return the mode that shows the best validation images; fading is the same for all."""
        scope = self.job.seed, "modes", str(float(snr_db))
        return best(
            {
                mode: quality(
                    system, validation, self.channel, snr_db, self.fallback, generator(*scope)
                )
                for mode, system in systems.items()
            }
        )

    def curve(self, system: ImageSystem) -> Iterator[Record]:
        """Return the quality of the test images at every SNR."""
        for done, snr_db in enumerate(self.snrs_db, start=1):
            yield from self.shown(system, snr_db)
            if self.tell:
                self.tell("SNRs", done, len(self.snrs_db))

    def shown(self, system: ImageSystem, snr_db: float) -> Iterator[Record]:
        """Return the quality of the test images at one SNR."""
        source = generator(self.job.seed, "classical", str(float(snr_db)))
        parts = []
        for start in range(0, len(self.images), _BATCH):
            waveform = system.send(self.images[start : start + _BATCH])
            heard = self.channel(waveform, snr_db, generator=source)
            parts.append(system.receive(heard, self.fallback))
        seen, arrived = np.concatenate([s for s, _ in parts]), torch.cat([a for _, a in parts])
        yield from self.quality(seen, test_snr_db=snr_db)
        lost = wilson(int((~arrived).sum()), len(arrived))
        yield self.record("bob", "lost_rate", lost, target="image", test_snr_db=snr_db)

    def about(self, system: ImageSystem) -> Iterator[Record]:
        """Return what a system sends, and what it would show without errors."""
        payloads = system.source(self.images)
        spent = torch.tensor([float(len(payload or b"")) for payload in payloads])
        yield self.record("system", "payload_bytes", bootstrap_mean(spent))
        for metric, value in (
            ("payload_bytes_max", system.layer.payload_bytes),
            ("framing_bytes", system.codec.framing.n_bytes),
        ):
            yield self.record("system", metric, Estimate(value, value, value, 1))
        seen, fitted = system.shown(payloads, self.fallback)
        misfits = wilson(int((~fitted).sum()), len(fitted))
        yield self.record("system", "lost_rate", misfits, target="image")
        yield from self.quality(seen)

    def quality(self, seen: Pixels, test_snr_db: float | None = None) -> Iterator[Record]:
        """Return PSNR and SSIM of images; without an SNR, those of the codec alone."""
        shown, sent = (torch.from_numpy(each) / 255 for each in (seen, self.images))
        apiece = psnr_db(shown, sent)
        alike: Tensor = ssim(shown, sent)
        role = "system" if test_snr_db is None else "bob"
        for metric, estimate in (
            ("psnr_db", bootstrap_mean(apiece, self.job.seed)),
            ("psnr_db_p5", bootstrap_quantile(apiece, 0.05)),
            ("ssim", bootstrap_mean(alike, self.job.seed)),
        ):
            yield self.record(role, metric, estimate, target="image", test_snr_db=test_snr_db)

    def record(
        self,
        role: str,
        metric: str,
        found: Estimate,
        target: str | None = None,
        test_snr_db: float | None = None,
    ) -> Record:
        """Return one number as a record."""
        uses = self.job.recipe.link.latent_dim // 2
        return Record.of(
            SystemName("classical"),
            found,
            study=self.study,
            dataset=self.splits.name,
            channel=self.channel.name,
            test_snr_db=test_snr_db,
            latent_dim=2 * uses,
            bandwidth_ratio=uses / self.images[0].size,
            role=role,
            target=target,
            metric=metric,
            seed=self.job.seed,
        )
