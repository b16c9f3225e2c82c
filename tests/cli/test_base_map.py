"""`beffroi base-map`, as a person types it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from beffroi.cli.init import create_town

pytestmark = pytest.mark.shared


def test_base_map_of_an_unseen_town_by_one_command(shared: Path, tmp_path: Path) -> None:
    create_town(tmp_path / "town", "Redon", email="maire@redon.fr")
    command = [sys.executable, "-m", "beffroi", "base-map", str(shared / "data/design/redon.osm"), "--data",
               str(tmp_path / "town"), "--json"]  # fmt: skip
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["features"] > 1500
    assert Path(report["file"]).read_bytes()[:7] == b"PMTiles"
    assert json.loads((tmp_path / "town/base.json").read_text())["credit"] == "© OpenStreetMap"
