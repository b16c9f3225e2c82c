"""Default rules of the lighting."""

from beffroi.model.declaration import RuleTemplate
from beffroi.model.text import Text

__all__ = ["RULES"]

RULES = (
    RuleTemplate(
        "cabinet_dark", Text("Armoire éteinte ou collée", "Cabinet dark or stuck on"),
        """\
name: Armoire éteinte ou collée
description: Se ferme quand la courbe de l'armoire redevient ce qu'elle doit être.
watch: {collection: lighting_finding}
when: {where: "state == 'open' and kind in ['dark', 'stuck_on']"}
severity: orange
message: "Armoire {cabinet} : {kind}"
message_en: "Cabinet {cabinet}: {kind}"
""",
    ),
)  # fmt: skip
