"""Entries of the zoo through the command line: made, listed, shown, verified, loaded."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

import semveil
from commands import content, refusal, succeed
from forge import restate
from semveil.errors import SemveilError
from semveil.zoo import places
from semveil.zoo.entry import read_entry

NAME = "digits/tiny"
FILES = {"config.json", "model.safetensors", "records.jsonl", "README.md"}


def config_of(zoo):
    return json.loads((zoo / NAME / "config.json").read_text())


def test_an_entry_states_what_it_is(zoo, trained):
    folder, config = zoo / NAME, config_of(zoo)
    assert {path.name for path in folder.iterdir()} == FILES
    for name, stated in config["files"].items():
        body = (folder / name).read_bytes()
        assert stated == {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    facts = json.loads((trained / "run.json").read_text())
    assert config["run"]["recipe"] == facts["recipe"]
    assert config["run"]["seed"] == facts["seed"] == 3
    assert config["run"]["version"] == facts["version"]
    assert config["run"]["versions"]["torch"] == torch.__version__
    assert config["train_cpu_s"] == facts["train_cpu_s"] > 0
    (accuracy,) = (f for f in config["figures"] if f["metric"] == "accuracy")
    records = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    (same,) = (
        r
        for r in records
        if r["role"] == "bob" and r["metric"] == "accuracy" and r["test_snr_db"] == 12
    )
    assert (accuracy["value"], accuracy["n"]) == (same["value"], same["n"])
    index = json.loads((zoo / "index.json").read_text())["entries"][NAME]
    assert index["sha256"] == hashlib.sha256((folder / "config.json").read_bytes()).hexdigest()


def test_a_folder_that_is_named_like_an_entry_is_not_the_entry(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits" / "deepjscc").mkdir(parents=True)
    assert semveil.load("digits/deepjscc").name.label == "deepjscc"
    (tmp_path / "digits" / "deepjscc" / "run.json").write_text("{")
    with pytest.raises(SemveilError, match=r"run\.json"):
        semveil.load("digits/deepjscc")


def test_an_entry_says_nothing_of_the_machine_it_was_made_on(zoo, trained):
    for name, body in content(zoo / NAME).items():
        for private in (str(trained.parent), str(trained.parents[2]), platform.node()):
            assert private.encode() not in body, name


def test_weights_are_rounded_and_bounds_are_not(zoo, trained):
    packed = load_file(zoo / NAME / "model.safetensors")
    whole = load_file(trained / "model.safetensors")
    assert packed.keys() <= whole.keys()
    networks = semveil.load(trained).networks
    learned = {name for name, _ in networks.named_parameters()}
    for name, tensor in packed.items():
        expected = whole[name].bfloat16() if name in learned else whole[name]
        assert tensor.dtype == expected.dtype
        assert torch.equal(tensor, expected)


def test_weights_are_kept_as_they_were_where_that_is_asked(command, zoo, trained):
    succeed(command("pack", trained, NAME, "--out", zoo, "--weights", "float32", "--replace"))
    with safe_open(zoo / NAME / "model.safetensors", "pt") as file:
        kept = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    whole = load_file(trained / "model.safetensors")
    assert all(torch.equal(tensor, whole[name]) for name, tensor in kept.items())
    config = config_of(zoo)
    assert (config["version"], config["weights"]) == (2, "float32")
    succeed(command("verify", NAME))


def test_the_simulated_eve_can_be_left_out(command, zoo, trained):
    before = (zoo / NAME / "model.safetensors").stat().st_size
    succeed(command("pack", trained, NAME, "--out", zoo, "--replace", "--no-eve"))
    names = load_file(zoo / NAME / "model.safetensors").keys()
    assert not any(name.startswith("eves.") for name in names)
    assert (zoo / NAME / "model.safetensors").stat().st_size < before / 3
    succeed(command("verify", NAME))
    assert semveil.load(zoo / NAME).under_test().paper_inverter is None


def test_list_and_show(command):
    for words in ((), ("list",)):
        (line,) = (row for row in succeed(command(*words)).out.splitlines() if NAME in row)
        assert line.endswith("[in SEMVEIL_ZOO]")
    found = json.loads(succeed(command("list", "--json")).out)
    assert found[NAME]["version"] == 1
    shown = succeed(command("show", NAME)).out
    assert shown.startswith(f"# {NAME}\n")
    assert "The key of this entry is public" in shown
    assert json.loads(succeed(command("show", NAME, "--json")).out)["name"] == NAME


def test_listing_and_showing_imports_no_torch(command):
    before = "import sys; sys.modules.pop('torch'); sys.modules['torch'] = None"
    succeed(command("list", before=before))
    succeed(command("show", NAME, before=before))


@pytest.mark.parametrize("words", [("verify", "digits/tyni"), ("show", "digits/tyni")])
def test_an_unknown_name_is_answered_with_near_ones(command, words):
    assert NAME in refusal(command(*words))


def test_verify_measures_the_same_again(command):
    (found,) = json.loads(succeed(command("verify", NAME, "--json")).out)
    (figure,) = found["figures"]
    assert figure["metric"] == "accuracy"
    assert figure["value"] == pytest.approx(figure["stated"], abs=1e-6)
    assert f"{NAME}: accuracy" in succeed(command("verify", NAME)).out


def test_the_tolerance_covers_other_random_numbers(command, zoo):
    """Another version of torch may draw others: the figure stays within the tolerance."""
    before = """
