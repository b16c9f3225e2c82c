"""Figures of the reports' service, each computed from the reports as they are now."""

from typing import Any

from beffroi.model.declaration import Indicator
from beffroi.model.instant import DAY_US
from beffroi.model.principal import SYSTEM
from beffroi.model.text import Text
from beffroi.services.reports.desk.counting import facts_of
from beffroi.services.reports.desk.figures import wait_of
from beffroi.services.reports.states import OPEN
from beffroi.store.record import Query, Where

__all__ = ["INDICATORS"]


def _count(town: Any, territory: str | None, **where: Any) -> float:
    query = Query(where=where, territories=None if territory is None else (territory,))
    return float(town.store.records.count("service_request", query))


def to_triage(town: Any, territory: str | None, _start_us: int, end_us: int) -> float | None:
    """Return the number of reports that nobody has triaged yet; of another moment than now it is not known."""
    if end_us < town.clock() - DAY_US:
        return None
    return _count(town, territory, state=("received", "reopened"))


def _open_at(town: Any, territory: str | None, end_us: int, **where: Any) -> float:
    """Return the number of reports that were open at an instant: those open since, and those closed later."""
    before = {"requested": Where("<", end_us), **where}
    return _count(town, territory, state=OPEN, **before) + _count(
        town, territory, closed=Where(">=", end_us), state="closed", **before
    )


def open_reports(town: Any, territory: str | None, _start_us: int, end_us: int) -> float | None:
    """Return the number of reports that are not closed at the end of the period."""
    return _open_at(town, territory, end_us)


def late_reports(town: Any, territory: str | None, _start_us: int, end_us: int) -> float | None:
    """Return the number of reports that are open at the end of the period, and whose promised delay is over then."""
    return _open_at(town, territory, end_us, due=Where("<", end_us))


def received(town: Any, territory: str | None, start_us: int, end_us: int) -> float | None:
    """Return the number of reports that came in the period, duplicates included."""
    return _count(town, territory, requested=(Where(">=", start_us), Where("<", end_us)))


def _median_days(town: Any, territory: str | None, start_us: int, end_us: int, column: str) -> float | None:
    who = SYSTEM if territory is None else type(SYSTEM)("system", "Beffroi", "admin", (territory,))
    facts = facts_of(town, who, start_us, end_us, axes=())
    found = wait_of(facts.created, getattr(facts, column), end_us).median
    return None if found is None else found / DAY_US


def first_answer(town: Any, territory: str | None, start_us: int, end_us: int) -> float | None:
    """Return within how many days half of the period's reports had a first human answer (Kaplan-Meier)."""
    return _median_days(town, territory, start_us, end_us, "answered")


def closing(town: Any, territory: str | None, start_us: int, end_us: int) -> float | None:
    """Return within how many days half of the period's reports were closed (Kaplan-Meier)."""
    return _median_days(town, territory, start_us, end_us, "closed")


INDICATORS = (
    Indicator(
        "reports_to_triage", Text("Signalements à trier", "Reports to triage"), "", to_triage,
        Text("Reçus ou rouverts, que personne n'a encore triés, maintenant.", "Received or reopened, that nobody has triaged yet, now."),
        better="lower", read="agent",
    ),
    Indicator(
        "reports_late", Text("Signalements en retard", "Late reports"), "", late_reports,
        Text("Signalements ouverts à la fin de la période, dont le délai promis est passé.", "Reports open at the end of the period, whose promised delay is over."),
        better="lower", read="elu",
    ),
    Indicator(
        "reports_open", Text("Signalements ouverts", "Open reports"), "", open_reports,
        Text("Signalements qui ne sont pas clos à la fin de la période.", "Reports that are not closed at the end of the period."), better="lower",
    ),
    Indicator(
        "reports_received", Text("Signalements reçus", "Reports received"), "", received,
        Text("Signalements arrivés dans la période, doublons compris.", "Reports that came in the period, duplicates included."),
    ),
    Indicator(
        "reports_first_answer", Text("Première réponse à un signalement", "First answer to a report"), "j", first_answer,
        Text("Jours en lesquels la moitié des signalements de la période ont eu une réponse humaine ; ceux qui attendent comptent (Kaplan-Meier).",
             "Days within which half of the period's reports had a human answer; those that wait count (Kaplan-Meier)."),
        better="lower", decimals=1,
    ),
    Indicator(
        "reports_closing", Text("Clôture d'un signalement", "Closing of a report"), "j", closing,
        Text("Jours en lesquels la moitié des signalements de la période sont clos ; les ouverts comptent (Kaplan-Meier).",
             "Days within which half of the period's reports are closed; open ones count (Kaplan-Meier)."),
        better="lower", decimals=1,
    ),
)  # fmt: skip
