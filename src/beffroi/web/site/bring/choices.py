"""What the page of a file asks, and what it answers: corrections of the guess, and where each column goes."""

from collections.abc import Mapping

import msgspec
from starlette.requests import Request

from beffroi.intake.bringing.brought import Brought, Column, Corrections, Found, Plan
from beffroi.intake.bringing.known import offered, plan_for
from beffroi.intake.bringing.matching import into, measured, targets
from beffroi.model.collection import OWN, Collection
from beffroi.model.declaration import KindOfImport
from beffroi.store.desk import Desk
from beffroi.town import Town
from beffroi.web.kit.form import Input
from beffroi.web.kit.page import language_of, principal_of, translate
from beffroi.web.site.bring.desk import intake_of, town_of
from beffroi.web.site.data.desk import territory_names

__all__ = [
    "SYSTEMS",
    "Choice",
    "choices",
    "corrections_of",
    "inputs",
    "known_to",
    "open_to",
    "plan_of",
    "territories",
    "values_of",
]

SYSTEMS = (
    ("EPSG:4326", ""), ("EPSG:4326 (latitude, longitude)", ""), ("EPSG:2154", "Lambert-93"),
    *((f"EPSG:{3900 + n}", f"CC{n}") for n in range(42, 51)), ("EPSG:27572", "Lambert II"),
    ("EPSG:32630", "UTM 30N"), ("EPSG:32631", "UTM 31N"), ("EPSG:32632", "UTM 32N"), ("EPSG:3857", "Web Mercator"),
    ("EPSG:5490", "RGAF09 UTM 20N"), ("EPSG:2972", "RGFG95 UTM 22N"), ("EPSG:2975", "RGR92 UTM 40S"), ("EPSG:4471", "RGM04 UTM 38S"),
)  # fmt: skip
_KINDS = ("text", "integer", "number", "boolean", "date", "instant")


class Choice(msgspec.Struct, frozen=True):
    """One column as the page shows it: its examples, what it can become, what it becomes now."""

    column: Column
    name: str  # of its control: columns are called anything, controls by their number
    options: tuple[tuple[str, str], ...]
    chosen: str
    title: str = ""
    unit: str = ""


def open_to(town: Town, request: Request) -> list[Collection]:
    """Return the collections that the reader may bring a file to."""
    desk = Desk(town.store.records, principal_of(request))
    return [c for c in targets(desk.collections()) if desk.writable(c)]


def known_to(request: Request, one: Brought) -> list[KindOfImport]:
    """Return the kinds that a file may be of and that the reader may bring."""
    return offered(intake_of(town_of(request)), one.name, principal_of(request))


def choices(request: Request, one: Brought, collection: Collection | None) -> list[Choice]:
    """Return what each column of a file can become under its plan."""
    _, language = translate(request), language_of(request)
    found, plan = one.work.found, one.work.plan
    assert found is not None
    kinds = {
        "text": _("texte"), "integer": _("nombre entier"), "number": _("nombre"), "boolean": _("oui ou non"),
        "date": _("date"), "instant": _("date et heure"), "json": _("texte"),
    }  # fmt: skip
    made: list[Choice] = []
    for number, column in enumerate(() if plan.target == "known" else found.columns):
        title = unit = ""
        if plan.target == "new":
            options = (("", _("ne pas garder")), *((k, kinds[k]) for k in _KINDS))
            kind = plan.kinds.get(column.name, column.kind)
            chosen = (kind if kind in _KINDS else "text") if plan.fields.get(column.name) else ""
        elif plan.target == "measures":
            options = (("", _("ne pas garder")), ("time", _("quand")), ("end", _("jusqu'à quand")), ("thing", _("quel capteur ou compteur")),
                       ("value", _("mesure")))  # fmt: skip
            chosen = _part(plan, column.name)
            title, unit = plan.series.get(column.name, ("", ""))
        else:
            own = collection.fields if collection is not None else ()
            more = (
                (("+", _("nouveau champ")),) if collection is not None and collection.service == OWN else ()
            )
            options = (("", _("ne pas garder")), *more, *((f.name, f.title.of(language)) for f in own))
            chosen = plan.fields.get(column.name, "")
        made.append(Choice(column, f"c{number}", options, chosen, title, unit))
    return made


def _part(plan: Plan, column: str) -> str:
    parts = {plan.thing: "thing", plan.end: "end", plan.time: "time"}
    return parts.get(column, "value" if column in plan.series else "")


def plan_of(request: Request, one: Brought, sent: Mapping[str, str]) -> Plan:
    """Return the plan that the form tells. When another target was chosen, its columns are matched anew."""
    town, found, before = town_of(request), one.work.found, one.work.plan
    assert found is not None
    target = sent.get("target", before.target)
    open_ = {c.name: c for c in open_to(town, request)}
    title = sent.get("title", "").strip()[:80] or before.title or one.name
    kind = next((k for k in known_to(request, one) if k.name == sent.get("known", before.known)), None)
    if kind is not None and (target == "known" or found.kind == "known"):
        return _kept(plan_for(kind, before.title or one.name, before), sent, before.title or one.name)
    if target == "collection" and sent.get("collection", "") in open_:
        name = sent["collection"]
        if (before.target, before.collection) != (target, name):
            return _kept(into(found, open_[name]), sent, title)
        fields = {c.name: sent.get(f"c{n}", "") for n, c in enumerate(found.columns)}
        return _kept(msgspec.structs.replace(before, fields=fields), sent, open_[name].title.fr)
    if target == "measures":
        if before.target != "measures":
            return _kept(measured(found, title), sent, title)
        return _kept(_measures(before, found, sent), sent, title)
    if before.target != "new":
        kinds = {c.name: c.kind for c in found.columns}
        key = next((c.name for c in found.columns if c.distinct), "")
        return _kept(
            Plan(key=key, fields=dict.fromkeys(kinds, "+"), kinds=kinds, public=not found.personal),
            sent,
            title,
        )
    kinds = {c.name: sent.get(f"c{n}", "") for n, c in enumerate(found.columns)}
    fields = {name: "+" if kind else "" for name, kind in kinds.items()}
    key = next((c.name for n, c in enumerate(found.columns) if sent.get("key") == f"c{n}"), "")
    key = key if fields.get(key) else ""
    return _kept(msgspec.structs.replace(before, fields=fields, kinds=kinds, key=key), sent, title)


