"""A third party's service, from its own wheel: everything it brings is there, and its data outlive it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from beffroi.intake.devices import approve
from beffroi.model.principal import SYSTEM
from beffroi.settings import load_settings
from beffroi.store.open import Store
from beffroi.store.tables import thing

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "src"
NOISE = HERE / "beffroi-noise"
EUI = "70B3D57ED0000001"


def beffroi(*words: str, path: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "beffroi", *words, "--json"], check=False, capture_output=True, text=True, timeout=180,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def served(data: Path, path: str) -> Iterator[httpx2.Client]:
    """Serve the town in a process of its own, writes open, and give a client of it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "beffroi", "serve", "--data", str(data), "--port", "0", "--mqtt-port", "0", "--open-writes", "--json"],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        with httpx2.Client(base_url=url, timeout=30, follow_redirects=True) as client:
            wait_until(lambda: answers(client))
            yield client
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        if process.stdout is not None:
            process.stdout.close()


def answers(client: httpx2.Client) -> bool:
    try:
        return client.get("health").status_code == 200
    except httpx2.TransportError:
        return False


def wait_until(true: Any, seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.2)
    return found


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Build the wheel, install it into a folder of its own, and return the path that Python then has."""
    place = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(place), str(NOISE)],
        check=True,
        timeout=180,
    )
    (wheel,) = place.glob("beffroi_noise-*.whl")
    subprocess.run(
        [*pip, "install", "--no-deps", "--no-index", "--target", str(place / "site"), str(wheel)],
        check=True,
        timeout=180,
    )
    return f"{SOURCE}{os.pathsep}{place / 'site'}"


def approve_all(data: Path) -> None:
    """Approve every device, beside the running server."""
    store = Store.open(load_settings(data))
    try:
        with store.read() as connection:
            ids = list(connection.execute(select(thing.c.id)).scalars())
        assert approve(store, SYSTEM, ids) == 1
    finally:
        store.close()


def uplink(level: float, count: int) -> dict[str, Any]:
    return {
        "end_device_ids": {"device_id": "place", "dev_eui": EUI, "application_ids": {"application_id": "bruit"}},
        "uplink_message": {
            "f_cnt": count, "frm_payload": "AQ==", "decoded_payload": {"noise_db": level},
            "received_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "rx_metadata": [{"gateway_ids": {"gateway_id": "gw-1"}}],
        },
    }  # fmt: skip


def levels(client: httpx2.Client) -> list[float]:
    found = client.get(
        "sensorthings/v1.1/Datastreams",
        params={"$filter": "substringof('sonore',name)", "$expand": "Observations"},
    )
    return sorted(o["result"] for d in found.json()["value"] for o in d["Observations"])


def sites(client: httpx2.Client) -> list[str]:
    found = client.get("ogc/collections/noise_site/items", headers={"Accept": "application/geo+json"}).json()
    return [feature["properties"]["name"] for feature in found["features"]]


def test_service_is_as_small_as_promised() -> None:
    files = [f for f in NOISE.rglob("*") if f.is_file() and "__pycache__" not in f.parts]
    assert len(files) <= 6
    assert sum(len(f.read_text("utf-8").splitlines()) for f in files) <= 150


def test_service_brings_all_it_declares_and_its_data_outlive_it(installed: str, tmp_path: Path) -> None:
    data = tmp_path / "town"
    beffroi("init", "--data", str(data), "--name", "Essai", path=installed)
    assert beffroi("check", "noise", path=installed)["faults"] == []

    # a collection, by the platform's own import
    features = {"type": "FeatureCollection", "features": [
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [2.37, 47.06]},
         "properties": {"code": "B1", "name": "Place du Marché", "limit_db": 65}},
    ]}  # fmt: skip
    (tmp_path / "sites.geojson").write_text(json.dumps(features), "utf-8")
    taken = beffroi(
        "import",
        "geojson",
        str(tmp_path / "sites.geojson"),
        "--collection",
        "noise_site",
        "--data",
        str(data),
        path=installed,
    )
    assert (taken["stored"], taken["rejected"]) == (1, 0)

    # a rule, as the service proposes it
    rule = tmp_path / "night.yaml"
    rule.write_text(template("night_noise", installed), "utf-8")
    assert beffroi("rule", "add", str(rule), "--data", str(data), path=installed)["name"] == "Nuit bruyante"

    with served(data, installed) as client:
        # a route, in both languages
        assert "Bruit en ville" in client.get("bruit").text
        page = client.get("bruit", params={"lang": "en"}).text
        assert "Noise in town" in page
        assert "Place du Marché" in page
        # a datastream kind: the decoded key gets its name and its unit; an agent approves the new device
        assert client.post("hooks/ttn/v3", json=uplink(51.5, 1)).is_success
        known = client.get(
            "sensorthings/v1.1/Datastreams", params={"$filter": "unitOfMeasurement/symbol eq 'dB(A)'"}
        ).json()["value"]
        assert [d["unitOfMeasurement"]["definition"] for d in known] == ["dB[SPL]"]
        approve_all(data)
        # the rule rings
        assert client.post("hooks/ttn/v3", json=uplink(71.5, 2)).is_success
        alarms = wait_until(lambda: client.get("api/alarms").json()["alarms"])
        assert [alarm["severity"] for alarm in alarms] == ["jaune"]
        assert "71,5" in alarms[0]["message"]
        # a card on the situation page, from the indicator
        home = client.get("", params={"lang": "fr"}).text
        assert "Bruit, le plus fort" in home
        figure = re.sub(
            r"[\s\u202f\u00a0]+", " ", re.sub(r"<[^>]+>", " ", home[home.index("Bruit, le plus fort") :])
        )
        assert re.search(r"7[12](,5)? ?dB\(A\)", figure[:400]), figure[:400]
        # the OGC API has the collection without being told
        assert sites(client) == ["Place du Marché"]
        assert levels(client) == [51.5, 71.5]

    # taken away again: the data stay readable by every standard, the page is gone
    with served(data, str(SOURCE)) as client:
        assert client.get("bruit").status_code == 404
        assert client.get("").status_code == 200
        assert sites(client) == ["Place du Marché"]
        assert levels(client) == [51.5, 71.5]
        assert "Place du Marché" in client.get("donnees/noise_site", headers={"Accept": "text/html"}).text
        assert "Place du Marché" in client.get("donnees/noise_site.csv").text
    beffroi("export", "--data", str(data), "--to", str(tmp_path / "out"), path=str(SOURCE))
    assert any(
        "Place du Marché" in f.read_text("utf-8", "ignore") for f in (tmp_path / "out").rglob("*noise_site*")
    )


def template(name: str, path: str) -> str:
    """Return the YAML that the installed service proposes."""
    code = (
        "from beffroi.plugins import load_registry\n"
        f"print(next(r.yaml for r in load_registry().services['noise'].rules if r.name == {name!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": path},
    )
    return done.stdout
