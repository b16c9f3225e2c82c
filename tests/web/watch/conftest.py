"""A town with two open alarms and one that is over."""

import pytest
from tests.rules.conftest import Clock, Place

from beffroi.model.instant import MINUTE_US


@pytest.fixture
def place(town) -> Place:
    made = Place(town.store, Clock(town.clock() - 10 * MINUTE_US))
    level, flow, hidden = (
        made.series(),
        made.series("Débit", "Seine"),
        made.series("Caméra", "Mairie", public=0),
    )
    made.rule("{above: {jaune: 5, rouge: 20}, hysteresis: 1}", level, name="Crue de l'Ardèche")
    made.rule("{above: 5}", flow, name="Débit fort")
    made.rule("{above: 5}", hidden, name="Cachée")
    for series in (level, flow, hidden):
        made.now(series, "9.5")
    made.clock.go(60)
    made.now(flow, "1")
    return made
