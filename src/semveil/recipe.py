"""Recipes: every setting of a run, checked before anything slow starts. Knows no torch."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import suppress
from importlib import resources
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, get_args

import yaml
from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    model_validator,
)

from semveil import strict_yaml
from semveil.errors import SemveilError, SemveilWarning, shown, unknown
from semveil.section import KEYS, OpenSection, Section, explain, keys_of, kind_of

Positive = Annotated[int, Field(gt=0)]
Decibel = Annotated[float, Field(ge=-60, le=60)]
Weight = Annotated[float, Field(ge=0, le=1e6)]
InversionLoss = Literal["mse", "log-mse", "ssim", "mi", "perceptual"]


def _distinct(values: list[Any]) -> list[Any]:
    if len(set(values)) < len(values):
        raise ValueError("must not name anything twice")
    return values


def _even(value: int) -> int:
    if value % 2:
        raise ValueError("must be even: two reals make one channel use")
    return value


class DataConfig(OpenSection):
    """Data set and size of its images.

    Attributes:
        name: A registered data set, such as ``digits``, or the path of an image folder.
        limit: Largest number of training images, all splits together; no limit if null.
        image_size: Side in pixels to which images are resized, for data sets that support it.
        target: Attribute that is Bob's task, for data sets with several attributes.
        private: Attribute that Eve infers; Bob's task if null.
    """

    section: ClassVar[str] = "data"
    registries: ClassVar[tuple[str, ...]] = ("semveil.data:DATASETS",)

    name: str = "digits"
    limit: Positive | None = None
    image_size: Annotated[int, Field(ge=8, le=512)] = 32
    target: str | None = None
    private: str | None = None


class LinkConfig(Section):
    """Sizes of the networks.

    Attributes:
        latent_dim: Reals per image, even; two are one channel use.
        width: Channels of the first convolution.
        head_width: Hidden width of Bob's semantic head.
    """

    latent_dim: Annotated[int, Field(ge=2, le=65536), AfterValidator(_even)] = 32
    width: Annotated[int, Field(ge=2, le=512)] = 32
    head_width: Annotated[int, Field(ge=2, le=4096)] = 256


class OfdmConfig(Section):
    """OFDM frames over multipath.

    Attributes:
        subcarriers: Subcarriers, all used.
        prefix: Samples of cyclic prefix.
        pilot_symbols: Known OFDM symbols at the start of a frame.
        taps: Paths, one per sample of delay.
        decay: Samples after which the power of a path has fallen to 1/e.
        estimator: ``lmmse`` or ``ls``, if CSI is estimated.
        clip_ratio: Peak amplitude over root mean square of a frame; no limit if null.
        refine: Whether networks refine estimate and equalised symbols.
    """

    subcarriers: Annotated[int, Field(ge=4, le=4096)] = 64
    prefix: Annotated[int, Field(ge=0, le=4096)] = 16
    pilot_symbols: Annotated[int, Field(ge=0, le=64)] = 1
    taps: Annotated[int, Field(ge=1, le=1024)] = 8
    decay: Annotated[float, Field(ge=1e-3, le=1000)] = 1.5
    estimator: Literal["lmmse", "ls"] = "lmmse"
    clip_ratio: Annotated[float, Field(gt=0, le=100)] | None = None
    refine: bool = False

    @model_validator(mode="after")
    def _fits(self) -> OfdmConfig:
        if self.prefix > self.subcarriers:
            raise ValueError(
                f"a prefix of {self.prefix} samples does not fit {self.subcarriers} subcarriers"
            )
        spill = _spill(self)
        if spill > _LEAST_SPILL:
            warnings.warn(
                f"ofdm.prefix: {self.prefix} samples are fewer than the channel's {self.taps - 1} "
                f"samples of delay: about {10 * math.log10(spill):.0f} dB of interference beside "
                "the signal",
                SemveilWarning,
                stacklevel=2,
            )
        return self


# Of the signal's power; the highest SNR is 60 dB.
_LEAST_SPILL = 1e-8


def _spill(ofdm: OfdmConfig) -> float:
    """Return the power that leaves the prefix over the signal's."""
    # A path that comes m samples too late brings m samples of the symbol before and misses m of
    # its own, of N: twice m/N of its power.
    powers = [math.exp(-path / ofdm.decay) for path in range(ofdm.taps)]
    late = sum(
        power * 2 * max(0, path - ofdm.prefix) / ofdm.subcarriers
        for path, power in enumerate(powers)
    )
    return late / sum(powers)


