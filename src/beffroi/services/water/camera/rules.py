"""Default rules of cameras."""

from beffroi.model.declaration import RuleTemplate
from beffroi.model.text import Text

__all__ = ["RULES"]

RULES = (
    RuleTemplate(
        "camera_purpose", Text("Caméra détournée de sa finalité", "Camera turned from its purpose"),
        """\
name: Caméra détournée de sa finalité
description: La finalité suivie n'est pas celle de l'autorisation ; la caméra n'enregistre plus.
watch: {collection: river_camera}
when: {where: "authorised_purpose != None and purpose != authorised_purpose"}
severity: orange
message: "{title} : finalité changée"
message_en: "{title}: purpose changed"
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
