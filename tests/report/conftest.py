"""Runs made up for the tests of the report: numbers that look real, from a fixed seed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from semveil.records import Record, write_records
from semveil.report.page import write_report

SNRS = (0.0, 5.0, 10.0, 15.0, 20.0)
INFERENCE = ("inference/linear", "inference/mlp", "inference/wide")
INVERSION = ("inversion/linear", "inversion/mlp", "inversion/deconv")
# Bob's accuracy and PSNR, the paper's Eve's accuracy, fresh Eve's accuracy and PSNR: at 10 dB.
SYSTEMS: dict[str, tuple[str | None, float, float | None, float, float, float]] = {
    "multitask": (None, 0.957, 21.3, 0.940, 0.953, 19.8),
    "minmax": ("knowledge", 0.902, None, 0.210, 0.871, 15.1),
    "bottleneck": ("task", 0.934, None, 0.700, 0.925, 12.4),
    "cooperative": ("key", 0.941, None, 0.105, 0.412, 11.2),
    "cooperative/noise": ("key", 0.612, None, 0.380, 0.604, 12.0),
    "cooperative/signal": ("key", 0.940, None, 0.108, 0.936, 13.9),
}


def rate(base: Record, value: float) -> Record:
    half = 1.96 * (value * (1 - value) / base.n) ** 0.5
    return dataclasses.replace(
        base, metric="accuracy", value=value, ci_low=value - half, ci_high=value + half
    )


def level(base: Record, metric: str, value: float, half: float = 0.12) -> Record:
    return dataclasses.replace(
        base, metric=metric, value=value, ci_low=value - half, ci_high=value + half
    )


def system_records(
    label: str, dataset: str, latent_dim: int, study: str, seed: int
) -> Iterator[Record]:
    """Yield all records of one system, as an audit would write them."""
    asymmetry, accuracy, psnr_db, paper, fresh, fresh_db = SYSTEMS[label]
    scheme, _, control = label.partition("/")
    harder = 0.12 if dataset == "cifar10" else 0.0
    gain = 0.06 * np.log2(latent_dim / 16)
    base = Record(
        study=study,
        scheme=scheme,
        control=control or None,
        dataset=dataset,
        channel="rayleigh/perfect",
        train_snr_db=10.0,
        test_snr_db=10.0,
        latent_dim=latent_dim,
        bandwidth_ratio=latent_dim / 128,
        role="bob",
        asymmetry=asymmetry,
        psr_db=-10.0 if scheme == "cooperative" else None,
        metric="accuracy",
        target="label",
        value=0.0,
        n=1797,
        seed=seed,
    )

    def at(best: float, snr_db: float) -> float:
        fall = 1 / (1 + np.exp(-(snr_db - 1) / 4))
        return float(np.clip(0.1 + (best - 0.1 + gain - harder) * fall / 0.905, 0.1, 0.995))

    for snr_db in SNRS:
        bob = dataclasses.replace(base, test_snr_db=snr_db)
        yield rate(bob, at(accuracy, snr_db))
        if psnr_db:
            image = dataclasses.replace(bob, target="image")
            there = psnr_db + 20 * gain - 8 / (1 + np.exp((snr_db - 2) / 4))
            yield level(image, "psnr_db", there)
            yield level(image, "psnr_db_p5", there - 4)
            yield level(image, "ssim", min(0.035 * there, 0.99), 0.01)
    for snr_db in (0.0, 10.0, 20.0):
        eve = dataclasses.replace(base, role="eve", test_snr_db=snr_db, protocol="adaptive")
        for weaker, name in enumerate(reversed(INFERENCE)):
            yield rate(
                dataclasses.replace(eve, adversary=name), at(fresh * (1 - 0.07 * weaker), snr_db)
            )
        for weaker, name in enumerate(reversed(INVERSION)):
            image = dataclasses.replace(eve, adversary=name, target="image")
            there = fresh_db + 10 * gain - 1.5 * weaker - 4 / (1 + np.exp((snr_db - 2) / 4))
            yield level(image, "psnr_db", max(there, 9.5))
            yield level(image, "ssim", max(0.03 * there, 0.05), 0.01)
    eve = dataclasses.replace(base, role="eve", protocol="paper", adversary="inference/mlp")
    for snr_db in (0.0, 10.0, 20.0):
        yield rate(dataclasses.replace(eve, test_snr_db=snr_db), at(paper, snr_db))
    floor = dataclasses.replace(base, role="system", test_snr_db=None, psr_db=None)
    yield dataclasses.replace(floor, metric="chance", value=0.1013)
    yield dataclasses.replace(floor, metric="psnr_mean_image_db", value=11.03, target="image")
    yield dataclasses.replace(floor, metric="parameters", value=123456.0, target=None)


def quick_records(seed: int = 0) -> list[Record]:
    """Four systems and two controls on one image set."""
    return [
        record
        for scheme in SYSTEMS
        for record in system_records(scheme, "digits", 16, "quickstart", seed)
    ]


def study_records() -> list[Record]:
    """Four schemes, five latent dimensions, two image sets."""
    schemes = [scheme for scheme in SYSTEMS if "/" not in scheme]
    return [
        record
        for dataset in ("mnist", "cifar10")
        for latent_dim in (4, 8, 16, 32, 64)
        for scheme in schemes
        for record in system_records(scheme, dataset, latent_dim, "dimension", 0)
    ]


def quick_samples(channels: int = 1, size: int = 8) -> dict[str, np.ndarray]:
    """Pictures and waveforms of the six systems."""
    draw = np.random.default_rng(0)
    ramp = np.linspace(0, 1, size)
    waves = [np.sin(2 * np.pi * (k * ramp[:, None] + (k % 3) * ramp)) for k in range(1, 11)]
    clean = (127 + 120 * np.stack(waves))[:, None].repeat(channels, 1)
    samples: dict[str, Any] = {
        "originals": clean.astype(np.uint8),
        "labels": np.arange(10),
    }
    for scheme, (_, _, psnr_db, *_) in SYSTEMS.items():
        noisy = np.clip(clean + draw.normal(0, 18, clean.shape), 0, 255)
        rough = np.clip(127 + 0.4 * (clean - 127) + draw.normal(0, 30, clean.shape), 0, 255)
        if psnr_db:
            samples[f"bob/{scheme}"] = noisy.astype(np.uint8)
        samples[f"eve/{scheme}"] = rough.astype(np.uint8)
        wave = draw.normal(size=3000) + 1j * draw.normal(size=3000)
        samples[f"waveform/{scheme}"] = (wave / 2**0.5).astype(np.complex64)
    return samples


def quick_history() -> list[dict[str, Any]]:
    """Losses of four trainings."""
    history = []
    for scheme in ("multitask", "minmax", "bottleneck", "cooperative"):
        for step in range(0, 2000, 10):
            fall = float(np.exp(-step / 400))
            history.append({"step": step, "stage": scheme, "task": 2.3 * fall + 0.05})
            history[-1]["image"] = 0.09 * fall + 0.01
    return history


@pytest.fixture(scope="session")
def quick() -> list[Record]:
    return quick_records()


@pytest.fixture(scope="session")
def study() -> list[Record]:
    return study_records()


@pytest.fixture(scope="session")
def samples() -> dict[str, np.ndarray]:
    return quick_samples()


@pytest.fixture(scope="session")
def history() -> list[dict[str, Any]]:
    return quick_history()


def write_run(folder: Path, records: list[Record], *, pictures: bool = True) -> Path:
    """Write a run's folder as a real run would."""
    folder.mkdir(parents=True)
    write_records(folder / "records.jsonl", records)
    about = {
        "recipe": {
            "name": folder.name,
            "data": {"name": "digits", "root": None},
            "channel": {"law": "rayleigh", "csi": "perfect", "snr_db": 10.0},
            "train": {"epochs": 30, "batch": 256, "lr": 0.001},
            "schemes": sorted(SYSTEMS),
        },
        "versions": {"semveil": "0.1.0", "torch": "2.13.0", "python": "3.11.9"},
        "hardware": {"device": "cpu", "processor": "two cores", "memory_gib": 8},
        "wall_s": 93.4,
        "seed": 0,
        "styles": {"scheme": {"multitask": ["#0072B2", "o", 1], "minmax": ["#D55E00", "s", 2]}},
        "command": f"semveil run {folder.name} --out runs/{folder.name}",
    }
    (folder / "run.json").write_text(json.dumps(about))
    if pictures:
        np.savez_compressed(folder / "samples.npz", **quick_samples())
        lines = (json.dumps(line) + "\n" for line in quick_history())
        (folder / "history.jsonl").write_text("".join(lines))
    return folder


@pytest.fixture(scope="session")
def make_run() -> Callable[..., Path]:
    return write_run


@pytest.fixture(scope="session")
def quick_run(tmp_path_factory: pytest.TempPathFactory, quick: list[Record]) -> Path:
    """The folder of a quickstart run; not to be changed."""
    return write_run(tmp_path_factory.mktemp("runs") / "quickstart", quick)


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory, quick_run: Path) -> Path:
    """The page of the quickstart run; not to be changed."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(path, [quick_run])
    return path
