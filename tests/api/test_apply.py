"""`$apply` over HTTP: buckets in UTC and in civil time, coverage, empty buckets, what is refused and where."""

import csv
import io
import random
import statistics
from collections import defaultdict
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient
from tests.sensorthings_town import LOCATION, MULTI, ROOT, THING, client_of, made, series_of, station

from beffroi.model.instant import HOUR_US, MINUTE_US, format_instant, parse_instant
from beffroi.model.observation import Draft
from beffroi.model.result import number_of, result_of
from beffroi.store.sealing import seal
from beffroi.town import Town

START = parse_instant("2023-10-27T22:00:00Z")  # midnight in Paris, two days before the day of 25 hours
STEP = 30 * MINUTE_US


@pytest.fixture
def series(sta: TestClient, sta_town: Town) -> int:
    body = station()
    body["Datastreams"][0]["properties"] = {"expectedInterval": "PT30M"}
    number = series_of(sta, made(sta.post("Things", json=body)))
    drafts = [Draft(number, START + i * STEP, number_of(str(i % 10))) for i in range(200) if i % 50 != 7]
    sta_town.store.observations.append([*drafts, Draft(number, START + 3 * HOUR_US + 1, result_of("panne"))])
    seal(sta_town.store.database, sta_town.store.archive, START + 60 * HOUR_US, 1_000_000)
    return number


def ask(client: TestClient, series: int, apply: str, **options: str) -> Any:
    more = "".join(f"&${name}={quote(text)}" for name, text in options.items())
    path = f"Datastreams({series})/Observations" if series else "Observations"
    return client.get(f"{path}?$apply={quote(apply)}{more}")


def rows(client: TestClient, series: int, apply: str, **options: str) -> list[dict[str, Any]]:
    answer = ask(client, series, apply, **options)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["value"]
    return found


def test_civil_days_have_their_23_24_and_25_hours(sta: TestClient, series: int) -> None:
    found = rows(
        sta, series,
        "groupby((bucket(phenomenonTime,'day','Europe/Paris')),aggregate($count as n,$coverage as c,result with average as m))",
    )  # fmt: skip
    days = [("2023-10-27T22", "2023-10-28T22"), ("2023-10-28T22", "2023-10-29T23"), ("2023-10-29T23", "2023-10-30T23"),
            ("2023-10-30T23", "2023-10-31T23"), ("2023-10-31T23", "2023-11-01T23")]  # fmt: skip
    assert [row["phenomenonTime"] for row in found] == [f"{a}:00:00Z/{b}:00:00Z" for a, b in days]
    held = [
        [i % 10 for i in range(*edges) if i % 50 != 7]
        for edges in ((0, 48), (48, 98), (98, 146), (146, 194), (194, 200))
    ]
    assert [row["n"] for row in found] == [len(held[0]) + 1, *(len(h) for h in held[1:])]
    assert [row["m"] for row in found] == [pytest.approx(statistics.mean(h)) for h in held]
    # 48 of 48 (a text came beside the 47 numbers), 49 of 50 in 25 hours, …
    assert [row["c"] for row in found] == [100.0, 98.0, 97.9, 97.9, 12.5]


def test_hours_are_the_same_however_they_are_written(sta: TestClient, series: int) -> None:
    measures = "aggregate(result with min as low,result with max as high,result with sum as s,result with first as a,result with last as z)"
    plain = rows(sta, series, f"groupby((bucket(phenomenonTime,'hour')),{measures})", top="1000")
    assert len(plain) == 100
    assert plain[0] == {
        "phenomenonTime": "2023-10-27T22:00:00Z/2023-10-27T23:00:00Z",
        "low": 0.0,
        "high": 1.0,
        "s": 1.0,
        "a": 0.0,
        "z": 1.0,
    }
    assert (
        rows(sta, series, f"groupby((bucket(phenomenonTime,duration'PT1H')),{measures})", top="1000") == plain
    )
    assert (
        rows(sta, series, f"groupby((bucket(phenomenonTime,'hour','Europe/Paris')),{measures})", top="1000")
        == plain
    )
    assert (
        rows(
            sta,
            0,
            f"filter(Datastream/id eq {series})/groupby((bucket(phenomenonTime,'hour')),{measures})",
            top="1000",
        )
        == plain
    )
    # a condition on more than time and datastream is read from the raw rows
    assert (
        rows(
            sta,
            series,
            f"filter(result ge 0)/groupby((bucket(phenomenonTime,'hour')),{measures})",
            top="1000",
        )
        == plain
    )


