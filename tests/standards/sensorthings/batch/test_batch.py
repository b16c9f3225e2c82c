"""$batch: multipart and JSON, change sets, references, what is refused. The names are the behaviours."""

import json

import pytest
from starlette.testclient import TestClient
from tests.sensorthings_town import (
    DATASTREAM,
    ROOT,
    SENSOR,
    THING,
    client_of,
    ids,
    made,
    series_of,
    station,
    values,
)
from tests.standards.sensorthings.batch.requests import (
    change_set,
    counts,
    post,
    post_json,
    read,
    request,
    things,
    town_in_a_change_set,
)

from beffroi.town import Town

CRLF, LF = "\r\n", "\n"


# --- the behaviours of FROST's eight tests
@pytest.mark.parametrize("eol", [CRLF, LF])
def test_a_batch_reads_changes_together_and_says_what_is_not_found(sta: TestClient, eol: str) -> None:
    first = things(sta)[0]
    reply = post(
        sta,
        request("GET", f"/v1.1/Things({first})?$select=name"),
        change_set(
            request("POST", "/v1.1/Things", {"name": "New", "description": "Thing"}, "1"),
            request("PATCH", f"/v1.1/Things({first})", {"name": "Patched"}, "2"),
        ),
        request("GET", "/v1.1/Things(99999)"),
        eol=eol,
    )
    newest = max(ids(sta, "Things"))
    assert reply[0]["status"] == 200
    assert reply[0]["body"] == {"name": "Thing 0"}
    assert [(r["status"], r["id"]) for r in reply[1]] == [(201, "1"), (200, "2")]
    assert reply[1][0]["headers"]["location"] == f"{ROOT}Things({newest})"
    assert (reply[2]["status"], reply[2]["body"]["code"]) == (404, 404)
    assert sta.get(f"Things({first})/name").json() == {"name": "Patched"}
    assert sta.get(f"Things({newest})/name").json() == {"name": "New"}


def test_a_change_set_refers_to_what_it_makes_in_a_body(sta: TestClient) -> None:
    first = things(sta)[0]
    seen = made(
        sta.post("ObservedProperties", json={"name": "T", "definition": "http://t", "description": "x"})
    )
    series = {**DATASTREAM, "ObservedProperty": {"@iot.id": seen}, "Sensor": {"@iot.id": "$sensor1"}}
    (reply,) = post(
        sta,
        change_set(
            request("POST", "/v1.1/Sensors", SENSOR, "sensor1"),
            request("POST", f"/v1.1/Things({first})/Datastreams", series, "any"),
        ),
    )
    assert [r["id"] for r in reply] == ["sensor1", "any"]
    (sensor,) = ids(sta, "Sensors")
    assert reply[0]["headers"]["location"] == f"{ROOT}Sensors({sensor})"
    assert sta.get(reply[1]["headers"]["location"] + "/Sensor").json()["@iot.id"] == sensor


def test_an_address_keeps_its_percent_encoded_characters(sta: TestClient) -> None:
    things(sta)
    (reply,) = post(sta, request("GET", "Things?$count=true&$filter=properties/int%20eq%2010&$select=name"))
    assert reply["body"] == {"@iot.count": 1, "value": [{"name": "Thing 2"}]}


@pytest.mark.parametrize("root", [ROOT, "/sensorthings/v1.1/", "/v1.1/", ""])
def test_an_address_is_absolute_or_from_the_host_or_from_the_service(sta: TestClient, root: str) -> None:
    things(sta)
    query = "?$count=true&$select=name&$filter=properties/int%20eq%20"
    reply = post(
        sta, request("GET", f"{root}Things{query}10"), request("GET", f"{root}Things{query}11"), boundary="b"
    )
    assert [r["body"]["value"] for r in reply] == [[{"name": "Thing 2"}], [{"name": "Thing 3"}]]


