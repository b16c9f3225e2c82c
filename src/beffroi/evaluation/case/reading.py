"""Reading: from the document of a business case (YAML, JSON or an object) to a checked `BusinessCase`.

What is missing, misspelt, of another year's prices or written in words where a number is needed is refused, with its
place (a JSON pointer, and the line of the file) and the mend.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from beffroi.evaluation.case.contract_terms import read_contract
from beffroi.evaluation.case.document import Node, number_in
from beffroi.evaluation.case.formula import Formula, parse_formula
from beffroi.evaluation.case.model import (
    ACTORS,
    CASH,
    KINDS,
    Actor,
    Binding,
    BusinessCase,
    Hypothesis,
    Line,
    Prices,
)
from beffroi.evaluation.case.parameters import SETS, ParameterSet, parameter_set
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards.yaml_text import read_yaml

__all__ = ["LONGEST", "NAME", "read_case", "read_file", "read_text"]

LONGEST = 200
MOST_LINES = 400
NAME = re.compile(r"[a-z_][a-z0-9_]{0,40}\Z")
RESERVED = frozenset({"t", "year", "min", "max", "carbon"})
_NONE = Text("", "")
_OPTIMISM = ("investment", "running", "staff")


def read_text(text: str) -> Any:
    """Return the document of a YAML or JSON text. Raises `Problem` at the line."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(text)
        except ValueError as error:
            line = getattr(error, "lineno", None)
            raise Problem(
                Text("Ce n'est pas du JSON lisible.", "This is not readable JSON."),
                Text("Vérifiez les guillemets et les virgules de cette ligne.", "Check the quotes and commas of that line."),
                place=f"line {line}" if line else "",
            ) from error  # fmt: skip
    return read_yaml(text)[0]


def line_of(text: str, pointer: str) -> int | None:
    """Return the line of a YAML text where a JSON pointer is, or its nearest parent; None for JSON."""
    if text.lstrip()[:1] in ("{", "["):
        return None
    lines = read_yaml(text)[1]
    while pointer and pointer not in lines:
        pointer = pointer.rpartition("/")[0]
    return lines.get(pointer)


def read_file(text: str, *, parameters: str | None = None) -> BusinessCase:
    """Return the case that a file holds; a refusal names the line too. `parameters`: another set than the file's."""
    document = read_text(text)
    if parameters is not None and isinstance(document, dict):
        document = {**document, "parameters": parameters}
    try:
        return read_case(document)
    except Problem as problem:
        line = line_of(text, problem.place)
        place = f"{problem.place}, line {line}" if line else problem.place
        raise Problem(problem.reason, problem.mend, place, problem.status) from problem


def read_case(document: Any) -> BusinessCase:
    """Return the checked case of a document. Raises `Problem` at a JSON pointer."""
    node = Node(document)
    parameters = parameter_set(node.text("parameters", SETS[0]))
    start = node.whole("start", None, 1900, 2200)
    years = node.whole("years", None, 1, LONGEST)
    case = BusinessCase(
        title=node.title(), start=start, years=years, parameters=parameters, prices=_prices(node.node("prices"), parameters),
        hypotheses={}, lines=(), actors=_actors(node), service=node.text("service", ""),
        summary=node.title("summary", Text("", "")), beta=_optional(node, "beta", -1, 5), cofp=_optional(node, "cofp", 1, 3),
        financial_rate=node.number("financial_rate", 0.04, -0.5, 1), optimism=_optimism(node.node("optimism")),
        seed=node.whole("seed", 1, 0, 2**32 - 1), compare=_compared(node),
    )  # fmt: skip
    hypotheses = _hypotheses(node, parameters)
    case = msgspec.structs.replace(case, hypotheses=hypotheses)
    reader = _Lines(case)
    lines = node.each("lines", reader.read)
    if not lines:
        raise node.refuse(
            "lines", "Un modèle économique a au moins une ligne de coût ou d'avantage.",
            "A business case has at least one line of cost or benefit.",
        )  # fmt: skip
    if len(lines) > MOST_LINES:
        raise node.refuse(
            "lines", f"Il y a plus de {MOST_LINES} lignes.", f"There are more than {MOST_LINES} lines."
        )
    contracts = node.each("contracts", lambda item, _key: read_contract(item, case, reader.formulas))
    outputs = dict(node.each("outputs", reader.output))
    node.done()
    whole = msgspec.structs.replace(case, lines=tuple(lines), contracts=tuple(contracts), outputs=outputs)
    _finite(whole)
    return whole


