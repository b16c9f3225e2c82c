"""The SQL of a filter selects exactly what the plain Python evaluation of it does: on SQLite, PostgreSQL and DuckDB."""

import random
from collections.abc import Callable, Iterable
from typing import Any

from tests.sensorthings_town import DATASTREAM, LOCATION

from beffroi.model.instant import DAY_US, HOUR_US
from beffroi.model.observation import Draft
from beffroi.model.problem import Problem
from beffroi.model.result import result_of
from beffroi.standards.sensorthings.address import read_options, read_path
from beffroi.standards.sensorthings.answering import answer
from beffroi.standards.sensorthings.bind import bind_filter
from beffroi.standards.sensorthings.body import read_new
from beffroi.standards.sensorthings.dialects import prepare
from beffroi.standards.sensorthings.entities import BY_NAME, Navigation
from beffroi.standards.sensorthings.evaluate import holds
from beffroi.standards.sensorthings.observing import plain_row
from beffroi.standards.sensorthings.parse import parse_filter
from beffroi.standards.sensorthings.reading import Reader
from beffroi.standards.sensorthings.sight import EVERYTHING
from beffroi.store import catalogue, tables
from beffroi.store.observations import ObservationQuery
from beffroi.store.open import Store
from beffroi.store.sealing import seal

START_US = 1_577_836_800_000_000  # 2020-01-01
NOW_US = START_US + 400 * DAY_US