def test_a_filter_inside_narrows_observations_and_one_outside_buckets(sta: TestClient, series: int) -> None:
    hours = "groupby((bucket(phenomenonTime,'hour')),aggregate($count as n))"
    inside = rows(
        sta,
        series,
        f"filter(phenomenonTime ge 2023-10-28T00:30:00Z and phenomenonTime lt 2023-10-28T02:00:00Z)/{hours}",
    )
    assert inside == [{"phenomenonTime": "2023-10-28T00:00:00Z/2023-10-28T01:00:00Z", "n": 1},
                      {"phenomenonTime": "2023-10-28T01:00:00Z/2023-10-28T02:00:00Z", "n": 2 + 1 - 1}]  # fmt: skip
    outside = rows(
        sta,
        series,
        hours,
        filter="phenomenonTime ge 2023-10-28T00:30:00Z and phenomenonTime lt 2023-10-28T02:00:00Z",
    )
    assert outside == inside[1:]
    assert rows(sta, series, hours, filter="n lt 2") == [
        r for r in rows(sta, series, hours, top="1000") if r["n"] == 1
    ]


def test_order_pages_and_count_are_those_of_the_groups(sta: TestClient, series: int) -> None:
    apply = "groupby((bucket(phenomenonTime,duration'PT6H')),aggregate(result with sum as s))"
    whole = rows(sta, series, apply, orderby="s desc,phenomenonTime desc")
    assert whole == sorted(
        sorted(whole, key=lambda r: r["phenomenonTime"], reverse=True), key=lambda r: -r["s"]
    )
    answer = ask(sta, series, apply, orderby="s desc,phenomenonTime desc", top="5", count="true").json()
    assert answer["@iot.count"] == len(whole) == 18
    walked = list(answer["value"])
    while "@iot.nextLink" in answer:
        answer = sta.get(answer["@iot.nextLink"]).json()
        walked += answer["value"]
        assert answer["value"]
        assert len(walked) <= len(whole)
    assert walked == whole
    assert rows(sta, series, apply, skip="3", top="2") == rows(sta, series, apply)[3:5]


def test_empty_buckets_come_on_request(sta: TestClient, sta_town: Town) -> None:
    body = station()
    body["Datastreams"][0]["properties"] = {"expectedInterval": "PT1H"}
    number = series_of(sta, made(sta.post("Things", json=body)))
    sta_town.store.observations.append(
        [Draft(number, START, number_of("1")), Draft(number, START + 3 * HOUR_US, number_of("2"))]
    )
    apply = "groupby((bucket(phenomenonTime,'hour')),aggregate($count as n,$coverage as c,result with average as m))/complete()"
    assert [(r["n"], r["c"], r["m"]) for r in rows(sta, number, apply)] == [
        (1, 100.0, 1.0), (0, 0.0, None), (0, 0.0, None), (1, 100.0, 2.0)]  # fmt: skip
    within = "filter(phenomenonTime ge 2023-10-27T21:00:00Z and phenomenonTime lt 2023-10-28T00:00:00Z)/"
    assert [r["n"] for r in rows(sta, number, within + apply)] == [0, 1, 0]


def test_groups_by_what_a_datastream_belongs_to(sta: TestClient, sta_town: Town, series: int) -> None:
    other = series_of(sta, made(sta.post("Things", json=station(name="autre"))))
    sta_town.store.observations.append([Draft(other, START, number_of("5"), feature_id=1)])
    found = rows(
        sta,
        0,
        "groupby((Datastream/Thing/name,bucket(phenomenonTime,'month','Europe/Paris')),aggregate($count as n))",
    )
    assert [(r["Datastream"]["Thing"]["name"], r["phenomenonTime"][:10], r["n"]) for r in found] == [
        ("autre", "2023-09-30", 1), ("station", "2023-09-30", 191), ("station", "2023-10-31", 6)]  # fmt: skip
    assert rows(sta, 0, "groupby((Datastream/id),aggregate(result with p50 as p,result with median as m))")[1] == {
        "Datastream": {"id": other}, "p": 5.0, "m": 5.0}  # fmt: skip
    by_name = rows(
        sta,
        0,
        "groupby((Datastream/Thing/name),aggregate($count as n))",
        filter="Datastream/Thing/name eq 'autre'",
    )
    assert by_name == [{"Datastream": {"Thing": {"name": "autre"}}, "n": 1}]
    assert rows(sta, 0, "aggregate($count as n)") == [{"n": 198}]


