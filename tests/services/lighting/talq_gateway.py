"""A TALQ gateway made of the consortium's own OpenAPI files: what they do not describe, it refuses; and it checks all that
it hears from the central system, answers included."""

import gzip
import json
import re
import threading
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jsonschema
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

Json = Any
MODEL = "talq-data-model-2-7-1-online.json"
BASE = "http://talq.test/"


class Spec:
    """One of the two APIs, with the data model behind it."""

    def __init__(self, folder: Path, side: str) -> None:
        def load(name: str) -> Json:
            return json.loads(gzip.decompress((folder / f"{name}.gz").read_bytes()))

        model = load(MODEL)
        self.schemas = model["components"]["schemas"]
        self.api = load(f"talq-api-{side}-2-7-1-online.json")
        self.registry: Registry[Json] = Registry().with_resource(BASE + MODEL, Resource(model, DRAFT4))
        self.paths = [
            (re.compile(re.sub(r"\{\w+\}", "[^/]+", path) + r"\Z"), path, methods)
            for path, methods in self.api["paths"].items()
        ]

    def operation(self, method: str, path: str) -> Json | None:
        """Return what the API says of a request, fixed paths before those with parameters."""
        for pattern, _, methods in sorted(self.paths, key=lambda p: p[1].count("{")):
            if pattern.match(path) and method.lower() in methods:
                return methods[method.lower()]
        return None

    def faults(self, schema: Json, body: Json) -> list[str]:
        """Return what is wrong with a body, its parts checked by the schemas that they name as well."""
        found = [
            f"{error.json_path}: {error.message[:120]}"
            for error in jsonschema.Draft4Validator(
                self._absolute(schema), registry=self.registry
            ).iter_errors(body)
        ]
        for place, part, name in self._named(body, "$"):
            ref = {"$ref": f"{BASE}{MODEL}#/components/schemas/{name}"}
            found += [
                f"{place} as {name}: {error.message[:120]}"
                for error in jsonschema.Draft4Validator(ref, registry=self.registry).iter_errors(part)
            ]
        return found

    def _absolute(self, schema: Json) -> Json:
        return json.loads(json.dumps(schema).replace(f"./{MODEL}", BASE + MODEL))

    def _named(self, body: Json, place: str) -> Iterator[tuple[str, Json, str]]:
        if isinstance(body, dict):
            name = body.get("type") or body.get("name")
            if isinstance(name, str) and name in self.schemas and "functionId" not in body:
                yield place, body, name
            for key, value in body.items():
                yield from self._named(value, f"{place}.{key}")
        elif isinstance(body, list):
            for n, value in enumerate(body):
                yield from self._named(value, f"{place}[{n}]")


class Gateway:
    """A gateway: its server side, its lamps, and its calls to the central system."""

    def __init__(self, folder: Path, cms_url: str, key: str) -> None:
        self.own, self.cms = Spec(folder, "gateway"), Spec(folder, "cms")
        self.address = str(uuid.uuid4())
        self.cms_url, self.key = cms_url, key
        self.heard: list[tuple[str, str, Json]] = []
        self.faults: list[str] = []
        self.kept: dict[str, set[str]] = {}
        self.arrived = threading.Condition()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.answer("POST")

            def do_PUT(self) -> None:
                self.answer("PUT")

            def answer(self, method: str) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                split = urllib.parse.urlsplit(self.path)
                status = outer.receive(
                    method, split.path, dict(urllib.parse.parse_qsl(split.query)), dict(self.headers), body
                )
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def receive(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: Json
    ) -> int:
        """Check a request by the gateway's API and keep it; return the first success that the API names, 409 for a double."""
        operation = self.own.operation(method, path)
        if operation is None:
            self.faults.append(f"{method} {path} is not in the API")
            return 404
        for parameter in operation["parameters"]:
            place = query if parameter["in"] == "query" else {k.lower(): v for k, v in headers.items()}
            if parameter.get("required") and parameter["in"] != "path" and parameter["name"] not in place:
                self.faults.append(f"{method} {path}: {parameter['name']} is missing")
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        self.faults += [f"{method} {path} {fault}" for fault in self.own.faults(schema, body)]
        ids = {
            str(one.get("id") or one.get("address")) for one in (body if isinstance(body, list) else [body])
        }
        if method == "POST" and path in ("/calendars", "/control-programs", "/logger-configs"):
            if ids & self.kept.setdefault(path, set()):
                return 409
            self.kept[path] |= ids
        if (
            method == "PUT"
            and path in ("/calendars", "/control-programs")
            and ids - self.kept.get(path, set())
        ):
            return 404
        with self.arrived:
            self.heard.append((method, path, body))
            self.arrived.notify_all()
        return 201 if method == "POST" else 200

    def wait_for(self, path: str, count: int = 1, seconds: float = 20) -> Json:
        """Return the body of the `count`-th request to a path, waiting for it."""
        with self.arrived:
            assert self.arrived.wait_for(
                lambda: sum(p == path for _, p, _ in self.heard) >= count, seconds
            ), self.heard
            return [body for _, p, body in self.heard if p == path][count - 1]

    def say(
        self, method: str, path: str, body: Json = None, *, raw: bytes | None = None, **query: str
    ) -> tuple[int, Json]:
        """Call the central system; its answer is checked by its own API."""
        told = {"clientAddress": self.address, "talqRequestId": str(uuid.uuid4()), **query}
        asked = urllib.request.Request(
            f"{self.cms_url}{path}?{urllib.parse.urlencode(told)}", raw if raw is not None else None if body is None else json.dumps(body).encode(),
            {"talq-api-version": "2.7.1", "Content-Type": "application/json", "Authorization": f"Bearer {self.key}"}, method=method,
        )  # fmt: skip
        try:
            with urllib.request.urlopen(asked, timeout=20) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status, text = error.code, error.read()
        said = json.loads(text) if text else None
        operation = self.cms.operation(method, path)
        assert operation is not None, path
        responses = operation["responses"]
        if str(status) in responses:
            schema = responses[str(status)].get("content", {}).get("application/json", {}).get("schema")
            if schema is not None:
                self.faults += [
                    f"answer to {method} {path}: {fault}" for fault in self.cms.faults(schema, said)
                ]
        elif status != 403:
            self.faults.append(f"answer to {method} {path}: {status} is not in the API")
        return status, said

    def close(self) -> None:
        """Stop listening."""
        self.server.shutdown()
        self.server.server_close()
