"""`beffroi lighting`: sun, energy of a schedule, change to LED, the 2018 order, cabinets, tree, export."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from beffroi.terminal import Data, Json, language, say, tell

if TYPE_CHECKING:
    from beffroi.services.lighting.costs import Scheduled
    from beffroi.services.lighting.energy import Stock
    from beffroi.services.lighting.legal import Verdict
    from beffroi.town import Town

__all__ = ["register"]

ProgramText = Annotated[
    str,
    typer.Option(
        "--program", metavar="TEXT",
        help=say("Programme, par exemple « coucher 100, 23:00 0, 05:00 100, lever » ; avec --data aussi le code d'un calendrier ou d'un programme, ou « actuel ».",
                 "Program, such as 'sunset 100, 23:00 0, 05:00 100, sunrise'; with --data also the code of a calendar or a program, or 'today'."),
    ),
]  # fmt: skip
Year = Annotated[int, typer.Option("--year", min=1970, max=2100, help=say("Année.", "Year."))]
Price = Annotated[
    float, typer.Option("--price", min=0, help=say("Prix du kWh, en euros.", "Price of a kWh, in euros."))
]
At = Annotated[
    str, typer.Option("--at", metavar="LON,LAT", help=say("Lieu, en degrés.", "Place, in degrees."))
]
Points = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help=say("Points lumineux (comme « import lights ») ; sinon --data.", "Light points (as 'import lights'); else --data."),
    ),
]  # fmt: skip
OptionalData = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="DIR", help=say("Dossier des données de la ville.", "Data directory of the town.")
    ),
]
Watts = Annotated[float, typer.Option("--watts", min=0, help=say("Puissance des points qui n'en disent pas.", "Power of points that say none."))]  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the group `lighting`."""
    group = typer.Typer(
        no_args_is_help=True,
        help=say("Éclairage public : horaires, énergie, règles, armoires.", "Street lighting: schedules, energy, rules, cabinets."),
    )  # fmt: skip
    app.add_typer(group, name="lighting")
    for name, command, fr, en in (
        ("sun", _sun, "Lever, coucher et crépuscule civil d'une année.", "Sunrise, sunset and civil twilight of a year."),
        ("what-if", _what_if, "Énergie, coût et CO₂ d'un programme.", "Energy, cost and CO₂ of a program."),
        ("led", _led, "Économie d'un passage en LED.", "Business case of a change to LED."),
        ("legal", _legal, "Confronte chaque point à l'arrêté du 27 décembre 2018.", "Check each point against the order of 27 December 2018."),
        ("watch", _watch, "Ce que disent les courbes de charge des armoires.", "What the load curves of cabinets say."),
        ("tree", _tree, "L'arbre d'une armoire : départs, supports, lampes.", "The tree of a cabinet: feeders, supports, lamps."),
        ("export", _export, "Écrit les points lumineux au gabarit EclExt (à vérifier).", "Write the light points in the EclExt layout (to be checked)."),
        ("talq", _talq, "Dit aux passerelles TALQ programmes et calendriers.", "Tell TALQ gateways the programs and calendars."),
    ):  # fmt: skip
        group.command(name, help=say(fr, en))(command)


def _place(text: str) -> tuple[float, float]:
    from beffroi.model.problem import Problem  # noqa: PLC0415
    from beffroi.model.text import Text  # noqa: PLC0415

    try:
        longitude, latitude = (float(part) for part in text.split(","))
    except ValueError as error:
        raise Problem(
            Text(f"Ce lieu n'est pas lisible : « {text[:40]} ».", f"This place cannot be read: '{text[:40]}'."),
            Text("Écrivez longitude,latitude : --at 3.88,43.61", "Write longitude,latitude: --at 3.88,43.61"), place="--at",
        ) from error  # fmt: skip
    return longitude, latitude


