"""`beffroi waste`: today's round, and what ways of collecting are worth on a scenario."""

from pathlib import Path
from typing import Annotated

import typer

from beffroi.terminal import Data, Json, say, tell

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the group `waste`."""
    group = typer.Typer(
        no_args_is_help=True, help=say("Collecte : remplissage et tournées.", "Waste: fill and rounds.")
    )
    app.add_typer(group, name="waste")
    group.command("round", help=say("La tournée à faire aujourd'hui.", "The round to make today."))(_round)
    group.command("scenario", help=say("Jours fixes ou sondes : kilomètres, arrêts, débordements, et ce qui se paie.", "Fixed days or sensors: kilometres, stops, overflows, and what pays."))(_scenario)  # fmt: skip


def _round(data: Data = Path(), as_json: Json = False) -> None:
    from beffroi.services.waste.stock import today  # noqa: PLC0415
    from beffroi.town import open_town  # noqa: PLC0415

    town = open_town(data)
    try:
        found = today(town)
    finally:
        town.close()
    stops = [
        {"code": c.row.values["code"], "fill": round(c.fill.level, 3) if c.fill else None}
        for c in found.stops
    ]
    report = {
        "stops": stops,
        "metres": round(found.round.metres),
        "containers": len(found.containers),
        "without_sensor": found.unknown,
    }
    words = "\n".join(f"{n}. {s['code']}" for n, s in enumerate(stops, 1)) or say(
        "Pas de tournée aujourd'hui.", "No round today."
    )
    tell(report, as_json=as_json, words=words)


def _scenario(
    seed: Annotated[int, typer.Option(min=0, help=say("Graine.", "Seed."))] = 5,
    seconds: Annotated[float, typer.Option(min=0, max=10, help=say("Temps d'une tournée pour le solveur (0 : sans).", "Time of a round for the solver (0: without)."))] = 0.2,
    sensor: Annotated[float, typer.Option("--sensor-cost", min=0, help=say("Coût d'une sonde par an (€).", "Cost of a sensor a year (€)."))] = 45.0,
    as_json: Json = False,
) -> None:  # fmt: skip
    import msgspec  # noqa: PLC0415

    from beffroi.services.waste.rounds import FEWEST_KM, FEWEST_VISITS  # noqa: PLC0415
    from beffroi.services.waste.scenario import by_fill, make_scenario, on_days, pays, play  # noqa: PLC0415

    scenario = make_scenario(seed)
    count = len(scenario.places)
    ways = {
        "fixed": on_days((0, 3), count), "fill_fixed_days": by_fill(scenario, FEWEST_KM, (0, 3)),
        "fewest_visits": by_fill(scenario, FEWEST_VISITS), "fewest_km": by_fill(scenario, FEWEST_KM),
    }  # fmt: skip
    found = {name: play(scenario, way, solver=seconds > 0, seconds=seconds) for name, way in ways.items()}
    worth = {
        n: pays(found["fixed"], o, containers=count, sensor_a_year=sensor)
        for n, o in found.items()
        if n != "fixed"
    }
    report = {
        "containers": count, "a_week": {n: {k: round(v, 2) for k, v in msgspec.to_builtins(o).items()} for n, o in found.items()},
        "sensors_bring_a_year": {n: round(v) for n, v in worth.items()}, "sensors_pay": {n: v > 0 for n, v in worth.items()},
    }  # fmt: skip
    words = "\n".join(
        f"{n:16} {o.km:6.0f} km {o.visits:5.0f} {say('arrêts', 'stops')} {o.overflow_days:5.1f} {say('débordements', 'overflows')}"
        + ("" if n == "fixed" else say(" : {v:.0f} €/an, {w}", ": €{v:.0f} a year, {w}", v=worth[n], w=say("se paie", "pays") if worth[n] > 0 else say("ne se paie pas", "does not pay")))
        for n, o in found.items()
    )  # fmt: skip
    tell(report, as_json=as_json, words=words)
