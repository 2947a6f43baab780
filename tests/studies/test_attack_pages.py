"""Pages of the studies of attacks, defences and the case, from records with known numbers."""

from __future__ import annotations

import numpy as np
import pytest

from attack_runs import PSRS, bob
from semveil.records import Record
from semveil.report.select import frame
from semveil.studies import attacks_page, case_page, defences_page
from semveil.studies.attack_claims import claims as attack_claims
from semveil.studies.attack_records import victims
from semveil.studies.defence_claims import claims as defence_claims
from semveil.studies.defence_claims import families
from semveil.studies.verdicts import Claim, Verdict

PLAIN = {
    "accuracy": 0.9,
    "accuracy_targeted": 0.9,
    "accuracy_others": 0.9,
    "psnr_db": 25.0,
    "ssim": 0.9,
    "psnr_db_class_2": 25.0,
    "ssim_class_2": 0.9,
}
JAMMED = {
    "accuracy": 0.85,
    "accuracy_targeted": 0.85,
    "accuracy_others": 0.85,
    "psnr_db": 23.0,
    "ssim": 0.85,
    "psnr_db_class_2": 23.0,
    "ssim_class_2": 0.85,
}


def aimed(targeted: float, others: float, psnr_db: float, ssim: float) -> list[Record]:
    """Records of a plain link under jamming, and under SemAdv with these figures."""
    struck = {
        "accuracy": 0.1 * targeted + 0.9 * others,
        "accuracy_targeted": targeted,
        "accuracy_others": others,
        "psnr_db_class_2": psnr_db,
        "ssim_class_2": ssim,
    }
    return [
        *bob(PLAIN),
        *bob(JAMMED, "jamming", -6.0, target="class 2"),
        *bob(struck, "semadv", -6.0, target="class 2"),
    ]


def verdict(claims: list[Claim], words: str, *names: str, psr_db: float = -6.0) -> Verdict | None:
    """Return the verdict on the claim whose title begins so, in a case that has these names."""
    (claim,) = (claim for claim in claims if claim.title.startswith(words))
    found = [
        findings[list(claim.budgets).index(psr_db)]
        for case, findings in claim.cases.items()
        if set(names) <= set(case)
    ]
    assert len(found) < 2
    return found[0].verdict if found and found[0] else None


def on_attacks(records: list[Record]) -> list[Claim]:
    found = victims(frame(records))
    misled = [victim for victim in found if "to class" in (victim.aim or "")]
    return attack_claims([victim for victim in found if victim not in misled], misled)


YES, NO, OPEN = Verdict.CONFIRMED, Verdict.REFUTED, Verdict.OPEN


@pytest.mark.parametrize(
    ("targeted", "others", "word"),
    [(0.4, 0.88, YES), (0.4, 0.6, NO), (0.88, 0.9, NO), (0.7, 0.88, OPEN)],
)
def test_selectivity_needs_both_halves(targeted: float, others: float, word: Verdict) -> None:
    found = on_attacks(aimed(targeted, others, 24.9, 0.89))
    assert verdict(found, "SemAdv hurts") is word


@pytest.mark.parametrize(
    ("psnr_db", "ssim", "faint", "unseen"),
    [(24.9, 0.89, YES, YES), (21.0, 0.89, NO, NO), (24.9, 0.7, NO, YES), (23.0, 0.89, NO, OPEN)],
)
def test_images_are_compared_with_nobodys_and_with_jamming(
    psnr_db: float, ssim: float, faint: Verdict, unseen: Verdict
) -> None:
    found = on_attacks(aimed(0.4, 0.88, psnr_db, ssim))
    assert verdict(found, "SemAdv hardly") is faint
    assert verdict(found, "SemAdv is harder") is unseen
    assert verdict(found, "Under PGD", "jamming") is NO  # two decibels are not sharp


@pytest.mark.parametrize(("targeted", "word"), [(0.4, YES), (0.89, NO), (0.85, OPEN)])
def test_an_attack_is_compared_with_jamming_where_it_aims(targeted: float, word: Verdict) -> None:
    found = on_attacks(aimed(targeted, 0.9, 24.9, 0.89))
    assert verdict(found, "Attacks are more", "semadv") is word


