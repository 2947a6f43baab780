"""What the survey says of faces (section IV.D), judged by records; and the page that says so."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import pandas as pd
from scipy.stats import t

from semveil.report.select import strongest, where
from semveil.studies.words import Figure, markdown_table, pick

HOME_DB = 12.0
MI = "mi_bits_20"
ATTRIBUTES = ("Mustache", "Smiling", "Wavy_Hair")
DP = ("dp, ε = 0.05", "dp, ε = 0.1", "dp, ε = 0.9")
_TABLE_II = {
    DP[0]: (0.750, 0.667, 0.729),
    DP[1]: (0.763, 0.684, 0.736),
    DP[2]: (0.765, 0.672, 0.723),
    "shuffle": (0.776, 0.672, 0.745),
    "ibal": (0.773, 0.696, 0.718),
    "lbvq": (0.853, 0.799, 0.793),
}
PUBLISHED = {
    (system, attribute): rate
    for system, rates in _TABLE_II.items()
    for attribute, rate in zip(ATTRIBUTES, rates, strict=True)
}
_KINDS = {"accuracy": "top-1", "balanced_accuracy": "balanced"}
_LABELLED = re.compile(r"(?P<name>.*) \((?P<attribute>[^(),]+)(?P<budget>, [^()]*)?\)")


def by_system(table: pd.DataFrame) -> pd.DataFrame:
    """Return records with the attribute that their scheme's name ends in as a column of its own.

    Example:
        >>> named = pd.DataFrame({"scheme": ["dp (Smiling, ε = 0.1)", "shuffle (fixed key) (Hat)"]})
        >>> by_system(named)[["system", "attribute"]].values.tolist()
        [['dp, ε = 0.1', 'Smiling'], ['shuffle (fixed key)', 'Hat']]
    """
    parts = [_LABELLED.fullmatch(name) for name in table["scheme"]]
    return table.assign(
        system=[part["name"] + (part["budget"] or "") if part else "" for part in parts],
        attribute=[part["attribute"] if part else "" for part in parts],
    )


@dataclass(frozen=True)
class Seeds:
    """One figure of one system, once per seed.

    Attributes:
        values: By seed.
        low: Least end of their intervals.
        high: Largest end.
    """

    values: dict[int, float]
    low: float
    high: float

    @property
    def mean(self) -> float:
        """Mean over seeds."""
        return sum(self.values.values()) / len(self.values)

    @property
    def deviation(self) -> float | None:
        """Sample standard deviation over seeds; None for one seed."""
        n, mean = len(self.values), self.mean
        if n < 2:
            return None
        return math.sqrt(sum((value - mean) ** 2 for value in self.values.values()) / (n - 1))

    def percent(self) -> str:
        """Return mean, deviation and span of intervals, in percent.

        Example:
            >>> Seeds({0: 0.8, 1: 0.9}, 0.7, 0.95).percent()
            '85.0 ± 7.1 (70–95)'
        """
        spread = "" if self.deviation is None else f" ± {100 * self.deviation:.1f}"
        return f"{100 * self.mean:.1f}{spread} ({100 * self.low:.0f}–{100 * self.high:.0f})"


def seeds(rows: pd.DataFrame) -> Seeds | None:
    """Return the figure that rows hold, the strongest Eve's where there are several a seed."""
    if len(rows) and (rows["role"] == "eve").all():
        rows = strongest(rows)
    if rows.empty:
        return None
    values = dict(zip(rows["seed"].astype(int), rows["value"].astype(float), strict=True))
    return Seeds(values, float(rows["ci_low"].min()), float(rows["ci_high"].max()))


def interval(differences: Sequence[float]) -> Figure:
    """Return the mean of paired differences with its 95 % interval, Student's t.

    One difference has no interval: it reaches from −∞ to ∞.

    Example:
        >>> interval([0.1, 0.2, 0.3]).value, round(interval([0.1, 0.2, 0.3]).low, 3)
        (0.2, -0.048)
    """
    n = len(differences)
    mean = sum(differences) / n
    if n < 2:
        return Figure(mean, -math.inf, math.inf)
    spread = math.sqrt(sum((x - mean) ** 2 for x in differences) / (n - 1) / n)
    half = float(t.ppf(0.975, n - 1)) * spread
    return Figure(mean, mean - half, mean + half)


