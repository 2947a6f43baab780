"""Attacks by those who know more than receptions: the encoder, or Bob's receiver."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from semveil.adversary.eavesdrop.fit import INVERSION, fit_eavesdropper, listen
from semveil.adversary.eavesdrop.known_plaintext import estimate_order, undo
from semveil.adversary.eavesdrop.observations import Intercepts, Recording, Send, numbered
from semveil.adversary.eavesdrop.rmle import rmle
from semveil.adversary.eavesdrop.shadow import fit_shadow
from semveil.channel import Reception
from semveil.data.splits import Images
from semveil.evaluation.leakage import Leakage
from semveil.evaluation.recorder import Recorder
from semveil.evaluation.signal_checks import recorded
from semveil.link import Answer, as_float
from semveil.metrics import bootstrap_mean, psnr_db, wilson
from semveil.records import Record
from semveil.rng import generator, stream

_SEARCHED = 64
_KNOWN = 256
# These attacks stand or fall with what comes before the network; the cheap one serves.
_NETWORK = "mlp"


class InformedAttacks:
    """The further attacks of an audit; each is left out where its knowledge does not apply.

    Args:
        case: The system under audit.
        leakage: Its leakage figures.
        adversary: What the system sends of Eve's own images.
        validation: Of the images for early stopping.
    """

    def __init__(
        self, case: Recorder, leakage: Leakage, adversary: Recording, validation: Recording
    ) -> None:
        self.case, self.leakage = case, leakage
        self.training = Intercepts(adversary, case.setting.eve)
        self.validation = Intercepts(validation, case.setting.eve)
        self.sent = adversary
        self.test = Intercepts(case.test, case.setting.eve)

    def run(self) -> Iterator[Record]:
        """Carry out the attacks that the settings name, in their order."""
        known = {
            "rmle": self.likelihood,
            "shadow": self.shadow,
            "known-plaintext": self.known_plaintext,
        }
        for name in self.case.settings.attacks:
            yield from known[name]()

    def _images(self, adversary: str, snr_db: float, images: Tensor) -> Iterator[Record]:
        fields: dict[str, Any] = {
            "test_snr_db": snr_db,
            "protocol": "adaptive",
            "adversary": f"inversion/{adversary}",
        }
        yield from self.case.image("eve", images, **fields)
        yield from self.leakage.image(images, **fields)

    def _stage(self, adversary: str) -> Callable[[int, int], None]:
        return partial(
            self.case.progress, f"{self.case.system.name.label}: Eve inversion/{adversary}"
        )

    def likelihood(self) -> Iterator[Record]:
        """Maximum likelihood through the encoder; under a key, of the sorted components."""
        case, transmit = self.case, self.case.system.white_box
        permutes = case.system.permutes
        if transmit is None or (case.system.keyed and not permutes):
            return
        name = "rmle-sorted" if permutes else "rmle"
        rows = torch.arange(min(_SEARCHED, len(case.test)), device=case.test.device)
        known = as_float(self.training.images[:2000])
        for done, snr_db in enumerate(case.setting.eve_snrs_db, start=1):
            reception = self.test.receive(rows, snr_db, case.hearing(snr_db))
            begun = None
            if case.inverter is not None:
                with torch.no_grad():
                    begun = case.inverter(reception.features()).float()
                quality = bootstrap_mean(
                    psnr_db(begun, case.originals[: len(rows)]), case.setting.seed
                )
                yield case.record(
                    "eve",
                    "psnr_start_db",
                    quality,
                    test_snr_db=snr_db,
                    target="image",
                    protocol="adaptive",
                    adversary=f"inversion/{name}",
                )
            images = rmle(
                reception,
                transmit,
                known,
                invariant=permutes,
                start=begun,
                own_noise=case.system.own_noise,
            )
            self._stage(name)(done, len(case.setting.eve_snrs_db))
            yield from self._images(name, snr_db, images)

    def _inverter(self, send: Send, adversary: str) -> nn.Module:
        """Train an inverter on what a transmitter of Eve's own makes of her images."""
        case, splits = self.case, self.case.splits
        training, validation = (
            Intercepts(
                recorded(send, part, f"{adversary} {name}", case.setting.seed, case.test.device),
                case.setting.eve,
            )
            for name, part in (("training", splits.adversary), ("validation", splits.validation))
        )
        network = fit_eavesdropper(
            INVERSION,
            _NETWORK,
            training,
            validation,
            case.setting.eve_snrs_db,
            case.wanted.classes,
            case.effort,
            case.setting.seed,
            self._stage(adversary),
        )
        self._stage(adversary)(1, 1)
        return network

    def shadow(self) -> Iterator[Record]:
        """Invert a shadow encoder.

        Not under a key, which Bob's receiver would hold for her, nor where that receiver decides
        for the nearest codewords and leaves a shadow nothing to descend.
        """
        case, receive = self.case, self.case.system.receive
        if case.system.shadow is None or receive is None or case.system.keyed:
            return
        link = case.system.shadow(stream(case.setting.seed, "shadow", "weights"))
        link = link.to(case.test.device)

        def answer(reception: Reception) -> Answer:
            # Without a key, no message differs from another.
            symbols = reception.symbols
            return receive(reception, symbols.new_zeros(len(symbols), dtype=torch.int64))

        levels = case.setting.eve_snrs_db
        two = torch.arange(2, device=case.test.device)
        if not _leads_back(answer, self.test.receive(two, levels[0], case.hearing(levels[0]))):
            return
        snr_db = sorted(levels)[len(levels) // 2]
        fit_shadow(
            link,
            answer,
            _asked_as_bob(self.training, case.splits.adversary),
            _asked_as_bob(self.validation, case.splits.validation),
            case.setting.bob,
            snr_db if case.setting.train_snr_db is None else case.setting.train_snr_db,
            case.effort,
            case.setting.seed,
            self._stage("shadow"),
        )
        network = self._inverter(numbered(link.transmit), "shadow")
        for snr_db in levels:
            most = case.settings.images
            images = listen(network, self.test, snr_db, case.hearing(snr_db), most)
            yield from self._images("shadow", snr_db, images)

    def known_plaintext(self) -> Iterator[Record]:
        """Estimate the key's permutation from messages whose images Eve knows, and undo it."""
        case, transmit = self.case, self.case.system.white_box
        if transmit is None or not case.system.permutes:
            return
        network = self._inverter(numbered(lambda images, source: transmit(images)), "plain")
        rows = torch.arange(min(_KNOWN, len(self.training)), device=case.test.device)
        with torch.no_grad():
            plain = _reals(transmit(as_float(self.training.images[rows])))
        # Without noise the estimate is exact: what a fixed permutation really is.
        truth = estimate_order(plain, _reals(self.sent.waveforms[0, rows]))
        most = min(len(self.test), case.settings.images)
        everything = torch.arange(most, device=case.test.device)
        for snr_db in case.setting.eve_snrs_db:
            source = generator(
                case.setting.seed, "known plaintext", str(float(snr_db)), device=case.test.device
            )
            order = estimate_order(plain, self.training.hear(rows, snr_db, source)[:, :-1])
            if case.system.fixed_key:
                right = int((order == truth).sum())
                yield case.record(
                    "eve",
                    "permutation_recovered",
                    wilson(right, len(order)),
                    test_snr_db=snr_db,
                    protocol="adaptive",
                    adversary="inversion/known-plaintext",
                )
            heard = undo(self.test.hear(everything, snr_db, case.hearing(snr_db)), order)
            with torch.no_grad():
                images = torch.cat([network(some) for some in heard.split(2000)])
            yield from self._images("known-plaintext", snr_db, images)


def _leads_back(receive: Callable[[Reception], Answer], reception: Reception) -> bool:
    """Tell whether a receiver's answer has a slope with respect to what it received."""
    symbols = reception.symbols.detach().requires_grad_()
    with torch.enable_grad():
        logits = receive(replace(reception, symbols=symbols)).logits
    if not logits.requires_grad:
        return False
    (slope,) = torch.autograd.grad(logits.sum(), symbols, allow_unused=True)
    return slope is not None


def _asked_as_bob(owner: Intercepts, images: Images) -> Intercepts:
    """Return the same images with the labels of Bob's task, which his receiver answers."""
    asked = copy(owner)
    asked.labels = torch.from_numpy(images.y).to(owner.device)
    return asked


def _reals(waveform: Tensor) -> Tensor:
    return torch.view_as_real(waveform.resolve_conj()).flatten(1)
