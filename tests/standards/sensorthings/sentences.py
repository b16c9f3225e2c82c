"""Sentences of the query language, bodies and batches: made from the grammar and the model, then broken."""

import json
import random
from typing import Any
from urllib.parse import quote

from tests.sensorthings_town import DATASTREAM, LOCATION, PROPERTY, SENSOR, THING, station
from tests.standards.sensorthings.test_compile import FILTERS

from beffroi.standards.sensorthings.entities import BY_NAME, ENTITIES, Entity
from beffroi.standards.sensorthings.functions import FUNCTIONS

__all__ = ["Sentences"]

LITERALS: dict[str, list[str]] = {
    "number": ["0", "1", "-1", "2.5", "1e3", "1e308", "9007199254740993", "0.1", "99999999999999999999"],
    "text": ["'a'", "''", "'l''eau'", "'%25'", "'_'", "'5'", "'é'", "'2020-01-01T00:00:00Z'", "'🜁'", "'\\'"],
    "boolean": ["true", "false"],
    "instant": ["2020-01-01T00:00:00Z", "2020-06-01T00:00:00%2B02:00", "now()", "mindatetime()", "maxdatetime()", "0001-01-01T00:00:00Z"],
    "moment": ["2020-01-01T00:00:00Z/2020-01-02T00:00:00Z", "2020-01-01T00:00:00Z/P1D", "9999-12-31T23:59:59Z/9999-12-31T23:59:59Z"],
    "date": ["2020-01-01", "2020-02-29"], "time": ["12:00:00", "23:59:59.999"], "duration": ["duration'PT1H'", "duration'P3650000D'", "duration'-PT1S'"],
    "geometry": ["geography'POINT(2 48)'", "geography'POLYGON((0 0,9 0,9 60,0 60,0 0))'", "geography'POINT EMPTY'", "geography'LINESTRING(0 0,1 1)'",
                 "geography'GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,1 1))'"],
    "json": ["properties/rang", "properties/tags", "properties/où/rive", "parameters/a"], "result": ["result"], "null": ["null"],
}  # fmt: skip
NOISE = [*"()[]{},;:'\"/\\$@%#&=+-*.|<>~^! \t\n\0", "é", "🜁", "null", "any(", "$", "..", "%00", "\ufeff", "\u202e", "{}", "{0}"]  # fmt: skip
DEEP = [
    "(" * 60 + "1 eq 1" + ")" * 60,
    "not " * 80 + "true",
    " or ".join(["result gt 1"] * 400),
    "a/" * 200 + "b eq 1",
    "1" * 400 + " eq 1",
]


