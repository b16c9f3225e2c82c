"""`/services/watergrid/stareau`: the network as a StaR-Eau GeoPackage, and what its rows lack to be written."""

import tempfile
from pathlib import Path

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from beffroi.identity.rights import require_staff
from beffroi.model.instant import to_datetime
from beffroi.services.watergrid.stareau.layers import MAPPED, layers
from beffroi.services.watergrid.stareau.writing import Lacking, write
from beffroi.store.record import Query
from beffroi.town import Town
from beffroi.web.kit.form import Input
from beffroi.web.kit.page import language_of, principal_of, render

__all__ = ["stareau", "stareau_file"]

_MOST = 200  # characters of a value


def _made(request: Request) -> tuple[bytes, int, list[Lacking], list[Lacking]]:
    """Return the file, how many rows it has, what is left out, and what would be without the values given."""
    town: Town = request.app.state.town
    who = require_staff(principal_of(request))
    known = {column.name for layer in layers().values() for column in layer.columns}
    asked = request.query_params.items()
    given = {k: v.strip()[:_MOST] for k, v in asked if k in known and v.strip()}
    query = Query(territories=who.territories or None)
    rows = {
        name: list(town.store.records.all(name, query)) for name in {m.collection for m in MAPPED.values()}
    }
    with tempfile.TemporaryDirectory(prefix="beffroi-stareau-") as folder:
        path = Path(folder) / "reseau.gpkg"
        written, lacking = write(path, rows, to_datetime(town.clock()), {})
        bare = lacking
        if given:
            written, lacking = write(path, rows, to_datetime(town.clock()), given)
        return path.read_bytes(), written, lacking, bare


def stareau(request: Request) -> Response:
    """Answer what the network lacks to be written, with an input for each column; what is given goes into every row without it."""
    _, written, lacking, bare = _made(request)
    town: Town = request.app.state.town
    columns = sorted({c for one in bare for c in one.columns if c != "geom"})
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for one in lacking:
        groups.setdefault((one.collection, one.columns), []).append(one.code)
    titles = {n: c.title.of(language_of(request)) for n, c in town.store.records.collections.items()}
    return render(
        request, "watergrid/stareau.html", inputs=[Input(c, Markup("<code>{}</code>").format(c)) for c in columns], values=dict(request.query_params), written=written, groups=groups,
        titles=titles, query=str(request.query_params),
    )  # fmt: skip


def stareau_file(request: Request) -> Response:
    """Answer the GeoPackage; `?exploitant=Régie` fills the column in the rows that have none."""
    body, *_ = _made(request)
    headers = {
        "Content-Disposition": 'attachment; filename="reseau-stareau.gpkg"',
        "Cache-Control": "no-store",
    }
    return Response(body, media_type="application/geopackage+sqlite3", headers=headers)
