"""Any file of features or rows into a collection of the town's own: what the columns are and where the places lie is
found out from the whole file, the collection declared, the rows stored, the rejects told."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import func, select

from beffroi.intake.files import ImportReport, Progress
from beffroi.intake.records import take_entries
from beffroi.model.collection import OWN, Collection, Field
from beffroi.model.principal import Principal
from beffroi.model.problem import Conflict, Problem
from beffroi.model.text import Text
from beffroi.model.value import check_value, parse_value
from beffroi.standards.inferring import MADE_KEY, Inferring, slug
from beffroi.standards.layer_file import Layer, LayerRow, folded, layers_of, number_of
from beffroi.standards.placing import Placement, placed, sample
from beffroi.standards.reading import Reject
from beffroi.store.open import Store
from beffroi.store.record import Entry
from beffroi.store.record import Reject as RecordReject

__all__ = ["TERRITORY", "Taken", "import_layers", "moved", "near", "value_of"]

_SAMPLED = 2_000
TERRITORY = ("code_insee", "insee", "insee_com", "codeinsee", "depcom", "code_commune_insee")
_SAID_EVERY = 5_000


class Taken(msgspec.Struct, frozen=True):
    """What became of one layer: its collection, whether it is new, the system its coordinates were in and how that is
    known, and the columns whose name says that they may be personal."""

    collection: Collection
    new: bool
    crs: str
    how: str
    personal: tuple[str, ...]


class _Plan(msgspec.Struct, frozen=True):
    """A layer that was read once and can be stored."""

    path: Path
    layer: Layer
    collection: Collection
    fields: dict[str, Field]
    placement: Placement
    taken: Taken
    whole: int


def import_layers(
    store: Store, paths: Iterable[Path], kind: str, options: Mapping[str, Any], who: Principal, *, dry: bool = False,
    progress: Progress = lambda _path, _step, _done, _whole: None,
) -> tuple[ImportReport, list[Taken]]:  # fmt: skip
    """Make (or widen) a collection for each layer of the files and take its rows.

    Options: `name` of the collection (else the file's), `crs`, `territory`, `private` (agents only; else public).
    Every file is read whole before anything is stored. Raises `Problem` naming the file.
    """
    report = ImportReport(rejects=[], datastreams={})
    plans = [one for path in paths for one in _plans(store, path, kind, options, progress)]
    for plan in plans:
        if not dry:
            store.records.declare_own(plan.collection)
        elif plan.taken.new:
            report.read += plan.whole
            report.stored += plan.whole
            continue
        entries = _entries(plan, str(options.get("territory") or ""))
        take_entries(store, plan.collection, plan.path, entries, who, report, plan.whole, dry, progress)
    return report, [plan.taken for plan in plans]


def _plans(
    store: Store, path: Path, kind: str, options: Mapping[str, Any], progress: Progress
) -> Iterator[_Plan]:
    try:
        layers = layers_of(path, kind)
        if not layers:
            raise Problem(
                Text("Le fichier n'a aucune ligne.", "The file has no rows."),
                Text("Vérifiez que c'est le bon fichier.", "Check that it is the right file."),
            )
        for layer in layers:
            yield _plan(store, path, layer, options, progress)
    except Problem as problem:
        raise problem.at(f"{path}, " if problem.place else str(path)) from problem


def _plan(store: Store, path: Path, layer: Layer, options: Mapping[str, Any], progress: Progress) -> _Plan:
    learnt, whole = Inferring(), 0
    shapes: list[dict[str, Any]] = []
    for whole, row in enumerate(layer.rows(), 1):
        if isinstance(row, LayerRow):
            learnt.take(row)
            if row.geometry is not None and len(shapes) < _SAMPLED:
                shapes.append(row.geometry)
        if whole % _SAID_EVERY == 0:
            progress(path, "check", whole, 0)
    if not whole:
        raise Problem(Text("Le fichier n'a aucune ligne.", "The file has no rows."),
                      Text("Vérifiez que c'est le bon fichier.", "Check that it is the right file."))  # fmt: skip
    told = str(options.get("crs") or "")
    placement = placed(sample(shapes), told or layer.crs, near(store))
    title = str(options.get("name") or "") or " ".join(filter(None, (path.stem, layer.name)))
    held, name = _named(store, title)
    inferred = learnt.collection(name, title, read="agent" if options.get("private") else "citizen")
    collection, fields = inferred.collection, inferred.fields
    if held is not None:
        collection, fields = _widened(held, collection, fields)
    taken = Taken(collection, held is None, placement.crs, placement.how, inferred.personal)
    return _Plan(path, layer, collection, fields, placement, taken, whole)


def _named(store: Store, title: str) -> tuple[Collection | None, str]:
    """Return the town's own collection of that name if there is one, and the name to use."""
    known = store.records.collections
    name = slug(title)
    held = known.get(name)
    if held is not None and held.service == OWN:
        return held, name
    return None, slug(title, known)


def _widened(
    held: Collection, found: Collection, fields: dict[str, Field]
) -> tuple[Collection, dict[str, Field]]:
    """Return a collection that holds what it held and what was found, and the field of each column of the file."""
    known = {folded(f.title.fr): f for f in held.fields}
    own = {f.name: f for f in held.fields}
    mine: dict[str, Field] = {}
    for column, field in fields.items():
        before = known.get(folded(column))
        if before is None:
            name = slug(field.name, own)
            before = msgspec.structs.replace(field, name=name, key=False, required=False)
        elif (before.kind, field.kind) == ("integer", "number"):
            before = msgspec.structs.replace(before, kind="number")
        own[before.name] = mine[column] = before
    key = held.key
    if key is not None and key.name != MADE_KEY and key not in mine.values():
        raise Conflict(
            Text(f"La collection {held.name} a pour identifiant « {key.title.fr} », que ce fichier n'a pas.",
                 f"The collection {held.name} is keyed by '{key.title.fr}', which this file does not have."),
            Text("Ajoutez cette colonne, ou choisissez un autre nom (--name).", "Add this column, or choose another name (--name)."),
            place=key.title.fr,
        )  # fmt: skip
    geometry = found.geometry if held.geometry == "none" else held.geometry
    if found.geometry not in ("none", geometry):
        geometry = "any"
    made = msgspec.structs.replace(held, fields=tuple(own.values()), geometry=geometry)
    return made, mine


def near(store: Store) -> tuple[float, float] | None:
    """Return about where the town has things: the middle of some records of the first collection with places."""
    for name, collection in store.records.collections.items():
        if collection.geometry == "none":
            continue
        t = store.records.shelf(name).table
        some = select(t.c["_minx"], t.c["_miny"]).where(t.c["_minx"].is_not(None)).limit(500).subquery()
        with store.read() as connection:
            x, y = connection.execute(select(func.avg(some.c[0]), func.avg(some.c[1]))).one()
        if x is not None:
            return float(x), float(y)
    return None


def _entries(plan: _Plan, territory: str) -> Iterator[Entry | RecordReject]:
    source = slug(plan.path.stem)
    key = plan.collection.key
    made = key is not None and key.name == MADE_KEY
    coded = {column for column in plan.fields if folded(column) in TERRITORY}
    for number, row in enumerate(plan.layer.rows(), 1):
        if isinstance(row, Reject):
            yield RecordReject(f"line {row.line}", row.field, row.reason, row.mend)
            continue
        try:
            values = {
                field.name: value_of(field, value)
                for column, field in plan.fields.items()
                if (value := row.values.get(column)) not in (None, "")
            }
            if made:
                values[MADE_KEY] = row.id or f"{source}-{number}"
            where = territory or next((str(row.values[c]) for c in coded if row.values.get(c)), "")
            geometry = None if row.geometry is None else moved(plan.placement, row.geometry)
            yield Entry(values, geometry, where or None, row.place)
        except Problem as problem:
            yield RecordReject(row.place, problem.place, problem.reason, problem.mend)


def value_of(field: Field, value: Any) -> Any:
    """Return what a cell of a file holds, as a field keeps it. Raises `Problem`."""
    if field.kind == "number" and isinstance(value, str):
        found = number_of(value)
        if found is not None:
            return found
    if field.kind == "text" and not isinstance(value, str):
        value = msgspec.json.encode(value).decode() if isinstance(value, dict | list) else str(value)
    return parse_value(field, value) if isinstance(value, str) else check_value(field, value)


def moved(placement: Placement, geometry: dict[str, Any]) -> dict[str, Any]:
    """Return a geometry of a file in WGS 84. Raises `Problem` for one that cannot be read."""
    try:
        return placement.move(geometry)
    except Exception as error:
        raise Problem(
            Text("Cette géométrie n'est pas lisible.", "This geometry cannot be read."),
            Text("Corrigez-la dans le logiciel qui l'a faite, ou retirez cette ligne.",
                 "Mend it in the programme that made it, or remove this row."), place="geometry",
        ) from error  # fmt: skip