class ChannelConfig(Section):
    """Channel from Alice to a receiver.

    Attributes:
        snr_db: Mean E_s/N_0 in training, dB.
        fading: ``awgn``, ``rayleigh``, ``rician``, or ``multipath`` under OFDM.
        csi: ``perfect`` or ``estimated`` from pilots.
        pilots: Pilot symbols when estimated, without OFDM.
        k_factor_db: Rician factor, dB.
        ofdm: The frames that cross multipath.
    """

    snr_db: Decibel = 10.0
    fading: Literal["awgn", "rayleigh", "rician", "multipath"] = "rayleigh"
    csi: Literal["perfect", "estimated"] = "perfect"
    pilots: Annotated[int, Field(gt=0, le=1024)] = 4
    k_factor_db: Decibel = 6.0
    ofdm: OfdmConfig = OfdmConfig()


class TrainConfig(Section):
    """Training of the link.

    Attributes:
        epochs: Passes over the system's images.
        batch: Images per step, over all devices together.
        lr: Peak learning rate of Adam, for all that Muon does not train.
        optimiser: ``adam`` for everything, or ``muon`` for the filters of the link's convolutions.
        muon_lr: Peak learning rate of Muon; filters before a normalisation take about 0.2,
            others about 0.02.
        schedule: How learning rates fall: ``cosine``, after a ramp, or ``linear``.
        label_smoothing: Share of a label's weight that goes to all classes alike.
        crop: Pixels by which training images are moved at random, reflected at their borders.
        flip: Whether every training image is mirrored in every other epoch.
        progressive_size: Side in pixels of what Alice encodes early in training; smaller images
            train faster. The images' own if null. Task-oriented schemes only.
        progressive_share: Share of the steps with smaller images.
        reconstruction_weight: Weight of the loss of Bob's images beside the cross-entropy; at 0 the
            Bob of a multi-task link reconstructs no image.
        image_loss: Loss of Bob's images: ``mse``, or ``log-mse``, the mean of its logarithm, which
            falls as the mean PSNR rises.
        max_grad_norm: Gradients are scaled down to this norm.
        weight_average: Decay per step of the average of weights that the link ends with, such as
            0.99; 0 takes the weights of the last step.
        snr_span_db: Bob's SNR in training is uniform within this distance of ``bob.snr_db``, dB,
            one draw per image; 0 trains at one SNR. Not with a min-max game.
        precision: ``auto`` uses bfloat16 where the processor supports it in hardware.
    """

    epochs: Positive = 10
    batch: Annotated[int, Field(ge=2, le=65536)] = 256
    lr: Annotated[float, Field(gt=0, le=1)] = 1e-3
    optimiser: Literal["adam", "muon"] = "adam"
    muon_lr: Annotated[float, Field(gt=0, le=1)] = 0.02
    schedule: Literal["cosine", "linear"] = "cosine"
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    crop: Annotated[int, Field(ge=0, le=16)] = 0
    flip: bool = False
    progressive_size: Annotated[int, Field(ge=8, le=512)] | None = None
    progressive_share: Annotated[float, Field(ge=0, le=1)] = 0.5
    reconstruction_weight: Weight = 10.0
    image_loss: Literal["mse", "log-mse"] = "mse"
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    weight_average: Annotated[float, Field(ge=0, lt=1)] = 0.0
    snr_span_db: Annotated[float, Field(ge=0, le=40)] = 0.0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"


