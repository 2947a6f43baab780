"""Eavesdroppers as records: the simulated Eve of the paper protocol, and fresh ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from semveil.adversary.configured import require_distinct
from semveil.adversary.eavesdrop.demodulation import points_of
from semveil.adversary.eavesdrop.eavesdropper import (
    Eavesdropper,
    Knowledge,
    Observations,
    Truth,
    listen,
)
from semveil.adversary.eavesdrop.observations import Intercepts, Recording, Send
from semveil.channel import Reception
from semveil.data.splits import Images
from semveil.evaluation.leakage import Leakage
from semveil.evaluation.recorder import Recorder
from semveil.evaluation.signal_checks import recorded
from semveil.link import Answer
from semveil.records import Estimate, Record
from semveil.rng import generator

_BALANCE = 2000


def simulated(case: Recorder, leakage: Leakage) -> Iterator[Record]:
    """Yield the records of the simulated Eve, if there is one, without further training."""
    test = Intercepts(case.test, case.setting.eve)
    private = case.system.paper_private
    question = case.wanted if private else case.task
    # Images without the attribute that she was trained for say nothing of her.
    asked = not private or case.wanted is not case.task
    for snr_db in case.setting.eve_snrs_db:
        common: dict[str, Any] = {"test_snr_db": snr_db, "protocol": "paper"}
        if case.system.paper_eve is not None and asked:
            eve = _reader(case.system.paper_eve)
            logits = listen(eve, test, snr_db, case.hearing(snr_db))
            common["adversary"] = "inference/simulated"
            yield from case.guesses("eve", question, question.right(logits), **common)
        if case.system.paper_inverter is not None:
            eve, most = _reader(case.system.paper_inverter), case.settings.images
            images = listen(eve, test, snr_db, case.hearing(snr_db), most)
            common["adversary"] = "inversion/simulated"
            yield from case.image("eve", images, **common)
            yield from leakage.image(images, **common)


def _reader(network: nn.Module) -> Callable[[Reception], Tensor]:
    network.eval()

    @torch.no_grad()
    def read(reception: Reception) -> Tensor:
        found: Tensor = network(reception.features())
        return found

    return read


def _most_shift(images: Tensor) -> int:
    """Return the pixels that images of their size may be moved by and still be of their kind."""
    return min(images.shape[-2:]) // 16


class FreshEavesdroppers:
    """Eavesdroppers who are trained after the system is frozen, each at each of her SNRs.

    Args:
        case: The system under audit.
        leakage: Its leakage figures.
        adversary: What the system sends of Eve's own images.
        validation: What it sends of the images for early stopping.
    """

    def __init__(
        self, case: Recorder, leakage: Leakage, adversary: Recording, validation: Recording
    ) -> None:
        self.case, self.leakage = case, leakage
        self.waveforms = adversary.waveforms.__getitem__ if case.system.fixed_key else None
        self.test = Intercepts(case.test, case.setting.eve)
        self.best: dict[str, float] = {}
        snrs_db = case.setting.eve_snrs_db
        together = Observations(
            leakage.training,
            leakage.validation,
            snrs_db,
            case.wanted.classes,
            case.effort,
            case.setting.seed,
            lambda: leakage.perceptual,
            0 if case.system.costly else min(case.settings.shift, _most_shift(case.originals)),
            points_of(adversary.waveforms),
        )
        self.observations = (
            [replace(together, snrs_db=(snr_db,), fitted={}) for snr_db in snrs_db]
            if case.settings.each_snr
            else [together]
        )

    def run(self, eavesdroppers: Sequence[Eavesdropper]) -> Iterator[Record]:
        """Train copies of eavesdroppers and yield their records; informed ones come last."""
        trained: list[bool] = []
        require_distinct("eavesdroppers", [eve.adversary for eve in eavesdroppers])
        for given_by_user in sorted(eavesdroppers, key=lambda eve: bool(eve.needs)):
            for observations in self.observations:
                eve = given_by_user.fresh()
                given = self._knowledge(eve, observations) if eve.needs else observations
                if eve.applies(given):
                    progress = partial(
                        self.case.progress, f"{self.case.system.name.label}: Eve {eve.adversary}"
                    )
                    eve.fit(given, progress)
                    progress(1, 1)
                    yield from self._records(eve, given.snrs_db)
                    trained += [] if eve.converged is None else [eve.converged]
        if trained:
            value = float(not all(trained))
            flag = Estimate(value, value, value, len(trained))
            yield self.case.record("system", "flag_not_converged", flag, interval=False)

    def _records(self, eve: Eavesdropper, snrs_db: Sequence[float]) -> Iterator[Record]:
        case, every = self.case, sorted(self.case.setting.eve_snrs_db)
        middle = every[len(every) // 2]
        most = None if eve.target == "label" else eve.limit(case.settings.images)
        for snr_db in snrs_db:
            source = case.hearing(snr_db)
            hear = partial(eve.listen, snr_db=snr_db)
            output = listen(hear, self.test, snr_db, source, most, eve.at_once)
            common: dict[str, Any] = {
                "test_snr_db": snr_db,
                "protocol": "adaptive",
                "adversary": eve.adversary,
            }
            truth = Truth(case.originals[: len(output)], self.waveforms)
            if eve.converged is not None:
                done = float(eve.converged)
                flag = Estimate(done, done, done, len(case.splits.adversary))
                yield case.record(
                    "eve", "converged", flag, interval=False, target=eve.target, **common
                )
            for metric, target, estimate in eve.figures(snr_db, truth):
                yield case.record("eve", metric, estimate, target=target, **common)
            if eve.target == "label":
                right = case.wanted.right(output)
                offsets = self._offsets(hear, snr_db, eve.at_once)
                among_equals = case.wanted.right_among_equals(output, offsets)
                records = list(
                    case.guesses("eve", case.wanted, right, among_equals=among_equals, **common)
                )
            else:
                records = list(case.image("eve", output, **common))
                records += self.leakage.image(output, recognise=not eve.pleases_judge, **common)
            yield from records
            best = self.best.get(eve.target, -1.0)
            if not eve.needs and snr_db == middle and records[0].value > best:
                self.best[eve.target] = records[0].value
                if eve.target == "image" or eve.trained is not None:
                    case.findings.eavesdroppers[eve.target] = eve
                if eve.target == "image":
                    case.keep("eve", output)

    def _offsets(self, hear: Callable[[Reception], Tensor], snr_db: float, at_once: int) -> Tensor:
        """Return what Eve adds to her logits for balanced accuracy: her validation images tell."""
        own, seed = self.leakage.validation, self.case.setting.seed
        source = generator(seed, "balance", str(float(snr_db)), device=own.device)
        logits = listen(hear, own, snr_db, source, _BALANCE, at_once)
        return self.case.wanted.offsets(logits, own.labels[: len(logits)])

    def _knowledge(self, eve: Eavesdropper, observations: Observations) -> Knowledge:
        """Return what an informed eavesdropper needs of what there is, and nothing else."""
        case, system, needs = self.case, self.case.system, eve.needs
        readable = not system.keyed or system.permutes
        return Knowledge(
            **vars(observations),
            encoder=system.white_box if "encoder" in needs and readable else None,
            architecture=system.shadow if "architecture" in needs else None,
            # Under a key, Bob's receiver would hold the key for her.
            receiver=self._receiver() if "receiver" in needs and not system.keyed else None,
            bob_channel=case.setting.bob,
            bob_snr_db=case.setting.train_snr_db,
            bob_observations=(
                _for_task(self.leakage.training, case.splits.adversary),
                _for_task(self.leakage.validation, case.splits.validation),
            ),
            own_noise=system.own_noise,
            permutes=system.permutes,
            record=self._record,
            inverter=case.findings.eavesdroppers.get("image"),
        )

    def _receiver(self) -> Callable[[Reception], Answer] | None:
        system = self.case.system
        receive = system.receive if system.surrogate is None else system.surrogate[1]
        if receive is None:
            return None

        def answer(reception: Reception) -> Answer:
            # Without a key, no message differs from another.
            symbols = reception.symbols
            return receive(reception, symbols.new_zeros(len(symbols), dtype=torch.int64))

        return answer

    def _record(self, send: Send, purpose: str) -> tuple[Intercepts, Intercepts]:
        """Return what Eve receives of her images from a transmitter of her own."""
        case, splits = self.case, self.case.splits
        training, validation = (
            Intercepts(
                recorded(send, part, f"{purpose} {name}", case.setting.seed, case.test.device),
                case.setting.eve,
            )
            for name, part in (("training", splits.adversary), ("validation", splits.validation))
        )
        return training, validation


def _for_task(owner: Intercepts, images: Images) -> Intercepts:
    """Return the same receptions with the labels of Bob's task."""
    found = copy(owner)
    found.labels = torch.from_numpy(images.y).to(owner.device)
    return found
