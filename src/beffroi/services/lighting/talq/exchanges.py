"""What a gateway and the town said to one another last: enough to see that they understand each other, and what was refused
and where. Kept short, in the settings; the journal of who did what is the audit's."""

from typing import Literal

import msgspec
from sqlalchemy import text

from beffroi.model.problem import Problem
from beffroi.town import Town

__all__ = ["UNDECLARED", "Exchange", "last_of", "note", "refused"]

KEPT = 60
UNDECLARED = 0  # in place of the number of a gateway: one that nobody declared yet


class Exchange(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message: when, from whom (`in`: the gateway's), what, how it was answered; `times` alike in a row, `items` what
    they held in all; the reason in both languages and the place of what was refused."""

    at: int
    way: Literal["in", "out"]
    method: str
    path: str
    status: int
    items: int = 0
    times: int = 1
    fr: str = ""
    en: str = ""
    place: str = ""

    def like(self, other: "Exchange") -> bool:
        """True for the same message with the same answer."""
        return all(getattr(self, n) == getattr(other, n) for n in ("way", "method", "path", "status", "fr", "place"))  # fmt: skip


def _key(gateway: int) -> str:
    return f"talq.exchanges.{gateway}"


def note(town: Town, gateway: int, said: Exchange) -> None:
    """Keep a message; what the gateway says again is counted with the last."""
    with town.store.write() as c:
        held = c.execute(text("SELECT value FROM setting WHERE key = :key"), {"key": _key(gateway)}).scalar()
        kept = msgspec.json.decode(held, type=list[Exchange]) if held else []
        if kept and said.way == "in" and said.like(kept[-1]):
            last = kept.pop()
            said = msgspec.structs.replace(said, times=last.times + said.times, items=last.items + said.items)
        town.store.put_setting(c, _key(gateway), msgspec.to_builtins([*kept, said][-KEPT:]))


def refused(at: int, way: Literal["in", "out"], method: str, path: str, problem: Problem) -> Exchange:
    """Return the exchange that ended in a problem."""
    said = (
        f"{problem.reason.fr} {problem.mend.fr}".strip(),
        f"{problem.reason.en} {problem.mend.en}".strip(),
    )
    return Exchange(at, way, method, path, problem.status, fr=said[0][:400], en=said[1][:400], place=problem.place)  # fmt: skip


def last_of(town: Town, gateway: int) -> list[Exchange]:
    """Return the last messages, the newest first."""
    return msgspec.convert(town.store.setting(_key(gateway), []), list[Exchange])[::-1]
