"""The records of citizens' reports. Names follow Open311 GeoReport v2 (service request, service) and, for the
law, the French code: a *signalement* may be anonymous; a *saisine par voie électronique* (code des relations
entre le public et l'administration, L112-8 and R112-9-1 s.) is identified and gets its receipts.

What may not be seen is not a matter for each page: `shown` gates the record everywhere (`shown_when`), the stored
geometry is already the public one, and what tells who or which front door is sealed.
"""

from datetime import date, datetime
from typing import Any

from beffroi.model.collection import Collection, Personal, Record, choice, field
from beffroi.model.text import Text
from beffroi.services.reports.staff_records import STAFF_COLLECTIONS
from beffroi.services.reports.states import REASONS, STATES

__all__ = ["CHANNELS", "COLLECTIONS", "KINDS", "MODERATION", "QUESTION_KINDS", "UPDATES"]

# The kinds of attributes of GeoReport v2.
QUESTION_KINDS = ("string", "number", "datetime", "text", "singlevaluelist", "multivaluelist")
CHANNELS = (
    choice("web", "Site", "Site"), choice("qr", "QR code", "QR code"), choice("phone", "Téléphone", "Telephone"),
    choice("counter", "Guichet", "Counter"), choice("paper", "Courrier", "Paper"), choice("mail", "Courriel", "E-mail"),
    choice("open311", "Open311", "Open311"), choice("sensor", "Capteur", "Sensor"), choice("agent", "Agent", "Agent"),
    choice("import", "Reprise", "Import"),
)  # fmt: skip
KINDS = (
    choice("signalement", "Signalement", "Report"),
    choice("saisine", "Saisine par voie électronique", "Formal electronic request"),
)
MODERATION = (
    choice("waiting", "À relire", "To be read"),
    choice("accepted", "Publié", "Published"),
    choice("hidden", "Masqué", "Hidden"),
)
PRIORITIES = (
    choice("low", "Basse", "Low"),
    choice("normal", "Normale", "Normal"),
    choice("high", "Haute", "High"),
)
EXTERNAL = (
    choice("sent", "Envoyé", "Sent"), choice("failed", "Envoi échoué", "Sending failed"), choice("done", "Rendu", "Done"),
)  # fmt: skip
UPDATES = (
    choice("reply", "Réponse", "Reply"), choice("note", "Note interne", "Internal note"),
    choice("state", "Étape", "Step"), choice("comment", "Commentaire", "Comment"), choice("me_too", "Moi aussi", "Me too"),
    choice("saw_and_left", "Vu, puis parti", "Saw and left"), choice("satisfaction", "Avis", "Satisfaction"),
    choice("receipt", "Accusé", "Receipt"), choice("photo", "Photo", "Photo"),
)  # fmt: skip
_ANSWER = Text("Vous répondre et vous prévenir des suites.", "Answer you and tell you what becomes of it.")
_PLACE = Text("Retrouver le lieu quand il s'agit d'un domicile.", "Find the place when it is a home.")


def _personal(fr: str, en: str, purpose: Text = _ANSWER, days: int = 365) -> Any:
    return field(fr, en, read="agent", listed=False, personal=Personal(purpose, days))


