"""What the town itself says of its duties: who publishes, who hosts, whom to write to, what an audit found."""

import datetime as dt

import msgspec

from beffroi.town import Town

__all__ = ["SETTING", "Conformity", "Said", "said_of"]

SETTING = "duties"  # the town's setting


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """The town's answers; "" is what it has not said. Dates are ISO days; `rate` is the share of criteria met, in %."""

    publisher: str = ""
    director: str = ""
    host: str = ""
    contact: str = ""
    security: str = ""
    privacy: str = ""
    terms: str = ""
    audit_day: str = ""
    auditor: str = ""
    rate: str = ""
    failures: str = ""
    exemptions: str = ""
    plan: str = ""

    @property
    def state(self) -> "Conformity":
        """Return the state that the law (decree 2019-768, art. 5) gives to that audit."""
        if not self.audit_day or not self.rate:
            return "none"
        rate = float(self.rate.replace(",", "."))
        return "total" if rate >= 100 else "partial" if rate >= 50 else "none"

    @property
    def steps(self) -> list[tuple[str, str]]:
        """Return the plan, one (year, what) for each line that the town wrote `YEAR : WHAT`."""
        lines = (line.partition(":") for line in self.plan.splitlines() if line.strip())
        return [(year.strip(), what.strip()) if what else ("", year.strip()) for year, _, what in lines]


Conformity = str


def said_of(town: Town) -> Said:
    """Return what the town said; what cannot be read of it is as not said."""
    kept = town.store.setting(SETTING, {})
    try:
        said = msgspec.convert(kept, Said)
        if said.audit_day:
            dt.date.fromisoformat(said.audit_day)
        return said
    except (msgspec.ValidationError, ValueError):
        return Said()
