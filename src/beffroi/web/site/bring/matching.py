"""The page of one brought file: what it seems to be, where it goes, what that changes, what became of it, and back."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from beffroi.intake.bringing import brought
from beffroi.intake.bringing.brought import WAITING, Brought, Corrections, Found, Trouble
from beffroi.intake.bringing.reading import path_of
from beffroi.intake.bringing.taking import rejects_of
from beffroi.model.collection import OWN
from beffroi.model.problem import NotFound
from beffroi.store.desk import Desk
from beffroi.web.kit.map import Box, MapView, outline_svg
from beffroi.web.kit.page import figures_of, language_of, principal_of, render, translate
from beffroi.web.kit.table import Column, Row
from beffroi.web.site.base_map import base_map
from beffroi.web.site.bring import choices
from beffroi.web.site.bring.desk import (
    AT_ONCE_BYTES,
    AT_ONCE_ROWS,
    PRIVATE,
    agent_only,
    begin,
    check_agent,
    of_request,
    town_of,
)
from beffroi.web.site.data.desk import territory_names

__all__ = ["ROUTES"]

SHOWN = 100
_FIRST = 6


@agent_only
def page(request: Request) -> Response:
    """Answer the page of a file."""
    return _page(request, of_request(request))


def _page(request: Request, one: Brought, status: int = 200) -> Response:
    if one.state in WAITING:
        return render(request, "bring/waiting.html", status, PRIVATE, one=one, doing=_doing(request, one))
    if one.state in ("imported", "undone"):
        return _report(request, one, status)
    if one.state == "failed" or one.work.found is None:
        return render(request, "bring/failed.html", status, PRIVATE, one=one, trouble=one.work.trouble, inputs=choices.inputs(request, one),
                      values=choices.values_of(one.work.corrections), held=path_of(town_of(request).store, one).exists())  # fmt: skip
    return _choosing(request, one, one.work.found, status)


def _doing(request: Request, one: Brought) -> str:
    _ = translate(request)
    return {
        "reading": _("Lecture de « {name} »", name=one.name), "comparing": _("Comparaison de « {name} » avec ce que la ville a", name=one.name),
        "importing": _("Import de « {name} »", name=one.name), "undoing": _("Annulation de « {name} »", name=one.name),
    }[one.state]  # fmt: skip


def _choosing(request: Request, one: Brought, found: Found, status: int) -> Response:
    town, language, _ = town_of(request), language_of(request), translate(request)
    plan = one.work.plan
    open_ = choices.open_to(town, request)
    collection = next((c for c in open_ if c.name == plan.collection), None)
    columns = [*(found.where if one.work.kind in ("csv", "xlsx") else ()), *(c.name for c in found.columns)]
    kinds = [(k.name, k.title.of(language)) for k in choices.known_to(request, one)]
    names = [c.name for c in found.columns]
    rows = [Row(dict(zip(names, cells, strict=False))) for cells in found.first[:_FIRST]]
    desk = Desk(town.store.records, principal_of(request))
    trouble = one.work.trouble or found.doubt
    rejects = (
        list(_first(rejects_of(town.store, one.id), SHOWN))
        if one.work.difference and one.work.difference.rejected
        else []
    )
    return render(
        request, "bring/choose.html", status, PRIVATE, one=one, found=found, plan=plan, trouble=trouble,
        facts=_facts(request, found, dict(kinds).get(plan.known, "")), rows=rows, columns=[Column(n, n) for n in names], where=columns[: len(columns) - len(names)],
        view=_map(request, one, found), choices=choices.choices(request, one, collection), collection=collection,
        targets=[(c.name, c.title.of(language)) for c in open_], kinds=kinds, territories=choices.territories(request),
        inputs=choices.inputs(request, one), values=choices.values_of(one.work.corrections), known=_known(request, one),
        deletable=collection is not None and desk.deletable(collection), own=collection is not None and collection.service == OWN,
        rejects=_reject_rows(request, rejects), reject_columns=_reject_columns(request), shown=SHOWN,
        into=_into(request, one), offered=_offered(request, one), title=_("Vérifier « {name} »", name=one.name),
    )  # fmt: skip


def _known(request: Request, one: Brought) -> str:
    """Return the name of the remembered matching that the file was recognised by."""
    if one.mapping_id is None:
        return ""
    try:
        return brought.mapping_of(town_of(request).store, one.mapping_id).name
    except NotFound:  # forgotten since
        return ""


def _offered(request: Request, one: Brought) -> list[tuple[int, str]]:
    """Return number and words of the matchings for files of this shape that were not taken for it: a neighbour's, or
    those of files of another name."""
    _, who = translate(request), principal_of(request)
    if one.mapping_id is not None:
        return []
    names, found = territory_names(request), []
    for m in brought.others_for(town_of(request).store, one.shape, one.name, who):
        if who.covers(m.territory or None):
            said = _("« {name} » a les mêmes colonnes, et un autre nom.", name=m.name)
        else:
            commune = names.get(m.territory, m.territory)
            said = _("{commune} apporte des fichiers aux mêmes colonnes : « {name} ».", commune=commune, name=m.name)  # fmt: skip
        found.append((m.id, said))
    return found


def _into(request: Request, one: Brought) -> str:
    """Say in a sentence what importing does, and for which commune when there are several."""
    _, plan, language = translate(request), one.work.plan, language_of(request)
    held = town_of(request).store.records.collections.get(plan.collection)
    kind = next((k for k in choices.known_to(request, one) if k.name == plan.known), None)
    if plan.target == "known" and kind is not None:
        said = _("Un fichier connu : « {title} ».", title=kind.title.of(language))
    elif plan.target == "measures" and len(plan.series) > 1:
        said = _("Des mesures : {n} séries.", n=len(plan.series))
    elif plan.target == "measures":
        said = _("Des mesures : une série.")
    elif plan.target == "collection" and held is not None:
        said = _("Dans la collection « {title} ».", title=held.title.of(language))
    else:
        said = _("Une nouvelle collection, « {title} ».", title=plan.title)
    commune = dict(choices.territories(request)).get(plan.territory)
    return f"{said} {_('Pour {commune}.', commune=commune)}" if commune else said


def _facts(request: Request, found: Found, known: str) -> list[tuple[str, str]]:
    _, number = translate(request), figures_of(request).number
    kinds = {
        "csv": _("Tableau (CSV)"),
        "xlsx": "Excel",
        "geojson": "GeoJSON",
        "gpkg": "GeoPackage",
        "shp": "Shapefile",
    }
    facts = [
        (_("Fichier"), kinds.get(found.kind, known) + (f", {found.layer}" if found.layer else "")),
        (_("Lignes"), number(found.rows)),
    ]
    if found.unread:
        facts.append((_("Lignes illisibles"), number(found.unread)))
    if found.kind == "csv":
        marks = {";": _("point-virgule"), ",": _("virgule"), "\t": _("tabulation"), "|": "|"}
        names = {
            "utf-8": "UTF-8",
            "utf-8-sig": "UTF-8",
            "cp1252": "Windows",
            "utf-16": "UTF-16",
            "mac_roman": "Mac",
        }
        sure = "" if found.sure else _(" (peu sûr)")
        facts += [
            (_("Encodage"), names.get(found.encoding, found.encoding)),
            (_("Séparateur"), marks.get(found.delimiter, found.delimiter) + sure),
        ]
    if found.kind in ("csv", "xlsx") and found.header != 1:
        facts.append((_("Ligne des titres"), _("aucune") if not found.header else str(found.header)))
    orders = {"dmy": _("jour/mois/année"), "mdy": _("mois/jour/année"), "ymd": _("année-mois-jour")}
    if found.dates:
        facts.append((_("Dates"), orders[found.dates]))
    if found.decimal:
        facts.append((_("Décimales"), _("virgule") if found.decimal == "," else _("point")))
    if found.kind != "known":
        facts.append((_("Coordonnées"), _where(request, found)))
    return facts


def _where(request: Request, found: Found) -> str:
    _ = translate(request)
    if found.how == "none":
        return _("aucune")
    if found.how == "doubt":
        return _("dans un système inconnu")
    words = {
        "EPSG:4326": _("degrés (WGS 84)"),
        "EPSG:4326 (latitude, longitude)": _("degrés, latitude d'abord"),
    }
    named = dict(choices.SYSTEMS).get(found.crs, "")
    system = words.get(found.crs) or (f"{named} ({found.crs})" if named else found.crs[:40])
    said = {
        "named": _("{system}, dit par le fichier ou par vous", system=system), "assumed": _("{system}, sûr", system=system),
        "guessed": _("{system}, deviné : vérifiez la carte", system=system),
    }[found.how]  # fmt: skip
    return said + (f" ({', '.join(found.where)})" if found.where else "")


def _map(request: Request, one: Brought, found: Found) -> MapView | None:
    if not found.shapes:
        return None
    base, box = base_map(town_of(request)), _box(found)
    points = [
        (g["coordinates"][0], g["coordinates"][1], "", "") for g in found.shapes if g["type"] == "Point"
    ]
    ground = [{"geometry": g, "properties": {"kind": "shape"}} for g in found.shapes if g["type"] != "Point"]
    drawing = outline_svg(box, [*base.features, *ground], points)
    return MapView(translate(request)("Carte de « {name} »", name=one.name), f"/donnees/apporter/{one.id}.geojson", drawing, box, base.url,
                   base.credit, small=True)  # fmt: skip


def _box(found: Found) -> Box:
    xs, ys = [], []
    for shape in found.shapes:
        for x, y in _corners(shape.get("coordinates")):
            xs.append(x)
            ys.append(y)
    pad = max(max(xs) - min(xs), max(ys) - min(ys)) * 0.05 or 0.002
    return min(xs) - pad, min(ys) - pad, max(xs) + pad, max(ys) + pad


def _corners(inner: Any) -> Iterator[tuple[float, float]]:
    if inner and isinstance(inner[0], list | tuple):
        for part in inner:
            yield from _corners(part)
    elif inner:
        yield float(inner[0]), float(inner[1])


def shapes(request: Request) -> Response:
    """Answer some of the places of a file, for the map of its page."""
    check_agent(request)
    one = of_request(request)
    found = one.work.found
    listed = found.shapes if found is not None else ()
    features = [
        {"type": "Feature", "id": n, "geometry": g, "properties": {"name": one.name}}
        for n, g in enumerate(listed)
    ]
    return JSONResponse({"type": "FeatureCollection", "features": features}, headers=PRIVATE)


def _reject_columns(request: Request) -> list[Column]:
    _ = translate(request)
    return [
        Column("place", _("Où")),
        Column("field", _("Champ")),
        Column("reason", _("Raison")),
        Column("mend", _("Remède")),
    ]


def _reject_rows(request: Request, rejects: list[Any]) -> list[Row]:
    _, language = translate(request), language_of(request)
    return [
        Row({"place": r.place.replace("line", _("ligne")), "field": r.field, "reason": r.reason.of(language), "mend": r.mend.of(language)})
        for r in rejects
    ]  # fmt: skip


def _first(items: Iterator[Any], most: int) -> Iterator[Any]:
    for _n, item in zip(range(most), items, strict=False):
        yield item


def _report(request: Request, one: Brought, status: int) -> Response:
    town = town_of(request)
    plan, outcome, found = one.work.plan, one.work.outcome, one.work.found
    rejects = list(_first(rejects_of(town.store, one.id), SHOWN))
    collection = town.store.records.collections.get(plan.collection)
    view = _map(request, one, found) if found is not None and one.state == "imported" else None
    return render(
        request, "bring/report.html", status, PRIVATE, one=one, plan=plan, outcome=outcome, trouble=one.work.trouble, view=view,
        collection=collection, rejects=_reject_rows(request, rejects), reject_columns=_reject_columns(request), shown=SHOWN,
        series=one.work.series, known=_known(request, one),
    )  # fmt: skip


async def act(request: Request) -> Response:
    """Correct, choose, compare, import, or take back."""
    check_agent(request)
    sent = {k: str(v) for k, v in (await request.form(max_fields=2000)).items()}
    return await run_in_threadpool(_act, request, sent)


def _act(request: Request, sent: dict[str, str]) -> Response:
    town, one = town_of(request), of_request(request)
    store, action = town.store, sent.get("action", "")
    if one.state in WAITING:  # sent twice: the first is at work
        return RedirectResponse(f"/donnees/apporter/{one.id}", 303)
    one.work.who = principal_of(request)
    small = one.work.size <= AT_ONCE_BYTES
    if action == "undo" and one.state == "imported":
        one.state = "undoing"
        outcome = one.work.outcome
        small = outcome is not None and outcome.created + outcome.updated + outcome.gone <= AT_ONCE_ROWS
    elif one.state in ("read", "failed") and path_of(store, one).exists():
        if action == "adopt":
            _adopt(request, one, sent.get("mapping", ""))
        elif action == "read":
            one.work.corrections, one.state = choices.corrections_of(sent), "reading"
        elif one.state == "read":
            if "target" in sent:
                one.work.plan, one.work.difference = choices.plan_of(request, one, sent), None
            found = one.work.found
            if found is not None and found.doubt is not None and action in ("import", "compare"):
                return _doubtful(request, one, found.doubt)
            small = small and found is not None and found.rows <= AT_ONCE_ROWS
            one.state = {"import": "importing", "compare": "comparing"}.get(action, "read")  # type: ignore[assignment]
    one.work.trouble = None
    one.work.done = one.work.whole = 0
    if one.state in WAITING:
        begin(town, one, small=small)
    else:
        brought.save(store, one)
    return RedirectResponse(f"/donnees/apporter/{one.id}", 303)


def _adopt(request: Request, one: Brought, number: str) -> None:
    """Take an offered matching, a neighbour's as one's own: the file is then read as if it had been recognised."""
    store, who = town_of(request).store, principal_of(request)
    offered = {str(m.id): m for m in brought.others_for(store, one.shape, one.name, who)}
    if number in offered:
        taken = offered[number]
        if not who.covers(taken.territory or None):
            taken = brought.copy_mapping(store, taken.id, brought.home_of(one.work.plan, who), who)
        one.work.adopted = taken.id
        one.work.found, one.work.corrections, one.state = None, Corrections(), "reading"


def _doubtful(request: Request, one: Brought, doubt: Trouble) -> Response:
    one.work.trouble = doubt
    return _page(request, one, 400)


def state(request: Request) -> Response:
    """Answer how far the work is, for the page that waits."""
    check_agent(request)
    one = of_request(request)
    number = figures_of(request).number
    said = number(one.work.done) + (f" / {number(one.work.whole)}" if one.work.whole else "")
    return JSONResponse(
        {"waiting": one.state in WAITING, "done": one.work.done, "whole": one.work.whole, "said": said},
        headers=PRIVATE,
    )


@agent_only
def rejects(request: Request) -> Response:
    """Answer the refused rows as a table."""
    one, language, _ = of_request(request), language_of(request), translate(request)
    store = town_of(request).store

    def parts() -> Iterator[bytes]:
        yield "\ufeff".encode()
        yield _line((_("Où"), _("Champ"), _("Raison"), _("Remède")))
        for r in rejects_of(store, one.id):
            yield _line(
                (r.place.replace("line", _("ligne")), r.field, r.reason.of(language), r.mend.of(language))
            )

    sent = {"Content-Disposition": f'attachment; filename="refus-{one.id}.csv"', **PRIVATE}
    return StreamingResponse(parts(), 200, sent, "text/csv; charset=utf-8")


def _line(cells: tuple[str, ...]) -> bytes:
    text = io.StringIO()
    # a spreadsheet would run a text that starts like a formula (OWASP, CSV injection)
    csv.writer(text, delimiter=";", lineterminator="\r\n").writerow(
        "'" + c if c.startswith(("=", "+", "-", "@", "\t", "\r")) else c for c in cells
    )
    return text.getvalue().encode()


ROUTES = [
    Route("/donnees/apporter/{number:int}.geojson", shapes, methods=["GET"]),
    Route("/donnees/apporter/{number:int}/etat", state, methods=["GET"]),
    Route("/donnees/apporter/{number:int}/refus.csv", rejects, methods=["GET"]),
    Route("/donnees/apporter/{number:int}", page, methods=["GET"]),
    Route("/donnees/apporter/{number:int}", act, methods=["POST"]),
]
