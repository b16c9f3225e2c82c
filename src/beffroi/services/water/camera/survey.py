"""The survey as a form: points one a line of fields, tables as lines of text, and what they give at once."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.water.camera.section import Wetted, wetted
from beffroi.services.water.camera.site import ALPHA, Landmark, Lens, Point, Section, Site
from beffroi.services.water.camera.staff import STAFF_WIDTH_M, Staff

__all__ = ["BANKS", "CLICKS", "LENS", "STAFF", "Survey", "Told", "site_in", "survey_of", "surveyed"]

_COLUMNS = ("px", "py", "x", "y", "z")
_MOST = 40
CLICKS = (  # what a click on the picture sets
    ("point", Text("un point de contrôle", "a control point")),
    ("landmark", Text("un repère fixe", "a fixed landmark")),
    ("bank", Text("une rive de la section", "a bank of the section")),
    ("region", Text("un coin de la zone d'eau", "a corner of the water's region")),
    ("staff", Text("le pied de l'échelle", "the foot of the staff gauge")),
)
STAFF = (  # the fields of a staff, in its order
    ("x", Text("x (m)", "x (m)")), ("y", Text("y (m)", "y (m)")), ("bottom", Text("bas (m)", "bottom (m)")),
    ("top", Text("haut (m)", "top (m)")), ("zero", Text("zéro des marques (m)", "zero of its marks (m)")),
    ("turn", Text("direction (°)", "direction (°)")), ("width_m", Text("largeur (m)", "width (m)")),
)  # fmt: skip
BANKS = (  # where a section told by stations begins and ends
    ("x0", Text("première rive, x (m)", "first bank, x (m)")), ("y0", Text("première rive, y (m)", "first bank, y (m)")),
    ("x1", Text("autre rive, x (m)", "other bank, x (m)")), ("y1", Text("autre rive, y (m)", "other bank, y (m)")),
)  # fmt: skip
LENS = (
    ("focal", Text("focale (px)", "focal length (px)")), ("k1", Text("distorsion k1", "distortion k1")),
    ("k2", Text("distorsion k2", "distortion k2")),
)  # fmt: skip
_TABLES = ("section", "region", "landmarks")
_NO = ("",)


class Told(msgspec.Struct, frozen=True, eq=False):
    """What a survey gives: for each complete point its residual (pixels, metres), the wetted section, what is wrong."""

    residuals: dict[int, tuple[float, float]] = {}
    wet: Wetted | None = None
    problem: Problem | None = None
    worst_px: float = 0.0


class Survey(msgspec.Struct, frozen=True):
    """The fields as typed. `points`: lines of px, py, x, y, z. `section`: a line for each point, x; y; z, or station; z
    between the two `banks`. `region`: x; y of each corner. `landmarks`: px; py; name. `base`: the site that it changes, what the form does not show included."""

    points: tuple[tuple[str, str, str, str, str], ...] = ()
    section: str = ""
    region: str = ""
    landmarks: str = ""
    staff: tuple[str, ...] = _NO * len(STAFF)
    banks: tuple[str, ...] = _NO * len(BANKS)
    lens: tuple[str, ...] = _NO * len(LENS)
    level: str = ""
    zero: str = "0"
    alpha: str = ""
    width: int = 0
    height: int = 0
    clicks: str = "point"
    base: Site = Site()

    @staticmethod
    def of_form(sent: Mapping[str, str], base: Site) -> "Survey":
        """Return the survey that a form sent."""
        points = []
        for i in range(_MOST):
            line = tuple(sent.get(f"{c}{i}", "").strip()[:40] for c in _COLUMNS)
            if any(line):
                points.append((line[0], line[1], line[2], line[3], line[4]))
        said = {k: sent.get(k, "").strip()[:20000] for k in (*_TABLES, "level", "zero", "alpha")}
        size = [int(sent.get(k, "0") or 0) if sent.get(k, "0").isdigit() else 0 for k in ("width", "height")]
        clicks = sent.get("clicks", "")
        return Survey(
            points=tuple(points), **said, width=size[0], height=size[1], base=base,
            staff=_sent(sent, "staff", STAFF), banks=_sent(sent, "bank", BANKS),
            lens=_sent(sent, "lens", LENS) if "lens-focal" in sent else _lens_said(base.lens),
            clicks=clicks if clicks in dict(CLICKS) else "point",
        )  # fmt: skip

    def clicked(self, x: str, y: str) -> "Survey":
        """Return the survey with a clicked pixel where `clicks` says. Raises Problem when the ground under it is asked
        and the points do not give it yet."""
        if self.clicks == "landmark":
            return msgspec.structs.replace(self, landmarks=_with_line(self.landmarks, f"{x}; {y}"))
        if self.clicks == "point":
            return self._with_pixel(x, y)
        east, north = self._ground(x, y)
        if self.clicks == "region":
            return msgspec.structs.replace(self, region=_with_line(self.region, f"{east}; {north}"))
        if self.clicks == "bank":
            first = not all(self.banks[:2])
            banks = (east, north, *self.banks[2:]) if first else (*self.banks[:2], east, north)
            return msgspec.structs.replace(self, banks=banks)
        return msgspec.structs.replace(self, staff=(east, north, *self.staff[2:]))

    def _with_pixel(self, x: str, y: str) -> "Survey":
        points = list(self.points)
        for i, point in enumerate(points):
            if not point[0] and not point[1]:
                points[i] = (x, y, *point[2:])
                break
        else:
            points.append((x, y, "", "", ""))
        return msgspec.structs.replace(self, points=tuple(points))

    def _ground(self, x: str, y: str) -> tuple[str, str]:
        from beffroi.services.water.camera.projection import projection_of  # noqa: PLC0415 -- of the extra [water]

        complete = tuple(line for line in self.points if all(line[:4]))
        site = msgspec.structs.replace(
            self, points=complete, section="", region="", staff=_NO * len(STAFF), banks=_NO * len(BANKS)
        ).site()
        ground = projection_of(site).ground(np.array([(_number(x, "click"), _number(y, "click"))]))[0]
        return f"{ground[0]:.2f}", f"{ground[1]:.2f}"

    def site(self) -> Site:
        """Return the site. Raises Problem at the field that is wrong."""
        points = []
        for i, line in enumerate(self.points):
            px, py, x, y = (_number(line[k], f"{_COLUMNS[k]}{i}") for k in range(4))
            points.append(Point(px, py, x, y, _number(line[4], f"z{i}") if line[4] else None))
        alpha = _number(self.alpha, "alpha") if self.alpha else None
        rows = self._section()
        base = self.base
        same = base.section or Section(())
        return msgspec.structs.replace(
            base, version=base.version + 1 if base.points or base.section else base.version, width=self.width, height=self.height, points=tuple(points), zero=_number(self.zero or "0", "zero"),
            homography=None if points else base.homography,
            level=_number(self.level, "level") if self.level else None,
            section=msgspec.structs.replace(same, points=tuple((r[0], r[1], r[2]) for r in rows)) if rows else None,
            alpha=ALPHA if alpha is None else alpha, alpha_stated=alpha is not None,
            alpha_sigma=base.alpha_sigma if alpha == base.alpha else None,
            region=self._region(), landmarks=self._landmarks(), staff=self._staff(), lens=self._lens(),
        )  # fmt: skip

    def with_table(self, data: bytes) -> "Survey":
        """Return the survey with the section that a CSV file tells: x, y, z, or station and bed (depths below the level
        where the head says so). Raises Problem."""
        text = _decoded(data)
        rows = [parts for _, parts in _lines(text)]
        head = rows[0] if rows and not _is_number(rows[0][0]) else []
        rows = rows[1:] if head else rows
        if not rows:
            raise Problem(
                Text("Ce fichier n'a aucun point de section.", "This file has no point of a section."),
                Text("Une ligne par point : x, y, z ; ou station, altitude du fond.",
                     "A line for each point: x, y, z; or station, altitude of the bed."), "table")  # fmt: skip
        if len(head) == 2 and head[1].lower().startswith(("dep", "prof")):
            top = _number(self.zero or "0", "zero") + _number(self.level, "level")
            rows = [[r[0], _said(top - _number(r[1], "table"))] for r in rows if len(r) == 2]
        return msgspec.structs.replace(self, section="\n".join("; ".join(r) for r in rows))

    def _section(self) -> list[list[float]]:
        """Return x, y, z of each point of the section, those told by stations put between the banks."""
        lines = _lines(self.section)
        if not lines or len(lines[0][1]) != 2:
            mend = Text("Une ligne par point : x; y; z.", "A line for each point: x; y; z.")
            return _table(self.section, "section", 3, mend)
        mend = Text(
            "Une ligne par point : station; altitude du fond.",
            "A line for each point: station; altitude of the bed.",
        )
        table = sorted(_table(self.section, "section", 2, mend))
        if not all(self.banks):
            raise Problem(
                Text("Une section dite par stations demande ses deux rives.", "A section told by stations needs its two banks."),
                Text("Cliquez-les dans l'image ou écrivez leurs coordonnées ; ou donnez x; y; z.",
                     "Click them in the picture or write their coordinates; or give x; y; z."), "bank-x0")  # fmt: skip
        x0, y0, x1, y1 = (_number(v, f"bank-{n}") for v, (n, _) in zip(self.banks, BANKS, strict=True))
        long = math.hypot(x1 - x0, y1 - y0)
        if long < 0.01:
            raise Problem(
                Text("Les deux rives sont au même endroit.", "Both banks are at one place."),
                Text("Donnez un point sur chaque rive.", "Give a point on each bank."), "bank-x1")  # fmt: skip
        start = table[0][0]
        return [
            [x0 + (s - start) * (x1 - x0) / long, y0 + (s - start) * (y1 - y0) / long, z] for s, z in table
        ]

    def _lens(self) -> Lens | None:
        if not any(self.lens):
            return None
        if self.lens == _lens_said(self.base.lens):  # what the form does not show stays
            return self.base.lens
        focal, k1, k2 = (_number(v or "0", f"lens-{n}") for v, (n, _) in zip(self.lens, LENS, strict=True))
        if not 0.2 * (self.width or 1) < focal < 20 * (self.width or math.inf):
            raise Problem(
                Text("Cette focale n'est pas vraisemblable.", "This focal length is not plausible."),
                Text("En pixels : la largeur de l'image, à peu près ; ou laissez-la vide, elle est cherchée.",
                     "In pixels: about the width of the picture; or leave it empty, it is looked for."), "lens-focal")  # fmt: skip
        middle = ((self.width - 1) / 2, (self.height - 1) / 2)
        return Lens(((focal, 0.0, middle[0]), (0.0, focal, middle[1]), (0.0, 0.0, 1.0)), (k1, k2, 0.0, 0.0))

    def _region(self) -> tuple[tuple[float, float], ...]:
        corners = _table(
            self.region, "region", 2, Text("Une ligne par coin : x; y.", "A line for each corner: x; y.")
        )
        if corners and len(corners) < 3:
            raise Problem(
                Text("Une zone a trois coins au moins.", "A region has three corners at least."),
                Text("Ajoutez des coins, ou videz le champ : la zone est alors prise autour de la section.",
                     "Add corners, or empty the field: the region is then taken around the section."), "region")  # fmt: skip
        return tuple((c[0], c[1]) for c in corners)

    def _landmarks(self) -> tuple[Landmark, ...]:
        known = {(mark.px, mark.py): mark.patch for mark in self.base.landmarks}
        found = []
        for n, parts in _lines(self.landmarks):
            if len(parts) < 2:
                raise _columns(n, "landmarks", Text("Une ligne par repère : pixel x; pixel y; nom.", "A line for each landmark: pixel x; pixel y; name."))  # fmt: skip
            px, py = (_number(part, f"landmarks, {n}") for part in parts[:2])
            if not (0 <= px < (self.width or math.inf) and 0 <= py < (self.height or math.inf)):
                raise Problem(
                    Text("Ce repère est hors de l'image.", "This landmark is outside the picture."),
                    Text("Cliquez-le dans l'image.", "Click it in the picture."), f"landmarks, {n}")  # fmt: skip
            found.append(Landmark(px, py, "; ".join(parts[2:])[:80], known.get((px, py), b"")))
        return tuple(found)

    def _staff(self) -> Staff | None:
        if not any(self.staff):
            return None
        said = {
            name: _number(text or _STAFF_USUAL.get(name, ""), f"staff-{name}")
            for (name, _), text in zip(STAFF, self.staff, strict=True)
        }
        if said["top"] - said["bottom"] < 0.1 or not 0.02 <= said["width_m"] <= 2:
            raise Problem(
                Text("Cette échelle n'a pas de hauteur ou de largeur vraisemblable.", "This staff has no plausible height or width."),
                Text("Le haut dépasse le bas d'un décimètre au moins ; une plaque est large de quelques décimètres.",
                     "Its top is a decimetre above its bottom at least; a plate is some decimetres wide."), "staff-top")  # fmt: skip
        return Staff(**{**said, "turn": math.radians(said["turn"])})


def _sent(sent: Mapping[str, str], prefix: str, fields: tuple[tuple[str, Text], ...]) -> tuple[str, ...]:
    return tuple(sent.get(f"{prefix}-{name}", "").strip()[:40] for name, _ in fields)


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")  # what a spreadsheet writes


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


_STAFF_USUAL = {"turn": "0", "width_m": str(STAFF_WIDTH_M), "zero": "0"}


def _with_line(text: str, line: str) -> str:
    return f"{text.rstrip()}\n{line}".lstrip()


def _lines(text: str) -> list[tuple[int, list[str]]]:
    found = []
    for n, line in enumerate((t for t in text.splitlines() if t.strip()), 1):
        parts = line.replace("\t", ";").split(";") if ";" in line or "\t" in line else line.split(",")
        found.append((n, [part.strip() for part in parts]))
    return found


def _table(text: str, name: str, columns: int, mend: Text) -> list[list[float]]:
    rows = []
    for n, parts in _lines(text):
        if len(parts) != columns:
            raise _columns(n, name, mend)
        rows.append([_number(part, f"{name}, {n}") for part in parts])
    return rows


def _columns(line: int, name: str, mend: Text) -> Problem:
    return Problem(
        Text("Cette ligne n'a pas les valeurs attendues.", "This line has not the values expected."), mend, f"{name}, {line}"
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


def site_in(value: dict[str, Any] | None) -> Site:
    """Return the site that a record keeps; an empty one when there is none."""
    try:
        return msgspec.convert(value or {}, Site)
    except msgspec.ValidationError:
        return Site()


def survey_of(value: dict[str, Any] | None) -> Survey:
    """Return the form of a kept site; empty when there is none."""
    site = site_in(value)
    points = tuple(
        (_said(p.px), _said(p.py), _said(p.x), _said(p.y), "" if p.z is None else _said(p.z))
        for p in site.points
    )
    staff = ("",) * len(STAFF)
    if site.staff is not None:
        told = msgspec.structs.replace(site.staff, turn=math.degrees(site.staff.turn))
        staff = tuple(_said(getattr(told, name)) for name, _ in STAFF)
    return Survey(
        points=points, section=_written(site.section.points if site.section else ()), region=_written(site.region),
        landmarks="\n".join("; ".join(filter(None, (_said(m.px), _said(m.py), m.name))) for m in site.landmarks),
        staff=staff, lens=_lens_said(site.lens), level="" if site.level is None else _said(site.level), zero=_said(site.zero),
        alpha=_said(site.alpha) if site.alpha_stated else "", width=site.width, height=site.height, base=site,
    )  # fmt: skip


def _lens_said(lens: Lens | None) -> tuple[str, ...]:
    if lens is None:
        return _NO * len(LENS)
    k1, k2 = (*lens.distortion, 0.0, 0.0)[:2]
    return (f"{lens.matrix[0][0]:.2f}", f"{k1:.5g}", f"{k2:.5g}")


def _written(rows: Iterable[tuple[float, ...]]) -> str:
    return "\n".join("; ".join(_said(v) for v in row) for row in rows)


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
