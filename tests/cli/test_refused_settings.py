"""Settings that make no sense: one line that names them, status 2, nothing written."""

from __future__ import annotations

import json
import os

import pytest
import yaml
from PIL import Image

from commands import refusal, succeed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "quikstart"], "unknown recipe 'quikstart': did you mean 'quickstart'?"),
        (["train", "minimax-mnist"], "unknown recipe 'minimax-mnist': did you mean 'minmax-mnist'"),
        (["run", "cifar10-minmax-cooperative"], "is now minmax-cooperative-cifar10"),
        (["run", "xyz"], "unknown recipe 'xyz' (`semveil list recipes` lists all)"),
        (
            ["show", "quickstart", "--set=zzz=8"],
            "'zzz' (`semveil show RECIPE` lists all)",
        ),
        (["run", "quickstart", "--set=link.latentdim=8"], "did you mean 'link.latent_dim'?"),
        (["run", "quickstart", "--set=latent_dim=8"], "did you mean 'link.latent_dim'?"),
        (["run", "quickstart", "--set=train.epoch=8"], "did you mean 'train.epochs'?"),
        (["run", "quickstart", "--set=link.latent_dim.x=8"], "did you mean 'link.latent_dim'?"),
        (
            ["run", "quickstart", "--set=scheme=minmx"],
            "scheme: unknown scheme 'minmx': did you",
        ),
        (
            ["run", "quickstart", "--set=data.name=mnst"],
            "data.name: unknown data set 'mnst': did",
        ),
        (["study", "latent-dimensoin"], "did you mean 'latent-dimension'?"),
        (["data", "fetch", "mnst"], "did you mean 'mnist'?"),
        (["rnu"], "'rnu'"),
        (["run", "quickstart", "--sed", "1"], "--sed"),
        (["study", "latent-dimension", "--budget", "huge"], "'huge'"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(refuse, words, message):
    assert message in refuse(*words)


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        # Wrong type.
        ("train.epochs=ten", "valid integer"),
        ("train.epochs=true", "must not be true or false"),
        ("train.epochs=1.5", "fractional part"),
        ("train.epochs=null", "valid integer (got None)"),
        ("train.epochs=[1]", "valid integer"),
        ("train.epochs={a: 1}", "valid integer"),
        ("train.lr=fast", "valid number"),
        ("train.lr=false", "must not be true or false"),
        ("train.lr=", "valid number (got None)"),
        ("train.epochs=1:30", "valid integer"),
        ("train.epochs=2024-13-45", "valid integer"),
        ("data.limit=many", "valid integer"),
        ("link=8", "valid dictionary"),
        ("audit.eve_snr_db=10", "valid list"),
        ("audit.eve_snr_db=[10, true]", "must not be true or false"),
        ("audit.inference=linear", "valid list"),
        # Out of range.
        ("link.latent_dim=7", "even"),
        ("link.latent_dim=0", "greater than or equal to 2"),
        ("link.latent_dim=-8", "greater than or equal to 2"),
        ("link.latent_dim=100000", "less than or equal to 65536"),
        ("train.epochs=0", "greater than 0"),
        ("train.lr=0", "greater than 0"),
        ("train.lr=1.1", "less than or equal to 1"),
        ("train.batch=1", "greater than or equal to 2"),
        ("train.reconstruction_weight=-1", "greater than or equal to 0"),
        ("train.precision=float16", "'auto', 'float32' or 'bfloat16'"),
        ("bob.snr_db=61", "less than or equal to 60"),
        ("bob.fading=nakagami", "'rician' or 'multipath'"),
        ("bob.pilots=0", "greater than 0"),
        ("privacy.form=gab", "'clipped', 'uniform' or 'gap'"),
        ("privacy.link_steps=0", "greater than 0"),
        ("perturbation.psr_db=-61", "greater than or equal to -60"),
        ("perturbation.total_power=0", "greater than 0"),
        ("audit.eve_snr_db=[]", "at least 1 item"),
        ("data.limit=0", "greater than 0"),
        # Not finite.
        ("train.lr=.nan", "finite number"),
        ("train.lr=nan", "finite number"),
        ("bob.snr_db=.inf", "finite number"),
        ("bob.snr_db=-.inf", "finite number"),
        ("train.max_grad_norm=1e400", "finite number"),
        ("privacy.weight=inf", "finite number"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_its_full_key(refuse, setting, reason):
    key, _, _ = setting.partition("=")
    line = refuse("run", "quickstart", f"--set={setting}")
    assert line.startswith(f"{key}: ")
    assert reason in line


@pytest.mark.parametrize(
    ("setting", "key", "reason"),
    [
        ("audit.eve_snr_db=[10, .nan]", "audit.eve_snr_db.1", "finite number"),
        ("audit.inference=[mlp, huge]", "audit.inference", "linear, mlp, set, wide)"),
        ("audit.inversion=[dconv]", "audit.inversion", "did you mean 'deconv'?"),
        ("audit.attacks=[mlp]", "audit.attacks", "unknown eavesdropper 'mlp'"),
        ("audit.metrics=[foo]", "audit.metrics", "unknown metric 'foo'"),
        ("audit.metrics=[nmi_100]", "audit.metrics", "choose among psnr_db, ssim"),
        ("attack.metrics=[foo]", "attack.metrics", "unknown metric 'foo'"),
        ("attack.names=[foo]", "attack.names", "unknown attack 'foo'"),
        ("harden.method=foo", "harden.method", "unknown adversarial training 'foo'"),
        ("audit.perceptual=[foo]", "audit.perceptual", "unknown eavesdropper 'foo'"),
        ("protections=[foo]", "protections", "unknown protection 'foo'"),
        ("audit.inference/mlp.width=0", "audit.inference/mlp.width", "greater than or equal to 2"),
        ("link={latent_dim: 9}", "link.latent_dim", "even"),
    ],
)
def test_a_value_inside_another_is_named_by_its_place(refuse, setting, key, reason):
    for command in ("run", "show"):
        line = refuse(command, "quickstart", f"--set={setting}")
        assert line.startswith(f"{key}: ")
        assert reason in line


@pytest.mark.parametrize(
    "setting", ["link.latent_dim", "=8", "link.latent_dim:8", "link.latent_dim 8"]
)
def test_a_setting_without_key_and_value_is_refused(refuse, setting):
    assert "expected key=value" in refuse("run", "quickstart", "--set", setting)
    assert refuse("run", "quickstart", "--set", "") == "--set is empty: give it a value"


@pytest.mark.parametrize(
    "value",
    ["[", "{a", "'", "a: b: c", "*a", "!!python/object:os.system {}", "[" * 1000],
)
def test_a_value_that_is_not_yaml_is_refused(refuse, value):
    line = refuse("run", "quickstart", f"--set=train.epochs={value}")
    assert line.startswith("train.epochs: not YAML")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("link: {latent_dim: 8", "not YAML"),
        ("\tlink: 1", "not YAML"),
        ("link: [1, 2", "not YAML"),
        ("started: 2024-13-45", "unknown key 'started'"),
        ("data: {name: 0200}", "data.name: Input should be a valid string (got 200)"),
        ("link: {width: 8}\nbob: {}\nlink: {latent_dim: 8}", "'link' is there twice (line 3)"),
        ("link: {width: 8, latent_dim: 8, width: 4}", "'width' is there twice (line 1)"),
        ("link: &a {width: *a}", "an alias within itself"),
        ("\0", "not YAML"),
        ("", "expected keys with values"),
        ("- 1\n- 2\n", "expected keys with values"),
        ("just words", "expected keys with values"),
        ("link: {latentdim: 8}", "did you mean 'link.latent_dim'?"),
        ("link: {latent_dim: 7}", "link.latent_dim: must be even"),
        ("link:\n", "link: "),
        ("1: 2", "1"),
        ("scheme: minmx", "did you mean 'minmax'?"),
    ],
)
def test_a_recipe_file_that_makes_no_sense_is_refused(refuse, tmp_path, text, message):
    (tmp_path / "mine.yaml").write_text(text)
    assert message in refuse("run", "mine.yaml")


