"""What the energy service must prove: a business case whose benefits are read from the meters, and what it is for, counted.

Figures are estimates for a town of 5,000 inhabitants, said to be so; those bound to an indicator are the town's own.
"""

from typing import Any

from beffroi.evaluation.outputs import records_between
from beffroi.model.declaration import Evaluation, UsefulOutput
from beffroi.model.text import Text

__all__ = ["EVALUATION"]

ESTIMATE = {
    "fr": "Estimation de la plateforme pour une commune de 5 000 habitants, à remplacer par vos comptes",
    "en": "Estimate of the platform for a town of 5,000 inhabitants, to be replaced by your accounts",
}

BUILDINGS: dict[str, Any] = {
    "title": {"fr": "Énergie des bâtiments : voir et éteindre ce qui est gaspillé", "en": "Energy of buildings: see and stop what is wasted"},
    "summary": {
        "fr": "Suivre les compteurs communicants, régler ce qui tourne la nuit et les jours fermés, mesurer ce que les travaux épargnent.",
        "en": "Follow the smart meters, adjust what runs at night and on closed days, measure what works save.",
    },
    "service": "energy", "parameters": "fr-2025", "start": 2026, "years": 8, "prices": {"year": 2023, "tax": "TTC"}, "financial_rate": 0.04, "optimism": {"investment": 0.15},
    "hypotheses": {
        "points": {"title": {"fr": "Compteurs suivis", "en": "Meters followed"}, "value": 24, "low": 15, "high": 40, "unit": {"fr": "compteurs", "en": "meters"}, "source": {"fr": "Inventaire de la commune", "en": "Inventory of the town"}},
        "wasted": {"title": {"fr": "Gaspillage constaté par les compteurs", "en": "Waste found by the meters"}, "value": 9000, "low": 4000, "high": 15000, "unit": {"fr": "€/an", "en": "€/year"}, "source": ESTIMATE,
                   "bound": {"indicator": "energy_waste", "days": 30}},
        "stopped": {"title": {"fr": "Part que les réglages arrêtent", "en": "Share that adjustments stop"}, "value": 0.4, "low": 0.2, "high": 0.6, "source": ESTIMATE},
        "saved_kwh": {"title": {"fr": "Énergie épargnée par les travaux, mesurée", "en": "Energy saved by works, measured"}, "value": 5000, "low": 2000, "high": 9000, "unit": {"fr": "kWh/an", "en": "kWh/year"}, "source": ESTIMATE,
                      "bound": {"indicator": "energy_saved", "days": 30}},
        "complete": {"title": {"fr": "Part des jours reçus", "en": "Share of days received"}, "value": 0.95, "low": 0.8, "high": 0.99, "source": ESTIMATE,
                     "bound": {"indicator": "energy_completeness", "scale": 0.01, "days": 30}},
        "kwh": {"title": {"fr": "Prix du kWh", "en": "Price of a kWh"}, "value": 0.2, "low": 0.14, "high": 0.28, "unit": "€/kWh", "source": ESTIMATE},
        "works": {"title": {"fr": "Prix des travaux mesurés", "en": "Price of the works measured"}, "value": 18400, "low": 15000, "high": 24000, "unit": "€", "source": ESTIMATE},
    },
    "lines": [
        {"title": {"fr": "Rattacher les compteurs, écrire les prix", "en": "Attach the meters, write the prices"}, "kind": "investment", "amount": "points * 30", "accounts": ["2051"], "source": {"fr": "Une heure par compteur", "en": "An hour a meter"}},
        {"title": {"fr": "Travaux mesurés", "en": "Works measured"}, "kind": "investment", "amount": "works", "accounts": ["21351"], "source": ESTIMATE},
        {"title": {"fr": "Suivi par un agent", "en": "Follow-up by an agent"}, "kind": "staff", "amount": "60 * 32", "source": {"fr": "60 heures par an à 32 € de coût complet, estimation", "en": "60 hours a year at €32 of full cost, estimate"}},
        {"title": {"fr": "Gaspillage arrêté", "en": "Waste stopped"}, "kind": "avoided", "amount": "complete * wasted * stopped", "years": [2027, 2033], "accounts": [], "source": {"fr": "Constats des compteurs × part arrêtée", "en": "Findings of the meters × share stopped"}},
        {"title": {"fr": "Énergie épargnée par les travaux", "en": "Energy saved by the works"}, "kind": "avoided", "amount": "saved_kwh * kwh", "years": [2027, 2033], "accounts": [], "source": {"fr": "Mesure IPMVP C × prix payé", "en": "IPMVP C measurement × price paid"}},
    ],
    "outputs": {"point": {"title": {"fr": "par compteur et par an", "en": "a meter a year"}, "amount": "points"}},
    "contracts": [
        {"form": "regie", "vat": 0.2, "fctva": 0.16404, "overrun": 0.15, "source": ESTIMATE},
        {"form": "marche", "vat": 0.2, "fctva": 0.16404, "margin": 0.15, "overrun": 0.12, "risk_carried": 0.4, "management": 1200, "exit_data": 2500, "source": ESTIMATE},
        {"form": "logiciel_libre_mutualise", "vat": 0.2, "fctva": 0.16404, "overrun": 0.15, "shared": 0.2, "towns": 6, "coordination": 300, "source": ESTIMATE},
    ],
}  # fmt: skip


EVALUATION = Evaluation(
    cases=(BUILDINGS,),
    outputs=(
        UsefulOutput(Text("gaspillage arrêté", "waste stopped"), records_between("energy_finding", "_updated", state="closed")),
        UsefulOutput(Text("facture contrôlée", "bill checked"), records_between("energy_bill", "_created", verdict=("right", "quantity", "price", "sum"))),
    ),
)  # fmt: skip
