"""`beffroi works`: the legal clock of a declaration, and the DATEX II file of the orders."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from beffroi.terminal import Data, Json, language, say, tell

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the group `works`."""
    group = typer.Typer(
        no_args_is_help=True, help=say("Travaux : délais et arrêtés.", "Works: delays and orders.")
    )
    app.add_typer(group, name="works")
    group.command(
        "deadline", help=say("Le délai légal d'une DT ou DICT.", "The legal delay of a works declaration.")
    )(_deadline)
    group.command(
        "car-parks",
        help=say(
            "Écrit les parcs au schéma national (stationnement 0.1.5).",
            "Write the car parks in the national schema (stationnement 0.1.5).",
        ),
    )(_car_parks)
    group.command("datex", help=say("Écrit les arrêtés en DATEX II.", "Write the orders in DATEX II."))(
        _datex
    )


def _deadline(
    kind: Annotated[str, typer.Argument(metavar="KIND", help=say("dt, joint ou dict.", "dt, joint or dict."))],
    received: Annotated[datetime, typer.Argument(metavar="DATE", formats=["%Y-%m-%d"], help=say("Jour de réception.", "Day of reception."))],
    paper: Annotated[bool, typer.Option("--paper", help=say("Reçue sur papier.", "Received on paper."))] = False,
    on_site: Annotated[bool, typer.Option("--on-site", help=say("L'exploitant mesure sur place.", "The operator measures on site."))] = False,
    region: Annotated[str, typer.Option("--region", help=say("Région des jours fériés (57, 67, GP…).", "Region of the holidays (57, 67, GP…)."))] = "",
    as_json: Json = False,
) -> None:  # fmt: skip
    from beffroi.services.works.clock import deadline  # noqa: PLC0415

    found = deadline(kind, received.date(), dematerialised=not paper, on_site=on_site, region=region)  # type: ignore[arg-type]
    report = {
        "deadline": found.day.isoformat(),
        "days": found.days,
        "source": found.source.of(language()),
        "to_check": not found.sure,
    }
    tell(
        report,
        as_json=as_json,
        words=say(
            "au plus tard le {deadline} ({days} jours ; {source})",
            "by {deadline} ({days} days; {source})",
            **report,
        ),
    )


def _datex(
    target: Annotated[
        Path, typer.Argument(metavar="FILE", help=say("Fichier XML à écrire.", "XML file to write."))
    ],
    data: Data = Path(),
    as_json: Json = False,
) -> None:
    from beffroi.services.works.publishing import document_of, published  # noqa: PLC0415
    from beffroi.town import open_town  # noqa: PLC0415

    town = open_town(data)
    try:
        rows = published(town)
        target.write_bytes(document_of(town, rows))
    finally:
        town.close()
    tell(
        {"orders": len(rows)},
        as_json=as_json,
        words=say("{n} arrêtés écrits.", "{n} orders written.", n=len(rows)),
    )


def _car_parks(
    target: Annotated[
        Path, typer.Argument(metavar="FILE", help=say("Fichier CSV à écrire.", "CSV file to write."))
    ],
    data: Data = Path(),
    as_json: Json = False,
) -> None:
    from beffroi.services.works.car_parks import VERSION, write_car_parks  # noqa: PLC0415
    from beffroi.town import open_town  # noqa: PLC0415

    town = open_town(data)
    try:
        written, left = write_car_parks(town, target)
    finally:
        town.close()
    report = {"written": written, "without_place": left, "schema": f"schema-stationnement {VERSION}"}
    tell(
        report,
        as_json=as_json,
        words=say(
            "{written} parcs écrits, {without_place} sans place.",
            "{written} car parks written, {without_place} without place.",
            **report,
        ),
    )
