"""Reading a brought file: what kind it is, what its columns hold, where its places lie, and its rows as they are used."""

import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from beffroi.intake.bringing.brought import (
    MOST_SAMPLES,
    Brought,
    Column,
    Corrections,
    Found,
    Trouble,
    folder_of,
)
from beffroi.intake.kinds import kinds_of
from beffroi.intake.layers import moved, near
from beffroi.model.declaration import KindOfImport
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards.inferring import Inferring
from beffroi.standards.layer_file import Layer, LayerRow, Told, layers_of
from beffroi.standards.placing import WGS84, Placement, as_told, placed, sample
from beffroi.standards.reading import Reject
from beffroi.standards.table_guess import guess_of
from beffroi.store.open import Store

__all__ = ["KINDS", "MOST_BYTES", "MOST_ROWS", "kind_of", "layer_of", "path_of", "placement_of", "read_file"]

KINDS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".xlsx": "xlsx", ".xlsm": "xlsx", ".geojson": "geojson", ".json": "geojson",
    ".gpkg": "gpkg", ".zip": "shp",
}  # fmt: skip
MOST_BYTES = 512_000_000
MOST_ROWS = 5_000_000
_UNPACKED = 4_000_000_000  # a workbook or an archive that unfolds to more is refused
_SHOWN = 12
_MAPPED = 300
_SAMPLED = 2_000
_SAID_EVERY = 20_000
_OTHERS = {
    ".xls": Text("Ouvrez-le dans Excel ou LibreOffice et enregistrez-le en .xlsx.", "Open it in Excel or LibreOffice and save it as .xlsx."),
    ".ods": Text("Dans LibreOffice : Fichier, Enregistrer sous, Excel (.xlsx).", "In LibreOffice: File, Save as, Excel (.xlsx)."),
    ".shp": Text("Un shapefile est fait de plusieurs fichiers : mettez .shp, .shx, .dbf et .prj dans une archive .zip.",
                 "A shapefile is made of several files: put .shp, .shx, .dbf and .prj into one .zip archive."),
    ".pdf": Text("Demandez le tableau d'origine (Excel ou CSV) à qui l'a fait.", "Ask whoever made it for the table itself (Excel or CSV)."),
    ".kml": Text("Ouvrez-le dans QGIS et exportez-le en GeoJSON.", "Open it in QGIS and export it as GeoJSON."),
}  # fmt: skip


def kind_of(name: str, more: Iterable[KindOfImport] = ()) -> str:
    """Return the kind of a file by its name: "known" for one that only a kind of its own reads, of ours or of `more`.

    Raises `Problem` that says what to do with another one.
    """
    ending = Path(name).suffix.lower()
    if ending in KINDS:
        return KINDS[ending]
    if kinds_of(name, more):
        return "known"
    shown = ending.replace("{", "(").replace("}", ")") or "?"
    raise Problem(
        Text(f"Un fichier {shown} ne se lit pas ici.", f"A file of kind {shown} cannot be read here."),
        _OTHERS.get(ending, Text("Donnez un fichier Excel (.xlsx), CSV, GeoJSON, GeoPackage, ou un shapefile en .zip.",
                                 "Give an Excel file (.xlsx), CSV, GeoJSON, GeoPackage, or a zipped shapefile.")),
        place="file",
    )  # fmt: skip


def path_of(store: Store, one: Brought) -> Path:
    """Return where the file of a brought one lies, its ending kept (readers look at it)."""
    return folder_of(store, one.id) / f"file{Path(one.name).suffix.lower()}"


