"""The parts of a case that the editor writes by forms: hypotheses, lines, contracts. Each is inputs, and both ways."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from starlette.requests import Request

from beffroi.evaluation.case.contract_terms import FORMS
from beffroi.evaluation.case.document import number_in
from beffroi.evaluation.case.editing import (
    normal,
    slug,
    with_hypothesis,
    with_line,
    without_hypothesis,
    without_line,
)
from beffroi.evaluation.case.model import ACTORS, KINDS
from beffroi.model.problem import NotFound
from beffroi.model.text import Text
from beffroi.plugins import Registry
from beffroi.store.record import Query
from beffroi.web.kit.figures import Figures
from beffroi.web.kit.form import Input
from beffroi.web.kit.page import figures_of, language_of, translate
from beffroi.web.site.proof.cases import town_of

__all__ = ["PARTS", "Part", "measured_by"]

Document = Mapping[str, Any]
Sent = Mapping[str, str]


class Part(msgspec.Struct, frozen=True):
    """One kind of part: its inputs, its values in a document, the document with what was sent, and without it.

    `pointer(key)` is where it is in the document: refusals below it belong to its fields.
    """

    name: str
    title: Text
    inputs: Callable[[Request, Document, Registry], list[Input]]
    values: Callable[[Document, str], dict[str, str]]
    write: Callable[[Document, str, Sent], tuple[dict[str, Any], str]]
    drop: Callable[[Document, str], dict[str, Any]]
    pointer: Callable[[str], str]


def _said(value: Any) -> str:
    """Return a value as the form's input writes it."""
    if isinstance(value, bool):
        return "1" if value else ""
    if isinstance(value, Mapping):
        return str(value.get("fr", "")) if "fr" in value else "\n".join(f"{k}: {v}" for k, v in value.items())
    if isinstance(value, list):
        return ", ".join(str(v) for v in value)
    if isinstance(value, float):
        return f"{value:.15g}".replace(".", ",")
    return "" if value is None else str(value)


def _number(text: str) -> Any:
    """Return a number when it is one, else the text: the reading of the case says what is wrong with it."""
    if not text.strip():
        return None
    value = number_in(text)
    return text.strip() if value is None else value


def _missing() -> NotFound:
    return NotFound(
        Text(
            "Cette partie du modèle n'existe pas, ou plus.",
            "This part of the case does not, or no longer, exist.",
        )
    )


def _title(before: Any, text: str) -> Any:
    """Return a title: as it was in both languages when the French was not touched."""
    if isinstance(before, Mapping) and before.get("fr") == text.strip():
        return before
    return text.strip()


# --- hypotheses
def _bindings(registry: Registry, service: str, figures: Figures) -> list[tuple[str, str]]:
    language = figures.words.language
    found = []
    for one in sorted(registry.services.values(), key=lambda s: s.name != service):
        found += [
            (
                f"indicator:{i.name}",
                f"{one.title.of(language)} · {i.title.of(language)} ({figures.unit_name(i.unit)})"
                if i.unit
                else f"{one.title.of(language)} · {i.title.of(language)}",
            )
            for i in one.indicators
        ]
        found += [
            (
                f"datastream:{k.code}",
                f"{one.title.of(language)} · {k.title.of(language)} ({figures.unit_name(k.unit_symbol)})",
            )
            for k in one.datastreams
        ]
    return found


_MEASURED_BY = ("indicator", "datastream", "experiment")


def _experiments(request: Request) -> list[tuple[str, str]]:
    """Return the published experiments, whose effect can measure a hypothesis."""
    _ = translate(request)
    rows = town_of(request).store.records.all("experiment", Query(where={"published": True}))
    english = language_of(request) == "en"
    return [
        (
            f"experiment:{r.values['code']}",
            _(
                "Expérimentation · {title}",
                title=(r.values["title_en"] if english else None) or r.values["title"],
            ),
        )
        for r in rows
    ]


def measured_by(request: Request, registry: Registry) -> Callable[[Mapping[str, Any]], str]:
    """Return what says in words what measures a hypothesis."""
    known = dict([*_bindings(registry, "", figures_of(request)), *_experiments(request)])

    def said(bound: Mapping[str, Any]) -> str:
        source = _source_of(bound)
        return known.get(source, source.partition(":")[2])

    return said


