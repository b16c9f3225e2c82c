"""The reports' cards on the situation page."""

from beffroi.model.declaration import Card
from beffroi.model.text import Text

__all__ = ["CARDS"]

CARDS = (
    Card("reports_to_triage", Text("Signalements à trier", "Reports to triage"), "indicator:reports_to_triage", read="agent", order=10),
    Card("reports_late", Text("Signalements en retard", "Late reports"), "indicator:reports_late", read="elu", order=11),
    Card("reports_open", Text("Signalements ouverts", "Open reports"), "indicator:reports_open", order=12),
    Card("reports_first_answer", Text("Première réponse", "First answer"), "indicator:reports_first_answer", period="P30D", order=13),
)  # fmt: skip
