"""How a town looks: its name, one accent colour, its logo; readable in light and dark whatever is chosen."""

import base64
import hashlib
import json
import re
from typing import Any

import msgspec

from beffroi.model.place import Territory
from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = [
    "DEFAULT_ACCENT",
    "Look",
    "check_accent",
    "commune_of",
    "contrast",
    "look_of",
    "look_of_commune",
    "readable",
]

DEFAULT_ACCENT = "#0b5c73"
LIGHT_GROUND, DARK_GROUND = "#f6f5f2", "#171614"
LEAST_CONTRAST = 4.5  # WCAG 2.2 §1.4.3
_HEX = re.compile(r"#[0-9a-f]{6}\Z")


class Look(msgspec.Struct, frozen=True):
    """What pages show of the town. `accent_dark` is the accent made light enough for the dark ground."""

    name: str
    accent: str = DEFAULT_ACCENT
    accent_dark: str = ""
    logo: str = ""  # "image/png;base64,…"
    conformity: str = "none"  # with the RGAA, as its audit found: "total", "partial", "none"
    place: str = (
        ""  # where the pages that look so begin: "" for the town, "/communes/35236" for a commune of it
    )

    @property
    def version(self) -> str:
        """A short mark that changes with the look, for addresses that may be kept for long."""
        return hashlib.blake2b(msgspec.json.encode(self), digest_size=6).hexdigest()

    @property
    def own_colour(self) -> bool:
        """True when the town chose another colour than ours."""
        return self.accent != DEFAULT_ACCENT

    def css(self) -> str:
        """Return the custom properties of the town's colour."""
        dark = f"--accent:{self.accent_dark};--on-accent:#10100f"
        return (
            f":root{{--accent:{self.accent};--on-accent:#fff}}"
            f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"
        )

    def logo_file(self) -> tuple[str, bytes] | None:
        """Return the logo's media type and bytes, or None."""
        kind, found, data = self.logo.partition(";base64,")
        return (kind, base64.b64decode(data)) if found else None


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    parts = [c / 255 for c in _channels(colour)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two `#rrggbb` colours, 1 to 21 (WCAG 2.2, relative luminance)."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def readable(colour: str, ground: str, least: float = LEAST_CONTRAST) -> str:
    """Return `colour`, mixed with white (or black) in steps until it reads on a dark (or light) `ground`."""
    target = 255 if _luminance(ground) < 0.18 else 0
    for step in range(21):
        mixed = "#" + "".join(f"{round(c + (target - c) * step / 20):02x}" for c in _channels(colour))
        if contrast(mixed, ground) >= least:
            return mixed
    return "#ffffff" if target else "#000000"


def check_accent(colour: str) -> str:
    """Return the accent as `#rrggbb` in small letters. Raises `Problem` when text would not read in it."""
    colour = colour.strip().lower()
    if not _HEX.match(colour):
        raise Problem(
            Text("La couleur n'est pas comprise.", "The colour is not understood."),
            Text("Écrivez-la comme #0b5c73.", "Write it like #0b5c73."),
            place="accent",
        )
    worst = min(contrast(colour, "#ffffff"), contrast(colour, LIGHT_GROUND))
    if worst < LEAST_CONTRAST:
        better = readable(readable(colour, LIGHT_GROUND), "#ffffff")
        raise Problem(
            Text("Cette couleur ne se lit pas sur un fond clair (contraste {ratio} ; il faut 4,5).",
                 "This colour cannot be read on a light ground (contrast {ratio}; 4.5 is needed).")
            .filled(ratio=f"{worst:.1f}"),
            Text("Prenez plus foncé, par exemple {better}.", "Take a darker one, such as {better}.").filled(better=better),
            place="accent",
        )  # fmt: skip
    return colour


def look_of(town: Any) -> Look:
    """Return the look of a town, from its settings in the store (`town.name`, `town.accent`,
    `town.logo`, `town.conformity`)."""
    if town is None:
        return Look("Beffroi", accent_dark=readable(DEFAULT_ACCENT, DARK_GROUND))
    accent = town.store.setting("town.accent", DEFAULT_ACCENT)
    return Look(
        name=town.store.setting("town.name", None) or town.name,
        accent=accent,
        accent_dark=readable(accent, DARK_GROUND),
        logo=town.store.setting("town.logo", ""),
        conformity=town.store.setting("town.conformity", "none"),
    )


def commune_of(town: Any, code: str) -> Territory | None:
    """Return a commune of the installation, None when there is none of that code."""
    rows = town.store.glance("SELECT name, kind, settings FROM territory WHERE code = :code", {"code": code})
    if not rows or rows[0][1] != "commune":
        return None
    return Territory(code, rows[0][0], rows[0][1], None, json.loads(rows[0][2]))


def look_of_commune(town: Any, commune: Territory) -> Look:
    """Return the look of a commune of the installation: its own where it chose one, else the whole town's."""
    whole, own = look_of(town), commune.settings
    accent = own.get("accent", whole.accent)
    return Look(
        name=commune.name,
        accent=accent,
        accent_dark=readable(accent, DARK_GROUND),
        logo=own.get("logo", "" if "accent" in own else whole.logo),
        place=f"/communes/{commune.code}",
    )
