"""`/donnees/{collection}/{id}`: one record, where it is, what is linked to it, and its history."""

from typing import Any
from urllib.parse import quote

import msgspec
from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from beffroi.model.collection import Collection, Field
from beffroi.store.desk import Desk
from beffroi.store.record import Change, Query, Row
from beffroi.store.tables import thing
from beffroi.web.kit.map import MapView, outline_svg
from beffroi.web.kit.page import language_of, principal_of, render, translate
from beffroi.web.kit.table import Cell
from beffroi.web.site.base_map import base_map
from beffroi.web.site.data.desk import (
    author_names,
    desk_of,
    label_of,
    labels_of,
    say,
    territory_names,
    town_of,
)
from beffroi.web.site.service_figures import may_read

__all__ = ["ROUTES"]

_SPAN = 0.003  # about 300 m around a point


def _facts(request: Request, fields: tuple[Field, ...], row: Row) -> list[tuple[str, Any]]:
    """Return each known field in words, a link where it names another record."""
    language = language_of(request)
    facts: list[tuple[str, Any]] = []
    for field in fields:
        value = row.values.get(field.name)
        if value is None:
            continue
        said = say(request, field, value, row.values.get(f"{field.name}_en"))
        severity = next((c.severity for c in field.choices if c.value == value), None) or ""
        href = ""
        if field.reference:
            found = labels_of(request, field.reference, {value})
            said, href = (
                found.get(value, f"n° {value}"),
                f"/donnees/{field.reference}/{value}" if found else "",
            )
        elif field.names_record:
            said, href = _named(request, value, said)
        facts.append((field.title.of(language), Cell(said, href, severity)))
    return facts


def _named(request: Request, value: str, said: str) -> tuple[str, str]:
    """Return the label and the page of the record that a text names ("lamp/12"), the text alone when nobody may see it."""
    name, _, number = value.partition("/")
    desk = desk_of(request)
    known = next((c for c in desk.collections() if c.name == name), None)
    found = labels_of(request, name, {int(number)}) if known is not None else {}
    if known is None or not found:
        return said, ""
    return f"{known.title.of(language_of(request))} · {found[int(number)]}", f"/donnees/{value}"


def _linked(request: Request, desk: Desk, collection: Collection, row: Row) -> list[tuple[str, str]]:
    """Return the collections whose records point at this one, with how many do."""
    links = []
    for other in desk.collections():
        for field in desk.fields(other):
            if field.reference != collection.name and not field.names_record:
                continue
            mine = f"{collection.name}/{row.id}" if field.names_record else row.id
            count = desk.count(other.name, Query(where={field.name: mine}))
            if count:
                links.append(
                    (
                        f"{other.title.of(language_of(request))} ({count})",
                        f"/donnees/{other.name}?{field.name}={mine}",
                    )
                )
    return links


def _things(request: Request, collection: Collection, row: Row) -> list[tuple[str, str]]:
    mine = (thing.c.collection == collection.name, thing.c.record_id == row.id)
    public = () if desk_of(request).who.staff else (thing.c.public == 1,)
    with town_of(request).store.read() as c:
        found = c.execute(select(thing.c.id, thing.c.name).where(*mine, *public).order_by(thing.c.name))
        return [(name, f"/capteurs/{number}") for number, name in found]


def _doors(request: Request, collection: Collection, row: Row) -> list[tuple[str, str]]:
    """Return the pages that services have about this record."""
    who, language = principal_of(request), language_of(request)
    key = next((str(row.values.get(f.name) or "") for f in collection.fields if f.key), "")
    return [
        (entrance.title.of(language), entrance.href.format(id=row.id, key=quote(key, safe="")))
        for service in town_of(request).registry.services.values()
        for entrance in service.entrances
        if entrance.record == collection.name and may_read(who, entrance.read)
    ]


def _map(request: Request, collection: Collection, row: Row) -> MapView | None:
    if row.geometry is None:
        return None
    box = desk_of(request).extent(collection.name, Query(where={"_id": row.id}, deleted=None))
    if box is None:
        return None
    wide = (box[0] - _SPAN, box[1] - _SPAN, box[2] + _SPAN, box[3] + _SPAN)
    name = label_of(request, collection, row)
    points = [(*row.geometry["coordinates"][:2], "", name)] if row.geometry["type"] == "Point" else []
    shapes = [] if points else [{"geometry": row.geometry, "properties": {"kind": "boundary"}}]
    base = base_map(town_of(request))
    drawing = outline_svg(wide, [*base.features, *shapes], points)
    return MapView(
        name, f"/donnees/{collection.name}/{row.id}.geojson", drawing, wide, base.url, base.credit, small=True
    )


class Line(msgspec.Struct, frozen=True):
    """One change as the page shows it."""

    title: str
    at_us: int
    author: str
    reason: str
    details: list[tuple[str, str, str]]
    change_set: int
    undoable: bool


def _lines(request: Request, desk: Desk, collection: Collection, row: Row) -> list[Line]:
    changes = desk.history(collection.name, row.id)
    names = author_names(request, {change.author for change in changes})
    _ = translate(request)
    titles = {
        "create": _("Création"), "update": _("Modification"), "delete": _("Suppression"),
        "restore": _("Restauration"), "erase": _("Effacement de données personnelles"),
    }  # fmt: skip
    undoable = desk.writable(collection, row.territory)
    return [
        Line(titles[c.action], c.at_us, names.get(c.author, c.author), c.reason, _details(request, collection, c),
             c.change_set, undoable and c.action != "erase")
        for c in changes
    ]  # fmt: skip


def _details(request: Request, collection: Collection, change: Change) -> list[tuple[str, str, str]]:
    if change.action != "update":
        return []
    _, language = translate(request), language_of(request)
    details = []
    for name in change.after:
        field = collection.field(name)
        if field is not None:
            before, after = (
                say(request, field, side.get(name), side.get(f"{name}_en"))
                for side in (change.before, change.after)
            )
            details.append((field.title.of(language), before or "–", after or "–"))
        elif name == "_geometry":
            details.append((_("Lieu"), _where(change.before.get(name)), _where(change.after.get(name))))
        elif name == "_territory":
            details.append((_("Commune"), change.before.get(name) or "–", change.after.get(name) or "–"))
    return details


def _where(geometry: dict[str, Any] | None) -> str:
    if not geometry:
        return "–"
    if geometry["type"] == "Point":
        return ", ".join(f"{c:.6f}" for c in geometry["coordinates"][:2])
    return str(geometry["type"])


def detail(request: Request) -> Response:
    """Answer the page of one record; staff also see it deleted, with its history."""
    desk = desk_of(request)
    collection = desk.collection(request.path_params["name"])
    row = desk.get(collection.name, request.path_params["id"], deleted=None)
    fields = desk.fields(collection)
    return render(
        request, "data/record.html", collection=collection, row=row, name=label_of(request, collection, row),
        facts=_facts(request, fields, row), linked=_linked(request, desk, collection, row),
        doors=_doors(request, collection, row), things=_things(request, collection, row), map_view=_map(request, collection, row), where=_where(row.geometry),
        place=territory_names(request).get(row.territory or "", row.territory or ""),
        lines=_lines(request, desk, collection, row) if desk.staffed(row.territory) else [],
        erasable=desk.erasable(collection, row), writable=desk.writable(collection, row.territory), deletable=desk.deletable(collection, row.territory),
    )  # fmt: skip


ROUTES = [Route("/donnees/{name}/{id:int}", detail)]
