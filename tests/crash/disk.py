"""A disk that forgets at a power cut what was not yet synchronised: a shim around SQLite's own file layer.

SQLite asks its VFS to write, truncate and synchronise. The shim lets the real one do all that, and keeps
beside it what would be on the platter: of each file the bytes as of its last `xSync`, and in their order the
writes since, of which a power cut keeps any subset, each whole, lost or torn at sectors of 512 bytes. This is
the model of SQLite's own crash tests, with writes that harm nothing beside them ("powersafe overwrite") and
deletions that last.

The shim talks to the library that Python's `sqlite3` has loaded, by ctypes: no compiler, no preloading.
"""

from __future__ import annotations

import ctypes
import random
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import CFUNCTYPE, c_char_p, c_int, c_int64, c_void_p
from pathlib import Path
from typing import Any

SECTOR = 512
_OPEN = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)
_WRITE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_TRUNCATE = CFUNCTYPE(c_int, c_void_p, c_int64)
_SYNC = CFUNCTYPE(c_int, c_void_p, c_int)
_DELETE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int)
_AT_WRITE, _AT_TRUNCATE, _AT_SYNC, _METHODS = 3, 4, 5, 19  # places in sqlite3_io_methods, version 3
_WORDS_OF_VFS, _AT_NAME, _AT_OPEN, _AT_DELETE = 22, 3, 5, 6  # sqlite3_vfs, version 3, in words of 8 bytes

Change = tuple[int, bytes | None]  # where and what; None: truncated there


class Disk:
    """What of the files below `home` would survive; `moment` is called at every change, in any thread."""

    def __init__(self, home: Path, moment: Callable[[], None]) -> None:
        self.syncs = 0
        self._home = str(home)
        self._moment = moment
        self._lock = threading.Lock()
        self._kept: dict[str, bytearray] = {}
        self._since: dict[str, list[Change]] = {}

    def opened(self, path: str) -> None:
        if path.startswith(self._home) and path not in self._kept:
            self._kept[path], self._since[path] = bytearray(Path(path).read_bytes()), []

    def deleted(self, path: str) -> None:
        with self._lock:
            self._kept.pop(path, None)
            self._since.pop(path, None)

    def changed(self, path: str, change: Change) -> None:
        if path in self._kept:
            with self._lock:
                self._since[path].append(change)
            self._moment()

    def synced(self, path: str) -> None:
        if path in self._kept:
            with self._lock:
                for change in self._since[path]:
                    _apply(self._kept[path], change)
                self._since[path].clear()
                self.syncs += 1
            self._moment()

    def cut(self, chance: random.Random) -> dict[str, bytes]:
        """Return what each file holds after a power cut now, by its name."""
        with self._lock:
            return {Path(path).name: self._after_cut(path, chance) for path in self._kept}

    def _after_cut(self, path: str, chance: random.Random) -> bytes:
        image = bytearray(self._kept[path])
        for change in self._since[path]:
            for part in _survivors(change, chance):
                _apply(image, part)
        return bytes(image)


def _apply(image: bytearray, change: Change) -> None:
    at, data = change
    if data is None:
        del image[at:]
        return
    image.extend(bytes(max(0, at - len(image))))
    image[at : at + len(data)] = data


def _survivors(change: Change, chance: random.Random) -> Iterator[Change]:
    at, data = change
    fate = chance.choice(("whole", "lost", "torn"))
    if fate == "whole" or (fate == "torn" and data is None):
        yield change
    elif fate == "torn" and data is not None:
        for first in range(0, len(data), SECTOR):
            if chance.random() < 0.5:
                yield at + first, data[first : first + SECTOR]


