"""`/services/lighting/arrete` and `.csv`: the stock against the order of 27 December 2018, and a place's hours against its article 2."""

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.services.lighting.compliance import ANY, STATE_WORDS, review, verdict_lines
from beffroi.services.lighting.legal import HOURS, ORDER, RULES, Verdict, check_hours, check_point, rule_title
from beffroi.services.lighting.screens.overview import fault_on
from beffroi.services.lighting.screens.whose import marked, territories_of, town_of
from beffroi.services.lighting.stock import lamps_of, require_stock
from beffroi.store.record import Row
from beffroi.town import Town
from beffroi.web.kit.form import Input
from beffroi.web.kit.page import language_of, principal_of, render, translate

__all__ = ["ROUTES"]

PLACE = "/services/lighting/arrete"
_MOST = 50
_TITLE_OF_ANY = Text("non conformes", "not as asked")
_FIELDS = ("off", "on", "end", "start", "sunset")


def index(request: Request) -> Response:
    """Answer the count of each rule, the points of a chosen one, and the check of hours."""
    town, who, _ = town_of(request), principal_of(request), translate(request)
    require_stock(town)
    asked = dict(request.query_params)
    rule = _rule(asked.get("regle", ""))
    text = asked.get("page", "1")
    page = max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 6 else 1
    one, judged = _point(town, territories_of(who), asked.get("point", "").strip()[:80])
    found = review(town, territories_of(who), rule=rule, most=_MOST, skip=(page - 1) * _MOST)
    language = language_of(request)
    errors: dict[str, str] = {}
    verdicts: list[Verdict] = []
    if asked.get("usage"):
        try:
            verdicts = check_hours(asked["usage"], **_hours(asked))  # type: ignore[arg-type]
        except Problem as problem:
            errors[problem.place] = f"{problem.reason.of(language)} {problem.mend.of(language)}"
    uses = (("street", Text("voirie", "street")), *((name, Text(h.fr, h.en)) for name, h in HOURS.items()))
    labels = {
        "off": _("Éteint à"), "on": _("Allumé à"), "end": _("Fin d'activité ou fermeture"), "start": _("Début d'activité"),
        "sunset": _("Coucher du soleil"),
    }  # fmt: skip
    inputs = [
        Input(
            "usage", _("Lieu"), "select", required=True, options=tuple((n, t.of(language)) for n, t in uses)
        ),
        *(
            Input(n, labels[n], hint=_("HH:MM, heure locale") if n == "off" else "", required=n == "off")
            for n in _FIELDS
        ),
    ]
    return render(
        request, "lighting/order_2018.html", 400 if errors else 200, review=found, title=_TITLE_OF_ANY if rule == ANY else rule_title(rule), rule=rule, page=page, more=len(found.wrong) == _MOST, any_rule=ANY,
        may_open=who.staff and "fault" in town.store.records.collections, opened=fault_on,
        inputs=inputs, values=asked, errors=errors, verdicts=verdicts, order=ORDER, words=STATE_WORDS, asked=asked.get("point", "").strip()[:80],
        point=one, judged=judged, search=[Input("point", _("Code d'un point"), required=True)],
    )  # fmt: skip


def _rule(said: str) -> str:
    """Return a rule that was named, or all of them. Raises `NotFound`."""
    if said and said not in {ANY, "category", *RULES}:
        raise NotFound(Text("Cette règle n'existe pas.", "There is no such rule."),
                       Text("Choisissez-en une dans le tableau.", "Choose one in the table."), place="regle")  # fmt: skip
    return said


def _hours(asked: dict[str, str]) -> dict[str, int | None]:
    """Return the clock times that were written, in minutes. Raises `Problem` at the field."""
    found: dict[str, int | None] = {}
    for name in _FIELDS:
        text = asked.get(name, "").strip()
        hour, _, minute = text.replace("h", ":").partition(":")
        if not text and name != "off":
            found[name] = None
            continue
        if not (
            hour.isascii()
            and hour.isdigit()
            and len(hour) < 3
            and (minute or "0").isascii()
            and (minute or "0").isdigit()
            and len(minute) < 3
        ):
            raise Problem(
                Text("Cette heure n'est pas lisible.", "This time cannot be read."), Text("Écrivez HH:MM.", "Write HH:MM."), place=name
            )  # fmt: skip
        found[name] = int(hour) * 60 + int(minute or 0)
    return found


def _point(town: Town, territories: tuple[str, ...] | None, code: str) -> tuple[Row | None, list[Verdict]]:
    """Return the installed lamp of a code and all that the order says of it."""
    row = next(lamps_of(town, territories, code=code), None) if code else None
    return row, [] if row is None else check_point(row.values, built_up=True)


def export(request: Request) -> Response:
    """Answer every verdict as CSV."""
    town, who = town_of(request), principal_of(request)
    require_stock(town)
    rule = _rule(request.query_params.get("regle", ""))
    lines = verdict_lines(town, language_of(request), territories_of(who), rule=rule)
    headers = {"Content-Disposition": 'attachment; filename="arrete-2018.csv"'}
    return StreamingResponse(marked(lines), media_type="text/csv; charset=utf-8", headers=headers)


ROUTES: list[BaseRoute] = [Route(PLACE, index), Route(f"{PLACE}.csv", export)]
