"""The device registry: last seen, battery, radio, silence; which ones wait for an agent's approval."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import msgspec
from sqlalchemy import or_, select, update

from beffroi.model.instant import HOUR_US
from beffroi.model.observation import Observation
from beffroi.model.principal import Principal
from beffroi.model.problem import Forbidden, NotFound, Unauthorised
from beffroi.model.text import Text
from beffroi.store.catalogue import touch
from beffroi.store.observations import Stat
from beffroi.store.open import Store
from beffroi.store.tables import datastream, thing

__all__ = ["Device", "approve", "devices", "learn_rhythm", "learn_steps", "may_manage"]

SILENCE_STEPS = 3
SILENCE_LEAST_US = HOUR_US
GAPS = 20  # how many of the newest gaps tell a series' usual step
_RADIO = {"battery": "battery", "battery_level": "battery", "rssi": "rssi", "snr": "snr"}


class Device(msgspec.Struct):
    """One thing that sends by itself. Times in microseconds; battery in %, RSSI in dBm, SNR in dB.

    `silent_us` is for how long it has been silent beyond its usual step, None when it is not.
    """

    id: int
    name: str
    key: str
    territory: str | None
    approved: bool
    model: str = ""
    source: str = ""
    series: int = 0
    seen_us: int | None = None
    expected_us: int | None = None
    silent_us: int | None = None
    battery: float | None = None
    rssi: float | None = None
    snr: float | None = None


def may_manage(who: Principal) -> None:
    """Raise `Unauthorised` or `Forbidden` unless `who` manages devices."""
    if who.staff:
        return
    if who.role == "citizen":
        raise Unauthorised(
            Text("Il faut se connecter.", "You need to sign in."),
            Text("Connectez-vous, puis recommencez.", "Sign in, then try again."),
        )
    raise Forbidden(Text("Cette page est réservée aux agents.", "This page is for agents only."))


def devices(store: Store, who: Principal, now_us: int) -> list[Device]:
    """Return the devices of the territories of `who`: what waits first, then the longest silent, then by name."""
    may_manage(who)
    wanted = select(thing).where(thing.c.key.is_not(None))
    if who.territories:
        wanted = wanted.where(or_(thing.c.territory.is_(None), thing.c.territory.in_(who.territories)))
    columns = (
        datastream.c.id,
        datastream.c.thing_id,
        datastream.c.expected_interval_us,
        datastream.c.properties,
    )
    with store.read() as connection:
        rows = connection.execute(wanted).all()
        series = connection.execute(select(*columns, datastream.c.kind)).all()
    found = {row.id: _device(row) for row in rows}
    mine = [one for one in series if one.thing_id in found]
    last = store.observations.last([one.id for one in mine])
    received = store.observations.received([one.id for one in mine])
    for one in mine:
        _add(found[one.thing_id], one, last.get(one.id), received.get(one.id))
    for device in found.values():
        _judge(device, now_us)
    return sorted(found.values(), key=lambda d: (d.approved, -(d.silent_us or 0), d.name.lower(), d.id))


def _object(text: str | None) -> dict[str, Any]:
    told = msgspec.json.decode(text) if text else {}
    return told if isinstance(told, dict) else {}


def _device(row: Any) -> Device:
    told = _object(row.properties)
    source = told.get("application") or told.get("source") or ""
    return Device(
        row.id,
        row.name,
        row.key,
        row.territory,
        bool(row.approved),
        str(told.get("model") or ""),
        str(source),
    )


def _add(device: Device, series: Any, last: Observation | None, received_us: int | None) -> None:
    device.series += 1
    if series.expected_interval_us:
        device.expected_us = min(
            device.expected_us or series.expected_interval_us, series.expected_interval_us
        )
    if received_us is not None:
        device.seen_us = max(device.seen_us or 0, received_us)
    code = str(_object(series.properties).get("code") or series.kind)
    part = _RADIO.get(code.rpartition(".")[2].lower())
    if part is not None and last is not None and last.result.value is not None:
        setattr(device, part, last.result.value)


def _judge(device: Device, now_us: int) -> None:
    if device.expected_us is None or device.seen_us is None:
        return
    quiet = now_us - device.seen_us
    if quiet > max(SILENCE_STEPS * device.expected_us, SILENCE_LEAST_US):
        device.silent_us = quiet


def approve(store: Store, who: Principal, ids: Iterable[int], *, approved: bool = True) -> int:
    """Show devices to the public, or hide them again; return how many changed. Raises `NotFound`, `Forbidden`."""
    may_manage(who)
    wanted = sorted(set(ids))
    changed = []
    with store.write() as connection:
        rows = connection.execute(
            select(thing.c.id, thing.c.territory, thing.c.approved).where(thing.c.id.in_(wanted))
        ).all()
        if len(rows) != len(wanted):
            raise NotFound(Text("Un de ces appareils n'existe plus.", "One of these devices is gone."))
        for row in rows:
            if not who.covers(row.territory):
                raise Forbidden(
                    Text("Cet appareil est d'un autre territoire.", "This device is of another territory.")
                )
            if bool(row.approved) != approved:
                changed.append(row.id)
        for number in changed:
            values = {"approved": int(approved), "seq": store.next(connection)}
            connection.execute(update(thing).where(thing.c.id == number).values(**values))
            store.audit.note(
                connection, who, "thing.approve" if approved else "thing.hide", f"thing:{number}"
            )
        if changed:
            touch(connection)
    if approved:
        learn_rhythm(store, changed)
    return len(changed)


def learn_rhythm(store: Store, things: Iterable[int]) -> int:
    """Note the usual step of the series of `things` that have none yet, from their newest gaps; return how many.

    Silence is counted in that step; a series that is not regular keeps none, and is never called silent.
    """
    with store.read() as connection:
        mine = select(datastream.c.id).where(datastream.c.thing_id.in_(list(things)))
        rows = list(connection.execute(mine).scalars())
    return learn_steps(store, rows)


def learn_steps(store: Store, series: Iterable[int]) -> int:
    """Do the same for some datastreams."""
    c = datastream.c
    with store.read() as connection:
        without = select(c.id).where(c.id.in_(list(series)), c.expected_interval_us.is_(None))
        rows = list(connection.execute(without).scalars())
    stats = store.observations.stats(rows)
    steps = {number: step for number in rows if (step := _step(store, number, stats.get(number))) is not None}
    if steps:
        with store.write() as connection:
            for number, step in steps.items():
                connection.execute(update(datastream).where(c.id == number).values(expected_interval_us=step))
            touch(connection)
    return len(steps)


def _step(store: Store, number: int, stat: Stat | None) -> int | None:
    if stat is None or stat.count < 5:
        return None
    newest = store.observations.series(number, limit=GAPS, newest_first=True)
    times = sorted({one.start_us for one in newest})
    gaps = sorted(b - a for a, b in pairwise(times))
    if len(gaps) < 4:
        return None
    middle = gaps[len(gaps) // 2]
    regular = sum(middle / 2 <= gap <= middle * 2 for gap in gaps)
    return middle if regular >= 0.7 * len(gaps) else None
