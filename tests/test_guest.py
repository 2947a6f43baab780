"""A package of one's own adds one of each kind without a change of ours, and may be broken."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import CommandLine, refusal, succeed
from semveil.records import read_records

GUEST = Path(__file__).parent / "guest"
SHORT = [
    f"--set={setting}"
    for setting in (
        "link.latent_dim=8",
        "link.width=4",
        "link.head_width=8",
        "train.epochs=1",
        "audit.inference=[linear, narrow]",
        "audit.inference/narrow.units=4",
        "audit.inversion=[linear]",
        "audit.max_epochs=2",
        "audit.rounds=1",
        "audit.pictures=1",
        "audit.bob_snr_db=[12]",
        "audit.eve_snr_db=[12]",
    )
]
SOUND = [word for word in SHORT if "narrow" not in word] + ["--set=audit.inference=[linear]"]
ALL = [
    "--set=scheme=guarded",
    "--set=guarded.weight=2",
    "--set=protections=[signs, rotation]",
    "--set=data.name=stripes",
    "--set=data.stripes.noise=10",
    "--set=audit.metrics=[mae]",
]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the guest is installed, as pip installs it."""
    scratch = tmp_path_factory.mktemp("guest")
    source, target = scratch / "source", scratch / "packages"
    shutil.copytree(GUEST, source)
    words = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--target", target]
    subprocess.run([sys.executable, "-m", "pip", "install", *words, source], check=True)
    return target


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory, packages: Path) -> Iterator[CommandLine]:
    """The command line where the guest is installed."""
    line = CommandLine(tmp_path_factory.mktemp("commands"), packages)
    yield line
    line.close()


def test_what_a_guest_adds_is_listed_with_its_package(line):
    found = json.loads(succeed(line("list", "--json")).out)
    for kind, name in (
        ("schemes", "guarded"),
        ("protections", "signs"),
        ("datasets", "stripes"),
        ("attacks", "pulses"),
        ("eavesdroppers", "inference/narrow"),
        ("metrics", "mae"),
        ("papers", "direction"),
    ):
        assert found[kind][name]["package"] == "semveil-guest"
    assert "[from semveil-guest]" in succeed(line("list", "protections")).out
    theirs = {
        name
        for entries in found.values()
        for name, about in entries.items()
        if about.get("package") == "semveil-guest"
    }
    narrow = "inference/narrow"
    assert theirs == {"guarded", "signs", "stripes", "pulses", narrow, "mae", "direction"}


def test_a_run_uses_what_the_guest_adds(line, semveil, tmp_path):
    succeed(line("run", "deepjscc-digits", *SHORT, *ALL, "--out", "run", folder=tmp_path))
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    assert facts["recipe"]["guarded"] == {"weight": 2.0}
    assert facts["recipe"]["data"]["stripes"] == {"noise": 10.0}
    records = read_records(tmp_path / "run" / "records.jsonl")
    assert {record.dataset for record in records} == {"stripes"}
    assert {record.scheme for record in records} == {"deepjscc", "guarded"}
    (bob,) = (
        record
        for record in records
        if record.scheme == "guarded"
        and record.role == "bob"
        and record.metric == "accuracy"
        and record.image_class is None
    )
    assert bob.params == {"protections": ["signs", "rotation"]}
    assert bob.asymmetry == "key"
    assert facts["recipe"]["audit"]["inference/narrow"] == {"units": 4}
    eves = {record.adversary for record in records if record.role == "eve"}
    assert "inference/narrow" in eves
    measured = {(record.role, record.metric) for record in records}
    assert {("eve", "mae"), ("system", "mae_floor")} <= measured
    assert "mean absolute error (grey levels)" in (tmp_path / "run" / "report.html").read_text()
    words = ["--attacks", "jamming,pulses", "--psr=-6", "--set=attack.pulses.every=2"]
    words += ["--set=attack.images=20", "--out", "attacked"]
    succeed(line("attack", "run", *words, folder=tmp_path))
    facts = json.loads((tmp_path / "attacked" / "run.json").read_text())
    assert facts["recipe"]["attack"]["pulses"] == {"every": 2}
    assert facts["packages"] == {"semveil-guest": "1.0"}
    records = read_records(tmp_path / "attacked" / "records.jsonl")
    assert {record.adversary for record in records} == {None, "jamming", "pulses"}
    # Where the package is not installed, what it measured is refused.
    for words in (["report", "run"], ["report", "attacked"], ["train", "--resume", "run"]):
        refused = refusal(semveil(*words, folder=tmp_path))
        folder = "attacked" if "attacked" in words else "run"
        assert refused.startswith(f"{folder}/run.json: made with the package semveil-guest 1.0, ")
        assert refused.endswith("pip install semveil-guest")


