"""The load of `bench.reporting`, as a process of its own: reads and reports sent at fixed times, answered or not.

`python -m bench.reporting_load URL TASK.json` prints what it saw as JSON. It is an open loop: a request is due at its
time whatever became of those before it, and its latency counts from then. Reads keep their connections, as browsers
do; each report comes on a new connection from an address of its own (127.x.y.z), as telephones do.
"""

import asyncio
import gzip
import random
import re
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

__all__ = ["FILLED_IN_S", "Seen", "Task"]

TIMEOUT_S = 60.0
FILLED_IN_S = 3.2  # one who fills a form in under three seconds is a program
PROBES_PER_S = 5
Answered = tuple[int, dict[str, str], bytes]


class Task(msgspec.Struct):
    """What to ask: `reads` are (kind, path); photos are files; `box` is west, south, east, north."""

    seconds: int
    reads_per_s: int
    posts_per_s: int
    reads: list[tuple[str, str]]
    photos: list[str]
    categories: list[tuple[str, str]]  # code, number
    box: tuple[float, float, float, float]


class Seen(msgspec.Struct):
    """What was seen: latencies in ms by kind, the numbers that were acknowledged, failures, and our own cost."""

    took_ms: dict[str, list[float]]
    acknowledged: list[str]
    failed: dict[str, int]
    late_ms: list[float]  # how late the requests left, for want of our own processor time
    cpu_s: float
    elapsed_s: float


