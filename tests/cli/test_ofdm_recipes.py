"""Recipes of the links over OFDM: each trains, is audited, and both ways to understand are told."""

from __future__ import annotations

import pytest

from commands import NO_PAGE, refusal, scraps, succeed
from semveil.records import read_records

SHORT = [
    f"--set={setting}"
    for setting in (
        "train.epochs=2",
        "train.batch=32",
        "semantic.classifier_width=4",
        "audit.inference=[linear]",
        "audit.inversion=[]",
        "audit.max_epochs=2",
        "audit.rounds=1",
        "audit.pictures=1",
        "audit.bob_snr_db=[10]",
        "audit.eve_snr_db=[10]",
    )
]


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["mobilesc", "jscc-ofdm", "mobilenetv2", "classical"])
def test_the_recipe_for_digits(semveil, tmp_path, scheme):
    words = ("run", f"{scheme}-digits", *SHORT, "--set=link.width=4", "--out", "run")
    succeed(semveil(*words, folder=tmp_path, before=NO_PAGE))
    assert scraps(tmp_path / "run") == []
    records = read_records(tmp_path / "run" / "records.jsonl")
    systems = {scheme} | ({f"{scheme} (latent)"} if scheme != "classical" else set())
    assert {record.system.label for record in records} == systems
    assert {record.channel for record in records} == {"multipath/lmmse"}
    told = {(r.role, r.metric) for r in records if r.system.label == scheme}
    assert {("bob", "accuracy"), ("bob", "psnr_db"), ("eve", "accuracy")} <= told
    assert (("bob", "lost_rate") in told) == (scheme == "classical")
    # Pilots and prefixes are counted beside the data: two symbols of 80 samples for one of 64.
    (overhead,) = {r.value for r in records if r.metric == "pilot_overhead"}
    symbols = {"classical": 6}.get(scheme, 1)
    assert overhead == pytest.approx(80 * (symbols + 1) / (64 * symbols) - 1)


@pytest.mark.slow
def test_files_that_do_not_fit_are_counted_and_warned_of(semveil, tmp_path):
    """128 symbols of 16-QAM at rate 1/5 leave 8 bytes for a picture, of which few make do."""
    small = ["--set=link.latent_dim=256", "--set=classical.order=16", "--set=classical.rate=0.2"]
    words = ("run", "classical-digits", *SHORT, *small, "--set=audit.bob_snr_db=[10,60]")
    told = succeed(semveil(*words, "--out", "run", folder=tmp_path))
    assert "classical: warning: more than a tenth of the images are lost even without noise" in (
        told.out + told.err
    )
    records = read_records(tmp_path / "run" / "records.jsonl")
    at = {r.test_snr_db: r for r in records if r.metric == "lost_rate" and r.role == "bob"}
    assert at[10.0].value >= at[60.0].value > 0.1
    page = (tmp_path / "run" / "report.html").read_text()
    assert "than a tenth of the images are lost even without noise" in page


@pytest.mark.parametrize(
    ("recipe", "setting", "message"),
    [
        ("mobilesc-digits", "bob.ofdm.pilot_symbols=0", "estimated CSI needs at least 1"),
        ("mobilesc-digits", "bob.ofdm.prefix=65", "bob.ofdm: a prefix of 65 samples does not fit"),
        ("mobilesc-digits", "link.width=2", "link.width: 2 does not suit mobilesc"),
        (
            "mobilesc-digits",
            "link.latent_dim=132",
            "66 channel uses do not fill whole OFDM symbols",
        ),
        ("mobilesc-digits", "link.latent_dim=130", "130 reals are no whole maps of 2×2"),
        ("classical-digits", "classical.order=12", "classical.order: must be a power of two"),
        ("classical-digits", "classical.order=1", "classical.order: "),
        ("classical-digits", "classical.rate=0.99", "classical.rate: "),
        ("classical-digits", "classical.codec=bpg", "'jpeg2000' or 'avif'"),
        ("classical-digits", "link.latent_dim=700", "do not fill whole OFDM symbols of 64"),
        ("classical-digits", "protections=[shuffle]", "none can be added to classical"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(
    semveil, tmp_path, recipe, setting, message
):
    line = refusal(semveil("run", recipe, f"--set={setting}", folder=tmp_path))
    assert message in line
    assert list(tmp_path.iterdir()) == []
