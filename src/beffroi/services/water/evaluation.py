"""What the water service must prove: a business case to begin with, and the warnings it gave, counted.

Figures are estimates for a town of 5,000 inhabitants on a small river, said to be so: each is to be replaced by the
town's own. What a flood costs and how often it comes is the whole of it, and is the least known.
"""

from typing import Any

from beffroi.evaluation.outputs import records_between
from beffroi.model.declaration import Evaluation, UsefulOutput
from beffroi.model.text import Text

__all__ = ["EVALUATION"]

ESTIMATE = {
    "fr": "Estimation de la plateforme pour une petite rivière, à remplacer par votre étude de danger",
    "en": "Estimate of the platform for a small river, to be replaced by your hazard study",
}

WARNING: dict[str, Any] = {
    "title": {"fr": "Prévenir les crues : échelles, caméra et alerte", "en": "Warning of floods: gauges, camera and alert"},
    "summary": {
        "fr": "Deux échelles et une caméra préviennent quelques heures plus tôt : le temps de monter les meubles et de fermer un gué.",
        "en": "Two gauges and a camera warn a few hours earlier: time to carry furniture upstairs and close a ford.",
    },
    "service": "water", "parameters": "fr-2025", "start": 2026, "years": 12, "prices": {"year": 2023, "tax": "HT"}, "financial_rate": 0.04, "optimism": {"investment": 0.2, "running": 0.1},
    "hypotheses": {
        "homes": {"title": {"fr": "Logements en zone inondable", "en": "Homes in the flood zone"}, "value": 45, "low": 35, "high": 60, "unit": {"fr": "logements", "en": "homes"}, "source": ESTIMATE},
        "damage": {"title": {"fr": "Dommage d'un logement inondé", "en": "Damage of a flooded home"}, "value": 9000, "low": 5000, "high": 16000, "unit": "€", "source": ESTIMATE},
        "frequency": {"title": {"fr": "Probabilité d'une crue dommageable, par an", "en": "Probability of a damaging flood, a year"}, "value": 0.06, "low": 0.03, "high": 0.1, "source": ESTIMATE},
        "spared": {"title": {"fr": "Part du dommage évitée si l'on est prévenu", "en": "Share of the damage spared when warned"}, "value": 0.22, "low": 0.09, "high": 0.34, "source": ESTIMATE},
        "ready": {"title": {"fr": "Part du temps où les capteurs répondent", "en": "Share of the time when sensors answer"}, "value": 0.98, "low": 0.9, "high": 0.995, "source": {"fr": "Engagement de service", "en": "Promise of the service"},
                  "bound": {"indicator": "environment_completeness", "scale": 0.01, "days": 30}},
        "confirm": {"title": {"fr": "Minutes jusqu'à la confirmation par un agent", "en": "Minutes until an agent confirms"}, "value": 20, "low": 5, "high": 60, "unit": "min", "source": {"fr": "Consigne d'astreinte", "en": "Orders of the on-call duty"},
                    "bound": {"indicator": "confirm_minutes", "days": 90}},
        "lead": {"title": {"fr": "Minutes entre le premier seuil et le débordement", "en": "Minutes between the first threshold and the flood"}, "value": 240, "low": 120, "high": 480, "unit": "min", "source": ESTIMATE},
        "false_alarms": {"title": {"fr": "Fausses alertes", "en": "False alarms"}, "value": 2, "low": 0, "high": 6, "unit": {"fr": "par an", "en": "a year"}, "source": ESTIMATE},
    },
    "lines": [
        {"title": {"fr": "Échelles, caméra, pose", "en": "Gauges, camera, installation"}, "kind": "investment", "amount": 9500, "accounts": ["2158"], "function": "735", "source": ESTIMATE},
        {"title": {"fr": "Entretien et réseau", "en": "Upkeep and network"}, "kind": "running", "amount": 900, "accounts": ["6156"], "function": "735", "source": ESTIMATE},
        {"title": {"fr": "Astreinte et jaugeages", "en": "On-call duty and gaugings"}, "kind": "staff", "amount": "36 * 32", "source": {"fr": "36 heures par an à 32 €, estimation", "en": "36 hours a year at €32, estimate"}},
        {"title": {"fr": "Fausses alertes", "en": "False alarms"}, "kind": "staff", "amount": "false_alarms * 6 * 32", "source": {"fr": "6 heures d'agents par fausse alerte, estimation", "en": "6 hours of staff a false alarm, estimate"}},
        {"title": {"fr": "Dommages évités aux habitants", "en": "Damage spared to residents"}, "kind": "benefit", "by": "usagers", "amount": "homes * damage * frequency * spared * ready * max(0, 1 - confirm / lead)", "source": {"fr": "Espérance annuelle : fréquence × dommage × part évitée, moins ce que la confirmation prend de l'avance", "en": "Yearly expectation: frequency × damage × share spared, less what the confirmation takes of the lead"}},
        {"title": {"fr": "Subvention du fonds Barnier", "en": "State grant (Barnier fund)"}, "kind": "transfer", "from": "etat", "to": "collectivite", "amount": 3800, "years": 2026, "source": ESTIMATE},
    ],
    "outputs": {"home": {"title": {"fr": "par logement protégé et par an", "en": "a protected home a year"}, "amount": "homes"}},
    "contracts": [
        {"form": "regie", "vat": 0.2, "fctva": 0.16404, "overrun": 0.2, "source": ESTIMATE},
        {"form": "marche", "vat": 0.2, "fctva": 0.16404, "margin": 0.25, "overrun": 0.1, "risk_carried": 0.4, "management": 500, "exit_data": 2500, "exit_equipment": 0.3, "source": ESTIMATE},
        {"form": "logiciel_libre_mutualise", "vat": 0.2, "fctva": 0.16404, "overrun": 0.2, "shared": 0.35, "towns": 4, "coordination": 250, "source": ESTIMATE},
    ],
}  # fmt: skip

EVALUATION = Evaluation(
    cases=(WARNING,),
    outputs=(UsefulOutput(Text("alerte crue donnée", "flood warning given"), records_between("river_warning", "opened_at", exercise=False)),),
)  # fmt: skip