import semveil.zoo.check as check
from semveil.rng import generator
check.generator = lambda seed, *scope, **rest: generator(seed + {number}, *scope, **rest)
"""
    values = set()
    for number in (1, 2, 3):
        result = succeed(command("verify", NAME, "--json", before=before.format(number=number)))
        values.add(json.loads(result.out)[0]["figures"][0]["value"])
    assert len(values) > 1


def test_verify_says_what_it_could_not_measure(command):
    before = """
import semveil.data
from semveil.errors import SemveilError
def absent(*_):
    raise SemveilError("digits is not there")
semveil.data.load_configured = absent
"""
    out = succeed(command("verify", "--all", before=before)).out
    assert f"{NAME}: files as stated; no figure was measured: digits is not there" in out
    (each, *_) = json.loads(succeed(command("verify", "--all", "--json", before=before)).out)
    assert each["agrees"] is None
    assert "digits is not there" in refusal(command("verify", NAME, before=before))


def test_an_interruption_does_not_lose_what_was_measured(command, zoo):
    shutil.copytree(zoo / NAME, zoo / "digits/zz")
    before = """
import semveil.zoo.verify as verify
real = verify._verified
def interrupted(name, *rest, **how):
    if name == "digits/zz":
        raise KeyboardInterrupt
    return real(name, *rest, **how)