class ReportCategory(Record):
    """A category (GeoReport: service). `questions` is a list of
    {code, fr, en, kind, required, values: [{key, fr, en, not_ours: {fr, en, contact}}], hint_fr, hint_en}."""

    code: str = field(
        "Code",
        "Code",
        key=True,
        pattern="[A-Za-z0-9_.-]{1,80}",
        hint=Text("Le service_code d'Open311.", "The Open311 service_code."),
    )
    name: str = field("Nom", "Name")
    name_en: str | None = field("Nom en anglais", "Name in English", listed=False)
    description: str | None = field("Explication", "Explanation", long=True, listed=False)
    description_en: str | None = field(
        "Explication en anglais", "Explanation in English", long=True, listed=False
    )
    parent: int | None = field("Catégorie mère", "Parent category", reference="report_category")
    position: int = field("Rang", "Position", default=0, listed=False)
    synonyms: str | None = field(
        "Synonymes",
        "Synonyms",
        listed=False,
        hint=Text("Séparés par des virgules, fr et en.", "Separated by commas, fr and en."),
    )
    questions: list | None = field("Questions", "Questions", listed=False)  # type: ignore[type-arg]
    not_ours: bool = field(
        "Pas nous",
        "Not ours",
        default=False,
        hint=Text(
            "Le formulaire donne le bon contact au lieu d'envoyer.",
            "The form gives the right contact instead of sending.",
        ),
    )
    contact: str | None = field("Bon contact", "Right contact", long=True, listed=False)
    contact_en: str | None = field(
        "Bon contact en anglais", "Right contact in English", long=True, listed=False
    )
    contact_phone: str | None = field("Téléphone du bon contact", "Right contact's telephone", listed=False)
    contact_url: str | None = field(
        "Page du bon contact", "Right contact's page", listed=False, pattern="https?://.+"
    )
    department: int | None = field("Service", "Department", reference="report_department")
    deadline_days: int | None = field("Délai (jours)", "Deadline (days)", minimum=0, maximum=3650)
    deadline_working: bool = field("Jours ouvrés", "Working days", default=True, listed=False)
    priority: str = field("Priorité", "Priority", choices=PRIORITIES, default="normal", listed=False)
    moderation: str = field(
        "Relecture", "Moderation", default="after", listed=False,
        choices=(choice("before", "Avant publication", "Before publication"), choice("after", "Après publication", "After publication")),
    )  # fmt: skip
    confidential: bool = field("Jamais public", "Never public", default=False, listed=False)
    private_home: bool = field(
        "Concerne des domiciles",
        "Concerns homes",
        default=False,
        listed=False,
        hint=Text(
            "Le lieu public est flouté à une centaine de mètres.",
            "The public place is coarsened to some hundred metres.",
        ),
    )
    asset: str | None = field(
        "Équipement concerné",
        "Asset concerned",
        listed=False,
        hint=Text("Nom de collection, par exemple lamp.", "Name of a collection, such as lamp."),
    )
    icon: str = field(
        "Signe", "Sign", default="circle", listed=False,
        choices=tuple(choice(v, fr, en) for v, fr, en in (
            ("circle", "Rond", "Circle"), ("square", "Carré", "Square"), ("triangle", "Triangle", "Triangle"), ("diamond", "Losange", "Diamond"),
            ("cross", "Croix", "Cross"), ("star", "Étoile", "Star"), ("drop", "Goutte", "Drop"), ("bolt", "Éclair", "Bolt"))),
    )  # fmt: skip
    active: bool = field("Proposée", "Offered", default=True)


class ReportDepartment(Record):
    """A service of the town, or an outside firm or body, that handles reports."""

    code: str = field("Code", "Code", key=True)
    name: str = field("Nom", "Name")
    name_en: str | None = field("Nom en anglais", "Name in English", listed=False)
    external: bool = field("Entreprise extérieure", "Outside firm", default=False)
    mail: str | None = field("Courriel", "E-mail")
    phone: str | None = field("Téléphone", "Telephone")
    address: str | None = field("Adresse postale", "Postal address", listed=False)
    hours: str | None = field("Horaires", "Opening hours", listed=False)
    members: list | None = field(  # type: ignore[type-arg]
        "Membres", "Members", read="agent", listed=False,
        hint=Text("Les agents de ce service, qui ne traitent que ses signalements (page Équipes).",
                  "The agents of this department, who handle its reports only (page Teams)."),
    )  # fmt: skip


