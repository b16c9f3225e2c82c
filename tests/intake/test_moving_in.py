"""A real commune moves in from a folder, and from a replica of the public services with their faults."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import shapely
from tests.towns import town_at

from beffroi.intake.moving_in import fetching
from beffroi.intake.moving_in.fetching import fetch
from beffroi.intake.moving_in.moving import Taken, commune_of, move_in
from beffroi.model.problem import NotFound, Problem, Unavailable
from beffroi.store.record import Query
from beffroi.town import Town, open_town


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    folder = tmp_path / "town"
    town_at(folder)
    opened = open_town(folder)
    yield opened
    opened.close()


def states(taken: list[Taken]) -> dict[str, str]:
    return {one.source: one.state for one in taken}


def counted(taken: list[Taken]) -> dict[str, tuple[int, int, int, int]]:
    found: dict[str, tuple[int, int, int, int]] = {}
    for change in (c for one in taken for c in one.changes):
        before = found.get(change.collection, (0, 0, 0, 0))
        after = (change.created, change.updated, change.unchanged, change.gone)
        found[change.collection] = tuple(a + b for a, b in zip(before, after, strict=True))  # type: ignore[assignment]
    return found


def square(code: str, name: str, west: float, south: float = 47.0) -> dict[str, Any]:
    ring = [[west, south], [west + 0.1, south], [west + 0.1, south + 0.1], [west, south + 0.1], [west, south]]
    return {
        "type": "Feature",
        "properties": {"code": code, "nom": name},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


@pytest.mark.shared
def test_redon_moves_in_from_the_files_and_again_unchanged(town: Town, shared: Path) -> None:
    given = shared / "data" / "design"
    here = commune_of("35236", given, town.settings.data / "sources")
    assert here.name == "Redon"
    first = move_in(town.store, here, given)
    assert states(first)["communes"] == states(first)["openstreetmap"] == "taken"
    assert states(first)["adresses"] == "absent"
    created = counted(first)
    assert created["communes"][0] == 7
    assert created["batiments"][0] > 900
    for name in created:
        for row in town.store.records.find(name, Query(limit=2_000)).rows:
            assert row.values["code_insee"] == row.territory
            assert name == "communes" or row.territory == "35236"
    streets = town.store.records.find("voies", Query(where={"nom": "Place de Bretagne"})).rows
    assert all(here.boundary.intersects(shapely.geometry.shape(s.geometry)) for s in streets)
    about = json.loads((town.settings.data / "base.json").read_text("utf-8"))
    west, south, east, north = here.boundary.bounds
    assert about["box"][0] > west - (east - west) / 5
    assert about["box"][3] < north + (north - south) / 5
    again = counted(move_in(town.store, here, given))
    assert {n: c[0] for n, c in again.items()} == dict.fromkeys(created, 0)
    assert {n: c[2] for n, c in again.items()} == {n: c[0] for n, c in created.items()}


def test_a_refresh_tells_what_changed_and_what_is_gone(town: Town, tmp_path: Path) -> None:
    given = tmp_path / "files"
    given.mkdir()
    limits = [square("35001", "Ici", -2.0), square("35002", "À côté", -1.9), square("35003", "Loin", -1.0)]
    (given / "communes.geojson").write_text(
        json.dumps({"type": "FeatureCollection", "features": limits}), "utf-8"
    )
    head = "id;numero;rep;nom_voie;code_postal;code_insee;nom_commune;x;y;lon;lat"
    one = "35001_0010_00001;1;bis;Rue A;35000;35001;Ici;;;-1.95;47.05"
    two = "35001_0010_00002;2;;Rue A;35000;35001;Ici;;;-1.96;47.05"
    other = "35002_0010_00002;2;;Rue B;35000;35002;À côté;;;-1.85;47.05"
    table = given / "adresses-35.csv"
    table.write_text(f"{head}\n{one}\n{two}\n{other}", "utf-8")
    here = commune_of("35001", given, tmp_path)
    first = counted(move_in(town.store, here, given))
    assert (first["communes"][0], first["adresses"][0]) == (2, 2)
    rows = {r.values["code"]: r for r in town.store.records.find("adresses", Query()).rows}
    assert rows["35001_0010_00001"].values["libelle"] == "1 bis Rue A"
    table.write_text("\n".join((head, one.replace("Rue A", "Rue du 8 Mai"))), "utf-8")
    assert counted(move_in(town.store, here, given))["adresses"] == (0, 1, 0, 1)
    with pytest.raises(NotFound) as refused:
        commune_of("35999", given, tmp_path)
    assert "35999" in refused.value.reason.fr
    assert refused.value.place == "--insee"


class Replica(ThreadingHTTPServer):
    """Stands for the public services: `/HOST/PATH`; `cuts` answers are cut half-way, `down` hosts answer 503."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.held: dict[str, bytes] = {}
        self.cuts = 0
        self.down: set[str] = set()
        self.asked: list[tuple[str, str, str]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Replica

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        _, host, rest = parts.path.split("/", 2)
        begun = self.headers.get("Range", "")
        self.server.asked.append((host, "/" + rest, begun))
        body = self.server.held.get(f"{host}/{rest}")
        if host in self.server.down or body is None:
            self.send_error(503 if body is not None else 404)
            return
        if host == "hubeau.eaufrance.fr":
            assert len(parse_qs(parts.query)["bbox"][0].split(",")) == 4
        tag = f'"{hash(body)}"'
        if self.headers.get("If-None-Match") == tag:
            self.send_response(304)
            self.end_headers()
            return
        at = int(begun[6:-1]) if begun and self.headers.get("If-Range") == tag else 0
        self.send_response(206 if at else 200)
        self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(body) - at))
        self.end_headers()
        cut = self.server.cuts > 0
        self.server.cuts -= cut
        self.wfile.write(body[at : len(body) // 2] if cut else body[at:])

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def replica(monkeypatch: pytest.MonkeyPatch) -> Iterator[Replica]:
    monkeypatch.setattr(fetching, "PAUSE_S", 0.01)
    server = Replica()
    yield server
    server.shutdown()
    server.server_close()


def test_a_download_that_is_cut_goes_on_where_it_was(replica: Replica, tmp_path: Path) -> None:
    body = bytes(range(256)) * 4_000
    replica.held["example.org/big.bin"] = body
    replica.cuts = 1
    target = tmp_path / "big.bin"
    fetch("https://example.org/big.bin", target, replica.url)
    assert target.read_bytes() == body
    assert [r for _, _, r in replica.asked] == ["", f"bytes={len(body) // 2}-"]
    fetch("https://example.org/big.bin", target, replica.url)  # not changed: 304, nothing comes again
    assert len(replica.asked) == 3
    replica.held["example.org/big.bin"] = b"new"
    assert fetch("https://example.org/big.bin", target, replica.url).read_bytes() == b"new"
    with pytest.raises(Problem) as refused:
        fetch("https://example.org/none", tmp_path / "none", replica.url)
    assert "404" in refused.value.reason.en
    replica.down.add("example.org")
    with pytest.raises(Unavailable):
        fetch("https://example.org/big.bin", target, replica.url)
    assert target.read_bytes() == b"new"


def test_from_the_network_a_source_that_fails_stops_no_other(town: Town, replica: Replica) -> None:
    limits = {"type": "FeatureCollection", "features": [square("35001", "Ici", -2.0)]}
    stations = {
        "data": [
            {"code_station": "J930061101", "libelle_station": "La Vilaine à Redon", "longitude_station": -1.95, "latitude_station": 47.05},
            {"code_station": "K000000001", "libelle_station": "Loin", "longitude_station": 4.0, "latitude_station": 44.0},
        ]
    }  # fmt: skip
    replica.held["geo.api.gouv.fr/departements/35/communes"] = json.dumps(limits).encode()
    replica.held["hubeau.eaufrance.fr/api/v2/hydrometrie/referentiel/stations"] = json.dumps(
        stations
    ).encode()
    kept = town.settings.data / "sources"
    here = commune_of("35001", None, kept, replica.url)
    taken = move_in(town.store, here, None, replica.url)
    assert states(taken) == {
        "communes": "taken", "adresses": "failed", "openstreetmap": "failed", "bdtopo-batiments": "absent",
        "bdtopo-eaux": "absent", "stations-hydro": "taken", "stations-air": "absent",
    }  # fmt: skip
    (station,) = town.store.records.find("stations_voisines", Query()).rows
    assert (station.values["code"], station.values["mesure"]) == ("J930061101", "hydrométrie")
    replica.down.add("geo.api.gouv.fr")
    with pytest.raises(Unavailable):
        commune_of("35001", None, kept, replica.url)
