"""`/services/water/alertes…` and `/services/water/astreinte`: warnings for those who handle them."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.model.instant import DAY_US
from beffroi.model.principal import Principal
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.rules import rulebook
from beffroi.services.water.warning import acting, escalation, images
from beffroi.services.water.warning.keeping import LIVE, held, of_warning, require_staff, station_of
from beffroi.services.water.warning.public_pages import town_of
from beffroi.services.water.warning.ranks import rank
from beffroi.services.water.warning.records import ENTRIES
from beffroi.services.water.warning.standing import rivers, standing_of
from beffroi.services.water.warning.thresholds import ORIGIN
from beffroi.store.record import Query, Row, Where
from beffroi.town import Town
from beffroi.web.kit.page import language_of, principal_of, render

__all__ = ["ROUTES"]

PLACE = "/services/water/alertes"
PAST = 30
LARGEST = 15_000_000


class Turn(msgspec.Struct, frozen=True):
    """Who answers for a function now, and who next."""

    function: str
    now: Row | None
    next: Row | None


def _staff(request: Request) -> Principal:
    who = principal_of(request)
    require_staff(who)
    return who


def _seen(who: Principal, rows: list[Row]) -> list[Row]:
    return [row for row in rows if who.covers(row.territory)]


def index(request: Request) -> Response:
    """Answer the open warnings, how the stations stand, and the past."""
    return _index(request)


def _index(
    request: Request, problem: Problem | None = None, values: Mapping[str, str] | None = None
) -> Response:
    who, town = _staff(request), town_of(request)
    find = town.store.records.find
    live = _seen(
        who, find("river_warning", Query(where={"state": list(LIVE)}, sort="-opened_at", limit=200)).rows
    )
    past = _seen(
        who,
        find(
            "river_warning", Query(where={"state": ["ended", "dismissed"]}, sort="-opened_at", limit=PAST)
        ).rows,
    )
    stations = {row.id: row for row in town.store.records.all("river_station", Query(deleted=None))}
    own = [s for r in rivers(town) for s in r.stations if who.covers(s.station.territory)]
    return render(
        request, "warning/warnings.html", problem.status if problem else 200, live=sorted(live, key=lambda w: -rank(w.values["colour"])),
        past=past, names={i: row.values["name"] for i, row in stations.items()}, stations=own, problem=problem, values=defaultdict(str, values or {}),
        rules=_rules(town),
    )  # fmt: skip


def _rules(town: Town) -> dict[int, int]:
    """Return how many rules each station has."""
    found: dict[int, int] = {}
    for row in rulebook.rules(town.store, enabled=True):
        origin = str(row.values["origin"] or "")
        number = origin.removeprefix(ORIGIN).partition("/")[0] if origin.startswith(ORIGIN) else ""
        if number.isdigit():
            found[int(number)] = found.get(int(number), 0) + 1
    return found


def detail(request: Request) -> Response:
    """Answer one warning."""
    return _detail(request, request.path_params["id"])


def _detail(
    request: Request, number: int, problem: Problem | None = None, values: Mapping[str, str] | None = None
) -> Response:
    who, town = principal_of(request), town_of(request)
    warning = held(town, who, number)
    station = station_of(town, warning)
    tasks = of_warning(town, "warning_task", number, "_id")
    tasks.sort(key=lambda t: (t.values["state"] != "todo", t.values["due_at"], t.values["position"], t.id))
    shown = town.store.records.find(
        "river_image", Query(where={"station": station.id}, sort="-at", limit=4)
    ).rows
    messages = of_warning(town, "cap_message", number, "-sent")
    language = language_of(request)
    return render(
        request, "warning/warning.html", problem.status if problem else 200, warning=warning, station=station,
        standing=standing_of(town, station), tasks=tasks, images=shown, messages=messages, problem=problem, values=defaultdict(str, values or {}),
        entries=of_warning(town, "warning_entry", number, "-at"), live=warning.values["state"] in LIVE,
        kinds=[(one.value, one.title.of(language)) for one in ENTRIES if one.value != "system"],
        kind_words={one.value: one.title.of(language) for one in ENTRIES}, duty=_turns(town, station.territory),
    )  # fmt: skip


def duty(request: Request) -> Response:
    """Answer who is on duty, whom the escalation calls, and where nobody answers."""
    _staff(request)
    town = town_of(request)
    steps = sorted(
        town.store.records.all("escalation_step"),
        key=lambda s: (rank(s.values["colour"]), s.values["after_min"], s.values["position"]),
    )
    actions = list(town.store.records.all("plan_action"))
    actions.sort(key=lambda a: (rank(a.values["colour"]), a.values["position"]))
    coming = town.store.records.find(
        "duty_turn", Query(where={"ends": Where(">", town.clock())}, sort="starts", limit=100)
    ).rows
    return render(request, "warning/duty.html", turns=_turns(town, None), steps=steps, actions=actions, coming=coming,
                  until=town.clock() + 30 * DAY_US)  # fmt: skip


def _turns(town: Town, territory: str | None) -> list[Turn]:
    """Return each function that the escalation calls, with who answers for it."""
    now = town.clock()
    functions = dict.fromkeys(s.values["function"] for s in town.store.records.all("escalation_step"))
    found = []
    for function in functions:
        where = {"function": function, "starts": Where(">", now)}
        later = town.store.records.find("duty_turn", Query(where=where, sort="starts", limit=1)).rows
        found.append(
            Turn(function, escalation.on_duty(town, function, now, territory), later[0] if later else None)
        )
    return found


# --- What is sent.


Act = Callable[[Town, Principal, int, Mapping[str, str]], Any]


def _version(sent: Mapping[str, str]) -> int | None:
    written = sent.get("version", "")
    return int(written) if written.isdigit() and len(written) < 10 else None


def _confirm(town: Town, who: Principal, number: int, sent: Mapping[str, str]) -> None:
    picture = sent.get("image", "")
    acting.confirm(
        town, who, number, colour=sent.get("colour", ""), instruction=sent.get("instruction", ""), version=_version(sent),
        image=int(picture) if picture.isdigit() and len(picture) < 19 else None,
    )  # fmt: skip


def _end(town: Town, who: Principal, number: int, sent: Mapping[str, str]) -> None:
    acting.end(town, who, number, text=sent.get("text", ""), version=_version(sent))


def _dismiss(town: Town, who: Principal, number: int, sent: Mapping[str, str]) -> None:
    acting.dismiss(town, who, number, text=sent.get("text", ""), version=_version(sent))


def _write(town: Town, who: Principal, number: int, sent: Mapping[str, str]) -> None:
    acting.write_entry(town, who, number, sent.get("kind", ""), sent.get("text", ""))


def _tick(town: Town, who: Principal, number: int, sent: Mapping[str, str]) -> None:
    task = sent.get("task", "")
    acting.settle_task(
        town, who, number, int(task) if task.isdigit() and len(task) < 19 else 0, sent.get("state", "")
    )


_ACTS: dict[str, tuple[Act, str]] = {
    "confirmer": (_confirm, ""), "terminer": (_end, ""), "ecarter": (_dismiss, ""), "journal": (_write, "#journal"),
    "taches": (_tick, "#plan"),
}  # fmt: skip


async def act(request: Request) -> Response:
    """Do one thing to a warning and come back to it; what is refused is said on the page, and what was written is kept."""
    who = _staff(request)
    async with request.form() as form:
        sent = {name: value for name, value in form.items() if isinstance(value, str)}
    return await run_in_threadpool(_act, request, who, sent)


def _act(request: Request, who: Principal, sent: Mapping[str, str]) -> Response:
    town, number = town_of(request), request.path_params["id"]
    found = _ACTS.get(request.path_params["act"])
    if found is None:
        raise NotFound(Text("On ne fait pas cela d'une alerte.", "That is not done to a warning."))
    do, anchor = found
    try:
        do(town, who, number, sent)
    except NotFound:
        raise
    except Problem as problem:
        return _detail(request, number, problem, sent)
    return RedirectResponse(f"{PLACE}/{number}{anchor}", 303)


async def picture(request: Request) -> Response:
    """Keep a picture that an agent took."""
    who = _staff(request)
    async with request.form() as form:
        file = form.get("picture")
        data = await file.read(LARGEST + 1) if isinstance(file, UploadFile) else b""
        caption = str(form.get("caption", ""))
    return await run_in_threadpool(_picture, request, who, data, caption)


def _picture(request: Request, who: Principal, data: bytes, caption: str) -> Response:
    town, number = town_of(request), request.path_params["id"]
    warning = held(town, who, number)
    try:
        if len(data) > LARGEST:
            raise Problem(
                Text("Cette image est trop lourde.", "This picture is too heavy."),
                place="picture",
                status=413,
            )
        images.keep(town, who, station_of(town, warning), data, town.clock(), who.name or "agent", caption)
    except Problem as problem:
        return _detail(request, number, problem)
    return RedirectResponse(f"{PLACE}/{number}", 303)


async def open_one(request: Request) -> Response:
    """Open a warning by hand."""
    who = _staff(request)
    async with request.form() as form:
        sent = {name: value for name, value in form.items() if isinstance(value, str)}
    return await run_in_threadpool(_open, request, who, sent)


def _open(request: Request, who: Principal, sent: Mapping[str, str]) -> Response:
    station = sent.get("station", "")
    try:
        if not (station.isdigit() and len(station) < 19):
            raise Problem(Text("Choisissez une station.", "Choose a station."), place="station")
        row = acting.open_by_hand(
            town_of(request), who, int(station), sent.get("colour", ""), sent.get("text", ""), exercise=sent.get("exercise") == "1"
        )  # fmt: skip
    except Problem as problem:
        return _index(request, problem, sent)
    return RedirectResponse(f"{PLACE}/{row.id}", 303)


ROUTES: list[BaseRoute] = [
    Route(PLACE, index),
    Route(PLACE, open_one, methods=["POST"]),
    Route(f"{PLACE}/{{id:int}}", detail),
    Route(f"{PLACE}/{{id:int}}/image", picture, methods=["POST"]),
    Route(f"{PLACE}/{{id:int}}/{{act}}", act, methods=["POST"]),
    Route("/services/water/astreinte", duty),
]
