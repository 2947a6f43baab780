"""The audit of an exported link says what the audit of the link says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands import CommandLine, succeed
from semveil.flags import FLAGS
from semveil.records import Record, read_records

pytest.importorskip("onnxruntime")

QUICK = {
    "audit.inference": ["mlp", "linear"],
    "audit.inversion": ["linear"],
    "audit.max_epochs": 15,
    "audit.rounds": 1,
    "attack.images": 200,
    "attack.psr_db": [-10.0],
}


def overlap(one: Record, other: Record) -> bool:
    assert one.ci_low is not None
    assert one.ci_high is not None
    assert other.ci_low is not None
    assert other.ci_high is not None
    return one.ci_low <= other.ci_high and other.ci_low <= one.ci_high


def figures(records: list[Record]) -> dict[tuple[str, str | None, str], Record]:
    """Return Bob's and Eve's figures at 10 dB, by whose, against whom and which."""
    return {
        (r.role, r.adversary, r.metric): r
        for r in records
        if r.role in ("bob", "eve") and r.test_snr_db == 10 and r.image_class is None
        and r.metric in ("accuracy", "psnr_db")
    }  # fmt: skip


@pytest.mark.slow
def test_an_exported_link_is_audited_and_attacked_as_the_link_itself(
    tmp_path: Path, semveil: CommandLine
) -> None:
    import semveil as package

    link = package.load("digits/deepjscc", device="cpu")
    out = tmp_path / "exported"
    package.export(link, out)
    attacks = [package.attacks.Jamming(), package.attacks.FGM()]
    wanted = figures(package.evaluate(link, snr_db=[10], attacks=attacks, changes=QUICK).records)
    words = [f"--set={key}={json.dumps(value)}" for key, value in QUICK.items()]
    fading = [f"--set={who}.fading=awgn" for who in ("bob", "eve")]
    attacked = '--set=attack.names=["jamming", "fgm"]'
    command = ["audit", "--data", "digits", "--snr", "10", *words, *fading, attacked]
    found = {}
    for weights, suffix in (("float32", ""), ("int8", ".int8")):
        encoder, decoder = (out / f"{end}{suffix}.onnx" for end in ("encoder", "decoder"))
        folder = tmp_path / weights
        done = succeed(semveil(*command, encoder, "--decoder", decoder, "--out", folder))
        records = read_records(folder / "records.jsonl")
        found[weights] = figures(records)
        assert (folder / "report.html").exists()
        raised = {r.metric for r in records if r.metric in FLAGS and r.value == 1}
        assert ("flag_no_gradient" in raised) == (weights == "int8")
        told = "attacks have its gradient" if weights == "float32" else "QuantizeLinear"
        assert told in done.out
    assert found["float32"].keys() == wanted.keys()
    assert ("bob", "fgm", "accuracy") in wanted
    for key, record in wanted.items():
        assert overlap(record, found["float32"][key]), key
    # Without gradients the attack that needs one is left out, and the others are there.
    assert wanted.keys() - found["int8"].keys() == {key for key in wanted if key[1] == "fgm"}
    assert overlap(wanted["bob", None, "accuracy"], found["int8"]["bob", None, "accuracy"])
