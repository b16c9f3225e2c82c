"""Features and tables of files into the records of a collection: which collection, which column is which field."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from beffroi.intake.files import ImportReport, Progress
from beffroi.intake.records import keyed, take_entries, unreadable
from beffroi.model.collection import Collection, Field
from beffroi.model.principal import Principal
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.standards.geojson import Feature, features
from beffroi.standards.layer_file import LayerRow, layers_of
from beffroi.standards.placing import placed, sample
from beffroi.standards.reading import Reject
from beffroi.standards.record_table import read_records
from beffroi.store.open import Store
from beffroi.store.record import Entry
from beffroi.store.record import Reject as RecordReject

__all__ = ["collection_for", "import_features"]

_TERRITORY = ("code_insee", "insee", "insee_com", "codeinsee", "depcom")


def _plain(text: str) -> str:
    """Return a name without accents, case and punctuation, as it is compared."""
    bare = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return "".join(c for c in bare if c.isalnum())


def collection_for(collections: Mapping[str, Collection], name: str, stem: str) -> Collection:
    """Return the collection that is named, or that the file is called like. Raises `NotFound` naming them all."""
    open_ones = {key: one for key, one in collections.items() if not one.system}
    wanted = _plain(name or stem)
    for key, one in open_ones.items():
        titles = {_plain(key), _plain(key) + "s", _plain(one.title.fr), _plain(one.title.en)}
        if wanted in titles:
            return one
    known = ", ".join(sorted(open_ones)) or "-"
    raise NotFound(
        Text("Aucune collection n'est choisie pour ce fichier.", "No collection is chosen for this file.")
        if not name
        else Text("Cette collection n'existe pas.", "There is no such collection."),
        Text(
            f"Ajoutez --collection NOM, avec un nom parmi : {known}.",
            f"Add --collection NAME, one of: {known}.",
        ),
        place="--collection",
    )


def import_features(
    store: Store, collections: Mapping[str, Collection], paths: Iterable[Path], options: Mapping[str, Any],
    who: Principal, *, dry: bool = False, progress: Progress = lambda _path, _step, _done, _whole: None,
) -> ImportReport:  # fmt: skip
    """Take GeoJSON files and CSV tables into a collection: a key that is known changes its record, or nothing.

    Every file is read whole before the first feature of any is stored. Raises `Problem` for a file that cannot
    be read, or a collection without key (importing again would double it).
    """
    report = ImportReport(rejects=[], datastreams={})
    named = str(options.get("collection") or "")
    plans = [(path, keyed(collection_for(collections, named, path.stem))) for path in paths]
    counts = [
        sum(1 for _ in (_table(path, c, options) if _is_table(path) else _read(path))) for path, c in plans
    ]
    for (path, collection), whole in zip(plans, counts, strict=True):
        entries = (
            _table(path, collection, options) if _is_table(path) else _entries(path, collection, options)
        )
        take_entries(store, collection, path, entries, who, report, whole, dry, progress)
    return report


def _is_table(path: Path) -> bool:
    return path.suffix.lower() in (".csv", ".tsv", ".txt")


def _table(path: Path, collection: Collection, options: Mapping[str, Any]) -> Iterator[Entry | RecordReject]:
    """Yield the rows of a CSV table. The mapping file may say `fields` (field = "column"), `crs` and `territory`."""
    columns = {str(column): str(name) for name, column in (options.get("fields") or {}).items()}
    source = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")[:40] or "import"
    try:
        with path.open("rb") as stream:
            yield from read_records(
                stream, collection, territory=str(options.get("territory") or "") or None,
                crs=str(options.get("crs") or "EPSG:4326"), source=source, mapped=columns,
            )  # fmt: skip
    except Problem as problem:
        raise problem.at(f"{path}, ") from problem
    except OSError as error:
        raise unreadable(path, error) from error


_OTHER = {".xlsx": "xlsx", ".gpkg": "gpkg", ".shp": "shp", ".zip": "shp"}


def _layered(path: Path, kind: str) -> Iterator[Feature | Reject]:
    """Yield the rows of the layers of another kind of file as features, their places in WGS 84."""
    for layer in layers_of(path, kind):
        shapes = (row.geometry for row in layer.rows() if isinstance(row, LayerRow))
        placement = placed(sample(shapes), layer.crs)
        for number, row in enumerate(layer.rows(), 1):
            if isinstance(row, Reject):
                yield row
            else:
                yield Feature(number, row.values, row.geometry and placement.move(row.geometry), row.id)


def _read(path: Path) -> Iterator[Feature | Reject]:
    try:
        if path.suffix.lower() in _OTHER:
            yield from _layered(path, _OTHER[path.suffix.lower()])
            return
        with path.open("rb") as stream:
            yield from features(stream)
    except Problem as problem:
        raise problem.at(f"{path}, ") from problem
    except OSError as error:
        raise unreadable(path, error) from error


def _entries(
    path: Path, collection: Collection, options: Mapping[str, Any]
) -> Iterator[Entry | RecordReject]:
    fields = options.get("fields") or {}
    told = {str(name): _plain(str(source)) for name, source in fields.items()}
    territory = str(options.get("territory") or "")
    key = collection.key
    for number, item in enumerate(_read(path), 1):
        place = (
            f"line {item.line} ({number})"  # a layer may be written on one line: the number tells two apart
        )
        if isinstance(item, Reject):
            yield RecordReject(place, item.field, item.reason, item.mend)
            continue
        given = {_plain(name): value for name, value in item.properties.items()}
        values = {
            field.name: value
            for field in collection.fields
            if (value := _value(field, given, told)) is not None
        }
        if key is not None and key.name not in values and item.id:
            values[key.name] = item.id
        where = territory or next((str(given[_plain(n)]) for n in _TERRITORY if given.get(_plain(n))), "")
        yield Entry(values, item.geometry if collection.geometry != "none" else None, where or None, place)


def _value(field: Field, given: Mapping[str, Any], told: Mapping[str, str]) -> Any:
    names = (
        (told[field.name],)
        if field.name in told
        else (_plain(field.name), _plain(field.title.fr), _plain(field.title.en))
    )
    value = next((given[name] for name in names if given.get(name) is not None), None)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    return _as_kind(field, value)


def _as_kind(field: Field, value: Any) -> Any:
    """Return a value as the field wants it where files write it otherwise: codes as numbers, words of a choice."""
    if field.choices and isinstance(value, str):
        wanted = _plain(value)
        for option in field.choices:
            if wanted in (_plain(option.value), _plain(option.title.fr), _plain(option.title.en)):
                return option.value
    convert = _CONVERT.get((field.kind, type(value)))
    if convert is None:
        return value
    try:
        return convert(value)
    except (ValueError, KeyError):
        return value  # the record says what is wrong with it


def _decimal(text: str) -> float:
    return float(text.strip().replace("\u202f", "").replace("\xa0", "").replace(" ", "").replace(",", "."))


_CONVERT: dict[tuple[str, type], Callable[[Any], Any]] = {
    ("text", int): str,
    ("reference", int): str,  # a file from outside names a record by its key
    ("text", float): lambda value: f"{value:g}",
    ("number", str): _decimal,
    ("integer", str): lambda text: int(_decimal(text)),
    ("boolean", str): lambda text: {
        "oui": True,
        "true": True,
        "1": True,
        "non": False,
        "false": False,
        "0": False,
    }[text.strip().lower()],
}
