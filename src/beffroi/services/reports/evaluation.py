"""What the reports' service must prove: a business case to begin with, and what it is for, counted.

Figures are estimates for a town of 5,000 inhabitants, said to be so: each is to be replaced by the town's own.
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

COUNTER: dict[str, Any] = {
    "title": {"fr": "Signalements : un seul guichet, suivi jusqu'à la réparation", "en": "Reports: one counter, followed until it is mended"},
    "summary": {
        "fr": "Les habitants signalent en trois champs, chaque équipe a sa file, les doublons sont fondus, chacun sait où en est sa demande.",
        "en": "Residents report in three fields, each team has its queue, duplicates are merged, everyone knows where their request stands.",
    },
    "service": "reports", "parameters": "fr-2025", "start": 2026, "years": 8, "prices": {"year": 2023, "tax": "HT"}, "financial_rate": 0.04,
    "hypotheses": {
        "reports_year": {"title": {"fr": "Signalements par an", "en": "Reports a year"}, "value": 900, "low": 500, "high": 1600, "unit": {"fr": "par an", "en": "a year"}, "source": ESTIMATE,
                         "bound": {"indicator": "reports_received", "statistic": "yearly", "days": 60}},
        "hour": {"title": {"fr": "Coût complet d'une heure d'agent", "en": "Full cost of an hour of staff"}, "value": 32, "low": 28, "high": 38, "unit": "€", "source": ESTIMATE},
        "triage": {"title": {"fr": "Temps de tri d'un signalement", "en": "Time to triage a report"}, "value": 6, "low": 3, "high": 10, "unit": "min", "source": ESTIMATE},
        "duplicates": {"title": {"fr": "Doublons fondus", "en": "Duplicates merged"}, "value": 0.12, "low": 0.06, "high": 0.2, "source": ESTIMATE},
        "trip": {"title": {"fr": "Coût d'un déplacement d'équipe", "en": "Cost of a team's trip"}, "value": 55, "low": 40, "high": 80, "unit": "€", "source": ESTIMATE},
        "delay_before": {"title": {"fr": "Jours jusqu'à la clôture, avant", "en": "Days until closing, before"}, "value": 34, "low": 28, "high": 42, "unit": {"fr": "jours", "en": "days"}, "source": ESTIMATE},
        "delay_after": {"title": {"fr": "Jours jusqu'à la clôture, après", "en": "Days until closing, after"}, "value": 14, "low": 9, "high": 24, "unit": {"fr": "jours", "en": "days"}, "source": ESTIMATE,
                        "bound": {"indicator": "reports_closing", "days": 60}},
        "day_worth": {"title": {"fr": "Ce que vaut un jour d'attente de moins", "en": "What a day less to wait is worth"}, "value": 0.5, "low": 0.1, "high": 1.2, "unit": "€", "source": {"fr": "Aucune valeur officielle : hypothèse de travail", "en": "No official value: working hypothesis"}},
    },
    "lines": [
        {"title": {"fr": "Mise en service et formation", "en": "Start-up and training"}, "kind": "investment", "amount": "60 * hour + 1500", "accounts": ["2051"], "function": "020", "source": ESTIMATE},
        {"title": {"fr": "Hébergement et maintenance", "en": "Hosting and maintenance"}, "kind": "running", "amount": 1300, "accounts": ["6156", "65811"], "function": "020", "source": ESTIMATE},
        {"title": {"fr": "Tri par les agents", "en": "Triage by the staff"}, "kind": "staff", "amount": "reports_year * triage / 60 * hour", "source": ESTIMATE},
        {"title": {"fr": "Déplacements évités par les doublons fondus", "en": "Trips spared by merged duplicates"}, "kind": "avoided", "amount": "reports_year * duplicates * trip", "source": ESTIMATE},
        {"title": {"fr": "Attente épargnée aux habitants", "en": "Waiting spared to residents"}, "kind": "benefit", "by": "usagers", "amount": "reports_year * (delay_before - delay_after) * day_worth", "source": {"fr": "Jours gagnés × valeur d'un jour", "en": "Days gained × worth of a day"}},
        {"title": {"fr": "Appels en moins à l'accueil", "en": "Fewer calls at the front desk"}, "kind": "unreleased_time", "amount": "reports_year * 0.6 * 8 / 60 * hour", "source": {"fr": "8 minutes par appel évité : aucun poste n'est supprimé", "en": "8 minutes a call avoided: no post is cut"}},
    ],
    "outputs": {"report": {"title": {"fr": "par signalement", "en": "a report"}, "amount": "reports_year"}},
    "contracts": [
        {"form": "regie", "vat": 0.2, "fctva": 0.16404, "overrun": 0.2, "source": ESTIMATE},
        {"form": "marche", "vat": 0.2, "margin": 0.35, "overrun": 0.1, "risk_carried": 0.5, "management": 800, "exit_data": 6000, "exit_equipment": 1.0, "exit_notice_months": 3, "source": ESTIMATE},
        {"form": "logiciel_libre_mutualise", "vat": 0.2, "fctva": 0.16404, "overrun": 0.2, "shared": 0.25, "towns": 8, "coordination": 150, "exit_data": 300, "source": ESTIMATE},
    ],
}  # fmt: skip


EVALUATION = Evaluation(
    cases=(COUNTER,),
    outputs=(
        UsefulOutput(Text("signalement clos", "report closed"), records_between("service_request", "closed")),
    ),
)
