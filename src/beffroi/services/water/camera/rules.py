"""Default rules of cameras."""

from beffroi.model.declaration import RuleTemplate
from beffroi.model.text import Text

__all__ = ["RULES"]

RULES = (
    RuleTemplate(
        "camera_purpose", Text("Caméra détournée de sa finalité", "Camera turned from its purpose"),
        """\
name: Caméra détournée de sa finalité
description: La finalité suivie n'est pas celle de l'autorisation, ou n'est plus la prévention des risques naturels ; la caméra n'enregistre plus.
watch: {collection: river_camera}
when: {where: "purpose != 'natural_risks' or authorised_purpose not in [None, 'natural_risks']"}
severity: orange
message: "{title} : finalité changée"
message_en: "{title}: purpose changed"
""",
    ),
    RuleTemplate(
        "camera_levels", Text("Niveaux qui se contredisent", "Levels that contradict one another"),
        """\
name: Niveaux qui se contredisent
description: L'image et le capteur ne disent pas la même hauteur ; l'un des deux est faux, ou le zéro a changé.
watch: {collection: river_camera}
when: {where: "active and state == 'conflict'"}
severity: orange
message: "{title} : l'image et le capteur ne disent pas la même hauteur"
message_en: "{title}: picture and sensor do not tell the same level"
""",
    ),
    RuleTemplate(
        "camera_blind", Text("Caméra de rivière aveugle", "Blind river camera"),
        """\
name: Caméra de rivière aveugle
watch: {collection: river_camera}
when: {where: "active and state in ['blind', 'unreachable', 'unlawful']"}
severity: jaune
message: "{title} : aucune mesure"
message_en: "{title}: no measurement"
""",
    ),
)  # fmt: skip