class Client:
    """Just enough HTTP/1.1 for one host."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 80
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def get(self, path: str, *, cookie: str = "") -> Answered:
        """Ask for a page on a kept connection."""
        more = f"Cookie: {cookie}\r\n" if cookie else ""
        head = f"GET {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nAccept-Encoding: gzip\r\n{more}\r\n"
        kept = bool(self._idle)
        reader, writer = self._idle.pop() if kept else await self._open(None)
        writer.write(head.encode())
        try:
            answered = await _answer(reader)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            if not kept or getattr(error, "partial", b""):
                raise
            writer.close()  # it was closed for having been idle, as browsers find too: once more on a new one
            reader, writer = await self._open(None)
            writer.write(head.encode())
            answered = await _answer(reader)
        if answered[1].get("connection") == "close":
            writer.close()
        else:
            self._idle.append((reader, writer))
        return answered

    async def post(self, path: str, kind: str, body: bytes, source: str, *, cookie: str = "") -> Answered:
        """Send a form from an address of its own, on a new connection."""
        more = f"Cookie: {cookie}\r\n" if cookie else ""
        head = (f"POST {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nContent-Type: {kind}\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n{more}\r\n")  # fmt: skip
        reader, writer = await self._open(source)
        try:
            writer.write(head.encode() + body)
            return await _answer(reader)
        finally:
            writer.close()

    async def _open(self, source: str | None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        own = (source, 0) if source else None
        return await asyncio.open_connection(self.host, self.port, local_addr=own, limit=1 << 22)

    def close(self) -> None:
        """Close the kept connections."""
        for _, writer in self._idle:
            writer.close()


async def _answer(reader: asyncio.StreamReader) -> Answered:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
    if "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    elif headers.get("transfer-encoding") == "chunked":
        body = await _chunks(reader)
    else:
        body = b""
    return int(head[0].split()[1]), headers, body


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    found = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        found.append((await reader.readexactly(size + 2))[:-2])
    await reader.readexactly(2)
    return b"".join(found)


def own_photo(photo: bytes, number: int) -> bytes:
    """Return a photo that no other is: three of its quantisers, of the finest detail, count in base 16."""
    at = photo.index(b"\xff\xdb") + 5 + 61
    return photo[:at] + bytes(200 + (number >> 4 * n & 15) for n in range(3)) + photo[at + 3 :]


def in_parts(fields: dict[str, str], file: str, photo: bytes) -> tuple[str, bytes]:
    """Return the content type and body of a multipart form with one photo."""
    mark = "----beffroi-bench-7d1f"
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'.encode()
        for k, v in fields.items()
    ]
    named = f'--{mark}\r\nContent-Disposition: form-data; name="{file}"; filename="photo.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    return f"multipart/form-data; boundary={mark}", b"".join([*parts, named.encode(), photo, f"\r\n--{mark}--\r\n".encode()])  # fmt: skip


class Load:
    """One run of a task."""

    def __init__(self, url: str, task: Task) -> None:
        self.client, self.task = Client(url), task
        self.photos = [Path(name).read_bytes() for name in task.photos]
        self.seen = Seen(defaultdict(list), [], defaultdict(int), [], 0.0, 0.0)
        self._chance = random.Random(2)
        self._form: dict[str, str] = {}
        self._cookie = ""

    async def run(self) -> Seen:
        """Send all and wait for the answers."""
        await self._open_form()
        await asyncio.sleep(FILLED_IN_S)
        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(
            self._at_rate(self.task.reads_per_s, self._read),
            self._at_rate(self.task.posts_per_s, self._send),
            self._at_rate(PROBES_PER_S, self._probe),
        )
        self.seen.elapsed_s, self.seen.cpu_s = time.perf_counter() - began, time.process_time() - cpu
        self.client.close()
        return self.seen

    async def _open_form(self) -> None:
        _, headers, body = await self.client.get("/signaler")
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self._cookie = headers["set-cookie"].partition(";")[0]
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', body.decode())
        self._form = dict(hidden)

    async def _at_rate(self, rate: int, one: Callable[[int], Awaitable[None]]) -> None:
        began, running = time.perf_counter(), []
        for n in range(rate * self.task.seconds):
            due = began + n / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            running.append(asyncio.create_task(self._timed(one, n, due)))
        await asyncio.gather(*running)

    async def _timed(self, one: Callable[[int], Awaitable[None]], n: int, due: float) -> None:
        self.seen.late_ms.append((time.perf_counter() - due) * 1000)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self._kept(one(n), due)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            self.seen.failed[f"{one.__name__[1:]}: {type(error).__name__}"] += 1

    async def _kept(self, answer: Awaitable[Any], due: float) -> None:
        kind, status, good = await answer
        if good:
            self.seen.took_ms[kind].append((time.perf_counter() - due) * 1000)
        else:
            self.seen.failed[f"{kind}: {status}"] += 1

    async def _probe(self, _n: int) -> Any:
        status, _, _ = await self.client.get("/health")
        return "floor", status, status == 200

    async def _read(self, n: int) -> Any:
        kind, path = self.task.reads[n % len(self.task.reads)]
        status, _, _ = await self.client.get(path)
        return kind, status, status == 200

    async def _send(self, n: int) -> Any:
        photo = own_photo(self.photos[n % len(self.photos)], n)
        source = f"127.{1 + n // 62_500}.{n // 250 % 250}.{1 + n % 250}"
        code, category = self.task.categories[n % len(self.task.categories)]
        west, south, east, north = self.task.box
        words = f"Banc cassé numéro {n}, deux lattes manquent devant le {n % 97}"
        if n % 2:
            lon, lat = self._chance.uniform(west, east), self._chance.uniform(south, north)
            fields = {"service_code": code, "description": words, "lat": f"{lat:.6f}", "long": f"{lon:.6f}"}
            kind, body = in_parts(fields, "media", photo)
            status, _, answer = await self.client.post("/open311/v2/requests.json", kind, body, source)
            if status == 200:
                self.seen.acknowledged.append(str(msgspec.json.decode(answer)[0]["service_request_id"]))
            return "POST open311", status, status == 200
        fields = {**self._form, "category": category, "description": words, "place": f"{n} allée du Banc"}
        kind, body = in_parts(fields, "photo", photo)
        status, headers, _ = await self.client.post("/signaler", kind, body, source, cookie=self._cookie)
        found = re.match(r"/suivi/([^/]+)/", headers.get("location", ""))
        if found:
            self.seen.acknowledged.append(found[1])
        return "POST form", status, found is not None


if __name__ == "__main__":
    told = msgspec.json.decode(Path(sys.argv[2]).read_bytes(), type=Task)
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(Load(sys.argv[1], told).run())) + b"\n")
