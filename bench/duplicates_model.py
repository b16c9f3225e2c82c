"""Make again the likelihood that ships with the reports service, from Chicago's public log.

    BEFFROI_SHARED=… python -m bench.duplicates_model [--write]

Pairs: each report of the log with every earlier one within 150 m that was open or had closed in the last 30 days.
One thing: the later is marked a duplicate and the earlier was open at the same address or metre. The log gives
addresses, not pins of telephones, so each pair is seen twice: as it is, and with addresses hidden and both points
moved by a normal law of 8 m on each axis. Learned on 2010-2011, judged on 2012: for each report its likeliest
earlier one. The log has neither texts nor photos: their two coefficients are stated, not learned.
"""

import argparse
import json
import math
import os
import random
from pathlib import Path

import msgspec
import numpy as np

from beffroi.services.reports.duplicates import likelihood
from beffroi.services.reports.duplicates.learning import average_precision
from beffroi.services.reports.duplicates.likelihood import CLUES, Likelihood, Sighting, clues, learn
from beffroi.services.reports.duplicates.log import read_log
from beffroi.services.reports.duplicates.nearby import RADIUS_M, Nearby

STATED = {"same_photo": 4.0, "text": 3.0}
PIN_M = 8.0
SPLIT = 734503  # 1 January 2012
LOG = "chicago_311_sanitation_2010_2012.csv.gz"


def shared_folder() -> Path:
    """Return the folder of public reports."""
    return Path(os.environ.get("BEFFROI_SHARED", Path(__file__).parents[2] / "shared")) / "data" / "reports"


def pairs():
    """Return clues, whether one thing, the later report's rank, its day, and whether the pair is as pinned."""
    log = [r for r in read_log(shared_folder() / LOG) if not math.isnan(r.x + r.y)]
    chance, index, leaving = random.Random(1), Nearby(), []
    rows, same, ranks = [], [], []
    for i, r in enumerate(log):
        while leaving and leaving[0][0] < r.created:
            index.remove(leaving.pop(0)[1])
        new = Sighting(i, r.x, r.y, r.created + (r.sequence[1] % 10_000) / 1e5, None, r.nature, r.address)
        near = [(d, s) for d, s in index.within(r.x, r.y, RADIUS_M)]
        known = {s.id: s.closed is None or s.closed >= r.created for _, s in near}
        for pinned in (False, True):
            me = (
                msgspec.structs.replace(
                    new, x=chance.gauss(new.x, PIN_M), y=chance.gauss(new.y, PIN_M), address=""
                )
                if pinned
                else new
            )
            for d, old in near:
                seen = (
                    msgspec.structs.replace(
                        old, x=chance.gauss(old.x, PIN_M), y=chance.gauss(old.y, PIN_M), address=""
                    )
                    if pinned
                    else old
                )
                around = sum(dd <= 50 and known[s.id] for dd, s in near) - (d <= 50 and known[old.id])
                seen = msgspec.structs.replace(seen, closed=None if known[old.id] else r.created - 1.0)
                rows.append(clues(me, seen, around))
                same.append(bool(r.duplicate) and known[old.id] and (d < 1 or old.address == r.address))
                ranks.append((i, r.created, pinned))
        index.add(msgspec.structs.replace(new, closed=None if r.completed is None else float(r.completed)))
        if r.completed is not None:
            leaving.append((r.completed + 30, i))
            leaving.sort()
    return log, np.array(rows), np.array(same), np.array(ranks)


def main() -> None:
    """Learn, judge, and with --write put the coefficients into the package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    wanted = parser.parse_known_args()[0]
    log, rows, same, ranks = pairs()
    train = ranks[:, 1] < SPLIT
    coefficients = {**learn(rows[train], same[train]), **STATED}
    law = Likelihood(
        {name: round(coefficients[name], 3) for name in CLUES},
        "Logistic law learned by `python -m bench.duplicates_model` on Chicago 311 sanitation complaints of 2010-2011 "
        "(public data of the City of Chicago); same_photo and text are stated by us, for want of public pairs.",
    )
    figures = {"figure": "shipped likelihood", "pairs": len(rows), "coefficients": law.coefficients}
    odds = rows @ np.array([law.coefficients[n] for n in CLUES])
    truth = np.array([bool(r.duplicate) for r in log if r.created >= SPLIT])
    first = next(i for i, r in enumerate(log) if r.created >= SPLIT)
    for pinned in (0, 1):
        best = np.full(len(log), -20.0)
        use = ranks[:, 2] == pinned
        np.maximum.at(best, ranks[use, 0], odds[use])
        p = 1 / (1 + np.exp(-best[first:]))
        said = p >= 0.5
        right = int((said & truth).sum())
        figures["pinned" if pinned else "by address"] = {
            "average_precision": round(average_precision(p, truth), 4), "f1_at_half": round(2 * right / (said.sum() + truth.sum()), 4),
            "precision": round(right / max(said.sum(), 1), 4), "recall": round(right / truth.sum(), 4),
            "recall_of_suggestions_from_10_percent": round(float((truth & (p >= 0.1)).sum() / truth.sum()), 4),
            "mean_probability": round(float(p.mean()), 4), "share": round(float(truth.mean()), 4),
        }  # fmt: skip
    print(json.dumps(figures))
    if wanted.write:
        target = Path(likelihood.__file__).with_name("likelihood.json")
        target.write_bytes(msgspec.json.format(msgspec.json.encode(law), indent=2) + b"\n")


if __name__ == "__main__":
    main()
