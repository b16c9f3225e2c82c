"""Counting straight from the tables, on both databases."""

from tests.services.reports.desk.conftest import COMMUNE, NOW, furnish, report

from beffroi.identity import territories
from beffroi.model.instant import DAY_US
from beffroi.model.principal import SYSTEM, Principal
from beffroi.plugins import load_registry
from beffroi.rules.collections import PLATFORM_COLLECTIONS
from beffroi.services.reports import indicators
from beffroi.services.reports.desk.acting import Deed, Handling
from beffroi.services.reports.desk.counting import facts_of, months, squares_of
from beffroi.services.reports.desk.figures import NEVER
from beffroi.services.reports.desk.watched import incidents_watched
from beffroi.settings import Settings
from beffroi.store.open import Store
from beffroi.town import Town


def test_facts_and_incidents_of_the_stored_reports(settings: Settings) -> None:
    registry = load_registry((), PLATFORM_COLLECTIONS)
    town = Town(settings, Store.open(settings, lambda: NOW), registry, lambda: NOW)
    try:
        town.store.records.declare(registry.collections.values())
        territories.add(town.store, SYSTEM, COMMUNE, "Essai")
        ids = furnish(town)
        handling = Handling(town, SYSTEM)
        old = report(
            town, ids, 1, requested=NOW - 20 * DAY_US, reporter="p1", first_answered=NOW - 19 * DAY_US
        )
        twin = report(town, ids, 2, requested=NOW - 18 * DAY_US, reporter="p2")
        again = report(town, ids, 3, requested=NOW - 17 * DAY_US, reporter="p1")
        alone = report(town, ids, 4, requested=NOW - 5 * DAY_US, category="voirie.nid", at=(2.375, 47.05))
        handling.merge([twin, again], old)
        handling.split(alone, [{"description": "Un travail"}])
        told = {
            "request": old,
            "kind": "me_too",
            "actor": "neighbour",
            "at": NOW - 10 * DAY_US,
            "reporter": "p3",
        }
        town.store.records.put("report_update", told, territory=COMMUNE, who=SYSTEM)
        handling.act([old], Deed("close", reason="repaired"))
        facts = facts_of(town, SYSTEM, NOW - 30 * DAY_US, NOW + 1)
        assert sorted((c, a, e) for c, a, e in zip(facts.created.tolist(), facts.answered.tolist(), facts.closed.tolist(), strict=True)) == [
            (NOW - 20 * DAY_US, NOW - 19 * DAY_US, NOW),
            (NOW - 5 * DAY_US, NEVER, NEVER),
        ]  # fmt: skip
        assert facts.said("reason", "repaired").sum() == 1
        assert (
            len(facts_of(town, Principal("user:1", "", "elu", ("18902",)), NOW - 30 * DAY_US, NOW + 1)) == 0
        )
        found = {
            i.category: (round(i.days), i.duplicates)
            for i in incidents_watched(town, SYSTEM, NOW - 30 * DAY_US, NOW)
        }
        # p2 and p3 said it again; p1, who said it first, insists: not counted
        assert found == {"proprete": (20, 2), "voirie.nid": (5, 0)}
        # three were open ten days ago, closed since; the fourth and the work split from it are
        assert indicators.open_reports(town, None, 0, NOW - 10 * DAY_US) == 3
        assert indicators.open_reports(town, None, 0, NOW + 1) == 2
        assert indicators.to_triage(town, None, 0, NOW - 10 * DAY_US) is None
        # two problems, a kilometre from one another
        squares = squares_of(town, SYSTEM, NOW - 30 * DAY_US, NOW + 1)
        assert sorted(square[4] for square in squares) == [1, 1]
        x = 2.365 + 0.0003
        (first,) = [square for square in squares if square[0] <= x < square[2]]
        assert first[1] <= 47.045 < first[3]
        assert len(months(town, NOW - 70 * DAY_US, NOW)) == 4
    finally:
        town.close()
