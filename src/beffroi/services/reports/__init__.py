"""Reports: what citizens tell the town hall, from the pavement to the repair, as declarations."""

from beffroi.model.text import Text
from beffroi.plugins import Service, hookimpl, service_of

__all__ = ["beffroi_service"]


@hookimpl
def beffroi_service() -> Service:
    """Return the service of citizens' reports."""
    return service_of(
        __name__,
        name="reports",
        title=Text("Signalements", "Reports"),
        description=Text(
            "Ce que les habitants signalent : dit en trois champs, suivi sans compte, clos avec le vrai motif.",
            "What residents report: told in three fields, followed without an account, closed for the true reason.",
        ),
    )
