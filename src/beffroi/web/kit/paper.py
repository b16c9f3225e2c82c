"""Paper: a page as PDF (WeasyPrint, the extra `pdf`), from the same template as on screen."""

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.town import Town
from beffroi.web.kit.look import look_of
from beffroi.web.kit.page import language_of, pages_for

__all__ = ["paper", "pdf", "pdf_bytes"]

STYLE = """
@page { size: A4; margin: 16mm 15mm 18mm; @bottom-right { content: counter(page) " / " counter(pages); font: 8pt sans-serif; color: #555 } }
body { font: 10pt/1.4 "DejaVu Sans", sans-serif; color: #111; margin: 0 }
h1 { font-size: 16pt; margin: 0 0 2mm } h2 { font-size: 12pt; margin: 6mm 0 2mm; break-after: avoid } p { margin: 0 0 2mm }
table { border-collapse: collapse; width: 100%; font-size: 9pt } th, td { text-align: left; vertical-align: top; padding: 1.5mm 2mm 1.5mm 0; border-bottom: .3pt solid #999 }
thead { display: table-header-group } tr { break-inside: avoid } .figure { text-align: right } small, .about { color: #444; font-size: 8.5pt }
.box { display: inline-block; width: 4mm; height: 4mm; border: .6pt solid #111 } .lines { height: 12mm; border-bottom: .3pt dotted #777 }
.sketch { width: 100%; height: 88mm }
.dense { font-size: 8.5pt } .dense h1 { font-size: 14pt } .dense h2 { font-size: 10pt; margin: 3mm 0 .5mm } .dense table { font-size: 7.5pt } .dense th, .dense td { padding: .7mm 2mm .7mm 0 } .dense td, .dense th[scope=row] { white-space: nowrap } .dense .wrap td, .dense .wrap th[scope=row] { white-space: normal }
.dense .keys { table-layout: fixed; margin: 2mm 0 } .dense .keys td, .dense .keys th { white-space: normal; border: 0 } .dense .keys strong { font-size: 12pt }
"""
# what a drawing is for those who do not see it: paper takes it from its title, screens from its label
_DRAWING = re.compile(r'(<svg\b[^>]*\baria-label="([^"]*)"[^>]*>)(?!<title>)')
_MISSING = Problem(
    Text("Ce serveur ne fait pas de PDF.", "This server makes no PDF."),
    Text("Installez le supplément : pip install 'beffroi[pdf]'. La page s'imprime aussi depuis le navigateur.",
         "Install the extra: pip install 'beffroi[pdf]'. The page also prints from the browser."),
    status=501,
)  # fmt: skip


def pdf_bytes(html: str) -> bytes:
    """Return a page as PDF/UA-1; nothing is fetched for it. Raises `Problem` without the extra `pdf`."""
    try:
        from weasyprint import CSS, HTML  # noqa: PLC0415 -- an extra, and slow to import
    except ImportError as error:
        raise _MISSING from error

    def nothing(url: str) -> Any:
        raise ValueError(f"a paper fetches nothing, not {url[:80]}")

    document = HTML(string=_DRAWING.sub(r"\1<title>\2</title>", html), url_fetcher=nothing)
    made: bytes = document.write_pdf(
        stylesheets=[CSS(string=STYLE, url_fetcher=nothing)], pdf_variant="pdf/ua-1", finisher=_named
    )
    return made


def _named(_document: Any, made: Any) -> None:
    """Add what WeasyPrint leaves out of tables: what each header is the header of (its scope), and the tree of names by which
    cells find their headers (ISO 32000-1, tables 322 and 349)."""
    import pydyf  # noqa: PLC0415 -- comes with WeasyPrint

    kept = {one.reference: one for one in made.objects if isinstance(one, pydyf.Dictionary)}
    root = next((one for one in kept.values() if one.get("Type") == "/StructTreeRoot"), None)
    headers = {one["ID"].string: one for one in kept.values() if one.get("S") == "/TH" and "ID" in one}
    if root is None or not headers:
        return
    for one in headers.values():
        row = kept[one["P"]]
        alone = all(kept[kid]["S"] == "/TH" for kid in row["K"])
        above = alone or kept[row["P"]]["S"] == "/THead"
        one["A"]["Scope"] = "/Column" if above else "/Row"
    pairs = [part for name in sorted(headers) for part in (pydyf.String(name), headers[name].reference)]
    root["IDTree"] = pydyf.Dictionary({"Names": pydyf.Array(pairs)})


def paper(town: Town, language: str, template: str, **context: Any) -> bytes:
    """Return a template of paper, with the words and figures that pages have, as PDF/UA-1.

    Raises `Problem` without the extra `pdf`.
    """
    environment = pages_for(town).environments[language]
    return pdf_bytes(
        environment.get_template(template).render(look=look_of(town), now=town.clock(), **context)
    )


def pdf(request: Request, template: str, name: str, /, *, kept: str = "no-cache", **context: Any) -> Response:
    """Return a template of paper as a PDF file, in the reader's language; `kept` says what caches may do."""
    made = paper(request.app.state.town, language_of(request), template, **context)
    headers = {
        "Content-Disposition": f'inline; filename="{re.sub(r"[^A-Za-z0-9.-]", "-", name)}"',
        "Content-Language": language_of(request), "Cache-Control": kept,
    }  # fmt: skip
    return Response(made, media_type="application/pdf", headers=headers)
