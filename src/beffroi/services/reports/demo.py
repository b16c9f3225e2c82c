"""Reports of the demonstration town: residents who tell unequally, and the truth about it.

In each area things break at the same pace for each inhabitant; what differs is how soon someone tells. The true rates,
and how many problems nobody told, are kept in the setting `demo.reports` so that what the town infers can be checked.
"""

import io
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from shapely.geometry import MultiPoint, Point, Polygon
from shapely.ops import voronoi_diagram

from beffroi.model.instant import DAY_US, HOUR_US, SECOND_US
from beffroi.model.principal import SYSTEM, Principal
from beffroi.scene import Scene
from beffroi.scene.chance import Chance
from beffroi.scene.plan import Commune, Street, wgs84
from beffroi.services.reports.photos.cut import cut
from beffroi.services.reports.preparing import prepare_waiting
from beffroi.services.reports.rate.incidents import Incident
from beffroi.services.reports.starter import write_starter
from beffroi.services.reports.submission import CITIZEN, add_photos, keep, number_for, stage
from beffroi.services.reports.where import near_assets
from beffroi.store.record import Query
from beffroi.store.record_writer import Writer
from beffroi.town import Town

__all__ = ["TRUTH", "Problem", "build", "problems_of", "true_rates"]

TRUTH = "demo.reports"
_AGENT = Principal("user:demo-technique", "Bruno Marchand", "agent", ("18901",))
_DAYS = 90
# Name, direction of the centre from the town's, inhabitants, reports a day of one problem that is there.
_AREAS = (
    ("Centre", 0.0, 0.0, 2900, 0.45), ("Les Coteaux", 0.3, 0.6, 2100, 0.20), ("La Gare", 0.65, -0.1, 1700, 0.08),
    ("Le Faubourg", -0.6, 0.2, 1500, 0.04), ("Les Tilleuls", -0.1, -0.65, 2300, 0.02),
)  # fmt: skip
_VILLAGE_RATE = 0.03
_PROBLEMS_PER_THOUSAND = 24.0  # in each area, over the whole time
# Category, weight, how much sooner it is told, days that it stays, what people write.
_KINDS: tuple[tuple[str, float, float, float, tuple[str, ...]], ...] = (
    ("depot", 5, 1.3, 9, ("Un matelas et des sacs devant le numéro {n}", "Encore des gravats contre le mur", "Des cartons et un vieux frigo")),
    ("trou", 4, 1.0, 22, ("Un trou profond à hauteur du {n}", "La chaussée s'affaisse, c'est dangereux à vélo", "Nid de poule après la pluie")),
    ("lampadaire", 4, 1.1, 12, ("Il fait nuit noire devant le {n}", "Le lampadaire clignote toute la nuit", "Éteint depuis lundi")),
    ("poubelle", 3, 1.2, 5, ("La poubelle déborde", "Corbeille arrachée", "Conteneur plein, les sacs sont par terre")),
    ("trottoir", 3, 0.8, 25, ("Dalle cassée, une dame est tombée", "Impossible de passer avec une poussette", "Bordure déchaussée au {n}")),
    ("arbre", 2, 0.9, 14, ("Une grosse branche menace de tomber", "La haie prend tout le trottoir")),
    ("mobilier", 2, 0.7, 28, ("Banc cassé", "La barrière est tordue depuis l'accident", "Vitre de l'abribus brisée")),
    ("panneau", 2, 0.9, 10, ("Le panneau stop est tombé", "Passage piéton effacé", "Feu toujours rouge")),
    ("tag", 2, 0.6, 20, ("Tag sur le mur de l'école", "Affiches collées partout")),
    ("jeux", 1, 1.0, 18, ("Le toboggan est fendu", "Vis qui dépasse sur la balançoire")),
    ("nuisibles", 1, 0.9, 15, ("Des rats près des poubelles", "Nid de frelons dans la haie")),
    ("vehicule", 1, 0.9, 16, ("Épave sans roues depuis un mois", "Camionnette sur la piste cyclable")),
)  # fmt: skip
_ENDS = (
    ("repaired", 72),
    ("already_done", 8),
    ("not_found", 7),
    ("not_ours", 7),
    ("refused", 4),
    ("unable", 2),
)
_REPLIES = {
    "repaired": "C'est réparé. Merci de nous l'avoir dit.", "already_done": "Nos agents l'avaient déjà fait en passant.",
    "not_found": "Nous sommes passés deux fois sans rien trouver. Rouvrez si c'est toujours là, avec une photo.",
    "not_ours": "Cette voie est départementale : nous avons transmis au Département.", "refused": "La commune a choisi de ne pas le faire cette année.",
    "unable": "La pièce n'existe plus : l'équipement sera remplacé au budget prochain.",
}  # fmt: skip


