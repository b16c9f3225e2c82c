"""The wheel: small, installs without Node or extras, and serves a town with no network at all."""

import os
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MEGABYTE = 1_000_000
# Runs in a network namespace of its own: only the loopback, no route. No npm on the PATH.
SERVE = """
set -eu
ip link set lo up
! ip route get 192.0.2.1 2>/dev/null
"$BIN/beffroi" init --data "$TOWN" --name "Sans réseau" --json
"$BIN/beffroi" serve --data "$TOWN" --port 8099 --mqtt-port 0 > "$TOWN/serve.log" 2>&1 &
server=$!
trap 'kill $server; wait $server || true' EXIT
"$BIN/python" - <<'PYTHON'
import time, urllib.request
for _ in range(100):
    try:
        health = urllib.request.urlopen("http://127.0.0.1:8099/health", timeout=5)
        break
    except OSError:
        time.sleep(0.1)
print("health", health.status)
page = urllib.request.urlopen("http://127.0.0.1:8099/", timeout=5)
text = page.read().decode()
print("page", page.status, "Sans réseau" in text)
import re
for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', text):
    print("file", urllib.request.urlopen("http://127.0.0.1:8099" + address, timeout=5).status)
things = urllib.request.urlopen("http://127.0.0.1:8099/sensorthings/v1.1/Things", timeout=5)
print("things", things.status)
PYTHON
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel, built from the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def trades(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the second wheel, of the trades that a town may leave out."""
    folder = tmp_path_factory.mktemp("trades")
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(folder),
        str(ROOT / "trades"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a fresh virtual environment that holds the wheel and what it requires, no extra."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=True)
    command = [
        folder / "bin/python",
        "-m",
        "pip",
        "install",
        "-qq",
        "--constraint",
        ROOT / "constraints.txt",
        wheel,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def size_of(folder: Path) -> int:
    """Return the bytes of the files below `folder`."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink())


def isolated() -> list[str]:
    """Return the command that runs another without a network, skipping the test where that is not permitted."""
    for command in (["unshare", "-n"], ["unshare", "-rn"]):
        if (
            shutil.which("unshare")
            and subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
        ):
            return command
    pytest.skip("network namespaces are not permitted here")


def test_wheel_is_small_and_holds_the_bundle_templates_and_words(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert wheel.stat().st_size <= 2 * MEGABYTE
    assert "beffroi/web/static/dist/manifest.json" in names
    assert "beffroi/web/kit/templates/kit/base.html" in names
    assert "beffroi/web/kit/locale/en.po" in names
    assert not [n for n in names if "node_modules" in n or n.startswith(("tests/", "frontend/"))]
    assert [n for n in names if n.endswith("/licenses/LICENSE")]


def test_base_install_weighs_at_most_400_megabytes(installed: Path) -> None:
    assert size_of(installed) <= 400 * MEGABYTE


def test_wheel_serves_a_town_without_network_and_without_node(installed: Path, tmp_path: Path) -> None:
    town = tmp_path / "town"
    environment = {"BIN": f"{installed}/bin", "TOWN": str(town), "PATH": f"{installed}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                   "LANG": "C.UTF-8", "HOME": os.environ.get("HOME", "/")}  # fmt: skip
    done = subprocess.run(
        [*isolated(), "bash", "-c", SERVE],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    said = done.stdout.splitlines()
    log = (town / "serve.log").read_text("utf-8") if (town / "serve.log").exists() else ""
    assert done.returncode == 0, done.stdout + done.stderr + log
    assert said[1:3] == ["health 200", "page 200 True"]
    assert set(said[3:-1]) == {"file 200"}
    assert said[-1] == "things 200"


def test_the_second_wheel_brings_the_trades_that_the_first_leaves_out(
    installed: Path, wheel: Path, trades: Path
) -> None:
    ours, theirs = (set(zipfile.ZipFile(w).namelist()) for w in (wheel, trades))
    sources = {p.relative_to(ROOT / "src").as_posix() for p in (ROOT / "src/beffroi").rglob("*.py")}
    assert {n for n in ours | theirs if n.endswith(".py")} == sources
    assert {n for n in ours & theirs if ".dist-info/" not in n} == set()
    assert trades.stat().st_size <= 2 * MEGABYTE
    told = "from beffroi.plugins import load_registry; print(*sorted(load_registry().services))"

    def services() -> list[str]:
        return subprocess.check_output([installed / "bin/python", "-c", told], text=True, cwd="/").split()

    before = services()
    assert before == ["equipment", "reports"]
    pip = [installed / "bin/python", "-m", "pip", "install", "-qq", "--no-deps", "--no-index", trades]
    subprocess.run(pip, check=True, capture_output=True)
    points = tomllib.loads((ROOT / "trades/pyproject.toml").read_text("utf-8"))["project"]["entry-points"][
        "beffroi.services"
    ]
    assert services() == sorted({*before, *points})
