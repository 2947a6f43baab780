"""The page of the study of faces: what Bob gets, what Eve learns and rebuilds, claim by claim."""

from __future__ import annotations

from itertools import product

import pandas as pd

from semveil.report.select import where
from semveil.studies.face_claims import claims
from semveil.studies.face_records import HOME_DB, KINDS, MI, PUBLISHED, Faces
from semveil.studies.words import markdown_table, pick


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
        *(_bob_table(faces, metric) for metric in KINDS),
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
message), `shuffle (fixed-key)` one order for all, `deepjscc` the unprotected link,
`deepjscc+rotation` this project's keyed rotation, `lbvq` 16 codewords on 16-QAM at the same number
of symbols as the others, trained for twice as many epochs (at the budgets cpu and full), since its
random codewords learn slowly at first. Noise of `dp` is the paper's reading and no guarantee.

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
            for metric in KINDS
        ]
        for system in faces.systems
    ]
    headings = ["system"] + [f"{a}, {k}" for a in faces.attributes for k in KINDS.values()]
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
    judged = "label_balanced_accuracy_of_originals"
    ends = (f"{MI}_floor", f"{MI}_ceiling", "psnr_mean_image_db", judged)
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