_ASSETS = {"lampadaire": "lamp", "poubelle": "bin"}
_WORDS = {code: words for code, *_, words in _KINDS}
_SOONER = {code: sooner for code, _, sooner, _, _ in _KINDS}


class Problem(msgspec.Struct, frozen=True):
    """Something wrong in the street. `times` (µs) and `by` are when it was told and by whom, none when nobody did;
    `taken` is when the town hall took it on, None when it has not yet; `gone` is when it was no more, or the end."""

    number: int
    code: str
    gone: int
    times: tuple[int, ...]
    by: tuple[str, ...]
    taken: int | None


class _Told(msgspec.Struct, frozen=True):
    """What people tell of one problem."""

    number: int
    code: str
    area: str
    commune: Commune
    at: list[object]
    place: str
    text: str


def problems_of(draw: Chance, before: int, people: int, rate: float, end: int) -> list[Problem]:
    """Return the problems of one area over the whole time, numbered after `before`: each comes up at any moment, is told
    by a Poisson process of `rate` a day (times what its category is told sooner) while it is there, and no longer."""
    count = round(people / 1000 * _PROBLEMS_PER_THOUSAND)
    return [_problem(draw, n, rate, end) for n in range(before + 1, before + count + 1)]


def _problem(draw: Chance, n: int, rate: float, end: int) -> Problem:
    code, _, sooner, stays, _ = _KINDS[draw.pick(n, tuple(k[1] for k in _KINDS))]
    born = end - int(draw.between(0.3, _DAYS, n, 1) * DAY_US)
    gone = min(born + int(stays * draw.between(0.8, 2.4, n, 2) * DAY_US), end)
    times: list[int] = []
    at, k = float(born), 0
    while (at := at - math.log(1.0 - draw.unit(n, 1000 + k)) / (rate * sooner) * DAY_US) < gone:
        times.append(int(at) // SECOND_US * SECOND_US)
        k += 1
    by = tuple(f"demo{int(draw.unit(n, 5000 + k) * 40_000):05d}" for k in range(len(times)))
    return Problem(n, code, gone, tuple(times), by, _taken(draw, n, times[0], gone, end) if times else None)


def _taken(draw: Chance, n: int, told: int, gone: int, end: int) -> int | None:
    """Return when the town hall takes a problem on: within eight days, and while it is still there."""
    taken = told + int(draw.between(0.3, 8.0, n, 9) * DAY_US)
    if taken >= gone and gone < end:
        taken = told + int((gone - told) * draw.unit(n, 15))
    return taken if taken < end else None


def true_rates(truth: Mapping[str, Any], watched: Iterable[Incident]) -> dict[str, float]:
    """Return the rate (reports a day) that the incidents watched in each area truly had, from the setting `TRUTH`: the
    area's own, times that of the categories it was watched for."""
    rates = {one["area"]: one["rate_per_day"] for one in truth["areas"]}
    days: dict[str, float] = defaultdict(float)
    weighed: dict[str, float] = defaultdict(float)
    for incident in watched:
        days[incident.area] += incident.days
        weighed[incident.area] += incident.days * truth["categories"].get(incident.category, 1.0)
    return {area: rates[area] * weighed[area] / days[area] for area in days if area in rates}


def build(town: Town, scene: Scene) -> Iterator[tuple[int, Any]]:
    """Write categories, areas and the reports of the last months; nothing happens later by itself."""
    with town.store.records.writer(SYSTEM, "Mise en service") as writer:
        categories = write_starter(writer)
        _contacts(town, writer, scene)
        areas, centre = _areas(writer, scene)
        _routes(writer, scene, centre)
    telling = _Telling(town, scene, categories)
    with town.store.records.writer(CITIZEN, "Signalement") as writer:
        truth = [telling.area(writer, *area) for area in areas]
    town.store.set_setting(TRUTH, {"days": _DAYS, "areas": truth, "categories": _SOONER})
    prepare_waiting(town, blur=False)  # drawings, with nobody on them: looking for faces is half of the build
    return iter(())


def _contacts(town: Town, writer: Writer, scene: Scene) -> None:
    """Give the town hall what a legal receipt must say (CRPA, art. R112-11-1): numbers kept for fiction (ARCEP)."""
    hall = town.store.records.find(
        "report_department", Query(where={"code": "mairie"}), c=writer.connection
    ).rows[0]
    said = {
        "address": f"1 place de la Mairie, {scene.communes[0].name}",
        "phone": "02 61 91 00 00",
        "mail": "mairie@brevigny.example",
    }
    writer.change("report_department", hall.id, said)


Area = tuple[str, Commune, Polygon, int, float]


def _areas(writer: Writer, scene: Scene) -> tuple[list[Area], int]:
    """Cut the town in five by the nearest centre; the village is one. Return them, and the record of the first."""
    commune, village = scene.communes[0], scene.communes[1]
    x, y = commune.centre
    reach = (commune.limits.area / 3.14159) ** 0.5 * 0.75
    centres = [Point(x + e * reach, y + n * reach) for _, e, n, _, _ in _AREAS]
    cells = list(voronoi_diagram(MultiPoint(centres), envelope=commune.limits.buffer(2000)).geoms)
    found: list[Area] = []
    for (name, _, _, people, rate), centre in zip(_AREAS, centres, strict=True):
        cell = next(c for c in cells if c.covers(centre)).intersection(commune.limits)
        found.append(
            (
                name,
                commune,
                cell if cell.geom_type == "Polygon" else max(cell.geoms, key=lambda g: g.area),
                people,
                rate,
            )
        )
    found.append((village.name, village, village.limits, village.inhabitants, _VILLAGE_RATE))
    made = []
    for n, (name, of, shape, people, _) in enumerate(found, 1):
        geometry = {"type": "Polygon", "coordinates": wgs84(shape)}
        values = {"code": f"q{n}", "name": name, "population": people}
        made.append(writer.create("report_area", values, geometry, of.code).id)
    return found, made[0]


def _routes(writer: Writer, scene: Scene, centre: int) -> None:
    """Write a routing table as it is after some years: exceptions, a place that is another's, and a line that nothing
    reaches any more, which its page says."""
    commune = scene.communes[0]
    bank = scene.plan.river.buffer(40).intersection(commune.limits)
    bank = bank if bank.geom_type == "Polygon" else max(bank.geoms, key=lambda part: part.area)
    lines: tuple[dict[str, Any], ...] = (
        {"name": "Trou dangereux à vélo", "categories": "trou", "answers": "danger = oui", "priority": "high", "deadline_days": 2},
        {"name": "Dépôts du Centre", "categories": "depot", "area": centre, "priority": "high", "deadline_days": 1},
        {"name": "Arbres des berges", "categories": "arbre", "river": True,
         "contact": "Les berges et leurs arbres sont au syndicat de la Sarelle : 02 61 91 00 10.",
         "contact_en": "The banks and their trees belong to the river board: 02 61 91 00 10."},
        {"name": "Matelas du Centre (consigne d'avant)", "categories": "depot", "area": centre, "deadline_days": 5},
    )  # fmt: skip
    for position, line in enumerate(lines, 1):
        values = {k: v for k, v in line.items() if k != "river"}
        drawn = {"type": "Polygon", "coordinates": wgs84(bank)} if line.get("river") else None
        writer.create("report_route", {**values, "position": position}, drawn, commune.code)


class _Telling:
    """Who tells what, when; all from the scene's seed."""

    def __init__(self, town: Town, scene: Scene, categories: dict[str, int]) -> None:
        self.town = town
        self.end = scene.end_us
        self.draw = Chance(scene.seed, "reports")
        self.categories = categories
        self.departments = {c.id: c.values["department"] for c in town.store.records.all("report_category")}
        self.streets = [s for s in scene.plan.streets if s.axis.length > 40]
        self.number = 0
        self.drawn = 0

    def area(
        self, writer: Writer, name: str, commune: Commune, shape: Polygon, people: int, rate: float
    ) -> dict[str, Any]:
        """Let problems come up in one area, and residents tell some of them; return the truth."""
        streets = [
            s for s in self.streets if s.commune == commune.code and shape.intersects(s.axis)
        ] or self.streets
        problems = problems_of(self.draw, self.number, people, rate, self.end)
        self.number += len(problems)
        for one in problems:
            if one.times:
                self._tell(writer, one, name, commune, shape, streets)
        return {
            "area": name,
            "rate_per_day": rate,
            "problems": len(problems),
            "told": sum(bool(one.times) for one in problems),
            "told_again": sum(max(0, len(one.times) - 1) for one in problems),
            "inhabitants": people,
        }

    def _tell(
        self, writer: Writer, one: Problem, area: str, commune: Commune, shape: Polygon, streets: list[Street]
    ) -> None:
        """Let a problem be told, told again by others, taken on and closed."""
        n, draw = one.number, self.draw
        street = streets[draw.pick(n, tuple(s.axis.length for s in streets), 3)]
        at = self._point(n, street, shape)
        house = 1 + int(draw.unit(n, 5) * 80)
        words = _WORDS[one.code]
        text = words[int(draw.unit(n, 6) * len(words))].format(n=house)
        told = _Told(n, one.code, area, commune, at, f"{house} {street.name}", text)
        report = self._report(writer, told, one.times[0], one.by[0])
        for k, (when, by) in enumerate(zip(one.times[1:], one.by[1:], strict=True)):
            self._told_again(writer, report, told, when, by, k)
        self._life(writer, report, commune, one)

    def _point(self, n: int, street: Street, shape: Polygon) -> list[object]:
        part = street.axis.intersection(shape)
        axis = part if not part.is_empty and part.length > 5 else street.axis
        at = axis.interpolate(self.draw.between(0.05, 0.95, n, 4), normalized=True)
        return wgs84((at.x, at.y))

    def _report(self, writer: Writer, told: "_Told", when: int, by: str, **more: Any) -> int:
        n, category = told.number, self.categories[told.code]
        self.drawn += 1
        channel = ("web", "web", "web", "qr", "phone", "counter")[int(self.draw.unit(n, 7) * 6)]
        waiting = told.code in ("tag", "vehicule") and when > self.end - 2 * DAY_US
        values = {
            "number": number_for(self.town, writer.connection, when), "category": category, "description": told.text, "place": told.place, "area": told.area,
            "requested": when, "channel": channel, "department": self.departments[category], "moderation": "waiting" if waiting else "accepted",
            "shown": not waiting, "reporter": by, "due": when + 10 * DAY_US,
            "asset": self._asset(told) if channel in ("web", "qr") else None, **more,
        }  # fmt: skip
        point = {"type": "Point", "coordinates": told.at}
        row = writer.create("service_request", values, point, told.commune.code)
        if self.drawn % 9 == 1 and not more:
            photo = cut(draw_photo(self.draw, n, told.code))
            add_photos(
                writer,
                row.id,
                keep(self.town, writer, stage(self.town, [photo])),
                territory=told.commune.code,
            )
        return row.id

    def _asset(self, told: "_Told") -> str | None:
        """Return the lamp or bin that a resident pointed at: the nearest."""
        x, y = (float(str(one)) for one in told.at[:2])
        near = near_assets(self.town, _ASSETS.get(told.code, ""), (x, y))
        return near[0].name if near else None

    def _told_again(self, writer: Writer, report: int, told: "_Told", when: int, by: str, k: int) -> None:
        """Someone else tells: most press "me too", some send their own, which an agent then merges."""
        if self.draw.unit(told.number, 300 + k) < 0.22:
            again = msgspec.structs.replace(told, text=f"{told.text} (toujours là)")
            self._report(writer, again, when, by, duplicate_of=report, state="closed", reason="duplicate",
                         closed=min(when + 20 * HOUR_US, self.end))  # fmt: skip
            return
        values = {
            "request": report,
            "kind": "me_too",
            "at": when,
            "actor": "neighbour",
            "reporter": by,
            "shown": True,
        }
        writer.create("report_update", values, None, told.commune.code)
        row = self.town.store.records.get("service_request", report, c=writer.connection)
        writer.change("service_request", report, {"me_too": int(row.values["me_too"]) + 1})

    def _life(self, writer: Writer, report: int, commune: Commune, one: Problem) -> None:
        """Let the town hall take it on and, when the problem is gone, close it for the true reason."""
        n, draw, gone, taken = one.number, self.draw, one.gone, one.taken
        if taken is None:
            return
        state: dict[str, Any] = {"state": "in_progress", "first_answered": taken}
        self._step(
            writer, report, commune, "take", "received", "in_progress", taken, "Nous nous en occupons."
        )
        if gone < self.end:
            reason = _ENDS[draw.pick(n, tuple(float(w) for _, w in _ENDS), 10)][0]
            state = {**state, "state": "closed", "closed": gone, "reason": reason}
            self._step(
                writer, report, commune, "close", "in_progress", "closed", gone, _REPLIES[reason], reason
            )
            if draw.unit(n, 11) < 0.3:
                state["satisfied"] = reason in ("repaired", "already_done") and draw.unit(n, 12) < 0.9
        elif draw.unit(n, 13) < 0.3:
            planned = self.end + int(draw.between(1, 9, n, 14)) * DAY_US
            state = {**state, "state": "scheduled", "scheduled": planned}
            self._step(
                writer,
                report,
                commune,
                "schedule",
                "in_progress",
                "scheduled",
                min(taken + DAY_US, self.end),
                "Le passage est prévu.",
            )
        writer.change("service_request", report, state)

    def _step(
        self, writer: Writer, report: int, commune: Commune, action: str, before: str, after: str, at: int, text: str,
        reason: str | None = None,
    ) -> None:  # fmt: skip
        values = {"request": report, "kind": "state", "action": action, "at": at, "actor": "agent", "from_state": before, "state": after,
                  "text": text, "reason": reason, "shown": True}  # fmt: skip
        writer.create("report_update", values, None, commune.code)


# --- Photos, drawn: a street under the sky, with what is wrong in front.

_SKIES, _WALLS = ("#b8cbd9", "#d9d4c7", "#a9bccb"), ("#cbb89d", "#b9a68c", "#d8cbb5", "#a99a8a")
_WRONG = {
    "depot": "#7a6a55", "trou": "#2f2c29", "lampadaire": "#3b3f45", "poubelle": "#2f5d3a", "trottoir": "#6f6b66", "arbre": "#3f5b2e",
    "mobilier": "#7b4a2a", "panneau": "#b3202a", "tag": "#6a2c91", "jeux": "#d08a1d", "nuisibles": "#59524a", "vehicule": "#8c939b",
}  # fmt: skip


def draw_photo(draw: Chance, n: int, code: str) -> bytes:
    """Return a drawn photo (JPEG) of a problem of this kind."""
    from PIL import Image, ImageDraw  # noqa: PLC0415 -- only the demonstration draws

    width, height = 640, 480
    image = Image.new("RGB", (width, height), _SKIES[int(draw.unit(n, 500) * 3)])
    pen = ImageDraw.Draw(image)
    x, k = 0, 0
    while x < width:
        wide, high = int(draw.between(90, 190, n, 510 + k)), int(draw.between(120, 250, n, 530 + k))
        pen.rectangle((x, 300 - high, x + wide, 320), fill=_WALLS[int(draw.unit(n, 550 + k) * 4)])
        for row in range(300 - high + 20, 280, 60):
            for column in range(x + 18, x + wide - 30, 48):
                pen.rectangle((column, row, column + 22, row + 34), fill="#5d6a73")
        x, k = x + wide, k + 1
    pen.rectangle((0, 320, width, 360), fill="#a7a29a")
    pen.rectangle((0, 360, width, height), fill="#5a5855")
    middle, colour = int(draw.between(180, 460, n, 570)), _WRONG.get(code, "#444444")
    _WRONG_SHAPES.get(code, _heap)(pen, middle, colour)
    held = io.BytesIO()
    image.save(held, "JPEG", quality=84)
    return held.getvalue()


def _heap(pen: Any, x: int, colour: str) -> None:
    for dx, dy, w, h in ((-90, -50, 110, 60), (-20, -80, 90, 90), (50, -40, 80, 50)):
        pen.rectangle((x + dx, 370 + dy, x + dx + w, 370 + dy + h), fill=colour, outline="#222222")


def _hole(pen: Any, x: int, colour: str) -> None:
    pen.ellipse((x - 110, 385, x + 110, 455), fill=colour)
    pen.ellipse((x - 70, 400, x + 60, 445), fill="#171513")


def _post(pen: Any, x: int, colour: str) -> None:
    pen.rectangle((x - 5, 90, x + 5, 350), fill=colour)
    pen.rectangle((x - 5, 90, x + 60, 98), fill=colour)
    pen.ellipse((x + 40, 94, x + 76, 116), fill="#22252a")


def _sign(pen: Any, x: int, colour: str) -> None:
    pen.line((x, 350, x + 60, 180), fill="#777777", width=8)
    pen.ellipse((x + 25, 120, x + 105, 200), fill=colour)


def _tree(pen: Any, x: int, colour: str) -> None:
    pen.rectangle((x - 14, 200, x + 14, 350), fill="#5a4632")
    pen.ellipse((x - 110, 80, x + 110, 240), fill=colour)
    pen.line((x, 260, x + 150, 370), fill="#5a4632", width=14)


_WRONG_SHAPES: dict[str, Any] = {
    "trou": _hole,
    "trottoir": _hole,
    "lampadaire": _post,
    "panneau": _sign,
    "arbre": _tree,
}
