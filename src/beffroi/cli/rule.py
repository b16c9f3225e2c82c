"""`beffroi rule`: write rules, try them on the past, switch them on and off."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from beffroi.cli import Data, Json, language, opened, say, tell
from beffroi.model.instant import DAY_US, PARIS, format_instant, parse_instant, to_datetime
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import Problem
from beffroi.model.text import Text

if TYPE_CHECKING:
    from beffroi.rules.backtest import Backtest
    from beffroi.store.open import Store
    from beffroi.store.record import Row

__all__ = ["register"]

Which = Annotated[str, typer.Argument(help=say("Numéro ou nom de la règle.", "Number or name of the rule."))]
_OPTION_FIELDS = ("above", "below", "rises", "falls", "silent", "expression")


def _declared(store: "Store") -> None:
    """Make the tables of rules and alarms known to a store opened without its services."""
    from beffroi.rules.collections import PLATFORM_COLLECTIONS

    if "rule" not in store.records.collections:
        store.records.declare(PLATFORM_COLLECTIONS)


def _report(store: "Store", row: "Row") -> dict[str, Any]:
    from beffroi.rules.rulebook import said

    return {
        "id": row.id, "name": row.values["name"], "enabled": bool(row.values["enabled"]), "severity": row.values["severity"],
        "sentence": said(store, row).of(say("fr", "en")), "yaml": row.values["yaml"], "origin": row.values["origin"],
    }  # fmt: skip


def _line(report: dict[str, Any]) -> str:
    state = say("en service", "on") if report["enabled"] else say("arrêtée", "off")
    return f"{report['id']:>6}  {state:<10} {report['name']}\n        {report['sentence']}"


def _written(file: Path | None, options: dict[str, Any]) -> str:
    """Return the YAML of a file or of the command's options. Raises `Problem`."""
    from beffroi.standards.yaml_text import write_yaml

    given = {key: value for key, value in options.items() if value is not None and value != []}
    if file is not None and given:
        raise Problem(
            Text("Donnez un fichier ou des options, pas les deux.", "Give a file or options, not both.")
        )
    if file is not None:
        try:
            return file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Problem(
                Text(f"Le fichier « {file} » ne se lit pas.", f"The file '{file}' cannot be read.")
            ) from error
    condition = {key: given[key] for key in _OPTION_FIELDS if key in given}
    if not condition:
        raise Problem(
            Text("Que surveiller ? Il manque une condition.", "Watch for what? A condition is missing."),
            Text("Donnez un fichier YAML, ou --datastream 12 --above 100.", "Give a YAML file, or --datastream 12 --above 100."),
        )  # fmt: skip
    watch: dict[str, Any] = {
        key: given[key] for key in ("datastream", "kind", "thing", "service", "territory") if key in given
    }
    for key in ("hysteresis", "times", "of", "within", "for", "clear_after"):
        if key in given:
            condition[key] = given[key]
    rule: dict[str, Any] = {
        "name": given.get("name") or _default_name(condition, watch),
        "watch": watch,
        "when": condition,
    }
    rule.update({key: given[key] for key in ("severity", "message") if key in given})
    actions = [{"email": address, "on": ["raise", "clear"]} for address in given.get("email", [])]
    actions += [{"webhook": url, "on": ["raise", "acknowledge", "clear"]} for url in given.get("webhook", [])]
    return write_yaml({**rule, "actions": actions} if actions else rule)


def _default_name(condition: dict[str, Any], watch: dict[str, Any]) -> str:
    first = next(iter(condition.items()))
    return f"{' '.join(f'{k} {v}' for k, v in watch.items())} : {first[0]} {first[1]}"


