"""The order of 27 December 2018: a table of cases, each verdict with its article and its date."""

from datetime import date
from typing import Any

import pytest

from beffroi.model.problem import Problem
from beffroi.services.lighting.legal import check_data, check_hours, check_point

NEW, OLD = date(2022, 5, 1), date(2015, 5, 1)
FULL = {
    "ulr_percent": 0.5,
    "cie3_percent": 97.0,
    "colour_k": 2700,
    "power_w": 45.0,
    "flux_lm": 5000.0,
    "installed": NEW,
    "use": "a",
}
# values, where, rule, verdict, article, sure
POINTS: list[tuple[dict[str, Any], dict[str, Any], str, str, str, bool]] = [
    ({}, {}, "cct", "ok", "3", True),
    ({"colour_k": 3000}, {}, "cct", "ok", "3", True),
    ({"colour_k": 3001}, {}, "cct", "breach", "3", True),
    ({"colour_k": 4000, "use": "d"}, {}, "cct", "breach", "3", True),
    ({"colour_k": 4000, "use": "e"}, {}, "cct", "breach", "3", True),
    ({"colour_k": 4000, "installed": OLD}, {}, "cct", "not_concerned", "3", False),
    ({"colour_k": 4000, "installed": None}, {}, "cct", "unknown", "3", False),
    ({"colour_k": None}, {}, "cct", "unknown", "3", True),
    ({"colour_k": 2700}, {"protected": True}, "cct_reserve", "breach", "3", False),
    ({"colour_k": 2400}, {"protected": True}, "cct_reserve", "ok", "3", False),
    ({"cie3_percent": 95.0}, {}, "cie3", "breach", "3", True),
    ({"cie3_percent": 95.1}, {}, "cie3", "ok", "3", True),
    ({"ulr_percent": 4.0}, {}, "ulr", "breach", "3", False),
    ({"ulr_percent": 3.9}, {}, "ulr", "ok", "3", False),
    ({"surface_m2": 200.0}, {"built_up": True}, "dsfli", "ok", "3", True),
    ({"surface_m2": 140.0}, {"built_up": True}, "dsfli", "breach", "3", True),
    ({}, {"built_up": True}, "dsfli", "unknown", "3", True),
    ({"surface_m2": 190.0}, {"built_up": False}, "dsfli_outside", "breach", "3", False),
    ({"use": None}, {}, "category", "unknown", "1", True),
    ({"ulr_percent": None}, {}, "data_ulr_percent", "missing", "5", True),
    ({"installed": None}, {}, "data_installed", "missing", "5", True),
    ({}, {}, "data_flux_lm", "ok", "5", True),
]  # fmt: skip


@pytest.mark.parametrize(("values", "where", "rule", "state", "article", "sure"), POINTS)
def test_points(
    values: dict[str, Any], where: dict[str, Any], rule: str, state: str, article: str, sure: bool
) -> None:
    found = {v.rule: v for v in check_point(FULL | values, **where)}
    verdict = found[rule]
    assert (verdict.state, verdict.article, verdict.sure) == (state, article, sure)
    assert verdict.quote.fr == f"article {article}, arrêté du 27 décembre 2018 (NOR TREP1831126A)" + (
        "" if sure else " (à vérifier)"
    )


@pytest.mark.parametrize("use", ["b", "c", "f", "g"])
def test_no_colour_limit_outside_a_d_e(use: str) -> None:
    """« 4 000 K is forbidden » is false outside categories a, d and e."""
    rules = {v.rule for v in check_point(FULL | {"use": use, "colour_k": 5000})}
    assert rules == {v.rule for v in check_data(FULL)}


def t(text: str) -> int:
    """Return a clock time in minutes."""
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


# use, off, on, end, start, sunset → verdicts
HOURS: list[tuple[str, str, str | None, str | None, str | None, str | None, dict[str, str]]] = [
    ("site", "20:00", None, "19:00", None, None, {"site_off": "ok"}),
    ("site", "20:01", None, "19:00", None, None, {"site_off": "breach"}),
    ("site", "20:00", "06:59", "19:00", "09:00", None, {"site_off": "ok", "site_on": "breach"}),
    ("site", "20:00", "05:00", "19:00", "06:00", None, {"site_off": "ok", "site_on": "ok"}),
    ("site", "20:00", None, None, None, None, {"site_off": "unknown"}),
    ("site", "00:30", None, "23:45", None, None, {"site_off": "ok"}),
    ("heritage", "01:00", "21:30", None, None, "21:30", {"heritage_off": "ok", "heritage_on": "ok"}),
    ("heritage", "01:01", "21:29", None, None, "21:30", {"heritage_off": "breach", "heritage_on": "breach"}),
    ("heritage", "01:00", "21:30", None, None, None, {"heritage_off": "ok", "heritage_on": "unknown"}),
    ("park", "02:00", None, "01:15", None, None, {"park_off": "ok"}),
    ("park", "00:45", None, "22:00", None, None, {"park_off": "ok"}),
    ("premises", "21:00", None, "20:00", None, None, {"premises_off": "ok"}),
    ("premises", "23:00", None, "20:00", None, None, {"premises_off": "breach"}),
    ("window", "01:00", "07:00", "19:00", "09:00", None, {"window_off": "ok", "window_on": "ok"}),
    ("window", "01:30", "06:00", "19:00", "09:00", None, {"window_off": "breach", "window_on": "breach"}),
    ("window", "01:30", None, "00:30", None, None, {"window_off": "ok"}),
    ("car_park", "22:00", None, "20:00", None, None, {"car_park_off": "ok"}),
    ("car_park", "22:01", None, "20:00", None, None, {"car_park_off": "breach"}),
    ("street", "03:00", None, None, None, None, {"street": "not_concerned"}),
]  # fmt: skip


@pytest.mark.parametrize(("use", "off", "on", "end", "start", "sunset", "wanted"), HOURS)
def test_hours(
    use: str,
    off: str,
    on: str | None,
    end: str | None,
    start: str | None,
    sunset: str | None,
    wanted: dict[str, str],
) -> None:
    given = {
        n: None if v is None else t(v)
        for n, v in (("on", on), ("end", end), ("start", start), ("sunset", sunset))
    }
    found = check_hours(use, off=t(off), **given)
    assert {v.rule: v.state for v in found} == wanted
    assert all(
        v.article == "2" and "27 décembre 2018" in v.quote.fr and "27 December 2018" in v.quote.en
        for v in found
    )


def test_what_has_no_meaning_is_refused() -> None:
    with pytest.raises(Problem) as use:
        check_hours("church", off=60)
    assert use.value.place == "use"
    with pytest.raises(Problem) as time:
        check_hours("window", off=1440)
    assert time.value.place == "off"
    with pytest.raises(Problem) as surface:
        check_point(FULL | {"surface_m2": 0.0})
    assert surface.value.place == "surface_m2"
