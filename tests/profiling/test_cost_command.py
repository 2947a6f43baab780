"""``semveil cost``: a link of one's own, against its settings and its weights."""

from __future__ import annotations

import json

import pytest
import torch

import semveil as package
from commands import refusal, succeed


@pytest.fixture(scope="module")
def measure(semveil):
    def run(*words):
        done = succeed(semveil("cost", *words, "--batch", "8", "--json"))
        return {record["metric"]: record for record in json.loads(done.out)["records"]}

    return run


def test_a_link_over_ofdm(measure):
    found = measure("digits/mobilesc", "--rounds", "6")
    latency, throughput = found["latency_s"], found["throughput_per_s"]
    assert 0 < latency["ci_low"] <= latency["value"] <= latency["ci_high"] < 5
    # A batch of eight takes no longer than eight images, nor less than one.
    assert 0.5 / latency["value"] < throughput["value"] < 16 / latency["value"]
    assert latency["scheme"] == "mobilesc"
    link = package.load("digits/mobilesc", device="cpu")
    waveform = link.transmit(torch.rand(1, *link.image_shape))
    frame = link.channel.arrive(waveform, torch.Generator()).signal
    uses = waveform.shape[1]
    assert found["channel_uses"]["value"] == uses
    assert found["channel_uses"]["bandwidth_ratio"] == pytest.approx(uses / 64)
    # The channel's response is longer than what is sent by a few samples.
    assert found["overhead"]["value"] == pytest.approx(frame.shape[1] / uses - 1, abs=0.2)
    weights = sum(each.numel() for each in link.network.parameters())
    assert found["parameters"]["value"] == weights
    assert found["peak_memory_bytes"]["value"] > 4 * weights
    assert found["key_bytes"]["value"] == 0


def test_a_keyed_link_draws_its_keystream(measure):
    found = measure("digits/rotation", "--rounds", "1")
    assert found["key_bytes"]["value"] > 0


def test_the_table_has_units(semveil):
    done = succeed(semveil("cost", "digits/deepjscc", "--rounds", "1", "--batch", "2"))
    for words in ("latency, one image", " ms ", "MFLOP", "peak memory", "bandwidth ratio k/n"):
        assert words in done.out


def test_what_is_no_link_is_refused(semveil, tmp_path):
    assert "holds no run" in refusal(semveil("cost", tmp_path))
    assert "--rounds" in refusal(semveil("cost", "digits/deepjscc", "--rounds", "0"))
    assert "absent" in refusal(semveil("cost", "digits/deepjscc", "--system", "absent"))
