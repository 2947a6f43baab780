"""Bob under attack: his answers to the test images, one attack at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from semveil.adversary.perturb.attack import Attack, Progress
from semveil.adversary.perturb.attacker_channel import attacker_channel
from semveil.adversary.perturb.certify import Certificate, certify
from semveil.adversary.perturb.generator_attack import GeneratorAttack
from semveil.adversary.perturb.minimum import SmallestBudget
from semveil.adversary.perturb.victim import IncomingBatch, Victim
from semveil.data.splits import ImageSplits
from semveil.device import free_memory
from semveil.errors import SemveilError
from semveil.evaluation.system import Conditions, SystemUnderTest
from semveil.heap import kept_heap
from semveil.link import Answer, as_float
from semveil.memory import require_memory
from semveil.metrics import image_metrics
from semveil.recipe import AttackConfig
from semveil.rng import generator


@dataclass(frozen=True)
class Outcome:
    """Bob's answers to the test images under one attack at one budget; None where he has none."""

    answers: Tensor | None
    quality: Mapping[str, Tensor] = field(default_factory=dict)
    pictures: Tensor | None = None
    accepted: Tensor | None = None


def refuse_classes(settings: AttackConfig, label: str) -> None:
    """Refuse settings about classes for a Bob who classifies nothing."""
    asked = {
        "source_class": settings.source_class is not None,
        "target_class": settings.target_class is not None,
        "votes": bool(settings.votes),
    }
    for name in (name for name, given in asked.items() if given):
        raise SemveilError(f"attack.{name}: {label} reconstructs images and classifies nothing")


