"""The records of the staff: the routing table, links for outside firms, rounds."""

from datetime import date, datetime
from typing import Any

from beffroi.model.collection import Collection, Personal, Record, choice, field
from beffroi.model.text import Text

__all__ = ["STAFF_COLLECTIONS"]

_PRIORITIES = (
    choice("low", "Basse", "Low"),
    choice("normal", "Normale", "Normal"),
    choice("high", "Haute", "High"),
)


class ReportRoute(Record):
    """One line of the routing table; what is left empty matches everything. The first line that matches wins."""

    position: int = field("Rang", "Position", default=0, minimum=0)
    name: str = field("Ce que dit la ligne", "What the line says")
    categories: str | None = field(
        "Catégories",
        "Categories",
        hint=Text(
            "Leurs codes, séparés par des virgules ; une catégorie mère vaut pour ses filles.",
            "Their codes, separated by commas; a parent stands for its children.",
        ),
    )
    area: int | None = field(
        "Quartier", "Area", reference="report_area",
        hint=Text("Ou dessinez la surface de la ligne.", "Or draw the line's own area."),
    )  # fmt: skip
    answers: str | None = field(
        "Réponses", "Answers", hint=Text("type = plastique, verre ; volume >= 2", "type = plastic, glass ; volume >= 2")
    )  # fmt: skip
    days: str | None = field(
        "Jours", "Days", hint=Text("lu-ve, ou sa, di, férié", "mo-fr, or sa, su, holiday")
    )
    hours: str | None = field("Heures", "Hours", hint=Text("22h-6h", "22:00-06:00"))
    season: str | None = field("Saison", "Season", hint=Text("15/10-31/03", "15/10-31/03 (day/month)"))
    department: int | None = field("Service", "Department", reference="report_department")
    priority: str | None = field("Priorité", "Priority", choices=_PRIORITIES)
    deadline_days: int | None = field("Délai", "Deadline", unit="j", minimum=0, maximum=3650)
    deadline_working: bool = field("En jours ouvrés", "In working days", default=True, listed=False)
    moderation: str | None = field(
        "Relecture", "Moderation",
        choices=(choice("before", "Avant publication", "Before publication"), choice("after", "Après publication", "After publication")),
    )  # fmt: skip
    contact: str | None = field(
        "Pas nous : le bon contact", "Not ours: the right contact", long=True, listed=False,
        hint=Text("Une route départementale, un terrain privé : le formulaire donne ce contact avant d'envoyer.",
                  "Another owner's road, private land: the form gives this contact before sending."),
    )  # fmt: skip
    contact_en: str | None = field(
        "Le bon contact, en anglais", "The right contact, in English", long=True, listed=False
    )
    active: bool = field("En service", "In use", default=True)


class ReportForward(Record):
    """A link by which an outside firm sees one report and acts on it, without an account."""

    request: int = field("Signalement", "Report", reference="service_request")
    department: int | None = field("Entreprise", "Firm", reference="report_department")
    sent: datetime = field("Envoyé le", "Sent on")
    expires: datetime = field("Valable jusqu'au", "Valid until")
    revoked: datetime | None = field("Retiré le", "Taken back on")
    opened: datetime | None = field("Ouvert le", "Opened on")
    key_hash: str | None = field("Empreinte de la clé", "Key's digest", read="admin", listed=False)
    mail: str | None = field(
        "Courriel", "E-mail", read="agent", listed=False,
        personal=Personal(Text("Envoyer le lien à l'entreprise.", "Send the link to the firm."), 365),
    )  # fmt: skip


class ReportRound(Record):
    """A « feuille de tournée »: reports to visit, in order. `stops` is the list of their ids."""

    name: str = field("Tournée", "Round")
    day: date = field("Jour", "Day")
    team: str | None = field("Équipe", "Team")
    stops: list = field("Arrêts", "Stops", listed=False)  # type: ignore[type-arg]
    length_m: float | None = field("Longueur", "Length", unit="m", minimum=0)
    notes: str | None = field("Notes", "Notes", long=True, listed=False)


def _of_staff(name: str, title: Text, record: type[Record], **more: Any) -> Collection:
    return Collection(name, title, record, read="agent", **more)


STAFF_COLLECTIONS = (
    _of_staff("report_route", Text("Table d'acheminement", "Routing table"), ReportRoute, geometry="polygon",
              label="name", write="responsable",
              description=Text("Qui reçoit quel signalement, et sous quel délai : la première ligne qui convient l'emporte.",
                               "Who gets which report, and how soon: the first line that matches wins.")),
    _of_staff("report_forward", Text("Liens confiés aux entreprises", "Links given to firms"), ReportForward,
              kept_to="request.department", label="sent", end_of_life="expires", retention_days=365,
              description=Text("Un lien sans compte, qui expire et se retire.", "A link without an account, that expires and can be taken back.")),
    _of_staff("report_round", Text("Feuilles de tournée", "Round sheets"), ReportRound, label="name",
              delete="agent", retention_days=730,
              description=Text("L'ordre dans lequel une équipe visite des signalements.", "The order in which a team visits reports.")),
)  # fmt: skip
