"""The strongest eavesdroppers of an audit, kept with their weights in the folder of the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError
from torch import nn

from semveil.adversary.eavesdrop import EAVESDROPPERS
from semveil.adversary.eavesdrop.eavesdropper import Eavesdropper
from semveil.channel import Reception
from semveil.errors import SemveilError
from semveil.experiment.link import Link
from semveil.facts import EavesdropperFacts, check_facts
from semveil.section import explain
from semveil.training.checkpoint import load_tensors, load_weights, save_tensors

FOLDER = "eavesdroppers"


def keep(run: Path, stream: str, eves: Mapping[str, Eavesdropper], classes: Sequence[str]) -> None:
    """Write the weights of trained eavesdroppers."""
    for target, eve in eves.items():
        if isinstance(eve.trained, nn.Module):
            facts = {
                "name": eve.name,
                "config": eve.config.model_dump(),
                "classes": list(classes),
                "learned": eve.learned().model_dump(mode="json"),
            }
            path = _path(run, stream, target)
            try:
                path.parent.mkdir(exist_ok=True)
            except OSError as error:
                raise SemveilError(f"cannot make {path.parent}: {error.strerror}") from None
            save_tensors(path, dict(eve.trained.state_dict()), facts)


def kept(link: Link, target: str, heard: Reception) -> tuple[Eavesdropper, list[str]] | None:
    """Return the strongest eavesdropper of a link for such receptions, and her classes' names."""
    assert link.run is not None
    path = _path(link.run.folder, link.plan.stream, target)
    if not path.exists():
        return None
    tensors, facts = load_tensors(path)
    stated = check_facts(facts, EavesdropperFacts, path)
    kind = EAVESDROPPERS.get(stated.name)
    try:
        eve = kind(kind.Config(**stated.config))
        eve.recall(kind.Learned(**stated.learned))
    except ValidationError as error:
        raise SemveilError(f"{path}: {explain(error, tuple)}") from None
    network = eve.network(eve.features(heard).shape[1], len(stated.classes), link.image_shape)
    load_weights(network, tensors, path)
    eve.trained = network.to(link.device).eval().requires_grad_(False)
    return eve, stated.classes


def _path(run: Path, stream: str, target: str) -> Path:
    return run / FOLDER / f"{stream.replace('/', '.')}.{target}.safetensors"
