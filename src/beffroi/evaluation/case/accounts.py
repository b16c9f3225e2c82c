"""Accounts: a town's budget lines (M57) as CSV, added up by line of a case, against what was typed.

Reads the national open-data schema of budgets (BGT_ANNEE, BGT_NATURE, BGT_FONCTION, BGT_SECTION, BGT_CODRD, BGT_MTREAL)
and the exports of accounting software (exercice, compte or nature, fonction, sens, montant), `;` or `,`, decimal comma.
"""

from collections.abc import Iterable
from typing import BinaryIO

import msgspec

from beffroi.evaluation.case.document import number_in
from beffroi.evaluation.case.flows import Array, base_values, line_amounts
from beffroi.evaluation.case.model import BusinessCase, Line
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards.text_table import open_table

__all__ = ["Entry", "Reconciled", "Reconciliation", "read_accounts", "reconcile", "with_accounts"]

_NAMES = {
    "year": ("bgt_annee", "exercice", "annee", "année", "year"),
    "account": ("bgt_nature", "nature", "compte", "article", "account"),
    "function": ("bgt_fonction", "fonction", "function"),
    "side": ("bgt_codrd", "sens", "codrd", "side"),
    "amount": ("bgt_mtreal", "montant", "mandate", "mandaté", "realise", "réalisé", "amount"),
}
_RECEIPT = ("r", "recette", "recettes", "receipt", "credit", "crédit")
TOLERANCE = 0.05


class Entry(msgspec.Struct, frozen=True):
    """One line of the accounts: a spending above nothing, a receipt below."""

    line: int
    year: int
    account: str
    function: str
    amount: float


class Reconciled(msgspec.Struct, frozen=True):
    """One line of the case in one year: what was typed, what the accounts say."""

    key: str
    title: Text
    year: int
    typed: float
    booked: float
    agrees: bool

    @property
    def gap(self) -> float:
        """Return how much more was booked than typed."""
        return self.booked - self.typed


class Reconciliation(msgspec.Struct, frozen=True):
    """Every line and year that the accounts speak of, and what no line of the case asks for."""

    lines: tuple[Reconciled, ...]
    entries: int
    unmatched: int
    unmatched_amount: float
    unbooked: tuple[str, ...]  # lines of the case that name no account


def read_accounts(stream: BinaryIO) -> list[Entry]:
    """Return the lines of the accounts. Raises `Problem` naming the line and the column."""
    table = open_table(stream)
    heads = [head.strip().lower() for head in table.header]
    places = {name: next((heads.index(w) for w in words if w in heads), -1) for name, words in _NAMES.items()}
    for name in ("year", "account", "amount"):
        if places[name] < 0:
            raise Problem(
                Text(f"Il manque la colonne « {_NAMES[name][1]} ».", f"The column '{_NAMES[name][-1]}' is missing."),
                Text("Les colonnes sont exercice, nature, fonction, sens, montant (ou celles du schéma national « budget »).",
                     "Columns are exercice, nature, fonction, sens, montant (or those of the national schema 'budget')."), "line 1",
            )  # fmt: skip
    found = []
    for number, cells in table.rows():
        if cells is None or len(cells) < len(heads):
            raise _refuse(number, "", "cette ligne n'a pas toutes ses colonnes", "this line lacks columns")
        found.append(
            _entry(number, {name: cells[at].strip() if at >= 0 else "" for name, at in places.items()})
        )
    return found


def _refuse(line: int, column: str, fr: str, en: str) -> Problem:
    place = f"line {line}" + (f", {column}" if column else "")
    return Problem(
        Text(f"Comptes : {fr}.", f"Accounts: {en}."),
        Text(
            "Corrigez-la dans le fichier, ou exportez-le de nouveau.",
            "Mend it in the file, or export it again.",
        ),
        place,
    )


def _entry(line: int, cells: dict[str, str]) -> Entry:
    year = cells["year"]
    if not (year.isdigit() and len(year) == 4):
        raise _refuse(line, "exercice", f"« {year[:20]} » n'est pas une année", f"'{year[:20]}' is no year")
    account = cells["account"].replace(" ", "")
    if not account.isdigit():
        raise _refuse(
            line, "nature", f"« {account[:20]} » n'est pas un compte", f"'{account[:20]}' is no account"
        )
    amount = number_in(cells["amount"]) if cells["amount"] else 0.0
    if amount is None:
        said = cells["amount"][:20]
        raise _refuse(line, "montant", f"« {said} » n'est pas un montant", f"'{said}' is no amount")
    sign = -1.0 if cells["side"].lower() in _RECEIPT else 1.0
    return Entry(line, int(year), account, cells["function"], sign * amount)


def _is_of(entry: Entry, line: Line) -> bool:
    function = not line.function or entry.function.startswith(line.function)
    return function and any(entry.account.startswith(a.rstrip("*")) for a in line.accounts)


def _booked(entries: Iterable[Entry], line: Line, year: int) -> float:
    received = line.kind in ("transfer", "residual")
    total = sum(e.amount for e in entries if e.year == year and _is_of(e, line))
    return -total if received else total


def reconcile(case: BusinessCase, entries: list[Entry], tolerance: float = TOLERANCE) -> Reconciliation:
    """Return each line that names accounts against them, in the years that they speak of."""
    years = sorted({e.year for e in entries} & set(case.calendar))
    values, prices = base_values(case), case.prices_of_year()
    named = [line for line in case.lines if line.accounts]
    found = []
    for line in named:
        typed: Array = line_amounts(case, line, values, prices)
        for year in years:
            amount, booked = float(typed[year - case.start]), _booked(entries, line, year)
            agrees = abs(booked - amount) <= tolerance * max(abs(amount), abs(booked), 1.0)
            found.append(Reconciled(line.key, line.title, year, amount, booked, agrees))
    lost = [e for e in entries if not any(_is_of(e, line) for line in named)]
    cash = [line.key for line in case.lines if line.cash and not line.accounts]
    return Reconciliation(tuple(found), len(entries), len(lost), sum(e.amount for e in lost), tuple(cash))


def with_accounts(document: dict[str, object], case: BusinessCase, entries: list[Entry]) -> dict[str, object]:
    """Return the document with the amounts that the accounts give, for the years that they speak of; the rest as typed."""
    years = {e.year for e in entries} & set(case.calendar)
    lines = document.get("lines")
    items = (
        list(lines.values()) if isinstance(lines, dict) else list(lines) if isinstance(lines, list) else []
    )
    changed = []
    for item, line in zip(items, case.lines, strict=True):
        if not line.accounts:
            changed.append(item)
            continue
        typed: dict[str, object] = {
            str(case.start + t): amount.text for t, amount in enumerate(line.amounts) if amount is not None
        }
        booked: dict[str, object] = {str(y): _booked(entries, line, y) for y in sorted(years)}
        amounts = {**typed, **booked}
        span = sorted(int(y) for y in amounts)
        whole = {str(y): amounts.get(str(y), 0) for y in range(span[0], span[-1] + 1)} if span else amounts
        changed.append({**item, "amount": whole, "years": [span[0], span[-1]] if span else None, "growth": 0})
    return {**document, "lines": changed}
