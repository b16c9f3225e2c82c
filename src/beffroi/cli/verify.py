"""`beffroi verify`: is everything the town keeps whole, and unaltered?"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typer

from beffroi.cli import Data, Json, fail, language, opened, say, tell
from beffroi.model.text import Text

if TYPE_CHECKING:
    from beffroi.store.audit import Fault
    from beffroi.store.open import Store

__all__ = ["VERIFIERS", "register"]


def _audit(store: "Store") -> tuple[int, list["Fault"]]:
    with store.read() as connection:
        return store.audit.verify(connection)


def _kept(store: "Store") -> tuple[int, list["Fault"]]:
    with store.read() as connection:
        segments = len(store.archive.live(connection))
    return segments, store.verify()


VERIFIERS: dict[str, tuple[Text, Callable[["Store"], tuple[int, list["Fault"]]]]] = {
    "audit": (Text("Journal : {n} lignes", "Audit: {n} entries"), _audit),
    "store": (Text("Base et archives : {n} segments", "Database and archive: {n} segments"), _kept),
}
"""What is verified, in order: words (`{n}`: how much was read) and a function that returns `(n, faults)`."""


def register(app: typer.Typer) -> None:
    """Add `verify`."""

    @app.command(
        "verify",
        help=say(
            "Vérifie le journal, la base et les archives ; sort en 1 si quelque chose est altéré.",
            "Verify the audit, the database and the archive; exit 1 when anything is altered.",
        ),
    )
    def verify(data: Data, as_json: Json = False) -> None:
        report: dict[str, Any] = {"ok": True, "checks": {}}
        lines: list[str] = []
        with opened(data) as store:
            for name, (words, verifier) in VERIFIERS.items():
                read, faults = verifier(store)
                report["checks"][name] = {"read": read, "faults": [_fault(f) for f in faults]}
                report["ok"] = report["ok"] and not faults
                state = (
                    say("intact", "whole")
                    if not faults
                    else say("{n} faute(s)", "{n} fault(s)", n=len(faults))
                )
                lines.append(f"{words.of(language(), n=read)} : {state}")
                lines += [f"  {f.place} : {f.reason.of(language())}" for f in faults]
        tell(report, as_json=as_json, words="\n".join(lines))
        if not report["ok"]:
            fail(1)


def _fault(fault: "Fault") -> dict[str, str]:
    return {"place": fault.place, "reason": fault.reason.of(language())}