@pytest.mark.parametrize(
    ("best", "others", "word"), [(0.95, 0.05, YES), (0.95, 0.4, NO), (0.6, 0.05, NO)]
)
def test_one_answer_shows_in_the_classes(best: float, others: float, word: Verdict) -> None:
    classes = {f"accuracy_class_{label}": others for label in range(9)} | {"accuracy_class_9": best}
    found = on_attacks([*bob(PLAIN), *bob({"accuracy": 0.1, **classes}, "pgm", -6.0)])
    assert verdict(found, "PGM makes") is word


@pytest.mark.parametrize(
    ("rates", "high", "grows"),
    [((0.1, 0.6), YES, YES), ((0.1, 0.1), NO, OPEN), ((0.6, 0.3), NO, NO)],
)
def test_the_misleading_rate(rates: tuple[float, float], high: Verdict, grows: Verdict) -> None:
    records = bob({"accuracy": 0.9, "misleading_rate": 0.01})
    for psr_db, rate in zip(PSRS[:2], rates, strict=True):
        records += bob({"misleading_rate": rate}, "semadv", psr_db, target="to class 5")
        records += bob({"misleading_rate": 0.01}, "jamming", psr_db, target="to class 5")
    found = on_attacks(records)
    assert verdict(found, "SemAdv can make") is high
    assert verdict(found, "The misleading rate") is grows


@pytest.mark.parametrize(
    ("uap", "word", "noise"), [(0.5, YES, YES), (0.05, NO, YES), (0.88, YES, NO)]
)
def test_one_perturbation_for_all(uap: float, word: Verdict, noise: Verdict) -> None:
    records = bob(PLAIN)
    for name, right in (("jamming", 0.85), ("pgd", 0.1), ("uap", uap)):
        records += bob({"accuracy": right}, name, -6.0)
    found = on_attacks(records)
    assert verdict(found, "One perturbation", "uap") is word
    assert verdict(found, "A universal") is noise


def test_the_page_of_attacks_names_what_it_was_made_of() -> None:
    classes = {"accuracy_class_2": 0.4, "accuracy_class_3": 0.9}
    records = [
        *aimed(0.4, 0.88, 24.9, 0.89),
        *bob(classes, "semadv", -6.0, target="class 2"),
        *bob({"misleading_rate": 0.6}, "semadv", -2.0, target="to class 5"),
    ]
    words = attacks_page.page(frame(records))
    drawn = attacks_page.figures(frame(records))
    assert set(drawn) >= {"accuracy.svg", "aimed.svg", "class-accuracy.svg", "misled.svg"}
    for name in drawn:
        assert f"]({name})" in words
    assert "Mallory after class 2" in words
    assert "Bob is to answer class 5" in words
    assert "Where the paper is silent" in words
    assert "Not measured" in words  # no universal perturbation
    assert "| digits | 1,000 | 0 | multipath/lmmse | 10 | −6, −2 | 128 (1) |" in words


def test_a_suspicious_attack_is_named_on_the_page() -> None:
    records = [
        *bob(PLAIN),
        *bob({"accuracy": 0.5}, "pgd", -6.0),
        *bob({"accuracy": 0.2}, "fgm", -6.0),
    ]
    assert "Warning: mobilesc: the attack pgd should be" in attacks_page.page(frame(records))


