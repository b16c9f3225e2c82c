"""The OpenAPI 3.1 description of the service, made from the entity model: addresses, options, schemas, keys."""

from collections.abc import Iterable
from typing import Any

from beffroi.standards.sensorthings.entities import ENTITIES, Entity, Navigation, Property

__all__ = ["OPTIONS", "openapi"]

Json = dict[str, Any]
_INTERVAL = "ISO 8601: an instant, or start/end"
_KINDS: dict[str, Json] = {
    "number": {"type": "number"},
    "text": {"type": "string"},
    "boolean": {"type": "boolean"},
    "instant": {"type": ["string", "null"], "format": "date-time"},
    "moment": {"type": "string", "description": _INTERVAL},
    "geometry": {"description": "A GeoJSON geometry, or what encodingType says"},
    "json": {},
    "result": {"description": "A number with its digits, a text, a boolean, an object, an array or null"},
}
_NUMBERED: Json = {"type": "integer", "minimum": 0, "maximum": 2**53 - 1}


def _reference(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}


def _schema(name: str) -> Json:
    return _reference("schemas", name)


def _content(schema: Json, *more: str) -> Json:
    return {
        kind: {"schema": schema if "json" in kind else {"type": "string"}}
        for kind in ("application/json", *more)
    }


# --- schemas
def _property_schema(found: Property) -> Json:
    if found.parts:
        parts = {part.name: {"type": ["string", "null"]} for part in found.parts}
        return {"type": "object", "properties": parts}
    if found.name == "properties":
        return {"type": "object"}
    return dict(_KINDS[found.kind])


def _shown(entity: Entity) -> Json:
    """Return the schema of an entity as it is answered; `$select` may leave out anything."""
    properties: Json = {"@iot.id": _NUMBERED, "@iot.selfLink": {"type": "string", "format": "uri"}}
    properties |= {found.name: _property_schema(found) for found in entity.properties}
    for hop in entity.navigations:
        properties[f"{hop.name}@iot.navigationLink"] = {"type": "string", "format": "uri"}
        one = _schema(hop.target)
        properties[hop.name] = {"type": "array", "items": one} if hop.many else one
        if hop.many:
            properties[f"{hop.name}@iot.count"] = {"type": "integer"}
            properties[f"{hop.name}@iot.nextLink"] = {"type": "string", "format": "uri"}
    return {"type": "object", "properties": properties}


def _related(hop: Navigation) -> Json:
    one = {"anyOf": [_schema("Reference"), _schema(f"New{hop.target}")]}
    return {"type": "array", "items": one} if hop.many else one


def _new(entity: Entity) -> Json:
    """Return the schema of an entity as it is sent: relations by reference, or made along (deep insert)."""
    written = [found for found in entity.properties if not found.derived]
    properties = {found.name: _property_schema(found) for found in written}
    properties |= {hop.name: _related(hop) for hop in entity.navigations}
    return {"type": "object", "properties": properties, "required": [f.name for f in written if f.required]}


def _changes(entity: Entity) -> Json:
    whole = _new(entity)
    references = {hop.name: _schema("Reference") for hop in entity.navigations if not hop.many}
    own = {f.name: _property_schema(f) for f in entity.properties if not f.derived}
    del whole["required"]
    return {**whole, "properties": own | references}


def _page(entity: Entity) -> Json:
    return {
        "type": "object", "required": ["value"],
        "properties": {
            "@iot.count": {"type": "integer"}, "@iot.nextLink": {"type": "string", "format": "uri"},
            "value": {"type": "array", "items": _schema(entity.name)},
        },
    }  # fmt: skip


