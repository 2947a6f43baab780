"""Attacks on a run, and runs hardened from another, through the command line."""

from __future__ import annotations

import json
import shutil
import signal

import pytest

from commands import content, eventually, refusal, same_weights, scraps, succeed
from semveil.flags import FLAGS
from semveil.records import read_records

SMALL = [
    f"--set={setting}"
    for setting in (
        "data.limit=320",
        "link.width=4",
        "semantic.blocks=1",
        "semantic.classifier_width=4",
        "train.epochs=3",
        "train.batch=16",
        "harden.epochs=1",
        "harden.steps=1",
        "audit.inference=[linear]",
        "audit.inversion=[linear]",
        "audit.pictures=2",
    )
]
QUICK = [
    f"--set=attack.{setting}"
    for setting in (
        "pgd.steps=2",
        "pgd.restarts=1",
        "apgd.steps=2",
        "apgd.restarts=1",
        "minimum-power.steps=1",
        "minimum-power.stride_db=10",
        "minimum-power.votes=1",
        "vulnerable-set.votes=1",
        "vulnerable-set.shares=[0.2]",
        "uap.steps=2",
        "uap.epochs=1",
        "relay.steps=2",
        "relay.epochs=1",
        "pgm.epochs=1",
        "semadv.epochs=1",
        "transfer.steps=2",
        "transfer.restarts=1",
        "transfer.epochs=1",
        "blackbox.queries=2",
        "images=30",
        "train_images=60",
        "batch=30",
    )
]
EVERY = [
    "jamming",
    "timed-jamming",
    "pilot-jamming",
    "subcarrier-jamming",
    "fgm",
    "pgd",
    "apgd",
    "minimum-power",
    "vulnerable-set",
    "uap",
    "relay",
    "pgm",
    "semadv",
    "blackbox",
    "transfer",
]


