"""What happens in the demonstration, told from its last day backwards: storms, leaks, power cuts, faults.

The storms fill the river (vigilance by its level: yellow 1.00 m, orange 1.80 m, red 2.60 m at Brévigny); the last
one is still running off when the history ends, so that there is something to watch.
"""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta

from beffroi.model.instant import DAY_US, HOUR_US, PARIS, from_datetime, to_datetime
from beffroi.scene.assets import Cabinet
from beffroi.scene.series import Fault
from beffroi.scene.weather import Shower

__all__ = [
    "DAY_BURNER",
    "DEAD_LAMP",
    "LEAK",
    "POWER_CUT",
    "STUCK_ON",
    "WRONG_CLOCK",
    "cut_trial",
    "lit_all_night_until",
    "newly_cut",
    "storms",
    "told_faults",
]

LEAK = "ecole-jules-ferry/water_volume"
POWER_CUT = "AR09/active_power"
DEAD_LAMP, DAY_BURNER = "AR14/active_power", "AR12/active_power"
STUCK_ON, WRONG_CLOCK = "AR16/active_power", "AR08/active_power"

_CUT_DAYS = (17, 3)  # the trial of the night cut: its first and last day, before the history's end


def cut_trial(end_us: int) -> tuple[date, date]:
    """Return the first day of the trial of the night cut and the day on which it is judged."""
    today = to_datetime(end_us).astimezone(PARIS).date()
    first, last = _CUT_DAYS
    return today - timedelta(days=first), today - timedelta(days=last)


def lit_all_night_until(end_us: int) -> int:
    """Return until when the cabinets of that trial burned all night: the noon before its first day, in microseconds."""
    return from_datetime(datetime.combine(cut_trial(end_us)[0] - timedelta(days=1), time(12), PARIS))


def newly_cut(cabinets: Iterable[Cabinet], faults: Iterable[Fault]) -> tuple[str, ...]:
    """Return the three cabinets of that trial: of the town, with a clock, and nothing else happens to them."""
    told = {f.series.partition("/")[0] for f in faults}
    fit = [c for c in cabinets if c.astronomical_clock and c.code not in told]
    return tuple(c.code for c in fit if c.commune == fit[0].commune)[:3]


def storms(end_us: int) -> tuple[Shower, ...]:
    """Return the spells of rain that must happen before `end_us`."""

    def storm(days: float, hours: float, millimetres: float) -> Shower:
        start = end_us - int(days * DAY_US)
        return Shower(start, start + int(hours * HOUR_US), millimetres)

    return (storm(21.2, 12, 24.0), storm(9.3, 30, 66.0), storm(0.62, 9, 27.0))


def told_faults(end_us: int) -> tuple[Fault, ...]:
    """Return every fault and event of the story, by the key of the series it is in."""

    def ago(days: float) -> int:
        return end_us - int(days * DAY_US)

    return (
        Fault("air-republique/pm10", "drift", ago(30), None, 1.15, "capteur optique qui s'encrasse"),
        Fault("urbain-04/temperature", "stuck", ago(6.4), None, 0.0, "valeur figée"),
        Fault("urbain-04/humidity", "stuck", ago(6.4), None, 0.0, "valeur figée"),
        Fault("urbain-06/temperature", "offset", ago(18), None, 3.4, "abri déplacé au soleil, contre un mur"),
        Fault("meteo-montarel/rain", "stuck", ago(12), ago(5.5), 0.0, "auget bouché par des feuilles"),
        Fault("sarelle-pont/river_level", "spikes", ago(16), ago(2), 1.6, "échos du radar sur des branches"),
        Fault("pietons-halles/pedestrians", "silent", ago(14.5), ago(12.3), 0.0, "panne d'alimentation"),
        Fault("salle-03/co2", "silent", ago(1.3), None, 0.0, "capteur muet"),
        Fault("salle-03/temperature", "silent", ago(1.3), None, 0.0, "capteur muet"),
        Fault("salle-03/humidity", "silent", ago(1.3), None, 0.0, "capteur muet"),
        Fault("salle-03/battery", "silent", ago(1.3), None, 0.0, "capteur muet"),
        Fault("PAV007/fill_level", "silent", ago(3.1), None, 0.0, "capteur arraché par le camion"),
        Fault("PAV007/battery", "silent", ago(3.1), None, 0.0, "capteur arraché par le camion"),
        Fault("PAV011/fill_level", "stuck", ago(8), None, 0.0, "ultrason bloqué par un sac"),
        Fault(LEAK, "event", ago(5.2), None, 0.34, "fuite d'une chasse d'eau, 340 L/h jour et nuit"),
        Fault(DEAD_LAMP, "event", ago(6.5), None, 1.0, "une lampe morte"),
        Fault(DAY_BURNER, "event", ago(3.4), None, 2.0, "deux lampes allumées en plein jour"),
        Fault(STUCK_ON, "event", ago(2.4), None, 0.0, "contacteur collé : armoire allumée jour et nuit"),
        Fault(WRONG_CLOCK, "event", ago(4.5), None, 1.0, "horloge en retard d'une heure"),
        Fault(POWER_CUT, "event", ago(1.45), None, 0.0, "départ disjoncté : quartier sans lumière"),
    )
