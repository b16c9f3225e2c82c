"""A frozen extract for researchers: incidents without people or places, hashed so that it can be cited.

    beffroi-rate-1a2b3c4d5e6f/
        incidents.csv    incident, area, category, month, days, duplicates
        README.md        what it is, in both languages, and how to cite it
        manifest.json    SHA-256 and rows of each file; its `id` is the SHA-256 of incidents.csv

`incident` is a keyed digest: with the town's secret the same incident keeps its name from one extract to the next;
without it nobody goes back to a report. There is no report, person, address, point or day in the extract, and areas
with fewer than `FEWEST` incidents in a category are merged into "*".
"""

import csv
import hashlib
import hmac
import io
import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from beffroi.services.reports.rate.incidents import CAP_DAYS, Incident

__all__ = ["FEWEST", "write_extract"]

FEWEST = 5
_DAY_S = 86_400
_README = """# Incidents signalés : {town}

{rows} incidents, sans personne, adresse, point ni jour. `days` : durée (jours) du premier signalement à la première de :
clôture, inspection, {cap:g} jours, fin des données. `duplicates` : autres signalements, par d'autres personnes, dans
ce temps ; le premier n'est pas compté. Les secteurs de moins de {fewest} incidents dans une catégorie sont notés « * ».

À citer : {town}, « Incidents signalés », extrait {id}, {day}.

# Reported incidents: {town}

{rows} incidents, without person, address, point or day. `days`: time (days) from the first report to the first of:
closing, inspection, {cap:g} days, end of the data. `duplicates`: further reports, by other people, in that time; the
first is not counted. Areas with fewer than {fewest} incidents in a category are written "*".

To cite: {town}, "Reported incidents", extract {id}, {day}.

Method: Liu, Bhandaram & Garg, Nature Computational Science (2024), doi 10.1038/s43588-023-00572-6.
"""


def write_extract(
    incidents: Iterable[Incident],
    folder: Path,
    *,
    town: str,
    secret: bytes,
    made: datetime,
    cap: float = CAP_DAYS,
) -> Path:
    """Write the extract of incidents, which have a `name`, below `folder` and return its directory, named after its content.

    `Incident.first` must be days since 1970. The same incidents and secret give the same bytes of incidents.csv.
    """
    every = list(incidents)
    body = _body(every, secret)
    digest = hashlib.sha256(body).hexdigest()
    day = made.astimezone(UTC).date().isoformat()
    readme = _README.format(
        town=town, rows=len(every), cap=cap, fewest=FEWEST, id=digest[:12], day=day
    ).encode()
    manifest = {
        "id": digest,
        "town": town,
        "made": day,
        "files": {
            "incidents.csv": {"sha256": digest, "rows": len(every)},
            "README.md": {"sha256": hashlib.sha256(readme).hexdigest()},
        },
    }
    to = folder / f"beffroi-rate-{digest[:12]}"
    to.mkdir(parents=True, exist_ok=True)
    for name, content in (
        ("incidents.csv", body),
        ("README.md", readme),
        ("manifest.json", json.dumps(manifest, ensure_ascii=False, indent=2).encode() + b"\n"),
    ):
        (to / name).write_bytes(content)
    return to


def _body(every: list[Incident], secret: bytes) -> bytes:
    count = Counter((i.area, i.category) for i in every)
    rows = sorted(
        (
            hmac.new(secret, i.name.encode(), hashlib.sha256).hexdigest()[:16],
            i.area if count[i.area, i.category] >= FEWEST else "*",
            i.category,
            datetime.fromtimestamp(i.first * _DAY_S, UTC).strftime("%Y-%m"),
            f"{i.days:.2f}",
            i.duplicates,
        )
        for i in every
    )
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("incident", "area", "category", "month", "days", "duplicates"))
    writer.writerows(rows)
    return out.getvalue().encode()