class ServiceRequest(Record):
    """One report. `description`, `place` and geometry are what the public may see once `shown`."""

    number: str = field("Numéro", "Number", key=True)
    kind: str = field("Nature", "Nature", choices=KINDS, default="signalement", listed=False, searched=False)
    category: int | None = field("Catégorie", "Category", reference="report_category")
    description: str | None = field("Description", "Description", long=True)
    place: str | None = field("Lieu", "Place")  # the citizen's words
    address: str | None = field("Adresse", "Address", listed=False)
    area: str | None = field("Quartier", "Area")
    asset: str | None = field("Équipement", "Asset", pattern=r"[a-z_]+/\d+", listed=False, searched=False)
    answers: dict | None = field("Réponses", "Answers", listed=False, read="agent")  # type: ignore[type-arg]
    state: str = field("État", "State", choices=STATES, default="received", searched=False)
    reason: str | None = field("Motif de clôture", "Closing reason", choices=REASONS, searched=False)
    channel: str = field("Canal", "Channel", choices=CHANNELS, default="web", listed=False, searched=False)
    requested: datetime = field("Reçu le", "Received on")
    first_answered: datetime | None = field("Première réponse le", "First answered on", listed=False)
    closed: datetime | None = field("Clos le", "Closed on")
    due: datetime | None = field("À traiter avant le", "Due on")
    scheduled: datetime | None = field("Intervention prévue le", "Work planned on", listed=False)
    priority: str = field(
        "Priorité", "Priority", choices=PRIORITIES, default="normal", read="agent", searched=False
    )
    department: int | None = field("Service", "Department", reference="report_department")
    assignee: str | None = field("Confié à", "Assigned to", read="agent")
    external: str | None = field(
        "Entreprise", "Firm", choices=EXTERNAL, read="agent", listed=False, searched=False
    )
    parent: int | None = field("Signalement père", "Parent report", reference="service_request", listed=False)
    duplicate_of: int | None = field("Doublon de", "Duplicate of", reference="service_request")
    confidential: bool = field("Privé", "Private", default=False, read="agent", listed=False)
    moderation: str = field(
        "Publication", "Publication", choices=MODERATION, default="waiting", read="agent", searched=False
    )
    shown: bool = field("Public", "Public", default=False, read="agent", listed=False)
    flags: list | None = field("Alertes de relecture", "Moderation flags", read="agent", listed=False)  # type: ignore[type-arg]
    me_too: int = field("Aussi signalé par", "Also reported by", default=0, listed=False)
    reopened: int = field("Réouvertures", "Reopenings", default=0, listed=False)
    satisfied: bool | None = field("Auteur satisfait", "Author satisfied", listed=False)
    photos: int = field("Photos", "Photos", default=0, listed=False)  # published ones
    source: str | None = field("Source", "Source", listed=False, searched=False)
    source_id: str | None = field("Numéro dans la source", "Number in the source", listed=False)
    source_data: dict | None = field(  # type: ignore[type-arg]
        "Reçu de la source", "Received from the source", read="agent", listed=False
    )
    reporter: str | None = field(
        "Pseudonyme de l'auteur", "Author's pseudonym", read="agent", listed=False, searched=False
    )
    language: str = field(
        "Langue", "Language", default="fr", pattern="[a-z]{2}", read="agent", listed=False, searched=False
    )
    key_hash: str | None = field(
        "Empreinte de la clé", "Key's digest", read="admin", listed=False, searched=False
    )
    exact_place: dict | None = _personal("Lieu exact", "Exact place", _PLACE)  # type: ignore[type-arg]  # GeoJSON
    name: str | None = _personal("Nom", "Name")
    mail: str | None = _personal("Courriel", "E-mail")
    phone: str | None = _personal("Téléphone", "Telephone")
    postal: str | None = _personal("Adresse de l'auteur", "Author's address")


def _moderation() -> Any:
    return field("Publication", "Publication", choices=MODERATION, default="accepted", read="agent", listed=False, searched=False)  # fmt: skip


class ReportUpdate(Record):
    """One thing that happened to a report. `shown` is true for what the public may read."""

    request: int = field("Signalement", "Report", reference="service_request")
    kind: str = field("Nature", "Nature", choices=UPDATES, searched=False)
    at: datetime = field("Le", "On")
    actor: str = field(
        "Par", "By", default="system",
        choices=(
            choice("reporter", "Auteur", "Author"), choice("neighbour", "Habitant", "Resident"), choice("firm", "Entreprise", "Firm"),
            choice("agent", "Mairie", "Town hall"), choice("system", "Beffroi", "Beffroi"),
        ), searched=False,
    )  # fmt: skip
    action: str | None = field("Geste", "Action", listed=False, searched=False)
    text: str | None = field("Texte", "Text", long=True)
    from_state: str | None = field("État avant", "State before", choices=STATES, listed=False, searched=False)
    state: str | None = field("État", "State", choices=STATES, searched=False)
    reason: str | None = field("Motif", "Reason", choices=REASONS, searched=False)
    satisfied: bool | None = field("Satisfait", "Satisfied", listed=False)
    detail: dict | None = field("Détail", "Detail", read="agent", listed=False)  # type: ignore[type-arg]
    moderation: str = _moderation()
    shown: bool = field("Public", "Public", default=False, read="agent", listed=False)
    reporter: str | None = field("Pseudonyme", "Pseudonym", read="agent", listed=False, searched=False)
    source_id: str | None = field(
        "Numéro dans la source", "Number in the source", listed=False, searched=False
    )
    words: str | None = _personal("Texte personnel", "Personal text")  # what was cut from the public text


