"""F12 and F15: what the network operator bills, line by line, for large points and for small ones.

Shapes: F12 from a real flow, pseudonymised; F15 from a public one of version 4.0.0, read in November 2026, to be verified.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from beffroi.services.energy.flows.row import Row, Rows, known_number, known_prm
from beffroi.services.energy.flows.xml import child, elements, line, need

__all__ = ["read_f12", "read_f15"]


class _Shape(msgspec.Struct, frozen=True):
    """Where a flow puts what a bill says."""

    flow: str
    lot: str  # the element of one point
    prm: str
    lines: str  # path to the groups of lines, "." when lines are directly in the lot
    detail: str  # path to a line's figures within it
    words: tuple[str, ...]  # of the lot
    of_line: tuple[str, ...]  # of each line, besides its figures
    nature: tuple[str, str]  # what a line is: of the line itself, else of its group


_F12 = _Shape(
    "f12", "Sous_Lot", "Id_PRM", ".", "Acheminement",
    ("Num_Sous_Lot", "Type_Facturation", "Code_Segmentation_ERDF", "Tarif_Souscrit", "Date_Sous_Lot"),
    ("Libelle_EV", "Taux_TVA_Applicable", "CSPE_Applicable", "Code_Debit_Credit"), ("Code_Recapitulatif", ""),
)  # fmt: skip
_F15 = _Shape(
    "f15", "Donnees_Valorisation", "Donnees_PRM/Id_PRM", "Groupe_Valorise", ".",
    ("Num_Valorisation", "Type_Facturation", "Donnees_PRM/Ref_Situation_Contractuelle", "Donnees_PRM/Type_Compteur", "Date_Effet"),
    ("Libelle_EV", "Taux_TVA_Applicable", "Formule_Tarifaire_Acheminement"), ("", "Nature_EV"),
)  # fmt: skip


def read_f12(path: Path) -> Rows:
    """Yield the lines of an F12."""
    return _read(path, _F12)


def read_f15(path: Path) -> Rows:
    """Yield the lines of an F15."""
    return _read(path, _F15)


def _read(path: Path, shape: _Shape) -> Rows:
    """Yield three values a line (amount, quantity, unit price), then the words that go with it; a line's class is its code."""
    bill: dict[str, str | None] = {"Devise": None}
    for element in elements(path, shape.flow, "Rappel_En_Tete", shape.lot):
        if element.tag == "Rappel_En_Tete":
            bill = {name: child(element, name) for name in ("Num_Facture", "Date_Facture", "Devise")}
            continue
        prm = known_prm(child(element, shape.prm), line(element))
        status = child(element, "Type_Facturation")
        yield from _lot(prm, element, shape, bill, status)
        for group in [element] if shape.lines == "." else element.iterfind(shape.lines):
            nature = child(group, shape.nature[1]) if shape.nature[1] else None
            for one in group.iterfind("Element_Valorise"):
                of_line = child(one, shape.nature[0]) if shape.nature[0] else nature
                yield from _line(prm, one, shape, bill.get("Devise"), of_line, status)


def _lot(
    prm: str, element: Any, shape: _Shape, bill: dict[str, str | None], status: str | None
) -> Iterator[Row]:
    day = bill.get("Date_Facture")
    for name in ("Num_Facture", "Date_Facture"):
        if bill.get(name):
            yield Row(prm, "invoice", None, day, day, bill[name], None, name, None, status)
    for path in shape.words:
        text = child(element, path)
        if text is not None:
            yield Row(prm, "invoice", None, day, day, text, None, path.rpartition("/")[2], None, status)
    weighted = child(element, "Puissance_Ponderee")
    if weighted is not None:
        value = known_number(weighted, "contract", line(element))
        tariff = child(element, "Tarif_Souscrit")
        yield Row(prm, "contract", None, day, None, value, "kVA", tariff, "Puissance_Ponderee", status)
    for post in element.iterfind("PS_Poste_Horosaisonnier"):
        value = known_number(need(post, "Puissance_Souscrite"), "contract", line(post))
        # the flow does not say the unit of these
        yield Row(
            prm,
            "contract",
            None,
            day,
            None,
            value,
            None,
            child(post, "Nom_Poste_Horosaisonnier"),
            "Puissance_Souscrite",
            status,
        )


def _line(
    prm: str, one: Any, shape: _Shape, currency: str | None, nature: str | None, status: str | None
) -> Iterator[Row]:
    code = need(one, "Id_EV")
    for detail in [one] if shape.detail == "." else one.iterfind(shape.detail):
        start, end = child(detail, "Date_Debut"), child(detail, "Date_Fin")
        unit = child(detail, "Unite_Quantite")
        amount = known_number(need(detail, "Montant_HT"), "invoice", line(detail))
        yield Row(prm, "invoice", None, start, end, amount, currency, code, nature, status)
        for path, of_what in (("Quantite", unit), ("Prix_Unitaire", f"{currency}/{unit}")):
            said = child(detail, path)
            if said is not None:
                yield Row(
                    prm,
                    "invoice",
                    None,
                    start,
                    end,
                    known_number(said, "invoice", line(detail)),
                    of_what,
                    code,
                    nature,
                    status,
                )
        for path in shape.of_line:
            text = child(one, path)
            if text is not None:
                yield Row(prm, "invoice", None, start, end, text, None, f"{code}/{path}", nature, status)
