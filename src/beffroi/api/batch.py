"""POST …/$batch: the requests of a batch, each served as if it had come alone, change sets together."""

import re
from collections.abc import Sequence
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes

from anyio import to_thread
from starlette.types import Message, Receive, Scope, Send

from beffroi.api.problems import problem_body
from beffroi.intake.flags import Flags
from beffroi.model.instant import Clock
from beffroi.model.principal import Principal
from beffroi.model.problem import Problem, Unavailable
from beffroi.model.text import Text
from beffroi.standards.sensorthings.address import read_options, read_path
from beffroi.standards.sensorthings.answering import answer
from beffroi.standards.sensorthings.batch import (
    Group,
    Made,
    Reply,
    Request,
    read_json,
    read_multipart,
    resolve_body,
    resolve_url,
    split_url,
    write_json,
    write_multipart,
)
from beffroi.standards.sensorthings.change_sets import Failed, found_by, holds_condition, together
from beffroi.standards.sensorthings.principal import with_principal
from beffroi.standards.sensorthings.sight import sight_of
from beffroi.standards.sensorthings.writing import KindOf
from beffroi.store.open import Store

__all__ = ["serve_batch"]

LARGEST_ANSWER = 128 * 1024 * 1024
_STOP = re.compile(r"continue-on-error\s*=\s*false", re.IGNORECASE)
_JSON = {"content-type": "application/json"}


class Served(Protocol):
    """What a batch needs of the application that serves single requests."""

    store: Store
    clock: Clock
    kind_of: KindOf
    flags: Flags

    def base(self, scope: Scope) -> str:
        """Return the address of the service root."""

    def who(self, scope: Scope) -> Principal:
        """Return who asks."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""


def _refused(fr: str, en: str, status: int, place: str = "") -> Problem:
    return Problem(Text(fr, en), place=place, status=status)


async def serve_batch(app: Served, body: bytes, scope: Scope, send: Send) -> None:
    """Answer a batch. Raises `Problem` when it cannot be read; what is wrong in one request is said in its reply."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    kind = headers.get("content-type", "")
    mixed = kind.lower().startswith("multipart/mixed")
    if not mixed and "json" not in kind.lower():
        raise Problem(
            Text("Ce type de lot n'est pas lisible.", "This kind of batch cannot be read."),
            Text("Envoyez multipart/mixed ou application/json.", "Send multipart/mixed or application/json."),
            "Content-Type", 415,
        )  # fmt: skip
    read = (lambda: read_multipart(body, kind)) if mixed else (lambda: read_json(body))
    items = await to_thread.run_sync(read)
    runner = _Runner(app, scope, headers.get("idempotency-key", ""))
    replies: list[Reply | list[Reply]] = []
    stop = _STOP.search(headers.get("prefer", "")) is not None
    for item in items:
        reply = await runner.serve(item)
        # in a change set that was refused, multipart answers once, JSON once for each request
        replies.append(reply if not mixed or isinstance(reply, Reply) or not runner.undone else reply[0])
        if stop and runner.failed(reply):
            break
    media, written = write_multipart(replies) if mixed else ("application/json", write_json(replies))
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-type", media.encode()), (b"content-length", str(len(written)).encode())]})  # fmt: skip
    await send({"type": "http.response.body", "body": written})


