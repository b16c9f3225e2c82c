"""The Sarelle of the demonstration town: its two stations, thresholds, plan and duty, and agents who handle its floods.

Warnings are opened by the very code of a real town, from the alarms of the replayed history. What is true is kept in the
setting `demo.river`: the storms, and from when until when the river was really above each threshold.
"""

import io
from collections.abc import Callable, Iterator

from PIL import Image, ImageDraw
from sqlalchemy import select

from beffroi.model.instant import DAY_US, HOUR_US, MINUTE_US
from beffroi.model.principal import SYSTEM, Principal
from beffroi.scene import Scene
from beffroi.scene.chance import Chance
from beffroi.scene.plan import wgs84
from beffroi.scene.story import storms
from beffroi.services.water.warning import acting, images
from beffroi.services.water.warning.following import read_bus
from beffroi.services.water.warning.keeping import LIVE, of_warning
from beffroi.store.record import Query, Row
from beffroi.store.record_writer import Writer
from beffroi.store.tables import datastream
from beffroi.town import Town

__all__ = ["TRUTH", "build"]

TRUTH = "demo.river"
EVERY_US = 2 * HOUR_US
PONT, MONTAREL = "sarelle-pont", "sarelle-montarel"
_AGENT = Principal("user:demo-astreinte", "Inès Delmas", "agent")
# Code, name, rank, commune, altitude of the zero, levels jaune, orange, rouge.
_STATIONS = (
    (MONTAREL, "La Sarelle au lavoir de Montarel", 1, 148.20, (0.95, 1.60, 2.30)),
    (PONT, "La Sarelle au Vieux-Pont", 2, 131.45, (1.00, 1.80, 2.60)),
)  # fmt: skip
# Others of the Vieux-Pont: quantity, within (min), hysteresis, levels.
_MORE = (
    ("rise", 60, 0.1, (0.30, 0.60)),
    ("rain", 360, 3.0, (18.0, 35.0)),
    ("upstream", None, 0.15, (1.20, 2.00)),
)
_PLAN = (
    ("jaune", "Surveiller l'échelle du Vieux-Pont toutes les heures", "Astreinte technique", 30),
    ("jaune", "Fermer la voie verte et le parking du quai", "Police municipale", 45),
    ("jaune", "Prévenir le camping et le club de canoë", "Accueil de la mairie", 60),
    ("orange", "Ouvrir le poste de commandement communal", "Directeur des opérations de secours", 30),
    ("orange", "Prévenir les riverains du quai, porte à porte", "Police municipale", 60),
    ("orange", "Poser les batardeaux de la rue des Halles", "Services techniques", 90),
    ("orange", "Ouvrir la salle des fêtes pour l'accueil", "Centre communal d'action sociale", 90),
    ("rouge", "Évacuer le quai et la rue du Moulin", "Directeur des opérations de secours", 20),
    ("rouge", "Couper la circulation du Vieux-Pont", "Police municipale", 15),
)  # fmt: skip
_STEPS = (
    ("jaune", 0, "Astreinte technique"),
    ("jaune", 15, "Élu d'astreinte"),
    ("orange", 0, "Élu d'astreinte"),
    ("rouge", 0, "Maire"),
)
_PEOPLE = {
    "Astreinte technique": ("Inès Delmas", "Karim Roussel"), "Élu d'astreinte": ("Paul Verdier", "Nadia Joly"), "Maire": ("Hélène Carpentier",),
}  # fmt: skip
_SEEN = ("Eau chargée, quelques branches, le pied du mur de quai est mouillé.", "Rien d'anormal sous le pont, l'eau passe bien.",
         "Le camping est prévenu, aucune tente au bord.")  # fmt: skip


def build(town: Town, scene: Scene) -> Iterator[tuple[int, Callable[[], None]]]:
    """Return what happens: stations and plan at the start, then agents who see to the warnings every two hours."""
    acts = _Acting(town, scene)
    yield scene.start_us, lambda: _settle(town, scene)
    for at in range(scene.start_us + EVERY_US, scene.end_us + 1, EVERY_US):
        yield at - 1, lambda at=at: acts.see_to(at)  # type: ignore[misc]


