"""What the address of a list of records asks: filters, words, box, order, columns, page.

    ?q=eglise&state=broken&street=gare&power_w.min=50&installed.max=2010-01-01&bbox=…&sort=-code&col=code&col=state

A text field is searched for what it contains; every other field for what it is. The same address with `.csv`,
`.json`, `.geojson` or `.parquet` gives exactly what is seen, all pages.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from starlette.datastructures import QueryParams

from beffroi.model.collection import Collection, Field
from beffroi.model.principal import Principal
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.model.value import parse_value
from beffroi.store.record import Operator, Query, Where

__all__ = ["Asked", "asked_of", "box_of", "filters_of"]

PAGE = 50
COLUMNS = 7
_LIMITS: dict[str, Operator] = {"min": ">=", "max": "<="}


class Asked(msgspec.Struct, frozen=True):
    """What was asked: the query of one page, the fields shown as columns, and how many rows came before."""

    query: Query
    columns: tuple[Field, ...]
    before: int
    filtered: bool


def box_of(written: str) -> tuple[float, float, float, float]:
    """Return the box that `bbox` writes: four numbers (or six, heights left out). Raises `Problem`."""
    try:
        numbers = [float(n) for n in written.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) == 6:
        numbers = [*numbers[:2], *numbers[3:5]]
    if len(numbers) != 4 or not all(abs(n) <= 360 for n in numbers) or numbers[1] > numbers[3]:
        raise Problem(
            Text("Le cadre n'est pas compris.", "The box is not understood."),
            Text("Écrivez ouest,sud,est,nord en degrés.", "Write west,south,east,north in degrees."), place="bbox",
        )  # fmt: skip
    return numbers[0], numbers[1], numbers[2], numbers[3]


def filters_of(fields: Iterable[Field], params: Mapping[str, str]) -> dict[str, Any]:
    """Return the conditions that the parameters named like fields ask for. Raises `Problem` at the field."""
    where: dict[str, Any] = {}
    for field in fields:
        if field.personal is not None or field.kind == "json":
            continue
        written = params.get(field.name, "").strip()
        if written and field.kind == "text" and not field.choices:
            where[field.name] = Where("contains", written)
        elif written:
            where[field.name] = parse_value(
                msgspec.structs.replace(field, minimum=None, maximum=None), written
            )
        limits = [
            Where(
                sign, parse_value(msgspec.structs.replace(field, choices=()), params[f"{field.name}.{end}"])
            )
            for end, sign in _LIMITS.items()
            if params.get(f"{field.name}.{end}", "").strip()
        ]
        if limits:
            where[field.name] = tuple(limits)
    return where


def _order(collection: Collection, fields: Iterable[Field], written: str, where: Mapping[str, Any]) -> str:
    """Return the order that is asked for; else, between limits, from the largest or newest (an index gives it), and the
    key's."""
    names = {f.name for f in fields if f.personal is None and f.kind != "json"} | {
        "_id",
        "_updated",
        "_created",
    }
    if written.removeprefix("-") in names:
        return written
    limited = next((f for f in fields if f.listed and isinstance(where.get(f.name), tuple)), None)
    if limited is not None:
        return f"-{limited.name}"
    return "-_updated" if collection.key is None else collection.key.name


def _usual(collection: Collection, fields: tuple[Field, ...]) -> tuple[Field, ...]:
    """Return the columns shown when none were chosen: its name, its state, and the first that are listed."""
    first = [f for n in (collection.label, collection.status) for f in fields if f.name == n]
    listed = [f for f in fields if f.listed and f not in first]
    return tuple([*first, *listed][:COLUMNS])


def asked_of(collection: Collection, fields: tuple[Field, ...], params: QueryParams, who: Principal) -> Asked:
    """Return what the address asks. Raises `Problem` for a value that a field cannot have."""
    where = filters_of(fields, params)
    box = box_of(params["bbox"]) if params.get("bbox") else None
    places = tuple(params.getlist("territory")) or None
    deleted = params.get("deleted") == "1" and who.staff
    known = {f.name: f for f in fields}
    chosen = tuple(known[n] for n in dict.fromkeys(params.getlist("col")) if n in known)
    columns = chosen or _usual(collection, fields)
    query = Query(
        where=where, text=params.get("q", "").strip()[:200], bbox=box, territories=places, deleted=deleted,
        sort=_order(collection, fields, params.get("sort", ""), where), limit=PAGE, after=params.get("after") or None,
    )  # fmt: skip
    before = params.get("n", "0")
    filtered = bool(where or query.text or box or places or deleted)
    return Asked(query, columns, int(before) if before.isdigit() and len(before) < 12 else 0, filtered)
