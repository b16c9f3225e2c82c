"""What the keeper does for experiments: move them on every quarter of an hour, print, warn."""

import contextlib
import logging
import smtplib
import threading
from email.message import EmailMessage

from beffroi.evaluation.experiments import life
from beffroi.evaluation.experiments.life import Tools
from beffroi.evaluation.impact.finding import Finding
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import Problem
from beffroi.rules import rulebook
from beffroi.rules.mail import ActionError, send
from beffroi.store.record import Row
from beffroi.town import Town
from beffroi.web.kit.page import Pages
from beffroi.web.site.experiments.paper import draft
from beffroi.web.site.experiments.shown import managers

__all__ = ["experiments", "keeper_tools"]

PACE_S = 900.0
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
    values = row.values
    address = f"{town.settings.base_url}/preuve/experimentations/{values['code']}"
    for email in managers(town, row):
        letter = EmailMessage()
        letter["From"], letter["To"] = town.settings.mail.sender, email
        letter["Subject"] = f"Décision attendue : {values['title']}"
        letter.set_content(
            f"L'expérimentation « {values['title']} » est terminée. Verdict : {values['verdict']}.\n\n"
            f"Sans décision d'ici au {life.stop_day(values):%d/%m/%Y}, elle s'arrête d'elle-même ce jour-là.\n\n{address}\n"
        )
        with contextlib.suppress(ActionError, OSError, smtplib.SMTPException):
            send(town.settings, letter)


def experiments(town: Town, stop: threading.Event) -> None:
    """Move the experiments on, at start and then every quarter of an hour."""
    tools = keeper_tools(town)
    while not stop.is_set():
        for row in life.advance(town.store, tools):
            log.info("experiment %s is now %s", row.values["code"], row.values["state"])
        stop.wait(PACE_S)
