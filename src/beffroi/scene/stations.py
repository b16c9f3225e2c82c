"""Stations of weather, air, river and counts."""

import math
from collections.abc import Callable, Iterator

from beffroi.model.instant import HOUR_US, MINUTE_US, SECOND_US
from beffroi.scene.chance import Chance
from beffroi.scene.civil import moment, school_day, sun_elevation
from beffroi.scene.plan import VILLAGE_AT
from beffroi.scene.river import River
from beffroi.scene.series import Fault, Series, Station, jitter
from beffroi.scene.weather import Weather

__all__ = ["Builder", "environment_stations"]

Value = Callable[[int, int], float]
TOWN, VILLAGE = "18901", "18902"
# Share of a day's passages by hour of the civil day, for people who work or study, and for leisure.
_COMMUTE = (2, 1, 1, 1, 3, 12, 34, 88, 96, 38, 30, 38, 52, 44, 36, 42, 74, 98, 82, 44, 24, 14, 9, 5)
_LEISURE = (2, 1, 1, 1, 1, 3, 8, 18, 36, 62, 84, 88, 60, 58, 78, 92, 94, 80, 58, 36, 22, 14, 8, 4)


class Builder:
    """Makes series of one seed, with the faults of the story in their place."""

    def __init__(self, seed: int, faults: tuple[Fault, ...]) -> None:
        self.seed = seed
        self.faults = faults

    def __call__(self, station: str, kind: str, minutes: int, value: Value, **options: object) -> Series:
        """Return the series `station/kind`."""
        key = f"{station}/{kind}"
        every = minutes * MINUTE_US
        interval = bool(options.get("interval", False))
        told = tuple(f for f in self.faults if f.series == key)
        delay = 0 if interval else jitter(self.seed, station, every)
        options = {"delay_us": delay, **options}
        return Series(key, kind, every, value, faults=told, seed=self.seed, **options)  # type: ignore[arg-type]

    def battery(self, station: str, left: float, per_day: float, end_us: int) -> Series:
        """Return the battery of a device, in %, falling by `per_day` and `left` at the end of the history."""

        def value(_: int, at: int) -> float:
            return left + per_day * (end_us - at) / (24 * HOUR_US)

        return self(station, "battery", 360, value, decimals=0, low=0.0, high=100.0, lost=0.02)


def environment_stations(build: Builder, weather: Weather, river: River, end_us: int) -> Iterator[Station]:
    """Yield the stations that the environment service watches."""
    yield from _weather(build, weather)
    yield from _heat(build, weather, end_us)
    yield from _air(build, weather)
    yield from _river(build, river)
    yield from _ground(build, weather)
    yield from _counts(build, weather)


