"""`beffroi leaks`: find, locate and weigh leaks from files of flows and pressures, without a town."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from beffroi.terminal import Data, Json, say, tell

if TYPE_CHECKING:
    from beffroi.services.watergrid.leaks.detect import File
    from beffroi.services.watergrid.stareau.writing import Lacking

__all__ = ["register"]


def _path(option: str, metavar: str, fr: str, en: str) -> Any:
    return typer.Option(option, metavar=metavar, exists=True, dir_okay=False, help=say(fr, en))


Inflow = Annotated[
    str,
    typer.Option(
        "--inflow", metavar="EXPR",
        help=say("Débit d'entrée du secteur : des colonnes liées par + et -.", "Inflow of the area: columns joined by + and -."),
    ),
]  # fmt: skip
BaseFlows = Annotated[Path, _path("--base", "CSV", "Débits d'un an sans fuite nouvelle, où l'on apprend.", "Flows of a year without a new leak, to learn from.")]  # fmt: skip
YearFlows = Annotated[Path, _path("--year", "CSV", "Débits que l'on surveille.", "Flows to watch.")]
Price = Annotated[float, typer.Option("--price", metavar="EUR", min=0, help=say("Prix d'un m³ perdu.", "Price of a lost m³."))]  # fmt: skip
ModelFile = Annotated[
    Path, _path("--model", "INP", "Modèle EPANET du réseau.", "EPANET model of the network.")
]
BasePressures = Annotated[Path, _path("--base", "CSV", "Pressions de l'an sans fuite nouvelle.", "Pressures of the year without a new leak.")]  # fmt: skip
YearPressures = Annotated[Path, _path("--year", "CSV", "Pressions de l'année surveillée.", "Pressures of the watched year.")]  # fmt: skip
Files = Annotated[Path, _path("--files", "JSON", "Dossiers écrits par « leaks detect --json ».", "Files written by 'leaks detect --json'.")]  # fmt: skip
AnswerOut = Annotated[
    Path | None,
    typer.Option("--answer", metavar="TXT", help=say("Écrit où creuser et quand, quand cela vaut la recherche.", "Write where to dig and when, where it is worth the search.")),
]  # fmt: skip
Answer = Annotated[list[Path], typer.Argument(metavar="ANSWER [FLOWS…]", exists=True, dir_okay=False, help=say("Réponse : « conduite, date » par ligne.", "Answer: 'pipe, date' a line."))]  # fmt: skip
Leaks = Annotated[Path, _path("--leaks", "YALM", "Les vraies fuites.", "The true leaks.")]
LeakFlows = Annotated[list[Path], _path("--flows", "CSV", "Débits des vraies fuites ; répétable.", "Flows of the true leaks; repeatable.")]  # fmt: skip
ScoreModel = Annotated[Path | None, _path("--model", "INP", "Modèle EPANET, pour mesurer les distances.", "EPANET model, to measure distances.")]  # fmt: skip
Model = Annotated[Path, typer.Argument(metavar="INP", exists=True, dir_okay=False, help=say("Modèle EPANET.", "EPANET model."))]  # fmt: skip
Days = Annotated[int, typer.Option("--days", min=1, max=3660, help=say("Jours simulés.", "Simulated days."))]
Step = Annotated[
    int, typer.Option("--step", min=60, max=3600, help=say("Pas, en secondes.", "Step, in seconds."))
]
Links = Annotated[list[str], typer.Option("--close", metavar="LINK", help=say("Vanne ou conduite fermée ; répétable.", "Closed valve or pipe; repeatable."))]  # fmt: skip
At = Annotated[float, typer.Option("--hour", min=0, max=24, help=say("Heure du jour.", "Hour of the day."))]
Least = Annotated[float, typer.Option("--least", min=0, help=say("Pression au-dessous de laquelle on n'est plus desservi, en m.", "Pressure below which one is no longer served, in m."))]  # fmt: skip
AreaCode = Annotated[str, typer.Option("--area", metavar="CODE", help=say("Secteur.", "Area."))]
OutFile = Annotated[Path, typer.Option("--out", metavar="GPKG", help=say("GeoPackage à écrire.", "GeoPackage to write."))]  # fmt: skip
Given = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="COLUMN=VALUE", help=say("Valeur d'une colonne là où elle manque ; répétable.", "Value of a column where it lacks; repeatable.")),
]  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the group `leaks`."""
    group = typer.Typer(
        no_args_is_help=True,
        help=say("Trouve, situe et chiffre les fuites d'eau.", "Find, locate and weigh water leaks."),
    )
    app.add_typer(group, name="leaks")
    group.command("detect", help=say("Ouvre un dossier par fuite, d'après les débits d'un secteur.", "Open one file a leak, from the flows of an area."))(_detect)  # fmt: skip
    group.command("locate", help=say("Situe des fuites par les pressions et un modèle EPANET.", "Locate leaks by pressures and an EPANET model."))(_locate)  # fmt: skip
    group.command("score", help=say("Juge une réponse par l'économie de BattLeDIM.", "Judge an answer by the economics of BattLeDIM."))(_score)  # fmt: skip
    group.command("simulate", help=say("Simule un modèle EPANET et dit ce que cela coûte.", "Simulate an EPANET model and tell what it costs."))(_simulate)  # fmt: skip
    group.command("close", help=say("Dit qui n'a plus d'eau si l'on ferme une vanne.", "Tell who is without water when a valve is closed."))(_close)  # fmt: skip
    group.command("model", help=say("Apprend d'un modèle EPANET où chercher les fuites d'un secteur.", "Learn from an EPANET model where to look for the leaks of an area."))(_model)  # fmt: skip
    group.command("stareau", help=say("Écrit le réseau d'eau au format StaR-Eau 2024.", "Write the water network as StaR-Eau 2024."))(_stareau)  # fmt: skip


