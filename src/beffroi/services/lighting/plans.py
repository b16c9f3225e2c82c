"""What the cabinets of a town follow: its programs and calendars as records, read once, and which cabinet has which."""

import contextlib

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.lighting.calendars import Calendar, Plan, Rule, check_calendar, read_rules
from beffroi.services.lighting.schedule import Program, cut_program, read_program
from beffroi.store.record import Query, Row
from beffroi.town import Town

__all__ = ["Plans", "plan_of"]


class Plans:
    """The programs and calendars of a town.

    What cannot be read (a program, a rule, a cut) is left out: a wrong line in one record darkens no page; `faults`
    tells of it.
    """

    def __init__(self, town: Town) -> None:
        records = town.store.records
        self.faults: list[tuple[Row, Problem]] = []
        self.program_rows = list(records.all("lighting_program"))
        self.calendar_rows = list(records.all("lighting_calendar"))
        self.programs = self._programs()
        codes = {row.id: str(row.values["code"]) for row in self.program_rows}
        self.calendars: dict[str, Plan] = {}
        self._by_id: dict[int, Plan] = {}
        for row in records.all("lighting_calendar", Query(deleted=None)):
            usual = codes.get(row.values["default_program"], "")
            if usual not in self.programs:
                continue
            plan = Plan(Calendar(usual, self._rules(row)), self.programs)
            self._by_id[row.id] = plan
            if not row.deleted_us:
                self.calendars[str(row.values["code"])] = plan
        self._assigned = {
            row.values["cabinet"]: row.values["calendar"] for row in records.all("lighting_assignment")
        }

    def _programs(self) -> dict[str, Program]:
        found = {}
        for row in self.program_rows:
            try:
                found[str(row.values["code"])] = read_program(str(row.values["program"]))
            except Problem as problem:
                self.faults.append((row, problem))
        return found

    def _rules(self, row: Row) -> tuple[Rule, ...]:
        try:
            rules = read_rules(str(row.values["rules"] or ""))
        except Problem as problem:
            self._tell(row, problem)
            return ()
        for rule in rules:
            try:
                check_calendar(Calendar(rule.program), self.programs)
            except Problem as problem:
                self._tell(row, problem)
        return tuple(rule for rule in rules if rule.program in self.programs)

    def _tell(self, row: Row, problem: Problem) -> None:
        if not row.deleted_us:
            self.faults.append((row, problem))

    def calendar_of(self, cabinet: Row) -> Row | None:
        """Return the calendar that is given to a cabinet."""
        number = self._assigned.get(cabinet.id)
        return next((row for row in self.calendar_rows if row.id == number), None)

    def of(self, cabinet: Row) -> Plan:
        """Return what a cabinet follows: its calendar, else the night cut of its own record."""
        plan = self._by_id.get(self._assigned.get(cabinet.id, -1))
        if plan is not None:
            return plan
        program = cut_program(None)
        with contextlib.suppress(Problem):
            program = cut_program(cabinet.values["night_cut"])
        return Plan(Calendar("local"), {"local": program})

    def called(self, said: str) -> Plan | Program:
        """Return the calendar or the program of a code, else the program that the text itself is. Raises `Problem`."""
        code = said.strip()
        if code in self.calendars:
            return self.calendars[code]
        if code in self.programs:
            return self.programs[code]
        try:
            return read_program(said)
        except Problem as problem:
            if not code or " " in code or "," in code:
                raise
            raise Problem(
                Text(f"Aucun calendrier ni programme n'a le code « {code[:40]} ».", f"No calendar or program has the code '{code[:40]}'."),
                problem.mend, place=problem.place,
            ) from problem  # fmt: skip


def plan_of(town: Town, cabinet: Row) -> Plan:
    """Return what a cabinet follows."""
    return Plans(town).of(cabinet)