def _sun(at: At, year: Year = 2026, as_json: Json = False) -> None:
    from datetime import UTC, date, datetime  # noqa: PLC0415

    import numpy as np  # noqa: PLC0415

    from beffroi.services.lighting.sun import civil_days, sun_times  # noqa: PLC0415

    longitude, latitude = _place(at)
    count = (date(year + 1, 1, 1) - date(year, 1, 1)).days
    found = sun_times(longitude, latitude, civil_days(date(year, 1, 1), count))

    def text(value: float) -> str | None:
        return (
            datetime.fromtimestamp(round(value), UTC).isoformat().replace("+00:00", "Z")
            if np.isfinite(value)
            else None
        )

    names = ("dawn", "sunrise", "sunset", "dusk")

    def row(n: int) -> dict[str, str | None]:
        day = date.fromordinal(date(year, 1, 1).toordinal() + n)
        told: dict[str, str | None] = {"date": day.isoformat()}
        return told | {name: text(float(getattr(found, name)[0, n])) for name in names}

    rows = [row(n) for n in range(count)]
    head = say("jour        aube civile           lever                 coucher               crépuscule civil (UTC)",
               "day         civil dawn            sunrise               sunset                civil dusk (UTC)")  # fmt: skip
    words = "\n".join([head, *("  ".join(str(value or "-") for value in row.values()) for row in rows)])
    tell({"longitude": longitude, "latitude": latitude, "days": rows}, as_json=as_json, words=words)


def _scheduled(said: str, file: Path | None, data: Path | None, watts: float) -> "tuple[Scheduled, str, str]":
    """Return the points of a file or of a town under a schedule, which is told in the user's words, and the town's zone."""
    from beffroi.model.problem import Problem  # noqa: PLC0415
    from beffroi.model.text import Text  # noqa: PLC0415
    from beffroi.services.lighting.costs import Scheduled, schedule_of, words_of  # noqa: PLC0415
    from beffroi.services.lighting.plans import Plans  # noqa: PLC0415
    from beffroi.services.lighting.schedule import PARIS, read_program  # noqa: PLC0415
    from beffroi.services.lighting.stock import lamps_of, require_stock  # noqa: PLC0415

    if file is not None and data is None:
        program = read_program(said)
        stock, left = _read_points(file, watts)
        return Scheduled(((stock, program),), left), program.text(language()), PARIS
    if data is None:
        raise Problem(
            Text("Il manque un fichier ou une ville.", "A file or a town is missing."),
            Text("Donnez FICHIER, ou --data DIR.", "Give FILE, or --data DIR."), place="FILE",
        )  # fmt: skip
    from beffroi.town import open_town  # noqa: PLC0415

    town = open_town(data)
    try:
        plans, zone = Plans(town), town.settings.time_zone
        words = words_of(plans, said, language())
        if file is not None:
            stock, left = _read_points(file, watts)
            return Scheduled(((stock, plans.called(said)),), left), words, zone
        require_stock(town)
        return schedule_of(town, plans, lamps_of(town), said), words, zone
    finally:
        town.close()


def _read_points(file: Path, watts: float) -> "tuple[Stock, int]":
    import numpy as np  # noqa: PLC0415

    from beffroi.services.lighting.energy import Stock, losses_of  # noqa: PLC0415
    from beffroi.services.lighting.importing import read_lights  # noqa: PLC0415
    from beffroi.store.record import Entry  # noqa: PLC0415

    rows, left = [], 0
    for entry in read_lights(file, {"collection": "lamp"}):
        if isinstance(entry, Entry) and entry.geometry is not None:
            rows.append(
                (
                    *entry.geometry["coordinates"],
                    entry.values.get("power_w", watts),
                    entry.values.get("source"),
                )
            )
        else:
            left += 1
    points = np.array([r[:3] for r in rows], float).reshape(-1, 3)
    return Stock(points[:, 0], points[:, 1], points[:, 2], losses_of([r[3] for r in rows])), left


