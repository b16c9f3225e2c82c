"""Reports in a reader's words: names of categories, departments and people, how late, and what to look at first."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import msgspec
from sqlalchemy import select
from starlette.requests import Request

from beffroi.model.collection import Choice
from beffroi.model.principal import Principal
from beffroi.model.problem import Forbidden, Unauthorised
from beffroi.model.text import Text
from beffroi.services.reports.collections import CHANNELS
from beffroi.services.reports.desk.acting import REQUEST
from beffroi.services.reports.states import OPEN, REASONS, STATES
from beffroi.store.record import Query, Row
from beffroi.store.tables import account
from beffroi.town import Town
from beffroi.web.kit.page import figures_of, language_of, principal_of, translate

__all__ = [
    "Names",
    "Seen",
    "late_factor",
    "names_of",
    "reports_named",
    "require_staff",
    "seen",
    "town_of",
    "word",
]

SHORT = 180  # characters of a description in a list


def town_of(request: Request) -> Town:
    """Return the town that the request is for."""
    town: Town = request.app.state.town
    return town


def require_staff(request: Request) -> Principal:
    """Return who asks, when they are staff. Raises `Unauthorised` or `Forbidden`."""
    who = principal_of(request)
    if who.staff:
        return who
    if who.role == "citizen":
        raise Unauthorised(Text("Cette page est celle des agents.", "This page is for the staff."), Text("Connectez-vous.", "Sign in."))  # fmt: skip
    raise Forbidden(
        Text("Cette page est celle des agents.", "This page is for the staff."),
        Text("Les chiffres sont sur la page Chiffres.", "The figures are on the Figures page."),
    )


class Names:
    """The words of a town's categories, departments and people, read once for a page."""

    def __init__(self, town: Town, language: str) -> None:
        self._town = town
        self.language = language

    @cached_property
    def categories(self) -> dict[int, Row]:
        """Every category, by id."""
        return {row.id: row for row in self._town.store.records.all("report_category", Query(limit=500))}

    @cached_property
    def departments(self) -> dict[int, Row]:
        """Every department, by id."""
        return {row.id: row for row in self._town.store.records.all("report_department", Query(limit=500))}

    @cached_property
    def _accounts(self) -> list[tuple[str, str, str]]:
        """Every account: principal id, name, role ("" when it is disabled)."""
        with self._town.store.read() as c:
            rows = c.execute(select(account.c.id, account.c.name, account.c.role, account.c.disabled)).all()
        return [(f"user:{r.id}", r.name, "" if r.disabled else r.role) for r in rows]

    @cached_property
    def people(self) -> dict[str, str]:
        """The names of the people with an account, by principal id."""
        return {who: name for who, name, _ in self._accounts}

    @cached_property
    def staff(self) -> list[tuple[str, str]]:
        """The ids and names of those to whom reports can be given."""
        return self._with(("agent", "responsable", "admin"))

    @cached_property
    def agents(self) -> list[tuple[str, str]]:
        """The ids and names of the agents."""
        return self._with(("agent",))

    def _with(self, roles: tuple[str, ...]) -> list[tuple[str, str]]:
        found = ((who, name) for who, name, role in self._accounts if role in roles)
        return sorted(found, key=lambda p: p[1].casefold())

    def _name(self, row: Row | None) -> str:
        if row is None:
            return ""
        return str((self.language == "en" and row.values["name_en"]) or row.values["name"])

    def category(self, number: int | None) -> str:
        """Return a category's name, "" for none."""
        return self._name(self.categories.get(number or 0))

    def department(self, number: int | None) -> str:
        """Return a department's name, "" for none."""
        return self._name(self.departments.get(number or 0))

    def person(self, who: str | None) -> str:
        """Return a person's name by principal id; what is no id is a name already."""
        return self.people.get(who or "", who or "") if who != "system" else "Beffroi"

    def category_options(self) -> list[tuple[str, str]]:
        """Return (id, name) of the categories, each under its parent."""
        rows = sorted(self.categories.values(), key=lambda r: (r.values["position"], self._name(r)))
        found: list[tuple[str, str]] = []

        def add(parent: int | None, depth: int) -> None:
            for row in rows:
                above = row.values["parent"] if row.values["parent"] in self.categories else None
                if above == parent and depth < 5:
                    found.append((str(row.id), "\u00a0\u00a0" * depth + self._name(row)))
                    add(row.id, depth + 1)

        add(None, 0)
        return found

    def department_options(self) -> list[tuple[str, str]]:
        """Return (id, name) of the departments, the town's own first."""
        rows = sorted(self.departments.values(), key=lambda r: (r.values["external"], self._name(r)))
        return [(str(row.id), self._name(row)) for row in rows]


