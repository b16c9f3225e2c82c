"""The cameras of rivers, with what the law asks before one may record."""

from datetime import date

from beffroi.model.collection import Collection, Record, choice, field
from beffroi.model.text import Text

__all__ = ["CAMERA", "COLLECTIONS", "PURPOSES"]

PURPOSES = (
    choice("natural_risks", "Prévention des risques naturels", "Prevention of natural risks"),
    choice("works", "Protection des bâtiments et installations publics", "Protection of public buildings and works"),
    choice("other", "Autre finalité", "Other purpose"),
)  # fmt: skip


class RiverCamera(Record):
    """One camera that looks at a river."""

    code: str = field("Identifiant", "Identifier", key=True, pattern=r"[a-z0-9][a-z0-9-]{0,39}")
    name: str = field("Nom", "Name")
    river: str | None = field("Rivière", "River")
    purpose: str = field(
        "Finalité suivie", "Purpose pursued", choices=PURPOSES, default="natural_risks",
        hint=Text("La caméra n'enregistre que pour la finalité autorisée.", "The camera records for the authorised purpose only."),
    )  # fmt: skip
    authorised_purpose: str | None = field("Finalité autorisée", "Authorised purpose", choices=PURPOSES)
    authorisation: str | None = field(
        "Numéro de l'autorisation", "Number of the authorisation",
        hint=Text("Arrêté préfectoral, code de la sécurité intérieure, article L252-1.",
                  "Prefect's decision, code de la sécurité intérieure, article L252-1."),
    )  # fmt: skip
    authorised_until: date | None = field("Autorisée jusqu'au", "Authorised until")
    notice: bool = field("Panneau d'information en place", "Notice board in place", default=False)
    register: str | None = field(
        "Inscrite au registre sous", "Entered in the register as",
        hint=Text("Registre des traitements, article 30 du RGPD.", "Records of processing, article 30 GDPR."),
    )  # fmt: skip
    contact: str | None = field("Droits exercés auprès de", "Rights exercised with")
    keep_hours: float = field(
        "Vidéo gardée, heures", "Video kept, hours", unit="h", minimum=0, maximum=720, default=24.0
    )
    every_min: float = field(
        "Une mesure toutes les, minutes",
        "A measurement every, minutes",
        unit="min",
        minimum=1,
        maximum=1440,
        default=15.0,
    )
    source_kind: str = field(
        "Source", "Source",
        choices=(choice("folder", "Dossier d'images", "Directory of frames"), choice("video", "Fichier vidéo", "Video file"),
                 choice("rtsp", "Flux RTSP", "RTSP stream"), choice("http", "Image HTTP", "HTTP snapshot")),
        default="rtsp", listed=False,
    )  # fmt: skip
    source: str | None = field(
        "Adresse de la source", "Address of the source", read="responsable", listed=False
    )
    dt_s: float | None = field(
        "Secondes entre images d'un dossier",
        "Seconds between frames of a directory",
        unit="s",
        minimum=0.001,
        maximum=60,
        listed=False,
    )
    station: int | None = field(
        "Station que la caméra regarde", "Station that the camera watches", reference="river_station", listed=False,
        hint=Text("Ses images sont montrées à qui confirme une alerte de cette station.",
                  "Its pictures are shown to whoever confirms a warning of this station."),
    )  # fmt: skip
    level_series: str | None = field(
        "Clé de la série de niveau", "Key of the level series", read="agent", listed=False
    )
    active: bool = field("En service", "In service", default=True)
    state: str = field(
        "État", "State",
        choices=(choice("new", "Jamais mesuré", "Never measured"), choice("measuring", "Mesure", "Measuring", "vert"),
                 choice("doubtful", "Mesure douteuse", "Doubtful", "jaune"), choice("blind", "Aveugle", "Blind", "orange"),
                 choice("conflict", "Niveaux contradictoires", "Levels that contradict one another", "orange"),
                 choice("unreachable", "Injoignable", "Unreachable", "orange"), choice("unlawful", "Interdite d'enregistrer", "May not record", "rouge")),
        default="new",
    )  # fmt: skip
    reference: str | None = field(
        "Image du relevé", "Picture of the survey", read="responsable", listed=False
    )
    still: str | None = field("Dernière image", "Last picture", read="agent", listed=False)
    site: dict | None = field("Relevé du site", "Survey of the site", read="agent", listed=False)  # type: ignore[type-arg]


CAMERA = Collection(
    "river_camera",
    Text("Caméras de rivière", "River cameras"),
    RiverCamera,
    Text("Les caméras qui regardent les rivières, leur finalité et leur autorisation.",
         "The cameras that look at rivers, their purpose and their authorisation."),
    geometry="point",
    label="name",
    status="state",
    write="responsable",
)  # fmt: skip
COLLECTIONS = (CAMERA,)
