"""Every privacy-preserving scheme of the survey: what Bob gets, what inverters recover.

Figure 3 of Guo, Zhang, Wang, Feng and Quek: accuracy and leakage on CIFAR-10 over AWGN, trained
at 12 dB and tested from 4 to 20 dB.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from semveil import recipe as recipes
from semveil.records import Asked, Params, asked_for, named
from semveil.studies.base import Job, Study, in_code, nested
from semveil.studies.privacy_claims import HOME_DB, LEAK, System, claims, systems, unprotected
from semveil.studies.words import Value as Number
from semveil.studies.words import markdown_table, pick

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HEARD = [4.0, 8.0, 12.0, 16.0, 20.0]
_ATTACKS: dict[str, Any] = {
    "audit.bob_snr_db": _HEARD,
    "audit.eve_snr_db": _HEARD,
    "audit.losses": ["mse", "perceptual"],
    "audit.attacks": ["rmle"],
    "audit.leakage": True,
}
_UNORDERED: dict[str, Any] = {
    "audit.inference": ["linear", "mlp", "wide", "set"],
    "audit.inversion": ["linear", "mlp", "deconv", "set"],
    "audit.attacks": ["rmle", "shadow", "known-plaintext"],
}
# Never stronger than querying, so it is shown on two links.
_QUERY_FREE: dict[str, Any] = {"audit.attacks": ["rmle", "shadow"]}
_NARROW: dict[str, Any] = {"link.latent_dim": 32}
_GENUINE: dict[str, Any] = {"dp.reading": "genuine", "dp.clip": 1.0}

# Folder, schemes, params of the records, changes. The schemes of one job share its trained links.
_Entry = tuple[str, tuple[Asked, ...], Params, dict[str, Any]]
_OPEN: _Entry = ("open", ("deepjscc", "shuffle"), {}, _UNORDERED)
_CORE: tuple[_Entry, ...] = (
    _OPEN,
    ("dp-0.1", ("dp",), {"epsilon": 0.1}, {"dp.epsilon": 0.1}),
    ("rotation", ("rotation",), {}, {**_UNORDERED, "audit.variants": False}),
    ("cipher", ("cipher",), {}, {}),
    ("vfe", ("vfe",), {}, _QUERY_FREE),
    ("ibal", ("ibal",), {}, {}),
    ("lbvq-32", ("lbvq",), {}, _NARROW),
    ("uis-32", ("uis",), {}, _NARROW),
)
_REST: tuple[_Entry, ...] = (
    ("lbvq-128", ("lbvq",), {}, {}),
    ("dp-0.05", ("dp",), {"epsilon": 0.05}, {"dp.epsilon": 0.05}),
)
_MORE: tuple[_Entry, ...] = (
    (
        "dp-genuine-0.9",
        ("dp",),
        {"reading": "genuine", "epsilon": 0.9},
        {**_GENUINE, "dp.epsilon": 0.9},
    ),
    ("dp-0.9", ("dp",), {"epsilon": 0.9}, {"dp.epsilon": 0.9}),
    ("deepjscc-32", ("deepjscc",), {}, _NARROW),
    (
        "dp-genuine-100",
        ("dp",),
        {"reading": "genuine", "epsilon": 100.0},
        {**_GENUINE, "dp.epsilon": 100.0},
    ),
    (
        "ibal-noise",
        ("ibal",),
        {"inverter": "noise"},
        {"inverter.form": "noise", "train.snr_span_db": 8.0},
    ),
    ("uis-128", ("uis",), {}, {}),
    ("ibal-rotation", (asked_for("ibal", "rotation"),), {}, _UNORDERED),
    ("lbvq-laplace", (asked_for("lbvq", "laplace"),), {}, {**_NARROW, "dp.epsilon": 0.1}),
)
_BUDGETS: dict[str, tuple[str, tuple[_Entry, ...], dict[str, Any]]] = {
    "smoke": (
        "digits",
        _CORE,
        {
            "data.limit": 600,
            "train.epochs": 2,
            "link.latent_dim": 32,
            "link.width": 4,
            "codebook.dim": 8,
            "audit.bob_snr_db": [HOME_DB],
            "audit.eve_snr_db": [HOME_DB],
            "audit.max_epochs": 2,
            "audit.pictures": 2,
        },
    ),
    "cpu": (
        "cifar10",
        _CORE + _REST,
        {
            "data.limit": 20000,
            "train.epochs": 12,
            "audit.max_epochs": 12,
            "audit.patience": 4,
            "audit.batch": 64,
            "audit.images": 2000,
            "audit.eve_snr_db": [4.0, HOME_DB, 20.0],
        },
    ),
    "full": (
        "cifar10",
        _CORE + _REST + _MORE,
        {
            "train.epochs": 100,
            "link.width": 64,
            "audit.max_epochs": 100,
            "audit.perceptual": ["linear", "mlp", "deconv"],
        },
    ),
}


def jobs(budget: str, seed: int) -> list[Job]:
    """Return one job per trained link and what is laid over it.

    Example:
        >>> [job.name for job in jobs("smoke", 0)]
        ['open', 'dp-0.1', 'rotation', 'cipher', 'vfe', 'ibal', 'lbvq-32', 'uis-32']
    """
    dataset, entries, settings = _BUDGETS[budget]
    found = []
    for name, schemes, params, changes in entries:
        base = recipes.load(f"{named(schemes[-1]).scheme}-{dataset}")
        recipe = recipes.update(base, nested({**_ATTACKS, **changes, **settings, **changes}))
        found.append(Job(name, recipe, schemes, seed, params))
    return found


def figures(table: pd.DataFrame) -> Mapping[str, Figure]:
    """Return accuracy and leakage against the SNR, and against each other."""
    from semveil.report.figures.curves import against_snr
    from semveil.report.figures.leakage import accuracy_and_leakage

    return {
        "accuracy.svg": against_snr(table, "accuracy"),
        "leakage.svg": against_snr(table, LEAK),
        "privacy-utility.svg": accuracy_and_leakage(table, HOME_DB),
    }


def page(table: pd.DataFrame) -> str:
    """Return the page: what was measured, the table at 12 dB, and claim by claim."""
    found = systems(table)
    dataset = str(table["dataset"].iloc[0])
    return "\n".join(
        [
            _INTRODUCTION.format(dataset=dataset, home=HOME_DB),
            _table(table, found),
            _validation(found),
            _budgets(table),
            "## Claim by claim\n",
            *(f"{number}. {claim}\n" for number, claim in enumerate(claims(found), start=1)),
            "![Accuracy against leakage](privacy-utility.svg)\n",
            "![Accuracy against the SNR](accuracy.svg)\n",
            "![Leakage against the SNR](leakage.svg)\n",
        ]
    )


_INTRODUCTION = """# Privacy against utility

