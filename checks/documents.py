"""Documents: every link inside the repository leads somewhere, and the generated reference is that of the code."""

import re
import subprocess
import sys
from pathlib import Path

from checks.files import tracked

LINK = re.compile(r"\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def anchor_of(heading: str) -> str:
    """Return the anchor that forges give to a heading."""
    plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading.strip().lower())
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def anchors(text: str) -> set[str]:
    """Return the anchors of a Markdown text."""
    return {anchor_of(h) for h in re.findall(r"^#+\s+(.*)$", FENCE.sub("", text), re.MULTILINE)}


def broken_links(root: Path, path: Path) -> list[str]:
    """Return the relative links of the document `path` that lead nowhere."""
    faults = []
    text = FENCE.sub("", (root / path).read_text("utf-8"))
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        goal = (root / path).parent / name if name else root / path
        if not goal.exists():
            faults.append(f"{path}: no such file: {target}")
        elif anchor and goal.suffix == ".md" and anchor not in anchors(goal.read_text("utf-8")):
            faults.append(f"{path}: no such heading: {target}")
    return faults


def faults(root: Path) -> list[str]:
    """Return the broken links, and the pages of the reference that differ from the code."""
    found = [f for path in tracked(root) if path.suffix == ".md" for f in broken_links(root, path)]
    command = [sys.executable, "docs/generate.py", "--check"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        found += (done.stdout + done.stderr).strip().splitlines()
    return found