def _source_of(bound: Mapping[str, Any]) -> str:
    return next((f"{kind}:{bound[kind]}" for kind in _MEASURED_BY if bound.get(kind)), "")


def _hypothesis_inputs(request: Request, document: Document, registry: Registry) -> list[Input]:
    _ = translate(request)
    laws = (("triangular", _("le plus souvent la valeur (triangulaire)")), ("uniform", _("n'importe où entre les deux (uniforme)")),
            ("normal", _("en cloche, bas et haut à 5 % et 95 % (normale)")), ("fixed", _("ne varie pas")))  # fmt: skip
    bound = (
        ("", _("rien, c'est une hypothèse seule")),
        *_bindings(registry, str(document.get("service", "")), figures_of(request)),
        *_experiments(request),
    )
    statistics = (
        ("mean", _("moyenne de la période")),
        ("sum", _("total de la période")),
        ("yearly", _("total, rapporté à un an")),
        ("last", _("dernière valeur")),
        ("relative", _("effet d'une expérimentation, en part")),
    )
    return [
        Input("title", _("Ce que c'est"), required=True, hint=_("Par exemple : nombre de points lumineux.")),
        Input("value", _("Valeur"), required=True, hint=_("Un nombre, par exemple 450,5 ou 4 %.")),
        Input("unit", _("Unité"), hint=_("Par exemple : €, points, kWh/an.")),
        Input("low", _("Au plus bas"), hint=_("La plus petite valeur que l'on croit possible.")), Input("high", _("Au plus haut")),
        Input("law", _("Entre les deux, elle est"), "select", options=laws, required=True),
        Input("source", _("Source"), hint=_("D'où vient ce nombre : devis, comptes, étude, estimation.")),
        Input("confirmed", _("La source est vérifiée"), "checkbox"),
        Input("bound", _("Mesurée par"), "select", options=bound, required=True, hint=_("Le modèle comparera ce qui était promis à ce qui est mesuré.")),
        Input("statistic", _("Ce que l'on prend de la mesure"), "select", options=statistics, required=True),
        Input("scale", _("Multiplié par"), hint=_("Pour passer de la mesure à l'hypothèse ; 1 si c'est la même chose.")),
        Input("days", _("Sur combien de jours"), "number", unit=_("jours"), minimum=1, maximum=3660),
    ]  # fmt: skip


def _hypothesis_values(document: Document, key: str) -> dict[str, str]:
    if not key:
        return {"law": "triangular", "statistic": "mean", "scale": "1", "days": "90"}
    found = normal(document)["hypotheses"].get(key)
    if not isinstance(found, Mapping):
        raise _missing()
    values = {k: _said(v) for k, v in found.items() if k != "bound"}
    values.setdefault("title", key)
    values.setdefault("law", "triangular")
    bound = found.get("bound") or {}
    return values | {
        "bound": _source_of(bound),
        "statistic": bound.get("statistic", "mean"),
        "scale": _said(bound.get("scale", 1)),
        "days": _said(bound.get("days", 90)),
    }


def _hypothesis_written(document: Document, key: str, sent: Sent) -> tuple[dict[str, Any], str]:
    found = normal(document)["hypotheses"]
    before = found.get(key) or {}
    name = key or slug(sent.get("title", ""), found)
    values: dict[str, Any] = {n: _number(sent.get(n, "")) for n in ("value", "low", "high")}
    values |= {n: _title(before.get(n), sent.get(n, "")) for n in ("unit", "law", "source")}
    values |= {
        "title": _title(before.get("title"), sent.get("title", "")),
        "confirmed": True if sent.get("confirmed") else None,
    }
    kind, _, source = sent.get("bound", "").partition(":")
    if source:
        values["bound"] = {
            kind: source, "statistic": sent.get("statistic") or "mean", "scale": _number(sent.get("scale", "")) or 1, "days": _number(sent.get("days", "")) or 90,
        }  # fmt: skip
    order = ("title", "value", "unit", "low", "high", "law", "source", "confirmed", "bound")
    return with_hypothesis(document, name, {n: values.get(n) for n in order}), name