def test_nobody_adds_up_what_they_may_not_see(sta: TestClient, sta_town: Town, series: int) -> None:
    from sqlalchemy import update

    from beffroi.store.tables import datastream

    with sta_town.store.write() as c:
        c.execute(update(datastream).values(public=0))
    assert rows(sta, 0, "aggregate($count as n)") == [{"n": 197}]
    with client_of(sta_town, open_writes=False) as stranger:
        assert rows(stranger, 0, "aggregate($count as n)") == [{"n": 0}]
        assert rows(stranger, 0, f"filter(Datastream/id eq {series})/aggregate($count as n)") == [{"n": 0}]


def table(answer: Any) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.text.endswith("\r\n")
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def flat(row: dict[str, Any], path: str = "") -> dict[str, str]:
    """Return a group as a row of a table shows it."""
    found: dict[str, str] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            found |= flat(value, f"{path}{name}/")
        else:
            found[path + name] = "" if value is None else value if isinstance(value, str) else repr(value)
    return found


def test_groups_are_a_table_too(sta: TestClient, series: int) -> None:
    apply = ("groupby((bucket(phenomenonTime,'hour') as heure,Datastream/id,Datastream/Thing/name),"
             "aggregate(result with average as m,result with max as high,$count as n,$coverage as c))/complete()")  # fmt: skip
    shown = rows(sta, 0, apply, top="1000")
    assert len(shown) == 100
    found = table(
        ask(sta, 0, apply, resultFormat="CSV")
    )  # all of them: a table has no pages unless they are asked
    assert found == [flat(row) for row in shown]
    assert list(found[0]) == ["heure", "Datastream/id", "Datastream/Thing/name", "m", "high", "n", "c"]
    few = ask(sta, 0, apply, resultFormat="CSV", top="60", orderby="m desc")
    assert table(few) == [flat(row) for row in rows(sta, 0, apply, top="60", orderby="m desc")]
    more = sta.get(few.headers["link"].partition("<")[2].partition(">")[0])
    assert table(more) == [flat(row) for row in rows(sta, 0, apply, top="60", orderby="m desc", skip="60")]
    assert "link" not in more.headers
    accepted = sta.get(
        f"Observations?$apply={quote('aggregate($count as n)')}", headers={"accept": "text/csv"}
    )
    assert accepted.text == "n\r\n197\r\n"
    nothing = "filter(result gt 99)/groupby((Datastream/id),aggregate($count as n))"
    assert ask(sta, 0, nothing, resultFormat="CSV").text == "Datastream/id,n\r\n"
    wrong = ask(sta, 0, apply, resultFormat="GeoJSON")
    assert (wrong.status_code, wrong.json()["place"]) == (400, "$resultFormat:1")


