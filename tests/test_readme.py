"""The README's example runs as it stands there."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_the_audit_of_a_foreign_model_runs_as_printed(tmp_path, monkeypatch, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    body = code.split("network = ")[1]
    assert len([line for line in body.splitlines() if line.strip()]) <= 10
    monkeypatch.chdir(tmp_path)
    exec(compile(code, str(README), "exec"), {})
    accuracy, psnr = map(float, capsys.readouterr().out.split())
    # An untrained linear layer at 10 dB hides nothing.
    assert accuracy > 0.6
    assert psnr > 10
    assert (tmp_path / "records.jsonl").read_text().count("\n") > 20
