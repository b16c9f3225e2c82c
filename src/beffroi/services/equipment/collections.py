"""The town's assets. Lighting follows the notions of CNIG's « éclairage extérieur » (EclExt) and the data that
article 5 of the order of 27 December 2018 (TREP1831126A) makes a manager hold; see README.md for what could not
be confirmed in the standard's own tables."""

from datetime import date, datetime
from typing import Any

from beffroi.model.collection import Collection, Personal, Record, choice, field
from beffroi.model.text import Text

__all__ = ["COLLECTIONS"]

STATES = (
    choice("ok", "En service", "In service", "vert"),
    choice("watch", "À surveiller", "To watch", "jaune"),
    choice("degraded", "Dégradé", "Degraded", "orange"),
    choice("broken", "En panne", "Broken", "rouge"),
    choice("planned", "En projet", "Planned"),
    choice("removed", "Déposé", "Removed"),
)
# Classes of location precision: order of 15 February 2012, article 1 (works near networks).
PRECISION = (
    choice("A", "A (≤ 40 cm)", "A (≤ 40 cm)"),
    choice("B", "B (≤ 1,5 m)", "B (≤ 1.5 m)"),
    choice("C", "C (au-delà)", "C (beyond)"),
)


def _code(fr: str = "Identifiant", en: str = "Identifier") -> Any:
    return field(fr, en, key=True, hint=Text("Unique dans la commune.", "Unique in the commune."))


def _state() -> Any:
    return field("État", "State", choices=STATES, default="ok")


class Support(Record):
    """What carries luminaires."""

    code: str = _code()
    street: str | None = field("Voie", "Street")
    kind: str | None = field(
        "Nature", "Kind",
        choices=(
            choice("candelabre", "Candélabre", "Lamp post"), choice("poteau_beton", "Poteau béton", "Concrete pole"),
            choice("poteau_bois", "Poteau bois", "Wooden pole"), choice("facade", "Façade", "Wall"),
            choice("colonne", "Colonne", "Column"), choice("borne", "Borne", "Bollard"), choice("mat", "Mât", "Mast"),
            choice("catenaire", "Caténaire", "Span wire"), choice("sol", "Encastré au sol", "In-ground"),
            choice("autre", "Autre", "Other"),
        ),
    )  # fmt: skip
    material: str | None = field("Matériau", "Material")
    height_m: float | None = field("Hauteur", "Height", unit="m", minimum=0, maximum=60)
    installed: date | None = field("Posé le", "Installed on")
    precision: str | None = field("Classe de précision", "Precision class", choices=PRECISION, listed=False)
    state: str = _state()
    source_kind: str | None = field("Type d'origine", "Original type", listed=False,
                                    hint=Text("Tel que dans le fichier repris.", "As in the file taken over."))  # fmt: skip
    notes: str | None = field("Notes", "Notes", long=True, listed=False, read="agent")


class Cabinet(Record):
    """A control cabinet: delivery point, feeders, command."""

    code: str = _code()
    street: str | None = field("Voie", "Street")
    delivery_point: str | None = field(
        "Point de livraison (PRM)", "Delivery point (PRM)", pattern=r"\d{14}", read="agent",
        hint=Text("14 chiffres.", "14 digits."),
    )  # fmt: skip
    power_kva: float | None = field("Puissance souscrite", "Subscribed power", unit="kVA", minimum=0)
    feeders: int | None = field("Départs", "Feeders", minimum=0, maximum=99)
    command: str | None = field(
        "Commande", "Command",
        choices=(
            choice("astronomical", "Horloge astronomique", "Astronomical clock"), choice("photocell", "Cellule", "Photocell"),
            choice("clock", "Horloge", "Clock"), choice("remote", "Télégestion", "Remote control"),
        ),
    )  # fmt: skip
    night_cut: str | None = field("Coupure de nuit", "Night cut", pattern=r"\d\d:\d\d-\d\d:\d\d",
                                  hint=Text("Heure locale, par exemple 23:00-05:00.", "Local time, such as 23:00-05:00."))  # fmt: skip
    precision: str | None = field("Classe de précision", "Precision class", choices=PRECISION, listed=False)
    state: str = _state()
    notes: str | None = field("Notes", "Notes", long=True, listed=False, read="agent")