# --- lines
def _actors(document: Document, language: str) -> tuple[tuple[str, str], ...]:
    own = document.get("actors") or {}
    more = (
        [(str(n), str(a.get("title", n)) if isinstance(a, Mapping) else str(n)) for n, a in own.items()]
        if isinstance(own, Mapping)
        else []
    )
    return (*((a.name, a.title.of(language)) for a in ACTORS.values()), *more)


def _line_inputs(request: Request, document: Document, _registry: Registry) -> list[Input]:
    _, language = translate(request), language_of(request)
    names = ", ".join(normal(document)["hypotheses"]) or "–"
    actors = _actors(document, language)
    return [
        Input("title", _("Ce que c'est"), required=True, hint=_("Par exemple : pose des lanternes.")),
        Input("kind", _("Nature"), "select", required=True, options=tuple((k, v.of(language)) for k, v in KINDS.items())),
        Input("amount", _("Montant d'une année"), "textarea", rows=2, required=True,
              hint=_("Un nombre, ou un calcul avec les hypothèses. Une ligne par année (« 2027: 1500 ») si le montant change. Hypothèses : {names}.", names=names)),
        Input("by", _("Qui paie, ou qui reçoit l'avantage"), "select", required=True, options=actors),
        Input("to", _("À qui (transfert seulement)"), "select", options=(("", "–"), *actors)),
        Input("first", _("Première année"), hint=_("Vide : selon la nature, la première année ou toutes.")), Input("last", _("Dernière année")),
        Input("growth", _("Évolution par an, hors inflation"), hint=_("Par exemple 2 %.")),
        Input("accounts", _("Comptes du budget (M57)"), hint=_("Par exemple 21534, 615232 : pour rapprocher du budget.")),
        Input("function", _("Fonction du budget"), hint=_("Par exemple 512, éclairage public.")),
        Input("source", _("Source"), hint=_("D'où vient ce montant.")),
    ]  # fmt: skip


def _line_values(document: Document, key: str) -> dict[str, str]:
    if not key:
        return {"kind": "running", "by": "collectivite"}
    lines = normal(document)["lines"]
    if not (key.isdigit() and int(key) < len(lines)):
        raise _missing()
    found = lines[int(key)]
    values = {k: _said(v) for k, v in found.items() if k not in ("years", "from", "growth")}
    years = found.get("years")
    parts = years if isinstance(years, list) else str(years).split("-") if years is not None else []
    if found.get("growth"):
        values["growth"] = (
            f"{100 * number:g} %".replace(".", ",")
            if (number := number_in(str(found["growth"]))) is not None
            else str(found["growth"])
        )
    by = (
        found.get("from")
        or found.get("by")
        or ("environnement" if found.get("kind") == "benefit" else "collectivite")
    )
    return values | {
        "by": str(by),
        "first": str(parts[0]) if parts else "",
        "last": str(parts[-1]) if parts else "",
    }


def _amount(text: str) -> Any:
    """Return an amount: a number, a calculation, or one for each year."""
    rows = [row.strip() for row in text.splitlines() if row.strip()]
    if rows and all(":" in row for row in rows):
        return {row.partition(":")[0].strip(): _number(row.partition(":")[2]) for row in rows}
    return _number(" ".join(rows))


def _line_written(document: Document, key: str, sent: Sent) -> tuple[dict[str, Any], str]:
    lines = normal(document)["lines"]
    place = int(key) if key else None
    before = dict(lines[place]) if place is not None else {}
    kind = sent.get("kind", "")
    kept = {k: v for k, v in before.items() if k in ("cash", "prices", "output")}
    first, last = sent.get("first", "").strip(), sent.get("last", "").strip()
    span = [_number(first or last), _number(last or first)] if first or last else None
    if span is not None:
        span = [int(y) if isinstance(y, float) else y for y in span]
    values = {
        "title": _title(before.get("title"), sent.get("title", "")), "kind": kind, "amount": _amount(sent.get("amount", "")),
        "from" if kind == "transfer" else "by": sent.get("by", ""), "to": sent.get("to", "") if kind == "transfer" else None, "years": span,
        "growth": _number(sent.get("growth", "")), "accounts": [a.strip() for a in sent.get("accounts", "").split(",") if a.strip()] or None,
        "function": sent.get("function", "").strip(), "source": _title(before.get("source"), sent.get("source", "")), **kept,
    }  # fmt: skip
    return with_line(document, place, values), key or str(len(lines))


