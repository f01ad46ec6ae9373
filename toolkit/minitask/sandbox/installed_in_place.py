"""Python packages that are installed in place, from the checkout: imports of them are led into the workspace.

Where nothing can be mounted, a virtual environment on PATH would import the user's own files in place of the commit's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

SITES = ("lib/python*/site-packages", "lib/python*/dist-packages", "Lib/site-packages")
NAMED = ("*.pth", "__editable__*.py", "*.egg-link")
TEXT_BYTES = 1 << 20


def variables(path: str, *, checkout: Path | None, workspace: Path) -> dict[str, str]:
    """Return the variables that have Python look in the workspace first, where it would look in the checkout."""
    if checkout is None:
        return {}
    folders = [workspace / name for name in in_place(path, str(checkout))]
    return {"PYTHONPATH": os.pathsep.join(map(str, folders))} if folders else {}


@lru_cache(maxsize=4)
def in_place(path: str, checkout: str) -> tuple[str, ...]:
    """Return the folders, relative to the checkout, that the Pythons on a `PATH` import from."""
    found: dict[str, None] = {}
    for program_folder in path.split(os.pathsep):
        for text in _texts(Path(program_folder).parent):
            found.update(dict.fromkeys(_folders(text, checkout)))
    return tuple(found)


def _texts(installation: Path) -> Iterator[str]:
    if not installation.is_absolute():
        return
    for site in (folder for pattern in SITES for folder in installation.glob(pattern)):
        for path in sorted(each for pattern in NAMED for each in site.glob(pattern)):
            try:
                if path.stat().st_size < TEXT_BYTES:
                    yield path.read_text("utf-8", "replace")
            except OSError:
                continue


def _folders(text: str, checkout: str) -> Iterator[str]:
    """Yield the folders in a text that modules of the checkout are found in; for a package, the folder above it."""
    for found in re.finditer(re.escape(checkout) + r"(/[^\s\"':;,]*)?(?=[\s\"':;,]|$)", text):
        name = (found[1] or "").strip("/")
        place = Path(checkout, name)
        is_package = (place / "__init__.py").exists() or place.is_file()
        yield name.rpartition("/")[0] if is_package else name
