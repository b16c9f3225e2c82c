"""`beffroi demo`, as a command."""

import json
import os
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"


def demo(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "beffroi", "demo", "--data", str(data), *words], check=False, capture_output=True, text=True,
        timeout=300, env={**os.environ, "PYTHONPATH": str(SOURCE), "LC_ALL": "C.UTF-8"},
    )  # fmt: skip


def test_demo_refuses_a_town_that_is_there_and_an_end_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "beffroi.toml").write_text('name = "Vraie"\n')
    refused = demo(tmp_path / "t", "--json")
    assert refused.returncode == 2
    assert json.loads(refused.stderr)["place"] == "--data"
    assert sorted(f.name for f in (tmp_path / "t").iterdir()) == ["beffroi.toml"]
    assert demo(tmp_path / "u", "--end", "demain").returncode == 2
    assert demo(tmp_path / "u", "--days", "0").returncode == 2
    assert not (tmp_path / "u").exists()
