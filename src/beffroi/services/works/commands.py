"""`beffroi works`: the legal clock of a declaration, and the DATEX II file of the orders."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from beffroi.terminal import Data, Json, language, say, tell

if TYPE_CHECKING:
    from beffroi.town import Town

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
    group.command(
        "charging-points",
        help=say(
            "Écrit les points de recharge au schéma national (IRVE statique 2.3.1).",
            "Write the charging points in the national schema (IRVE statique 2.3.1).",
        ),
    )(_charging_points)
    group.command("datex", help=say("Écrit les arrêtés en DATEX II.", "Write the orders in DATEX II."))(
        _datex
    )


def _deadline(
    kind: Annotated[str, typer.Argument(metavar="KIND", help=say("dt, joint ou dict.", "dt, joint or dict."))],
    received: Annotated[datetime, typer.Argument(metavar="DATE", formats=["%Y-%m-%d"], help=say("Jour de réception.", "Day of reception."))],
    paper: Annotated[bool, typer.Option("--paper", help=say("Reçue sur papier.", "Received on paper."))] = False,
    on_site: Annotated[bool, typer.Option("--on-site", help=say("L'exploitant mesure sur place.", "The operator measures on site."))] = False,
    region: Annotated[str, typer.Option("--region", help=say("Commune ou département, pour ses jours fériés (57, 67, 971…).", "Commune or department, for its holidays (57, 67, 971…)."))] = "",
    as_json: Json = False,
) -> None:  # fmt: skip
    import re  # noqa: PLC0415

    from beffroi.model.problem import Problem  # noqa: PLC0415
    from beffroi.model.text import Text  # noqa: PLC0415
    from beffroi.services.works.clock import deadline  # noqa: PLC0415
    from beffroi.standards.public_holidays import region_of  # noqa: PLC0415

    if region and not re.fullmatch(r"(\d|2[AB])\d{1,4}", region):
        raise Problem(
            Text(f"« {region[:20]} » n'est ni une commune ni un département.", f"'{region[:20]}' is no commune and no department."),
            Text("Écrivez un code INSEE, ou un département : 67, 971.", "Write an INSEE code, or a department: 67, 971."), "--region",
        )  # fmt: skip
    where = region_of(region)
    found = deadline(kind, received.date(), dematerialised=not paper, on_site=on_site, region=where)  # type: ignore[arg-type]
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


Target = Annotated[
    Path, typer.Argument(metavar="FILE", help=say("Fichier CSV à écrire.", "CSV file to write."))
]


def _car_parks(target: Target, data: Data = Path(), as_json: Json = False) -> None:
    from beffroi.services.works.car_parks import VERSION, write_car_parks  # noqa: PLC0415

    _written(target, data, write_car_parks, f"schema-stationnement {VERSION}", as_json=as_json)


def _charging_points(target: Target, data: Data = Path(), as_json: Json = False) -> None:
    from beffroi.services.works.charging import VERSION, write_charging_points  # noqa: PLC0415

    _written(target, data, write_charging_points, f"schema-irve-statique {VERSION}", as_json=as_json)


def _written(
    target: Path, data: Path, write: Callable[["Town", Path], tuple[int, int]], schema: str, *, as_json: bool
) -> None:
    from beffroi.town import open_town  # noqa: PLC0415

    town = open_town(data)
    try:
        written, left = write(town, target)
    finally:
        town.close()
    report = {"written": written, "without_place": left, "schema": schema}
    tell(
        report,
        as_json=as_json,
        words=say(
            "{written} lignes écrites ({schema}), {without_place} sans lieu laissées de côté.",
            "{written} rows written ({schema}), {without_place} without a place left out.",
            **report,
        ),
    )
