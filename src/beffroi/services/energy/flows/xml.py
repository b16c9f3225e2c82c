"""Walk an XML flow element by element, whatever its size, with the line of each for whoever must mend it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["at_top", "child", "elements", "line", "need", "parts"]


def elements(path: Path, flow: str, *tags: str) -> Iterator[Any]:
    """Yield each element called one of `tags`, whole; it is emptied when the next is asked for.

    Raises `Problem` for a file that is cut, is not XML, brings a document type, or is another flow.
    """
    try:
        from lxml import etree  # noqa: PLC0415 -- of the extra [energy]
    except ImportError as error:
        raise Problem(
            Text("Les flux XML demandent l'extra « energy ».", "XML flows need the extra 'energy'."),
            Text(
                'Installez-le : pip install "beffroi[energy]".', 'Install it: pip install "beffroi[energy]".'
            ),
            status=503,
        ) from error
    try:
        with path.open("rb") as file:
            walk = etree.iterparse(
                file, events=("end",), tag=("Identifiant_Flux", *tags), resolve_entities=False, no_network=True, load_dtd=False,
                huge_tree=False, remove_comments=True, remove_pis=True,
            )  # fmt: skip
            for _, element in walk:
                if element.tag == "Identifiant_Flux":
                    _check(element, flow)
                    continue
                yield element
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
    except etree.XMLSyntaxError as error:
        raise Problem(
            Text("Le flux est coupé avant sa fin, ou n'est pas du XML", "The flow is cut before its end, or is not XML"),
            Text("Téléchargez le fichier de nouveau : rien n'en a été repris.", "Download the file again: nothing of it was taken."),
            f"line {error.lineno}",
        ) from error  # fmt: skip


def _check(element: Any, flow: str) -> None:
    said = (element.text or "").strip().lower()
    if said != flow:
        raise Problem(
            Text(f"Ce fichier est un flux {said.upper()}, pas {flow.upper()}", f"This file is a flow {said.upper()}, not {flow.upper()}"),
            Text(f"Lancez : beffroi energy parse {said} …", f"Run: beffroi energy parse {said} …"),
            line(element),
        )  # fmt: skip


def at_top(element: Any) -> None:
    """Refuse an element that does not stand directly in the flow. Raises `Problem`."""
    above = element.getparent()
    if above is None or above.getparent() is not None:
        raise Problem(
            Text(f"« {element.tag} » n'est pas à sa place", f"'{element.tag}' is not in its place"),
            Text("Redemandez le flux : sa forme n'est pas celle attendue.", "Ask for the flow again: its shape is not the one expected."),
            line(element),
        )  # fmt: skip


def line(element: Any) -> str:
    """Return where an element is."""
    return f"line {element.sourceline}"


def child(element: Any, path: str) -> str | None:
    """Return the text of a descendant, None when it is absent or empty."""
    found = element.findtext(path)
    text = found.strip() if found else ""
    return text or None


def need(element: Any, path: str) -> str:
    """Return the text of a descendant that the flow must have. Raises `Problem`."""
    text = child(element, path)
    if text is None:
        raise Problem(
            Text(f"Il manque « {path} » dans « {element.tag} »", f"'{path}' is missing in '{element.tag}'"),
            Text("Redemandez le flux : sa forme n'est pas celle attendue.", "Ask for the flow again: its shape is not the one expected."),
            line(element),
        )  # fmt: skip
    return text


def parts(element: Any) -> dict[str, str]:
    """Return the texts of an element's children, by name."""
    return {one.tag: (one.text or "").strip() for one in element}
