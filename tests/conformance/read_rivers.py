"""Run by a Python that has `cl-hubeau` and `vigicrues`: read a town's rivers with both, unmodified but for their address.

`python read_rivers.py http://host:port CODE`: prints what they read as JSON.
"""

import asyncio
import json
import sys
import tempfile
import warnings

warnings.simplefilter("ignore")


def hubeau(root: str, code: str) -> dict[str, object]:
    """Read the stations and their observations as cl-hubeau does."""
    from cl_hubeau.hydrometry.hydrometry_scraper import HydrometrySession
    from cl_hubeau.session.session import BaseHubeauSession

    HydrometrySession.BASE_URL = f"{root}/api/hubeau"
    BaseHubeauSession.get_machine_user_agent = staticmethod(
        lambda: "cl_hubeau test"
    )  # it asks for a route to the world
    folder = tempfile.mkdtemp()
    BaseHubeauSession.CACHE_NAME = f"{folder}/cache.sqlite"
    BaseHubeauSession.RATELIMITER_PATH = f"{folder}/rate.sqlite"
    with HydrometrySession() as session, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        session.size = 100
        frame = session.get_stations(code_station=code, format="geojson")
        sites = session.get_sites(code_site=code[:8])
        live = session.get_realtime_observations(
            code_entite=code, grandeur_hydro="H", date_debut_obs="2026-11-01"
        )
        days = session.get_observations(code_entite=code, grandeur_hydro_elab="HIXnJ")
    live = live.sort_values("date_obs")
    return {
        "stations": [
            [r.code_station, r.libelle_station, round(r.geometry.x, 4), round(r.geometry.y, 4)]
            for r in frame.itertuples()
        ],
        "sites": sites["code_site"].tolist(),
        "observations": [[str(r.date_obs), r.resultat_obs, r.code_station] for r in live.itertuples()],
        "days": [[str(r.date_obs_elab.date()), r.resultat_obs_elab] for r in days.itertuples()],
        "warnings": [
            str(w.message) for w in said if "version" in str(w.message) or "expected" in str(w.message)
        ],
    }


async def vigicrues(root: str, code: str) -> dict[str, object]:
    """Read the same rivers as the client of Vigicrues does."""
    from vigicrues import Vigicrues

    Vigicrues.VIGICRUES_BASE_URL = f"{root}/api/vigicrues/services"
    Vigicrues.DISCOVERY_BASE_URL = f"{root}/api/vigicrues/stations"
    async with Vigicrues() as client:
        territories = await client.get_territories()
        rivers = await client.get_troncons(territories[0].id)
        stations = await client.get_troncon_stations(rivers[0].id)
        details = await client.get_station_details(code)
        level = await client.get_latest_observations(code, "H")
        found = await client.search_stations("pont")
    return {
        "territories": [t.name for t in territories], "rivers": [[r.id, r.name] for r in rivers], "stations": [s.id for s in stations],
        "details": [details.name, details.river, round(details.longitude, 4), round(details.latitude, 4)],
        "level": [level.timestamp.isoformat(), level.value, level.unit], "found": [s.id for s in found],
    }  # fmt: skip


told = {"hubeau": hubeau(*sys.argv[1:]), "vigicrues": asyncio.run(vigicrues(*sys.argv[1:]))}
sys.stdout.write(json.dumps(told))
