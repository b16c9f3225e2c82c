"""Pages by keyset: the next page starts after the last entity shown, wherever others were inserted meanwhile."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Column, ColumnElement, and_, or_

from beffroi.model.text import Text
from beffroi.standards.sensorthings.parse import misread

__all__ = ["after", "directed", "read_token", "write_token"]

Sql = ColumnElement[Any]


def write_token(values: Sequence[Any]) -> str:
    """Return the opaque token of the order values, id last, of the last entity of a page."""
    return base64.urlsafe_b64encode(msgspec.json.encode(list(values))).decode().rstrip("=")


def read_token(token: str, length: int) -> list[Any]:
    """Return the `length` values of a token. Raises `Problem`."""
    try:
        padded = token + "=" * (-len(token) % 4)
        values = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, msgspec.DecodeError, ValueError, RecursionError):
        values = None
    plain = isinstance(values, list) and len(values) == length
    if (
        not plain
        or not all(v is None or isinstance(v, str | int | float) for v in values)
        or not _is_id(values[-1])
    ):
        raise misread(
            "$skiptoken", 0, "", Text("Suivez @iot.nextLink tel quel.", "Follow @iot.nextLink as it is."),
            Text("Ce jeton n'est pas le nôtre.", "This token is none of ours."),
        )  # fmt: skip
    return list(values)


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53


def after(terms: Sequence[tuple[Sql, bool]], values: Sequence[Any]) -> Sql:
    """Return "comes after `values` in the order of `terms`" (expression, descending); nothing sorts first."""
    condition: Sql | None = None
    for (term, descending), value in reversed(list(zip(terms, values, strict=True))):
        beyond, equal = _beyond(term, value, descending=descending), _equal(term, value)
        condition = beyond if condition is None else or_(beyond, and_(equal, condition))
    assert condition is not None
    first, descending = terms[0]
    if values[0] is None or not _never_null(first):
        return condition
    # Says again, in a form that an index can use, that all of it is at or beyond the first value.
    return and_(first <= values[0] if descending else first >= values[0], condition)


def _never_null(term: Sql) -> bool:
    return isinstance(term, Column) and not term.nullable


def _equal(term: Sql, value: Any) -> Sql:
    return term.is_(None) if value is None else term == value


def _beyond(term: Sql, value: Any, *, descending: bool) -> Sql:
    if not descending:
        return term.is_not(None) if value is None else term > value
    if value is None:
        return and_(term.is_(None), term.is_not(None))
    return term < value if _never_null(term) else or_(term < value, term.is_(None))


def directed(term: Sql, *, descending: bool) -> Sql:
    """Return the ordering of a term, nothing first (last when descending) on every database."""
    ordered = term.desc() if descending else term.asc()
    if _never_null(term):
        return ordered
    return ordered.nulls_last() if descending else ordered.nulls_first()