def _what_if(
    program: ProgramText, file: Points = None, data: OptionalData = None, year: Year = 2026, price: Price = 0.20, watts: Watts = 70.0,
    as_json: Json = False,
) -> None:  # fmt: skip
    import time  # noqa: PLC0415

    import msgspec  # noqa: PLC0415

    from beffroi.services.lighting.energy import CO2_FACTORS, require_points  # noqa: PLC0415

    chosen, words, zone = _scheduled(program, file, data, watts)
    require_points(chosen.points)
    begun = time.process_time()
    found = chosen.year(year, euros_kwh=price, zone=zone)
    took = time.process_time() - begun
    factor = CO2_FACTORS[0]
    report = {
        **{k: round(v, 3) for k, v in msgspec.to_builtins(found).items()}, "program": words, "year": year, "left_out": chosen.left,
        "odd_nights": [
            {"begins": n.day.isoformat(), "hours": n.hours, "lit_hours": round(n.lit, 3), "full_hours": round(n.full, 3)} for n in chosen.odd(year, zone)
        ],
        "co2_source": factor.source.of(language()), "co2_year": factor.year, "to_check": True, "cpu_s": round(took, 4),
    }  # fmt: skip
    tell(
        report, as_json=as_json,
        words=f"{words}\n" + say(
            "{points} points, {full_hours:.0f} h à pleine puissance : {kwh:.0f} kWh, {euros:.0f} €, {kg_co2:.0f} kg CO₂e (facteur {co2_year}, à vérifier)",
            "{points} points, {full_hours:.0f} h at full power: {kwh:.0f} kWh, €{euros:.0f}, {kg_co2:.0f} kg CO₂e ({co2_year} factor, to be checked)",
            **report,
        ),
    )  # fmt: skip


def _led(
    points: Annotated[
        int, typer.Option("--points", min=1, help=say("Points remplacés.", "Points replaced."))
    ],
    watts0: Annotated[
        float, typer.Option("--from-watts", help=say("Puissance d'avant (W).", "Power before (W)."))
    ],
    watts1: Annotated[
        float, typer.Option("--to-watts", help=say("Puissance d'après (W).", "Power after (W)."))
    ],
    loss0: Annotated[
        float, typer.Option(help=say("Perte de l'appareillage d'avant.", "Loss of the gear before."))
    ] = 0.12,
    loss1: Annotated[
        float, typer.Option(help=say("Perte de l'appareillage d'après.", "Loss of the gear after."))
    ] = 0.05,
    hours: Annotated[float, typer.Option(help=say("Heures par an.", "Hours a year."))] = 4100.0,
    dimmed: Annotated[
        float, typer.Option(help=say("Part épargnée par la gradation.", "Share spared by dimming."))
    ] = 0.0,
    cut: Annotated[float, typer.Option(help=say("Part des heures coupées.", "Share of hours cut."))] = 0.0,
    price: Price = 0.20,
    cost: Annotated[
        float, typer.Option("--cost", help=say("Coût d'un point (€).", "Cost of a point (€)."))
    ] = 650.0,
    upkeep0: Annotated[
        float, typer.Option(help=say("Entretien d'avant (€ par point).", "Upkeep before (€ a point)."))
    ] = 18.0,
    upkeep1: Annotated[
        float, typer.Option(help=say("Entretien d'après (€ par point).", "Upkeep after (€ a point)."))
    ] = 8.0,
    rate: Annotated[float, typer.Option(help=say("Taux d'actualisation.", "Discount rate."))] = 0.03,
    years: Annotated[int, typer.Option(min=1, max=60, help=say("Années.", "Years."))] = 20,
    as_json: Json = False,
) -> None:
    from beffroi.services.lighting.energy import Change, led_case, led_interval  # noqa: PLC0415

    change = Change(
        points, watts0, watts1, loss0, loss1, hours, dimmed, cut, price, cost, upkeep0, upkeep1, rate, years
    )
    case, (payback, npv) = led_case(change), led_interval(change)
    report = {
        "kwh_before": round(case.kwh0, 3), "kwh_after": round(case.kwh1, 3), "saved_percent": round(case.saved_percent, 3),
        "euros_a_year": round(case.euros_a_year, 2), "payback_years": None if case.payback_years is None else round(case.payback_years, 3),
        "npv": round(case.npv, 2), "payback_interval90": [round(x, 2) for x in payback], "npv_interval90": [round(x) for x in npv],
    }  # fmt: skip
    tell(
        report, as_json=as_json,
        words=say(
            "{kwh_before:.0f} → {kwh_after:.0f} kWh (−{saved_percent:.0f} %), retour {years} ans, valeur nette {npv:.0f} € (9 chances sur 10 : de {low:.0f} à {high:.0f} €)",
            "{kwh_before:.0f} → {kwh_after:.0f} kWh (−{saved_percent:.0f} %), payback {years} years, net present value €{npv:.0f} (9 chances in 10: €{low:.0f} to €{high:.0f})",
            years="–" if case.payback_years is None else say(f"{case.payback_years:.1f}".replace(".", ","), f"{case.payback_years:.1f}"), low=npv[0], high=npv[1], **report,
        ),
    )  # fmt: skip