def _optional(node: Node, name: str, low: float, high: float) -> float | None:
    return None if node.raw(name) is None else node.number(name, None, low, high)


def _compared(node: Node) -> ParameterSet | None:
    found = node.text("compare", "")
    if not found:
        return None
    try:
        return parameter_set(found)
    except Problem as problem:
        raise Problem(problem.reason, problem.mend, node.at("compare")) from problem


def _prices(node: Node, parameters: ParameterSet) -> Prices:
    deflators = {}
    given = node.node("deflators")
    for year in given.value:
        if not re.fullmatch(r"(19|20|21)\d\d", str(year)):
            raise given.refuse(
                str(year)[:20], "Un déflateur se nomme par une année.", "A deflator is named by a year."
            )
        deflators[int(year)] = given.number(year, None, 0.01, 100)
    found = Prices(
        node.whole("year", parameters.price_year, 1900, 2200),
        node.among("currency", ("EUR", "GBP"), parameters.currency),
        node.among("tax", ("HT", "TTC"), "HT"),  # type: ignore[arg-type]
        deflators,
    )
    if found.currency != parameters.currency:
        raise node.refuse(
            "currency", f"Le jeu {parameters.name} est en {parameters.currency}, ce modèle en {found.currency}.",
            f"The set {parameters.name} is in {parameters.currency}, this case in {found.currency}.",
            Text("Choisissez un jeu de la même monnaie.", "Choose a set of the same currency."),
        )  # fmt: skip
    node.done()
    return found


def _actors(node: Node) -> dict[str, Actor]:
    def read(item: Node, key: str) -> Actor:
        name = item.text("name", key if NAME.match(key) else "")
        if not NAME.match(name):
            raise item.refuse(
                "name",
                f"« {name[:40]} » n'est pas un nom d'acteur.",
                f"'{name[:40]}' is no name of an actor.",
            )
        actor = Actor(name, item.title(), bool(item.raw("public", False)))
        item.done()
        return actor

    return ACTORS | {actor.name: actor for actor in node.each("actors", read)}


def _optimism(node: Node) -> dict[str, float]:
    found = {name: node.number(name, 0.0, -0.9, 10) for name in _OPTIMISM}
    node.done()
    return {name: value for name, value in found.items() if value}