# --- contracts
def _contract_inputs(request: Request, _document: Document, _registry: Registry) -> list[Input]:
    _, language = translate(request), language_of(request)
    words = {
        "rate": _("Taux du financeur"), "margin": _("Marge"), "vat": _("TVA payée"), "fctva": _("FCTVA rendu"), "overrun": _("Dépassement probable"),
        "risk_carried": _("Part du dépassement portée par le titulaire"), "efficiency": _("Économie du titulaire"), "management": _("Suivi du contrat, par an (€)"),
        "shared": _("Part commune aux communes"), "towns": _("Nombre de communes"), "coordination": _("Coordination, par an et par commune (€)"),
        "exit_data": _("Sortie : reprise des données (€)"), "exit_equipment": _("Sortie : part du matériel à remplacer"), "exit_notice_months": _("Sortie : préavis (mois)"),
    }  # fmt: skip
    percents = {
        "rate",
        "margin",
        "vat",
        "fctva",
        "overrun",
        "risk_carried",
        "efficiency",
        "shared",
        "exit_equipment",
    }
    hint = _("En pour cent, par exemple 8 %.")
    return [
        Input("form", _("Forme"), "select", required=True, options=tuple((k, v.of(language)) for k, v in FORMS.items())),
        *(Input(name, said, hint=hint if name in percents else "") for name, said in words.items()),
        Input("receipts", _("Recettes des usagers, par an"), hint=_("Un nombre ou un calcul ; concession seulement.")),
        Input("source", _("Source")),
    ]  # fmt: skip


def _contracts(document: Document) -> list[Any]:
    found = document.get("contracts") or []
    return list(found.values()) if isinstance(found, Mapping) else list(found)


def _contract_values(document: Document, key: str) -> dict[str, str]:
    if not key:
        return {"form": "regie", "vat": "20 %", "fctva": "16,404 %"}
    found = _contracts(document)
    if not (key.isdigit() and int(key) < len(found)):
        raise _missing()
    percents = {
        "rate",
        "margin",
        "vat",
        "fctva",
        "overrun",
        "risk_carried",
        "efficiency",
        "shared",
        "exit_equipment",
    }
    values = {}
    for name, value in found[int(key)].items():
        share = number_in(str(value)) if name in percents else None
        values[name] = _said(value) if share is None else f"{round(100 * share, 6):g} %".replace(".", ",")
    return values


def _contract_written(document: Document, key: str, sent: Sent) -> tuple[dict[str, Any], str]:
    found = _contracts(document)
    before = found[int(key)] if key else {}
    values = {n: _number(text) for n, text in sent.items() if n not in ("csrf", "action", "form", "source")}
    kept = {
        n: v
        for n, v in {
            "form": sent.get("form"),
            **values,
            "source": _title(before.get("source"), sent.get("source", "")),
        }.items()
        if v not in (None, "")
    }
    if isinstance(before.get("title"), Mapping | str):
        kept["title"] = before["title"]
    contracts = [kept if str(n) == key else one for n, one in enumerate(found)] if key else [*found, kept]
    return {**normal(document), "contracts": contracts}, key or str(len(found))


def _contract_dropped(document: Document, key: str) -> dict[str, Any]:
    return {
        **normal(document),
        "contracts": [one for n, one in enumerate(_contracts(document)) if str(n) != key],
    }


PARTS = {
    part.name: part
    for part in (
        Part("hypothese", Text("Hypothèse", "Hypothesis"), _hypothesis_inputs, _hypothesis_values, _hypothesis_written, without_hypothesis,
             lambda key: f"/hypotheses/{key}"),
        Part("ligne", Text("Coût ou avantage", "Cost or benefit"), _line_inputs, _line_values, _line_written,
             lambda document, key: without_line(document, int(key)), lambda key: f"/lines/{key}"),
        Part("contrat", Text("Contrat", "Contract"), _contract_inputs, _contract_values, _contract_written, _contract_dropped, lambda key: f"/contracts/{key}"),
    )
}  # fmt: skip
