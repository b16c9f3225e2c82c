"""EPANET 2.2 through its own library, as the distribution `wntr` carries it (Revised BSD; EPANET itself is public domain).

Only the shared library is loaded: `import wntr` would bring pandas and matplotlib, two seconds and 200 MB for what is a
dozen C calls. Flows are in the model's own unit; `Project.flow_m3h` turns them into m³/h. Source: EPANET 2.2
Programmer's Toolkit, US EPA, EPA/600/R-20/133.
"""

import ctypes
import importlib.util
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Self

from beffroi.model.problem import Problem, Unavailable
from beffroi.model.text import Text

__all__ = ["FLOW_UNITS_M3H", "Project"]

# EPANET's flow units by its own code (EN_CFS to EN_CMD), in m³/h
FLOW_UNITS_M3H = (101.9406, 0.2271247, 157.7255, 189.4204, 51.39508, 3.6, 0.06, 41.66667, 1.0, 0.04166667)
FEET_TO_M, PSI_TO_M = 0.3048, 0.7030696
_US_UNITS = 5  # codes below are US customary: lengths in feet, pressures in psi
_DURATION, _HYDRAULIC_STEP, _PATTERN_STEP, _PATTERN_START, _REPORT_STEP = 0, 1, 3, 4, 5
_ELEVATION, _DEMAND, _HEAD, _PRESSURE = 0, 9, 10, 11
_FLOW, _STATUS = 8, 11
_ACCURACY, _DEMAND_MULTIPLIER = 1, 4
_FROM_THE_LAST = 0  # flows begin where the solution before ended: four times quicker, the same to 1e-6 m
_NODES, _LINKS, _PATTERNS = 0, 2, 3
_WARNINGS = 100  # codes up to here are warnings, not failures

_ERRORS = {  # EPANET 2.2 users manual, appendix B; those that its report says nothing of
    223: Text("Il a moins de deux nœuds.", "It has fewer than two nodes."),
    224: Text("Il n'a ni ressource ni réservoir ([RESERVOIRS], [TANKS]).", "It has no reservoir and no tank ([RESERVOIRS], [TANKS])."),
    233: Text("Un nœud n'est relié à rien.", "A node is joined to nothing."),
    302: Text("Le fichier ne s'ouvre pas.", "The file cannot be opened."),
}  # fmt: skip


@cache
def _library() -> ctypes.CDLL:
    found = importlib.util.find_spec("wntr")
    folders = [] if found is None else list(found.submodule_search_locations or ())
    names = {
        "win32": "windows-x64/epanet22.dll",
        "darwin": "darwin-arm/libepanet2.dylib" if "arm" in platform.machine() else "darwin-x64/libepanet22.dylib",
    }  # fmt: skip
    name = names.get(sys.platform, "linux-x64/libepanet22.so")
    for folder in folders:
        path = Path(folder) / "epanet" / "libepanet" / name
        if path.exists():
            return ctypes.CDLL(str(path))
    raise Unavailable(
        Text("Le simulateur EPANET n'est pas installé ici.", "The EPANET simulator is not installed here."),
        Text(
            "Installez-le : pip install 'beffroi[watergrid]'.",
            "Install it: pip install 'beffroi[watergrid]'.",
        ),
    )