def names_of(request: Request) -> Names:
    """Return the names of the town in the reader's language."""
    return Names(town_of(request), language_of(request))


def late_factor(values: Mapping[str, Any], now_us: int) -> int:
    """Return 0 in time, 1 late, 3 when three times the promised delay is over (of the delay as it was promised)."""
    due, begun = values["due"], values["requested"]
    if due is None or values["state"] not in OPEN or now_us <= due:
        return 0
    return 3 if now_us > begun + 3 * max(0, due - begun) else 1


class Seen(msgspec.Struct, frozen=True):
    """One report as a list or a page shows it; every text is in the reader's words."""

    id: int
    version: int
    href: str
    number: str
    title: str
    where: str
    short: str
    state: str
    severity: str
    late: int
    due: str
    requested_us: int
    priority: str
    department: str
    assignee: str
    people: int  # how many said so
    photos: int
    marks: tuple[str, ...]  # what to look at first, in words
    open: bool
    values: dict[str, Any]
    place: tuple[float, float] | None


def word(choices: Iterable[Choice], value: str | None, language: str) -> str:
    """Return the words of a choice, or the value."""
    return next((c.title.of(language) for c in choices if c.value == value), value or "")


def seen(request: Request, rows: Iterable[Row], names: Names) -> list[Seen]:
    """Return reports in the reader's words."""
    now = town_of(request).clock()
    return [_seen(request, row, names, now) for row in rows]


def _seen(request: Request, row: Row, names: Names, now: int) -> Seen:
    # of another department's report, what is the staff's is not there
    values = {**dict.fromkeys(("priority", "assignee", "moderation", "confidential", "flags")), **row.values}
    figures, language = figures_of(request), names.language
    state = word(STATES, values["state"], language)
    if values["state"] == "closed" and values["reason"]:
        state = f"{state} · {word(REASONS, values['reason'], language)}"
    text = " ".join((values["description"] or "").split())
    late = late_factor(values, now)
    severity = next((s.severity or "" for s in STATES if s.value == values["state"]), "")
    place = row.geometry["coordinates"][:2] if row.geometry and row.geometry["type"] == "Point" else None
    return Seen(
        row.id, row.version, f"/services/reports/{row.id}", values["number"],
        names.category(values["category"]) or translate(request)("Sans catégorie"),
        values["place"] or values["address"] or values["area"] or "",
        text if len(text) <= SHORT else text[:SHORT].rpartition(" ")[0] + "…", state, {1: "orange", 3: "rouge"}.get(late, severity), late,
        figures.age(values["due"], now) if values["due"] is not None and values["state"] in OPEN else "", values["requested"],
        values["priority"] or "normal", names.department(values["department"]), names.person(values["assignee"]),
        1 + (values["me_too"] or 0), values["photos"] or 0, _marks(request, values, names.language), values["state"] in OPEN, values,
        (place[0], place[1]) if place else None,
    )  # fmt: skip


def _marks(request: Request, values: Mapping[str, Any], language: str) -> tuple[str, ...]:
    _ = translate(request)
    said = [
        (values["priority"] == "high", _("priorité haute")),
        (values["kind"] == "saisine", _("saisine")),
        (values["moderation"] == "waiting", _("à relire")),
        (values["moderation"] == "hidden", _("masqué")),
        (bool(values["flags"]), _("mots personnels")),
        (bool(values["confidential"]), _("privé")),
        (bool(values["reopened"]), _("rouvert")),
        (values["channel"] not in ("web", "qr"), word(CHANNELS, values["channel"], language).lower()),
    ]  # fmt: skip
    return tuple(text for wanted, text in said if wanted)


def reports_named(town: Town, ids: Iterable[int]) -> dict[int, Row]:
    """Return some reports by id."""
    wanted = list(ids)
    if not wanted:
        return {}
    found = town.store.records.find(REQUEST, Query(where={"_id": wanted[:500]}, limit=500)).rows
    return {row.id: row for row in found}
