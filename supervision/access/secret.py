"""The key all codes are derived from: one file beside the data, readable by the service alone."""

from __future__ import annotations

import os
from pathlib import Path

from supervision.access.codes import SECRET_BYTES
from supervision.chance import new_bytes
from supervision.kernel.errors import FieldError

FILE = "secret.key"


def load_secret(data_dir: Path) -> bytes:
    """Return the key of this installation, made at first use; FieldError when the file is damaged."""
    path = data_dir / FILE
    data_dir.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _create(path, new_bytes(SECRET_BYTES))
    secret = path.read_bytes()
    if len(secret) != SECRET_BYTES:
        raise FieldError(str(path), f"{SECRET_BYTES} bytes are wanted: restore it, or every code changes")
    return secret


def _create(path: Path, secret: bytes) -> None:
    """Write the whole key or nothing, and never over an existing one."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        return  # another process was faster; its key is the one
    finally:
        draft.unlink()
