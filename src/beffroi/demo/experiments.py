"""The experiments of the demonstration town: one that works, one that does nothing, one that makes things worse, one that
nobody decided on, and one that goes on. Each lived its whole life through the platform's own code; the truth is below.
"""

import math
from collections.abc import Callable
from datetime import date, timedelta

import msgspec
from sqlalchemy import select

from beffroi.demo.clock import StoryClock
from beffroi.evaluation.experiments import life
from beffroi.evaluation.experiments.observed import instant
from beffroi.evaluation.experiments.registration import register
from beffroi.evaluation.experiments.studying import plan
from beffroi.identity import people
from beffroi.model.instant import PARIS, to_datetime
from beffroi.model.observation import Draft
from beffroi.model.principal import SYSTEM, Principal
from beffroi.model.result import Result
from beffroi.model.text import Text
from beffroi.rules import rulebook
from beffroi.scene import Scene
from beffroi.scene.chance import Chance
from beffroi.store.catalogue import New, change, create
from beffroi.store.tables import datastream
from beffroi.town import Town

__all__ = ["EFFECTS", "story_tools", "write_experiments"]

EFFECTS = {
    "eclairage-22h": -0.18,
    "affiches-eau": 0.0,
    "arrosage-sondes": 0.16,
    "bruit-halle": -0.03,
    "coupure-nuit-securite": 0.0,
}
"""The truth: what each experiment really changed, as a share."""

_BEFORE, _DURING = 60, 40  # weeks
_GRACE = 21  # days


class Trial(msgspec.Struct, frozen=True):
    """One experiment of the story. `ended_days`: how long ago it ended, in days before the history's end."""

    code: str
    title: Text
    question: Text
    owner: str
    service: str | None
    indicator: Text
    unit: str
    sites: tuple[str, ...]
    treated: int
    level: float
    noise: float
    season: float
    expected: float
    budget: float
    ended_days: int
    method: str = "did"
    measure: str = "sum"
    decision: str = ""
    reason: str = ""
    replaced: bool = False
    own: bool = False
    counted: bool = False  # whole numbers of rare events, by Poisson's law


_CABINETS = tuple(
    f"armoire {n}" for n in ("Moulin 1", "Moulin 2", "Moulin 3", *(f"quartier {k}" for k in range(1, 12)))
)
_HALLS = (
    "gymnase Colette",
    "gymnase du Port",
    "salle des fêtes",
    *(f"bâtiment témoin {k}" for k in range(1, 12)),
)
_PARKS = ("stade municipal", *(f"espace vert {k}" for k in range(1, 15)))
_STREETS = (*(f"rues coupées {k}" for k in range(1, 5)), *(f"rues éclairées {k}" for k in range(1, 13)))
_SQUARES = ("place de la Halle", *(f"rue témoin {k}" for k in range(1, 10)))

