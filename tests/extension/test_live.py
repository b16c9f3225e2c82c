"""A service that comes as a wheel while the town runs: not one request is lost, and its data outlive it."""

import base64
import hashlib
import io
import json
import re
import subprocess
import sys
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.faults.serving import Town

from beffroi.cli.init import create_town
from beffroi.extensions import shelf
from beffroi.extensions.declared import reach_of
from beffroi.extensions.wheel import read_wheel
from beffroi.identity import people, sign_in
from beffroi.model.principal import SYSTEM, Principal
from beffroi.model.problem import Conflict, Forbidden, Problem
from beffroi.settings import load_settings
from beffroi.store.open import Store
from beffroi.town import open_town
from beffroi.web.kit.who import SESSION_COOKIE

NOISE = Path(__file__).parent / "beffroi-noise"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the third party's example, built by pip."""
    place = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "wheel", "--no-deps", "--no-build-isolation",
               "--no-index", "-w", str(place), str(NOISE)]  # fmt: skip
    subprocess.run(command, check=True, timeout=180)
    (found,) = place.glob("beffroi_noise-*.whl")
    return found


def rewritten(wheel: Path, change: Callable[[dict[str, bytes]], None], *, record: bool = True) -> bytes:
    """Return the wheel with other contents, and (unless told otherwise) a RECORD that names them."""
    with zipfile.ZipFile(wheel) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    place = next(name for name in files if name.endswith("RECORD"))
    if record:
        lines = [f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b'=').decode()},{len(body)}"
                 for name, body in files.items() if name != place]  # fmt: skip
        files[place] = "\n".join([*lines, f"{place},,"]).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return out.getvalue()


def _in(part: str, old: str, new: str) -> Callable[[dict[str, bytes]], None]:
    def change(files: dict[str, bytes]) -> None:
        name = next(n for n in files if n.endswith(part))
        files[name] = files[name].replace(old.encode(), new.encode())

    return change


def _without(part: str) -> Callable[[dict[str, bytes]], None]:
    return lambda files: files.pop(next(n for n in files if n.endswith(part)))  # type: ignore[return-value]


def _more(name: str, body: bytes = b"x") -> Callable[[dict[str, bytes]], None]:
    return lambda files: files.update({name: body})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_without("manifest.toml"), "manifest is missing"),
        (_in("manifest.toml", 'name = "noise"', 'name = "silence"'), "names another service"),
        (_in("manifest.toml", 'name = "noise"', 'name = "noise"\napi = "9.0"'), "made for interface 9.0"),
        (_in("METADATA", "Requires-Dist: beffroi", "Requires-Dist: beffroi>=99"), "needs beffroi>=99; here it is"),
        (_in("METADATA", "Requires-Dist: beffroi", "Requires-Dist: no-such-library"), "which is not installed"),
        (_in("METADATA", "Requires-Python: >=3.11", "Requires-Python: >=3.99"), "needs Python >=3.99"),
        (_in("entry_points.txt", "beffroi.services", "console_scripts"), "not a service of Beffroi"),
        (_in("entry_points.txt", "noise = beffroi_noise", "noise = beffroi_noise\nother = x"), "several services"),
        (_in("WHEEL", "Root-Is-Purelib: true", "Root-Is-Purelib: false"), "one kind of machine"),
        (_more("json/__init__.py"), "also brings json"),
        (_more("../escape.py"), "outside its directory"),
        (_more("/etc/passwd"), "outside its directory"),
    ],
)  # fmt: skip
def test_a_wheel_that_does_not_suit_is_refused(
    wheel: Path, change: Callable[[dict[str, bytes]], None], said: str
) -> None:
    with pytest.raises(Problem) as met:
        read_wheel(rewritten(wheel, change))
    assert said in met.value.reason.en
    assert met.value.status == 400


def test_a_wheel_that_was_altered_or_is_none_is_refused(wheel: Path) -> None:
    for body, said in (
        (b"not a zip", "not a wheel"), (wheel.read_bytes()[:-200], "not a wheel"),
        (rewritten(wheel, _in("__init__.py", "65", "66"), record=False), "was altered"),
        (rewritten(wheel, _more("beffroi_noise/more.py"), record=False), "does not declare all"),
        (rewritten(wheel, _without("noise.html"), record=False), "is damaged"),
    ):  # fmt: skip
        with pytest.raises(Problem) as met:
            read_wheel(body)
        assert said in met.value.reason.en
    assert read_wheel(wheel.read_bytes()).sha256 == hashlib.sha256(wheel.read_bytes()).hexdigest()


def test_what_code_reaches_is_read_in_its_imports(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "import urllib.request\nfrom beffroi.identity import people\nimport json\n"
    )
    (tmp_path / "b.py").write_text("from subprocess import run\nfrom . import socket\n")
    assert reach_of(tmp_path) == ("identity", "network", "programs")
    assert reach_of(NOISE / "beffroi_noise") == ("database",)


def test_only_an_administrator_of_the_whole_town_installs(wheel: Path, tmp_path: Path) -> None:
    create_town(tmp_path / "town", "Essai", email="maire@essai.fr")
    town = open_town(tmp_path / "town")
    store, body = town.store, wheel.read_bytes()
    for who in (Principal("user:9", "", "responsable"), Principal("user:9", "", "admin", ("35236",))):
        with pytest.raises(Forbidden):
            shelf.install(store, who, body, "x.whl", frozenset())
    with pytest.raises(Conflict):
        shelf.install(store, SYSTEM, body, "x.whl", frozenset({"noise"}))
    broken = rewritten(wheel, _in("__init__.py", "COLLECTIONS = (", "COLLECTIONS = (1 / 0,"))
    with pytest.raises(Problem) as met:  # it loads in a process of its own: this one has not seen it
        shelf.install(store, SYSTEM, broken, "x.whl", frozenset())
    assert "ZeroDivisionError" in met.value.reason.en
    assert "beffroi_noise" not in sys.modules
    assert shelf.every(store) == []
    assert [p for p in (tmp_path / "town" / "extensions").rglob("*") if p.is_file()] == []
    town.close()


