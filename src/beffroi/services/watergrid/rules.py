"""Default rules of water networks: leaks are opened by the daily balance; these ring for them."""

from beffroi.model.declaration import RuleTemplate
from beffroi.model.text import Text

__all__ = ["RULES"]

RULES = (
    RuleTemplate(
        "leak_open", Text("Fuite d'eau", "Water leak"),
        """\
name: Fuite d'eau
description: Un dossier de fuite est ouvert ; se ferme quand elle est réparée ou reconnue fausse.
watch: {collection: water_leak}
when: {where: "state in ['open', 'growing']"}
severity: orange
message: "{title}"
message_en: "Water leak {number}: {m3_per_day} m³ a day"
""",
    ),
    RuleTemplate(
        "area_meter_silent", Text("Compteur de réseau muet", "Network meter silent"),
        """\
name: Compteur de réseau muet
watch: {kind: water_flow}
when: {silent: 26 h}
severity: jaune
message: "{thing} : plus de mesure depuis 26 h"
message_en: "{thing}: no measurement for 26 h"
""",
    ),
    RuleTemplate(
        "meter_wrong", Text("Compteur de réseau douteux", "Doubtful network meter"),
        """\
name: Compteur de réseau douteux
description: Un compteur est bloqué ou compte à l'envers ; le bilan de son secteur est faux jusqu'à sa réparation.
watch: {collection: water_meter}
when: {where: "state in ['stopped', 'backward']"}
severity: jaune
message: "Compteur {code} : à vérifier"
message_en: "Meter {code}: to be checked"
""",
    ),
)  # fmt: skip
