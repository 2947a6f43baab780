"""Leakage as records: information in reconstructions, in receptions, in the waveform."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from semveil.adversary.eavesdrop.infonce import fit_critic, information_nats
from semveil.adversary.eavesdrop.observations import Intercepts
from semveil.adversary.eavesdrop.perceptual import PerceptualLoss, fit_judge, judged
from semveil.evaluation.recorder import SAMPLE, Recorder
from semveil.metrics import Estimate, bootstrap_mean
from semveil.metrics.fisher import dfil
from semveil.metrics.information import derangement, mi_bits, nmi
from semveil.nets.judge import Judge
from semveil.phy import snr_to_noise_variance
from semveil.records import Record
from semveil.rng import generator

_FISHER_IMAGES = 256
_BINS, _NMI_BINS = 20, 100


# Judges of this process by all that they depend on: the jobs of a study need the same one.
_JUDGES: dict[str, Judge] = {}


class Leakage:
    """The leakage figures of one system; none where the settings switch them off."""

    def __init__(
        self,
        case: Recorder,
        training: Intercepts,
        validation: Intercepts,
        perceptual: PerceptualLoss | None = None,
    ) -> None:
        self.case, self.training, self.validation = case, training, validation
        self._supplied = perceptual
        self.wanted = case.settings.leakage

    @cached_property
    def judge(self) -> Judge:
        """The judge, trained when it is first needed for these images."""
        what = hashlib.sha256()
        for part in (self.training, self.validation):
            what.update(part.images.cpu().numpy().tobytes() + part.labels.cpu().numpy().tobytes())
        what.update(repr((self.case.effort, self.case.setting.seed, self.training.device)).encode())
        if what.hexdigest() in _JUDGES:
            return _JUDGES[what.hexdigest()]
        stage = f"{self.case.system.name.label}: judge of images"
        judge = fit_judge(
            self.training,
            self.validation,
            self.case.wanted.classes,
            self.case.effort,
            self.case.setting.seed,
            partial(self.case.progress, stage),
        )
        self.case.progress(stage, 1, 1)
        _JUDGES[what.hexdigest()] = judge
        return judge

    @property
    def perceptual(self) -> PerceptualLoss:
        """What inverters may minimise besides the squared error."""
        return self._supplied or PerceptualLoss(self.judge.features)

    def _shared(self, images: Tensor, others: Tensor) -> Iterator[tuple[str, Estimate]]:
        seed = self.case.setting.seed
        yield f"mi_bits_{_BINS}", bootstrap_mean(mi_bits(images, others, _BINS), seed)
        yield f"nmi_{_NMI_BINS}", bootstrap_mean(nmi(images, others, _NMI_BINS), seed)

    def _recognised(self, role: str, images: Tensor, of: str, **fields: Any) -> Iterator[Record]:
        question, logits = self.case.wanted, judged(self.judge, images.float())
        right, among_equals = question.right(logits), question.right_among_equals(logits)
        yield from self.case.guesses(role, question, right, of, among_equals, **fields)

    def image(self, images: Tensor, recognise: bool = True, **fields: Any) -> Iterator[Record]:
        """Yield the mutual information of Eve's reconstructions with the first test images.

        Sharp pictures of anything share grey levels with any image. The excess over the information
        with another image is due to the reception: its expectation is zero where image and
        reception are independent.
        """
        if not self.wanted:
            return
        case, some = self.case, images[:SAMPLE].float()
        originals = case.originals[: len(some)]
        for metric, estimate in self._shared(originals, some):
            yield case.record("eve", metric, estimate, target="image", **fields)
        source = generator(case.setting.seed, "others", device=case.test.device)
        others = some[derangement(len(some), source)]
        excess = mi_bits(originals, some, _BINS) - mi_bits(originals, others, _BINS)
        estimate = bootstrap_mean(excess, case.setting.seed)
        yield case.record("eve", f"mi_excess_bits_{_BINS}", estimate, target="image", **fields)
        # An inverter that was trained by the judge is not scored by it.
        if self._supplied or recognise:
            yield from self._recognised("eve", some, "label_{}", **fields)

    def ends(self) -> Iterator[Record]:
        """Yield floor and ceiling of these metrics: an unrelated image, the image itself."""
        if not self.wanted:
            return
        case = self.case
        images = case.compared[:SAMPLE]
        source = generator(case.setting.seed, "unrelated", device=case.test.device)
        unrelated = images[derangement(len(images), source)]
        for end, others in (("floor", unrelated), ("ceiling", images)):
            for metric, estimate in self._shared(images, others):
                yield case.record("system", f"{metric}_{end}", estimate, target="image")
        yield from self._recognised("system", images, "label_{}_of_originals")

    def information(self) -> Iterator[Record]:
        """Yield a lower bound on the information in a reception, by a critic that Eve trained."""
        if not self.wanted:
            return
        case = self.case
        stage = f"{case.system.name.label}: critic"
        critic = fit_critic(
            self.training,
            self.validation,
            case.setting.eve_snrs_db,
            case.effort,
            case.setting.seed,
            partial(case.progress, stage),
        )
        case.progress(stage, 1, 1)
        test = Intercepts(case.test, case.setting.eve)
        for snr_db in case.setting.eve_snrs_db:
            values, candidates = information_nats(critic, test, snr_db, case.hearing(snr_db))
            most = math.log(candidates)
            fields = {"test_snr_db": snr_db, "target": "image", "protocol": "adaptive"}
            bound = bootstrap_mean(values, case.setting.seed)
            yield case.record("eve", "infonce_nats", bound, adversary="critic", **fields)
            ceiling = Estimate(most, most, most, len(values))
            yield case.record("eve", "infonce_ceiling_nats", ceiling, adversary="critic", **fields)

    def fisher(self) -> Iterator[Record]:
        """Yield the Fisher information in the waveform, which bounds unbiased reconstructions.

        Not under a key, where it does not bound those without the key, nor of a digital waveform,
        which has no derivative.
        """
        case, transmit = self.case, self.case.system.white_box
        images = case.originals[:_FISHER_IMAGES]
        if not self.wanted or transmit is None or case.system.keyed:
            return
        with torch.no_grad():
            if torch.equal(transmit(images), transmit((images + 1e-5).clamp(max=1))):
                return
        source = generator(case.setting.seed, "fisher", device=case.test.device)
        unit = dfil(transmit, images, 1.0, source)
        for snr_db in case.setting.eve_snrs_db:
            # Alice's own noise is taken for Gaussian.
            noise = float(snr_to_noise_variance(torch.tensor(snr_db))) + case.system.own_noise
            each = unit / noise
            fields = {"test_snr_db": snr_db, "target": "image"}
            seed = case.setting.seed
            yield case.record("eve", "dfil", bootstrap_mean(each, seed), **fields)
            floor = bootstrap_mean(-10 * each.clamp(min=1e-12).log10(), seed)
            yield case.record("eve", "mse_floor_db", floor, **fields)