class Sender:
    """Somebody who goes on asking, whatever happens; `met` counts the answers by status, 0 for none."""

    def __init__(self, url: str, paths: tuple[str, ...]) -> None:
        self.met: Counter[int] = Counter()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(url + path,), daemon=True) for path in paths
        ]
        for thread in self._threads:
            thread.start()

    def _ask(self, url: str) -> None:
        with httpx2.Client(timeout=20, headers={"Accept": "text/html"}) as client:
            while not self._stop.is_set():
                try:
                    self.met[client.get(url).status_code] += 1
                except httpx2.HTTPError:
                    self.met[0] += 1

    def end(self) -> Counter[int]:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
        return self.met


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Town, Path, httpx2.Client]]:
    data = tmp_path / "town"
    create_town(data, "Essai", email="maire@essai.fr")
    town = Town(data, "--workers", str(request.param))
    store = Store.open(load_settings(data))
    person = people.find(store, "maire@essai.fr")
    assert person is not None
    secret = sign_in.by_link(store, sign_in.make_link(store, SYSTEM, person.id), agent="x")[1]
    store.close()
    with httpx2.Client(
        base_url=town.url, timeout=60, headers={"Accept": "text/html"}, cookies={SESSION_COOKIE: secret}
    ) as client:
        yield town, data, client
    town.stop()


def csrf(page: str) -> str:
    return re.search(r'name="csrf" value="([0-9a-f]{64})"', page).group(1)  # type: ignore[union-attr]


def settled(url: str, status: int) -> None:
    """Wait until every worker answers so: twenty new connections in a row."""
    end, row = time.monotonic() + 20, 0
    while row < 20:
        assert time.monotonic() < end, "the workers do not follow"
        row = row + 1 if httpx2.get(url, headers={"Accept": "text/html"}).status_code == status else 0


def test_a_service_comes_and_goes_without_a_request_lost(
    wheel: Path, served: tuple[Town, Path, httpx2.Client]
) -> None:
    town, data, client = served
    sender = Sender(town.url, ("/", "/health", "/services"))
    page = client.get("/administration/services").text
    sent = client.post(
        "/administration/services",
        data={"csrf": csrf(page)},
        files={"wheel": (wheel.name, wheel.read_bytes())},
    )
    assert (sent.status_code, sent.headers["location"]) == (303, "/administration/services/noise?installe")
    shown = client.get(sent.headers["location"]).text
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    for said in ("noise_site", "Nuit bruyante", "GET /bruit", "Niveau sonore", "la base de données", digest):
        assert said in shown, said
    assert client.get("/bruit").status_code == 404

    enabled = client.post("/administration/services/noise/activer", data={"csrf": csrf(shown)})
    assert enabled.status_code == 303
    settled(f"{town.url}/bruit", 200)
    beside = open_town(data)
    place = {"type": "Point", "coordinates": [2.37, 47.06]}
    site = {"code": "B1", "name": "Place du Marché", "limit_db": 65}
    beside.store.records.put("noise_site", site, geometry=place, who=SYSTEM)
    beside.close()
    assert "Place du Marché" in httpx2.get(f"{town.url}/bruit", headers={"Accept": "text/html"}).text
    assert "Bruit" in client.get("/services").text

    disabled = client.post("/administration/services/noise/desactiver", data={"csrf": csrf(shown)})
    assert disabled.status_code == 303
    settled(f"{town.url}/bruit", 404)
    _, found = town.call("/ogc/collections/noise_site/items", Accept="application/geo+json")
    assert [f["properties"]["name"] for f in found["features"]] == ["Place du Marché"]

    done = beffroi("service", "enable", "noise", data=data)  # by command, beside the running town
    assert done["enabled"] is True
    settled(f"{town.url}/bruit", 200)
    met = sender.end()
    assert set(met) == {200}, met
    assert met[200] > 50

    store = Store.open(load_settings(data))
    with store.read() as c:
        deeds = [(e.action, e.detail["sha256"]) for e in store.audit.entries(c, action="extension.")]
    store.close()
    assert deeds == [(f"extension.{deed}", digest) for deed in ("enable", "disable", "enable", "install")]


def beffroi(*words: str, data: Path) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "beffroi", *words, "--data", str(data), "--json"], check=False, capture_output=True, text=True, timeout=120
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_by_command(wheel: Path, tmp_path: Path) -> None:
    create_town(tmp_path / "town", "Essai", email="maire@essai.fr")
    data = tmp_path / "town"
    assert beffroi("service", "install", str(wheel), data=data)["enabled"] is False
    assert beffroi("service", "enable", "noise", data=data)["enabled"] is True
    town = open_town(data)  # as the next start does
    assert "noise" in town.registry.services
    (data / "extensions" / "noise").rename(data / "extensions" / "gone")
    town.renew()  # one that does not load is left out, and the town goes on
    assert "noise" not in town.registry.services
    town.close()
    (data / "extensions" / "gone").rename(data / "extensions" / "noise")
    beffroi("service", "disable", "noise", data=data)
    assert beffroi("service", "remove", "noise", data=data) == {"removed": "noise"}
    assert beffroi("service", "list", data=data) == []
    assert not (data / "extensions" / "noise").exists()
