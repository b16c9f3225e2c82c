"""A warning follows the alarms of its station's rules: opened by the first, raised with them, and let down by them while no
person has confirmed it. What a person confirmed only a person ends.

A duty of the service: it reads the bus of records, so nothing that rang is missed, whenever Beffroi was stopped.
"""

import logging
import threading
from collections.abc import Iterable

from sqlalchemy import select, text

from beffroi.model.instant import DAY_US
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import NotFound
from beffroi.rules import alarms
from beffroi.services.water.warning import escalation
from beffroi.services.water.warning.keeping import current, note, plan
from beffroi.services.water.warning.ranks import NAMES, rank, reached, worst
from beffroi.services.water.warning.thresholds import ORIGIN, SILENCE, apply, apply_all
from beffroi.services.water.warning.wording import ACTIONS, ONE_ACTION, PASSED, PROPOSED, TO_END
from beffroi.store.follow import follow
from beffroi.store.record import Change, Query, Row, Where
from beffroi.store.record_writer import Writer
from beffroi.store.tables import cursor
from beffroi.town import Town

__all__ = ["follow_river_alarms", "read_bus", "settle", "sweep"]

log = logging.getLogger("beffroi.water")
CURSOR = "bus.water"
BEFFROI = "Beffroi"
PAUSE_S = 0.5
SWEEP_S = 60.0
BATCH = 2000
FRESH_US = DAY_US  # an alarm of longer ago is history being imported, or an old flood: the sweep sees which
_READ = frozenset(("rule", "state", "severity", "station", "raised_at"))
_KEEP = text(
    "INSERT INTO cursor (name, position) VALUES (:n, :p) ON CONFLICT (name) DO UPDATE SET position = excluded.position"
)


def follow_river_alarms(town: Town, stop: threading.Event) -> None:
    """Open, raise and let down warnings until `stop` is set (a duty of the service)."""
    waited = SWEEP_S

    def turn() -> int:
        nonlocal waited
        if waited >= SWEEP_S:
            sweep(town)
            waited = 0.0
        read = read_bus(town)
        if read < BATCH:
            waited += PAUSE_S
        return read

    follow(town.store, stop, turn, whole=BATCH, idle_s=PAUSE_S, pause_s=PAUSE_S)


def read_bus(town: Town) -> int:
    """Handle what was committed since the last time; return how many changes were read."""
    records = town.store.records
    with town.store.read() as c:
        position = c.execute(select(cursor.c.position).where(cursor.c.name == CURSOR)).scalar()
    if position is None:
        apply_all(town)
        _keep(town, records.head(), ())
        return 1
    changes = records.after(int(position), limit=BATCH, fields=_READ)
    if not changes:
        return 0
    _remake(town, changes)
    _keep(town, changes[-1].seq, _rung(town, changes))
    return len(changes)


def _keep(town: Town, seq: int, stations: Iterable[int]) -> None:
    with town.store.records.writer(SYSTEM, "Alerte") as writer:
        for station_id in stations:
            settle(town, writer, station_id, fresh_us=town.clock() - FRESH_US)
        writer.connection.execute(_KEEP, {"n": CURSOR, "p": str(seq)})


def _remake(town: Town, changes: Iterable[Change]) -> None:
    """Make the rules of the stations that changed again, and of those downstream of them."""
    touched: set[int] = set()
    for change in changes:
        if change.collection == "river_station":
            touched.add(change.record_id)
        elif change.collection == "river_threshold":
            row = town.store.records.get("river_threshold", change.record_id, deleted=None)
            touched |= {row.values["station"], change.before.get("station") or row.values["station"]}
    if not touched:
        return
    below = town.store.records.find("river_station", Query(where={"upstream": list(touched)}, limit=500)).rows
    for station_id in touched | {row.id for row in below}:
        try:
            station = town.store.records.get("river_station", station_id, deleted=None)
        except NotFound:
            continue
        for problem in apply(town, station):
            log.warning("a rule of the station %s cannot be: %s", station.values["code"], problem.reason.en)


def _rung(town: Town, changes: Iterable[Change]) -> list[int]:
    """Return the stations whose alarms changed; who is on duty is told of those that fell silent."""
    found: dict[int, None] = {}
    for change in changes:
        if change.collection != "alarm":
            continue
        row = town.store.records.get("alarm", change.record_id, deleted=None)
        origin = _origin(town, row.values["rule"])
        if not origin.startswith(ORIGIN):
            continue
        station, _, what = origin.removeprefix(ORIGIN).partition("/")
        if what != SILENCE:
            found[int(station)] = None
        elif row.values["state"] == "active" and town.clock() - row.values["raised_at"] <= FRESH_US:
            escalation.silence(town, row, int(station))
    return list(found)


