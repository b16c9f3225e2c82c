"""Queries asked again and again with other values: always what a plain search of all records finds, in its order."""

import random
import shutil
import sqlite3
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from beffroi.model.collection import Collection, Record, choice, field
from beffroi.model.principal import SYSTEM
from beffroi.model.text import Text
from beffroi.store import record_import, record_query, records
from beffroi.store.open import Store
from beffroi.store.record import Entry, Query, Row, Where


class Call(Record):
    """A call to the town hall."""

    code: str = field("Code", "Code", key=True)
    at: int | None = field("Le", "At")
    state: str = field(
        "État", "State", choices=(choice("new", "Reçu", "New"), choice("done", "Fait", "Done")), default="new"
    )
    level: str | None = field("Niveau", "Level", default="plain")
    place: str | None = field("Lieu", "Place")
    shown: bool = field("Public", "Public", default=False)


CALLS = Collection("call", Text("Appels", "Calls"), Call, geometry="point", status="state", ends=("state", "done"),
                   walked=(("at", "_id", "state"), ("level", "at", "_id", "state")))  # fmt: skip
STREETS = ("rue des Lilas", "Rue du Port", "ruelle du Four", "quai Émile")


def entries(n: int, chance: random.Random) -> list[Entry]:
    found = []
    for i in range(n):
        values: dict[str, Any] = {
            "code": f"C-{i}", "at": chance.choice([None, *range(30)]), "state": chance.choice(["new", "done", "done", "done"]),
            "level": chance.choice(["plain", "plain", "high", None]), "place": f"{chance.randrange(1, 20)} {chance.choice(STREETS)}",
            "shown": chance.random() < 0.8,
        }  # fmt: skip
        spot = {"type": "Point", "coordinates": [chance.randrange(100) / 100, chance.randrange(100) / 100]}
        found.append(
            Entry(
                {k: v for k, v in values.items() if v is not None},
                spot if chance.random() < 0.9 else None,
                chance.choice([None, "35236"]),
                str(i),
            )
        )
    return found


@pytest.fixture
def calls(store: Store) -> list[Row]:
    store.records.declare([CALLS])
    record_import.take(store.records, "call", entries(300, random.Random(3)), who=SYSTEM)
    return list(store.records.all("call", Query(limit=1000)))


def meets(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, tuple):
        return all(meets(value, w) for w in wanted)
    if isinstance(wanted, list):
        return value in wanted
    if not isinstance(wanted, Where):
        return bool(value == (None if wanted == "" else wanted))
    match wanted.operator:
        case "known":
            return value is not None
        case "unknown":
            return value is None
        case "contains":
            return value is not None and str(wanted.value).lower() in str(value).lower()
        case "!=":
            return bool(value != wanted.value)
    return value is not None and {"<": value < wanted.value, ">=": value >= wanted.value}[wanted.operator]


def words_of(row: Row) -> set[str]:
    texts = " ".join(str(row.values[n] or "") for n in ("code", "state", "level", "place")).lower()
    plain = "".join(c for c in unicodedata.normalize("NFKD", texts) if not unicodedata.combining(c))
    return set(plain.replace("-", " ").split())


def found(rows: list[Row], query: Query) -> list[int]:
    """Return the ids that a query finds, by looking at every row."""
    kept = []
    for row in rows:
        if not all(meets(row.values[n], w) for n, w in query.where.items() if n != "_territory"):
            continue
        places = query.where.get("_territory", ["", "35236"])
        if (row.territory or "") not in ([places] if isinstance(places, str) else places):
            continue
        if query.bbox is not None:
            if row.geometry is None:
                continue
            x, y = row.geometry["coordinates"]
            west, south, east, north = query.bbox
            if not (west <= x <= east if west <= east else x >= west or x <= east) or not south <= y <= north:
                continue
        if not all(any(w.startswith(t) for w in words_of(row)) for t in query.text.lower().split()):
            continue
        kept.append(row)
    falling, name = query.sort.startswith("-"), query.sort.removeprefix("-")
    key = (
        (lambda r: r.id)
        if name == "_id"
        else (lambda r: (r.values[name] is not None, r.values[name] or 0, r.id))
    )
    return [r.id for r in sorted(kept, key=key, reverse=falling)]


def asked(chance: random.Random) -> Query:
    where: dict[str, Any] = {
        "at": [None, 3, Where(">=", chance.randrange(30)), (Where(">=", 4), Where("<", chance.randrange(5, 30))), [1, 2, chance.randrange(9)]],
        "state": ["new", "done", Where("!=", "done"), ["new"], ["new", "done"]],
        "level": [None, "", "plain", "high", Where("unknown"), Where("known"), Where("!=", "high")],
        "place": [Where("contains", chance.choice(("LILAS", "1", "%", "_"))), "3 Rue du Port"],
        "shown": [True, False], "_territory": ["", "35236", ["35236"]],
    }  # fmt: skip
    some = {n: chance.choice(where[n]) for n in chance.sample(list(where), chance.randrange(4))}
    x, y = chance.random(), chance.random()
    box = chance.choice([None, None, (x, y, x + 0.3, y + 0.4), (0.8, 0.0, 0.2, 1.0)])
    text = chance.choice(["", "", "rue", "lilas", "emile", "ru 1", "zzz"])
    return Query(where=some, bbox=box, text=text, sort=chance.choice(("_id", "-_id", "at", "-at")), limit=chance.choice((7, 50)))  # fmt: skip


