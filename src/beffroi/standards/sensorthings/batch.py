"""Batches: many requests in one (18-088 §11), as `multipart/mixed` or as OData 4.01 JSON, read and answered.

Nothing is done here: a body becomes requests, alone or in groups that are done all or not at all, and replies become
a body again. `$name` in an address or in place of an id stands for what the request of that name made.
"""

import base64
import binascii
import http
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.result import encode_exact
from beffroi.model.text import Text
from beffroi.standards.sensorthings.body import decode

__all__ = [
    "Group",
    "Made",
    "Reply",
    "Request",
    "read_json",
    "read_multipart",
    "resolve_body",
    "resolve_url",
    "split_url",
    "write_json",
    "write_multipart",
]

MOST = 5_000  # requests in one batch
LONGEST_URL = 64_000
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class Request(msgspec.Struct):
    """One request of a batch; `place` says where it was written. `group`: it was written in a change set."""

    id: str
    method: str
    url: str
    headers: dict[str, str] = {}
    body: bytes = b""
    place: str = ""
    depends_on: tuple[str, ...] = ()
    condition: str = ""  # "$id" or "not $id"


class Group(msgspec.Struct):
    """Requests that are done all or not at all."""

    requests: list[Request]
    name: str = ""


class Reply(msgspec.Struct):
    """The answer to one request."""

    id: str
    status: int
    headers: dict[str, str] = {}
    body: bytes = b""

    @property
    def failed(self) -> bool:
        """True when nothing was done."""
        return self.status >= 400


class Made(msgspec.Struct, frozen=True):
    """What a request made or found."""

    set_name: str
    id: int


def _wrong(fr: str, en: str, place: str, mend_fr: str = "", mend_en: str = "") -> Problem:
    plain = str.maketrans("{}", "()")
    return Problem(Text(fr.translate(plain), en.translate(plain)), Text(mend_fr, mend_en), place)


def _counted(n: int) -> None:
    if n > MOST:
        raise _wrong(f"Le lot a plus de {MOST} demandes.", f"The batch has more than {MOST} requests.", f"part {MOST + 1}",
                     "Envoyez-le en plusieurs fois.", "Send it in several parts.")  # fmt: skip


# --- multipart/mixed
_HEAD_END = re.compile(rb"\A(?:\r?\n)|\r?\n\r?\n")
_EOL = re.compile(rb"\r?\n")


def _boundary(content_type: str, place: str) -> bytes:
    found = re.search(r"""boundary=(?:"([^"]+)"|([^\s;"]+))""", content_type, re.IGNORECASE)
    boundary = (found[1] or found[2]) if found else ""
    if not boundary or len(boundary) > 200:
        raise _wrong("La frontière (boundary) manque.", "The boundary is missing.", place,
                     "Écrivez Content-Type: multipart/mixed; boundary=…", "Write Content-Type: multipart/mixed; boundary=…")  # fmt: skip
    return boundary.encode("latin-1", "replace")


def _parts(body: bytes, boundary: bytes, place: str) -> list[bytes]:
    """Return what is between the delimiters; line ends are CRLF or LF."""
    delimiter = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?=\r?\n|\Z)")
    parts: list[bytes] = []
    start: int | None = None
    for found in delimiter.finditer(body):
        if start is not None:
            parts.append(body[start : found.start()] if found.start() > start else b"")
        if found[1]:
            return parts
        line_end = _EOL.match(body, found.end())
        start = line_end.end() if line_end else len(body)
        # what follows may be the next delimiter at once: its line end is ours
        _counted(len(parts))
    shown = boundary.decode("latin-1")[:60]
    raise _wrong(
        f"Le lot ne finit pas par --{shown}--.", f"The batch does not end with --{shown}--.", f"{place}byte {len(body)}",
        "Vérifiez que tout a été envoyé.", "Check that all of it was sent.",
    )  # fmt: skip


