"""Attributes of faces as the task: accuracy, balanced accuracy, and what inverters recover.

Table II and Figure 4 of Guo, Zhang, Wang, Feng and Quek: CelebA, one attribute at a time, over AWGN
at 12 dB. The faces that an inverter rebuilds are drawn for the user alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from semveil import recipe as recipes
from semveil.experiment.run import RECORDS, SAMPLES
from semveil.records import asked_for, read_records
from semveil.report.select import frame, strongest, where
from semveil.studies.base import Job, Study, in_code, nested
from semveil.studies.face_page import page
from semveil.studies.face_records import ATTRIBUTES, HOME_DB, MI, PUBLISHED, by_system

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_OPEN = ("deepjscc", "shuffle", asked_for("deepjscc", "rotation"), "ibal")
_EPSILONS = (0.05, 0.1, 0.9)
_HEARD: dict[str, Any] = {"audit.bob_snr_db": [HOME_DB], "audit.eve_snr_db": [HOME_DB]}
_NO_FACES: dict[str, Any] = {"audit.inversion": [], "audit.leakage": False, "audit.pictures": 0}
_PRIVATE = "Male"

_BUDGETS: dict[str, dict[str, Any]] = {
    # Faces are nowhere embedded: at this budget, digits stand in for them.
    "smoke": {
        "dataset": "digits",
        "attributes": ("digit",),
        "inverted": ("digit",),
        "seeds": 2,
        "settings": {
            "data.limit": 300,
            "train.epochs": 1,
            "link.latent_dim": 32,
            "link.width": 4,
            "audit.inference": ["linear"],
            "audit.inversion": ["linear"],
            "audit.max_epochs": 2,
        },
        "codebook": {"codebook.dim": 8},
    },
    "cpu": {
        "dataset": "celeba",
        "attributes": ATTRIBUTES,
        "inverted": ("Smiling",),
        "seeds": 2,
        "settings": {
            "data.image_size": 24,
            "train.batch": 32,
            "train.epochs": 3,
            "audit.inference": ["mlp"],
            "audit.inversion": ["deconv"],
            "audit.max_epochs": 16,
        },
        # Its random codewords learn slowly at first.
        "codebook": {"train.epochs": 6, "train.lr": 0.005},
    },
    "full": {
        "dataset": "celeba",
        "attributes": ATTRIBUTES,
        "inverted": ATTRIBUTES,
        "seeds": 5,
        "settings": {
            "link.width": 32,
            "train.epochs": 40,
            "audit.losses": ["mse", "perceptual"],
            "audit.max_epochs": 100,
        },
        "codebook": {"train.epochs": 80},
    },
}


def jobs(budget: str, seed: int) -> list[Job]:
    """Return, per attribute and seed, one job for each recipe: LBVQ and the noise have their own.

    Example:
        >>> [job.name for job in jobs("smoke", 0)][:4]
        ['digit-0', 'digit-0-lbvq', 'digit-0-dp-0.05', 'digit-0-dp-0.1']
    """
    settings = _BUDGETS[budget]
    dataset = settings["dataset"]
    found = []
    for attribute in settings["attributes"]:
        asked = {"data.target": attribute, "data.private": _PRIVATE} if dataset == "celeba" else {}
        for turn in range(settings["seeds"]):
            inverted = turn == 0 and attribute in settings["inverted"]
            leaks = {"audit.leakage": True, "audit.pictures": 6} if inverted else _NO_FACES
            changes = {**_HEARD, **settings["settings"], **asked, **leaks}
            base = recipes.update(recipes.load(f"ibal-{dataset}"), nested(changes))
            name = f"{attribute}-{seed + turn}"
            task = {"task": attribute}
            found.append(Job(name, base, _OPEN, seed + turn, task))
            quantised = recipes.update(base, nested({"scheme": "lbvq", **settings["codebook"]}))
            found.append(Job(f"{name}-lbvq", quantised, ("lbvq",), seed + turn, task))
            for epsilon in _EPSILONS:
                noisy = recipes.update(base, nested({"scheme": "dp", "dp.epsilon": epsilon}))
                params = {**task, "epsilon": epsilon}
                found.append(Job(f"{name}-dp-{epsilon:g}", noisy, ("dp",), seed + turn, params))
    return found


def figures(table: pd.DataFrame) -> Mapping[str, Figure]:
    """Return Bob's accuracy on every attribute."""
    from semveil.report.figures.attributes import by_attribute

    return {"accuracy.svg": by_attribute(by_system(table), PUBLISHED)}


def pictures(place: Path, done: Sequence[Job]) -> Mapping[str, Figure]:
    """Return the faces that Eve rebuilt, as Figure 4 shows them, one grid per attribute.

    They are the user's own images, whose terms forbid handing them on.

    Args:
        place: Folder of the jobs' folders.
        done: The jobs, all finished.
    """
    from semveil.report.figures.pictures import reconstruction_grid

    drawn = {}
    seen = [job for job in done if job.recipe.audit.inversion]
    for attribute in dict.fromkeys(job.params["task"] for job in seen):
        samples: dict[str, np.ndarray[Any, Any]] = {}
        scores: dict[str, str] = {}
        for job in seen:
            if job.params["task"] != attribute:
                continue
            table = frame(read_records(place / job.name / RECORDS))
            with np.load(place / job.name / SAMPLES, allow_pickle=False) as kept:
                samples.setdefault("originals", kept["originals"])
                rebuilt = {key: kept[key] for key in kept.files if key.startswith("eve/")}
            for key, images in rebuilt.items():
                of = where(table, system=key.removeprefix("eve/"), metric=MI)
                leak = strongest(where(of, protocol="adaptive"))["value"].max()
                epsilon = job.params.get("epsilon")
                named = key if epsilon is None else f"{key}, ε = {epsilon:g}"
                samples[named], scores[named] = images, f"MI {leak:.2f} bits"
        drawn[f"faces-{attribute}.png"] = reconstruction_grid(samples, scores=scores)
    return drawn


STUDY = Study(
    name="faces",
    title="attributes of faces as the task, three attributes, several seeds",
    jobs=jobs,
    render=in_code(figures, page),
    pictures=pictures,
)
