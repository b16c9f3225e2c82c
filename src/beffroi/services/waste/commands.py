"""`beffroi waste`: today's round, and what ways of collecting are worth on a scenario."""

from pathlib import Path
from typing import Annotated, Any

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
    group.command("worth", help=say("Ce que rapportent les sondes aux conteneurs de la ville, contre des jours fixes.", "What sensors bring to the town's containers, beside fixed days."))(_worth)  # fmt: skip
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
        "next": None if found.coming is None else {
            "in_days": found.coming.days, "metres": round(found.coming.round.metres), "stops": [c.row.values["code"] for c in found.coming.stops],
        },
    }  # fmt: skip
    words = "\n".join(f"{n}. {s['code']}" for n, s in enumerate(stops, 1)) or say("Pas de tournée aujourd'hui.", "No round today.")  # fmt: skip
    if found.coming is not None:
        words += _next(found.coming.days, len(found.coming.stops))
    tell(report, as_json=as_json, words=words)


def _next(days: int, stops: int) -> str:
    if days == 1:
        return say(" La prochaine demain, {n} arrêts.", " The next tomorrow, {n} stops.", n=stops)
    return say(
        " La prochaine dans {days} jours, {n} arrêts.",
        " The next in {days} days, {n} stops.",
        days=days,
        n=stops,
    )


def _worth(
    rounds: Annotated[int, typer.Option("--rounds", min=1, max=3, help=say("Tournées fixes par semaine.", "Fixed rounds a week."))] = 2,
    sensor: Annotated[float, typer.Option("--sensor-cost", min=0, help=say("Coût d'une sonde par an (€).", "Cost of a sensor a year (€)."))] = 45.0,
    data: Data = Path(),
    as_json: Json = False,
) -> None:  # fmt: skip
    import msgspec  # noqa: PLC0415

    from beffroi.services.waste.worth import worth  # noqa: PLC0415
    from beffroi.town import open_town  # noqa: PLC0415

    town = open_town(data)
    try:
        found = worth(town, rounds=rounds, sensor_a_year=sensor)
    finally:
        town.close()
    a_week = {w.name: {k: round(v, 2) for k, v in msgspec.to_builtins(w.outcome).items()} for w in found.ways}
    brings = {w.name: round(w.brings) for w in found.ways if w.brings is not None}
    report = {
        "containers": found.played, "with_a_sensor": found.heard, "a_week": a_week,
        "sensors_bring_a_year": brings, "sensors_pay": {n: v > 0 for n, v in brings.items()},
    }  # fmt: skip
    words = "\n".join(_told(w.name, w.outcome, w.brings) for w in found.ways)
    tell(report, as_json=as_json, words=words)


_NAMES = {
    "fixed": ("jours fixes, tous les conteneurs", "fixed days, all containers"),
    "fill_fixed_days": ("jours fixes, d'après les sondes", "fixed days, by the sensors"),
    "fewest_visits": ("le moins d'arrêts", "fewest stops"),
    "fewest_km": ("le moins de kilomètres", "fewest kilometres"),
}


def _told(name: str, o: Any, brings: float | None) -> str:
    line = f"{say(*_NAMES[name]):32} {o.km:6.0f} km {o.visits:5.0f} {say('arrêts', 'stops')} {o.overflow_days:5.1f} {say('débordements', 'overflows')}"
    if brings is None:
        return line
    pays = say("se paie", "pays") if brings > 0 else say("ne se paie pas", "does not pay")
    return line + say(" : {v:.0f} €/an, {w}", ": €{v:.0f} a year, {w}", v=brings, w=pays)


Seeds = Annotated[
    int,
    typer.Option("--seeds", min=1, max=100, help=say("Combien de graines, à partir de celle-ci.", "How many seeds, from this one on.")),
]  # fmt: skip


