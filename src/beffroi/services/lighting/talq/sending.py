"""What we send to gateways over HTTP: whole and refused whole. Standard library only."""

import http.client
import logging
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from beffroi.model.problem import Problem, Unavailable
from beffroi.model.text import Text
from beffroi.services.lighting.calendars import Calendar, check_calendar, read_rules
from beffroi.services.lighting.schedule import read_program
from beffroi.services.lighting.talq import bodies
from beffroi.services.lighting.talq.exchanges import Exchange, note, refused
from beffroi.services.lighting.talq.keeping import cms_address, devices_of
from beffroi.store.record import Query, Row
from beffroi.town import Town

__all__ = ["Call", "Post", "gateway_at", "planned_setup", "post_http", "require_url", "send", "set_up"]

log = logging.getLogger("beffroi.talq")
TIMEOUT_S = 20.0
_LARGEST = 1 << 20


class Call(msgspec.Struct, frozen=True):
    """One request to a gateway: method, path, the TALQ schema of its body, the body. `again` replaces it (method and
    path) when the gateway answers that it has that already (409)."""

    method: str
    path: str
    schema: str
    body: Any
    again: tuple[str, str] | None = None


Post = Callable[[str, str, str, str, Any], tuple[int, str]]


def require_url(gateway: Row | None) -> str:
    """Return where a gateway listens. Raises `Problem` when it does not say, or is gone."""
    if gateway is None or not gateway.values["url"]:
        raise Problem(
            Text("L'adresse de cette passerelle manque.", "The URL of this gateway is missing."),
            Text("Écrivez-la dans sa fiche.", "Write it in its record."), place="url",
        )  # fmt: skip
    return str(gateway.values["url"])


def send(town: Town, gateway: Row, call: Call, post: Post | None = None) -> int:
    """Send one call to a gateway and keep what it answered; return the status (2xx). Raises `Problem` (refused: the
    gateway's own words) or `Unavailable`."""
    url = require_url(gateway)
    items = len(call.body) if isinstance(call.body, list) else len(call.body.get("addresses", [1]))
    try:
        status = _sent(url, cms_address(town), call, post or post_http)
    except Problem as problem:
        note(town, gateway.id, refused(town.clock(), "out", call.method, call.path, problem))
        raise
    note(town, gateway.id, Exchange(town.clock(), "out", call.method, call.path, status, items))
    return status


def _sent(url: str, client: str, call: Call, post: Post) -> int:
    status, said = post(url, client, call.method, call.path, call.body)
    if status == 409 and call.again is not None:
        if isinstance(call.body, list) and len(call.body) > 1:
            # it has some of them: to put one that it has not is a 404, so each goes by itself
            return max(
                _sent(url, client, msgspec.structs.replace(call, body=[one]), post) for one in call.body
            )
        status, said = post(url, client, *call.again, call.body)
    if 200 <= status < 300:
        return status
    detail = said[:300].replace("{", "(").replace("}", ")")
    raise Problem(
        Text(f"La passerelle refuse ({status}) : {detail}", f"The gateway refuses ({status}): {detail}"),
        Text("Corrigez ce qu'elle nomme, puis recommencez.", "Mend what it names, then try again."), place=call.path,
    )  # fmt: skip


def post_http(url: str, client: str, method: str, path: str, body: Any) -> tuple[int, str]:
    """Say one thing over HTTP; return the status and the words of the answer. Raises `Unavailable`."""
    query = urllib.parse.urlencode({"clientAddress": client, "talqRequestId": str(uuid.uuid4())})
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "talq-api-version": bodies.VERSION,
    }
    asked = urllib.request.Request(  # noqa: S310 -- http(s) only: the field's pattern
        f"{url.rstrip('/')}{path}?{query}", msgspec.json.encode(body), headers, method=method
    )
    try:
        with urllib.request.urlopen(asked, timeout=TIMEOUT_S) as answer:  # noqa: S310
            return answer.status, answer.read(_LARGEST).decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(_LARGEST).decode("utf-8", "replace")
    except (OSError, ValueError, http.client.HTTPException) as error:
        said = str(getattr(error, "reason", error)).replace("{", "(").replace("}", ")")
        raise Unavailable(
            Text(f"La passerelle ne répond pas : {said}", f"The gateway does not answer: {said}"),
            Text("Vérifiez son adresse ; le programme local continue.", "Check its address; the local program goes on."), place=path,
        ) from error  # fmt: skip


def planned_setup(town: Town, gateway: Row) -> list[Call]:
    """Return all that a gateway is to be told of its programs, calendars, assignments and logger, sending nothing."""
    owner, records = cms_address(town), town.store.records
    programs = [r for r in records.all("lighting_program") if r.territory in (None, gateway.territory)]
    codes = {row.id: str(row.values["code"]) for row in programs}
    calendars = [r for r in records.all("lighting_calendar") if r.values["default_program"] in codes]
    calendars = [r for r in calendars if r.territory in (None, gateway.territory)]
    calls = []
    if programs:
        bodies_of_programs = [
            bodies.control_program(codes[r.id], read_program(str(r.values["program"])), owner)
            for r in programs
        ]
        calls.append(_replaced("/control-programs", "ControlProgramOne", bodies_of_programs))
    if calendars:
        made = [bodies.calendar(str(r.values["code"]), calendar_of(r, codes), owner) for r in calendars]
        calls.append(_replaced("/calendars", "Calendar", made))
    for code, addresses in _followers(
        town, gateway, {r.id: str(r.values["code"]) for r in calendars}
    ).items():
        calls.append(
            Call("POST", "/assign-commands", "AssignCommand", bodies.assignment(addresses, code, code))
        )
    logger = str(uuid.uuid5(uuid.UUID(owner), str(gateway.values["address"])))
    body = bodies.logger_config(logger, owner, town.clock())
    calls.append(Call("POST", "/logger-configs", "LoggerConfig", body, ("PUT", f"/logger-configs/{logger}")))
    return calls


def _replaced(path: str, schema: str, body: Sequence[Mapping[str, Any]]) -> Call:
    return Call("POST", path, schema, body, ("PUT", path))


def calendar_of(row: Row, codes: Mapping[int, str]) -> Calendar:
    """Return the calendar that a record holds. Raises `Problem` at the line of a wrong rule."""
    held = Calendar(codes[int(row.values["default_program"])], read_rules(str(row.values["rules"] or "")))
    check_calendar(held, set(codes.values()))
    return held


def _followers(town: Town, gateway: Row, calendars: Mapping[int, str]) -> dict[str, list[str]]:
    """Return the devices that follow each calendar, by the cabinet of their lamp."""
    records = town.store.records
    follows = {r.values["cabinet"]: r.values["calendar"] for r in records.all("lighting_assignment")}
    found: dict[str, list[str]] = {}
    for address, device in devices_of(town, gateway).items():
        number = device.values["lamp"]
        cabinet = records.get("lamp", number).values["cabinet"] if number else None
        code = calendars.get(follows.get(cabinet, -1))
        if code is not None:
            found.setdefault(code, []).append(address)
    return found


def set_up(town: Town, gateway: Row, post: Post | None = None) -> list[tuple[str, int]]:
    """Send a gateway its programs, calendars, assignments and logger; return each path with the status it answered."""
    require_url(gateway)
    return [(call.path, send(town, gateway, call, post)) for call in planned_setup(town, gateway)]


def gateway_at(town: Town, address: str) -> Row | None:
    """Return the gateway of an address, None when it is gone."""
    rows = town.store.records.find("talq_gateway", Query(where={"address": address}, limit=1)).rows
    return rows[0] if rows else None