def test_a_json_batch_reads_makes_changes_and_patches(sta: TestClient) -> None:
    first, second = things(sta)[:2]
    reply = post_json(
        sta,
        {"id": "0", "method": "get", "url": f"Things({first})?$select=name"},
        {"id": "1", "atomicityGroup": "g", "method": "post", "url": "Things", "body": {"name": "New", "description": "x"}},
        {"id": "2", "atomicityGroup": "g", "method": "patch", "url": f"Things({first})", "body": {"name": "Json Patched"}},
        {"id": "3", "atomicityGroup": "g", "method": "patch", "url": f"Things({second})",
         "headers": {"content-type": "application/json-patch+json"},
         "body": [{"op": "replace", "path": "/name", "value": "Thing 1 Updated"}, {"op": "add", "path": "/properties/new", "value": "Changes"}]},
        {"id": "4", "method": "get", "url": "Things(null)"},
    )  # fmt: skip
    assert [(r["id"], r["status"]) for r in reply] == [
        ("0", 200),
        ("1", 201),
        ("2", 200),
        ("3", 200),
        ("4", 404),
    ]
    assert reply[0]["body"] == {"name": "Thing 0"}
    assert reply[1]["location"] == f"{ROOT}Things({max(ids(sta, 'Things'))})"
    shown = sta.get(f"Things({second})").json()
    assert (shown["name"], shown["properties"]["new"]) == ("Thing 1 Updated", "Changes")
    assert sta.get(f"Things({first})/name/$value").text == "Json Patched"


@pytest.mark.parametrize("url", ["Things({})/Datastreams", "$sensor1/Datastreams"])
def test_a_json_batch_refers_to_what_it_makes_in_body_and_address(sta: TestClient, url: str) -> None:
    first = things(sta)[0]
    seen = made(
        sta.post("ObservedProperties", json={"name": "T", "definition": "http://t", "description": "x"})
    )
    body = {**DATASTREAM, "ObservedProperty": {"@iot.id": seen}}
    del body["Sensor"]
    body |= {"Thing": {"@iot.id": first}} if "$" in url else {"Sensor": {"@iot.id": "$sensor1"}}
    reply = post_json(
        sta,
        {"id": "sensor1", "atomicityGroup": "g", "method": "post", "url": "Sensors", "body": SENSOR},
        {"id": "any", "atomicityGroup": "g", "method": "post", "url": url.format(first), "body": body},
    )
    assert [r["status"] for r in reply] == [201, 201]
    assert (
        f"{ROOT}Sensors({sta.get(reply[1]['location'] + '/Sensor').json()['@iot.id']})"
        == reply[0]["location"]
    )


def test_a_new_observation_cannot_be_referred_to_before_it_has_an_id(sta: TestClient) -> None:
    (reply,) = post(sta, town_in_a_change_set(request("PATCH", "$o1", {"result": 5}, "x")))
    assert (reply["status"], reply["id"]) == (400, "x")
    assert counts(sta)["Thing"] == 0
    replies = post_json(
        sta,
        {"id": "t", "method": "post", "url": "Things", "body": station()},
        {"id": "s", "method": "get", "url": "$t/Datastreams"},
        {"id": "o", "method": "post", "url": "$s/Observations", "body": {"result": 1}},
        {"id": "c", "method": "patch", "url": "$o", "body": {"result": 2}},
    )
    assert [r["status"] for r in replies] == [201, 200, 201, 200]
    assert [o["result"] for o in values(sta, "Observations")] == [2]


def test_a_json_group_that_fails_says_so_for_each_of_its_requests(sta: TestClient) -> None:
    replies = post_json(
        sta,
        {"id": "a", "atomicityGroup": "g", "method": "post", "url": "Things", "body": THING},
        {"id": "b", "atomicityGroup": "g", "method": "post", "url": "Things", "body": {"name": 5}},
        {"id": "c", "dependsOn": ["g"], "method": "post", "url": "Things", "body": THING},
        {"id": "d", "dependsOn": ["b"], "method": "get", "url": "Things"},
        {"id": "e", "method": "get", "url": "Things/$count"},
    )
    assert {r["id"]: r["status"] for r in replies} == {"a": 424, "b": 400, "c": 424, "d": 424, "e": 200}
    assert replies[-1]["body"] == "0"


