"""Make the bills of this folder with libraries that we did not write: drafthorse (the XML, checked against its schema) and
factur-x (the PDF/A-3 it is attached to, checked again), in an environment of their own:

    python -m venv apart && apart/bin/pip install drafthorse==2025.2.0 factur-x==7.8 reportlab && apart/bin/python make.py
"""

import io
from datetime import date
from decimal import Decimal
from pathlib import Path

from drafthorse.models.accounting import ApplicableTradeTax
from drafthorse.models.document import Document
from drafthorse.models.party import TaxRegistration
from drafthorse.models.payment import PaymentTerms
from drafthorse.models.tradelines import LineItem
from facturx import generate_from_binary
from reportlab.pdfgen.canvas import Canvas

HERE = Path(__file__).parent
START, END = date(2026, 10, 1), date(2026, 10, 31)
# name, lines as (what, quantity, unit, price, point)
BILLS = {
    "one-point": [("Énergie", "2232", "KWH", "0.17500", "10000000000021"), ("Abonnement", "1", "C62", "21.30", "10000000000021")],
    "two-points": [
        ("Énergie, école", "2232", "KWH", "0.17500", "10000000000021"), ("Énergie, mairie", "4.90", "MWH", "175.00", "10000000000022"),
        ("Abonnement, mairie", "1", "C62", "30.00", "10000000000022"), ("Gestion", "1", "C62", "4.00", None),
    ],
}  # fmt: skip


def line(number: int, name: str, quantity: str, unit: str, price: str, point: str | None) -> LineItem:
    one = LineItem()
    one.document.line_id = str(number)
    one.product.name = name
    one.agreement.net.amount = Decimal(price)
    one.agreement.net.basis_quantity = (Decimal("1.0000"), unit)
    one.delivery.billed_quantity = (Decimal(quantity), unit)
    one.settlement.trade_tax.type_code = "VAT"
    one.settlement.trade_tax.category_code = "S"
    one.settlement.trade_tax.rate_applicable_percent = Decimal("20.00")
    one.settlement.period.start, one.settlement.period.end = START, END
    one.settlement.monetary_summation.total_amount = (Decimal(quantity) * Decimal(price)).quantize(
        Decimal("0.01")
    )
    if point is not None:
        said = one.settlement.additional_referenced_document
        said.issuer_assigned_id, said.type_code = point, "130"
    return one


def bill(number: str, lines: list[tuple]) -> bytes:
    doc = Document()
    doc.context.guideline_parameter.id = "urn:cen.eu:en16931:2017"
    doc.header.id, doc.header.type_code, doc.header.issue_date_time = number, "380", date(2026, 11, 9)
    seller, buyer = doc.trade.agreement.seller, doc.trade.agreement.buyer
    seller.name, seller.legal_organization.id = "Énergies du Berry", ("0002", "12345678200051")
    seller.address.country_id = buyer.address.country_id = "FR"
    seller.tax_registrations.add(TaxRegistration(id=("VA", "FR32123456782")))
    buyer.name = "Commune de Brévigny-sur-Sarelle"
    doc.trade.settlement.currency_code = "EUR"
    doc.trade.delivery.event.occurrence = END
    for at, one in enumerate(lines, 1):
        doc.trade.items.add(line(at, *one))
    without = sum((Decimal(q) * Decimal(p)).quantize(Decimal("0.01")) for _, q, _, p, _ in lines)
    vat = (without * Decimal("0.2")).quantize(Decimal("0.01"))
    tax = ApplicableTradeTax()
    tax.calculated_amount, tax.basis_amount, tax.type_code, tax.category_code = vat, without, "VAT", "S"
    tax.rate_applicable_percent = Decimal("20.00")
    doc.trade.settlement.trade_tax.add(tax)
    total = doc.trade.settlement.monetary_summation
    total.line_total, total.charge_total, total.allowance_total = without, Decimal("0.00"), Decimal("0.00")
    total.tax_basis_total, total.tax_total = without, (vat, "EUR")
    total.grand_total = total.due_amount = without + vat
    doc.trade.settlement.terms.add(PaymentTerms(due=date(2026, 12, 9)))
    return doc.serialize(schema="FACTUR-X_EN16931")


def page(words: str) -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out)
    canvas.drawString(72, 760, words)
    canvas.save()
    return out.getvalue()


for name, lines in BILLS.items():
    number = f"EB-2026-{name}"
    made = generate_from_binary(
        page(number),
        bill(number, lines),
        flavor="factur-x",
        level="en16931",
        check_xsd=True,
        check_schematron=False,
    )
    (HERE / f"{name}.pdf").write_bytes(made)
