"""Sheet: a case as a spreadsheet whose every figure is a live formula: change a hypothesis and the result follows."""

import io
from typing import Any

from beffroi.evaluation.case.compute import COSTS, Figures, figures_of
from beffroi.evaluation.case.model import KINDS, SIGN, BusinessCase, Line
from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["sheet_bytes"]

_MISSING = Problem(
    Text("Ce serveur ne fait pas de tableur.", "This server makes no spreadsheet."),
    Text("Installez le supplément : pip install 'beffroi[evaluation]'.", "Install the extra: pip install 'beffroi[evaluation]'."),
    status=501,
)  # fmt: skip
NAMES = {
    "summary": Text("Synthèse", "Summary"), "given": Text("Hypothèses", "Hypotheses"), "sums": Text("Calcul", "Calculation"),
    "parameters": Text("Paramètres", "Parameters"),
}  # fmt: skip
FIRST = 5  # column of the first year in the calculation
HEAD = (
    ("Nature", "Kind"),
    ("Acteur", "Actor"),
    ("Compte dans la VAN", "Counts in the NPV"),
    ("Part publique", "Public share"),
)
# rows of the calculation, before its lines
YEAR, T, RATE, FACTOR, NEXT = 1, 2, 3, 4, 5
PRICES = 7


def _cell(row: int, column: int) -> str:
    letters, n = "", column + 1
    while n:
        n, rest = divmod(n - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row + 1}"


def _fixed(sheet: str, row: int, column: int) -> str:
    cell = _cell(row, column)
    letters = cell.rstrip("0123456789")
    return f"'{sheet}'!${letters}${row + 1}"


