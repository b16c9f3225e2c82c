"""`/capteurs-publics`: every kind of sensor that the town has out there, what for, what it keeps and for how long.

Private ones are counted too: what is not published is measured all the same. No place and no device is told.
"""

import csv
import io
from collections import defaultdict

import msgspec
from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.model.text import Text
from beffroi.store.tables import datastream, observed_property, thing
from beffroi.store.thinning import KINDS, Keep, keep_of
from beffroi.town import Town
from beffroi.web.kit.page import language_of, render, translate
from beffroi.web.site.catalogue import name_in
from beffroi.web.site.retention import keep_words

__all__ = ["ROUTES", "Watch", "watches_of"]

_OTHER = Text("Autre mesure", "Other measurement")


class Watch(msgspec.Struct, frozen=True):
    """One kind of measurement of one service: how many sensors, whether anyone may read it, how long it is kept."""

    service: str
    title: Text
    purpose: Text
    what: Text
    unit: str
    sensors: int
    open: int
    keeps: tuple[Keep, ...]


def watches_of(town: Town) -> list[Watch]:
    """Return what is measured, services in their order, the most numerous kind first."""
    c, t, p = datastream.c, thing.c, observed_property.c
    asked = (
        select(t.id, t.service, t.public, c.kind, p.name.label("observed"), c.unit_symbol, c.properties, c.public.label("open"))
        .join(datastream, c.thing_id == t.id)
        .join(observed_property, c.observed_property_id == p.id).where(t.approved == 1)
    )  # fmt: skip
    of_kinds = town.store.setting(KINDS, {})
    sensors: dict[tuple[str, str, str], set[int]] = defaultdict(set)
    readable: dict[tuple[str, str, str], set[int]] = defaultdict(set)
    keeps: dict[tuple[str, str, str], set[tuple[int | None, int | None]]] = defaultdict(set)
    with town.store.read() as connection:
        for row in connection.execute(asked):
            told = row.observed if row.public and row.open else ""  # the words of what is private stay so
            key = (row.service, row.kind or told, row.unit_symbol or "")
            sensors[key].add(row.id)
            if row.public and row.open:
                readable[key].add(row.id)
            keep = keep_of(row.properties, row.kind, of_kinds)
            keeps[key].add((keep.raw_days, keep.hours_days))
    order = {name: n for n, name in enumerate(town.registry.services)}
    return [
        _watch(
            town,
            key,
            len(sensors[key]),
            len(readable[key]),
            tuple(Keep(*k) for k in sorted(keeps[key], key=str)),
        )
        for key in sorted(sensors, key=lambda k: (order.get(k[0], len(order)), -len(sensors[k]), k))
    ]


def _watch(
    town: Town, key: tuple[str, str, str], sensors: int, readable: int, keeps: tuple[Keep, ...]
) -> Watch:
    name, code, unit = key
    service, kind = town.registry.services.get(name), town.registry.datastream_kind(code)
    title = service.title if service is not None else Text("Sans service", "No service")
    purpose = service.description if service is not None else Text("", "")
    return Watch(
        name,
        title,
        purpose,
        kind.title if kind is not None else Text(code, name_in(town, "", code, "en")) if code else _OTHER,
        unit,
        sensors,
        readable,
        keeps,
    )


def listing(request: Request) -> Response:
    """Answer the list; `?format=csv` the same as a file."""
    town: Town = request.app.state.town
    watches = watches_of(town)
    if request.query_params.get("format") == "csv":
        return _table(request, watches)
    groups: dict[str, list[Watch]] = {}
    for watch in watches:
        groups.setdefault(watch.service, []).append(watch)
    kept = {watch: [keep_words(request, keep) for keep in watch.keeps] for watch in watches}
    cameras = "river_camera" in town.registry.collections
    return render(request, "duties/sensors.html", groups=list(groups.values()), kept=kept, cameras=cameras)


def _table(request: Request, watches: list[Watch]) -> Response:
    _, language, out = translate(request), language_of(request), io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(
        [
            _("Service"),
            _("Finalité"),
            _("Mesure"),
            _("Unité"),
            _("Capteurs"),
            _("Dont publics"),
            _("Conservation"),
        ]
    )
    for w in watches:
        keeps = " / ".join(keep_words(request, keep) for keep in w.keeps)
        writer.writerow(
            [
                w.title.of(language),
                w.purpose.of(language),
                w.what.of(language),
                w.unit,
                w.sensors,
                w.open,
                keeps,
            ]
        )
    headers = {"Content-Disposition": 'attachment; filename="capteurs-publics.csv"'}
    return Response("\ufeff" + out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


ROUTES: list[BaseRoute] = [Route("/capteurs-publics", listing)]
