"""Break the code in one named place, run the test that guards it, and see it fail.

A topic is a module `tests/mutations/of_TOPIC.py` with a table `MUTATIONS`. A row's `old` stands once in `file` (below
`src/beffroi`) of the tree; it is replaced by `new` in a copy. `python -m tests.mutations [WORD …]` runs the rows whose
name or topic holds a word (all without one) and prints those that no test noticed. Each row runs in a fork of a process
that has the libraries loaded but nothing of Beffroi, so that a row costs little more than its test.
"""

import contextlib
import importlib
import multiprocessing
import os
import pkgutil
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import tests.mutations

__all__ = ["Mutation", "Outcome", "every", "judged", "misplaced"]

TREE = Path(__file__).parents[2]
LONGEST_S = 120
LONGEST_EACH_S = 60  # of the tests without any mutation, which are run together
_EARLY = "ignore::pytest.PytestAssertRewriteWarning"  # plugins loaded before the fork
_LIBRARIES = ("sqlalchemy", "starlette.testclient", "shapely", "lark", "pytest", "duckdb")


class Mutation(msgspec.Struct, frozen=True):
    """A change of `old` to `new` in `file`, under which `test` (a node id: `tests/a/test_b.py::test_c`) must fail."""

    name: str
    file: str
    old: str
    new: str
    test: str


class Outcome(msgspec.Struct, frozen=True):
    """What became of a mutation: `seen` when its test failed by itself, as it must."""

    mutation: Mutation
    seen: bool
    detail: str = ""


def every(words: Iterable[str] = ()) -> list[Mutation]:
    """Return the rows of all topics whose topic or name holds one of `words` (all without words)."""
    wanted = list(words)
    found: list[Mutation] = []
    for module in sorted(
        m.name for m in pkgutil.iter_modules(tests.mutations.__path__) if m.name.startswith("of_")
    ):
        rows: tuple[Mutation, ...] = importlib.import_module(f"tests.mutations.{module}").MUTATIONS
        found += [row for row in rows if not wanted or any(w in module or w in row.name for w in wanted)]
    return found


def misplaced(row: Mutation, tree: Path = TREE) -> str:
    """Return why a row no longer fits the tree, or nothing: `old` stands once in the file, and the test exists."""
    file = tree / "src/beffroi" / row.file
    if not file.is_file():
        return f"{row.name}: there is no {row.file}"
    n = file.read_text("utf-8").count(row.old)
    if n != 1:
        return f"{row.name}: its old text stands {n} times in {row.file}"
    path, _, test = row.test.partition("::")
    name = test.partition("[")[0]
    if not (tree / path).is_file() or f"def {name}(" not in (tree / path).read_text("utf-8"):
        return f"{row.name}: there is no test {row.test}"
    return ""


@contextlib.contextmanager
def _copied() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="beffroi-mutations-") as folder:
        tree = Path(folder)
        for name in ("src", "tests", "docs", "checks"):
            shutil.copytree(
                TREE / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules")
            )
        shutil.copy(TREE / "pyproject.toml", tree)
        yield tree


def _run(tree: Path, nodes: list[str], output: Path) -> None:
    """Run tests of the copy `tree`, in a process of their own, and end it with pytest's answer."""
    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.chdir(tree)
    for name in [n for n in sys.modules if n.partition(".")[0] in ("tests", "beffroi")]:
        del sys.modules[name]
    sys.path[:0] = [str(tree / "src"), str(tree)]
    sys.dont_write_bytecode = True
    import pytest

    os._exit(
        pytest.main([*nodes, "-q", "-x", "-p", "no:cacheprovider", "-W", _EARLY, "--rootdir", str(tree)])
    )


def _answer(tree: Path, nodes: list[str], longest_s: float = LONGEST_S) -> tuple[int | None, str]:
    """Return pytest's exit code (None: it had to be ended) and what it printed."""
    output = tree / "output"
    process = multiprocessing.get_context("fork").Process(target=_run, args=(tree, nodes, output))
    process.start()
    process.join(longest_s)
    if process.is_alive():
        process.kill()
        process.join()
        return None, "it did not end"
    return process.exitcode, output.read_text("utf-8", "replace")[-1_500:]


def judged(rows: list[Mutation]) -> Iterator[Outcome]:
    """Run each row and yield its outcome. Raises `ValueError` when a row does not fit or a test fails unmutated."""
    wrong = [reason for row in rows if (reason := misplaced(row))]
    if wrong:
        raise ValueError("\n".join(wrong))
    for library in _LIBRARIES:
        importlib.import_module(library)
    with _copied() as tree:
        nodes = sorted({row.test for row in rows})
        code, printed = _answer(tree, nodes, LONGEST_S + LONGEST_EACH_S * len(nodes))
        if code != 0:
            raise ValueError(f"a test fails without any mutation:\n{printed}")
        for row in rows:
            file = tree / "src/beffroi" / row.file
            whole = file.read_text("utf-8")
            file.write_text(whole.replace(row.old, row.new), "utf-8")
            code, printed = _answer(tree, [row.test])
            file.write_text(whole, "utf-8")
            # 1: a test failed. Anything else is no proof, nor is a test that does not end: it says nothing of what is wrong.
            yield Outcome(row, code == 1, "" if code == 1 else f"exit {code}: {printed[-300:]}")
