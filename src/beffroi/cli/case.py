"""`beffroi case`: what a service costs, who pays, who gains, and how sure that is."""

from pathlib import Path
from typing import Annotated, Any

import typer

from beffroi.cli import Json, language, say, tell
from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["register"]

File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help=say("Modèle économique, YAML ou JSON.", "Business case, YAML or JSON.")
    ),
]


def _text_of(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(
            Text(f"Le fichier « {file} » ne se lit pas.", f"The file '{file}' cannot be read."),
            Text("Donnez un fichier de texte en UTF-8.", "Give a text file in UTF-8."),
        ) from error


def _booked(file: Path) -> list[Any]:
    from beffroi.evaluation.case.accounts import read_accounts

    try:
        with file.open("rb") as stream:
            return read_accounts(stream)
    except OSError as error:
        raise Problem(
            Text(f"Le fichier « {file} » ne se lit pas.", f"The file '{file}' cannot be read.")
        ) from error


def _words(verdict: str, report: dict[str, Any]) -> str:
    lines = [report["title"], verdict, ""]
    for key, fr, en in (
        ("van", "VAN socio-économique", "Socioeconomic NPV (VAN-SE)"), ("van_without_cofp", "  sans coût des fonds publics", "  without the cost of public funds"),
        ("public_spending", "Dépense publique nette, actualisée", "Net public spending, discounted"), ("eac", "Coût annuel équivalent", "Equivalent annual cost"),
        ("financial_van", "VAN financière de la collectivité", "Financial NPV of the town"),
    ):  # fmt: skip
        lines.append(
            f"{say(fr, en):<44} {report[key]:>16,.0f} {report['prices']['currency']} {report['prices']['year']}"
        )
    rates = ", ".join(f"{100 * r:.2f} %" for r in report["tri"]) or say("aucun", "none")
    lines.append(f"{say('Taux de rentabilité interne', 'Internal rate of return'):<44} {rates:>16}")
    lines += [f"  {actor['title']:<42} {actor['value']:>16,.0f}" for actor in report["actors"]]
    return "\n".join(lines)


def register(app: typer.Typer) -> None:
    """Add `case compute`."""
    group = typer.Typer(
        no_args_is_help=True, help=say("Modèles économiques : coûts, gains, acteurs.", "Business cases: costs, gains, actors.")
    )  # fmt: skip
    app.add_typer(group, name="case")

    @group.callback()
    def root() -> None:
        """Keep `compute` a command of its own."""

    @group.command("compute", help=say("Calcule un modèle économique.", "Compute a business case."))
    def compute(
        file: File,
        accounts: Annotated[
            Path | None,
            typer.Option(metavar="CSV", help=say("Lignes du budget (M57), rapprochées des montants écrits.", "Budget lines (M57), reconciled with the amounts written.")),
        ] = None,
        parameters: Annotated[
            str | None, typer.Option(help=say("Autre jeu de paramètres que celui du fichier.", "Another parameter set than the file's."))
        ] = None,
        draws: Annotated[int, typer.Option(min=0, max=1_000_000, help=say("Tirages de Monte-Carlo ; 0 : aucun.", "Monte Carlo draws; 0: none."))] = 10_000,
        seed: Annotated[int | None, typer.Option(min=0, help=say("Graine des tirages.", "Seed of the draws."))] = None,
        sheet: Annotated[Path | None, typer.Option(metavar="XLSX", help=say("Écrit aussi un tableur aux formules vivantes.", "Also write a spreadsheet with live formulas."))] = None,
        as_json: Json = False,
    ) -> None:  # fmt: skip
        from beffroi.evaluation.case.accounts import reconcile
        from beffroi.evaluation.case.reading import read_file
        from beffroi.evaluation.case.report import report_of
        from beffroi.evaluation.case.whole import compute_all

        case = read_file(_text_of(file), parameters=parameters)
        found = reconcile(case, _booked(accounts)) if accounts is not None else None
        whole = compute_all(case, draws=draws, seed=seed)
        report = report_of(whole, language(), reconciliation=found)
        if sheet is not None:
            from beffroi.evaluation.case.sheet import sheet_bytes

            sheet.write_bytes(sheet_bytes(case, language()))
        tell(report, as_json=as_json, words="" if as_json else _words(whole.verdict.of(language()), report))