class Lamp(Record):
    """A light point: one focus of light, a luminaire and its source (EclExt: « point lumineux »)."""

    code: str = _code()
    street: str | None = field("Voie", "Street")
    support: int | None = field("Support", "Support", reference="support")
    cabinet: int | None = field("Armoire", "Cabinet", reference="cabinet")
    feeder: str | None = field("Départ", "Feeder", listed=False)
    source: str | None = field(
        "Source", "Source",
        choices=(
            choice("led", "LED", "LED"), choice("shp", "Sodium haute pression (SHP)", "High-pressure sodium"),
            choice("im", "Iodures métalliques (IM)", "Metal halide"), choice("bf", "Ballon fluo (BF)", "Mercury vapour"),
            choice("fluo", "Fluorescence", "Fluorescent"), choice("sbp", "Sodium basse pression", "Low-pressure sodium"),
            choice("autre", "Autre", "Other"),
        ),
    )  # fmt: skip
    # Categories a to g of article 1 of the order of 27 December 2018.
    use: str | None = field(
        "Catégorie (arrêté de 2018)", "Category (2018 order)",
        choices=(
            choice("a", "a. Déplacements (voirie, chemins)", "a. Movement (streets, paths)"),
            choice("b", "b. Mise en lumière, parcs et jardins", "b. Heritage, parks and gardens"),
            choice("c", "c. Équipements sportifs", "c. Sports grounds"),
            choice("d", "d. Bâtiments non résidentiels", "d. Non-residential buildings"),
            choice("e", "e. Parcs de stationnement", "e. Car parks"),
            choice("f", "f. Événementiel", "f. Events"), choice("g", "g. Chantiers", "g. Building sites"),
        ),
    )  # fmt: skip
    power_w: float | None = field("Puissance", "Power", unit="W", minimum=0, maximum=5000)
    flux_lm: float | None = field(
        "Flux nominal", "Nominal flux", unit="lm", minimum=0, maximum=500_000, listed=False
    )
    colour_k: int | None = field(
        "Température de couleur", "Colour temperature", unit="K", minimum=1000, maximum=10_000
    )
    ulr_percent: float | None = field(
        "ULR installé", "Installed ULR", unit="%", minimum=0, maximum=100, listed=False
    )
    cie3_percent: float | None = field(
        "Code de flux CIE n° 3", "CIE flux code no. 3", unit="%", minimum=0, maximum=100, listed=False
    )
    height_m: float | None = field(
        "Hauteur de feu", "Mounting height", unit="m", minimum=0, maximum=60, listed=False
    )
    installed: date | None = field("Luminaire posé le", "Luminaire installed on")
    dimming: bool | None = field("Abaissement de puissance", "Dimming", listed=False)
    state: str = _state()
    notes: str | None = field("Notes", "Notes", long=True, listed=False, read="agent")


class Bin(Record):
    """A waste container left in the street."""

    code: str = _code()
    street: str | None = field("Voie", "Street")
    stream: str | None = field(
        "Flux", "Stream",
        choices=(
            choice("residual", "Ordures ménagères", "Residual waste"), choice("packaging", "Emballages", "Packaging"),
            choice("glass", "Verre", "Glass"), choice("paper", "Papier", "Paper"), choice("bio", "Biodéchets", "Food waste"),
            choice("textile", "Textile", "Textiles"), choice("litter", "Corbeille de rue", "Litter bin"),
        ),
    )  # fmt: skip
    volume_l: float | None = field("Volume", "Volume", unit="L", minimum=0, maximum=50_000)
    buried: bool | None = field("Enterré", "Underground")
    fill_percent: float | None = field("Remplissage connu", "Known fill", unit="%", minimum=0, maximum=120)
    emptied: datetime | None = field("Vidé le", "Emptied on")
    installed: date | None = field("Posé le", "Installed on", listed=False)
    state: str = _state()
    notes: str | None = field("Notes", "Notes", long=True, listed=False, read="agent")


class Gauge(Record):
    """A station that measures water: river, rain, groundwater."""

    code: str = _code("Code de la station", "Station code")
    name: str = field("Nom", "Name")
    kind: str | None = field(
        "Mesure", "Measure",
        choices=(
            choice("level", "Hauteur d'eau", "Water level"), choice("flow", "Débit", "Flow"), choice("rain", "Pluie", "Rain"),
            choice("groundwater", "Nappe", "Groundwater"),
        ),
    )  # fmt: skip
    river: str | None = field("Cours d'eau", "River")
    zero_m: float | None = field(
        "Altitude du zéro", "Altitude of zero", unit="m NGF", minimum=-50, maximum=5000
    )
    operator: str | None = field("Exploitant", "Operator")
    yellow_cm: float | None = field("Seuil jaune", "Yellow threshold", unit="cm", listed=False)
    orange_cm: float | None = field("Seuil orange", "Orange threshold", unit="cm", listed=False)
    red_cm: float | None = field("Seuil rouge", "Red threshold", unit="cm", listed=False)
    state: str = _state()
    notes: str | None = field("Notes", "Notes", long=True, listed=False, read="agent")


