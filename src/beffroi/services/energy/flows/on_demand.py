"""The flows that Enedis sends on demand, in JSON: R63 (load curve), R64 (indexes), R65 (daily energies), R67 (billed energies).

Shapes: R64 and R67 from real flows, pseudonymised, read in November 2026; R63 and R65 from the public descriptions of the same
family (see docs/reference/energy-flows.md), to be verified against a real file.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal

import msgspec

from beffroi.model.instant import PARIS
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.energy.flows.row import Clock, Row, Rows, Units, known_number, known_prm

__all__ = ["read_on_demand"]

Number = int | float
_KNOWN_SPANS = 200_000
_NEVER: str | None = "\0"  # no step and no nature is written so
_STEP = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?\Z")
_NATURES = {"R": "réel", "E": "estimé", "C": "corrigé", "B": "réel"}  # R67: codeNature; R63: n
_STAGES = {"BRUT": "réel", "CORR": "corrigé", "CORRIGE": "corrigé", "EST": "estimé", "ESTIME": "estimé"}


class _Value(msgspec.Struct, gc=False):
    """A reading (R64), or a point (R63, R65)."""

    d: str
    v: int | float | str | None = None
    iv: int | str | None = None
    p: str | None = None
    n: str | None = None


class _Quantity(msgspec.Struct, gc=False, rename="camel"):
    """An energy of a period (R67)."""

    dbt_mesure: str
    fin_mesure: str
    quantite: int | float | str | None = None
    code_nature: str | None = None
    code_statut: str | None = None


class _Class(msgspec.Struct, gc=False, rename="camel"):
    id_classe_temporelle: str | None = None
    code_cadran: str | None = None
    valeur: list[_Value] = []
    quantite: list[_Quantity] = []


class _Calendar(msgspec.Struct, gc=False, rename="camel"):
    code_grille: str | None = None
    libelle_grille: str | None = None
    classe_temporelle: list[_Class] = []


class _Magnitude(msgspec.Struct, gc=False, rename="camel"):
    grandeur_metier: str | None = None
    grandeur_physique: str | None = None
    unite: str | None = None
    pas: str | None = None
    calendrier: list[_Calendar] = []
    cadran_totalisateur: _Class | None = None
    points: list[_Value] = []


class _Context(msgspec.Struct, gc=False, rename="camel"):
    etape_metier: str | None = None
    grandeur: list[_Magnitude] = []


class _Measure(msgspec.Struct, gc=False, rename="camel"):
    id_prm: str
    contexte: list[_Context] = []
    # R63 and R65 put the magnitudes beside the point, with no context
    grandeur: list[_Magnitude] = []
    etape_metier: str | None = None


class _Header(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    code_flux: str | None = None


class _Flow(msgspec.Struct, gc=False):
    mesures: list[_Measure]
    header: _Header = _Header()


_DECODER = msgspec.json.Decoder(_Flow | list[_Flow])


def read_on_demand(flow: str, data: bytes) -> Rows:
    """Yield the values of a flow of the family. Raises `Problem` with a JSON pointer, or the line where the file is cut."""
    try:
        found = _DECODER.decode(data)
    except msgspec.ValidationError as error:
        raise _misshapen(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _cut(error, data) from error
    units = Units()
    several = isinstance(found, list)
    for number, one in enumerate(found if isinstance(found, list) else [found]):
        said = (one.header.code_flux or flow).lower()
        if not said.startswith(flow):
            raise Problem(
                Text(f"Ce fichier est un flux {said.upper()}, pas {flow.upper()}", f"This file is a flow {said.upper()}, not {flow.upper()}"),
                Text(f"Lancez : beffroi energy parse {said[:3]} …", f"Run: beffroi energy parse {said[:3]} …"),
                (f"/{number}" if several else "") + "/header/codeFlux",
            )  # fmt: skip
        yield from _measures(one, flow, f"/{number}" if several else "", units)


def _measures(flow: _Flow, kind: str, before: str, units: Units) -> Rows:
    for m, measure in enumerate(flow.mesures):
        place = f"{before}/mesures/{m}"
        prm = known_prm(measure.id_prm, f"{place}/idPrm")
        groups = [
            (c.etape_metier, c.grandeur, f"{place}/contexte/{i}/grandeur")
            for i, c in enumerate(measure.contexte)
        ]
        groups.append((measure.etape_metier, measure.grandeur, f"{place}/grandeur"))
        for stage, magnitudes, where in groups:
            for g, magnitude in enumerate(magnitudes):
                yield from _magnitude(prm, kind, stage, magnitude, f"{where}/{g}", units)


def _magnitude(prm: str, flow: str, stage: str | None, one: _Magnitude, place: str, units: Units) -> Rows:
    quantity = f"{one.grandeur_metier}/{one.grandeur_physique}"
    units.check(prm, quantity, one.unite, f"{place}/unite")
    # what is injected, or is not active energy, says so in its class: it must not be added to what is used
    mark = (
        ""
        if quantity in ("CONS/EA", "CONS/PA")
        else f"{one.grandeur_metier or ''}/{one.grandeur_physique or ''} "
    )
    for c, calendar in enumerate(one.calendrier):
        grid = _grid(calendar)
        for k, klass in enumerate(calendar.classe_temporelle):
            where = f"{place}/calendrier/{c}/classeTemporelle/{k}"
            name = mark + (klass.id_classe_temporelle or klass.code_cadran or "")
            yield from _indexes(prm, grid, stage, klass.valeur, one.unite, name, f"{where}/valeur")
            yield from _energies(prm, grid, klass.quantite, one.unite, name, f"{where}/quantite")
    total = one.cadran_totalisateur
    if total is not None:
        where = f"{place}/cadranTotalisateur/valeur"
        yield from _indexes(
            prm, None, stage, total.valeur, one.unite, mark + (total.code_cadran or "TOTAL"), where
        )
    read = _days if flow == "r65" else _curve
    yield from read(prm, stage, one, mark.strip() or None, f"{place}/points")


def _grid(calendar: _Calendar) -> Literal["D", "F"] | None:
    said = (calendar.code_grille or calendar.libelle_grille or "")[:1].upper()
    return "D" if said == "D" else "F" if said == "F" else None


def _indexes(
    prm: str, grid: Literal["D", "F"] | None, stage: str | None, values: list[_Value], unit: str | None, name: str, place: str
) -> Iterator[Row]:  # fmt: skip
    clock, nature = Clock(), _STAGES.get(stage or "", stage)
    for i, one in enumerate(values):
        value = one.v
        if type(value) is not int or value < 0:
            value = known_number(value, "index", f"{place}/{i}/v")
        at = clock.instant(one.d, f"{place}/{i}/d")
        yield Row(prm, "index", grid, at, at, value, unit, name, nature, _status(stage, one.iv))


def _energies(
    prm: str, grid: Literal["D", "F"] | None, values: list[_Quantity], unit: str | None, name: str, place: str
) -> Iterator[Row]:
    for i, one in enumerate(values):
        value = one.quantite
        if type(value) is not int:
            value = known_number(value, "energy", f"{place}/{i}/quantite")
        nature = _NATURES.get(one.code_nature or "", one.code_nature)
        yield Row(
            prm, "energy", grid, one.dbt_mesure, one.fin_mesure, value, unit, name, nature, one.code_statut
        )


def _curve(prm: str, stage: str | None, one: _Magnitude, name: str | None, place: str) -> Iterator[Row]:
    """Yield a load curve: mean powers, stamped at the end of their interval, whose step may change on the way."""
    clock, unit = Clock(), one.unite
    said = _NEVER
    step, spans = timedelta(0), _known_spans(None)
    word, nature, status = _NEVER, None, None
    doubt: int | str | None = None
    for i, point in enumerate(one.points):
        if point.p != said:
            said = point.p
            step = _step(said or one.pas, f"{place}/{i}/p")
            spans = _known_spans(step)
        if point.n != word or point.iv != doubt:
            word, doubt = point.n, point.iv
            nature, status = _words(point, stage)
        value = point.v
        if type(value) is str and value.isdecimal():
            value = int(value)
        elif type(value) is not int or value < 0:
            value = known_number(value, "curve", f"{place}/{i}/v")
        start, end = spans.get(point.d) or _span(point.d, step, spans, clock, f"{place}/{i}/d")
        yield Row(prm, "curve", None, start, end, value, unit, name, nature, status)


def _span(
    said: str, step: timedelta, known: dict[str, tuple[str, str]], clock: Clock, place: str
) -> tuple[str, str]:
    """Return the start and end of the interval stamped `said`; they are remembered unless the hour comes twice."""
    end = clock.instant(said, place)
    start = (datetime.fromisoformat(end).astimezone(UTC) - step).astimezone(PARIS).isoformat()
    if clock.single(said):
        known[said] = start, end
    return start, end


def _words(point: _Value, stage: str | None) -> tuple[str | None, str | None]:
    """Return the nature and the status of a point."""
    return _NATURES.get(point.n or "", point.n or _STAGES.get(stage or "", stage)), _status(stage, point.iv)


def _days(prm: str, stage: str | None, one: _Magnitude, name: str | None, place: str) -> Iterator[Row]:
    """Yield the energies of days."""
    for i, point in enumerate(one.points):
        start = Clock().instant(point.d, f"{place}/{i}/d")
        day = datetime.fromisoformat(start).replace(tzinfo=None) + timedelta(days=1)
        end = Clock().instant(day.strftime("%Y-%m-%d %H:%M:%S"), place)
        value = known_number(point.v, "energy", f"{place}/{i}/v")
        nature, status = _words(point, stage)
        yield Row(prm, "energy", None, start, end, value, one.unite, name, nature, status)


def _status(stage: str | None, doubt: int | str | None) -> str | None:
    """Return the stage of the trade, and the index of likelihood when it is not 0 (likely)."""
    return stage if doubt in (None, 0, "0") else f"{stage or ''} iv={doubt}".strip()


@lru_cache(maxsize=64)
def _kept_spans(_step: timedelta | None) -> dict[str, tuple[str, str]]:
    return {}


def _known_spans(step: timedelta | None) -> dict[str, tuple[str, str]]:
    """Return the intervals of a step that were met, by their stamp: the points of a file share their times."""
    known = _kept_spans(step)
    if len(known) > _KNOWN_SPANS:
        known.clear()
    return known


def _step(said: str | None, place: str) -> timedelta:
    found = _STEP.match(said or "")
    step = timedelta(hours=int(found[1] or 0), minutes=int(found[2] or 0)) if found else timedelta(0)
    if not step:
        raise Problem(
            Text(f"Le pas « {said or ''} » n'est pas compris", f"The step '{said or ''}' is not understood"),
            Text("Un pas s'écrit PT5M, PT10M, PT15M, PT30M ou PT60M.", "A step is written PT5M, PT10M, PT15M, PT30M or PT60M."),
            place,
        )  # fmt: skip
    return step


def _misshapen(error: msgspec.ValidationError) -> Problem:
    said, _, path = str(error).partition(" - at `$")
    pointer = re.sub(r"\[(\d+)\]", r"/\1", path.rstrip("`")).replace(".", "/").replace("[...]", "/*")
    return Problem(
        Text(f"La forme n'est pas celle du flux : {said}", f"The shape is not the flow's: {said}"),
        Text("Donnez le fichier JSON tel qu'Enedis l'a envoyé.", "Give the JSON file as Enedis sent it."),
        pointer or "/",
    )


def _cut(error: Exception, data: bytes) -> Problem:
    found = re.search(r"byte (\d+)", str(error))
    at = int(found[1]) if found else len(data)
    line = data.count(b"\n", 0, at) + 1
    cut = found is None
    return Problem(
        Text("Le flux est coupé avant sa fin" if cut else "Ce n'est pas du JSON",
             "The flow is cut before its end" if cut else "This is not JSON"),
        Text("Téléchargez le fichier de nouveau : rien n'en a été repris.", "Download the file again: nothing of it was taken."),
        f"line {line}",
    )  # fmt: skip