FILTERS: dict[str, list[str]] = {
    "Thing": [
        "name eq 'Thing 1'", "name gt 'Thing 1'", "name in ('Thing 0','Thing 3')", "id in (1,2)", "id gt 5 and id le 20",
        "properties/n eq 2", "properties/n gt 0.5", "properties/s eq 'é'", "properties/b eq true", "properties/b eq false",
        "properties/deep/x eq 1.5", "properties/tags[1] eq 'b'", "properties/none eq null", "properties/n ne null",
        "properties/when ge 2020-01-02T00:00:00Z", "properties/n add 1 gt 2", "not (properties/n gt 1)",
        "startswith(name,'Thing') and endswith(name,'2')", "substringof('ing 1',name)", "contains(description,'É')",
        "length(name) eq 7", "indexof(name,'3') eq 6", "indexof(name,'zz') eq -1", "substring(name,6) eq '1'",
        "substring(name,0,3) eq 'Thi'", "tolower(name) eq 'thing 1'", "toupper(description) eq 'ÉTÉ 2'",
        "trim(concat(' ',name)) eq 'Thing 2'", "concat(concat(name,'-'),description) eq 'Thing 1-été 1'",
        "Datastreams/name eq 'série 2'", "not (Datastreams/name eq 'série 2')", "Datastreams/any(d: d/name eq 'série 2' and d/unitOfMeasurement/symbol eq '°C')",
        "Datastreams/unitOfMeasurement/symbol eq '°C'", "Datastreams/ObservedProperty/name eq 'Température'",
        "Locations/name eq 'Pont neuf'", "Locations/location eq null", "st_within(Locations/location, geography'POLYGON((0 40,2.5 40,2.5 50,0 50,0 40))')",
        "Datastreams/Observations/result gt 40", "not (Datastreams/Observations/result gt 40)", "Datastreams/Observations/Datastream/name eq 'série 1'",
        "HistoricalLocations/time gt 2000-01-01T00:00:00Z", "name eq description", "Datastreams/name eq Datastreams/description",
        "Datastreams/id eq null", "Datastreams/id ne null", "Datastreams/Observations/id eq null", "Datastreams/name eq name", "not (Datastreams/description gt description)",
        "Datastreams/any(d: d/name gt description)", "Datastreams/any(d: d/ObservedProperty/Datastreams/any(e: e/name ne name))",
        "Locations/HistoricalLocations/Thing/properties/n ge properties/n", "1 in properties/tags", "'a' in properties/tags", "name in properties/tags", "not ('b' in properties/tags)",
        "properties/n eq '1'", "properties/n eq properties/s", "properties/n lt properties/deep/x", "properties/b eq properties/b", "properties/n ne properties/s", "properties/when add duration'P1D' gt 2020-01-04T00:00:00Z",
    ],
    "Location": [
        "st_within(location, geography'POLYGON((0 40,2.5 40,2.5 50,0 50,0 40))')", "st_intersects(location, geography'LINESTRING(0 45,5 45)')",
        "geo.distance(location, geography'POINT(2 45)') lt 1.2", "st_equals(location, geography'POINT(2 45)')",
        "st_disjoint(location, geography'POLYGON((0 40,2.5 40,2.5 50,0 50,0 40))')", "not st_contains(location, geography'POINT(2 45)')",
        "geo.length(location) gt 0.5", "st_crosses(location, geography'LINESTRING(0 46,9 46)')", "st_touches(location, geography'POINT(5 45)')",
        "st_overlaps(location, geography'POLYGON((6 44,8 44,8 48,6 48,6 44))')", "st_relate(location, geography'POINT(2 45)', 'T********')",
        "geo.intersects(location, geography'POINT(7 46)')", "Things/properties/n eq 2", "location/type eq 'Point'", "location/coordinates[0] gt 1.5",
    ],
    "Datastream": [
        "unitOfMeasurement/name eq 'degree Celsius'", "unitOfMeasurement/symbol ne '°C'", "Thing/id eq 1", "Thing/properties/n gt 0",
        "phenomenonTime ge 2020-01-03T00:00:00Z", "phenomenonTime lt 2020-03-01T00:00:00Z", "overlaps(phenomenonTime, 2020-01-01T00:00:00Z/2020-01-02T00:00:00Z)",
        "phenomenonTime eq null", "Observations/result eq 12", "Thing/Locations/name eq 'Pont neuf'", "Sensor/metadata eq 'http://a.test/n.pdf'",
        "Observations/any(o: o/result gt 30 and o/phenomenonTime lt 2020-01-20T00:00:00Z)", "Thing/name eq name", "Thing/Datastreams/name gt name",
    ],
    "Observation": [
        "result gt 20", "result le -1.5", "result eq 12", "result ne 12", "result eq 'texte'", "result gt '3'", "result eq '12'", "result in ('12','true')", "startswith(result,'1')", "result eq true", "result eq null", "result ne null",
        "result in (12,13,14)", "result add 1 eq 13", "result mul 2 gt 50", "result div 0 eq 1", "result mod 5 eq 2", "result sub 5 lt 0",
        "round(result) eq 12", "floor(result) eq 11", "ceiling(result) eq 12", "-result gt 3", "result/a eq 1", "length(result) gt 2",
        "phenomenonTime gt 2020-01-05T00:00:00Z", "phenomenonTime ge 2020-01-05T00:00:00Z and phenomenonTime lt 2020-02-07T00:00:00Z",
        "phenomenonTime eq 2020-01-05T00:00:00Z", "phenomenonTime ne 2020-01-05T00:00:00Z", "phenomenonTime le 2020-01-05T00:00:00Z",
        "during(phenomenonTime, 2020-01-02T00:00:00Z/2020-01-09T00:00:00Z)", "before(phenomenonTime, 2020-01-09T00:00:00Z)",
        "after(phenomenonTime, 2020-01-09T00:00:00Z)", "overlaps(phenomenonTime, 2020-01-04T12:00:00Z/2020-01-05T12:00:00Z)",
        "meets(phenomenonTime, 2020-01-05T00:00:00Z/2020-01-06T00:00:00Z)", "starts(phenomenonTime, 2020-01-05T00:00:00Z)",
        "finishes(phenomenonTime, 2020-01-05T01:00:00Z)", "phenomenonTime lt 2020-01-05T00:00:00Z/2020-01-06T00:00:00Z",
        "year(phenomenonTime) eq 2020", "month(phenomenonTime) eq 2", "day(phenomenonTime) lt 5", "hour(phenomenonTime) eq 0",
        "minute(phenomenonTime) eq 0", "second(phenomenonTime) gt 20", "fractionalseconds(phenomenonTime) ne 0",
        "date(phenomenonTime) eq 2020-01-05", "time(phenomenonTime) lt 06:00:00", "totaloffsetminutes(phenomenonTime) eq 0",
        "phenomenonTime add duration'P1D' gt 2020-02-01T00:00:00Z", "resultTime sub phenomenonTime gt duration'PT30M'",
        "resultTime eq null", "resultTime gt phenomenonTime", "now() sub duration'P380D' gt phenomenonTime", "phenomenonTime gt mindatetime()",
        "resultQuality eq 'bon'", "parameters/seuil gt 2", "validTime ge 2020-01-01T00:00:00Z", "phenomenonTime gt '2020-01-05T00:00:00Z'",
        "result gt Datastream/Thing/properties/n", "parameters/seuil gt Datastream/Thing/properties/n", "Datastream/name gt Datastream/Thing/name", "result eq Datastream/id", "startswith(Datastream/name, resultQuality)",
        "phenomenonTime add duration'PT1H' gt 2020-01-05T00:00:00Z/2020-01-06T00:00:00Z", "validTime sub duration'P1D' lt 2020-01-02T00:00:00Z", "phenomenonTime ge 2020-01-05T00:00:00Z/2020-01-06T00:00:00Z", "phenomenonTime le 2020-01-05T00:00:00Z/2020-01-06T00:00:00Z",
        "during(phenomenonTime, 2020-01-05T00:00:00Z/2020-01-06T00:00:00Z add duration'PT12H')", "2 in result", "'a' in parameters/seuil", "1 in parameters/rangs",
        "Datastream/name eq 'série 1'", "Datastream/Thing/properties/n eq 2", "Datastream/id eq 5 or result gt 45", "Datastream/Thing/Locations/name eq 'ligne'",
        "not (Datastream/name eq 'série 1')", "FeatureOfInterest/name eq 'Pont neuf'", "FeatureOfInterest/id eq null",
        "st_within(FeatureOfInterest/feature, geography'POLYGON((0 40,2.5 40,2.5 50,0 50,0 40))')", "Datastream/Observations/result gt 45",
        "true", "false or result gt 20", "1 eq 1", "'a' lt 'b' and result gt 20",
    ],
}  # fmt: skip

