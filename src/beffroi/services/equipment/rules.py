"""Default rules of equipment."""

from beffroi.model.declaration import RuleTemplate
from beffroi.model.text import Text

__all__ = ["RULES"]

RULES = (
    RuleTemplate(
        "bin_full", Text("Conteneur plein", "Container full"),
        """\
name: Conteneur plein
watch: {kind: fill_level}
when: {above: {jaune: 85, orange: 95}, hysteresis: 15, for: 4 h}
message: "{thing} : plein à {value} {unit}"
message_en: "{thing}: {value} {unit} full"
""",
    ),
    RuleTemplate(
        "battery_low", Text("Batterie faible", "Low battery"),
        """\
name: Batterie faible
watch: {kind: battery}
when: {below: {jaune: 20, orange: 10}, hysteresis: 5, times: 3}
message: "{thing} : {value} {unit} de batterie"
message_en: "{thing}: battery at {value} {unit}"
""",
    ),
    RuleTemplate(
        "device_silent", Text("Capteur d'équipement muet", "Equipment sensor silent"),
        """\
name: Capteur d'équipement muet
watch: {service: equipment}
when: {silent: 26 h}
severity: jaune
message: "{thing} : plus de mesure depuis 26 h"
message_en: "{thing}: no measurement for 26 h"
""",
    ),
    RuleTemplate(
        "dangerous_fault", Text("Panne dangereuse", "Dangerous fault"),
        """\
name: Panne dangereuse
description: Se ferme quand la panne est réparée ou classée.
watch: {collection: fault}
when: {where: "severity == 'rouge' and state in ['open', 'planned']"}
severity: rouge
message: "{title}"
message_en: "{title}"
""",
    ),
)  # fmt: skip
