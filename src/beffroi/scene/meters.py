"""Devices on what the town owns: fill of bins, power of cabinets, meters and classrooms of public buildings."""

import math
from collections.abc import Iterator

from beffroi.model.instant import DAY_US, HOUR_US, MINUTE_US
from beffroi.scene.assets import Assets, Bin, Cabinet
from beffroi.scene.chance import Chance
from beffroi.scene.civil import moment, school_day, sun_elevation
from beffroi.scene.plan import Building
from beffroi.scene.series import Station
from beffroi.scene.stations import TOWN, Builder
from beffroi.scene.story import (
    DAY_BURNER,
    DEAD_LAMP,
    LEAK,
    POWER_CUT,
    STUCK_ON,
    WRONG_CLOCK,
    lit_all_night_until,
    newly_cut,
)
from beffroi.scene.weather import Weather

__all__ = ["equipment_stations", "slug"]

_SKY_US = 10 * MINUTE_US  # indoors and at dusk the sky of the last ten minutes is near enough
_LETTERS = str.maketrans("àâäéèêëîïôöùûüç", "aaaeeeeiioouuuc", "'’")


def slug(name: str) -> str:
    """Return a name as a key: lower case, no accents, hyphens."""
    return name.lower().translate(_LETTERS).replace(" ", "-").replace("d-epuration", "depuration")


def equipment_stations(build: Builder, assets: Assets, sky: Weather, end_us: int) -> Iterator[Station]:
    """Yield the devices that the equipment service watches."""
    for bin_ in assets.bins:
        if bin_.sensor:
            yield _fill(build, bin_, end_us)
    late = newly_cut(assets.cabinets, build.faults)
    for cabinet in assets.cabinets:
        lamps = [x.power_w for x in assets.lamps if x.cabinet == cabinet.code]
        cut_from = lit_all_night_until(end_us) if cabinet.code in late else 0
        yield _power(build, cabinet, lamps, sky, cut_from)
    for building in assets.buildings:
        if building.use in _BASE:
            yield _meters(build, building, sky)
    yield from _classrooms(build, assets, sky, end_us)


