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


def export(data: Path, to: Path) -> dict[str, bytes]:
    done = subprocess.run(
        [sys.executable, "-m", "beffroi", "export", "--data", str(data), "--to", str(to)], check=False, capture_output=True,
        text=True, timeout=120, env={**os.environ, "PYTHONPATH": str(SOURCE), "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {str(file.relative_to(to)): file.read_bytes() for file in to.rglob("*") if file.is_file()}


def test_demo_twice_exports_the_same_bytes(tmp_path: Path) -> None:
    words = ("--seed", "7", "--days", "1", "--end", "2026-03-01T00:00:00Z", "--json")
    reports = []
    for name in ("a", "b"):
        done = demo(tmp_path / name, *words)
        assert done.returncode == 0, done.stderr
        reports.append(json.loads(done.stdout))
    for report in reports:
        assert report.pop("sign_in").startswith("/connexion/lien/")
        assert report.pop("data").startswith(str(tmp_path))
    assert reports[0] == reports[1]
    assert reports[0]["observations"] > 5000
    one, two = export(tmp_path / "a", tmp_path / "out-a"), export(tmp_path / "b", tmp_path / "out-b")
    assert len(one) > 5
    assert {name for name in one if one[name] != two.get(name)} == set()
    assert one.keys() == two.keys()
    verified = subprocess.run(
        [sys.executable, "-m", "beffroi", "verify", "--data", str(tmp_path / "a"), "--json"], check=False, capture_output=True,
        text=True, timeout=120, env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )  # fmt: skip
    assert verified.returncode == 0, verified.stdout


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
