"""What was changed or deleted is kept: `$asOf` shows the town as it was, `Versions` lists what an entity was."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient
from tests.sensorthings_town import (
    LOCATION,
    MULTI,
    POINT,
    ROOT,
    STATION,
    Clock,
    app_of,
    client_of,
    ids,
    made,
    series_of,
    station,
    values,
)

from beffroi.intake.take import Intake
from beffroi.model.result import number_of
from beffroi.plugins import Registry
from beffroi.settings import Settings
from beffroi.standards.reading import Reading, Series, Station
from beffroi.store import catalogue, tables, versions
from beffroi.store.open import Store
from beffroi.store.sealing import seal
from beffroi.town import Town


@pytest.fixture
def town(settings: Settings) -> Iterator[Town]:
    clock = Clock()
    town = Town(settings, Store.open(settings, clock), Registry(()), clock)
    yield town
    town.close()


@pytest.fixture
def client(town: Town) -> Iterator[TestClient]:
    with TestClient(app_of(town, open_writes=True), base_url=ROOT, client=("127.0.0.1", 50_000)) as client:
        yield client


def tick(town: Town) -> str:
    """Let a second pass, and return the instant in its middle."""
    town.clock.now_us += 500_000  # type: ignore[attr-defined]
    stamp = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=town.clock.now_us)  # type: ignore[attr-defined]
    town.clock.now_us += 500_000  # type: ignore[attr-defined]
    return stamp.isoformat().replace("+00:00", "Z")


def test_what_intake_makes_was_not_there_before(client: TestClient, town: Town) -> None:
    before = tick(town)
    mast = Series("x/mast/wind", "wind", Station("x/mast", "Mât", longitude=-2.0, latitude=47.5), unit="m/s")
    Intake(town.store, lambda _code: None).take([Reading(mast, 0, number_of("4.5"), source_key=b"1")])
    after = tick(town)
    for name in ("Things", "Locations", "Datastreams", "Sensors", "ObservedProperties", "FeaturesOfInterest"):
        there = ids(client, name)
        assert there
        assert (ids(client, f"{name}?$asOf={before}"), ids(client, f"{name}?$asOf={after}")) == ([], there)
        (first,) = values(client, f"{name}({there[0]})/Versions")
        assert before < first["version"]["since"] < after
        assert client.patch(f"{name}({there[0]})", json={"name": "autre"}).status_code == 200
        renamed = tick(town)
        old, new = values(client, f"{name}({there[0]})/Versions")
        assert (old["version"]["since"], old["name"]) == (first["version"]["since"], first["name"])
        assert (new["name"], new["version"]["since"] < renamed) == ("autre", True)
        shown = client.get(f"{name}({there[0]})?$asOf={after}").json()
        assert shown["name"] == first["name"]


def test_an_entity_as_it_was_and_its_versions(client: TestClient, town: Town) -> None:
    before_all = tick(town)
    thing = made(client.post("Things", json=station(name="un")))
    first = tick(town)
    client.patch(f"Things({thing})", json={"name": "deux"})
    second = tick(town)
    client.put(f"Things({thing})", json={"name": "trois", "description": "d"})
    third = tick(town)
    for stamp, name, properties in (
        (first, "un", STATION["properties"]),
        (second, "deux", STATION["properties"]),
        (third, "trois", None),
    ):
        shown = client.get(f"Things({thing})?$asOf={stamp}").json()
        assert (shown["name"], shown.get("properties")) == (name, properties)
        assert client.get(f"Things({thing})/name?$as_of={stamp}").json() == {"name": name}
        assert [t["name"] for t in values(client, f"Things?$asOf={stamp}")] == [name]
        assert ids(client, f"Things?$filter=name eq '{name}'&$asOf={stamp}") == [thing]
        assert ids(client, f"Datastreams?$filter=Thing/name eq '{name}'&$asOf={stamp}") == [
            series_of(client, thing)
        ]
        (one,) = values(client, f"Datastreams?$expand=Thing&$orderby=Thing/name&$asOf={stamp}")
        assert one["Thing"]["name"] == name
    assert ids(client, f"Things?$asOf={before_all}") == []
    assert client.get(f"Things({thing})?$asOf={before_all}").status_code == 404
    history = values(client, f"Things({thing})/Versions")
    assert [(v["name"], v["version"]["action"], v["version"].get("author")) for v in history] == [
        ("un", "change", "open-writes"), ("deux", "change", "open-writes"), ("trois", None, None),
    ]  # fmt: skip
    assert [v["version"]["until"] for v in history[:-1]] == [v["version"]["since"] for v in history[1:]]
    page = client.get(f"Things({thing})/Versions?$top=2&$count=true&$select=name").json()
    assert (page["@iot.count"], [v["name"] for v in page["value"]]) == (3, ["un", "deux"])
    assert [v["name"] for v in client.get(page["@iot.nextLink"]).json()["value"]] == ["trois"]


def test_what_was_deleted_is_still_there_as_of_then(client: TestClient, town: Town) -> None:
    body = station()
    body["MultiDatastreams"] = [MULTI]
    thing = made(client.post("Things", json=body))
    stamp = tick(town)
    addresses = [
        (f"Things({thing})?$expand=Datastreams($expand=Sensor,ObservedProperty),MultiDatastreams/ObservedProperties,Locations,"
        "HistoricalLocations/Locations"),
        "Locations?$expand=Things", "ObservedProperties?$expand=MultiDatastreams", f"Things({thing})/Locations",
    ]  # fmt: skip
    then = [client.get(address).json() for address in addresses]
    assert client.delete(f"Things({thing})").status_code == 200
    assert client.delete("ObservedProperties(1)").status_code == 200
    assert client.delete("Locations(1)").status_code == 200
    assert ids(client, "Things") == ids(client, "Datastreams") == ids(client, "HistoricalLocations") == []
    for address, expected in zip(addresses, then, strict=True):
        joint = "&" if "?" in address else "?"
        assert client.get(f"{address}{joint}$asOf={stamp}").json() == expected
    (gone,) = values(client, f"Things({thing})/Versions")
    assert gone["version"]["action"] == "delete"


def test_where_a_thing_was(client: TestClient, town: Town) -> None:
    thing = made(client.post("Things", json=station()))
    stamp = tick(town)
    (old,) = ids(client, f"Things({thing})/Locations")
    new = made(client.post("Locations", json={**LOCATION, "Things": [{"@iot.id": thing}]}))
    assert ids(client, f"Things({thing})/Locations") == [new]
    assert ids(client, f"Things({thing})/Locations?$asOf={stamp}") == [old]
    assert ids(client, f"Locations({old})/Things?$asOf={stamp}") == [thing]
    client.patch(f"Locations({old})", json={"location": {"type": "Point", "coordinates": [9, 9]}})
    assert client.get(f"Locations({old})?$asOf={stamp}").json()["location"] == POINT
    here = "st_within(location, geography'POLYGON((2 48, 3 48, 3 49, 2 49, 2 48))')"
    assert ids(client, f"Locations?$filter={here}&$asOf={stamp}") == [old]


@pytest.mark.parametrize("sealed", [False, True])
def test_observations_as_they_were(client: TestClient, town: Town, sealed: bool) -> None:
    series = series_of(client, made(client.post("Things", json=station())))

    def post(result: Any, day: int) -> int:
        body = {"result": result, "phenomenonTime": f"2020-01-{day:02}T00:00:00Z"}
        return made(client.post(f"Datastreams({series})/Observations", json=body))

    def asked(options: str) -> list[Any]:
        return [o["result"] for o in values(client, f"Datastreams({series})/Observations?{options}")]

    known = [post(n, n + 1) for n in range(5)]
    first = tick(town)
    if sealed:
        seal(town.store.database, town.store.archive, town.clock(), town.store.observations.head())
    client.patch(f"Observations({known[1]})", json={"result": 10.50})
    client.delete(f"Observations({known[2]})")
    second = tick(town)
    client.patch(f"Observations({known[1]})", json={"result": 11})
    post(5, 6)
    assert asked("") == [0, 11, 3, 4, 5]
    assert asked(f"$asOf={first}") == [0, 1, 2, 3, 4]
    assert asked(f"$asOf={second}") == [0, 10.5, 3, 4]
    assert asked(f"$asOf={first}&$orderby=result desc&$top=2&$skip=1") == [3, 2]
    assert asked(f"$asOf={first}&$filter=result gt 0 and result lt 3") == [1, 2]
    assert asked(f"$asOf={second}&$filter=result gt 5") == [10.5]
    page = client.get(f"Datastreams({series})/Observations?$asOf={first}&$top=2&$count=true").json()
    seen = [o["result"] for o in page["value"]]
    assert page["@iot.count"] == 5
    while "@iot.nextLink" in page:
        page = client.get(page["@iot.nextLink"]).json()
        seen += [o["result"] for o in page["value"]]
        assert page["value"]
        assert len(seen) <= 5
    assert seen == [0, 1, 2, 3, 4]
    assert client.get(f"Observations({known[1]})?$asOf={first}").json()["result"] == 1
    assert client.get(f"Observations({known[2]})?$asOf={first}").json()["result"] == 2
    assert client.get(f"Observations({known[2]})?$asOf={second}").status_code == 404
    assert client.get(f"Observations({known[4] + 100})?$asOf={second}").status_code == 404
    expanded = client.get(
        f"Datastreams({series})?$expand=Observations($orderby=phenomenonTime desc;$top=1)&$asOf={first}"
    )
    assert [o["result"] for o in expanded.json()["Observations"]] == [4]
    assert ids(client, f"Datastreams?$filter=Observations/result eq 2&$asOf={first}") == [series]
    assert ids(client, f"Datastreams?$filter=Observations/result eq 2&$asOf={second}") == []
    history = values(client, f"Observations({known[1]})/Versions")
    assert [(v["result"], v["version"]["action"]) for v in history] == [
        (1, "change"),
        (10.5, "change"),
        (11, None),
    ]
    assert [
        (v["result"], v["version"]["action"]) for v in values(client, f"Observations({known[2]})/Versions")
    ] == [(2, "delete")]


def test_data_arrays_and_counts_as_of(client: TestClient, town: Town) -> None:
    series = series_of(client, made(client.post("Things", json=station())))
    one = made(client.post(f"Datastreams({series})/Observations", json={"result": 1}))
    stamp = tick(town)
    client.delete(f"Observations({one})")
    (group,) = values(client, f"Observations?$resultFormat=dataArray&$asOf={stamp}")
    assert [row[2] for row in group["dataArray"]] == [1]
    assert client.get(f"Observations/$count?$asOf={stamp}").text == "1"
    assert client.get("Observations/$count").text == "0"
    assert client.get("Observations?$asOf=yesterday").status_code == 400


def test_what_is_hidden_now_was_not_shown_before(client: TestClient, town: Town) -> None:
    thing = made(client.post("Things", json=station()))
    gone = made(client.post("Things", json=station()))
    client.patch(f"Things({thing})", json={"name": "caché"})
    stamp = tick(town)
    citizen = TestClient(app_of(town, open_writes=False), base_url=ROOT, client=("192.0.2.1", 50_000))
    assert ids(citizen, f"Things?$asOf={stamp}") == [thing, gone]
    with town.store.write() as c:
        catalogue.change(town.store, c, "thing", thing, {"public": 0})
    client.delete(f"Things({gone})")
    assert ids(citizen, f"Things?$asOf={stamp}") == [gone]
    assert len(ids(citizen, f"Datastreams?$asOf={stamp}")) == 1
    assert citizen.get(f"Things({thing})/Versions").status_code == 404
    assert citizen.get(f"Things({gone})/Versions").status_code == 404
    assert [v["name"] for v in values(client, f"Things({thing})/Versions")] == ["station", "caché", "caché"]
    other = made(client.post("Things", json=station()))
    client.patch(f"Things({other})", json={"name": "b"})
    assert all("author" not in v["version"] for v in values(citizen, f"Things({other})/Versions"))


def test_nothing_is_written_for_what_is_only_added(client: TestClient, town: Town) -> None:
    series = series_of(client, made(client.post("Things", json=station())))
    for n in range(20):
        made(client.post(f"Datastreams({series})/Observations", json={"result": n}))
    with town.store.read() as c:
        rows = {name: c.execute(table.select()).all() for name, table in tables.past.items()}
        marks = c.execute(tables.pace.select()).all()
    assert {name: len(found) for name, found in rows.items() if found} == {}
    assert len(marks) == 1  # 20 commits within a tenth of a second


def test_versions_are_forgotten_in_time_and_erased_at_once(client: TestClient, town: Town) -> None:
    thing = made(client.post("Things", json=station(name="un")))
    series = series_of(client, thing)
    one = made(client.post(f"Datastreams({series})/Observations", json={"result": 1}))
    client.patch(f"Things({thing})", json={"name": "deux"})
    client.patch(f"Observations({one})", json={"result": 2})
    stamp = tick(town)
    client.patch(f"Things({thing})", json={"name": "trois"})
    limit = int(datetime.fromisoformat(stamp).timestamp() * 1_000_000)
    assert versions.retire(town.store.database, limit) == 2
    assert [v["name"] for v in values(client, f"Things({thing})/Versions")] == ["deux", "trois"]
    assert len(values(client, f"Observations({one})/Versions")) == 1
    with town.store.write() as c:
        assert versions.without(c, "thing", tables.past["thing"].c.id == thing) == 1
    assert [v["name"] for v in values(client, f"Things({thing})/Versions")] == ["trois"]


def test_marks_of_old_days_are_kept_one_a_minute(client: TestClient, town: Town) -> None:
    series = series_of(client, made(client.post("Things", json=station())))
    for _ in range(4):
        for _ in range(3):
            made(client.post(f"Datastreams({series})/Observations", json={"result": 1}))
            tick(town)
        town.clock.now_us += 60_000_000  # type: ignore[attr-defined]
    town.clock.now_us += 3 * 86_400_000_000  # type: ignore[attr-defined]
    made(client.post(f"Datastreams({series})/Observations", json={"result": 1}))

    def marks() -> list[int]:
        with town.store.read() as c:
            return list(c.execute(tables.pace.select().order_by(tables.pace.c.first_id)).scalars())

    assert marks() == list(range(1, 14))
    versions.retire(town.store.database, 0)
    assert marks() == [1, 4, 7, 10, 13]


def test_a_town_made_before_there_were_versions_gets_them(settings: Settings) -> None:
    town = Town(settings, Store.open(settings, Clock()), Registry(()), Clock())
    with client_of(town) as client:
        thing = made(client.post("Things", json=station(name="un")))
        made(
            client.post(
                "Observations", json={"result": 1, "Datastream": {"@iot.id": series_of(client, thing)}}
            )
        )
    with town.store.write() as c:
        for name, table in tables.past.items():
            if name != "observation":
                c.execute(text(f"DROP TABLE {table.name}"))
                if name != "multi_datastream_property":
                    c.execute(text(f"ALTER TABLE {name} DROP COLUMN since_us"))
        c.execute(text("DROP TABLE multi_datastream_property"))
        for column in ("multi", "multi_units"):
            c.execute(text(f"ALTER TABLE datastream DROP COLUMN {column}"))
        c.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    with town.store.database.write_observations() as c:
        prefix = "obs." if town.store.dialect == "postgresql" else ""
        for name in ("observation_version", "pace"):
            c.execute(text(f"DROP TABLE {prefix}{name}"))
    town.close()
    town = Town(settings, Store.open(settings, Clock()), Registry(()), Clock())
    with client_of(town) as client:
        client.patch(f"Things({thing})", json={"name": "deux"})
        assert [v["name"] for v in values(client, f"Things({thing})/Versions")] == ["un", "deux"]
        assert next(v["version"]["since"] for v in values(client, f"Things({thing})/Versions")) is None
        assert [o["result"] for o in values(client, "Observations?$asOf=2023-01-01T00:00:00Z")] == [1]
    town.close()