SHAPES = [
    {"type": "Point", "coordinates": [1, 45]}, {"type": "Point", "coordinates": [2, 45]},
    {"type": "LineString", "coordinates": [[5, 45], [5, 47]]},
    {"type": "Polygon", "coordinates": [[[6.5, 45], [7.5, 45], [7.5, 47], [6.5, 47], [6.5, 45]]]},
]  # fmt: skip
RESULTS: list[Any] = ["texte", True, False, None, {"a": 1}, [1, 2], 12, 11.5, -2.25, 0]


def people(store: Store) -> None:
    """Fill a store with Things of every kind, and Observations old and new."""
    chance = random.Random(7)
    for n in range(5):
        properties = [{"n": n, "s": "é", "b": n % 2 == 0}, {"n": str(n), "deep": {"x": 1.5}}, {"tags": ["a", "b"], "when": f"2020-01-0{n + 1}T00:00:00Z", "n": n}, {}, None][n]  # fmt: skip
        place = {**LOCATION, "location": SHAPES[n % 4], "name": "ligne" if n == 2 else "Pont neuf"}
        unit = {
            "name": "degree Celsius" if n % 2 else "mètre",
            "symbol": "°C" if n % 2 else "m",
            "definition": "x",
        }
        series = [
            {**DATASTREAM, "name": f"série {n + k}", "description": "série 3", "unitOfMeasurement": unit}
            for k in range(2)
        ]
        body = {"name": f"Thing {n}", "description": f"été {n}", "Datastreams": series if n else [], "Locations": [place] if n < 4 else []}  # fmt: skip
        if properties is not None:
            body["properties"] = properties
        with store.write() as c:
            catalogue.create(store, c, read_new(BY_NAME["Thing"], body, NOW_US))
    with store.read() as c:
        from sqlalchemy import select

        all_series = list(
            c.execute(select(tables.datastream.c.id).order_by(tables.datastream.c.id)).scalars()
        )
    drafts = []
    for i in range(240):
        start = START_US + i % 60 * DAY_US // 2 + chance.choice([0, 0, 30_500_000, 5 * HOUR_US])
        value = (
            RESULTS[i % len(RESULTS)]
            if i % 3 == 0
            else chance.choice([chance.randint(-5, 50), chance.random() * 50])
        )
        extra = '{"resultQuality":"bon","parameters":{"seuil":2.5,"rangs":[1,"2"]},"validTime":"2020-01-01T00:00:00Z/2020-01-02T00:00:00Z"}'
        drafts.append(Draft(all_series[i % (len(all_series) - 1)], start, result_of(value), start + HOUR_US if i % 4 == 0 else None,
                            start + HOUR_US if i % 5 == 0 else None, extra=extra if i % 7 == 0 else None))  # fmt: skip
    with store.write() as c:
        for draft in drafts:
            draft.feature_id = catalogue.default_feature(store, c, draft.datastream_id)
    store.observations.append(drafts)


