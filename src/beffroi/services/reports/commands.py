"""`beffroi reports`: measure what the service learns, on logs of reports."""

import csv
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.terminal import Json, language, say, tell

if TYPE_CHECKING:
    from beffroi.services.reports.categories.evaluation import Verdict
    from beffroi.services.reports.rate.estimate import Rate

__all__ = ["register"]

_BY = ("area", "category", "both", "none")


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
    for add in (_duplicates, _routing, _rate, _extract, _categories):
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


Incidents = Annotated[
    Path,
    _file(
        "FILE",
        "Incidents ou signalements (CSV), ou journal 311.",
        "Incidents or reports (CSV), or a 311 log.",
    ),
]
End = Annotated[
    str,
    typer.Option(
        "--end",
        metavar="ISO",
        help=say(
            "Fin des données ; la dernière heure du fichier.", "End of the data; the last time of the file."
        ),
    ),
]
Cap = Annotated[
    float,
    typer.Option("--cap", min=0.0, help=say("Jours d'observation au plus.", "Days watched at most.")),
]
Drop = Annotated[
    float,
    typer.Option(
        "--drop",
        min=0.0,
        help=say("Écarte les incidents observés moins de jours.", "Leave out incidents watched fewer days."),
    ),
]


def _instant(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError as error:
        raise Problem(
            Text(f"« {text} » n'est pas une date.", f"'{text}' is not a date."),
            Text("Écrivez 2026-11-25.", "Write 2026-11-25."),
            place="--end",
        ) from error


def _rate_report(rate: "Rate") -> dict[str, Any]:
    return {
        "lambda": rate.lambda_, "se": rate.error, "low": rate.low, "high": rate.high, "mean_delay_days": rate.delay,
        "delay_low": rate.delay_low, "delay_high": rate.delay_high, "n": rate.incidents, "duplicates": rate.duplicates,
        "days": rate.days, "known": rate.known,
    }  # fmt: skip


def _rate_line(name: str, rate: "Rate") -> str:
    if not rate.known or rate.lambda_ is None or rate.delay is None:
        return say("{name:<32} on ne sait pas ({m} doublons)", "{name:<32} not known ({m} duplicates)",
                   name=name, m=rate.duplicates)  # fmt: skip
    return say(
        "{name:<32} λ {rate:.4f} ± {error:.4f} par jour [{low:.4f} ; {high:.4f}], délai {delay:.1f} j, {n} incidents",
        "{name:<32} λ {rate:.4f} ± {error:.4f} a day [{low:.4f}, {high:.4f}], delay {delay:.1f} d, {n} incidents",
        name=name, rate=rate.lambda_, error=rate.error, low=rate.low, high=rate.high, delay=rate.delay, n=rate.incidents,
    )  # fmt: skip


def _rate(group: typer.Typer) -> None:
    @group.command(
        "rate",
        help=say(
            "Estime à quelle vitesse on signale (λ), par groupe ; « on ne sait pas » sous 30 doublons.",
            "Estimate how fast people report (λ), by group; 'not known' below 30 duplicates.",
        ),
    )
    def rate(
        file: Incidents,
        by: Annotated[
            str, typer.Option("--by", metavar="|".join(_BY), help=say("Groupes.", "Groups."))
        ] = "area",
        fit: Annotated[
            bool,
            typer.Option(
                "--fit",
                help=say("Ajoute la régression à zéros en excès.", "Add the zero-inflated regression."),
            ),
        ] = False,
        end: End = "",
        cap: Cap = 100.0,
        drop: Drop = 0.01,
        as_json: Json = False,
    ) -> None:
        import msgspec  # noqa: PLC0415

        from beffroi.services.reports.rate.bias import bias_of, explain  # noqa: PLC0415
        from beffroi.services.reports.rate.reading import read_incidents  # noqa: PLC0415

        if by not in _BY:
            raise Problem(
                Text(f"« {by} » n'est pas un groupement.", f"'{by}' is not a grouping."),
                Text(f"Choisissez : {', '.join(_BY)}.", f"Choose: {', '.join(_BY)}."),
                place="--by",
            )
        found = bias_of(read_incidents(file, end=_instant(end), cap=cap, drop=drop), fitted=fit)
        cells = {"area": found.areas, "category": found.categories, "both": found.cells, "none": ()}[by]
        report = {
            **_rate_report(found.town),
            "by": by,
            "groups": [{"area": c.area, "category": c.category, **_rate_report(c.rate)} for c in cells],
            "gap": None if found.gap is None else msgspec.to_builtins(found.gap),
            "fit": None if found.fit is None else msgspec.to_builtins(found.fit),
            "words": [text.of(language()) for text in explain(found)],
        }
        lines = [_rate_line(say("Ensemble", "All"), found.town)]
        lines += [_rate_line(" / ".join(x for x in (c.area, c.category) if x) or "—", c.rate) for c in cells]
        lines += ["", *(text.of(language()) for text in explain(found))]
        tell(report, as_json=as_json, words="\n".join(lines))


def _extract(group: typer.Typer) -> None:
    @group.command(
        "extract",
        help=say(
            "Écrit un extrait figé, sans personne ni lieu, que des chercheurs peuvent citer.",
            "Write a frozen extract, without people or places, that researchers can cite.",
        ),
    )
    def extract(
        file: Incidents,
        to: Annotated[Path, typer.Option("--to", metavar="DIR", help=say("Dossier.", "Directory."))],
        town: Annotated[str, typer.Option("--town", help=say("Nom de la commune.", "Name of the town."))],
        secret: Annotated[
            str,
            typer.Option(
                "--secret",
                envvar="BEFFROI_EXTRACT_SECRET",
                help=say(
                    "Clé des pseudonymes ; tirée au sort puis oubliée.",
                    "Key of the pseudonyms; drawn, then forgotten.",
                ),
            ),
        ] = "",
        end: End = "",
        cap: Cap = 100.0,
        drop: Drop = 0.01,
        as_json: Json = False,
    ) -> None:
        import secrets  # noqa: PLC0415

        from beffroi.services.reports.rate.extract import write_extract  # noqa: PLC0415
        from beffroi.services.reports.rate.reading import read_incidents  # noqa: PLC0415

        incidents = read_incidents(file, end=_instant(end), cap=cap, drop=drop)
        key = secret.encode() or secrets.token_bytes(32)
        made = write_extract(incidents, to, town=town, secret=key, made=datetime.now(UTC), cap=cap)
        report = {"directory": str(made), "incidents": len(incidents)}
        tell(report, as_json=as_json, words=say("{incidents} incidents dans {directory}", "{incidents} incidents in {directory}", **report))  # fmt: skip


def _categories(group: typer.Typer) -> None:
    @group.command(
        "evaluate-categories",
        help=say(
            "Mesure, sur des textes déjà classés, le choix de la catégorie : matrice de confusion, F1, calibration.",
            "Measure the choice of a category on texts already sorted: confusion matrix, F1, calibration.",
        ),
    )
    def evaluate_categories(
        file: Annotated[
            Path, _file("FILE", "Textes et catégories (CSV ou JSON).", "Texts and categories (CSV or JSON).")
        ],
        categories: Annotated[
            Path | None,
            typer.Option(
                "--categories",
                metavar="JSON",
                exists=True,
                help=say(
                    'Liste de {"code", "names", "synonyms"} ; sinon les catégories du fichier, par leur nom.',
                    'List of {"code", "names", "synonyms"}; else the categories of the file, by their name.',
                ),
            ),
        ] = None,
        tongue: Annotated[
            str,
            typer.Option(
                "--language", help=say("Langue des textes : fr ou en.", "Language of the texts: fr or en.")
            ),
        ] = "fr",
        as_json: Json = False,
    ) -> None:
        import msgspec  # noqa: PLC0415

        from beffroi.services.reports.categories.classifier import Category  # noqa: PLC0415
        from beffroi.services.reports.categories.evaluation import evaluate, read_texts  # noqa: PLC0415

        texts = read_texts(file)
        if categories is None:
            known = tuple(
                Category(code, (code.replace("_", " "),)) for code in sorted({code for _, code in texts})
            )
        else:
            try:
                known = msgspec.json.decode(categories.read_bytes(), type=tuple[Category, ...])
            except msgspec.MsgspecError as error:
                raise Problem(
                    Text(f"Catégories illisibles : {error}", f"Categories that cannot be read: {error}"),
                    Text('Écrivez [{"code": "…", "names": ["…"], "synonyms": ["…"]}].',
                         'Write [{"code": "…", "names": ["…"], "synonyms": ["…"]}].'),
                    place=str(categories),
                ) from error  # fmt: skip
        verdict = evaluate(known, texts, tongue)
        tell(msgspec.to_builtins(verdict), as_json=as_json, words=_verdict_in_words(verdict))


def _verdict_in_words(verdict: "Verdict") -> str:
    accepted = "—" if verdict.accepted_accuracy is None else f"{verdict.accepted_accuracy:.1%}"
    lines = [
        say("{n} textes : {accuracy:.1%} justes, F1 macro {f1:.3f}", "{n} texts: {accuracy:.1%} right, macro F1 {f1:.3f}",
            n=verdict.n, accuracy=verdict.accuracy, f1=verdict.macro_f1),
        say("Classés sans personne : {share:.1%}, dont {right} justes", "Sorted without a person: {share:.1%}, {right} of them right",
            share=verdict.accepted, right=accepted),
        say("Écart moyen de calibration : {gap:.3f}", "Mean gap of calibration: {gap:.3f}", gap=verdict.calibration_error),
        "", say("Annoncé → juste (textes)", "Said → right (texts)"),
    ]  # fmt: skip
    lines += [f"  {b.said:6.1%} → {b.right:6.1%}  ({b.n})" for b in verdict.calibration]
    lines += [
        "",
        say(
            "Vraie catégorie (lignes) × catégorie choisie (colonnes)",
            "True category (rows) x chosen (columns)",
        ),
    ]
    lines += [f"  {i + 1:>3} {' '.join(f'{n:>4}' for n in row)}  {code}"
              for i, (code, row) in enumerate(zip(verdict.codes, verdict.confusion, strict=True))]  # fmt: skip
    return "\n".join(lines)