def test_what_is_inside_a_result_is_added_up(sta: TestClient, sta_town: Town, series: int) -> None:
    """A MultiDatastream's arrays, fresh, sealed and late, as the numbers at each of their places."""
    body = {**THING, "Locations": [LOCATION], "MultiDatastreams": [MULTI]}
    made(sta.post("Things", json={**body, "name": "mât"}))
    number = sta.get("MultiDatastreams").json()["value"][0]["@iot.id"]
    chance, held = random.Random(5), []
    for part in (150, 40):  # what is sealed, then what comes late and after
        some = [
            (START + chance.randrange(100) * STEP, chance.choice([1.5, 2, None]), chance.randrange(360))
            for _ in range(part)
        ]
        sta_town.store.observations.append(
            [Draft(number, t, result_of([a, b]), feature_id=1) for t, a, b in some]
        )
        held += some
        if part == 150:
            seal(sta_town.store.database, sta_town.store.archive, START + 48 * HOUR_US, 1_000_000)
    groups = defaultdict(list)
    for t, a, b in held:
        groups[t - t % (6 * HOUR_US)].append((a, b))
    apply = ("groupby((bucket(phenomenonTime,duration'PT6H'),MultiDatastream/id,MultiDatastream/Thing/name),aggregate($count as n,"
             "result/0 with average as force,result[1] with max as high,result/1 with median as mid,result/2 with sum as none))")  # fmt: skip
    wanted = []
    for start, found in sorted(groups.items()):
        forces, turns = [a for a, _ in found if a is not None], [b for _, b in found]
        wanted.append({
            "phenomenonTime": f"{format_instant(start)}/{format_instant(start + 6 * HOUR_US)}",
            "MultiDatastream": {"id": number, "Thing": {"name": "mât"}}, "n": len(found),
            "force": pytest.approx(statistics.mean(forces)) if forces else None, "high": max(turns),
            "mid": statistics.median(turns), "none": None,
        })  # fmt: skip
    answer = sta.get(f"MultiDatastreams({number})/Observations?$apply={quote(apply)}")
    assert answer.json()["value"] == wanted
    everything = rows(sta, 0, apply, filter="MultiDatastream/id ne null", top="100")
    assert everything == wanted
    # an observation belongs to the one type or to the other
    both = rows(sta, 0, "groupby((Datastream/id,MultiDatastream/id),aggregate($count as n))")
    assert both == [{"Datastream": {"id": None}, "MultiDatastream": {"id": number}, "n": 190},
                    {"Datastream": {"id": series}, "MultiDatastream": {"id": None}, "n": 197}]  # fmt: skip
    last = rows(
        sta, 0, f"filter(MultiDatastream/id eq {number})/aggregate(result/1 with last as z,$count as n)"
    )
    latest = max(t for t, _, _ in held)
    assert last == [{"z": [b for t, _, b in held if t == latest][-1], "n": 190}]


@pytest.mark.parametrize(
    ("apply", "at"),
    [
        ("sum(result)", 1),
        ("groupby((bucket(phenomenonTime,'fortnight')))", 32),
        ("groupby((bucket(phenomenonTime,duration'PT0S')))", 32),
        ("groupby((bucket(phenomenonTime,duration'P1M')))", 32),
        ("groupby((bucket(phenomenonTime,'day','Mars/Olympus')))", 38),
        ("groupby((bucket(phenomenonTime,'day')),aggregate(result with mean as m))", 62),
        ("groupby((result),aggregate($count as n))", 10),
        ("aggregate(result/0 as n)", 20),
        ("aggregate(results/0 with sum as n)", 11),
        ("groupby((Datastream/Thing/Locations/name),aggregate($count as n))", 10),
        ("aggregate($count as n)/complete()", 23),
        ("aggregate($count as n)/filter(n gt 1)", 24),
        ("aggregate($count as n,$count as n)", 23),
        ("filter(result gt )/aggregate($count as n)", 17),
        ("aggregate($count as n", 22),
        ("", 1),
    ],
)
def test_what_is_wrong_is_said_with_its_place(sta: TestClient, apply: str, at: int) -> None:
    answer = ask(sta, 0, apply)
    assert answer.status_code == 400
    assert answer.json()["place"] == f"$apply:{at}", answer.text
    fr, en = answer.json()["texts"]["fr"], answer.json()["texts"]["en"]
    assert fr[0] and en[0] and fr[0] != en[0]


def test_it_is_for_sets_of_observations_alone(sta: TestClient, series: int) -> None:
    for path in ("Things", f"Datastreams({series})", f"Datastreams({series})/Observations?$select=result&"):
        joint = "" if "?" in path else "?"
        answer = sta.get(f"{ROOT}{path}{joint}$apply=aggregate($count as n)")
        assert answer.status_code == 400, path
    assert ask(sta, series, "aggregate($count as n)", filter="result gt 2").status_code == 400
    assert format_instant(START) == "2023-10-27T22:00:00Z"