def verdict(found: Figure, least: float = 0.0) -> str:
    """Return whether a difference exceeds what a claim says at least, for sure.

    Example:
        >>> verdict(Figure(0.1, 0.05, 0.15)), verdict(Figure(0.1, 0.05, 0.15), 0.2)
        ('confirmed', 'contradicted')
    """
    if found.low > least:
        return "confirmed"
    return "contradicted" if found.high < least else "not shown"


class Faces:
    """The records of the study, asked by system, attribute and metric."""

    def __init__(self, table: pd.DataFrame) -> None:
        self.table = by_system(table)
        bob = where(self.table, role="bob")
        self.systems = list(dict.fromkeys(bob["system"]))
        self.attributes = list(dict.fromkeys(bob["attribute"]))
        guessed = where(self.table, role="eve", metric="accuracy")["target"].dropna().unique()
        self.private = str(guessed[0])

    def bob(self, system: str, attribute: str, metric: str) -> Seeds:
        """Return Bob's figure; every system has one for every attribute."""
        found = seeds(
            where(self.table, role="bob", system=system, attribute=attribute, metric=metric)
        )
        assert found is not None
        return found

    def eve(self, system: str, attribute: str, metric: str) -> Seeds:
        """Return the fresh Eve's figure at what she is after."""
        rows = where(self.table, role="eve", system=system, attribute=attribute, metric=metric)
        found = seeds(where(rows, protocol="adaptive"))
        assert found is not None
        return found

    def chance(self, attribute: str, target: str = "label") -> Figure:
        """Return what naming the most frequent class gets."""
        found = pick(self.table, metric="chance", attribute=attribute, target=target)
        assert found is not None
        return found

    def rebuilt(self, system: str, attribute: str, metric: str) -> Figure | None:
        """Return a figure of the strongest fresh inverter; None where none was tried."""
        return pick(
            where(self.table, system=system, attribute=attribute),
            role="eve",
            metric=metric,
            protocol="adaptive",
        )

    def ahead(
        self, one: str, other: str, metric: str, attributes: Sequence[str], party: str = "bob"
    ) -> Figure:
        """Return by how much one system is ahead of another, paired by attribute and seed."""
        of = self.bob if party == "bob" else self.eve
        pairs = [(of(one, a, metric).values, of(other, a, metric).values) for a in attributes]
        return interval([x[seed] - y[seed] for x, y in pairs for seed in x.keys() & y.keys()])


def _points(found: Figure) -> str:
    if math.isinf(found.low):
        return f"{100 * found.value:+.1f}".replace("-", "−")
    ends = f"{100 * found.low:+.1f} to {100 * found.high:+.1f}"
    return f"{100 * found.value:+.1f} ({ends})".replace("-", "−")


def claims(faces: Faces) -> Iterator[str]:
    """Yield each claim with its verdict and the numbers behind it."""
    yield _best(faces)
    yield _losses(faces)
    yield _between(faces)
    yield _deviation(faces)
    yield _majority(faces)
    yield from _reconstructions(faces)


def _best(faces: Faces) -> str:
    others = [s for s in (*DP, "shuffle", "ibal") if s in faces.systems]
    lines = []
    for attribute, metric in product(faces.attributes, _KINDS):
        rival = max(others, key=lambda s: faces.bob(s, attribute, metric).mean)
        found = faces.ahead("lbvq", rival, metric, [attribute])
        lines.append([attribute, _KINDS[metric], rival, _points(found), verdict(found)])
    headings = ["attribute", "accuracy", "best other", "LBVQ ahead by, points", "verdict"]
    return "**LBVQ has the best accuracy on every attribute.**\n\n" + markdown_table(
        headings, lines
    )


