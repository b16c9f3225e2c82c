"""The night cut of the demonstration town, studied on the load curves that its cabinets send every quarter of an hour.

Three cabinets that burned all night are cut from 23:30 to 5:30; the others are the controls. The trial is registered, begun,
judged and decided while the history is replayed, by the platform's own code, on what the meters said.
"""

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import select

from beffroi.evaluation.experiments import life
from beffroi.evaluation.experiments.observed import instant
from beffroi.evaluation.experiments.registration import register
from beffroi.evaluation.experiments.studying import plan
from beffroi.identity import people
from beffroi.model.instant import HOUR_US, PARIS, to_datetime
from beffroi.scene import Scene
from beffroi.scene.story import cut_trial, newly_cut
from beffroi.store.tables import datastream
from beffroi.town import Town

__all__ = ["CODE", "LEAST_DAYS", "night_cut"]

CODE = "coupure-nuit-armoires"
LEAST_DAYS = 28  # of history: below, there is not enough of a before
_MORNING_US = 9 * HOUR_US


def night_cut(town: Town, scene: Scene, tools: life.Tools) -> list[tuple[int, Callable[[], None]]]:
    """Return what happens in the trial, each with its instant; nothing when the history is too short for a study."""
    starts, ends = cut_trial(scene.end_us)
    commune = scene.communes[0].code
    treated, controls = _curves(town, scene)
    if scene.days < LEAST_DAYS or not treated or len(controls) < 2:
        return []
    head = next(p.principal for p in people.every(town.store) if p.role == "responsable")
    records = town.store.records

    def inscribe() -> None:
        values = {
            "code": CODE, "title": "Couper l'éclairage de 23 h 30 à 5 h 30 : trois armoires de plus", "service": "lighting",
            "title_en": "Cut the lighting from 23:30 to 05:30: three more cabinets", "indicator_en": "Mean power of a cabinet",
            "question_en": "Does switching off the streets of three cabinets at the heart of the night lower their mean power by a third?",
            "question": "Éteindre au cœur de la nuit les rues de trois armoires fait-il baisser d'un tiers leur puissance moyenne ?",
            "owner": "Direction des services techniques", "budget_eur": 1_260.0, "indicator": "Puissance moyenne d'une armoire", "unit": "kW",
            "better": "lower", "step": "day", "measure": "mean", "treated": treated, "controls": controls,
            "first_day": to_datetime(scene.start_us).astimezone(PARIS).date() + timedelta(days=1), "starts_on": starts, "ends_on": ends,
            "grace_days": 21, "expected_percent": -35.0, "method": "did",
        }  # fmt: skip
        row = records.put(
            "experiment", values, territory=commune, who=head, reason="Nouvelle expérimentation"
        )
        planned = plan(town.store, row.values, town.clock())
        register(town.store, row, head, mde=planned.mde, power=planned.power)

    def go_on() -> None:
        life.advance(town.store, tools)

    def settle() -> None:
        row = records.by_key("experiment", CODE, commune)
        if row is not None:
            life.decide(town.store, tools, row, head, "continue", _REASON)

    return [
        (instant(starts - timedelta(days=1)) + _MORNING_US, inscribe),
        (instant(starts) + _MORNING_US, go_on),
        (instant(ends) + _MORNING_US, go_on),
        (instant(ends + timedelta(days=1)) + _MORNING_US, settle),
    ]


_REASON = "L'énergie baisse comme promis. La coupure continue ; accidents et signalements de nuit restent suivis par l'autre étude."


def _curves(town: Town, scene: Scene) -> tuple[list[int], list[int]]:
    """Return the curves of the cabinets that are cut, and of those to which nothing happens."""
    cut = newly_cut(scene.assets.cabinets, scene.faults)
    troubled = {f.series for f in scene.faults}
    keys = {
        f"{c.code}/active_power": c.code in cut
        for c in scene.assets.cabinets
        if c.commune == scene.communes[0].code
    }
    with town.store.read() as c:
        wanted = select(datastream.c.id, datastream.c.key).where(datastream.c.key.in_(list(keys)))
        rows = c.execute(wanted.order_by(datastream.c.id)).all()
    quiet = [row for row in rows if row.key not in troubled]
    return [r.id for r in quiet if keys[r.key]], [r.id for r in quiet if not keys[r.key]]