class AttackerConfig(Section):
    """Mallory's channel to Bob, and what she does not know of it.

    Her PSR is defined at Bob's antenna. She averages over what she does not know.

    Attributes:
        fading: Fading from Mallory to Bob: ``none`` (she equalises it), ``rayleigh`` or
            ``multipath``, drawn anew for every image and unknown to her.
        timing: Largest timing error of her perturbation, samples, early or late.
        phase: Whether her carrier's phase is unknown to her.
        cfo: Largest offset of her carrier, cycles per sample, either way; subcarriers of an OFDM
            with ``N`` of them are ``1/N`` apart.
        draws: Draws that a gradient is averaged over.
    """

    fading: Literal["none", "rayleigh", "multipath"] = "none"
    timing: Annotated[int, Field(ge=0, le=4096)] = 0
    phase: bool = False
    cfo: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    draws: Annotated[int, Field(gt=0, le=1000)] = 1


class AttackConfig(OpenSection):
    """Attacks on Bob; each attack has a section of its own settings below.

    Attributes:
        names: Attacks; ``all`` means all registered attacks.
        psr_db: PSRs, dB.
        snr_db: Bob's SNR, dB; his training SNR if null.
        source_class: Class whose images are attacked; all classes if null.
        target_class: Class that Bob shall answer; any wrong class if null.
        metrics: Image metrics of Bob's reconstructions, in addition to PSNR and SSIM.
        images: Number of test images, the first ones.
        train_images: Largest number of Mallory's training images.
        batch: Images per step.
        votes: Samples of randomised smoothing that certify predictions; 0 certifies none.
        certified: Number of test images that are certified, the first ones.
        mallory: The attacker's channel, and what she does not know of it.
    """

    section: ClassVar[str] = "attack"
    registries: ClassVar[tuple[str, ...]] = ("semveil.adversary.perturb:ATTACKS",)

    names: Annotated[list[str], Field(min_length=1), AfterValidator(_distinct)] = ["all"]
    psr_db: Annotated[list[Decibel], Field(min_length=1), AfterValidator(_distinct)] = [
        -40.0,
        -30.0,
        -24.0,
        -18.0,
        -12.0,
        -10.0,
        -8.0,
        -6.0,
        -4.0,
        -2.0,
    ]
    snr_db: Decibel | None = None
    source_class: Annotated[int, Field(ge=0)] | None = None
    target_class: Annotated[int, Field(ge=0)] | None = None
    metrics: Annotated[list[str], AfterValidator(_distinct)] = []
    images: Positive = 2000
    train_images: Positive = 10000
    batch: Annotated[int, Field(ge=2, le=65536)] = 250
    votes: Annotated[int, Field(ge=0, le=1000000)] = 0
    certified: Positive = 200
    mallory: AttackerConfig = AttackerConfig()


class HardenConfig(Section):
    """Adversarial training, after the link's plain training.

    Attributes:
        method: Method, from ``semveil list adversarial-training``; ``none`` for none.
        psr_db: Highest PSR in training, dB; if null, the method's own: one at which its attack
            leaves some answers right.
        span_db: PSRs are uniform within this range below it, dB, one draw per batch.
        clean: Share of every batch that is not perturbed.
        epochs: Passes over the system's images.
        lr: Peak learning rate.
        steps: Gradient steps of ``at-pgd``.
        generator_steps: Link steps per step of a generator.
    """

    method: str = "none"
    psr_db: Decibel | None = None
    span_db: Annotated[float, Field(ge=0, le=60)] = 8.0
    clean: Annotated[float, Field(ge=0, lt=1)] = 0.5
    epochs: Positive = 5
    lr: Annotated[float, Field(gt=0, le=1)] = 5e-4
    steps: Annotated[int, Field(gt=0, le=1000)] = 5
    generator_steps: Positive = 2


