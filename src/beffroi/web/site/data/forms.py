"""Creating, changing, deleting and restoring a record by forms that need no script."""

from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import shapely
from shapely.geometry import mapping
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from beffroi.model.collection import Collection, Field
from beffroi.model.instant import to_datetime
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.model.value import json_value, parse_value
from beffroi.store.desk import Desk
from beffroi.store.record import Query, Row
from beffroi.web.kit.form import Input, input_of
from beffroi.web.kit.ground import base_map
from beffroi.web.kit.page import language_of, render, translate
from beffroi.web.site.data.desk import desk_of, label_of, territory_names, town_of

__all__ = ["ROUTES"]

_OWN = ("longitude", "latitude", "geojson", "territory", "reason", "version", "csrf")


def _zone(request: Request) -> ZoneInfo:
    return ZoneInfo(town_of(request).settings.time_zone)


def _written(request: Request, field: Field, value: Any) -> str:
    """Return a value as the form's input writes it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if field.kind == "instant":
        return to_datetime(value).astimezone(_zone(request)).strftime("%Y-%m-%dT%H:%M")
    if field.kind == "number":
        text = f"{value:.15g}"
        return text.replace(".", ",") if language_of(request) == "fr" else text
    if field.kind == "json":
        return msgspec.json.encode(value).decode()
    if field.words is not None and field.check is not None:  # else nobody could read them back
        return field.words(value, language_of(request))
    return str(json_value(field, value))


def _asked(desk: Desk, collection: Collection) -> list[Field]:
    """Return the fields that a form asks for: those one may see, without what a service works out itself."""
    return [field for field in desk.fields(collection) if not field.derived]


def _inputs(request: Request, desk: Desk, collection: Collection) -> list[Input]:
    _, language = translate(request), language_of(request)
    inputs = []
    for field in _asked(desk, collection):
        made = input_of(field, language)
        if field.kind == "boolean":  # a tick box cannot say "not known"
            made = msgspec.structs.replace(
                made, kind="select", options=(("", "–"), ("1", _("oui")), ("0", _("non")))
            )
        if field.personal is not None:
            kept = _("Donnée personnelle, chiffrée, gardée {n} jours : {why}.", n=field.personal.retention_days,
                     why=field.personal.purpose.of(language))  # fmt: skip
            made = msgspec.structs.replace(made, hint=f"{made.hint} {kept}".strip())
        if field.reference:
            made = msgspec.structs.replace(
                made,
                kind="text",
                hint=made.hint or _("Son identifiant, ou le numéro à la fin de son adresse."),
            )
        inputs.append(made)
    if collection.geometry == "point":
        inputs.append(Input("longitude", _("Longitude"), hint=_("En degrés, par exemple -2,0836."), unit="°"))
        inputs.append(Input("latitude", _("Latitude"), hint=_("En degrés, par exemple 47,6514."), unit="°"))
    elif collection.geometry != "none":
        inputs.append(
            Input(
                "geojson",
                _("Emplacement"),
                "textarea",
                hint=_("Une géométrie GeoJSON ou WKT, en longitude et latitude."),
            )
        )
    places = [(code, name) for code, name in territory_names(request).items() if desk.who.covers(code)]
    if places:
        inputs.append(
            Input(
                "territory",
                _("Commune"),
                "select",
                options=(*([("", "–")] if not desk.who.territories else []), *places),
            )
        )
    return [
        *inputs,
        Input("reason", _("Motif"), hint=_("Pourquoi ce changement : il reste dans l'histoire.")),
    ]


def _values(request: Request, desk: Desk, collection: Collection, row: Row) -> dict[str, str]:
    values = {f.name: _written(request, f, row.values.get(f.name)) for f in _asked(desk, collection)}
    for field in _asked(desk, collection):
        if field.reference and row.values.get(field.name) is not None:
            values[field.name] = _key_of(desk, field, row.values[field.name]) or values[field.name]
    if row.geometry is not None and row.geometry["type"] == "Point" and collection.geometry == "point":
        texts = [f"{c:.15g}" for c in row.geometry["coordinates"][:2]]
        french = language_of(request) == "fr"
        values["longitude"], values["latitude"] = (t.replace(".", ",") if french else t for t in texts)
    elif row.geometry is not None:
        values["geojson"] = msgspec.json.encode(row.geometry).decode()
    return {**values, "territory": row.territory or ""}


def _geometry(collection: Collection, form: dict[str, str], *, creating: bool) -> dict[str, Any] | None:
    """Return the geometry that a form writes; `{}` (none any more) for an emptied one. Raises `Problem`."""
    nothing: dict[str, Any] | None = None if creating else {}
    if collection.geometry == "point":
        written = [form.get(n, "").strip().replace(",", ".") for n in ("longitude", "latitude")]
        if not any(written):
            return nothing
        try:
            return {"type": "Point", "coordinates": [float(w) for w in written]}
        except ValueError as error:
            raise Problem(
                Text("Il faut une longitude et une latitude.", "A longitude and a latitude are needed."),
                place="longitude" if not written[0] else "latitude",
            ) from error
    written_json = form.get("geojson", "").strip()
    if collection.geometry == "none" or not written_json:
        return None if collection.geometry == "none" else nothing
    return _drawn(written_json)


def _drawn(written: str) -> dict[str, Any]:
    """Return the geometry of a GeoJSON geometry, feature or collection of one feature, or of a WKT. Raises `Problem`."""
    try:
        if not written.startswith("{"):
            found: dict[str, Any] = mapping(shapely.from_wkt(written))
            return found
        read = msgspec.json.decode(written, type=dict[str, Any])
        if read.get("type") == "FeatureCollection" and len(read["features"]) == 1:
            read = read["features"][0]
        return dict(read["geometry"]) if read.get("type") == "Feature" else read
    except (msgspec.DecodeError, shapely.errors.ShapelyError, KeyError, TypeError) as error:
        raise Problem(
            Text("Cet emplacement n'est pas lisible.", "This place cannot be read."),
            Text("Collez une géométrie GeoJSON, ou un WKT : POLYGON ((2.37 47.06, …)), longitude d'abord.",
                 "Paste a GeoJSON geometry, or a WKT: POLYGON ((2.37 47.06, …)), longitude first."),
            place="geojson",
        ) from error  # fmt: skip


def _read(
    request: Request, desk: Desk, collection: Collection, form: dict[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values of a form, and what is wrong, field by field."""
    values: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for field in _asked(desk, collection):
        try:
            written = form.get(field.name, "")
            if field.reference:
                values[field.name] = _referred(desk, field, written.strip(), form.get("territory") or None)
            else:
                values[field.name] = parse_value(field, written, _zone(request))
            if values[field.name] is None and field.required:
                raise Problem(Text("Il faut une valeur.", "A value is needed."), place=field.name)
        except Problem as problem:
            errors[field.name] = _said(request, problem)
    return values, errors


