"""What we did not write is what its licence and its hash say."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MANIFESTS = [ROOT / "supervision/web/static/vendor/manifest.json", ROOT / "tests/e2e/vendor/manifest.json"]


@pytest.mark.parametrize("manifest", MANIFESTS, ids=["portal", "tests"])
def test_vendored_files_are_exactly_those_of_the_manifest(manifest: Path) -> None:
    entries = json.loads(manifest.read_text())
    listed = {entry["file"]: entry["sha256"] for entry in entries}
    licences = {entry["licence_file"] for entry in entries}
    found = {
        path.relative_to(manifest.parent).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in manifest.parent.rglob("*")
        if path.is_file() and path != manifest
    }
    assert {name: digest for name, digest in found.items() if name not in licences} == listed
    assert licences <= set(found)
    assert all(entry["name"] and entry["version"] and entry["licence"] for entry in entries)
