"""Fetching: a public file downloaded whole or not at all, going on where it was cut, and not again while it is the same."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, urlsplit

from beffroi import __version__
from beffroi.model.problem import Problem, Unavailable
from beffroi.model.text import Text

__all__ = ["fetch"]

TRIES = 3
PAUSE_S = 1.0
TIMEOUT_S = 60.0
_BLOCK = 1 << 16


def fetch(
    address: str, target: Path, mirror: str = "", progress: Callable[[int, int], None] = lambda _done, _whole: None
) -> Path:  # fmt: skip
    """Download `address` into `target` and return it. `mirror`: another server that holds the same under `/HOST/PATH`.

    A download that was cut goes on (Range); a file that has not changed (ETag) is kept. Raises `Unavailable` when the
    source does not answer, `Problem` when it refuses.
    """
    url = _through(address, mirror)
    part, note = target.with_name(target.name + ".part"), target.with_name(target.name + ".note")
    target.parent.mkdir(parents=True, exist_ok=True)
    last: Exception | None = None
    for attempt in range(TRIES):
        try:
            return _download(url, target, part, note, progress)
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code != 429:
                raise _refused(address, error.code) from error
            last = error
        except (OSError, TimeoutError) as error:
            last = error
        if attempt + 1 < TRIES:
            time.sleep(PAUSE_S * 2**attempt)
    said = str(last)[:120].replace("{", "(").replace("}", ")")
    raise Unavailable(
        Text("{h} ne répond pas : {e}", "{h} does not answer: {e}").filled(h=urlsplit(address).netloc, e=said),
        Text("Recommencez plus tard : ce qui est pris reste pris ; ou donnez les fichiers (--from).",
             "Try again later: what was taken stays; or give the files (--from)."),
    ) from last  # fmt: skip


def _through(address: str, mirror: str) -> str:
    parts = urlsplit(address)
    query = f"?{quote(parts.query, safe='=&,;:()[]%->._~')}" if parts.query else ""
    base = f"{mirror.rstrip('/')}/{parts.netloc}" if mirror else f"{parts.scheme}://{parts.netloc}"
    return f"{base}{parts.path}{query}"


def _download(url: str, target: Path, part: Path, note: Path, progress: Callable[[int, int], None]) -> Path:
    asked = urllib.request.Request(url, headers={"User-Agent": f"Beffroi/{__version__}"})  # noqa: S310 -- addresses of the table
    known = json.loads(note.read_text("utf-8")) if note.exists() else {}
    begun = part.stat().st_size if part.exists() and known.get("part") else 0
    if begun:
        asked.add_header("Range", f"bytes={begun}-")
        asked.add_header("If-Range", known["part"])
    elif target.exists() and known.get("whole"):
        asked.add_header("If-None-Match", known["whole"])
    try:
        answer = urllib.request.urlopen(asked, timeout=TIMEOUT_S)  # noqa: S310
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 304:
            return target
        if error.code == 416:
            part.unlink(missing_ok=True)
        raise
    with answer:
        tag = answer.headers.get("ETag") or ""
        on = answer.status == 206
        done = begun if on else 0
        whole = done + int(answer.headers.get("Content-Length") or 0)
        note.write_text(json.dumps({**known, "part": tag}), "utf-8")
        with part.open("ab" if on else "wb") as file:
            while block := answer.read(_BLOCK):
                file.write(block)
                done += len(block)
                progress(done, whole)
        if whole and done < whole:
            raise OSError("the answer was cut short")
    part.replace(target)
    note.write_text(json.dumps({"whole": tag}), "utf-8")
    return target


def _refused(address: str, code: int) -> Problem:
    return Problem(
        Text("{h} refuse (HTTP {c}).", "{h} refuses (HTTP {c}).").filled(h=urlsplit(address).netloc, c=code),
        Text("Téléchargez le fichier à la main et donnez --from DIR.", "Download the file by hand and give --from DIR."),
    )  # fmt: skip
