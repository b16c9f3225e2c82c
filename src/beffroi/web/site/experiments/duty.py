"""What the keeper does for experiments: move them on every quarter of an hour, print, warn."""

import contextlib
import logging
import smtplib
import threading
from email.message import EmailMessage

from beffroi.evaluation.experiments import life
from beffroi.evaluation.experiments.life import Tools
from beffroi.evaluation.impact.finding import VERDICTS, Finding
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.rules import rulebook
from beffroi.rules.mail import ActionError, send
from beffroi.store.record import Row
from beffroi.town import Town
from beffroi.web.kit.page import Pages, pages_for
from beffroi.web.site.experiments.paper import draft
from beffroi.web.site.experiments.shown import managers
from beffroi.web.site.experiments.words import in_words

__all__ = ["experiments", "keeper_tools"]

PACE_S = 900.0
_SUBJECT = Text("Décision attendue : {title}", "Decision awaited: {title}")
_BODY = Text(
    "L'expérimentation « {title} » est terminée. Verdict : {verdict}.\n\n"
    "Sans décision d'ici au {day}, elle s'arrête d'elle-même ce jour-là.",
    "The experiment '{title}' is over. Verdict: {verdict}.\n\nWithout a decision by {day}, it stops by itself on that day.",
)
log = logging.getLogger("beffroi.experiments")


def keeper_tools(town: Town) -> Tools:
    """Return what the life of experiments needs: rules, the printed deliberation, letters to who decides."""
    pages: list[Pages] = []

    def paper(row: Row, finding: Finding) -> bytes | None:
        if not pages:
            packages = tuple(s.package for s in town.registry.services.values() if s.package is not None)
            pages.append(Pages(packages, town.settings.time_zone))
        try:
            return draft(town, pages[0], "fr", row, finding)
        except Problem as problem:  # no printer here: the page makes it when asked
            log.warning("the deliberation of %s is not printed: %s", row.values["code"], problem)
            return None

    return Tools(
        switch=lambda rule, on: rulebook.turn(town.store, rule, SYSTEM, enabled=on), paper=paper,
        warn=lambda row: warn(town, row), town=town.name,
    )  # fmt: skip


def warn(town: Town, row: Row) -> None:
    """Write to the managers of the territory that a decision is awaited, when the town sends mail."""
    if not town.settings.mail.url:
        return
    address = f"{town.settings.base_url}/preuve/experimentations/{row.values['code']}"
    pages = pages_for(town)
    for person in managers(town, row):
        figures = pages.figures[person.language]
        values = in_words(row.values, figures)
        verdict = VERDICTS[values["verdict"]].of(person.language)
        letter = EmailMessage()
        letter["From"], letter["To"] = town.settings.mail.sender, person.email
        letter["Subject"] = _SUBJECT.of(person.language, title=values["title"])
        said = _BODY.of(
            person.language, title=values["title"], verdict=verdict, day=figures.day(life.stop_day(values))
        )
        letter.set_content(f"{said}\n\n{address}\n")
        with contextlib.suppress(ActionError, OSError, smtplib.SMTPException):
            send(town.settings, letter)


def experiments(town: Town, stop: threading.Event) -> None:
    """Move the experiments on, at start and then every quarter of an hour."""
    tools = keeper_tools(town)
    while not stop.is_set():
        for row in life.advance(town.store, tools):
            log.info("experiment %s is now %s", row.values["code"], row.values["state"])
        stop.wait(PACE_S)
