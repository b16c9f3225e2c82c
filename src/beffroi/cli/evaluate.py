"""`beffroi evaluate METHOD FILE`: did it change anything? An impact study of a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from beffroi.cli import Json, language, say, tell
from beffroi.model.text import Text

if TYPE_CHECKING:
    from beffroi.evaluation.impact.finding import Finding

__all__ = ["register"]

_METHODS = {
    "did": Text(
        "Différence de différences : les traités moins les témoins.",
        "Difference-in-differences: treated less controls.",
    ),
    "staggered": Text(
        "Adoption par vagues (Callaway et Sant'Anna).", "Staggered adoption (Callaway and Sant'Anna)."
    ),
    "sc": Text(
        "Contrôle synthétique : le mélange de témoins qui ressemble au traité.",
        "Synthetic control: the mix of controls that is like the treated.",
    ),
    "sdid": Text("Différence de différences synthétique.", "Synthetic difference-in-differences."),
    "its": Text(
        "Série interrompue : une seule série, une date.", "Interrupted series: a single series, a date."
    ),
    "before-after": Text(
        "Avant/après corrigé de la météo (IPMVP, option C).",
        "Weather-adjusted before/after (IPMVP, option C).",
    ),
    "choose": Text(
        "Propose la méthode que les données permettent.", "Propose the method that the data allow."
    ),
}


def _option(name: str, metavar: str, fr: str, en: str) -> Any:
    return typer.Option(name, metavar=metavar, help=say(fr, en))


File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help=say(
            "CSV long (une ligne par unité et période) ou large (une colonne par unité).",
            "CSV, long (a row per unit and period) or wide (a column per unit).",
        ),
    ),
]
Outcome = Annotated[
    str,
    _option("--outcome", "COLUMN", "Ce qui est mesuré (fichier long).", "What is measured (long file)."),
]
Unit = Annotated[str, _option("--unit", "COLUMN", "L'unité (fichier long).", "The unit (long file).")]
Time = Annotated[str, _option("--time", "COLUMN", "La période.", "The period.")]
Treated = Annotated[
    list[str],
    _option(
        "--treated",
        "NAME",
        "L'unité traitée, ou une colonne de 0 et de 1 ; dans un fichier large, la colonne.",
        "The treated unit, or a column of 0 and 1; in a wide file the column.",
    ),
]
Start = Annotated[
    str, _option("--start", "PERIOD", "La première période traitée.", "The first treated period.")
]
Period = Annotated[
    str,
    _option(
        "--period",
        "COLUMN",
        "Une colonne avant/après, à la place de --time et --start.",
        "A before/after column, instead of --time and --start.",
    ),
]
Covariate = Annotated[
    list[str],
    _option("--covariate", "COLUMN", "Ce qui compte aussi (répétable).", "What matters too (repeatable)."),
]
Season = Annotated[
    int,
    typer.Option(
        "--season",
        min=0,
        metavar="N",
        help=say(
            "Périodes après lesquelles la saison revient (0 : la chercher).",
            "Periods after which the season comes back (0: look for it).",
        ),
    ),
]
Sensor = Annotated[
    str,
    _option(
        "--sensor",
        "COLUMN",
        "Le capteur de chaque ligne : un changement interdit de conclure.",
        "The sensor of each row: a change forbids a conclusion.",
    ),
]
Better = Annotated[
    str,
    _option(
        "--better",
        "higher|lower",
        "Le sens souhaité : « lower » quand une baisse est un effet positif.",
        "The wanted direction: 'lower' when a fall is a positive effect.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the group `evaluate`."""
    group = typer.Typer(
        no_args_is_help=True,
        help=say(
            "Étude d'impact d'un fichier : l'effet, sa certitude, un verdict en quatre mots.",
            "Impact study of a file: the effect, how sure, a verdict in four words.",
        ),
    )
    app.add_typer(group, name="evaluate")
    for method, words in _METHODS.items():
        _add(group, method, words)


def _add(group: typer.Typer, method: str, words: Text) -> None:
    @group.command(method, help=words.of(language()))
    def evaluate(
        file: File,
        outcome: Outcome = "",
        unit: Unit = "",
        time: Time = "",
        treated: Treated = [],  # noqa: B006 -- typer makes a list of its own for each call
        start: Start = "",
        period: Period = "",
        covariate: Covariate = [],  # noqa: B006
        season: Season = 0,
        sensor: Sensor = "",
        better: Better = "higher",
        as_json: Json = False,
    ) -> None:
        from beffroi.evaluation.impact.choice import propose
        from beffroi.evaluation.impact.methods import SINGLE_SERIES, study
        from beffroi.evaluation.impact.reading import Columns, panel_of, read_table
        from beffroi.model.problem import Problem

        if better not in ("higher", "lower"):
            raise Problem(
                Text(f"« {better} » n'est pas un sens.", f"'{better}' is no direction."),
                Text("Dites higher ou lower.", "Say higher or lower."),
                "--better",
            )
        panel = panel_of(
            read_table(file, rows_are_periods=not unit),
            Columns(
                outcome, unit, time, tuple(treated), start, period, tuple(covariate), sensor, season,
                single=method in SINGLE_SERIES, staggered=method in ("staggered", "choose"),
            ),
        )  # fmt: skip
        proposal = propose(panel)
        proposed = {"method": proposal.method, "reasons": [r.of(language()) for r in proposal.reasons]}
        if method == "choose":
            tell(proposed, as_json=as_json, words="\n".join([proposal.method, *proposed["reasons"]]))
            return
        finding = study(method, panel, lower_is_better=better == "lower")
        tell(
            finding.report(language()) | {"proposed": proposed},
            as_json=as_json,
            words=_words(finding, proposal.method),
        )


def _words(finding: "Finding", proposed: str) -> str:
    """Return the finding for a person at a terminal."""
    from beffroi.evaluation.impact.finding import VERDICTS

    tongue = language()
    lines = [VERDICTS[finding.verdict].of(tongue).capitalize()]
    lines += [f"  {reason.of(tongue)}" for reason in finding.reasons]
    for model in finding.models:
        share = "" if model.relative is None else f" ({_number(100 * model.relative)} %)"
        said = "" if model.p is None else f", p = {_number(model.p)}"
        lines.append(f"  {model.words.of(tongue)} : {_number(model.estimate)}{share}{said}")
    if finding.interval95 is not None:
        low, high = (_number(x) for x in finding.interval95)
        lines.append(
            say("  Entre {low} et {high} (95 %)", "  Between {low} and {high} (95 %)", low=low, high=high)
        )
    if finding.mde is not None:
        words = say(
            "  Effet décelable : {mde}", "  Effect that could be seen: {mde}", mde=_number(finding.mde)
        )
        lines.append(words)
    marks = {"pass": "✓", "warn": "!", "fail": "✗", "not_applicable": "–"}
    lines += [f"  {marks[c.outcome]} {c.why.of(tongue)}" for c in finding.checks.values()]
    if proposed != finding.method:
        lines.append(
            say(
                "  Méthode proposée pour ces données : {m}",
                "  Method proposed for these data: {m}",
                m=proposed,
            )
        )
    return "\n".join(lines)


def _number(value: float) -> str:
    text = f"{value:.4g}"
    return text.replace(".", ",") if language() == "fr" else text