def _losses(faces: Faces) -> str:
    lines = []
    for system, metric in product((*DP, "shuffle"), _KINDS):
        each = [faces.ahead("lbvq", system, metric, [a]) for a in faces.attributes]
        pooled = faces.ahead("lbvq", system, metric, faces.attributes)
        verdicts = f"{verdict(pooled, 0.05)}; a loss: {verdict(pooled)}"
        lines.append([system, _KINDS[metric], *map(_points, each), _points(pooled), verdicts])
    headings = ["system", "accuracy", *faces.attributes, "all", "at least 5 points"]
    return (
        "**DP and Encryption lose 5 to 15 points against LBVQ.** LBVQ's lead, in points, and the "
        f"verdict on all attributes together:\n\n{markdown_table(headings, lines)}"
    )


def _between(faces: Faces) -> str:
    lines = [
        [other, _KINDS[metric], _points(found), verdict(found)]
        for other, metric in product((*DP, "shuffle", "deepjscc"), _KINDS)
        for found in [faces.ahead("ibal", other, metric, faces.attributes)]
    ]
    return (
        "**IBAL is better than DP, and like Encryption on some attributes.** IBAL's lead over all "
        "attributes, in points; Encryption sends the features of the unprotected link, so its "
        "accuracy is that link's:\n\n"
        + markdown_table(["against", "accuracy", "IBAL ahead by", "verdict on “better”"], lines)
    )


def _deviation(faces: Faces) -> str:
    found = [
        faces.bob(s, a, "accuracy").deviation for s, a in product(faces.systems, faces.attributes)
    ]
    spreads = sorted(100 * spread for spread in found if spread is not None)
    if not spreads:
        return "**The standard deviation is below 0.01 %.** One seed was run: not tested."
    below = sum(spread < 0.01 for spread in spreads)
    n = int(where(faces.table, role="bob")["n"].max())
    return (
        "**The standard deviation over runs is below 0.01 %.** Here, for top-1 accuracy, it is "
        f"{spreads[0]:.2f} to {spreads[-1]:.2f} points (median {spreads[len(spreads) // 2]:.2f}), "
        f"and below 0.01 in {below} of {len(spreads)} cells: "
        f"{'confirmed' if below == len(spreads) else 'contradicted'}. One test image of {n} is "
        f"{100 / n:.2f} points; on CelebA's 19,962, a deviation of 0.01 points is two images. A "
        "cell without any spread is one where every run names the majority every time."
    )


def _majority(faces: Faces) -> str:
    parts = []
    for attribute in faces.attributes:
        rate = faces.chance(attribute).value
        lazy = [
            system
            for system in faces.systems
            if faces.bob(system, attribute, "accuracy").low <= rate
        ]
        rates = [r for (_, a), r in PUBLISHED.items() if a == attribute]
        published = (
            f"; published are {100 * min(rates):.1f} to {100 * max(rates):.1f} %, of which "
            f"{sum(r > rate for r in rates)} of {len(rates)} are above it"
            if rates
            else ""
        )
        parts.append(
            f"{attribute}: the most frequent class has {100 * rate:.1f} % of the test images, and "
            f"{len(lazy)} of {len(faces.systems)} systems are not above it for sure{published}."
        )
    return (
        "**What the accuracies are worth.** The survey shows no majority rate. "
        + " ".join(parts)
        + " An accuracy below the majority rate can be had without receiving anything, unless the "
        "images were balanced first, of which the survey says nothing; balanced accuracy, which is "
        "50 % for every constant answer to a yes-or-no question, tells."
    )


def _reconstructions(faces: Faces) -> Iterator[str]:
    for attribute in faces.attributes:
        leaks = {s: faces.rebuilt(s, attribute, MI) for s in faces.systems}
        known = {s: leak for s, leak in leaks.items() if leak}
        if not known:
            continue
        yield _less(faces, attribute, known)
        yield _noise(known)
        yield _order(faces, attribute, known)
    yield _gender(faces)