@pytest.fixture(scope="module")
def trained(semveil, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    succeed(semveil("train", "mobilesc-digits", *SMALL, "--out", "run", "-q", folder=folder))
    return folder / "run"


def attacked(semveil, run, *words):
    result = succeed(semveil("attack", run, *QUICK, *words, "--json", folder=run.parent))
    shown = json.loads(result.out)
    return run.parent / shown["folder"], shown


def test_every_attack_at_every_budget(semveil, trained):
    folder, shown = attacked(semveil, trained, "--attacks", "all", "--psr", "-10:-2:4")
    assert folder == trained / "attacks"
    records = read_records(folder / "records.jsonl")
    assert len(records) == len(shown["records"])
    for scheme in ("mobilesc", "mobilesc (latent)"):
        mine = [record for record in records if record.system.label == scheme]
        assert {record.adversary for record in mine} == {None, *EVERY}
        for attack in EVERY:
            levels = {record.psr_db for record in mine if record.adversary == attack}
            assert levels - {None} == {-10.0, -6.0, -2.0}
        whole = [r for r in mine if r.metric == "accuracy" and r.image_class is None]
        # The least budgets of single images are told of all classes together.
        least = ("minimum-power", "vulnerable-set")
        for record in (r for r in whole if r.adversary not in least):
            parts = [
                r.n
                for r in mine
                if r.image_class is not None
                and (r.metric, r.adversary, r.psr_db)
                == ("accuracy", record.adversary, record.psr_db)
            ]
            assert len(parts) == 10
            assert sum(parts) == record.n
    assert not [record.metric for record in records if "class" in record.metric]
    about = json.loads((folder / "run.json").read_text())
    assert about["images"] == {"shape": [1, 8, 8], "classes": list("0123456789")}
    floors = {record.metric for record in records if record.role == "system"} - set(FLAGS)
    assert floors == {"chance", "psnr_db_floor", "ssim_floor"}
    for record in records:
        assert (record.test_snr_db, record.latent_dim) == (10.0, 128)
        assert record.protocol == ("none" if record.adversary is None else "adaptive")
        assert record.ci_low <= record.value <= record.ci_high
    about = json.loads((folder / "run.json").read_text())
    assert about["finished"] is True
    assert about["recipe"]["attack"]["psr_db"] == [-10.0, -6.0, -2.0]
    assert about["attacked"] == ".."
    assert "pgd" in (folder / "report.html").read_text()
    assert scraps(folder) == []
    # Another time it lies beside.
    again, _ = attacked(semveil, trained, "--attacks", "jamming", "--psr=-6")
    assert again == trained / "attacks-2"


def test_the_same_seed_gives_the_same_records_whatever_ran_before(semveil, trained):
    words = ("--attacks", "semadv,jamming", "--psr=-6", "--source-class", "2")
    one, _ = attacked(semveil, trained, *words, "--out", "one")
    words = ("--attacks", "pgd,jamming,semadv", "--psr=-6", "--source-class", "2")
    other, _ = attacked(semveil, trained, *words, "--out", "other")

    def told(folder):
        return {
            (r.system.label, r.adversary, r.metric, r.image_class): r.value
            for r in read_records(folder / "records.jsonl")
            # These compare attacks.
            if r.metric not in FLAGS
        }

    first, second = told(one), told(other)
    assert first.items() <= second.items()


def test_mallorys_aim_is_recorded(semveil, trained):
    words = ("--attacks", "semadv", "--psr=-2", "--system", "mobilesc")
    folder, _ = attacked(semveil, trained, *words, "--target-class", "5", "--out", "wrong")
    (rate,) = (
        r
        for r in read_records(folder / "records.jsonl")
        if r.metric == "misleading_rate" and r.adversary
    )
    assert rate.target == "to class 5"
    folder, _ = attacked(semveil, trained, *words, "--source-class", "2", "--out", "target")
    told = {r.metric for r in read_records(folder / "records.jsonl") if r.target == "class 2"}
    assert {"accuracy", "accuracy_targeted", "accuracy_others"} <= told


def test_what_no_attack_can_change_is_certified(semveil, trained):
    words = ("--attacks", "jamming", "--psr=-6", "--system", "mobilesc", "--certify", "50")
    folder, _ = attacked(semveil, trained, *words, "--set=attack.certified=20", "--out", "vote")
    records = read_records(folder / "records.jsonl")
    (vote,) = (r for r in records if r.metric == "voted_accuracy")
    held = {r.psr_db: r.value for r in records if r.metric == "certified_accuracy"}
    assert vote.n == 20
    assert list(held.values()) == sorted(held.values(), reverse=True)
    assert held[-60.0] <= vote.value
    # Fifty votes at 10 dB certify a norm of no more than 0.224·Φ⁻¹(0.001^(1/50)) = 0.26.
    assert held[-10.0] == 0


def test_interrupted_attacks_go_on(semveil, trained):
    words = ("attack", trained, *QUICK, "--attacks", "pgd,blackbox", "--psr=-6", "--out")
    succeed(semveil(*words, "whole", "-q", folder=trained.parent))
    process = semveil.start(*words, "part", "-q", folder=trained.parent)
    part = trained.parent / "part" / "parts" / "mobilesc.jsonl"
    eventually(part.exists, "the first system is attacked")
    process.send(signal.SIGINT)
    result = process.wait()
    assert result.code == 130
    assert "go on with: semveil attack --resume part" in result.err
    assert not (trained.parent / "part" / "records.jsonl").exists()
    succeed(semveil("attack", "--resume", "part", "-q", folder=trained.parent))
    one, other = (trained.parent / name / "records.jsonl" for name in ("whole", "part"))
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("key", ["seed", "train"])
def test_attacks_do_not_go_on_with_another_run(semveil, trained, key):
    words = ("--attacks", "jamming", "--psr=-6", "--out", f"other-{key}")
    folder, _ = attacked(semveil, trained, *words)
    facts = json.loads((folder / "run.json").read_text())
    if key == "seed":
        facts["seed"] = 1
    else:
        facts["recipe"]["train"]["epochs"] = 4
    (folder / "run.json").write_text(json.dumps(facts))
    line = refusal(semveil("attack", "--resume", folder.name, "-q", folder=trained.parent))
    assert line == (
        f"{folder.name}/run.json: {folder.name}/../run is not the run that the attacks were begun "
        "on: its seed or recipe differs; begin them again"
    )


def test_damaged_weights_do_not_begin_another_run(semveil, trained, tmp_path):
    shutil.copytree(trained, tmp_path / "run", ignore=shutil.ignore_patterns("attacks*"))
    (tmp_path / "run" / "model.safetensors").write_bytes(b"{")
    line = refusal(semveil("harden", "run", "--with", "noise", folder=tmp_path))
    assert line.startswith("checkpoint run/model.safetensors is truncated or damaged: ")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_class_that_no_test_image_shows_is_not_counted(semveil, trained):
    words = ("--attacks", "jamming", "--psr=-6", "--source-class", "2", "--system", "mobilesc")
    folder, _ = attacked(semveil, trained, *words, "--set=attack.images=1", "--out", "none")
    told = {record.metric for record in read_records(folder / "records.jsonl")}
    assert "accuracy_targeted" not in told or "accuracy_others" not in told


def test_one_image_is_too_few_for_mallory(semveil, trained):
    words = ("attack", trained, *QUICK, "--psr=-6", "--set=attack.train_images=1", "--attacks")
    for attack in ("uap", "pgm"):
        line = refusal(semveil(*words, attack, "--out", f"few-{attack}", folder=trained.parent))
        assert "images are too few" in line


@pytest.mark.parametrize("method", ["noise", "semmixed"])
def test_a_hardened_run_is_a_run(semveil, trained, method):
    words = ("harden", trained, "--with", method, *SMALL[5:8], "--json")
    shown = json.loads(succeed(semveil(*words, folder=trained.parent)).out)
    folder = trained.parent / shown["folder"]
    assert folder.name == f"run-{method}"
    assert scraps(folder) == []
    about = json.loads((folder / "run.json").read_text())
    assert about["began_with"] == "../run"
    assert about["recipe"]["harden"]["method"] == method
    # It began where the other ended, and moved.
    stages = {json.loads(line)["stage"] for line in (folder / "history.jsonl").open()}
    assert stages == {f"mobilesc/{method}"}
    assert (folder / "model.safetensors").read_bytes() != (
        trained / "model.safetensors"
    ).read_bytes()
    found, _ = attacked(semveil, folder, "--attacks", "jamming,pgd", "--psr=-6")
    schemes = {record.system.label for record in read_records(found / "records.jsonl")}
    assert schemes == {f"mobilesc ({method})", f"mobilesc (latent, {method})"}
    line = refusal(semveil("harden", folder, "--with", method, folder=trained.parent))
    assert "is adversarially trained already" in line


def test_adversarial_training_that_does_not_fit_the_memory_is_refused(semveil, trained):
    """Generators of two attacks take more than the small link that they perturb."""
    free = "import semveil.device; semveil.device.free_bytes = lambda: 6_000_000"

    def harden(method):
        out = trained.parent / f"little-{method}"
        words = ("harden", trained, "--with", method, "--out", out)
        return semveil(*words, "-q", before=free)

    line = refusal(harden("semmixed"))
    assert "the networks of adversarial training by semmixed take " in line
    assert not (trained.parent / "little-semmixed").exists()
    succeed(harden("noise"))


@pytest.mark.slow
def test_a_hardened_run_is_the_same_wherever_it_is_interrupted(semveil, trained):
    words = ("harden", trained, "--with", "semmixed", *SMALL[5:8], "-q", "--out")
    succeed(semveil(*words, "straight", folder=trained.parent))
    always = "import semveil.training.loop as loop\nloop._SAVE_EVERY_S = -1\nloop._LOG_EVERY = 2"
    process = semveil.start(*words, "cut", folder=trained.parent, before=always)
    kept = trained.parent / "cut" / "mobilesc.semmixed.checkpoint.safetensors"
    eventually(kept.exists, "a checkpoint is written")
    process.send(signal.SIGKILL)
    process.wait()
    succeed(semveil("train", "--resume", "cut", "-q", folder=trained.parent))
    same_weights(trained.parent / "straight", trained.parent / "cut")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--attacks", "semad"], "attack.names: unknown attack 'semad': did you mean 'semadv'?"),
        (["--psr", ""], "--psr is empty: give it a value"),
        (["--psr", ","], "--psr ,: expected FIRST:LAST:STEP or numbers in dB"),
        (["--attacks", ""], "--attacks is empty: give it a value"),
        (["--attacks", "all,pgd"], "attack.names: unknown attack 'all' (there are: "),
        (["--psr", "loud"], "--psr loud: expected FIRST:LAST:STEP or numbers in dB"),
        (["--psr", "-10:-2:0"], "steps of 0 dB do not lead from -10 to -2"),
        (["--psr", "-10:-2:-2"], "steps of -2 dB do not lead from -10 to -2"),
        (["--psr", "-10:-2"], "expected FIRST:LAST:STEP, as in -10:-2:2"),
        (["--psr", "-6,nan"], "expected FIRST:LAST:STEP or numbers"),
        (["--psr", "0:1e9:1"], "are too many"),
        (["--psr=-80"], "attack.psr_db.0: "),
        (["--psr=-6,-6"], "must not name anything twice"),
        (["--set=attack.psr_db=[]"], "attack.psr_db: "),
        (["--set=attack.target=2"], "attack.target is now attack.source_class"),
        (["--set=attack.steps=2"], "attack.steps is now attack.pgd.steps, attack.uap.steps and"),
        (["--set=attack.pgd.stepps=2"], "did you mean 'attack.pgd.steps'?"),
        (["--set=attack.pgd.steps=0"], "attack.pgd.steps: "),
        (["--set=attack.pgdd.steps=2"], "unknown key 'attack.pgdd"),
        (["--set=attack.psr_db=[loud]"], "attack.psr_db.0: "),
        (["--source-class", "10"], "attack.source_class: there is no class 10, they are 0 to 9"),
        (["--source-class", "-1"], "attack.source_class: "),
        (["--target-class", "10"], "attack.target_class: there is no class 10"),
        (
            ["--attacks", "semadv", "--source-class", "2", "--target-class", "2"],
            "attack.target_class: 2 is the class",
        ),
        (["--system", "mobilsc"], "unknown system 'mobilsc': did you mean 'mobilesc'?"),
        (["--set=train.epochs=4"], "only settings of attack can be changed here"),
        (["--set=attack.mallory.fading=none", "--snr", "99"], "attack.snr_db: "),
    ],
)
def test_attacks_that_make_no_sense_are_refused_and_nothing_is_written(
    semveil, trained, words, message
):
    before = content(trained.parent)
    line = refusal(semveil("attack", trained, *words, "--out", "refused", folder=trained.parent))
    assert message in line
    assert content(trained.parent) == before


