"""Compare bills with meters: the sums, the quantity, the price."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec
import numpy as np

from beffroi.model.instant import PARIS, from_datetime, to_datetime
from beffroi.model.principal import Principal
from beffroi.model.text import Text
from beffroi.services.energy.facturx import ElectronicBill, comma
from beffroi.services.energy.points import fluid_of_number, point_by_number, unit_of
from beffroi.services.energy.prices import price_of
from beffroi.services.energy.reading_back import days_of
from beffroi.store.record import Query, Row
from beffroi.town import Town

__all__ = ["Verdict", "disputed", "judge_again", "judge_bill", "measured_between", "midnight", "take_bill"]

_QUANTITY_TOLERANCE = 0.03  # of the quantity: a meter's own class and the hour of reading
_PRICE_TOLERANCE = 0.05
_COMPLETE = 0.97


class Verdict(msgspec.Struct, frozen=True):
    """`unknown`, `right`, `quantity`, `price` or `sum`, and why; what was measured, and the amount expected."""

    verdict: str
    why: Text
    measured: float | None = None
    expected: float | None = None


def measured_between(town: Town, point: Row, start: date, end: date) -> tuple[float, float]:
    """Return what a point used from one day to another (both included), and the share of those days that is known."""
    first, last = midnight(start), midnight(date.fromordinal(end.toordinal() + 1))
    found = days_of(town, point, first, last)
    known = np.isfinite(found.used)
    return float(found.used[known].sum()), float(known.mean()) if len(known) else 0.0


def midnight(day: date) -> int:
    """Return when a civil day begins."""
    return from_datetime(to_datetime(0).replace(year=day.year, month=day.month, day=day.day, tzinfo=PARIS))


def judge_bill(town: Town, point: Row | None, bill: ElectronicBill) -> Verdict:
    """Judge a bill by its sums, then by the meter, then by the price paid."""
    wrong = bill.wrong_sums()
    if wrong:
        return Verdict("sum", wrong[0], None, bill.recomputed)
    if bill.note is not None and bill.used is None:
        return Verdict("unknown", Text(f"Non comparable au compteur : {bill.note.fr}", f"Not to be compared with the meter: {bill.note.en}"))  # fmt: skip
    if bill.of_network and bill.used is None:
        return Verdict(
            "unknown", Text("Cette facture ne compte aucune énergie", "This bill counts no energy")
        )
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
                f"Le compteur n'est connu que {share * 100:.0f} % de la période",
                f"The meter is known for {share:.0%} of the period only",
            ),
            measured,
        )
    unit = unit_of(point)
    said = _of_quantity(bill.used, measured, unit)
    if said is not None:
        gap = bill.used - measured
        expected = bill.total - gap * bill.of_use / bill.used if bill.used else None
        return Verdict("quantity", said, measured, expected)
    if point.values["price"] is not None and not bill.of_network:
        price = price_of(point)
        if abs(bill.of_use - bill.used * price) > _PRICE_TOLERANCE * max(bill.used * price, 1.0):
            paid = bill.of_use / max(bill.used, 1.0)
            return Verdict(
                "price",
                Text(f"Facturé {comma(paid, 3)} €/{unit} toutes taxes comprises, hors abonnement ; le contrat dit {comma(price, 3)}",
                     f"Billed €{paid:.3f}/{unit} taxes included, without the standing charge; the contract says {price:.3f}"),
                measured, bill.total - bill.of_use + bill.used * price,
            )  # fmt: skip
    return Verdict(
        "right", Text("Le compteur et la facture s'accordent", "Meter and bill agree"), measured, bill.total
    )


def judge_again(town: Town, point: Row, who: Principal) -> int:
    """Compare with the meter the bills of a point that could not be judged: those whose days came late, those written by hand.

    Returns how many now are. Only their quantity is: what a bill written by hand asks besides the use is not told.
    """
    judged = 0
    unit = unit_of(point)
    for bill in list(
        town.store.records.all("energy_bill", Query(where={"point": point.id, "verdict": "unknown"}))
    ):
        v = bill.values
        if not v["quantity"] or v["start"] is None or v["end"] is None:
            continue
        measured, share = measured_between(town, point, _day(v["start"]), _day(v["end"]))
        if share < _COMPLETE:
            continue
        said = _of_quantity(v["quantity"], measured, unit)
        right = Text("Le compteur et la quantité facturée s'accordent", "Meter and quantity billed agree")
        why, asked = said or right, float(v["amount"] or 0.0)
        values = {
            "measured": measured, "verdict": "quantity" if said else "right", "why": why.fr, "why_en": why.en,
            "expected": round(asked - _follows(v, asked) * (1 - measured / v["quantity"]), 2) if said else asked,
        }  # fmt: skip
        town.store.records.put("energy_bill", values, id=bill.id, who=who, reason="Comparée au compteur")
        judged += 1
    return judged


def _follows(values: Mapping[str, Any], asked: float) -> float:
    """Return the euros of a bill that follow its quantity: all of them where it was written by hand."""
    return asked if values["of_use"] is None else float(values["of_use"])


def _day(said: object) -> date:
    return said if isinstance(said, date) else date.fromisoformat(str(said)[:10])


def _of_quantity(billed: float, measured: float, unit: str) -> Text | None:
    """Return how a quantity billed differs from the meter's, None when it does not."""
    gap = billed - measured
    if abs(gap) <= _QUANTITY_TOLERANCE * max(billed, 1.0):
        return None
    return Text(
        f"Facturé {billed:.0f} {unit}, mesuré {measured:.0f} {unit} ({gap / max(measured, 1) * 100:+.0f} %)",
        f"Billed {billed:.0f} {unit}, measured {measured:.0f} {unit} ({gap / max(measured, 1):+.0%})",
    )