def _hypotheses(node: Node, parameters: ParameterSet) -> dict[str, Hypothesis]:
    taken = RESERVED | set(parameters.values)

    def read(item: Node, key: str) -> Hypothesis:
        name = item.text("name", key)
        if not NAME.match(name) or name in taken:
            raise item.refuse(
                "name", f"« {name[:40]} » ne peut pas nommer une hypothèse.", f"'{name[:40]}' cannot name a hypothesis.",
                Text("Des minuscules sans accent, des chiffres et _ ; ni un mot réservé ni un paramètre officiel.",
                     "Lower-case letters, digits and _; no reserved word and no official parameter."),
            )  # fmt: skip
        value = item.number("value")
        low, high = _optional(item, "low", -1e15, 1e15), _optional(item, "high", -1e15, 1e15)
        if (low is None) != (high is None):
            raise item.refuse(
                "low" if low is None else "high",
                "Donnez le bas et le haut, ou aucun.",
                "Give the low and the high, or neither.",
            )
        if low is not None and high is not None and not low <= value <= high:
            raise item.refuse(
                "value", f"{value:g} n'est pas entre {low:g} et {high:g}.", f"{value:g} is not between {low:g} and {high:g}.",
                Text("Mettez le bas, la valeur et le haut dans l'ordre.", "Put low, value and high in order."),
            )  # fmt: skip
        found = Hypothesis(
            name, item.title("title", Text(name, name)), value, item.title("unit", _NONE), low, high,
            item.among("law", ("triangular", "uniform", "normal", "fixed"), "triangular"),  # type: ignore[arg-type]
            item.title("source", _NONE), bool(item.raw("confirmed", False)), _binding(item),
        )  # fmt: skip
        item.done()
        return found

    found: dict[str, Hypothesis] = {}
    for one in node.each("hypotheses", read):
        if one.name in found:
            raise node.refuse(
                f"hypotheses/{one.name}",
                f"« {one.name} » est écrite deux fois.",
                f"'{one.name}' is written twice.",
            )
        found[one.name] = one
    return found


def _binding(item: Node) -> Binding | None:
    if item.raw("bound") is None:
        return None
    node = item.node("bound")
    indicator, datastream = node.text("indicator", ""), str(node.raw("datastream", ""))
    experiment = node.text("experiment", "")
    if [bool(indicator), bool(datastream), bool(experiment)].count(True) != 1:
        raise node.refuse(
            "indicator", "Un lien nomme un indicateur, une série ou une expérimentation, un seul des trois.",
            "A binding names an indicator, a datastream or an experiment, one of them.",
        )  # fmt: skip
    statistics = ("mean", "relative") if experiment else ("mean", "sum", "yearly", "last")
    found = Binding(
        indicator, datastream, node.among("statistic", statistics, "mean"),  # type: ignore[arg-type]
        node.number("scale", 1.0), node.whole("days", 90, 1, 3660), experiment,
    )  # fmt: skip
    node.done()
    return found


