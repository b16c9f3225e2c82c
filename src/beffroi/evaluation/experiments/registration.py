"""Registration: what was promised before the start, frozen, hashed and published; and what departed from it since."""

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from beffroi.model.instant import PARIS, to_datetime
from beffroi.model.principal import Principal
from beffroi.model.problem import Conflict, Problem
from beffroi.model.text import Text
from beffroi.store.open import Store
from beffroi.store.record import Row

__all__ = ["PROMISED", "canonical", "departures", "fingerprint", "register"]

PROMISED = (
    "code", "title", "question", "service", "owner", "budget_eur", "indicator", "unit", "better", "step", "measure",
    "treated", "controls", "covariates", "first_day", "starts_on", "ends_on", "grace_days", "expected_percent", "method",
    "mde", "power",
)  # fmt: skip
"""The fields that a registration freezes."""
_OF_ANALYSIS = (
    "indicator", "better", "step", "measure", "treated", "controls", "covariates", "first_day", "starts_on", "ends_on",
    "method",
)  # fmt: skip


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def canonical(registration: Mapping[str, Any]) -> bytes:
    """Return the bytes that are hashed: JSON with sorted keys, no spaces, UTF-8 (as RFC 8785 for such values)."""
    text = json.dumps(registration, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode()


def fingerprint(registration: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a registration, in hexadecimal."""
    return hashlib.sha256(canonical(registration)).hexdigest()


def register(store: Store, row: Row, who: Principal, **planned: float | None) -> Row:
    """Freeze a draft and publish it. Raises `Problem` when it already began, `Conflict` when it is no draft.

    `planned`: `mde` and `power`, as computed on what came before.
    """
    if row.values["state"] != "draft":
        raise Conflict(Text("Elle est déjà inscrite.", "It is registered already."), place="state")
    if row.values["starts_on"] <= to_datetime(store.clock()).astimezone(PARIS).date():
        raise Problem(
            Text("Une expérimentation s'inscrit avant de commencer, pas après.",
                 "An experiment is registered before it begins, not after."),
            Text("Donnez un début à venir.", "Give a start that is still to come."), "starts_on",
        )  # fmt: skip
    registration = {name: _plain({**row.values, **planned}.get(name)) for name in PROMISED}
    digest = fingerprint(registration)
    with store.write() as c:
        kept = store.records.put(
            "experiment",
            {
                "state": "registered", "published": True, "registration": registration, "registration_sha256": digest,
                "registered_at": store.clock(), **planned,
            },
            id=row.id, version=row.version, who=who, reason="Inscription", c=c,
        )  # fmt: skip
        store.audit.note(c, who, "experiment.register", f"experiment/{row.id}", {"sha256": digest})
    return kept


def departures(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the fields of the analysis that are not as registered: such a study is exploratory."""
    promised = values.get("registration")
    if not promised:
        return _OF_ANALYSIS
    return tuple(n for n in _OF_ANALYSIS if _plain(values.get(n)) != promised.get(n))
