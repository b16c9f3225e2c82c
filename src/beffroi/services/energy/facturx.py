"""Suppliers' electronic bills: Factur-X (a PDF with its XML), or the XML alone (UN/CEFACT Cross Industry Invoice, D16B).

Only what an energy bill is checked by is read: who, when, the metering point of each line (BT-128, scheme or text), its period,
quantity, unit, price and amount, the taxes and the totals.
"""

from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["ElectronicBill", "Line", "comma", "read_bill"]

_RSM = "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"
_NAMES = {
    "rsm": _RSM, "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    "udt": "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100",
}  # fmt: skip
_ATTACHED = ("factur-x.xml", "zugferd-invoice.xml", "xrechnung.xml", "order-x.xml")
_UNITS = {
    "KWH": ("kWh", 1.0),
    "MWH": ("kWh", 1000.0),
    "MTQ": ("m³", 1.0),
    "WHR": ("kWh", 0.001),
}  # UN/ECE Rec 20
_LARGEST = 20_000_000
_SETTLED = "rsm:SupplyChainTradeTransaction/ram:ApplicableHeaderTradeSettlement"


def comma(value: float, decimals: int | None = 2) -> str:
    """Return a number as French writes it; `decimals` None: as many as it has."""
    return (f"{value:.10g}" if decimals is None else f"{value:.{decimals}f}").replace(".", ",")


class Line(msgspec.Struct, frozen=True):
    """One line: what, how much of what unit (kWh and m³ made so), at what price, for how much without tax."""

    name: str
    quantity: float | None
    unit: str
    price: float | None
    amount: float
    point: str | None
    start: date | None
    end: date | None
    item: str = ""  # its code, where the bill gives one
    vat: float | None = None  # %
    counted: bool = True  # False: says again, for a tax, an energy that another line counts

    @property
    def of_use(self) -> bool:
        """True when the line counts energy or water."""
        return self.counted and self.unit in ("kWh", "m³")


class ElectronicBill(msgspec.Struct, frozen=True):
    """A bill as its XML tells it; euros."""

    number: str
    issued: date | None
    supplier: str
    supplier_siret: str | None
    currency: str
    lines: tuple[Line, ...]
    without_tax: float
    tax: float
    total: float
    start: date | None
    end: date | None
    profile: str
    of_network: bool = False  # the network's bill (F12, F15), which the supplier's own bill asks again
    note: Text | None = None  # what of it could not be reckoned with

    def wrong_sums(self) -> list[Text]:
        """Return where the bill does not add up, to the cent a line."""
        found = []
        of_lines = sum(line.amount for line in self.lines)
        if self.lines and abs(of_lines - self.without_tax) > 0.01 * (len(self.lines) + 1):
            found.append(Text(f"Les lignes font {comma(of_lines)} €, le total hors taxe {comma(self.without_tax)} €",
                              f"The lines make €{of_lines:.2f}, the total without tax €{self.without_tax:.2f}"))  # fmt: skip
        if abs(self.without_tax + self.tax - self.total) > 0.02:
            found.append(Text(f"Hors taxe et taxes font {comma(self.without_tax + self.tax)} €, le total {comma(self.total)} €",
                              f"Without tax and taxes make €{self.without_tax + self.tax:.2f}, the total €{self.total:.2f}"))  # fmt: skip
        found += [
            Text(
                f"« {line.name} » : {comma(line.quantity, None)} × {comma(line.price, None)} ne font pas {comma(line.amount)} €",
                f"'{line.name}': {line.quantity:g} × {line.price:g} do not make €{line.amount:.2f}",
            )
            for line in self.lines
            if line.quantity is not None
            and line.price is not None
            and abs(line.quantity * line.price - line.amount) > max(0.02, 0.0005 * abs(line.amount))
        ]
        return found

    @property
    def recomputed(self) -> float:
        """What the bill should ask, were its lines right: quantity times price of each, with its own rate of tax."""
        lines = sum(
            line.quantity * line.price
            if line.quantity is not None and line.price is not None
            else line.amount
            for line in self.lines
        )
        return (lines or self.without_tax) * (1 + self.tax / self.without_tax if self.without_tax else 1)

    @property
    def of_use(self) -> float:
        """The euros with tax of the lines that count energy or water: the whole bill, less what is asked whatever the use."""
        lines = sum(line.amount for line in self.lines if line.of_use)
        return lines * self.total / self.without_tax if self.without_tax else lines

    @property
    def point(self) -> str | None:
        """The metering point of the first line that names one."""
        return next((line.point for line in self.lines if line.point), None)

    def by_point(self) -> "list[ElectronicBill]":
        """Return the bill cut by metering point, tax shared by the amounts; itself when its lines name one point, or none.

        Lines that name no point (a fee for all) are left with the first.
        """
        points = list(dict.fromkeys(line.point for line in self.lines if line.point))
        if len(points) < 2:
            return [self]
        found = []
        for point in points:
            mine = tuple(
                line for line in self.lines if line.point == point or (not line.point and point == points[0])
            )
            without = sum(line.amount for line in mine)
            tax = self.tax * without / self.without_tax if self.without_tax else 0.0
            starts, ends = [x.start for x in mine if x.start], [x.end for x in mine if x.end]
            found.append(msgspec.structs.replace(
                self, lines=mine, without_tax=without, tax=tax, total=without + tax,
                start=min(starts, default=self.start), end=max(ends, default=self.end),
            ))  # fmt: skip
        return found

    @property
    def used(self) -> float | None:
        """The energy (kWh) or water (m³) of all lines, None when no line counts any."""
        counted = [line.quantity for line in self.lines if line.of_use and line.quantity is not None]
        return sum(counted) if counted else None


