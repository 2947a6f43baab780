"""A judge whose weights the user supplies."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from commands import refusal, settings, succeed
from semveil.nets.judge import Judge
from semveil.records import read_records

WEIGHTS = ("run", "quickstart", *settings("audit.losses=[perceptual]", "audit.max_epochs=1"))


@pytest.mark.parametrize("content", [b"", b"no weights"])
def test_a_file_that_holds_no_judge_is_one_line(semveil, tmp_path, content):
    (tmp_path / "judge.safetensors").write_bytes(content)
    line = refusal(
        semveil(*WEIGHTS, "--set", f"audit.perceptual_weights={tmp_path}/judge.safetensors")
    )
    assert line.startswith("audit.perceptual_weights: cannot use ")


def test_weights_of_another_network_are_refused(semveil, tmp_path):
    save_file(Judge((3, 8, 8), 10).state_dict(), tmp_path / "judge.safetensors")
    line = refusal(
        semveil(*WEIGHTS, "--set", f"audit.perceptual_weights={tmp_path}/judge.safetensors")
    )
    assert "size mismatch" in line


@pytest.mark.slow
def test_supplied_weights_are_what_the_inverter_is_trained_by(semveil, tmp_path):
    """Another judge, another inverter; the same judge, the same one."""
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        judge = Judge((1, 8, 8), 10)
        with torch.no_grad():
            for weight in judge.parameters():
                weight.mul_(4)
        save_file(judge.state_dict(), tmp_path / "judge.safetensors")
        out = tmp_path / f"run{len(found)}"
        small = settings(
            "scheme=multitask",
            "data.limit=400",
            "train.epochs=1",
            "privacy.pretrain_epochs=0",
            "privacy.polish_epochs=0",
            "audit.inference=[linear]",
            "audit.inversion=[linear]",
            "audit.eve_snr_db=[10]",
            f"audit.perceptual_weights={tmp_path}/judge.safetensors",
        )
        succeed(semveil(*WEIGHTS, *small, "--quiet", "--out", out))
        found.append(
            [
                record.value
                for record in read_records(out / "records.jsonl")
                if record.adversary == "inversion/deconv+perceptual"
            ]
        )
    assert found[0] == found[1] != found[2]