class _Runner:
    """Serves the requests of one batch in their order."""

    def __init__(self, app: Served, scope: Scope, key: str) -> None:
        self.app, self.scope, self.key = app, scope, key
        self.base = app.base(scope)
        self.root = "/" + self.base.partition("://")[2].partition("/")[2]
        self.made: dict[str, Made] = {}
        self.lost: set[str] = set()  # names of what failed
        self.weight = 0
        self.number = 0
        self.undone = False

    async def serve(self, item: Request | Group) -> Reply | list[Reply]:
        """Serve a request or a group; a group that was refused has its reasons, the decisive one first."""
        self.undone = False
        for request in item.requests if isinstance(item, Group) else (item,):
            self.number += 1
            if self.key:
                request.headers.setdefault("idempotency-key", f"{self.key}/{self.number}")
        reply = await (self._group(item) if isinstance(item, Group) else self._one(item))
        several = reply if isinstance(reply, list) else [reply]
        self.weight += sum(len(one.body) for one in several)
        if self.failed(reply):
            self.lost.update(one.id for one in several if one.failed)
            self.lost.update([item.name] if isinstance(item, Group) else [])
        return reply

    @staticmethod
    def failed(reply: Reply | list[Reply]) -> bool:
        """True when a reply, or one of several, is a refusal."""
        return reply.failed if isinstance(reply, Reply) else any(one.failed for one in reply)

    def _check(self, request: Request) -> None:
        missing = [name for name in request.depends_on if name in self.lost]
        if missing:
            raise _refused(
                f"« {missing[0][:40]} » a échoué.", f"'{missing[0][:40]}' failed.", 424, request.place
            )
        if self.weight > LARGEST_ANSWER:
            raise _refused("La réponse du lot serait trop grande.", "The answer to the batch would be too large.", 413, request.place)  # fmt: skip

    async def _one(self, request: Request) -> Reply:
        try:
            self._check(request)
            if not holds_condition(request, self.made):
                return Reply(request.id, 200, dict(_JSON), b'{"skipped":"if"}')
            path, query = split_url(request.url, self.root)
            path = resolve_url(path, self.made)
            if path.partition("/")[0] == "$batch":
                raise _refused(
                    "Un lot n'en contient pas d'autre.", "A batch contains no other.", 400, request.place
                )
            body = resolve_body(request.body, self.made)
        except Problem as problem:
            return _of(request, problem)
        reply = await self._dispatch(request, path, query, body)
        if not reply.failed:
            self._remember(request, path, reply)
        return reply

    def _remember(self, request: Request, path: str, reply: Reply) -> None:
        place = reply.headers.get("location", "").rpartition("/")[2]
        match = re.fullmatch(r"(\w+)\((\d+)\)", place)
        found = Made(match[1], int(match[2])) if match else None
        if found is None and request.method == "GET":
            found = found_by(path, reply.body)
        if found is not None:
            self.made[request.id] = found

    async def _dispatch(self, request: Request, path: str, query: str, body: bytes) -> Reply:
        before = self.scope["path"].partition("/$batch")[0]
        kept = [(n, v) for n, v in self.scope["headers"] if n in (b"host", b"accept-language")]
        headers = [(n.encode(), v.encode("utf-8", "replace")) for n, v in request.headers.items()
                   if n not in ("host", "content-length", "authorization", "cookie")]  # fmt: skip
        scope = {
            **self.scope, "method": request.method, "headers": kept + headers,
            "path": f"{before}/{unquote_to_bytes(path).decode('utf-8', 'replace')}",
            "raw_path": f"{before}/{path}".encode("utf-8", "replace"), "query_string": query.encode("utf-8", "replace"),
        }  # fmt: skip
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body}

        async def send(message: Message) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        return _reply(request, sent)

    def _get(self, request: Request, path: str, query: str) -> Reply:
        """Answer a reading inside a group: it sees the town as it was before the group."""
        options, texts = read_options(query)
        who = self.app.who(self.scope)
        options = with_principal(options, who.name)
        resource = read_path(path.replace("%", "%25"))
        found = answer(
            self.app.store, sight_of(who), self.base, path, resource, options, texts, self.app.clock()
        )
        body = found.body + b"".join(found.parts or ())
        return Reply(request.id, found.status, {"content-type": found.media_type}, body)

    async def _group(self, group: Group) -> list[Reply]:
        who = self.app.who(self.scope)

        def work() -> list[Reply]:
            return together(self.app.store, who, self.app.kind_of, group.requests, self.made, self.root, self.base,
                            self._get, self._flag)  # fmt: skip

        first = group.requests[0] if group.requests else None
        if first is None:
            return []
        try:
            for request in group.requests:
                self._check(request)
            return await to_thread.run_sync(work)
        except Failed as failed:
            return self._refusals(group.requests, failed.request, failed.problem)
        except (Unavailable, Problem) as problem:
            return self._refusals(group.requests, first, problem)

    def _refusals(self, requests: Sequence[Request], cause: Request, problem: Problem) -> list[Reply]:
        self.undone = True
        decisive = _of(cause, problem)
        why = _refused(
            f"Rien du groupe n'a été fait, à cause de « {cause.id or cause.place} ».",
            f"Nothing of the group was done, because of '{cause.id or cause.place}'.", 424, cause.place,
        )  # fmt: skip
        return [decisive, *(_of(one, why) for one in requests if one is not cause)]

    def _flag(self, drafts: Any) -> None:
        self.app.flags.look_up({draft.datastream_id for draft in drafts})
        self.app.flags.judge(drafts)


def _of(request: Request, problem: Problem) -> Reply:
    placed = problem if problem.place else problem.at(request.place)
    return Reply(request.id, placed.status, dict(_JSON), problem_body(placed))


def _reply(request: Request, sent: Sequence[Message]) -> Reply:
    start = sent[0]
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return Reply(request.id, start["status"], headers, body)
