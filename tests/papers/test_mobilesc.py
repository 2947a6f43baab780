"""Claims and pages of the studies of MobileSC under attack, from records with known numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from attack_runs import PSRS, bob
from semveil.papers import PAPERS
from semveil.papers.claims import Judged
from semveil.records import Record
from semveil.report.figures import attack_grid
from semveil.report.select import frame

PLAIN = {
    "accuracy": 0.9,
    "accuracy_targeted": 0.9,
    "accuracy_others": 0.9,
    "psnr_db": 25.0,
    "ssim": 0.9,
    ("psnr_db", 2): 25.0,
    ("ssim", 2): 0.9,
}
JAMMED = {
    "accuracy": 0.85,
    "accuracy_targeted": 0.85,
    "accuracy_others": 0.85,
    "psnr_db": 23.0,
    "ssim": 0.85,
    ("psnr_db", 2): 23.0,
    ("ssim", 2): 0.85,
}


WEIGHTS = (None, 1.0, 3.0, 30.0)


def aimed(
    targeted: float,
    others: float,
    psnr_db: float,
    ssim: float,
    weights: Sequence[float | None] = WEIGHTS,
) -> list[Record]:
    """Records of a plain link under jamming, and under SemAdv with these figures at each weight."""
    struck = {
        "accuracy": 0.1 * targeted + 0.9 * others,
        "accuracy_targeted": targeted,
        "accuracy_others": others,
        ("psnr_db", 2): psnr_db,
        ("ssim", 2): ssim,
    }
    return [
        *bob(PLAIN),
        *bob(JAMMED, "jamming", -6.0, target="class 2"),
        *bob(JAMMED, "timed-jamming", -6.0, target="class 2"),
        *(
            record
            for weight in weights
            for record in bob(struck, "semadv", -6.0, target="class 2", params=weighed(weight))
        ),
    ]


def weighed(weight: float | None) -> dict[str, float] | None:
    return None if weight is None else {"innocent_weight": weight}


YES, NO, OPEN = "confirmed", "refuted", "undecided"


def judge(name: str, records: list[Record]) -> list[Judged]:
    return PAPERS.get(name)().judge(frame(records))


def on_attacks(records: list[Record]) -> list[Judged]:
    return judge("attacks", records)


def on_defences(records: list[Record]) -> list[Judged]:
    return judge("defences", records)


def test_no_verdict_falls_before_every_weight_was_measured() -> None:
    found = on_attacks(aimed(0.4, 0.6, 21.0, 0.8, weights=[1.0]))
    assert [verdict(found, words) for words in ("SemAdv hurts", "SemAdv hardly")] == [OPEN, OPEN]
    # Other claims are about the default alone.
    assert verdict(found, "Attacks are more", "semadv") is None


def test_one_weight_that_confirms_is_enough() -> None:
    found = on_attacks(
        [
            *aimed(0.4, 0.6, 21.0, 0.8, weights=WEIGHTS[:3]),
            *[one for one in aimed(0.4, 0.88, 24.9, 0.89, weights=[30.0]) if one.params],
        ]
    )
    assert verdict(found, "SemAdv hurts") == YES
    assert verdict(found, "SemAdv hardly") == YES


def verdict(claims: list[Judged], words: str, *names: str, psr_db: float = -6.0) -> str | None:
    """Return the verdict on the claim that begins so, in the case that has these names."""
    (claim,) = (claim for claim in claims if claim.claim.claim.startswith(words))
    found = [
        findings[list(claim.columns).index(psr_db) if claim.columns else 0]
        for case, findings in claim.findings.items()
        if set(names) <= set(case)
    ]
    assert len(found) < 2
    return found[0].verdict.value if found and found[0] else None


@pytest.mark.parametrize(
    ("targeted", "others", "word"),
    [(0.4, 0.88, YES), (0.4, 0.6, NO), (0.88, 0.9, NO), (0.7, 0.88, OPEN)],
)
def test_selectivity_needs_both_halves(targeted: float, others: float, word: str) -> None:
    found = on_attacks(aimed(targeted, others, 24.9, 0.89))
    assert verdict(found, "SemAdv hurts") == word


@pytest.mark.parametrize(
    ("psnr_db", "ssim", "faint", "unseen"),
    [(24.9, 0.89, YES, YES), (21.0, 0.89, NO, NO), (24.9, 0.7, NO, YES), (23.0, 0.89, NO, OPEN)],
)
def test_images_are_compared_with_nobodys_and_with_jamming(
    psnr_db: float, ssim: float, faint: str, unseen: str
) -> None:
    found = on_attacks(aimed(0.4, 0.88, psnr_db, ssim))
    assert verdict(found, "SemAdv hardly") == faint
    assert verdict(found, "SemAdv is harder") == unseen
    assert verdict(found, "Under PGD", "jamming") == NO  # two decibels are not sharp


@pytest.mark.parametrize(("targeted", "word"), [(0.4, YES), (0.89, NO), (0.85, OPEN)])
def test_an_attack_is_compared_with_jamming_where_it_aims(targeted: float, word: str) -> None:
    found = on_attacks(aimed(targeted, 0.9, 24.9, 0.89))
    assert verdict(found, "Attacks are more", "semadv") == word


@pytest.mark.parametrize(
    ("best", "others", "word"), [(0.95, 0.05, YES), (0.95, 0.4, NO), (0.6, 0.05, NO)]
)
def test_one_answer_shows_in_the_classes(best: float, others: float, word: str) -> None:
    classes = {("accuracy", label): others for label in range(9)} | {("accuracy", 9): best}
    found = on_attacks(
        [
            *bob(PLAIN),
            *bob({"accuracy": 0.1, **classes}, "pgm", -6.0, target="class 2"),
            *bob(classes, "pgm", -6.0, target="class 2", params={"diversity": 0.0}),
        ]
    )
    assert verdict(found, "PGM makes") == word


@pytest.mark.parametrize(
    ("rates", "high", "grows"),
    [((0.1, 0.6), YES, YES), ((0.1, 0.1), NO, OPEN), ((0.6, 0.3), YES, NO)],
)
def test_the_misleading_rate(rates: tuple[float, float], high: str, grows: str) -> None:
    records = bob({"accuracy": 0.9, "misleading_rate": 0.01})
    for psr_db, rate in zip(PSRS[:2], rates, strict=True):
        records += bob({"misleading_rate": rate}, "semadv", psr_db, target="to class 5")
        records += bob({"misleading_rate": 0.01}, "jamming", psr_db, target="to class 5")
    found = on_attacks(records)
    assert verdict(found, "SemAdv can make") == high
    assert verdict(found, "The misleading rate") == grows


@pytest.mark.parametrize(
    ("uap", "word", "noise"), [(0.5, YES, YES), (0.05, NO, YES), (0.88, YES, NO)]
)
def test_one_perturbation_for_all(uap: float, word: str, noise: str) -> None:
    records = bob(PLAIN)
    for name, right in (("timed-jamming", 0.85), ("pgd", 0.1), ("uap", uap)):
        records += bob({"accuracy": right}, name, -6.0, target="class 2")
    found = on_attacks(records)
    assert verdict(found, "One perturbation", "uap") == word
    assert verdict(found, "A universal") == noise


def test_the_page_of_attacks_names_what_it_was_made_of() -> None:
    classes = {("accuracy", 2): 0.4, ("accuracy", 3): 0.9}
    records = [
        *aimed(0.4, 0.88, 24.9, 0.89),
        *bob(classes, "semadv", -6.0, target="class 2"),
        *bob({"misleading_rate": 0.6}, "semadv", -2.0, target="to class 5"),
    ]
    page = PAPERS.get("attacks")().render(frame(records))
    assert set(page.figures) >= {"accuracy.svg", "aimed.svg", "class-accuracy.svg", "misled.svg"}
    for name, draw in page.figures.items():
        assert f"]({name})" in page.text
        assert draw().axes
    assert "Not measured" in page.text  # no universal perturbation
    assert "| digits | 1,000 | 0 | multipath/lmmse | 10 | −6, −2 | 128 (1) |" in page.text


def test_a_suspicious_attack_is_named_on_the_page() -> None:
    records = [
        *bob(PLAIN),
        *bob({"accuracy": 0.5}, "pgd", -6.0, target="class 2"),
        *bob({"accuracy": 0.2}, "fgm", -6.0, target="class 2"),
    ]
    page = PAPERS.get("attacks")().render(frame(records))
    assert "Warning: mobilesc: the attack pgd should be" in page.text


def hardened(dataset: str = "cifar10", **changes: float) -> list[Record]:
    """Records of a plain link, two specialists and SemMixed; ``METHOD_ATTACK=accuracy`` changes."""
    right = {
        "plain_none": 0.9,
        "plain_semadv": 0.3,
        "plain_pgm": 0.2,
        "plain_pgd": 0.3,
        "semadv_none": 0.9,
        "semadv_semadv": 0.88,
        "semadv_pgm": 0.4,
        "pgm_none": 0.9,
        "pgm_semadv": 0.5,
        "pgm_pgm": 0.88,
        "semmixed_none": 0.9,
        "semmixed_semadv": 0.88,
        "semmixed_pgm": 0.88,
        "semmixed_pgd": 0.1,
    } | changes
    # The link is as strong as the published one.
    right = {name: rate + 0.09 * (dataset == "mnist") for name, rate in right.items()}
    trainings = {"plain": None, "semadv": "at-semadv", "pgm": "at-pgm", "semmixed": "semmixed"}
    records = bob({"psnr_db": 25.0}, dataset=dataset)
    for name, accuracy in right.items():
        method, attack, *old = name.split("_")
        fields = {"training": trainings[method], "dataset": dataset}
        if attack == "none":
            records += bob({"accuracy": accuracy}, **fields, half=0.005)
            continue
        each = attack == "semadv"
        metric, target = ("accuracy_targeted", "each class") if each else ("accuracy", None)
        protocol = "paper" if old else "adaptive"
        psr_db = -18.0 if attack == "pgd" else -6.0
        records += bob(
            {metric: accuracy},
            attack,
            psr_db,
            **fields,
            target=target,
            protocol=protocol,
            half=0.005,
        )
    return records


@pytest.mark.parametrize(
    ("dataset", "right", "word"),
    [("cifar10", 0.88, YES), ("cifar10", 0.80, NO), ("cifar10", 0.85, OPEN), ("mnist", 0.86, NO)],
)
def test_how_close_hardened_links_come(dataset: str, right: float, word: str) -> None:
    found = on_defences(hardened(dataset, semmixed_semadv=right))
    assert verdict(found, "Under attack a link", "semadv", "adaptive") == word
    assert verdict(found, "Under attack a link", "semadv", "paper") is None


@pytest.mark.parametrize(("right", "word"), [(0.88, YES), (0.8, NO)])
def test_semmixed_against_the_specialists(right: float, word: str) -> None:
    found = on_defences(hardened(semmixed_pgm=right))
    assert verdict(found, "SemMixed is as good", "pgm", "adaptive") == word


@pytest.mark.parametrize(("right", "word"), [(0.4, YES), (0.87, NO)])
def test_a_specialist_against_the_others_attack(right: float, word: str) -> None:
    found = on_defences(hardened(semadv_pgm=right))
    assert verdict(found, "A specialist does not", "pgm", "adaptive") == word


@pytest.mark.parametrize(("right", "word"), [(0.1, NO), (0.85, YES)])
def test_whether_robustness_carries_over_to_pgd(right: float, word: str) -> None:
    found = on_defences(hardened(semmixed_pgd=right))
    assert verdict(found, "Robustness against", "semmixed", psr_db=-18.0) == word
    assert verdict(found, "SemMixed helps", "pgd", psr_db=-18.0) == (YES if right > 0.3 else NO)


@pytest.mark.parametrize(("old", "word"), [(0.9, YES), (0.8, NO)])
def test_a_generator_made_for_the_plain_link(old: float, word: str) -> None:
    found = on_defences(hardened(semmixed_pgm_paper=old))
    assert verdict(found, "A generator trained", "semmixed", "pgm") == word


@pytest.mark.parametrize(("clean", "word"), [(0.9, YES), (0.8, NO)])
def test_what_training_costs(clean: float, word: str) -> None:
    found = on_defences(hardened(semmixed_none=clean))
    assert verdict(found, "Adversarial training costs", "semmixed") == word


def test_the_page_of_defences_compares_trainings() -> None:
    page = PAPERS.get("defences")().render(frame(hardened(semmixed_pgm_paper=0.9)))
    assert list(page.figures) == ["accuracy-cifar10-mobilesc.svg"]
    assert "](accuracy-cifar10-mobilesc.svg)" in page.text
    axes = page.figures["accuracy-cifar10-mobilesc.svg"]().axes
    # SemAdv, PGM and PGD, and PGM as it was trained on the undefended link.
    assert len({place.get_title("left") for place in axes}) == 4
    assert "| undefended | at-semadv | at-pgm | semmixed |" in page.text
    # Generators for the undefended link meet it as adaptive ones.
    assert "| pgm | paper | −6 | 20.0 (19.5–20.5) | – | – | 90.0 (89.5–90.5) |" in page.text


def test_the_case_shows_pictures_beside_numbers() -> None:
    records = aimed(0.4, 0.88, 22.5, 0.8)
    page = PAPERS.get("case")().render(frame(records))
    assert "](case-digits.png)" in page.text
    assert "22.50 (22.40 to 22.60)" in page.text
    assert "**confirmed**: 0.50" in page.text  # half a decibel below jamming
    grey = np.zeros((2, 1, 8, 8), dtype=np.uint8)
    names = ("none", "jamming", "pgd", "fgm")
    samples = {"originals": grey} | {f"bob/mobilesc/{name}": grey for name in names}
    figure = attack_grid(samples, "mobilesc", attacks=["jamming", "pgd"])
    rows = [place.texts[0].get_text() for place in figure.axes[::2]]
    assert len(rows) == 4
    assert rows[0] == "originals"
    assert rows[2:] == ["jamming", "pgd"]