def test_a_request_is_skipped_when_its_condition_does_not_hold(sta: TestClient) -> None:
    def batch() -> list[int]:
        seen = {"name": "Temperature", "description": "x", "definition": "http://t"}
        replies = post_json(
            sta,
            {"id": "op", "atomicityGroup": "g", "method": "get", "url": "ObservedProperties?$select=id&$filter=name eq 'Temperature'"},
            {"id": "op", "atomicityGroup": "g", "if": "not $op", "method": "post", "url": "ObservedProperties", "body": seen},
            {"id": "p", "atomicityGroup": "g", "method": "patch", "url": "$op", "body": {"description": "deux"}},
        )  # fmt: skip
        return [r["status"] for r in replies]

    assert batch() == [200, 201, 200]
    assert batch() == [200, 200, 200]
    assert [p["description"] for p in values(sta, "ObservedProperties")] == ["deux"]


def test_digits_survive_a_batch(sta: TestClient) -> None:
    series = series_of(sta, made(sta.post("Things", json=station())))
    body = f'{{"requests":[{{"id":"1","method":"post","url":"Datastreams({series})/Observations","body":{{"result":2.50}}}},'
    body += f'{{"id":"2","atomicityGroup":"g","method":"post","url":"Datastreams({series})/Observations","body":{{"result":1.10,"parameters":{{"x":1.00}}}}}}]}}'
    assert sta.post("$batch", content=body, headers={"content-type": "application/json"}).status_code == 200
    page = sta.get("Observations").text
    assert '"result":2.50,' in page
    assert '"result":1.10,' in page
    assert '{"x":1.00}' in page


def test_what_may_stand_in_a_batch(sta: TestClient) -> None:
    series = series_of(sta, made(sta.post("Things", json=station())))
    array = [{"Datastream": {"@iot.id": series}, "components": ["result"], "dataArray": [[1], [2]]}]
    replies = post_json(
        sta,
        {"id": "1", "method": "post", "url": "CreateObservations", "body": array},
        {"id": "2", "method": "get", "url": f"Datastreams({series})/name/$value"},
        {"id": "4", "method": "post", "url": "$batch", "body": {"requests": []}},
        {"id": "5", "method": "get", "url": "http://elsewhere.test/Things"},
        {"id": "6", "method": "get", "url": "$nobody"},
        {"id": "7", "method": "delete", "url": f"Datastreams({series})"},
    )
    assert [r["status"] for r in replies] == [201, 200, 400, 400, 400, 200]
    (inside,) = post_json(
        sta, {"id": "1", "atomicityGroup": "g", "method": "post", "url": "CreateObservations", "body": array}
    )
    assert (inside["status"], inside["body"]["place"]) == (400, "/requests/0")
    assert replies[1]["body"] == "air"
    assert all(r["body"]["place"] for r in replies if r["status"] == 400)


def test_a_batch_stops_at_the_first_failure_when_asked(sta: TestClient) -> None:
    requests = [{"id": "1", "method": "get", "url": "Nothing"}, {"id": "2", "method": "get", "url": "Things"}]
    assert [r["status"] for r in post_json(sta, *requests)] == [404, 200]
    assert [r["status"] for r in post_json(sta, *requests, Prefer="continue-on-error=false")] == [404]


def test_a_batch_sent_again_with_its_idempotency_key_stores_once(sta: TestClient) -> None:
    series = series_of(sta, made(sta.post("Things", json=station())))
    one = request("POST", f"Datastreams({series})/Observations", {"result": 1}, "1")
    for _ in range(2):
        reply = post(sta, one, change_set(one), **{"Idempotency-Key": "k"})
    assert counts(sta)["Observation"] == 2
    assert reply[1][0]["headers"]["location"].startswith(f"{ROOT}Observations(")


