"""A cache of results that depend only on their key, in the repository's folder.

The cache may be lost at any time, and a damaged entry counts as missing. Keys are hashed with the toolkit's version.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct

from minitask import __version__

PLAIN_MODULES = ("minitask.spec.model",)


class Cache(Struct, frozen=True):
    """A folder of small files."""

    folder: Path

    def document(self, key: str, make: Callable[[], Any]) -> Any:
        """Return the JSON value of a key, or compute it with `make` and store it."""
        path = self._path(key, "json")
        try:
            return json.loads(path.read_bytes())
        except (OSError, ValueError):
            value = make()
            self._write(path, json.dumps(value).encode())
            return value

    def peek(self, key: str) -> Any:
        """Return the JSON value of a key, or None."""
        try:
            return json.loads(self._path(key, "json").read_bytes())
        except (OSError, ValueError):
            return None

    def keep(self, key: str, value: Any) -> None:
        """Store a JSON value."""
        self._write(self._path(key, "json"), json.dumps(value).encode())

    def values(self, key: str, make: Callable[[], Any]) -> Any:
        """Return the spec values of a key, or compute and store them; only spec values are ever loaded."""
        path = self._path(key, "pickle")
        try:
            return _SpecUnpickler(io.BytesIO(path.read_bytes())).load()
        except (OSError, ValueError, EOFError, AttributeError, TypeError, pickle.UnpicklingError):
            value = make()
            self._write(path, pickle.dumps(value, protocol=5))
            return value

    def _path(self, key: str, kind: str) -> Path:
        digest = hashlib.sha256(
            f"{__version__}\0{key}".encode("utf-8", "surrogateescape")
        ).hexdigest()
        return Path(f"{self.folder}/{digest[:2]}/{digest[2:]}.{kind}")

    def _write(self, path: Path, content: bytes) -> None:
        draft = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}.new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(content)
            draft.replace(path)
        except OSError:
            draft.unlink(missing_ok=True)


class _SpecUnpickler(pickle.Unpickler):
    """A loader of frozen spec values and decimals, which rejects all other classes."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the class if it is an allowed one."""
        if module in PLAIN_MODULES or (module, name) == ("decimal", "Decimal"):
            return super().find_class(module, name)
        message = f"{module}.{name} is not a spec value"
        raise pickle.UnpicklingError(message)
