"""What `kit.card(...)` and `kit.alarm(...)` show."""

import msgspec
from markupsafe import Markup

__all__ = ["AlarmRow", "Card"]


class Card(msgspec.Struct, frozen=True):
    """One figure: name, value with unit, its age, trend (small SVG of `chart.spark`), threshold, quality.

    The whole card is a link. `quality` is a word, "" when good; `severity` "" when nothing is wrong.
    """

    title: str
    value: float | str | None
    href: str
    unit: str = ""
    decimals: int | None = None
    at_us: int | None = None
    note: str = ""
    trend: Markup = Markup("")
    severity: str = ""
    said: str = ""  # the word of the severity, when it is not its colour ("muet")
    quality: str = ""
    live: int | None = None  # id of the datastream whose new values replace the figure


class AlarmRow(msgspec.Struct, frozen=True):
    """One alarm in a list: severity, what, where, since when, in which state (words)."""

    severity: str
    title: str
    href: str
    detail: str = ""
    since_us: int | None = None
    state: str = ""
