"""Bob as records."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from semveil.evaluation.recorder import Recorder
from semveil.metrics import Estimate, integrity, wilson
from semveil.records import Record
from semveil.rng import generator


@torch.no_grad()
def bob(case: Recorder) -> Iterator[Record]:
    """Yield Bob's accuracy, image quality and rejected messages at each of his SNRs."""
    if case.system.receive is None:
        return
    nearest = min(case.setting.bob_snrs_db, key=lambda s: abs(s - (case.setting.train_snr_db or s)))
    for snr_db in case.setting.bob_snrs_db:
        if case.system.active is not None:
            count = float(case.system.active(snr_db))
            used = Estimate(count, count, count, 1)
            yield case.record("system", "active_features", used, test_snr_db=snr_db)
        source = generator(case.setting.seed, "bob", str(float(snr_db)), device=case.test.device)
        answers = [
            case.system.receive(
                case.setting.bob(case.test.waveforms[rows], snr_db, generator=source),
                case.test.messages(rows),
            )
            for rows in torch.arange(len(case.test), device=case.test.device).split(2000)
        ]
        logits = [answer.logits for answer in answers if answer.logits is not None]
        right = case.task.right(torch.cat(logits)) if logits else None
        if right is not None:
            yield from case.guesses("bob", case.task, right, test_snr_db=snr_db)
        lost = [answer.lost for answer in answers if answer.lost is not None]
        if lost:
            share = wilson(sum(int(part.sum()) for part in lost), sum(map(len, lost)))
            yield case.record("bob", "lost_rate", share, target="image", test_snr_db=snr_db)
        accepted = [answer.accepted for answer in answers if answer.accepted is not None]
        if accepted:
            for metric, estimate in integrity(torch.cat(accepted), right).items():
                yield case.record("bob", metric, estimate, test_snr_db=snr_db)
        parts = [answer.images for answer in answers if answer.images is not None]
        if not parts:
            continue
        images = torch.cat(parts)
        yield from case.image("bob", images, test_snr_db=snr_db)
        if snr_db == nearest:
            case.keep("bob", images)
