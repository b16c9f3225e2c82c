"""From the rows of F12 and F15 to bills: one for each lot of a point, its lines, the energy it counts, and the tax it asks.

Neither flow carries an index. An energy is counted once: by the lines whose words say « soutirage » (the distributor's calendar), not
by those of a tax or of an injection that say the same kWh again.
"""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from itertools import pairwise

import msgspec

from beffroi.model.text import Text
from beffroi.services.energy.facturx import ElectronicBill, Line
from beffroi.services.energy.flows.row import Row

__all__ = ["NETWORK", "billed_energies", "network_bills"]

NETWORK = "Enedis"
_KWH = {"wh": 0.001, "kwh": 1.0, "mwh": 1000.0}
_EURO = "EUR"
_LOTS = ("Num_Sous_Lot", "Num_Valorisation")


class _Found(msgspec.Struct):
    """One line as its rows come: the amount first, then its quantity and price, then its words."""

    item: str
    start: str | None
    end: str | None
    amount: float
    quantity: float | None = None
    unit: str = ""
    price: float | None = None
    words: dict[str, str] = {}


class _Lot(msgspec.Struct):
    prm: str
    words: dict[str, str] = {}
    currency: str | None = None
    lines: list[_Found] = []


def network_bills(rows: Iterable[Row]) -> list[ElectronicBill]:
    """Return the bills of a flow, in its order."""
    return [_bill(lot) for lot in _lots(rows) if lot.lines]


def _lots(rows: Iterable[Row]) -> Iterator[_Lot]:
    lot: _Lot | None = None
    for row in rows:
        if row.kind != "invoice":
            continue
        name = row.class_ or ""
        begins = name == "Num_Facture" or (name in _LOTS and lot is not None and name in lot.words)
        if lot is None or begins or row.prm != lot.prm:
            if lot is not None:
                yield lot
            lot = _Lot(row.prm)
        if isinstance(row.value, str) and "/" in name and lot.lines:
            lot.lines[-1].words[name.partition("/")[2]] = row.value
        elif isinstance(row.value, str):
            lot.words[name] = row.value
        elif row.value is not None:
            _figure(lot, row, name, float(row.value))
    if lot is not None:
        yield lot


def _figure(lot: _Lot, row: Row, name: str, value: float) -> None:
    """Put an amount, a quantity or a price in its line; an amount, alone in being in the currency, begins one."""
    if not lot.lines:
        lot.currency = row.unit
    if row.unit == lot.currency:
        lot.lines.append(_Found(name, row.start, row.end, value))
    elif (row.unit or "").startswith(f"{lot.currency}/"):
        lot.lines[-1].price = value
    else:
        lot.lines[-1].quantity, lot.lines[-1].unit = value, row.unit or ""


def _bill(lot: _Lot) -> ElectronicBill:
    lines = tuple(_line(lot.prm, one) for one in lot.lines)
    notes = []
    if any(line.unit == "kWh" and not line.of_use for line in lines) and not any(x.of_use for x in lines):
        notes.append(
            Text("aucune ligne d'énergie ne dit « soutirage »", "no line of energy says 'soutirage'")
        )
    if not _tiles(lines):
        lines = tuple(msgspec.structs.replace(line, counted=False) for line in lines)
        notes.append(Text("ses périodes ne se suivent pas (une régularisation ?)", "its periods do not follow one another (a correction?)"))  # fmt: skip
    if any(line.vat is None for line in lines):
        notes.append(
            Text(
                "des lignes ne disent pas leur TVA : comptées sans", "some lines tell no VAT: counted without"
            )
        )
    if lot.currency != _EURO:
        notes.append(Text(f"en {lot.currency}, non en euros", f"in {lot.currency}, not in euros"))
    without = round(sum(line.amount for line in lines), 2)
    tax = round(sum(line.amount * (line.vat or 0.0) / 100 for line in lines), 2)
    dated = [x for x in lines if x.of_use and x.start and x.end] or [x for x in lines if x.start and x.end]
    number = lot.words.get("Num_Facture", "")
    own = next((lot.words[name] for name in _LOTS if name in lot.words), lot.prm)
    return ElectronicBill(
        f"{number} {own}".strip(), _day(lot.words.get("Date_Facture")), NETWORK, None, lot.currency or "", lines, without, tax, round(without + tax, 2),
        min((x.start for x in dated if x.start), default=None), max((x.end for x in dated if x.end), default=None), "Enedis", True,
        Text(" ; ".join(n.fr for n in notes), "; ".join(n.en for n in notes)) if notes else None,
    )  # fmt: skip


def _line(prm: str, one: _Found) -> Line:
    scale = _KWH.get(one.unit.lower())
    words = one.words.get("Libelle_EV", "")
    vat = one.words.get("Taux_TVA_Applicable", "").replace(",", ".")
    return Line(
        words or one.item, one.quantity if scale is None or one.quantity is None else one.quantity * scale, one.unit if scale is None else "kWh",
        one.price if scale is None or one.price is None else one.price / scale, one.amount, prm, _day(one.start), _day(one.end), one.item,
        float(vat) if vat.replace(".", "", 1).isdigit() else None, scale is not None and "soutirage" in words.lower(),
    )  # fmt: skip


def _day(said: str | None) -> date | None:
    try:
        return date.fromisoformat((said or "")[:10])
    except ValueError:
        return None


def _spans(lines: Iterable[Line]) -> list[tuple[date, date]]:
    return sorted({(x.start, x.end) for x in lines if x.of_use and x.start is not None and x.end is not None})


def _tiles(lines: Iterable[Line]) -> bool:
    """Return whether the periods of the lines that count energy follow one another, without hole or overlap."""
    spans = _spans(lines)
    return all(b[0] == a[1] + timedelta(days=1) for a, b in pairwise(spans))


def billed_energies(bill: ElectronicBill) -> list[tuple[date, date, float]]:
    """Return the energy (kWh) that a bill counts in each of its periods: first and last day, both included."""
    return [
        (
            start,
            end,
            sum(x.quantity or 0.0 for x in bill.lines if x.of_use and (x.start, x.end) == (start, end)),
        )
        for start, end in _spans(bill.lines)
    ]