class Sentences:
    """Makes whatever a client, or an attacker, may send; the same from the same seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def _pick(self, some: Any) -> Any:
        return self.chance.choice(some)

    # --- the query language
    def path(self, entity: Entity, depth: int = 0) -> str:
        """Return a path from an entity to a property, over relations."""
        if depth < 3 and self.chance.random() < 0.35:
            hop = self._pick(entity.navigations)
            return f"{hop.name}/{self.path(BY_NAME[hop.target], depth + 1)}"
        names = ["id", "@iot.id", *(p.name for p in entity.properties)]
        name: str = self._pick(names)
        if name == "unitOfMeasurement":
            name += "/" + self._pick(["name", "symbol", "definition", "autre"])
        if (
            name in ("properties", "parameters", "result", "resultQuality", "location", "feature")
            and self.chance.random() < 0.6
        ):
            name += self._pick(["/a", "/rang", "/où/rive", "[0]", "/tags[1]", "/type", "/coordinates[0]"])
        return name

    def value(self, entity: Entity, depth: int) -> str:
        """Return an expression of some kind."""
        roll = self.chance.random()
        if roll < 0.3 or depth > 3:
            return str(self._pick(LITERALS[self._pick(list(LITERALS))]))
        if roll < 0.6:
            return self.path(entity)
        if roll < 0.8:
            function = self._pick(list(FUNCTIONS.values()))
            count = len(function.parameters) - self._pick([0, 0, 0, function.optional, 1])
            return f"{function.name}({','.join(self.value(entity, depth + 1) for _ in range(max(count, 0)))})"
        operator = self._pick(["add", "sub", "mul", "div", "mod"])
        return f"({self.value(entity, depth + 1)} {operator} {self.value(entity, depth + 1)})"

    def condition(self, entity: Entity, depth: int = 0) -> str:
        """Return a condition, often one that makes sense."""
        if self.chance.random() < 0.5 and entity.name in FILTERS:
            return quote(self._pick(FILTERS[entity.name]), safe="/ ',()=:")
        roll = self.chance.random()
        left = self.value(entity, depth + 1)
        if depth < 3 and roll < 0.2:
            return f"({self.condition(entity, depth + 1)} {self._pick(['and', 'or'])} {self.condition(entity, depth + 1)})"
        if roll < 0.27:
            return f"not ({self.condition(entity, depth + 1)})"
        if roll < 0.35:
            hop = self._pick(entity.navigations)
            inner = self.condition(BY_NAME[hop.target], depth + 1).replace(" and ", " or ")
            return f"{hop.name}/any(x: x/{self.path(BY_NAME[hop.target])} ne null or {inner})"
        if roll < 0.43:
            return f"{left} in ({self.value(entity, 3)},{self.value(entity, 3)})"
        if roll < 0.48:
            return f"{self.value(entity, 3)} in {self.path(entity)}"
        return f"{left} {self._pick(['eq', 'ne', 'gt', 'ge', 'lt', 'le'])} {self.value(entity, depth + 1)}"

    def expand(self, entity: Entity, depth: int = 0) -> str:
        """Return an expansion with options inside."""
        hop = self._pick(entity.navigations)
        target = BY_NAME[hop.target]
        inner = []
        if self.chance.random() < 0.5:
            inner.append(f"$top={self._pick([0, 1, 3, 10**9, '1.5'])}")
        if self.chance.random() < 0.4:
            inner.append(f"$filter={self.condition(target, 2)}")
        if self.chance.random() < 0.3:
            inner.append(f"$orderby={self.path(target)} {self._pick(['asc', 'desc'])}")
        if self.chance.random() < 0.3:
            inner.append(f"$select={self._pick([p.name for p in target.properties])}")
        if self.chance.random() < 0.2:
            inner.append(f"$count={self._pick(['true', 'false', 'maybe'])}")
        if depth < 3 and self.chance.random() < 0.4:
            inner.append(f"$expand={self.expand(target, depth + 1)}")
        return hop.name + (f"({';'.join(inner)})" if inner else "")

    def options(self, entity: Entity) -> str:
        """Return the query string of a reading."""
        parts: list[str] = []
        chance = self.chance.random
        if chance() < 0.6:
            parts.append("$filter=" + (self._pick(DEEP) if chance() < 0.02 else self.condition(entity)))
        if chance() < 0.3:
            by = self.value(entity, 2) if chance() < 0.3 else self.path(entity)
            parts.append(f"$orderby={by} {self._pick(['', 'asc', 'desc', 'DESC'])}")
        if chance() < 0.3:
            parts.append(f"$expand={self.expand(entity)}")
        if chance() < 0.2:
            distinct = self._pick(["", "", "distinct:"])
            parts.append(f"$select={distinct}{self.path(entity, 3)},{self.path(entity, self._pick([0, 3]))}")
        for name, values in (
            ("$top", [0, 1, 2, 1, 10**12, "x"]), ("$skip", [0, 1, 2, 10**15, 10**16]), ("$count", ["true", "false", "2"]),
            ("$resultFormat", ["dataArray", "GeoJSON", "CSV", "json", "xml"]), ("$resultMetadata", ["none", "minimal", "full", "off", "x"]),
            ("$skiptoken", ["WzFd", "x", "W10", "WzEsMl0"]), ("$autre", ["1"]), ("debug", ["1"]),
        ):  # fmt: skip
            if chance() < 0.08:
                parts.append(f"{name}={self._pick(values)}")
        self.chance.shuffle(parts)
        return "&".join(parts)

    def address(self) -> tuple[str, Entity]:
        """Return a path, and the entity type that its set is of."""
        entity = self._pick(ENTITIES)
        path, roll = entity.set_name, self.chance.random()
        key = self._pick(
            ["1", "2", "1", "2", "1", "2", "1", "999", "-1", "'1'", "x", "", "99999999999999999999", "1,2"]
        )
        if roll < 0.4:
            return path, entity
        path += f"({key})"
        if roll < 0.5:
            return path, entity
        if roll < 0.6:
            names = [p.name for p in entity.properties]
            return (
                f"{path}/{self._pick([*names, 'id', 'nothing'])}{self._pick(['', '/$value', '/a', '/0', '/$ref', '[0]'])}",
                entity,
            )
        hop = self._pick(entity.navigations)
        tail = self._pick(["", "", "/$ref", "/$count", "(1)", "(1)/name/$value"])
        return f"{path}/{hop.name}{tail}", BY_NAME[hop.target]

    # --- bodies
    def body(self, entity: Entity) -> bytes:
        """Return a body for an entity: a good one, or one whose values were replaced."""
        good: dict[str, Any] = {
            "Thing": station(), "Location": LOCATION, "Sensor": SENSOR, "ObservedProperty": PROPERTY,
            "Datastream": {**DATASTREAM, "Thing": {"@iot.id": 1}}, "Observation": {"result": 1, "Datastream": {"@iot.id": 1}},
            "HistoricalLocation": {"time": "2020-01-01T00:00:00Z", "Thing": {"@iot.id": 1}, "Locations": [{"@iot.id": 1}]},
        }.get(entity.name, THING)  # fmt: skip
        body = json.loads(json.dumps(good))
        for _ in range(self._pick([0, 1, 1, 2, 3])):
            self._replace(body)
        return json.dumps(body, ensure_ascii=self._pick([True, False])).encode("utf-8", "surrogatepass")

    def _replace(self, body: Any) -> None:
        while isinstance(body, dict | list) and body:
            key = self._pick(list(body) if isinstance(body, dict) else list(range(len(body))))
            if self.chance.random() < 0.5 or not isinstance(body[key], dict | list):
                body[key] = self._pick([
                    None, True, 0, -1, 1e308, 2**63, 10**400, "", "x", "\0", "\ud800", [], {}, [[]], {"@iot.id": 1}, {"@iot.id": "$x"},
                    {"@iot.id": 10**30}, "2020-13-01T00:00:00Z", "2020-01-01T00:00:00Z/2019-01-01T00:00:00Z", {"type": "Point"},
                    {"type": "Point", "coordinates": [1e999, "x"]}, {"type": "Polygon", "coordinates": [[]]}, [1, "a", None], {"a": {"b": [1.50]}},
                ])  # fmt: skip
                return
            body = body[key]

    def patch(self) -> bytes:
        """Return a JSON patch."""
        paths = [
            "/name",
            "/properties",
            "/properties/a",
            "/nothing",
            "",
            "/",
            "name",
            "/properties/-",
            5,
            None,
            "/Datastreams/0",
        ]
        steps = [{"op": self._pick(["add", "remove", "replace", "move", "copy", "test", "x", None]), "path": self._pick(paths),
                  "value": self._pick([1, "x", None, {}, []]), "from": self._pick(paths)} for _ in range(self._pick([0, 1, 2, 3]))]  # fmt: skip
        return json.dumps(self._pick([steps, steps, steps, {"op": "add"}, 5])).encode()

    def batch(self) -> tuple[bytes, str]:
        """Return the body and the type of a batch."""
        return self._json_batch() if self.chance.random() < 0.5 else self._mixed_batch()

    def _json_batch(self) -> tuple[bytes, str]:
        requests: list[Any] = []
        for n in range(self._pick([0, 1, 2, 4])):
            path, entity = self.address()
            one: dict[str, Any] = {"id": self._pick([str(n), "a", n, None, "é"]), "method": self._pick(["get", "POST", "patch", "delete", "put", "x"]),
                                   "url": self._pick([f"{path}?{self.options(entity)}", path, "$a", "$a/Datastreams", "/v1.1/Things", ""])}  # fmt: skip
            if one["method"] in ("POST", "patch", "put"):
                one["body"] = json.loads(self.body(entity).decode("utf-8", "replace") or "null")
            for name, values in (("atomicityGroup", ["g", "h", 5]), ("dependsOn", [["a"], "a", [5]]), ("if", ["$a", "not $a", "x"]), ("headers", [{"a": "b"}, 5])):  # fmt: skip
                if self.chance.random() < 0.25:
                    one[name] = self._pick(values)
            requests.append(self._pick([one, one, one, one, 5]))
        document = self._pick([{"requests": requests}] * 8 + [requests, {}])
        return json.dumps(document).encode("utf-8", "surrogatepass"), "application/json"

    def _mixed_batch(self) -> tuple[bytes, str]:
        eol = self._pick(["\r\n", "\n"])

        def request() -> str:
            path, entity = self.address()
            method = self._pick(["GET", "POST", "PATCH", "DELETE", "PUT", "BREW"])
            body = self.body(entity).decode("utf-8", "replace") if method in ("POST", "PATCH", "PUT") else ""
            name = self._pick(["", f"Content-ID: a{eol}"])
            return f"Content-Type: application/http{eol}{name}{eol}{method} {path} HTTP/1.1{eol}Content-Type: application/json{eol}{eol}{body}{eol}"

        parts = [request() for _ in range(self._pick([0, 1, 2]))]
        if self.chance.random() < 0.6:
            inner = "".join(f"--c{eol}{request()}" for _ in range(self._pick([0, 1, 3])))
            parts.append(f"Content-Type: multipart/mixed; boundary=c{eol}{eol}{inner}--c--{eol}")
        text = "".join(f"--b{eol}{part}" for part in parts) + self._pick(
            ["--b--", "--b--", f"--b--{eol}", ""]
        )
        return text.encode("utf-8", "replace"), self._pick(
            ["multipart/mixed;boundary=b"] * 5 + ["multipart/mixed", 'multipart/mixed;boundary="b']
        )

    # --- damage
    def broken(self, text: str) -> str:
        """Return a text with some characters taken away, doubled, swapped or put in."""
        for _ in range(self._pick([1, 1, 2, 5])):
            at = self.chance.randrange(len(text) + 1)
            kind = self.chance.randrange(4)
            if kind == 0:
                text = text[:at] + self._pick(NOISE) + text[at:]
            elif kind == 1:
                text = text[:at] + text[at + self._pick([1, 1, 5]) :]
            elif kind == 2:
                text = text[:at] + text[at : at + 8] + text[at:]
            else:
                other = self.chance.randrange(len(text) + 1)
                text = text[: min(at, other)] + text[max(at, other) :] + text[min(at, other) : max(at, other)]
        return text

    def broken_bytes(self, body: bytes) -> bytes:
        """Return bytes with some of them changed."""
        found = bytearray(body)
        for _ in range(self._pick([1, 2, 8])):
            if found:
                at = self.chance.randrange(len(found))
                found[at : at + self._pick([0, 1, 3])] = bytes(
                    self.chance.randrange(256) for _ in range(self._pick([0, 1, 2]))
                )
        return bytes(found)
