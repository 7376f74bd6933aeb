"""Mutate modules of the ledger with mutmut, one after the other, and print what their tests let live.

    script/mutate                      every module of the ledger
    script/mutate csms.frame kernel.*  these

Each module is mutated in a tree of its own under `build/mutation`, with the tests the ledger names for it;
mutmut runs for each mutant only those that reach its function. Nothing in the checkout is touched.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from tests.mutation import ledger
from tests.mutation.ledger import ROOT, Entry

MUTMUT = str(Path(sys.executable).parent / "mutmut")
# `mutmut show` for many at once: it takes seconds to start.
SHOW = """
import sys
from mutmut.mutation.diff_apply import get_diff_for_mutant
for name in sys.stdin.read().split():
    print(get_diff_for_mutant(name), end="\\0")
"""
# What the unit tests need of the tree: files and directories.
SOURCES = ("supervision", "chargepoint_emulator", "bench", "docs", "tests/unit", "pyproject.toml")
SHARED = ("__init__.py", "conftest.py", "factories.py", "postgres.py", "process.py", "serving.py")
NEEDED = (*SOURCES, *(f"tests/{name}" for name in SHARED))
SURVIVED = ("survived", "no tests", "suspicious")


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What became of the mutants of one module; the survivors as pairs of lines, was and now."""

    module: str
    total: int
    survivors: tuple[tuple[str, str], ...]
    equivalents: int

    @property
    def killed(self) -> int:
        """How many the tests told from the original."""
        return self.total - self.equivalents - len(self.survivors)

    def line(self) -> str:
        """Name, killed of those that could be, per cent."""
        could = self.total - self.equivalents
        share = 100 * self.killed / could if could else 100.0
        return (
            f"{self.module:40} {self.killed:5} of {could:5} {share:6.1f} %  equivalent {self.equivalents:3}"
        )


def tree_for(entry: Entry) -> Path:
    """Lay out a fresh copy of the checkout in which this one module is to be mutated."""
    tree = ROOT / "build/mutation" / entry.module
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    leave = shutil.ignore_patterns("__pycache__", "node_modules")
    for name in NEEDED:
        target = tree / name
        target.parent.mkdir(exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=leave)
        else:
            shutil.copy(ROOT / name, target)
    table = {
        "source_paths": ["supervision"],
        "only_mutate": [entry.path],
        "also_copy": ["tests", "chargepoint_emulator", "bench", "docs", "pyproject.toml"],
        "pytest_add_cli_args": ["--hypothesis-profile=mutation"],
        "pytest_add_cli_args_test_selection": list(entry.tests),
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    with (tree / "pyproject.toml").open("a", encoding="utf-8") as project:
        project.write("\n[tool.mutmut]\n" + "\n".join(lines) + "\n")
    return tree


def run(tree: Path, *command: str, said: str = "") -> str:
    """Run a command in a tree; its own modules are found first."""
    environment = {**os.environ, "PYTHONPATH": ""}
    done = subprocess.run(
        command, cwd=tree, env=environment, input=said, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(done.stdout[-4000:] + done.stderr[-4000:])
    return done.stdout


def changed(diff: str) -> tuple[str, str]:
    """Return what a diff takes away and what it puts there, each as one line."""
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    was, now = (" ".join(line[1:].strip() for line in lines if line[:1] == sign) for sign in "-+")
    return was, now


def score(entry: Entry) -> Score:
    """Mutate one module and judge its mutants."""
    tree = tree_for(entry)
    run(tree, MUTMUT, "run", "--max-children", "1")
    lines = run(tree, MUTMUT, "results", "--all", "true").splitlines()
    fates = dict(line.strip().rsplit(": ", 1) for line in lines)
    lived = [name for name, fate in fates.items() if fate in SURVIVED]
    diffs = run(tree, sys.executable, "-c", SHOW, said="\n".join(lived)).split("\0")
    pairs = [changed(diff) for diff in diffs[:-1]]
    known = {(one.was, one.now) for one in entry.equivalents}
    return Score(
        module=entry.module,
        total=len(fates),
        survivors=tuple(pair for pair in pairs if pair not in known),
        equivalents=sum(pair in known for pair in pairs),
    )


def chosen(patterns: Sequence[str]) -> Iterable[Entry]:
    """Return the entries asked for, in the order asked for; all without a pattern."""
    entries = ledger.read()
    for pattern in patterns or ["*"]:
        yield from (entry for name, entry in entries.items() if fnmatch(name, pattern))


def main(patterns: Sequence[str]) -> None:
    """Print a line for each module, and every survivor under it."""
    for entry in chosen(patterns):
        found = score(entry)
        print(found.line(), flush=True)  # noqa: T201 - a command
        for was, now in found.survivors:
            print(f"    - {was}\n    + {now}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
