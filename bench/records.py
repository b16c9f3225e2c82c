"""How records behave by the million: import, pages in any order, filters, words, boxes, counts, exports.

`python -m bench.records [--count 1000000] [--data DIR] [--postgresql URL]`; with `--data` (or a database that has
its lamps already) the import is skipped and only reading is measured.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from beffroi.model.principal import SYSTEM
from beffroi.services.equipment.collections import COLLECTIONS
from beffroi.settings import Settings, StoreSettings
from beffroi.store.open import Store
from beffroi.store.record import Entry, Query, Where
from beffroi.store.record_import import take
from bench.server import machine, scratch

STREETS = ["Rue de l'Église", "Quai Dupré", "Rue Victor Hugo", *(f"Rue n° {i}" for i in range(800))]
COMMUNES = ["35236", "44128", "56221"]


def lamps(count: int) -> Iterator[Entry]:
    """Yield light points scattered over three communes."""
    chance = random.Random(1)
    for n in range(count):
        values = {
            "code": f"PL-{n:07d}", "street": chance.choice(STREETS), "source": chance.choice(["led", "shp", "im"]),
            "power_w": chance.choice([30.0, 45.0, 70.0, 110.0]), "colour_k": chance.choice([2700, 3000, None]),
            "state": chance.choices(["ok", "watch", "degraded", "broken"], [90, 6, 3, 1])[0],
        }  # fmt: skip
        where = {"type": "Point", "coordinates": [-2.3 + chance.random() / 2, 47.4 + chance.random() / 2]}
        yield Entry(values, where, chance.choice(COMMUNES), f"line {n + 2}")


def said(name: str, run: Callable[[], object], times: int = 9) -> None:
    """Print the median and the slowest of some runs, after one to warm up."""
    run()
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        run()
        spent.append((time.perf_counter() - began) * 1000)
    print(f"  {name:<44} {statistics.median(spent):9.1f} ms  (slowest {max(spent):.1f})")


def read(store: Store) -> None:
    """Measure what the pages of data ask."""
    records = store.records

    def page(**asked: object) -> Callable[[], object]:
        return lambda: records.find("lamp", Query(limit=50, **asked))  # type: ignore[arg-type]

    second = records.find("lamp", Query(limit=50, sort="street")).next
    questions: dict[str, Callable[[], object]] = {
        "first page by code": page(sort="code"), "newest first": page(sort="-_updated"),
        "by street, page 2": page(sort="street", after=second), "unknown values last": page(sort="-colour_k"),
        "one commune by code": page(sort="code", territories=("44128",)),
        "a commune with nothing": page(sort="-_updated", territories=("99999",)),
        "broken, by street": page(sort="street", where={"state": "broken"}),
        "broken LED, newest first": page(sort="-_updated", where={"state": "broken", "source": "led"}),
        "words: hugo": page(text="hugo", sort="code"), "words: PL-0001234": page(text="PL-0001234", sort="code"),
        "street contains": page(sort="street", where={"street": Where("contains", "victor")}),
        "box of 400 m": page(bbox=(-2.1, 47.5, -2.095, 47.505)), "box of 15 km": page(bbox=(-2.2, 47.5, -2.0, 47.7)),
        "count all": lambda: records.count("lamp"), "count one commune": lambda: records.count("lamp", Query(territories=("44128",))),
        "count broken": lambda: records.count("lamp", Query(where={"state": "broken"})),
        "how many in each state": lambda: records.tally("lamp", "state"),
    }  # fmt: skip
    for name, run in questions.items():
        said(name, run)
    began, total = time.perf_counter(), 0
    for total, _row in enumerate(records.all("lamp", Query(limit=2000)), 1):
        if total == 100_000:
            break
    print(
        f"  read in order for an export                  {total / (time.perf_counter() - began):9,.0f} records/s"
    )


def main() -> None:
    """Fill (unless filled) and read."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--postgresql", default="")
    options = parser.parse_args()
    print(machine())
    with scratch() as folder:
        data = options.data or folder
        data.mkdir(parents=True, exist_ok=True)
        store = Store.open(Settings(data=data, store=StoreSettings(records=options.postgresql)))
        store.records.declare(COLLECTIONS)
        if store.records.count("lamp") == 0:
            began = time.perf_counter()
            done = take(store.records, "lamp", lamps(options.count), who=SYSTEM)
            spent = time.perf_counter() - began
            print(
                f"  {done.created:,} records imported in {spent:.1f} s: {done.created / spent * 60:,.0f} a minute"
            )
        print(f"  {store.records.count('lamp'):,} records on {store.dialect}")
        read(store)
        store.close()


if __name__ == "__main__":
    main()
