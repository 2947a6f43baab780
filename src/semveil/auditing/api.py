"""``semveil.audit``: the audit of a system that somebody else trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from semveil.adversary.eavesdrop.intercepts import Transmit
from semveil.auditing.measure import Progress, audit_system
from semveil.auditing.system import Setting, System
from semveil.channel import Channel, Reception
from semveil.data.splits import ImageSplits
from semveil.device import pick_device
from semveil.link import Answer
from semveil.recipe import Audit
from semveil.records import Record, write_records


@dataclass(frozen=True)
class AuditResult:
    """What an audit found.

    Attributes:
        records: One per number, in the project's common form.
        samples: Arrays for pictures.
    """

    records: list[Record]
    samples: dict[str, np.ndarray[Any, Any]]

    def strongest(self, metric: str, test_snr_db: float) -> Record:
        """Return the record of the Eve who got the most.

        Args:
            metric: ``accuracy``, ``psnr_db`` or ``ssim``.
            test_snr_db: Her SNR, dB.

        Returns:
            Her record.

        Raises:
            ValueError: If no Eve has a figure of that kind.
        """
        return max(
            (
                record
                for record in self.records
                if (record.role, record.metric, record.test_snr_db) == ("eve", metric, test_snr_db)
            ),
            key=lambda record: record.value,
        )

    def write(self, path: str | Path) -> None:
        """Write the records as JSON lines."""
        write_records(Path(path), self.records)


def audit(
    transmit: Transmit,
    data: ImageSplits,
    *,
    receive: Callable[[Reception], Answer] | None = None,
    channel: Channel | None = None,
    eve_channel: Channel | None = None,
    bob_snr_db: Sequence[float] = (10.0,),
    eve_snr_db: Sequence[float] = (0.0, 10.0, 20.0),
    settings: Audit | None = None,
    scheme: str = "mine",
    seed: int = 0,
    device: str = "auto",
    progress: Progress | None = None,
) -> AuditResult:
    """Let fresh eavesdroppers attack a transmitter, under the adaptive protocol.

    Args:
        transmit: Images float ``[B, C, H, W]`` in [0, 1] and a ``torch.Generator`` → waveform
            complex ``[B, k]`` of unit mean power per symbol. It may be random, through the
            generator; it should treat each image on its own.
        data: Images, from ``semveil.data.load`` or made by hand; ``transmit`` should not have
            been trained on the adversary's split.
        receive: Bob's receiver, if his figures are wanted: a reception → logits and images.
        channel: Bob's channel; Rayleigh with perfect CSI if omitted.
        eve_channel: Eve's; as Bob's if omitted.
        bob_snr_db: Bob's mean E_s/N_0 values in the test, dB.
        eve_snr_db: Eve's; take some below, at and above Bob's.
        settings: Capacities and effort; the defaults of the recipes if omitted.
        scheme: Name in the records.
        seed: Seed of every stream.
        device: ``auto``, ``cpu`` or ``cuda``.
        progress: Told ``(what is going on, done, in all)``.

    Returns:
        Records and sample pictures.

    Raises:
        SemveilError: If the waveform is not complex ``[B, k]`` of unit mean power.

    Example:
        >>> import torch
        >>> from semveil import phy
        >>> from semveil.data import load
        >>> def pixels(images, generator):  # the image itself, two pixels a symbol
        ...     pairs = images.flatten(1).unflatten(1, (-1, 2)) - 0.5
        ...     return phy.normalise_power(torch.view_as_complex(pairs.contiguous()))
        >>> quick = Audit(inference=["linear"], inversion=["linear"], max_epochs=40)
        >>> found = audit(pixels, load("digits"), eve_snr_db=[10.0], settings=quick, device="cpu")
        >>> found.strongest("accuracy", 10.0).value > 0.5
        True
    """
    bob = channel or Channel()
    setting = Setting(
        study=None,
        bob=bob,
        eve=eve_channel or bob,
        train_snr_db=None,
        bob_snrs_db=tuple(bob_snr_db),
        eve_snrs_db=tuple(eve_snr_db),
        seed=seed,
    )
    findings = audit_system(
        System(scheme, transmit, receive),
        data,
        setting,
        settings or Audit(),
        pick_device(device),
        progress,
    )
    return AuditResult(findings.records, findings.samples)
