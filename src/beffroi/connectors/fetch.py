"""One answer over HTTP: whole, of the status 200 and of a bearable size, or a `Problem`. Standard library only."""

import http.client
import io
import socket
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from typing import IO, BinaryIO, cast

from beffroi import __version__
from beffroi.model.problem import Problem, Unavailable
from beffroi.model.text import Text

__all__ = ["LARGEST", "TIMEOUT_S", "fetch", "same_host"]

TIMEOUT_S = 30.0
LARGEST = 1 << 30
_MEMORY = 8 << 20
_BLOCK = 1 << 16


def _failed(fr: str, en: str, url: str) -> Unavailable:
    shown = urllib.parse.urlsplit(url)._replace(query="").geturl()
    mend = Text(
        "Beffroi réessaiera ; vérifiez l'adresse si cela dure.",
        "Beffroi will try again; check the address if it lasts.",
    )
    return Unavailable(Text(fr, en), mend, shown)


def fetch(
    url: str, *, timeout: float = TIMEOUT_S, largest: int = LARGEST, accept: str = "application/json",
    statuses: tuple[int, ...] = (200,),
) -> BinaryIO:  # fmt: skip
    """Return the body of `url` as a file that can be read and sought. Raises `Unavailable`, saying why.

    An answer that is cut short, or of another status than `statuses`, is refused whole; partial ones (206) too, but for
    sources that say so of every page but the last.
    """
    headers = {"User-Agent": f"Beffroi/{__version__}", "Accept": accept}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - http(s) only, see Source
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
            if answer.status not in statuses:
                raise _failed(
                    f"La source répond {answer.status}, pas 200.",
                    f"The source answers {answer.status}, not 200.",
                    url,
                )
            return _whole(answer, url, largest)
    except urllib.error.HTTPError as error:
        error.close()
        raise _failed(f"La source répond {error.code}.", f"The source answers {error.code}.", url) from error
    except (http.client.HTTPException, ValueError) as error:
        raise _failed(
            "La réponse est coupée ou n'est pas du HTTP.", "The answer is cut short or is not HTTP.", url
        ) from error
    except TimeoutError as error:
        raise _slow(url, timeout) from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError | socket.timeout):
            raise _slow(url, timeout) from error
        said = getattr(error.reason, "strerror", None) or str(error.reason)
        detail = said.replace("{", "(").replace("}", ")")
        raise _failed(
            f"La source ne répond pas ({detail}).", f"The source does not answer ({detail}).", url
        ) from error
    except OSError as error:
        raise _failed("La connexion est tombée.", "The connection was lost.", url) from error


def _slow(url: str, timeout: float) -> Problem:
    return _failed(
        f"La source n'a pas répondu en {timeout:g} s.", f"The source did not answer in {timeout:g} s.", url
    )


def _whole(answer: http.client.HTTPResponse, url: str, largest: int) -> BinaryIO:
    kept: IO[bytes] = tempfile.SpooledTemporaryFile(_MEMORY)  # noqa: SIM115 - the caller closes it
    try:
        _copy(answer, kept, url, largest)
    except BaseException:
        kept.close()
        raise
    return cast("BinaryIO", kept)


def _copy(answer: http.client.HTTPResponse, kept: IO[bytes], url: str, largest: int) -> None:
    length = answer.headers.get("Content-Length")
    size = 0
    while block := answer.read(_BLOCK):
        size += len(block)
        if size > largest:
            raise _failed("La réponse est trop grosse.", "The answer is too large.", url)
        kept.write(block)
    if length is not None and length.isdigit() and int(length) != size:
        raise _failed("La réponse est coupée.", "The answer is cut short.", url)
    kept.seek(0, io.SEEK_SET)


def same_host(url: str, base: str) -> str:
    """Return `url`, which a source gave as its next page. Raises `Unavailable` when it leads elsewhere."""
    joined = urllib.parse.urljoin(base, url)
    if urllib.parse.urlsplit(joined)[:2] != urllib.parse.urlsplit(base)[:2]:
        raise _failed("La page suivante est chez un autre hôte.", "The next page is on another host.", joined)
    return joined