def _tried(report: "Backtest", *, shown: int) -> dict[str, Any]:
    return {
        "count": report.count, "observations": report.observations, "start": format_instant(report.start_us),
        "end": format_instant(report.end_us), "levels": report.levels, "hours_in_alarm": round(report.open_us / 3.6e9, 3),
        "alarms": [
            {"start": format_instant(a.start_us), "end": None if a.end_us is None else format_instant(a.end_us),
             "severity": a.worst, "peak": a.peak}
            for a in report.alarms[:shown]
        ],
    }  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add `rule add`, `list`, `show`, `backtest`, `enable`, `disable` and `delete`."""
    group = typer.Typer(
        no_args_is_help=True, help=say("Les règles et ce qu'elles surveillent.", "Rules and what they watch.")
    )
    app.add_typer(group, name="rule")
    _register_add(group)
    _register_backtest(group)
    _register_switches(group)

    @group.command("list", help=say("Donne les règles, en mots.", "List the rules, in words."))
    def list_(data: Data, as_json: Json = False) -> None:
        from beffroi.rules.rulebook import rules

        with opened(data) as store:
            _declared(store)
            found = [_report(store, row) for row in rules(store)]
        words = "\n".join(_line(r) for r in found) or say("Aucune règle.", "No rule.")
        tell({"rules": found}, as_json=as_json, words=words)

    @group.command("show", help=say("Montre une règle et son texte.", "Show a rule and its text."))
    def show(which: Which, data: Data, as_json: Json = False) -> None:
        from beffroi.rules.rulebook import find

        with opened(data) as store:
            _declared(store)
            report = _report(store, find(store, which))
        tell(report, as_json=as_json, words=f"{_line(report)}\n\n{report['yaml']}")


Name = Annotated[str | None, typer.Option(help=say("Nom de la règle.", "Name of the rule."))]
Datastreams = Annotated[
    list[int] | None,
    typer.Option(help=say("Série surveillée (répétable).", "Watched datastream (repeatable).")),
]
Kind = Annotated[
    str | None, typer.Option(help=say("Toutes les séries de ce genre.", "Every datastream of this kind."))
]
Thing = Annotated[
    int | None, typer.Option(help=say("Toutes les séries de cet objet.", "Every datastream of this thing."))
]
Service = Annotated[str | None, typer.Option(help=say("… de ce service.", "… of this service."))]
Place = Annotated[str | None, typer.Option(help=say("… de ce territoire.", "… of this territory."))]
Above = Annotated[float | None, typer.Option(help=say("Au-dessus de ce seuil.", "Above this limit."))]
Below = Annotated[float | None, typer.Option(help=say("Au-dessous de ce seuil.", "Below this limit."))]
Rises = Annotated[
    float | None,
    typer.Option(help=say("Monte de plus de … (avec --within).", "Rises by more than … (with --within).")),
]
Falls = Annotated[
    float | None,
    typer.Option(help=say("Baisse de plus de … (avec --within).", "Falls by more than … (with --within).")),
]
Silent = Annotated[
    str | None,
    typer.Option(
        metavar="DURATION", help=say("Muette depuis, par exemple PT1H.", "Silent for, such as PT1H.")
    ),
]
Formula = Annotated[
    str | None, typer.Option(help=say("Expression sur « value ».", "Expression over 'value'."))
]
Hysteresis = Annotated[
    float | None, typer.Option(help=say("Recul avant la fin.", "How far back before it ends."))
]
Times = Annotated[int | None, typer.Option(help=say("Tant de fois…", "So many times…"))]
Of = Annotated[int | None, typer.Option(help=say("… sur tant de mesures.", "… out of so many values."))]
Within = Annotated[
    str | None, typer.Option(metavar="DURATION", help=say("En combien de temps.", "In how much time."))
]
For = Annotated[
    str | None,
    typer.Option("--for", metavar="DURATION", help=say("Pendant, par exemple PT10M.", "For, such as PT10M.")),
]
ClearAfter = Annotated[
    str | None, typer.Option(metavar="DURATION", help=say("Fin après ce calme.", "Ends after this calm."))
]
Severity = Annotated[str | None, typer.Option(help="jaune | orange | rouge")]


def _register_add(group: typer.Typer) -> None:
    @group.command(
        "add",
        help=say(
            "Ajoute une règle, d'un fichier YAML ou d'options.", "Add a rule, from a YAML file or options."
        ),
    )
    def add(
        data: Data,
        file: Annotated[Path | None, typer.Argument(help=say("Fichier YAML.", "YAML file."))] = None,
        name: Name = None, datastream: Datastreams = None, kind: Kind = None, thing: Thing = None, service: Service = None,
        territory: Place = None, above: Above = None, below: Below = None, rises: Rises = None, falls: Falls = None,
        silent: Silent = None, expression: Formula = None, hysteresis: Hysteresis = None, times: Times = None, of: Of = None,
        within: Within = None, for_: For = None, clear_after: ClearAfter = None, severity: Severity = None,
        message: Annotated[str | None, typer.Option(help=say("Texte de l'alarme.", "The alarm's text."))] = None,
        email: Annotated[list[str] | None, typer.Option(help=say("Prévenir par courriel (répétable).", "Tell by e-mail (repeatable)."))] = None,
        webhook: Annotated[list[str] | None, typer.Option(help=say("Prévenir par webhook (répétable).", "Tell by webhook (repeatable)."))] = None,
        disabled: Annotated[bool, typer.Option("--disabled", help=say("Sans la mettre en service.", "Without switching it on."))] = False,
        as_json: Json = False,
    ) -> None:  # fmt: skip
        from beffroi.rules import rulebook

        text = _written(file, {
            "name": name, "datastream": datastream, "kind": kind, "thing": thing, "service": service, "territory": territory,
            "above": above, "below": below, "rises": rises, "falls": falls, "silent": silent, "expression": expression,
            "hysteresis": hysteresis, "times": times, "of": of, "within": within, "for": for_, "clear_after": clear_after,
            "severity": severity, "message": message, "email": email, "webhook": webhook,
        })  # fmt: skip
        with opened(data) as store:
            _declared(store)
            row = rulebook.add(store, text, SYSTEM, enabled=not disabled)
            report = _report(store, row)
        tell(report, as_json=as_json, words=_line(report))


def _register_backtest(group: typer.Typer) -> None:
    @group.command("backtest", help=say("Dit ce qu'une règle aurait fait sur le passé : une règle connue, un fichier, ou des options.",
                                        "Say what a rule would have done in the past: a known rule, a file, or options."))  # fmt: skip
    def backtest(
        data: Data,
        which: Annotated[str | None, typer.Argument(help=say("Numéro, nom, ou fichier YAML.", "Number, name, or YAML file."))] = None,
        datastream: Datastreams = None, kind: Kind = None, thing: Thing = None, service: Service = None, territory: Place = None,
        above: Above = None, below: Below = None, rises: Rises = None, falls: Falls = None, silent: Silent = None,
        expression: Formula = None, hysteresis: Hysteresis = None, times: Times = None, of: Of = None, within: Within = None,
        for_: For = None, clear_after: ClearAfter = None, severity: Severity = None,
        start: Annotated[str | None, typer.Option(help=say("Début (ISO 8601) ; par défaut toute l'histoire.", "Start (ISO 8601); by default all history."))] = None,
        end: Annotated[str | None, typer.Option(help=say("Fin (ISO 8601).", "End (ISO 8601)."))] = None,
        days: Annotated[int | None, typer.Option(help=say("Ou : les derniers jours.", "Or: the last days."))] = None,
        limit: Annotated[int, typer.Option(help=say("Alarmes montrées.", "Alarms shown."))] = 1000,
        as_json: Json = False,
    ) -> None:  # fmt: skip
        from beffroi.rules.reading import read_rule
        from beffroi.rules.trial import try_rule

        options = {
            "datastream": datastream, "kind": kind, "thing": thing, "service": service, "territory": territory, "above": above,
            "below": below, "rises": rises, "falls": falls, "silent": silent, "expression": expression, "hysteresis": hysteresis,
            "times": times, "of": of, "within": within, "for": for_, "clear_after": clear_after, "severity": severity,
        }  # fmt: skip
        end_us = None if end is None else parse_instant(end)
        start_us = None if start is None else parse_instant(start)
        with opened(data) as store:
            _declared(store)
            if days is not None:
                start_us = (end_us or store.clock()) - days * DAY_US
            rule = read_rule(_wanted(store, which, options))
            report = _tried(try_rule(store, rule, start_us, end_us), shown=limit)
        tell(report, as_json=as_json, words=_trial_words(report))


def _wanted(store: "Store", which: str | None, options: dict[str, Any]) -> str:
    """Return the YAML of a known rule, a file or options. Raises `Problem`."""
    from beffroi.rules.rulebook import find

    if which is None or Path(which).is_file():
        return _written(None if which is None else Path(which), options)
    if any(value not in (None, []) for value in options.values()):
        raise Problem(
            Text("Donnez une règle ou des options, pas les deux.", "Give a rule or options, not both.")
        )
    return str(find(store, which).values["yaml"])


def _trial_words(report: dict[str, Any]) -> str:
    """Return a trial for people, times in French civil time."""
    count = report["count"]
    head = say("{count} alarme{s} sur {observations} mesures, du {first} au {last}.",
               "{count} alarm{s} over {observations} values, from {first} to {last}.", count=count,
               s="" if count == 1 or (count == 0 and language() == "fr") else "s", observations=report["observations"],
               first=_civil(report["start"]), last=_civil(report["end"]))  # fmt: skip
    lines = [
        f"  {_civil(a['start'])} → {_civil(a['end'])}  {a['severity']:<7} {'' if a['peak'] is None else a['peak']}"
        for a in report["alarms"]
    ]
    return "\n".join([head, *lines])


def _civil(iso: str | None) -> str:
    return "…" if iso is None else f"{to_datetime(parse_instant(iso)).astimezone(PARIS):%d/%m/%Y %H:%M}"


def _register_switches(group: typer.Typer) -> None:
    def switch(which: str, data: Path, *, enabled: bool, as_json: bool) -> None:
        from beffroi.rules import rulebook

        with opened(data) as store:
            _declared(store)
            row = rulebook.switch(store, rulebook.find(store, which).id, SYSTEM, enabled=enabled)
            report = _report(store, row)
        tell(report, as_json=as_json, words=_line(report))

    @group.command("enable", help=say("Met une règle en service.", "Switch a rule on."))
    def enable(which: Which, data: Data, as_json: Json = False) -> None:
        switch(which, data, enabled=True, as_json=as_json)

    @group.command(
        "disable",
        help=say(
            "Arrête une règle ; ses alarmes ouvertes finissent.", "Switch a rule off; its open alarms end."
        ),
    )
    def disable(which: Which, data: Data, as_json: Json = False) -> None:
        switch(which, data, enabled=False, as_json=as_json)

    @group.command(
        "delete", help=say("Retire une règle ; son histoire reste.", "Remove a rule; its history stays.")
    )
    def delete(which: Which, data: Data, as_json: Json = False) -> None:
        from beffroi.rules import rulebook

        with opened(data) as store:
            _declared(store)
            row = rulebook.find(store, which)
            rulebook.delete(store, row.id, SYSTEM)
        words = say("Règle {id} retirée.", "Rule {id} removed.", id=row.id)
        tell({"id": row.id, "deleted": True}, as_json=as_json, words=words)