def read_bill(path: Path) -> ElectronicBill:
    """Read a bill. Raises `Problem` when the file is none, or lacks what a bill must say."""
    data = path.read_bytes()
    if len(data) > _LARGEST:
        raise Problem(
            Text("Ce fichier est trop lourd", "This file is too heavy"),
            Text("Donnez moins de 20 Mo.", "Give less than 20 MB."),
            path.name,
        )
    return _read(_xml_of(data, path.name))


def _xml_of(data: bytes, name: str) -> bytes:
    if not data.startswith(b"%PDF"):
        return data
    try:
        from pypdf import PdfReader  # noqa: PLC0415 -- of the extra [energy]
        from pypdf.errors import PyPdfError  # noqa: PLC0415
    except ImportError as error:
        raise _extra() from error
    import io  # noqa: PLC0415

    try:
        attached = {n.lower(): files for n, files in PdfReader(io.BytesIO(data)).attachments.items()}
    except (PyPdfError, ValueError, KeyError, OSError) as error:
        raise Problem(
            Text("Ce PDF ne se lit pas", "This PDF cannot be read"),
            Text("Redemandez la facture.", "Ask for the bill again."),
            name,
        ) from error
    for wanted in _ATTACHED:
        if attached.get(wanted):
            return bytes(attached[wanted][0])
    raise Problem(
        Text("Ce PDF n'est pas une Factur-X : aucun fichier XML n'y est joint", "This PDF is no Factur-X: no XML file is attached to it"),
        Text("Demandez au fournisseur la facture électronique, ou écrivez-la dans le formulaire.",
             "Ask the supplier for the electronic bill, or write it into the form."),
        name,
    )  # fmt: skip


def _extra() -> Problem:
    return Problem(
        Text(
            "Les factures électroniques demandent l'extra « energy ».",
            "Electronic bills need the extra 'energy'.",
        ),
        Text('Installez-le : pip install "beffroi[energy]".', 'Install it: pip install "beffroi[energy]".'),
        status=503,
    )


