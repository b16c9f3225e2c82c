"""`/capteurs/{id}/commandes`: tell a device what to do, see what became of it; and the part of a thing's page about it."""

import secrets
from typing import Any

import msgspec
from anyio import to_thread
from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.connectors.tasking import planned
from beffroi.model.principal import Principal
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.standards.sensorthings.address import read_path
from beffroi.standards.sensorthings.writing import EntityWriter
from beffroi.standards.tasking.parameters import Parameter, read_parameters
from beffroi.standards.tasking.tasks import Capability, advance, capability, check_task
from beffroi.store.tables import task
from beffroi.town import Town
from beffroi.web.kit.form import Input
from beffroi.web.kit.page import figures_of, principal_of, render, translate, words_of
from beffroi.web.kit.table import Cell, Column, Row
from beffroi.web.site.catalogue import Station, find_station

__all__ = ["ROUTES", "commands_of"]

SHOWN = 50
STATES = {
    "created": Text("à envoyer", "to be sent"), "sent": Text("envoyée", "sent"), "acknowledged": Text("reçue par l'appareil", "received by the device"),
    "done": Text("faite", "done"), "failed": Text("échouée", "failed"), "expired": Text("sans réponse à temps", "no answer in time"),
    "cancelled": Text("annulée", "cancelled"),
}  # fmt: skip
SEVERITY = {"done": "vert", "failed": "orange", "expired": "jaune"}
WAYS = {
    "mqtt": Text("par MQTT", "over MQTT"), "lorawan": Text("par le réseau LoRaWAN", "over the LoRaWAN network"),
    "simulated": Text("à un appareil simulé", "to a simulated device"),
    "service": Text("par la télégestion du service", "by the service's remote control"),
}  # fmt: skip


class Commands(msgspec.Struct, frozen=True):
    """What a thing's page shows of commands."""

    capabilities: list[Capability]
    rows: list[Row]
    columns: list[Column]


def _town(request: Request) -> Town:
    town: Town = request.app.state.town
    return town


def commands_of(request: Request, station: Station, most: int = 5) -> Commands | None:
    """Return what `who` may command of a thing and the last commands, None when there is nothing for them."""
    town, who = _town(request), principal_of(request)
    with town.store.read() as c:
        able = [one for one in capability(c, thing_id=station.id) if _sees(who, one)]
        names = {one.id: one for one in able}
        wanted = select(task).where(task.c.tasking_capability_id.in_(list(names)))
        rows = c.execute(wanted.order_by(task.c.id.desc()).limit(most)).all() if able else []
    if not able:
        return None
    _ = translate(request)
    columns = [
        Column("at", _("Donnée le"), "instant"), Column("what", _("Commande")), Column("state", _("État")), Column("who", _("Par")),
    ]  # fmt: skip
    return Commands(able, [_row(request, row, names[row.tasking_capability_id]) for row in rows], columns)


def _sees(who: Principal, one: Capability) -> bool:
    return who.staff and who.covers(one.territory) and (who.service is None or who.service == one.service)


def _row(request: Request, row: Any, one: Capability) -> Row:
    language = words_of(request).language
    steps = msgspec.json.decode(row.steps)
    told = _told(request, one, msgspec.json.decode(row.tasking_parameters))
    return Row(
        {
            "at": row.created_us, "what": Cell(told, note=one.name),
            "state": Cell(STATES[row.state].of(language), severity=SEVERITY.get(row.state, ""), note=row.error or ""),
            "who": str(steps[0][2]) if steps else "",
        },
        key=str(row.id),
    )  # fmt: skip


def _told(request: Request, one: Capability, values: dict[str, Any]) -> str:
    """Return what a device is told, in words."""
    fields = (field for field in read_parameters(one.parameters).fields if field.name in values)
    return ", ".join(
        f"{field.label or field.name} {_shown(request, field, values[field.name])}" for field in fields
    )


def _shown(request: Request, field: Parameter, value: Any) -> str:
    _ = translate(request)
    if isinstance(value, bool):
        return _("oui") if value else _("non")
    if isinstance(value, int | float):
        return figures_of(request).quantity(value, field.unit)
    return str(value)


def _input(request: Request, field: Parameter) -> Input:
    _ = translate(request)
    hint = field.description
    if field.intervals and not hint:
        low, high = field.intervals[0]
        hint = _(
            "De {low} à {high}.",
            low=figures_of(request).quantity(low, ""),
            high=figures_of(request).quantity(high, ""),
        )
    options = tuple((str(value), str(value)) for value in field.values)
    if field.kind == "Boolean":
        options = (("true", _("oui")), ("false", _("non")))
    if options and field.optional:
        options = (("", "–"), *options)
    return Input(
        f"p-{field.name}", field.label or field.name, "select" if options else "text", hint, not field.optional, options, field.unit
    )  # fmt: skip


