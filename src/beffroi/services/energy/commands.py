"""`beffroi energy`: read the operators' flows, judge baselines, measure savings, count degree days."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from beffroi.terminal import Data, Json, say, tell

if TYPE_CHECKING:
    from beffroi.store.record import Row

__all__ = ["register"]

_IN_MEMORY = 64_000_000
Flow = Annotated[
    str,
    typer.Argument(metavar="FLOW", help=say("r64, r67, r151, r15, c15, f12, f15, r63 ou r65.", "r64, r67, r151, r15, c15, f12, f15, r63 or r65.")),
]  # fmt: skip
ImportFlow = Annotated[
    str,
    typer.Argument(
        metavar="FLOW",
        help=say("Un flux d'Enedis (comme parse), adict ou facturx.", "A flow of Enedis (as parse), adict or facturx."),
    ),
]  # fmt: skip
Number = Annotated[
    int,
    typer.Argument(
        metavar="NUMBER", help=say("Numéro que l'import a donné.", "Number that the import gave.")
    ),
]
File = Annotated[
    Path,
    typer.Argument(metavar="FILE", exists=True, dir_okay=False, help=say("Fichier reçu.", "File received.")),
]


Train = Annotated[
    Path,
    typer.Argument(metavar="TRAIN", exists=True, dir_okay=False,
                   help=say("Jours ou heures appris : date,kwh,temp_c (ou temp_f).", "Days or hours learned: date,kwh,temp_c (or temp_f).")),
]  # fmt: skip
Test = Annotated[
    Path,
    typer.Argument(metavar="TEST", exists=True, dir_okay=False,
                   help=say("Jours ou heures prédits, aux mêmes colonnes.", "Days or hours predicted, with the same columns.")),
]  # fmt: skip
Freq = Annotated[
    str | None,
    typer.Option("--freq", metavar="daily|hourly", help=say("Pas du modèle ; sinon celui du fichier.", "Step of the model; else the file's.")),
]  # fmt: skip
Calendar = Annotated[
    Path | None,
    typer.Option("--calendar", metavar="CSV", exists=True, dir_okay=False,
                 help=say("Calendrier : une date, puis une colonne de 0 et de 1 par sorte de jour.",
                          "Calendar: a date, then a column of 0 and 1 for each kind of day.")),
]  # fmt: skip
Predictions = Annotated[
    Path | None,
    typer.Option(
        "--predictions", metavar="CSV", help=say("Écrit chaque prédiction.", "Write each prediction.")
    ),
]
Meter = Annotated[
    Path,
    typer.Argument(metavar="METER", exists=True, dir_okay=False,
                   help=say("Compteur, au jour ou à l'heure : start,value (kWh).", "Meter, daily or hourly: start,value (kWh).")),
]  # fmt: skip
Temperature = Annotated[
    Path,
    typer.Option("--temperature", metavar="CSV", exists=True, dir_okay=False,
                 help=say("Température extérieure : dt,tempC (ou tempF).", "Outside temperature: dt,tempC (or tempF).")),
]  # fmt: skip
Works = Annotated[
    str,
    typer.Option("--works", metavar="START,END", help=say("Premier et dernier jour des travaux.", "First and last day of the works.")),
]  # fmt: skip
Method = Annotated[
    str,
    typer.Option(
        "--method",
        metavar="costic|minmax|hourly|mean",
        help=say("Méthode de calcul.", "How they are computed."),
    ),
]
Base = Annotated[
    float, typer.Option("--base", metavar="°C", help=say("Température de seuil.", "Threshold temperature."))
]
Territory = Annotated[
    str | None,
    typer.Option(
        "--territory",
        metavar="CODE",
        help=say("Commune des points créés.", "Commune of the points that are made."),
    ),
]
Cooling = Annotated[
    bool, typer.Option("--cooling", help=say("Degrés-jours de climatisation.", "Degree days of cooling."))
]


def register(app: typer.Typer) -> None:
    """Add the group `energy`."""
    group = typer.Typer(
        no_args_is_help=True,
        help=say(
            "Énergie des bâtiments : flux, références, économies.",
            "Energy of buildings: flows, baselines, savings.",
        ),
    )
    app.add_typer(group, name="energy")
    group.command(
        "parse",
        help=say(
            "Lit un flux d'Enedis et le rend en un tableau JSON, dans ses propres unités.",
            "Read a flow of Enedis into one JSON array, in its own units.",
        ),
    )(_parse)
    group.command(
        "import",
        help=say(
            "Reprend un flux dans la ville, chaque valeur une fois ; adict : gaz de GRDF ; facturx : facture.",
            "Take a flow into the town, each value once; adict: gas from GRDF; facturx: a bill.",
        ),
    )(_import)
    group.command(
        "undo",
        help=say("Annule l'import d'un fichier.", "Take back the import of a file."),
    )(_undo)
    group.command(
        "late",
        help=say(
            "Liste les jours à redemander, des dix derniers.",
            "List the days to ask for again, of the last ten.",
        ),
    )(_late)
    group.command(
        "power",
        help=say(
            "Conseille la puissance à souscrire à chaque point, en euros par an.",
            "Advise the power to subscribe at each point, in euros a year.",
        ),
    )(_power)
    group.command(
        "study",
        help=say(
            "Étudie chaque compteur : gaspillages, dérives, économies.",
            "Study each meter: waste, drifts, savings.",
        ),
    )(_study)
    group.command(
        "bill",
        help=say(
            "Lit une facture électronique (Factur-X ou CII) et vérifie ses sommes.",
            "Read an electronic bill (Factur-X or CII) and check its sums.",
        ),
    )(_bill)
    baseline = typer.Typer(
        no_args_is_help=True, help=say("Ce qu'un compteur aurait consommé.", "What a meter would have used.")
    )
    group.add_typer(baseline, name="baseline")
    baseline.callback()(_baseline)
    baseline.command(
        "evaluate",
        help=say(
            "Apprend TRAIN, prédit TEST, et dit de combien il se trompe.",
            "Learn TRAIN, predict TEST, and tell how wrong it is.",
        ),
    )(_evaluate)
    group.command(
        "savings",
        help=say(
            "Mesure ce que des travaux ont épargné (IPMVP, option C).",
            "Measure what works saved (IPMVP, option C).",
        ),
    )(_savings)
    group.command(
        "degree-days",
        help=say(
            "Compte les degrés-jours, par une méthode nommée.",
            "Count degree days, by a method that is named.",
        ),
    )(_degree_days)


def _baseline() -> None:
    """Keep `evaluate` a command of its own."""


def _one_of(said: str, among: tuple[str, ...], option: str) -> None:
    """Refuse a word that is not one of `among`."""
    from beffroi.model.problem import Problem  # noqa: PLC0415
    from beffroi.model.text import Text  # noqa: PLC0415

    if said not in among:
        raise Problem(
            Text(f"« {said} » n'est pas compris", f"'{said}' is not understood"),
            Text("Choisissez parmi : " + ", ".join(among), "Choose among: " + ", ".join(among)),
            option,
        )


def _evaluate(
    train: Train,
    test: Test,
    freq: Freq = None,
    calendar: Calendar = None,
    predictions: Predictions = None,
    as_json: Json = False,
) -> None:
    import csv  # noqa: PLC0415

    import numpy as np  # noqa: PLC0415

    from beffroi.services.energy.baseline.judging import judge  # noqa: PLC0415
    from beffroi.services.energy.baseline.table import read_calendar, read_use  # noqa: PLC0415

    if freq is not None:
        _one_of(freq, ("daily", "hourly"), "--freq")
    past, following = read_use(train, freq), read_use(test, freq)
    if calendar is not None:
        past, following = read_calendar(calendar, past, following)
    judged = judge(past, following)
    if predictions is not None:
        times = following.hours.astype("datetime64[h]").astype(
            "datetime64[s]" if following.step_h == 1 else "datetime64[D]"
        )
        with predictions.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("date", "kwh", "predicted"))
            writer.writerows(
                (
                    str(at).replace("T", " "),
                    "" if np.isnan(was) else f"{was:.10g}",
                    "" if np.isnan(said) else f"{said:.10g}",
                )
                for at, was, said in zip(times, following.kwh, judged.predicted, strict=True)
            )
    report = {
        "cvrmse": round(judged.cvrmse, 5),
        "nmbe": round(judged.nmbe, 5),
        "cpu_s": round(judged.cpu_s, 4),
    }
    tell(
        report,
        as_json=as_json,
        words=say(
            "Erreur : {cvrmse:.1%} de la consommation moyenne (CVRMSE), biais {nmbe:+.1%} (NMBE) ; {cpu_s:.3f} s de calcul",
            "Error: {cvrmse:.1%} of the mean use (CVRMSE), bias {nmbe:+.1%} (NMBE); {cpu_s:.3f} s of computing",
            **report,
        ),
    )


def _savings(meter: Meter, temperature: Temperature, works: Works, as_json: Json = False) -> None:
    from datetime import date  # noqa: PLC0415

    from beffroi.model.problem import Problem  # noqa: PLC0415
    from beffroi.model.text import Text  # noqa: PLC0415
    from beffroi.services.energy.baseline.savings import measure  # noqa: PLC0415
    from beffroi.services.energy.baseline.table import beside, read_column  # noqa: PLC0415

    try:
        start, end = (
            date.fromisoformat(day.strip()[:10]).toordinal() - date(1970, 1, 1).toordinal()
            for day in works.split(",")
        )
    except ValueError:
        start, end = 1, 0
    if start > end:
        raise Problem(
            Text(f"« {works} » n'est pas une période de travaux", f"'{works}' is no period of works"),
            Text(
                "Écrivez le premier et le dernier jour : 2024-07-01,2024-08-31.",
                "Write the first and the last day: 2024-07-01,2024-08-31.",
            ),
            "--works",
        )
    use = beside(read_column(meter, temperature=False), read_column(temperature, temperature=True))
    found = measure(use, start, end)
    low, high = found.interval95
    report = {
        "savings_percent": round(found.savings_percent, 3), "interval95": [round(low, 3), round(high, 3)],
        "savings_kwh": round(found.savings_kwh, 3), "interval95_kwh": [round(x, 3) for x in found.interval95_kwh],
        "days": found.days, "baseline_days": found.baseline_days, "cvrmse": round(found.cvrmse, 4), "nmbe": round(found.nmbe, 5),
        "autocorrelation": round(found.autocorrelation, 3), "independent_days": round(found.independent_days, 1),
        "method": "IPMVP C", "warnings": list(found.warnings),
    }  # fmt: skip
    tell(
        report,
        as_json=as_json,
        words=say(
            "Épargné : {saved:.1f} % (entre {low:.1f} et {high:.1f} %, 19 chances sur 20), soit {kwh:.0f} kWh sur {days} jours ; "
            "référence apprise sur {baseline_days} jours, erreur {cvrmse:.0%}",
            "Saved: {saved:.1f} % (between {low:.1f} and {high:.1f} %, 19 chances in 20), that is {kwh:.0f} kWh over {days} days; "
            "baseline learned on {baseline_days} days, error {cvrmse:.0%}",
            saved=found.savings_percent, low=low, high=high, kwh=found.savings_kwh, days=found.days,
            baseline_days=found.baseline_days, cvrmse=found.cvrmse,
        ),
    )  # fmt: skip


def _degree_days(
    file: File, method: Method = "costic", base: Base = 18.0, cooling: Cooling = False, as_json: Json = False
) -> None:
    import numpy as np  # noqa: PLC0415

    from beffroi.services.energy.degree_days import METHODS, of_file  # noqa: PLC0415

    _one_of(method, METHODS, "--method")
    found = of_file(file, method, base, cooling=cooling)  # type: ignore[arg-type]
    unknown = int(np.isnan(found.values).sum())
    report = {
        "method": method, "base": base, "use": "cooling" if cooling else "heating", "degree_days": round(found.total, 2),
        "days": len(found.days), "unknown_days": unknown, "by_month": found.by_month(),
    }  # fmt: skip
    tell(
        report,
        as_json=as_json,
        words=say(
            "{total:.0f} degrés-jours, base {base:g} °C, méthode {method}, sur {days} jours ({unknown} inconnus)",
            "{total:.0f} degree days, base {base:g} °C, method {method}, over {days} days ({unknown} unknown)",
            total=found.total, base=base, method=method, days=len(found.days), unknown=unknown,
        ),
    )  # fmt: skip


def _import(
    flow: ImportFlow, file: File, data: Data, territory: Territory = None, as_json: Json = False
) -> None:
    import msgspec  # noqa: PLC0415

    from beffroi.model.principal import SYSTEM  # noqa: PLC0415
    from beffroi.services.energy.arrivals import take_file  # noqa: PLC0415
    from beffroi.services.energy.flows.reading import TITLES  # noqa: PLC0415
    from beffroi.terminal import language  # noqa: PLC0415
    from beffroi.town import open_town  # noqa: PLC0415

    _one_of(flow.lower(), tuple(TITLES), "FLOW")
    town = open_town(data)
    try:
        _, taken, bills = take_file(town, file, SYSTEM, territory, flow)
    finally:
        town.close()
    if bills:
        _tell_bills(bills, taken.number, as_json=as_json)
        return
    report = msgspec.to_builtins(taken)
    lines = [
        say("{stored} valeurs nouvelles, {replaced} remplacées, {known} déjà connues",
            "{stored} new values, {replaced} replaced, {known} already known", **report),
        say("points créés : {points} ; contrats changés : {contracts} ; factures : {bills} ; laissé de côté : {doubts}",
            "points made: {points}; contracts changed: {contracts}; bills: {bills}; left out: {doubts}",
            **(report | {"points": len(taken.points), "doubts": len(taken.doubts)})),
        *(f"  {d.prm} {d.at} : {d.reason.of(language())}. {d.mend.of(language())}" for d in taken.doubts[:20]),
        _to_take_back(taken.number),
    ]  # fmt: skip
    tell(report, as_json=as_json, words="\n".join(lines))


def _to_take_back(number: int) -> str:
    return say("Pour l'annuler : beffroi energy undo {number}", "To take it back: beffroi energy undo {number}", number=number)  # fmt: skip


def _undo(number: Number, data: Data, as_json: Json = False) -> None:
    import msgspec  # noqa: PLC0415

    from beffroi.model.principal import SYSTEM  # noqa: PLC0415
    from beffroi.services.energy.arrivals import take_back  # noqa: PLC0415
    from beffroi.town import open_town  # noqa: PLC0415

    town = open_town(data)
    try:
        back = msgspec.to_builtins(take_back(town, number, SYSTEM))
    finally:
        town.close()
    words = say("Annulé : {values} valeurs retirées, {records} fiches remises comme avant, {kept} gardées parce que changées depuis",
                "Taken back: {values} values deleted, {records} records as before, {kept} kept because changed since", **back)  # fmt: skip
    tell(back, as_json=as_json, words=words)


def _tell_bills(rows: "list[Row]", number: int, *, as_json: bool) -> None:
    from beffroi.services.energy.collections import COLLECTIONS  # noqa: PLC0415
    from beffroi.terminal import language  # noqa: PLC0415

    names = ("number", "verdict", "quantity", "measured", "amount", "expected", "why", "why_en")
    report = [{name: row.values[name] for name in names} for row in rows]
    why = "why" if say("fr", "en") == "fr" else "why_en"
    verdicts = {
        c.value: c.title.of(language())
        for one in COLLECTIONS
        if one.name == "energy_bill" and (held := one.field("verdict")) is not None
        for c in held.choices
    }
    tell(
        report,
        as_json=as_json,
        words="\n".join(
            [
                *(f"{one['number']} : {verdicts[one['verdict']]} ({one[why]})" for one in report),
                _to_take_back(number),
            ]
        ),
    )


def _power(data: Data, as_json: Json = False) -> None:
    import msgspec  # noqa: PLC0415

    from beffroi.services.energy.points import points_of  # noqa: PLC0415
    from beffroi.services.energy.studying import advice_of  # noqa: PLC0415
    from beffroi.town import open_town  # noqa: PLC0415

    town = open_town(data)
    try:
        found = []
        for point in points_of(town):
            advice, step = advice_of(town, point, town.clock()) or (None, None)
            if advice is not None:
                found.append(
                    {"point": point.values["code"], "curve_step_min": step} | msgspec.to_builtins(advice)
                )
    finally:
        town.close()
    lines = [
        say("{point} : {now_kva:g} kVA souscrits, {highest_kva:.1f} au plus en {days} jours ; {best_kva:g} kVA, {saved_euros:+.0f} € par an",
            "{point}: {now_kva:g} kVA subscribed, {highest_kva:.1f} at most in {days} days; {best_kva:g} kVA, €{saved_euros:+.0f} a year", **one)
        for one in found
    ]  # fmt: skip
    tell(
        found,
        as_json=as_json,
        words="\n".join(lines)
        or say(
            "Aucune puissance à juger : il faut la puissance souscrite d'un point, et un R151 ou une courbe de charge.",
            "No power to judge: it takes the subscribed power of a point, and an R151 or a load curve.",
        ),
    )


def _late(data: Data, as_json: Json = False) -> None:
    from beffroi.services.energy.points import points_of  # noqa: PLC0415
    from beffroi.services.energy.reading_back import late_days  # noqa: PLC0415
    from beffroi.town import open_town  # noqa: PLC0415

    town = open_town(data)
    try:
        points = points_of(town)
        late = [
            {"point": point.values["code"], "day": day.isoformat(), "known": round(share, 4)}
            for point in points
            for day, share in late_days(town, point, town.clock())
        ]
    finally:
        town.close()
    lines = "\n".join(f"{one['point']} {one['day']} {one['known']:.0%}" for one in late)
    tell(
        late,
        as_json=as_json,
        words=lines
        or (
            say("Aucun jour ne manque.", "No day is missing.")
            if points
            else say("Aucun point de livraison encore.", "No delivery point yet.")
        ),
    )


def _study(data: Data, as_json: Json = False) -> None:
    from beffroi.services.energy.studying import study_town  # noqa: PLC0415
    from beffroi.services.energy.wording import TITLE_SAYINGS, WHY_SAYINGS  # noqa: PLC0415
    from beffroi.store.record import Query  # noqa: PLC0415
    from beffroi.terminal import language  # noqa: PLC0415
    from beffroi.town import open_town  # noqa: PLC0415

    town = open_town(data)
    try:
        points = study_town(town, town.clock())
        rows = list(
            town.store.records.all("energy_finding", Query(where={"state": "open"}, sort="-euro_year"))
        )
    finally:
        town.close()
    found = [{k: r.values[k] for k in ("title", "kind", "euro_year", "per_year", "why")} for r in rows]
    total = round(sum(one["euro_year"] for one in found), 2)
    lines = [
        say(
            "{points} compteurs étudiés, {total:.0f} € gaspillés par an",
            "{points} meters studied, €{total:.0f} wasted a year",
            points=points,
            total=total,
        )
    ]
    lines += [
        f"  {one['euro_year']:.0f} € {TITLE_SAYINGS(one['title'], language())} ({WHY_SAYINGS(one['why'] or '', language())})"
        for one in found
    ]
    tell({"points": points, "euro_year": total, "findings": found}, as_json=as_json, words="\n".join(lines))


def _bill(file: File, as_json: Json = False) -> None:
    import msgspec  # noqa: PLC0415

    from beffroi.services.energy.facturx import comma, read_bill  # noqa: PLC0415
    from beffroi.terminal import language  # noqa: PLC0415

    found = read_bill(file)
    wrong = [text.of(language()) for text in found.wrong_sums()]
    report = msgspec.to_builtins(found) | {"used": found.used, "wrong": wrong}
    words = say("Facture {number} de {supplier}, {french} € : {verdict}", "Bill {number} of {supplier}, €{total:.2f}: {verdict}",
                number=found.number, supplier=found.supplier, total=found.total, french=comma(found.total),
                verdict="; ".join(wrong) or say("les sommes sont justes", "the sums are right"))  # fmt: skip
    tell(report, as_json=as_json, words=words)


def _parse(flow: Flow, file: File, as_json: Json = False) -> None:
    from beffroi.services.energy.flows.reading import read_flow, write_rows  # noqa: PLC0415

    # kept aside until the last value is read: what is refused leaves nothing half-written
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as aside:
        count = write_rows(read_flow(flow, file), aside)
        if not as_json and sys.stdout.isatty():
            words = say(
                "{n} valeurs lues. Ajoutez --json pour les voir.",
                "{n} values read. Add --json to see them.",
                n=count,
            )
            tell(None, as_json=False, words=words)
            return
        aside.seek(0)
        out = getattr(sys.stdout, "buffer", None)
        if out is None:
            sys.stdout.write(aside.read().decode())
        else:
            sys.stdout.flush()
            shutil.copyfileobj(aside, out, 1 << 20)