def _read(xml: bytes) -> ElectronicBill:
    try:
        from lxml import etree  # noqa: PLC0415 -- of the extra [energy]
    except ImportError as error:
        raise _extra() from error
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(xml, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        lines = getattr(error, "lineno", 1) or 1
        raise Problem(
            Text("La facture n'est pas du XML, ou elle est coupée", "The bill is not XML, or is cut"),
            Text("Redemandez-la au fournisseur.", "Ask the supplier for it again."), f"line {lines}",
        ) from error  # fmt: skip
    if root.tag != f"{{{_RSM}}}CrossIndustryInvoice":
        raise Problem(
            Text("Ce XML n'est pas une facture CII", "This XML is no CII invoice"),
            Text(
                "Beffroi lit Factur-X et CII D16B ; demandez ce format.",
                "Beffroi reads Factur-X and CII D16B; ask for that format.",
            ),
            f"line {root.sourceline}",
        )
    header = f"{_SETTLED}/ram:SpecifiedTradeSettlementHeaderMonetarySummation"
    seller = "rsm:SupplyChainTradeTransaction/ram:ApplicableHeaderTradeAgreement/ram:SellerTradeParty"
    lines = tuple(
        _line(one)
        for one in root.iterfind(
            "rsm:SupplyChainTradeTransaction/ram:IncludedSupplyChainTradeLineItem", _NAMES
        )
    )
    taxes = [_money(one.text, one) for one in root.iterfind(f"{header}/ram:TaxTotalAmount", _NAMES)]
    start, end = _period(root, f"{_SETTLED}/ram:BillingSpecifiedPeriod")
    starts, ends = [line.start for line in lines if line.start], [line.end for line in lines if line.end]
    return ElectronicBill(
        _need(root, "rsm:ExchangedDocument/ram:ID"), _day(root, "rsm:ExchangedDocument/ram:IssueDateTime/udt:DateTimeString"),
        _need(root, f"{seller}/ram:Name"), _text(root, f"{seller}/ram:SpecifiedLegalOrganization/ram:ID"),
        _need(root, f"{_SETTLED}/ram:InvoiceCurrencyCode"), lines, _amount(root, f"{header}/ram:TaxBasisTotalAmount"),
        taxes[0] if taxes else 0.0, _amount(root, f"{header}/ram:GrandTotalAmount"), start or min(starts, default=None), end or max(ends, default=None),
        _text(root, "rsm:ExchangedDocumentContext/ram:GuidelineSpecifiedDocumentContextParameter/ram:ID") or "",
    )  # fmt: skip


def _line(one: Any) -> Line:
    settled = "ram:SpecifiedLineTradeSettlement"
    quantity = one.find("ram:SpecifiedLineTradeDelivery/ram:BilledQuantity", _NAMES)
    price = one.find("ram:SpecifiedLineTradeAgreement/ram:NetPriceProductTradePrice/ram:ChargeAmount", _NAMES)
    code = quantity.get("unitCode", "") if quantity is not None else ""
    unit, scale = _UNITS.get(code, (code, 1.0))
    start, end = _period(one, f"{settled}/ram:BillingSpecifiedPeriod")
    point = _text(one, f"{settled}/ram:AdditionalReferencedDocument/ram:IssuerAssignedID")
    return Line(
        _text(one, "ram:SpecifiedTradeProduct/ram:Name") or "", None if quantity is None else _money(quantity.text, quantity) * scale, unit,
        None if price is None else _money(price.text, price) / scale / _basis(one),
        _amount(one, f"{settled}/ram:SpecifiedTradeSettlementLineMonetarySummation/ram:LineTotalAmount"),
        "".join(ch for ch in point if ch.isalnum()) if point else None, start, end,
    )  # fmt: skip


def _basis(one: Any) -> float:
    """Return for how many units a line's price is (BT-149): 1 when it does not say, or says none."""
    said = one.find("ram:SpecifiedLineTradeAgreement/ram:NetPriceProductTradePrice/ram:BasisQuantity", _NAMES)
    return (_money(said.text, said) if said is not None else 1.0) or 1.0


def _text(element: Any, path: str) -> str | None:
    found = element.findtext(path, namespaces=_NAMES)
    return found.strip() or None if found else None


def _need(element: Any, path: str) -> str:
    text = _text(element, path)
    if text is None:
        name = path.rpartition(":")[2]
        raise Problem(
            Text(f"La facture ne dit pas « {name} »", f"The bill does not say '{name}'"),
            Text("Demandez au fournisseur une facture conforme.", "Ask the supplier for a conforming bill."), f"line {element.sourceline}",
        )  # fmt: skip
    return text


def _money(said: str | None, element: Any) -> float:
    try:
        value = Decimal((said or "").strip())
        if value.is_finite():
            return float(value)
    except InvalidOperation:
        pass
    raise Problem(
        Text(f"« {said or ''} » n'est pas un montant", f"'{said or ''}' is no amount"),
        Text("Demandez au fournisseur une facture conforme.", "Ask the supplier for a conforming bill."), f"line {element.sourceline}",
    )  # fmt: skip


def _amount(element: Any, path: str) -> float:
    return _money(_need(element, path), element)


def _period(element: Any, path: str) -> tuple[date | None, date | None]:
    return _day(element, f"{path}/ram:StartDateTime/udt:DateTimeString"), _day(
        element, f"{path}/ram:EndDateTime/udt:DateTimeString"
    )


def _day(element: Any, path: str) -> date | None:
    """Return a date in format 102 (20260630)."""
    text = _text(element, path)
    if text is None:
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError as error:
        raise Problem(
            Text(f"« {text} » n'est pas une date", f"'{text}' is not a date"),
            Text("Une date s'écrit 20260630 (format 102).", "A date is written 20260630 (format 102)."), f"line {element.sourceline}",
        ) from error  # fmt: skip