TRIALS = (
    Trial(
        "eclairage-22h", Text("Baisser l'éclairage à 22 h au Moulin", "Dim the lighting at 22:00 in the Moulin district"),
        Text("Baisser l'éclairage de moitié dès 22 h, au lieu de 23 h 30, fait-il vraiment économiser l'électricité promise ?",
             "Does halving the light from 22:00 on, instead of 23:30, really save the electricity that was promised?"),
        "Direction des services techniques", "equipment", Text("Électricité des armoires", "Electricity of the cabinets"), "kWh", _CABINETS, 3, 310.0, 0.035, 0.30, -15.0,
        8_400.0, 40, decision="procure", reason="L'économie promise est là ; le marché d'éclairage de 2027 la reprend dans tous les quartiers.",
    ),
    Trial(
        "affiches-eau", Text("Des affiches pour économiser l'eau", "Posters to save water"),
        Text("Des affiches dans les vestiaires et les sanitaires font-elles baisser la consommation d'eau ?",
             "Do posters in changing rooms and toilets lower the use of water?"),
        "Direction de la communication", "equipment", Text("Eau consommée", "Water used"), "m³", _HALLS, 3, 21.0, 0.05, 0.12, -10.0, 2_900.0, 33,
        decision="stop", reason="Rien ne se voit. L'argent ira à la recherche de fuites.",
    ),
    Trial(
        "arrosage-sondes", Text("Arroser le stade d'après des sondes", "Water the stadium by probes"),
        Text("Une télécommande d'arrosage réglée sur des sondes d'humidité fait-elle baisser l'eau du stade ?",
             "Does a remote control of the watering, set by moisture probes, lower the water of the stadium?"),
        "Service des espaces verts", "equipment", Text("Eau d'arrosage", "Watering water"), "m³", _PARKS, 1, 64.0, 0.04, 0.20, -20.0, 14_500.0, 5, method="sdid",
    ),
    Trial(
        "bruit-halle", Text("Des capteurs de bruit place de la Halle", "Noise sensors on place de la Halle"),
        Text("Un affichage du niveau sonore fait-il baisser le bruit du soir place de la Halle ?",
             "Does showing the noise level lower the evening noise on place de la Halle?"),
        "Police municipale", "environment", Text("Niveau sonore du soir", "Evening noise level"), "dB(A)", _SQUARES, 1, 62.0, 0.012, 0.02, -4.0, 21_000.0, 62,
        measure="mean", replaced=True, own=True,
    ),
    Trial(
        "coupure-nuit-securite", Text("Coupure de nuit : accidents et signalements", "Night cut: accidents and reports"),
        Text("Éteindre de 23 h 30 à 5 h 30 fait-il augmenter d'un tiers les accidents et les signalements de la nuit ?",
             "Does switching off from 23:30 to 05:30 raise accidents and reports at night by a third?"),
        "Police municipale", "lighting", Text("Accidents et signalements de nuit", "Accidents and reports at night"), "événements", _STREETS, 4, 1.4, 0.0, 0.15, 33.0,
        1_800.0, 19, decision="continue", counted=True,
        reason="Rien ne se voit, alors qu'une hausse d'un tiers environ se serait vue. La coupure s'étend à trois armoires, dont l'énergie est mesurée.",
    ),
)  # fmt: skip
_NOISE_RULE = """\
name: Bruit du soir place de la Halle
name_en: Evening noise on place de la Halle
watch: {datastream: %d}
when: {above: {jaune: 68}, hysteresis: 2}
message: "Bruit du soir : {value} {unit}"
message_en: "Evening noise: {value} {unit}"
"""


def write_experiments(town: Town, scene: Scene, clock: StoryClock) -> None:
    """Write the experiments and let each live its life; the clock comes back to where it was."""
    told = clock.now_us
    head = next(p.principal for p in people.every(town.store) if p.role == "responsable")
    tools = story_tools(town)
    end = to_datetime(scene.end_us).astimezone(PARIS).date()
    moments: list[tuple[date, int, Callable[[], object]]] = []
    for number, trial in enumerate(TRIALS):
        moments += _story(town, scene, head, trial, end, number)
    moments += _going_on(town, scene, head, end)
    try:
        for day, _, happen in sorted(moments, key=lambda m: m[:2]):
            clock.now_us = instant(day) + 9 * 3_600_000_000
            life.advance(town.store, tools)
            happen()
        clock.now_us = scene.end_us
        life.advance(town.store, tools)
    finally:
        clock.now_us = told


def story_tools(town: Town) -> life.Tools:
    """Return what the lives need; the deliberations are printed when a page is asked for them."""
    return life.Tools(
        switch=lambda rule, on: rulebook.turn(town.store, rule, SYSTEM, enabled=on), town=town.name
    )


