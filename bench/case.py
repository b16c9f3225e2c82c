"""`python -m bench.case`: how fast a business case is computed, drawn, and shown; each beside its floor in the same run.

--town DIR   a demonstration town: also the pages of proof, warm (each the median of five)
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy_financial
from starlette.testclient import TestClient

from beffroi.app import create_app
from beffroi.evaluation.case import money
from beffroi.evaluation.case.contracts import compare_contracts
from beffroi.evaluation.case.reading import read_case
from beffroi.evaluation.case.report import report_of
from beffroi.evaluation.case.sheet import sheet_bytes
from beffroi.evaluation.case.uncertainty import DRAWS, simulate
from beffroi.evaluation.case.whole import computed
from beffroi.plugins import load_registry
from beffroi.store.record import Query
from beffroi.town import Town, open_town

PAGES = ("/preuve", "/preuve/modeles", "/preuve/sobriete", "/preuve/experimentations")
BAR_MS = 300


def best(work: Callable[[], object], times: int = 5) -> float:
    """Return the best time of a few, in milliseconds."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return 1000 * min(taken)


def agreement() -> None:
    """Print how far values and rates are from numpy-financial on 1,000 random flows."""
    chance = np.random.default_rng(6)
    value = rate = 0.0
    for _ in range(1_000):
        flows = chance.normal(100, 60, int(chance.integers(2, 41)))
        flows[0] = -chance.uniform(50, 3_000)
        r = float(chance.uniform(-0.05, 0.2))
        theirs = float(numpy_financial.npv(r, flows))
        value = max(
            value,
            abs(money.present_value(flows, money.discount_factors({0: r}, len(flows))) - theirs)
            / max(1.0, abs(theirs)),
        )
        known = float(numpy_financial.irr(flows))
        if not np.isnan(known):
            rate = max(rate, min(abs(x - known) for x in money.internal_rates(flows)))
    print(f"against numpy-financial, 1,000 random flows: value {value:.1e} (relative), rate {rate:.1e}")


def cases() -> None:
    """Print the time of each proposed case, and of bare draws of the same size as the floor."""
    chance = np.random.default_rng(1)
    floor = best(lambda: chance.triangular(0, 1, 2, (DRAWS, 10)) @ np.ones(10))
    print(f"floor: {DRAWS} × 10 triangular draws and their sum: {floor:.1f} ms")
    for service in load_registry().services.values():
        for document in service.evaluation.cases if service.evaluation else ():
            case = read_case(document)
            drawn, whole = best(lambda c=case: simulate(c)), best(lambda d=document: report_of(computed(d)))
            sheet, forms = best(lambda c=case: sheet_bytes(c), 2), best(lambda c=case: compare_contracts(c))
            print(
                f"{service.name}: {DRAWS} draws {drawn:.0f} ms ({drawn / floor:.1f} × floor), everything {whole:.0f} ms, contracts {forms:.1f} ms, spreadsheet {sheet:.0f} ms"
            )


def addresses(town: Town) -> list[str]:
    """Return every page of proof that the town has: of each service, case and experiment."""
    found = [*PAGES, *(f"/preuve/{name}" for name in town.registry.services)]
    found += [f"/preuve/modeles/{row.id}" for row in town.store.records.all("business_case", Query())]
    codes = [row.values["code"] for row in town.store.records.all("experiment", Query())]
    return found + [f"/preuve/experimentations/{code}" for code in codes]


def pages(data: Path) -> None:
    """Print the time of each page of proof on a town just opened, at its first visit and once warm; CPU beside, for busy machines."""
    town = open_town(data)
    client = TestClient(create_app(town), base_url="http://127.0.0.1:8080", headers={"Accept": "text/html"})
    client.get("/health")
    shown = addresses(town)
    case = next(path for path in shown if path.startswith("/preuve/modeles/"))
    worst: dict[str, tuple[float, float]] = {}
    for address in ("/health", *shown, f"{case}.pdf", f"{case}.xlsx"):
        taken, used = [], []
        for _ in range(6):
            start, before = time.perf_counter(), time.process_time()
            assert client.get(address).status_code == 200, address
            taken.append(1000 * (time.perf_counter() - start))
            used.append(1000 * (time.process_time() - before))
        print(
            f"{address}: first {taken[0]:.0f} ms (CPU {used[0]:.0f}), then {statistics.median(taken[1:]):.0f} ms (CPU {statistics.median(used[1:]):.0f})"
        )
        if address in shown:
            worst[address] = max(taken[0], statistics.median(taken[1:])), max(used[0], *used[1:])
    for place, words in ((0, ""), (1, " of CPU")):
        times = {address: both[place] for address, both in worst.items()}
        over = [address for address, slowest in times.items() if slowest > BAR_MS]
        print(
            f"{len(shown)} pages, slowest {max(times.values()):.0f} ms{words}, {len(over)} over {BAR_MS} ms: {over}"
        )
    town.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--town", type=Path)
    asked = parser.parse_args()
    agreement()
    cases()
    if asked.town is not None:
        pages(asked.town)
