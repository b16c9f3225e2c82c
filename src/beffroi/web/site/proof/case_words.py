"""Words of a case: its figures as an elected official reads them, the same on screen and on paper."""

from typing import Any

import msgspec
from markupsafe import Markup
from starlette.requests import Request

from beffroi.evaluation.case.measured import Loop
from beffroi.evaluation.case.model import KINDS, BusinessCase, Hypothesis
from beffroi.evaluation.case.whole import Computed
from beffroi.web.kit.card import Card
from beffroi.web.kit.page import figures_of, language_of, words_of
from beffroi.web.site.proof.drawing import bar, curve

__all__ = ["Words", "estimates"]

SYMBOLS = {"EUR": "€", "GBP": "£"}


class Line(msgspec.Struct, frozen=True):
    """One row of a table: its name, its figures in words, and perhaps a bar."""

    name: str
    cells: tuple[str, ...]
    bar: Markup = Markup("")
    note: str = ""
    href: str = ""


class Words:
    """The figures of one case in the reader's language."""

    def __init__(self, request: Request, known: Computed, loop: Loop) -> None:
        self.known, self.loop, self.case = known, loop, known.case
        self.figures, self.language = figures_of(request), language_of(request)
        self.words = words_of(request)
        self.symbol = SYMBOLS[self.case.prices.currency]

    def money(self, value: float | None) -> str:
        """Return an amount, rounded as its size allows: nobody knows the last euro of a million."""
        if value is None:
            return "–"
        digits = len(str(int(abs(value))))
        rounded = round(value, -max(0, digits - 3)) if digits > 3 else value
        return self.figures.quantity(
            rounded, self.symbol, 0 if abs(value) >= 100 or abs(value) < 0.005 else 2
        )

    def exact(self, value: float | None) -> str:
        """Return an amount to the euro."""
        return self.figures.quantity(value, self.symbol, 0)

    def percent(self, value: float | None, decimals: int = 0) -> str:
        """Return a fraction in per cent."""
        return "–" if value is None else self.figures.quantity(100 * value, "%", decimals)

    def signed(self, value: float) -> str:
        """Return a change, with its sign."""
        return ("+" if value > 0 else "") + self.money(value)

    # --- the answer
    def verdict(self) -> str:
        """Return the answer in one sentence."""
        return self.known.verdict.of(self.language)

    def since(self) -> str:
        """Return what was promised over the years of the case, what its measures make of it, and whether they agree."""
        _, loop = self.words.of, self.loop
        if loop.measured is None:
            return _("Rien n'est encore mesuré de ce qui était promis.")
        said = _(
            "Promis, de {first} à {last} : {promised}. Avec ce qui est mesuré : {measured}.",
            first=self.case.calendar[0], last=self.case.calendar[-1], promised=self.money(loop.promised), measured=self.money(loop.measured),
        )  # fmt: skip
        if loop.measured < 0 < loop.promised:
            return f"{said} " + _("Les mesures le contredisent : à ce rythme, le service coûte plus qu'il ne rapporte.")  # fmt: skip
        if loop.promised < 0 < loop.measured:
            return f"{said} " + _("Les mesures le contredisent : à ce rythme, le service rapporte plus qu'il ne coûte.")  # fmt: skip
        return said

    def base(self) -> str:
        """Return what the amounts are in."""
        case, _ = self.case, self.words.of
        values = {
            "year": case.prices.year,
            "tax": _("hors taxes") if case.prices.tax == "HT" else _("toutes taxes comprises"),
            "first": case.calendar[0],
            "last": case.calendar[-1],
            "set": case.parameters.title.of(self.language),
        }
        if case.prices.currency == "GBP":
            return _(
                "Livres constantes de {year}, {tax}, de {first} à {last}, actualisées en {first} ({set}).",
                **values,
            )
        return _(
            "Euros constants de {year}, {tax}, de {first} à {last}, actualisés en {first} ({set}).", **values
        )

    def range(self) -> str:
        """Return between what and what the result lies."""
        drawn = self.known.simulation
        if drawn is None:
            return self.words.of("incertitude non chiffrée")
        return self.words.of(
            "9 chances sur 10 entre {low} et {high}", low=self.money(drawn.p05), high=self.money(drawn.p95)
        )

    def cards(self) -> list[Card]:
        """Return the four figures that come first."""
        f, _ = self.known.figures, self.words.of
        cards = [
            Card(_("Valeur pour la société"), self.money(f.van), "#annees", note=self.range()),
            Card(_("Coût par an"), self.money(f.eac), "#lignes", note=self.unit_cost()),
            Card(_("Remboursement"), self.years(f.payback), "#annees", note=_("actualisé : {n}", n=self.years(f.discounted_payback))),
            self._per_euro(),
        ]  # fmt: skip
        if self.loop.measured is not None:
            cards.insert(
                1,
                Card(
                    _("Avec ce qui est mesuré"),
                    self.money(self.loop.measured),
                    "#promis",
                    note=self.signed(self.loop.measured - self.loop.promised),
                ),
            )
        return cards

    def _per_euro(self) -> Card:
        """Return the value for each public euro; where public spending falls there is none, and that is said instead."""
        f, _ = self.known.figures, self.words.of
        if f.van_per_public_euro is None:
            note = _("la dépense publique baisse") if f.public_spending < 0 else _("aucune dépense publique")
            return Card(_("Dépense publique nette"), self.money(f.public_spending), "#methode", note=note)
        value = self.figures.quantity(f.van_per_public_euro, self.symbol, 2)
        return Card(
            _("Par euro public dépensé"),
            value,
            "#methode",
            note=_("dépense publique nette : {n}", n=self.money(f.public_spending)),
        )

    def unit_cost(self) -> str:
        """Return the cost of one useful output."""
        said = [
            f"{self.money(value)} {title.of(self.language)}"
            for name, (title, _) in self.case.outputs.items() if (value := self.known.figures.unit_costs[name]) is not None
        ]  # fmt: skip
        return " ; ".join(said)

    def years(self, value: float | None) -> str:
        """Return a payback."""
        if value is None:
            return self.words.of("jamais")
        if value == 0:
            return self.words.of("tout de suite")
        return self.words.of("en {n} ans", n=self.figures.number(value, 1))

    def rates(self) -> str:
        """Return the internal rate of return, or why there is not one."""
        f, _ = self.known.figures, self.words.of
        if f.tri_status == "none":
            return _("aucun : le cumul ne change pas de sens")
        said = ", ".join(self.percent(r, 1) for r in f.tri)
        return said if f.tri_status == "one" else _("plusieurs ({rates}) : aucun ne fait foi", rates=said)

    # --- tables
    def promised(self) -> list[Line]:
        """Return each bound hypothesis: promised, measured, what that alone changes."""
        rows = []
        for kept in self.loop.kept:
            one = self.case.hypotheses[kept.name]
            cells = (self.quantity(one, kept.promised), self.words.of("pas encore") if kept.measure is None else self.quantity(one, kept.measure.value),
                     self.percent(kept.ratio), "–" if kept.effect is None else self.signed(kept.effect))  # fmt: skip
            note = "" if kept.within is not False else self.words.of("hors de la fourchette annoncée")
            rows.append(Line(one.title.of(self.language), cells, note=note, href=self._source_href(one)))
        return rows

    def _source_href(self, one: Hypothesis) -> str:
        if one.bound is not None and one.bound.experiment:
            return f"/preuve/experimentations/{one.bound.experiment}"
        if one.bound is None or not one.bound.indicator:
            return ""
        return f"/services/{self.case.service}#{one.bound.indicator}" if self.case.service else ""

    def quantity(self, one: Hypothesis, value: float | None) -> str:
        """Return a value of a hypothesis with its unit."""
        if value is None:
            return "–"
        decimals = (
            0
            if abs(value) >= 1000 or value == round(value)
            else max(0, 3 - len(str(int(abs(value)))) + (0 if abs(value) >= 1 else 1))
        )
        if value and abs(value) < 0.01:
            decimals = 6
        said = self.figures.number(round(value, decimals)) if decimals else self.figures.number(value, 0)
        unit = one.unit.of(self.language)
        return said + (f" {unit}" if unit else "")

    def actors(self) -> list[Line]:
        """Return who pays and who gains, the COFP last."""
        f = self.known.figures
        term = -f.cofp_term
        values = [a.value for a in f.actors] + [term]
        low, high = min(0.0, *values), max(0.0, *values)
        rows = [
            Line(self.case.actors[a.name].title.of(self.language), (self.money(a.real_value), self.money(a.transfer_value), self.money(a.value)), bar(0, a.value, low, high))
            for a in f.actors
        ]  # fmt: skip
        if abs(term) >= 0.5:
            rows.append(
                Line(
                    self.words.of("Coût des fonds publics (contribuable)"),
                    ("", "", self.money(term)),
                    bar(0, term, low, high),
                )
            )
        return [*rows, Line(self.words.of("Ensemble"), ("", "", self.money(f.van)))]

    def gains(self) -> list[Line]:
        """Return who pays and who gains in all, for a narrow page."""
        return [msgspec.structs.replace(line, cells=line.cells[-1:]) for line in self.actors()]

    def name_of(self, name: str) -> str:
        """Return the words for a quantity of the tornado."""
        _ = self.words.of
        special = {"beta": _("Risque du projet (β de 0 à 2)"), "cofp": _("Coût des fonds publics")}
        return special.get(name) or self.case.hypotheses[name].title.of(self.language)

    def tornado(self) -> list[Line]:
        """Return what moves the result most."""
        bars = self.known.bars[:10]
        ends = [v for b in bars for v in (b.van_low, b.van_high)]
        low, high = min(0.0, *ends), max(0.0, *ends)
        switches = {s.name: s for s in self.known.switches}
        rows = []
        for b in bars:
            switch = switches.get(b.name)
            turn = "–"
            if switch is not None and switch.switch is not None:
                turn = self.quantity(self.case.hypotheses[b.name], switch.switch)
            drawn = bar(min(b.van_low, b.van_high), max(b.van_low, b.van_high), low, high)
            rows.append(
                Line(self.name_of(b.name), (self.money(b.van_low), self.money(b.van_high), turn), drawn)
            )
        return rows

    def lines(self) -> list[Line]:
        """Return each line of cost and benefit."""
        rows = []
        for line, account in zip(self.case.lines, self.known.figures.lines, strict=True):
            who = self.case.actors[line.by].title.of(self.language)
            if line.to:
                who += " → " + self.case.actors[line.to].title.of(self.language)
            kind = KINDS[line.kind].of(self.language)
            rows.append(
                Line(
                    line.title.of(self.language),
                    (kind, who, self.money(account.value)),
                    note=line.source.of(self.language),
                )
            )
        return rows

    def contracts(self) -> list[Line]:
        """Return each contract form: worth today, level payment, leaving after 1, 5 years and the last but one."""
        rows = []
        cheapest = min((c.value for c in self.known.contracts), default=0.0)
        for contract, terms in zip(self.known.contracts, self.case.contracts, strict=True):
            places = sorted({0, min(4, len(contract.exits) - 1), max(0, len(contract.exits) - 2)})
            exits = " · ".join(self.money(contract.exits[t]) for t in places)
            note = (
                self.words.of("le moins cher")
                if contract.value == cheapest and len(self.known.contracts) > 1
                else ""
            )
            if contract.form == "logiciel_libre_mutualise":
                note = self.even(contract.break_even)
            rows.append(
                Line(
                    terms.title.of(self.language),
                    (
                        self.money(contract.value),
                        self.money(contract.payments[0]),
                        self.money(contract.payments[-1]),
                        exits,
                    ),
                    curve(contract.exits),
                    note,
                )
            )
        return rows

    def even(self, towns: int | None) -> str:
        """Return from how many towns on sharing is the cheapest."""
        if towns is None:
            return self.words.of("jamais le moins cher, quel que soit le nombre de communes")
        return self.words.plural(towns, "le moins cher dès {n} commune", "le moins cher dès {n} communes")

    def exit_years(self) -> str:
        """Return which years the exit costs are of."""
        last = self.case.years - 1
        return ", ".join(str(self.case.start + t) for t in sorted({0, min(4, last), max(0, last - 1)}))

    def hypotheses(self) -> list[Line]:
        """Return every hypothesis with its range and source, estimates said to be so."""
        rows = []
        for one in self.case.hypotheses.values():
            span = f"{self.quantity(one, one.low)} – {self.quantity(one, one.high)}" if one.uncertain else "–"
            source = one.source.of(self.language) or self.words.of("sans source")
            rows.append(
                Line(
                    one.title.of(self.language),
                    (self.quantity(one, one.value), span, source),
                    note="" if one.confirmed else self.words.of("estimation, à confirmer"),
                )
            )
        return rows

    def years_table(self) -> list[Line]:
        """Return the flows year by year."""
        f, rows, total = self.known.figures, [], 0.0
        for year, factor, social, spending, cash in zip(
            self.case.calendar, f.factors, f.social, f.spending, f.cash, strict=True
        ):
            total += social * factor
            rows.append(
                Line(
                    str(year),
                    (
                        self.exact(social),
                        self.exact(spending),
                        self.exact(cash),
                        self.figures.number(factor, 4),
                        self.exact(total),
                    ),
                )
            )
        return rows

    def unconfirmed(self) -> list[tuple[str, str]]:
        """Return the official values that are used and not confirmed, with their source."""
        used = {"rate", "cofp"} | self.case.asked
        return [
            (name, source.of(self.language))
            for name, source in self.case.parameters.unconfirmed()
            if name in used
        ]

    def facts(self) -> list[tuple[str, Any]]:
        """Return the method in figures."""
        f, case, _ = self.known.figures, self.case, self.words.of
        rates = case.rates()
        rate = ", ".join(self.percent(r, 1) for r in rates.values())
        return [
            (_("VAN socio-économique"), self.exact(f.van)), (_("sans coût des fonds publics"), self.exact(f.van_without_cofp)),
            (_("en comptant le temps non libéré"), self.exact(f.van_with_time)), (_("VAN financière de la collectivité"), self.exact(f.financial_van)),
            (_("Taux de rentabilité interne"), self.rates()), (_("Coûts actualisés (TCO)"), self.exact(f.tco)),
            (_("Taux d'actualisation"), rate), (_("Coût d'opportunité des fonds publics"), self.figures.number(case.public_cost, 2)),
        ]  # fmt: skip

    def comparison(self) -> str:
        """Return in one sentence what another parameter set would say."""
        found = self.known.comparison
        if found is None:
            return ""
        carbon = (
            ""
            if found.carbon_effect is None
            else self.words.of(", le prix du carbone {n}", n=self.signed(found.carbon_effect))
        )
        return self.words.of(
            "Avec le jeu {other}, le résultat serait de {van} : le taux seul change {rate}{carbon}.", other=found.other, van=self.money(found.with_other),
            rate=self.signed(found.rate_effect), carbon=carbon,
        )  # fmt: skip


def estimates(case: BusinessCase) -> int:
    """Return how many hypotheses are not confirmed."""
    return sum(not one.confirmed for one in case.hypotheses.values())