class Graph:
    """Everything in a store as plain values, for the evaluation in Python."""

    def __init__(self, store: Store) -> None:
        with store.read() as c:
            self.rows = {
                t.name: {row["id"]: row for row in c.execute(t.select()).mappings()}
                for t in tables.metadata.tables.values() if "id" in t.c and t.name in {e.table for e in BY_NAME.values()}
            }  # fmt: skip
            self.links = {
                name: list(c.execute(tables.metadata.tables[name].select()).mappings())
                for name in ("thing_location", "historical_location_location")
            }
        self.observations = {o.id: o for o in store.observations.select(ObservationQuery())}
        self.stats = store.observations.stats()
        self.known: dict[str, list[dict[str, Any]]] = {}
        self.last = store.observations.last()

    def plain(self, entity: str) -> list[dict[str, Any]]:
        if entity not in self.known:
            self.known[entity] = self._plain(entity)
        return self.known[entity]

    def _plain(self, entity: str) -> list[dict[str, Any]]:
        if entity == "Observation":
            return [{**plain_row(o), "_type": entity, "id": o.id, "datastream_id": o.datastream_id, "feature_id": o.feature_id} for o in self.observations.values()]  # fmt: skip
        return [self._row(entity, row) for row in self.rows[BY_NAME[entity].table].values()]

    def _row(self, entity: str, row: Any) -> dict[str, Any]:
        import msgspec

        plain: dict[str, Any] = {**row, "_type": entity, "@iot.id": row["id"]}
        for hop in BY_NAME[entity].navigations:
            if not hop.many:
                plain[f"{hop.name}/@iot.id"] = row[hop.join.here]
        for found in BY_NAME[entity].properties:
            if found.derived:
                known = self.last.get(row["id"])
                plain[found.name] = None if known is None else (self.stats[row["id"]].first_us, known.start_us if known.end_us is None else known.end_us)  # fmt: skip
            elif found.parts:
                for part in found.parts:
                    plain[part.name] = row[part.columns[0]]
            else:
                value = row[found.columns[0]]
                plain[found.name] = (
                    msgspec.json.decode(value) if found.kind == "json" and value is not None else value
                )
        if entity in ("Datastream", "Thing", "Location", "Sensor"):
            plain["name"] = row["name"]
        return plain

    def follow(self, near: Any, hop: Navigation) -> Iterable[Any]:
        join = hop.join
        if join.table:
            wanted = {link[join.far] for link in self.links[join.table] if link[join.near] == near["id"]}
            return [far for far in self.plain(hop.target) if far["id"] in wanted]
        return [
            far
            for far in self.plain(hop.target)
            if far[join.there] is not None and far[join.there] == near[join.here]
        ]