WRONG_BATCHES = [
    ("multipart/mixed", b"", "Content-Type"),
    ("multipart/mixed;boundary=b", b"", "byte 0"),
    ("multipart/mixed;boundary=b", b"--b\r\nContent-Type: application/http\r\n\r\nGET Things HTTP/1.1\r\n\r\n", "byte 62"),
    ("multipart/mixed;boundary=b", b"--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b--", "part 1"),
    ("multipart/mixed;boundary=b", b"--b\r\nContent-Type: application/http\r\n\r\nFETCH Things HTTP/1.1\r\n\r\n\r\n--b--", "part 1"),
    ("multipart/mixed;boundary=b", b"--b\r\nContent-Type: multipart/mixed;boundary=c\r\n\r\n--c\r\nContent-Type: application/http\r\n\r\nGET Things HTTP/1.1\r\n\r\n\r\n--c--\r\n--b--", "part 1.1"),
    ("multipart/mixed;boundary=b", b"--b\r\nContent-Type: multipart/mixed;boundary=c\r\n\r\n--c\r\n--b--", "part 1: byte 3"),
    ("application/json", b"{}", "/requests"),
    ("application/json", b"[", "byte 1"),
    ("application/json", b'{"requests":[5]}', "/requests/0"),
    ("application/json", b'{"requests":[{"id":"1","method":"get"}]}', "/requests/0"),
    ("application/json", b'{"requests":[{"id":"1","method":"get","url":"Things","dependsOn":["x"]}]}', "/requests/0/dependsOn"),
    ("application/json", b'{"requests":[{"id":"1","method":"get","url":"Things","if":"x"}]}', "/requests/0/if"),
    ("application/json", b'{"requests":[{"id":"1","method":"get","url":"T","atomicityGroup":"g"},{"id":"2","method":"get","url":"T"},{"id":"3","method":"get","url":"T","atomicityGroup":"g"}]}', "/requests/2/atomicityGroup"),
]  # fmt: skip


def test_batches_that_cannot_be_read_are_refused_whole_with_the_place(sta: TestClient) -> None:
    for kind, body, place in WRONG_BATCHES:
        answer = sta.post("$batch", content=body, headers={"content-type": kind})
        assert (answer.status_code, answer.json()["place"]) == (400, place), body
    assert sta.post("$batch", content=b"x", headers={"content-type": "text/plain"}).status_code == 415
    many = {"requests": [{"id": "1", "method": "get", "url": "Things"}] * 5_001}
    assert sta.post("$batch", json=many).json()["place"] == "part 5001"


def test_each_request_of_a_batch_has_the_rights_of_who_sends_it(sta: TestClient, sta_town: Town) -> None:
    thing = made(sta.post("Things", json=station()))
    with client_of(sta_town, open_writes=False) as public:
        replies = post_json(
            public,
            {"id": "1", "method": "get", "url": "Things?$select=id"},
            {"id": "2", "method": "post", "url": "Things", "body": THING},
            {"id": "3", "atomicityGroup": "g", "method": "delete", "url": f"Things({thing})"},
            {"id": "4", "method": "get", "url": "Things", "headers": {"authorization": "Bearer nonsense"}},
        )
    assert [r["status"] for r in replies] == [200, 401, 401, 200]
    assert replies[0]["body"] == {"value": [{"@iot.id": thing}]}


def test_boundaries_may_be_quoted_and_alike_and_have_a_preamble(sta: TestClient) -> None:
    body = (
        'Voici le lot.\r\n--b\r\nContent-Type: multipart/mixed; boundary="b2"\r\n\r\npréambule\r\n--b2  \r\n'
        "Content-Type: application/http\r\nContent-ID: <1>\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        f"POST Things HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{json.dumps(THING)}\r\n--b2--\r\nfin\r\n--b--\r\népilogue"
    ).encode()
    answer = sta.post(
        "$batch", content=body, headers={"content-type": 'multipart/mixed; charset=utf-8; boundary="b"'}
    )
    ((reply,),) = read(answer.headers["content-type"], answer.content)
    assert (reply["status"], reply["id"]) == (201, "1")
