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
    RuleTemplate(
        "gauge_zero", Text("Zéro d'une échelle changé", "A gauge's zero changed"),
        """\
name: Zéro d'une échelle changé
description: L'altitude publiée du zéro a changé ; hauteurs, seuils et tarage d'avant ne valent plus tels quels.
watch: {kind: gauge_zero}
when: {any: [{rises: 0.004, within: 30 j}, {falls: 0.004, within: 30 j}]}
severity: orange
message: "{thing} : le zéro de l'échelle est maintenant à {value} {unit} ; revoyez seuils et tarage"
message_en: "{thing}: the gauge's zero is now at {value} {unit}; look at thresholds and rating again"
""",
    ),
)  # fmt: skip
