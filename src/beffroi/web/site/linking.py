"""`/capteurs/{id}/relier`: which record a sensor sits on, and what its series measure."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.identity.rights import require_staff
from beffroi.intake.linking import link, units_of
from beffroi.model.declaration import DatastreamKind
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.store.record import Query
from beffroi.town import Town
from beffroi.web.kit.form import Input
from beffroi.web.kit.page import language_of, principal_of, render, translate
from beffroi.web.site.catalogue import Station, find_station, name_in
from beffroi.web.site.data.desk import desk_of

__all__ = ["ROUTES"]


def _station(request: Request) -> tuple[Town, Station]:
    town: Town = request.app.state.town
    return town, find_station(town, require_staff(principal_of(request)), request.path_params["id"])


def _fitting(town: Town, ucum: str) -> list[DatastreamKind]:
    """Return the declared kinds in a unit, by their French title; all of them for a series without a unit."""
    kinds = [k for service in town.registry.services.values() for k in service.datastreams]
    return sorted((k for k in kinds if not ucum or k.unit_ucum == ucum), key=lambda k: k.title.fr)


def _inputs(request: Request, town: Town, station: Station) -> list[Input]:
    _, language = translate(request), language_of(request)
    kept = [c for c in desk_of(request).collections() if c.key is not None and not c.system]
    options = (("", "–"), *((c.name, c.title.of(language)) for c in kept))
    made = [
        Input("collection", _("Il se trouve sur"), "select", options=options, hint=_("Ce qu'il mesure : un compteur, un conteneur, une armoire…")),
        Input("key", _("Son identifiant"), hint=_("Celui de la fiche, par exemple CPT01.")),
    ]  # fmt: skip
    units = units_of(town.store, station.id)
    for one in station.series:
        if one.id not in units:
            continue
        kinds = _fitting(town, units[one.id])
        hint = _("En {unit}.", unit=one.unit) if one.unit else ""
        choices = (("", "–"), *((k.code, k.title.of(language)) for k in kinds))
        made.append(
            Input(
                f"kind-{one.id}",
                _("« {name} » mesure", name=name_in(town, one.kind, one.name, language)),
                "select",
                hint=hint,
                options=choices,
            )
        )
    return made


def _values(request: Request, station: Station) -> dict[str, str]:
    values = {f"kind-{one.id}": one.kind for one in station.series}
    values |= {name: text for name, text in request.query_params.items() if name in ("collection", "key")}
    if station.collection and station.record_id and "key" not in values:
        desk = desk_of(request)
        key = desk.collection(station.collection).key
        row = desk.get(station.collection, station.record_id, deleted=None)
        values |= {
            "collection": station.collection,
            "key": str(row.values.get(key.name) or "") if key else "",
        }
    return values


def _page(request: Request, sent: dict[str, str], errors: dict[str, str]) -> Response:
    town, station = _station(request)
    return render(
        request, "site/linking.html", 400 if errors else 200, station=station, inputs=_inputs(request, town, station),
        values=sent or _values(request, station), errors=errors,
    )  # fmt: skip


def ask(request: Request) -> Response:
    """Answer the form; `?collection=water_meter&key=CPT01` fills it."""
    return _page(request, {}, {})


def _record_of(request: Request, station: Station, name: str, key: str) -> tuple[str, int] | None:
    """Return the record that a form names, in the sensor's own territory first. Raises `Problem`."""
    if not name and not key:
        return None
    desk = desk_of(request)
    if not name:
        raise Problem(
            Text("De quoi est-ce l'identifiant ?", "What is this the identifier of?"), place="collection"
        )
    collection = desk.collection(name)
    if collection.key is not None and key:
        for places in ((station.territory or "",), None):
            rows = desk.find(name, Query(where={collection.key.name: key}, territories=places, limit=2)).rows
            if len(rows) == 1:
                return name, rows[0].id
    raise Problem(
        Text(f"« {key[:60]} » n'est pas dans « {collection.title.fr} ».", f"'{key[:60]}' is not in '{collection.title.en}'."),
        Text("Écrivez l'identifiant d'une fiche qui existe.", "Write the identifier of a record that exists."),
        place="key",
    )  # fmt: skip


def _save(request: Request, sent: dict[str, str]) -> Response:
    town, station = _station(request)
    codes = {one.id: sent[f"kind-{one.id}"] for one in station.series if f"kind-{one.id}" in sent}
    kinds = {number: town.registry.datastream_kind(code) if code else None for number, code in codes.items()}
    service = next((town.registry.service_of(kind) for kind in kinds.values() if kind is not None), "")
    try:
        record = _record_of(request, station, sent.get("collection", ""), sent.get("key", "").strip())
        link(town.store, principal_of(request), station.id, record, kinds, service)
    except Problem as problem:
        if problem.status in (401, 403, 404, 503):
            raise
        language = language_of(request)
        return _page(
            request,
            sent,
            {problem.place: f"{problem.reason.of(language)} {problem.mend.of(language)}".strip()},
        )
    return RedirectResponse(f"/capteurs/{station.id}", 303)


async def save(request: Request) -> Response:
    """Keep the link; show the form again, what was written kept, when something is wrong."""
    sent = {k: str(v) for k, v in (await request.form()).items()}
    return await run_in_threadpool(_save, request, sent)


ROUTES: list[BaseRoute] = [
    Route("/capteurs/{id:int}/relier", ask, methods=["GET"]),
    Route("/capteurs/{id:int}/relier", save, methods=["POST"]),
]