def _detect(
    inflow: Inflow, base: BaseFlows, year: YearFlows, price: Price = 0.80, as_json: Json = False
) -> None:
    import msgspec  # noqa: PLC0415

    from beffroi.services.watergrid.leaks.detect import detect  # noqa: PLC0415
    from beffroi.services.watergrid.leaks.series import read_table  # noqa: PLC0415

    found = detect(inflow, read_table(base), read_table(year), price)
    report = {
        "files": msgspec.to_builtins(found.files),
        "areas": [
            {"name": a.name, "sigma_m3h": round(a.sigma, 3), "standing_m3h": round(a.standing, 2), "days": len(a.loss)}
            for a in found.areas
        ],
        "unjudged_days": found.unjudged_days,
    }  # fmt: skip
    tell(report, as_json=as_json, words=_files_in_words(found.files))


def _files_in_words(files: "tuple[File, ...]") -> str:
    if not files:
        return say("Aucune fuite nouvelle.", "No new leak.")
    lines = [
        say(
            "{detected} : {m3:.0f} m³/j, {euro:.0f} €/j, {kind}, commencée vers le {start}{end}",
            "{detected}: {m3:.0f} m³/d, €{euro:.0f}/d, {kind}, begun about {start}{end}",
            detected=f.detected[:10], m3=f.m3_per_day, euro=f.euro_per_day, start=f.start[:10],
            kind=say("soudaine", "abrupt") if f.kind == "abrupt" else say("en aggravation", "incipient"),
            end="" if f.end is None else say(", réparée le {end}", ", repaired on {end}", end=f.end[:10]),
        )
        for f in files
    ]  # fmt: skip
    return "\n".join(lines)


def _locate(model: ModelFile, base: BasePressures, year: YearPressures, files: Files, answer: AnswerOut = None,
            price: Price = 0.80, as_json: Json = False) -> None:  # fmt: skip
    import msgspec  # noqa: PLC0415

    from beffroi.services.watergrid.leaks.search import digs, read_files, search  # noqa: PLC0415
    from beffroi.services.watergrid.leaks.series import read_table  # noqa: PLC0415

    known = read_files(files)
    watched = read_table(year)
    found, old, network = search(model, read_table(base), watched, known)
    if answer is not None:
        dug = digs(found, network, price, old, watched.begins)
        lines = [f"{pipe}, {when:%Y-%m-%d %H:%M}" for pipe, when in dug]
        answer.write_text("\n".join(["# linkID, startTime", *lines, ""]), "utf-8")
    report = {
        "files": [
            {
                **msgspec.to_builtins(s.file),
                "candidates": msgspec.to_builtins(s.candidates),
                "strength": s.strength,
            }
            for s in found
        ],
        "before": msgspec.to_builtins(old),
    }
    words = [
        say("{at} : {pipes}", "{at}: {pipes}", at=s.file.detected[:10],
            pipes=", ".join(f"{c.pipe} ({100 * c.likelihood:.0f} %)" for c in s.candidates[:3]))
        for s in found
    ]  # fmt: skip
    if old:
        most = ", ".join(f"{o.pipe} ({o.m3_per_hour:.1f} m³/h)" for o in old[:5])
        words.append(
            say(
                "Pertes plus anciennes que l'année : {pipes}",
                "Losses older than the year: {pipes}",
                pipes=most,
            )
        )
    tell(report, as_json=as_json, words="\n".join(words))


