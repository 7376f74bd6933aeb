"""The contracts of pyproject.toml's `tool.importlinter`: which package may know which."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import ROOT

CONTRACTS = ("layers", "pure", "emulator", "cycles")


def lint(contract: str, tree: Path) -> subprocess.CompletedProcess[str]:
    """Hold one contract against a tree; in a process of its own, because it switches off existing loggers."""
    return subprocess.run(
        [
            str(Path(sys.executable).parent / "lint-imports"),
            *("--no-cache", "--config", str(ROOT / "pyproject.toml"), "--contract", contract),
        ],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("contract", CONTRACTS)
def test_import_contract_is_kept(contract: str) -> None:
    done = lint(contract, ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("contract", "module", "line"),
    [
        ("layers", "kernel/bad.py", "import supervision.store.db"),
        ("layers", "booking/bad.py", "import supervision.csms.model"),
        ("layers", "unheard.py", ""),
        ("pure", "booking/rules.py", "import random"),
        ("emulator", "fleet/bad.py", "import chargepoint_emulator"),
        ("cycles", "kernel/units.py", "import supervision.kernel.money, supervision.kernel.reading"),
    ],
    ids=["upwards", "sibling", "outside every layer", "impure", "emulator", "cycle"],
)
def test_planted_import_is_found(contract: str, module: str, line: str, tmp_path: Path) -> None:
    """The contracts are worth something: each catches an import that they forbid."""
    for package in ("supervision", "chargepoint_emulator"):
        for path in (ROOT / package).rglob("*.py"):
            target = tmp_path / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    if contract == "cycles":
        back = tmp_path / "supervision" / "kernel" / "money.py"
        back.write_text("import supervision.kernel.units\n" + back.read_text())
    bad = tmp_path / "supervision" / module
    bad.write_text(f"{line}\n" + (bad.read_text() if bad.exists() else ""))
    done = lint(contract, tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "BROKEN" in done.stdout
