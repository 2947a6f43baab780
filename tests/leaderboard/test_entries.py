"""Links and defences from outside: accepted as they are, and refused by name where they cheat."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
from pathlib import Path

import pytest
import yaml
from safetensors.torch import load_file

from commands import content, refusal, succeed
from forge import restate as restate_zoo
from leaderboard_entries import restate, state_model, train_and_add
from semveil.errors import SemveilError
from semveil.leaderboard.add import add
from semveil.training.checkpoint import load_tensors, save_tensors

# The quick suite in place of the standard one, which takes a minute.
QUICK = """
import semveil.leaderboard.score as score
from semveil.leaderboard.suite import quick
score.full = lambda system, images: quick()
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits-my-deepjscc", "digits-my-rotation"])
def test_a_link_from_outside_is_checked_and_scored(semveil, board, check, name):
    entry = board / name
    assert "not scored yet" in succeed(semveil("leaderboard", "check", entry)).out
    succeed(semveil("leaderboard", "score", entry, "--quiet", before=QUICK))
    again = succeed(semveil("leaderboard", "check", entry)).out
    assert "measured again, within intervals" in again
    first = content(entry)
    # Scored again, the first figures stay as superseded ones.
    succeed(semveil("leaderboard", "score", entry, "--quiet", before=QUICK))
    second = content(entry)
    assert second["superseded/1/records.jsonl"] == first["records.jsonl"]
    assert second["records.jsonl"] == first["records.jsonl"]
    # Figures that were improved by hand are found out, whatever digests say.
    records = [json.loads(line) for line in (entry / "records.jsonl").read_text().splitlines()]
    for record in records:
        if record["role"] == "eve" and record["metric"] == "accuracy":
            record |= {"value": 0.35, "ci_low": 0.32, "ci_high": 0.38}
    body = "".join(json.dumps(record) + "\n" for record in records)
    (entry / "records.jsonl").write_text(body)
    assert "wrong digest" in refusal(check(entry))
    run = json.loads((entry / "run.json").read_text())
    run["records"] = hashlib.sha256(body.encode()).hexdigest()
    (entry / "run.json").write_text(json.dumps(run))
    assert "accuracy of Eve (inference/linear) is 35.0 % there" in refusal(check(entry))


def test_a_link_supersedes_a_link_and_no_attack(semveil, tmp_path):
    board = tmp_path / "board"
    for name in ("digits/deepjscc", "digits/ibal"):
        succeed(semveil("leaderboard", "add", name, "--board", board))
    attack = Path(__file__).parents[2] / "leaderboard" / "apgd-digits-deepjscc"
    shutil.copytree(attack, board / attack.name)
    build = ("leaderboard", "build", board, "--out", tmp_path / "pages")
    stated = yaml.safe_load((board / "digits-ibal" / "entry.yaml").read_text())

    def supersede(name):
        text = yaml.safe_dump(stated | {"supersedes": name})
        (board / "digits-ibal" / "entry.yaml").write_text(text)

    supersede("digits-deepjscc")
    succeed(semveil(*build))
    supersede(attack.name)
    assert f"supersedes: {attack.name} is of other data or of another kind" in refusal(
        semveil(*build)
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--licence", "GPL-3.0"], "licence: Input should be 'Apache-2.0', 'MIT', "),
        (["--author", " "], "authors.0: String should match pattern "),
        (["--author", "A" * 501], "authors.0: String should have at most 500 characters"),
        (["--author", ""], "--author is empty: give it a value"),
        (["--board", ""], "--board is empty: give it a value"),
        (["--board="], "--board is empty: give it a value"),
    ],
)
def test_what_no_entry_may_state_makes_none(semveil, tmp_path, words, said):
    line = refusal(semveil("leaderboard", "add", "digits/deepjscc", *words, folder=tmp_path))
    assert said in line
    assert list(tmp_path.iterdir()) == []


def test_pages_need_a_folder(semveil, board, tmp_path):
    before = content(tmp_path)
    for words in ([board, "--out", ""], ["", "--out", "pages"]):
        line = refusal(semveil("leaderboard", "build", *words, folder=tmp_path))
        assert line == f"{'an argument' if words[0] == '' else '--out'} is empty: give it a value"
    assert content(tmp_path) == before


def test_nobody_is_no_author(tmp_path):
    for authors in ([], [""]):
        with pytest.raises(SemveilError, match="authors"):
            add("digits/deepjscc", board=tmp_path, authors=authors)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_link_with_too_much_power_is_refused(semveil, tmp_path, check):
    changes = ["perturbation.form=fgm", "perturbation.total_power=1.2589", "link.head_width=16"]
    board = tmp_path / "board"
    settings = [*changes, "privacy.eve_capacity=linear"]
    entry = train_and_add(semveil, tmp_path, board, "cooperative-digits", *settings)
    line = refusal(check(entry))
    assert "power is 1.259 per symbol, not 1" in line
    assert "1.0 dB off" in line


