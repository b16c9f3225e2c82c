"""Run the named mutations: `python -m tests.mutations [--seen FILE] [WORD …]`.

`--seen FILE` notes the name of each mutation that was noticed, and leaves out those noted before: a long run can be
ended and gone on with, or be shared among several runs with a file each.
"""

import argparse
import sys
from pathlib import Path

from tests.mutations.harness import every, judged


def main() -> int:
    """Print each mutation and whether its test noticed it; return 1 when one was not."""
    options = argparse.ArgumentParser(prog="python -m tests.mutations")
    options.add_argument(
        "--seen", type=Path, help="file of the names that were noticed; they are not run again"
    )
    options.add_argument("words", nargs="*", help="of a topic or a name; without one: all")
    chosen = options.parse_args()
    kept: Path | None = chosen.seen
    before = set(kept.read_text("utf-8").splitlines()) if kept is not None and kept.is_file() else set()
    rows = every(chosen.words)
    left = [row for row in rows if row.name not in before]
    unseen = 0
    for outcome in judged(left) if left else ():
        unseen += not outcome.seen
        print("seen  " if outcome.seen else "UNSEEN", outcome.mutation.name, outcome.detail, flush=True)  # noqa: T201
        if outcome.seen and kept is not None:
            with kept.open("a", encoding="utf-8") as file:
                file.write(outcome.mutation.name + "\n")
    seen, before_n = len(rows) - unseen, len(rows) - len(left)
    print(f"{seen} of {len(rows)} mutations were seen by their tests ({before_n} before)")  # noqa: T201
    return 1 if unseen or not rows else 0


sys.exit(main())
