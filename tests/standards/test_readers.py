"""The readers of files: real files, the traps of French ones, and no file that breaks them."""

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from beffroi.model.instant import DAY_US, HOUR_US, format_interval
from beffroi.model.problem import Problem
from beffroi.standards import comptage, istsos, mapped_table, opendatasoft, stage_table
from beffroi.standards.json_items import json_items
from beffroi.standards.reading import Reading, Reject

SHARED = Path(os.environ.get("BEFFROI_SHARED", "../shared"))
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="needs the real data of BEFFROI_SHARED")
Reader = Callable[[io.BytesIO, Mapping[str, Any]], Any]


def rows(read: Reader, body: bytes | str, **options: Any) -> tuple[list[Reading], list[Reject]]:
    stream = io.BytesIO(body.encode() if isinstance(body, str) else body)
    found = list(read(stream, options))
    return [r for r in found if isinstance(r, Reading)], [r for r in found if isinstance(r, Reject)]


def times(readings: list[Reading]) -> list[str]:
    return [format_interval(r.start_us, r.end_us) for r in readings]


def digits(readings: list[Reading]) -> list[str]:
    return [r.result.json() for r in readings]


# --- istSOS


@needs_shared
@pytest.mark.shared
@pytest.mark.parametrize("name", ["meteo_T_BED", "meteo_P_BED"])
def test_every_istsos_value_keeps_its_digits(name: str) -> None:
    body = (SHARED / "data/sensors" / f"{name}.csv").read_bytes()
    readings, rejects = rows(istsos.read, body)
    written = list(csv.reader(io.StringIO(body.decode())))[1:]
    assert rejects == []
    assert digits(readings) == [row[2] for row in written]
    assert [r.time_text for r in readings] == [row[0] for row in written]
    assert len({r.series.key for r in readings}) == 1


def test_an_istsos_file_with_several_properties_gives_a_series_each() -> None:
    header = ",".join(
        ["urn:ogc:def:parameter:x-istsos:1.0:time:iso8601", "urn:ogc:def:procedure"]
        + [f"urn:ogc:def:parameter:x-istsos:1.0:{p}{q}" for p in ("a:b", "c:d") for q in ("", ":qualityIndex")]
    )  # fmt: skip
    readings, rejects = rows(
        istsos.read, f"{header}\n2023-01-01T00:00:00Z,X,1.50,100,x,0\n2023-01-01T00:00:00Z,X,1,0\n"
    )
    assert [(r.series.code, r.result.json()) for r in readings] == [("a:b", "1.50")]
    assert [(r.line, r.field) for r in rejects] == [(2, "c:d"), (3, "")]


# --- stage


@needs_shared
@pytest.mark.shared
def test_the_ardeche_stage_keeps_negative_values_and_equal_times() -> None:
    body = (SHARED / "data/hydro/series/ardeche_meyras_stage_2001_2011.tsv").read_bytes()
    readings, rejects = rows(stage_table.read, body, stem="ardeche_meyras_stage_2001_2011")
    written = list(csv.reader(io.StringIO(body.decode()), delimiter="\t"))[1:]
    assert rejects == []
    assert digits(readings) == [row[1] for row in written]
    assert sum(1 for r in readings if (r.result.value or 0) < 0) == sum(float(row[1]) < 0 for row in written)
    assert max(Counter(r.start_us for r in readings).values()) > 1
    assert readings[0].series.station.key == "stage/ardeche_meyras"
    assert (readings[0].series.unit, readings[0].line) == ("cm", 2)


def test_a_stage_without_written_time_takes_the_excel_day() -> None:
    readings, _ = rows(
        stage_table.read, "Date\tH (cm)\tdate\n37202.6799\t17.2\t\n37202.6799\t17.2\t07/11/2001 16:19\n"
    )
    assert times(readings) == ["2001-11-07T15:19:00Z"] * 2


# --- counts


@needs_shared
@pytest.mark.shared
def test_the_national_counts_example() -> None:
    readings, rejects = rows(
        comptage.read, (SHARED / "data/sensors/comptage/measure_exemple.csv").read_bytes()
    )
    assert digits(readings) == ["20", "0", "3", "15", "2", "5", "2", "0"]
    assert times(readings)[0] == "2021-09-07T13:15:00Z/2021-09-07T13:30:00Z"
    assert [(r.line, r.field) for r in rejects] == [(8, "count")]
    assert "vide" in rejects[0].reason.fr


def test_counts_with_wrong_rows() -> None:
    head = "channel_id;counter_id;start_datetime;end_datetime;count\n"
    body = (
        head
        + ";A;2021-09-07T13:15:00Z;;1\nC;A;hier;;1\nC;A;2021-09-07T13:15:00Z;2020-01-01;1\nC;A;2021-09-07 13:15;;12,5\n"
    )
    readings, rejects = rows(comptage.read, body)
    assert [(r.line, r.field) for r in rejects] == [
        (2, "channel_id"),
        (3, "start_datetime"),
        (4, "end_datetime"),
    ]
    assert (digits(readings), times(readings)) == (["12.5"], ["2021-09-07T11:15:00Z"])