def no_licence(entry):
    restate(entry, licence=...)


def closed_licence(entry):
    restate(entry, licence="all rights reserved")


def unknown_key(entry):
    restate(entry, code="run.py")


def truth_for_a_number(entry):
    restate(entry, snr_db=True)


def wrong_digest(entry):
    restate(entry, model={"sha256": "0" * 64})


def altered_weights(entry):
    path = entry / "model" / "model.safetensors"
    body = bytearray(path.read_bytes())
    body[-9] ^= 1
    path.write_bytes(body)


def pickled_weights(entry):
    (entry / "model" / "model.safetensors").write_bytes(pickle.dumps(Bomb()))
    restate_zoo(entry / "model")
    state_model(entry)


def pickled_beside(entry):
    (entry / "weights.pt").write_bytes(pickle.dumps(Bomb()))


def code_beside(entry):
    (entry / "model.py").write_text("open('/tmp/executed', 'w')")


def other_channel(entry):
    restate(entry, channel="rayleigh/perfect")


def easier_channel(entry):
    rewrite(entry, lambda recipe: recipe["bob"].update(pilots=64))


def narrower(entry):
    restate(entry, bandwidth_ratio=0.125)


def no_asymmetry(entry):
    restate(entry, kind="defence", asymmetry="key")


def other_training_images(entry):
    rewrite(entry, lambda recipe: None, seed=1)


def file_of_the_machine(entry):
    rewrite(entry, lambda recipe: recipe["audit"].update(perceptual_weights="/etc/passwd"))


def lost_predecessor(entry):
    restate(entry, supersedes="digits-none")


def rewrite(entry, change, **facts):
    """Give a packed link another recipe, with all digests right."""
    model = entry / "model"
    tensors, stated = load_tensors(model / "model.safetensors")
    run = json.loads((model / "config.json").read_text())["run"] | facts
    change(run["recipe"])
    stated |= {"recipe": run["recipe"]} | facts
    save_tensors(model / "model.safetensors", tensors, stated)
    restate_zoo(model, run=run)
    state_model(entry)


class Bomb:
    def __reduce__(self):
        return (Path("/tmp/semveil-executed").touch, ())


REFUSED = {
    "no licence": (no_licence, "licence: Field required"),
    "a licence that allows nothing": (closed_licence, "licence: Input should be 'Apache-2.0'"),
    "an unknown key": (unknown_key, "code: Extra inputs are not permitted"),
    "true for a number": (truth_for_a_number, "snr_db: Input should be a valid number"),
    "a wrong digest": (wrong_digest, "wrong digest"),
    "altered weights": (altered_weights, "model.safetensors is altered"),
    "pickled weights": (pickled_weights, "pickled"),
    "pickled weights beside": (pickled_beside, "pickled ones are refused"),
    "code": (code_beside, "does not belong to an entry"),
    "another channel": (other_channel, "channel: rayleigh/perfect is stated"),
    "an easier channel": (easier_channel, "is not the leaderboard's"),
    "another bandwidth": (narrower, "bandwidth_ratio: the link uses 0.25, not 0.125"),
    "an asymmetry that is none": (no_asymmetry, "asymmetry: key is stated"),
    "training on test images": (other_training_images, "that the link was trained on"),
    "a file of the machine": (file_of_the_machine, "/etc/passwd is a file of this machine"),
    "an unknown predecessor": (lost_predecessor, "supersedes: unknown entry 'digits-none'"),
}


@pytest.mark.parametrize(("damage", "said"), REFUSED.values(), ids=REFUSED)
def test_bad_entries_are_refused_in_one_line(board, check, damage, said):
    entry, bomb = board / "digits-my-deepjscc", Path("/tmp/semveil-executed")
    bomb.unlink(missing_ok=True)
    damage(entry)
    before = content(board)
    line = refusal(check(entry))
    assert said in line
    assert len(line) < 600
    assert content(board) == before
    assert not bomb.exists()


def test_two_entries_of_one_name_are_refused(board, check):
    shutil.copytree(board / "digits-my-deepjscc", board / "digits-mine")
    line = refusal(check(board / "digits-mine"))
    assert "two entries of one name" in line
    assert "digits-my-deepjscc" in line


def test_weights_that_are_copied_are_those_of_the_zoo(entered):
    model = entered / "digits-my-deepjscc" / "model"
    stated = yaml.safe_load((model.parent / "entry.yaml").read_text())
    assert stated["authors"] == ["A. Stranger"]
    assert load_file(model / "model.safetensors")
    # A link of the package is named, not copied.
    assert not (entered / "digits-residual-jscc" / "model").exists()
