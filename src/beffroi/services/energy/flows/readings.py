"""Readings in XML: R151 (daily indexes and powers of small points) and R15 (indexes and billed energies, at each event).

Shapes: R151 from a real flow, pseudonymised; R15 from a public one of version 2.3.2, read in November 2026, to be verified.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.energy.flows.regular import IrregularError, regular_rows
from beffroi.services.energy.flows.row import Clock, Kind, Row, Rows, Units, known_number, known_prm
from beffroi.services.energy.flows.xml import at_top, child, elements, line, need, parts

__all__ = ["classes_of", "read_r15", "read_r151"]

Grid = Literal["D", "F"]
_GRIDS: dict[str, Grid] = {"Classe_Temporelle_Distributeur": "D", "Classe_Temporelle": "F"}
_KINDS: dict[str, Kind] = {"1": "index", "2": "energy"}  # Classe_Mesure


def read_r151(path: Path) -> Rows:
    """Yield the indexes and highest powers of an R151. Its days are said at midnight when they end.

    The regular form is read as bytes; from the first thing that is not of it, the strict reader goes on.
    """
    known: dict[str, tuple[str, str]] = {}
    told = 0
    try:
        for row in regular_rows(path, lambda said: known.get(said) or known.setdefault(said, _day(said, ""))):
            told += 1
            yield row
    except (IrregularError, Problem):
        yield from islice(_strict_r151(path), told, None)


def _strict_r151(path: Path) -> Rows:
    unit: str | None = None
    power: str | None = None
    units = Units()
    days: dict[str, tuple[str, str]] = {}
    for element in elements(path, "r151", "En_Tete_Flux", "PRM"):
        at_top(element)
        if element.tag == "En_Tete_Flux":
            unit, power = child(element, "Unite_Mesure_Index"), child(element, "Unite_Mesure_Puissance")
            continue
        prm = known_prm(child(element, "Id_PRM"), line(element))
        units.check(prm, "index", unit, line(element))
        for reading in element.iterfind("Donnees_Releve"):
            said = need(reading, "Date_Releve")
            day = days.get(said) or days.setdefault(said, _day(said, line(reading)))
            for one in reading:
                if len(one):
                    yield from _daily(prm, day, unit, power, one)


def _daily(prm: str, day: tuple[str, str], unit: str | None, power: str | None, one: Any) -> Iterator[Row]:
    """Yield the index of a class, or the highest power of the day."""
    said = parts(one)
    text = said.get("Valeur") or ""
    value = int(text) if text.isdecimal() else known_number(text, "index", line(one))
    if one.tag in _GRIDS:
        doubt = said.get("Indice_Vraisemblance", "0")
        name = said.get("Id_Classe_Temporelle")
        status = None if doubt in ("", "0") else f"iv={doubt}"
        yield Row(prm, "index", _GRIDS[one.tag], day[1], day[1], value, unit, name, "réel", status)
    elif one.tag == "Puissance_Maximale":
        yield Row(prm, "curve", None, day[0], day[1], value, power, "PMAX", "réel", None)


def _day(said: str, place: str) -> tuple[str, str]:
    """Return the instants at which a day begins and ends."""
    try:
        found = date.fromisoformat(said)
    except ValueError as error:
        raise Problem(
            Text(f"« {said} » n'est pas un jour", f"'{said}' is not a day"),
            Text("Un jour s'écrit 2026-06-01.", "A day is written 2026-06-01."),
            place,
        ) from error
    clock = Clock()
    return clock.instant(said, place), clock.instant((found + timedelta(days=1)).isoformat(), place)


def read_r15(path: Path) -> Rows:
    """Yield the indexes (and the one before) and the billed energies of an R15."""
    units = Units()
    for element in elements(path, "r15", "PRM"):
        prm = known_prm(child(element, "Id_PRM"), line(element))
        for reading in element.iterfind("Donnees_Releve"):
            at = Clock().instant(need(reading, "Date_Releve"), line(reading))
            since = child(reading, "Date_Releve_Precedent")
            since = Clock().instant(since, line(reading)) if since else None
            status = child(reading, "Statut_Releve")
            index = child(reading, "Nature_Index")
            energy = child(reading, "Nature_Consommation") or index
            before = child(reading, "Nature_Index_Precedent")
            for kind, grid, name, unit, value, earlier in classes_of(reading, prm, units):
                if kind == "index":
                    yield Row(prm, kind, grid, at, at, value, unit, name, index, status)
                    if earlier is not None and since is not None:
                        yield Row(prm, kind, grid, since, since, earlier, unit, name, before, "PRECEDENT")
                else:
                    yield Row(prm, kind, grid, since, at, value, unit, name, energy, status)


def classes_of(
    reading: Any, prm: str, units: Units
) -> Iterator[tuple[Kind, Grid, str | None, str | None, int | float, int | float | None]]:
    """Yield of each class its kind, grid, name, unit, value and value before. Raises `Problem`."""
    for one in reading:
        grid = _GRIDS.get(one.tag)
        if grid is None:
            continue
        said = parts(one)
        measure = said.get("Classe_Mesure", "1")
        kind = _KINDS.get(measure, "index")
        unit = said.get("Unite_Mesure") or None
        # what is injected must not be added to what is used
        away = "" if said.get("Sens_Mesure", "0") in ("", "0") else "INJECTION "
        name = away + said.get("Id_Classe_Temporelle", "")
        units.check(prm, f"{grid}/{measure}/{away}", unit, line(one))
        value = known_number(said.get("Valeur"), kind, line(one))
        earlier = said.get("Valeur_Precedent")
        yield (
            kind,
            grid,
            name or None,
            unit,
            value,
            known_number(earlier, kind, line(one)) if earlier else None,
        )
