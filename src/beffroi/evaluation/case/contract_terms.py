"""Contract terms: what a document says of one way of buying the service."""

from collections.abc import Callable
from typing import Any

from beffroi.evaluation.case.document import Node
from beffroi.evaluation.case.formula import Formula
from beffroi.evaluation.case.model import BusinessCase, Contract
from beffroi.model.text import Text

__all__ = ["FORMS", "read_contract"]

FORMS: dict[str, Text] = {
    "regie": Text("Régie", "In-house (régie)"),
    "marche": Text("Marché public", "Public contract (marché)"),
    "concession": Text("Concession", "Concession"),
    "marche_de_partenariat": Text("Marché de partenariat", "Partnership contract"),
    "logiciel_libre_mutualise": Text("Logiciel libre mutualisé", "Free software, shared between towns"),
}
# name: default, lowest, highest
_NUMBERS: dict[str, tuple[float, float, float]] = {
    "margin": (0.0, -0.5, 2.0), "vat": (0.0, 0.0, 0.5), "fctva": (0.0, 0.0, 0.5), "overrun": (0.0, 0.0, 5.0),
    "risk_carried": (0.0, 0.0, 1.0), "management": (0.0, 0.0, 1e12), "efficiency": (0.0, -1.0, 0.9), "shared": (0.0, 0.0, 1.0),
    "coordination": (0.0, 0.0, 1e12), "exit_data": (0.0, 0.0, 1e12), "exit_equipment": (0.0, 0.0, 1.0),
    "exit_notice_months": (0.0, 0.0, 600.0),
}  # fmt: skip
Amounts = Callable[[Node, str, int, int], tuple[Formula | None, ...]]


def read_contract(item: Node, case: BusinessCase, amounts: Amounts) -> Contract:
    """Return one contract form. Raises `Problem` at its member."""
    form: Any = item.among("form", FORMS)
    numbers = {name: item.number(name, *limits) for name, limits in _NUMBERS.items()}
    end = case.start + case.years - 1
    found = Contract(
        form, item.title("title", FORMS[form]), rate=item.number("rate", case.financial_rate, -0.5, 1.0), towns=item.whole("towns", 1, 1, 40_000),
        receipts=amounts(item, "receipts", case.start, end) if item.raw("receipts") is not None else (),
        source=item.title("source", Text("", "")), **numbers,
    )  # fmt: skip
    item.done()
    return found
