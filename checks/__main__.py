"""`python -m checks [NAME…]`: run every check, say what is wrong and where, exit 1 on any fault."""

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutations.harness import every, misplaced

from checks import documents, files, texts, translations

ROOT = Path(__file__).parents[1]
Check = Callable[[Path], list[str]]


def tool(*command: str) -> Check:
    """Return a check that runs `command` of the virtual environment; its output are the faults."""

    def check(root: Path) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=root, capture_output=True, text=True, check=False
        )
        return (done.stdout + done.stderr).strip().splitlines() if done.returncode else []

    return check


def contracts(root: Path) -> list[str]:
    """Return what import-linter says about the floors of the house (`[tool.importlinter]`)."""
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    said = (done.stdout + done.stderr).partition("Broken contracts")
    lines = (said[2] or said[0]).splitlines()
    return [line for line in lines if line.strip("- ")] if done.returncode else []


def mutations(root: Path) -> list[str]:
    """Return the named mutations that no longer fit the tree: who moves a line moves its mutation along."""
    rows = every()
    twice = {row.name for row in rows if sum(row.name == other.name for other in rows) > 1}
    return [reason for row in rows if (reason := misplaced(row, root))] + [
        f"{n}: stands twice" for n in twice
    ]


CHECKS: dict[str, Check] = {
    "format": tool("ruff", "format", "--check", "."),
    "style": tool("ruff", "check", "--output-format", "concise", "."),
    "types": tool("mypy"),
    "imports": contracts,
    "translations": translations.faults,
    "texts": texts.faults,
    "documents": documents.faults,
    "files": files.faults,
    "mutations": mutations,
}


def timed(check: Check) -> tuple[list[str], float]:
    """Return the faults of `check` and the seconds it took."""
    start = time.monotonic()
    return check(ROOT), time.monotonic() - start


def main(names: list[str]) -> int:
    """Run the checks called `names`, or all; return the exit code."""
    unknown = [name for name in names if name not in CHECKS]
    if unknown:
        print(f"no check is called {unknown[0]}; there are: {', '.join(CHECKS)}")
        return 2
    wanted = names or list(CHECKS)
    failed = 0
    with ThreadPoolExecutor(2) as pool:
        for name, (faults, seconds) in zip(wanted, pool.map(timed, [CHECKS[n] for n in wanted]), strict=True):
            print(f"{'✗' if faults else '✓'} {name} ({seconds:.1f} s)")
            for fault in faults:
                print(f"    {fault}")
            failed += bool(faults)
    print(f"{len(wanted) - failed} checks passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
