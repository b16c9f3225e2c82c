"""Compare bills with meters: the sums, the quantity, the price."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec
import numpy as np

from beffroi.model.instant import PARIS, from_datetime, to_datetime
from beffroi.model.principal import Principal
from beffroi.model.text import Text
from beffroi.services.energy.facturx import ElectronicBill
from beffroi.services.energy.points import point_by_number, unit_of
from beffroi.services.energy.reading_back import days_of
from beffroi.services.energy.studying import price_of
from beffroi.store.record import Row
from beffroi.town import Town

__all__ = ["Verdict", "judge_bill", "judge_index", "measured_between", "take_bill"]

_QUANTITY_TOLERANCE = 0.03  # of the quantity: a meter's own class and the hour of reading
_PRICE_TOLERANCE = 0.05
_COMPLETE = 0.97


class Verdict(msgspec.Struct, frozen=True):
    """`unknown`, `right`, `quantity`, `price` or `sum`, and why; what was measured, and the amount expected."""

    verdict: str
    why: Text
    measured: float | None = None
    expected: float | None = None


def judge_index(before: float, after: float, prices: Sequence[tuple[float, float]], billed: float) -> Verdict:
    """Judge an amount by index times tariff: `prices` are (quantity share, unit price) pairs that add up to 1, or one (1, price)."""
    used = after - before
    expected = sum(used * share * price for share, price in prices)
    if used < 0:
        return Verdict("quantity", Text("L'index recule", "The index goes back"), used, None)
    if abs(billed - expected) <= max(0.02, _PRICE_TOLERANCE * abs(expected)):
        return Verdict(
            "right",
            Text("L'index et le tarif donnent ce montant", "Index and tariff make this amount"),
            used,
            expected,
        )
    return Verdict(
        "price",
        Text(
            f"Attendu {expected:.2f} €, facturé {billed:.2f} €",
            f"Expected €{expected:.2f}, billed €{billed:.2f}",
        ),
        used,
        expected,
    )


def measured_between(town: Town, point: Row, start: date, end: date) -> tuple[float, float]:
    """Return what a point used from one day to another (both included), and the share of those days that is known."""
    first, last = _midnight(start), _midnight(date.fromordinal(end.toordinal() + 1))
    found = days_of(town, point, first, last)
    known = np.isfinite(found.used)
    return float(found.used[known].sum()), float(known.mean()) if len(known) else 0.0


def _midnight(day: date) -> int:
    return from_datetime(to_datetime(0).replace(year=day.year, month=day.month, day=day.day, tzinfo=PARIS))


def judge_bill(town: Town, point: Row | None, bill: ElectronicBill) -> Verdict:
    """Judge a bill by its sums, then by the meter, then by the price paid."""
    wrong = bill.wrong_sums()
    if wrong:
        return Verdict("sum", wrong[0])
    if point is None or bill.used is None or bill.start is None or bill.end is None:
        return Verdict(
            "unknown",
            Text(
                "La facture ne dit pas le point, la quantité ou la période",
                "The bill tells no point, quantity or period",
            ),
        )
    measured, share = measured_between(town, point, bill.start, bill.end)
    if share < _COMPLETE:
        return Verdict(
            "unknown",
            Text(
                f"Le compteur n'est connu que {share:.0%} de la période",
                f"The meter is known for {share:.0%} of the period only",
            ),
            measured,
        )
    unit = unit_of(point)
    if abs(measured - bill.used) > _QUANTITY_TOLERANCE * max(bill.used, 1.0):
        return Verdict(
            "quantity",
            Text(f"Facturé {bill.used:.0f} {unit}, mesuré {measured:.0f} {unit}", f"Billed {bill.used:.0f} {unit}, measured {measured:.0f} {unit}"),
            measured, measured * bill.total / bill.used if bill.used else None,
        )  # fmt: skip
    if point.values["price"] is not None:
        expected = measured * price_of(point)
        if abs(bill.total - expected) > _PRICE_TOLERANCE * max(expected, 1.0):
            return Verdict(
                "price",
                Text(
                    f"Attendu {expected:.2f} €, facturé {bill.total:.2f} €",
                    f"Expected €{expected:.2f}, billed €{bill.total:.2f}",
                ),
                measured,
                expected,
            )
    return Verdict(
        "right", Text("Le compteur et la facture s'accordent", "Meter and bill agree"), measured, bill.total
    )


def take_bill(town: Town, bill: ElectronicBill, who: Principal, territory: str | None) -> Row:
    """Keep a bill with its verdict; one of the same number is brought up to date."""
    number = next((line.point for line in bill.lines if line.point), None)
    point = point_by_number(town, number) if number else None
    said = judge_bill(town, point, bill)
    values: dict[str, Any] = {
        "number": bill.number, "point": point.id if point else None, "issued": bill.issued, "start": bill.start, "end": bill.end,
        "supplier": bill.supplier, "quantity": bill.used, "amount": bill.total, "measured": said.measured, "expected": said.expected,
        "verdict": said.verdict, "why": said.why.fr,
    }  # fmt: skip
    place = point.territory if point else territory
    known = town.store.records.by_key("energy_bill", bill.number, place)
    return town.store.records.put(
        "energy_bill",
        values,
        id=known.id if known else None,
        territory=place,
        who=who,
        reason="Facture électronique",
    )
