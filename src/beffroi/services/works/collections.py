"""What the works service keeps: permits (public once published), and the register of declarations."""

from datetime import date, datetime

from beffroi.model.collection import Collection, Personal, Record, choice, field
from beffroi.model.text import Text

__all__ = ["COLLECTIONS", "MEASURES"]

MEASURES = (
    choice("closed", "Rue barrée", "Road closed", "rouge"), choice("layout", "Chaussée rétrécie ou alternat", "Narrowed or alternating", "orange"),
    choice("no_parking", "Stationnement interdit", "No parking", "jaune"), choice("speed", "Vitesse limitée à 30 km/h", "Speed limit 30 km/h", "jaune"),
)  # fmt: skip


class Permit(Record):
    """Works that change the traffic for a time: a temporary order."""

    number: str = field("Numéro de l'arrêté", "Number of the order", key=True)
    title: str = field("Travaux", "Works")
    street: str | None = field("Voie", "Street")
    measure: str = field("Mesure", "Measure", choices=MEASURES, default="layout")
    starts: datetime = field("Début", "Start")
    ends: datetime = field("Fin", "End")
    diversion: str | None = field("Déviation", "Diversion", long=True, listed=False)
    contractor: str | None = field("Entreprise", "Contractor")
    published: bool = field("Publié", "Published", default=False)
    withdrawn: bool = field("Retiré", "Withdrawn", default=False, listed=False)


class Declaration(Record):
    """A declaration of works near networks that was received: its clock and its answer."""

    number: str = field("Numéro", "Number", key=True)
    kind: str = field(
        "Sorte", "Kind", choices=(choice("dt", "DT", "DT"), choice("joint", "DT-DICT conjointe", "Joint DT-DICT"), choice("dict", "DICT", "DICT")),
        default="joint",
    )  # fmt: skip
    received: date = field("Reçue le", "Received on")
    dematerialised: bool = field("Dématérialisée", "Dematerialised", default=True)
    on_site: bool = field("Mesure sur place", "Measured on site", default=False)
    declarant: str | None = field("Déclarant (entreprise)", "Declarant (company)")
    contact: str | None = field(
        "Personne à joindre", "Person to reach", listed=False, read="agent",
        personal=Personal(Text("Répondre au déclarant des travaux", "Answer the person who declares works"), 1095),
    )  # fmt: skip
    street: str | None = field("Lieu", "Place")
    state: str = field(
        "État", "State",
        choices=(choice("open", "À répondre", "To be answered", "orange"), choice("answered", "Répondue", "Answered", "vert"), choice("closed", "Classée", "Closed")),
        default="open",
    )  # fmt: skip
    answered: date | None = field("Répondue le", "Answered on")
    concerned: bool | None = field("Concernée", "Concerned", listed=False)


COLLECTIONS = (
    Collection("works_permit", Text("Arrêtés de travaux", "Works orders"), Permit, geometry="any", status="measure", label="title", shown_when="published",
               walked=(("starts", "_id"),), description=Text("Travaux qui changent la circulation.", "Works that change the traffic.")),
    Collection("works_declaration", Text("DT-DICT reçues", "Works declarations received"), Declaration, geometry="polygon", status="state", read="agent",
               end_of_life="answered", description=Text("Déclarations de travaux à proximité des réseaux.", "Declarations of works near networks.")),
)  # fmt: skip