def _settle(town: Town, scene: Scene) -> None:
    """Write stations, thresholds, plan, escalation and duty."""
    with town.store.read() as c:
        found = c.execute(select(datastream.c.key, datastream.c.id)).all()
    numbers = {str(row.key): int(row.id) for row in found}
    communes = {PONT: scene.communes[0].code, MONTAREL: scene.communes[1].code}
    places = {station.key: station.place for station in scene.stations}
    with town.store.records.writer(SYSTEM, "Mise en service") as writer:
        ids: dict[str, int] = {}
        for code, name, rank, zero, levels in _STATIONS:
            values = {
                "code": code, "name": name, "river": "La Sarelle", "position": rank, "level": numbers.get(f"{code}/river_level"),
                "flow": numbers.get(f"{code}/discharge"), "rain": numbers.get("meteo-brevigny/rain"), "upstream": ids.get(MONTAREL),
                "period_min": 10, "zero_m": zero, "phone": "02 48 00 00 18",
            }  # fmt: skip
            point = {"type": "Point", "coordinates": list(wgs84(places[code]))}
            ids[code] = writer.create("river_station", values, point, communes[code]).id
            _levels(writer, ids[code], "level", levels, 0.1, None, 20, communes[code])
        for quantity, within, hysteresis, limits in _MORE:
            _levels(
                writer,
                ids[PONT],
                quantity,
                limits,
                hysteresis,
                within,
                20 if quantity != "rain" else 0,
                communes[PONT],
            )
        for position, (colour, title, function, minutes) in enumerate(_PLAN, 1):
            action = {
                "position": position,
                "colour": colour,
                "title": title,
                "function": function,
                "within_min": minutes,
            }
            writer.create("plan_action", action, None, communes[PONT])
        for position, (colour, after, function) in enumerate(_STEPS, 1):
            step = {"position": position, "colour": colour, "after_min": after, "function": function}
            writer.create("escalation_step", step)
        _duty(writer, scene)
    town.store.set_setting(TRUTH, _truth(scene))
    read_bus(town)


def _levels(
    writer: Writer, station: int, quantity: str, levels: tuple[float, ...], hysteresis: float, within: int | None, hold: int,
    commune: str,
) -> None:  # fmt: skip
    for colour, value in zip(("jaune", "orange", "rouge"), levels, strict=False):
        values = {
            "station": station, "quantity": quantity, "colour": colour, "value": value, "hysteresis": hysteresis, "within_min": within,
            "hold_min": hold, "source": "Plan communal de sauvegarde (inventé, comme la ville)",
        }  # fmt: skip
        writer.create("river_threshold", values, None, commune)


def _duty(writer: Writer, scene: Scene) -> None:
    """Write turns of a week, around the end of the history and for the two weeks after it."""
    monday = scene.end_us - 14 * DAY_US
    for function, people in _PEOPLE.items():
        for week in range(4):
            starts = monday + week * 7 * DAY_US
            person = people[week % len(people)]
            values = {
                "function": function, "person": person, "phone": f"06 00 00 00 {10 + len(person):02d}", "starts": starts,
                "ends": starts + 7 * DAY_US,
            }  # fmt: skip
            writer.create("duty_turn", values)


def _truth(scene: Scene) -> dict[str, object]:
    """Return the storms, and when each station was above each of its levels, from the river without its sensors."""
    value = {series.key: series.value for station in scene.stations for series in station.series}
    above = []
    for code, _, _, _, levels in _STATIONS:
        level = value[f"{code}/river_level"]
        course = [(at, level(at, at)) for at in range(scene.start_us, scene.end_us, 10 * MINUTE_US)]
        for colour, limit in zip(("jaune", "orange", "rouge"), levels, strict=True):
            above += [
                {"station": code, "colour": colour, "start_us": a, "end_us": b}
                for a, b in _excursions(course, limit)
            ]
    rain = [{"start_us": s.start_us, "end_us": s.end_us, "mm": s.total_mm} for s in storms(scene.end_us)]
    return {"storms": rain, "above": above}


def _excursions(
    course: list[tuple[int, float]], limit: float, hysteresis: float = 0.1
) -> Iterator[tuple[int, int | None]]:
    start: int | None = None
    for at, level in course:
        if start is None and level > limit:
            start = at
        elif start is not None and level < limit - hysteresis:
            yield start, at
            start = None
    if start is not None:
        yield start, None


