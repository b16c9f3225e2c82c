"""What staff write in a leak's file: who goes and when, what was found, how it ended."""

from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from beffroi.model.instant import to_datetime
from beffroi.model.problem import Problem
from beffroi.model.value import parse_value
from beffroi.store.desk import Desk
from beffroi.store.record import Row
from beffroi.town import Town
from beffroi.web.kit.form import Input, input_of
from beffroi.web.kit.page import language_of, principal_of, translate

__all__ = ["FIELDS", "follow_up", "inputs_of", "written_of"]

FIELDS = ("intervention", "team", "pipe", "found", "state", "end")
_CHOSEN = ("open", "repaired", "false")  # that it grows is for its flow to say


def inputs_of(request: Request, town: Town) -> list[Input]:
    """Return the inputs of the form."""
    _, kept = translate(request), town.store.records.collections["water_leak"]
    made = []
    for field in (kept.field(name) for name in FIELDS):
        assert field is not None
        one = input_of(field, language_of(request))
        if field.name == "state":
            words = {value: said for value, said in one.options if value in _CHOSEN}
            one = msgspec.structs.replace(
                one, options=tuple(words.items()), label=_("Où en est-on"), required=True
            )
        made.append(one)
    return [*made, Input("version", "", "hidden")]


def written_of(town: Town, leak: Row) -> dict[str, str]:
    """Return what the inputs hold at first."""
    zone = ZoneInfo(town.settings.time_zone)
    values = {name: "" if leak.values.get(name) is None else str(leak.values[name]) for name in FIELDS}
    if leak.values.get("end") is not None:
        values["end"] = to_datetime(leak.values["end"]).astimezone(zone).strftime("%Y-%m-%dT%H:%M")
    if values["state"] == "growing":
        values["state"] = "open"
    return {**values, "version": str(leak.version)}


def _save(request: Request, sent: dict[str, str]) -> dict[str, str]:
    """Write what a form says; return what is wrong, field by field."""
    town: Town = request.app.state.town
    desk, language = Desk(town.store.records, principal_of(request)), language_of(request)
    leak = desk.get("water_leak", request.path_params["id"])
    kept = town.store.records.collections["water_leak"]
    values: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for name in FIELDS:
        field = kept.field(name)
        assert field is not None
        try:
            values[name] = parse_value(field, sent.get(name, ""), ZoneInfo(town.settings.time_zone))
        except Problem as problem:
            errors[name] = f"{problem.reason.of(language)} {problem.mend.of(language)}".strip()
    if errors:
        return errors
    if values["state"] not in _CHOSEN or (values["state"] == "open" and leak.values["state"] == "growing"):
        del values["state"]
    elif values["state"] == "repaired" and values["end"] is None:
        values["end"] = town.clock()
    try:
        version = int(sent["version"]) if sent.get("version", "").isdigit() else None
        desk.put("water_leak", values, id=leak.id, version=version, reason="Suivi de la fuite")
    except Problem as problem:
        if problem.status in (401, 403, 404, 503):
            raise
        place = problem.place if problem.place in FIELDS else ""
        return {place: f"{problem.reason.of(language)} {problem.mend.of(language)}".strip()}
    return {}


async def follow_up(request: Request, again: Any) -> Response:
    """Keep what staff write of a leak; `again` answers its page, what was written kept, when something is wrong."""
    sent = {k: str(v) for k, v in (await request.form()).items()}
    errors = await run_in_threadpool(_save, request, sent)
    if errors:
        return await run_in_threadpool(again, request, sent, errors)
    return RedirectResponse(request.url.path, 303)