def _key_of(desk: Desk, field: Field, record_id: int) -> str | None:
    """Return the key of the record that a reference names, when it may be seen."""
    target = next((c for c in desk.collections() if c.name == field.reference), None)
    if target is None or target.key is None or target.key.kind != "text":
        return None
    rows = desk.find(target.name, Query(where={"_id": record_id}, limit=1)).rows
    return rows[0].values.get(target.key.name) if rows else None


def _referred(desk: Desk, field: Field, written: str, territory: str | None) -> int | None:
    """Return the id of the record that a form names by its key (in the same territory first) or its number."""
    if not written:
        return None
    target = desk.collection(str(field.reference))
    if target.key is not None and target.key.kind == "text":
        for places in ((territory or "",), None):
            found = desk.find(
                target.name, Query(where={target.key.name: written}, territories=places, limit=2)
            ).rows
            if len(found) == 1:
                return found[0].id
    if written.isascii() and written.isdigit() and len(written) < 19:
        return desk.get(target.name, int(written)).id
    shown = written[:60]
    raise Problem(
        Text(
            f"« {shown} » n'est pas dans « {target.title.fr} ».", f"'{shown}' is not in '{target.title.en}'."
        ),
        Text(
            "Écrivez l'identifiant d'un enregistrement qui existe.",
            "Write the identifier of a record that exists.",
        ),
        place=field.name,
    )


def _said(request: Request, problem: Problem) -> str:
    language = language_of(request)
    return f"{problem.reason.of(language)} {problem.mend.of(language)}".strip()


def _save(request: Request, form: dict[str, str], record_id: int | None) -> Row | dict[str, str]:
    """Write what the form says; return the record, or what is wrong."""
    desk = desk_of(request)
    collection = desk.collection(request.path_params["name"])
    values, errors = _read(request, desk, collection, form)
    version = int(form["version"]) if form.get("version", "").isdigit() else None
    try:
        geometry = _geometry(collection, form, creating=record_id is None)
        if errors:
            return errors
        return desk.put(collection.name, values, id=record_id, version=version if record_id is not None else None,
                        geometry=geometry, territory=form.get("territory") or None, reason=form.get("reason", "")[:300])  # fmt: skip
    except Problem as problem:
        if problem.status in (401, 403, 404, 503):
            raise
        names = {i.name for i in _inputs(request, desk, collection)}
        place = {"geometry": "longitude" if collection.geometry == "point" else "geojson"}.get(
            problem.place, problem.place
        )
        return {**errors, (place if place in names else ""): _said(request, problem)}