# --- Opendatasoft


@needs_shared
@pytest.mark.shared
def test_the_poitiers_air_records() -> None:
    path = SHARED / "data/sensors/air_grandpoitiers_ods.json"
    readings, rejects = rows(opendatasoft.read, path.read_bytes())
    records = [r["fields"] for r in json.loads(path.read_text())]
    assert digits(readings) == [str(r["valeur"]) for r in records if "valeur" in r]
    assert [r.field for r in rejects] == ["valeur"]
    first = readings[0]
    assert times([first]) == ["2019-01-16T23:00:00Z/2019-01-17T00:00:00Z"]
    assert (first.series.station.latitude, first.series.station.longitude) == (
        46.58691799905824,
        0.35858300000000004,
    )
    assert (first.series.unit, first.series.code, first.series.aggregation) == (
        "ug.m-3",
        "Dioxyde d'azote",
        "moyenne horaire",
    )
    yearly = next(r for r in readings if r.series.aggregation == "moyenne annuelle")
    assert (yearly.end_us or 0) - yearly.start_us >= 365 * DAY_US - HOUR_US


FIELDS = {
    "cd_sttn": "A",
    "nom_pll": "NO2",
    "dat_dbt": "2019-07-01 10:00:00",
    "valeur": 4.50,
    "unite": "ug.m-3",
}
POINT = {"geo_point_2d": [47.65, -2.08]}


@pytest.mark.parametrize(
    "shape",
    [
        [{"fields": {**FIELDS, **POINT}, "geometry": {"type": "Point", "coordinates": [-2.08, 47.65]}}],
        {"nhits": 1, "parameters": {"a": [1, "]"]}, "records": [{"fields": {**FIELDS, **POINT}}]},
        {"total_count": 1, "results": [{**FIELDS, "geo_point_2d": {"lon": -2.08, "lat": 47.65}}]},
        {"total_count": 1, "records": [{"record": {"id": "x", "fields": {**FIELDS, **POINT}}}]},
        [{**FIELDS, **POINT}],
    ],
)
def test_every_shape_of_the_portal_gives_the_same_reading(shape: Any) -> None:
    readings, rejects = rows(opendatasoft.read, json.dumps(shape).replace("4.5", "4.50"))
    assert (digits(readings), times(readings), rejects) == (["4.50"], ["2019-07-01T08:00:00Z"], [])
    station = readings[0].series.station
    assert (station.longitude, station.latitude) == (-2.08, 47.65)


def test_records_without_a_known_time_are_refused_naming_their_fields() -> None:
    with pytest.raises(Problem, match=r"combien, quand") as refusal:
        rows(opendatasoft.read, '[{"quand": "2019", "combien": 2}]')
    assert "[fields]" in refusal.value.mend.fr
    readings, _ = rows(
        opendatasoft.read,
        '[{"quand": "2019-01-01", "combien": 2}]',
        fields={"start": "quand", "value": "combien"},
    )
    assert digits(readings) == ["2"]


# --- any table


def test_a_french_table_in_windows_1252_over_the_day_of_25_hours() -> None:
    lines = ["Date;Heure;Température (°C)"]
    lines += [
        f"26/10/2025;{hour};{value}"
        for hour, value in (("01:00", "12,5"), ("02:00", "12,40"), ("02:00", "-1,0"), ("03:00", "1 234,5"))
    ]
    readings, rejects = rows(
        mapped_table.read,
        "\r\n".join(lines).encode("cp1252"),
        stem="mairie",
        time={"columns": ["Date", "Heure"]},
    )
    assert rejects == []
    assert times(readings) == [
        "2025-10-25T23:00:00Z",
        "2025-10-26T00:00:00Z",
        "2025-10-26T01:00:00Z",
        "2025-10-26T02:00:00Z",
    ]
    assert digits(readings) == ["12.5", "12.40", "-1.0", "1234.5"]
    assert (readings[0].series.code, readings[0].series.unit) == ("Température", "°C")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "mac_roman"])
@pytest.mark.parametrize("mark", [";", ",", "\t"])
def test_encodings_and_separators_are_found_out(encoding: str, mark: str) -> None:
    body = mark.join(["Date", "Débit (m³/s)"]) + "\n" + mark.join(["2026-01-01T00:00:00Z", "1.20"]) + "\n"
    readings, rejects = rows(mapped_table.read, body.replace("³", "3").encode(encoding), stem="x")
    assert (digits(readings), rejects, readings[0].series.code) == (["1.20"], [], "Débit")


