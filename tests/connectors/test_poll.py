"""Polling against a local replica of the portals: what is new comes in once; every fault is said and got over."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from beffroi.connectors import fetch as fetching
from beffroi.connectors.schedule import KINDS, run_once, state_of, states, work
from beffroi.connectors.source import Source, sources_of
from beffroi.intake.take import Intake
from beffroi.model.instant import MINUTE_US, SECOND_US, parse_instant
from beffroi.model.problem import Problem
from beffroi.settings import Settings
from beffroi.store.open import Store
from beffroi.store.tables import datastream, thing

Answer = Callable[[BaseHTTPRequestHandler, dict[str, str]], None]


def send(handler: BaseHTTPRequestHandler, body: str, status: int = 200, *, length: int | None = None) -> None:
    data = body.encode()
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(data) if length is None else length))
    handler.end_headers()
    handler.wfile.write(data)


class Replica:
    """A web server whose answer the test chooses; it remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer: Answer = lambda handler, _query: send(handler, "[]")
        replica = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                replica.asked.append(self.path)
                query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
                replica.answer(self, query)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def replica() -> Iterator[Replica]:
    opened = Replica()
    yield opened
    opened.close()


class Hand:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = parse_instant("2026-11-22T10:00:00Z")

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def intake(tmp_path: Path, clock: Hand) -> Iterator[Intake]:
    store = Store.open(Settings(data=tmp_path), clock)
    yield Intake(store, lambda _code: None)
    store.close()


def air(replica: Replica, **options: str) -> Source:
    return Source(
        "air", "opendatasoft", f"{replica.url}/api/explore/v2.1/catalog/datasets/air", 10 * MINUTE_US, options
    )


def record(hour: int, value: float | None) -> dict[str, Any]:
    return {"cd_sttn": "A", "nom_sttn": "Gare", "nom_pll": "NO2", "dat_dbt": f"2026-11-20T{hour:02}:00:00+00:00",
            "valeur": value, "unite": "ug.m-3", "geo_point_2d": {"lon": -2.1, "lat": 47.6}}  # fmt: skip


def values(store: Store) -> list[str]:
    with store.read() as connection:
        numbers = connection.execute(select(datastream.c.id).order_by(datastream.c.key)).scalars().all()
    return [o.result.json() for number in numbers for o in store.observations.series(number)]


def test_a_dataset_comes_in_once_and_then_only_what_is_new(
    replica: Replica, intake: Intake, clock: Hand
) -> None:
    records = [record(1, 4.5), record(2, None), record(3, 6)]
    replica.answer = lambda handler, _query: send(handler, json.dumps(records))
    source = air(replica, time_field="dat_dbt")
    first = run_once(intake, source)
    assert (first.stored, first.unchanged, first.rejected, first.error) == (2, 0, 1, None)
    assert first.next_us == clock.now + 10 * MINUTE_US
    records.append(record(4, 7.25))
    again = run_once(intake, source)
    assert (again.stored, again.unchanged, again.total) == (1, 2, 3)
    assert values(intake.store) == ["4.5", "6", "7.25"]
    assert "where=dat_dbt+%3E%3D+date%272026-11-18T03%3A00%3A00Z%27" in replica.asked[1]
    with intake.store.read() as connection:
        properties = json.loads(connection.execute(select(thing.c.properties)).scalar_one())
    assert (properties["source"], properties["url"]) == ("air", source.url)


def hang(handler: BaseHTTPRequestHandler, _query: dict[str, str]) -> None:
    time.sleep(1.5)
    handler.close_connection = True


def cut_chunk(handler: BaseHTTPRequestHandler, _query: dict[str, str]) -> None:
    handler.protocol_version = "HTTP/1.1"
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"40\r\n[{")
    handler.close_connection = True


