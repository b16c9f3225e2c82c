"""The network, its metered areas, its leaks, its years. Names follow StaR-Eau 2024 (CNIG, Astee) where it has them."""

from datetime import date, datetime
from typing import Any

from beffroi.model.collection import Collection, Record, choice, field
from beffroi.model.sayings import Sayings
from beffroi.model.text import Text

__all__ = ["COLLECTIONS", "LEAK"]

OPEN_LEAKS = ("open", "growing")
LEAK = Text("Fuite de {flow} m³/j, {area}", "Leak of {flow} m³/d, {area}")


def _code(fr: str = "Identifiant", en: str = "Identifier") -> Any:
    return field(fr, en, key=True, hint=Text("Unique dans la commune.", "Unique in the commune."))


class Node(Record):
    """A junction of pipes, a reservoir or a tank."""

    code: str = _code()
    kind: str = field(
        "Nature", "Kind",
        choices=(
            choice("junction", "Nœud", "Junction"), choice("reservoir", "Ressource", "Source"),
            choice("tank", "Réservoir", "Tank"), choice("intake", "Captage", "Intake"),
            choice("treatment", "Traitement", "Treatment"), choice("delivery", "Point de livraison", "Delivery point"),
        ),
        default="junction",
    )  # fmt: skip
    elevation_m: float | None = field("Altitude", "Elevation", unit="m", minimum=-100, maximum=5000)
    demand_m3h: float | None = field("Demande moyenne", "Mean demand", unit="m³/h", minimum=0)
    subscribers: int | None = field("Abonnés", "Subscribers", minimum=0)
    sensor: bool | None = field("Pression mesurée", "Pressure measured")
    x_model: float | None = field("X dans le modèle", "X in the model", listed=False)
    y_model: float | None = field("Y dans le modèle", "Y in the model", listed=False)


class Pipe(Record):
    """A stretch of pipe (StaR-Eau: aep_canalisation)."""

    code: str = _code()
    start: str | None = field("Nœud initial", "Start node")
    end: str | None = field("Nœud terminal", "End node")
    length_m: float | None = field("Longueur", "Length", unit="m", minimum=0)
    diameter_mm: float | None = field("Diamètre", "Diameter", unit="mm", minimum=0, maximum=5000)
    material: str | None = field("Matériau", "Material")
    laid: int | None = field("Année de pose", "Year laid", minimum=1800, maximum=2200)
    renewed: int | None = field("Renouvelée en", "Renewed in", minimum=1900, maximum=2200)
    roughness: float | None = field("Rugosité", "Roughness", listed=False, minimum=0)
    area: str | None = field("Secteur hydraulique", "Hydraulic area")
    role: str | None = field("Fonction", "Function", listed=False)
    state: str = field(
        "État", "State",
        choices=(choice("open", "En service", "In service", "vert"), choice("closed", "Fermée", "Closed", "orange"),
                 choice("check", "Clapet", "Check valve"), choice("abandoned", "Abandonnée", "Abandoned")),
        default="open",
    )  # fmt: skip
    starred: dict[str, Any] | None = field("Colonnes StaR-Eau", "StaR-Eau columns", listed=False, read="agent",
                                           hint=Text("Ce que le fichier repris disait de plus.", "What else the file taken over said."))  # fmt: skip


class Valve(Record):
    """A valve, a regulator or a pump between two nodes."""

    code: str = _code()
    kind: str = field(
        "Nature", "Kind",
        choices=(choice("gate", "Vanne", "Valve"), choice("regulator", "Régulation de pression", "Pressure regulator"), choice("pump", "Pompage", "Pump")),
        default="gate",
    )  # fmt: skip
    start: str | None = field("Nœud initial", "Start node")
    end: str | None = field("Nœud terminal", "End node")
    pipe: str | None = field("Conduite", "Pipe", hint=Text("Celle qu'elle ferme, pour une vanne.", "The one it closes, for a valve."))  # fmt: skip
    diameter_mm: float | None = field("Diamètre", "Diameter", unit="mm", minimum=0)
    setting: str | None = field("Consigne", "Setting")
    state: str = field(
        "État", "State",
        choices=(choice("open", "Ouverte", "Open", "vert"), choice("closed", "Fermée", "Closed", "orange"), choice("broken", "Hors service", "Out of order", "rouge")),
        default="open",
    )  # fmt: skip


