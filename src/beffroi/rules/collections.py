"""Rules and alarms as Collections of the platform: history, lists, exports and API for free."""

from datetime import datetime

from beffroi.model.collection import Collection, Record, choice, field
from beffroi.model.text import Text

__all__ = ["ALARM", "PLATFORM_COLLECTIONS", "RULE"]

_SEVERITIES = (
    choice("vert", "Vert", "Green", "vert"),
    choice("jaune", "Jaune", "Yellow", "jaune"),
    choice("orange", "Orange", "Orange", "orange"),
    choice("rouge", "Rouge", "Red", "rouge"),
)
_STATES = (
    choice("active", "À prendre en charge", "To be taken in charge"),
    choice("acknowledged", "Prise en charge", "Taken in charge"),
    choice("cleared_unacknowledged", "Terminée, non vue", "Over, not seen"),
    choice("cleared", "Terminée", "Over"),
)


class RuleRecord(Record):
    """A rule: its YAML decides, the other fields are read from it or say whether it is on."""

    name: str = field("Nom", "Name")
    name_en: str | None = field("Nom, en anglais", "Name, in English", listed=False)
    yaml: str = field("Texte", "Text", long=True, listed=False)
    enabled: bool = field("En service", "Switched on", default=False)
    severity: str = field("Gravité", "Severity", choices=_SEVERITIES, default="orange")
    enabled_at: datetime | None = field("En service depuis", "On since")
    from_seq: int | None = field("Position du bus", "Bus position", listed=False)
    origin: str | None = field(
        "Origine", "Origin", hint=Text("Service qui la propose", "Service that proposes it")
    )


class AlarmRecord(Record):
    """One alarm: a rule that held for one subject, from its start to its end."""

    message: str = field("Alarme", "Alarm")
    message_en: str | None = field("Alarme, en anglais", "Alarm, in English", listed=False)
    severity: str = field("Gravité", "Severity", choices=_SEVERITIES, default="orange")
    worst: str = field("Gravité la plus haute", "Worst severity", choices=_SEVERITIES, default="orange")
    state: str = field("État", "State", choices=_STATES, default="active")
    rule: int = field("Règle", "Rule", reference="rule")
    subject: str = field(
        "Sujet", "Subject", hint=Text("thing:3 ou record:bac:12", "thing:3 or record:bin:12")
    )
    thing_id: int | None = field("Objet", "Thing")
    datastream_id: int | None = field("Série", "Series")
    began_at: datetime | None = field("Condition vraie depuis", "Condition true since", listed=False)
    raised_at: datetime = field("Début", "Start")
    cleared_at: datetime | None = field("Fin", "End")
    acknowledged_at: datetime | None = field("Prise en charge le", "Taken in charge at", listed=False)
    acknowledged_by: str | None = field(
        "Prise en charge par", "Taken in charge by", read="agent", listed=False
    )
    assignee: str | None = field("Confiée à", "Assigned to", read="agent")
    value: float | None = field("Valeur", "Value")
    peak: float | None = field("Extrême", "Extreme")
    unit: str | None = field("Unité", "Unit", listed=False)
    public: bool = field("Publique", "Public", default=True, listed=False)
    comments: list[dict[str, str]] | None = field("Commentaires", "Comments", read="agent", listed=False)


RULE = Collection(
    "rule", Text("Règles", "Rules"), RuleRecord, read="elu", write="responsable", delete="responsable", label="name",
    description=Text("Ce que la ville surveille.", "What the town watches."), system=True,
)  # fmt: skip
ALARM = Collection(
    "alarm", Text("Alarmes", "Alarms"), AlarmRecord, read="elu", label="message", status="severity", system=True,
    description=Text("Ce qui a demandé quelqu'un.", "What asked for someone."),
)  # fmt: skip
PLATFORM_COLLECTIONS = (RULE, ALARM)
