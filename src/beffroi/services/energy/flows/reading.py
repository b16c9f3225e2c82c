"""Read any flow by its name."""

from collections.abc import Callable, Iterator
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

__all__ = ["FLOWS", "read_flow", "write_rows"]

_XML: dict[str, Callable[[Path], Rows]] = {
    "r151": read_r151, "r15": read_r15, "c15": read_c15, "f12": read_f12, "f15": read_f15,
}  # fmt: skip
_ON_DEMAND = ("r63", "r64", "r65", "r67")
FLOWS = (*_XML, *_ON_DEMAND)
_AT_ONCE = 20_000


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
    return _XML[name](path) if name in _XML else read_on_demand(name, path.read_bytes())


def write_rows(rows: Iterator[Row], out: IO[bytes]) -> int:
    """Write rows as one JSON array, a row a line; return how many."""
    encoder, count, chunk = msgspec.json.Encoder(), 0, []
    out.write(b"[")
    for row in rows:
        chunk.append(row)
        if len(chunk) == _AT_ONCE:
            count += _flush(encoder, chunk, out, first=not count)
    count += _flush(encoder, chunk, out, first=not count)
    out.write(b"]\n")
    return count


def _flush(encoder: msgspec.json.Encoder, chunk: list[Row], out: IO[bytes], *, first: bool) -> int:
    count = len(chunk)
    if chunk:
        if not first:
            out.write(b",\n")
        out.write(encoder.encode(chunk)[1:-1])
        chunk.clear()
    return count