def _page(request: Request, number: int, values: dict[str, str] | None = None, errors: dict[str, str] | None = None, status: int = 200,
          chosen: int | None = None) -> Response:  # fmt: skip
    town, who = _town(request), principal_of(request)
    station = find_station(town, who, number, language=words_of(request).language)
    found = commands_of(request, station, SHOWN)
    if found is None:
        raise NotFound(
            Text(
                "Cet objet ne se commande pas, ou pas par vous.",
                "This thing takes no commands, or not yours.",
            ),
            Text("Revenez à sa page.", "Go back to its page."),
        )
    asked = request.query_params.get("capacite", "")
    wanted = (
        chosen
        if chosen is not None
        else int(asked)
        if asked.isascii() and asked.isdigit() and len(asked) < 16
        else 0
    )
    one = next((c for c in found.capabilities if c.id == wanted), found.capabilities[0])
    fields = read_parameters(one.parameters).fields
    tabs = [(c.name, f"/capteurs/{number}/commandes?capacite={c.id}", c is one) for c in found.capabilities]
    return render(
        request, "site/commands.html", status, station=station, one=one, tabs=tabs if len(tabs) > 1 else [],
        may=one.may_command(who), inputs=[_input(request, field) for field in fields], values=values or {}, errors=errors or {},
        columns=found.columns, rows=found.rows,
    )  # fmt: skip


async def index(request: Request) -> Response:
    """Answer the form and the last commands."""
    return await to_thread.run_sync(_page, request, request.path_params["id"])


def _give(request: Request, number: int, form: dict[str, str]) -> Response:
    town, who = _town(request), principal_of(request)
    find_station(town, who, number)
    text = form.get("capability", "")
    wanted = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0
    with town.store.read() as c:
        one = next((a for a in capability(c, thing_id=number) if a.id == wanted), None)
    if one is None:
        raise NotFound(Text("Cette commande n'existe plus.", "This command is gone."))
    one.check_commander(who)
    given = {name.removeprefix("p-"): value for name, value in form.items() if name.startswith("p-")}
    try:
        values = read_parameters(one.parameters).read(given)
        with town.store.read() as c:
            check_task(c, who, one.id, values, town.clock())
        way, what = planned(one, 0, values, town.clock() + one.valid_us, town.settings.lorawan)
    except Problem as problem:
        language = words_of(request).language
        said = " ".join(t for t in (problem.reason.of(language), problem.mend.of(language)) if t)
        name = problem.place.rpartition("/")[2]
        return _page(
            request, number, form, {f"p-{name}" if name in given else "command": said}, problem.status, one.id
        )
    if form.get("step") != "send":
        return render(
            request, "site/command.html", station=find_station(town, who, number, language=words_of(request).language), one=one, told=_told(request, one, values),
            way=WAYS[way].of(words_of(request).language), topic=what[0] if way == "mqtt" else "",
            valid=figures_of(request).duration(one.valid_us), kept={k: v for k, v in form.items() if k.startswith("p-")},
            key=secrets.token_urlsafe(12),
        )  # fmt: skip
    writer = EntityWriter(town.store, who, town.clock())
    writer.create(
        read_path(f"TaskingCapabilities({one.id})/Tasks"), {"taskingParameters": values}, form.get("key", "")
    )
    return RedirectResponse(f"/capteurs/{number}/commandes?capacite={one.id}", 303)


async def give(request: Request) -> Response:
    """Show what a command would do, for a yes; then, with `step=send`, give it (once, whatever the clicks)."""
    form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    return await to_thread.run_sync(_give, request, request.path_params["id"], form)


def _change(request: Request, number: int, form: Any) -> Response:
    town, who = _town(request), principal_of(request)
    find_station(town, who, number)
    state = {"cancel": "cancelled", "retry": "created"}.get(str(form.get("action")))
    ids = [
        int(text)
        for text in form.getlist("row")
        if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 16
    ]
    if state is None or not ids:
        raise Problem(
            Text("Aucune commande n'est choisie.", "No command is chosen."),
            Text("Cochez des lignes, puis choisissez ce qu'il faut en faire.", "Tick rows, then choose what to do with them."),
            place="row",
        )  # fmt: skip
    with town.store.write() as c:
        of = {one.id for one in capability(c, thing_id=number)}
        for one in ids:
            mine = c.execute(select(task.c.tasking_capability_id).where(task.c.id == one)).scalar()
            if mine not in of:
                raise NotFound(Text("Cette commande n'existe plus.", "This command is gone."))
            advance(town.store, c, who, one, state, now_us=town.clock())
    return RedirectResponse(f"/capteurs/{number}/commandes", 303)


async def change(request: Request) -> Response:
    """Cancel the commands that were ticked, or give them again."""
    form = await request.form()
    return await to_thread.run_sync(_change, request, request.path_params["id"], form)


ROUTES: list[BaseRoute] = [
    Route("/capteurs/{id:int}/commandes", index, methods=["GET"]),
    Route("/capteurs/{id:int}/commandes", give, methods=["POST"]),
    Route("/capteurs/{id:int}/commandes/suite", change, methods=["POST"]),
]