BODY = json.dumps([record(1, 4.5)])
FAULTS: dict[str, tuple[Answer, str]] = {
    "500": (lambda handler, _query: send(handler, "oops", 500), "500"),
    "404": (lambda handler, _query: send(handler, "?", 404), "404"),
    "206": (lambda handler, _query: send(handler, BODY, 206), "206"),
    "too slow": (hang, "did not answer in"),
    "cut, length told": (lambda handler, _query: send(handler, BODY[:-20], length=len(BODY)), "cut short"),
    "cut chunk": (cut_chunk, "cut short"),
    "cut JSON": (lambda handler, _query: send(handler, BODY[:-20]), "stops in the middle"),
    "a page instead": (lambda handler, _query: send(handler, "<html>maintenance</html>"), "not a JSON"),
    "too large": (lambda handler, _query: send(handler, "[" + " " * 200_000 + "]"), "too large"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_said_waited_for_and_got_over(
    replica: Replica, intake: Intake, clock: Hand, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        fetching.fetch,
        "__kwdefaults__",
        {**fetching.fetch.__kwdefaults__, "timeout": 0.5, "largest": 100_000},
    )
    source = air(replica)
    replica.answer, words = FAULTS[name]
    waits = []
    for count in range(1, 4):
        state = run_once(intake, source)
        assert state.error is not None
        assert words in state.error.en
        assert (state.failures, state.worked_us, values(intake.store)) == (count, None, [])
        waits.append((state.next_us - clock.now) / SECOND_US)
    assert all(22 <= wait / 2**n <= 38 for n, wait in enumerate(waits))
    replica.answer = lambda handler, _query: send(handler, BODY)
    state = run_once(intake, source)
    assert (state.error, state.failures, values(intake.store)) == (None, 0, ["4.5"])


def test_a_source_that_is_not_there_is_an_error_not_a_crash(intake: Intake) -> None:
    state = run_once(intake, Source("gone", "csv", "http://127.0.0.1:9/x.csv"))
    assert state.error is not None
    assert "does not answer" in state.error.en
    assert states(intake.store, [Source("gone", "csv", "http://x")])[0][1].failures == 1


def test_a_table_on_the_web(replica: Replica, intake: Intake) -> None:
    replica.answer = lambda handler, _query: send(
        handler, "date;Débit (m3/s)\n20/11/2026 10:00;1,20\n20/11/2026 10:00;1,20\n"
    )
    source = Source("riviere", "csv", f"{replica.url}/debit.csv")
    assert run_once(intake, source).stored == 2
    assert run_once(intake, source).unchanged == 2
    assert values(intake.store) == ["1.20", "1.20"]


class Sta:
    """Two datastreams of another town, in pages of two."""

    def __init__(self, url: str) -> None:
        self.root = f"{url}/v1.1"
        self.observations = {1: ["1.50", "2", "true"], 2: ['"open"']}

    def __call__(self, handler: BaseHTTPRequestHandler, query: dict[str, str]) -> None:
        path = urlsplit(handler.path).path
        if path.endswith("/v1.1/Datastreams"):
            send(handler, json.dumps({"value": [self.series(1), self.series(2)]}))
            return
        number = int(path.split("Datastreams(")[1].split(")")[0])
        since = query.get("$filter", "").removeprefix("phenomenonTime ge ") or "2000"
        skip = int(query.get("$skip", "0"))
        rows = [
            f'{{"@iot.id": {number * 100 + n}, "phenomenonTime": "2026-11-20T0{n}:00:00Z", "result": {text}}}'
            for n, text in enumerate(self.observations[number]) if f"2026-11-20T0{n}" >= since[:13]
        ]  # fmt: skip
        link = (
            f', "@iot.nextLink": "{self.root}/Datastreams({number})/Observations?$skip={skip + 2}"'
            if len(rows) > skip + 2
            else ""
        )
        send(handler, f'{{"value": [{", ".join(rows[skip : skip + 2])}]{link}}}')

    def series(self, number: int) -> dict[str, Any]:
        return {
            "@iot.id": number, "name": "x", "unitOfMeasurement": {"symbol": "°C"}, "ObservedProperty": {"name": "Air"},
            "Sensor": {"name": "S"},
            "Thing": {"@iot.id": number, "name": f"Voisine {number}", "description": "d",
                      "Locations": [{"location": {"type": "Point", "coordinates": [-2, 47]}}]},
        }  # fmt: skip


def test_another_sensorthings_server_keeps_its_digits_and_folds_on_its_ids(
    replica: Replica, intake: Intake
) -> None:
    answer = replica.answer = Sta(replica.url)
    source = Source("voisine", "sensorthings", f"{replica.url}/v1.1/")
    assert run_once(intake, source).stored == 4
    assert sorted(values(intake.store)) == ['"open"', "1.50", "2", "true"]
    answer.observations[1].append("3.0")
    state = run_once(intake, source)
    assert (state.stored, state.error) == (1, None)
    assert state.unchanged == 4
    assert "phenomenonTime+ge+2026-11-19T02" in replica.asked[-3]


@pytest.mark.parametrize(
    "body", ["[]", '{"value": 3}', '{"value": ["x"]}', '{"value": [{"name": "no id"}]}', '{"value": [], "@iot.nextLink": "http://elsewhere.example/"}']
)  # fmt: skip
def test_what_is_no_sensorthings_server_is_told(replica: Replica, intake: Intake, body: str) -> None:
    replica.answer = lambda handler, _query: send(handler, body)
    state = run_once(intake, Source("voisine", "sensorthings", f"{replica.url}/v1.1"))
    assert state.error is not None


def test_the_worker_polls_what_is_due_until_it_is_stopped(
    replica: Replica, intake: Intake, clock: Hand
) -> None:
    replica.answer = lambda handler, _query: send(handler, BODY)
    stop = threading.Event()
    turns = iter(range(6))

    def sleep(_seconds: float) -> None:
        clock.now += 5 * MINUTE_US
        if next(turns) == 5:
            stop.set()

    work(intake, [air(replica)], stop, sleep)
    assert len(replica.asked) == 3
    assert state_of(intake.store, "air").total == 1


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"kind": "csv", "url": "http://x"}, "connectors/0/name"),
        ({"name": "a", "kind": "nope", "url": "http://x"}, "connectors/0/kind"),
        ({"name": "a", "kind": "csv", "url": "file:///etc/passwd"}, "connectors/0/url"),
    ],
)
def test_a_wrong_source_is_told_where(value: dict[str, str], place: str) -> None:
    with pytest.raises(Problem) as refusal:
        sources_of((value,), KINDS)
    assert refusal.value.place == place
    good = sources_of(
        ({"name": "a", "kind": "csv", "url": "http://x", "every": "PT5M", "mapping": "m"},), KINDS
    )
    assert (good[0].every_us, good[0].options) == (5 * MINUTE_US, {"mapping": "m"})
