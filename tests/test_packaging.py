"""What a package index shows of a release."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from email import message_from_string
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
BUILD = "from setuptools import build_meta; print(build_meta.prepare_metadata_for_build_wheel('.'))"


def metadata(folder):
    """Return the metadata that a build of the package in a folder has."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD], cwd=folder, capture_output=True, text=True, check=True
    )
    return message_from_string((folder / done.stdout.split()[-1] / "METADATA").read_text("utf-8"))


@pytest.fixture
def source(tmp_path):
    pytest.importorskip("setuptools", minversion="77")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "src" / "semveil").mkdir(parents=True)
    (tmp_path / "src" / "semveil" / "__init__.py").touch()
    return tmp_path


def test_the_description_has_no_link_that_leads_nowhere(source):
    found = metadata(source)
    text = found.get_payload()
    assert found["Description-Content-Type"] == "text/markdown"
    assert "# semveil" in text
    assert "Conventions ·" in text
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert not [place for place in links if "://" not in place]


def test_links_are_absolute_where_a_repository_is_stated(source):
    settings = source / "pyproject.toml"
    stated = '[project.urls]\nRepository = "https://host.example/semveil"\n\n[project.scripts]'
    settings.write_text(settings.read_text().replace("[project.scripts]", stated))
    text = metadata(source).get_payload()
    assert "[Conventions](https://host.example/semveil/blob/v0.1.0/docs/conventions.md)" in text
    assert "](https://host.example/semveil/raw/v0.1.0/docs/assets/report.png)" in text


def test_the_release_has_one_version_and_one_date():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    (released, date), *_ = re.findall(
        r"^## \[(\d[\w.]*)\] - (\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert (released, date) == (version, str(cited["date-released"]))
    assert cited["version"] == version