def test_any_query_finds_what_a_search_of_all_finds(store: Store, calls: list[Row]) -> None:
    chance = random.Random(8)
    for _ in range(250):
        query = asked(chance)
        wanted = found(calls, query)
        assert [r.id for r in store.records.all("call", query)] == wanted, query
        assert store.records.count("call", query) == len(wanted), query
        assert store.records.count("call", query, most=5) == min(5, len(wanted)), query


def test_values_that_are_common_drive_no_list_and_change_nothing(
    store: Store, calls: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "MOST_WORDS", 30)
    chance = random.Random(9)
    for _ in range(120):
        query = asked(chance)
        if not query.text:
            assert [r.id for r in store.records.all("call", query)] == found(calls, query), query


def test_what_is_under_way_is_found_where_it_is_now(store: Store, calls: list[Row]) -> None:
    chance = random.Random(10)
    for row in chance.sample(calls, 120):
        spot = {"type": "Point", "coordinates": [chance.random(), chance.random()]}
        match chance.randrange(4):
            case 0:
                store.records.put("call", {"state": chance.choice(["new", "done"])}, id=row.id, who=SYSTEM)
            case 1:
                store.records.put("call", {}, id=row.id, geometry=chance.choice([spot, {}]), who=SYSTEM)
            case 2:
                store.records.delete("call", row.id, who=SYSTEM)
            case _:
                store.records.delete("call", row.id, who=SYSTEM)
                with store.records.writer(SYSTEM) as writer:
                    writer.restore("call", row.id)
    now = list(store.records.all("call", Query(limit=1000)))
    for state in (Where("!=", "done"), "new", ["new"], "done"):
        for _ in range(10):
            x, y = chance.random(), chance.random()
            query = Query(where={"state": state}, bbox=(x, y, x + 0.3, y + 0.3), limit=1000)
            assert [r.id for r in store.records.find("call", query).rows] == found(now, query)


def test_a_very_common_word_finds_only_itself_and_the_records_stored_last(
    store: Store, calls: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    if store.dialect != "sqlite":
        return
    lanes = found(calls, Query(text="ruelle"))
    assert set(lanes) < set(found(calls, Query(text="rue")))
    assert {r.id for r in store.records.find("call", Query(text="rue", limit=1000)).rows} >= set(lanes)
    monkeypatch.setattr(record_query, "MOST_WORDS", 40)
    monkeypatch.setattr(records, "MOST_WORDS", 40)
    store.records.declare([CALLS])  # what is planned is planned again
    streets = [row.id for row in calls if "rue" in words_of(row)]
    assert [r.id for r in store.records.find("call", Query(text="rue", limit=1000)).rows] == streets[-40:]
    assert [r.id for r in store.records.find("call", Query(text="ruell", limit=1000)).rows] == lanes[-40:]


def test_of_a_full_box_those_stored_last_are_looked_at(store: Store, calls: list[Row]) -> None:
    query = Query(bbox=(0.0, 0.0, 1.0, 1.0), limit=1000)
    wanted = found(calls, query)
    assert len(wanted) > 200
    some = Query(bbox=query.bbox, box_most=25, limit=1000)
    kept = wanted[-25:] if store.dialect == "sqlite" else wanted
    assert [r.id for r in store.records.find("call", some).rows] == kept


def test_news_open_only_what_is_wanted_and_say_how_far_they_go(store: Store, calls: list[Row]) -> None:
    store.records.put("call", {"at": 99}, id=calls[5].id, who=SYSTEM)
    seen: list[tuple[str, str]] = []

    def wanted(collection: str, action: str, after: str) -> bool:
        seen.append((collection, action))
        return action == "update" and '"at":99' in after

    news = store.records.news(0, 1000, wanted=wanted)
    assert (news.seq, news.read, [c.record_id for c in news.changes]) == (
        store.records.head(),
        301,
        [calls[5].id],
    )
    assert seen == [("call", "create")] * 300 + [("call", "update")]
    first = store.records.news(0, 10, wanted=wanted)
    assert (first.seq, first.read, first.changes) == (store.records.after(0, 10)[-1].seq, 10, [])
    assert store.records.news(news.seq, 10) == records.News(news.seq, 0, [])


def test_an_import_leaves_nothing_in_the_log(store: Store, tmp_path: Path) -> None:
    if store.database.records_path is None:
        return
    store.records.declare([CALLS])
    record_import.take(store.records, "call", entries(2500, random.Random(4)), who=SYSTEM)
    copy = tmp_path / "without-its-log.db"
    shutil.copy(store.database.records_path, copy)
    assert sqlite3.connect(copy).execute("SELECT count(*) FROM c_call").fetchone() == (2500,)
