"""People on duty: the default rules are on, and agents see to the alarms at working hours."""

from beffroi.model.instant import HOUR_US
from beffroi.model.principal import SYSTEM, Principal
from beffroi.rules import alarms, rulebook
from beffroi.scene import Scene
from beffroi.scene.chance import Chance
from beffroi.scene.civil import moment
from beffroi.store.record import Query, Row
from beffroi.town import Town

__all__ = ["Duty", "switch_on"]

# What an agent writes, by a word of the rule's name.
_SAID = (
    ("hauteur", "Barrières posées quai de la Sarelle, riverains prévenus."),
    ("Montée", "Reconnaissance faite au pont, on surveille."),
    ("Conteneur", "Collecte demandée pour la prochaine tournée."),
    ("Batterie", "Pile commandée, remplacement au prochain passage."),
    ("muet", "Passage prévu pour redémarrer la sonde."),
    ("Particules", "Capteur indicatif : à comparer avec la station de la place."),
    ("confiné", "École prévenue, rappel d'aérer."),
    ("Panne", "Entreprise appelée."),
)
_WORK_H = (8.0, 17.5)


def switch_on(town: Town) -> None:
    """Switch on the default rules of every service."""
    for service in town.registry.services.values():
        for template in service.rules:
            rulebook.add(town.store, template.written, SYSTEM, enabled=True, origin=service.name)


class Duty:
    """Agents who take alarms in charge some hours after they rang; some are left for later."""

    def __init__(self, town: Town, scene: Scene, agents: list[Principal]) -> None:
        self.store = town.store
        self.agents = agents
        self.draw = Chance(scene.seed, "duty")
        self.names: dict[int, str] = {}

    def see_to(self, now_us: int) -> None:
        """Take in charge what waits: at working hours, red alarms at any hour."""
        _, weekday, hour, holiday = moment(now_us)
        at_work = weekday < 5 and not holiday and _WORK_H[0] <= hour < _WORK_H[1]
        waiting = Query(where={"state": ["active", "cleared_unacknowledged"]}, limit=500)
        for row in list(self.store.records.all("alarm", waiting)):
            if not self._due(row, now_us, at_work=at_work):
                continue
            agent = next((a for a in self.agents if a.covers(row.territory)), self.agents[0])
            alarms.acknowledge(self.store, [row.id], agent, self._said(row.id, row.values["rule"]))

    def _due(self, row: Row, now_us: int, *, at_work: bool) -> bool:
        """Tell whether someone takes this alarm in charge now."""
        waited = now_us - int(row.values["raised_at"])
        if row.values["severity"] == "rouge":
            return waited > HOUR_US
        delay = self.draw.between(0.3, 9.0, row.id, 1) * HOUR_US
        return at_work and waited > delay and self.draw.unit(row.id, 2) >= 0.12

    def _said(self, alarm_id: int, rule_id: int) -> str:
        if self.draw.unit(alarm_id, 3) < 0.35:
            return ""
        if rule_id not in self.names:
            self.names[rule_id] = str(self.store.records.get("rule", rule_id, deleted=None).values["name"])
        return next((said for word, said in _SAID if word in self.names[rule_id]), "")
