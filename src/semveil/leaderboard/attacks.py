"""Attacks on entries as tensors: what they are made for, their checks, their figures.

An attack is entered as its result for the fixed list of images, so that it is scored without its
code: perturbations of what Bob receives, or Eve's reconstructions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from semveil.adversary.perturb.psr import jamming
from semveil.adversary.perturb.victim import IncomingBatch, Victim
from semveil.errors import SemveilError
from semveil.leaderboard.entry import STATED, TENSORS, AttackFacts, BoardEntry, read_board_entry
from semveil.leaderboard.submission import STUDY, Submission, open_submission
from semveil.leaderboard.suite import SEED, list_digest, listed
from semveil.link import Answer, as_float
from semveil.metrics import Estimate, bootstrap_mean, image_metrics, psnr_db
from semveil.phy.broadcast import squared_magnitude
from semveil.records import Record
from semveil.rng import generator

DELTA, IMAGES = "delta", "reconstructions"
_DRAWS = 4
_ROUNDING_DB = 1e-3


@dataclass(frozen=True)
class Scene:
    """The fixed list on its way over an entry's link: what a perturbation is made for.

    Attributes:
        victim: The link; where it is keyed, under the public key of the entry.
        incoming: What arrives at Bob's antenna, without noise, and the fading.
        submission: The entry's model.
    """

    victim: Victim
    incoming: IncomingBatch
    submission: Submission


def scene(folder: str | Path, data: Path | None = None) -> Scene:
    """Return what arrives at Bob of the fixed list: the same for every attack.

    Args:
        folder: Folder of the entry to be attacked.
        data: Folder of the data sets; ``SEMVEIL_DATA`` if omitted.

    Raises:
        SemveilError: If it is no link or defence, or is refused.

    Example:
        >>> import tempfile
        >>> import semveil
        >>> from semveil.leaderboard.add import add
        >>> entry = add("digits/deepjscc", board=tempfile.mkdtemp())
        >>> found = scene(entry.folder)
        >>> attack = semveil.attacks.PGD()
        >>> source = torch.Generator().manual_seed(0)
        >>> delta = attack.craft(found.victim, found.incoming, [-10.0], source)[0]
        >>> delta.shape == found.incoming.arrival.signal.shape
        True
    """
    entry = read_board_entry(Path(folder))
    if isinstance(entry.facts, AttackFacts):
        raise SemveilError(f"{folder} is an attack: name the entry that it attacks")
    return _scene(open_submission(entry, data), entry.facts.snr_db)


def _scene(submission: Submission, snr_db: float, key: bytes | None = None) -> Scene:
    system = submission.system
    if key is not None and submission.with_key is not None:
        system = submission.with_key(key)
    assert system.receive is not None
    some = listed(submission.splits).test
    victim = Victim(
        system.transmit,
        system.receive,
        submission.conditions.bob,
        snr_db,
        submission.splits.n_classes,
        differentiable=system.differentiable,
        invariant_maps=system.invariant_maps,
    )
    images, labels = as_float(torch.from_numpy(some.x)), torch.from_numpy(some.y)
    incoming = victim.send(images, labels, generator(SEED, "leaderboard", "scene"))
    return Scene(victim, incoming, submission)


def write_attack(
    path: str | Path,
    data: str,
    *,
    delta: Tensor | None = None,
    reconstructions: Tensor | None = None,
) -> str:
    """Write an attack for the fixed list of a data set, and return the file's SHA-256.

    Args:
        path: File to write, ``attack.safetensors`` in the folder of its entry.
        data: Data set, whose list it is for.
        delta: Perturbations at Bob's antenna, complex ``[N, T]``, as :class:`Scene` has signals.
        reconstructions: Eve's images instead, uint8 ``[N, C, H, W]``.

    Raises:
        SemveilError: If the data set has no list.
    """
    tensors: dict[str, Tensor] = {}
    if delta is not None:
        plain = torch.view_as_real(delta.resolve_conj().to(torch.complex64))
        tensors[DELTA] = plain.transpose(1, 2).contiguous()
    if reconstructions is not None:
        tensors[IMAGES] = reconstructions.contiguous()
    save_file(tensors, path, {"images": list_digest(data)})
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def measure_attack(entry: BoardEntry, target: BoardEntry, data: Path | None = None) -> list[Record]:
    """Check the tensors of an attack, and measure what they do to the entry that they attack.

    Raises:
        SemveilError: If they are for other images, exceed their budget, or are not what they
            should be.
    """
    facts = entry.facts
    assert isinstance(facts, AttackFacts)
    submission = open_submission(target, data)
    path = entry.folder / TENSORS
    name = DELTA if facts.aim == "answer" else IMAGES
    tensor = _read(path, name, facts.data)
    if facts.aim == "answer":
        return list(_perturbed(entry, facts, submission, tensor))
    return list(_reconstructed(entry, facts, submission, tensor))


def _read(path: Path, name: str, data: str) -> Tensor:
    try:
        with safe_open(str(path), framework="pt") as file:
            header, names = file.metadata() or {}, list(file.keys())
            if names != [name]:
                raise SemveilError(f"{path}: expected one tensor, {name}, not {names[:5]}")
            if header.get("images") != list_digest(data):
                raise SemveilError(
                    f"{path}: made for other images: its images are not those of the list of {data}"
                )
            found: Tensor = file.get_tensor(name)
    except (SafetensorError, OSError, ValueError) as error:
        raise SemveilError(f"{path} is damaged: {' '.join(str(error).split())}") from None
    return found


def _expect(path: Path, found: Tensor, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    if found.dtype != dtype or found.shape != shape:
        raise SemveilError(
            f"{path}: expected {dtype} {list(shape)}, not {found.dtype} {list(found.shape)}"
        )
    if found.is_floating_point() and not bool(found.isfinite().all()):
        raise SemveilError(f"{path}: holds NaN or infinity; every number must be finite")


def _perturbed(
    entry: BoardEntry, facts: AttackFacts, submission: Submission, tensor: Tensor
) -> Iterator[Record]:
    path, known = entry.folder / TENSORS, _scene(submission, facts.snr_db)
    signal = known.incoming.arrival.signal
    _expect(path, tensor, torch.float32, (len(signal), 2, signal.shape[1]))
    delta = torch.view_as_complex(tensor.transpose(1, 2).contiguous())
    _refuse_excess(path, delta, signal, facts)
    # Noise and key follow from the file, so that it cannot be made for them.
    key = hashlib.sha256(f"leaderboard {facts.file.sha256}".encode()).digest()
    meant = _scene(submission, facts.snr_db, key)
    assert facts.psr_db is not None
    control = jamming(
        meant.incoming.arrival.signal, facts.psr_db, generator=generator(SEED, "leaderboard", "jam")
    )
    for adversary, injected in ((None, None), ("jamming", control), (entry.name, delta)):
        answers = list(_answers(meant, injected, facts.file.sha256))
        fields = {
            "role": "bob",
            "adversary": adversary,
            "psr_db": None if adversary is None else facts.psr_db,
            "protocol": "none" if adversary is None else "adaptive",
        }
        if answers[0].logits is not None:
            labels = meant.incoming.labels
            right = torch.stack([a.scores.argmax(1) == labels for a in answers]).double().mean(0)
            yield _record(
                entry, submission, "accuracy", bootstrap_mean(right, SEED), target=None, **fields
            )
        elif answers[0].images is not None:
            quality = torch.stack(
                [psnr_db(answer.output.float(), meant.incoming.images) for answer in answers]
            ).mean(0)
            yield _record(
                entry, submission, "psnr_db", bootstrap_mean(quality, SEED), target=None, **fields
            )


@torch.no_grad()
def _answers(meant: Scene, injected: Tensor | None, digest: str) -> Iterator[Answer]:
    for draw in range(_DRAWS):
        source = generator(SEED, "leaderboard", "noise", digest, draw)
        yield meant.victim.answer(meant.incoming, injected, source)


def _refuse_excess(path: Path, delta: Tensor, signal: Tensor, facts: AttackFacts) -> None:
    assert facts.psr_db is not None
    energy = squared_magnitude(delta.to(torch.complex128)).sum(1)
    psr_db = 10 * torch.log10(energy / squared_magnitude(signal).double().sum(1))
    worst = int(psr_db.argmax())
    excess = float(psr_db[worst]) - facts.psr_db
    if excess > _ROUNDING_DB:
        raise SemveilError(
            f"{path}: over its budget: the perturbation of image {worst} has a PSR of "
            f"{float(psr_db[worst]):.2f} dB, {excess:.2f} dB more than the {facts.psr_db:g} dB "
            f"that {STATED} states"
        )


def _reconstructed(
    entry: BoardEntry, facts: AttackFacts, submission: Submission, tensor: Tensor
) -> Iterator[Record]:
    path, some = entry.folder / TENSORS, torch.from_numpy(listed(submission.splits).test.x)
    _expect(path, tensor, torch.uint8, tuple(some.shape))
    images, originals = as_float(tensor), as_float(some)
    copies = int((tensor == some).flatten(1).all(1).sum())
    if copies > _own_copies(submission, facts.snr_db):
        raise SemveilError(
            f"{path}: {copies} reconstructions are copies of the list’s images, bit for bit, more "
            "than Bob gets himself"
        )
    _refuse_other_images(path, images, originals)
    for metric in image_metrics():
        values = metric(images, originals)
        yield _record(
            entry,
            submission,
            metric.name,
            bootstrap_mean(values, SEED),
            target="image",
            role="eve",
            adversary=entry.name,
            protocol="adaptive",
            test_snr_db=facts.snr_db,
        )


def _own_copies(submission: Submission, snr_db: float) -> int:
    """Return how many images of the list Bob himself gets bit for bit."""
    found = _scene(submission, snr_db)
    with torch.no_grad():
        answer = found.victim.answer(found.incoming, None, generator(SEED, "leaderboard", "bob"))
    if answer.images is None:
        return 0
    pixels = (answer.images.float().clamp(0, 1) * 255).round()
    return int((pixels == (found.incoming.images * 255).round()).flatten(1).all(1).sum())


def _refuse_other_images(path: Path, images: Tensor, originals: Tensor) -> None:
    """Refuse images that are no nearer to their own originals than to the others."""
    errors = torch.stack([(images - each).square().flatten(1).mean(1) for each in originals], 1)
    own = errors.diagonal()
    gain = (errors.sum(1) - own) / (len(own) - 1) - own
    # Three standard errors.
    if float(gain.mean()) <= 3 * float(gain.std()) / len(own) ** 0.5:
        raise SemveilError(
            f"{path}: reconstructions of other images: they are no nearer to the images of the "
            "list, one by one, than to others of it"
        )


def _record(
    entry: BoardEntry, submission: Submission, metric: str, estimate: Estimate, **fields: object
) -> Record:
    conditions, system = submission.conditions, submission.system
    uses = submission.channel_uses
    common = {
        "study": STUDY,
        "dataset": submission.splits.name,
        "channel": conditions.bob.name,
        "train_snr_db": conditions.train_snr_db,
        "test_snr_db": entry.facts.snr_db,
        "latent_dim": 2 * uses,
        "bandwidth_ratio": uses / submission.splits.test.x[0].size,
        "asymmetry": system.asymmetry,
        "seed": SEED,
    }
    return Record.of(system.name, estimate, metric=metric, **(common | fields))