def _kept(plan: Plan, sent: Mapping[str, str], title: str) -> Plan:
    """Return the plan with what does not depend on the columns."""
    gone = "delete" if sent.get("gone") == "delete" else "keep"
    return msgspec.structs.replace(
        plan, title=title, public=sent.get("public") == "1" if "shown" in sent else plan.public,
        territory=sent.get("territory", plan.territory), gone=gone,
    )  # fmt: skip


def _measures(before: Plan, found: Found, sent: Mapping[str, str]) -> Plan:
    parts = {c.name: sent.get(f"c{n}", "") for n, c in enumerate(found.columns)}
    named = {part: name for name, part in reversed(parts.items()) if part in ("time", "end", "thing")}
    series = {
        c.name: (sent.get(f"c{n}-name", "").strip()[:80] or c.name, sent.get(f"c{n}-unit", "").strip()[:20])
        for n, c in enumerate(found.columns) if parts[c.name] == "value"
    }  # fmt: skip
    return msgspec.structs.replace(
        before, time=named.get("time", ""), end=named.get("end", ""), thing=named.get("thing", ""), series=series,
        thing_name=sent.get("thing_name", before.thing_name).strip()[:80], zone=sent.get("zone", before.zone),
    )  # fmt: skip


def inputs(request: Request, one: Brought) -> list[Input]:
    """Return what can be corrected of the guess."""
    _ = translate(request)
    found = one.work.found
    guess = [("", _("deviné"))]
    names = [c.name for c in found.columns] + list(found.where) if found else []
    columns = tuple((n, n) for n in names)
    made: list[Input] = []
    if one.work.kind == "csv":
        made += [
            Input("encoding", _("Encodage"), "select", options=(*guess, ("utf-8", "UTF-8"), ("cp1252", "Windows (cp1252)"), ("mac_roman", "Mac"), ("utf-16", "UTF-16")),
                  hint=_("Si les accents sont faux.")),
            Input("delimiter", _("Séparateur"), "select", options=(*guess, (";", _("point-virgule")), (",", _("virgule")), ("\t", _("tabulation")), ("|", "|"))),
        ]  # fmt: skip
    if one.work.kind in ("csv", "xlsx"):
        made.append(Input("header", _("Ligne des titres"), "number", minimum=0, maximum=60,
                          hint=_("Celle qui nomme les colonnes ; 0 s'il n'y en a pas.")))  # fmt: skip
    if found is not None and found.layers:
        made.append(
            Input(
                "layer",
                _("Feuille ou couche"),
                "select",
                options=tuple((n, n) for n in found.layers),
                required=True,
            )
        )
    if one.work.kind in ("csv", "xlsx"):
        none = ("-", _("aucune"))
        made += [
            Input("x", _("Colonne de la longitude (x)"), "select", options=(*guess, none, *columns)),
            Input("y", _("Colonne de la latitude (y)"), "select", options=(*guess, none, *columns)),
            Input("dates", _("Ordre des dates"), "select", options=(*guess, ("dmy", _("jour/mois/année")), ("mdy", _("mois/jour/année")))),
            Input("decimal", _("Décimales"), "select", options=(*guess, (",", _("virgule : 12,5")), (".", _("point : 12.5")))),
        ]  # fmt: skip
    told = {
        "EPSG:4326": _("degrés, longitude puis latitude"),
        "EPSG:4326 (latitude, longitude)": _("degrés, latitude puis longitude"),
    }
    made.append(
        Input(
            "crs",
            _("Système de coordonnées"),
            "select",
            options=(*guess, *((c, told.get(c, f"{words} ({c})")) for c, words in SYSTEMS)),
        )
    )
    return made


def values_of(corrections: Corrections) -> dict[str, str]:
    """Return the corrections as the form holds them."""
    c = corrections
    return {
        "encoding": c.encoding, "delimiter": c.delimiter, "header": "" if c.header is None else str(c.header), "layer": c.layer,
        "x": "-" if c.x == "" else c.x or "", "y": "-" if c.y == "" else c.y or "", "crs": c.crs, "dates": c.dates, "decimal": c.decimal,
    }  # fmt: skip


def corrections_of(sent: Mapping[str, str]) -> Corrections:
    """Return what the form corrects."""
    header = sent.get("header", "").strip()
    x, y = (({"-": "", "": None}.get(v, v)) for v in (sent.get("x", ""), sent.get("y", "")))
    if x is None or y is None:
        x = y = "" if x == "" or y == "" else None
    return Corrections(
        sent.get("encoding", ""), sent.get("delimiter", ""), int(header) if header.isdigit() and len(header) < 4 else None,
        sent.get("layer", ""), x, y, sent.get("crs", ""), sent.get("dates", ""), sent.get("decimal", ""),
    )  # fmt: skip


def territories(request: Request) -> list[tuple[str, str]]:
    """Return the communes that the reader may bring a file for, when there are several."""
    who = principal_of(request)
    mine = [(code, name) for code, name in territory_names(request).items() if who.covers(code)]
    return mine if len(mine) > 1 else []