def test_what_is_no_trained_run_is_refused(semveil, trained, tmp_path):
    assert "holds no run" in refusal(semveil("attack", tmp_path, folder=tmp_path))
    assert "holds no run" in refusal(semveil("harden", tmp_path, folder=tmp_path))
    assert "name the folder of a run" in refusal(semveil("attack", folder=tmp_path))
    assert "holds no attacks" in refusal(semveil("attack", "--resume", tmp_path, folder=tmp_path))
    line = refusal(semveil("attack", trained, "--resume", trained, folder=tmp_path))
    assert line.startswith("--resume takes no folder")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_bytes((trained / "run.json").read_bytes())
    for command in ("attack", "harden"):
        assert "is not trained" in refusal(semveil(command, "run", folder=tmp_path))
    assert "unknown adversarial training 'semmixd'" in refusal(
        semveil("harden", trained, "--with", "semmixd", folder=tmp_path)
    )
    line = refusal(semveil("harden", trained, "--set=link.width=8", folder=tmp_path))
    assert "only settings of attack and harden can be changed here" in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "recipe",
    [
        "multitask",
        "cooperative",
        "dp",
        "shuffle",
        "cipher",
        "rotation",
        "ibal",
        "lbvq",
        "jscc-ofdm",
    ],
)
def test_runs_of_every_kind_are_attacked_and_hardened(semveil, tmp_path, recipe):
    named = {"multitask": "quickstart", "cooperative": "quickstart"}.get(recipe, f"{recipe}-digits")
    words = [
        "data.limit=200",
        "link.width=4",
        "train.epochs=1",
        "train.batch=16",
        "perturbation.form=fgm",
        "perturbation.draws=1",
        "privacy.pretrain_epochs=0",
        "privacy.polish_epochs=0",
        "audit.pictures=0",
        "harden.epochs=1",
    ]
    if named == "quickstart":
        words.append(f"scheme={recipe}")
    changes = [f"--set={word}" for word in words]
    succeed(semveil("train", named, *changes, "--out", "run", "-q", folder=tmp_path))
    names = "jamming,pgd,semadv,blackbox"
    found, _ = attacked(semveil, tmp_path / "run", "--attacks", names, "--psr=-6")
    told = {record.adversary for record in read_records(found / "records.jsonl")}
    assert told == {None, "jamming", "pgd", "semadv", "blackbox"}
    keyed = {r.system.label for r in read_records(found / "records.jsonl") if r.asymmetry == "key"}
    assert bool(keyed) == (recipe in ("shuffle", "cipher", "rotation"))
    method = "noise" if recipe == "cipher" else "at-pgm"
    if recipe == "cipher":
        line = refusal(semveil("harden", "run", "--with", "at-pgm", "-q", folder=tmp_path))
        assert "this link decrypts in between" in line
    succeed(semveil("harden", ".", "--with", method, "-q", folder=tmp_path / "run"))
    found, _ = attacked(semveil, tmp_path / f"run-{method}", "--attacks", "jamming", "--psr=-6")
    schemes = {record.system.label for record in read_records(found / "records.jsonl")}
    assert all(f"{method})" in scheme for scheme in schemes)
