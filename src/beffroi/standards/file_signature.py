"""What a file really is, by its first bytes: many are named after what their sender thought they were."""

import zipfile
from pathlib import Path

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["check_kind", "signature_of"]

_HEAD = 4096
_MARKS = (
    (b"%PDF", "pdf"), (b"\xd0\xcf\x11\xe0", "xls"), (b"\x89PNG", "image"), (b"\xff\xd8\xff", "image"), (b"GIF8", "image"),
    (b"SQLite format 3", "sqlite"), (b"\x1f\x8b", "packed"), (b"7z\xbc\xaf", "packed"), (b"Rar!", "packed"), (b"\x00\x00\x27\x0a", "shp"),
)  # fmt: skip
_EXPECTED = {
    "csv": ("",),
    "geojson": ("", "json"),
    "xlsx": ("xlsx",),
    "gpkg": ("sqlite",),
    "shp": ("zip", "shp"),
}


_AGAIN = Text("Le téléchargement a sans doute échoué : ouvrez l'adresse dans un navigateur et recommencez.",
              "The download probably failed: open the address in a browser and try again.")  # fmt: skip
_TABLE = Text("Demandez le tableau d'origine (Excel ou CSV) à qui l'a fait.", "Ask whoever made it for the table itself (Excel or CSV).")  # fmt: skip
_KINDS: dict[str, tuple[Text, Text]] = {  # what it is, and what to do
    "pdf": (Text("un PDF", "a PDF"), _TABLE),
    "image": (Text("une image", "an image"), _TABLE),
    "html": (Text("une page web (HTML)", "a web page (HTML)"), _AGAIN),
    "xml": (Text("du XML (KML, GPX …)", "XML (KML, GPX …)"), Text("Ouvrez-le dans QGIS et exportez-le en GeoJSON.", "Open it in QGIS and export it as GeoJSON.")),
    "xls": (Text("un ancien classeur Excel (.xls)", "an old Excel workbook (.xls)"),
                 Text("Ouvrez-le dans Excel ou LibreOffice et enregistrez-le en .xlsx.", "Open it in Excel or LibreOffice and save it as .xlsx.")),
    "ods": (Text("un classeur LibreOffice (.ods)", "a LibreOffice workbook (.ods)"),
                 Text("Dans LibreOffice : Fichier, Enregistrer sous, Excel (.xlsx).", "In LibreOffice: File, Save as, Excel (.xlsx).")),
    "xlsx": (Text("un classeur Excel", "an Excel workbook"), Text("Donnez-lui un nom qui finit par .xlsx.", "Give it a name that ends in .xlsx.")),
    "sqlite": (Text("un GeoPackage ou une base SQLite", "a GeoPackage or an SQLite database"), Text("Donnez-lui un nom qui finit par .gpkg.", "Give it a name that ends in .gpkg.")),
    "zip": (Text("une archive .zip", "a .zip archive"), Text("Décompressez-la, et donnez le fichier qu'elle contient.", "Unpack it, and give the file that it holds.")),
    "packed": (Text("un fichier compressé", "a packed file"), Text("Décompressez-le d'abord.", "Unpack it first.")),
    "shp": (Text("un shapefile seul", "a shapefile alone"), Text("Mettez .shp, .shx, .dbf et .prj dans une archive .zip.", "Put .shp, .shx, .dbf and .prj into one .zip archive.")),
    "json": (Text("du JSON", "JSON"), Text("Donnez-lui un nom qui finit par .geojson.", "Give it a name that ends in .geojson.")),
    "": (Text("un texte, ou un fichier abîmé", "a text, or a damaged file"),
              Text("Si c'est un CSV, donnez-lui un nom qui finit par .csv ; sinon exportez-le de nouveau.", "If it is a CSV, give it a name that ends in .csv; else export it again.")),
}  # fmt: skip


def signature_of(path: Path) -> str:
    """Return what a file is ("pdf", "html", "xlsx" …), "" for a text without marks or anything else."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    for mark, kind in _MARKS:
        if head.startswith(mark):
            return kind
    if head.startswith(b"PK"):
        return _inside(path)
    plain = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if plain.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<script")):
        return "html"
    return "xml" if plain.startswith(b"<?xml") else "json" if plain[:1] in (b"{", b"[") else ""


def _inside(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as packed:
            names = set(packed.namelist())
    except (zipfile.BadZipFile, OSError):
        return "zip"
    return "xlsx" if "xl/workbook.xml" in names else "ods" if "content.xml" in names else "zip"


def check_kind(path: Path, kind: str) -> None:
    """Raise `Problem` when a file is plainly none of `kind` ("csv", "xlsx", "geojson", "gpkg", "shp"), whatever its name."""
    found = signature_of(path)
    if found in _EXPECTED[kind] or (kind == "geojson" and found == "") or (kind == "csv" and found == "json"):
        return
    what, mend = _KINDS[found]
    raise Problem(
        Text(f"Malgré son nom, ce fichier est {what.fr}.", f"Despite its name, this file is {what.en}."), mend
    )