def _less(faces: Faces, attribute: str, known: dict[str, Figure]) -> str:
    words = []
    for system in ("ibal", "lbvq"):
        others = [known[s] for s in (*DP, "deepjscc") if s in known]
        below = sum(known[system].high < other.low for other in others)
        above = sum(known[system].low > other.high for other in others)
        words.append(
            f"{system} leaks {known[system].value:.2f} bits, less than {below} and more than "
            f"{above} of the {len(others)} links with noise or without protection"
        )
    return (
        "**Eve's images are worse with IBAL and LBVQ.** By mutual information, with intervals that "
        f"do not touch ({attribute}, one seed): {'; '.join(words)}."
    )


def _noise(known: dict[str, Figure]) -> str:
    noisy = [known[s] for s in DP if s in known]
    ordered = all(a.high < b.low for a, b in pairwise(noisy))
    values = ", ".join(f"{x.value:.2f} ({x.low:.2f}–{x.high:.2f})" for x in noisy)
    return (
        "**The more Laplace noise, the blurrier Eve's image.** MI at ε = 0.05, 0.1, 0.9: "
        f"{values} bits: {'confirmed' if ordered else 'not confirmed at every step'}."
    )


def _order(faces: Faces, attribute: str, known: dict[str, Figure]) -> str:
    rows = where(faces.table, attribute=attribute)
    floor = pick(rows, role="system", metric=f"{MI}_floor")
    fresh, fixed = known["shuffle"], known["shuffle (fixed key)"]
    plain = known["deepjscc"]
    assert floor is not None
    return (
        "**Encryption protects well.** With a fresh order for every message Eve's images share "
        f"{fresh.value:.2f} bits with the faces, with one key for all messages {fixed.value:.2f}, "
        f"without protection {plain.value:.2f}; an unrelated face shares {floor.value:.2f}. The "
        "survey does not say which key it means. This Eve is not the one that a fresh order "
        "fears: a network blind to order is tried in the study `privacy-utility`."
    )


def _gender(faces: Faces) -> str:
    base = [s for s in ("deepjscc", "ibal", "lbvq") if s in faces.systems]
    direct = "; ".join(
        f"{s} {faces.eve(s, a, 'balanced_accuracy').percent()}"
        for a in faces.attributes[:1]
        for s in base
    )
    found = faces.ahead("deepjscc", "ibal", "balanced_accuracy", faces.attributes, "eve")
    return (
        f"**IBAL hides gender.** An Eve who is trained on receptions for `{faces.private}` itself "
        f"loses {_points(found)} points of balanced accuracy on IBAL against the unprotected link, "
        f"over all attributes and seeds: {verdict(found)}. Balanced, on the link for "
        f"{faces.attributes[0]}: {direct}. What a judge still sees in rebuilt faces is in the "
        "table of reconstructions."
    )


def page(table: pd.DataFrame) -> str:
    """Return the page: tables of Bob, of Eve, of rebuilt faces, and claim by claim."""
    faces = Faces(table)
    rows = where(faces.table, role="bob")
    facts = {
        "dataset": rows["dataset"].iloc[0],
        "n": int(rows["n"].max()),
        "seeds": rows["seed"].nunique(),
        "latent": int(rows["latent_dim"].iloc[0]),
        "home": HOME_DB,
        "private": faces.private,
    }
    parts = [
        _INTRODUCTION.format(**facts),
        *(_bob_table(faces, metric) for metric in _KINDS),
        "![Accuracy on every attribute](accuracy.svg)\n",
        _eve_table(faces),
        _rebuilt_table(faces),
        "## Claim by claim\n",
        *(f"{number}. {claim}\n" for number, claim in enumerate(claims(faces), start=1)),
    ]
    return "\n".join(parts)