def test_python_uses_what_the_guest_adds(line, tmp_path):
    settings = {word.removeprefix("--set=").partition("=")[0]: word for word in [*SHORT, *ALL]}
    changes = [word.removeprefix("--set=") for word in settings.values()]
    code = f"""
import semveil
link = semveil.train("deepjscc-digits", {changes!r}, out="run", device="cpu")
print(link.name.label, link.classes)
from semveil_guest.attack import Pulses
found = semveil.evaluate(link, attacks=[Pulses(every=2)], psr_db=[-6])
eves = [r for r in found.records if r.role == "eve" and r.metric == "mae"]
print(found.strongest("mae", 12).value == min(r.value for r in eves))
print(*sorted({{r.adversary for r in found.records if r.adversary and r.role == "bob"}}))
print([type(each).__name__ for each in semveil.attacks.standard()].count("Pulses"))
"""
    result = succeed(line("python", folder=tmp_path, instead=code))
    shown = ["guarded+signs+rotation 4", "True", "pulses", "1"]
    assert result.out.splitlines()[-4:] == shown


def test_a_paper_of_the_guest_is_measured_and_judged(line, tmp_path):
    succeed(line("study", "direction", "--budget", "smoke", "-q", folder=tmp_path))
    page = (tmp_path / "runs" / "direction-smoke" / "README.md").read_text()
    assert "| 1. The guard costs Bob no accuracy |" in page
    assert "| `guarded (weight = 1)` |" in page
    (tmp_path / "runs" / "direction-smoke").rename(tmp_path / "runs" / "direction")
    words = ("papers", "direction", "--results", "runs", "--json")
    (found,) = json.loads(succeed(line(*words, folder=tmp_path)).out)
    assert found["package"] == "semveil-guest"
    assert found["records"] == "runs/direction/records.jsonl"
    (claim,) = found["claims"]
    assert claim["confirmed"] + claim["refuted"] + claim["undecided"] == 2


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["guarded.weight=-1"], "guarded.weight: "),
        (["guarded.wieght=1"], "unknown key 'guarded.wieght': did you mean 'guarded.weight'"),
        (["data.stripes.noise=300"], "data.stripes.noise: "),
        (["audit.inference/narrow.units=0"], "audit.inference/narrow.units: "),
        (["audit.inference=[narow]"], "audit.inference: unknown eavesdropper 'narow': did you"),
        (["attack.pulses.evry=3"], "unknown key 'attack.pulses.evry': did you mean"),
        (["attack.names=[pulse]"], "attack.names: unknown attack 'pulse': did you mean 'pulses'"),
        (["audit.metrics=[mea]"], "audit.metrics: unknown metric 'mea': did you mean 'mae'"),
        (
            ["audit.metrics=[accuracy]"],
            "audit.metrics: accuracy is not computed image by image; choose among",
        ),
        (["scheme=gaurded"], "scheme: unknown scheme 'gaurded': did you mean 'guarded'"),
        (["protections=[signs, laplace]"], "protections: laplace must come before signs"),
    ],
)
def test_settings_of_a_guest_are_checked_as_ours(line, tmp_path, settings, said):
    words = [f"--set={setting}" for setting in settings]
    refused = refusal(line("run", "deepjscc-digits", *SHORT, *words, folder=tmp_path))
    assert refused.startswith(said)


def test_what_a_guest_adds_keeps_the_contracts(line):
    words = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", str(GUEST.parents[1])]
    words += [str(GUEST.parent / "test_contracts.py"), "-k", "guarded or signs or stripes or mae"]
    result = line(instead=f"import pytest, sys; sys.exit(pytest.main({words!r}))")
    assert result.code == 0, result.out


BROKEN = {
    "absent": "import a_module_that_is_not_there",
    "confused": """
from semveil.schemes import SCHEMES, Scheme

@SCHEMES.register
class Confused(Scheme):
    name = "confused"
    Config = int

@SCHEMES.register
class Sound(Scheme):
    name = "sound"
    base = "deepjscc"
    protections = ("shuffle",)
    reference = "deepjscc"
""",
    "twin-one": "from semveil.protect import *\n"
    "@PROTECTIONS.register\nclass Twin(KeyedProtection):\n    name = 'twin'",
    "twin-two": "from semveil.protect import *\n"
    "@PROTECTIONS.register\nclass Twin(KeyedProtection):\n    name = 'twin'",
}


