"""`beffroi import`: files of measurements or features into the town, with a report of what was refused and why."""

import contextlib
import gc
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from beffroi.cli import Data, Json, language, say, tell
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import Problem
from beffroi.model.text import Text

if TYPE_CHECKING:
    from beffroi.intake.files import ImportReport, Progress
    from beffroi.intake.layers import Taken
    from beffroi.model.declaration import KindOfImport
    from beffroi.town import Town

__all__ = ["register"]

_SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command(
        "import",
        help=say(
            "Importe des fichiers : mesures ou objets. Un second import du même fichier ne change rien.",
            "Import files of measurements or features. Importing the same file again changes nothing.",
        ),
    )
    def import_(
        data: Data = Path(),
        kind: Annotated[
            str, typer.Argument(metavar="KIND", help=say("Sorte de fichier (voir --list).", "Kind of file (see --list)."))
        ] = "",
        files: Annotated[
            list[Path] | None, typer.Argument(metavar="FILE…", help=say("Les fichiers.", "The files."))
        ] = None,
        as_json: Json = False,
        listed: Annotated[
            bool, typer.Option("--list", help=say("Nomme les sortes de fichiers.", "Name the kinds of files."))
        ] = False,
        mapping: Annotated[
            Path | None,
            typer.Option(
                "--mapping",
                metavar="F",
                help=say("Correspondance des colonnes (TOML ou YAML).", "Mapping of the columns (TOML or YAML)."),
            ),
        ] = None,
        collection: Annotated[
            str, typer.Option("--collection", help=say("Collection (geojson, csv d'objets).", "Collection (geojson, csv of objects)."))
        ] = "",
        measurements: Annotated[
            bool, typer.Option("--measurements", help=say("csv : ce sont des mesures, colonnes devinées.", "csv: these are measurements, columns guessed."))
        ] = False,
        name: Annotated[
            str, typer.Option("--name", metavar="NOM", help=say("Nom de la collection faite du fichier.", "Name of the collection made of the file."))
        ] = "",
        crs: Annotated[
            str, typer.Option("--crs", metavar="EPSG:N", help=say("Système des coordonnées, si le fichier ne le dit pas.", "Reference system, if the file does not say it."))
        ] = "",
        private: Annotated[
            bool, typer.Option("--private", help=say("La collection n'est pas publique.", "The collection is not public."))
        ] = False,
        database: Annotated[
            str, typer.Option("--database", metavar="URL", help=say("town : base PostgreSQL vide, au lieu de SQLite.", "town: an empty PostgreSQL database, instead of SQLite."))
        ] = "",
        dry_run: Annotated[
            bool,
            typer.Option("--dry-run", help=say("Dit ce qui serait importé.", "Say what would be imported.")),
        ] = False,
    ) -> None:  # fmt: skip
        if listed:
            _list(as_json=as_json)
            return
        if not kind or not files:
            raise Problem(
                Text("Il manque la sorte de fichier ou le fichier.", "The kind of file or the file is missing."),
                Text("Écrivez : beffroi import KIND FICHIER… --data DIR (voir --list).",
                     "Write: beffroi import KIND FILE… --data DIR (see --list)."),
                place="KIND FILE…",
            )  # fmt: skip
        if kind == "town":
            _settle(files, data, database, as_json=as_json)
            return
        options = _options(mapping)
        if collection:
            options["collection"] = collection
        options |= {
            key: value for key, value in (("name", name), ("crs", crs), ("private", private)) if value
        }
        report, taken = _run(
            data, kind, files, options, mapped=mapping is not None or measurements, dry=dry_run
        )
        tell(
            _answer(report) | _made(taken),
            as_json=as_json,
            words="\n".join([*_taken_words(taken), _words(report)]),
        )


def _settle(files: list[Path], data: Path, database: str, *, as_json: bool) -> None:
    """Make the town of an export again (`beffroi export`) in a new directory."""
    from rich.console import Console

    from beffroi.settling import settle

    if len(files) != 1:
        raise Problem(
            Text("Donnez le dossier d'un seul export.", "Give the directory of one export."), place="FILE…"
        )
    with Console(stderr=True).status("") as status:
        manifest = settle(
            files[0], data, records=database, progress=lambda name, done, whole: status.update(f"{done} / {whole}  {name}")
        )  # fmt: skip
    rows = sum(f["rows"] for f in manifest["files"].values())
    report = {"data": str(data), "name": manifest["name"], "files": len(manifest["files"]), "rows": rows}
    tell(report, as_json=as_json, words=say(
        "« {name} » est dans {data} : {rows} lignes.\n"
        "  Les personnes y sont, sans leurs mots de passe. Un lien pour entrer : beffroi user link ADRESSE --data {data}",
        "'{name}' is in {data}: {rows} rows.\n"
        "  Its people are there, without their passwords. A link to enter: beffroi user link ADDRESS --data {data}", **report))  # fmt: skip