class Area(Record):
    """A metered area: what enters it is known."""

    code: str = _code("Secteur", "Area")
    name: str = field("Nom", "Name")
    inflow: str = field(
        "Débit d'entrée", "Inflow",
        hint=Text("Codes des compteurs, liés par + et -, par exemple CPT01-CPT02.", "Codes of the meters, joined by + and -, such as CPT01-CPT02."),
    )  # fmt: skip
    households: int | None = field("Logements", "Households", minimum=0)
    connections: int | None = field("Branchements", "Connections", minimum=0)
    length_km: float | None = field(
        "Linéaire hors branchements", "Length without connections", unit="km", minimum=0
    )
    pressure_m: float | None = field("Pression moyenne", "Mean pressure", unit="m", minimum=0, maximum=300)
    legitimate_lh: float = field(
        "Usage nocturne légitime", "Legitimate night use", unit="L/h", default=1.7, minimum=0,
        hint=Text("Par logement, de 2 h à 4 h. La valeur proposée est à vérifier.", "Per household, from 02:00 to 04:00. The proposed value is to be checked."),
    )  # fmt: skip
    price_eur_m3: float = field("Prix d'un m³ perdu", "Price of a lost m³", unit="€", default=0.8, minimum=0)
    night_m3h: float | None = field("Débit de nuit", "Night flow", unit="m³/h", derived=True)
    lost_m3h: float | None = field("Pertes nouvelles", "New losses", unit="m³/h", derived=True)
    standing_m3h: float | None = field(
        "Pertes anciennes", "Standing losses", unit="m³/h", listed=False, derived=True
    )
    judged: datetime | None = field("Jugé jusqu'au", "Judged until", listed=False, derived=True)
    state: str = field(
        "État", "State",
        choices=(
            choice("unknown", "À apprendre", "To be learnt"), choice("calm", "Calme", "Calm", "vert"),
            choice("leaking", "Fuite ouverte", "Leak open", "orange"), choice("silent", "Compteur muet", "Meter silent", "jaune"),
        ),
        default="unknown",
        derived=True,
    )  # fmt: skip
    learnt: dict[str, Any] | None = field(
        "Ce qui est appris",
        "What is learnt",
        listed=False,
        read="responsable",
        derived=True,
    )


class Meter(Record):
    """A meter of the network or of a large user."""

    code: str = _code("Compteur", "Meter")
    name: str | None = field("Nom", "Name")
    nominal_m3h: float | None = field("Débit permanent Q3", "Permanent flow rate Q3", unit="m³/h", minimum=0)
    diameter_mm: float | None = field("Diamètre", "Diameter", unit="mm", minimum=0)
    installed: date | None = field("Posé le", "Installed on")
    state: str = field(
        "État", "State",
        choices=(
            choice("ok", "En service", "In service", "vert"), choice("stopped", "Bloqué", "Stopped", "orange"),
            choice("backward", "Compte à l'envers", "Counts backwards", "orange"), choice("oversized", "Surdimensionné", "Oversized", "jaune"),
        ),
        default="ok",
        derived=True,
    )  # fmt: skip


class Leak(Record):
    """One leak: from its detection to its repair."""

    number: str = _code("Dossier", "File")
    area: int = field("Secteur", "Area", reference="water_area")
    title: str = field("Titre", "Title", words=Sayings(LEAK))
    kind: str = field(
        "Allure", "Course",
        choices=(choice("abrupt", "Soudaine", "Abrupt"), choice("incipient", "Progressive", "Growing slowly")), default="abrupt",
    )  # fmt: skip
    state: str = field(
        "État", "State",
        choices=(
            choice("growing", "En aggravation", "Growing", "rouge"), choice("open", "Ouverte", "Open", "orange"),
            choice("repaired", "Réparée", "Repaired", "vert"), choice("false", "Fausse alerte", "False alarm"),
        ),
        default="open",
    )  # fmt: skip
    start: datetime = field("Commencée vers", "Begun about")
    detected: datetime = field("Détectée", "Detected")
    end: datetime | None = field("Finie", "Ended")
    m3_per_day: float = field("Volume perdu", "Water lost", unit="m³/j", minimum=0)
    euro_per_day: float = field("Coût", "Cost", unit="€/j", minimum=0)
    lost_m3: float | None = field(
        "Perdu depuis le début", "Lost since it began", unit="m³", minimum=0, derived=True
    )
    pipe: str | None = field("Conduite", "Pipe", hint=Text("La plus probable, puis celle qui fuyait.", "The likeliest, then the one that leaked."))  # fmt: skip
    candidates: list[Any] | None = field(
        "Lieux probables", "Likely places", listed=False, read="agent", derived=True
    )
    intervention: date | None = field("Intervention prévue le", "Work planned on")
    team: str | None = field("Équipe ou entreprise", "Team or company", read="agent")
    found: str | None = field("Constat sur place", "Found on site", long=True, listed=False, read="agent")


