"""`$select=distinct:…`: each combination of values once, of a set of the catalogue or of observations."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import select

from beffroi.model.instant import format_instant, format_interval
from beffroi.model.problem import Problem
from beffroi.model.result import Result
from beffroi.model.text import Text
from beffroi.standards.sensorthings.bind import bind_path
from beffroi.standards.sensorthings.compile import Compiler
from beffroi.standards.sensorthings.entities import Entity
from beffroi.standards.sensorthings.meaning import Field
from beffroi.standards.sensorthings.parse import misread
from beffroi.standards.sensorthings.reading import DEFAULT_TOP, LARGEST_TOP, Here, Reader
from beffroi.standards.sensorthings.render import raw
from beffroi.standards.sensorthings.syntax import Name, Options

__all__ = ["MOST_DISTINCT", "distinct_page"]

MOST_DISTINCT = 100_000


class _Path(msgspec.Struct, frozen=True):
    """A selected path: the columns that hold it, and what they are written as."""

    name: Name
    field: Field
    width: int
    write: Callable[[Sequence[Any]], Any]


def distinct_page(
    reader: Reader, here: Here, options: Options, texts: Sequence[tuple[str, str]], path: str
) -> dict[str, Any]:
    """Return a page of the distinct combinations of what is selected. Raises `Problem`."""
    paths = [_path(here.entity, name) for name in options.select]
    if options.expand:
        raise misread("$expand", 0, "", Text("Retirez $expand.", "Take $expand away."),
                      Text("Des valeurs distinctes n'ont pas de relations.", "Distinct values have no relations."))  # fmt: skip
    order = _order(options)
    rows = _rows(reader, here, options, paths)
    if len(rows) > MOST_DISTINCT:
        raise Problem(
            Text(f"Il y a plus de {MOST_DISTINCT} combinaisons.", f"There are more than {MOST_DISTINCT} combinations."),
            Text("Choisissez moins de propriétés, ou filtrez.", "Select fewer properties, or filter."), "$select",
        )  # fmt: skip
    combined = {tuple(msgspec.json.encode(v) for v in _written(paths, row)) for row in rows}
    decoded = [[msgspec.json.decode(v) for v in one] for one in combined]
    decoded.sort(key=lambda one: [_key(v) for v in one])
    for index, descending in reversed(order):
        decoded.sort(key=lambda one, i=index: _key(one[i]), reverse=descending)  # type: ignore[misc]
    top = DEFAULT_TOP if options.top is None else min(options.top, LARGEST_TOP)
    page: dict[str, Any] = {"@iot.count": len(decoded)} if options.count else {}
    if top and len(decoded) > options.skip + top:
        kept = [(n, t) for n, t in texts if n.lower() not in ("$skip", "$skiptoken")]
        link = reader.next_link(path, kept, "")
        page["@iot.nextLink"] = link.removesuffix("$skiptoken=") + f"$skip={options.skip + top}"
    page["value"] = [_nested(paths, one) for one in decoded[options.skip : options.skip + top]]
    return page


def _path(entity: Entity, name: Name) -> _Path:
    if name.steps == ("*",) or entity.navigation(str(name.steps[0])) is not None:
        raise misread("$select", name.at, str(name.steps[0]),
                      Text("Choisissez des propriétés de l'entité.", "Select properties of the entity."))  # fmt: skip
    field = bind_path(entity, name, "$select")
    found = field.property
    if field.inside or found.inside:
        return _Path(name, field, 1, _raw)
    width = len(found.columns)
    if found.kind == "result":
        return _Path(name, field, 3, _result)
    if found.kind == "moment":
        return _Path(name, field, 2, _moment)
    if found.parts:
        return _Path(
            name, field, width, lambda row: {p.name: v for p, v in zip(found.parts, row, strict=True)}
        )
    return _Path(
        name, field, 1, {"instant": _instant, "text": _plain, "number": _plain}.get(found.kind, _raw)
    )


def _columns(compiler: Compiler, paths: Iterable[_Path]) -> list[Any]:
    found: list[Any] = []
    for i, path in enumerate(paths):
        for k, column in enumerate(compiler.stored(path.field, path.width)):
            found.append(column.label(f"d{i}_{k}"))
    return found


def _rows(reader: Reader, here: Here, options: Options, paths: list[_Path]) -> list[Any]:
    limit = MOST_DISTINCT + 1
    if here.entity.name == "Observation":
        query = reader.observing.query(options, here.by, here.owner)
        return reader.store.observations.distinct(
            query, lambda dialect: _columns(Compiler(dialect, here.entity), paths), limit
        )
    table = reader.table(here.entity)
    conditions = [*reader.within(here, table), *reader.filtered(here.entity, table, options)]
    compiler = Compiler(reader.store.dialect, here.entity, table, view=reader.view)
    wanted = select(*_columns(compiler, paths)).where(*conditions).distinct().limit(limit)
    return list(reader.c.execute(wanted))


def _written(paths: Iterable[_Path], row: Sequence[Any]) -> Iterable[Any]:
    start = 0
    for path in paths:
        yield path.write(row[start : start + path.width])
        start += path.width


def _plain(row: Sequence[Any]) -> Any:
    return row[0]


def _raw(row: Sequence[Any]) -> Any:
    return None if row[0] is None else msgspec.json.decode(raw(row[0]))


def _instant(row: Sequence[Any]) -> Any:
    return None if row[0] is None else format_instant(row[0])


def _moment(row: Sequence[Any]) -> Any:
    start, end = row
    if start is None:
        return None
    return format_instant(start) if end is None else format_interval(start, end)


def _result(row: Sequence[Any]) -> Any:
    return msgspec.json.decode(Result(*row).json())


def _key(value: Any) -> tuple[int, Any]:
    """Return what orders JSON values of any kind: nothing, booleans, numbers, texts, then the rest as text."""
    if value is None:
        return 0, 0
    if isinstance(value, bool):
        return 1, value
    if isinstance(value, int | float):
        return 2, value
    return (3, value) if isinstance(value, str) else (4, str(msgspec.json.encode(value, order="sorted")))


def _order(options: Options) -> list[tuple[int, bool]]:
    names = [name.steps for name in options.select]
    found = []
    for term in options.orderby:
        steps = term.by.steps if isinstance(term.by, Name) else None
        if steps not in names:
            raise misread(
                "$orderby", term.by.at, "", Text("Triez par un des chemins choisis.", "Order by one of the selected paths."),
                Text("Ceci n'est pas dans $select.", "This is not in $select."),
            )  # fmt: skip
        found.append((names.index(steps), term.descending))
    return found


def _nested(paths: Iterable[_Path], row: Sequence[Any]) -> dict[str, Any]:
    """Return a combination as an entity shows it; what is nothing is left out."""
    shown: dict[str, Any] = {}
    for path, value in zip(paths, row, strict=True):
        if value is None:
            continue
        *outer, last = (str(step) for step in path.name.steps)
        here = shown
        for step in outer:
            here = here.setdefault(step, {})
        here["@iot.id" if last == "id" and not outer else last] = value
    return shown