SPECIAL = ("unitOfMeasurement", "location/")


def selected(store: Store, entity: str, text: str) -> list[int]:
    """Return the ids that the store selects."""
    from beffroi.standards.sensorthings.syntax import Name, Options

    prepare(store.database.reader)
    with store.read() as c:
        reader = Reader(store, c, "", EVERYTHING, NOW_US)
        here = reader.find(read_path(BY_NAME[entity].set_name))
        page = reader.page(
            here, Options(select=(Name(("id",)),), filter=parse_filter(text), top=10_000), [], ""
        )
        assert reader.count(here, Options(filter=parse_filter(text))) == len(page["value"])
    return sorted(one["@iot.id"] for one in page["value"])


def expected(graph: Graph, entity: str, text: str) -> list[int]:
    """Return the ids that the evaluation in Python selects."""
    condition = bind_filter(BY_NAME[entity], parse_filter(text), NOW_US)
    return sorted(row["@iot.id"] for row in graph.plain(entity) if holds(condition, row, graph.follow))


def compare(store: Store, graph: Graph, filters: Iterable[tuple[str, str]]) -> dict[str, int]:
    sizes = {}
    for entity, text in filters:
        found = selected(store, entity, text)
        assert found == expected(graph, entity, text), (entity, text)
        sizes[f"{entity}: {text}"] = len(found)
    return sizes


def every() -> list[tuple[str, str]]:
    return [
        (entity, text) for entity, texts in FILTERS.items() for text in texts if not _of_geometry_json(text)
    ]


def _of_geometry_json(text: str) -> bool:
    return text.startswith(("location/", "unitOfMeasurement")) or "/unitOfMeasurement" in text


def test_sql_selects_what_the_evaluation_selects(store: Store) -> None:
    people(store)
    graph = Graph(store)
    sizes = compare(store, graph, every())
    assert sum(1 for n in sizes.values() if n) > 0.7 * len(sizes)  # the filters do select something
    chance = random.Random(3)
    mixed = []
    for entity, texts in FILTERS.items():
        plain = [t for t in texts if not _of_geometry_json(t)]
        for _ in range(20):
            parts = [
                ("not " if chance.random() < 0.3 else "") + f"({chance.choice(plain)})" for _ in range(3)
            ]
            mixed.append(
                (
                    entity,
                    f"{parts[0]} {chance.choice(['and', 'or'])} ({parts[1]} {chance.choice(['and', 'or'])} {parts[2]})",
                )
            )
    compare(store, graph, mixed)


def test_geometry_and_units_inside(store: Store) -> None:
    people(store)
    assert len(selected(store, "Location", "location/type eq 'Point'")) == 2
    assert len(selected(store, "Location", "location/coordinates[0] gt 1.5")) == 1
    assert len(selected(store, "Datastream", "unitOfMeasurement/symbol eq '°C'")) == 4
    assert len(selected(store, "Thing", "Datastreams/unitOfMeasurement/symbol eq '°C'")) == 2


def test_sealed_observations_are_selected_alike(store: Store) -> None:
    people(store)
    graph = Graph(store)
    filters = [(e, t) for e, t in every() if "Observation" in e or "Observations/" in t]
    before = compare(store, graph, filters)
    seal_all(store)
    with store.read() as c:
        assert store.archive.live(c)
    assert compare(store, graph, filters) == before


def seal_all(store: Store) -> None:
    assert seal(store.database, store.archive, START_US + 20 * DAY_US, store.observations.head()).rows > 100


