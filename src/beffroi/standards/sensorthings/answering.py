"""Answer a reading: from an address to the JSON (or text) that it names."""

import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import msgspec
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from beffroi.model.observation import Observation
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.standards.sensorthings.address import Resource
from beffroi.standards.sensorthings.aggregating import columns_of_groups
from beffroi.standards.sensorthings.control import without_control
from beffroi.standards.sensorthings.dialects import prepare
from beffroi.standards.sensorthings.distinct import distinct_page
from beffroi.standards.sensorthings.flattening import columns_of, spelled_out, widened
from beffroi.standards.sensorthings.formats import FORMATS, csv_parts, geojson_parts
from beffroi.standards.sensorthings.history import versions
from beffroi.standards.sensorthings.nested_arrays import (
    holds_observations,
    observations_spelled_out,
    with_arrays,
)
from beffroi.standards.sensorthings.parse import misread
from beffroi.standards.sensorthings.reading import Here, Reader
from beffroi.standards.sensorthings.render import (
    chosen,
    encode,
    observation_row,
    observation_values,
    value_json,
)
from beffroi.standards.sensorthings.service_root import ENDPOINTS, service_root
from beffroi.standards.sensorthings.sight import Sight
from beffroi.standards.sensorthings.syntax import Name, Options
from beffroi.store.limits import UncomputableError, limited
from beffroi.store.open import Store

__all__ = ["Answer", "answer", "property_json"]


class Answer(msgspec.Struct, frozen=True):
    """What is sent: `status` 204 has no body; `parts` come after `body`, made while they are sent."""

    body: bytes
    media_type: str = "application/json"
    status: int = 200
    parts: Iterator[bytes] | None = None
    headers: tuple[tuple[str, str], ...] = ()


_EMPTY = Answer(b"", status=204)


def answer(
    store: Store, sight: Sight, base: str, path: str, resource: Resource, options: Options,
    texts: list[tuple[str, str]], now_us: int,
) -> Answer:  # fmt: skip
    """Return the answer to a reading of `path`, seen by `sight`. Raises `Problem`, `NotFound`."""
    if not resource.hops:
        return Answer(encode(service_root(base, store.setting(ENDPOINTS) or ())))
    prepare(store.database.reader)
    limits = store.settings.store
    try:
        if (
            options.result_format in FORMATS
            and options.apply is None
            and resource.property is None
            and not resource.suffix
        ):
            return formatted(
                lambda c: Reader(store, c, base, sight, now_us, options.as_of),
                store.read,
                path,
                resource,
                options,
                texts,
            )
        with limited(limits.query_seconds), store.read() as c:
            reader = Reader(store, c, base, sight, now_us, options.as_of)
            reader.observing.reading = c
            return _answer(reader, path, resource, options, texts)
    except (DBAPIError, UncomputableError) as error:
        # What a database refuses to compute: a number out of range, a text that is no geometry.
        detail = (
            str(getattr(error, "orig", error))
            .strip()
            .splitlines()[0][:200]
            .replace("{", "(")
            .replace("}", ")")
        )
        raise Problem(
            Text(f"La base ne peut pas calculer cette requête : {detail}", f"The database cannot compute this query: {detail}"),
            Text("Vérifiez les nombres et les géométries de $filter et $orderby.",
                 "Check the numbers and geometries of $filter and $orderby."), place="$filter",
        ) from error  # fmt: skip


def _answer(
    reader: Reader, path: str, resource: Resource, options: Options, texts: list[tuple[str, str]]
) -> Answer:
    if resource.suffix == "Versions":
        return Answer(encode(versions(reader, resource, options, texts, path)))
    here = reader.find(resource)
    if resource.property is not None:
        return _property(reader, here, resource)
    if resource.suffix == "$ref":
        return Answer(encode(_references(reader, here, options, texts, path)))
    if resource.suffix == "$count":
        return Answer(str(reader.count(here, options)).encode(), "text/plain; charset=utf-8")
    if options.apply is not None:
        if here.key is not None:
            raise misread("$apply", 0, "", Text("Demandez-le pour un ensemble d'observations.", "Ask for it on a set of observations."),
                          Text("Une seule entité ne s'agrège pas.", "One entity alone cannot be aggregated."))  # fmt: skip
        if options.result_format in FORMATS:
            return _grouped_table(reader, here, options, texts, path)
        return Answer(encode(reader.page(here, options, texts, path)))
    return Answer(encode(_shown(reader, here, options, texts, path)))


