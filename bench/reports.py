"""Reports: duplicates, suggestions, routing, categories and rates, each figure beside the floor it must beat.

    BEFFROI_SHARED=… python -m bench.reports [--quick]

Prints one line of JSON for each figure. Everything is judged on rows that were not learned from: later years of
Chicago's log, folds of Dans Ma Rue, invented texts and simulated incidents whose truth is known.
"""

import argparse
import json
import os
import random
import time
from datetime import date
from pathlib import Path

import msgspec
import numpy as np

from beffroi.services.reports.categories.classifier import Category, Classifier
from beffroi.services.reports.categories.evaluation import evaluate, read_texts
from beffroi.services.reports.duplicates.circumstances import NAMES, circumstances
from beffroi.services.reports.duplicates.learning import Prediction, predict_duplicates, score
from beffroi.services.reports.duplicates.likelihood import Sighting, shipped
from beffroi.services.reports.duplicates.log import read_log
from beffroi.services.reports.duplicates.nearby import Nearby
from beffroi.services.reports.rate.estimate import delay_gap, rate_of, rates_by
from beffroi.services.reports.rate.incidents import Incident, incidents_of_log
from beffroi.services.reports.rate.regression import fit_rates
from beffroi.services.reports.routing import learn_table, read_cases
from bench.duplicates_model import shared_folder
from bench.reports_texts import CATEGORIES, texts

SPLITS = (("2012-01-01", "2013-01-01"), ("2011-07-01", "2012-01-01"), ("2012-07-01", "2013-01-01"))
OPEN_REPORTS = 100_000


def say(figure: str, **values: object) -> None:
    print(
        json.dumps({"figure": figure, **values, "load": round(os.getloadavg()[0], 1)}, default=float),
        flush=True,
    )


def rounded(score_: object) -> dict:
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in msgspec.to_builtins(score_).items()}


def duplicates(folder: Path, *, quick: bool) -> None:
    """Learn on all before a day, judge on what follows; the floor is 'an earlier report of the place is open'."""
    log = read_log(folder / "chicago_311_sanitation_2010_2012.csv.gz")
    known = circumstances(log)[:, NAMES.index("open")] > 0
    for start, end in SPLITS[1:2] if quick else SPLITS:
        first, last = date.fromisoformat(start).toordinal(), date.fromisoformat(end).toordinal()
        train = [r for r in log if r.created < first]
        test = [(r, k) for r, k in zip(log, known, strict=True) if first <= r.created < last]
        begun = time.process_time()
        learned = score(predict_duplicates(train, [r for r, _ in test]))
        spent = time.process_time() - begun
        floor = score([Prediction(r.number, float(k), bool(k), r.duplicate) for r, k in test])
        say(
            f"duplicates of {start} to {end}",
            learned=rounded(learned),
            floor=rounded(floor),
            cpu_s=round(spent, 1),
        )


def suggestions() -> None:
    """Time a suggestion among 100,000 open reports of a town that crowds at its centre; the floor searches all."""
    chance = random.Random(1)
    words = ("lampad", "etein", "trou", "poubel", "bord", "rout", "vel", "banc")
    every = [
        Sighting(i, chance.gauss(0, 3000), chance.gauss(0, 3000), chance.uniform(0, 300), None, chance.choice("abcd"), "",
                 frozenset(chance.sample(words, 3)), chance.getrandbits(64))
        for i in range(OPEN_REPORTS)
    ]  # fmt: skip
    begun = time.perf_counter()
    index = Nearby(every)
    built = time.perf_counter() - begun
    asked = [
        Sighting(
            -1, chance.gauss(0, 1500), chance.gauss(0, 1500), 301, None, "a", "", frozenset(words[:3]), 7
        )
        for _ in range(500)
    ]
    spent = []
    for new in asked:
        begun = time.perf_counter()
        index.suggest(new, shipped())
        spent.append((time.perf_counter() - begun) * 1000)
    begun = time.perf_counter()
    found = sum((new.x - s.x) ** 2 + (new.y - s.y) ** 2 <= 150**2 for s in every)
    floor = (time.perf_counter() - begun) * 1000
    spent.sort()
    say("suggestion among open reports", open=OPEN_REPORTS, index_s=round(built, 2), p50_ms=round(spent[250], 2), p95_ms=round(spent[475], 2),
        worst_ms=round(spent[-1], 2), compared_in_the_last=found, search_of_all_ms=round(floor, 1))  # fmt: skip