Guo, Zhang, Wang, Feng and Quek compare privacy-preserving task-oriented schemes on CIFAR-10 over
AWGN, trained at 12 dB and tested at 4 to 20 dB (their Figure 3). Here all of them run on {dataset},
on one channel, against the same eavesdroppers, at {home:g} dB unless an SNR is named.

**Who listens.** *Simulated*: the inverter that was trained along with the link, as it was left (the
paper protocol of the records). *Survey*: the survey's attacker, one black-box network
(deconvolution) trained on receptions of the frozen link with MSE and perceptual loss. *Strongest*:
the best of all fresh inverters: linear, dense and deconvolution networks, the survey's, in some
jobs a shadow encoder, a network blind to order, and known plaintext on permutations; maximum
likelihood through the encoder (rMLE) stands in the records. All of Eve's images are images that the
link was not trained on (at the budget `cpu` 5,000 of them, and up to 940 steps for each network);
she hears over the same channel law as Bob. Eve's label is the best of the networks that guess it.

**Leakage** is the mutual information of grey levels (20 bins, bits) between an image and its
reconstruction, less that between the image and another image's reconstruction. Without the second
term sharp pictures of anything seem to leak, and a blurred truth seems not to; the survey does not
define its own. It is zero on average where the reception says nothing. The largest leakage and the
largest PSNR need not be the same Eve's. Intervals are 95 %, one seed.