def _legal(
    data: Data = Path(),
    built_up: Annotated[bool, typer.Option(help=say("En agglomération.", "In a built-up area."))] = True,
    point: Annotated[
        str, typer.Option("--point", metavar="CODE", help=say("Tous les verdicts d'un point.", "All verdicts of one point."))
    ] = "",
    target: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help=say("Écrit chaque verdict, une ligne chacun.", "Write each verdict, a line each."))
    ] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    from beffroi.services.lighting.compliance import review, verdict_lines  # noqa: PLC0415
    from beffroi.services.lighting.stock import require_stock  # noqa: PLC0415
    from beffroi.town import open_town  # noqa: PLC0415

    town, tongue = open_town(data), language()
    try:
        require_stock(town)
        if point:
            _tell_point(_verdicts_of(town, point, built_up=built_up), point, as_json=as_json)
            return
        found, written = review(town, built_up=built_up), None
        if target is not None:
            with target.open("w", encoding="utf-8-sig", newline="") as file:
                written = -1  # the header is no verdict
                for line in verdict_lines(town, tongue, built_up=built_up):
                    file.write(line)
                    written += 1
    finally:
        town.close()
    report: dict[str, Any] = {
        "points": found.points,
        "rules": [
            {"rule": line.rule, "article": line.quote.of(tongue), "sure": line.sure, **line.counts} for line in found.lines
        ],
    }  # fmt: skip
    if written is not None:
        report["written"] = written
    words = "\n".join(
        say(
            "{title} : {ok} conformes, {breach} non conformes, {missing} manquent, {unknown} inconnus, {not_concerned} pas tenus ({quote})",
            "{title}: {ok} as asked, {breach} not as asked, {missing} missing, {unknown} not known, {not_concerned} not bound ({quote})",
            title=line.title.of(tongue), quote=line.quote.of(tongue), **line.counts,
        )
        for line in found.lines
    )  # fmt: skip
    tell(report, as_json=as_json, words=words)


def _verdicts_of(town: "Town", code: str, *, built_up: bool) -> "list[Verdict]":
    from beffroi.model.problem import NotFound  # noqa: PLC0415
    from beffroi.model.text import Text  # noqa: PLC0415
    from beffroi.services.lighting.legal import check_point  # noqa: PLC0415
    from beffroi.services.lighting.stock import lamps_of  # noqa: PLC0415

    row = next(lamps_of(town, code=code), None)
    if row is None:
        said = Text(
            f"Aucun point posé n'a le code « {code[:40]} ».",
            f"No installed point has the code '{code[:40]}'.",
        )
        mend = Text(
            "Les codes sont ceux de Données, Points lumineux.", "The codes are those of Data, Light points."
        )
        raise NotFound(said, mend, place="--point")
    return check_point(row.values, built_up=built_up)


