"""`beffroi water forecast`: measure how well the discharge of the next hours is forecast."""

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from beffroi.terminal import Json, say, tell

if TYPE_CHECKING:
    from beffroi.services.water.forecast.evaluation import Verified

__all__ = ["add"]

Train = Annotated[
    Path,
    typer.Argument(
        metavar="TRAIN", exists=True, dir_okay=False,
        help=say("Heures où l'on apprend : date,P,E,Qls,Qmm.", "Hours to learn from: date,P,E,Qls,Qmm."),
    ),
]  # fmt: skip
Test = Annotated[
    Path,
    typer.Argument(
        metavar="TEST", exists=True, dir_okay=False,
        help=say("Heures que l'on prévoit.", "Hours to forecast."),
    ),
]  # fmt: skip
Predictions = Annotated[
    Path | None,
    typer.Option("--predictions", metavar="CSV", help=say("Écrit chaque prévision.", "Write each forecast.")),
]


def add(water: typer.Typer) -> None:
    """Add the group `forecast`."""
    group = typer.Typer(
        no_args_is_help=True,
        help=say("Prévoit le débit des heures qui viennent.", "Forecast the discharge of the next hours."),
    )
    water.add_typer(group, name="forecast")

    # a group of one command would be that command itself
    @group.callback()
    def _group() -> None:
        pass

    group.command(
        "evaluate",
        help=say(
            "Apprend une rivière et prévoit d'autres années, heure par heure, sans rien savoir de la suite.",
            "Learn a river and forecast other years, hour by hour, knowing nothing of what follows.",
        ),
    )(_evaluate)


def _evaluate(train: Train, test: Test, predictions: Predictions = None, as_json: Json = False) -> None:
    import msgspec  # noqa: PLC0415

    from beffroi.services.water.forecast.evaluation import evaluate  # noqa: PLC0415
    from beffroi.services.water.forecast.series import read_hourly  # noqa: PLC0415

    past, following = read_hourly(train), read_hourly(test)
    found = evaluate(past, following)
    if predictions is not None:
        _write(predictions, found)
    leads = list(found.forecasts)
    held = [found.coverage(lead) for lead in leads]
    onset = {lead: found.onsets(lead) for lead in leads}
    report = {
        "skill": {str(lead): _rounded(found.skill(lead)) for lead in leads},
        "onset": {
            str(lead): {
                "pod": _rounded(o.pod), "far": _rounded(o.far), "observed": o.observed, "forecast": o.forecast,
                "hits": o.hits,
            }
            for lead, o in onset.items()
        },
        "coverage90": _rounded(sum(h for h, _ in held) / max(sum(n for _, n in held), 1)),
        "coverage90_by_lead": {str(lead): _rounded(h / max(n, 1)) for lead, (h, n) in zip(leads, held, strict=True)},
        "threshold_m3s": round(found.threshold, 4),
        "n": held[0][1],
        "flags": msgspec.to_builtins(past.flags + following.flags),
    }  # fmt: skip
    tell(
        report,
        as_json=as_json,
        words=say(
            "gain sur la persistance {skill} ; débuts de crue à 3 h {onset} ; l'intervalle à 90 % couvre {coverage}",
            "skill against persistence {skill}; onsets at 3 h {onset}; the 90 % interval covers {coverage}",
            skill=report["skill"],
            onset=report["onset"],
            coverage=report["coverage90"],
        ),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _write(path: Path, found: "Verified") -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("issue time", "lead h", "low", "median", "high"))
        for i, at in enumerate(found.issued):
            issued = datetime.fromtimestamp(float(at), UTC).strftime("%Y-%m-%dT%H:%MZ")
            for lead, (low, median, high) in found.forecasts.items():
                if median[i] == median[i]:
                    writer.writerow((issued, lead, f"{low[i]:.4f}", f"{median[i]:.4f}", f"{high[i]:.4f}"))