class Building(Record):
    """A building that the town owns or heats."""

    code: str = _code()
    name: str = field("Nom", "Name")
    address: str | None = field("Adresse", "Address")
    use: str | None = field(
        "Usage", "Use",
        choices=(
            choice("school", "École", "School"), choice("town_hall", "Mairie", "Town hall"), choice("sport", "Sport", "Sport"),
            choice("culture", "Culture", "Culture"), choice("technical", "Technique", "Technical"),
            choice("housing", "Logement", "Housing"), choice("care", "Santé, petite enfance", "Health, early childhood"),
            choice("worship", "Culte", "Worship"), choice("other", "Autre", "Other"),
        ),
    )  # fmt: skip
    surface_m2: float | None = field("Surface", "Floor area", unit="m²", minimum=0)
    built: int | None = field("Année de construction", "Year built", minimum=800, maximum=2200)
    national_id: str | None = field("Identifiant national (RNB)", "National id (RNB)", pattern="[A-Z0-9]{12}", listed=False,
                                    hint=Text("12 signes, sans tirets.", "12 characters, no hyphens."))  # fmt: skip
    heating: str | None = field(
        "Chauffage", "Heating",
        choices=(
            choice("gas", "Gaz", "Gas"), choice("electric", "Électricité", "Electricity"), choice("oil", "Fioul", "Oil"),
            choice("wood", "Bois", "Wood"), choice("network", "Réseau de chaleur", "District heating"),
            choice("pump", "Pompe à chaleur", "Heat pump"), choice("none", "Aucun", "None"),
        ),
    )  # fmt: skip
    public_category: str | None = field(
        "Catégorie ERP",
        "Public-building category",
        choices=tuple(choice(str(n), f"{n}e" if n > 1 else "1re", str(n)) for n in range(1, 6)),
        listed=False,
    )
    state: str = _state()
    notes: str | None = field("Notes", "Notes", long=True, listed=False, read="agent")


class Fault(Record):
    """Something that is broken, and what is done about it."""

    title: str = field("Défaut", "Fault")
    title_en: str | None = field("Défaut, en anglais", "Fault, in English", listed=False)
    asset: str | None = field(
        "Équipement", "Asset", hint=Text("Par exemple lamp/12.", "Such as lamp/12."), pattern=r"[a-z_]+/\d+"
    )
    street: str | None = field("Voie", "Street")
    seen: datetime = field("Constaté le", "Seen on")
    severity: str = field(
        "Gravité", "Severity",
        choices=(
            choice("jaune", "Gênant", "A nuisance", "jaune"), choice("orange", "Important", "Serious", "orange"),
            choice("rouge", "Dangereux", "Dangerous", "rouge"),
        ),
        default="jaune",
    )  # fmt: skip
    state: str = field(
        "Avancement", "Progress",
        choices=(
            choice("open", "À traiter", "Open", "orange"), choice("planned", "Programmé", "Planned", "jaune"),
            choice("done", "Réparé", "Repaired", "vert"), choice("refused", "Sans suite", "Not pursued"),
        ),
        default="open",
    )  # fmt: skip
    planned: date | None = field("Intervention prévue le", "Work planned on")
    repaired: datetime | None = field("Réparé le", "Repaired on")
    team: str | None = field("Équipe ou entreprise", "Team or company", read="agent")
    cost: float | None = field("Coût", "Cost", unit="€", minimum=0, read="agent", listed=False)
    caller: str | None = field(
        "Signalé par", "Reported by", read="agent", listed=False,
        personal=Personal(Text("Rappeler la personne qui a signalé", "Call back the person who reported"), 90),
    )  # fmt: skip
    caller_contact: str | None = field(
        "Joindre cette personne", "How to reach them", read="agent", listed=False,
        personal=Personal(Text("Rappeler la personne qui a signalé", "Call back the person who reported"), 90),
    )  # fmt: skip
    notes: str | None = field("Notes", "Notes", long=True, listed=False, read="agent")


COLLECTIONS = (
    Collection("lamp", Text("Points lumineux", "Light points"), Lamp, geometry="point", status="state", network="lighting",
               description=Text("Les points d'éclairage extérieur, d'après les notions du géostandard CNIG EclExt.",
                                "Outdoor light points, after the notions of the CNIG geostandard EclExt.")),
    Collection("support", Text("Supports d'éclairage", "Lighting supports"), Support, geometry="point", status="state", network="lighting",
               description=Text("Mâts, poteaux et façades qui portent l'éclairage.", "Posts, poles and walls that carry lights.")),
    Collection("cabinet", Text("Armoires d'éclairage", "Lighting cabinets"), Cabinet, geometry="point", status="state", network="lighting",
               description=Text("Armoires de commande de l'éclairage.", "Control cabinets of the lighting.")),
    Collection("bin", Text("Conteneurs", "Waste containers"), Bin, geometry="point", status="state",
               description=Text("Conteneurs et corbeilles de rue.", "Containers and litter bins in the street.")),
    Collection("gauge", Text("Stations de mesure de l'eau", "Water gauges"), Gauge, geometry="point", status="state",
               description=Text("Échelles de crue, pluviomètres, piézomètres.", "River gauges, rain gauges, piezometers.")),
    Collection("building", Text("Bâtiments", "Buildings"), Building, geometry="any", status="state", label="name",
               description=Text("Bâtiments de la commune.", "Buildings of the town.")),
    Collection("fault", Text("Pannes et défauts", "Faults"), Fault, geometry="point", status="state", label="title",
               read="agent", end_of_life="repaired", retention_days=3650,
               description=Text("Ce qui est en panne, et l'intervention prévue.", "What is broken, and the work planned.")),
)  # fmt: skip