def _tell_point(verdicts: "list[Verdict]", code: str, *, as_json: bool) -> None:
    from beffroi.services.lighting.compliance import STATE_WORDS  # noqa: PLC0415
    from beffroi.services.lighting.legal import DATED  # noqa: PLC0415

    tongue = language()
    told = [
        {"rule": v.rule, "state": v.state, "words": v.words.of(tongue), "article": v.article, "dated": DATED.isoformat(), "sure": v.sure} for v in verdicts
    ]  # fmt: skip
    words = "\n".join(
        f"{STATE_WORDS[v.state].of(tongue):14} {v.words.of(tongue)} ({v.quote.of(tongue)})" for v in verdicts
    )
    tell({"point": code, "verdicts": told}, as_json=as_json, words=words)


def _watch(data: Data = Path(), nights: Annotated[int, typer.Option(min=7, max=400, help=say("Nuits regardées.", "Nights looked at."))] = 40, as_json: Json = False) -> None:  # fmt: skip
    from beffroi.services.lighting.stock import require_stock  # noqa: PLC0415
    from beffroi.services.lighting.watching import report_of  # noqa: PLC0415
    from beffroi.town import open_town  # noqa: PLC0415

    town = open_town(data)
    try:
        require_stock(town)
        rows = report_of(town, town.clock(), nights)
    finally:
        town.close()
    tell(
        {"cabinets": rows},
        as_json=as_json,
        words="\n".join(_watched(row) for row in rows)
        or say("Aucune armoire n'est décrite.", "No cabinet is described."),
    )


def _watched(row: dict[str, Any]) -> str:
    """Return a line of what a cabinet's curve says, or why it cannot."""
    from beffroi.services.lighting.collections import FINDINGS  # noqa: PLC0415

    tongue, begun = language(), f"{row['cabinet']:10} {row['lamps']:4}  "
    why = {
        "no_curve": say("ne peut rien dire : aucune courbe reçue", "cannot tell: no curve received"),
        "no_lamps": say("ne peut rien dire : aucune lampe rattachée", "cannot tell: no lamp attached"),
        "gaps": say("ne peut rien dire : trop de trous", "cannot tell: too many gaps"),
        "too_short": say("ne peut rien dire : trop courte", "cannot tell: too short"),
    }.get(row["knows"])
    if why is not None:
        return begun + why
    titles = {c.value: c.title.of(tongue) for c in FINDINGS}
    told = []
    for f in row["findings"]:
        unit = "min" if f["kind"] == "wrong_clock" else say("lampe(s)", "lamp(s)")
        size = f", {f['amount']:g} {unit}" if f["amount"] else ""
        told.append(
            titles[f["kind"]] + size + say(", depuis la nuit du ", ", since the night of ") + f["since"]
        )
    least = row["least_lamps"]
    sees = "" if least == 1 else say(" (voit à partir de {n} lampes éteintes)", " (sees from {n} dead lamps on)", n="?" if least is None else least)  # fmt: skip
    return begun + ("; ".join(told) or say("rien d'anormal", "nothing wrong")) + sees


def _codes(town: "Town") -> Any:
    """Return the first codes of cabinets, as a mend."""
    from beffroi.model.text import Text  # noqa: PLC0415
    from beffroi.store.record import Query  # noqa: PLC0415

    found = town.store.records.find("cabinet", Query(sort="code", limit=10)).rows
    codes = ", ".join(str(row.values["code"]) for row in found)
    return Text(
        f"Par exemple : {codes}." if codes else "Aucune armoire n'est décrite.",
        f"Such as: {codes}." if codes else "No cabinet is described.",
    )


