"""Do the requests of a change set together: all or nothing, across entities and observations (18-088 §11)."""

import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import unquote

import msgspec
from sqlalchemy import select

from beffroi.model.observation import Draft
from beffroi.model.principal import Principal
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards.sensorthings.address import Resource, read_path
from beffroi.standards.sensorthings.arrivals import read_observation
from beffroi.standards.sensorthings.batch import Made, Reply, Request, resolve_body, resolve_url, split_url
from beffroi.standards.sensorthings.body import decode
from beffroi.standards.sensorthings.entities import BY_SET
from beffroi.standards.sensorthings.linking import Linker
from beffroi.standards.sensorthings.series_cache import check_writer
from beffroi.standards.sensorthings.writing import EntityWriter, KindOf
from beffroi.store import tables
from beffroi.store.catalogue import default_feature
from beffroi.store.change_set import ChangeSet, unsettled
from beffroi.store.open import Store

__all__ = ["Failed", "Get", "found_by", "holds_condition", "together"]

Get = Callable[[Request, str, str], Reply]
"""Answers a GET: request, path and query."""


class Failed(Exception):  # noqa: N818 -- it says which request was refused
    """A request of a change set was refused, so that nothing of it was done."""

    def __init__(self, request: Request, problem: Problem) -> None:
        super().__init__(problem.reason.en)
        self.request, self.problem = request, problem


def holds_condition(request: Request, made: dict[str, Made]) -> bool:
    """True when the request's `if` holds: what it names was made or found (or, with `not`, was not)."""
    if not request.condition:
        return True
    denied, name = request.condition.startswith("not"), request.condition.rpartition("$")[2]
    return (name in made) != denied


def found_by(path: str, body: bytes) -> Made | None:
    """Return the entity that a GET answered, or the first one of a set; None when there is none."""
    try:
        document = msgspec.json.decode(body)
        entity = read_path(path).entity.set_name
    except (msgspec.DecodeError, Problem):
        return None
    shown = document.get("value", [document]) if isinstance(document, dict) else []
    first = shown[0] if isinstance(shown, list) and shown else {}
    known = first.get("@iot.id") if isinstance(first, dict) else None
    return Made(entity, known) if isinstance(known, int) else None


class _Series(msgspec.Struct, frozen=True):
    """What new observations of a datastream must know."""

    territory: str | None
    service: str
    feature: int


_SERIES = re.compile(r"(?:Datastreams\((\d{1,15})\)/)?Observations/?\Z")


