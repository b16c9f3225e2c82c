"""A business case to compute: LED lanterns, with every kind of line."""

import copy
from typing import Any

import pytest

DOCUMENT: dict[str, Any] = {
    "title": {"fr": "Éclairage LED", "en": "LED lighting"}, "service": "equipment", "parameters": "fr-2025", "start": 2026, "years": 12,
    "prices": {"year": 2023, "deflators": {"2018": 1.116, "2010": 1.24}}, "compare": "fr-2019", "financial_rate": "4 %",
    "optimism": {"investment": 0.1},
    "hypotheses": {
        "lamps": {"title": "Points", "value": 1200, "low": 1100, "high": 1300, "unit": "points", "law": "uniform"},
        "price": {"value": "450,5", "low": 380, "high": 600, "unit": "€"},
        "saved": {"value": 280, "low": 200, "high": 320, "law": "normal", "bound": {"indicator": "led_share", "scale": 2}},
        "kwh": {"value": 0.18, "low": 0.12, "high": 0.25},
        "tonnes": {"value": 6e-5, "law": "fixed", "bound": {"datastream": "power", "statistic": "yearly"}},
    },
    "lines": [
        {"title": "Lanternes", "kind": "investment", "amount": "lamps * price", "accounts": ["21534*"], "function": "512"},
        {"title": "Entretien", "kind": "running", "amount": "max(lamps * 8, 5000)", "years": [2027, 2037], "growth": 0.02, "accounts": ["615232"]},
        {"title": "Agents", "kind": "staff", "amount": [12_000, "1 000", "1000,5"], "years": "2026-2028"},
        {"title": "Électricité", "kind": "avoided", "amount": "lamps * saved * kwh", "years": [2027, 2037]},
        {"title": "Carbone", "kind": "benefit", "amount": "lamps * saved * tonnes * carbon", "years": [2027, 2037]},
        {"title": "Chutes évitées", "kind": "benefit", "by": "usagers", "amount": "0.01 * light_injury"},
        {"title": "Tournées", "kind": "unreleased_time", "amount": 3_000},
        {"title": "Fonds vert", "kind": "transfer", "from": "etat", "to": "collectivite", "amount": {"2027": "lamps * 100", "2028": 0}, "years": [2027, 2028]},
        {"title": "Redevance", "kind": "transfer", "from": "usagers", "to": "collectivite", "amount": 500, "prices": 2018},
        {"title": "Reste", "kind": "residual", "amount": "price * lamps / (2 ** 3)"},
    ],
    "outputs": {"lamp": {"title": "par point", "amount": "lamps"}},
    "contracts": [
        {"form": "regie", "vat": 0.2, "fctva": 0.16404, "overrun": 0.15},
        {"form": "marche", "vat": 0.2, "fctva": 0.16404, "margin": 0.08, "overrun": 0.1, "risk_carried": 0.3, "management": 2_000, "exit_data": 5_000},
        {"form": "concession", "rate": 0.07, "margin": 0.1, "receipts": 500, "exit_data": 8_000, "exit_notice_months": 6},
        {"form": "marche_de_partenariat", "rate": 0.06, "margin": 0.1, "vat": 0.2, "fctva": 0.16404, "exit_equipment": 0.2},
        {"form": "logiciel_libre_mutualise", "vat": 0.2, "fctva": 0.16404, "shared": 0.7, "coordination": 1_500, "towns": 4},
    ],
}  # fmt: skip


@pytest.fixture
def document() -> dict[str, Any]:
    """Return the document, to be changed at will."""
    return copy.deepcopy(DOCUMENT)