@contextmanager
def recorded(disk: Disk) -> Iterator[None]:
    """Let every database opened inside go through the shim."""
    library = ctypes.CDLL(_library())
    library.sqlite3_vfs_find.restype = c_void_p
    library.sqlite3_vfs_find.argtypes = [c_char_p]
    library.sqlite3_vfs_register.argtypes = [c_void_p, c_int]
    library.sqlite3_vfs_unregister.argtypes = [c_void_p]
    usual = library.sqlite3_vfs_find(None)
    shim = _Shim(disk, usual)
    library.sqlite3_vfs_register(ctypes.addressof(shim.vfs), 1)
    try:
        yield
    finally:
        library.sqlite3_vfs_register(usual, 1)
        library.sqlite3_vfs_unregister(ctypes.addressof(shim.vfs))
        _FOR_EVER.append(shim)  # a connection that is closed late still calls it


_FOR_EVER: list[_Shim] = []


def _library() -> str:
    """The SQLite that this process has loaded."""
    maps = Path("/proc/self/maps").read_text(encoding="utf-8")
    found = re.search(r"\S*libsqlite3\S*", maps)
    assert found, "Python's sqlite3 does not use a shared library here"
    return found[0]


def _address(word: int | None) -> int:
    assert word is not None
    return word


class _Shim:
    """A copy of the usual VFS whose files tell the disk what happens to them."""

    def __init__(self, disk: Disk, usual: int) -> None:
        words = c_void_p * _WORDS_OF_VFS
        self.vfs = words.from_buffer_copy(words.from_address(usual))
        self._disk = disk
        self._usual = usual
        self._open = ctypes.cast(_address(self.vfs[_AT_OPEN]), _OPEN)
        self._delete = ctypes.cast(_address(self.vfs[_AT_DELETE]), _DELETE)
        self._name = ctypes.create_string_buffer(b"recorded")
        self._files: dict[int, tuple[str, Any]] = {}  # sqlite3_file -> path, its own methods
        self._tables: dict[int, Any] = {}  # their methods -> ours
        self._hooks = (_OPEN(self._opened), _WRITE(self._write), _TRUNCATE(self._truncate), _SYNC(self._sync))
        self.vfs[_AT_NAME] = ctypes.addressof(self._name)
        self._on_delete = _DELETE(self._deleted)
        self.vfs[_AT_OPEN] = ctypes.cast(self._hooks[0], c_void_p).value
        self.vfs[_AT_DELETE] = ctypes.cast(self._on_delete, c_void_p).value

    def _opened(self, _vfs: int, name: int | None, file: int, flags: int, out: int | None) -> int:
        result = int(self._open(self._usual, name, file, flags, out))
        methods = c_void_p.from_address(file)
        if result == 0 and name and methods.value:
            path = ctypes.string_at(name).decode()
            self._files[file] = (path, self._methods(methods.value))
            self._disk.opened(path)
            methods.value = ctypes.addressof(self._tables[methods.value])
        return result

    def _deleted(self, _vfs: int, name: int, sync_directory: int) -> int:
        result = int(self._delete(self._usual, name, sync_directory))
        if result == 0:
            self._disk.deleted(ctypes.string_at(name).decode())
        return result

    def _methods(self, address: int) -> Any:
        words = c_void_p * _METHODS
        own = words.from_address(address)
        if address not in self._tables:
            ours = words.from_buffer_copy(own)
            for place, hook in zip((_AT_WRITE, _AT_TRUNCATE, _AT_SYNC), self._hooks[1:], strict=True):
                ours[place] = ctypes.cast(hook, c_void_p).value
            self._tables[address] = ours
        return own

    def _write(self, file: int, data: int, amount: int, at: int) -> int:
        path, own = self._files[file]
        result = int(ctypes.cast(own[_AT_WRITE], _WRITE)(file, data, amount, at))
        self._disk.changed(path, (at, ctypes.string_at(data, amount)))
        return result

    def _truncate(self, file: int, size: int) -> int:
        path, own = self._files[file]
        result = int(ctypes.cast(own[_AT_TRUNCATE], _TRUNCATE)(file, size))
        self._disk.changed(path, (size, None))
        return result

    def _sync(self, file: int, flags: int) -> int:
        path, own = self._files[file]
        result = int(ctypes.cast(own[_AT_SYNC], _SYNC)(file, flags))
        self._disk.synced(path)
        return result
