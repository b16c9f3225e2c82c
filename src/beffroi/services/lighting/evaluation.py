"""What the lighting must prove: the night cut, bound to what calendars say and to two registered impact studies (energy on the
cabinets' curves, accidents and reports at night); and its useful outputs."""

from typing import Any

from beffroi.evaluation.outputs import records_between
from beffroi.model.declaration import Evaluation, UsefulOutput
from beffroi.model.text import Text

__all__ = ["EVALUATION"]

ESTIMATE = {
    "fr": "Estimation de la plateforme, à remplacer par vos mesures (étude d'impact d'un avant et d'un après, rues comparables)",
    "en": "Estimate of the platform, to be replaced by your measurements (study of a before and an after, comparable streets)",
}

NIGHT_CUT: dict[str, Any] = {
    "title": {"fr": "Couper l'éclairage au cœur de la nuit", "en": "Cutting the lighting in the middle of the night"},
    "summary": {
        "fr": "Éteindre de 23 h 30 à 5 h 30 épargne plus du tiers de l'énergie des rues coupées ; deux études inscrites mesurent l'énergie et les accidents.",
        "en": "Putting out from 23:30 to 5:30 spares over a third of the energy of the streets cut; two registered studies measure energy and accidents.",
    },
    "service": "lighting", "parameters": "fr-2025", "start": 2026, "years": 10, "prices": {"year": 2023, "tax": "HT"}, "financial_rate": 0.035, "optimism": {"investment": 0.15, "running": 0.1},
    "hypotheses": {
        "year_kwh": {"title": {"fr": "Énergie d'une année, sans coupure", "en": "Energy of a year, without cut"}, "value": 230000, "low": 200000, "high": 260000, "unit": {"fr": "kWh/an", "en": "kWh/year"}, "source": {"fr": "880 points de 58 W en moyenne, appareillage compris, 4 300 heures : estimation", "en": "880 points of 58 W in the mean, gear included, 4,300 hours: estimate"}},
        "concerned": {"title": {"fr": "Part de l'éclairage que la coupure concerne", "en": "Share of the lighting that the cut concerns"}, "value": 0.6, "low": 0.45, "high": 0.75, "source": {"fr": "Calendriers des armoires", "en": "Calendars of the cabinets"}, "bound": {"indicator": "lighting_cut", "scale": 0.01, "days": 30}},
        "spared": {"title": {"fr": "Part de l'énergie qu'elle y épargne", "en": "Share of the energy that it spares there"}, "value": 0.38, "low": 0.33, "high": 0.5,
                   "source": {"fr": "Étude d'impact inscrite, sur les courbes des armoires", "en": "Registered impact study, on the curves of the cabinets"}, "bound": {"experiment": "coupure-nuit-armoires", "statistic": "relative", "scale": -1}},
        "kwh": {"title": {"fr": "Prix du kWh", "en": "Price of a kWh"}, "value": 0.2, "low": 0.14, "high": 0.28, "unit": "€/kWh", "source": ESTIMATE},
        "co2_kwh": {"title": {"fr": "CO₂ d'un kWh", "en": "CO₂ of a kWh"}, "value": 0.000055, "low": 0.00003, "high": 0.00008, "unit": "tCO₂e/kWh", "source": ESTIMATE},
        "quarters": {"title": {"fr": "Quartiers coupés", "en": "Districts cut"}, "value": 4, "unit": {"fr": "quartiers", "en": "districts"}, "source": {"fr": "Calendriers des armoires", "en": "Calendars of the cabinets"}},
        "events": {"title": {"fr": "Accidents et signalements de nuit de plus, par quartier", "en": "More accidents and reports at night, a district"}, "value": 0, "low": -0.4, "high": 0.4, "unit": {"fr": "par semaine", "en": "a week"},
                   "source": {"fr": "Étude d'impact inscrite : quartiers coupés et quartiers éclairés", "en": "Registered impact study: districts cut and districts lit"}, "bound": {"experiment": "coupure-nuit-securite"}},
        "injuries": {"title": {"fr": "Part de ces événements qui sont des accidents corporels", "en": "Share of these events that are injury accidents"}, "value": 0.01, "low": 0.002, "high": 0.03, "source": ESTIMATE},
        "accident": {"title": {"fr": "Coût social d'un accident corporel léger", "en": "Social cost of a slight injury accident"}, "value": 16000, "low": 10000, "high": 30000, "unit": "€", "source": ESTIMATE},
    },
    "lines": [
        {"title": {"fr": "Horloges astronomiques à changer", "en": "Astronomical clocks to be changed"}, "kind": "investment", "amount": "6 * 420", "accounts": ["21534"], "function": "512", "source": ESTIMATE},
        {"title": {"fr": "Affiches et réunion publique", "en": "Posters and public meeting"}, "kind": "investment", "amount": 900, "accounts": ["2188"], "function": "512", "source": ESTIMATE},
        {"title": {"fr": "Suivi des armoires", "en": "Follow-up of the cabinets"}, "kind": "staff", "amount": "24 * 32", "source": {"fr": "24 heures par an à 32 €, estimation", "en": "24 hours a year at €32, estimate"}},
        {"title": {"fr": "Électricité épargnée", "en": "Electricity saved"}, "kind": "avoided", "amount": "year_kwh * concerned * spared * kwh", "accounts": ["60612"], "source": ESTIMATE},
        {"title": {"fr": "Carbone évité", "en": "Carbon avoided"}, "kind": "benefit", "by": "environnement", "amount": "year_kwh * concerned * spared * co2_kwh * carbon"},
        {"title": {"fr": "Accidents de plus, ou de moins", "en": "More accidents, or fewer"}, "kind": "benefit", "by": "usagers", "amount": "0 - events * 52 * quarters * injuries * accident", "source": ESTIMATE},
    ],
    "outputs": {"kwh": {"title": {"fr": "par kWh épargné", "en": "a kWh saved"}, "amount": "year_kwh * concerned * spared"}},
    "contracts": [
        {"form": "regie", "vat": 0.2, "fctva": 0.16404, "overrun": 0.15, "source": ESTIMATE},
        {"form": "marche", "vat": 0.2, "fctva": 0.16404, "overrun": 0.12, "risk_carried": 0.4, "margin": 0.08, "management": 600, "exit_data": 1500, "source": ESTIMATE},
        {"form": "logiciel_libre_mutualise", "vat": 0.2, "fctva": 0.16404, "overrun": 0.15, "shared": 0.25, "towns": 5, "coordination": 200, "source": ESTIMATE},
    ],
}  # fmt: skip


EVALUATION = Evaluation(
    cases=(NIGHT_CUT,), outputs=(UsefulOutput(Text("anomalie vue de l'armoire", "anomaly seen from the cabinet"), records_between("lighting_finding", "since")),)
)  # fmt: skip