_INTRODUCTION = """# Attributes of faces

Guo, Zhang, Wang, Feng and Quek train their schemes on single attributes of CelebA at {home:g} dB
over AWGN and report top-1 accuracy (their Table II) and faces that an attacker rebuilt (Figure 4).
Here: {dataset}, {n:,} test images, latent of {latent} reals, {seeds} seeds. Layers, training and
the scale of the Laplace noise are our reading, as the survey gives none.

**How to read the numbers.** Mean ± standard deviation over seeds, in percent; in brackets the span
of the seeds' 95 % intervals. Where it is known who is shown, these resample people, not only
images: a part of CelebA chosen by person, such as 659 test images of 22 people, is a sample of 22.
Balanced accuracy is the mean of the accuracies within the classes; always naming one class gives
one over the number of classes. Differences are paired by seed (and attribute, where pooled) with
Student's t interval over these pairs; that covers chance in training, not in who is in the test
set. *Confirmed*, *contradicted* and *not shown* mean that the interval lies beyond the claim, short
of it, or across it.

**The parties.** Bob answers the attribute. Eve hears the same waveform at the same SNR, is trained
afresh on images of people that the link was not trained on, and is after `{private}`; one inverter
rebuilds faces. `shuffle` is the survey's Encryption (a fresh order of the features for every
message), `shuffle (fixed key)` one order for all, `deepjscc` the unprotected link,
`deepjscc+rotation` this project's keyed rotation, `lbvq` 16 codewords on 16-QAM at the same number
of symbols as the others. Noise of `dp` is the paper's reading and no guarantee.

The faces themselves are drawn into `faces-*.png` of the study's folder, from the images of whoever
runs it; their terms forbid handing them on, so they are not here.
"""


def _bob_table(faces: Faces, metric: str) -> str:
    title = {"accuracy": "Top-1 accuracy", "balanced_accuracy": "Balanced accuracy"}[metric]
    plain = metric == "accuracy"
    headings = ["system"]
    for attribute in faces.attributes:
        headings += [attribute, "published"] if plain else [attribute]
    lines = []
    for system in faces.systems:
        line = [system]
        for attribute in faces.attributes:
            line.append(faces.bob(system, attribute, metric).percent())
            if plain:
                rate = PUBLISHED.get((system, attribute))
                line.append("–" if rate is None else f"{100 * rate:.1f}")
        lines.append(line)
    if plain:
        guess = ["*most frequent class*"]
        for attribute in faces.attributes:
            guess += [faces.chance(attribute).percent(), "–"]
        lines.append(guess)
    return f"## {title} of Bob\n\n{markdown_table(headings, lines)}\n"


def _eve_table(faces: Faces) -> str:
    lines = [
        [system]
        + [
            faces.eve(system, attribute, metric).percent()
            for attribute in faces.attributes
            for metric in _KINDS
        ]
        for system in faces.systems
    ]
    headings = ["system"] + [f"{a}, {k}" for a in faces.attributes for k in _KINDS.values()]
    target = where(faces.table, metric="chance")["target"].unique()
    chance = faces.chance(faces.attributes[0], str(target[-1]))
    return (
        f"## What Eve learns of {faces.private}\n\n"
        f"Her accuracy on the link for each attribute; naming the most frequent class gets "
        f"{chance.percent()}.\n\n{markdown_table(headings, lines)}\n"
    )


def _rebuilt_table(faces: Faces) -> str:
    metrics = (MI, "psnr_db", "ssim", "label_accuracy", "label_balanced_accuracy")
    lines = []
    for attribute, system in product(faces.attributes, faces.systems):
        found = [faces.rebuilt(system, attribute, metric) for metric in metrics]
        if not any(found):
            continue
        cells = [f"{x.value:.2f} ({x.low:.2f}–{x.high:.2f})" if x else "–" for x in found]
        lines.append([attribute, system, *cells])
    ends = (f"{MI}_floor", f"{MI}_ceiling", "psnr_mean_image_db", "label_balanced_accuracy_ceiling")
    values = [pick(faces.table, role="system", metric=name) for name in ends]
    floor, ceiling, mean, judge = (f"{x.value:.2f}" if x else "–" for x in values)
    headings = ["attribute", "system", "MI, bits", "PSNR, dB", "SSIM", "judge", "judge, balanced"]
    return (
        "## What an inverter rebuilds\n\n"
        f"One seed. MI: histogram of 20 grey levels, bits, from {floor} (an unrelated image) to "
        f"{ceiling} (the image itself). PSNR of the mean image: {mean} dB. The judge, a network "
        f"trained on clean images, says how often `{faces.private}` is still right in the rebuilt "
        f"image; on the originals it has {judge}, balanced.\n\n"
        f"{markdown_table(headings, lines)}\n"
    )
