"""What Bob gets while Mallory perturbs what he receives, one attack at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from semveil.adversary.perturb.attack import Attack, Progress
from semveil.adversary.perturb.attacker_channel import attacker_channel
from semveil.adversary.perturb.certify import Certificate, certify
from semveil.adversary.perturb.semadv import SemAdv
from semveil.adversary.perturb.victim import IncomingBatch, Victim
from semveil.data.splits import Images, ImageSplits
from semveil.errors import SemveilError
from semveil.evaluation.system import Conditions, SystemUnderTest
from semveil.link import Answer, as_float
from semveil.metrics import image_metrics
from semveil.recipe import AttackConfig as Settings
from semveil.rng import generator


@dataclass(frozen=True)
class Outcome:
    """Bob's answers to the test images under one attack at one budget.

    Attributes:
        answers: Classes that he answers, int ``[N]``.
        quality: Metrics of his images by name, float ``[N]``; none if he rebuilds none.
        pictures: His first images, uint8 ``[M, C, H, W]``; None if he rebuilds none.
    """

    answers: Tensor
    quality: Mapping[str, Tensor] = field(default_factory=dict)
    pictures: Tensor | None = None


class RobustnessTest:
    """One system's test images on their way to Bob, and Mallory beside them.

    Alice's waveforms, fading and Bob's noise are the same under every attack and without one, so
    that differences between attacks are the attacks'.

    Args:
        system: The system.
        splits: Everybody's images; Mallory practises on the adversary's.
        setting: Bob's channel; seed.
        settings: What attacks are given.
        device: Where everything is computed.
        pictures: Test images kept for pictures.

    Attributes:
        uses: Channel uses per image.
        source_dim: Reals per image.

    Raises:
        SemveilError: If Bob of this system cannot be attacked.
    """

    def __init__(
        self,
        system: SystemUnderTest,
        splits: ImageSplits,
        setting: Conditions,
        settings: Settings,
        device: torch.device,
        pictures: int = 0,
    ) -> None:
        if system.receive is None:
            raise SemveilError(f"{system.name.label}: without a receiver there is nobody to attack")
        self.system, self.settings, self.seed = system, settings, setting.seed
        self.device, self.pictures = device, pictures
        snr_db = settings.snr_db if settings.snr_db is not None else setting.train_snr_db
        if snr_db is None:
            raise SemveilError("attack.snr_db: at which SNR Bob is attacked is not known")
        self.snr_db = snr_db
        path = attacker_channel(settings.mallory)
        self.victim = self.practice = Victim(
            system.transmit,
            system.receive,
            setting.bob,
            snr_db,
            splits.n_classes,
            path,
            system.differentiable,
        )
        if system.rehearsal is not None:
            alice, bob = system.rehearsal
            self.practice = replace(self.victim, transmit=alice, receive=bob)
        self.mine = splits.adversary
        self.images = torch.from_numpy(splits.test.x[: settings.images])
        self.labels = torch.from_numpy(splits.test.y[: settings.images])
        self.metrics = image_metrics(settings.metrics)
        self.psrs_db = tuple(sorted(settings.psr_db))
        self.source_dim = self.images[0].numel()
        first = as_float(self.images[:1].to(device))
        source = generator(self.seed, "mallory", "uses", device=device)
        with torch.no_grad():
            sent = system.transmit(first, source, torch.zeros(1, dtype=torch.long, device=device))
        self.uses = sent.shape[1]

    def own_images(self) -> tuple[Tensor, Tensor]:
        """Return Mallory's images and their labels, on the device."""
        some: Images = self.mine
        count = self.settings.train_images
        x, y = torch.from_numpy(some.x[:count]), torch.from_numpy(some.y[:count])
        return x.to(self.device), y.to(self.device)

    def can(self, attack: Attack) -> bool:
        """Tell whether an attack applies: not every receiver has a gradient."""
        return self.victim.differentiable or not attack.needs_gradient

    def prepare(self, attack: Attack, progress: Progress) -> None:
        """Let an attack practise on Mallory's images."""
        attack.fit(self.practice, *self.own_images(), self.psrs_db, self.seed, progress)

    def undisturbed(self) -> Outcome:
        """Return what Bob makes of the test images when nobody disturbs."""
        parts = [
            self._measure(self.victim.answer(scene, None, self._noise(number)), rows)
            for number, rows, scene, _ in self._batches()
        ]
        return self._join(parts)

    def under(self, attack: Attack, progress: Progress) -> list[Outcome]:
        """Return what Bob makes of them under a prepared attack, one outcome per budget."""
        parts: list[list[Outcome]] = [[] for _ in self.psrs_db]
        for number, rows, scene, practised in self._batches():
            source = generator(self.seed, attack.name, "craft", number, device=self.device)
            deltas = attack.craft(self.practice, practised, self.psrs_db, source)
            for part, delta, psr_db in zip(parts, deltas, self.psrs_db, strict=True):
                part.append(self._struck(scene, delta, psr_db, number, rows))
            progress(f"{attack.name}: test images", int(rows[-1]) + 1, len(self.images))
        return [self._join(part) for part in parts]

    def aimed(self, attack: SemAdv, chosen: Callable[[Tensor], Tensor]) -> list[Outcome]:
        """Return the same under an attack that is aimed at a class of each image's own.

        Args:
            attack: Trained on every class.
            chosen: Labels, int ``[B]`` → classes aimed at, int ``[B]``.
        """
        parts: list[list[Outcome]] = [[] for _ in self.psrs_db]
        for number, rows, scene, practised in self._batches():
            targets = chosen(scene.labels)
            deltas: Tensor | None = None
            for target in targets.unique().tolist():
                source = generator(self.seed, attack.name, "craft", number, device=self.device)
                found = attack.aimed(target).craft(self.practice, practised, self.psrs_db, source)
                hit = (targets == target)[None, :, None]
                deltas = found if deltas is None else torch.where(hit, found, deltas)
            assert deltas is not None
            for part, delta, psr_db in zip(parts, deltas, self.psrs_db, strict=True):
                part.append(self._struck(scene, delta, psr_db, number, rows))
        return [self._join(part) for part in parts]

    def certificates(self, progress: Progress) -> Certificate:
        """Return what is certified of the first test images, whoever perturbs them."""
        found: list[Certificate] = []
        wanted = self.settings.certified
        for number, rows, scene, _ in self._batches():
            source = generator(self.seed, "votes", number, device=self.device)
            found.append(certify(self.victim, scene, source, self.settings.votes))
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
        """Yield number, rows, what is sent, and what Mallory practises with."""
        for number, rows in enumerate(torch.arange(len(self.images)).split(self.settings.batch)):
            pixels = as_float(self.images[rows].to(self.device))
            labels, messages = self.labels[rows].to(self.device), rows.to(self.device)

            def meet(
                victim: Victim,
                given: tuple[Tensor, Tensor, Tensor] = (pixels, labels, messages),
                batch: int = number,
            ) -> IncomingBatch:
                source = generator(self.seed, "mallory", "scene", batch, device=self.device)
                return victim.scene(given[0], given[1], source, given[2])

            scene = meet(self.victim)
            # Under a key of her own the fading is the same.
            yield (
                number,
                rows,
                scene,
                scene if self.practice is self.victim else meet(self.practice),
            )

    def _noise(self, number: int) -> torch.Generator:
        return generator(self.seed, "mallory", "noise", number, device=self.device)

    @torch.no_grad()
    def _struck(
        self, scene: IncomingBatch, delta: Tensor, psr_db: float, number: int, rows: Tensor
    ) -> Outcome:
        way = generator(self.seed, "mallory", "path", number, device=self.device)
        injected = self.victim.arriving(delta, scene, psr_db, way)
        return self._measure(self.victim.answer(scene, injected, self._noise(number)), rows)

    @torch.no_grad()
    def _measure(self, answer: Answer, rows: Tensor) -> Outcome:
        answers = answer.logits.argmax(1).cpu()
        if answer.images is None:
            return Outcome(answers)
        images, originals = answer.images.float().cpu(), as_float(self.images[rows])
        shown = images[: max(0, self.pictures - int(rows[0]))]
        pixels = (shown.clamp(0, 1) * 255).round().to(torch.uint8)
        quality = {metric.name: metric(images, originals) for metric in self.metrics}
        return Outcome(answers, quality, pixels)

    def _join(self, parts: Sequence[Outcome]) -> Outcome:
        first = parts[0]
        return Outcome(
            torch.cat([part.answers for part in parts]),
            {name: torch.cat([part.quality[name] for part in parts]) for name in first.quality},
            None
            if first.pictures is None
            else torch.cat([part.pictures for part in parts if part.pictures is not None]),
        )