def _kinds() -> "tuple[KindOfImport, ...]":
    from beffroi.intake.kinds import KINDS
    from beffroi.plugins import load_registry

    ours = {kind.name for kind in KINDS}
    more = load_registry().file_kinds()
    return (*KINDS, *(kind for kind in more if kind.name not in ours))


def _list(*, as_json: bool) -> None:
    tongue = language()
    kinds = [(kind.name, kind.title.of(tongue), list(kind.extensions)) for kind in _kinds()]
    kinds.append(("town", say("Une ville exportée par beffroi export, dans un dossier nouveau", "A town exported by beffroi export, into a new directory"), []))  # fmt: skip
    report = {"kinds": [dict(zip(("name", "title", "extensions"), kind, strict=True)) for kind in kinds]}
    tell(report, as_json=as_json, words="\n".join(f"{name:14} {title}" for name, title, _ in kinds))


def _options(mapping: Path | None) -> dict[str, Any]:
    if mapping is None:
        return {}
    import yaml

    try:
        text = mapping.read_text("utf-8")
        values = tomllib.loads(text) if mapping.suffix == ".toml" else yaml.safe_load(text)
    except (tomllib.TOMLDecodeError, yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        detail = str(error).replace("{", "(").replace("}", ")")[:300]
        raise Problem(
            Text("La correspondance n'est pas lisible : {detail}", "The mapping cannot be read: {detail}")
            .filled(detail=detail),
            Text("Écrivez-la en TOML (.toml) ou en YAML (.yaml).", "Write it in TOML (.toml) or YAML (.yaml)."),
            place=str(mapping),
        ) from error  # fmt: skip
    if not isinstance(values, dict):
        raise Problem(
            Text("La correspondance est vide.", "The mapping is empty."),
            Text("Voyez la documentation des imports.", "See the documentation of imports."),
            place=str(mapping),
        )
    return values


def _run(
    data: Path, kind: str, files: list[Path], options: dict[str, Any], *, mapped: bool, dry: bool
) -> "tuple[ImportReport, list[Taken]]":
    from beffroi.intake.features import import_features
    from beffroi.intake.files import import_files
    from beffroi.intake.kinds import LAYER_KINDS, kind_called
    from beffroi.intake.layers import import_layers
    from beffroi.intake.records import import_records
    from beffroi.intake.take import Intake
    from beffroi.town import open_town

    town = open_town(data)
    gc.freeze()  # a million short-lived rows: what was loaded to read them need not be looked at each time
    gc.set_threshold(50_000, 20, 50)
    try:
        chosen = kind_called(kind, town.registry.file_kinds())  # those of a service that came as a wheel too
        if _as_layers(town, chosen.name, files, options, mapped=mapped):
            with _progress() as progress:
                return import_layers(
                    town.store, files, chosen.name, options, SYSTEM, dry=dry, progress=progress
                )
        if chosen.name in LAYER_KINDS and (chosen.name != "csv" or not mapped or options.get("collection")):
            with _progress() as progress:
                return import_features(
                    town.store,
                    town.store.records.collections,
                    files,
                    options,
                    SYSTEM,
                    dry=dry,
                    progress=progress,
                ), []
        if chosen.collections:
            with _progress() as progress:
                return import_records(
                    town.store, chosen, files, options, SYSTEM, dry=dry, progress=progress
                ), []
        intake = Intake(town.store, town.registry.datastream_kind, town.registry.service_of)
        with _progress() as progress:
            return import_files(intake, chosen, files, options, dry=dry, progress=progress), []
    finally:
        town.close()


def _as_layers(town: "Town", kind: str, files: list[Path], options: dict[str, Any], *, mapped: bool) -> bool:
    """True when the files make collections of the town's own: nothing says which other one they belong to."""
    from beffroi.intake.features import collection_for
    from beffroi.intake.kinds import LAYER_KINDS
    from beffroi.model.collection import OWN

    named = str(options.get("collection") or "")
    if kind not in LAYER_KINDS or (mapped and not named):
        return False
    if named:
        held = town.store.records.collections.get(named)
        if held is not None and held.service == OWN:
            options["name"] = named
            return True
        return False
    if options.get("name"):
        return True
    for path in files:
        with contextlib.suppress(Problem):
            collection_for(town.registry.collections, "", path.stem)
            return False
    return True


@contextlib.contextmanager
def _progress() -> "Iterator[Progress]":
    """Give what draws progress on stderr: a bar on a terminal, nothing when the output is a file."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(file=sys.stderr)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        tasks: dict[tuple[Path, str], Any] = {}
        words = {"check": say("Lecture", "Reading"), "store": say("Enregistrement", "Storing")}

        def progress(path: Path, step: str, done: int, whole: int) -> None:
            if (path, step) not in tasks:
                tasks[path, step] = bar.add_task(f"{words[step]} {path.name}", total=whole or None)
            bar.update(tasks[path, step], completed=done, total=whole or None)

        yield progress


def _answer(report: "ImportReport") -> dict[str, Any]:
    tongue = language()
    return {
        "read": report.read,
        "stored": report.stored,
        "unchanged": report.unchanged,
        "rejected": report.rejected,
        "rejects": [
            {
                "file": one.file,
                "line": one.line,
                "place": one.place,
                "field": one.field,
                "reason": one.reason.of(tongue),
                "mend": one.mend.of(tongue),
            }
            for one in report.rejects
        ],
        "datastreams": [
            {"id": one.id, "name": one.name, "unit": one.unit, "stored": one.stored}
            for one in sorted(report.datastreams.values(), key=lambda one: one.id)
        ],
    }


def _made(taken: "list[Taken]") -> dict[str, Any]:
    if not taken:
        return {}
    return {
        "collections": [
            {
                "name": one.collection.name, "title": one.collection.title.fr, "new": one.new,
                "geometry": one.collection.geometry, "public": one.collection.read == "citizen", "crs": one.crs,
                "crs_is": one.how, "fields": {f.name: f.kind for f in one.collection.fields}, "perhaps_personal": list(one.personal),
            }
            for one in taken
        ]
    }  # fmt: skip


_HOW = {
    "named": ("dit par le fichier", "named by the file"),
    "assumed": ("par défaut", "by default"),
    "guessed": ("deviné d'après les coordonnées", "guessed from the coordinates"),
}


def _taken_words(taken: "list[Taken]") -> list[str]:
    lines = []
    for one in taken:
        c = one.collection
        lines.append(
            say("Collection « {t} » ({n}) : {k} champs, /ogc/collections/{n}", "Collection '{t}' ({n}): {k} fields, /ogc/collections/{n}",
                t=c.title.fr, n=c.name, k=len(c.fields))
        )  # fmt: skip
        if one.how in _HOW:
            fr, en = _HOW[one.how]
            lines.append(say("  coordonnées : {c}, {w}", "  coordinates: {c}, {w}", c=one.crs, w=say(fr, en)))
        if one.personal and c.read == "citizen":
            lines.append(
                say("  attention, peut-être personnel et pourtant public : {p} (--private le garde pour les agents)",
                    "  beware, perhaps personal and yet public: {p} (--private keeps it for agents)", p=", ".join(one.personal))
            )  # fmt: skip
    return lines


def _words(report: "ImportReport") -> str:
    tongue = language()
    lines = [
        say(
            "{read} lus : {stored} enregistrés, {unchanged} déjà là, {rejected} refusés.",
            "{read} read: {stored} stored, {unchanged} already there, {rejected} rejected.",
            read=report.read, stored=report.stored, unchanged=report.unchanged, rejected=report.rejected,
        )
    ]  # fmt: skip
    for reject in report.rejects[:_SHOWN]:
        place = reject.place or reject.line
        words = (
            f"  {reject.file}:{place} {reject.field} : {reject.reason.of(tongue)} {reject.mend.of(tongue)}"
        )
        lines.append(words.rstrip())
    if report.rejected > _SHOWN:
        more = report.rejected - _SHOWN
        lines.append(
            say(
                "  … et {more} autres (--json les donne tous).",
                "  … and {more} more (--json lists all).",
                more=more,
            )
        )
    lines.extend(
        f"  [{one.id}] {one.name} ({one.unit or '-'}) +{one.stored}"
        for one in sorted(report.datastreams.values(), key=lambda one: one.id)
    )
    return "\n".join(lines)