def install(folder: Path, packages: dict[str, str]) -> Path:
    """Install packages of one module each, as pip does."""
    for name, code in packages.items():
        module = name.replace("-", "_")
        facts = folder / f"{module}-1.0.dist-info"
        facts.mkdir(parents=True)
        (folder / f"{module}.py").write_text(code)
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (facts / "entry_points.txt").write_text(f"[semveil.plugins]\n{name} = {module}\n")
    return folder


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A folder with four packages, none of which is as it should be."""
    return install(tmp_path / "packages", BROKEN)


COMMANDS = [
    ["list", "--json"],
    ["train", "deepjscc-digits", "--set=scheme=confused"],
    ["train", "deepjscc-digits", "--set=protections=[twin]"],
]
ONE_BY_ONE = f"""
import contextlib, io, json, sys
from semveil.cli import main
for words in {COMMANDS!r}:
    sys.argv = ["semveil", *words]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main()
        except SystemExit as end:
            code = end.code
    print(json.dumps([code, out.getvalue(), err.getvalue()]))
"""


def test_broken_guests_are_told_in_a_line_each_and_leave_the_rest(broken, tmp_path):
    paths = [str(broken), os.environ.get("PYTHONPATH", "")]
    ran = subprocess.run(
        [sys.executable, "-c", ONE_BY_ONE],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    (code, out, err), *refused = (json.loads(line) for line in ran.stdout.splitlines())
    assert not code
    assert [line.removeprefix("semveil: ").split(":")[0] for line in err.splitlines()] == [
        "plugin absent cannot be loaded",
        "scheme 'confused'",
        "protection 'twin' is registered twice, by twin-one and by twin-two",
    ]
    found = json.loads(out)
    assert "ibal" in found["schemes"]
    assert found["schemes"]["sound"]["package"] == "confused"
    assert "confused" not in found["schemes"]
    expected = (
        "scheme 'confused': Config of confused.Confused is <class 'int'>; expected a subclass of "
        "semveil.recipe.Section",
        "protection 'twin' is registered twice, by twin-one and by twin-two: ",
    )
    for (code, out, err), said in zip(refused, expected, strict=True):
        assert (code, out) == (2, "")
        assert err.startswith(f"semveil: {said}")
        assert err.count("\n") == 1
    assert not (tmp_path / "runs").exists()


FAULTY = """
from pathlib import Path

from torch import nn

from semveil.attacks import ATTACKS, Attack
from semveil.data import DATASETS, Dataset
from semveil.eavesdroppers import EAVESDROPPERS, Eavesdropper
from semveil.metrics import METRICS, ImageMetric
from semveil.papers import PAPERS, Paper
from semveil.protect import PROTECTIONS, KeyedProtection
from semveil.schemes import SCHEMES
from semveil.schemes.deepjscc import DeepJSCC

@ATTACKS.register
class BadAttack(Attack):
    name = "bad-attack"
    def craft(self, victim, incoming, psrs_db, source):
        return self.absent

@EAVESDROPPERS.register
class BadEve(Eavesdropper):
    name = "inference/bad-eve"
    def network(self, inputs, classes, image_shape):
        return nn.Linear(inputs + 1, classes)

@METRICS.register
class BadMetric(ImageMetric):
    name = title = "bad_metric"
    def per_image(self, images, originals):
        raise KeyError("mistake")

@DATASETS.register
class BadSet(Dataset):
    name = "bad-set"
    description = "images that are not there"
    def read(self, root=None):
        return Path("nowhere").read_bytes()

@PROTECTIONS.register
class BadProtection(KeyedProtection):
    name = "bad-protection"
    def __init__(self, key):
        self.key = key
    def encrypt(self, waveform, messages):
        return waveform @ waveform
    decrypt = encrypt

@PROTECTIONS.register
class NoKey(KeyedProtection):
    name = "no-key"
    def encrypt(self, waveform, messages):
        return waveform
    decrypt = encrypt

@SCHEMES.register
class BadScheme(DeepJSCC):
    name = "bad-scheme"
    def objective(self, link, eve):
        return 1 / 0

@PAPERS.register
class BadPaper(Paper):
    name = "bad-paper"
    folder = Path(__file__).parent / "absent"
