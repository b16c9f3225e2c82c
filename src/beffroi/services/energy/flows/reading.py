"""Read any flow by its name."""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.energy.flows.contracts import read_c15
from beffroi.services.energy.flows.invoices import read_f12, read_f15
from beffroi.services.energy.flows.on_demand import read_on_demand
from beffroi.services.energy.flows.readings import read_r15, read_r151
from beffroi.services.energy.flows.row import Row, Rows

__all__ = ["FLOWS", "TITLES", "read_flow", "recognised", "write_rows"]

_XML: dict[str, Callable[[Path], Rows]] = {
    "r151": read_r151, "r15": read_r15, "c15": read_c15, "f12": read_f12, "f15": read_f15,
}  # fmt: skip
_ON_DEMAND = ("r63", "r64", "r65", "r67")
FLOWS = (*_XML, *_ON_DEMAND)
# what each flow holds, for a list
TITLES: dict[str, Text] = {
    "r151": Text("index quotidiens", "daily readings"), "r15": Text("relevés facturants", "billing readings"),
    "c15": Text("contrats", "contracts"), "f12": Text("factures, grands sites", "bills of large points"),
    "f15": Text("factures, petits sites", "bills of small points"), "r63": Text("courbe de charge", "load curve"),
    "r64": Text("index", "readings"), "r65": Text("énergies quotidiennes", "daily energies"), "r67": Text("énergies facturées", "billed energies"),
    "adict": Text("gaz, consommations", "gas, uses"), "facturx": Text("facture électronique", "electronic bill"),
}  # fmt: skip
_SAYS = (
    (re.compile(rb"<Identifiant_Flux>\s*(\w+)\s*</Identifiant_Flux>"), ""),
    (re.compile(rb'"codeFlux"\s*:\s*"(\w{3})\w*"'), ""),
    (re.compile(rb'"id_pce"\s*:'), "adict"),
    (re.compile(rb"\A%PDF-|CrossIndustryInvoice"), "facturx"),
)
_AT_ONCE = 20_000
_LOOKED_AT = 65_536


def recognised(data: bytes) -> str | None:
    """Return what a file says that it is, by what it begins with: a flow, `adict` (GRDF) or `facturx`; None: it does not say."""
    for pattern, name in _SAYS:
        found = pattern.search(data, 0, _LOOKED_AT)
        if found is not None:
            said = name or found[1].decode("ascii", "replace").lower()
            return said if said in TITLES else None
    return None


def read_flow(flow: str, path: Path) -> Rows:
    """Yield the values of a flow, in its own units. Raises `Problem` with the place (line, or JSON pointer) and the mend."""
    name = flow.lower()
    if name not in FLOWS:
        raise Problem(
            Text(f"Le flux « {flow} » n'est pas connu", f"The flow '{flow}' is not known"),
            Text("Choisissez parmi : " + ", ".join(FLOWS), "Choose among: " + ", ".join(FLOWS)),
            "FLOW",
        )
    if not path.stat().st_size:
        raise Problem(
            Text("Le fichier est vide", "The file is empty"),
            Text("Téléchargez le fichier de nouveau.", "Download the file again."),
            "line 1",
        )
    _check_named(name, path)
    return _XML[name](path) if name in _XML else read_on_demand(name, path.read_bytes())


def _check_named(name: str, path: Path) -> None:
    """Refuse a file that says that it is written otherwise than the flow named: JSON and XML would tell nothing of why."""
    with path.open("rb") as file:
        said = recognised(file.read(_LOOKED_AT))
    if said is not None and said != name and (said in _XML) != (name in _XML):
        raise Problem(
            Text(f"Ce fichier est un flux {said.upper()}, pas {name.upper()}", f"This file is a flow {said.upper()}, not {name.upper()}"),
            Text(f"Nommez le flux {said}.", f"Name the flow {said}."), "FLOW",
        )  # fmt: skip


def write_rows(rows: Iterator[Row], out: IO[bytes]) -> int:
    """Write rows as one JSON array, a row a line; return how many."""
    encoder, count = msgspec.json.Encoder(), 0
    out.write(b"[")
    while chunk := list(islice(rows, _AT_ONCE)):
        if count:
            out.write(b",\n")
        out.write(encoder.encode(chunk)[1:-1])
        count += len(chunk)
    out.write(b"]\n")
    return count
