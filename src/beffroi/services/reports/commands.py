"""`beffroi reports`: measure what the service learns, on logs of reports."""

import csv
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from beffroi.terminal import Json, say, tell

__all__ = ["register"]


def _file(metavar: str, fr: str, en: str) -> Any:
    return typer.Argument(metavar=metavar, exists=True, dir_okay=False, help=say(fr, en))


Train = Annotated[Path, _file("TRAIN", "Fichier où l'on apprend.", "File to learn from.")]
Test = Annotated[Path, _file("TEST", "Fichier que l'on prédit.", "File to predict.")]
Predictions = Annotated[
    Path | None,
    typer.Option(
        "--predictions", metavar="CSV", help=say("Écrit chaque prédiction.", "Write each prediction.")
    ),
]


@contextmanager
def _bar(words: str, *, quiet: bool) -> Iterator[Callable[[float], None]]:
    """Give what moves a bar of progress on the terminal's stderr, from 0 to 1."""
    from rich.console import Console  # noqa: PLC0415 -- a command imports what it needs when it runs
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True, quiet=quiet), transient=True) as bar:
        task = bar.add_task(words, total=1.0)
        yield lambda share: bar.update(task, completed=share)


def _write(path: Path, heads: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(heads)
        writer.writerows(rows)


def register(app: typer.Typer) -> None:
    """Add the group `reports`."""
    group = typer.Typer(
        no_args_is_help=True,
        help=say(
            "Mesure ce que le service des signalements apprend.", "Measure what the reports service learns."
        ),
    )
    app.add_typer(group, name="reports")
    for add in (_duplicates, _routing):
        add(group)


def _duplicates(group: typer.Typer) -> None:
    @group.command(
        "evaluate-duplicates",
        help=say(
            "Apprend les doublons d'un journal (colonnes du 311 de Chicago) et prédit ceux d'un journal plus récent.",
            "Learn the duplicates of a log (Chicago 311's columns) and predict those of a later log.",
        ),
    )
    def evaluate_duplicates(
        train: Train, test: Test, predictions: Predictions = None, as_json: Json = False
    ) -> None:
        import msgspec  # noqa: PLC0415

        from beffroi.services.reports.duplicates.learning import predict_duplicates, score  # noqa: PLC0415
        from beffroi.services.reports.duplicates.log import read_log  # noqa: PLC0415

        with _bar(say("Apprentissage", "Learning"), quiet=as_json) as progress:
            said = predict_duplicates(read_log(train), read_log(test), progress)
        if predictions is not None:
            _write(
                predictions,
                ("service_request_number", "probability", "duplicate"),
                ((p.number, f"{p.probability:.6f}", int(p.duplicate)) for p in said),
            )
        measured = score(said)
        if measured is None:
            words = say("{n} lignes prédites ; aucune n'a de statut à comparer.",
                        "{n} rows predicted; none has a status to compare.", n=len(said))  # fmt: skip
            tell({"precision": None, "recall": None, "f1": None, "average_precision": None, "n": len(said), "positives": None},
                 as_json=as_json, words=words)  # fmt: skip
            return
        report = msgspec.to_builtins(measured)
        tell(
            {k: round(v, 6) if isinstance(v, float) else v for k, v in report.items()},
            as_json=as_json,
            words=say(
                "précision {precision:.3f}, rappel {recall:.3f}, F1 {f1:.3f}, précision moyenne {average_precision:.3f} "
                "({positives} doublons sur {n} lignes)",
                "precision {precision:.3f}, recall {recall:.3f}, F1 {f1:.3f}, average precision {average_precision:.3f} "
                "({positives} duplicates among {n} rows)",
                **report,
            ),
        )


def _routing(group: typer.Typer) -> None:
    @group.command(
        "evaluate-routing",
        help=say(
            "Apprend quel service traite quoi (colonnes de Dans Ma Rue) et le prédit pour un autre fichier.",
            "Learn which service handles what (Dans Ma Rue's columns) and predict it for another file.",
        ),
    )
    def evaluate_routing(
        train: Train,
        test: Test,
        predictions: Predictions = None,
        table: Annotated[
            Path | None,
            typer.Option("--table", metavar="CSV", help=say("Écrit la table.", "Write the table.")),
        ] = None,
        as_json: Json = False,
    ) -> None:
        from beffroi.services.reports.routing import accuracy, learn_table, read_cases  # noqa: PLC0415

        learned, cases = learn_table(read_cases(train)), read_cases(test)
        services = [learned.service_of(case) for case in cases]
        if predictions is not None:
            _write(
                predictions,
                ("id_dmr", "service"),
                ((c.number, s) for c, s in zip(cases, services, strict=True)),
            )
        if table is not None:
            _write(
                table,
                ("rank", "address_begins_with", "quarter", "kind", "service", "cases", "right"),
                (
                    (i, x.way, x.quarter, x.kind, x.service, x.cases, x.right)
                    for i, x in enumerate(learned.lines, 1)
                ),
            )
        share, n = accuracy(cases, services)
        words = (
            say("{n} lignes prédites ; aucune ne dit son service.", "{n} rows predicted; none tells its service.", n=len(cases))
            if share is None
            else say("{share:.2%} de bons services sur {n} lignes ; table de {lines} lignes",
                     "{share:.2%} right services over {n} rows; a table of {lines} lines",
                     share=share, n=n, lines=len(learned.lines))
        )  # fmt: skip
        tell(
            {"accuracy": None if share is None else round(share, 6), "n": n or len(cases)},
            as_json=as_json,
            words=words,
        )
