"""What must be there at once: help, version, lists; nothing slow is imported for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import semveil
from commands import refusal
from semveil.adversary.perturb import ATTACKS
from semveil.training import TRAININGS

HEAVY = ("torch", "lightning_fabric", "torchmetrics", "safetensors", "numpy", "pandas", "sklearn")
SEMVEIL = Path(sys.executable).with_name("semveil")


def run(*words):
    return subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)


def imported(code):
    """Return the top packages that are there after some code has run in a new process."""
    result = run(sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)")
    assert result.returncode == 0, result.stderr
    return {name.partition(".")[0] for name in result.stdout.splitlines()[-1].split()}


MAIN = """
import sys, contextlib
sys.argv = {argv}
with contextlib.suppress(SystemExit):
    from semveil.cli import main
    main()
"""


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["run", "--help"], ["study", "-h"], ["zoo", "--help"]]
)
def test_help_imports_nothing_heavy(words):
    found = imported(MAIN.format(argv=["semveil", *words]))
    assert "typer" in found
    assert found.isdisjoint({*HEAVY, "yaml", "matplotlib"})


@pytest.mark.parametrize(
    "words",
    [["run", "quikstart"], ["train", "quickstart", "--set=link.latent_dim=7"], ["run", "x.yaml"]],
)
def test_what_is_wrong_with_a_recipe_is_said_before_anything_heavy_is_imported(words, tmp_path):
    found = imported(MAIN.format(argv=["semveil", *words]))
    assert found.isdisjoint({*HEAVY, "matplotlib"})


def test_without_git_the_commit_is_unknown():
    code = "from semveil.experiment.provenance import code_version as v; print(v())"
    nowhere = os.environ | {"PATH": "/nowhere"}
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=nowhere, check=True
    ).stdout.strip()
    assert told in (version("semveil"), f"{version('semveil')}+unknown")


def test_a_current_folder_that_was_removed_is_told(tmp_path):
    code = "import os, sys; sys.argv = ['semveil', 'list']; os.rmdir(os.getcwd())\n"
    told = subprocess.run(
        [sys.executable, "-c", f"{code}from semveil.cli import main; main()"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(semveil.__file__).parents[1])},
        check=False,
    )
    assert told.returncode == 2
    assert told.stderr == "semveil: the current folder was removed: change to another one\n"


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        ("import semveil; semveil.__version__", set()),
        (
            "from semveil import recipe; recipe.overview(); recipe.check({'seed': 1}) if 0 else 0",
            set(),
        ),
        ("from semveil import data; data.status()", {"numpy"}),
    ],
)
def test_the_package_and_its_settings_do_without_torch(code, allowed):
    assert imported(code).isdisjoint(set(HEAVY) - allowed)


def test_records_are_read_and_reported_without_torch(finished, tmp_path):
    assert imported(
        f"from pathlib import Path; from semveil.records import read_records;"
        f"assert read_records(Path({str(finished / 'records.jsonl')!r}))"
    ).isdisjoint(HEAVY)
    page = tmp_path / "page.html"
    found = imported(MAIN.format(argv=["semveil", "report", str(finished), "--out", str(page)]))
    assert page.is_file()
    assert "matplotlib" in found
    assert found.isdisjoint({"torch", "lightning_fabric", "torchmetrics", "safetensors"})


def test_what_is_imported_is_found():
    """Else the tests above would find nothing whatever happened."""
    assert "numpy" in imported("from semveil.data import load; load('digits')")


def seconds(*words):
    """Return the processor time of a process, which the machine's load hardly changes."""

    def spent():
        times = os.times()
        return times.children_user + times.children_system

    before = spent()
    result = run(*words)
    assert result.returncode == 0, result.stderr
    return spent() - before


def test_help_and_the_package_are_there_long_before_torch():
    rounds = [
        (
            seconds(sys.executable, "-c", "import semveil"),
            seconds(SEMVEIL, "--help"),
            seconds(sys.executable, "-c", "import torch"),
        )
        for _ in range(3)
    ]
    package, help_, torch = (min(times) for times in zip(*rounds, strict=True))
    assert help_ < 0.3 * torch, rounds
    assert package < 0.1 * torch, rounds


def test_the_package_tells_its_public_names():
    code = "import semveil; print(*dir(semveil))"
    names = set(run(sys.executable, "-c", code).stdout.split())
    assert names >= {"Result", "attack", "audit", "data", "phy", "__version__"}


def test_the_installed_command_helps():
    result = run(SEMVEIL, "--help")
    assert result.returncode == 0
    assert result.stderr == ""
    for command in (
        "run",
        "train",
        "audit",
        "attack",
        "harden",
        "study",
        "report",
        "list",
        "bench",
        "data",
    ):
        assert f" {command} " in result.stdout


