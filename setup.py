"""The description for a package index: README.md with links that work away from the repository."""

import re
import tomllib
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
REPOSITORY = PROJECT.get("urls", {}).get("Repository")


def resolved(link: re.Match[str]) -> str:
    """Return a link to the repository as an absolute one, or its text where none is stated."""
    picture, text, target = link.groups()
    if "://" in target:
        return link[0]
    if REPOSITORY is None:
        return "" if picture else text
    kind = "raw" if picture else "blob"
    return f"{picture}[{text}]({REPOSITORY}/{kind}/v{PROJECT['version']}/{target})"


setup(
    long_description=re.sub(
        r"(!?)\[([^\[\]]*)\]\(([^()]+)\)", resolved, (ROOT / "README.md").read_text("utf-8")
    ),
    long_description_content_type="text/markdown",
)