def routing(folder: Path) -> None:
    """Ten folds and two halves of Dans Ma Rue; the floor is the most common service of each kind."""
    cases = read_cases(folder / "paris_dans_ma_rue_a.csv.gz")
    random.Random(1).shuffle(cases)
    for folds in (2, 10):
        right = plain = 0
        for fold in range(folds):
            table = learn_table(c for i, c in enumerate(cases) if i % folds != fold)
            kinds = {line.kind: line.service for line in table.lines if line.kind}
            for case in cases[fold::folds]:
                right += table.service_of(case) == case.service
                plain += kinds.get(case.kind, "graffitis") == case.service
        say("routing", learned_from=len(cases) - len(cases) // folds, n=len(cases), accuracy=round(right / len(cases), 4),
            floor=round(plain / len(cases), 4), lines=len(table.lines))  # fmt: skip


def categories(folder: Path) -> None:
    """The first day, then folds of what was corrected, on invented French; folds of New Orleans's 50 tickets."""
    fresh = texts(1000, seed=2)
    model = Classifier(CATEGORIES)
    begun = time.perf_counter()
    said = [(model.guess(text), code) for text, code in fresh]
    spent = (time.perf_counter() - begun) / len(said) * 1000
    taken = [(g.code, code) for g, code in said if g.code]
    say("category on the first day", n=len(said), right=sum(g.likely[0][0] == c for g, c in said) / len(said), accepted=len(taken) / len(said),
        accepted_right=round(sum(a == b for a, b in taken) / len(taken), 4), ms_each=round(spent, 3))  # fmt: skip
    tickets = read_texts(folder / "new_orleans_311_text_a.json")
    theirs = tuple(Category(c, (c,)) for c in sorted({c for _, c in tickets}))
    for name, known, corrected, tongue in (
        ("100 corrections, invented", CATEGORIES, fresh[:100], "fr"),
        ("400 corrections, invented", CATEGORIES, fresh[:400], "fr"),
        ("New Orleans, 14 categories", theirs, tickets, "en"),
    ):
        v = evaluate(known, corrected, tongue)
        say(f"category after {name}", n=v.n, accuracy=v.accuracy, macro_f1=round(v.macro_f1, 4), accepted=v.accepted,
            accepted_right=v.accepted_accuracy and round(v.accepted_accuracy, 4), calibration_error=round(v.calibration_error, 4))  # fmt: skip


def rates(folder: Path) -> None:
    """Simulated incidents of four rates, the regression at 30,000, Chicago's districts."""
    chance = np.random.default_rng(1)
    for true in (0.01, 0.03, 0.1, 0.3):
        life = chance.exponential(40, 60_000)
        first = chance.exponential(1 / true, len(life))
        days = np.minimum(life - first, 100)[first < life][:20_000]
        days = days[days > 0.01]
        m = chance.poisson(true * days)
        counted = (m + 1).sum() / days.sum()
        covered = 0
        for _ in range(200):
            some = chance.integers(0, len(days), 500)
            again = chance.poisson(true * days[some])
            rate = rate_of(
                [Incident("", "", float(t), int(c)) for t, c in zip(days[some], again, strict=True)]
            )
            covered += rate.low <= true <= rate.high
        rate = rate_of([Incident("", "", float(t), int(c)) for t, c in zip(days, m, strict=True)])
        say("rate", true=true, incidents=len(days), estimate=round(rate.lambda_, 5), error=round(abs(rate.lambda_ / true - 1), 4),
            covered_of_200=covered, with_the_first_report_counted=round(counted, 4))  # fmt: skip
    x = chance.normal(size=(30_000, 2))
    days = np.minimum(chance.exponential(40, len(x)) + 0.1, 100)
    m = np.where(chance.random(len(x)) < 0.45, 0, chance.poisson(np.exp(-3 + x @ [0.3, -0.2]) * days))
    begun = time.perf_counter()
    fit = fit_rates([Incident("", "", float(t), int(c)) for t, c in zip(days, m, strict=True)], x)
    say("zero-inflated regression", n=len(x), seconds=round(time.perf_counter() - begun, 2), theta=[0.45, round(fit.theta.value, 4)],
        beta=[[-3, 0.3, -0.2], [round(e.value, 4) for e in (fit.intercept, *fit.covariates)]])  # fmt: skip
    incidents = incidents_of_log(read_log(folder / "chicago_311_sanitation_2010_2012.csv.gz"))
    areas, town = rates_by(incidents, lambda i: i.area), rate_of(incidents)
    say("Chicago 2010-2012", incidents=town.incidents, duplicates=town.duplicates, rate=round(town.lambda_, 5), se=round(town.error, 5),
        areas=len(areas), known=sum(r.known for r in areas.values()), gap=msgspec.to_builtins(delay_gap(list(areas.items()))))  # fmt: skip


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one split of the duplicates")
    wanted = parser.parse_known_args()[0]
    suggestions()
    folder = shared_folder()
    if not folder.is_dir():
        say("the real data is absent: set BEFFROI_SHARED", folder=str(folder))
        return
    routing(folder)
    categories(folder)
    rates(folder)
    duplicates(folder, quick=wanted.quick)


if __name__ == "__main__":
    main()