class _Lines:
    """Reads the lines of a case: their years, their amounts, whose they are."""

    def __init__(self, case: BusinessCase) -> None:
        self.case = case
        self.known = (
            frozenset(case.hypotheses)
            | RESERVED - {"carbon", "min", "max"}
            | frozenset(case.prices_of_year())
        )
        self.prices = _other_prices(case)

    def read(self, item: Node, key: str) -> Line:
        kind = item.among("kind", KINDS)
        by = self._actor(
            item,
            "from" if kind == "transfer" else "by",
            "environnement" if kind == "benefit" and item.raw("by") is None else "collectivite",
        )
        line = Line(
            key=key if NAME.match(key) else f"l{key}", title=item.title(), kind=kind, by=by,  # type: ignore[arg-type]
            amounts=self.amounts(item, kind), to=self._actor(item, "to") if kind == "transfer" else "",
            cash=bool(item.raw("cash", CASH[kind])), growth=item.number("growth", 0.0, -0.5, 0.5), deflator=self._deflator(item),
            accounts=_words(item, "accounts"), function=item.text("function", ""), source=item.title("source", _NONE),
            output=item.text("output", ""),
        )  # fmt: skip
        if line.to == line.by and kind == "transfer":
            raise item.refuse(
                "to", "Un transfert va d'un acteur à un autre.", "A transfer goes from one actor to another."
            )
        item.done()
        return line

    def output(self, item: Node, key: str) -> tuple[str, tuple[Text, Formula]]:
        """Return a useful output: what a unit cost is per (a light point, a report, an inhabitant), how many a year."""
        found = key, (item.title(), self.formula(item.need("amount"), item.at("amount")))
        item.done()
        return found

    def _actor(self, item: Node, name: str, default: str | None = None) -> str:
        found = item.text(name, default)
        if found not in self.case.actors:
            known = ", ".join(self.case.actors)
            raise item.refuse(
                name, f"« {found[:40]} » n'est pas un acteur connu.", f"'{found[:40]}' is no known actor.",
                Text(f"Choisissez parmi : {known} ; ou ajoutez-le à « actors ».", f"Choose among: {known}; or add it to 'actors'."),
            )  # fmt: skip
        return found

    def _deflator(self, item: Node) -> float:
        year = item.raw("prices")
        if year is None:
            return 1.0
        factor = self.case.deflator(item.whole("prices", None, 1900, 2200))
        if factor is None:
            base = self.case.prices.year
            raise item.refuse(
                "prices", f"Ce montant est en prix de {year}, le modèle en prix de {base}.", f"This amount is in prices of {year}, the case in prices of {base}.",
                Text(f"Donnez /prices/deflators/{year}, ce que vaut en {base} un euro de {year}, ou écrivez le montant en prix de {base}.",
                     f"Give /prices/deflators/{year}, what one euro of {year} is worth in {base}, or write the amount in prices of {base}."),
            )  # fmt: skip
        return factor

    # --- amounts
    def amounts(self, item: Node, kind: str) -> tuple[Formula | None, ...]:
        """Return the amount of each year of the case."""
        first, last = self._span(item, kind)
        return self.formulas(item, "amount", first, last)

    def formulas(self, item: Node, name: str, first: int, last: int) -> tuple[Formula | None, ...]:
        """Return what a member says for each year of the case, from `first` to `last`: one amount, a list or by year."""
        value, count = item.need(name), last - first + 1
        place = item.at(name)
        if isinstance(value, list):
            if len(value) != count:
                raise Problem(
                    Text(f"Il y a {len(value)} montants pour {count} années ({first} à {last}).", f"There are {len(value)} amounts for {count} years ({first} to {last})."),
                    Text("Écrivez un montant pour chaque année, 0 s'il n'y en a pas.", "Write an amount for each year, 0 when there is none."), place,
                )  # fmt: skip
            given = [self.formula(one, f"{place}/{i}") for i, one in enumerate(value)]
        elif isinstance(value, Mapping):
            given = self._by_year(value, place, first, last)
        else:
            given = [self.formula(value, place)] * count
        start = self.case.start
        return (None,) * (first - start) + tuple(given) + (None,) * (start + self.case.years - 1 - last)

    def _by_year(self, value: Mapping[Any, Any], place: str, first: int, last: int) -> list[Formula]:
        years = {str(y): one for y, one in value.items()}
        missing = [str(y) for y in range(first, last + 1) if years.get(str(y)) is None]
        outside = [y for y in years if not (y.isdigit() and first <= int(y) <= last)]
        if missing or outside:
            fr = (
                f"Il manque des années : {', '.join(missing[:8])}."
                if missing
                else f"{outside[0][:20]} n'est pas une année de {first} à {last}."
            )
            en = (
                f"Years are missing: {', '.join(missing[:8])}."
                if missing
                else f"{outside[0][:20]} is no year from {first} to {last}."
            )
            mend = Text("Écrivez un montant pour chaque année, 0 s'il n'y en a pas, ou limitez « years ».",
                        "Write an amount for each year, 0 when there is none, or limit 'years'.")  # fmt: skip
            raise Problem(Text(fr, en), mend, f"{place}/{(missing or outside)[0][:20]}")
        return [self.formula(years[str(y)], f"{place}/{y}") for y in range(first, last + 1)]

    def _span(self, item: Node, kind: str) -> tuple[int, int]:
        """Return the first and last year of a line: an investment is in the first year, what is left in the last."""
        start, end = self.case.start, self.case.start + self.case.years - 1
        value = item.raw("years")
        if value is None:
            return {"investment": (start, start), "residual": (end, end)}.get(kind, (start, end))
        parts = value if isinstance(value, list) else str(value).replace("–", "-").split("-")
        found = [int(p) if str(p).strip().isdigit() else -1 for p in parts]
        if len(found) not in (1, 2) or not start <= found[0] <= found[-1] <= end:
            raise item.refuse(
                "years", f"« {str(value)[:40]} » ne sont pas des années de {start} à {end}.", f"'{str(value)[:40]}' are no years from {start} to {end}.",
                Text(f"Écrivez {start}, ou [{start}, {end}].", f"Write {start}, or [{start}, {end}]."),
            )  # fmt: skip
        return found[0], found[-1]

    def formula(self, value: Any, place: str) -> Formula:
        """Return one amount. Raises `Problem` when it names what is not known, or a price of another year."""
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise Problem(
                Text(f"« {str(value)[:60]} » n'est pas un montant.", f"'{str(value)[:60]}' is no amount."),
                None,
                place,
            )
        plain = number_in(value) if isinstance(value, str) else value
        if plain is not None:
            if not np.isfinite(plain):
                raise Problem(Text("Ce n'est pas un nombre fini.", "This is no finite number."), None, place)
            return parse_formula(repr(float(plain)), place)
        found = parse_formula(str(value), place)
        for name in sorted(found.names - self.known):
            raise self._unknown(name, place)
        return found

    def _unknown(self, name: str, place: str) -> Problem:
        base = self.case.prices.year
        if name in self.prices:
            year = self.prices[name]
            return Problem(
                Text(f"« {name} » est en prix de {year}, le modèle en prix de {base}.", f"'{name}' is in prices of {year}, the case in prices of {base}."),
                Text(f"Mettez /prices/year à {year}, ou donnez /prices/deflators/{year}, ce que vaut en {base} un euro de {year}.",
                     f"Set /prices/year to {year}, or give /prices/deflators/{year}, what one euro of {year} is worth in {base}."), place,
            )  # fmt: skip
        listed = ", ".join(sorted(self.case.hypotheses)) or "–"
        return Problem(
            Text(f"« {name[:40]} » n'est ni un nombre ni une hypothèse.", f"'{name[:40]}' is neither a number nor a hypothesis."),
            Text(f"Déclarez-la dans « hypotheses ». Il y a : {listed}.", f"Declare it in 'hypotheses'. There are: {listed}."), place,
        )  # fmt: skip


