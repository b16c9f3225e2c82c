"""Write batches as clients do, and read their answers with a reader that is none of ours."""

import email
import email.policy
import json
from typing import Any

from starlette.testclient import TestClient
from tests.sensorthings_town import DATASTREAM, LOCATION, THING, made

from beffroi.standards.sensorthings.entities import ENTITIES

CRLF = "\r\n"


def request(method: str, url: str, body: Any = None, name: str = "", kind: str = "application/json") -> str:
    """Return a part of a multipart batch: one request."""
    head = "Content-Type: application/http\n" + (f"Content-ID: {name}\n" if name else "")
    text = "" if body is None else json.dumps(body, ensure_ascii=False)
    inner = f"{method} {url} HTTP/1.1\nHost: localhost\n"
    if text:
        inner += f"Content-Type: {kind}\nContent-Length: {len(text.encode())}\n"
    return f"{head}\n{inner}\n{text}\n"


def mixed(parts: list[str], boundary: str) -> str:
    return "".join(f"--{boundary}\n{part}" for part in parts) + f"--{boundary}--"


def change_set(*parts: str, boundary: str = "changeset_1") -> str:
    return f"Content-Type: multipart/mixed;boundary={boundary}\n\n{mixed(list(parts), boundary)}\n"


def post(sta: TestClient, *parts: str, eol: str = CRLF, boundary: str = "batch_1", **headers: str) -> Any:
    body = mixed(list(parts), boundary).replace("\n", eol)
    answer = sta.post(
        "$batch",
        content=body.encode(),
        headers={"Content-Type": f"multipart/mixed;boundary={boundary}", **headers},
    )
    assert answer.status_code == 200, answer.text
    return read(answer.headers["content-type"], answer.content)


def read(kind: str, body: bytes) -> list[Any]:
    """Return what a multipart answer holds, by a reader that is none of ours: (status, headers, JSON)."""
    message = email.message_from_bytes(
        f"Content-Type: {kind}\r\n\r\n".encode() + body, policy=email.policy.HTTP
    )
    return [_part(part) for part in message.iter_parts()]  # type: ignore[attr-defined]


def _part(part: Any) -> Any:
    if part.get_content_type() == "multipart/mixed":
        return [_part(inner) for inner in part.iter_parts()]
    assert part.get_content_type() == "application/http"
    raw: bytes = part.get_payload(decode=True)
    line, _, rest = raw.partition(b"\r\n")
    head, _, body = rest.partition(b"\r\n\r\n") if not rest.startswith(b"\r\n") else (b"", b"", rest[2:])
    headers = {k.lower(): v for k, _, v in (h.partition(": ") for h in head.decode().split("\r\n")) if k}
    version, status, _reason = line.decode().split(" ", 2)
    assert version == "HTTP/1.1"
    shown = json.loads(body) if "json" in headers.get("content-type", "") and body else body.decode()
    return {"status": int(status), "headers": headers, "body": shown, "id": part.get("Content-ID", "")}


def post_json(sta: TestClient, *requests: dict[str, Any], **headers: str) -> list[dict[str, Any]]:
    answer = sta.post("$batch", json={"requests": list(requests)}, headers=headers)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["responses"]
    return found


def things(sta: TestClient, n: int = 4) -> list[int]:
    return [made(sta.post("Things", json={**THING, "name": f"Thing {i}", "properties": {"int": i + 8}})) for i in range(n)]  # fmt: skip


def counts(sta: TestClient) -> dict[str, int]:
    return {e.name: int(sta.get(f"{e.set_name}/$count").text) for e in ENTITIES}


def town_in_a_change_set(*more: str) -> str:
    return change_set(
        request("POST", "Things", {**THING, "Locations": [LOCATION]}, "thing"),
        request("POST", "$thing/Datastreams", DATASTREAM, "series"),
        request("POST", "$series/Observations", {"result": 1, "phenomenonTime": "2020-01-01T00:00:00Z"}, "o1"),
        request("POST", "Observations", {"result": 2, "phenomenonTime": "2020-01-02T00:00:00Z", "Datastream": {"@iot.id": "$series"}}, "o2"),
        *more,
    )  # fmt: skip