def _fill(build: Builder, item: Bin, end_us: int) -> Station:
    draw = Chance(build.seed, item.code)
    slope = 100.0 / (item.days_to_fill * DAY_US)

    def fill(_: int, t: int) -> float:
        day, weekday, hour, _holiday = moment(t)
        since = (weekday - item.weekday) % 7
        if since == 0 and hour < 9.2:
            since = 7
        week = day - since
        # the lorry misses a round now and then: what was there stays
        left = 55.0 if draw.unit(week, 3) < 0.06 else 4.0
        passed = since * DAY_US + int((hour - 9.2) * HOUR_US)
        return (
            left + passed * slope * draw.between(0.75, 1.35, week, 4) + 1.2 * draw.normal(t // MINUTE_US, 5)
        )

    return Station(
        item.code, f"Niveau de remplissage {item.code}", f"Sonde à ultrasons du conteneur {item.code} ({item.stream})", "equipment",
        item.commune, item.place, "Sonde à ultrasons LoRaWAN",
        (
            build(item.code, "fill_level", 120, fill, decimals=0, low=0.0, high=100.0, lost=0.03),
            build.battery(item.code, draw.between(18, 96, 1), draw.between(0.03, 0.09, 2), end_us),
        ),
        asset=("bin", item.code), category="conteneur",
    )  # fmt: skip


def _power(build: Builder, cabinet: Cabinet, lamps: list[int], sky: Weather, cut_from: int) -> Station:
    draw = Chance(build.seed, cabinet.code)
    series = f"{cabinet.code}/active_power"
    told = next((f for f in build.faults if f.series == series and f.kind == "event"), None)
    watts, one = sum(lamps), sorted(lamps)[len(lamps) // 2] if lamps else 0

    def power(_: int, t: int) -> float:
        wrong = series if told is not None and told.active(t) else ""
        amount = 0.0 if told is None else told.amount
        if wrong == POWER_CUT:
            return 0.0
        clock = t - int(amount * HOUR_US) if wrong == WRONG_CLOCK else t
        hour = moment(clock)[2]
        dark = sun_elevation(clock) < -0.03 - 0.05 * (0.5 - sky.cloud(t // _SKY_US * _SKY_US))
        # most streets go dark between 23:30 and 5:30, the main road does not
        out = cabinet.astronomical_clock and clock >= cut_from and (hour >= 23.5 or hour < 5.5)
        burning = wrong == STUCK_ON or (dark and not out)
        lit = (watts - (amount * one if wrong == DEAD_LAMP else 0.0)) * 1.09 if burning else 0.0
        if wrong == DAY_BURNER and not burning:
            lit = amount * one * 1.09
        return (lit * (1 + 0.012 * draw.normal(t // MINUTE_US, 1)) + 6.0) / 1000.0

    return Station(
        cabinet.code, f"Armoire d'éclairage {cabinet.code}", f"Puissance appelée par l'armoire {cabinet.code}, {cabinet.street}",
        "lighting", cabinet.commune, cabinet.place, "Compteur communicant d'armoire",
        (build(cabinet.code, "active_power", 15, power, decimals=3, low=0.0),), asset=("cabinet", cabinet.code), category="éclairage",
    )  # fmt: skip


# Use of a public building: electricity by night and by day (kW), water a day (m³), kW per degree under 17 °C.
_BASE: dict[str, tuple[float, float, float, float]] = {
    "mairie": (1.4, 9.0, 1.6, 0.25), "école": (0.9, 8.5, 4.2, 0.3), "collège": (3.2, 24.0, 9.5, 0.5),
    "sport": (2.2, 12.0, 6.0, 0.6), "culture": (0.7, 5.5, 0.8, 0.4), "technique": (2.8, 11.0, 3.4, 0.2),
}  # fmt: skip


def _busy(building: Building, t: int) -> float:
    day, weekday, hour, holiday = moment(t)
    if building.use in ("école", "collège"):
        open_today, first, last = school_day(day, weekday, holiday), 7.5, 18.5
    elif building.use in ("sport", "culture"):
        open_today, first, last = not holiday, 9.0, 22.0
    else:
        open_today, first, last = weekday < 5 and not holiday, 7.5, 18.0
    if not open_today:
        return 0.05
    rise = 1 / (1 + math.exp(-(hour - first) * 3))
    fall = 1 / (1 + math.exp((hour - last) * 3))
    return max(0.05, rise * fall)


def _meters(build: Builder, building: Building, sky: Weather) -> Station:
    key = slug(building.name)
    night, day, water, heat = _BASE[building.use]
    draw = Chance(build.seed, key)
    size = (
        6.0 if "Piscine" in building.name else 0.35 if "Montarel" in building.name else 1.0
    ) * draw.between(0.85, 1.2, 1)
    leak = next((f for f in build.faults if f.series == LEAK == f"{key}/water_volume"), None)

    def energy(a: int, b: int) -> float:
        middle = (a + b) // 2
        warm = heat * max(0.0, 17.0 - sky.temperature(middle)) * (0.4 + 0.6 * _busy(building, middle))
        return (
            size
            * (night + day * _busy(building, middle) + warm)
            * (b - a)
            / HOUR_US
            * (1 + 0.05 * draw.normal(a // MINUTE_US, 2))
        )

    def volume(a: int, b: int) -> float:
        litres = (
            draw.poisson(
                size * water * 1000 / 11 * (_busy(building, (a + b) // 2) - 0.045) / 9.0, a // MINUTE_US, 3
            )
            * 9.0
        )
        lost = leak.amount if leak is not None and leak.active(b) else 0.0
        return litres / 1000.0 + lost * (b - a) / HOUR_US

    return Station(
        key, f"Compteurs, {building.name}", "Électricité et eau, télérelevées chaque heure", "equipment", building.commune,
        (building.footprint.centroid.x, building.footprint.centroid.y), "Compteurs télérelevés",
        (
            build(key, "active_energy", 60, energy, decimals=2, interval=True, low=0.0),
            build(key, "water_volume", 60, volume, decimals=3, interval=True, low=0.0),
        ),
        asset=("building", key), category="bâtiment",
    )  # fmt: skip


def _classrooms(build: Builder, assets: Assets, sky: Weather, end_us: int) -> Iterator[Station]:
    school = next(b for b in assets.buildings if b.name == "École Jules-Ferry")
    for number in range(1, 6):
        key = f"salle-{number:02d}"
        draw = Chance(build.seed, key)
        airing = draw.between(0.8, 1.7, 1)

        def crowd(t: int) -> float:
            day, weekday, hour, holiday = moment(t)
            inside = 8.5 <= hour < 11.75 or 13.5 <= hour < 16.5
            return 1.0 if inside and school_day(day, weekday, holiday) and not 10.0 <= hour < 10.3 else 0.0

        def co2(_: int, t: int, airing: float = airing, draw: Chance = draw) -> float:
            built = sum(crowd(t - k * 12 * MINUTE_US) * math.exp(-k * 0.2 * airing) for k in range(16))
            return (
                425.0
                + 235.0 * built * (1 + 0.15 * draw.smooth(t, 3 * HOUR_US, 2))
                + 12.0 * draw.normal(t // MINUTE_US, 3)
            )

        def temperature(_: int, t: int) -> float:
            hour = moment(t)[2]
            return (
                18.2
                + 1.8 * crowd(t)
                + 0.9 * math.sin((hour - 9) / 24 * 2 * math.pi)
                + 0.06 * (sky.temperature(t // _SKY_US * _SKY_US) - 10)
            )

        def humidity(_: int, t: int) -> float:
            return 44.0 + 7.0 * crowd(t) + 0.12 * (sky.humidity(t // _SKY_US * _SKY_US) - 75)

        yield Station(
            key, f"Air intérieur, École Jules-Ferry, salle {number}", "Qualité de l'air de la classe (décret n° 2022-1689)",
            "equipment", TOWN, (school.footprint.centroid.x + 9.0 * (number - 3), school.footprint.centroid.y),
            "Sonde CO₂ LoRaWAN à infrarouge",
            (
                build(key, "co2", 10, co2, decimals=0, low=380.0, lost=0.015),
                build(key, "temperature", 10, temperature, lost=0.015),
                build(key, "humidity", 10, humidity, decimals=0, lost=0.015),
                build.battery(key, draw.between(40, 95, 4), 0.08, end_us),
            ),
            asset=("building", slug(school.name)), category="air intérieur",
        )  # fmt: skip