def _shown(
    reader: Reader, here: Here, options: Options, texts: list[tuple[str, str]], path: str
) -> dict[str, Any]:
    if here.key is None and options.distinct:
        return distinct_page(reader, here, options, texts, path)
    arrays = options.result_format == "dataarray"
    if here.key is None and arrays and here.entity.name == "Observation":
        return _data_array(reader, here, options, texts, path)
    if arrays and not holds_observations(here.entity, options):
        raise misread(
            "$resultFormat", 0, "dataArray", Text("Demandez-le pour Observations.", "Ask for it on Observations."),
            Text("dataArray n'existe que pour les observations.", "dataArray exists for observations only."),
        )  # fmt: skip
    asked = observations_spelled_out(here.entity, options) if arrays else options
    shown = reader.page(here, asked, texts, path) if here.key is None else reader.one(here, asked)
    if arrays:
        shown = with_arrays(here.entity, shown)
    found: dict[str, Any] = without_control(here.entity, shown, options.metadata)
    return found


def property_json(reader: Reader, here: Here, resource: Resource) -> dict[str, Any] | None:
    """Return a property of one entity under its name, None when it has no value."""
    assert resource.property is not None
    value = _value(reader, here, resource)
    return (
        None if value is None else {resource.inside[-1] if resource.inside else resource.property.name: value}
    )


def _property(reader: Reader, here: Here, resource: Resource) -> Answer:
    found = resource.property
    assert found is not None
    value = _value(reader, here, resource)
    last: str = resource.label if resource.inside else found.name
    if value is None and found.name != "resultTime":
        return _EMPTY  # an absent property; a null resultTime is shown as null (18-088 table 12), here as in the entity
    if resource.suffix != "$value":
        return Answer(encode({last: value}))
    if isinstance(value, str):
        return Answer(value.encode(), "text/plain; charset=utf-8")
    written = encode(value)
    if written[:1] == b'"':
        return Answer(msgspec.json.decode(written, type=str).encode(), "text/plain; charset=utf-8")
    return Answer(written, "application/json" if written[:1] in b"{[" else "text/plain; charset=utf-8")


def _value(reader: Reader, here: Here, resource: Resource) -> Any:
    found = resource.property
    assert found is not None
    if found.name in ("id", "@iot.id"):
        return here.key
    if here.entity.name == "Observation":
        known = reader.store.observations.get(here.key or 0, reader.window)
        value = None if known is None else observation_values(known).get(found.name)
    else:
        row = reader.row(here)
        stats = reader.store.observations.stats([row["id"]]) if found.derived else {}
        value = value_json(found, row, stats)
    return _inside(value, resource) if resource.inside else value


def _inside(value: Any, resource: Resource) -> Any:
    here: Any = value
    for step in resource.inside:
        members = msgspec.json.decode(here, type=Any) if isinstance(here, msgspec.Raw) else here
        if isinstance(members, dict) and step in members:
            inner = (
                msgspec.json.decode(here, type=dict[str, msgspec.Raw])
                if isinstance(here, msgspec.Raw)
                else members
            )
            here = inner[step]
        elif (
            isinstance(members, list)
            and step.isascii()
            and step.isdigit()
            and len(step) < 9
            and int(step) < len(members)
        ):
            here = members[int(step)]
        else:
            raise NotFound(
                Text(f"« {step[:40]} » n'existe pas ici.".replace("{", "("), f"There is no '{step[:40]}' here.".replace("{", "(")),
                Text("Regardez l'entité entière.", "Look at the whole entity."), place=f"path:{step[:40]}",
            )  # fmt: skip
    return here


def _references(
    reader: Reader, here: Here, options: Options, texts: list[tuple[str, str]], path: str
) -> dict[str, Any]:
    if here.key is not None:
        return {"@iot.selfLink": f"{reader.base}/{here.entity.set_name}({here.key})"}
    bare = msgspec.structs.replace(options, select=(Name(("@iot.selfLink",)),), expand=())
    page = reader.page(here, bare, texts, path)
    page["value"] = [{"@iot.selfLink": one["@iot.selfLink"]} for one in page["value"]]
    return page


_COMPONENTS = ("id", "phenomenonTime", "result", "resultTime")


def _data_array(
    reader: Reader, here: Here, options: Options, texts: list[tuple[str, str]], path: str
) -> dict[str, Any]:
    observed = reader.observed(here, options)
    components, rows_of = _rows(here, observed.found, options)
    groups: dict[int, list[Any]] = {}
    for found, row in zip(observed.found, rows_of, strict=True):
        groups.setdefault(found.datastream_id, []).append(row)
    answer: dict[str, Any] = {}
    if observed.count is not None:
        answer["@iot.count"] = observed.count
    if observed.token is not None:
        answer["@iot.nextLink"] = reader.next_link(path, texts, observed.token)
    multi = reader.multis(observed.found)
    names = {series: "MultiDatastream" if series in multi else "Datastream" for series in groups}
    answer["value"] = [
        {
            f"{names[series]}@iot.navigationLink": f"{reader.base}/{names[series]}s({series})",
            "components": components, "dataArray@iot.count": len(rows), "dataArray": rows,
        }
        for series, rows in groups.items()
    ]  # fmt: skip
    return answer