def _headed(part: bytes) -> tuple[dict[str, str], bytes]:
    """Return headers, names in small letters, and what follows the empty line."""
    end = _HEAD_END.search(part)
    head, rest = (part, b"") if end is None else (part[: end.start()], part[end.end() :])
    headers: dict[str, str] = {}
    name = ""
    for raw in _EOL.split(head):
        line = raw.decode("utf-8", "replace")
        if line[:1] in (" ", "\t") and name:
            headers[name] += " " + line.strip()
            continue
        name, _, value = line.partition(":")
        name = name.strip().lower()
        if name:
            headers[name] = value.strip()
    return headers, rest


def read_multipart(body: bytes, content_type: str) -> list[Request | Group]:
    """Return the requests of a `multipart/mixed` batch, change sets as groups. Raises `Problem` with the part."""
    found: list[Request | Group] = []
    total = 0
    for i, part in enumerate(_parts(body, _boundary(content_type, "Content-Type"), ""), 1):
        place = f"part {i}"
        headers, rest = _headed(part)
        kind = headers.get("content-type", "")
        if kind.lower().startswith("multipart/mixed"):
            inner = _parts(rest, _boundary(kind, place), f"{place}: ")
            requests = [_request(one, f"{place}.{n}", inside=True) for n, one in enumerate(inner, 1)]
            total += len(requests)
            found.append(Group(requests))
        else:
            found.append(_request(part, place))
            total += 1
        _counted(total)
    return found


def _request(part: bytes, place: str, *, inside: bool = False) -> Request:
    headers, rest = _headed(part)
    kind = headers.get("content-type", "").lower()
    if not kind.startswith("application/http"):
        raise _wrong(f"Une demande est attendue, pas « {kind[:40]} ».", f"A request is expected, not '{kind[:40]}'.", place,
                     "Écrivez Content-Type: application/http.", "Write Content-Type: application/http.")  # fmt: skip
    rest = _untransferred(rest, headers.get("content-transfer-encoding", "binary").lower(), place)
    rest = rest.lstrip(b"\r\n")
    line_end = _EOL.search(rest)
    line, tail = (rest, b"") if line_end is None else (rest[: line_end.start()], rest[line_end.end() :])
    method, url = _request_line(line.decode("utf-8", "replace"), place)
    own, body = _headed(tail)
    if inside and method == "GET":
        raise _wrong("On ne lit pas dans un lot de changements.", "Nothing is read in a change set.", place,
                     "Mettez le GET à côté.", "Put the GET beside it.")  # fmt: skip
    length = own.get("content-length", "")
    if length.isascii() and length.isdigit() and len(length) < 10 and not body[int(length) :].strip():
        body = body[: int(length)]
    name = headers.get("content-id") or own.get("content-id", "")
    return Request(name.strip("<> "), method, url, own, b"" if method == "GET" else body, place)


def _untransferred(content: bytes, encoding: str, place: str) -> bytes:
    if encoding in ("binary", "8bit", "7bit"):
        return content
    if encoding == "base64":
        try:
            return base64.b64decode(content)
        except binascii.Error:
            pass
    raise _wrong(f"Ce codage n'est pas lisible : {encoding[:40]}", f"This encoding cannot be read: {encoding[:40]}", place,
                 "Écrivez Content-Transfer-Encoding: binary.", "Write Content-Transfer-Encoding: binary.")  # fmt: skip


def _request_line(line: str, place: str) -> tuple[str, str]:
    method, _, rest = line.strip().partition(" ")
    url = re.sub(r"\s+HTTP/\d(\.\d)?\Z", "", rest, flags=re.IGNORECASE).strip()
    return _checked(method, url, place)


def _checked(method: str, url: str, place: str) -> tuple[str, str]:
    if method.upper() not in _METHODS or not url or len(url) > LONGEST_URL:
        raise _wrong(
            f"Cette ligne de demande n'est pas lisible : « {method[:20]} {url[:60]} ».",
            f"This request line cannot be read: '{method[:20]} {url[:60]}'.", place,
            "Écrivez par exemple : POST Things HTTP/1.1", "Write for example: POST Things HTTP/1.1",
        )  # fmt: skip
    return method.upper(), url


