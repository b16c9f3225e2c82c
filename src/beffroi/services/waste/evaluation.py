"""What waste collection must prove: sensors are worth their price only when rounds follow what they say.

Figures are estimates for a town of 5,000 inhabitants, said to be so; how full containers are when they are collected, how often
that is and how many are found full come from the sensors.
"""

from typing import Any

from beffroi.model.declaration import Evaluation, UsefulOutput
from beffroi.model.text import Text
from beffroi.services.waste.indicators import collections_between

__all__ = ["EVALUATION"]

ESTIMATE = {
    "fr": "Estimation de la plateforme pour une commune de 5 000 habitants, à remplacer par vos comptes",
    "en": "Estimate of the platform for a town of 5,000 inhabitants, to be replaced by your accounts",
}

ROUNDS: dict[str, Any] = {
    "title": {"fr": "Collecte : passer quand le conteneur est plein", "en": "Waste: come when the container is full"},
    "summary": {
        "fr": "Des sondes disent quand un conteneur d'apport est plein ; les tournées ne valent mieux que si elles les suivent.",
        "en": "Sensors tell when a drop-off container is full; rounds are only better when they follow them.",
    },
    "service": "waste", "parameters": "fr-2025", "start": 2026, "years": 8, "prices": {"year": 2023, "tax": "HT", "deflators": {"2018": 1.116}}, "financial_rate": 0.04,
    "optimism": {"investment": 0.15, "running": 0.1},
    "hypotheses": {
        "containers": {"title": {"fr": "Conteneurs équipés d'une sonde", "en": "Containers with a sensor"}, "value": 60, "low": 45, "high": 80, "unit": {"fr": "conteneurs", "en": "containers"}, "source": {"fr": "Inventaire de la commune", "en": "Inventory of the town"}},
        "heard": {"title": {"fr": "Part des conteneurs dont la sonde parle", "en": "Share of containers whose sensor speaks"}, "value": 0.6, "low": 0.5, "high": 0.9, "source": {"fr": "Plan de pose", "en": "Plan of installation"},
                  "bound": {"indicator": "waste_heard", "scale": 0.01, "days": 30}},
        "visits": {"title": {"fr": "Collectes par conteneur et par semaine, avant", "en": "Collections of a container a week, before"}, "value": 1.0, "low": 0.9, "high": 1.1, "unit": {"fr": "par semaine", "en": "a week"}, "source": {"fr": "Jours fixes du marché", "en": "Fixed days of the contract"}},
        "visits_now": {"title": {"fr": "Collectes par conteneur et par semaine, après", "en": "Collections of a container a week, after"}, "value": 0.75, "low": 0.6, "high": 0.9, "unit": {"fr": "par semaine", "en": "a week"}, "source": ESTIMATE,
                       "bound": {"indicator": "waste_collections", "days": 30}},
        "visit": {"title": {"fr": "Coût d'une collecte de conteneur", "en": "Cost of collecting a container"}, "value": 8, "low": 5, "high": 14, "unit": "€", "source": ESTIMATE},
        "diesel": {"title": {"fr": "CO₂ d'une collecte", "en": "CO₂ of a collection"}, "value": 0.002, "low": 0.001, "high": 0.004, "unit": "tCO₂e", "source": ESTIMATE},
        "sensor": {"title": {"fr": "Prix d'une sonde posée", "en": "Price of a sensor, fitted"}, "value": 190, "low": 120, "high": 300, "unit": "€", "source": ESTIMATE},
        "full_before": {"title": {"fr": "Temps passé plein, avant", "en": "Time spent full, before"}, "value": 0.04, "low": 0.02, "high": 0.08, "source": ESTIMATE},
        "full_after": {"title": {"fr": "Temps passé plein, après", "en": "Time spent full, after"}, "value": 0.01, "low": 0.0, "high": 0.03, "source": ESTIMATE,
                       "bound": {"indicator": "waste_full", "scale": 0.01, "days": 30}},
        "full_day": {"title": {"fr": "Ce que coûte un jour de conteneur plein (dépôts au pied)", "en": "What a day of a full container costs (waste left beside)"}, "value": 3, "low": 1, "high": 8, "unit": "€", "source": {"fr": "Un quart d'heure de nettoyage, un jour sur trois : estimation", "en": "A quarter of an hour of cleaning, one day in three: estimate"}},
    },
    "lines": [
        {"title": {"fr": "Sondes, posées", "en": "Sensors, fitted"}, "kind": "investment", "amount": "containers * sensor", "accounts": ["2158"], "function": "7213", "source": ESTIMATE},
        {"title": {"fr": "Réseau radio et piles", "en": "Radio network and batteries"}, "kind": "running", "amount": "containers * 18", "accounts": ["6262"], "function": "7213", "source": ESTIMATE},
        {"title": {"fr": "Préparation des tournées", "en": "Preparing the rounds"}, "kind": "staff", "amount": "30 * 32", "source": {"fr": "30 heures par an à 32 € de coût complet, estimation", "en": "30 hours a year at €32 of full cost, estimate"}},
        {"title": {"fr": "Collectes épargnées", "en": "Collections spared"}, "kind": "avoided", "amount": "containers * heard * (visits - visits_now) * 52 * visit", "accounts": ["611"], "source": {"fr": "Sondes qui parlent × passages en moins × prix du marché", "en": "Sensors that speak × fewer visits × price of the contract"}},
        {"title": {"fr": "Dépôts au pied évités", "en": "Waste left beside avoided"}, "kind": "avoided", "amount": "containers * (full_before - full_after) * 365 * full_day", "accounts": ["611"], "source": ESTIMATE},
        {"title": {"fr": "Carbone évité", "en": "Carbon avoided"}, "kind": "benefit", "by": "environnement", "amount": "containers * heard * (visits - visits_now) * 52 * diesel * carbon"},
    ],
    "outputs": {"container": {"title": {"fr": "par conteneur et par an", "en": "a container a year"}, "amount": "containers"}},
    "contracts": [
        {"form": "regie", "vat": 0.2, "fctva": 0.16404, "overrun": 0.15, "source": ESTIMATE},
        {"form": "marche", "vat": 0.2, "fctva": 0.16404, "margin": 0.15, "overrun": 0.1, "risk_carried": 0.4, "management": 600, "exit_data": 2500, "exit_equipment": 0.4, "source": ESTIMATE},
        {"form": "logiciel_libre_mutualise", "vat": 0.2, "fctva": 0.16404, "overrun": 0.15, "shared": 0.2, "towns": 6, "coordination": 200, "source": ESTIMATE},
    ],
}  # fmt: skip


EVALUATION = Evaluation(
    cases=(ROUNDS,), outputs=(UsefulOutput(Text("conteneur collecté", "container collected"), collections_between),)
)  # fmt: skip