class AuditConfig(OpenSection):
    """Fresh eavesdroppers; each has a section of its own settings below.

    Attributes:
        eve_snr_db: Eve's SNRs in the test, dB; below, at and above Bob's.
        bob_snr_db: Bob's SNRs in the test, dB.
        inference: Eavesdroppers who infer the label: ``standard`` for the standard suite, or names,
            such as ``mlp`` for ``inference/mlp``.
        inversion: Eavesdroppers who reconstruct the image: ``standard``, or names, such as
            ``deconv``.
        losses: Losses of the inverters that are named: ``mse``, ``log-mse``, ``ssim``, ``mi`` or
            ``perceptual``.
        perceptual: Eavesdroppers of ``inversion`` that are trained with the perceptual loss.
        perceptual_weights: Weights (safetensors) of the classifier whose feature maps the
            perceptual loss compares; if null, one is trained on Eve's images.
        attacks: Eavesdroppers with more knowledge: ``rmle``, ``shadow``, ``known-plaintext``; each
            is left out for links without the component that it needs.
        metrics: Image metrics of Eve's reconstructions, in addition to PSNR and SSIM.
        leakage: Whether to measure mutual information, its variational bound and dFIL.
        invert_controls: Whether inverters are also trained against the controls.
        variants: Whether a scheme's variants are measured too.
        max_epochs: Largest number of epochs in a round of an Eve's training; early stopping may end
            it sooner.
        rounds: Largest number of rounds; a further one follows while rounds improve the validation
            loss.
        each_snr: Whether every Eve is trained anew for each of her SNRs, instead of once for all of
            them: stronger, and as many times slower.
        shift: Pixels by which Eve moves her images at most when she has them sent anew, turned and
            scaled a little; never more than a sixteenth of an image's side. At 0 they stay.
        patience: Epochs without a better validation loss before early stopping.
        batch: Received signals per training step of an Eve at most; fewer on small sets.
        images: Number of test images that are reconstructed, the first ones.
        pictures: Number of test images in the report.
    """

    section: ClassVar[str] = "audit"
    registries: ClassVar[tuple[str, ...]] = ("semveil.adversary.eavesdrop:EAVESDROPPERS",)

    eve_snr_db: Annotated[list[Decibel], Field(min_length=1), AfterValidator(_distinct)] = [
        0.0,
        10.0,
        20.0,
    ]
    bob_snr_db: Annotated[list[Decibel], Field(min_length=1), AfterValidator(_distinct)] = [
        0.0,
        5.0,
        10.0,
        15.0,
        20.0,
    ]
    inference: Annotated[list[str], Field(min_length=1), AfterValidator(_distinct)] = ["standard"]
    inversion: Annotated[list[str], AfterValidator(_distinct)] = ["standard"]
    losses: Annotated[list[InversionLoss], Field(min_length=1), AfterValidator(_distinct)] = ["mse"]
    perceptual: Annotated[list[str], AfterValidator(_distinct)] = ["deconv"]
    perceptual_weights: str | None = None
    attacks: Annotated[list[str], AfterValidator(_distinct)] = []
    metrics: Annotated[list[str], AfterValidator(_distinct)] = []
    leakage: bool = False
    invert_controls: bool = True
    variants: bool = True
    max_epochs: Positive = 30
    rounds: Positive = 3
    each_snr: bool = False
    shift: Annotated[int, Field(ge=0, le=16)] = 1
    patience: Positive = 8
    batch: Annotated[int, Field(ge=1, le=65536)] = 256
    images: Positive = 10000
    pictures: Annotated[int, Field(ge=0, le=64)] = 8


class Recipe(OpenSection):
    """One run: a scheme and everything it needs.

    Schemes and protections have sections of their own; see :meth:`of`.

    Attributes:
        scheme: Scheme that is trained and measured together with its reference.
        protections: Protections that are added to the scheme's link, in this order.
    """

    registries: ClassVar[tuple[str, ...]] = (
        "semveil.schemes:SCHEMES",
        "semveil.protect:PROTECTIONS",
    )

    scheme: str = "multitask"
    protections: Annotated[list[str], AfterValidator(_distinct)] = []
    data: DataConfig = DataConfig()
    link: LinkConfig = LinkConfig()
    bob: ChannelConfig = ChannelConfig()
    eve: ChannelConfig = ChannelConfig()
    train: TrainConfig = TrainConfig()
    harden: HardenConfig = HardenConfig()
    attack: AttackConfig = AttackConfig()
    audit: AuditConfig = AuditConfig()


