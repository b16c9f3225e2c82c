"""Default rules of rivers. Those of thresholds are made of the town's own (`warning.thresholds`); none is delivered."""

from beffroi.model.declaration import RuleTemplate
from beffroi.model.text import Text
from beffroi.services.water.camera.rules import RULES as CAMERA

__all__ = ["RULES"]

RULES = (
    *CAMERA,
    RuleTemplate(
        "state_vigilance", Text("Vigilance crues de l'État", "The State's flood vigilance"),
        """\
name: Vigilance crues de l'État
description: La couleur d'un tronçon lu sur Vigicrues passe au jaune (2), à l'orange (3) ou au rouge (4).
watch: {kind: flood_vigilance}
when: {above: {jaune: 1.5, orange: 2.5, rouge: 3.5}}
message: "Vigicrues, {thing} : vigilance {severity}"
message_en: "Vigicrues, {thing}: {severity}"
""",
    ),
)  # fmt: skip