# --- JSON
def read_json(body: bytes) -> list[Request | Group]:
    """Return the requests of a JSON batch, those of one atomicityGroup as a group. Raises `Problem` with a pointer."""
    document = decode(body)
    listed = document.get("requests") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise _wrong("La liste « requests » manque.", "The list 'requests' is missing.", "/requests",
                     'Envoyez {"requests": [{"id": "1", "method": "get", "url": "Things"}]}.',
                     'Send {"requests": [{"id": "1", "method": "get", "url": "Things"}]}.')  # fmt: skip
    _counted(len(listed))
    found: list[Request | Group] = []
    known: set[str] = set()
    for i, item in enumerate(listed):
        place = f"/requests/{i}"
        if not isinstance(item, dict):
            raise _wrong("Une demande est un objet.", "A request is an object.", place)
        request = _json_request(item, i, place)
        _check_known(request, known)
        _put(found, request, _text(item, "atomicityGroup", place), known)
        known.add(request.id)
    return found


def _put(found: list[Request | Group], request: Request, name: str, known: set[str]) -> None:
    last = found[-1] if found else None
    if not name:
        found.append(request)
    elif isinstance(last, Group) and last.name == name:
        last.requests.append(request)
    elif name in known:
        raise _wrong(f"Le groupe « {name[:40]} » est interrompu.", f"The group '{name[:40]}' is interrupted.",
                     f"{request.place}/atomicityGroup", "Mettez ses demandes l'une après l'autre.",
                     "Put its requests one after the other.")  # fmt: skip
    else:
        found.append(Group([request], name))
        known.add(name)


def _check_known(request: Request, known: set[str]) -> None:
    for name in request.depends_on:
        if name not in known:
            raise _wrong(f"Aucune demande « {name[:40]} » avant celle-ci.", f"There is no request '{name[:40]}' before this one.",
                         f"{request.place}/dependsOn")  # fmt: skip


def _text(item: Mapping[str, Any], name: str, place: str, default: str = "") -> str:
    value = item.get(name)
    if value is None:
        return default
    if isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    raise _wrong("Un texte est attendu.", "A text is expected.", f"{place}/{name}")


def _json_request(item: Mapping[str, Any], index: int, place: str) -> Request:
    headers, depends = item.get("headers") or {}, item.get("dependsOn") or []
    if not isinstance(headers, dict):
        raise _wrong("Un objet est attendu.", "An object is expected.", f"{place}/headers")
    if not isinstance(depends, list) or not all(isinstance(d, str) for d in depends):
        raise _wrong("Une liste de noms est attendue.", "A list of names is expected.", f"{place}/dependsOn")
    method, url = _checked(_text(item, "method", place), _text(item, "url", place), place)
    condition = _text(item, "if", place)
    if condition and not re.fullmatch(r"(not\s+)?\$[\w.:,;-]+", condition):
        raise _wrong("Cette condition n'est pas lisible.", "This condition cannot be read.", f"{place}/if",
                     "Écrivez $nom ou not $nom.", "Write $name or not $name.")  # fmt: skip
    named = {str(k).lower(): str(v) for k, v in headers.items()}
    return Request(
        _text(item, "id", place, str(index)), method, url, named, _json_body(item.get("body"), named), place,
        tuple(depends), condition,
    )  # fmt: skip


def _json_body(body: Any, headers: Mapping[str, str]) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str) and "json" not in headers.get("content-type", "json"):
        return body.encode("utf-8", "replace")
    return encode_exact(body).encode("utf-8", "replace")


# --- addresses and references
_REFERENCE = re.compile(r"\$([\w.:,;-]+)")
_OPTIONS_OF_PATHS = ("ref", "value", "count", "batch", "metadata")


def split_url(url: str, root: str) -> tuple[str, str]:
    """Return path (after the service root `root`, decoded no further) and query of an address: absolute, from the
    root of the host, or from the service root. Raises `Problem` for an address that is not of this service."""
    path, _, query = url.partition("#")[0].partition("?")
    full = re.match(r"https?://[^/]+", path, re.IGNORECASE)
    if full or path.startswith("/"):
        tail = root.rpartition("/")[2]  # "v1.1": a proxy may serve us elsewhere
        _, found, path = path.partition(f"/{tail}/") if f"{root}/" not in path else path.partition(f"{root}/")
        if not found:
            raise _wrong(f"Cette adresse n'est pas de ce service : {url[:80]}", f"This address is not of this service: {url[:80]}",
                         "url", f"Écrivez-la depuis {root}/.", f"Write it from {root}/.")  # fmt: skip
    return path.lstrip("/"), query


