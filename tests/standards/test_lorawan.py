"""Uplinks of both network servers: every real payload is taken, in the same way by both."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beffroi.model.instant import parse_instant
from beffroi.model.problem import Problem
from beffroi.standards.lorawan import chirpstack, ttn
from beffroi.standards.lorawan.decoded import flatten
from beffroi.standards.lorawan.uplink import readings_of
from beffroi.standards.reading import Reading

SHARED = Path(os.environ.get("BEFFROI_SHARED", "../shared"))
NOW = parse_instant("2026-11-22T10:00:00Z")


def of_ttn(decoded: str, **changes: Any) -> list[Reading]:
    message = {
        "session_key_id": "AYf", "f_cnt": 7, "frm_payload": "AXVk", "received_at": "2026-11-22T09:00:00.123456789Z",
        "rx_metadata": [{"gateway_ids": {"gateway_id": "a"}, "rssi": -101, "snr": 3.2}, {"rssi": -90, "snr": 1}],
        **changes,
    }  # fmt: skip
    body = json.dumps(
        {"end_device_ids": {"device_id": "d1", "dev_eui": "AC1F09FFFE000001"}, "uplink_message": message}
    )
    uplink = ttn.parse((body[:-2] + f', "decoded_payload": {decoded}}}}}').encode(), NOW)
    assert uplink is not None
    return readings_of(uplink, NOW)


def of_chirpstack(decoded: str, **changes: Any) -> list[Reading]:
    body = json.dumps({
        "deviceInfo": {"deviceName": "d1", "devEui": "ac1f09fffe000001"}, "devAddr": "01", "fCnt": 7, "data": "AXVk",
        "time": "2026-11-22T09:00:00.123456+00:00", "rxInfo": [{"gatewayId": "a", "rssi": -90, "snr": 3.2}], **changes,
    })  # fmt: skip
    uplink = chirpstack.parse((body[:-1] + f', "object": {decoded}}}').encode(), NOW)
    assert uplink is not None
    return readings_of(uplink, NOW)


def told(readings: list[Reading]) -> list[tuple[str, str, int]]:
    return [(r.series.key, r.result.json(), r.start_us) for r in readings]


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="needs the real data of BEFFROI_SHARED")
def test_every_real_payload_is_taken_whole_by_both() -> None:
    lines = (SHARED / "data/sensors/lorawan_milesight_payloads.jsonl").read_text().splitlines()
    assert len(lines) == 121
    for line in lines:
        decoded = json.dumps(json.loads(line)["decoded"])
        first, second = of_ttn(decoded), of_chirpstack(decoded)
        assert told(first) == told(second)
        assert len({r.source_key for r in first}) == len(first)
        values = {r.series.code: r.result.json() for r in first}
        for key, value in json.loads(decoded).items():
            if not isinstance(value, dict | list):
                assert values[key] == json.dumps(value, ensure_ascii=False), key


def test_late_history_keeps_its_own_time_and_the_keys_of_live_values() -> None:
    readings = of_ttn('{"temperature": 3, "history": [{"temperature": 27.20, "timestamp": 1665561758}]}')
    past = [r for r in readings if r.start_us == 1665561758_000_000]
    assert [(r.series.code, r.result.json()) for r in past] == [("temperature", "27.20")]
    # another message is another source, even when it tells the same past: equal times are no reason to fold
    again = of_ttn('{"history": [{"temperature": 27.20, "timestamp": 1665561758}]}', f_cnt=8)
    assert again[0].source_key != past[0].source_key


def test_a_text_with_a_unit_is_a_number_and_keeps_what_was_received() -> None:
    reading = of_ttn('{"tension": "3.384 V", "etat": "on", "ouvert": true}')
    assert [(r.series.code, r.result.json(), r.series.unit) for r in reading[:3]] == [
        ("tension", "3.384", "V"), ("etat", '"on"', ""), ("ouvert", "true", ""),
    ]  # fmt: skip
    assert json.loads(reading[0].extra or "") == {"parameters": {"received": "3.384 V"}}


def test_radio_values_are_those_of_the_gateway_that_heard_best() -> None:
    radio = {r.series.code: r.result.json() for r in of_ttn("{}")}
    assert radio == {"rssi": "-90", "snr": "3.2"}


@pytest.mark.parametrize("read", [of_ttn, of_chirpstack])
def test_deliveries_of_one_uplink_fold_and_other_messages_do_not(read: Any) -> None:
    keys = {r.source_key for r in read('{"a": 1}')}
    assert {r.source_key for r in read('{"a": 1}')} == keys
    for change in (
        {"f_cnt": 8, "fCnt": 8},
        {"session_key_id": "other", "devAddr": "02"},
        {"frm_payload": "AA", "data": "AA"},
    ):
        assert not keys & {r.source_key for r in read('{"a": 1}', **change)}


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"", "/"),
        (b"[]", "/"),
        (b'{"end_device_ids": {}}', "/end_device_ids/dev_eui"),
        (
            b'{"end_device_ids": {"device_id": "a"}, "uplink_message": {"f_cnt": "x"}}',
            "/uplink_message/f_cnt",
        ),
        (
            b'{"end_device_ids": {"device_id": "a"}, "uplink_message": {"received_at": "x"}}',
            "/uplink_message/received_at",
        ),
    ],
)
def test_a_wrong_body_is_refused_with_a_pointer(body: bytes, place: str) -> None:
    with pytest.raises(Problem) as refusal:
        ttn.parse(body, NOW)
    assert refusal.value.place == place


def test_other_events_are_no_uplink() -> None:
    assert ttn.parse(b'{"end_device_ids": {"device_id": "a"}, "join_accept": {}}', NOW) is None
    assert chirpstack.parse(b'{"deviceInfo": {"devEui": "a"}}', NOW, "join") is None
    status = chirpstack.parse(
        b'{"deviceInfo": {"devEui": "a"}, "batteryLevel": 75.2, "margin": 9}', NOW, "status"
    )
    assert status is not None
    assert {r.series.code: r.result.json() for r in readings_of(status, NOW)} == {
        "margin": "9",
        "battery": "75.2",
    }


ANY = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
                   lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4))  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.text(max_size=9) | st.sampled_from(["history", "timestamp", "time"]), ANY, max_size=6)
)
def test_any_decoded_object_is_taken_or_refused(decoded: dict[str, Any]) -> None:
    try:
        flatten(decoded, NOW)
        readings = of_ttn(json.dumps(decoded))
    except Problem:
        return
    assert all(isinstance(r.source_key, bytes) for r in readings)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | ANY.map(lambda v: json.dumps(v).encode()))
def test_any_bytes_are_refused_or_taken(body: bytes) -> None:
    for parse in (ttn.parse, chirpstack.parse):
        try:
            parse(body, NOW)
        except Problem as problem:
            assert problem.place
