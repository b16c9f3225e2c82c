"""SensorThings 1.1 over HTTP, at /sensorthings/v1.1: from requests to the standard's package and back.

Observations arrive on a path of their own, without routing, threads or entities: that is what makes thousands of
durable single posts a second.
"""

import functools
import re
import weakref
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

import msgspec
from anyio import to_thread
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from beffroi import __version__
from beffroi.api.batch import serve_batch
from beffroi.api.negotiation import send_parts, wished
from beffroi.api.problems import problem_body
from beffroi.intake.flags import Flags
from beffroi.model.observation import Draft
from beffroi.model.principal import ANONYMOUS, Principal
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards.sensorthings.address import Resource, read_options, read_path
from beffroi.standards.sensorthings.answering import answer
from beffroi.standards.sensorthings.arrivals import Group, MultiDraft, Rejected, read_arrays, read_observation
from beffroi.standards.sensorthings.body import decode
from beffroi.standards.sensorthings.deleting import delete_matching, is_set
from beffroi.standards.sensorthings.linking import Linker
from beffroi.standards.sensorthings.openapi import openapi
from beffroi.standards.sensorthings.principal import with_principal
from beffroi.standards.sensorthings.provenance import provenance_of
from beffroi.standards.sensorthings.series_cache import Series, SeriesCache, check_writer
from beffroi.standards.sensorthings.sight import sight_of
from beffroi.standards.sensorthings.writing import EntityWriter, KindOf, may_write, with_source_key
from beffroi.store.catalogue import no_feature, no_fit
from beffroi.town import Town

__all__ = ["ROOT", "SensorThings", "routes", "served"]

ROOT = "/sensorthings/v1.1"
LARGEST_BODY = 64 * 1024 * 1024
_SERIES = re.compile(r"(Multi)?Datastreams\((\d{1,15})\)/Observations/?\Z")
_PROVENANCE = re.compile(r"Observations\((\d{1,15})\)/Provenance/?\Z")
_OBSERVATIONS = ("Observations", "Observations/")
_METHODS = "GET, HEAD, POST, PATCH, PUT, DELETE, OPTIONS"


async def _body(receive: Receive) -> bytes:
    """Return the body of a request. Raises `Problem` (413) when it is too large."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part = message.get("body", b"")
        size += len(part)
        if size > LARGEST_BODY:
            raise Problem(Text("Le corps est trop gros.", "The body is too large."),
                          Text("Envoyez en plusieurs fois.", "Send it in several parts."), status=413)  # fmt: skip
        parts.append(part)
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _named(host: str, scope: Scope) -> str:
    """Return the host of a request, or the server's own name when what was sent is none."""
    if re.fullmatch(r"[\w.\-\[\]:]+", host):
        return host
    server = scope.get("server") or ("localhost", None)
    return str(server[0]) if server[1] is None else f"{server[0]}:{server[1]}"


def _header(scope: Scope, name: bytes) -> str:
    return next((str(value.decode("latin-1")) for key, value in scope["headers"] if key == name), "")


async def _send(
    send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes], kind: bytes = b"application/json"
) -> None:
    length = (b"content-length", str(len(body)).encode())
    shown = [(b"content-type", kind), length] if status != 204 else []
    await send({"type": "http.response.start", "status": status, "headers": [*shown, *headers]})
    await send({"type": "http.response.body", "body": b"" if status == 204 else body})


