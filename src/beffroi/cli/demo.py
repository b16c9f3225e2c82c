"""`beffroi demo`: a complete invented town."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from beffroi.cli import Data, Json, say, tell

if TYPE_CHECKING:
    from beffroi.demo.build import Built

__all__ = ["register"]

SEED, DAYS = 1, 30


def register(app: typer.Typer) -> None:
    """Add `demo`."""

    @app.command("demo", help=say("Construit la ville de démonstration.", "Build the demonstration town."))
    def demo(
        data: Data,
        seed: Annotated[
            int,
            typer.Option(min=0, help=say("Graine : même graine, même ville.", "Seed: same seed, same town.")),
        ] = SEED,
        days: Annotated[
            int, typer.Option(min=1, max=400, help=say("Jours d'historique.", "Days of history."))
        ] = DAYS,
        end: Annotated[
            str,
            typer.Option(
                metavar="ISO",
                help=say(
                    "Fin de l'historique ; aujourd'hui à 0 h UTC.", "End of the history; today at 0:00 UTC."
                ),
            ),
        ] = "",
        as_json: Json = False,
    ) -> None:
        from beffroi.model.instant import DAY_US, parse_instant, system_clock

        end_us = parse_instant(end) if end else system_clock() // DAY_US * DAY_US
        built, link = _built(data, seed, days, end_us, quiet=as_json)
        words = say(
            "« {name} » est prête dans {data} : {things} capteurs et compteurs, {datastreams} séries, {observations} observations,\n"
            "{records} fiches, {alarms} alarmes.\n"
            "  Servez-la :      beffroi serve --data {data}\n"
            "  Puis connectez-vous à l'adresse affichée suivie de\n  {link}",
            "'{name}' is ready in {data}: {things} sensors and meters, {datastreams} series, {observations} observations,\n"
            "{records} records, {alarms} alarms.\n"
            "  Serve it:        beffroi serve --data {data}\n"
            "  Then sign in at the address shown followed by\n  {link}",
            name=built.name, data=data, things=built.things, datastreams=built.datastreams,
            observations=built.observations, records=built.records, alarms=built.alarms, link=link,
        )  # fmt: skip
        report = {
            "data": str(data), "name": built.name, "seed": seed, "days": days, "things": built.things,
            "datastreams": built.datastreams, "observations": built.observations, "records": built.records,
            "alarms": built.alarms, "sign_in": link,
        }  # fmt: skip
        tell(report, as_json=as_json, words=words)


def _built(data: Path, seed: int, days: int, end_us: int, *, quiet: bool) -> tuple["Built", str]:
    """Build, with a bar of progress on a terminal; return what was built and the first sign-in link's path."""
    from rich.console import Console
    from rich.progress import Progress

    from beffroi.cli.init import create_town
    from beffroi.demo.build import build_town
    from beffroi.scene import make_scene

    links: list[str] = []
    scene = make_scene(seed, days, end_us)
    console = Console(stderr=True, quiet=quiet)
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task(say("Une ville prend vie", "A town comes to life"), total=1.0)
        built = build_town(
            data, scene,
            lambda folder, town: links.append(create_town(folder, town.name, email=town.people[0].mail)),
            lambda share: bar.update(task, completed=share),
        )  # fmt: skip
    return built, links[0]
