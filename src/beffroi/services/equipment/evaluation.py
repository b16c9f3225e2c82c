"""What the assets' service must prove: a business case to begin with, and what it is for, counted.

Figures are estimates for a town of 5,000 inhabitants, said to be so: each is to be replaced by the town's own.
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

LIGHTING: dict[str, Any] = {
    "title": {"fr": "Éclairage public : finir le passage en LED et suivre les pannes", "en": "Street lighting: finish the change to LED and follow the faults"},
    "summary": {
        "fr": "Remplacer les lanternes anciennes et suivre chaque armoire, pour payer moins d'énergie et laisser moins de rues dans le noir.",
        "en": "Replace the old lanterns and follow each cabinet, to pay for less energy and leave fewer streets in the dark.",
    },
    "service": "equipment", "parameters": "fr-2025", "start": 2026, "years": 15, "prices": {"year": 2023, "tax": "HT", "deflators": {"2018": 1.116}},
    "compare": "fr-2019", "financial_rate": 0.04, "optimism": {"investment": 0.1},
    "hypotheses": {
        "points": {"title": {"fr": "Points lumineux de la commune", "en": "Light points of the town"}, "value": 880, "unit": "points", "source": {"fr": "Inventaire de la commune", "en": "Inventory of the town"}},
        "led_before": {"title": {"fr": "Part de LED avant", "en": "Share of LED before"}, "value": 0.45, "low": 0.4, "high": 0.5, "source": {"fr": "Inventaire de la commune", "en": "Inventory of the town"}},
        "led_after": {"title": {"fr": "Part de LED après", "en": "Share of LED after"}, "value": 0.7, "low": 0.6, "high": 0.75, "source": {"fr": "Programme de travaux", "en": "Works programme"},
                      "bound": {"indicator": "led_share", "scale": 0.01, "days": 30}},
        "lantern": {"title": {"fr": "Prix d'une lanterne posée", "en": "Price of a lantern, fitted"}, "value": 520, "low": 420, "high": 680, "unit": "€", "source": ESTIMATE},
        "saved_kwh": {"title": {"fr": "Énergie épargnée par lanterne", "en": "Energy saved by a lantern"}, "value": 270, "low": 200, "high": 330, "unit": {"fr": "kWh/an", "en": "kWh/year"}, "source": ESTIMATE},
        "kwh": {"title": {"fr": "Prix du kWh", "en": "Price of a kWh"}, "value": 0.2, "low": 0.14, "high": 0.28, "unit": "€/kWh", "source": ESTIMATE},
        "co2_kwh": {"title": {"fr": "CO₂ d'un kWh", "en": "CO₂ of a kWh"}, "value": 0.000055, "low": 0.00003, "high": 0.00008, "unit": "tCO₂e/kWh", "source": ESTIMATE},
        "faults_before": {"title": {"fr": "Pannes ouvertes avant", "en": "Open faults before"}, "value": 34, "low": 25, "high": 40, "unit": {"fr": "pannes", "en": "faults"}, "source": ESTIMATE},
        "faults_after": {"title": {"fr": "Pannes ouvertes après", "en": "Open faults after"}, "value": 16, "low": 10, "high": 28, "unit": {"fr": "pannes", "en": "faults"}, "source": ESTIMATE,
                         "bound": {"indicator": "open_faults", "days": 30}},
        "repair_days": {"title": {"fr": "Jours pour réparer", "en": "Days to repair"}, "value": 75, "low": 50, "high": 120, "unit": {"fr": "jours", "en": "days"}, "source": ESTIMATE},
        "repair_cost": {"title": {"fr": "Coût d'un dépannage", "en": "Cost of a repair"}, "value": 84, "low": 60, "high": 120, "unit": "€", "source": ESTIMATE},
    },
    "lines": [
        {"title": {"fr": "Lanternes LED, posées", "en": "LED lanterns, fitted"}, "kind": "investment", "amount": "points * (led_after - led_before) * lantern", "accounts": ["21534"], "function": "512", "source": ESTIMATE},
        {"title": {"fr": "Capteurs des armoires", "en": "Sensors of the cabinets"}, "kind": "investment", "amount": 7200, "accounts": ["2158"], "function": "512", "source": ESTIMATE},
        {"title": {"fr": "Abonnement et entretien des capteurs", "en": "Subscription and upkeep of the sensors"}, "kind": "running", "amount": 1400, "accounts": ["6262"], "function": "512", "source": ESTIMATE},
        {"title": {"fr": "Suivi par la régie", "en": "Follow-up by the staff"}, "kind": "staff", "amount": "40 * 32", "source": {"fr": "40 heures par an à 32 € de coût complet, estimation", "en": "40 hours a year at €32 of full cost, estimate"}},
        {"title": {"fr": "Électricité épargnée", "en": "Electricity saved"}, "kind": "avoided", "amount": "points * (led_after - led_before) * saved_kwh * kwh", "years": [2027, 2040], "accounts": [], "source": ESTIMATE},
        {"title": {"fr": "Dépannages évités", "en": "Repairs avoided"}, "kind": "avoided", "amount": "(faults_before - faults_after) * 365 / repair_days * repair_cost", "years": [2027, 2040], "source": {"fr": "Pannes ouvertes = arrivées × délai (loi de Little)", "en": "Open faults = arrivals × delay (Little's law)"}},
        {"title": {"fr": "Carbone évité", "en": "Carbon avoided"}, "kind": "benefit", "by": "environnement", "amount": "points * (led_after - led_before) * saved_kwh * co2_kwh * carbon", "years": [2027, 2040]},
        {"title": {"fr": "Rondes de nuit épargnées", "en": "Night rounds spared"}, "kind": "unreleased_time", "amount": "24 * 3 * 32", "source": {"fr": "24 rondes de 3 heures : aucun poste n'est supprimé", "en": "24 rounds of 3 hours: no post is cut"}},
        {"title": {"fr": "Fonds vert", "en": "State grant (Fonds vert)"}, "kind": "transfer", "from": "etat", "to": "collectivite", "amount": "0.25 * points * (led_after - led_before) * lantern", "years": 2027, "source": ESTIMATE},
    ],
    "outputs": {"point": {"title": {"fr": "par point lumineux et par an", "en": "a light point a year"}, "amount": "points"}},
    "contracts": [
        {"form": "regie", "vat": 0.2, "fctva": 0.16404, "overrun": 0.15, "source": ESTIMATE},
        {"form": "marche", "vat": 0.2, "fctva": 0.16404, "overrun": 0.12, "risk_carried": 0.4, "margin": 0.08, "management": 1500, "exit_data": 3000, "source": ESTIMATE},
        {"form": "concession", "rate": 0.07, "margin": 0.1, "exit_data": 8000, "exit_notice_months": 6, "source": ESTIMATE},
        {"form": "marche_de_partenariat", "rate": 0.06, "margin": 0.1, "vat": 0.2, "fctva": 0.16404, "efficiency": 0.05, "management": 2500, "exit_data": 5000, "exit_equipment": 0.15, "source": ESTIMATE},
        {"form": "logiciel_libre_mutualise", "vat": 0.2, "fctva": 0.16404, "overrun": 0.15, "shared": 0.15, "towns": 5, "coordination": 400, "source": ESTIMATE},
    ],
}  # fmt: skip


EVALUATION = Evaluation(
    cases=(LIGHTING,),
    outputs=(UsefulOutput(Text("panne réparée", "fault repaired"), records_between("fault", "repaired")),),
)
