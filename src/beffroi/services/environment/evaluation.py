"""What the environment's service must prove: a business case to begin with, and what it is for, counted.

Figures are estimates for a town of 5,000 inhabitants, said to be so: each is to be replaced by the town's own.
"""

from typing import Any

from sqlalchemy import select

from beffroi.model.declaration import Evaluation, UsefulOutput
from beffroi.model.text import Text
from beffroi.store.record import Query, Where
from beffroi.store.tables import thing

__all__ = ["EVALUATION"]

ESTIMATE = {
    "fr": "Estimation de la plateforme pour une commune de 5 000 habitants, à remplacer par vos comptes",
    "en": "Estimate of the platform for a town of 5,000 inhabitants, to be replaced by your accounts",
}

NETWORK: dict[str, Any] = {
    "title": {"fr": "Capteurs d'environnement : air, chaleur, pluie, vélos", "en": "Environment sensors: air, heat, rain, bicycles"},
    "summary": {
        "fr": "Un réseau de capteurs sobres, à la place de campagnes de mesure payées une par une, et qui prévient des jours de chaleur.",
        "en": "A network of frugal sensors instead of measuring campaigns paid for one by one, which warns of hot days.",
    },
    "service": "environment", "parameters": "fr-2025", "start": 2026, "years": 8, "prices": {"year": 2023, "tax": "HT"}, "financial_rate": 0.04, "optimism": {"investment": 0.15},
    "hypotheses": {
        "stations": {"title": {"fr": "Stations", "en": "Stations"}, "value": 14, "low": 10, "high": 16, "unit": "stations", "source": {"fr": "Plan de déploiement", "en": "Deployment plan"}},
        "station_cost": {"title": {"fr": "Prix d'une station posée", "en": "Price of a station, installed"}, "value": 850, "low": 600, "high": 1400, "unit": "€", "source": ESTIMATE},
        "upkeep": {"title": {"fr": "Entretien d'une station", "en": "Upkeep of a station"}, "value": 110, "low": 70, "high": 200, "unit": {"fr": "€/an", "en": "€/year"}, "source": ESTIMATE},
        "complete": {"title": {"fr": "Part des mesures reçues", "en": "Share of measurements received"}, "value": 0.97, "low": 0.9, "high": 0.99, "source": {"fr": "Engagement de service", "en": "Promise of the service"},
                     "bound": {"indicator": "environment_completeness", "scale": 0.01, "days": 30}},
        "campaigns": {"title": {"fr": "Campagnes de mesure évitées", "en": "Measuring campaigns avoided"}, "value": 2, "low": 1, "high": 3, "unit": {"fr": "par an", "en": "a year"}, "source": ESTIMATE},
        "campaign_cost": {"title": {"fr": "Prix d'une campagne", "en": "Price of a campaign"}, "value": 2600, "low": 1800, "high": 4000, "unit": "€", "source": ESTIMATE},
        "cyclists": {"title": {"fr": "Passages de vélos par jour", "en": "Bicycle passages a day"}, "value": 520, "low": 400, "high": 700, "unit": {"fr": "par jour", "en": "a day"}, "source": ESTIMATE,
                     "bound": {"indicator": "cyclists_per_day", "days": 30}},
        "decision": {"title": {"fr": "Ce que vaut de bien placer un aménagement, par passage quotidien", "en": "What placing a cycle path well is worth, for a daily passage"}, "value": 2, "low": 0.5, "high": 5, "unit": {"fr": "€/an", "en": "€/year"}, "source": {"fr": "Aucune valeur officielle : hypothèse de travail", "en": "No official value: working hypothesis"}},
    },
    "lines": [
        {"title": {"fr": "Stations et passerelle", "en": "Stations and gateway"}, "kind": "investment", "amount": "stations * station_cost + 1800", "accounts": ["2158"], "source": ESTIMATE},
        {"title": {"fr": "Entretien, piles, réseau", "en": "Upkeep, batteries, network"}, "kind": "running", "amount": "stations * upkeep", "accounts": ["6156", "6262"], "source": ESTIMATE},
        {"title": {"fr": "Remplacements", "en": "Replacements"}, "kind": "running", "amount": "stations * station_cost * 0.5", "years": 2030, "source": {"fr": "La moitié des capteurs, à cinq ans", "en": "Half of the sensors, after five years"}},
        {"title": {"fr": "Suivi par les agents", "en": "Follow-up by the staff"}, "kind": "staff", "amount": "30 * 32", "source": {"fr": "30 heures par an à 32 €, estimation", "en": "30 hours a year at €32, estimate"}},
        {"title": {"fr": "Campagnes de mesure évitées", "en": "Measuring campaigns avoided"}, "kind": "avoided", "amount": "complete * campaigns * campaign_cost", "source": ESTIMATE},
        {"title": {"fr": "Aménagements mieux placés", "en": "Better placed cycle paths"}, "kind": "benefit", "by": "usagers", "amount": "complete * cyclists * decision", "source": {"fr": "Passages × valeur d'un passage mieux servi", "en": "Passages × worth of one that is better served"}},
    ],
    "outputs": {"station": {"title": {"fr": "par station et par an", "en": "a station a year"}, "amount": "stations"}},
    "contracts": [
        {"form": "regie", "vat": 0.2, "fctva": 0.16404, "overrun": 0.15, "source": ESTIMATE},
        {"form": "marche", "vat": 0.2, "fctva": 0.16404, "margin": 0.2, "overrun": 0.1, "risk_carried": 0.3, "management": 600, "exit_data": 4000, "exit_equipment": 0.5, "source": ESTIMATE},
        {"form": "logiciel_libre_mutualise", "vat": 0.2, "fctva": 0.16404, "overrun": 0.15, "shared": 0.3, "towns": 6, "coordination": 200, "source": ESTIMATE},
    ],
}  # fmt: skip


def _alarms(town: Any, territory: str | None, start_us: int, end_us: int) -> float | None:
    """Return how many alarms the service's sensors raised."""
    with town.store.read() as c:
        things = list(c.execute(select(thing.c.id).where(thing.c.service == "environment")).scalars())
    raised = {"thing_id": things, "raised_at": (Where(">=", start_us), Where("<", end_us))}
    query = Query(where=raised, territories=None if territory is None else (territory,))
    return float(town.store.records.count("alarm", query)) if things else 0.0


EVALUATION = Evaluation(
    cases=(NETWORK,), outputs=(UsefulOutput(Text("alarme levée", "alarm raised"), _alarms),)
)