def _scenario(
    seed: Annotated[int, typer.Option(min=0, help=say("Graine.", "Seed."))] = 5,
    seeds: Seeds = 1,
    seconds: Annotated[float, typer.Option(min=0, max=10, help=say("Temps d'une tournée pour le solveur (0 : sans).", "Time of a round for the solver (0: without)."))] = 0.2,
    sensor: Annotated[float, typer.Option("--sensor-cost", min=0, help=say("Coût d'une sonde par an (€).", "Cost of a sensor a year (€)."))] = 45.0,
    as_drawn: Annotated[bool, typer.Option("--as-drawn", help=say("Sans ramener le tirage aux tournées fixes connues : chacun se juge aux siennes.", "Without bringing the draw to the known fixed rounds: each is judged by its own."))] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    if seeds > 1:
        _several(range(seed, seed + seeds), seconds, as_drawn=as_drawn, as_json=as_json)
        return
    import msgspec  # noqa: PLC0415

    from beffroi.services.waste.scenario import make_scenario, pays, play, ways  # noqa: PLC0415

    scenario = make_scenario(seed, as_drawn=as_drawn)
    count = len(scenario.places)
    found = {
        name: play(scenario, way, solver=seconds > 0, seconds=seconds) for name, way in ways(scenario).items()
    }
    worth = {
        n: pays(found["fixed"], o, containers=count, sensor_a_year=sensor)
        for n, o in found.items()
        if n != "fixed"
    }
    report = {
        "containers": count, "a_week": {n: {k: round(v, 2) for k, v in msgspec.to_builtins(o).items()} for n, o in found.items()},
        "sensors_bring_a_year": {n: round(v) for n, v in worth.items()}, "sensors_pay": {n: v > 0 for n, v in worth.items()},
    }  # fmt: skip
    words = "\n".join(_told(n, o, worth.get(n)) for n, o in found.items())
    tell(report, as_json=as_json, words=words)


def _several(seeds: range, seconds: float, *, as_drawn: bool, as_json: bool) -> None:
    """Tell what each way does on several seeds, its medians, and on how many it keeps within the bars of the field notes."""
    from statistics import median  # noqa: PLC0415

    import msgspec  # noqa: PLC0415

    from beffroi.services.waste.scenario import BARS, KNOWN, make_scenario, play, ways  # noqa: PLC0415

    lines, found = [], []
    for seed in seeds:
        scenario = make_scenario(seed, as_drawn=as_drawn)
        found.append({
            name: play(scenario, way, solver=seconds > 0, seconds=seconds)
            for name, way in ways(scenario).items() if name in ("fixed", *BARS)
        })  # fmt: skip
        lines.append(f"{seed:6} " + _row(found[-1]))
    medians = {
        name: type(found[0][name])(*(median(getattr(one[name], k) for one in found) for k in found[0][name].__struct_fields__))
        for name in found[0]
    }  # fmt: skip
    hold = {
        name: sum(within(one[name], one["fixed"] if as_drawn else KNOWN) for one in found)
        for name, within in BARS.items()
    }
    report = {
        "seeds": [{"seed": s} | {n: msgspec.to_builtins(o) for n, o in one.items()} for s, one in zip(seeds, found, strict=True)],
        "median": {n: msgspec.to_builtins(o) for n, o in medians.items()}, "within_bars": hold, "of": len(found),
    }  # fmt: skip
    lines += [
        say("médiane ", "median ") + _row(medians),
        say("tenu    ", "held    ") + "; ".join(f"{n}: {v}/{len(found)}" for n, v in hold.items()),
    ]
    tell(report, as_json=as_json, words="\n".join(lines))


def _row(found: Any) -> str:
    words = say("{n} {o.km:.0f} km {o.visits:.0f} arrêts {o.overflow_days:.1f} débordements", "{n} {o.km:.0f} km {o.visits:.0f} stops {o.overflow_days:.1f} overflows")  # fmt: skip
    return " | ".join(words.format(n=n, o=o) for n, o in found.items())