def _score(
    answer: Answer, leaks: Leaks, flows: LeakFlows, model: ScoreModel = None, as_json: Json = False
) -> None:
    import msgspec  # noqa: PLC0415

    from beffroi.services.watergrid.hydraulics.model import read_model  # noqa: PLC0415
    from beffroi.services.watergrid.leaks.score import read_answer, read_leaks, score  # noqa: PLC0415
    from beffroi.services.watergrid.leaks.series import read_table  # noqa: PLC0415

    # `--flows A B` leaves B among the arguments: it is taken for what it is
    tables = [read_table(f) for f in (*flows, *answer[1:])]
    found = score(
        read_answer(answer[0]), read_leaks(leaks), tables, None if model is None else read_model(model)
    )
    tell(
        msgspec.to_builtins(found),
        as_json=as_json,
        words=say(
            "{euro:.0f} € : {found} fuites sur {leaks}, {false} fausses, {repeated} redites",
            "€{euro:.0f}: {found} leaks of {leaks}, {false} false, {repeated} repeated",
            euro=found.euro, found=found.found, leaks=found.leaks, false=found.false, repeated=found.repeated,
        ),
    )  # fmt: skip


def _simulate(model: Model, days: Days = 365, step: Step = 900, as_json: Json = False) -> None:
    from time import process_time  # noqa: PLC0415

    from beffroi.services.watergrid.hydraulics.epanet import Project  # noqa: PLC0415

    began = process_time()
    with Project(model) as project:
        project.clock(days * 86_400, step)
        steps = sum(1 for _ in project.steps())
    spent = round(process_time() - began, 2)
    tell(
        {"days": days, "steps": steps, "cpu_s": spent},
        as_json=as_json,
        words=say("{steps} pas en {spent} s de calcul", "{steps} steps in {spent} s of computing", steps=steps, spent=spent),
    )  # fmt: skip


def _close(model: Model, links: Links, hour: At = 8.0, least: Least = 5.0, as_json: Json = False) -> None:
    import msgspec  # noqa: PLC0415

    from beffroi.services.watergrid.hydraulics.closing import close  # noqa: PLC0415

    found = close(model, links, hour, least)
    tell(
        msgspec.to_builtins(found),
        as_json=as_json,
        words=say(
            "Points sans eau : {cut} ({m3h:.1f} m³/h) ; à faible pression : {low}",
            "Points without water: {cut} ({m3h:.1f} m³/h); at low pressure: {low}",
            cut=len(found.cut), m3h=found.cut_m3h, low=len(found.low),
        ),
    )  # fmt: skip


def _model(model: Model, area: AreaCode, data: Data = Path(), hour: At = 3.0, as_json: Json = False) -> None:
    from beffroi.services.watergrid.areas.places import teach_places  # noqa: PLC0415
    from beffroi.town import open_town  # noqa: PLC0415

    town = open_town(data)
    try:
        pipes, sensors = teach_places(town, area, model, hour)
    finally:
        town.close()
    tell(
        {"area": area, "pipes": pipes, "sensors": sensors},
        as_json=as_json,
        words=say("{pipes} conduites et {sensors} sondes : les fuites de ce secteur seront situées.", "{pipes} pipes and {sensors} sensors: the leaks of this area will be located.", pipes=pipes, sensors=sensors),
    )  # fmt: skip


def _stareau(out: OutFile, data: Data = Path(), given: Given = None, as_json: Json = False) -> None:
    import msgspec  # noqa: PLC0415

    from beffroi.model.instant import to_datetime  # noqa: PLC0415
    from beffroi.services.watergrid.connectors import IMPORTS  # noqa: PLC0415
    from beffroi.services.watergrid.stareau.writing import common_of, write  # noqa: PLC0415
    from beffroi.town import open_town  # noqa: PLC0415

    common = common_of(given or [])
    town = open_town(data)
    try:
        rows = {name: list(town.store.records.all(name)) for name in IMPORTS[1].collections}
        written, lacking = write(out, rows, to_datetime(town.clock()), common)
    finally:
        town.close()
    words = [say("{n} objets écrits dans {out}", "{n} objects written to {out}", n=written, out=out)]
    words += _lacking_in_words(lacking)
    tell(
        {"written": written, "lacking": msgspec.to_builtins(lacking)}, as_json=as_json, words="\n".join(words)
    )


def _lacking_in_words(lacking: "list[Lacking]") -> list[str]:
    """Return what is left out, once for all that lack the same columns, and how to give them."""
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for one in lacking:
        alike.setdefault((one.collection, one.columns), []).append(one.code)
    words = [
        say(
            "  {n} de {c} laissés de côté ({codes}) : il manque {columns}",
            "  {n} of {c} left out ({codes}): {columns} lack",
            n=len(codes), c=name, columns=", ".join(columns), codes=", ".join(codes[:3]) + (", …" if len(codes) > 3 else ""),
        )
        for (name, columns), codes in alike.items()
    ]  # fmt: skip
    given = sorted({column for _, columns in alike for column in columns})
    if given:
        words.append(say("  Donnez-les une fois pour tous : {options}", "  Give them once for all: {options}", options=" ".join(f"--set {c}=…" for c in given)))  # fmt: skip
    return words
