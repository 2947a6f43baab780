"""What the survey says of faces (section IV.D), judged by records."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise, product

from semveil.report.select import where
from semveil.studies.face_records import DP, KINDS, MI, PUBLISHED, Faces, verdict
from semveil.studies.words import Value, markdown_table, pick


def _points(found: Value) -> str:
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
    for attribute, metric in product(faces.attributes, KINDS):
        rival = max(others, key=lambda s: faces.bob(s, attribute, metric).mean)
        found = faces.ahead("lbvq", rival, metric, [attribute])
        lines.append([attribute, KINDS[metric], rival, _points(found), verdict(found)])
    headings = ["attribute", "accuracy", "best other", "LBVQ ahead by, points", "verdict"]
    return "**LBVQ has the best accuracy on every attribute.**\n\n" + markdown_table(
        headings, lines
    )


def _losses(faces: Faces) -> str:
    lines = []
    for system, metric in product((*DP, "shuffle"), KINDS):
        each = [faces.ahead("lbvq", system, metric, [a]) for a in faces.attributes]
        pooled = faces.ahead("lbvq", system, metric, faces.attributes)
        verdicts = f"{verdict(pooled, 0.05)}; a loss: {verdict(pooled)}"
        lines.append([system, KINDS[metric], *map(_points, each), _points(pooled), verdicts])
    headings = ["system", "accuracy", *faces.attributes, "all", "at least 5 points"]
    return (
        "**DP and Encryption lose 5 to 15 points against LBVQ.** LBVQ's lead, in points, and the "
        f"verdict on all attributes together:\n\n{markdown_table(headings, lines)}"
    )


def _between(faces: Faces) -> str:
    lines = [
        [other, KINDS[metric], _points(found), verdict(found)]
        for other, metric in product((*DP, "shuffle", "deepjscc"), KINDS)
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


def _less(faces: Faces, attribute: str, known: dict[str, Value]) -> str:
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


def _noise(known: dict[str, Value]) -> str:
    noisy = [known[s] for s in DP if s in known]
    ordered = all(a.high < b.low for a, b in pairwise(noisy))
    values = ", ".join(f"{x.value:.2f} ({x.low:.2f}–{x.high:.2f})" for x in noisy)
    return (
        "**The more Laplace noise, the blurrier Eve's image.** MI at ε = 0.05, 0.1, 0.9: "
        f"{values} bits: {'confirmed' if ordered else 'not confirmed at every step'}."
    )


def _order(faces: Faces, attribute: str, known: dict[str, Value]) -> str:
    rows = where(faces.table, attribute=attribute)
    floor = pick(rows, role="system", metric=f"{MI}_floor")
    fresh, fixed = known["shuffle"], known["shuffle (fixed-key)"]
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