class ReportPhoto(Record):
    """One photo. `file` is the published form, made again from pixels; until then only `original` is held, its
    metadata already cut, sealed, and read by agents alone."""

    request: int = field("Signalement", "Report", reference="service_request")
    update: int | None = field("Avec le message", "With the message", reference="report_update", listed=False)
    file: str | None = field("Fichier", "File", listed=False, pattern="[0-9a-f]{64}", searched=False)
    small: str | None = field("Vignette", "Thumbnail", listed=False, pattern="[0-9a-f]{64}", searched=False)
    original: str | None = field(
        "Fichier reçu",
        "Received file",
        read="agent",
        listed=False,
        pattern="[0-9a-f]{64}",
        searched=False,
    )
    orientation: int = field(
        "Orientation", "Orientation", default=1, minimum=1, maximum=8, listed=False
    )  # EXIF's, to apply
    width: int | None = field("Largeur", "Width", unit="px", listed=False)
    height: int | None = field("Hauteur", "Height", unit="px", listed=False)
    taken_by: str = field("Par", "By", default="reporter", listed=False, searched=False)
    state: str = field(
        "Traitement", "Processing", default="waiting",
        choices=(choice("waiting", "En préparation", "Being prepared"), choice("ready", "Prête", "Ready"), choice("refused", "Illisible", "Unreadable")), searched=False,
    )  # fmt: skip
    blurred: int | None = field("Zones floutées", "Blurred areas", read="agent", listed=False)
    moderation: str = _moderation()
    shown: bool = field("Public", "Public", default=False, read="agent", listed=False)
    phash: str | None = field(
        "Empreinte visuelle",
        "Visual hash",
        read="agent",
        listed=False,
        pattern="[0-9a-f]{16}",
        searched=False,
    )
    alt: str | None = field("Ce que l'on voit", "What is seen", listed=False)


class ReportFollower(Record):
    """Someone to tell of what becomes of a report."""

    request: int = field("Signalement", "Report", reference="service_request")
    since: datetime = field("Depuis le", "Since")
    until: datetime | None = field("Jusqu'au", "Until", listed=False)
    reason: str = field(
        "Pourquoi", "Why", default="author",
        choices=(choice("author", "Auteur", "Author"), choice("me_too", "Moi aussi", "Me too"), choice("follower", "Suit", "Follows")),
    )  # fmt: skip
    language: str = field("Langue", "Language", default="fr", pattern="[a-z]{2}", listed=False)
    reporter: str | None = field("Pseudonyme", "Pseudonym", listed=False)
    key_hash: str | None = field("Empreinte de la clé", "Key's digest", read="admin", listed=False)
    mail: str | None = _personal("Courriel", "E-mail")
    phone: str | None = _personal("Téléphone", "Telephone")
    push: dict | None = _personal("Abonnement web push", "Web push subscription")  # type: ignore[type-arg]


class ReportReplyTemplate(Record):
    """A reply prepared for a category and a step. Fields in braces are filled in: {number}, {place}, {date}…"""

    name: str = field("Nom", "Name", key=True)
    category: int | None = field("Catégorie", "Category", reference="report_category")
    action: str | None = field("Geste", "Action")
    reason: str | None = field("Motif de clôture", "Closing reason", choices=REASONS)
    text: str = field("Texte", "Text", long=True)
    text_en: str | None = field("Texte en anglais", "Text in English", long=True)