class RobustnessTest:
    """Sends one system's test images to Bob, with and without attacks.

    Alice's waveforms, the fading and Bob's noise are the same under every attack and without one,
    so that only the attacks cause a difference.

    Args:
        system: The system.
        splits: All parties' images; attacks are fitted on the adversary's.
        setting: Bob's channel; seed.
        settings: Budgets, SNR, numbers of images, attacker's channel.
        device: Where everything is computed.
        pictures: Test images kept for pictures.

    Attributes:
        uses: Channel uses per image.
        source_dim: Reals per image.
        classifies: Whether Bob's answers have logits.

    Raises:
        SemveilError: If Bob of this system cannot be attacked, or the settings name classes or
            ask for certificates and he classifies nothing.
    """

    def __init__(
        self,
        system: SystemUnderTest,
        splits: ImageSplits,
        setting: Conditions,
        settings: AttackConfig,
        device: torch.device,
        pictures: int = 0,
    ) -> None:
        if system.receive is None:
            raise SemveilError(
                f"{system.name.label}: without a receiver there is nothing to attack"
            )
        self.system, self.settings, self.seed = system, settings, setting.seed
        self.device, self.pictures = device, pictures
        snr_db = settings.snr_db if settings.snr_db is not None else setting.train_snr_db
        if snr_db is None:
            raise SemveilError("attack.snr_db: required, since Bob's SNR in training is not known")
        self.snr_db = snr_db
        self.victim = self.surrogate = Victim(
            system.transmit,
            system.receive,
            setting.bob,
            snr_db,
            splits.n_classes,
            attacker_channel(settings.mallory),
            system.differentiable,
            system.invariant_maps,
        )
        if system.surrogate is not None:
            transmit, receive = system.surrogate
            self.surrogate = replace(self.victim, transmit=transmit, receive=receive)
        self.splits = splits
        self.images = torch.from_numpy(splits.test.x[: settings.images])
        self.labels = torch.from_numpy(splits.test.y[: settings.images])
        self.metrics = image_metrics(settings.metrics, "attack.metrics")
        self.psrs_db = tuple(sorted(settings.psr_db))
        self.source_dim = self.images[0].numel()
        # One image alone is too few for batch statistics, which are a flag and no error.
        first = as_float(self.images[:2].to(device))
        source = generator(self.seed, "mallory", "uses", device=device)
        message = torch.arange(len(first), device=device)
        with torch.no_grad():
            sent = system.transmit(first, source, message)
            answer = system.receive(setting.bob(sent, snr_db, generator=source), message)
        self.uses = sent.shape[1]
        at_once = min(settings.batch, len(self.images))
        require_memory(
            len(self.psrs_db) * at_once * self.uses * sent.element_size(),
            f"perturbations of {at_once} images at {len(self.psrs_db)} budgets",
            "make attack.batch smaller",
            free_memory(device),
        )
        self.length = setting.bob.arrive(sent, source).signal.shape[1]
        self.classifies = answer.logits is not None
        if not self.classifies:
            refuse_classes(settings, system.name.label)

    def applies(self, attack: Attack) -> bool:
        """Return whether an attack applies: not every link has a gradient, classes or pilots."""
        gradient = self.victim.differentiable or not attack.needs_gradient
        classes = self.classifies or not attack.needs_labels
        return gradient and classes and attack.applies_to(self.victim.channel)

    def require_memory(self, attack: Attack) -> None:
        """Refuse an attack whose generator does not fit the memory, before anything starts."""
        if isinstance(attack, GeneratorAttack):
            require_memory(
                attack.least_memory(self.length, self.victim.classes),
                f"the networks of {attack.name}",
                "make link.latent_dim smaller, or leave this attack out",
                free_memory(self.device),
            )

    @kept_heap()
    def fit(self, attack: Attack, progress: Progress) -> None:
        """Fit an attack on Mallory's images."""
        some, count = self.splits.adversary, self.settings.train_images
        x, y = (torch.from_numpy(part[:count]).to(self.device) for part in (some.x, some.y))
        attack.fit(self.surrogate, x, y, self.psrs_db, self.seed, progress)

    def gradient_is_zero(self) -> bool:
        """Say whether nothing that is added to the first receptions changes Bob's answers."""
        number, _, incoming, _ = next(self._batches())
        delta = torch.zeros_like(incoming.arrival.signal, requires_grad=True)
        with torch.enable_grad():
            output = self.victim.answer(incoming, delta, self._noise(number)).output.float()
            # Weights of their own, since the sum of probabilities never changes.
            weights = torch.arange(1.0, 1.0 + output[0].numel(), device=output.device).sin()
            (gradient,) = torch.autograd.grad((output.flatten(1) @ weights).sum(), delta)
        return not bool(gradient.any())

    def without_attack(self) -> Outcome:
        """Return Bob's answers to the test images without an attack."""
        parts = [
            self._measure(self.victim.answer(incoming, None, self._noise(number)), rows)
            for number, rows, incoming, _ in self._batches()
        ]
        return self._join(parts)

    @kept_heap()
    def under(self, attack: Attack, progress: Progress) -> dict[str, list[Outcome]]:
        """Return Bob's answers under a fitted attack, by its stages, one outcome per budget."""
        parts: dict[str, list[list[Outcome]]] = {}
        for number, rows, incoming, known in self._batches():
            for stage, deltas in self._craft(attack, known, number).items():
                found = parts.setdefault(stage, [[] for _ in self.psrs_db])
                for part, delta, psr_db in zip(found, deltas, self.psrs_db, strict=True):
                    part.append(self._attacked(incoming, delta, psr_db, number, rows))
            progress(f"{attack.name}: test images", int(rows[-1]) + 1, len(self.images))
        return {stage: [self._join(part) for part in found] for stage, found in parts.items()}

    @kept_heap()
    def smallest(self, attack: SmallestBudget, progress: Progress) -> Tensor:
        """Return the least PSR of each test image, dB ``[N]``; see :class:`SmallestBudget`."""
        found = []
        for number, rows, _, known in self._batches():
            source = generator(self.seed, attack.name, "craft", number, device=self.device)
            found.append(attack.smallest(self.surrogate, known, source)[0].cpu())
            progress(f"{attack.name}: test images", int(rows[-1]) + 1, len(self.images))
        return torch.cat(found)

    def class_by_class(
        self, attack: Attack, source_class: Callable[[Tensor], Tensor]
    ) -> list[Outcome]:
        """Return the same under an attack whose source class depends on the image."""
        parts: list[list[Outcome]] = [[] for _ in self.psrs_db]
        for number, rows, incoming, known in self._batches():
            classes = source_class(incoming.labels)
            deltas: Tensor | None = None
            for one in classes.unique().tolist():
                found = self._craft(attack.aimed(one), known, number)[""]
                hit = (classes == one)[None, :, None]
                deltas = found if deltas is None else torch.where(hit, found, deltas)
            assert deltas is not None
            for part, delta, psr_db in zip(parts, deltas, self.psrs_db, strict=True):
                part.append(self._attacked(incoming, delta, psr_db, number, rows))
        return [self._join(part) for part in parts]

    def _craft(self, attack: Attack, known: IncomingBatch, number: int) -> dict[str, Tensor]:
        source = generator(self.seed, attack.name, "craft", number, device=self.device)
        stages = attack.craft_stages(self.surrogate, known, self.psrs_db, source)
        wanted = torch.Size([len(self.psrs_db), *known.arrival.signal.shape])
        for found in stages.values():
            if not isinstance(found, Tensor) or found.shape != wanted or not found.is_complex():
                tensor = isinstance(found, Tensor)
                shape = f"{found.dtype} {list(found.shape)}" if tensor else type(found)
                raise SemveilError(
                    f"{attack.name}: craft returns {shape}, expected complex {list(wanted)}"
                )
            if not bool(found.isfinite().all()):
                raise SemveilError(
                    f"{attack.name}: craft returns NaN or infinity; every sample must be finite"
                )
        return stages

    def certificates(self, progress: Progress) -> Certificate:
        """Return the certificates of the first test images, which hold for every attack."""
        found: list[Certificate] = []
        wanted = self.settings.certified
        for number, rows, incoming, _ in self._batches():
            source = generator(self.seed, "votes", number, device=self.device)
            found.append(certify(self.victim, incoming, source, self.settings.votes))
            progress("certificates", int(rows[-1]) + 1, len(self.images))
            if int(rows[-1]) + 1 >= wanted:
                break

        def joined(name: str) -> Tensor:
            return torch.cat([getattr(part, name) for part in found])[:wanted]

        return Certificate(
            joined("answers"),
            joined("right"),
            joined("radius"),
            joined("psr_db"),
            found[0].transmissions,
        )

    def _batches(self) -> Iterator[tuple[int, Tensor, IncomingBatch, IncomingBatch]]:
        """Yield number, rows, what is sent, and what Mallory crafts with."""
        for number, rows in enumerate(torch.arange(len(self.images)).split(self.settings.batch)):
            incoming = self._send(self.victim, number, rows)
            known = incoming
            if self.system.keyed and self.surrogate is not self.victim:
                # Under a key of Mallory's own the fading is the same; she hears the real waveform.
                known = self._send(self.surrogate, number, rows)
                known = replace(known, waveform=incoming.waveform)
            yield number, rows, incoming, known

    def _send(self, victim: Victim, number: int, rows: Tensor) -> IncomingBatch:
        source = generator(self.seed, "mallory", "scene", number, device=self.device)
        pixels = as_float(self.images[rows].to(self.device))
        labels = self.labels[rows].to(self.device)
        return victim.send(pixels, labels, source, rows.to(self.device))

    def _noise(self, number: int) -> torch.Generator:
        return generator(self.seed, "mallory", "noise", number, device=self.device)

    @torch.no_grad()
    def _attacked(
        self, incoming: IncomingBatch, delta: Tensor, psr_db: float, number: int, rows: Tensor
    ) -> Outcome:
        source = generator(self.seed, "mallory", "path", number, device=self.device)
        injected = self.victim.arriving(delta, incoming, psr_db, source)
        return self._measure(self.victim.answer(incoming, injected, self._noise(number)), rows)

    @torch.no_grad()
    def _measure(self, answer: Answer, rows: Tensor) -> Outcome:
        answers = None if answer.logits is None else answer.logits.argmax(1).cpu()
        accepted = None if answer.accepted is None else answer.accepted.cpu()
        if answer.images is None:
            return Outcome(answers, accepted=accepted)
        images, originals = answer.images.float().cpu(), as_float(self.images[rows])
        shown = images[: max(0, self.pictures - int(rows[0]))]
        pixels = (shown.clamp(0, 1) * 255).round().to(torch.uint8)
        quality = {metric.name: metric(images, originals) for metric in self.metrics}
        return Outcome(answers, quality, pixels, accepted)

    def _join(self, parts: Sequence[Outcome]) -> Outcome:
        first = parts[0]
        answers = [part.answers for part in parts if part.answers is not None]
        accepted = [part.accepted for part in parts if part.accepted is not None]
        return Outcome(
            torch.cat(answers) if answers else None,
            {name: torch.cat([part.quality[name] for part in parts]) for name in first.quality},
            None
            if first.pictures is None
            else torch.cat([part.pictures for part in parts if part.pictures is not None]),
            torch.cat(accepted) if accepted else None,
        )
