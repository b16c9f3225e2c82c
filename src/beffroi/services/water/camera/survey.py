"""The survey as a form: points one a line of fields, the section as a table of lines, and what they give at once."""

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.water.camera.section import Wetted, wetted
from beffroi.services.water.camera.site import ALPHA, Point, Section, Site

__all__ = ["Survey", "Told", "survey_of", "surveyed"]

_COLUMNS = ("px", "py", "x", "y", "z")
_MOST = 40


class Told(msgspec.Struct, frozen=True, eq=False):
    """What a survey gives: for each complete point its residual (pixels, metres), the wetted section, what is wrong."""

    residuals: dict[int, tuple[float, float]] = {}
    wet: Wetted | None = None
    problem: Problem | None = None
    worst_px: float = 0.0


class Survey(msgspec.Struct, frozen=True):
    """The fields as typed. `points`: lines of px, py, x, y, z. `section`: a line for each point, x; y; z."""

    points: tuple[tuple[str, str, str, str, str], ...] = ()
    section: str = ""
    level: str = ""
    zero: str = "0"
    alpha: str = ""
    width: int = 0
    height: int = 0
    base: dict[str, Any] = {}

    @staticmethod
    def of_form(sent: Mapping[str, str]) -> "Survey":
        """Return the survey that a form sent."""
        points = []
        for i in range(_MOST):
            line = tuple(sent.get(f"{c}{i}", "").strip()[:40] for c in _COLUMNS)
            if any(line):
                points.append((line[0], line[1], line[2], line[3], line[4]))
        said = {k: sent.get(k, "").strip()[:20000] for k in ("section", "level", "zero", "alpha")}
        size = [int(sent.get(k, "0") or 0) if sent.get(k, "0").isdigit() else 0 for k in ("width", "height")]
        return Survey(
            tuple(points), said["section"], said["level"], said["zero"], said["alpha"], size[0], size[1]
        )

    def clicked(self, x: str, y: str) -> "Survey":
        """Return the survey with a clicked pixel in the first point that has none."""
        points = list(self.points)
        for i, point in enumerate(points):
            if not point[0] and not point[1]:
                points[i] = (x, y, *point[2:])
                break
        else:
            points.append((x, y, "", "", ""))
        return msgspec.structs.replace(self, points=tuple(points))

    def site(self) -> Site:
        """Return the site. Raises Problem at the field that is wrong."""
        points = []
        for i, line in enumerate(self.points):
            px, py, x, y = (_number(line[k], f"{_COLUMNS[k]}{i}") for k in range(4))
            points.append(Point(px, py, x, y, _number(line[4], f"z{i}") if line[4] else None))
        alpha = _number(self.alpha, "alpha") if self.alpha else None
        rows = []
        for n, text in enumerate((t for t in self.section.splitlines() if t.strip()), 1):
            parts = text.replace("\t", ";").split(";") if ";" in text or "\t" in text else text.split(",")
            if len(parts) != 3:
                raise Problem(
                    Text("Cette ligne n'a pas trois valeurs.", "This line has not three values."),
                    Text("Une ligne par point : x; y; z.", "A line for each point: x; y; z."), f"section, {n}")  # fmt: skip
            rows.append(tuple(_number(p, f"section, {n}") for p in parts))
        return Site(
            width=self.width, height=self.height, points=tuple(points), zero=_number(self.zero or "0", "zero"),
            level=_number(self.level, "level") if self.level else None,
            section=Section(tuple((r[0], r[1], r[2]) for r in rows)) if rows else None,
            alpha=ALPHA if alpha is None else alpha, alpha_stated=alpha is not None,
        )  # fmt: skip


def _number(text: str, place: str) -> float:
    try:
        value = float(text.strip().replace(",", ".").replace(" ", ""))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise Problem(
            Text("« {text} » n'est pas un nombre.", "“{text}” is not a number.").filled(text=text[:40]),
            Text("Écrivez par exemple 12,35.", "Write 12.35 for example."), place)  # fmt: skip
    return value


def survey_of(value: dict[str, Any] | None) -> Survey:
    """Return the form of a kept site; empty when there is none."""
    try:
        site = msgspec.convert(value or {}, Site)
    except msgspec.ValidationError:
        return Survey()
    points = tuple(
        (_said(p.px), _said(p.py), _said(p.x), _said(p.y), "" if p.z is None else _said(p.z))
        for p in site.points
    )
    rows = "\n".join(
        "; ".join(_said(v) for v in row) for row in (site.section.points if site.section else ())
    )
    return Survey(
        points, rows, "" if site.level is None else _said(site.level), _said(site.zero),
        _said(site.alpha) if site.alpha_stated else "", site.width, site.height,
    )  # fmt: skip


def _said(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".")


def surveyed(form: Survey) -> Told:
    """Return what a survey gives so far; a form that is not complete yet has nothing wrong."""
    from beffroi.services.water.camera.projection import projection_of, residuals_of  # noqa: PLC0415 -- of the extra [water]

    complete = [i for i, line in enumerate(form.points) if all(line[:4])]
    if len(complete) < 4:
        missing = Problem(
            Text("Il faut quatre points de contrôle complets au moins.", "Four complete control points are needed at least."),
            Text("Cliquez un repère dans l'image, puis donnez ses coordonnées.", "Click a mark in the picture, then give its coordinates."),
            "points") if form.points else None  # fmt: skip
        return Told(problem=missing)
    try:
        site = msgspec.structs.replace(form, points=tuple(form.points[i] for i in complete)).site()
        projection_of(site)
        found = {i: (r.pixels, r.metres) for i, r in zip(complete, residuals_of(site), strict=True)}
        wet = wetted(site) if site.section is not None and site.level is not None else None
    except Problem as problem:
        return Told(problem=problem)
    return Told(found, wet, None, max(p for p, _ in found.values()))