def test_pages_by_keyset_give_each_once_in_order(store: Store) -> None:
    """Whatever the order, following nextLink gives every observation once, even while others are added."""
    people(store)
    prepare(store.database.reader)
    orders = ["", "result", "result desc", "phenomenonTime desc", "resultTime,result desc", "Datastream/name desc,phenomenonTime",
              "resultQuality", "year(phenomenonTime),result", "result mod 7 desc"]  # fmt: skip
    for sealed in (False, True):
        if sealed:
            seal_all(store)
        known = {o.id for o in store.observations.select(ObservationQuery())}
        for order in orders:
            seen = follow(store, f"$orderby={order}&" if order else "", "Observations", 37)
            assert len(seen) == len(set(seen)), order
            assert known <= set(seen), order
            whole = follow(store, f"$orderby={order}&" if order else "", "Observations", 10_000)
            assert [i for i in seen if i in known] == [i for i in whole if i in known], (order, sealed)


def follow(
    store: Store, options: str, path: str, top: int, between: Callable[[], None] = lambda: None
) -> list[int]:
    import msgspec

    seen: list[int] = []
    query = f"{options}$top={top}&$select=id"
    while True:
        parsed, texts = read_options(query)
        page = msgspec.json.decode(
            answer(store, EVERYTHING, "", path, read_path(path), parsed, texts, NOW_US).body
        )
        seen += [one["@iot.id"] for one in page["value"]]
        link = page.get("@iot.nextLink")
        if link is None:
            return seen
        assert page["value"]
        assert link.partition("?")[2] != query
        query = link.partition("?")[2]
        between()


def test_newest_of_many_are_those_of_each(store: Store) -> None:
    """Observations expanded in many datastreams at once are those of each datastream asked alone, sealed or not."""
    import msgspec

    def asked(path: str, query: str) -> Any:
        parsed, texts = read_options(query)
        return msgspec.json.decode(
            answer(store, EVERYTHING, "", path, read_path(path), parsed, texts, NOW_US).body
        )

    people(store)
    for sealed in (False, True):
        if sealed:
            seal_all(store)
        for top in (1, 3, 30, 200):
            inner = f"$top={top};$orderby=phenomenonTime desc"
            page = asked("Datastreams", f"$expand=Observations({inner})")["value"]
            for one in page:
                alone = asked(f"Datastreams({one['@iot.id']})/Observations", inner.replace(";", "&"))
                assert one["Observations"] == alone["value"]
                assert ("Observations@iot.nextLink" in one) == ("@iot.nextLink" in alone)
                if "@iot.nextLink" in alone:
                    token = alone["@iot.nextLink"].rpartition("=")[2]
                    assert one["Observations@iot.nextLink"].endswith(token)


def test_things_by_pages_while_others_are_made(store: Store) -> None:
    people(store)
    prepare(store.database.reader)

    def one_more() -> None:
        with store.write() as c:
            catalogue.create(
                store, c, read_new(BY_NAME["Thing"], {"name": "Thing 0", "description": "neuf"}, NOW_US)
            )

    for order in ("name", "name desc", "properties/n", "id desc", "description,name desc"):
        with store.read() as c:
            known = set(c.execute(tables.thing.select()).scalars())
        seen = follow(store, f"$orderby={order}&", "Things", 2, one_more) if len(known) < 12 else follow(store, f"$orderby={order}&", "Things", 2)  # fmt: skip
        assert len(seen) == len(set(seen))
        assert known <= set(seen)


WORDS = [
    "name", "result", "phenomenonTime", "properties/a", "id", "Datastreams/name", "Datastream/Thing/name", "location", "eq", "and", "not", "(", ")",
    ",", "'x'", "5", "null", "2020-01-01T00:00:00Z", "in (1,2)", "any(", "\\", "é", "{}", "%", ";", "[0]",
]  # fmt: skip
NUMBERS = ["5", "-1.5", "1e300", "1e308 mul 1e10", "9999999999999999", "id", "length(substring('abc',-1e300,5))", "round(-0.5)", "indexof('a','b')",
           "5 mod 0", "7 div 0", "id mul 1e18", "id sub 99999999999999", "floor(1e300)", "hour(now())", "properties/n", "result", "fractionalseconds(now())"]  # fmt: skip