verify._verified = interrupted
"""
    result = command("verify", NAME, "digits/zz", before=before)
    assert result.code == 130
    assert result.out.startswith(f"{NAME}: accuracy")


def test_verify_needs_names_or_all(command):
    assert "--all" in refusal(command("verify"))
    assert "--all" in refusal(command("verify", NAME, "--all"))


def test_a_link_is_loaded_by_name_and_by_folder(zoo, trained, monkeypatch):
    monkeypatch.setenv("SEMVEIL_ZOO", str(zoo))
    images = torch.rand(4, 1, 8, 8)
    run = semveil.load(trained)
    for link in (semveil.load(NAME), semveil.load(str(zoo / NAME)), semveil.load(zoo / NAME)):
        assert link.name.label == "rotation"
        # The same key and the same counters; weights are rounded.
        torch.testing.assert_close(link.transmit(images), run.transmit(images), atol=0.1, rtol=0)
        run = semveil.load(trained)
    assert "public" in link.card.facts["key"]
    assert link.card.measured
    with pytest.raises(SemveilError, match="did you mean 'digits/tiny'"):
        semveil.load("digits/tinny")
    with pytest.raises(SemveilError, match="runs/none holds no run"):
        semveil.load("runs/none")


def test_a_key_of_ones_own(zoo, finished):
    images = torch.rand(4, 1, 8, 8)
    key = bytes(range(32))
    alice, bob, eve = (semveil.load(zoo / NAME, key=each) for each in (key, key, None))
    waveform = alice.transmit(images)
    reception = alice.channel(waveform, 60.0, generator=torch.Generator().manual_seed(0))
    clear = semveil.load(zoo / NAME).network.transmit(images)

    def understood(link):
        symbols = link.transform.decrypt(reception.symbols, alice.counters)
        return float((symbols - clear).abs().max())

    assert understood(bob) < 0.02
    assert understood(eve) > 0.1
    with pytest.raises(SemveilError, match="32 bytes"):
        semveil.load(zoo / NAME, key=b"short")
    with pytest.raises(SemveilError, match="multitask has none"):
        semveil.load(finished, "multitask", key=key)


@pytest.mark.parametrize(("first", "of"), [(0x80, 1 << 8), (0x0280, 1 << 16)])
def test_the_length_of_a_header_is_not_taken_for_a_pickle(zoo, first, of):
    """A pickle begins with 0x80, and so does a header of such a length."""
    path = zoo / NAME / "model.safetensors"
    body = path.read_bytes()
    start = 8 + int.from_bytes(body[:8], "little")
    longer = next(n for n in range(start - 8, 1 << 17) if n % of == first)
    header = body[8:start] + b" " * (longer - start + 8)
    path.write_bytes(longer.to_bytes(8, "little") + header + body[start:])
    assert path.read_bytes()[0] == 0x80
    restate(zoo / NAME)
    read_entry(zoo / NAME)


def test_an_audited_run_keeps_what_its_eavesdroppers_got(command, zoo, finished):
    succeed(command("pack", finished, "digits/game", "--out", zoo, "--no-eve"))
    config = json.loads((zoo / "digits/game/config.json").read_text())
    assert {figure["party"] for figure in config["figures"]} == {"Bob", "strongest Eve"}
    assert {check["metric"] for check in config["checks"]} == {"accuracy", "psnr_db"}
    names = load_file(zoo / "digits/game/model.safetensors").keys()
    # The reference is left out; the surrogate Eve stays, since Alice's layer needs her.
    assert {name.split(".")[1] for name in names if name.startswith("links.")} == {"minmax"}
    assert {name.split(".")[1] for name in names if name.startswith("eves.")} == {"minmax"}
    succeed(command("verify", "digits/game"))


def test_a_place_that_is_not_there_is_told(command, tmp_path):
    line = refusal(command("list", SEMVEIL_ZOO=str(tmp_path / "none")))
    assert line == f"SEMVEIL_ZOO: there is no folder {tmp_path / 'none'}"


def test_places_have_an_order(command, zoo, tmp_path):
    """What SEMVEIL_ZOO names comes before what was fetched."""
    shutil.copytree(zoo, tmp_path / "cache" / "semveil" / "zoo")
    listed = succeed(command("list")).out
    assert listed.count(NAME) == 1
    assert "[in SEMVEIL_ZOO]" in listed
    assert places.places()[-1].about == "fetched"


def test_an_entry_is_attacked_audited_and_hardened_by_its_name(semveil, zoo, tmp_path):
    def command(*words):
        environment = {"SEMVEIL_ZOO": str(zoo)}
        return semveil(*words, folder=tmp_path, environment=environment)

    quick = ("--attacks", "jamming", "--psr=-10", "--set=attack.images=20")
    succeed(command("attack", NAME, *quick))
    run = tmp_path / "runs" / "digits-tiny"
    facts = json.loads((run / "run.json").read_text())
    assert facts["entry"] == {"name": NAME, "digest": config_of(zoo)["digest"]}
    assert (run / "attacks" / "records.jsonl").exists()
    # The same run serves again; another version of the entry is not mixed into it.
    succeed(command("attack", NAME, *quick))
    assert (run / "attacks-2" / "records.jsonl").exists()
    succeed(command("harden", NAME, "--with", "noise", "--set=harden.epochs=1"))
    assert (tmp_path / "runs" / "digits-tiny-noise" / "model.safetensors").exists()
    (run / "run.json").write_text(json.dumps(facts | {"entry": {"name": NAME, "digest": "0"}}))
    assert "holds another run than digits/tiny" in refusal(command("audit", NAME))
