"""`/preuve/modeles/{id}/comptes`: the town's own accounts (M57 lines as CSV) against what was typed."""

from collections.abc import Mapping

from anyio import to_thread
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.evaluation.case.accounts import Reconciliation, read_accounts, reconcile, with_accounts
from beffroi.evaluation.case.collections import CASE
from beffroi.evaluation.case.reading import read_case
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.web.kit.form import Input
from beffroi.web.kit.page import figures_of, language_of, render, translate
from beffroi.web.kit.table import Cell, Column
from beffroi.web.kit.table import Row as TableRow
from beffroi.web.site.administration.desk import entry
from beffroi.web.site.proof.case_page import opened
from beffroi.web.site.proof.cases import desk_of
from beffroi.web.site.proof.sections import tabs_of

__all__ = ["ROUTES"]


def _page(
    request: Request,
    found: Reconciliation | None = None,
    errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    _, figures = translate(request), figures_of(request)
    row = opened(request).row
    inputs = [
        Input("file", _("Lignes du budget"), "file", required=True, accept=".csv,text/csv",
              hint=_("Un CSV avec exercice, nature, fonction, sens, montant ; ou celui du schéma national « budget ».")),
        Input("take", _("Reprendre les montants des comptes dans le modèle"), "checkbox"),
    ]  # fmt: skip
    columns = [Column("line", _("Coût ou avantage")), Column("year", _("Exercice"), "number", decimals=0), Column("typed", _("Écrit"), "number", decimals=0),
               Column("booked", _("Aux comptes"), "number", decimals=0), Column("gap", _("Écart"), "number", decimals=0), Column("state", "")]  # fmt: skip
    rows = [
        TableRow({"line": r.title.of(language_of(request)), "year": Cell(str(r.year)), "typed": r.typed, "booked": r.booked, "gap": r.gap,
                  "state": Cell(_("d'accord"), severity="vert") if r.agrees else Cell(_("à expliquer"), severity="orange")})
        for r in (found.lines if found else ())
    ]  # fmt: skip
    unmatched = "" if found is None else figures.quantity(found.unmatched_amount, "€", 0)
    return render(
        request, "proof/accounts.html", status, {"Cache-Control": "no-store"}, row=row, inputs=inputs, errors=errors or {}, found=found, columns=columns, rows=rows,
        unmatched=unmatched, tabs=tabs_of(request),
    )  # fmt: skip


@entry(admin=False)
async def page(request: Request) -> Response:
    """Show where accounts are given."""
    return await to_thread.run_sync(_page, request)


@entry(admin=False)
async def take(request: Request) -> Response:
    """Reconcile a file of accounts, and take its amounts when asked to."""
    async with request.form(max_files=1) as sent:
        return await to_thread.run_sync(_take, request, sent)


def _take(request: Request, sent: FormData) -> Response:
    row = opened(request).row
    document = dict(row.values.get("document") or {})
    file = sent.get("file")
    try:
        if not isinstance(file, UploadFile) or not file.filename:
            raise Problem(Text("Choisissez un fichier.", "Choose a file."))
        case, entries = read_case(document), read_accounts(file.file)
        if sent.get("take"):
            changed = with_accounts(document, case, entries)
            read_case(changed)
            desk_of(request).put(
                CASE.name,
                {"document": changed},
                id=row.id,
                version=row.version,
                reason=f"Comptes : {file.filename}"[:200],
            )
            return RedirectResponse(f"/preuve/modeles/{row.id}/modifier?fait", 303)
        return _page(request, reconcile(case, entries))
    except Problem as problem:
        if problem.status in (401, 403, 503):
            raise
        language = language_of(request)
        where = f" ({problem.place})" if problem.place else ""
        return _page(
            request,
            None,
            {"file": f"{problem.reason.of(language)}{where} {problem.mend.of(language)}".strip()},
            problem.status,
        )


ROUTES: list[BaseRoute] = [
    Route("/preuve/modeles/{id:int}/comptes", page, methods=["GET"]),
    Route("/preuve/modeles/{id:int}/comptes", take, methods=["POST"]),
]
