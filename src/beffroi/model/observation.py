"""Observation: one value of one property of one thing at one time (OGC SensorThings 1.1, 18-088 §8.2.8)."""

from enum import IntEnum

import msgspec

from beffroi.model.result import Result

__all__ = ["Draft", "Observation", "Quality"]


class Quality(IntEnum):
    """Quality flag of an observation. Raw values are never overwritten: the flag says what to think of them."""

    GOOD = 0
    UNCHECKED = 1
    SUSPECT = 2  # out of the plausible range, a spike, stuck
    BAD = 3  # said bad by its source or by a person
    ESTIMATED = 4


class Draft(msgspec.Struct, gc=False):
    """An observation about to be stored; times in microseconds UTC.

    `source_key`, when given, names where it came from (device + frame counter, file row, Idempotency-Key):
    a second draft with the same key is folded, that is, not stored. Equal times are never a reason to fold.
    `extra` is a JSON object text with `resultQuality`, `validTime`, `parameters` as received.
    """

    datastream_id: int
    start_us: int
    result: Result
    end_us: int | None = None
    result_time_us: int | None = None
    feature_id: int | None = None
    quality: int = 1
    extra: str | None = None
    source_key: bytes | None = None


class Observation(msgspec.Struct, frozen=True, gc=False):
    """A stored observation. `id` < 2**53, never reused, stable through sealing; `seq` is the commit
    sequence of its last change (equal to `id` until corrected)."""

    id: int
    datastream_id: int
    start_us: int
    end_us: int | None
    result_time_us: int | None
    result: Result
    feature_id: int | None
    quality: int
    extra: str | None
    seq: int
