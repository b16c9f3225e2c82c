"""`/capteurs/appareils`: the devices that send by themselves, those that wait for approval, and polled sources."""

from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.connectors.schedule import KINDS, State, states
from beffroi.connectors.source import Source, sources_of
from beffroi.intake.devices import Device, approve, devices, may_manage
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.town import Town
from beffroi.web.kit.page import figures_of, principal_of, render, translate, with_query, words_of
from beffroi.web.kit.table import Cell, Column, Pager, Row

__all__ = ["ROUTES"]

PAGE = 100
WEAK_BATTERY = 20.0
WEAK_RSSI = -115.0
STATES = ("attente", "muets", "piles")


def _kept(found: list[Device], state: str) -> list[Device]:
    if state == "attente":
        return [one for one in found if not one.approved]
    if state == "muets":
        return [one for one in found if one.silent_us is not None]
    if state == "piles":
        return [one for one in found if one.battery is not None and one.battery <= WEAK_BATTERY]
    return found


def _row(request: Request, device: Device) -> Row:
    _ = translate(request)
    figures = figures_of(request)
    state = Cell(_("en service"))
    if device.silent_us is not None:
        state = Cell(_("muet depuis {time}", time=figures.duration(device.silent_us)), severity="orange")
    if not device.approved:
        state = Cell(_("à approuver"), severity="jaune")
    battery = Cell(device.battery, severity="") if device.battery is not None else None
    if device.battery is not None and device.battery <= WEAK_BATTERY:
        battery = Cell(figures.quantity(device.battery, "%", 0), severity="orange")
    cells: dict[str, Any] = {
        "name": Cell(device.name, note=device.model or device.key),
        "state": state,
        "seen": device.seen_us,
        "every": None if device.expected_us is None else figures.duration(device.expected_us),
        "battery": battery,
        "rssi": device.rssi,
        "series": device.series,
        "source": device.source,
    }
    return Row(cells, f"/capteurs/{device.id}", key=str(device.id))


def _source_row(request: Request, source: Source, state: State) -> Row:
    _ = translate(request)
    said = Cell(_("pas encore interrogée"))
    if state.worked_us is not None:
        said = Cell(_("répond"))
    if state.error is not None:
        times = _("{n} échecs de suite", n=state.failures)
        said = Cell(state.error.of(words_of(request).language), severity="orange", note=times)
    cells = {
        "name": Cell(source.name, note=source.url),
        "state": said,
        "worked": state.worked_us,
        "stored": state.total,
    }
    return Row(cells)


def _answer(request: Request) -> Response:
    town: Town = request.app.state.town
    who, _ = principal_of(request), translate(request)
    may_manage(who)
    found = devices(town.store, who, town.clock())
    state = request.query_params.get("etat", "")
    kept = _kept(found, state)
    text = request.query_params.get("page", "")
    page = max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 6 else 1
    shown = kept[(page - 1) * PAGE : page * PAGE]
    columns = [
        Column("name", _("Appareil")), Column("state", _("État")), Column("seen", _("Vu"), "age"), Column("every", _("Pas habituel")),
        Column("battery", _("Pile"), "number", unit="%", decimals=0), Column("rssi", _("Signal"), "number", unit="dBm", decimals=0),
        Column("series", _("Séries"), "number", decimals=0), Column("source", _("Par")),
    ]  # fmt: skip
    sources = sources_of(town.settings.connectors, KINDS)
    source_columns = [
        Column("name", _("Source")), Column("state", _("État")), Column("worked", _("A répondu"), "age"),
        Column("stored", _("Mesures reçues"), "number", decimals=0),
    ]  # fmt: skip
    first = (page - 1) * PAGE + 1
    last = first + len(shown) - 1
    pager = Pager(
        first if shown else 0, last if shown else 0, len(kept),
        with_query(request, page=page - 1) if page > 1 else "", with_query(request, page=page + 1) if last < len(kept) else "",
    )  # fmt: skip
    tabs = [
        (_("Tous ({n})", n=len(found)), "/capteurs/appareils", state not in STATES),
        (
            _("À approuver ({n})", n=len(_kept(found, "attente"))),
            "/capteurs/appareils?etat=attente",
            state == "attente",
        ),
        (_("Muets ({n})", n=len(_kept(found, "muets"))), "/capteurs/appareils?etat=muets", state == "muets"),
        (
            _("Pile faible ({n})", n=len(_kept(found, "piles"))),
            "/capteurs/appareils?etat=piles",
            state == "piles",
        ),
    ]
    return render(
        request, "site/devices.html", columns=columns, rows=[_row(request, one) for one in shown], pager=pager, tabs=tabs,
        state=state, total=len(found), waiting=len(_kept(found, "attente")), source_columns=source_columns,
        source_rows=[_source_row(request, *pair) for pair in states(town.store, sources)],
    )  # fmt: skip


async def index(request: Request) -> Response:
    """Answer the registry; `?etat=attente`, `muets` or `piles` keeps some."""
    return await to_thread.run_sync(_answer, request)


async def change(request: Request) -> Response:
    """Approve the devices that were ticked, or hide them again."""
    town: Town = request.app.state.town
    who = principal_of(request)
    form = await request.form()
    ids = [
        int(text)
        for text in form.getlist("row")
        if isinstance(text, str) and text.isascii() and text.isdigit()
    ]
    action = form.get("action")
    if action not in ("approve", "hide") or not ids or any(number >= 2**53 for number in ids):
        raise Problem(
            Text("Aucun appareil n'est choisi.", "No device is chosen."),
            Text("Cochez des lignes, puis choisissez ce qu'il faut en faire.", "Tick rows, then choose what to do with them."),
            place="row",
        )  # fmt: skip
    await to_thread.run_sync(lambda: approve(town.store, who, ids, approved=action == "approve"))
    return RedirectResponse("/capteurs/appareils", 303)


ROUTES: list[BaseRoute] = [
    Route("/capteurs/appareils", index, methods=["GET"]),
    Route("/capteurs/appareils", change, methods=["POST"]),
]
