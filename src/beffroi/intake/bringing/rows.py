"""Rows of a brought file as what they are to become: entries of a collection, or readings of series."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from beffroi.intake.bringing.brought import Brought, Plan, home_of
from beffroi.intake.bringing.reading import layer_of, path_of, placement_of
from beffroi.intake.bringing.samples import Sample, samples
from beffroi.intake.layers import TERRITORY, moved, value_of
from beffroi.model.collection import OWN, Collection, Field, Record
from beffroi.model.declaration import KindOfImport
from beffroi.model.problem import Forbidden, Problem
from beffroi.model.text import Text
from beffroi.standards.inferring import MADE_KEY, slug
from beffroi.standards.layer_file import LayerRow, folded
from beffroi.standards.mapped_table import Mapped, SeriesPart, ThingPart, TimePart, readings
from beffroi.standards.placing import Placement
from beffroi.standards.reading import Reject, Row
from beffroi.store.open import Store
from beffroi.store.record import Entry
from beffroi.store.record import Reject as RecordReject

__all__ = ["check_home", "collection_of", "entries", "kind_of_measures", "not_yours"]

_LON, _LAT = "\x00lon", "\x00lat"
_SLASHED = re.compile(r"(\d{1,2})([/.])(\d{1,2})([/.]\d{4}.*)\Z")
_CANNOT = Text("Cette géométrie n'est pas lisible.", "This geometry cannot be read.")
_NOT_YOURS = Text(
    "Cette ligne est d'une autre commune que les vôtres.", "This row is of another commune than yours."
)
_NOT_YOURS_MEND = Text("Retirez-la, ou demandez ce droit.", "Remove it, or ask for that right.")


def collection_of(store: Store, one: Brought) -> tuple[Collection, dict[str, Field], bool]:
    """Return the collection that a brought file goes to, the field of each of its columns, and whether it is new.

    Raises `Problem` when the plan does not hold together.
    """
    plan, found = one.work.plan, one.work.found
    assert found is not None
    known = store.records.collections
    if plan.target == "new":
        name = plan.collection if one.work.new_collection else slug(plan.title, known)
        made, fields = _made(name, plan, found.geometry)
        return made, fields, True
    held = known.get(plan.collection)
    if held is None:
        raise Problem(Text("La collection choisie n'existe plus.", "The chosen collection exists no more."),
                      Text("Choisissez-en une autre.", "Choose another one."), place="collection")  # fmt: skip
    if not held.writable(one.work.who):
        raise Forbidden(Text(f"Vous ne pouvez pas modifier « {held.title.fr} ».", f"You may not change '{held.title.en}'."),
                        Text("Demandez ce droit à votre responsable.", "Ask your manager for this right."), place="collection")  # fmt: skip
    return _joined(held, plan, found.geometry)


def _made(name: str, plan: Plan, geometry: str) -> tuple[Collection, dict[str, Field]]:
    sample = samples().get(plan.sample)
    fields: dict[str, Field] = {}
    taken = [MADE_KEY]
    for column in [c for c, to in plan.fields.items() if to]:
        field = _field(column, plan, taken, sample, listed=len(fields) < 8)
        fields[column] = field
        taken.append(field.name)
    if not fields:
        raise Problem(Text("Aucune colonne n'est gardée.", "No column is kept."),
                      Text("Gardez-en au moins une.", "Keep one at least."), place="fields")  # fmt: skip
    own = list(fields.values())
    if not any(f.key for f in own):
        own.append(
            Field(
                Text("Identifiant d'import", "Import key"),
                MADE_KEY,
                "text",
                required=True,
                key=True,
                listed=False,
            )
        )
    label = next((f.name for f in own if f.kind == "text" and not f.key and f.listed), own[0].name)
    made = Collection(
        name, Text(plan.title, plan.title), Record, geometry=geometry, label=label, service=OWN,  # type: ignore[arg-type]
        read="citizen" if plan.public else "agent", fields=tuple(own), schema=sample.schema if sample else "",
    )  # fmt: skip
    return made, fields


def _field(column: str, plan: Plan, taken: list[str], sample: Sample | None, *, listed: bool) -> Field:
    wanted = sample.wanted(column) if sample else None
    kind = plan.kinds.get(column, "text")
    key = column == plan.key
    if key and kind not in ("text", "integer"):
        kind = "text"
    title = Text(wanted.title_fr, wanted.title_en) if wanted and wanted.title_fr else Text(column, column)
    name = slug(wanted.to if wanted and wanted.title_fr else column, taken)
    return Field(title, name, kind, required=key, key=key, listed=listed)  # type: ignore[arg-type]


def _joined(held: Collection, plan: Plan, geometry: str) -> tuple[Collection, dict[str, Field], bool]:
    own = {f.name: f for f in held.fields}
    fields: dict[str, Field] = {}
    for column, to in plan.fields.items():
        if to == "+" and held.service == OWN:
            made = _field(column, msgspec.structs.replace(plan, key=""), list(own), None, listed=False)
            own[made.name] = fields[column] = made
        elif to in own:
            field = own[to]
            if (field.kind, plan.kinds.get(column)) == ("integer", "number") and held.service == OWN:
                field = own[to] = msgspec.structs.replace(field, kind="number")
            fields[column] = field
    key = held.key
    if key is not None and key.name != MADE_KEY and key not in fields.values():
        raise Problem(
            Text(f"Aucune colonne n'est « {key.title.fr} », qui distingue les enregistrements.",
                 f"No column is '{key.title.en}', which tells the records apart."),
            Text("Choisissez la colonne qui l'est, ou faites une nouvelle collection.", "Choose the column that is, or make a new collection."),
            place="fields",
        )  # fmt: skip
    if held.service != OWN:
        return held, fields, False
    wide = geometry if held.geometry == "none" else held.geometry
    if geometry not in ("none", wide):
        wide = "any"
    widened = msgspec.structs.replace(held, fields=tuple(own.values()), geometry=wide)
    return widened, fields, False


def entries(
    store: Store, one: Brought, collection: Collection, fields: dict[str, Field], seen: Callable[[Any], None]
) -> Iterator[Entry | RecordReject]:
    """Yield the entries and rejects of a brought file; `seen` is told the key of each entry."""
    work = one.work
    assert work.found is not None
    layer, _names = layer_of(path_of(store, one), work.kind, work.corrections)
    placement = placement_of(work.found)
    cells = [
        (column, field, _reader(field, work.found.dates, work.corrections.decimal))
        for column, field in fields.items()
    ]
    key = collection.key
    made = key is not None and key.name == MADE_KEY
    coded = [c.name for c in work.found.columns if folded(c.name) in TERRITORY]
    default = home_of(work.plan, work.who)
    placeless = collection.geometry == "none"
    for number, row in enumerate(layer.rows(), 1):
        if isinstance(row, Reject):
            yield RecordReject(f"line {row.line}", row.field, row.reason, row.mend)
            continue
        try:
            values = {
                f.name: read(v)
                for column, f, read in cells
                if (v := row.values.get(column)) not in (None, "")
            }
            if made:
                values[MADE_KEY] = row.id or f"{work.plan.prefix}-{number}"
            where = work.plan.territory or next(
                (str(row.values[c]) for c in coded if row.values.get(c)), default
            )
            if not work.who.covers(where or None):
                yield not_yours(row.place, where)
                continue
            geometry = None if placeless or row.geometry is None else _moved(placement, row.geometry)
            if key is not None:
                seen(values.get(key.name))
            yield Entry(values, geometry, where or None, row.place)
        except Problem as problem:
            yield RecordReject(row.place, problem.place, problem.reason, problem.mend)


def not_yours(place: str, territory: str | None) -> RecordReject:
    """Return the refusal of a row of a commune where its bringer does not work."""
    return RecordReject(place, (territory or "")[:20], _NOT_YOURS, _NOT_YOURS_MEND)


def _moved(placement: Placement, geometry: dict[str, Any]) -> dict[str, Any]:
    found = moved(placement, geometry)
    if found.get("type") == "Point" and not all(-1e3 < v < 1e3 for v in found["coordinates"][:2]):
        raise Problem(
            _CANNOT,
            Text("Vérifiez le système de coordonnées.", "Check the reference system."),
            place="geometry",
        )
    return found


def _reader(field: Field, dates: str, decimal: str) -> Callable[[Any], Any]:
    """Return what reads the cells of a field: words of a choice whatever their case and accents, numbers and dates as
    they are written in this file."""
    if field.reference:
        return lambda value: str(value).strip()
    if field.choices:
        words = {folded(w): c.value for c in field.choices for w in (c.value, c.title.fr, c.title.en)}
        return lambda value: words.get(folded(str(value))) or value_of(field, value)
    if field.kind == "text":
        return lambda value: (
            value if isinstance(value, str) and "\x00" not in value else value_of(field, value)
        )
    if field.kind in ("date", "instant") and dates == "mdy":
        return lambda value: value_of(field, _turned(value))
    if field.kind in ("number", "integer") and decimal in (",", "."):
        other = "." if decimal == "," else ","
        return lambda value: value_of(field, value.replace(other, "") if isinstance(value, str) else value)
    return lambda value: value_of(field, value)


def _turned(value: Any) -> Any:
    match = _SLASHED.match(value) if isinstance(value, str) else None
    return f"{match[3]}{match[2]}{match[1]}{match[4]}" if match else value


# --- Readings.


def check_home(one: Brought) -> str:
    """Return the commune that measurements are brought for. Raises `Forbidden` when it is none of the bringer's."""
    home = home_of(one.work.plan, one.work.who)
    if not one.work.who.covers(home or None):
        raise Forbidden(Text("Cette commune n'est pas des vôtres.", "This commune is not one of yours."),
                        Text("Choisissez-en une des vôtres.", "Choose one of yours."), place="territory")  # fmt: skip
    return home