def _story(
    town: Town, scene: Scene, head: Principal, trial: Trial, end: date, number: int
) -> list[tuple[date, int, Callable[[], object]]]:
    """Return what happens in one experiment: the day, a rank, what is then done."""
    ends = _monday(end - timedelta(days=trial.ended_days))
    starts = ends - timedelta(weeks=_DURING)
    first = starts - timedelta(weeks=_BEFORE)
    ids: list[int] = []
    rules: list[int] = []

    def install() -> None:
        ids.extend(_sites(town, trial))
        if trial.own:
            rule = rulebook.add(town.store, _NOISE_RULE % ids[0], SYSTEM, enabled=True, origin="experiment")
            rules.append(rule.id)

    def inscribe() -> None:
        _append(town, scene, trial, ids, first, starts, 0)
        values = {
            "code": trial.code, "title": trial.title.fr, "title_en": trial.title.en, "question": trial.question.fr,
            "question_en": trial.question.en, "service": trial.service, "owner": trial.owner,
            "budget_eur": trial.budget, "indicator": trial.indicator.fr, "indicator_en": trial.indicator.en, "unit": trial.unit, "better": "lower", "step": "week",
            "measure": trial.measure, "treated": ids[: trial.treated], "controls": ids[trial.treated :], "first_day": first,
            "starts_on": starts, "ends_on": ends, "grace_days": _GRACE, "expected_percent": trial.expected, "method": trial.method,
            "intake": ids if trial.own else [], "rules": rules,
        }  # fmt: skip
        row = town.store.records.put(
            "experiment", values, territory="18901", who=head, reason="Nouvelle expérimentation"
        )
        planned = plan(town.store, row.values, town.clock())
        register(town.store, row, head, mde=planned.mde, power=planned.power)

    def replace_sensor() -> None:
        with town.store.write() as c:
            fresh = create(town.store, c, _sensor("Sonomètre de remplacement, classe 2")).id
            change(town.store, c, "datastream", ids[0], {"sensor_id": fresh})

    def measure() -> None:
        _append(town, scene, trial, ids, starts, ends, _BEFORE)

    def settle() -> None:
        row = town.store.records.by_key("experiment", trial.code, "18901")
        if row is not None:
            life.decide(town.store, story_tools(town), row, head, trial.decision, trial.reason)

    moments: list[tuple[date, int, Callable[[], object]]] = [
        (first - timedelta(days=3), number, install),
        (starts - timedelta(days=6), number, inscribe),
        # what is measured is there before the study that closes it: one day earlier than its end
        (ends - timedelta(days=1), number, measure),
        *((day, number, _nothing) for day in (starts, ends, ends + timedelta(days=_GRACE)) if day < end),
    ]
    if trial.replaced:
        moments.append((starts + timedelta(days=1), number, replace_sensor))
    if trial.decision:
        moments.append((ends + timedelta(days=11), number, settle))
    return moments


def _nothing() -> None:
    """Let the day do its work."""


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _sensor(name: str) -> New:
    return New("sensor", {"name": name, "description": "", "encoding_type": "text/plain", "metadata": '""'})


def _sites(town: Town, trial: Trial) -> list[int]:
    """Write the meters of an experiment, which speak once a week; return the ids of their series."""
    prop = {"name": trial.indicator.fr, "definition": "", "description": trial.indicator.fr}
    with town.store.write() as c:
        observed = create(town.store, c, New("observed_property", prop)).id
        sensor = create(town.store, c, _sensor(f"Relevé hebdomadaire ({trial.title.fr})")).id
        found = []
        for n, site in enumerate(trial.sites):
            name = f"{trial.indicator.fr}, {site}"
            series = New(
                "datastream",
                {"name": name, "description": f"{name}, relevé hebdomadaire", "observation_type": _MEASUREMENT,
                 "unit_name": trial.unit, "unit_symbol": trial.unit, "unit_definition": "", "public": 1,
                 "key": f"{trial.code}/{n}", "properties": '{"expectedInterval":"irregular"}'},
                belongs={"sensor_id": sensor, "observed_property_id": observed},
            )  # fmt: skip
            about = {
                "name": f"Relevé, {site}",
                "description": trial.title.fr,
                "territory": "18901",
                "key": f"{trial.code}-{n}",
            }
            create(town.store, c, New("thing", about, has=[("thing_id", series)]))
            number = c.execute(
                select(datastream.c.id).where(datastream.c.key == f"{trial.code}/{n}")
            ).scalar_one()
            found.append(int(number))
    return found


_MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"


def _append(
    town: Town, scene: Scene, trial: Trial, ids: list[int], first: date, until: date, week: int
) -> None:
    drafts = []
    day = first
    while day < until:
        begin, close = instant(day), instant(day + timedelta(weeks=1))
        for site, series in enumerate(ids):
            value = _value(scene.seed, trial, site, week, treated=site < trial.treated and week >= _BEFORE)
            drafts.append(Draft(series, begin, Result(value, 1), close, quality=0))
        day, week = day + timedelta(weeks=1), week + 1
    town.store.observations.append(drafts)


def _value(seed: int, trial: Trial, site: int, week: int, *, treated: bool) -> float:
    """Return what one meter says of one week: its size, the season, the common mood, its own noise, and the truth."""
    draw = Chance(seed, trial.code)
    size = trial.level * draw.between(0.8, 1.25, site, 1)
    season = 1 + trial.season * math.cos(2 * math.pi * week / 52)
    common = 1 + 0.5 * trial.noise * draw.smooth(week, 6, 2)
    own = 1 + trial.noise * draw.normal(site * 1000 + week, 3)
    effect = 1 + (EFFECTS[trial.code] if treated else 0.0)
    if trial.counted:
        return float(_poisson(trial.level * season * effect, draw.unit(site * 1000 + week, 4)))
    return round(size * season * common * own * effect, 1)


def _poisson(mean: float, chance: float) -> int:
    """Return the number of events below which Poisson's law has the share `chance`."""
    count, share = 0, math.exp(-mean)
    below = share
    while below < chance:
        count += 1
        share *= mean / count
        below += share
    return count


def _going_on(
    town: Town, scene: Scene, head: Principal, end: date
) -> list[tuple[date, int, Callable[[], object]]]:
    """Return the experiment that goes on, on the meters that the town reads every hour."""
    begin = to_datetime(scene.start_us).astimezone(PARIS).date()
    starts = max(begin + timedelta(days=2), end - timedelta(days=12))

    def inscribe() -> None:
        with town.store.read() as c:
            rows = c.execute(
                select(datastream.c.id, datastream.c.key).where(datastream.c.kind == "active_energy").order_by(datastream.c.id)
            ).all()  # fmt: skip
        ours = [row.id for row in rows if row.key.startswith("ecole-")][:2]
        others = [row.id for row in rows if row.id not in ours]
        if not ours or len(others) < 2:
            return
        values = {
            "code": "chauffage-ecoles", "title": "Couper le chauffage des écoles la nuit", "service": "equipment",
            "title_en": "Cut the heating of schools at night", "indicator_en": "Electricity used",
            "question_en": "Does cutting the extra heating of schools from 19:00 to 06:00 lower their electricity by 8%?",
            "question": "Couper le chauffage d'appoint des écoles de 19 h à 6 h fait-il baisser leur électricité de 8 % ?",
            "owner": "Direction de l'éducation", "budget_eur": 1_200.0, "indicator": "Électricité consommée", "unit": "kWh",
            "better": "lower", "step": "day", "measure": "sum", "treated": ours, "controls": others, "first_day": begin,
            "starts_on": starts, "ends_on": end + timedelta(days=48), "grace_days": 14, "expected_percent": -8.0, "method": "did",
        }  # fmt: skip
        row = town.store.records.put(
            "experiment", values, territory="18901", who=head, reason="Nouvelle expérimentation"
        )
        register(town.store, row, head)

    return [(starts - timedelta(days=1), 9, inscribe), (starts, 9, _nothing)]
