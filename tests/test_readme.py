"""The README's notebook runs as it stands there."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.slow
def test_the_notebook_runs_as_printed(tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    monkeypatch.chdir(tmp_path)
    space = {}
    exec(compile(code, str(README), "exec"), space)
    strongest = space["found"].strongest("accuracy", snr_db=12)
    # Nothing in this scheme protects the label.
    assert strongest.role == "eve"
    assert strongest.ci_low > 0.3
    under = {
        (record.adversary, record.psr_db): record.value
        for record in space["found"].records
        if record.metric == "accuracy"
        and record.image_class is None
        and record.role == "bob"
        and record.psr_db is not None
    }
    assert under["pgd", -10] <= under["jamming", -10]
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