def hardened(dataset: str = "cifar10", **changes: float) -> list[Record]:
    """Records of a plain link, two specialists and SemMixed; ``METHOD_ATTACK=accuracy`` changes."""
    right = {
        "plain_none": 0.9,
        "plain_semadv": 0.3,
        "plain_pgm": 0.2,
        "plain_pgd": 0.0,
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
    trainings = {"plain": None, "semadv": "at-semadv", "pgm": "at-pgm", "semmixed": "semmixed"}
    records = []
    for name, accuracy in right.items():
        method, attack, *old = name.split("_")
        fields = {"training": trainings[method], "dataset": dataset}
        if attack == "none":
            records += bob({"accuracy": accuracy}, **fields, half=0.005)
            continue
        each = attack == "semadv"
        metric, target = ("accuracy_targeted", "each class") if each else ("accuracy", None)
        protocol = "paper" if old else "adaptive"
        records += bob(
            {metric: accuracy}, attack, -6.0, **fields, target=target, protocol=protocol, half=0.005
        )
    return records


def on_defences(records: list[Record]) -> list[Claim]:
    return defence_claims(families(victims(frame(records))))


@pytest.mark.parametrize(
    ("dataset", "right", "word"),
    [("cifar10", 0.88, YES), ("cifar10", 0.80, NO), ("cifar10", 0.85, OPEN), ("mnist", 0.86, NO)],
)
def test_how_close_hardened_links_come(dataset: str, right: float, word: Verdict) -> None:
    found = on_defences(hardened(dataset, semmixed_semadv=right))
    assert verdict(found, "Under attack a link", "semadv", "adaptive") is word
    assert verdict(found, "Under attack a link", "semadv", "paper") is None


@pytest.mark.parametrize(("right", "word"), [(0.88, YES), (0.8, NO)])
def test_semmixed_against_the_specialists(right: float, word: Verdict) -> None:
    found = on_defences(hardened(semmixed_pgm=right))
    assert verdict(found, "SemMixed is as good", "pgm", "adaptive") is word


@pytest.mark.parametrize(("right", "word"), [(0.4, YES), (0.87, NO)])
def test_a_specialist_against_the_others_attack(right: float, word: Verdict) -> None:
    found = on_defences(hardened(semadv_pgm=right))
    assert verdict(found, "A specialist does not", "pgm", "adaptive") is word


@pytest.mark.parametrize(("right", "word"), [(0.1, NO), (0.85, YES)])
def test_whether_robustness_carries_over_to_pgd(right: float, word: Verdict) -> None:
    found = on_defences(hardened(semmixed_pgd=right))
    assert verdict(found, "Robustness against", "semmixed") is word
    assert verdict(found, "SemMixed helps", "pgd") is YES


@pytest.mark.parametrize(("old", "word"), [(0.9, YES), (0.8, NO)])
def test_a_generator_made_for_the_plain_link(old: float, word: Verdict) -> None:
    found = on_defences(hardened(semmixed_pgm_paper=old))
    assert verdict(found, "A generator made", "semmixed", "pgm") is word


@pytest.mark.parametrize(("clean", "word"), [(0.9, YES), (0.8, NO)])
def test_what_training_costs(clean: float, word: Verdict) -> None:
    found = on_defences(hardened(semmixed_none=clean))
    assert verdict(found, "Training costs", "semmixed") is word


def test_the_page_of_defences_compares_trainings() -> None:
    table = frame(hardened(semmixed_pgm_paper=0.9))
    words = defences_page.page(table)
    drawn = defences_page.figures(table)
    assert list(drawn) == ["accuracy-cifar10-mobilesc.svg"]
    assert "](accuracy-cifar10-mobilesc.svg)" in words
    titles = [place.get_title("left") for place in drawn["accuracy-cifar10-mobilesc.svg"].axes]
    assert "pgm, made for the plain link" in titles
    assert "| attack | PSR | plain | at-pgm | at-semadv | semmixed |" in words
    line = "| pgm (made for the plain link) | −6 dB | 20.0 (19.5–20.5) | – | – | 90.0 (89.5–90.5) |"
    assert line in words


def test_the_case_shows_pictures_beside_numbers() -> None:
    table = frame(aimed(0.4, 0.88, 22.5, 0.8))
    words = case_page.page(table)
    assert "](case-digits.png)" in words
    assert "22.50 (22.40 to 22.60)" in words
    assert "**confirmed**: 0.50" in words  # half a decibel below jamming
    for name in case_page.figures(table):
        assert f"]({name})" in words
    grey = np.zeros((2, 1, 8, 8), dtype=np.uint8)
    names = ("none", "jamming", "pgd", "fgm")
    samples = {"originals": grey} | {f"bob/mobilesc/{name}": grey for name in names}
    figure = case_page.pictures_of(samples, ["jamming", "pgd"])
    rows = [place.texts[0].get_text() for place in figure.axes[::2]]
    assert rows == ["originals", "nobody", "jamming", "pgd"]
    with pytest.raises(ValueError, match="no images"):
        case_page.pictures_of({"originals": grey}, [])
