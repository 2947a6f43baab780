"""The audit of one system: what Bob gets, and what every Eve gets, as records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from semveil.adversary.eavesdrop.fit import (
    INFERENCE,
    INVERSION,
    Effort,
    Goal,
    fit_eavesdropper,
    listen,
)
from semveil.adversary.eavesdrop.intercepts import Intercepts, Recording, Send
from semveil.auditing.system import Setting, System
from semveil.data.splits import Images, ImageSplits
from semveil.errors import SemveilError
from semveil.link import as_float
from semveil.metrics import Estimate, bootstrap_mean, bootstrap_quantile, psnr_db, ssim, wilson
from semveil.phy import average_power
from semveil.recipe import Audit
from semveil.records import Record
from semveil.rng import generator

Progress = Callable[[str, int, int], None]
_POWER_TOLERANCE_DB = 0.1
# SSIM of a whole test set would cost as much as an Eve; its records carry this sample size.
_SSIM_IMAGES = 2000


@dataclass
class Findings:
    """Everything measured on one system.

    Attributes:
        records: The numbers.
        samples: Arrays for pictures: ``bob/<scheme>``, ``eve/<scheme>`` uint8
            ``[N, C, H, W]`` and ``waveform/<scheme>`` complex64 ``[M]``.
    """

    records: list[Record] = field(default_factory=list)
    samples: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)


def audit_system(
    system: System,
    splits: ImageSplits,
    setting: Setting,
    settings: Audit,
    device: torch.device,
    progress: Progress | None = None,
) -> Findings:
    """Measure one system under both protocols.

    Bob is scored on the official test set. Under the paper protocol the system's own simulated
    Eve is scored as she is. Under the adaptive protocol the system is frozen, and fresh Eves of
    every capacity are trained on images that it was not trained on.

    Args:
        system: What is audited.
        splits: Images; Eve trains on ``adversary``, stops early on ``validation``.
        setting: Channels, SNRs, seed.
        settings: Capacities and effort of the Eves.
        device: Where everything is computed.
        progress: Told ``(what is going on, done, in all)``.

    Returns:
        Records and sample pictures.

    Raises:
        SemveilError: If the waveform is not ``[B, k]`` complex of the declared power.
    """

    def record_set(images: Images, name: str) -> Recording:
        return Recording(
            _checked(system.transmit, name),
            torch.from_numpy(images.x),
            torch.from_numpy(images.y),
            purpose=name,
            seed=setting.seed,
            device=device,
            copies=1 if name == "test" else 8,
        )

    test = record_set(splits.test, "test")
    _check_power(test, system)
    measured = _Measurement(system, splits, setting, settings, test, progress or _silent)
    findings = measured.findings
    findings.records += measured.floors()
    if system.receive is not None:
        findings.records += measured.bob()
    findings.records += measured.simulated()
    training = Intercepts(record_set(splits.adversary, "adversary"), setting.eve)
    validation = Intercepts(record_set(splits.validation, "validation"), setting.eve)
    for goal, capacities in ((INFERENCE, settings.inference), (INVERSION, settings.inversion)):
        findings.records += measured.fresh(goal, capacities, training, validation)
    kept = test.waveforms[0].flatten()[:2000]
    findings.samples[f"waveform/{system.scheme}"] = kept.cpu().numpy()
    return findings


def _silent(stage: str, done: int, total: int) -> None:
    pass


def _checked(
    transmit: Send, name: str
) -> Send:
    def checked(images: Tensor, source: torch.Generator, messages: Tensor) -> Tensor:
        waveform = transmit(images, source, messages)
        if not isinstance(waveform, Tensor):
            raise SemveilError(
                f"transmit must return a torch tensor, not {type(waveform).__name__}"
            )
        waveform = waveform.resolve_conj()
        if waveform.ndim != 2 or len(waveform) != len(images) or not waveform.is_complex():
            raise SemveilError(
                f"transmit must return complex [{len(images)}, k], "
                f"not {waveform.dtype} {list(waveform.shape)}"
            )
        if not bool(torch.isfinite(torch.view_as_real(waveform)).all()):
            raise SemveilError(f"transmit returned numbers that are not finite ({name} images)")
        return waveform

    return checked


def _check_power(test: Recording, system: System) -> None:
    each = average_power(test.waveforms[0])
    power = each.mean(0, keepdim=True) if system.fixed_gain else each
    # The mean of a sample wavers by its standard error, which is nobody's fault.
    wavers = 3 * each.std() / len(each) ** 0.5 if system.fixed_gain else torch.zeros(())
    off = (10 * torch.log10(power.clamp(min=1e-12) / system.total_power)).abs()
    worst = int(off.argmax())
    if float(off[worst]) > _POWER_TOLERANCE_DB + 4.35 * float(wavers):
        whose = (
            "the mean power of all images" if system.fixed_gain else f"test image {worst}'s power"
        )
        raise SemveilError(
            f"{system.scheme}: {whose} is {float(power[worst]):.3f} per symbol, not "
            f"{system.total_power:g}: its SNR would be {float(off[worst]):.1f} dB off"
        )


def _to_uint8(images: Tensor) -> np.ndarray[Any, Any]:
    rounded = (images.float().clamp(0, 1) * 255).round().to(torch.uint8)
    return rounded.cpu().contiguous().numpy()


class _Measurement:
    """The figures of one system, each method one party's."""

    def __init__(
        self,
        system: System,
        splits: ImageSplits,
        setting: Setting,
        settings: Audit,
        test: Recording,
        progress: Progress,
    ) -> None:
        self.system, self.splits, self.setting, self.settings = system, splits, setting, settings
        self.test, self.progress = test, progress
        self.originals = as_float(test.images)
        self.findings = Findings()

    def _record(self, role: str, metric: str, estimate: Estimate, **fields: Any) -> Record:
        uses = self.test.waveforms.shape[2]
        return Record(
            study=self.setting.study,
            scheme=self.system.scheme,
            dataset=self.splits.name,
            channel=(self.setting.eve if role == "eve" else self.setting.bob).name,
            train_snr_db=self.setting.train_snr_db,
            latent_dim=2 * uses,
            bandwidth_ratio=uses / self.originals[0].numel(),
            role=role,
            asymmetry=self.system.asymmetry,
            psr_db=self.system.psr_db,
            metric=metric,
            value=estimate.value,
            ci_low=estimate.low,
            ci_high=estimate.high,
            n=estimate.n,
            seed=self.setting.seed,
            **fields,
        )

    def _label(self, role: str, logits: Tensor, **fields: Any) -> Record:
        hits = int((logits.argmax(1) == self.test.labels).sum())
        return self._record(
            role, "accuracy", wilson(hits, len(self.test)), target="label", **fields
        )

    def _image(self, role: str, images: Tensor, **fields: Any) -> Iterator[Record]:
        seed = self.setting.seed
        quality = psnr_db(images, self.originals)
        some = slice(_SSIM_IMAGES)
        alike = ssim(images[some], self.originals[some])
        for metric, estimate in (
            ("psnr_db", bootstrap_mean(quality, seed)),
            # Bob's worst images, and the images that Eve rebuilds best.
            ("psnr_db_p5", bootstrap_quantile(quality, 0.05)),
            ("psnr_db_p95", bootstrap_quantile(quality, 0.95)),
            ("ssim", bootstrap_mean(alike, seed)),
        ):
            yield self._record(role, metric, estimate, target="image", **fields)

    def floors(self) -> Iterator[Record]:
        """What anybody gets without listening: the majority class, the mean image."""
        labels = self.test.labels
        majority = int(np.bincount(self.splits.adversary.y).argmax())
        yield self._record(
            "system",
            "chance",
            wilson(int((labels == majority).sum()), len(labels)),
            target="label",
        )
        mean = torch.from_numpy(self.splits.adversary.x.mean(0) / 255).float()
        mean = mean.to(self.originals).expand_as(self.originals)
        if self.setting.bob.overhead:
            share = self.setting.bob.overhead / self.test.waveforms.shape[2]
            n = len(self.test)
            yield self._record("system", "pilot_overhead", Estimate(share, share, share, n))
        yield self._record(
            "system",
            "psnr_mean_image_db",
            bootstrap_mean(psnr_db(mean, self.originals), self.setting.seed),
            target="image",
        )

    @torch.no_grad()
    def bob(self) -> Iterator[Record]:
        """Bob's accuracy and image quality at each of his SNRs."""
        assert self.system.receive is not None
        nearest = min(
            self.setting.bob_snrs_db, key=lambda s: abs(s - (self.setting.train_snr_db or s))
        )
        for snr_db in self.setting.bob_snrs_db:
            source = generator(
                self.setting.seed, "bob", str(float(snr_db)), device=self.test.device
            )
            answers = [
                self.system.receive(
                    self.setting.bob(self.test.waveforms[0, rows], snr_db, generator=source),
                    self.test.messages(rows),
                )
                for rows in torch.arange(len(self.test), device=self.test.device).split(2000)
            ]
            yield self._label(
                "bob", torch.cat([answer.logits for answer in answers]), test_snr_db=snr_db
            )
            parts = [answer.images for answer in answers if answer.images is not None]
            if not parts:
                continue
            images = torch.cat(parts)
            yield from self._image("bob", images, test_snr_db=snr_db)
            if snr_db == nearest:
                self._keep("bob", images)

    def _keep(self, role: str, images: Tensor) -> None:
        self.findings.samples[f"{role}/{self.system.scheme}"] = _to_uint8(
            images[: self.settings.pictures]
        )

    def _hearing(self, snr_db: float) -> torch.Generator:
        return generator(self.setting.seed, "eve", str(float(snr_db)), device=self.test.device)

    def simulated(self) -> Iterator[Record]:
        """The simulated Eve, if there is one, as the system's training left her."""
        test = Intercepts(self.test, self.setting.eve)
        for snr_db in self.setting.eve_snrs_db:
            fields = {"test_snr_db": snr_db, "protocol": "paper"}
            if self.system.paper_eve is not None:
                logits = listen(self.system.paper_eve, test, snr_db, self._hearing(snr_db))
                yield self._label("eve", logits, adversary="inference/simulated", **fields)
            if self.system.paper_inverter is not None:
                images = listen(self.system.paper_inverter, test, snr_db, self._hearing(snr_db))
                yield from self._image("eve", images, adversary="inversion/simulated", **fields)

    def fresh(
        self,
        goal: Goal,
        capacities: Sequence[str],
        training: Intercepts,
        validation: Intercepts,
    ) -> Iterator[Record]:
        """Fresh Eves with one goal, each capacity at each of her SNRs."""
        test = Intercepts(self.test, self.setting.eve)
        best = -1.0
        middle = sorted(self.setting.eve_snrs_db)[len(self.setting.eve_snrs_db) // 2]
        for capacity in capacities:
            adversary = f"{goal.name}/{capacity}"
            stage = f"{self.system.scheme}: Eve {adversary}"
            network = fit_eavesdropper(
                goal,
                capacity,
                training,
                validation,
                self.setting.eve_snrs_db,
                self.splits.n_classes,
                Effort(self.settings.max_epochs, self.settings.patience),
                self.setting.seed,
                partial(self.progress, stage),
            )
            self.progress(stage, 1, 1)
            for snr_db in self.setting.eve_snrs_db:
                output = listen(network, test, snr_db, self._hearing(snr_db))
                fields = {
                    "test_snr_db": snr_db,
                    "protocol": "adaptive",
                    "adversary": adversary,
                }
                if goal is INFERENCE:
                    yield self._label("eve", output, **fields)
                    continue
                records = list(self._image("eve", output, **fields))
                yield from records
                if snr_db == middle and records[0].value > best:
                    best = records[0].value
                    self._keep("eve", output)