"""
MISTAKES = [
    ("NoKey", ["protections=[no-key]"], "TypeError: NoKey() takes no arguments"),
    ("BadEve.network", ["audit.inference=[bad-eve]"], "fails on two receptions of 9 reals: "),
    ("BadMetric.per_image", ["audit.metrics=[bad_metric]"], "KeyError: 'mistake'"),
    ("BadSet.read", ["data.name=bad-set"], "FileNotFoundError: "),
    ("BadProtection.encrypt", ["protections=[bad-protection]"], "RuntimeError: "),
    ("BadScheme.objective", ["scheme=bad-scheme"], "ZeroDivisionError: division by zero"),
]


@pytest.mark.slow
def test_a_mistake_of_a_guest_is_told_in_a_line_with_its_place(tmp_path):
    folder = install(tmp_path / "packages", {"faulty": FAULTY})
    line = CommandLine(tmp_path, folder)

    def mistake(name, words, reason):
        refused = refusal(line(*words, folder=tmp_path))
        assert refused.startswith(f"faulty.{name} (faulty, {folder / 'faulty.py'}:")
        assert reason in refused

    try:
        for name, settings, reason in MISTAKES:
            words = [f"--set={setting}" for setting in (*(s[6:] for s in SOUND), *settings)]
            mistake(name, ["run", "deepjscc-digits", *words, "-q"], reason)
        succeed(line("train", "deepjscc-digits", *SOUND, "--out", "run", "-q", folder=tmp_path))
        words = ["attack", "run", "--attacks", "bad-attack", "--psr=-6", "-q"]
        mistake("BadAttack.craft", words, "AttributeError: 'BadAttack' object has no attribute")
        assert "absent/jobs.yaml" in refusal(line("study", "bad-paper", folder=tmp_path))
        listed = succeed(line("list", "--json"))
        found = json.loads(listed.out)
        assert "bad-paper" not in found["papers"]
        assert "bad-scheme" in found["schemes"]
        assert listed.err.startswith("semveil: study 'bad-paper' of faulty cannot be listed: ")
        assert listed.err.count("\n") == 1
        # What is not faulty works.
        words = ["--attacks", "jamming", "--psr=-6", "--set=attack.images=20"]
        succeed(line("attack", "run", *words, folder=tmp_path))
    finally:
        line.close()


HOSTILE = {
    "leaver": "import sys\nsys.exit(3)",
    "thief": """
from semveil.adversary.perturb import ATTACKS
from semveil.adversary.perturb.attack import Attack
from semveil.eavesdroppers import EAVESDROPPERS, Eavesdropper
from semveil.metrics import METRICS, ImageMetric
from semveil.recipe import Section
from semveil.schemes import SCHEMES, Scheme

def add(registry, base, name, **facts):
    registry.register(type("Added", (base,), {"name": name, "__module__": __name__, **facts}))

add(SCHEMES, Scheme, "ibal", Config=type("Config", (Section,), {"__module__": __name__}))
add(ATTACKS, Attack, "fgm")
add(ATTACKS, Attack, " ")
add(ATTACKS, Attack, "tone(1)")
add(ATTACKS, Attack, "tone/1")
add(SCHEMES, Scheme, "magic", asymmetry="magic")
add(EAVESDROPPERS, Eavesdropper, "bare")
add(METRICS, ImageMetric, "plain", title="plain error")
""",
}


def test_a_guest_takes_no_name_of_ours_and_states_what_it_may(tmp_path):
    folder = install(tmp_path / "packages", HOSTILE)
    paths = [str(folder), os.environ.get("PYTHONPATH", "")]
    words = [sys.executable, "-m", "semveil", "list", "--json"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    ran = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    found = json.loads(ran.stdout)
    assert found["schemes"]["ibal"]["package"] == found["attacks"]["fgm"]["package"] == "semveil"
    assert {"tone(1)", "tone/1", " "}.isdisjoint(found["attacks"])
    assert "magic" not in found["schemes"]
    assert "bare" not in found["eavesdroppers"]
    assert found["metrics"]["plain"]["description"] == "plain error"
    said = ran.stderr.splitlines()
    assert len(said) == 8
    for part in (
        "plugin leaver cannot be loaded: SystemExit 3",
        "scheme 'ibal' is registered twice, by ",
        "attack 'fgm' is registered twice, by ",
        "attack ' ' of thief.Added: ",
        "attack 'tone(1)' of thief.Added: ",
        "attack 'tone/1' of thief.Added: ",
        "scheme 'magic': unknown asymmetry 'magic'",
        "eavesdropper 'bare' of thief.Added: a name is inference/ or inversion/ and ",
    ):
        assert sum(line.startswith(f"semveil: {part}") for line in said) == 1, part
    for clash in (line for line in said if "twice" in line):
        assert "by semveil" in clash
        assert "by thief" in clash