def resolve_url(path: str, made: Mapping[str, Made]) -> str:
    """Return a path with `$name` at its start, or as a key, replaced by what it stands for. Raises `Problem`."""
    first, slash, rest = path.partition("/")
    if first.startswith("$") and first[1:] not in _OPTIONS_OF_PATHS:
        known = _known(first[1:], made)
        first = f"{known.set_name}({known.id})"
    elif "($" in first:
        first = re.sub(r"\(\$([\w.:,;-]+)\)", lambda m: f"({_known(m[1], made).id})", first)
    return first + slash + rest


def _known(name: str, made: Mapping[str, Made]) -> Made:
    found = made.get(name)
    if found is None:
        raise _wrong(f"« ${name[:60]} » ne désigne rien.", f"'${name[:60]}' stands for nothing.", f"${name[:60]}",
                     "Nommez une demande qui précède et qui a réussi.", "Name a request before this one that succeeded.")  # fmt: skip
    return found


def resolve_body(body: bytes, made: Mapping[str, Made]) -> bytes:
    """Return a body with `$name` in place of an id replaced by the number. Raises `Problem`."""
    if b'"$' not in body:
        return body
    return encode_exact(_resolved(decode(body), made)).encode("utf-8", "replace")


def _resolved(value: Any, made: Mapping[str, Made]) -> Any:
    if isinstance(value, list):
        return [_resolved(one, made) for one in value]
    if not isinstance(value, dict):
        return value
    return {name: _id(inner, made) if name in ("@iot.id", "id") else _resolved(inner, made)
            for name, inner in value.items()}  # fmt: skip


def _id(value: Any, made: Mapping[str, Made]) -> Any:
    match = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    return value if match is None else _known(match[1], made).id


# --- answers
def _reason(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return ""


def _http(reply: Reply) -> bytes:
    named = f"Content-ID: {reply.id}\r\n" if reply.id else ""
    head = "".join(f"{name.title()}: {value}\r\n" for name, value in reply.headers.items())
    if "content-length" not in reply.headers:
        head += f"Content-Length: {len(reply.body)}\r\n"
    return (
        f"Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n{named}\r\n"
        f"HTTP/1.1 {reply.status} {_reason(reply.status)}\r\n{head}\r\n"
    ).encode() + reply.body  # fmt: skip


def _mixed(parts: Iterable[bytes], boundary: str) -> bytes:
    opened = f"--{boundary}\r\n".encode()
    return b"".join(opened + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()


def write_multipart(replies: Sequence[Reply | list[Reply]]) -> tuple[str, bytes]:
    """Return media type and body of the answer; a list of replies is that of a change set that was done."""
    parts: list[bytes] = []
    for one in replies:
        if isinstance(one, Reply):
            parts.append(_http(one))
            continue
        inner = f"changeset_{uuid.uuid4()}"
        head = f"Content-Type: multipart/mixed; boundary={inner}\r\n\r\n".encode()
        parts.append(head + _mixed([_http(reply) for reply in one], inner).removesuffix(b"\r\n"))
    boundary = f"batch_{uuid.uuid4()}"
    return f"multipart/mixed; boundary={boundary}", _mixed(parts, boundary)


def write_json(replies: Iterable[Reply | list[Reply]]) -> bytes:
    """Return the body of the answer to a JSON batch."""
    flat = [reply for one in replies for reply in (one if isinstance(one, list) else [one])]
    return msgspec.json.encode({"responses": [_item(reply) for reply in flat]})


def _item(reply: Reply) -> dict[str, Any]:
    item: dict[str, Any] = {"id": reply.id, "status": reply.status}
    if "location" in reply.headers:
        item["location"] = reply.headers["location"]
    shown = {name: value for name, value in reply.headers.items() if name != "content-length"}
    if shown:
        item["headers"] = shown
    if reply.body:
        plain = "json" in reply.headers.get("content-type", "")
        item["body"] = msgspec.Raw(reply.body) if plain else reply.body.decode("utf-8", "replace")
    return item
