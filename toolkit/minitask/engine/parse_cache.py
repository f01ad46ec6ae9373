"""Spec files parsed once: the result of a text is kept, for `validate`, `exec` and `run` alike."""

from __future__ import annotations

from minitask.spec.model import SpecFile
from minitask.system.cache import Cache

_KIND = "spec 3"
"""What parsed specs are kept as: another number whenever the parser reads more than before."""


def parse_once(text: str, *, path: str, cache: Cache | None) -> SpecFile:
    """Return the specs of a file and what is wrong with it, as remembered where the same text was parsed before."""

    def read() -> SpecFile:
        from minitask.spec.parse import parse_file

        return parse_file(text, path=path)

    found = cache.values(f"{_KIND}\0{path}\0{text}", read) if cache else read()
    assert isinstance(found, SpecFile)  # noqa: S101
    return found