def _tree(
    cabinet: Annotated[
        str, typer.Argument(metavar="CABINET", help=say("Code de l'armoire.", "Code of the cabinet."))
    ],
    data: Data = Path(),
    as_json: Json = False,
) -> None:
    from beffroi.model.problem import NotFound  # noqa: PLC0415
    from beffroi.model.text import Text  # noqa: PLC0415
    from beffroi.services.lighting.stock import require_stock, tree_of  # noqa: PLC0415
    from beffroi.store.record import Query  # noqa: PLC0415
    from beffroi.town import open_town  # noqa: PLC0415

    town = open_town(data)
    try:
        require_stock(town)
        rows = town.store.records.find("cabinet", Query(where={"code": cabinet}, limit=1)).rows
        if not rows:
            raise NotFound(
                Text(
                    f"Aucune armoire ne s'appelle « {cabinet[:40]} ».",
                    f"No cabinet is called '{cabinet[:40]}'.",
                ),
                _codes(town),
                place="CABINET",
            )
        feeders = tree_of(town, rows[0].id)
    finally:
        town.close()
    told: list[dict[str, Any]] = [
        {"feeder": f.name, "supports": [
            {"support": None if support is None else support.values["code"], "lamps": [lamp.values["code"] for lamp in lamps]}
            for support, lamps in f.supports
        ]}
        for f in feeders
    ]  # fmt: skip
    words = "\n".join(
        f"{f['feeder'] or '-'}\n" + "\n".join(f"  {s['support'] or '-'}: {', '.join(s['lamps'])}" for s in f["supports"]) for f in told
    ) or say("Cette armoire n'a aucune lampe.", "This cabinet has no lamp.")  # fmt: skip
    tell(
        {"cabinet": cabinet, "lamps": sum(f.lamps for f in feeders), "feeders": told},
        as_json=as_json,
        words=words,
    )


def _export(
    target: Annotated[
        Path, typer.Argument(metavar="FILE", help=say("Fichier CSV à écrire.", "CSV file to write."))
    ],
    data: Data = Path(),
    as_json: Json = False,
) -> None:
    from beffroi.services.lighting.exporting import TEMPLATE, write_layout  # noqa: PLC0415
    from beffroi.services.lighting.stock import require_stock  # noqa: PLC0415
    from beffroi.town import open_town  # noqa: PLC0415

    town = open_town(data)
    try:
        require_stock(town)
        count = write_layout(town, target)
    finally:
        town.close()
    tongue = language()
    report = {
        "written": count, "template": TEMPLATE.name, "version": TEMPLATE.version, "to_check": True,
        "columns": [{"name": c.name, "source": c.source.of(tongue), "sure": c.sure} for c in TEMPLATE.columns],
    }  # fmt: skip
    tell(
        report, as_json=as_json,
        words=say("{written} points écrits, gabarit {template} {version} (à vérifier).", "{written} points written, layout {template} {version} (to be checked).", **report),
    )  # fmt: skip


def _talq(
    data: Data = Path(),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=say("Dit ce qui serait envoyé.", "Say what would be sent."))
    ] = False,
    as_json: Json = False,
) -> None:
    from beffroi.services.lighting.talq.sending import planned_setup, set_up  # noqa: PLC0415
    from beffroi.services.lighting.talq.simulating import post_of  # noqa: PLC0415
    from beffroi.town import open_town  # noqa: PLC0415

    town = open_town(data)
    try:
        told = []
        for row in town.store.records.all("talq_gateway"):
            calls: list[dict[str, Any]] = (
                [{"path": c.path, "schema": c.schema, "body": c.body} for c in planned_setup(town, row)]
                if dry_run
                else [{"path": path, "status": status} for path, status in set_up(town, row, post_of(town))]
            )
            told.append({"gateway": row.values["address"], "name": row.values["name"], "calls": calls})
    finally:
        town.close()
    words = "\n".join(
        f"{g['name']}: " + ", ".join(f"{c['path']} {c.get('status', '')}".strip() for c in g["calls"])
        for g in told
    ) or say("Aucune passerelle.", "No gateway.")
    tell({"gateways": told}, as_json=as_json, words=words)
