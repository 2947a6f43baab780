"""Attacks in reports: rows, orderings, tables, figures, and the page that they are drawn on."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from attack_runs import PSRS, bob, sound, sweep
from browser import CHROMIUM, chromium
from semveil.adversary.perturb import ATTACKS
from semveil.records import Record, write_records
from semveil.report.attack_rows import (
    attack_rows,
    attack_table,
    merged,
    only_attacks,
    panels_of,
    under_attack,
)
from semveil.report.figures.attacks import against_psr, by_class
from semveil.report.page import write_report
from semveil.report.sanity_checks import violations
from semveil.report.select import frame
from semveil.report.summary import rows
from semveil.result import Result
from semveil.style import drawn_as

ATTACKS.load()  # their styles say in which order they stand


def shown(records: list[Record], *asked: str) -> str:
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(attack_table(records, asked))
    return console.export_text()


def odd(records: list[Record]) -> list[str]:
    return violations(attack_rows(frame(records)))


def test_bobs_own_figures_are_those_that_nobody_disturbed() -> None:
    (row,) = rows(frame(sound()))
    assert row.figures["bob", "accuracy"].value == 0.9
    assert len(under_attack(frame(sound()))) == len(sound()) - 4


def test_the_table_has_every_attack_at_every_budget_and_no_attack_first() -> None:
    found = attack_rows(frame(sound()))
    assert [row.attack for row in found] == ["none", "jamming", "fgm", "pgd", "transfer"]
    assert found[3].budgets == list(PSRS)
    assert [found[3].at("accuracy", psr_db).value for psr_db in PSRS] == [0.3, 0.1, 0.05]
    assert {row.floor("accuracy") for row in found} == {0.6}
    words = shown(sound())
    assert re.search(r"No attack +90\.0 +90\.0 +90\.0", words)
    assert re.search(r"pgd +30\.0 +10\.0 +5\.0", words)
    assert re.search(r"chance +60\.0 +60\.0 +60\.0", words)


def test_an_attack_that_does_not_apply_says_so() -> None:
    digital = [*bob({"accuracy": 0.9}, scheme="uis"), *sweep("jamming", (0.9,) * 3, scheme="uis")]
    words = shown([*sound(), *digital], "jamming", "fgm", "pgd")
    assert words.count("does not apply") == 2
    assert words.index("uis:") < words.index("does not apply")
    assert "does not apply" not in shown(sound())


@pytest.mark.parametrize(
    ("records", "words"),
    [
        (
            sweep("fgm", (0.2, 0.05, 0.01)),
            "pgd should be suspected. At −10 dB it is weaker than fgm",
        ),
        (sweep("blackbox", (0.2, 0.1, 0.05)), "pgd should be suspected"),
        (
            sweep("pgm", (0.89, 0.88, 0.95)),
            "pgm should be suspected. At −2 dB it is weaker than jam",
        ),
        (
            sweep("uap", (0.5, 0.6, 0.5)),
            "uap should be suspected. It is weaker at −6 dB than at −10",
        ),
        (
            sweep("uap", (0.95, 0.8, 0.8)),
            "uap should be suspected. It is weaker at −10 dB than with",
        ),
    ],
)
def test_a_broken_ordering_is_said(records: list[Record], words: str) -> None:
    others = [record for record in sound() if record.adversary != records[0].adversary]
    assert any(words in said for said in odd([*others, *records]))


def test_a_broken_ordering_names_the_data_set_where_there_are_several() -> None:
    elsewhere = [replace(record, dataset="cifar10") for record in sound()]
    broken = [replace(r, dataset="cifar10") for r in sweep("uap", (0.5, 0.6, 0.5))]
    (words,) = odd([*sound(), *elsewhere, *broken])
    assert words.startswith("cifar10 · ")
    (alone,) = odd([*elsewhere, *broken])
    assert "cifar10" not in alone


def test_orderings_that_hold_or_differ_by_chance_are_not_suspicious() -> None:
    assert odd(sound()) == []
    assert odd([*sound(), *sweep("blackbox", (0.285, 0.1, 0.05))]) == []


def test_an_attack_made_for_another_link_may_do_less_than_noise() -> None:
    weak = sweep("pgm", (0.9, 0.9, 0.9), protocol="paper")
    assert odd([*sound(), *weak]) == []


def test_semadv_is_judged_by_the_class_that_it_aims_at() -> None:
    aim = {"target": "class 2"}
    base = bob({"accuracy": 0.9, "accuracy_targeted": 0.9})
    for attack, targeted in (("jamming", 0.85), ("pgd", 0.1), ("semadv", 0.5)):
        figures = {"accuracy": 0.88, "accuracy_targeted": targeted, "accuracy_others": 0.89}
        base += bob(figures, attack, -2.0, **aim)
    assert odd(base) == []
    weak = [r for r in base if r.adversary != "semadv"]
    weak += bob({"accuracy": 0.5, "accuracy_targeted": 0.88}, "semadv", -2.0, **aim)
    assert any("semadv should be suspected" in words for words in odd(weak))


def test_an_attack_of_another_package_is_compared_by_the_traits_that_its_run_wrote() -> None:
    aim = {"target": "class 2"}
    found = bob({"accuracy": 0.9, "accuracy_targeted": 0.9})
    found += bob({"accuracy": 0.5, "accuracy_targeted": 0.6}, "hiss", -2.0, **aim)
    found += bob({"accuracy": 0.8, "accuracy_targeted": 0.5}, "narrow", -2.0, **aim)
    assert odd(found) == []
    hiss = {"attack": {"hiss": ["baseline"]}}
    with drawn_as([{"traits": hiss}]):
        assert any("narrow should be suspected" in words for words in odd(found))
    # It spares other classes, so what counts is the class that it aims at.
    hiss["attack"]["narrow"] = ["selective"]
    with drawn_as([{"traits": hiss}]):
        assert odd(found) == []


def test_where_one_answer_is_wanted_strength_is_the_misleading_rate() -> None:
    aim = {"target": "to class 5"}
    base = bob({"accuracy": 0.9, "misleading_rate": 0.02})
    base += bob({"accuracy": 0.9, "misleading_rate": 0.02}, "jamming", -2.0, **aim)
    strong = bob({"accuracy": 0.9, "misleading_rate": 0.6}, "pgd", -2.0, **aim)
    weak = bob({"accuracy": 0.1, "misleading_rate": 0.3}, "pgd", -2.0, **aim)
    other = bob({"accuracy": 0.5, "misleading_rate": 0.5}, "semadv", -2.0, **aim)
    assert odd([*base, *strong, *other]) == []
    assert any("weaker than semadv" in words for words in odd([*base, *weak, *other]))


def test_figures_show_what_the_records_say() -> None:
    panels = panels_of(attack_rows(merged(frame(sound() + sound(seed=1)))))
    assert list(panels) == ["mobilesc"]
    (place,) = against_psr(panels).axes
    lines = {tuple(np.round(np.asarray(line.get_ydata(), float), 3)) for line in place.get_lines()}
    assert {(0.3, 0.1, 0.05), (0.89, 0.88, 0.85), (0.9, 0.9), (0.6, 0.6)} <= lines
    (bars,) = by_class(panels).axes
    assert sorted({round(float(bar.get_height()), 3) for bar in bars.patches}) == [0.9]
    assert len(bars.patches) == 4  # two classes, no attack and pgd
    numbers = [label.get_text() for label in bars.get_xticklabels()]
    assert numbers == ["0", "1"]


def test_bars_have_the_names_of_their_classes() -> None:
    panels = panels_of(attack_rows(merged(frame(sound()))))
    for names, shown in (
        (["cat", "a name that is far too long for the half of a panel, so it ends early"], None),
        (["airplane"], ["0", "1"]),  # of one class too few
    ):
        (bars,) = by_class(panels, class_names=names).axes
        found = [label.get_text() for label in bars.get_xticklabels()]
        assert found == (shown or ["cat", f"{names[1][:50]}…"])


def test_the_page_of_a_result_has_the_names_of_its_classes(tmp_path: Path) -> None:
    page = Result(sound(), classes=("cat", "dog")).report(tmp_path / "page.html").read_text()
    assert ">cat<" in page
    assert "How it was run" not in page


def images_only(*extra: Record) -> list[Record]:
    """Return attacks on a Bob who answers no classes."""
    fields = {"scheme": "deepjscc-image", "channel": "awgn"}
    found = bob({"psnr_db": 18.0, "ssim": 0.8}, **fields)
    for attack, levels in (("jamming", (17.5, 17.0, 16.0)), ("pgd", (14.0, 12.0, 9.0))):
        for psr_db, level in zip(PSRS, levels, strict=True):
            found += bob({"psnr_db": level, "ssim": level / 30}, attack, psr_db, **fields)
    return [*found, *extra]


def test_attacks_on_a_bob_without_classes_lower_the_psnr(tmp_path: Path) -> None:
    records = images_only()
    found = attack_rows(frame(records))
    assert [row.hit for row in found] == ["psnr_db"] * 3
    assert odd(records) == []
    words = shown(records, "semadv")
    assert "accuracy" not in words
    assert re.search(r"semadv\s+does not apply", words)
    assert re.search(r"pgd +14\.00 +12\.00 +9\.00", words)
    weak = bob({"psnr_db": 5.0}, "uap", -2.0, scheme="deepjscc-image", channel="awgn")
    (said,) = odd(images_only(*weak))
    assert "At −2 dB it is weaker than uap: PSNR 9.0" in said.replace("\N{NO-BREAK SPACE}", " ")
    folder = tmp_path / "attacks"
    folder.mkdir()
    write_records(folder / "records.jsonl", records)
    write_report(tmp_path / "page.html", [folder])
    page = (tmp_path / "page.html").read_text().replace("\N{NO-BREAK SPACE}", " ")
    assert "PSNR without an attack 18.0" in page
    assert "pgd (strongest attack), PSNR 9.00 dB" in page
    assert "about-psrimage" in page
    assert "about-psrlabel" not in page


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("attacked") / "attacks"
    folder.mkdir()
    write_records(folder / "records.jsonl", sound())
    about = {"attacked": "..", "recipe": {"attack": {"names": ["jamming", "fgm", "pgd", "uap"]}}}
    (folder / "run.json").write_text(json.dumps(about))
    grey = np.full((3, 1, 8, 8), 128, dtype=np.uint8)
    np.savez(
        folder / "samples.npz",
        **{"originals": grey, "bob/mobilesc/none": grey, "bob/mobilesc/pgd": grey},
    )
    return folder


@pytest.fixture(scope="module")
def page(run: Path) -> Path:
    path = run.parent / "report.html"
    write_report(path, [run])
    return path


def test_the_page_of_attacks_is_about_attacks(page: Path) -> None:
    words = page.read_text()
    titles = re.findall(r"<h2>([^<]*)</h2>", words)
    assert titles[:3] == ["Under attack", "Bob under each attack", "Against the PSR"]
    assert {"Class by class", "Images under attack"} <= set(titles)
    assert "What each party gets" not in titles
    assert "pgd (strongest attack), accuracy 5.0" in words
    assert "The attacks keep every ordering that must hold" in words
    assert "does not apply" in words  # uap was asked for
    assert only_attacks(frame(sound()))


def test_a_page_on_a_run_and_its_attacks_has_both(
    run: Path, quick_run: Path, tmp_path: Path
) -> None:
    odd_run = tmp_path / "odd"
    shutil.copytree(run, odd_run)
    write_records(odd_run / "records.jsonl", [*sound(), *sweep("pgm", (0.9, 0.9, 0.95))])
    write_report(tmp_path / "both.html", [quick_run, odd_run])
    words = (tmp_path / "both.html").read_text()
    titles = re.findall(r"<h2>([^<]*)</h2>", words)
    assert {"What each party gets", "Bob under each attack"} <= set(titles)
    assert "the attack pgm should be suspected" in words
    table = words[words.index('id="table"') : words.index('id="privacy"')]
    assert "mobilesc" not in table


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on this machine")
def test_the_page_of_attacks_opens_without_errors(page: Path, tmp_path: Path) -> None:
    probe = (
        "<script>const odd = []; addEventListener('error', e => odd.push(e.message), true);"
        "addEventListener('load', () => document.documentElement.setAttribute('data-probe',"
        "odd.length + ' ' + document.querySelectorAll('figure svg').length + ' ' +"
        "(document.documentElement.scrollWidth > innerWidth)));</script>"
    )
    scripted = re.sub(r"<meta http-equiv[^>]*>", "", page.read_text())
    copy = tmp_path / "probed.html"
    copy.write_text(scripted.replace("</head>", f"{probe}</head>"))
    dom = chromium(tmp_path, copy, 1280, 900, "--dump-dom", "--virtual-time-budget=3000")
    found = re.search(r'data-probe="([^"]*)"', dom)
    assert found is not None
    # Accuracy against PSR, classes, pictures.
    assert found[1] == "0 3 false"
