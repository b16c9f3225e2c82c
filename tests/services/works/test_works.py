"""Orders in DATEX II against DiaLog's schema, the legal clock over holidays, the assets that a declaration concerns."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from shapely.geometry import LineString
from starlette.testclient import TestClient
from tests.towns import town_at

from beffroi.app import create_app
from beffroi.identity import keys, territories
from beffroi.intake.layers import import_layers
from beffroi.model.instant import DAY_US, HOUR_US, parse_instant, to_datetime
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import Problem
from beffroi.services.works.clock import clock_of, deadline, today_of, valid_until
from beffroi.services.works.concerned import concerned_by, groups_of
from beffroi.services.works.networks import network_of
from beffroi.services.works.plan import plan_svg
from beffroi.standards.datex2 import Measure, Order, publication
from beffroi.standards.pmtiles import Ground, build_base_map
from beffroi.standards.public_holidays import region_of
from beffroi.store.record import Query
from beffroi.town import Town, open_town

COMMUNE = "34172"
POINT = {"type": "Point", "coordinates": [3.87, 43.61]}
LINE = {"type": "LineString", "coordinates": [[3.87, 43.61], [3.871, 43.611]]}
AREA = {
    "type": "Polygon",
    "coordinates": [[[3.87, 43.61], [3.8705, 43.61], [3.8705, 43.6102], [3.87, 43.6102], [3.87, 43.61]]],
}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("works") / "town"
    town_at(folder, "Essai", email="maire@essai.fr")
    held = open_town(folder)
    territories.add(held.store, SYSTEM, COMMUNE, "Essai")
    yield held
    held.close()


def valid(shared: Path, body: bytes) -> None:
    """Assert that a document is valid against the schema that DiaLog publishes."""
    from lxml import etree

    schema = etree.XMLSchema(etree.parse(str(shared / "data/networks/roads/DATEXII_3_D2Payload.xsd")))
    schema.assertValid(etree.fromstring(body))


@pytest.mark.shared
@pytest.mark.parametrize(
    "geometry", [POINT, LINE, AREA, {"type": "MultiPolygon", "coordinates": [AREA["coordinates"]]}]
)
def test_every_order_is_valid(shared: Path, geometry: dict[str, Any]) -> None:
    measures: tuple[Measure, ...] = ("closed", "layout", "no_parking", "speed")
    orders = [
        Order(f"2026-{m}", "Travaux & <câbles>", "Commune", (m,), 0, DAY_US, geometry, withdrawn=m == "speed")
        for m in measures
    ]
    body = publication(orders, made_us=DAY_US, creator="Essai", number="p1")
    valid(shared, body)
    if geometry is LINE:
        assert b"43.6100000 3.8700000 43.6110000 3.8710000" in body  # latitude first


@pytest.mark.shared
def test_residents_see_what_is_published(town: Town, shared: Path) -> None:
    now = town.clock()
    for number, published, ends in (("A1", True, 3), ("A2", False, 3), ("A3", True, -40)):
        values = {
            "number": number,
            "title": f"Travaux {number}",
            "measure": "layout",
            "starts": now - 50 * DAY_US,
            "ends": now + ends * DAY_US,
            "published": published,
        }
        town.store.records.put("works_permit", values, geometry=LINE, territory=COMMUNE, who=SYSTEM)
    client = TestClient(create_app(town))
    page = client.get("/travaux").text
    assert ("Travaux A1" in page, "Travaux A2" in page, "Travaux A3" in page) == (True, False, False)
    assert '<path class="course orange"' in page and 'href="/carte?couche=works_permit"' in page
    answer = client.get("/travaux/datex2.xml")
    valid(shared, answer.content)
    assert [n for n in (b"A1", b"A2", b"A3") if b"<tro:regulationId>" + n in answer.content] == [b"A1"]
    assert client.get("/services/works/declarations", follow_redirects=False).status_code in (302, 303, 401)


# kind, received, dematerialised, measured on site, region → last day
CLOCKS = [
    (
        "joint",
        "2027-03-24",
        True,
        False,
        "",
        "2027-04-05",
    ),  # Easter Monday 29 March left out; 3 April is a Saturday
    ("joint", "2027-03-24", True, False, "57", "2027-04-05"),  # Moselle: Good Friday too, 4 April is a Sunday
    ("dt", "2027-04-29", True, False, "", "2027-05-11"),  # 1, 6 (Ascension) and 8 May
    ("dt", "2026-06-01", True, False, "", "2026-06-10"),
    ("joint", "2026-06-01", False, False, "", "2026-06-16"),
    ("dt", "2026-06-01", True, True, "", "2026-06-25"),
    ("dict", "2026-06-01", True, False, "", "2026-06-08"),
    ("dict", "2026-06-01", False, False, "", "2026-06-10"),
    (
        "dt",
        "2026-12-22",
        True,
        False,
        "",
        "2027-01-04",
    ),  # Christmas and New Year's Day; 2 January is a Saturday
]


@pytest.mark.parametrize(("kind", "received", "paperless", "on_site", "region", "last"), CLOCKS)
def test_the_legal_clock(
    kind: Any, received: str, paperless: bool, on_site: bool, region: str, last: str
) -> None:
    found = deadline(
        kind, date.fromisoformat(received), dematerialised=paperless, on_site=on_site, region=region
    )
    assert (found.day.isoformat(), found.sure) == (last, kind != "dict")


def test_a_commune_has_the_holidays_of_its_region_and_its_own_day(town: Town) -> None:
    assert [region_of(c) for c in ("67482", "68", "57463", "97411", "34172", None)] == [
        "6AE",
        "6AE",
        "57",
        "974",
        "",
        "",
    ]
    assert (
        today_of(town, parse_instant("2027-05-01") - HOUR_US).isoformat() == "2027-05-01"
    )  # 01:00 in France
    values = {"number": "A67", "kind": "joint", "received": date(2027, 3, 17), "state": "closed"}
    row = town.store.records.put("works_declaration", values, territory="67482", who=SYSTEM)
    there = msgspec.structs.replace(row, territory="34172")
    assert [clock_of(r).day.isoformat() for r in (row, there)] == [
        "2027-03-30",
        "2027-03-26",
    ]  # Good Friday, 26 March


def test_what_the_clock_refuses() -> None:
    for kind, on_site, place in (("dict", True, "on_site"), ("atu", False, "kind")):
        with pytest.raises(Problem) as told:
            deadline(kind, date(2026, 6, 1), dematerialised=True, on_site=on_site)  # type: ignore[arg-type]
        assert told.value.place == place
    assert [valid_until(date(*d)).isoformat() for d in ((2026, 11, 30), (2027, 1, 31), (2026, 12, 15))] == [
        "2027-02-28",
        "2027-04-30",
        "2027-03-15",
    ]


def test_assets_within_five_metres_are_cut_out(town: Town) -> None:
    """4 m north of the surface is concerned, 7 m is not; a pipe that crosses it is, and a sewer that came as a file of the
    town's own; the plan shows each once, on the town's streets, a class beside each line."""
    step = 1 / 111_132  # degrees of latitude a metre
    put = town.store.records.put
    for code, metres in (("IN", -3.0), ("NEAR", 4.0), ("FAR", 7.0)):
        place = {"type": "Point", "coordinates": [3.8702, 43.6102 + metres * step]}
        row = put("support", {"code": code, "precision": "A"}, geometry=place, territory=COMMUNE, who=SYSTEM)
        if code == "IN":
            lamp = {"code": "L1", "support": row.id}
            put("lamp", lamp, geometry=place, territory=COMMUNE, who=SYSTEM)
    for code, east, state in (("C<1>", 3.8702, "open"), ("C2", 3.8712, "open"), ("C3", 3.8703, "abandoned")):
        across = {"type": "LineString", "coordinates": [[east, 43.609], [east, 43.612]]}
        values = {"code": code, "state": state, "diameter_mm": 80.0}
        put("water_pipe", values, geometry=across, territory=COMMUNE, who=SYSTEM)
    sewers = town.settings.data / "ass_canalisation.geojson"
    line = {"type": "LineString", "coordinates": [[3.8704, 43.609], [3.8704, 43.612]]}
    feature = {"type": "Feature", "geometry": line, "properties": {"code": "EU1", "precision_xy": "B"}}
    sewers.write_bytes(msgspec.json.encode({"type": "FeatureCollection", "features": [feature]}))
    import_layers(town.store, [sewers], "geojson", {}, SYSTEM)
    put("water_valve", {"code": "V0"}, territory=COMMUNE, who=SYSTEM)
    street = Ground("street", LineString([(3.8702, 43.609), (3.8702, 43.612)]), "Rue")
    build_base_map([street], town.settings.data, "IGN")

    found = concerned_by(town, AREA)
    told = [(g.collection, g.precision, [r.values["code"] for r in g.rows]) for g in groups_of(found)]
    assert told == [
        ("lamp", "A", ["L1"]), ("support", "A", ["IN", "NEAR"]), ("water_pipe", None, ["C<1>"]), ("ass_canalisation", "B", ["EU1"]),
    ]  # fmt: skip
    assert [kind.title.en for kind in found.sensitive] == ["Public lighting"]
    looked = {one.collection.name: (one.placed, one.unplaced) for one in found.looked}
    assert looked == {
        "lamp": (1, 0), "support": (3, 0), "water_pipe": (3, 0), "water_valve": (0, 1), "ass_canalisation": (1, 0),
    }  # fmt: skip
    assert not found.sure
    assert [network_of(c) for n, c in town.store.records.collections.items() if n in ("bin", "charging_point", "building")] == ["", "", "electricity"]  # fmt: skip
    plan = str(plan_svg(town, found, 'Plan "x" <y>', "D<1>"))
    assert (plan.count("<title>"), "&lt;y&gt;" in plan, "<y>" in plan) == (5, True, False)
    assert ">D&lt;1&gt;<" in plan
    assert ("C&lt;1&gt; Ø80 ?" in plan, "EU1 B" in plan, 'class="base street"' in plan) == (True, True, True)


def test_staff_see_the_clock_the_plan_and_note_the_answer(town: Town) -> None:
    """A declaration's page in both languages, with its surface and without; its answer is noted once sent."""
    _, secret = keys.create(town.store, SYSTEM, role="agent", service=None, territories=[COMMUNE])
    client = TestClient(
        create_app(town), headers={"Authorization": f"Bearer {secret}", "Accept": "text/html"}
    )
    put = town.store.records.put
    soon = {"starts": town.clock() + DAY_US, "ends": town.clock() + 2 * DAY_US}
    put(
        "works_permit",
        {"number": "P1", "title": "Sans lieu", "published": True, **soon},
        territory=COMMUNE,
        who=SYSTEM,
    )
    put(
        "works_permit",
        {"number": "P2", "title": "Projet", **soon},
        geometry=LINE,
        territory=COMMUNE,
        who=SYSTEM,
    )
    backward = {
        "number": "P3",
        "title": "À rebours",
        "published": True,
        "starts": soon["ends"],
        "ends": soon["starts"],
    }
    put("works_permit", backward, geometry=LINE, territory=COMMUNE, who=SYSTEM)
    works = client.get("/travaux", params={"lang": "en"}).text
    assert ("To be published" in works, "Projet" in works, "Sans lieu&#39; is neither" in works, "À rebours&#39; ends before" in works) == (True,) * 4  # fmt: skip
    assert "Projet" not in TestClient(create_app(town)).get("/travaux").text
    assert b"rebours" not in client.get("/travaux/datex2.xml").content
    received = to_datetime(town.clock()).date() - timedelta(days=40)
    values = {"number": "D1", "kind": "joint", "received": received, "contact": "Mme Rousselin"}
    row = put("works_declaration", values, geometry=AREA, territory=COMMUNE, who=SYSTEM)
    second = put(
        "works_declaration", {**values, "number": "D2", "kind": "dict"}, territory=COMMUNE, who=SYSTEM
    )
    for n in range(51):  # newer and answered: what waits is not pushed off the page
        newer = {"number": f"N{n:02}", "received": received + timedelta(days=5), "state": "answered", "answered": received + timedelta(days=6)}  # fmt: skip
        put("works_declaration", newer, territory=COMMUNE, who=SYSTEM)
    desk = client.get("/services/works/declarations", params={"lang": "en"}).text
    assert ("D1" in desk, "days late" in desk, "2 late" in desk, len(re.findall(r">N\d\d<", desk))) == (
        True,
        True,
        True,
        50,
    )
    following = re.search(r'rel="next" href="([^"]+)"', desk)
    assert following is not None
    second_page = client.get(following[1].replace("&amp;", "&")).text
    assert ("D1" in second_page, len(re.findall(r">N\d\d<", second_page))) == (False, 1)
    for row_ in town.store.records.all(
        "works_declaration", Query(where={"answered": received + timedelta(days=6)})
    ):
        town.store.records.delete("works_declaration", row_.id, who=SYSTEM)
    place = f"/services/works/declarations/{row.id}"
    english, french = (client.get(place, params={"lang": language}).text for language in ("en", "fr"))
    assert ("Assets concerned" in english, "Récépissé préparé" in french, "<svg" in french) == (
        True,
        True,
        True,
    )
    other = client.get(f"/services/works/declarations/{second.id}", params={"lang": "en"}).text
    assert ("has no surface" in other, "to be checked" in other) == (True, True)
    assert client.post(place, follow_redirects=False).status_code == 303
    held = town.store.records.get("works_declaration", row.id)
    assert (held.values["state"], held.values["answered"]) == ("answered", to_datetime(town.clock()).date())
    assert "valid until" in client.get(place, params={"lang": "en"}).text
    # answered too late, not answered and past its day, answered in time
    put(
        "works_declaration",
        {**values, "number": "D3", "received": received + timedelta(days=35), "state": "answered", "answered": received + timedelta(days=40)},
        territory=COMMUNE, who=SYSTEM,
    )  # fmt: skip
    now = town.clock()
    (output,) = town.registry.services["works"].evaluation.outputs
    assert output.count(town, COMMUNE, now - 60 * DAY_US, now) == 2
    assert output.count(town, COMMUNE, now - 60 * DAY_US, now - 2 * DAY_US) == 0
    figures = {i.name: i.compute for i in town.registry.services["works"].indicators}
    assert figures["works_declared"](town, COMMUNE, now - 60 * DAY_US, now) == 3
    assert figures["works_in_time"](town, COMMUNE, now - 60 * DAY_US, now) == pytest.approx(100 / 3)
    assert figures["works_in_time"](town, "99999", now - 60 * DAY_US, now) is None
