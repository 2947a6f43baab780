"""The bench: what it returns, what it shows, and that it refuses to compare unlike things."""

from __future__ import annotations

import io
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from rich.console import Console

import benchmarks
import semveil
from benchmarks import digital, inversion, qam
from benchmarks.agreement import DisagreementError, require
from benchmarks.link import FLAT, ImageTraining
from benchmarks.ofdm import OurChain, SionnaChain, draw_frames, require_same_results
from benchmarks.timing import Ratio, Work, alternate
from benchmarks.training import PlainLink, require_same_network
from semveil.device import one_thread
from semveil.errors import SemveilError
from semveil.rng import generator


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    # Tests may run beside anything: threads that wait for each other would dominate.
    with one_thread():
        yield


@pytest.fixture(scope="module")
def quick() -> dict[str, Any]:
    pytest.importorskip("sionna")
    told: list[tuple[str, int, int]] = []
    # GNU Radio is no Python package: its ratio has a test of its own.
    names = sorted(set(benchmarks.ratios()) - {"receiver_vs_gnuradio"})
    with one_thread():
        result = benchmarks.run(names, quick=True, progress=lambda *news: told.append(news))
    return result | {"told": told}


@pytest.mark.slow
def test_every_ratio_is_a_positive_number(quick: dict[str, Any]) -> None:
    assert set(quick["ratios"]) == set(quick["targets"])
    for name, value in quick["ratios"].items():
        assert math.isfinite(value), name
        assert value > 0, name
    for share in ("non_network_share", "rotation_share", "shuffle_share", "vq_share"):
        assert quick["ratios"][share] < 1
    assert quick["ratios"]["ofdm_vs_sionna"] > 1
    assert quick["notes"] == {}


@pytest.mark.slow
def test_targets_and_verdicts(quick: dict[str, Any]) -> None:
    assert quick["targets"] == {
        "encoder_vs_jscc": [">=", 1.0],
        "encoder_vs_mobilenetv2": [">=", 1.0],
        "time_to_accuracy": [">=", 4.0],
        "train_vs_plain": [">=", 2.0],
        "non_network_share": ["<=", 0.15],
        "ldpc_vs_sionna": [">=", 1.5],
        "ofdm_vs_sionna": [">=", 10.0],
        "pgd_overhead": ["<=", 1.15],
        "pgm_step": ["<=", 1.3],
        "rotation_share": ["<=", 0.10],
        "semadv_step": ["<=", 1.3],
        "shuffle_share": ["<=", 0.10],
        "vq_share": ["<=", 0.10],
        "qam_vs_loop": [">=", 10.0],
        "inversion_vs_bare": [">=", 0.8],
    }
    for name, (comparison, bound) in quick["targets"].items():
        value = quick["ratios"][name]
        assert quick["met"][name] == (value >= bound if comparison == ">=" else value <= bound)


@pytest.mark.slow
def test_rounds_hold_the_raw_times(quick: dict[str, Any]) -> None:
    for rounds in quick["rounds"].values():
        over, under = rounds["over"]["seconds"], rounds["under"]["seconds"]
        assert rounds["ratio"] == [a / b for a, b in zip(over, under, strict=True)]
        assert rounds["min"] <= rounds["median"] <= rounds["max"]


@pytest.mark.slow
def test_the_circumstances_are_told(quick: dict[str, Any]) -> None:
    assert quick["hardware"]["threads"] == 1
    assert quick["hardware"]["load_average"] >= 0
    assert quick["versions"]["torch"]
    assert quick["version"]


@pytest.mark.slow
def test_progress_ends_where_it_should(quick: dict[str, Any]) -> None:
    for name in quick["ratios"]:
        done, total = [news[1:] for news in quick["told"] if news[0] == name][-1]
        assert done == total


@pytest.mark.slow
def test_the_result_is_json_and_a_table(quick: dict[str, Any]) -> None:
    plain = {key: value for key, value in quick.items() if key != "told"}
    assert json.loads(json.dumps(plain)) == plain
    shown = io.StringIO()
    Console(file=shown, width=160, markup=False).print(benchmarks.table(plain))
    for name in plain["ratios"]:
        assert name in shown.getvalue()


def test_a_missing_library_is_said_and_not_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sionna.phy.channel", None)
    result = benchmarks.run(["ofdm_vs_sionna"], quick=True)
    assert result["ratios"] == {"ofdm_vs_sionna": None}
    assert result["met"] == {"ofdm_vs_sionna": None}
    assert result["rounds"] == {"ofdm_vs_sionna": None}
    assert "semveil[test]" in result["notes"]["ofdm_vs_sionna"]
    shown = io.StringIO()
    Console(file=shown, width=160, markup=False).print(benchmarks.table(result))
    assert "semveil[test]" in shown.getvalue()


