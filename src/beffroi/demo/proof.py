"""The proof of the demonstration town: published business cases, the study of economies, who read what.

The figures that pages show at once are computed here too, so that the first visitor does not wait for them.
"""

import msgspec

from beffroi.evaluation.case.collections import CASE
from beffroi.evaluation.case.reading import read_case
from beffroi.evaluation.sobriety.study import make_study
from beffroi.evaluation.sobriety.usage import usages
from beffroi.model.declaration import Indicator
from beffroi.model.instant import DAY_US
from beffroi.model.principal import Principal
from beffroi.scene import Scene
from beffroi.scene.chance import Chance
from beffroi.store.tables import page_reading
from beffroi.town import Town
from beffroi.web.kit.kept import keep_figure, measured_indicator

__all__ = ["write_cases", "write_proof"]

_WRITER = Principal("user:demo-finances", "Nadège Lavaud", "responsable")
COUNTED_DAYS = 200
# screen, service, readings a day, days since anyone opened it, then what it is like: bytes, elements, requests
READ = (
    ("/", "", 60, 0, 21_000, 420, 4), ("/carte", "", 25, 0, 190_000, 260, 4), ("/services", "", 9, 0, 9_000, 90, 2),
    ("/services/{name}", "", 7, 0, 12_000, 180, 2), ("/capteurs", "", 6, 0, 15_000, 340, 2), ("/capteurs/{id}", "", 5, 0, 14_000, 160, 4),
    ("/series/{id}", "", 8, 0, 26_000, 210, 4), ("/alarmes", "", 12, 0, 13_000, 230, 2), ("/alarmes/{id}", "", 9, 0, 11_000, 110, 2),
    ("/regles", "", 2, 1, 12_000, 190, 2), ("/donnees", "", 4, 0, 10_000, 120, 2), ("/donnees/{name}", "", 11, 0, 24_000, 640, 4),
    ("/donnees/{name}/{id}", "", 14, 0, 13_000, 150, 2), ("/preuve", "", 2, 0, 9_000, 100, 2), ("/accessibilite", "", 0, 131, 8_000, 80, 2),
    ("/services/equipment", "equipment", 5, 0, 13_000, 190, 3), ("/services/environment", "environment", 6, 0, 15_000, 240, 3),
    ("/energie", "energy", 6, 0, 14_000, 230, 3), ("/services/waste/tournee", "waste", 3, 0, 12_000, 310, 2), ("/travaux", "works", 8, 0, 9_000, 120, 2),
    ("/services/watergrid", "watergrid", 4, 0, 13_000, 200, 3), ("/services/lighting", "lighting", 3, 0, 12_000, 180, 2),
    ("/signaler", "reports", 22, 0, 12_000, 130, 2), ("/signalements", "reports", 9, 0, 17_000, 260, 3), ("/signalements/file", "reports", 18, 0, 25_000, 420, 4),
    ("/signaler/affiche", "reports", 0, 112, 9_000, 90, 2), ("/services/water", "water", 0, 96, 9_000, 80, 2),
)  # fmt: skip


def write_cases(town: Town) -> None:
    """Write a published case for each one that a service proposes."""
    with town.store.records.writer(_WRITER, "Modèle présenté au conseil") as writer:
        for service in town.registry.services.values():
            for document in service.evaluation.cases if service.evaluation else ():
                values = {
                    "title": document["title"]["fr"], "title_en": document["title"].get("en"), "service": service.name, "published": True, "document": dict(document),
                }  # fmt: skip
                writer.create(CASE.name, values, None, None)


def write_proof(town: Town, scene: Scene) -> None:
    """Write what the pages of proof show of the history that was just told."""
    _readings(town, scene)
    make_study(town.store, town.clock())
    keep_figure(town, "usage", msgspec.to_builtins(usages(town.store, town.registry.services, town.clock())))
    for indicator, days in sorted(_asked(town, scene.days), key=lambda pair: (pair[0].name, pair[1])):
        span = days * DAY_US
        keep_figure(town, f"{indicator.name}::{span}", measured_indicator(town, indicator, None, span))


def _asked(town: Town, history_days: int) -> set[tuple[Indicator, int]]:
    """Return the indicators that pages of proof show, each over how many days."""
    asked = {(i, 30) for service in town.registry.services.values() for i in service.indicators}
    for service in town.registry.services.values():
        for document in service.evaluation.cases if service.evaluation else ():
            for one in read_case(document).hypotheses.values():
                indicator = town.registry.indicator(one.bound.indicator) if one.bound is not None else None
                if one.bound is not None and indicator is not None:
                    asked.add((indicator, max(1, min(one.bound.days, history_days))))
    return asked


def _readings(town: Town, scene: Scene) -> None:
    """Write who read what, by day and never by whom; two screens and one service have lost their readers."""
    last, rows = scene.end_us // DAY_US, []
    for place, service, mean, silent, weight, elements, requests in READ:
        draw = Chance(scene.seed, f"readings{place}")
        for ago in range(silent, COUNTED_DAYS):
            count = round(draw.between(0.5, 1.5, ago) * max(mean, 0.6))
            if count:
                rows.append({
                    "place": place, "day": last - 1 - ago, "service": service, "readings": count, "bytes": count * weight, "weight": weight,
                    "elements": elements, "requests": requests,
                })  # fmt: skip
    with town.store.write() as connection:
        connection.execute(page_reading.insert(), rows)