def _weather(build: Builder, sky: Weather) -> Iterator[Station]:
    name = "meteo-brevigny"
    noise = Chance(build.seed, name)
    yield Station(
        name, "Station météo du centre technique", "Station au sol du centre technique municipal, capteurs à 2 m et 10 m",
        "environment", TOWN, (-800.0, -180.0), "Station météo automatique, classe 2",
        (
            build(name, "temperature", 10, lambda _, t: sky.temperature(t) + 0.04 * noise.normal(t // MINUTE_US)),
            build(name, "humidity", 10, lambda _, t: sky.humidity(t), decimals=0, low=0.0, high=100.0),
            build(name, "pressure", 10, lambda _, t: sky.pressure(t)),
            build(name, "wind_speed", 10, lambda _, t: sky.wind(t), low=0.0),
            build(name, "wind_gust", 10, lambda _, t: sky.gust(t), low=0.0),
            build(name, "wind_direction", 10, lambda _, t: sky.wind_direction(t), decimals=0),
            build(name, "rain", 10, sky.rain_mm, interval=True, low=0.0),
            build(name, "solar_radiation", 10, lambda _, t: sky.sun(t), decimals=0, low=0.0),
        ),
        category="météo",
    )  # fmt: skip
    village = "meteo-montarel"
    yield Station(
        village, "Pluviomètre de Montarel", "Mini-station de la mairie de Montarel", "environment", VILLAGE,
        (VILLAGE_AT[0] + 64, VILLAGE_AT[1] + 108), "Mini-station LoRaWAN à auget",
        (
            build(village, "temperature", 15, lambda _, t: sky.temperature(t - 900_000_000) - 0.6, lost=0.01),
            build(village, "humidity", 15, lambda _, t: sky.humidity(t) + 2, decimals=0, low=0.0, high=100.0, lost=0.01),
            build(village, "rain", 15, lambda a, b: sky.rain_mm(a, b, 1.12), interval=True, low=0.0, lost=0.01),
        ),
        category="météo",
    )  # fmt: skip


_HEAT = (
    ("urbain-01", "Place du Beffroi", 12.0, 18.0, 1.3), ("urbain-02", "Rue des Halles", 96.0, -70.0, 1.6),
    ("urbain-03", "Cour de l'école Jules-Ferry", -165.0, -84.0, 1.1), ("urbain-04", "Boulevard Gambetta", 210.0, 320.0, 0.8),
    ("urbain-05", "Quai de la Sarelle", 215.0, -60.0, -0.3), ("urbain-06", "Les Noyers", -850.0, 300.0, 0.4),
)  # fmt: skip


def _heat(build: Builder, sky: Weather, end_us: int) -> Iterator[Station]:
    for number, (key, street, x, y, warmth) in enumerate(_HEAT):

        def temperature(_: int, t: int, warmth: float = warmth) -> float:
            # the heat of streets comes out at night, under a clear sky, without wind
            night = 1.0 if sun_elevation(t) < 0 else 0.45
            calm = 1.0 / (1.0 + 0.35 * sky.wind(t))
            return sky.temperature(t) + warmth * night * (1.4 - sky.cloud(t)) * (0.5 + calm)

        def humidity(_: int, t: int, warmth: float = warmth) -> float:
            return sky.humidity(t) - 3.0 * warmth

        yield Station(
            key, f"Température de rue, {street}", "Capteur d'îlot de chaleur sous abri, à 3 m", "environment", TOWN, (x, y),
            "Sonde température-humidité LoRaWAN",
            (
                build(key, "temperature", 20, temperature, lost=0.02),
                build(key, "humidity", 20, humidity, decimals=0, low=0.0, high=100.0, lost=0.02),
                build.battery(key, (88, 74, 91, 66, 57, 12)[number], 0.05 if number < 5 else 0.22, end_us),
            ),
            category="îlot de chaleur",
        )  # fmt: skip


def traffic(t: int) -> float:
    """Return the road traffic, 1 being a weekday's peak."""
    day, weekday, hour, holiday = moment(t)
    free = weekday >= 5 or holiday
    profile = _LEISURE if free else _COMMUTE
    whole = int(hour)
    share = profile[whole] + (profile[(whole + 1) % 24] - profile[whole]) * (hour - whole)
    return (
        share / 98.0 * (0.55 if free else 1.0) * (1.0 if school_day(day, weekday, holiday) or free else 0.88)
    )


def _air(build: Builder, sky: Weather) -> Iterator[Station]:
    draw = Chance(build.seed, "air")

    def stagnant(t: int) -> float:
        inversion = max(0.0, 0.35 + 0.8 * draw.smooth(t, 96 * HOUR_US, 1)) * (
            1.0 if sun_elevation(t) < 0.1 else 0.6
        )
        return (0.55 + inversion) / (0.6 + 0.28 * sky.wind(t))

    def heating(t: int) -> float:
        hour = moment(t)[2]
        evening = math.exp(-(((hour - 20.5) / 3.2) ** 2)) + 0.5 * math.exp(-(((hour - 7.5) / 2.0) ** 2))
        return max(0.0, 15.0 - sky.temperature(t)) / 12.0 * (0.25 + evening)

    def washed(t: int) -> float:
        return 0.62 if sky.rain_rate(t) > 0.3 else 1.0

    def no2(_: int, t: int, share: float = 1.0) -> float:
        return (
            (3.0 + 26.0 * share * traffic(t) * stagnant(t) + 4.0 * heating(t))
            * washed(t)
            * (1 + 0.1 * draw.normal(t // HOUR_US, 2))
        )

    def pm25(_: int, t: int, share: float = 1.0) -> float:
        slow = 5.0 + 3.0 * draw.smooth(t, 72 * HOUR_US, 3)
        return (
            (slow + share * (15.0 * heating(t) + 3.0 * traffic(t)) * stagnant(t))
            * washed(t)
            * (1 + 0.08 * draw.normal(t // HOUR_US, 4))
        )

    def pm10(a: int, t: int, share: float = 1.0) -> float:
        return pm25(a, t, share) * 1.28 + 5.0 + 4.0 * traffic(t) * (1.0 if sky.rain_rate(t) < 0.1 else 0.2)

    def o3(a: int, t: int) -> float:
        return 28.0 + 0.075 * sky.sun(t) + 1.3 * max(0.0, sky.temperature(t) - 8) - 0.55 * no2(a, t)

    def so2(_: int, t: int) -> float:
        return (1.2 + 3.5 * heating(t)) * washed(t) * (1 + 0.1 * draw.normal(t // HOUR_US, 5))

    name = "air-centre"
    hourly = {"interval": True, "low": 0.0, "decimals": 1}
    yield Station(
        name, "Station de l'air, Place du Beffroi", "Station fixe de fond urbain, moyennes horaires", "environment", TOWN,
        (-22.0, 26.0), "Analyseurs de référence (NF EN 14211, 14625, 16450)",
        tuple(build(name, kind, 60, value, **hourly)
              for kind, value in (("no2", no2), ("pm10", pm10), ("pm25", pm25), ("o3", o3), ("so2", so2))),
        category="air",
    )  # fmt: skip
    for key, where, x, y, share in (
        ("air-republique", "Avenue de la République", -470.0, 108.0, 1.45), ("air-ecole", "École Simone-Veil", -640.0, 348.0, 0.8),
    ):  # fmt: skip
        yield Station(
            key, f"Micro-capteur d'air, {where}", "Micro-capteur indicatif (compteur optique de particules)", "environment", TOWN,
            (x, y), "Micro-capteur de particules LoRaWAN",
            (
                build(key, "pm10", 15, lambda a, t, s=share: pm10(a, t, s), low=0.0, lost=0.03),  # type: ignore[misc]
                build(key, "pm25", 15, lambda a, t, s=share: pm25(a, t, s), low=0.0, lost=0.03),  # type: ignore[misc]
            ),
            category="air",
        )  # fmt: skip


def _river(build: Builder, river: River) -> Iterator[Station]:
    for key, name, commune, place, lag, zero in (
        ("sarelle-montarel", "La Sarelle au lavoir de Montarel", VILLAGE, (-3345.0, -4980.0), 6.0, 0.05),
        ("sarelle-pont", "La Sarelle au Vieux-Pont", TOWN, (233.0, -12.0), 10.0, 0.12),
    ):

        def level(_: int, t: int, lag: float = lag, zero: float = zero) -> float:
            return river.level_m(t, lag, zero)

        def flow(_: int, t: int, lag: float = lag) -> float:
            return river.flow_m3_s(t, lag)

        yield Station(
            key, name, "Échelle limnimétrique doublée d'un radar ; hauteur au-dessus du zéro de l'échelle", "environment",
            commune, place, "Radar de niveau, télétransmis",
            (
                build(key, "river_level", 10, level, decimals=2, delay_us=int(lag) * 5 * SECOND_US),
                build(key, "discharge", 10, flow, decimals=2, delay_us=int(lag) * 5 * SECOND_US),
            ), category="rivière",
        )  # fmt: skip


def _ground(build: Builder, sky: Weather) -> Iterator[Station]:
    """Yield a point of noise on the avenue, and a gauge on the crack of the quay's wall, which warmth closes and rain opens."""
    draw = Chance(build.seed, "ground")

    def level(_: int, t: int) -> float:
        return (
            46.0
            + 19.0 * math.sqrt(traffic(t))
            + 2.0 * draw.normal(t // MINUTE_US, 1)
            + 3.0 * min(1.0, sky.rain_rate(t))
        )

    def crack(_: int, t: int) -> float:
        return 3.4 - 0.012 * (sky.temperature(t) - 10.0) + 0.05 * draw.smooth(t, 240 * HOUR_US, 2)

    yield Station(
        "bruit-republique", "Bruit, Avenue de la République", "Sonomètre de façade, LAeq du quart d'heure", "environment", TOWN,
        (-460.0, 104.0), "Sonomètre de classe 2", (build("bruit-republique", "laeq", 15, level, decimals=1, low=20.0),), category="bruit",
    )  # fmt: skip
    yield Station(
        "mur-quai", "Mur du quai de la Sarelle", "Fissuromètre posé sur la fissure du mur de soutènement", "environment", TOWN,
        (222.0, -48.0), "Fissuromètre LoRaWAN", (build("mur-quai", "crack", 60, crack, decimals=2, lost=0.01),), category="ouvrage",
    )  # fmt: skip


_COUNTERS = (
    # key, name, kind, minutes, a day's passages, share of leisure, place, commune
    ("velos-republique", "Vélos, Avenue de la République", "bicycles", 15, 420, 0.25, (-300.0, 60.0), TOWN),
    ("velos-quai", "Vélos, voie verte de la Sarelle", "bicycles", 15, 310, 0.8, (226.0, 240.0), TOWN),
    ("velos-montarel", "Vélos, route de Montarel", "bicycles", 15, 85, 0.55, (-3560.0, -4830.0), VILLAGE),
    ("pietons-halles", "Piétons, Rue des Halles", "pedestrians", 15, 2600, 0.55, (86.0, -58.0), TOWN),
    ("pietons-quai", "Piétons, Quai de la Sarelle", "pedestrians", 15, 720, 0.85, (218.0, 90.0), TOWN),
    (
        "vehicules-republique",
        "Véhicules, Avenue de la République",
        "vehicles",
        60,
        6400,
        0.2,
        (-520.0, 118.0),
        TOWN,
    ),
    (
        "vehicules-d147",
        "Véhicules, D 147 à Montarel",
        "vehicles",
        60,
        2300,
        0.25,
        (-3470.0, -4890.0),
        VILLAGE,
    ),
)


def _counts(build: Builder, sky: Weather) -> Iterator[Station]:
    for key, name, kind, minutes, daily, leisure, place, commune in _COUNTERS:
        draw = Chance(build.seed, key)

        def count(
            a: int,
            b: int,
            draw: Chance = draw,
            kind: str = kind,
            daily: int = daily,
            leisure: float = leisure,
        ) -> float:
            _, weekday, hour, holiday = moment((a + b) // 2)
            free = weekday >= 5 or holiday
            work = 0.25 if free else 1.0
            play = 1.5 if free else 0.75
            share = (1 - leisure) * work * _COMMUTE[int(hour)] / 868 + leisure * play * _LEISURE[
                int(hour)
            ] / 900
            mean = (
                daily
                * share
                * (b - a)
                / HOUR_US
                * (1.0 if kind == "vehicles" else _weather_effect(sky, b, kind))
            )
            return float(draw.poisson(mean, a // MINUTE_US))

        yield Station(
            key, name, "Comptage automatique, deux sens confondus", "environment", commune, place,
            "Boucle magnétique" if kind != "pedestrians" else "Compteur infrarouge",
            (build(key, kind, minutes, count, decimals=0, interval=True, low=0.0),), category="comptage",
        )  # fmt: skip


def _weather_effect(sky: Weather, t: int, kind: str) -> float:
    """Return what weather leaves of the walkers or riders of a fine day."""
    rain = 1.0 / (1.0 + 0.7 * sky.rain_rate(t))
    warm = 1.0 / (1.0 + math.exp(-(sky.temperature(t) - 7.0) / 4.5))
    return rain * (0.35 + 0.75 * warm) if kind == "bicycles" else math.sqrt(rain) * (0.6 + 0.45 * warm)
