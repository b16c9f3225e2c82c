"""Run the named mutations: `python -m tests.mutations [WORD …]`."""

import sys

from tests.mutations.harness import every, judged


def main() -> int:
    """Print each mutation and whether its test noticed it; return 1 when one was not."""
    unseen = n = 0
    for outcome in judged(every(sys.argv[1:])):
        n += 1
        unseen += not outcome.seen
        print("seen  " if outcome.seen else "UNSEEN", outcome.mutation.name, outcome.detail, flush=True)  # noqa: T201
    print(f"{n - unseen} of {n} mutations were seen by their tests")  # noqa: T201
    return 1 if unseen or not n else 0


sys.exit(main())
