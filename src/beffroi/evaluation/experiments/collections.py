"""Experiments as a Collection of the platform: history, audit, lists, exports and API for free."""

from datetime import date, datetime
from typing import Any

from beffroi.model.collection import Collection, Record, choice, field
from beffroi.model.text import Text

__all__ = ["DECISIONS", "EXPERIMENT", "EXPERIMENT_COLLECTIONS", "METHODS", "STATES", "STEPS"]

STATES = (
    choice("draft", "En préparation", "Being prepared"),
    choice("registered", "Inscrite, pas commencée", "Registered, not begun"),
    choice("running", "En cours", "Running"),
    choice("ended", "Terminée, décision attendue", "Ended, decision awaited"),
    choice("continued", "Continuée", "Continued"),
    choice("procured", "Généralisée par un marché", "Procured"),
    choice("stopped", "Arrêtée", "Stopped"),
    choice("withdrawn", "Retirée avant son début", "Withdrawn before it began"),
)
DECISIONS = (
    choice("continue", "Continuer", "Continue"),
    choice("procure", "Généraliser par un marché", "Procure"),
    choice("stop", "Arrêter", "Stop"),
)
STEPS = (choice("day", "Jour", "Day"), choice("week", "Semaine", "Week"), choice("month", "Mois", "Month"))
METHODS = (
    choice("did", "Différence de différences", "Difference-in-differences"),
    choice("sc", "Contrôle synthétique", "Synthetic control"),
    choice("sdid", "Différence de différences synthétique", "Synthetic difference-in-differences"),
    choice("its", "Série interrompue", "Interrupted series"),
    choice("before-after", "Avant/après corrigé de la météo", "Weather-adjusted before/after"),
)
_MEASURES = (choice("sum", "Somme", "Sum"), choice("mean", "Moyenne", "Mean"))
_BETTER = (choice("lower", "Une baisse", "A fall"), choice("higher", "Une hausse", "A rise"))
_VERDICTS = tuple(
    choice(v, v[0].upper() + v[1:], en)
    for v, en in (
        ("effet positif", "Positive effect"),
        ("effet négatif", "Negative effect"),
        ("pas d'effet démontré", "No effect shown"),
        ("non évaluable", "Cannot be evaluated"),
    )
)


class ExperimentRecord(Record):
    """One experiment, from its question to its end."""

    code: str = field("Identifiant", "Identifier", key=True, pattern="[a-z0-9][a-z0-9-]{1,60}")
    title: str = field("Nom", "Name")
    title_en: str | None = field("Nom, en anglais", "Name, in English", listed=False)
    question: str = field("Question", "Question", long=True, listed=False)
    question_en: str | None = field("Question, en anglais", "Question, in English", long=True, listed=False)
    service: str | None = field("Service", "Service")
    owner: str = field(
        "Responsable", "Owner", listed=False, hint=Text("Une fonction, pas un nom", "A post, not a name")
    )
    budget_eur: float | None = field("Budget", "Budget", unit="€", minimum=0)
    indicator: str = field("Ce qui est mesuré", "What is measured", listed=False)
    indicator_en: str | None = field(
        "Ce qui est mesuré, en anglais", "What is measured, in English", listed=False
    )
    unit: str = field("Unité", "Unit", listed=False)
    better: str = field("Effet souhaité", "Wanted effect", choices=_BETTER, default="lower", listed=False)
    step: str = field("Pas de temps", "Time step", choices=STEPS, default="week", listed=False)
    measure: str = field("Par période", "In each period", choices=_MEASURES, default="sum", listed=False)
    treated: list[int] = field("Séries traitées", "Treated series", listed=False)
    controls: list[int] | None = field("Séries témoins", "Control series", listed=False)
    covariates: list[int] | None = field("Covariables", "Covariates", listed=False)
    intake: list[int] | None = field("Séries propres à l'essai", "Series of the trial only", listed=False)
    rules: list[int] | None = field("Règles propres à l'essai", "Rules of the trial only", listed=False)
    first_day: date = field("Données depuis le", "Data since", listed=False)
    starts_on: date = field("Début", "Start")
    ends_on: date = field("Fin", "End")
    grace_days: int = field(
        "Jours pour décider", "Days to decide", minimum=0, maximum=90, default=14, listed=False
    )
    expected_percent: float = field("Effet attendu", "Expected effect", unit="%", listed=False)
    method: str = field("Méthode", "Method", choices=METHODS, default="did", listed=False)
    mde: float | None = field("Effet décelable", "Detectable effect", listed=False)
    power: float | None = field("Puissance", "Power", listed=False, minimum=0, maximum=1)
    published: bool = field("Publiée", "Published", default=False, listed=False)
    state: str = field("État", "State", choices=STATES, default="draft")
    registration: dict[str, Any] | None = field("Inscription", "Registration", listed=False)
    registration_sha256: str | None = field("Empreinte de l'inscription", "Fingerprint", listed=False)
    registered_at: datetime | None = field("Inscrite le", "Registered at", listed=False)
    warned_at: datetime | None = field("Avertie le", "Warned at", listed=False)
    finding: dict[str, Any] | None = field("Étude", "Study", listed=False)
    verdict: str | None = field("Verdict", "Verdict", choices=_VERDICTS)
    decision: str | None = field("Décision", "Decision", choices=DECISIONS)
    decided_on: date | None = field("Décidé le", "Decided on", listed=False)
    decision_reason: str | None = field("Motif", "Reason", long=True, listed=False)
    closed: dict[str, Any] | None = field("Ce qui a été arrêté", "What was stopped", listed=False)
    deliberation: str | None = field("Projet de délibération", "Draft deliberation", listed=False)
    data_file: str | None = field("Données", "Data", listed=False)


EXPERIMENT = Collection(
    "experiment", Text("Expérimentations", "Experiments"), ExperimentRecord, label="title", write="responsable",
    delete="admin", system=True, shown_when="published",
    description=Text("Des essais inscrits avant de commencer, jugés à leur fin.",
                     "Trials registered before they begin, judged at their end."),
)  # fmt: skip
EXPERIMENT_COLLECTIONS = (EXPERIMENT,)
