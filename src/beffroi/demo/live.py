"""The live demonstration: sensors go on where the history ended, as if the town were there."""

import asyncio
import threading
from collections.abc import Sequence

from beffroi.demo.catalogue import lines_of
from beffroi.demo.history import Teller
from beffroi.demo.lamps import answer
from beffroi.model.instant import DAY_US, parse_instant
from beffroi.model.observation import Draft
from beffroi.scene import make_scene
from beffroi.town import Town

__all__ = ["live"]

STEP_US = DAY_US // 4
PACE_S = 3.0


async def live(town: Town, stop: threading.Event) -> None:
    """Add what the sensors say, every few seconds, until `stop` is set; first what they said since the history's end.

    Returns at once in a town that is no live demonstration (setting `demo.live` absent). A town that was not
    served for a year first gets the last 60 days: older silence stays silence.
    """
    told = town.store.setting("demo.live")
    if not told:
        return
    teller, reached = await asyncio.to_thread(_take_up, town, told)
    while not stop.is_set():
        now = town.clock()
        reached = max(reached, now - 60 * DAY_US)
        while reached < now and not stop.is_set():
            until = min(now, reached + STEP_US)
            drafts = await asyncio.to_thread(_drafts, teller, reached, until)
            if drafts:
                await town.store.observations.append_soon(drafts)
            reached = until
        await asyncio.to_thread(answer, town)
        await asyncio.to_thread(stop.wait, PACE_S)


def _take_up(town: Town, told: dict[str, str]) -> tuple[Teller, int]:
    """Return the teller that goes on after each series' last observation, and the end of the history."""
    end_us = parse_instant(told["end"])
    lines = lines_of(town, make_scene(int(told["seed"]), int(told["days"]), end_us))
    last = town.store.observations.last([line.datastream_id for line in lines])
    return Teller(lines, last), min(end_us, town.clock())


def _drafts(teller: Teller, after_us: int, until_us: int) -> Sequence[Draft]:
    return [draft for _, draft in teller.until(after_us, until_us)]
