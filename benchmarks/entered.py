"""Note which tests enter a function: `mutants.py` has each function that it puts a fault into call `note` first."""

from __future__ import annotations

import json
import os

FOLDER = os.environ.get("ENTERED_FOLDER", "")
noted: set[tuple[str, str]] = set()


def note(place: str) -> None:
    """Write down once for each test and process that the test enters a function; processes that fork share a file."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
    if not test or not FOLDER or (test, place) in noted:
        return
    noted.add((test, place))
    with open(f"{FOLDER}/{os.getpid()}", "a", encoding="utf-8") as stream:  # noqa: PTH123 - quick to import
        stream.write(f"{json.dumps([test, place])}\n")
