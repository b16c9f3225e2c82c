"""What the lighting service keeps of its own: programs, calendars, which cabinet follows which, TALQ gateways and their
devices, and orders. Lamps, supports and cabinets are the assets service's."""

from datetime import datetime

from beffroi.model.collection import Collection, Record, choice, field
from beffroi.model.text import Text

__all__ = ["COLLECTIONS"]


def _read_program(said: str) -> object:
    from beffroi.services.lighting.schedule import read_program  # noqa: PLC0415 -- numpy, when a program is written

    return read_program(said)


def _program_in(said: str, language: str) -> str:
    from beffroi.services.lighting.schedule import program_text  # noqa: PLC0415

    return program_text(said, language)


def _read_rules(said: str) -> object:
    from beffroi.services.lighting.calendars import read_rules  # noqa: PLC0415

    return read_rules(said)


def _rules_in(said: str, language: str) -> str:
    from beffroi.services.lighting.calendars import rules_text  # noqa: PLC0415

    return rules_text(said, language)


class ProgramRecord(Record):
    """What a lamp does in a night."""

    code: str = field("Code", "Code", key=True, pattern=r"[a-z0-9][a-z0-9-]{0,39}", hint=Text("Minuscules, chiffres, tirets.", "Lower case, digits, hyphens."))  # fmt: skip
    title: str = field("Nom", "Name")
    program: str = field(
        "Programme", "Program", check=_read_program, words=_program_in,
        hint=Text("Par exemple : coucher+10 100, 23:30 0, 05:00 100, lever-10",
                                          "For example: sunset+10 100, 23:30 0, 05:00 100, sunrise-10"),
    )  # fmt: skip
    notes: str | None = field("Notes", "Notes", long=True, listed=False, read="agent")


class CalendarRecord(Record):
    """Which program holds on which night."""

    code: str = field("Code", "Code", key=True, pattern=r"[a-z0-9][a-z0-9-]{0,39}", hint=Text("Minuscules, chiffres, tirets.", "Lower case, digits, hyphens."))  # fmt: skip
    title: str = field("Nom", "Name")
    default_program: int = field("Programme ordinaire", "Usual program", reference="lighting_program")
    rules: str | None = field(
        "Règles", "Rules", long=True, listed=False,
        check=_read_rules, words=_rules_in,
        hint=Text("Une par ligne, la première qui convient l'emporte : 12-15..01-05 fetes, ou sam,dim week-end, ou feries week-end",
                  "One a line, the first that fits wins: 12-15..01-05 feast, or sat,sun week-end, or holidays week-end"),
    )  # fmt: skip


class Assignment(Record):
    """Which calendar a cabinet follows."""

    code: str = field("Armoire (code)", "Cabinet (code)", key=True)
    cabinet: int = field("Armoire", "Cabinet", reference="cabinet")
    calendar: int = field("Calendrier", "Calendar", reference="lighting_calendar")


class Gateway(Record):
    """A TALQ gateway: the lighting network of one maker."""

    address: str = field(
        "Adresse TALQ (UUID)",
        "TALQ address (UUID)",
        key=True,
        pattern=r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    )
    name: str = field("Nom", "Name")
    url: str | None = field("Adresse du service", "Service URL", pattern=r"https?://\S{1,200}", hint=Text("Où la passerelle écoute.", "Where the gateway listens."))  # fmt: skip
    state: str = field(
        "État", "State",
        choices=(choice("waiting", "Pas encore annoncée", "Not announced yet", "jaune"), choice("announced", "En liaison", "Connected", "vert"),
                 choice("silent", "Muette", "Silent", "orange")),
        default="waiting",
    )  # fmt: skip
    services: str | None = field("Services annoncés", "Announced services", listed=False)
    seen: datetime | None = field("Vue le", "Seen on")


class Device(Record):
    """A device that a gateway told us of."""

    address: str = field("Adresse TALQ (UUID)", "TALQ address (UUID)", key=True)
    name: str = field("Nom", "Name")
    gateway: int = field("Passerelle", "Gateway", reference="talq_gateway")
    device_class: str = field("Classe", "Class")
    lamp: int | None = field("Point lumineux", "Light point", reference="lamp")
    thing: int | None = field("Objet SensorThings", "SensorThings thing", listed=False)
    functions: list | None = field("Fonctions", "Functions", listed=False)  # type: ignore[type-arg]
    level: int | None = field("Niveau", "Level", unit="%", minimum=0, maximum=100)
    seen: datetime | None = field("Vu le", "Seen on")


