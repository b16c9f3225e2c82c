"""`beffroi water rating`: fit a curve, and measure how well it predicts."""

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from beffroi.terminal import Json, say, tell

__all__ = ["add"]

File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", exists=True, dir_okay=False,
        help=say("Jaugeages : stage,q,q_sigma (la dernière facultative).", "Gaugings: stage,q,q_sigma (the last optional)."),
    ),
]  # fmt: skip
Past = Annotated[
    Path,
    typer.Argument(
        metavar="PAST", exists=True, dir_okay=False,
        help=say("Jaugeages passés : Day Month Year Hour Minutes h Q Qsigma (m, m³/s, %).",
                 "Past gaugings: Day Month Year Hour Minutes h Q Qsigma (m, m³/s, %)."),
    ),
]  # fmt: skip
Next = Annotated[
    Path,
    typer.Argument(
        metavar="NEXT", exists=True, dir_okay=False,
        help=say("Jaugeages suivants, prédits un à un.", "The following gaugings, predicted one by one."),
    ),
]  # fmt: skip
Predictions = Annotated[
    Path | None,
    typer.Option(
        "--predictions", metavar="CSV", help=say("Écrit chaque prédiction.", "Write each prediction.")
    ),
]


def add(water: typer.Typer) -> None:
    """Add the group `rating`."""
    group = typer.Typer(
        no_args_is_help=True,
        help=say("Courbes de tarage : le débit d'après la hauteur.", "Rating curves: discharge from stage."),
    )
    water.add_typer(group, name="rating")
    group.command(
        "fit",
        help=say(
            "Ajuste une courbe de tarage et mesure son erreur, chaque jaugeage retiré à son tour.",
            "Fit a rating curve and measure its error, each gauging left out in turn.",
        ),
    )(_fit)
    group.command(
        "evaluate",
        help=say(
            "Prédit chaque jaugeage de NEXT d'après tous ceux qui le précèdent.",
            "Predict each gauging of NEXT from all those before it.",
        ),
    )(_evaluate)


def _fit(file: File, as_json: Json = False) -> None:
    import msgspec  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    from beffroi.services.water.rating.evaluation import evaluate_fit  # noqa: PLC0415
    from beffroi.services.water.rating.gaugings import read_gaugings  # noqa: PLC0415

    fitted = evaluate_fit(read_gaugings(file))
    curve, errors = fitted.curve, np.abs(fitted.errors) * 100
    report = {
        "loo_mape_percent": round(float(errors.mean()), 4),
        "loo_median_percent": round(float(np.median(errors)), 4),
        "n": len(errors),
        "segments": len(curve.exponents),
        "zero_flow_stage": round(curve.offset, 6),
        "breaks": [round(b, 6) for b in curve.breaks],
        "coefficients": [round(c, 6) for c in curve.coefficients],
        "exponents": [round(e, 4) for e in curve.exponents],
        "stage_range": [curve.lowest, curve.highest],
        "scatter_percent": round(curve.scatter * 100, 3),
        "fit_ms": round(fitted.fit_ms, 1),
        "flags": msgspec.to_builtins(fitted.flags),
    }
    tell(
        report,
        as_json=as_json,
        words=say(
            "{segments} segment(s), hauteur de débit nul {zero_flow_stage:.3f}, exposants {exponents} ; erreur moyenne "
            "{loo_mape_percent:.2f} % sur {n} jaugeages retirés à leur tour ; ajustée en {fit_ms:.0f} ms ; doutes : {flags}",
            "{segments} segment(s), stage of zero flow {zero_flow_stage:.3f}, exponents {exponents}; mean error "
            "{loo_mape_percent:.2f} % over {n} gaugings left out in turn; fitted in {fit_ms:.0f} ms; doubts: {flags}",
            **report,
        ),
    )


def _evaluate(past: Past, following: Next, predictions: Predictions = None, as_json: Json = False) -> None:
    import msgspec  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    from beffroi.services.water.rating.evaluation import predict_next  # noqa: PLC0415
    from beffroi.services.water.rating.gaugings import read_dated_gaugings  # noqa: PLC0415

    earlier, later = read_dated_gaugings(past), read_dated_gaugings(following)
    said, shifts = predict_next(earlier, later)
    if predictions is not None:
        with predictions.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("date", "h", "predicted Q", "low", "high"))
            writer.writerows(
                (_date(p.at), p.stage, f"{p.predicted:.6g}", f"{p.low:.6g}", f"{p.high:.6g}") for p in said
            )
    errors = np.array([p.error_percent for p in said])
    report = {
        "median_error_percent": round(float(np.median(errors)), 3),
        "mean_error_percent": round(float(errors.mean()), 3),
        "n": len(said),
        "coverage90": round(float(np.mean([p.low <= p.discharge <= p.high for p in said])), 4),
        "shifts": [_date(at) for at in shifts],
        "flags": msgspec.to_builtins(earlier.flags + later.flags),
    }
    tell(
        report,
        as_json=as_json,
        words=say(
            "{n} jaugeages prédits : erreur médiane {median_error_percent:.1f} %, moyenne {mean_error_percent:.1f} % ; "
            "l'intervalle à 90 % en couvre {coverage90:.0%} ; détarages : {shifts}",
            "{n} gaugings predicted: median error {median_error_percent:.1f} %, mean {mean_error_percent:.1f} %; the 90 % "
            "interval covers {coverage90:.0%}; shifts: {shifts}",
            **report,
        ),
    )


def _date(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M")
