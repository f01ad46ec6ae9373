"""An in-memory stand-in for the task service: items by kind, with identifiers.

It answers as a remote service would: what it returns is a copy, so a change counts
only when it is sent back with `update`. `calls` counts the requests, so that tests can
see the cache at work.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

Item = dict[str, Any]


class Store:
    """Items of every kind, in the order in which they were added."""

    def __init__(self) -> None:
        self._items: dict[str, dict[str, Item]] = {}
        self._next = 1
        self.calls = 0

    def add(self, kind: str, **fields: Any) -> Item:
        """Store a new item and return it with its identifier."""
        self.calls += 1
        identifier = f"{kind}-{self._next}"
        self._next += 1
        item = {"id": identifier, **deepcopy(fields)}
        self._items.setdefault(kind, {})[identifier] = item
        return deepcopy(item)

    def all(self, kind: str) -> list[Item]:
        """Every item of a kind, oldest first."""
        self.calls += 1
        return deepcopy(list(self._items.get(kind, {}).values()))

    def get(self, kind: str, identifier: str) -> Item | None:
        """One item, or None where there is none."""
        self.calls += 1
        return deepcopy(self._items.get(kind, {}).get(identifier))

    def update(self, kind: str, identifier: str, **changes: Any) -> Item:
        """Change fields of an item; an unknown identifier is a KeyError."""
        self.calls += 1
        item = self._items[kind][identifier]
        item.update(deepcopy(changes))
        return deepcopy(item)

    def remove(self, kind: str, identifier: str) -> None:
        """Remove an item; an unknown identifier is a KeyError."""
        self.calls += 1
        del self._items[kind][identifier]