def disputed(bill: Row) -> float:
    """Return the euros that a bill asks too much, 0 when it asks none."""
    amount, expected = bill.values["amount"], bill.values["expected"]
    wrong = bill.values["verdict"] in ("quantity", "price", "sum")
    return max(float(amount) - float(expected), 0.0) if wrong and amount and expected is not None else 0.0


def take_bill(
    town: Town, bill: ElectronicBill, who: Principal, territory: str | None, change_set: int | None = None
) -> list[Row]:
    """Keep a bill with its lines and its verdict; one of the same number is brought up to date.

    A bill of several delivery points is kept a row a point, each judged by its own meter; one whose sums are wrong stays whole.
    """
    parts = [bill] if bill.wrong_sums() else bill.by_point()
    return [
        _Taking(town, who, territory, change_set).take(
            part, f"{bill.number} {part.point}" if len(parts) > 1 else bill.number
        )
        for part in parts
    ]


class _Taking(msgspec.Struct, frozen=True):
    """For whom a bill is kept, and under which change."""

    town: Town
    who: Principal
    territory: str | None
    change_set: int | None

    def put(self, collection: str, values: dict[str, Any], number: int | None, territory: str | None) -> Row:
        """Write a record of the bill."""
        return self.town.store.records.put(
            collection, values, id=number, territory=territory, who=self.who, reason="Facture électronique", change_set=self.change_set,
        )  # fmt: skip

    def point(self, bill: ElectronicBill) -> Row | None:
        """Return the point that a bill names, made when it is not known: its meter may come later."""
        if not bill.point:
            return None
        known = point_by_number(self.town, bill.point)
        if known is not None:
            return known
        fluid = "water" if any(line.unit == "m³" for line in bill.lines) else fluid_of_number(bill.point)
        values = {"code": bill.point, "fluid": fluid}
        return self.put(
            "delivery_point",
            values if bill.of_network else values | {"supplier": bill.supplier},
            None,
            self.territory,
        )

    def take(self, bill: ElectronicBill, number: str) -> Row:
        """Keep one bill of one point."""
        point = self.point(bill)
        said = judge_bill(self.town, point, bill)
        values: dict[str, Any] = {
            "number": number, "kind": "network" if bill.of_network else "supplier", "point": point.id if point else None, "issued": bill.issued,
            "start": bill.start, "end": bill.end, "supplier": bill.supplier, "quantity": bill.used, "amount": round(bill.total, 2),
            "of_use": round(bill.of_use, 2), "measured": said.measured, "expected": None if said.expected is None else round(said.expected, 2),
            "verdict": said.verdict, "why": said.why.fr, "why_en": said.why.en,
        }  # fmt: skip
        place = point.territory if point else self.territory
        known = self.town.store.records.by_key("energy_bill", number, place)
        row = self.put("energy_bill", values, known.id if known else None, place)
        self.lines(row, bill, place)
        return row

    def lines(self, row: Row, bill: ElectronicBill, place: str | None) -> None:
        """Keep the lines of a bill, in its order; those that an earlier publication had beyond them go."""
        records, number = self.town.store.records, row.values["number"]
        known = {
            one.values["code"]: one.id
            for one in records.all("energy_bill_line", Query(where={"bill": row.id}))
        }
        for n, line in enumerate(bill.lines, 1):
            code = f"{number}#{n:04}"
            values = {
                "code": code, "bill": row.id, "point": row.values["point"], "item": line.item or None, "label": line.name[:300] or line.item or "–",
                "start": line.start, "end": line.end, "quantity": line.quantity, "unit": line.unit or None, "price": line.price,
                "amount": round(line.amount, 2), "vat": line.vat,
            }  # fmt: skip
            self.put("energy_bill_line", values, known.pop(code, None), place)
        for gone in known.values():
            records.delete(
                "energy_bill_line",
                gone,
                who=self.who,
                reason="Facture électronique",
                change_set=self.change_set,
            )
