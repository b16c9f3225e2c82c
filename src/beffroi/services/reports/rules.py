"""Default rules of reports."""

from beffroi.model.declaration import RuleTemplate
from beffroi.model.text import Text

__all__ = ["RULES"]

RULES = (
    RuleTemplate(
        "sensor_report", Text("Conteneur plein : ouvrir un signalement", "Full container: open a report"),
        """\
name: Conteneur plein, signalé
description: Ouvre un signalement quand un conteneur reste plein, et le clôt quand l'alarme se termine.
watch: {kind: fill_level}
when: {above: {orange: 95}, hysteresis: 15, for: 4 h}
message: "{thing} : plein à {value} {unit}"
message_en: "{thing}: {value} {unit} full"
actions:
  - record: service_request
    values: {number: "A-{id}", source: alarm, source_id: "{id}", channel: sensor, requested: "{raised_at}", description: "{message}"}
""",
    ),
)  # fmt: skip
