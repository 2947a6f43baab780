"""Protections, budgets and codebooks that make no sense: one line that says why, status 2."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

GENUINE = ["dp.reading=genuine", "dp.clip=1"]
PILOTS = "protections=[keyed-pilots]"
OVER_OFDM = [
    PILOTS,
    *("link.latent_dim=64", "bob.fading=multipath", "bob.ofdm.subcarriers=16"),
    "bob.ofdm.prefix=8",
]


def train(refuse, recipe, *settings):
    return refuse("train", recipe, *(f"--set={setting}" for setting in settings))


@pytest.mark.parametrize("epsilon", ["0", "-1", "-0.0"])
@pytest.mark.parametrize("reading", ["paper", "genuine"])
def test_a_privacy_budget_that_is_not_positive(refuse, epsilon, reading):
    line = train(refuse, "dp-digits", f"dp.reading={reading}", "dp.clip=1", f"dp.epsilon={epsilon}")
    assert line.startswith("dp.epsilon: a privacy budget must be positive")


def test_a_sensitivity_without_clipping(refuse):
    line = train(refuse, "dp-digits", "dp.reading=genuine")
    assert line.startswith("dp.clip: the genuine reading needs a clipping radius")
    assert "sensitivity" in line


@pytest.mark.parametrize("clip", ["0", "-1"])
def test_a_clipping_radius_that_is_not_positive(refuse, clip):
    assert train(refuse, "dp-digits", f"dp.clip={clip}").startswith("dp.clip: ")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["codebook.size=24", "codebook.order=16"], "codebook.size: 24 codewords do not fill"),
        (["codebook.size=8", "codebook.order=16"], "set a power of 16"),
        (["codebook.size=12"], "codebook.size: 12 codewords on qam: modulation order 12"),
        (["codebook.size=12", "codebook.modulation=psk"], "codebook.size: 12 codewords on psk"),
        (["codebook.size=1"], "codebook.size: "),
        (["codebook.modulation=fsk"], "codebook.modulation: Input should be 'qam' or 'psk'"),
        (["codebook.size=256", "codebook.order=16", "link.latent_dim=6"], "no whole tokens of 2"),
        (["codebook.size=4096", "codebook.order=16", "link.latent_dim=32"], "no whole tokens of 3"),
    ],
)
@pytest.mark.parametrize("scheme", ["lbvq", "uis"])
def test_codebooks_that_no_symbols_carry(refuse, scheme, settings, message):
    assert message in train(refuse, f"{scheme}-digits", *settings)


@pytest.mark.parametrize(
    ("recipe", "settings", "reason"),
    [
        # The latent does not fall into blocks.
        ("rotation-digits", ["link.latent_dim=30"], "rotation.block: 15 symbols are no whole"),
        ("ibal-digits", ["protections=[rotation]", "link.latent_dim=6"], "no whole blocks of 2"),
        # Norms that are not constant.
        ("lbvq-digits", ["protections=[rotation]"], "set codebook.modulation: psk"),
        ("uis-digits", ["protections=[shuffle, rotation]"], "put rotation first"),
        ("dp-digits", [*GENUINE, "protections=[rotation]"], "forbids the gain"),
        ("deepjscc-digits", [*GENUINE, "protections=[laplace, rotation]"], "forbids the gain"),
        # An order that voids a guarantee.
        ("deepjscc-digits", ["protections=[shuffle, rotation]"], "put rotation first"),
        ("rotation-digits", ["protections=[laplace]"], "laplace must come before rotation"),
        ("deepjscc-digits", ["protections=[rotation, laplace]"], "laplace must come before rot"),
        ("deepjscc-digits", ["protections=[shuffle, laplace]"], "laplace must come before shuf"),
        # Keyed pilots that would be seen, or raise false alarms.
        ("deepjscc-digits", ["protections=[keyed-pilots]"], "put rotation directly before"),
        ("ibal-digits", ["protections=[rotation, shuffle, keyed-pilots]"], "put rotation directly"),
        ("ibal-digits", ["protections=[rotation, keyed-pilots, shuffle]"], "must come last"),
        ("rotation-digits", [*OVER_OFDM, "bob.csi=estimated"], "with perfect CSI"),
        ("rotation-digits", [*OVER_OFDM, "bob.ofdm.clip_ratio=2"], "without peak limiting"),
        ("rotation-digits", [*OVER_OFDM, "keyed-pilots.blocks=7"], "46 channel uses, pilots incl"),
        ("rotation-digits", [PILOTS, "keyed-pilots.blocks=1"], "keyed-pilots.blocks: "),
        ("rotation-digits", [PILOTS, "keyed-pilots.false_alarm=0"], "keyed-pilots.false_alarm: "),
        ("rotation-digits", [PILOTS, "rotation.block=4"], "set rotation.block=2"),
        # The same again.
        ("dp-digits", ["protections=[laplace]"], "names one of them twice"),
        ("rotation-digits", ["protections=[rotation]"], "names one of them twice"),
        ("deepjscc-digits", ["protections=[shuffle, shuffle]"], "must not name anything twice"),
        # What nothing can be laid over.
        ("shuffle-digits", ["protections=[rotation]"], "none can be added to shuffle"),
        ("cipher-digits", ["protections=[shuffle]"], "none can be added to cipher"),
        (
            "quickstart",
            ["scheme=multitask", "protections=[laplace]"],
            "laplace cannot be added to",
        ),
        ("quickstart", ["protections=[rotation]"], "none can be added to"),
        # What the bottleneck's price does not refer to.
        ("ibal-digits", [*GENUINE, "protections=[laplace]"], "use dp.reading: paper"),
        ("vfe-digits", [*GENUINE, "protections=[laplace]"], "use dp.reading: paper"),
        # What laplace cannot pair.
        ("lbvq-digits", ["protections=[laplace]", "link.latent_dim=2", "codebook.dim=3"], "odd"),
        # Names.
        ("ibal-digits", ["protections=[rotate]"], "did you mean 'rotation'?"),
        ("ibal-digits", ["protections=rotation"], "protections: "),
        ("ibal-digits", ["scheme=ibal+rotate"], "a scheme's name holds none of"),
    ],
)
def test_protections_that_do_not_go_together(refuse, recipe, settings, reason):
    line = train(refuse, recipe, *settings)
    assert reason in line


def test_it_is_so_for_a_command_of_a_shell_too(tmp_path):
    result = subprocess.run(
        [
            Path(sys.executable).with_name("semveil"),
            *("run", "lbvq-digits", "--set", "protections=[rotation]"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("semveil: protections: rotation hides only what has constant")
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
