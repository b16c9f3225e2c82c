"""What the works service must prove: fewer drivers caught by a closed road, declarations answered in time.

Figures are estimates for a town of 5,000 inhabitants, said to be so; how many orders are published, how many declarations come
in and how many are answered in time come from the registers.
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

REGISTER: dict[str, Any] = {
    "title": {"fr": "Travaux : arrêtés lus par les navigateurs, DT-DICT à temps", "en": "Works: orders that navigators read, declarations in time"},
    "summary": {
        "fr": "Chaque arrêté paraît aussitôt sur la carte et chez les navigateurs ; chaque DT-DICT a son plan, son récépissé et son délai.",
        "en": "Each order shows at once on the map and in navigators; each declaration has its plan, its receipt and its clock.",
    },
    "service": "works", "parameters": "fr-2025", "start": 2026, "years": 8, "prices": {"year": 2023, "tax": "HT"}, "financial_rate": 0.04, "optimism": {"investment": 0.15},
    "hypotheses": {
        "orders": {"title": {"fr": "Arrêtés publiés, à tout moment du mois", "en": "Orders published, at any time of the month"}, "value": 5, "low": 2, "high": 9, "unit": {"fr": "arrêtés", "en": "orders"}, "source": ESTIMATE,
                   "bound": {"indicator": "works_published", "days": 30}},
        "drivers": {"title": {"fr": "Conducteurs prévenus par arrêté", "en": "Drivers warned by an order"}, "value": 120, "low": 40, "high": 300, "unit": {"fr": "conducteurs", "en": "drivers"}, "source": ESTIMATE},
        "minutes": {"title": {"fr": "Minutes gagnées par conducteur prévenu", "en": "Minutes gained by a warned driver"}, "value": 3, "low": 1, "high": 6, "unit": "min", "source": ESTIMATE},
        "hour_worth": {"title": {"fr": "Ce que vaut une heure de déplacement", "en": "What an hour of travel is worth"}, "value": 12, "low": 8, "high": 17, "unit": "€", "source": {"fr": "10 € de 2010 par heure (DGITM, à vérifier), actualisés", "en": "€10 of 2010 an hour (DGITM, to be checked), brought up to date"}},
        "declared": {"title": {"fr": "DT-DICT par an", "en": "Works declarations a year"}, "value": 110, "low": 60, "high": 220, "unit": {"fr": "par an", "en": "a year"}, "source": ESTIMATE,
                     "bound": {"indicator": "works_declared", "statistic": "yearly", "days": 90}},
        "in_time": {"title": {"fr": "Part répondue à temps", "en": "Share answered in time"}, "value": 0.98, "low": 0.9, "high": 1.0, "source": {"fr": "Engagement de service", "en": "Promise of the service"},
                    "bound": {"indicator": "works_in_time", "scale": 0.01, "days": 90}},
        "spared": {"title": {"fr": "Temps gagné par récépissé", "en": "Time gained by a receipt"}, "value": 25, "low": 10, "high": 40, "unit": "min", "source": {"fr": "Plan découpé et récépissé préparés, estimation", "en": "Plan cut out and receipt prepared, estimate"}},
        "hit": {"title": {"fr": "Réseaux touchés évités, par déclaration répondue à temps", "en": "Networks hit avoided, by declaration answered in time"}, "value": 0.002, "low": 0.0, "high": 0.006, "source": ESTIMATE},
        "hit_cost": {"title": {"fr": "Coût d'un réseau d'éclairage touché", "en": "Cost of a lighting network that is hit"}, "value": 2200, "low": 900, "high": 6000, "unit": "€", "source": ESTIMATE},
    },
    "lines": [
        {"title": {"fr": "Mise en service et formation", "en": "Start-up and training"}, "kind": "investment", "amount": "24 * 32 + 600", "accounts": ["2051"], "function": "845", "source": ESTIMATE},
        {"title": {"fr": "Hébergement et maintenance", "en": "Hosting and maintenance"}, "kind": "running", "amount": 350, "accounts": ["6156"], "function": "845", "source": ESTIMATE},
        {"title": {"fr": "Tenue des registres", "en": "Keeping the registers"}, "kind": "staff", "amount": "12 * 32", "source": {"fr": "12 heures par an à 32 € de coût complet, estimation", "en": "12 hours a year at €32 of full cost, estimate"}},
        {"title": {"fr": "Détours évités", "en": "Detours avoided"}, "kind": "benefit", "by": "usagers", "amount": "orders * 12 * drivers * minutes / 60 * hour_worth", "source": {"fr": "Arrêtés × conducteurs × minutes × valeur de l'heure", "en": "Orders × drivers × minutes × worth of an hour"}},
        {"title": {"fr": "Réseaux touchés évités", "en": "Networks hit avoided"}, "kind": "avoided", "amount": "declared * in_time * hit * hit_cost", "accounts": ["61523"], "source": ESTIMATE},
        {"title": {"fr": "Temps gagné au bureau", "en": "Time gained at the desk"}, "kind": "unreleased_time", "amount": "declared * spared / 60 * 32", "source": {"fr": "Aucun poste n'est supprimé", "en": "No post is cut"}},
    ],
    "outputs": {"declaration": {"title": {"fr": "par déclaration", "en": "a declaration"}, "amount": "declared"}},
    "contracts": [
        {"form": "regie", "vat": 0.2, "fctva": 0.16404, "overrun": 0.15, "source": ESTIMATE},
        {"form": "marche", "vat": 0.2, "margin": 0.3, "overrun": 0.1, "risk_carried": 0.5, "management": 300, "exit_data": 2000, "exit_equipment": 1.0, "exit_notice_months": 3, "source": ESTIMATE},
        {"form": "logiciel_libre_mutualise", "vat": 0.2, "fctva": 0.16404, "overrun": 0.15, "shared": 0.3, "towns": 8, "coordination": 80, "source": ESTIMATE},
    ],
}  # fmt: skip


EVALUATION = Evaluation(
    cases=(REGISTER,),
    outputs=(UsefulOutput(Text("déclaration répondue", "declaration answered"), records_between("works_declaration", "answered")),),
)  # fmt: skip