def test_mac_roman_is_known_by_what_windows_cannot_be() -> None:
    body = "Date;Forêt (mm)\n2026-01-01T00:00:00Z;1,20\n".encode("mac_roman")
    readings, rejects = rows(mapped_table.read, body, stem="x")
    assert (digits(readings), rejects, readings[0].series.code) == (["1.20"], [], "Forêt")


def test_a_long_table_of_several_stations() -> None:
    body = (
        "site;nom;lat;lon;quand;fin;grandeur;val;u\n"
        "A;Écluse;47,5;-2,0;26/10/2025 02:00;26/10/2025 02:10;pluie;0,2;mm\n"
        "A;Écluse;47,5;-2,0;26/10/2025 02:00;26/10/2025 02:10;vent;3;m/s\n"
        "B;Gare;;;26/10/2025 02:00;;pluie;NA;mm\n"
    )
    readings, rejects = rows(
        mapped_table.read, body, stem="x", time={"column": "quand", "end": "fin"},
        thing={"column": "site", "name_column": "nom", "latitude_column": "lat", "longitude_column": "lon"},
        series=[{"column": "val", "property": "grandeur", "unit_column": "u"}],
    )  # fmt: skip
    assert [(r.series.key, r.series.unit, r.series.station.name, r.series.station.latitude) for r in readings] == [
        ("csv/A/pluie", "mm", "Écluse", 47.5), ("csv/A/vent", "m/s", "Écluse", 47.5),
    ]  # fmt: skip
    assert times(readings) == ["2025-10-26T00:00:00Z/2025-10-26T00:10:00Z"] * 2
    assert [(r.line, r.field) for r in rejects] == [(4, "val")]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"time": {"column": "absent"}}, "absent"),
        ({"tme": {}}, "tme"),
        ({"zone": "Mars"}, "time zone"),
        ({"encoding": "klingon"}, "encoding"),
    ],
)
def test_a_mapping_that_does_not_fit_is_a_problem(options: dict[str, Any], words: str) -> None:
    with pytest.raises(Problem, match=words):
        rows(mapped_table.read, "date;v\n2026-01-01;1\n", stem="x", **options)


# --- no file breaks a reader

READERS: tuple[Reader, ...] = (
    istsos.read,
    stage_table.read,
    comptage.read,
    opendatasoft.read,
    mapped_table.read,
)
HEADS = (
    b"urn:ogc:def:parameter:x-istsos:1.0:time:iso8601,urn:ogc:def:procedure,urn:ogc:def:parameter:x-istsos:1.0:a\n",
    b"Date\tH (cm)\tdate\n", b"channel_id,counter_id,start_datetime,end_datetime,count\n", b'[{"date":"2019-01-01",',
    b"date;valeur\n", b"",
)  # fmt: skip
CELLS = st.sampled_from([b",", b";", b"\t", b"\n", b'"', b"2019-01-01", b"31/02/2019 10:00", b"1e999", b"-1,5", b"{", b"]", b"\xff", b"\x00"])  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(HEADS), st.lists(CELLS | st.binary(max_size=6), max_size=25))
@example(b"date;valeur\n", [b"2019-01-01", b";", b"9" * 400])
def test_any_bytes_give_rows_or_a_problem(head: bytes, parts: list[bytes]) -> None:
    for read in READERS:
        try:
            for row in read(io.BytesIO(head + b"".join(parts)), {"stem": "x"}):
                assert isinstance(row, Reading | Reject)
        except Problem as problem:
            assert problem.reason.fr
            assert problem.reason.en


@pytest.mark.parametrize("body", [b"", b"PK\x03\x04rest", b"\x00\x01\x02", b"\x81\x8d\x90"])
def test_what_is_no_text_is_refused(body: bytes) -> None:
    for read in READERS:
        with pytest.raises(Problem):
            rows(read, body, stem="x")


@given(st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)),
       st.sampled_from([None, 1, 3]))  # fmt: skip
def test_json_items_are_what_json_says(value: Any, indent: int | None) -> None:
    items = [value, {"a": value}, 1.5]
    for body in (
        json.dumps(items, indent=indent),
        json.dumps({"x": value, "results": items, "y": 1}, indent=indent),
    ):
        found = [element for _, element in json_items(io.BytesIO(body.encode()), ("results",))]
        assert found == items
        with pytest.raises(Problem):
            list(json_items(io.BytesIO(body[: body.rindex("1.5")].encode()), ("results",)))


def test_json_lines_and_their_line_numbers() -> None:
    body = b'{"a": 1}\n\n{"a": "}"}\n{"a": 3}'
    assert list(json_items(io.BytesIO(body))) == [(1, {"a": 1}), (3, {"a": "}"}), (4, {"a": 3})]