def kind_of_measures(store: Store, one: Brought) -> KindOfImport:
    """Return how the rows of a brought file are read as observations. Raises `Problem` when the plan is not whole."""
    plan, found = one.work.plan, one.work.found
    assert found is not None
    home = check_home(one)
    if not plan.time:
        raise Problem(Text("Aucune colonne ne dit quand.", "No column says when."),
                      Text("Choisissez la colonne de la date ou de l'heure.", "Choose the column of the date or time."), place="time")  # fmt: skip
    if not plan.series:
        raise Problem(Text("Aucune colonne de mesures n'est choisie.", "No column of measurements is chosen."),
                      Text("Choisissez-en au moins une.", "Choose one at least."), place="series")  # fmt: skip
    columns = [c.name for c in found.columns]
    thing = ThingPart(
        key="" if plan.thing else slug(plan.thing_name or plan.title), name=plan.thing_name or plan.title, column=plan.thing,
        longitude_column=_LON, latitude_column=_LAT, within=home,
    )  # fmt: skip
    mapping = Mapped(
        zone=plan.zone, thing=thing, time=TimePart(column=plan.time, end=plan.end),
        series=tuple(SeriesPart(c, code=name or c, name=name or c, unit=unit) for c, (name, unit) in plan.series.items() if c in columns),
    )  # fmt: skip

    def read(_path: Any, _options: Any) -> Iterator[Row]:
        yield from readings([*columns, _LON, _LAT], _cells(store, one, columns), mapping, slug(plan.title))

    return KindOfImport("brought", Text("Fichier apporté", "Brought file"), read)


def _cells(store: Store, one: Brought, columns: Iterable[str]) -> Iterator[tuple[int, list[str] | None]]:
    work = one.work
    assert work.found is not None
    layer, _names = layer_of(path_of(store, one), work.kind, work.corrections)
    placement = placement_of(work.found)
    times = {work.plan.time, work.plan.end} if work.found.dates == "mdy" else set()
    names = list(columns)
    for number, row in enumerate(layer.rows(), 1):
        if isinstance(row, LayerRow):
            line = re.match(r"line (\d+)", row.place)
            cells = [
                str(_turned(v) if n in times else "" if v is None else v)
                for n in names
                for v in (row.values.get(n),)
            ]
            yield int(line[1]) if line else number, [*cells, *_degrees(placement, row.geometry)]
        else:
            yield row.line, None


def _degrees(placement: Placement, geometry: dict[str, Any] | None) -> list[str]:
    if geometry is None or geometry.get("type") != "Point":
        return ["", ""]
    try:
        lon, lat = moved(placement, geometry)["coordinates"][:2]
    except Problem:
        return ["", ""]
    return [f"{lon:.7f}", f"{lat:.7f}"]
