"""`beffroi base-map`: make the town's own base map from files, without a network."""

from pathlib import Path
from typing import Annotated

import typer

from beffroi.cli import Data, Json, say, tell

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""

    @app.command(
        "base-map",
        help=say(
            "Fabriquer le fond de carte de la ville, à partir d'un extrait OpenStreetMap ou de GeoJSON.",
            "Make the town's base map from an OpenStreetMap extract or from GeoJSON.",
        ),
    )
    def base_map(
        files: Annotated[
            list[Path],
            typer.Argument(
                metavar="FILE…",
                exists=True,
                dir_okay=False,
                help=say("Fichiers .osm, .pbf ou .geojson.", "Files .osm, .pbf or .geojson."),
            ),
        ],
        data: Data,
        kind: Annotated[
            str,
            typer.Option(
                help=say(
                    "Sorte des entités GeoJSON qui n'en disent pas.",
                    "Kind of the GeoJSON features that say none.",
                )
            ),
        ] = "",
        credit: Annotated[
            str, typer.Option(help=say("À qui l'on doit les données.", "To whom the data are owed."))
        ] = "",
        as_json: Json = False,
    ) -> None:
        from beffroi.settings import load_settings
        from beffroi.standards.pmtiles import OSM_CREDIT, build_base_map, read_geojson, read_osm

        folder = load_settings(data).data
        grounds, owed = [], [credit] if credit else []
        for path in files:
            if path.suffix in (".osm", ".pbf"):
                grounds += read_osm(path)
                owed += [] if OSM_CREDIT in owed else [OSM_CREDIT]
            else:
                grounds += read_geojson(path, kind)
        made = build_base_map(grounds, folder, ", ".join(owed))
        report = {"file": str(made), "features": len(grounds), "bytes": made.stat().st_size}
        tell(
            report,
            as_json=as_json,
            words=say(
                "Fond de carte : {features} objets, {bytes} octets, dans {file}",
                "Base map: {features} features, {bytes} bytes, in {file}",
                **report,
            ),
        )