def _other_prices(case: BusinessCase) -> dict[str, int]:
    """Return the prices of the parameter set that are of another year than the case's, without a deflator."""
    found = {
        n: v.price_year for n, v in case.parameters.values.items() if case.deflator(v.price_year) is None
    }
    carbon = case.parameters.carbon
    if carbon is not None and case.deflator(carbon.price_year) is None:
        found["carbon"] = carbon.price_year
    return found


def _words(item: Node, name: str) -> tuple[str, ...]:
    value = item.raw(name, [])
    found = value if isinstance(value, list) else str(value).replace(";", ",").split(",")
    return tuple(str(word).strip() for word in found if str(word).strip())


def _finite(case: BusinessCase) -> None:
    """Refuse a case whose amounts are no numbers (a division by a hypothesis that is zero)."""
    values: dict[str, Any] = {name: h.value for name, h in case.hypotheses.items()} | dict(
        case.prices_of_year()
    )
    for number, line in enumerate(case.lines):
        for t, amount in enumerate(line.amounts):
            if amount is None:
                continue
            of_year = {n: v if isinstance(v, float) else float(v[t]) for n, v in values.items()} | {
                "t": t,
                "year": case.start + t,
            }
            if not np.isfinite(amount.value(of_year)):
                raise Problem(
                    Text(f"Le calcul « {amount.text[:60]} » ne donne pas de nombre en {case.start + t}.",
                         f"The calculation '{amount.text[:60]}' gives no number in {case.start + t}."),
                    Text("Vérifiez les divisions par zéro et les puissances.", "Check divisions by zero and powers."),
                    place=f"/lines/{number}/amount",
                )  # fmt: skip