def _page(request: Request, values: dict[str, str], errors: dict[str, str], row: Row | None) -> Response:
    desk, language = desk_of(request), language_of(request)
    collection = desk.collection(request.path_params["name"])
    if not desk.writable(collection, row.territory if row else None):
        desk.refuse(collection)
    inputs = [*_inputs(request, desk, collection), *([Input("version", "", "hidden")] if row else [])]
    back = f"/donnees/{collection.name}" + (f"/{row.id}" if row else "")
    title = label_of(request, collection, row) if row else collection.title.of(language)
    return render(request, "data/form.html", 400 if errors else 200, inputs=inputs, values=values, errors=errors,
                  title=title, back=back, creating=row is None, placing=collection.geometry, base=base_map(town_of(request)))  # fmt: skip


def new(request: Request) -> Response:
    """Answer the form of a new record, its defaults filled in, and what the address says (`?asset=lamp/12`)."""
    desk = desk_of(request)
    collection = desk.collection(request.path_params["name"])
    values = {f.name: _written(request, f, f.default) for f in _asked(desk, collection)}
    mine = [code for code in territory_names(request) if desk.who.covers(code)]
    values["territory"] = mine[0] if len(mine) == 1 else ""  # the only commune there is to choose
    given = (*values, "longitude", "latitude", "territory")
    values |= {name: text for name, text in request.query_params.items() if name in given}
    return _page(request, values, {}, None)


def edit(request: Request) -> Response:
    """Answer the form of a record."""
    desk = desk_of(request)
    collection = desk.collection(request.path_params["name"])
    row = desk.get(collection.name, request.path_params["id"])
    return _page(request, {**_values(request, desk, collection, row), "version": str(row.version)}, {}, row)


async def save(request: Request) -> Response:
    """Create or change a record from its form; show the form again, values kept, when something is wrong."""
    form = {k: str(v) for k, v in (await request.form()).items()}
    return await run_in_threadpool(_saved, request, form)


def _saved(request: Request, form: dict[str, str]) -> Response:
    record_id = request.path_params.get("id")
    done = _save(request, form, record_id)
    name = request.path_params["name"]
    if isinstance(done, Row):
        return RedirectResponse(f"/donnees/{name}/{done.id}", 303)
    row = desk_of(request).get(name, record_id) if record_id is not None else None
    return _page(request, form, done, row)


def _remove(request: Request, version: str) -> str:
    name, record_id = request.path_params["name"], request.path_params["id"]
    desk_of(request).delete(name, record_id, version=int(version) if version.isdigit() else None)
    return f"/donnees/{name}/{record_id}"


async def remove(request: Request) -> Response:
    """Delete a record; its page then offers to restore it."""
    form = await request.form()
    return RedirectResponse(await run_in_threadpool(_remove, request, str(form.get("version", ""))), 303)


def _restore(request: Request) -> str:
    name, record_id = request.path_params["name"], request.path_params["id"]
    desk_of(request).restore(name, record_id)
    return f"/donnees/{name}/{record_id}"


async def restore(request: Request) -> Response:
    """Bring a deleted record back."""
    await request.form()
    return RedirectResponse(await run_in_threadpool(_restore, request), 303)


def _erase(request: Request, sure: bool) -> Response:
    """Erase the person of a record, once the page that says what goes has been agreed to."""
    desk = desk_of(request)
    name, record_id = request.path_params["name"], request.path_params["id"]
    collection = desk.collection(name)
    row = desk.get(name, record_id, deleted=None)
    if sure:
        desk.erase(name, record_id)
        return RedirectResponse(f"/donnees/{name}/{record_id}", 303)
    if not desk.erasable(collection, row):
        desk.refuse(collection)
    fields = [f.title.of(language_of(request)) for f in desk.fields(collection) if f.personal is not None]
    return render(request, "data/erase.html", title=label_of(request, collection, row), fields=fields,
                  back=f"/donnees/{name}/{record_id}")  # fmt: skip


def ask_erase(request: Request) -> Response:
    """Answer the page that says what an erasure takes away."""
    return _erase(request, sure=False)


async def erase(request: Request) -> Response:
    """Erase the person of a record."""
    await request.form()
    return await run_in_threadpool(_erase, request, True)


ROUTES = [
    Route("/donnees/{name}/nouveau", new, methods=["GET"]),
    Route("/donnees/{name}/nouveau", save, methods=["POST"]),
    Route("/donnees/{name}/{id:int}/modifier", edit, methods=["GET"]),
    Route("/donnees/{name}/{id:int}/modifier", save, methods=["POST"]),
    Route("/donnees/{name}/{id:int}/supprimer", remove, methods=["POST"]),
    Route("/donnees/{name}/{id:int}/effacer", ask_erase, methods=["GET"]),
    Route("/donnees/{name}/{id:int}/effacer", erase, methods=["POST"]),
    Route("/donnees/{name}/{id:int}/restaurer", restore, methods=["POST"]),
]