class ReportAlert(Record):
    """Someone to tell of new reports around a point, or in an area (its place is then the area's middle)."""

    since: datetime = field("Depuis le", "Since")
    area: str | None = field("Quartier", "Area")
    radius_m: int = field("Rayon", "Radius", unit="m", minimum=50, maximum=20_000, default=500)
    categories: list | None = field("Catégories", "Categories", listed=False)  # type: ignore[type-arg]
    confirmed: bool = field("Confirmée", "Confirmed", default=False)
    until: datetime | None = field("Jusqu'au", "Until", listed=False)
    language: str = field("Langue", "Language", default="fr", pattern="[a-z]{2}", listed=False)
    key_hash: str | None = field("Empreinte de la clé", "Key's digest", read="admin", listed=False)
    mail: str | None = _personal("Courriel", "E-mail")
    push: dict | None = _personal("Abonnement web push", "Web push subscription")  # type: ignore[type-arg]


class ReportArea(Record):
    """A part of the town: routing, statistics, and the rate of reporting are told by area."""

    code: str = field("Code", "Code", key=True)
    name: str = field("Nom", "Name")
    population: int | None = field("Habitants", "Inhabitants", minimum=0)
    counted: date | None = field("Recensés le", "Counted on", listed=False)


# The newest of all, of a category, of an area, of a state: the public's lists, the map, Open311 and the agents' queue.
# Of one author (a pseudonym): what an agent sees around a report.
_ON_THE_WAY = ("shown", "duplicate_of")
_WALKED = (
    ("requested", "_id", "state", *_ON_THE_WAY),
    ("category", "requested", "_id", "state", *_ON_THE_WAY),
    ("area", "requested", "_id", "state", *_ON_THE_WAY),
    ("state", "requested", "_id", *_ON_THE_WAY),
    ("reporter", "_id"),
)
COLLECTIONS = (
    Collection("service_request", Text("Signalements", "Reports"), ServiceRequest, kept_to="department", geometry="point", status="state",
               shown_when="shown", end_of_life="closed", retention_days=3650, walked=_WALKED, ends=("state", "closed"),
               description=Text("Ce que les habitants signalent, et ce qu'il en advient.", "What residents report, and what becomes of it.")),
    Collection("report_category", Text("Catégories de signalement", "Report categories"), ReportCategory, label="name",
               write="responsable", description=Text("Ce que l'on peut signaler, ce que l'on demande, qui s'en charge.", "What can be reported, what is asked, who handles it.")),
    Collection("report_update", Text("Suivi des signalements", "Updates of reports"), ReportUpdate, kept_to="request.department", label="kind",
               shown_when="shown", end_of_life="at", retention_days=3650,
               description=Text("Réponses, étapes, commentaires.", "Replies, steps, comments.")),
    Collection("report_photo", Text("Photos des signalements", "Photos of reports"), ReportPhoto, kept_to="request.department", label="state",
               shown_when="shown", retention_days=3650,
               description=Text("Les photos, refaites sans aucune métadonnée.", "The photos, made again without any metadata.")),
    Collection("report_follower", Text("Abonnés aux signalements", "Followers of reports"), ReportFollower, kept_to="request.department", label="reason",
               read="agent", end_of_life="until", retention_days=90,
               description=Text("Qui prévenir des suites.", "Whom to tell what becomes of it.")),
    Collection("report_department", Text("Services destinataires", "Departments"), ReportDepartment, label="name",
               write="responsable", description=Text("Les services et entreprises qui traitent les signalements.", "The services and firms that handle reports.")),
    Collection("report_reply_template", Text("Réponses types", "Reply templates"), ReportReplyTemplate,
               read="agent", description=Text("Réponses prêtes, par catégorie et par étape.", "Replies made ready, by category and step.")),
    Collection("report_alert", Text("Alertes de nouveaux signalements", "Alerts of new reports"), ReportAlert, geometry="point", label="since",
               read="agent", end_of_life="until", retention_days=90,
               description=Text("Qui prévenir des nouveaux signalements, et où.", "Whom to tell of new reports, and where.")),
    Collection("report_area", Text("Quartiers", "Areas"), ReportArea, geometry="polygon", label="name",
               write="responsable", description=Text("Les quartiers par lesquels on compte.", "The areas by which one counts.")),
    *STAFF_COLLECTIONS,
)  # fmt: skip