Changes = Mapping[str, Any] | Sequence[str]
"""Settings by dotted keys, ``{"link.latent_dim": 64}``, or as texts ``link.latent_dim=64``."""


def names() -> list[str]:
    """Return the recipes that come with the package."""
    return sorted([*_recipes(), *_SHORT])


def overview() -> dict[str, dict[str, str]]:
    """Return scheme and data set of the recipes that come with the package, by name."""
    known = _recipes() | {name: _read(name) for name in _SHORT}
    return {
        name: {"scheme": plain["scheme"], "data": plain["data"]["name"]}
        for name, plain in sorted(known.items())
    }


_FOLDER = resources.files("semveil") / "recipes"
_SHORT = {"quickstart": "minmax-cooperative-digits"}


def _recipes() -> dict[str, dict[str, Any]]:
    """Return the recipes named SCHEME-DATASET: a data set's settings, a scheme's over them."""
    found = {}
    for file in _FOLDER.iterdir():
        family = yaml.safe_load(file.read_text(encoding="utf-8"))
        for dataset, base in family["datasets"].items():
            for scheme, changes in family["schemes"].items():
                found[f"{scheme}-{dataset}"] = {"scheme": scheme, **_merge(base, changes)}
    return found


def load(name: str, overrides: Changes = ()) -> Recipe:
    """Load a recipe by name or from a file, apply overrides, and check it.

    Args:
        name: A recipe of the package, or the path of a ``.yaml`` file.
        overrides: Settings by dotted keys, or texts ``key=value``: the value as it is where
            the setting is text, in YAML where it is not.

    Returns:
        The recipe.

    Raises:
        SemveilError: If it is unknown, or a key is unknown (with the nearest one), or a value
            is of the wrong type or out of range (with its full key).

    Example:
        >>> load("quickstart", ["link.latent_dim=8"]).link.latent_dim
        8
    """
    return check(_override(_read(name), overrides))


_RENAMED = {
    "attack.target": "attack.source_class",
    "attack.wrong": "attack.target_class",
    "attack.steps": "attack.pgd.steps, attack.uap.steps and attack.transfer.steps",
    "attack.restarts": "attack.pgd.restarts and attack.transfer.restarts",
    "attack.queries": "attack.blackbox.queries",
    "attack.epochs": "attack.uap.epochs, attack.pgm.epochs, attack.semadv.epochs and "
    "attack.transfer.epochs",
    "attack.lr": "attack.pgm.lr, attack.semadv.lr and attack.transfer.lr",
    "attack.diversity": "attack.pgm.diversity and attack.semadv.diversity",
    "audit.judge": "audit.perceptual_weights",
    "attack.disguise": "attack.pgm.disguise",
    "attack.shift": "attack.pgm.shift",
}


def check(plain: dict[str, Any]) -> Recipe:
    """Check a plain dictionary and return it as a recipe; see :func:`load`."""
    for old, new in _RENAMED.items():
        section, _, key = old.partition(".")
        if isinstance(inside := plain.get(section), dict) and key in inside:
            raise SemveilError(f"{old} is now {new}")
    try:
        return Recipe.model_validate(plain)
    except ValidationError as error:
        raise explain(error, keys) from None


def _read(name: str) -> dict[str, Any]:
    if name.endswith((".yaml", ".yml")):
        plain = strict_yaml.read(Path(name), f"recipe {name}")
    else:
        known = _recipes()
        if (short := _SHORT.get(name, name)) in known:
            return known[short]
        first, _, rest = name.partition("-")
        if f"{rest}-{first}" in known:
            raise SemveilError(f"recipe {name} is now {rest}-{first}")
        raise unknown("recipe", name, names(), "semveil list recipes")
    if not isinstance(plain, dict):
        raise SemveilError(f"recipe {name}: expected keys with values")
    return plain