def _origin(town: Town, rule_id: int) -> str:
    try:
        return str(town.store.records.get("rule", rule_id, deleted=None).values["origin"] or "")
    except NotFound:
        return ""


def ringing(town: Town, station_id: int) -> list[Row]:
    """Return the open alarms of a station's thresholds, silence aside."""
    records = town.store.records
    rows = records.find(
        "rule", Query(where={"origin": Where("contains", f"{ORIGIN}{station_id}/")}, limit=100)
    ).rows
    prefix = f"{ORIGIN}{station_id}/"
    ids = [
        r.id for r in rows if r.values["origin"].startswith(prefix) and r.values["origin"] != prefix + SILENCE
    ]
    if not ids:
        return []
    return records.find("alarm", Query(where={"rule": ids, "state": list(alarms.OPEN)}, limit=100)).rows


def sweep(town: Town) -> int:
    """Bring every station's warning to what its alarms say, those of long ago included; return how many changed."""
    changed = 0
    for station in list(town.store.records.all("river_station")):
        with town.store.records.writer(SYSTEM, "Alerte") as writer:
            settle(town, writer, station.id, fresh_us=None)
            changed += writer.changes > 0
    return changed


def settle(town: Town, writer: Writer, station_id: int, *, fresh_us: int | None) -> None:
    """Bring a station's warning to what its alarms say. Alarms raised before `fresh_us` open none."""
    rung = ringing(town, station_id)
    auto = worst(*(row.values["severity"] for row in rung))
    warning = current(town, station_id)
    if (
        warning is not None
        and warning.values["state"] == "dismissed"
        and rank(auto) > rank(warning.values["worst"])
    ):
        writer.change(
            "river_warning", warning.id, {"auto": "vert"}
        )  # worse than what was set aside: a new one
        warning = None
    if warning is None:
        first = min((row.values["raised_at"] for row in rung), default=0)
        if auto != "vert" and (fresh_us is None or first >= fresh_us):
            _open(town, writer, station_id, auto, rung, first)
    elif auto != warning.values["auto"]:
        _follow(town, writer, warning, auto, rung)


def _open(town: Town, writer: Writer, station_id: int, auto: str, rung: list[Row], at_us: int) -> None:
    station = town.store.records.get("river_station", station_id, deleted=None)
    values = {"station": station_id, "colour": auto, "auto": auto, "worst": auto, "opened_at": at_us}
    warning = writer.create("river_warning", values, None, station.territory)
    _rise(town, writer, warning, "vert", auto, rung, at_us)


def _rise(
    town: Town, writer: Writer, warning: Row, before: str, after: str, rung: list[Row], at_us: int
) -> None:
    said = " ; ".join(row.values["message"] for row in rung if row.values["severity"] == after)
    note(
        writer, warning, "system", PASSED.of("fr", colour=NAMES[after].fr, said=said).strip(), BEFFROI, at_us
    )
    actions = plan(town, writer, warning, reached(before, after), at_us)
    if actions:
        listed = ACTIONS.of("fr", n=actions) if actions > 1 else ONE_ACTION.fr
        note(writer, warning, "system", listed, BEFFROI, at_us)
    escalation.queue(town, writer, warning, after, at_us)


def _follow(town: Town, writer: Writer, warning: Row, auto: str, rung: list[Row]) -> None:
    v = warning.values
    now = town.clock()
    values: dict[str, object] = {"auto": auto}
    if rank(auto) > rank(v["colour"]) and v["state"] != "dismissed":
        values |= {"colour": auto, "state": "proposed", "worst": worst(auto, v["worst"])}
        writer.change("river_warning", warning.id, values)
        _rise(town, writer, warning, v["worst"], auto, rung, now)
        return
    ours = v["state"] == "proposed" and v["confirmed_at"] is None and v["colour"] == v["auto"]
    if ours and rank(auto) < rank(v["colour"]):
        values["colour"] = auto
        if auto == "vert":
            values |= {"state": "ended", "ended_at": now, "colour": "vert"}
    writer.change("river_warning", warning.id, values)
    if v["state"] != "dismissed" and rank(auto) < rank(v["auto"]):
        told = TO_END if auto == "vert" and v["state"] == "confirmed" else PROPOSED
        note(writer, warning, "system", told.of("fr", colour=NAMES[auto].fr), BEFFROI, now)
