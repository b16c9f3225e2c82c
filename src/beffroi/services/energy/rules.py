"""Default rules of energy."""

from beffroi.model.declaration import RuleTemplate
from beffroi.model.text import Text

__all__ = ["RULES"]

RULES = (
    RuleTemplate(
        "energy_drift", Text("Consommation qui dérive", "Use that drifts"),
        """\
name: Consommation qui dérive
description: Se ferme quand le compteur revient à sa référence.
watch: {collection: energy_finding}
when: {where: "kind == 'drift' and state == 'open' and euro_year >= 200"}
severity: jaune
message: "{title}"
message_en: "{title}"
""",
    ),
    RuleTemplate(
        "energy_bill", Text("Facture à contester", "Bill to dispute"),
        """\
name: Facture à contester
watch: {collection: energy_bill}
when: {where: "verdict in ['quantity', 'price', 'sum']"}
severity: jaune
message: "{number}"
message_en: "{number}"
""",
    ),
)  # fmt: skip