_TEXTS: Json = {
    "type": "object",
    "properties": {lang: {"type": "array", "items": {"type": "string"}} for lang in ("fr", "en")},
}
_ANY: Json = {}
_SCHEMAS: Json = {
    "Reference": {
        "type": "object", "required": ["@iot.id"], "properties": {"@iot.id": {"anyOf": [_NUMBERED, {"type": "string"}]}},
        "description": "An entity that exists; in a change set, what an earlier request makes: $name",
    },
    "Problem": {
        "type": "object", "required": ["code", "type", "message", "place", "texts"],
        "properties": {
            "code": {"type": "integer"}, "type": {"const": "error"}, "message": {"type": "string"},
            "place": {"type": "string", "description": "A JSON pointer, or option:character"}, "texts": _TEXTS,
        },
    },
    "JsonPatch": {
        "type": "array",
        "items": {
            "type": "object", "required": ["op", "path"],
            "properties": {
                "op": {"enum": ["add", "remove", "replace", "move", "copy", "test"]}, "path": {"type": "string"},
                "from": {"type": "string"}, "value": _ANY,
            },
        },
    },
    "DataArray": {
        "type": "array",
        "items": {
            "type": "object", "required": ["Datastream", "components", "dataArray"],
            "properties": {
                "Datastream": _schema("Reference"), "components": {"type": "array", "items": {"type": "string"}},
                "dataArray@iot.count": {"type": "integer"}, "dataArray": {"type": "array", "items": {"type": "array"}},
            },
        },
    },
    "Batch": {
        "type": "object", "required": ["requests"],
        "properties": {"requests": {"type": "array", "items": {
            "type": "object", "required": ["id", "method", "url"],
            "properties": {
                "id": {"type": "string"}, "method": {"enum": ["get", "post", "patch", "put", "delete"]}, "url": {"type": "string"},
                "atomicityGroup": {"type": "string"}, "dependsOn": {"type": "array", "items": {"type": "string"}},
                "if": {"type": "string"}, "headers": {"type": "object"}, "body": _ANY,
            },
        }}},
    },
    "BatchAnswer": {
        "type": "object", "required": ["responses"],
        "properties": {"responses": {"type": "array", "items": {
            "type": "object", "required": ["id", "status"],
            "properties": {"id": {"type": "string"}, "status": {"type": "integer"}, "location": {"type": "string"},
                           "headers": {"type": "object"}, "body": _ANY},
        }}},
    },
    "Root": {
        "type": "object", "required": ["value", "serverSettings"],
        "properties": {
            "value": {"type": "array", "items": {"type": "object", "required": ["name", "url"], "properties": {
                "name": {"type": "string"}, "url": {"type": "string", "format": "uri"}}}},
            "serverSettings": {"type": "object"},
        },
    },
}  # fmt: skip

# --- options
OPTIONS: tuple[tuple[str, Json, str], ...] = (
    ("$filter", {"type": "string"}, "A condition, such as `result gt 20 and Datastream/name eq 'air'`"),
    ("$orderby", {"type": "string"}, "Terms, such as `phenomenonTime desc,id`"),
    ("$top", {"type": "integer", "minimum": 0}, "At most so many (100 when absent, 10,000 at most)"),
    ("$skip", {"type": "integer", "minimum": 0}, "Leave out the first ones"),
    ("$count", {"type": "boolean"}, "Say how many there are in all"),
    (
        "$select",
        {"type": "string"},
        "What to show: `name,properties/a`; `distinct:` gives each combination once",
    ),
    ("$expand", {"type": "string"}, "Relations to show inside: `Datastreams($top=2;$expand=Sensor)`"),
    ("$asOf", {"type": "string"}, "An instant: everything is shown as it was then"),
    ("$resultFormat", {"enum": ["json", "dataArray", "CSV", "GeoJSON"]}, "The shape of the answer"),
    (
        "$resultMetadata",
        {"enum": ["full", "minimal", "none", "off"]},
        "How much control information is shown",
    ),
    ("$skiptoken", {"type": "string"}, "Of a nextLink: follow it as it is"),
)
_OF_ONE = ("$select", "$expand", "$resultFormat", "$resultMetadata")
_ID: Json = {"name": "id", "in": "path", "required": True, "schema": _NUMBERED}
_KEY: Json = {
    "name": "Idempotency-Key", "in": "header", "schema": {"type": "string"},
    "description": "Observations sent again with the same key are stored once",
}  # fmt: skip
_ALL: Json = {
    "name": "$all",
    "in": "query",
    "schema": {"enum": ["true"]},
    "description": "Delete the whole set",
}
_FORMATS = ("text/csv", "application/geo+json")