class _Doer:
    """Does the requests of one change set, one after the other."""

    def __init__(
        self, changes: ChangeSet, who: Principal, kind_of: KindOf | None, root: str, made: dict[str, Made],
        get: Get,
    ) -> None:  # fmt: skip
        self.changes, self.root, self.made, self.get = changes, root, made, get
        self.writer = EntityWriter(changes, who, changes.clock(), kind_of)
        self._series: dict[int, _Series | None] = {}  # until something else than an observation is written

    def do(self, request: Request) -> Reply:
        """Do one request. Raises `Problem`."""
        if not holds_condition(request, self.made):
            return Reply(request.id, 200, {"content-type": "application/json"}, b'{"skipped":"if"}')
        path, query = split_url(request.url, self.root)
        path = resolve_url(unquote(path), self.made)
        if "(-" in path:
            raise unsettled(request.place)
        if request.method == "GET":
            reply = self.get(request, path, query)
            found = found_by(path, reply.body)
            if found is not None:
                self.made[request.id] = found
            return reply
        if path.rstrip("/") == "CreateObservations":
            raise Problem(
                Text("Un tableau de données ne va pas dans un groupe.", "A data array does not go into a group."),
                Text("Mettez-le à côté, ou envoyez chaque observation.", "Put it beside, or send each observation."), request.place,
            )  # fmt: skip
        resource = read_path(path.replace("%", "%25"))
        if not resource.hops:
            raise Problem(Text("La racine ne se modifie pas.", "The root cannot be changed."), status=405)
        body = resolve_body(request.body, self.made)
        quick = self._observation(request, path, body) if request.method == "POST" else None
        if quick is not None:
            return quick
        self._series.clear()
        return _ACTS[request.method](self, request, resource, body)

    def _observation(self, request: Request, path: str, body: bytes) -> Reply | None:
        """Make an observation of the usual shape; None when it needs the careful reader."""
        match = _SERIES.match(path)
        draft = read_observation(body, self.changes.clock()) if match else None
        if match is None or type(draft) is not Draft or request.headers.get("idempotency-key"):
            return None
        number = int(match[1] or draft.datastream_id)
        if draft.datastream_id not in (0, number) or draft.feature_id is not None:
            return None
        if number not in self._series:
            self._series[number] = self._known(number)
        series = self._series[number]
        if series is None:
            return None
        check_writer(self.writer.who, series.territory, series.service)
        draft.datastream_id, draft.feature_id = number, series.feature
        made = self.changes.observations.append([draft]).ids[0] or 0
        if request.id:
            self.made[request.id] = Made("Observations", made)
        return Reply(request.id, 201, {"location": f"Observations({made})"})

    def _known(self, number: int) -> _Series | None:
        t = tables
        owner = select(t.thing.c.territory, t.thing.c.service, *t.datastream.c).join_from(
            t.datastream, t.thing
        )
        with self.changes.write() as c:
            row = c.execute(owner.where(t.datastream.c.id == number)).mappings().first()
            if row is None or row.get("multi") is not None:
                return None
            feature = default_feature(self.changes, c, number)
        return None if feature is None else _Series(row["territory"], row["service"], feature)

    def create(self, request: Request, resource: Resource, body: bytes) -> Reply:
        """Make an entity; the id of an observation is provisional, below zero."""
        if resource.suffix == "$ref":
            Linker(self.writer).add(resource, decode(body))
            return Reply(request.id, 204)
        key = request.headers.get("idempotency-key", "")
        entity, made = self.writer.create(resource, decode(body), key)
        assert made is not None
        if request.id:
            self.made[request.id] = Made(entity.set_name, made)
        return Reply(request.id, 201, {"location": f"{entity.set_name}({made})"})

    def change(self, request: Request, resource: Resource, body: bytes) -> Reply:
        """PATCH, PUT or JSON-Patch."""
        value: Any = decode(body)
        if resource.suffix == "$ref":
            Linker(self.writer).replace(resource, value)
            return Reply(request.id, 204)
        patch = "json-patch" in request.headers.get("content-type", "").lower() or isinstance(value, list)
        here = self.writer.update(resource, value, whole=request.method == "PUT", patch=patch)
        if request.id and here.key is not None:
            self.made[request.id] = Made(here.entity.set_name, here.key)
        return Reply(request.id, 200)

    def delete(self, request: Request, resource: Resource, body: bytes) -> Reply:
        """Delete one entity, or untie it."""
        del body
        if resource.suffix == "$ref":
            Linker(self.writer).take(resource)
            return Reply(request.id, 204)
        self.writer.delete(resource)
        return Reply(request.id, 200)


_ACTS: dict[str, Callable[[_Doer, Request, Resource, bytes], Reply]] = {
    "POST": _Doer.create, "PATCH": _Doer.change, "PUT": _Doer.change, "DELETE": _Doer.delete,
}  # fmt: skip


def together(
    store: Store, who: Principal, kind_of: KindOf | None, requests: Sequence[Request], made: dict[str, Made],
    root: str, base: str, get: Get, judge: Callable[[Any], None],
) -> list[Reply]:  # fmt: skip
    """Do all `requests` or none; return their replies, and put what they made into `made`.

    `root` is the path of the service root, `base` its whole address; `get` answers readings, which see the town as it
    was before; `judge` flags new observations. Raises `Failed` with the request that was refused, `Unavailable`.
    """
    own = dict(made)
    replies: list[Reply] = []
    with ChangeSet.begin(store) as changes:
        for request in requests:
            try:
                if not replies:
                    doer = _Doer(changes, who, kind_of, root, own, get)
                replies.append(doer.do(request))
            except Problem as problem:
                raise Failed(request, problem) from problem
        judge([draft for work in changes.noted.works for draft in work.append])
    outcome = changes.outcome
    for reply in replies:
        _settle(reply, outcome.ids, base, done=outcome.done)
    for name, one in own.items():
        if one.id > 0:
            made[name] = one
        elif outcome.done:
            made[name] = Made(one.set_name, outcome.ids[-one.id - 1])
    return replies


def _settle(reply: Reply, ids: Sequence[int], base: str, *, done: bool) -> None:
    """Write the real address of what was made. An observation that could not be written yet is 202: it will be."""
    place = reply.headers.get("location")
    if place is None:
        return
    set_name, _, key = place.partition("(")
    number = int(key[:-1])
    assert set_name in BY_SET
    if number < 0 and not done:
        del reply.headers["location"]
        reply.status = 202
        return
    reply.headers["location"] = f"{base}/{set_name}({ids[-number - 1] if number < 0 else number})"