def test_the_installed_command_refuses(tmp_path):
    refused = subprocess.run(
        [SEMVEIL, "run", "quikstart"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert refused.stderr.count("\n") == 1
    assert refused.stderr.startswith("semveil: unknown recipe 'quikstart': did you mean")
    assert list(tmp_path.iterdir()) == []


def test_the_version_is_the_packages(semveil):
    import semveil as package

    result = semveil("--version")
    assert (result.code, result.out, result.err) == (0, f"{package.__version__}\n", "")


def test_no_word_at_all_shows_the_help(semveil):
    result = semveil()
    assert result.code == 2
    assert "Usage: semveil" in result.out
    assert result.err == ""


def test_one_kind_is_listed_alone(semveil):
    found = json.loads(semveil("list", "schemes", "--json").out)
    assert list(found) == ["schemes"]
    assert {"description", "asymmetry", "guarantee"} <= set(found["schemes"]["rotation"])
    for words in ("Data sets", "data-sets", "dataset", "datasets"):
        assert list(json.loads(semveil("list", words, "--json").out)) == ["datasets"]
    for words in ("papers", "studies", "study"):
        assert "privacy-utility" in json.loads(semveil("list", words, "--json").out)["papers"]
    refused = refusal(semveil("list", "schemas"))
    assert refused.startswith("unknown kind 'schemas': did you mean 'schemes'")


def test_everything_there_is_is_listed(semveil):
    shown = semveil("list")
    assert (shown.code, shown.err) == (0, "")
    result = semveil("list", "--json")
    assert result.out.count("\n") == 1
    found = json.loads(result.out)
    assert {"schemes", "protections", "attacks", "datasets", "recipes"} < set(found)
    for kind, entries in found.items():
        assert f"{kind}:\n" in shown.out
        for name, about in entries.items():
            assert about
            assert f"\n  {name} " in shown.out
    source = Path(__file__).parents[2] / "src" / "semveil"
    files = {path.stem.replace("_", "-") for path in source.glob("schemes/*.py")}
    assert set(found["schemes"]) == files - {"--init--", "base", "parts"}
    assert found["schemes"]["ibal"]["package"] == "semveil"
    for name, about in found["recipes"].items():
        assert about["scheme"] in found["schemes"]
        assert about["data"] in found["datasets"]
        dataset = about["data"].partition(":")[0]
        assert name in ("quickstart", f"{about['scheme']}-{dataset}")
    assert {"latent-dimension", "minmax-settings"} <= set(found["papers"])


def test_every_scheme_states_its_threat_model_and_its_guarantee(semveil):
    stated = json.loads(semveil("list", "--json").out)["schemes"]
    shown = semveil("list").out
    for name, about in stated.items():
        assert list(about) == ["description", "protects", "asymmetry", "guarantee", "package"], name
        assert about["asymmetry"] in ("none", "task", "channel", "key", "knowledge")
        for what in ("protects", "asymmetry", "guarantee"):
            assert about[what]
            assert f"    {what}: {about[what]}\n" in shown
    assert {name for name, about in stated.items() if about["asymmetry"] == "none"} == {
        "multitask",
        "deepjscc",
        "deepjscc-image",
        "residual-jscc",
        "mobilesc",
        "jscc-ofdm",
        "mobilenetv2",
        "classical",
    }
    # What is proved of some is claimed of no other.
    proved = {name for name, about in stated.items() if not about["guarantee"].startswith("none")}
    assert proved == {"dp", "rotation"}


def test_the_status_of_the_data_sets(semveil, tmp_path):
    result = semveil("data", "--data", tmp_path)
    assert (result.code, result.err) == (0, "")
    for name in ("digits", "mnist", "cifar10", "folder:PATH"):
        assert f"{name} " in result.out
    assert "in the package" in result.out
    assert f"mnist is not in {tmp_path}" in result.out


def test_attacks_and_trainings_are_listed_by_the_names_that_commands_take(semveil):
    found = json.loads(semveil("list", "--json").out)
    # Other tests of this process may have loaded the guest package; the command has not.
    for kind, registry in {"attacks": ATTACKS, "adversarial-training": TRAININGS}.items():
        ours = {name for name in registry.names() if registry.origin(name) == "semveil"}
        assert set(found[kind]) == ours
    assert "random search per input" in found["attacks"]["blackbox"]["description"]


def test_a_short_cyclic_prefix_is_warned_of_in_one_line(semveil, tmp_path):
    words = ("data.limit=200", "link.width=4", "train.epochs=1", "train.batch=16")
    words += ("semantic.blocks=1", "bob.ofdm.prefix=2", "semantic.classifier_width=4")
    settings = [f"--set={word}" for word in words]
    result = semveil("train", "mobilesc-digits", *settings, "--out", "run", folder=tmp_path)
    assert result.code == 0
    (line,) = (line for line in result.err.splitlines() if "prefix" in line)
    assert line.startswith("semveil: ofdm.prefix: 2 samples are fewer than the channel's 7 samples")
    assert "dB of interference" in line


def test_the_package_runs_as_a_module():
    result = run(sys.executable, "-m", "semveil", "--version")
    import semveil as package

    assert (result.returncode, result.stdout) == (0, f"{package.__version__}\n")