def test_an_unknown_ratio_is_refused() -> None:
    with pytest.raises(SemveilError, match="did you mean 'train_vs_plain'"):
        benchmarks.run(["train_vs_plane"])


def test_without_a_checkout_the_command_says_so_in_one_line(tmp_path: Path) -> None:
    installed = tmp_path / "site-packages" / "semveil"
    installed.parent.mkdir()
    installed.symlink_to(Path(semveil.__file__).parent)
    refused = subprocess.run(
        [sys.executable, "-c", "from semveil.cli import main; main()", "bench"],
        env=os.environ | {"PYTHONPATH": str(installed.parent)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert refused.stderr.count("\n") == 1
    assert "checkout" in refused.stderr


def test_rounds_alternate_and_change_who_begins() -> None:
    order: list[str] = []
    over, under = (Work(name, lambda name=name: order.append(name), 1) for name in "ou")
    rounds = alternate(over, under, 3, lambda done, total: None)
    assert "".join(order) == "ou" + "ou" + "uo" + "ou"
    assert len(rounds.over_s) == len(rounds.under_s) == 3


def test_patience_ends_after_five_rounds() -> None:
    told: list[tuple[int, int]] = []
    work = Work("nothing", lambda: None)
    rounds = alternate(work, work, 11, lambda *news: told.append(news), patience_s=0.0)
    assert len(rounds.ratios) == 5
    assert told[-1] == (11, 11)


def test_times_are_per_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 14.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    assert Work("four of something", lambda: None, units=4).time() == 1.0


@pytest.mark.parametrize(
    ("target", "value", "met"),
    [
        ((">=", 2.0), 2.0, True),
        ((">=", 2.0), 1.99, False),
        (("<=", 0.15), 0.15, True),
        (("<=", 0.15), 0.16, False),
    ],
)
def test_bounds(target: tuple[Literal[">=", "<="], float], value: float, met: bool) -> None:
    nothing = Work("nothing", lambda: None)
    ratio = Ratio("", target, lambda quick, tick: alternate(nothing, nothing, 1, tick))
    assert ratio.met(value) is met


def test_ofdm_agrees_with_sionna_and_a_difference_is_noticed() -> None:
    pytest.importorskip("sionna")
    frames = draw_frames(4)
    ours, theirs = OurChain(frames), SionnaChain(frames)
    require_same_results(ours, theirs)

    class Off(OurChain):
        def __init__(self, symbols: float, gradient: float) -> None:
            super().__init__(frames)
            self.off = symbols, gradient

        def symbols_and_gradient(self) -> tuple[torch.Tensor, torch.Tensor]:
            symbols, gradient = super().symbols_and_gradient()
            return symbols + self.off[0], gradient + self.off[1]

    with pytest.raises(DisagreementError, match="equalised symbols"):
        require_same_results(Off(1e-3, 0.0), theirs)
    with pytest.raises(DisagreementError, match="gradients"):
        require_same_results(Off(0.0, 1e-2), theirs)


def test_training_compares_one_network_and_a_difference_is_noticed() -> None:
    link = ImageTraining(FLAT).link
    plain = PlainLink(link)
    require_same_network(link, plain)
    with torch.no_grad():
        plain.decoder[0].bias += 0.1
    with pytest.raises(DisagreementError):
        require_same_network(link, plain)


def test_the_loop_over_symbols_decides_alike_and_a_difference_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    qam.require_same_decisions()
    bits, noise = qam.draw(64)
    sent, decided = qam.ours(bits, noise)
    # At 12 dB some decisions are wrong: agreement means more than that both return the input.
    assert 0 < int((decided != bits).sum()) < bits.numel() / 10
    decided[0, 0] ^= 1
    monkeypatch.setattr(qam, "ours", lambda *given: (sent, decided))
    with pytest.raises(DisagreementError, match="decisions"):
        qam.require_same_decisions()


def test_the_attack_ends_at_the_bare_networks_weights_and_a_difference_is_noticed() -> None:
    epoch = inversion.Epoch(300)
    inversion.require_same_network(epoch)
    epoch.observations[0] = epoch.observations[0] + 0.3
    with pytest.raises(DisagreementError, match="inverter"):
        inversion.require_same_network(epoch)


def test_what_is_timed_between_the_networks_is_the_links_own_exchange() -> None:
    training = digital.Training(batch=4)
    between = digital.Between(training.link, batch=4)
    looked_up = between.link.exchange(between.tokens, 60.0, generator(0)).answer.logits
    words = training.link.codebook.words.detach()
    assert float((looked_up.detach().unsqueeze(2) - words).abs().amax(3).amin(2).max()) < 1e-5
    assert between.tokens.shape == (4, 64, 64)


def test_not_a_number_is_no_agreement() -> None:
    with pytest.raises(DisagreementError):
        require("nothing", torch.tensor([math.nan]), torch.ones(1))