def check_unpacked(path: Path) -> None:
    """Raise `Problem` for a packed file (workbook, archive) that unfolds to more than a machine bears."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as packed:
        whole = sum(info.file_size for info in packed.infolist())
    if whole > _UNPACKED:
        raise Problem(Text("Une fois décompressé, ce fichier est trop gros.", "Once unpacked, this file is too large."),
                      Text("Découpez-le.", "Split it."), place="file")  # fmt: skip


def told_of(corrections: Corrections) -> Told:
    """Return what a person said of a table, for its reader."""
    c = corrections
    where = None if c.x is None else tuple(name for name in (c.x, c.y or "") if name)
    return Told(c.encoding, c.delimiter, c.header, where)


def layer_of(path: Path, kind: str, corrections: Corrections) -> tuple[Layer, list[str]]:
    """Return the layer that was chosen (else the first) and the names of all. Raises `Problem`."""
    check_unpacked(path)
    layers = layers_of(path, kind, told_of(corrections))
    if not layers:
        raise _empty()
    names = [one.name for one in layers]
    chosen = next((one for one in layers if one.name == corrections.layer), layers[0])
    return chosen, names if len(names) > 1 else []


def placement_of(found: Found) -> Placement:
    """Return how the coordinates of a file are brought to WGS 84, as it was found or told."""
    return as_told(found.crs or WGS84)


def read_file(
    store: Store, path: Path, kind: str, corrections: Corrections, progress: Callable[[int], None]
) -> Found:
    """Read a file whole and return what it seems to hold. Raises `Problem` when it is not what its name says."""
    try:
        return _read(store, path, kind, corrections, progress)
    except (UnicodeError, zipfile.BadZipFile) as error:
        raise Problem(
            Text("Le fichier n'est pas lisible ainsi.", "The file cannot be read this way."),
            Text("Changez l'encodage, ou exportez-le de nouveau.", "Change the encoding, or export it again."), place="encoding",
        ) from error  # fmt: skip


def _read(
    store: Store, path: Path, kind: str, corrections: Corrections, progress: Callable[[int], None]
) -> Found:
    layer, names = layer_of(path, kind, corrections)
    learnt = _Learning()
    for number, row in enumerate(layer.rows(), 1):
        learnt.take(row)
        if number % _SAID_EVERY == 0:
            progress(number)
        if number > MOST_ROWS:
            raise Problem(Text(f"Le fichier a plus de {MOST_ROWS} lignes.", f"The file has more than {MOST_ROWS} rows."),
                          Text("Découpez-le, par exemple par année.", "Split it, by year for instance."), place="file")  # fmt: skip
    if not learnt.rows:
        raise _empty()
    guess = guess_of(path, corrections.encoding, corrections.delimiter) if kind == "csv" else None
    crs, how, shapes, doubt = _placed(store, learnt.shapes, layer.crs, corrections.crs)
    inferred = learnt.inferring.collection("x", "x")
    columns = tuple(
        Column(name, inferred.fields[name].kind, learnt.filled[name], learnt.is_key(name), tuple(learnt.samples[name]))
        for name in inferred.fields
    )  # fmt: skip
    header = corrections.header if corrections.header is not None else (guess.header if guess else 1)
    return Found(
        kind, learnt.rows, columns, tuple(learnt.first), learnt.unread, guess.encoding if guess else "",
        guess.delimiter if guess else "", header, guess.sure if guess else True, tuple(names),
        corrections.layer or (names[0] if names else ""), layer.where, crs, how, learnt.placed,
        inferred.collection.geometry, shapes, _order_of_dates(columns), _decimal(columns), inferred.personal, doubt,
    )  # fmt: skip


class _Learning:
    """What one reading of all rows learns."""

    def __init__(self) -> None:
        self.inferring = Inferring()
        self.rows = self.unread = self.placed = 0
        self.first: list[tuple[str, ...]] = []
        self.shapes: list[dict[str, Any]] = []
        self.filled: dict[str, int] = {}
        self.samples: dict[str, list[str]] = {}

    def take(self, row: LayerRow | Reject) -> None:
        if isinstance(row, Reject):
            self.unread += 1
            return
        self.rows += 1
        self.inferring.take(row)
        if row.geometry is not None:
            self.placed += 1
            if len(self.shapes) < _SAMPLED:
                self.shapes.append(row.geometry)
        if len(self.first) < _SHOWN:
            self.first.append(tuple(_said(v) for v in row.values.values()))
        for name, value in row.values.items():
            if value is None or value == "":
                self.filled.setdefault(name, 0)
                self.samples.setdefault(name, [])
                continue
            self.filled[name] = self.filled.get(name, 0) + 1
            some = self.samples.setdefault(name, [])
            if len(some) < MOST_SAMPLES and (said := _said(value)) not in some:
                some.append(said)

    def is_key(self, name: str) -> bool:
        return self.inferring.tells_apart(name)


def _said(value: Any) -> str:
    if value is None:
        return ""
    said = msgspec.json.encode(value).decode() if isinstance(value, dict | list) else str(value)
    return said[:120]


def _placed(
    store: Store, shapes: list[dict[str, Any]], named: str | None, told: str
) -> tuple[str, str, tuple[dict[str, Any], ...], Trouble | None]:
    if not shapes:
        return "", "none", (), None
    try:
        placement = as_told(told) if told else placed(sample(shapes), named, near(store))
    except Problem as problem:
        return "", "doubt", (), Trouble(problem.reason, problem.mend, "crs")
    step = max(1, len(shapes) // _MAPPED)
    return placement.crs, placement.how, tuple(_each(placement, shapes[::step])), None


def _each(placement: Placement, shapes: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for shape in shapes[:_MAPPED]:
        try:
            yield moved(placement, shape)
        except Problem:
            continue


_SLASHED = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.]\d{4}")


def _order_of_dates(columns: tuple[Column, ...]) -> str:
    """Return how dates are written: a first number above twelve is a day, a second one a day written after its month."""
    found = ""
    for column in columns:
        for written in column.samples:
            if re.match(r"\d{4}-\d{2}-\d{2}", written):
                found = found or "ymd"
            elif (match := _SLASHED.match(written)) is not None:
                found = "mdy" if int(match[2]) > 12 else found if found == "mdy" else "dmy"
    return found


def _decimal(columns: tuple[Column, ...]) -> str:
    numbers = [w for c in columns if c.kind == "number" for w in c.samples]
    return "," if any("," in w for w in numbers) else "." if any("." in w for w in numbers) else ""


def _empty() -> Problem:
    return Problem(Text("Le fichier n'a aucune ligne.", "The file has no rows."),
                   Text("Vérifiez que c'est le bon fichier, et la ligne des titres.", "Check that it is the right file, and the line of its header."))  # fmt: skip