class Resource(Record):
    """Anything else that a gateway keeps with its central system: classes, types of lamps and luminaires."""

    code: str = field("Ressource", "Resource", key=True)
    gateway: int = field("Passerelle", "Gateway", reference="talq_gateway")
    resource: str = field("Sorte", "Kind")
    body: dict = field("Contenu", "Content", listed=False)  # type: ignore[type-arg]


ORDER_STATES = (
    choice("asked", "À confirmer", "To be confirmed", "jaune"), choice("confirmed", "Confirmé", "Confirmed"),
    choice("sent", "En cours", "Under way", "orange"), choice("ended", "Rendu au programme", "Back to the program", "vert"),
    choice("refused", "Refusé", "Refused"), choice("failed", "Échoué", "Failed", "rouge"), choice("lapsed", "Sans réponse", "Lapsed"),
)  # fmt: skip


class Order(Record):
    """An override of several lamps: asked by one person, confirmed by another."""

    title: str = field("Ordre", "Order")
    level: int = field("Niveau", "Level", unit="%", minimum=0, maximum=100)
    asked: datetime = field("Demandé le", "Asked on")
    asked_by: str = field("Demandé par", "Asked by", read="agent")
    confirmed_by: str | None = field("Confirmé par", "Confirmed by", read="agent")
    ends: datetime = field("Jusqu'à", "Until")
    state: str = field("Avancement", "Progress", choices=ORDER_STATES, default="asked")
    devices: list = field("Appareils", "Devices", listed=False)  # type: ignore[type-arg]
    problem: str | None = field("Empêchement", "Obstacle", listed=False)
    problem_en: str | None = field("Empêchement, en anglais", "Obstacle, in English", listed=False)


FINDINGS = (
    choice("dead_lamp", "Lampe éteinte", "Dead lamp", "jaune"), choice("day_burner", "Allumée en plein jour", "Burning by day", "jaune"),
    choice("stuck_on", "Contacteur collé", "Contactor stuck on", "orange"), choice("wrong_clock", "Horloge déréglée", "Wrong clock", "orange"),
    choice("dark", "Armoire éteinte", "Cabinet dark", "rouge"),
)  # fmt: skip


class FindingRecord(Record):
    """What the load curve of a cabinet shows."""

    code: str = field("Constat", "Finding", key=True, listed=False)
    cabinet: int = field("Armoire", "Cabinet", reference="cabinet")
    kind: str = field("Anomalie", "Anomaly", choices=FINDINGS)
    since: datetime = field("Depuis la nuit du", "Since the night of")
    amount: float | None = field("Ampleur", "Size", hint=Text("Lampes, ou minutes pour une horloge.", "Lamps, or minutes of a clock."))  # fmt: skip
    state: str = field(
        "État", "State", choices=(choice("open", "En cours", "Under way", "orange"), choice("over", "Terminé", "Over", "vert")), default="open",
    )  # fmt: skip
    ended: datetime | None = field("Terminé le", "Ended on", listed=False)


COLLECTIONS = (
    Collection("lighting_finding", Text("Anomalies des armoires", "Anomalies of cabinets"), FindingRecord, geometry="point", status="state", label="kind",
               description=Text("Ce que montrent les courbes de charge des armoires.", "What the load curves of cabinets show.")),
    Collection("lighting_program", Text("Programmes d'éclairage", "Lighting programs"), ProgramRecord, label="title",
               description=Text("Ce que fait une lampe dans la nuit.", "What a lamp does in a night.")),
    Collection("lighting_calendar", Text("Calendriers d'éclairage", "Lighting calendars"), CalendarRecord, label="title",
               description=Text("Quel programme vaut quelle nuit.", "Which program holds on which night.")),
    Collection("lighting_assignment", Text("Calendriers des armoires", "Calendars of cabinets"), Assignment,
               description=Text("Quel calendrier suit chaque armoire.", "Which calendar each cabinet follows.")),
    Collection("talq_gateway", Text("Passerelles TALQ", "TALQ gateways"), Gateway, label="name", status="state", read="agent", write="responsable",
               description=Text("Les réseaux d'éclairage télégérés.", "The remotely controlled lighting networks.")),
    Collection("talq_device", Text("Appareils TALQ", "TALQ devices"), Device, geometry="point", label="name", read="agent", system=True,
               description=Text("Ce que les passerelles annoncent.", "What gateways announce.")),
    Collection("talq_resource", Text("Ressources TALQ", "TALQ resources"), Resource, read="agent", system=True,
               description=Text("Classes et types que les passerelles déposent.", "Classes and types that gateways deposit.")),
    Collection("lighting_order", Text("Ordres d'éclairage", "Lighting orders"), Order, label="title", status="state", read="agent", system=True,
               description=Text("Forçages de groupe, demandés puis confirmés.", "Overrides of groups, asked then confirmed.")),
)  # fmt: skip