class _Book:
    """The workbook while it is written."""

    def __init__(self, case: BusinessCase, language: str, workbook: Any) -> None:
        self.case, self.language, self.figures = case, language, figures_of(case)
        self.pages = {key: workbook.add_worksheet(name.of(language)) for key, name in NAMES.items()}
        self.names = {key: name.of(language) for key, name in NAMES.items()}
        self.bold = workbook.add_format({"bold": True})
        self.title = workbook.add_format({"bold": True, "font_size": 14})
        self.money = workbook.add_format({"num_format": "#,##0"})
        self.rate = workbook.add_format({"num_format": "0.00%"})
        self.exact = workbook.add_format({"num_format": "0.0000"})
        self.given = workbook.add_format({"bg_color": "#FFF6D6", "num_format": "General"})
        self.wrap = workbook.add_format({"text_wrap": True, "valign": "top"})
        self.prices = {n: v for n, v in case.prices_of_year().items() if n in case.asked}
        self.lines_at = PRICES + len(self.prices) + 2
        self.sums_at = self.lines_at + len(case.lines) + 1

    def write(self) -> None:
        """Write every page."""
        self._given()
        self._parameters()
        self._calculation()
        self._summary()

    def say(self, fr: str, en: str) -> str:
        return en if self.language == "en" else fr

    def _given(self) -> None:
        page = self.pages["given"]
        heads = (
            self.say("Nom", "Name"), self.say("Hypothèse", "Hypothesis"), self.say("Valeur", "Value"), self.say("Bas", "Low"), self.say("Haut", "High"),
            self.say("Unité", "Unit"), self.say("Source", "Source"),
        )  # fmt: skip
        page.write_row(0, 0, heads, self.bold)
        for row, one in enumerate(self.case.hypotheses.values(), 1):
            page.write_string(row, 0, one.name)
            page.write_string(row, 1, one.title.of(self.language))
            page.write_number(row, 2, one.value, self.given)
            for column, value in ((3, one.low), (4, one.high)):
                if value is not None:
                    page.write_number(row, column, value)
            page.write_string(row, 5, one.unit.of(self.language))
            page.write_string(
                row,
                6,
                one.source.of(self.language)
                or self.say("estimation, à confirmer", "estimate, to be confirmed"),
            )
        page.set_column(0, 0, 18)
        page.set_column(1, 1, 44)
        page.set_column(2, 5, 12)
        page.set_column(6, 6, 60)
        page.freeze_panes(1, 0)

    def _parameters(self) -> None:
        page, case = self.pages["parameters"], self.case
        parameters = case.parameters
        rows: list[tuple[str, float, str]] = [
            ("cofp", case.public_cost, parameters.cofp.source.of(self.language))
        ]
        if not parameters.rate.steps:
            source = parameters.rate.source.of(self.language)
            beta = parameters.rate.beta if case.beta is None else case.beta
            rows += [
                ("risk_free", parameters.rate.risk_free, source),
                ("premium", parameters.rate.premium, source),
                ("beta", beta or 0.0, source),
            ]
        rows += [
            (f"optimism_{kind}", value, self.say("Biais d'optimisme déclaré", "Declared optimism bias"))
            for kind, value in case.optimism.items()
        ]
        page.write_row(
            0,
            0,
            (f"{parameters.title.of(self.language)} ({parameters.name}, {parameters.version})",),
            self.title,
        )
        page.write_row(
            1,
            0,
            (self.say("Nom", "Name"), self.say("Valeur", "Value"), self.say("Source", "Source")),
            self.bold,
        )
        self.parameter: dict[str, str] = {}
        for row, (name, value, source) in enumerate(rows, 2):
            page.write_string(row, 0, name)
            page.write_number(row, 1, value, self.given)
            page.write_string(row, 2, source)
            self.parameter[name] = _fixed(self.names["parameters"], row, 1)
        page.set_column(0, 1, 18)
        page.set_column(2, 2, 110)

    # --- the calculation
    def _calculation(self) -> None:
        page, case = self.pages["sums"], self.case
        page.write_string(0, 0, case.title.of(self.language), self.title)
        heads = ((YEAR, self.say("Année", "Year")), (T, "t"), (RATE, self.say("Taux d'actualisation", "Discount rate")),
                 (FACTOR, self.say("Facteur", "Factor")), (NEXT, self.say("Facteur en fin d'année", "Factor at the year's end")))  # fmt: skip
        for row, words in heads:
            page.write_string(row, 0, words, self.bold)
        rates = self._rates()
        for t, year in enumerate(case.calendar):
            column = FIRST + t
            page.write_number(YEAR, column, year, self.bold)
            page.write_number(T, column, t)
            self._rate(page, t, rates[t])
            before = f"{_cell(FACTOR, column - 1)}/(1+{_cell(RATE, column)})"
            page.write_formula(
                FACTOR, column, "=1" if t == 0 else f"={before}", self.exact, self.figures.factors[t]
            )
            after = rates[t + 1]
            page.write_formula(
                NEXT,
                column,
                f"={_cell(FACTOR, column)}/(1+{self._rate_formula(t + 1, after)})",
                self.exact,
                self.figures.factors[t] / (1 + after),
            )
        for number, (name, values) in enumerate(self.prices.items()):
            page.write_string(PRICES + number, 0, name)
            for t, value in enumerate(values):
                page.write_number(PRICES + number, FIRST + t, float(value), self.given)
        page.write_row(
            self.lines_at - 1, 0, (self.say("Ligne", "Line"), *(self.say(*h) for h in HEAD)), self.bold
        )
        for number, line in enumerate(case.lines):
            self._line(self.lines_at + number, line, self.figures.lines[number].amounts)
        self._sums()
        page.set_column(0, 0, 44)
        page.set_column(1, 4, 16)
        page.set_column(FIRST, FIRST + case.years, 12)
        page.freeze_panes(YEAR + 1, 1)

    def _rates(self) -> list[float]:
        steps = self.case.rates()
        return [steps[max(y for y in steps if y <= t)] for t in range(self.case.years + 1)]

    def _rate_formula(self, t: int, rate: float) -> str:
        if self.case.parameters.rate.steps:
            return _cell(RATE, FIRST + t) if t < self.case.years else repr(rate)
        return f"({self.parameter['risk_free']}+{self.parameter['beta']}*{self.parameter['premium']})"

    def _rate(self, page: Any, t: int, rate: float) -> None:
        if self.case.parameters.rate.steps:
            page.write_number(RATE, FIRST + t, rate, self.rate)
        else:
            page.write_formula(RATE, FIRST + t, f"={self._rate_formula(t, rate)}", self.rate, rate)

    def _place(self, name: str, t: int) -> str:
        """Return the cell of a quantity in a year."""
        if name in ("t", "year"):
            return _cell(T if name == "t" else YEAR, FIRST + t)
        if name in self.prices:
            return _cell(PRICES + list(self.prices).index(name), FIRST + t)
        return _fixed(self.names["given"], 1 + list(self.case.hypotheses).index(name), 2)

    def _line(self, row: int, line: Line, values: tuple[float, ...]) -> None:
        page = self.pages["sums"]
        page.write_string(row, 0, line.title.of(self.language))
        page.write_string(row, 1, KINDS[line.kind].of(self.language))
        page.write_string(row, 2, f"{line.by} → {line.to}" if line.to else line.by)
        page.write_number(row, 3, int(line.kind not in ("transfer", "unreleased_time")))
        page.write_number(row, 4, self._public(line))
        first = next((t for t, amount in enumerate(line.amounts) if amount is not None), 0)
        for t, amount in enumerate(line.amounts):
            if amount is None:
                continue

            def place(name: str, t: int = t) -> str:
                return self._place(name, t)

            written = amount.sheet(place)
            written = f"{'-' if SIGN[line.kind] < 0 else ''}({written})"
            if line.growth:
                written += f"*(1+{line.growth!r})^({_cell(T, FIRST + t)}-{first})"
            if line.deflator != 1.0:
                written += f"*{line.deflator!r}"
            if line.kind in self.case.optimism:
                written += f"*(1+{self.parameter[f'optimism_{line.kind}']})"
            page.write_formula(row, FIRST + t, f"={written}", self.money, values[t])

    def _public(self, line: Line) -> int:
        actors = self.case.actors
        if not line.cash:
            return 0
        if line.kind == "transfer":
            return int(actors[line.to].public) - int(actors[line.by].public)
        return int(actors[line.by].public)

    def _sums(self) -> None:
        """Write the totals of each year, then the account of each actor."""
        page, first, last = self.pages["sums"], self.lines_at, self.lines_at + len(self.case.lines) - 1
        self.rows: dict[str, int] = {}
        costs = [first + n for n, line in enumerate(self.case.lines) if line.kind in COSTS]
        for offset, (key, words) in enumerate((
            ("social", self.say("Avantages moins coûts", "Advantages less costs")), ("spending", self.say("Dépense publique nette", "Net public spending")),
            ("net", self.say("Flux avec coût des fonds publics", "Flow with the cost of public funds")), ("costs", self.say("Coûts", "Costs")),
        )):  # fmt: skip
            self.rows[key] = self.sums_at + offset
            page.write_string(self.rows[key], 0, words, self.bold)
        for t in range(self.case.years):
            column = FIRST + t
            span = f"{_cell(first, column)}:{_cell(last, column)}"
            social, spending = self.figures.social[t], self.figures.spending[t]
            cofp = self.parameter["cofp"]
            page.write_formula(
                self.rows["social"],
                column,
                f"=SUMPRODUCT($D${first + 1}:$D${last + 1},{span})",
                self.money,
                social,
            )
            page.write_formula(
                self.rows["spending"],
                column,
                f"=-SUMPRODUCT($E${first + 1}:$E${last + 1},{span})",
                self.money,
                spending,
            )
            net = f"={_cell(self.rows['social'], column)}-({cofp}-1)*{_cell(self.rows['spending'], column)}"
            page.write_formula(
                self.rows["net"], column, net, self.money, social - (self.case.public_cost - 1) * spending
            )
            total = -sum(self.figures.lines[row - first].amounts[t] for row in costs)
            page.write_formula(
                self.rows["costs"],
                column,
                "=-(" + ("+".join(_cell(row, column) for row in costs) or "0") + ")",
                self.money,
                total,
            )
        self.actors_at = self.sums_at + 6
        page.write_string(
            self.actors_at - 1, 0, self.say("Qui paie, qui gagne", "Who pays, who gains"), self.bold
        )
        for number, actor in enumerate(self.figures.actors):
            page.write_string(
                self.actors_at + number, 0, self.case.actors[actor.name].title.of(self.language)
            )
            for t in range(self.case.years):
                self._actor(self.actors_at + number, actor.name, t, actor.real[t] + actor.transfers[t])

    def _actor(self, row: int, name: str, t: int, value: float) -> None:
        parts = []
        for n, line in enumerate(self.case.lines):
            cell = _cell(self.lines_at + n, FIRST + t)
            if line.kind == "transfer":
                parts += [f"+{cell}"] if line.to == name else [f"-{cell}"] if line.by == name else []
            elif line.by == name and line.kind != "unreleased_time":
                parts.append(f"+{cell}")
        self.pages["sums"].write_formula(row, FIRST + t, "=0" + "".join(parts), self.money, value)

    # --- the summary
    def _span(self, row: int) -> str:
        first, last = (
            _fixed(self.names["sums"], row, FIRST),
            _fixed(self.names["sums"], row, FIRST + self.case.years - 1),
        )
        return f"{first}:{last.rpartition('!')[2]}"

    def _worth(self, row: int) -> str:
        return f"SUMPRODUCT({self._span(row)},{self._span(FACTOR)})"

    def _summary(self) -> None:
        page, case, f = self.pages["summary"], self.case, self.figures
        page.write_string(0, 0, case.title.of(self.language), self.title)
        base = f"{case.prices.currency} {case.prices.year} {case.prices.tax}"
        page.write_string(
            1,
            0,
            self.say(
                f"Montants en {base} constants, actualisés en {case.start}",
                f"Amounts in constant {base}, discounted to {case.start}",
            ),
        )
        spending = self._worth(self.rows["spending"])
        rows = [
            (self.say("VAN socio-économique (VAN-SE)", "Socioeconomic NPV (VAN-SE)"), f"={self._worth(self.rows['net'])}", f.van, self.money),
            (self.say("VAN sans coût des fonds publics", "NPV without the cost of public funds"), f"={self._worth(self.rows['social'])}", f.van_without_cofp, self.money),
            (self.say("Dépense publique nette, actualisée", "Net public spending, discounted"), f"={spending}", f.public_spending, self.money),
            (self.say("VAN par euro public", "NPV per public euro"), f'=IF({spending}>0,{self._worth(self.rows["net"])}/{spending},"–")', f.van_per_public_euro if f.van_per_public_euro is not None else "–", self.exact),
            (self.say("Taux de rentabilité interne", "Internal rate of return"), f'=IFERROR(IRR({self._span(self.rows["net"])}),"–")', self._tri(f), self.rate),
            (self.say("Coûts actualisés (TCO)", "Discounted costs (TCO)"), f"={self._worth(self.rows['costs'])}", f.costs, self.money),
            (self.say("Coût annuel équivalent", "Equivalent annual cost"), f"={self._worth(self.rows['costs'])}/SUM({self._span(NEXT)})", f.eac, self.money),
        ]  # fmt: skip
        for row, (words, formula, value, style) in enumerate(rows, 3):
            page.write_string(row, 0, words)
            page.write_formula(row, 1, formula, style, value)
        at = 3 + len(rows) + 1
        page.write_string(at, 0, self.say("Qui paie, qui gagne", "Who pays, who gains"), self.bold)
        for number, actor in enumerate(f.actors):
            page.write_string(at + 1 + number, 0, case.actors[actor.name].title.of(self.language))
            page.write_formula(
                at + 1 + number, 1, f"={self._worth(self.actors_at + number)}", self.money, actor.value
            )
        end = at + 1 + len(f.actors)
        page.write_string(end, 0, self.say("Coût des fonds publics", "Cost of public funds"))
        page.write_formula(end, 1, f"=-({self.parameter['cofp']}-1)*{spending}", self.money, -f.cofp_term)
        page.write_string(end + 1, 0, self.say("Somme, égale à la VAN-SE", "Sum, equal to VAN-SE"), self.bold)
        page.write_formula(end + 1, 1, f"=SUM({_cell(at + 1, 1)}:{_cell(end, 1)})", self.money, f.van)
        page.set_column(0, 0, 48)
        page.set_column(1, 1, 18)

    @staticmethod
    def _tri(figures: Figures) -> float | str:
        return figures.tri[0] if figures.tri else "–"


def sheet_bytes(case: BusinessCase, language: str = "fr") -> bytes:
    """Return the workbook (Office Open XML). Raises `Problem` without the extra `evaluation`."""
    try:
        import xlsxwriter  # noqa: PLC0415 -- an extra
    except ImportError as error:
        raise _MISSING from error
    held = io.BytesIO()
    with xlsxwriter.Workbook(
        held, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    ) as workbook:
        workbook.set_properties({"title": case.title.of(language), "comments": "Beffroi"})
        _Book(case, language, workbook).write()
    return held.getvalue()