class Project:
    """One opened model. Nodes and links are named by their id in the model; values are metric."""

    def __init__(self, path: Path) -> None:
        self._lib = _library()
        self._handle = ctypes.c_void_p()
        self._double = ctypes.c_double()
        self._solving = False
        self._scratch = tempfile.TemporaryDirectory(prefix="beffroi-epanet-")
        self._path = path
        self._call("createproject", ctypes.byref(self._handle), handle=False)
        report = Path(self._scratch.name) / "report"
        code = self._lib.EN_open(self._handle, str(path).encode(), str(report).encode(), b"")
        if code > _WARNINGS:
            said = report.read_text("utf-8", "replace") if report.exists() else ""
            place, text = _complaint(said)
            self.close()
            known = _ERRORS.get(code, Text("", ""))
            raise Problem(
                Text(
                    f"EPANET refuse le modèle {path.name} (erreur {code}). {known.fr} {text}".strip(),
                    f"EPANET refuses the model {path.name} (error {code}). {known.en} {text}".strip(),
                ),
                Text(
                    "Ouvrez-le dans EPANET et corrigez ce qu'il dit.",
                    "Open it in EPANET and mend what it says.",
                ),
                place or path.name,
            )
        units = ctypes.c_int()
        self._call("getflowunits", ctypes.byref(units))
        self.flow_m3h = FLOW_UNITS_M3H[units.value]
        us = units.value < _US_UNITS
        self.length_m, self.pressure_m = (FEET_TO_M, PSI_TO_M) if us else (1.0, 1.0)
        self.nodes = {self._id("node", i): i for i in range(1, self._count(_NODES) + 1)}
        self.links = {self._id("link", i): i for i in range(1, self._count(_LINKS) + 1)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the library's memory and the scratch files back."""
        if self._handle:
            if self._solving:
                self._lib.EN_closeH(self._handle)
            self._lib.EN_close(self._handle)
            self._lib.EN_deleteproject(self._handle)
            self._handle = ctypes.c_void_p()
        self._scratch.cleanup()

    def clock(self, duration_s: int, step_s: int) -> None:
        """Set how long to simulate and how finely.

        EPANET solves anew at every change of a pattern: patterns finer than the step are brought to it, by their means, so
        that volumes stay.
        """
        self._thin(step_s)
        for parameter, value in ((_DURATION, duration_s), (_REPORT_STEP, step_s), (_HYDRAULIC_STEP, step_s)):
            self._call("settimeparam", parameter, ctypes.c_long(value))

    def _thin(self, step_s: int) -> None:
        every = ctypes.c_long()
        self._call("gettimeparam", _PATTERN_STEP, ctypes.byref(every))
        patterns = [self._pattern(i) for i in range(1, self._count(_PATTERNS) + 1)]
        together, rest = divmod(step_s, max(every.value, 1))
        if together < 2 or rest or any(len(p) > 1 and len(p) % together for p in patterns):
            return
        for index, values in enumerate(patterns, start=1):
            if len(values) > 1:
                means = [sum(values[i : i + together]) / together for i in range(0, len(values), together)]
                self._call("setpattern", index, (ctypes.c_double * len(means))(*means), len(means))
        self._call("settimeparam", _PATTERN_STEP, ctypes.c_long(step_s))

    def _pattern(self, index: int) -> list[float]:
        length = ctypes.c_int()
        self._call("getpatternlen", index, ctypes.byref(length))
        found = []
        for period in range(1, length.value + 1):
            self._call("getpatternvalue", index, period, ctypes.byref(self._double))
            found.append(self._double.value)
        return found

    def begin(self, second: int) -> None:
        """Begin the demand patterns at this second of their first day."""
        self._call("settimeparam", _PATTERN_START, ctypes.c_long(second))

    def once(self, nodes: Sequence[str]) -> list[float]:
        """Solve the first instant alone; return the pressures at `nodes`, in m of water."""
        now = ctypes.c_long()
        if not self._solving:
            self._call("openH")
            self._solving = True
        self._call("initH", _FROM_THE_LAST)
        self._call("runH", ctypes.byref(now))
        return self.pressures(nodes)

    def finely(self, accuracy: float = 1e-4) -> None:
        """Let each solution converge further: differences of pressures are small."""
        self._call("setoption", _ACCURACY, ctypes.c_double(accuracy))

    def multiply(self, factor: float) -> None:
        """Multiply every demand by `factor` from the next step on."""
        self._call("setoption", _DEMAND_MULTIPLIER, ctypes.c_double(factor))

    def draw(self, node: str, m3_per_hour: float, category: int = 1) -> None:
        """Set the base demand of one category of `node`."""
        value = ctypes.c_double(m3_per_hour / self.flow_m3h)
        self._call("setbasedemand", self.nodes[node], category, value)

    def drain(self, node: str) -> int:
        """Add a demand category without pattern to `node`, drawing nothing yet; return its number."""
        index = self.nodes[node]
        self._call("adddemand", index, ctypes.c_double(0.0), b"", b"")
        count = ctypes.c_int()
        self._call("getnumdemands", index, ctypes.byref(count))
        self._call("setdemandpattern", index, count.value, 0)
        return count.value

    def still(self, node: str) -> None:
        """Let a node draw nothing, in any of its categories."""
        count = ctypes.c_int()
        self._call("getnumdemands", self.nodes[node], ctypes.byref(count))
        for category in range(1, count.value + 1):
            self.draw(node, 0.0, category)

    def shut(self, link: str, *, closed: bool = True) -> None:
        """Close or open a link, from the next step on."""
        self._call("setlinkvalue", self.links[link], _STATUS, ctypes.c_double(0.0 if closed else 1.0))

    def steps(self) -> Iterator[int]:
        """Solve step after step; yield the simulated second of each one."""
        self._call("openH")
        self._solving = True
        self._call("initH", 0)
        now, step = ctypes.c_long(), ctypes.c_long()
        try:
            while True:
                self._call("runH", ctypes.byref(now))
                yield now.value
                self._call("nextH", ctypes.byref(step))
                if step.value <= 0:
                    return
        finally:
            self._lib.EN_closeH(self._handle)
            self._solving = False

    def pressure(self, node: str) -> float:
        """Return the pressure at a node, in m of water."""
        return self._value("node", self.nodes[node], _PRESSURE) * self.pressure_m

    def pressures(self, nodes: Sequence[str]) -> list[float]:
        """Return the pressures at several nodes, in m of water."""
        return [self.pressure(n) for n in nodes]

    def flow(self, link: str) -> float:
        """Return the flow in a link, in m³/h, positive along its direction."""
        return self._value("link", self.links[link], _FLOW) * self.flow_m3h

    def demand(self, node: str) -> float:
        """Return what a node draws now, in m³/h."""
        return self._value("node", self.nodes[node], _DEMAND) * self.flow_m3h

    def _value(self, what: str, index: int, code: int) -> float:
        reader = self._lib.EN_getnodevalue if what == "node" else self._lib.EN_getlinkvalue
        reader(self._handle, index, code, ctypes.byref(self._double))
        return self._double.value

    def _count(self, what: int) -> int:
        count = ctypes.c_int()
        self._call("getcount", what, ctypes.byref(count))
        return count.value

    def _id(self, what: str, index: int) -> str:
        text = ctypes.create_string_buffer(64)
        self._call(f"get{what}id", index, text)
        return text.value.decode("utf-8", "replace")

    def _call(self, name: str, *arguments: object, handle: bool = True) -> None:
        function = getattr(self._lib, f"EN_{name}")
        code = function(self._handle, *arguments) if handle else function(*arguments)
        if code > _WARNINGS:
            raise Problem(
                Text(f"EPANET s'arrête : erreur {code} ({name}).", f"EPANET stops: error {code} ({name})."),
                Text("Vérifiez le modèle dans EPANET.", "Check the model in EPANET."),
                self._path.name,
            )


def _complaint(report: str) -> tuple[str, str]:
    """Return the place and the words of the first error of EPANET's report."""
    lines = [line.strip() for line in report.splitlines()]
    for i, line in enumerate(lines):
        if line.startswith("Error"):
            section = line.split("section ", 1)[-1].rstrip(":") if "section" in line else ""
            following = next((x for x in lines[i + 1 :] if x), "")
            return section, f"{line} {following}".strip()
    return "", ""