def _options(names: Iterable[str]) -> list[Json]:
    return [_reference("parameters", name.removeprefix("$")) for name in names]


_REFUSED = {
    "400": "Something in the request is wrong: `place` says where", "401": "A key is needed",
    "403": "This key may not do this here", "404": "There is no such entity, or not for you",
    "405": "There is no such method here", "413": "The body is too large", "415": "This type of body is not read",
    "503": "Nothing was stored: try again in a moment",
}  # fmt: skip


def _answers(status: str, description: str, content: Json | None = None, *, writes: bool = False) -> Json:
    good: Json = {"description": description}
    if content is not None:
        good["content"] = content
    refused = ["400", "404", "413", "503", *(("401", "403", "405", "415") if writes else ())]
    return {status: good, **{code: _reference("responses", f"R{code}") for code in sorted(refused)}}


def _read(summary: str, tag: str, parameters: list[Json], schema: Json, *formats: str) -> Json:
    return {
        "summary": summary, "tags": [tag], "parameters": parameters,
        "responses": _answers("200", "Found", _content(schema, *formats)),
    }  # fmt: skip


def _write(summary: str, tag: str, parameters: list[Json], schema: Json | None, answer: Json, kind: str = "application/json") -> Json:  # fmt: skip
    body = (
        {} if schema is None else {"requestBody": {"required": True, "content": {kind: {"schema": schema}}}}
    )
    return {
        "summary": summary, "tags": [tag], "parameters": parameters, "security": [{"key": []}], **body, "responses": answer,
    }  # fmt: skip


def _made() -> Json:
    made = _answers(
        "201", "Made; the header Location has its address", _content(_schema("Reference")), writes=True
    )
    made["201"]["headers"] = {"Location": {"schema": {"type": "string", "format": "uri"}}}
    return made | {"200": {"description": "The same Idempotency-Key came before: it is stored already"}}


def _of_set(entity: Entity) -> Json:
    every = _options(name for name, _, _ in OPTIONS)
    return {
        "get": _read(f"Read {entity.set_name}", entity.set_name, every, _schema(f"{entity.name}Page"), *_FORMATS),
        "post": _write(f"Make a {entity.name}, with what it brings along", entity.set_name, [_KEY], _schema(f"New{entity.name}"), _made()),
        "delete": _write(
            f"Delete the {entity.set_name} that a filter selects", entity.set_name, [*_options(["$filter"]), _ALL], None,
            _answers("200", "How many went", _content({"type": "object", "properties": {"deleted": {"type": "integer"}}}), writes=True),
        ),
    }  # fmt: skip


def _of_one(entity: Entity) -> Json:
    shown = _answers("200", "As it is now", _content(_schema(entity.name)), writes=True)
    change = _write(f"Change a {entity.name}", entity.set_name, [], _schema(f"{entity.name}Changes"), shown)
    change["requestBody"]["content"]["application/json-patch+json"] = {"schema": _schema("JsonPatch")}
    return {
        "parameters": [_ID],
        "get": _read(f"Read a {entity.name}", entity.set_name, _options(_OF_ONE), _schema(entity.name), *_FORMATS),
        "patch": change,
        "put": _write(f"Replace a {entity.name}", entity.set_name, [], _schema(f"New{entity.name}"), shown),
        "delete": _write(f"Delete a {entity.name} and what cannot stand without it", entity.set_name, [], None,
                         _answers("200", "Gone", _content({"type": "object"}), writes=True)),
    }  # fmt: skip