class _Acting:
    """Agents of the invented town: they confirm, tick, write, and end what is over."""

    def __init__(self, town: Town, scene: Scene) -> None:
        self.town = town
        self.scene = scene
        self.draw = Chance(scene.seed, "astreinte")

    def see_to(self, now_us: int) -> None:
        """Read what rang, then see to the open warnings."""
        read_bus(self.town)
        live = self.town.store.records.find(
            "river_warning", Query(where={"state": list(LIVE)}, limit=50)
        ).rows
        for row in live:
            if row.values["state"] == "proposed":
                self._confirm(row, now_us)
            elif row.values["auto"] == "vert":
                acting.end(self._at(now_us), _AGENT, row.id, text="L'eau est rentrée dans son lit.")
            else:
                self._tick(row, now_us)
        if now_us >= self.scene.end_us:
            self._picture()

    def _at(self, now_us: int) -> Town:
        """Return the town as it was at an instant, before the moment that is being told."""
        return Town(self.town.settings, self.town.store, self.town.registry, lambda: now_us)

    def _confirm(self, row: Row, now_us: int) -> None:
        rung = [
            e.values["at"]
            for e in of_warning(self.town, "warning_entry", row.id, "at")
            if e.values["kind"] == "system"
        ]
        began = max(rung)
        at = min(now_us, began + int(self.draw.between(4, 14, row.id, 2)) * MINUTE_US)
        acting.confirm(self._at(at), _AGENT, row.id, colour=row.values["colour"])
        seen = _SEEN[int(self.draw.unit(row.id, 3) * len(_SEEN)) % len(_SEEN)]
        acting.write_entry(self._at(min(now_us, at + 9 * MINUTE_US)), _AGENT, row.id, "observation", seen)

    def _tick(self, row: Row, now_us: int) -> None:
        for task in of_warning(self.town, "warning_task", row.id, "_id"):
            if task.values["state"] == "todo" and self.draw.unit(task.id, 4) < 0.6:
                at = min(
                    now_us,
                    max(
                        row.values["confirmed_at"],
                        now_us - EVERY_US + int(self.draw.between(5, 70, task.id, 5)) * MINUTE_US,
                    ),
                )
                acting.settle_task(self._at(at), _AGENT, row.id, task.id, "done")

    def _picture(self) -> None:
        """Keep a drawn picture of the bridge at the last level of the history."""
        stations = self.town.store.records.find("river_station", Query(where={"code": PONT}, limit=1)).rows
        number = stations[0].values["level"] if stations else None
        last = self.town.store.observations.last([number]).get(number) if number else None
        if last is not None and last.result.value is not None:
            data = drawn(last.result.value)
            images.keep(
                self.town,
                SYSTEM,
                stations[0],
                data,
                self.scene.end_us - 6 * MINUTE_US,
                "camera-vieux-pont",
                "Le Vieux-Pont, vu du quai (image dessinée)",
            )


def drawn(level_m: float) -> bytes:
    """Return a picture of the Vieux-Pont with the water at a level, as PNG."""
    picture = Image.new("RGB", (640, 400), "#8fa3b0")
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 0, 640, 150), fill="#c3cdd4")
    pen.polygon(((0, 150), (180, 120), (420, 140), (640, 110), (640, 200), (0, 200)), fill="#66745a")
    pen.rectangle((0, 170, 640, 215), fill="#9b9082")
    for left in (40, 250, 460):
        pen.pieslice((left, 200, left + 150, 460), 180, 360, fill="#3c3a36")
    pen.rectangle((0, 215, 640, 228), fill="#857b6e")
    water = 380 - round(level_m * 55)
    pen.rectangle((0, water, 640, 400), fill="#6d6a50")
    for line in range(water + 6, 400, 14):
        pen.line((0, line, 640, line - 4), fill="#7d7a60", width=2)
    pen.rectangle((596, 210, 616, 400), fill="#f2f2ee")
    for step in range(36):
        y = 380 - round(step * 5.5)
        pen.line((596, y, 616 if step % 10 == 0 else 606, y), fill="#b91c28", width=1)
    pen.rectangle((590, water, 622, 400), fill="#6d6a50")
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()
