"""Small files that must survive a crash: whole, or not there."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path


def write_json(path: Path, document: Mapping[str, object]) -> None:
    """Replace a file by a JSON document, which is on disk when this returns; raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    with draft.open("w", encoding="utf-8", errors="surrogateescape") as stream:
        json.dump(document, stream)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)