TEXTS = ["'x'", "''", "'2020'", "name", "concat(name,name)", "tolower('É')", "substring(name,1e18)", "substring('x',-5,-5)", "properties/s", "'\\'", "'%'",
         "trim(' a ')", "result", "'12e9'"]  # fmt: skip
TIMES = ["2020-01-01T00:00:00Z", "2020-01-01", "now()", "mindatetime()", "maxdatetime()", "now() add duration'P3652500D'", "phenomenonTime",
         "now() sub duration'PT1H' mul 1e300", "2020-01-01T00:00:00Z/P1D", "resultTime", "time", "validTime", "'2020-01-01T00:00:00Z'", "'hier'"]  # fmt: skip
PLACES = ["geography'POINT(1 2)'", "geography'POLYGON((0 0,1 1,0 1,1 0,0 0))'", "geography'POINT EMPTY'", "location", "feature",
          "geography'GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,1 1))'", "geography'POINT Z(1 2 3)'", "Locations/location", "'POINT(1 1)'"]  # fmt: skip
KINDS = [NUMBERS, TEXTS, TIMES]


def sentence(chance: random.Random) -> str:
    """Return a filter that often makes sense and always tries something."""
    if chance.random() < 0.15:
        return " ".join(chance.choice(WORDS) for _ in range(chance.randint(1, 9)))
    parts = []
    for _ in range(chance.randint(1, 3)):
        values = chance.choice(KINDS)
        shape = f"{chance.choice(['st_within', 'geo.intersects', 'st_touches', 'st_relate', 'st_contains'])}({chance.choice(PLACES)},{chance.choice(PLACES)})"
        parts.append(chance.choice([
            f"{chance.choice(values)} {chance.choice(['eq', 'ne', 'gt', 'le', 'lt', 'ge'])} {chance.choice(values)}",
            f"not ({chance.choice(values)} eq {chance.choice(values)})",
            f"{chance.choice(NUMBERS)} {chance.choice(['add', 'sub', 'mul', 'div', 'mod'])} {chance.choice(NUMBERS)} gt {chance.choice(NUMBERS)}",
            f"{chance.choice(['overlaps', 'before', 'during', 'meets'])}({chance.choice(TIMES)},{chance.choice(TIMES)})",
            f"{chance.choice(['year', 'date', 'time', 'month'])}({chance.choice(TIMES)}) ne null",
            f"{chance.choice(values)} in ({chance.choice(values)},{chance.choice(values)})", shape,
            f"geo.distance({chance.choice(PLACES)},{chance.choice(PLACES)}) lt {chance.choice(NUMBERS)}",
        ]))  # fmt: skip
    return f" {chance.choice(['and', 'or'])} ".join(parts)


def test_two_thousand_filters_answer_or_refuse(store: Store) -> None:
    """Whatever the filter, it is answered or refused with a place; nothing else is raised."""
    people(store)
    seal_all(store)
    chance = random.Random(11)
    answered = 0
    rounds = 2_200 if store.dialect == "sqlite" else 600
    for _ in range(rounds):
        path = chance.choice(list(BY_NAME.values())).set_name
        text = sentence(chance)
        from urllib.parse import quote

        order = (
            f"&$orderby={quote(chance.choice([*NUMBERS, *TEXTS, *TIMES]))}" if chance.random() < 0.3 else ""
        )
        try:
            parsed, texts = read_options(f"$filter={quote(text)}&$top=3&$count=true{order}")
            answer(store, EVERYTHING, "", path, read_path(path), parsed, texts, NOW_US)
            answered += 1
        except Problem as problem:
            assert problem.status == 400, (path, text, order)
            assert problem.place, (path, text)
    assert answered > rounds // 6