_DEPTH = 8  # more levels than any setting has


def _override(plain: dict[str, Any], overrides: Changes) -> dict[str, Any]:
    for override in as_texts(overrides):
        key, equals, value = override.partition("=")
        if not equals or not key:
            raise SemveilError(f"{shown(override)}: expected key=value, as in link.latent_dim=32")
        if key.count(".") > _DEPTH:
            raise unknown("key", key, keys(), KEYS)
        plain = _set(plain, key, key.split("."), _value(key, value))
    return plain


def _value(key: str, text: str) -> Any:
    """Return a value from a text: text for a setting that is text, YAML for all others."""
    kind = kind_of(Recipe, key.split("."))
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    if str not in kinds:
        return strict_yaml.parse(text, shown(key))
    if text in ("null", "~", "") and type(None) in kinds:
        return None
    if len(text) > 1 and text[0] == text[-1] == '"':
        with suppress(ValueError):
            return json.loads(text)
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1]
    return text


def _set(section: dict[str, Any], key: str, path: list[str], value: Any) -> dict[str, Any]:
    """Return a section with one value set; the others, which YAML may share, are left alone."""
    first, *rest = path
    if rest:
        inner = section.get(first, {})
        if not isinstance(inner, dict):
            if key in keys():
                raise SemveilError(f"{first}: expected keys with values (got {inner!r})")
            raise unknown("key", key, keys(), KEYS)
        value = _set(inner, key, rest, value)
    return section | {first: value}


def keys() -> list[str]:
    """Return the full key of every setting, those of registered classes too."""
    return keys_of(Recipe)


def as_texts(changes: Changes) -> list[str]:
    """Return changes as the command line takes them: values in JSON, which is YAML."""
    if isinstance(changes, Mapping):
        return [
            f"{key}={json.dumps(value, default=str, ensure_ascii=False)}"
            for key, value in changes.items()
        ]
    return list(changes)


def override(recipe: Recipe, overrides: Changes, only: Set[str] | None = None) -> Recipe:
    """Return a recipe with settings changed, checked again; see :func:`load`.

    Args:
        recipe: The recipe.
        overrides: The changes.
        only: Sections that may change; all if None.

    Raises:
        SemveilError: If a key or value does not fit, or another section changes.

    Example:
        >>> override(Recipe(), {"attack.images": 5}).attack.images
        5
    """
    found = check(_override(recipe.model_dump(), overrides))
    if only is not None and changes(found, only) != changes(recipe, only):
        sections = " and ".join(sorted(only))
        raise SemveilError(f"only settings of {sections} can be changed here")
    return found


def changes(section: Section, exclude: Set[str] = frozenset()) -> dict[str, Any]:
    """Return the settings that are not as they are by default."""
    return _pruned(section.model_dump(exclude=set(exclude), exclude_defaults=True))


def _pruned(plain: dict[str, Any]) -> dict[str, Any]:
    """Leave out sections in which nothing is set."""
    inner = {k: _pruned(v) if isinstance(v, dict) else v for k, v in plain.items()}
    return {k: v for k, v in inner.items() if v != {}}


def complete(recipe: Recipe, configs: Iterable[type[Section]]) -> Recipe:
    """Return a recipe with further sections written out, as they are or by default."""
    for config in configs:
        plain: dict[str, Any] = recipe.of(config).model_dump()
        for key in reversed(config.section.split(".")):
            plain = {key: plain}
        recipe = update(recipe, plain)
    return recipe


def update(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """Return a recipe with the values of nested sections changed, checked again."""
    return check(_merge(recipe.model_dump(), changes))


def _merge(old: dict[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    return old | {
        key: _merge(old[key], value)
        if isinstance(value, Mapping) and isinstance(old.get(key), dict)
        else value
        for key, value in new.items()
    }
