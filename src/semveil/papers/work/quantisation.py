"""What eight bits change of links of the zoo: Bob, Eve, the guarantee, sizes and seconds."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from semveil.channel import Reception
from semveil.evaluation.measure import audit_system
from semveil.evaluation.system import Conditions, SystemUnderTest
from semveil.experiment.jobs import Job, JobContext, write_results
from semveil.experiment.link import Link
from semveil.graphs.export import ends_of
from semveil.graphs.exporter import Session, to_graph
from semveil.graphs.quantise import quantise
from semveil.link import Answer, as_float
from semveil.metrics.intervals import exact, median_of
from semveil.profiling.timing import interleave
from semveil.protect.keyed_transform import decrypt_features
from semveil.protect.rotation import Rotation
from semveil.records import Estimate, Record, SystemName
from semveil.rng import Randomness
from semveil.zoo.entry import read_entry
from semveil.zoo.open import open_entry
from semveil.zoo.places import find

FLOAT32, INT8 = "float32", "int8"
_ROUNDS, _LEAST_S = 15, 0.02


def measure(folder: Path, job: Job, context: JobContext) -> None:
    """Audit both ends of an entry of the zoo as graphs, in float32 and in eight bits."""
    started, name = time.monotonic(), str(job.params["entry"])
    run = open_entry(read_entry(find(name), name), context.hardware, context.root)
    link, splits = run.link(), run.splits
    graphs = _graphs(link)
    # Over the channels that the link was trained for, with the effort of the study.
    settings = job.recipe.audit
    recipe = link.recipe.model_copy(update={"audit": settings})
    conditions = Conditions.of(recipe, context.study, job.seed)
    records: list[Record] = []
    for weights, ends in graphs.items():
        system = _under_test(link, weights, ends)
        found = audit_system(system, splits, conditions, settings, link.device, context.progress)
        records += found.records
    images = as_float(torch.from_numpy(splits.test.x))
    for (weights, metric), each in _figures(link, graphs, images).items():
        records.append(_record(job, context.study, link, weights, metric, each))
    write_results(folder, job, context, records, started)


def _graphs(link: Link) -> dict[str, dict[str, bytes]]:
    """Return both ends of a link as graphs, in float32 and in eight bits."""
    found: dict[str, dict[str, bytes]] = {FLOAT32: {}, INT8: {}}
    for name, end in ends_of(link, calibrated=True).items():
        graph = to_graph(end.network, end.tried, end.inputs, end.outputs)
        inputs = {key: each.numpy() for key, each in zip(end.inputs, end.calibration, strict=True)}
        found[FLOAT32][name], found[INT8][name] = graph, quantise(graph, inputs)
    return found


def _under_test(link: Link, weights: str, graphs: dict[str, bytes]) -> SystemUnderTest:
    """Return a link whose ends are graphs, as an audit sees it."""
    encoder, decoder = Session(graphs["encoder"]), Session(graphs["decoder"])
    names, transform = decoder.outputs, link.transform

    def transmit(images: Tensor, source: Randomness, messages: Tensor) -> Tensor:
        waveform = _symbols(encoder, images)
        return waveform if transform is None else transform.encrypt(waveform, messages)

    def receive(reception: Reception, messages: Tensor) -> Answer:
        features = reception.features()
        if transform is not None:
            decrypt = partial(transform.decrypt, messages=messages)
            features = decrypt_features(features, decrypt)
        symbols = features[:, :-1].unflatten(1, (-1, 2)).transpose(1, 2).contiguous()
        found = decoder(symbols.numpy(), features[:, -1:].contiguous().numpy())
        return Answer(**dict(zip(names, map(torch.from_numpy, found), strict=True)))

    name = replace(link.name, params={**link.name.params, "weights": weights})
    return replace(
        link.under_test(),
        name=name,
        transmit=transmit,
        receive=receive,
        paper_eve=None,
        paper_inverter=None,
        differentiable=False,
    )


def _symbols(encoder: Session, images: Tensor) -> Tensor:
    reals = torch.from_numpy(encoder(images.contiguous().numpy())[0])
    return torch.view_as_complex(reals.transpose(1, 2).contiguous())


def _figures(
    link: Link, graphs: dict[str, dict[str, bytes]], images: Tensor
) -> dict[tuple[str, str], Estimate]:
    """Return sizes, seconds on one core, and errors of the waveform, by weights and metric."""
    sessions = {
        (weights, end): Session(graph)
        for weights, ends in graphs.items()
        for end, graph in ends.items()
    }
    waveforms = {weights: _symbols(sessions[weights, "encoder"], images) for weights in graphs}
    error = (waveforms[INT8] - waveforms[FLOAT32]).abs().square().mean().sqrt()
    found = {(INT8, "waveform_rms_error"): exact(float(error))}
    for weights, waveform in waveforms.items():
        if isinstance(link.transform, Rotation):
            norms = link.transform.blocks.gather(waveform).abs().square().mean(2)
            found[weights, "block_power_error"] = exact(float((norms - 1).abs().max()))
    one = images[:1].numpy()
    heard = [waveforms[FLOAT32][:1]]
    symbols = torch.view_as_real(heard[0]).transpose(1, 2).contiguous().numpy()
    inputs = {"encoder": (one,), "decoder": (symbols, np.full((1, 1), 0.9, np.float32))}
    work = {key: partial(session, *inputs[key[1]]) for key, session in sessions.items()}
    for (weights, end), seconds in interleave(work, _ROUNDS, _LEAST_S).items():
        found[weights, f"{end}_latency_s"] = median_of(seconds)
        found[weights, f"{end}_bytes"] = exact(len(graphs[weights][end]))
    return found


def _record(job: Job, study: str, link: Link, weights: str, metric: str, found: Estimate) -> Record:
    return Record.of(
        SystemName(link.name.scheme, params={"weights": weights}),
        found,
        study=study,
        dataset=link.recipe.data.name,
        channel=link.channel.name,
        train_snr_db=link.recipe.bob.snr_db,
        latent_dim=link.recipe.link.latent_dim,
        role="system",
        asymmetry=link.asymmetry,
        metric=metric,
        interval=found.n > 1,
        seed=job.seed,
    )
