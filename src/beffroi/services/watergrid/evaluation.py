"""What the water service must prove: a business case to begin with, and the leaks it opened, counted.

Figures are estimates for a town of 5,000 inhabitants, said to be so: each is to be replaced by the town's own. What the open
leaks lose comes from the live series of the areas.
"""

from typing import Any

from beffroi.evaluation.outputs import records_between
from beffroi.model.declaration import Evaluation, UsefulOutput
from beffroi.model.text import Text

__all__ = ["EVALUATION"]

ESTIMATE = {
    "fr": "Estimation de la plateforme pour une commune de 5 000 habitants, à remplacer par vos devis",
    "en": "Estimate of the platform for a town of 5,000 inhabitants, to be replaced by your quotes",
}

LEAKS: dict[str, Any] = {
    "title": {"fr": "Réseau d'eau : trouver les fuites par la sectorisation", "en": "Water network: find leaks by metered areas"},
    "summary": {
        "fr": "Deux compteurs de secteur et quelques sondes de pression disent quand et où une fuite commence : elle coule des semaines de moins.",
        "en": "Two area meters and a few pressure sensors tell when and where a leak begins: it runs weeks less.",
    },
    "service": "watergrid", "parameters": "fr-2025", "start": 2026, "years": 12, "prices": {"year": 2023, "tax": "HT"}, "financial_rate": 0.04, "optimism": {"investment": 0.15},
    "hypotheses": {
        "leaks": {"title": {"fr": "Fuites nouvelles par an", "en": "New leaks a year"}, "value": 9, "low": 5, "high": 14, "unit": {"fr": "fuites", "en": "leaks"}, "source": ESTIMATE},
        "volume": {"title": {"fr": "Perte des fuites ouvertes", "en": "Loss of the open leaks"}, "value": 80, "low": 40, "high": 180, "unit": "m³/j", "source": ESTIMATE,
                   "bound": {"indicator": "leak_volume", "days": 30}},
        "weeks": {"title": {"fr": "Jours gagnés sur chaque fuite", "en": "Days gained on each leak"}, "value": 45, "low": 20, "high": 80, "unit": {"fr": "jours", "en": "days"}, "source": ESTIMATE},
        "price": {"title": {"fr": "Coût d'un m³ perdu", "en": "Cost of a lost m³"}, "value": 0.8, "low": 0.4, "high": 1.4, "unit": "€/m³", "source": {"fr": "Prix de revient de l'eau mise en distribution, estimation", "en": "Cost price of the water put into supply, estimate"}},
        "searches": {"title": {"fr": "Jours de recherche épargnés par fuite", "en": "Days of search spared by leak"}, "value": 1.0, "low": 0.3, "high": 2.0, "unit": {"fr": "jours", "en": "days"}, "source": ESTIMATE},
    },
    "lines": [
        {"title": {"fr": "Compteurs de secteur et sondes, posés", "en": "Area meters and sensors, fitted"}, "kind": "investment", "amount": 18000, "accounts": ["21531"], "function": "733", "source": ESTIMATE},
        {"title": {"fr": "Réseau radio et entretien", "en": "Radio network and upkeep"}, "kind": "running", "amount": 1500, "accounts": ["6156"], "function": "733", "source": ESTIMATE},
        {"title": {"fr": "Suivi par la régie", "en": "Follow-up by the staff"}, "kind": "staff", "amount": "36 * 32", "source": {"fr": "36 heures par an à 32 € de coût complet, estimation", "en": "36 hours a year at €32 of full cost, estimate"}},
        {"title": {"fr": "Eau non perdue", "en": "Water not lost"}, "kind": "avoided", "amount": "leaks * volume / 2 * weeks * price", "accounts": [], "source": {"fr": "Fuites par an × moitié de la perte ouverte × jours gagnés × prix", "en": "Leaks a year × half of the open loss × days gained × price"}},
        {"title": {"fr": "Recherches épargnées", "en": "Searches spared"}, "kind": "unreleased_time", "amount": "leaks * searches * 7 * 32", "source": {"fr": "Aucun poste n'est supprimé", "en": "No post is cut"}},
        {"title": {"fr": "Aide de l'agence de l'eau", "en": "Grant of the water agency"}, "kind": "transfer", "from": "etat", "to": "collectivite", "amount": 7000, "years": 2026, "source": ESTIMATE},
    ],
    "outputs": {"leak": {"title": {"fr": "par fuite trouvée", "en": "a leak found"}, "amount": "leaks"}},
    "contracts": [
        {"form": "regie", "vat": 0.2, "fctva": 0.16404, "overrun": 0.15, "source": ESTIMATE},
        {"form": "marche", "vat": 0.2, "fctva": 0.16404, "margin": 0.2, "overrun": 0.1, "risk_carried": 0.4, "management": 800, "exit_data": 4000, "exit_equipment": 0.3, "source": ESTIMATE},
        {"form": "logiciel_libre_mutualise", "vat": 0.2, "fctva": 0.16404, "overrun": 0.15, "shared": 0.3, "towns": 4, "coordination": 300, "source": ESTIMATE},
    ],
}  # fmt: skip


EVALUATION = Evaluation(
    cases=(LEAKS,),
    outputs=(
        UsefulOutput(Text("fuite détectée", "leak detected"), records_between("water_leak", "detected")),
    ),
)