def _inside(entity: Entity) -> Json:
    """Return the addresses below an entity: its properties, raw values, and what it is related to."""
    base, tag = f"/{entity.set_name}({{id}})", entity.set_name
    name = {
        "name": "property",
        "in": "path",
        "required": True,
        "schema": {"enum": [f.name for f in entity.properties]},
    }
    absent: Json = {"204": {"description": "The entity has no such property"}}
    one = _read("Read a property", tag, [], {"type": "object"})
    raw: Json = {"summary": "Read the bare value of a property", "tags": [tag],
           "responses": _answers("200", "The value", {"text/plain": {"schema": {"type": "string"}}, "application/json": {"schema": {}}})}  # fmt: skip
    for read in (one, raw):
        read["responses"].update(absent)
    paths: Json = {
        f"{base}/{{property}}": {"parameters": [_ID, name], "get": one},
        f"{base}/{{property}}/$value": {"parameters": [_ID, name], "get": raw},
        f"{base}/$ref": {"parameters": [_ID], "get": _read("Read the address", tag, [], {"type": "object"})},
    }
    for hop in entity.navigations:
        every = _options(name for name, _, _ in OPTIONS) if hop.many else _options(_OF_ONE)
        schema = _schema(f"{hop.target}Page" if hop.many else hop.target)
        item: Json = {
            "parameters": [_ID],
            "get": _read(f"Read its {hop.name}", tag, every, schema, *_FORMATS),
        }
        if hop.many:
            item["post"] = _write(
                f"Make one of its {hop.name}", tag, [_KEY], _schema(f"New{hop.target}"), _made()
            )
        paths[f"{base}/{hop.name}"] = item
    return paths


def _whole() -> Json:
    """Return the addresses that are of no entity."""
    links = {
        "type": "array",
        "items": {"type": "string"},
        "description": "A link, or a text that begins with error",
    }
    batch = _write("Do several requests in one", "Service", [], _schema("Batch"),
                   _answers("200", "A reply to each", _content(_schema("BatchAnswer"), "multipart/mixed"), writes=True))  # fmt: skip
    batch["requestBody"]["content"]["multipart/mixed"] = {"schema": {"type": "string"}}
    batch["security"] = [{}, {"key": []}]
    return {
        "/": {"get": _read("Read the entity sets and what is declared", "Service", [], _schema("Root"))},
        "/api": {"get": _read("Read this description", "Service", [], {"type": "object"})},
        "/CreateObservations": {"post": _write("Store observations by columns", "Service", [_KEY], _schema("DataArray"),
                                               _answers("201", "A line for each row", _content(links), writes=True))},
        "/$batch": {"post": batch},
    }  # fmt: skip


def openapi(base: str, version: str) -> Json:
    """Return the document, its addresses below the service root `base` (no final slash)."""
    paths = _whole()
    schemas = dict(_SCHEMAS)
    for entity in ENTITIES:
        paths[f"/{entity.set_name}"] = _of_set(entity)
        count = _read("How many there are", entity.set_name, _options(["$filter"]), {"type": "integer"})
        count["responses"]["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
        paths[f"/{entity.set_name}/$count"] = {"get": count}
        paths[f"/{entity.set_name}({{id}})"] = _of_one(entity)
        paths |= _inside(entity)
        schemas |= {
            entity.name: _shown(entity), f"New{entity.name}": _new(entity), f"{entity.name}Changes": _changes(entity),
            f"{entity.name}Page": _page(entity),
        }  # fmt: skip
    parameters = {
        name.removeprefix("$"): {"name": name, "in": "query", "schema": schema, "description": said}
        for name, schema, said in OPTIONS
    }
    responses = {
        f"R{code}": {"description": said, "content": _content(_schema("Problem"))}
        for code, said in _REFUSED.items()
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "OGC SensorThings API 1.1", "version": version,
                 "description": "Observations of a town, by the standard 18-088. Reading what is public needs no key.",
                 "license": {"name": "EUPL-1.2", "identifier": "EUPL-1.2"}},
        "servers": [{"url": base}],
        "tags": [{"name": name} for name in ("Service", *(e.set_name for e in ENTITIES))],
        "paths": paths,
        "components": {
            "schemas": schemas, "parameters": parameters, "responses": responses,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "A key that `beffroi token create` gave"}},
        },
    }  # fmt: skip
