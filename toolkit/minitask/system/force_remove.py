"""Removing folders in which commands have been, whatever these did to their rights."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def force_remove(folder: Path) -> None:
    """Remove a folder, a file or a link; a folder whatever was done to its rights. `OSError` where it cannot go."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        try:
            shutil.rmtree(folder)
        except OSError:
            _open_folders(folder)
            shutil.rmtree(folder)


def _open_folders(folder: Path) -> None:
    """Give the owner all rights on a folder and those below it, from the top; links lead nowhere."""
    folder.chmod(0o700)
    for here, names, _ in os.walk(folder):
        for inner in (Path(here, name) for name in names):
            if not inner.is_symlink():
                inner.chmod(0o700)
