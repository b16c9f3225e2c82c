"""The result of an observation: any JSON value, its digits kept as received.

A number is stored as a float for computing, plus what is needed to write it again exactly:
`decimals` when `format(value, f".{decimals}f")` gives the received digits back, else `literal`,
the received text. Anything that is not a finite number is a `literal` alone.
"""

from typing import Any, Self

import msgspec

__all__ = ["Numeral", "Result", "decode_json", "exact_float", "number_of", "result_of"]


class Numeral(float):
    """A float that remembers how it was written ("2.00")."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        """Return the float of `text`, keeping `text`."""
        self = super().__new__(cls, text)
        self.text = text
        return self


def exact_float(text: str) -> float:
    """Return the float of a JSON number, a `Numeral` when its digits would change: a `float_hook`."""
    value = float(text)
    return value if repr(value) == text else Numeral(text)


_any = msgspec.json.Decoder(Any, float_hook=exact_float)


def decode_json(body: bytes | str) -> Any:
    """Return the JSON value of `body`; a float whose digits would change when written again is a `Numeral`.

    Raises `msgspec.DecodeError`.
    """
    return _any.decode(body)


class Result(msgspec.Struct, frozen=True, gc=False):
    """A result as it is stored (see the module). `value` is None when it is not a number."""

    value: float | None = None
    decimals: int | None = None
    literal: str | None = None

    def json(self) -> str:
        """Return the JSON text of the result, with the digits that were received."""
        if self.literal is not None:
            return self.literal
        if self.value is None:
            return "null"
        if self.decimals is not None:
            return f"{self.value:.{self.decimals}f}"
        return repr(self.value)


def number_of(text: str) -> Result:
    """Return the result of a number written as `text` (JSON or CSV digits). Raises `ValueError`."""
    value = float(text)
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError(text)
    if not value and text[0] == "-":
        return Result(value, None, text)  # SQLite keeps no sign of zero
    if repr(value) == text:
        return Result(value)
    _, _, fraction = text.partition(".")
    decimals = len(fraction)
    if decimals <= 15 and f"{value:.{decimals}f}" == text:
        return Result(value, decimals)
    # "+3", "07" and ".5" are no JSON numbers: keep the value, not the spelling.
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError:
        return Result(value)
    return Result(value, None, text)


def result_of(value: Any) -> Result:
    """Return the stored form of a JSON value as `decode_json` gives it. Raises `ValueError` on NaN."""
    if isinstance(value, float):
        return number_of(value.text) if isinstance(value, Numeral) else _finite(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if abs(value) < 2**53:
            return Result(float(value), 0)
        return Result(float(value), None, str(value))
    return Result(None, None, encode_exact(value))


def _finite(value: float) -> Result:
    if value - value != 0.0:
        raise ValueError(repr(value))
    return Result(value) if value else number_of(repr(value))


def encode_exact(value: Any) -> str:
    """Return the JSON text of any decoded value, `Numeral` digits kept inside objects and arrays."""
    if isinstance(value, Numeral):
        return value.text
    if type(value) is float and value - value == 0.0:
        return repr(value)  # as `exact_float` compared it: "1e+20", where msgspec would write "1e20"
    if isinstance(value, dict):
        inner = (f"{msgspec.json.encode(str(k)).decode()}:{encode_exact(v)}" for k, v in value.items())
        return "{" + ",".join(inner) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(encode_exact(v) for v in value) + "]"
    return msgspec.json.encode(value).decode()
