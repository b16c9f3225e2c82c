"""Read observations that arrive, thousands a second: single bodies, data arrays, MQTT messages, with their digits.

What is of the usual shape is read here without building entities; anything else is left to `body.read_new`,
which also says what is wrong.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec

from beffroi.model.instant import parse_instant, parse_interval
from beffroi.model.observation import Draft
from beffroi.model.problem import Problem
from beffroi.model.result import Result, decode_json, number_of, result_of
from beffroi.model.text import Text
from beffroi.standards.sensorthings.body import extra_of, reference

__all__ = ["Group", "MultiDraft", "Rejected", "read_arrays", "read_observation", "series_of_topic"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DIGITS = frozenset(b"-0123456789")


class _Reference(msgspec.Struct, gc=False):
    id: Annotated[int, msgspec.Meta(ge=0, lt=2**53)] = msgspec.field(name="@iot.id")


class _Single(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    result: msgspec.Raw
    phenomenon_time: str | None = msgspec.field(name="phenomenonTime", default=None)
    result_time: str | None = msgspec.field(name="resultTime", default=None)
    datastream: _Reference | None = msgspec.field(name="Datastream", default=None)
    feature: _Reference | None = msgspec.field(name="FeatureOfInterest", default=None)
    multi: _Reference | None = msgspec.field(name="MultiDatastream", default=None)


class MultiDraft(Draft, gc=False):
    """A draft whose body names a MultiDatastream."""


class Rejected(msgspec.Struct, frozen=True):
    """A row of a data array that was refused."""

    problem: Problem


class Group(msgspec.Struct):
    """The rows of one datastream (`multi`: a MultiDatastream) of a data array, each a draft or a reason."""

    datastream_id: int
    rows: list[Draft | Rejected]
    multi: bool = False


_single = msgspec.json.Decoder(_Single)


def _instant(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return (moment - _EPOCH) // _MICROSECOND
    except ValueError:
        pass
    return parse_instant(text)


def _moment(text: str) -> tuple[int, int | None]:
    return parse_interval(text) if "/" in text else (_instant(text), None)


def _result(raw: bytes) -> Result:
    if raw[0] in _DIGITS:
        return number_of(raw.decode())
    return result_of(decode_json(raw))


def read_observation(body: bytes, now_us: int) -> Draft | None:
    """Return the draft of a body of the usual shape, its datastream 0 when not named; None for any other body.

    Raises `Problem` for a time that cannot be read.
    """
    try:
        single = _single.decode(body)
        start, end = (now_us, None) if single.phenomenon_time is None else _moment(single.phenomenon_time)
        if single.multi is None:
            named = 0 if single.datastream is None else single.datastream.id
            draft = Draft(named, start, _result(bytes(single.result)), end)
        elif single.datastream is None:
            draft = MultiDraft(single.multi.id, start, _result(bytes(single.result)), end)
        else:
            return None
        if single.result_time is not None:
            draft.result_time_us = _instant(single.result_time)
    except (msgspec.DecodeError, ValueError, RecursionError, Problem):
        return None  # the careful reader says what is wrong
    if single.feature is not None:
        draft.feature_id = single.feature.id
    return draft


# --- data arrays (18-088 §12)
class _Array(msgspec.Struct):
    datastream: Any = msgspec.field(name="Datastream", default=None)
    multi: Any = msgspec.field(name="MultiDatastream", default=None)
    components: list[str] = []
    rows: list[list[msgspec.Raw]] = msgspec.field(name="dataArray", default=[])


_arrays = msgspec.json.Decoder(list[_Array])
_array = msgspec.json.Decoder(_Array)


def _refuse(fr: str, en: str, place: str, mend_fr: str = "", mend_en: str = "") -> Problem:
    return Problem(Text(fr, en), Text(mend_fr, mend_en), place)


def _text(raw: bytes) -> str | None:
    if raw[:1] == b'"' and b"\\" not in raw:
        return raw[1:-1].decode()
    value = msgspec.json.decode(raw)
    if value is None or isinstance(value, str):
        return value
    raise _refuse("Un texte est attendu.", "A text is expected.", "")


def _set_phenomenon_time(draft: Draft, raw: bytes) -> None:
    text = _text(raw)
    if text is not None:
        draft.start_us, draft.end_us = _moment(text)


def _set_result_time(draft: Draft, raw: bytes) -> None:
    text = _text(raw)
    draft.result_time_us = None if text is None else _instant(text)


def _set_result(draft: Draft, raw: bytes) -> None:
    try:
        draft.result = _result(raw)
    except (ValueError, RecursionError) as error:
        raise _refuse("Ce résultat n'est pas lisible.", "This result cannot be read.", "") from error


def _set_feature(draft: Draft, raw: bytes) -> None:
    value = decode_json(raw)
    draft.feature_id = reference({"id": value} if not isinstance(value, dict) else value)
    if value is not None and draft.feature_id is None:
        raise _refuse("Un identifiant est attendu.", "An id is expected.", "")


_SETTERS: dict[str, Callable[[Draft, bytes], None]] = {
    "phenomenonTime": _set_phenomenon_time,
    "result": _set_result,
    "resultTime": _set_result_time,
    "FeatureOfInterest/id": _set_feature,
    "FeatureOfInterest/@iot.id": _set_feature,
    "FeatureOfInterest": _set_feature,
}
_EXTRA = ("resultQuality", "validTime", "parameters")
_IGNORED = ("id", "@iot.id")


def read_arrays(body: bytes, now_us: int) -> list[Group]:
    """Return the groups of a CreateObservations body. A wrong row is `Rejected`; a wrong body raises `Problem`."""
    try:
        arrays = _arrays.decode(body) if body.lstrip()[:1] == b"[" else [_array.decode(body)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        detail = str(error).replace("{", "(").replace("}", ")")
        raise _refuse(
            f"Le corps n'est pas un tableau de données : {detail}", f"The body is no data array: {detail}", "/",
            'Envoyez [{"Datastream": {"@iot.id": 1}, "components": [...], "dataArray": [[...]]}].',
            'Send [{"Datastream": {"@iot.id": 1}, "components": [...], "dataArray": [[...]]}].',
        ) from error  # fmt: skip
    return [_group(array, i, now_us) for i, array in enumerate(arrays)]


def _group(array: _Array, index: int, now_us: int) -> Group:
    multi = array.datastream is None and array.multi is not None
    series = reference(array.multi if multi else array.datastream)
    if series is None:
        raise _refuse("Le Datastream manque.", "The Datastream is missing.", f"/{index}/Datastream",
                      'Ajoutez {"@iot.id": …}.', 'Add {"@iot.id": …}.')  # fmt: skip
    if array.datastream is not None and array.multi is not None:
        raise _refuse("Un tableau est d'un Datastream ou d'un MultiDatastream.",
                      "An array is of a Datastream or of a MultiDatastream.", f"/{index}/MultiDatastream",
                      "Retirez l'un des deux.", "Take one of them out.")  # fmt: skip
    if "result" not in array.components:
        raise _refuse(
            "La composante « result » manque.", "The component 'result' is missing.", f"/{index}/components"
        )
    for name in array.components:
        if name not in _SETTERS and name not in _EXTRA and name not in _IGNORED:
            known = ", ".join([*_SETTERS, *_EXTRA])
            raise _refuse(f"Cette composante n'existe pas : {name[:40]}".replace("{", "("),
                          f"There is no such component: {name[:40]}".replace("{", "("), f"/{index}/components",
                          f"Les composantes sont : {known}.", f"The components are: {known}.")  # fmt: skip
    if array.components == ["phenomenonTime", "result"]:
        return Group(
            series, [_pair(series, row, f"/{index}/dataArray/{i}") for i, row in enumerate(array.rows)], multi
        )
    return Group(series, [_row(series, array.components, row, now_us, f"/{index}/dataArray/{i}")
                          for i, row in enumerate(array.rows)], multi)  # fmt: skip


def _pair(series: int, row: Sequence[msgspec.Raw], place: str) -> Draft | Rejected:
    """Read a row of time and result, the shape of nearly all rows, in as little time as can be."""
    try:
        time, result = row
        text, digits = bytes(time), bytes(result)
        if text[0] == 0x22 and digits[0] in _DIGITS:
            moment = datetime.fromisoformat(text[1:-1].decode())
            if moment.tzinfo is not None:
                return Draft(series, (moment - _EPOCH) // _MICROSECOND, number_of(digits.decode()))
    except ValueError:
        pass
    return _row(series, ["phenomenonTime", "result"], row, 0, place)


def _row(
    series: int, components: Sequence[str], row: Sequence[msgspec.Raw], now_us: int, place: str
) -> Draft | Rejected:
    if len(row) != len(components):
        return Rejected(_refuse(
            f"La ligne a {len(row)} valeurs pour {len(components)} composantes.",
            f"The row has {len(row)} values for {len(components)} components.", place))  # fmt: skip
    draft = Draft(series, now_us, Result())
    extra: dict[str, Any] = {}
    for name, raw in zip(components, row, strict=True):
        try:
            setter = _SETTERS.get(name)
            if setter is not None:
                setter(draft, bytes(raw))
            elif name in _EXTRA:
                extra[name] = decode_json(bytes(raw))
        except (Problem, msgspec.DecodeError, ValueError) as error:
            known = (
                error if isinstance(error, Problem) else _refuse("Valeur illisible.", "Unreadable value.", "")
            )
            return Rejected(Problem(known.reason, known.mend, f"{place}/{name}"))
    try:
        draft.extra = extra_of(extra, place) if extra else None
    except Problem as problem:
        return Rejected(problem)
    return draft


# --- MQTT (18-088 §14.2)
_TOPIC = re.compile(r"(?:.*/)?v1\.[01]/(?:(?:Datastreams\((\d{1,16})\)/)?Observations)\Z")


def series_of_topic(topic: str) -> int | None:
    """Return the datastream whose observations are published at `topic`: 0 when the body names it, None for others.

    `v1.1/Observations` and `v1.1/Datastreams(5)/Observations`, whatever is before.
    """
    match = _TOPIC.match(topic)
    if match is None:
        return None
    return int(match[1] or 0)