class Year(Record):
    """The volumes of one year of a water service, by meter-reading dates. Blank is not zero."""

    code: str = _code("Exercice", "Year")
    produced_m3: float | None = field("Volume produit", "Volume produced", unit="m³", minimum=0)
    imported_m3: float | None = field("Volume importé", "Volume imported", unit="m³", minimum=0)
    exported_m3: float | None = field("Volume exporté", "Volume exported", unit="m³", minimum=0)
    domestic_m3: float | None = field("Comptabilisé domestique", "Metered domestic", unit="m³", minimum=0)
    other_m3: float | None = field(
        "Comptabilisé non domestique", "Metered non-domestic", unit="m³", minimum=0
    )
    unmetered_m3: float | None = field("Consommé sans comptage", "Used without a meter", unit="m³", minimum=0,
                                       hint=Text("Facultatif : laissez vide si vous ne savez pas.", "Optional: leave empty when not known."))  # fmt: skip
    service_m3: float | None = field("Volume de service du réseau", "Water of the service itself", unit="m³", minimum=0,
                                     hint=Text("Facultatif : laissez vide si vous ne savez pas.", "Optional: leave empty when not known."))  # fmt: skip
    length_km: float | None = field(
        "Linéaire hors branchements", "Length without connections", unit="km", minimum=0
    )
    renewed_km: float | None = field("Renouvelé en 5 ans", "Renewed over 5 years", unit="km", minimum=0)
    scarce: bool | None = field("Zone de répartition des eaux", "Water-scarcity zone (ZRE)")
    days: int = field("Jours entre relèves", "Days between readings", default=365, minimum=300, maximum=430)


class SewerPoint(Record):
    """A place where sewers are measured: the plant's inlet, a storm overflow."""

    code: str = _code()
    name: str = field("Nom", "Name")
    kind: str = field(
        "Nature", "Kind",
        choices=(choice("inlet", "Entrée de station", "Plant inlet"), choice("overflow", "Déversoir d'orage", "Storm overflow"), choice("pumping", "Poste de relevage", "Lift station")),
        default="inlet",
    )  # fmt: skip
    households: int | None = field("Logements raccordés", "Households connected", minimum=0)
    legitimate_lh: float = field("Rejet nocturne légitime", "Legitimate night discharge", unit="L/h", default=2.0, minimum=0,
                                 hint=Text("Par logement. La valeur proposée est à vérifier.", "Per household. The proposed value is to be checked."))  # fmt: skip
    dry_m3h: float | None = field(
        "Eaux claires par temps sec", "Infiltration in dry weather", unit="m³/h", derived=True
    )
    wet_m3h: float | None = field(
        "Eaux claires de pluie", "Infiltration in wet weather", unit="m³/h", derived=True
    )
    overflow_h: float | None = field("Déversé sur 30 jours", "Overflowed in 30 days", unit="h", derived=True)
    judged: datetime | None = field("Jugé jusqu'au", "Judged until", listed=False, derived=True)


COLLECTIONS = (
    Collection("water_area", Text("Secteurs de comptage", "Metered areas"), Area, geometry="polygon", status="state", label="name",
               description=Text("Les secteurs du réseau dont on mesure ce qui entre.", "The areas of the network whose inflow is measured.")),
    Collection("water_leak", Text("Fuites", "Leaks"), Leak, geometry="any", status="state", label="title", read="agent",
               description=Text("Une fiche par fuite : début, coût, lieu probable, réparation.", "One file a leak: beginning, cost, likely place, repair.")),
    Collection("water_meter", Text("Compteurs de réseau", "Network meters"), Meter, geometry="point", network="water", status="state",
               description=Text("Compteurs de secteur et gros compteurs.", "Area meters and large meters.")),
    Collection("water_node", Text("Nœuds du réseau d'eau", "Nodes of the water network"), Node, geometry="point", network="water", read="agent",
               description=Text("Nœuds, ressources et réservoirs.", "Junctions, sources and tanks.")),
    Collection("water_pipe", Text("Conduites d'eau", "Water pipes"), Pipe, geometry="line", network="water", status="state", read="agent",
               description=Text("Conduites d'eau potable, d'après StaR-Eau 2024.", "Drinking water pipes, after StaR-Eau 2024.")),
    Collection("water_valve", Text("Vannes et pompages", "Valves and pumps"), Valve, geometry="point", network="water", status="state", read="agent",
               description=Text("Vannes, régulateurs et pompes.", "Valves, regulators and pumps.")),
    Collection("water_year", Text("Exercices du service d'eau", "Years of the water service"), Year,
               description=Text("Volumes d'une année, de relève à relève.", "Volumes of a year, from reading to reading.")),
    Collection("sewer_point", Text("Points de mesure des égouts", "Sewer measuring points"), SewerPoint, geometry="point", network="sewer", label="name",
               description=Text("Entrées de station et déversoirs mesurés.", "Measured plant inlets and overflows.")),
)  # fmt: skip