**Budgets.** The survey gives all schemes "dimension 128". Analog schemes send 128 reals (64
symbols). The codebook papers send 16 symbols of 4 bits; here they stand at 16 symbols (d = 32) and,
rate-matched, at 64 (d = 128). At the budget `cpu` every link is trained for 12 epochs on 13,000
images, where the papers take hundreds on all of them: codebooks learn slowest, and their accuracy
here is no verdict on what they reach.
"""


def _table(table: pd.DataFrame, found: Mapping[str, System]) -> str:
    rows = [
        [
            system.title,
            str(system.dimension),
            system.asymmetry or "–",
            *(_percent(system.bob(snr_db)) for snr_db in (4.0, HOME_DB, 20.0)),
            *(_bits(system.leakage(who)) for who in ("simulated", "survey", "strongest")),
            _plain(system.quality()),
            _percent(system.eve_label()),
        ]
        for system in found.values()
    ]
    headings = [
        "system",
        "d",
        "rests on",
        "Bob, 4 dB",
        f"Bob, {HOME_DB:g} dB",
        "Bob, 20 dB",
        "leakage, simulated",
        "survey",
        "strongest",
        "PSNR, strongest",
        "Eve's label",
    ]
    ends = {
        name: pick(table, role="system", metric=name)
        for name in ("mi_bits_20_ceiling", "psnr_mean_image_db", "chance")
    }
    ceiling, mean, chance = ends.values()
    return (
        f"## At {HOME_DB:g} dB\n\n{markdown_table(headings, rows)}\n\n"
        f"An image shares {_plain(ceiling)} bits with itself; the mean image has {_plain(mean)} "
        f"dB; guessing the label gives {_percent(chance)}.\n"
    )


def _validation(found: Mapping[str, System]) -> str:
    """Return how every attacker fares on the unprotected link, where she must succeed."""
    plain = unprotected(found)
    if plain is None:
        return ""
    inverters = plain.table[(plain.table["role"] == "eve") & (plain.table["target"] == "image")]
    rows = []
    for name in dict.fromkeys(inverters["adversary"].dropna()):
        at = {"adversary": name, "test_snr_db": HOME_DB, "role": "eve"}
        leak = pick(plain.table, **at, metric=LEAK)
        quality = pick(plain.table, **at, metric="psnr_db")
        start = pick(plain.table, **at, metric="psnr_start_db")
        if leak is None or quality is None:
            continue
        begun = f" (began at {start.value:.2f})" if start else ""
        word = "succeeds" if leak.low > 0 else "fails: her failures elsewhere prove nothing"
        rows.append([f"`{name}`", f"{_plain(quality)}{begun}", _bits(leak), word])
    mean = pick(plain.table, role="system", metric="psnr_mean_image_db")
    return (
        "## The attackers on the unprotected link\n\n"
        f"{markdown_table(['attacker', 'PSNR, dB', 'leakage, bits', 'verdict'], rows)}\n\n"
        f"At {HOME_DB:g} dB, d = {plain.dimension}; the mean image has {_plain(mean)} dB. rMLE "
        "begins at the best inverter's images and searches 64 only, too few to be counted among "
        "the strongest. A link for a task sends little of the image that its task does not "
        "need, so that all figures here are small against the image's own "
        "information; differences between schemes are differences of little.\n"
    )


def _budgets(table: pd.DataFrame) -> str:
    """Return the table of what the noise of the DP systems guarantees."""
    rows = []
    for label, part in table.groupby("system", sort=False):
        whole = pick(part, role="system", metric="epsilon_vector")
        if whole is None:
            continue
        lower = pick(part, role="system", metric="epsilon_lower")
        channel = pick(part, role="system", metric="epsilon_channel", test_snr_db=HOME_DB)
        noise = pick(part, role="system", metric="feature_snr_db")
        rows.append(
            [
                str(label),
                *(
                    f"{number.value:.3g}" if number else "–"
                    for number in (noise, whole, lower, channel)
                ),
            ]
        )
    if not rows:
        return ""
    headings = ["system", "feature SNR, dB", "ε of the vector", "ε at least (attack)", "ε, channel"]
    return (
        "## What the noise guarantees\n\n"
        f"{markdown_table(headings, rows)}\n\n"
        "The ε of the whole vector of one message is the sensitivity over the noise scale; the "
        "attack's is a lower bound at 95 % from a distinguishing attack on the worst pair of "
        "features, which cannot exceed what its number of draws shows. The channel's is what the "
        f"noise at {HOME_DB:g} dB gives by itself at δ = 10⁻⁵ (Gaussian mechanism, analytic), "
        "beside the other and not added to it. The budget that a label of the paper's reading "
        "names is no guarantee.\n"
    )


def _percent(number: Number | None) -> str:
    return number.percent() if number else "–"


def _bits(number: Number | None) -> str:
    if number is None:
        return "–"
    value, low, high = (
        f"{part:.3f}".replace("-", "−") for part in (number.value, number.low, number.high)
    )
    return f"{value} ({low} to {high})"


def _plain(number: Number | None) -> str:
    return f"{number.value:.2f} ({number.low:.2f}–{number.high:.2f})" if number else "–"


STUDY = Study(
    name="privacy-utility",
    title="accuracy and leakage of every privacy-preserving scheme, both protocols",
    jobs=jobs,
    render=in_code(figures, page),
)
