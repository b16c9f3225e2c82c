"""`beffroi sobriety`: what could be stored, sent or measured less, always beside what would be lost."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from beffroi.cli import Json, say, tell
from beffroi.model.problem import Problem
from beffroi.model.text import Text

if TYPE_CHECKING:
    from beffroi.evaluation.sobriety.remove import Loss, Step

__all__ = ["register"]

File = Annotated[Path, typer.Argument(metavar="FILE", help=say("Fichier CSV.", "CSV file."))]


def _unreadable(file: Path, error: OSError) -> Problem:
    return Problem(
        Text(f"Le fichier « {file} » ne se lit pas.", f"The file '{file}' cannot be read."),
        Text(str(error.strerror or ""), str(error.strerror or "")),
    )


def register(app: typer.Typer) -> None:
    """Add `sobriety compress` and `sobriety remove`."""
    group = typer.Typer(
        no_args_is_help=True, help=say("Économies d'information : moins de données, et ce qu'on y perd.", "Less data, and what is lost by it.")
    )  # fmt: skip
    app.add_typer(group, name="sobriety")
    _register_remove(group)

    @group.command(
        "compress",
        help=say(
            "Réduit une série sans jamais s'en écarter de plus que la tolérance.",
            "Reduce a series, never further from it than the tolerance.",
        ),
    )
    def compress(
        file: File,
        column: Annotated[str, typer.Option(help=say("Colonne de la série.", "Column of the series."))],
        tolerance: Annotated[str, typer.Option(help=say("Écart accepté : 2% de l'étendue, ou 0.5 dans l'unité.", "Accepted error: 2% of the range, or 0.5 in the unit."))],
        as_json: Json = False,
    ) -> None:  # fmt: skip
        from beffroi.evaluation.sobriety.columns import read_column
        from beffroi.evaluation.sobriety.compress import compress as shrink
        from beffroi.evaluation.sobriety.compress import tolerance_of

        try:
            with file.open("rb") as stream:
                values, empty = read_column(stream, column)
        except OSError as error:
            raise _unreadable(file, error) from error
        bound = tolerance_of(tolerance, values)
        found = shrink(values, bound)
        report = {
            "ratio": found.ratio, "max_error": found.max_error, "tolerance": bound, "points": found.points, "kept": len(found.knots), "empty": empty,
        }  # fmt: skip
        words = say(
            "{kept} points au lieu de {points}, {ratio:.2f} fois moins ; écart le plus grand {error:g}, pour une tolérance de {bound:g}.",
            "{kept} points instead of {points}, {ratio:.2f} times fewer; largest error {error:g}, for a tolerance of {bound:g}.",
            kept=len(found.knots), points=found.points, ratio=found.ratio, error=found.max_error, bound=bound,
        )  # fmt: skip
        tell(report, as_json=as_json, words=words)


def _losses(losses: "tuple[Loss, ...]") -> list[dict[str, Any]]:
    return [
        {"sensor": one.name, "rmse": one.rmse, "share": one.share, "alarms": one.alarms, "missed": one.missed}
        for one in losses
    ]


def _step(step: "Step") -> dict[str, Any]:
    return {
        "keep": list(step.keep),
        "removed": list(step.removed),
        "error": step.error,
        "lost": _losses(step.losses),
    }


def _register_remove(group: typer.Typer) -> None:
    @group.command(
        "remove",
        help=say(
            "Dit quels capteurs les autres remplaceraient, et ce qu'on y perdrait.",
            "Tell which sensors the others would stand for, and what would be lost.",
        ),
    )
    def remove(
        file: File,
        columns: Annotated[str, typer.Option(help=say("Colonnes des capteurs, séparées par des virgules ; toutes celles de nombres sinon.", "Columns of the sensors, separated by commas; all that hold numbers otherwise."))] = "",
        loss: Annotated[float, typer.Option(min=0, help=say("Erreur acceptée, en part de l'écart-type du capteur.", "Accepted error, as a share of the sensor's standard deviation."))] = 0.2,
        threshold: Annotated[float | None, typer.Option(help=say("Au-dessus, c'est une alarme ; sinon les 5 % les plus hauts.", "Above it is an alarm; else the highest 5 %."))] = None,
        missed: Annotated[float, typer.Option(min=0, max=1, help=say("Part des alarmes d'un capteur que l'on accepte de manquer.", "Share of a sensor's alarms that may be missed."))] = 0.25,
        as_json: Json = False,
    ) -> None:  # fmt: skip
        from beffroi.evaluation.sobriety.columns import read_columns
        from beffroi.evaluation.sobriety.remove import removal_of

        names = [n.strip() for n in columns.split(",") if n.strip()]
        try:
            with file.open("rb") as stream:
                found = removal_of(read_columns(stream, names), loss=loss, threshold=threshold, missed=missed)
        except OSError as error:
            raise _unreadable(file, error) from error
        report = {
            "sensors": list(found.sensors), "rows": found.rows, "steps": [_step(s) for s in found.steps], "one_by_one": _losses(found.one_by_one),
            "by_information": list(found.by_information), "proposal": None if found.proposal is None else _step(found.proposal),
        }  # fmt: skip
        words = say("Aucun capteur ne se remplace à cette perte.", "No sensor can be stood for at that loss.")
        if found.proposal is not None:
            words = "\n".join(
                say("{name} : erreur {rmse:g} ({share:.0%} de son écart-type), {missed} alarmes manquées sur {alarms}", "{name}: error {rmse:g} ({share:.0%} of its standard deviation), {missed} alarms missed of {alarms}",
                    name=one.name, rmse=one.rmse, share=one.share, missed=one.missed, alarms=one.alarms)
                for one in found.proposal.losses
            )  # fmt: skip
        tell(report, as_json=as_json, words=words)