def _rows(here: Here, found: Sequence[Observation], options: Options) -> tuple[list[str], list[Any]]:
    """Return the components of a data array, and a row of each observation."""
    keep = chosen(here.entity, options.select)
    if keep.names is None and all(one.extra is None for one in found):
        return list(_COMPONENTS), [observation_row(one) for one in found]
    values = [observation_values(one) for one in found]
    if keep.names is None:
        extra = sorted({name for row in values for name in row} - set(_COMPONENTS))
        components = [*_COMPONENTS, *extra]
    else:
        components = [("id" if name in ("@iot.id", "id") else name) for name in _asked(options)]
    return components, [_row(one, row, components) for one, row in zip(found, values, strict=True)]


def _asked(options: Options) -> list[str]:
    return list(dict.fromkeys(str(name.steps[0]) for name in options.select))


def _row(found: Observation, values: dict[str, Any], components: list[str]) -> list[Any]:
    return [found.id if name == "id" else values.get(name) for name in components]


# --- CSV and GeoJSON
CHUNK = 1_000  # entities in a part of what is sent


def _grouped_table(
    reader: Reader, here: Here, options: Options, texts: list[tuple[str, str]], path: str
) -> Answer:
    """Return the groups of `$apply` as a table: with `$top` a page (its next one in the header Link), else all of them."""
    known = FORMATS[options.result_format]
    if options.result_format != "csv":
        raise misread("$resultFormat", 0, "GeoJSON", Text("Demandez CSV ou JSON.", "Ask for CSV or JSON."),
                      Text("Des groupes n'ont pas de géométrie.", "Groups have no geometry."))  # fmt: skip
    found = reader.grouped(here, options, sys.maxsize if options.top is None else options.top)
    pages = ({"value": found.rows[i : i + CHUNK]} for i in range(0, max(1, len(found.rows)), CHUNK))
    parts = csv_parts(columns_of_groups(options), pages)
    headers = [("content-disposition", f'inline; filename="{here.entity.set_name}.{known.suffix}"')]
    if found.token is not None:
        headers.append(("link", f'<{reader.next_link(path, texts, found.token)}>; rel="next"'))
    return Answer(next(parts, b""), known.media_type, parts=parts, headers=tuple(headers))


class _Link:
    """The next page of a page that is being written, once it is known."""

    def __init__(self) -> None:
        self.next: str | None = None


def formatted(
    reader_of: Callable[[Connection], Reader], read: Callable[[], AbstractContextManager[Connection]], path: str,
    resource: Resource, options: Options, texts: list[tuple[str, str]],
) -> Answer:  # fmt: skip
    """Return the answer as a table or a map: with `$top` a page (its next one in the header Link), else everything."""
    entity, link = resource.entity, _Link()
    known = FORMATS[options.result_format]
    asked = spelled_out(entity, options)
    table = options.result_format == "csv"
    columns = columns_of(entity, asked) if table else []
    shown = widened(asked) if table and not asked.distinct else asked
    pages = _pages(reader_of, read, path, resource, shown, texts, link)
    parts = csv_parts(columns, pages) if table else geojson_parts(entity, pages)
    first = b"".join(
        itertools.islice(parts, 1 if table else 3)
    )  # what is wrong shows before anything is sent
    headers = [("content-disposition", f'inline; filename="{entity.set_name}.{known.suffix}"')]
    if link.next is not None:
        headers.append(("link", f'<{link.next}>; rel="next"'))
    return Answer(first, known.media_type, parts=parts, headers=tuple(headers))


def _pages(
    reader_of: Callable[[Connection], Reader], read: Callable[[], AbstractContextManager[Connection]], path: str,
    resource: Resource, options: Options, texts: list[tuple[str, str]], link: _Link,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    with read() as c:
        reader = reader_of(c)
        here = reader.find(resource)
        if here.key is not None:
            yield {"value": [reader.one(here, options)]}
            return
        if options.distinct:
            yield distinct_page(reader, here, options, texts, path)
            return
        whole = options.top is None
        asked = msgspec.structs.replace(options, top=CHUNK) if whole else options
        while True:
            page = reader.page(here, asked, texts, path)
            following = page.get("@iot.nextLink")
            if not whole:
                link.next = following
            elif following is not None:
                del page["@iot.nextLink"]
            yield page
            if not whole or following is None:
                return
            token = following.rpartition("$skiptoken=")[2]
            asked = msgspec.structs.replace(asked, skiptoken=token, skip=0, count=False)
            reader = reader_of(c)  # a reader counts what it shows: each page has its own limit