class SensorThings:
    """The ASGI application of the standard for one town."""

    def __init__(self, town: Town) -> None:
        self.store = town.store
        self.clock = town.clock
        self.kind_of: KindOf = town.registry.recognise
        self._base_url = town.settings.base_url.rstrip("/")
        self._bases: dict[str, str] = {}
        self._cache: SeriesCache | None = None
        self.flags = Flags(town.store, town.registry.datastream_kind)

    @property
    def cache(self) -> SeriesCache:
        """What arriving observations must know, read when the first one arrives."""
        if self._cache is None:
            self._cache = SeriesCache(self.store)
        return self._cache

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        method: str = scope["method"]
        path = scope["path"].removeprefix(scope.get("root_path", "")).removeprefix(ROOT).lstrip("/")
        if "%" in path:
            path = path.replace("%", "%25")  # decoded already; `read_path` decodes once more
        serve = _SERVERS.get(method)
        try:
            if serve is None:
                raise Problem(Text("Cette méthode n'existe pas ici.", "There is no such method here."),
                              Text(f"Les méthodes sont : {_METHODS}.", f"The methods are: {_METHODS}."), status=405)  # fmt: skip
            await serve(self, path, scope, receive, send)
        except Problem as problem:
            allow = [(b"allow", _METHODS.encode())] if problem.status == 405 else []
            key = [(b"www-authenticate", b"Bearer")] if problem.status == 401 else []
            wait = [(b"retry-after", b"2")] if problem.status == 503 else []
            await _send(send, problem.status, problem_body(problem), *allow, *key, *wait)

    # --- reading
    async def read(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer GET."""
        del receive
        traced = _PROVENANCE.match(path)
        if path.rstrip("/") == "api":
            body = msgspec.json.encode(openapi(self.base(scope), __version__))
            await _send(send, 200, b"" if scope["method"] == "HEAD" else body)
            return
        if traced is not None:
            told = functools.partial(
                provenance_of, self.store, self.who(scope), int(traced[1]), self.base(scope)
            )
            await _send(send, 200, msgspec.json.encode(await to_thread.run_sync(told)))
            return
        resource = read_path(path)
        options, texts = read_options(scope["query_string"].decode("utf-8", "replace"))
        options = with_principal(wished(options, _header(scope, b"accept")), self.who(scope).name)
        reading = functools.partial(
            answer, self.store, sight_of(self.who(scope)), self.base(scope), path.rstrip("/"), resource, options, texts,
            self.clock(),
        )  # fmt: skip
        found = await to_thread.run_sync(reading)
        if found.parts is not None:
            await send_parts(found, send, head=scope["method"] == "HEAD")
            return
        body = b"" if scope["method"] == "HEAD" else found.body
        await _send(send, found.status, body, kind=found.media_type.encode())

    def base(self, scope: Scope) -> str:
        """Return the address of the service root as this client reaches it, without final slash."""
        if self._base_url:
            return self._base_url + ROOT
        host = _header(scope, b"host")
        known = self._bases.get(host)
        if known is None or scope.get("scheme", "http") != "http":
            known = f"{scope.get('scheme', 'http')}://{_named(host, scope)}{ROOT}"
            if len(self._bases) < 1_000 and known.startswith("http:"):
                self._bases[host] = known
        return known

    @staticmethod
    def who(scope: Scope) -> Principal:
        """Return who asks."""
        who: Principal = scope.get("state", {}).get("who", ANONYMOUS)
        return who

    # --- writing
    async def post(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer POST: one observation, a data array, or any other entity with all it brings."""
        who = self.who(scope)
        if path.rstrip("/") == "$batch":
            await serve_batch(self, await _body(receive), scope, send)
            return
        may_write(who)
        body = await _body(receive)
        key = _header(scope, b"idempotency-key")
        if path.rstrip("/") == "CreateObservations":
            await self._arrays(body, who, key, scope, send)
            return
        series = _SERIES.match(path)
        if path in _OBSERVATIONS or series is not None:
            draft = read_observation(body, self.clock())
            named = int(series[2]) if series else 0
            multi = series is not None and series[1] is not None
            if draft is not None and await self._single(draft, named, multi, who, key, scope, send):
                return
        await self._entity(path, body, who, key, scope, send)

    async def _single(
        self, draft: Draft, series_id: int, multi: bool, who: Principal, key: str, scope: Scope, send: Send
    ) -> bool:
        """Store an observation of the usual shape; False when it needs the careful reader."""
        if not series_id:
            series_id, multi = draft.datastream_id, isinstance(draft, MultiDraft)
        elif draft.datastream_id and (series_id, multi) != (
            draft.datastream_id,
            isinstance(draft, MultiDraft),
        ):
            return False
        features = () if draft.feature_id is None else (draft.feature_id,)
        series = (await self._series((series_id,), features)).get(series_id)
        if series is None or not series.takes(draft.result, multi=multi):
            return False
        check_writer(who, series.territory, series.service)
        draft.datastream_id = series_id
        if draft.feature_id is None:
            if series.feature_id is None:
                raise no_feature()
            draft.feature_id = series.feature_id
        if key:
            with_source_key((draft,), who, key)
        await self.flags.judge_soon((draft,))
        ack = await self.store.observations.append_soon((draft,))
        self.store.provenance.gather(("http", who.id, who.name), ack.ids)
        await self._made(scope, send, "Observations", ack.ids[0])
        return True

    async def _series(self, ids: Any, features: Any = ()) -> dict[int, Series | None]:
        known = self.cache.recall(ids, features)
        return await to_thread.run_sync(self.cache.look_up, ids, features) if known is None else known

    async def _made(self, scope: Scope, send: Send, set_name: str, entity_id: int | None) -> None:
        if entity_id is None:
            # the same Idempotency-Key came before: it is stored already
            await _send(send, 200, b'{"folded":true}')
            return
        link = f"{self.base(scope)}/{set_name}({entity_id})"
        body = f'{{"@iot.id":{entity_id},"@iot.selfLink":"{link}"}}'
        await _send(send, 201, body.encode(), (b"location", link.encode()))

    async def _arrays(self, body: bytes, who: Principal, key: str, scope: Scope, send: Send) -> None:
        groups = read_arrays(body, self.clock())
        ids = {group.datastream_id for group in groups}
        known = await self._series(tuple(ids))
        absent = await self._absent(groups)
        drafts: list[Draft] = []
        for i, group in enumerate(groups):
            series = known[group.datastream_id]
            if series is None or bool(series.components) is not group.multi:
                name = "MultiDatastream" if group.multi else "Datastream"
                raise Problem(
                    Text(f"{name} {group.datastream_id} n'existe pas.", f"There is no {name} {group.datastream_id}."),
                    Text("Vérifiez l'identifiant.", "Check the id."), place=f"/{i}/{name}",
                )  # fmt: skip
            check_writer(who, series.territory, series.service)
            drafts.extend(_usable(group, series, f"/{i}/dataArray", absent))
        if key:
            with_source_key(drafts, who, key)
        await self.flags.judge_soon(drafts)
        stored = (await self.store.observations.append_soon(drafts)).ids if drafts else []
        self.store.provenance.gather(("http", who.id, who.name), stored)
        await _send(send, 201, _outcome(groups, stored, f"{self.base(scope)}/Observations"))

    async def _absent(self, groups: list[Group]) -> dict[int, Problem]:
        """Return the features that rows name and that do not exist, each with what to say."""
        named = {row.feature_id for group in groups for row in group.rows if isinstance(row, Draft)} - {None}
        absent: dict[int, Problem] = {}
        for feature in sorted(f for f in named if f is not None):
            try:
                await self._series((), (feature,))
            except Problem as problem:
                absent[feature] = problem
        return absent

    async def _entity(
        self, path: str, body: bytes, who: Principal, key: str, scope: Scope, send: Send
    ) -> None:
        resource = _resource(path)
        if resource.suffix == "$ref":
            await self._link(scope, send, lambda linker: linker.add(resource, decode(body)))
            return
        writer = EntityWriter(self.store, who, self.clock(), self.kind_of)
        entity, made = await to_thread.run_sync(lambda: writer.create(resource, decode(body), key))
        if entity.name == "Observation":
            self.store.provenance.gather(("http", who.id, who.name), (made,))
        await self._made(scope, send, entity.set_name, made)

    async def change(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer PATCH and PUT with the entity as it is now."""
        who = self.who(scope)
        may_write(who)
        resource = _resource(path)
        body = decode(await _body(receive))
        if resource.suffix == "$ref":
            await self._link(scope, send, lambda linker: linker.replace(resource, body))
            return
        patch = "json-patch" in _header(scope, b"content-type").lower() or isinstance(body, list)
        writer = EntityWriter(self.store, who, self.clock())
        update = functools.partial(writer.update, resource, body, whole=scope["method"] == "PUT", patch=patch)
        await to_thread.run_sync(update)
        await self.read(path, {**scope, "method": "GET", "query_string": b""}, receive, send)

    async def delete(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer DELETE."""
        del receive
        resource = _resource(path)
        query = scope["query_string"].decode("utf-8", "replace")
        if resource.suffix == "$ref":
            named = (parse_qs(query).get("$id") or [""])[0]
            await self._link(scope, send, lambda linker: linker.take(resource, named))
            return
        if is_set(path):
            delete = functools.partial(
                delete_matching, self.store, self.who(scope), self.clock(), resource, query
            )
            gone = await to_thread.run_sync(delete)
            await _send(send, 200, b'{"deleted":%d}' % gone)
            return
        writer = EntityWriter(self.store, self.who(scope), self.clock())
        await to_thread.run_sync(writer.delete, resource)
        await _send(send, 200, b"{}")

    async def _link(self, scope: Scope, send: Send, work: Callable[[Linker], None]) -> None:
        """Tie or untie entities, and answer that there is nothing to say."""
        writer = EntityWriter(self.store, self.who(scope), self.clock())
        await to_thread.run_sync(work, Linker(writer))
        await _send(send, 204, b"")

    async def options(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer OPTIONS."""
        del path, scope, receive
        await _send(send, 204, b"", (b"allow", _METHODS.encode()))


def _resource(path: str) -> Resource:
    resource = read_path(path)
    if not resource.hops:
        raise Problem(Text("La racine ne se modifie pas.", "The root cannot be changed."),
                      Text("Envoyez à un ensemble, par exemple Things.", "Send to a set, such as Things."), status=405)  # fmt: skip
    return resource


def _usable(group: Group, series: Series, place: str, absent: dict[int, Problem]) -> list[Draft]:
    """Return the drafts of a group, each with a feature; rows that have none, or an absent one, become rejected."""
    feature = series.feature_id
    drafts: list[Draft] = []
    for i, row in enumerate(group.rows):
        if isinstance(row, Rejected):
            continue
        if series.components and not series.takes(row.result, multi=True):
            group.rows[i] = Rejected(no_fit(series.components, f"{place}/{i}"))
            continue
        if row.feature_id is None:
            if feature is None:
                group.rows[i] = Rejected(no_feature(f"{place}/{i}"))
                continue
            row.feature_id = feature
        elif row.feature_id in absent:
            group.rows[i] = Rejected(absent[row.feature_id].at(f"{place}/{i}"))
            continue
        drafts.append(row)
    return drafts


def _outcome(groups: list[Group], stored: list[int | None], base: str) -> bytes:
    """Return, for each row sent, the link of its observation or "error" (18-088 §12.2); reasons come beside."""
    ids = iter(stored)
    lines: list[str] = []
    for group in groups:
        for row in group.rows:
            if isinstance(row, Rejected):
                reason = f"error: {row.problem.place}: {row.problem.reason.en}"
                lines.append(msgspec.json.encode(reason).decode())
                continue
            found = next(ids)
            lines.append(f'"{base}({found})"' if found is not None else '"folded"')
    return ("[" + ",".join(lines) + "]").encode()


_Serve = Callable[[SensorThings, str, Scope, Receive, Send], Awaitable[None]]
_SERVERS: dict[str, _Serve] = {
    "GET": SensorThings.read, "HEAD": SensorThings.read, "POST": SensorThings.post, "PATCH": SensorThings.change,
    "PUT": SensorThings.change, "DELETE": SensorThings.delete, "OPTIONS": SensorThings.options,
}  # fmt: skip


_served: weakref.WeakKeyDictionary[Town, SensorThings] = weakref.WeakKeyDictionary()


def served(town: Town) -> SensorThings:
    """Return the one SensorThings application of `town`."""
    if town not in _served:
        _served[town] = SensorThings(town)
    return _served[town]


def routes(town: Town) -> list[BaseRoute]:
    """Return the routes of SensorThings for `town`."""
    return [Route(ROOT, endpoint=served(town)), Route(ROOT + "/{path:path}", endpoint=served(town))]
