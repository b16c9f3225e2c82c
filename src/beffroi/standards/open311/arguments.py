"""The arguments of GeoReport: of a query of requests, and of a submission."""

import re
from collections.abc import Iterable, Mapping

import msgspec

from beffroi.model.instant import DAY_US, format_instant, parse_instant
from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = [
    "MOST",
    "SPAN_US",
    "RequestQuery",
    "Submission",
    "Window",
    "read_bulk",
    "read_query",
    "read_submission",
    "read_window",
]

MOST = 1000  # requests in one answer
SPAN_US = 90 * DAY_US
_EVER_US = 2**62
_ATTRIBUTE = re.compile(r"attribute\[([^\[\]]{1,200})\](\[\])?\Z")
_LENGTHS = {"description": 4_000, "address_string": 500, "address_id": 200, "email": 320, "first_name": 100,
            "last_name": 100, "phone": 40, "media_url": 2_000, "device_id": 200, "account_id": 200}  # fmt: skip


class Window(msgspec.Struct, frozen=True):
    """A span of time, both ends in it, in microseconds UTC."""

    start_us: int
    end_us: int


class RequestQuery(msgspec.Struct, frozen=True):
    """What GET requests asks for. With `ids` the rest does not count (the standard's own rule)."""

    ids: tuple[str, ...]
    codes: tuple[str, ...]
    statuses: tuple[str, ...]
    window: Window
    page: int = 1
    page_size: int = MOST
    extensions: bool = False


class Submission(msgspec.Struct, frozen=True):
    """What POST requests sends, each text cut of its outer white space."""

    service_code: str
    texts: dict[str, str]
    lat: float | None = None
    long: float | None = None
    attributes: dict[str, tuple[str, ...]] = {}

    def text(self, name: str) -> str:
        """Return one of the plain arguments, "" when it was not sent."""
        return self.texts.get(name, "")


def _wrong(name: str, fr: str, en: str) -> Problem:
    return Problem(Text(f"{name} : {fr}", f"{name}: {en}"), place=name)


def _list(arguments: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in arguments.get(name, "").split(",") if part.strip())


def _instant(arguments: Mapping[str, str], name: str) -> int | None:
    word = arguments.get(name, "").strip()
    if not word:
        return None
    try:
        # a "+" of the offset that was not percent-encoded arrives as a space
        return parse_instant(re.sub(r" (\d\d:?\d\d)\Z", r"+\1", word))
    except Problem as problem:
        raise problem.at(name) from problem


def read_window(arguments: Mapping[str, str], now_us: int) -> Window:
    """Return the span of start_date and end_date: 90 days at most, the last 90 when neither is given.

    Raises `Problem` for a longer or a turned one.
    """
    start, end = _instant(arguments, "start_date"), _instant(arguments, "end_date")
    if start is None and end is None:
        return Window(now_us - SPAN_US, now_us)
    if start is None:
        return Window((end or 0) - SPAN_US, end or 0)
    if end is None:
        return Window(start, start + SPAN_US)
    if end < start:
        raise _wrong("end_date", "elle précède start_date.", "it comes before start_date.")
    if end - start > SPAN_US:
        last = format_instant(start + SPAN_US)
        raise _wrong("end_date", f"90 jours au plus : jusqu'à {last}, puis la suite dans une autre demande.",
                     f"90 days at most: up to {last}, then the rest in another call.")  # fmt: skip
    return Window(start, end)


def _whole(arguments: Mapping[str, str], name: str, default: int, most: int) -> int:
    word = arguments.get(name, "").strip()
    if not word:
        return default
    if not (word.isascii() and word.isdigit() and 1 <= int(word[:9]) <= most):
        raise _wrong(name, f"un nombre entier de 1 à {most}.", f"a whole number from 1 to {most}.")
    return int(word)


def read_query(arguments: Mapping[str, str], now_us: int) -> RequestQuery:
    """Return what the arguments of GET requests ask for. Raises `Problem` at an argument."""
    ids = _list(arguments, "service_request_id")
    if len(ids) > MOST:
        raise _wrong("service_request_id", f"{MOST} numéros au plus.", f"{MOST} numbers at most.")
    return RequestQuery(
        ids=ids, codes=_list(arguments, "service_code"), statuses=_statuses(arguments), window=read_window(arguments, now_us),
        page=_whole(arguments, "page", 1, 1_000_000), page_size=_whole(arguments, "page_size", MOST, MOST),
        extensions=arguments.get("extensions", "").lower() in ("true", "1", "v1"),
    )  # fmt: skip


def read_bulk(arguments: Mapping[str, str]) -> RequestQuery:
    """Return what is asked of the bulk file: the same filters, over any span of time. Raises `Problem`."""
    start, end = _instant(arguments, "start_date"), _instant(arguments, "end_date")
    window = Window(0 if start is None else start, _EVER_US if end is None else end)
    return RequestQuery((), _list(arguments, "service_code"), _statuses(arguments), window)


def _statuses(arguments: Mapping[str, str]) -> tuple[str, ...]:
    statuses = tuple(word.lower() for word in _list(arguments, "status"))
    if wrong := [word for word in statuses if word not in ("open", "closed")]:
        raise _wrong(
            "status",
            f"« {wrong[0][:40]} » n'est ni open ni closed.",
            f"'{wrong[0][:40]}' is neither open nor closed.",
        )
    return statuses


def _degree(texts: Mapping[str, str], name: str, most: int) -> float | None:
    word = texts.get(name, "").strip()
    if not word:
        return None
    try:
        value = float(word)
    except ValueError as error:
        raise _wrong(
            name,
            f"« {word[:40]} » n'est pas un nombre de degrés.",
            f"'{word[:40]}' is not a number of degrees.",
        ) from error
    if not abs(value) <= most:
        raise _wrong(name, f"de -{most} à {most} degrés.", f"from -{most} to {most} degrees.")
    return value


def read_submission(pairs: Iterable[tuple[str, str]]) -> Submission:
    """Return what the (name, value) pairs of POST requests say.

    `attribute[CODE]` is one answer, `attribute[CODE][]` one of several. Raises `Problem` at an argument: no
    service_code, no place (lat and long, or address_string, or address_id), half a place, a text too long.
    """
    texts: dict[str, str] = {}
    answers: dict[str, list[str]] = {}
    for name, value in pairs:
        match = _ATTRIBUTE.match(name)
        if match is None:
            texts.setdefault(name, value.strip())
        elif match[2] or match[1] not in answers:
            answers.setdefault(match[1], []).append(value.strip())
    _check_lengths(texts)
    code = texts.get("service_code", "")
    if not code:
        raise _wrong(
            "service_code",
            "il est obligatoire ; GET services donne les codes.",
            "it is required; GET services lists the codes.",
        )
    lat, long = _degree(texts, "lat", 90), _degree(texts, "long", 180)
    if (lat is None) != (long is None):
        raise _wrong(
            "lat" if lat is None else "long", "lat et long vont ensemble.", "lat and long go together."
        )
    if lat is None and not texts.get("address_string") and not texts.get("address_id"):
        raise _wrong(
            "lat",
            "dites où : lat et long, ou address_string, ou address_id.",
            "say where: lat and long, or address_string, or address_id.",
        )
    kept = {code: tuple(v for v in values if v) for code, values in answers.items()}
    return Submission(code, texts, lat, long, {code: values for code, values in kept.items() if values})


def _check_lengths(texts: Mapping[str, str]) -> None:
    for name, most in _LENGTHS.items():
        if len(texts.get(name, "")) > most:
            raise _wrong(name, f"{most} caractères au plus.", f"{most} characters at most.")
