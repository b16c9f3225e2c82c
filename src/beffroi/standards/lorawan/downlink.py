"""Downlinks: a command to a LoRaWAN device, as its network server wants to be asked for it.

The Things Stack v3: `POST /api/v3/as/applications/{application}/devices/{device}/down/push`; ChirpStack v4:
`POST /api/devices/{devEui}/queue` (its REST interface). Sources: thethingsindustries.com/docs "Scheduling downlinks",
chirpstack.io/docs "API".
"""

import base64
import re
from typing import Any
from urllib.parse import quote

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["Downlink", "Event", "Request", "correlation", "event_of", "frame_of", "request_of"]

_FIELD = re.compile(r"\{(\w+)(?::(\d)x)?\}")
_CORRELATION = re.compile(r"beffroi:task:(\d{1,15})\Z")


class Downlink(msgspec.Struct, frozen=True):
    """What goes down: bytes, or an object that the network server's codec encodes."""

    task_id: int
    port: int
    confirmed: bool
    frame: bytes | None
    object: dict[str, Any]


class Request(msgspec.Struct, frozen=True):
    """One HTTP request to a network server."""

    url: str
    headers: dict[str, str]
    body: bytes


class Event(msgspec.Struct, frozen=True):
    """What a network server says of a downlink: of our task, or of the item of its queue."""

    state: str  # sent, acknowledged or failed
    task_id: int | None = None
    item: str = ""
    error: str = ""


def correlation(task_id: int) -> str:
    """Return the name under which a downlink is ours."""
    return f"beffroi:task:{task_id}"


def frame_of(template: str, values: dict[str, Any]) -> bytes:
    """Return the bytes of a frame written in hexadecimal with fields, such as `07{level:2x}`. Raises `Problem`.

    A field is a whole number (or true, 1, and false, 0) of as many hexadecimal digits, big-endian.
    """

    def digits(match: re.Match[str]) -> str:
        value, width = values.get(match[1]), int(match[2] or 2)
        if not isinstance(value, int) or not 0 <= value < 16**width:
            raise Problem(
                Text(f"« {match[1]} » ne tient pas dans {width} chiffres hexadécimaux.",
                     f"'{match[1]}' does not fit in {width} hexadecimal digits."),
                Text("Corrigez « frame » dans les propriétés de la TaskingCapability.",
                     "Mend 'frame' in the properties of the TaskingCapability."), "/properties/lorawan/frame",
            )  # fmt: skip
        return f"{int(value):0{width}x}"

    try:
        return bytes.fromhex(_FIELD.sub(digits, template))
    except ValueError as error:
        raise Problem(
            Text("La trame n'est pas en hexadécimal.", "The frame is not hexadecimal."),
            Text(
                "Écrivez des chiffres hexadécimaux, et les champs entre accolades.",
                "Write hexadecimal digits, and the fields in braces.",
            ),
            "/properties/lorawan/frame",
        ) from error


def request_of(
    kind: str, url: str, key: str, application: str, device: str, eui: str, down: Downlink
) -> Request:
    """Return the request that puts a downlink in the queue of a network server of `kind` (ttn or chirpstack)."""
    base = url.rstrip("/")
    text = None if down.frame is None else base64.b64encode(down.frame).decode()
    if kind == "ttn":
        one = {
            "f_port": down.port,
            "confirmed": down.confirmed,
            "priority": "NORMAL",
            "correlation_ids": [correlation(down.task_id)],
        }
        one |= {"decoded_payload": down.object} if text is None else {"frm_payload": text}
        path = f"/api/v3/as/applications/{quote(application, safe='')}/devices/{quote(device, safe='')}/down/push"
        return Request(base + path, _headers("Authorization", key), msgspec.json.encode({"downlinks": [one]}))
    item: dict[str, Any] = {"confirmed": down.confirmed, "fPort": down.port}
    item |= {"object": down.object} if text is None else {"data": text}
    path = f"/api/devices/{quote(eui, safe='')}/queue"
    return Request(
        base + path, _headers("Grpc-Metadata-Authorization", key), msgspec.json.encode({"queueItem": item})
    )


def _headers(name: str, key: str) -> dict[str, str]:
    return {name: f"Bearer {key}", "Content-Type": "application/json", "Accept": "application/json"}


_TTN = {"downlink_queued": "", "downlink_sent": "sent", "downlink_ack": "acknowledged", "downlink_nack": "failed",
        "downlink_failed": "failed"}  # fmt: skip


def event_of(body: bytes, chirpstack_event: str = "") -> Event | None:
    """Return what a webhook (or MQTT message) of a network server says of a downlink of ours, None for anything else.

    `chirpstack_event` is ChirpStack's name of the event (`ack`, `txack`, `log`); The Things Stack's is in the body.
    """
    try:
        told = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError:
        return None
    if chirpstack_event in ("ack", "txack"):
        state = (
            "sent"
            if chirpstack_event == "txack"
            else "acknowledged"
            if told.get("acknowledged")
            else "failed"
        )
        item = told.get("queueItemId")
        return Event(state, item=str(item), error="NACK" if state == "failed" else "") if item else None
    for name, state in _TTN.items():
        inner = told.get(name)
        if state and isinstance(inner, dict):
            return _of_ttn(inner, state, told)
    return None


def _of_ttn(inner: dict[str, Any], state: str, told: dict[str, Any]) -> Event | None:
    downlink = inner["downlink"] if isinstance(inner.get("downlink"), dict) else inner
    names = [*(downlink.get("correlation_ids") or ()), *(told.get("correlation_ids") or ())]
    ours = next((m for name in names if (m := _CORRELATION.match(str(name)))), None)
    given = inner.get("error")
    error: dict[str, Any] = given if isinstance(given, dict) else {}
    words = str(error.get("message_format") or error.get("name") or "NACK") if state == "failed" else ""
    return Event(state, int(ours[1]), error=words[:200]) if ours is not None else None