def test_a_setting_in_an_empty_section_of_a_file_is_told_of_the_section(refuse, tmp_path):
    (tmp_path / "mine.yaml").write_text("link:\n")
    line = refuse("run", "mine.yaml", "--set=link.latent_dim=8")
    assert line == "link: expected keys with values (got None)"


def test_a_recipe_file_that_cannot_be_read_is_named(refuse, tmp_path):
    assert "none.yaml" in refuse("run", "none.yaml")
    (tmp_path / "folder.yaml").mkdir()
    assert "folder.yaml" in refuse("run", "folder.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"data: {name: \xe9}\n")
    assert "latin.yaml" in refuse("run", "latin.yaml")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["train.batch=4096"], "train.batch: 4096 images a step, but digits has only"),
        (["data.limit=5"], "too few"),
        (["privacy.pretrain_epochs=40"], "privacy.pretrain_epochs: 40"),
        (["train.progressive_size=8"], "train.progressive_size: minmax-cooperative encodes images"),
        (["train.crop=8"], "train.crop: 8 pixels of images of 8"),
        (["train.optimiser=sgd"], "train.optimiser: "),
        (["data.name=/nowhere/at/all"], "/nowhere/at/all"),
    ],
)
def test_settings_that_do_not_fit_each_other_or_the_data_are_refused(refuse, settings, message):
    assert message in refuse("run", "quickstart", *(f"--set={setting}" for setting in settings))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["link.width=512", "link.head_width=4096"], "the networks take "),
        (["train.batch=512", "link.width=16"], "one training step of 512 images take "),
        (["link.latent_dim=16384", "audit.inversion=[mlp]"], "the networks "),
        (["data.name=folder:set", "data.image_size=512"], "24 images of 512×512 pixels take"),
    ],
)
def test_settings_that_do_not_fit_the_memory_are_refused(semveil, tmp_path, settings, message):
    for name in ("a", "b"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(12):
            Image.new("L", (8, 8), number).save(tmp_path / "set" / name / f"{number}.png")
    # Of this machine, 10 MB are free.
    little = "import semveil.device, semveil.data.decode as d\n"
    little += "semveil.device.free_bytes = d.free_bytes = lambda: 10_000_000"
    before = sorted(tmp_path.rglob("*"))
    words = ["run", "quickstart", *(f"--set={setting}" for setting in settings)]
    line = refusal(semveil(*words, folder=tmp_path, before=little))
    assert message in line
    assert "GB are free: make " in line
    assert sorted(tmp_path.rglob("*")) == before


def test_devices_that_cannot_share_a_batch_evenly_are_refused(refuse):
    line = refuse("train", "quickstart", "--set=train.batch=63", "--devices", "2")
    assert line == "train.batch: 63 images are not shared by 2 devices evenly"


def test_a_device_that_is_not_there_is_refused(semveil, tmp_path):
    hidden = {"CUDA_VISIBLE_DEVICES": ""}
    result = semveil("run", "quickstart", "--device", "cuda", folder=tmp_path, environment=hidden)
    assert "device cuda: torch" in refusal(result)
    assert list(tmp_path.iterdir()) == []


def test_no_recipe_and_no_folder(refuse):
    assert "name a recipe" in refuse("run")
    assert "name a study" in refuse("study")


def test_a_seed_below_zero_is_refused(refuse):
    assert "--seed" in refuse("run", "quickstart", "--seed", "-1")


def test_small_files_that_unfold_without_end_are_refused_at_once(refuse, tmp_path):
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    (tmp_path / "mine.yaml").write_text(f"a0: &a0 [{'x' * 9}]\n{levels}")
    assert "once aliases are written out" in refuse("run", "mine.yaml")


@pytest.mark.parametrize(
    "text",
    [
        f"link: {{latent_dim: {'x' * 200000}}}",
        f"scheme: {'x' * 200000}",
        f"{'x' * 200000}: 1",
        f"'{'x' * 200000}",
        f"audit: {{inference: [{'a, ' * 60000}]}}",
    ],
)
def test_a_long_file_does_not_make_a_long_line(refuse, tmp_path, text):
    (tmp_path / "mine.yaml").write_text(text)
    assert len(refuse("run", "mine.yaml")) < 4000


def test_a_long_setting_does_not_make_a_long_line(refuse):
    for setting in ("x" * 100000, f"scheme={'x' * 100000}", f"{'a.' * 9000}b=1"):
        assert len(refuse("run", "quickstart", f"--set={setting}")) < 4000


def test_recipes_are_small_regular_files(refuse, tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    assert "it is not a regular file" in refuse("run", "pipe.yaml")
    (tmp_path / "device.yaml").symlink_to("/dev/zero")
    assert "it is not a regular file" in refuse("run", "device.yaml")
    (tmp_path / "long.yaml").write_bytes(b"#" * (1 << 18) + b"\n")
    assert "bytes, more than" in refuse("run", "long.yaml")


@pytest.mark.parametrize(
    "value", ["folder:/d/plain #1", "folder:/a: b", "folder:/[x] {y}", "folder:/it's", "0200", "no"]
)
@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_text_is_taken_as_it_is_written(semveil, value, quote):
    shown = succeed(semveil("show", "quickstart", f"--set=data.target={quote}{value}{quote}"))
    assert yaml.safe_load(shown.out)["data"]["target"] == value
    shown = succeed(semveil("show", "quickstart", f"--set=data.target={value}", "--json"))
    assert json.loads(shown.out)["data"]["target"] == value


def test_numbers_are_read_as_they_look(semveil, tmp_path):
    (tmp_path / "mine.yaml").write_text("train: {epochs: 0200, lr: 1e-3}\n")
    shown = succeed(semveil("show", tmp_path / "mine.yaml", "--set=link.width=0010"))
    settings = yaml.safe_load(shown.out)
    assert settings["train"]["epochs"] == 200
    assert settings["train"]["lr"] == 0.001
    assert settings["link"]["width"] == 10


@pytest.mark.parametrize("prefix", [0, 2, 7])
def test_paths_without_power_do_not_interfere(semveil, prefix):
    changes = [f"--set=bob.ofdm.{key}" for key in ("decay=0.001", f"prefix={prefix}")]
    shown = succeed(semveil("show", "mobilesc-digits", *changes))
    assert shown.err == ""
    loud = semveil("show", "mobilesc-digits", "--set=bob.ofdm.decay=4", "--set=bob.ofdm.prefix=2")
    assert "of interference" in succeed(loud).err
