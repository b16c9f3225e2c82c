"""What `kit.form(...)` shows: one input for each value asked, and a field of a Collection as an input."""

from typing import Literal

import msgspec

from beffroi.model.collection import Field

__all__ = ["Input", "input_of"]

InputKind = Literal[
    "text", "email", "password", "number", "date", "datetime-local", "textarea", "select", "checkbox", "radio",
    "file", "hidden", "color", "search", "url",
]  # fmt: skip


class Input(msgspec.Struct, frozen=True):
    """One input. `options` are (value, words) of a select or radio; texts are already in words.

    `autocomplete` is the HTML token (WCAG 2.2 §1.3.5), for instance "email" or "current-password".
    """

    name: str
    label: str
    kind: InputKind = "text"
    hint: str = ""
    required: bool = False
    options: tuple[tuple[str, str], ...] = ()
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    step: str = ""
    pattern: str = ""
    autocomplete: str = ""
    accept: str = ""
    rows: int = 4


_KINDS: dict[str, InputKind] = {
    "text": "text", "integer": "number", "number": "text", "boolean": "checkbox", "date": "date",
    "instant": "datetime-local", "json": "textarea", "reference": "text",
}  # fmt: skip


def input_of(field: Field, language: str) -> Input:
    """Return the input for a field of a Collection.

    Decimal numbers are a text input: browsers refuse the decimal comma in `type=number`.
    """
    options = tuple((option.value, option.title.of(language)) for option in field.choices)
    if options and not field.required:
        options = (("", "–"), *options)
    kind: InputKind = "select" if options else "textarea" if field.long else _KINDS[field.kind]
    return Input(
        name=field.name, label=field.title.of(language), kind=kind, hint=field.hint.of(language),
        required=field.required and field.kind != "boolean", options=options, unit=field.unit,
        minimum=field.minimum, maximum=field.maximum, pattern=field.pattern or "",
    )  # fmt: skip
