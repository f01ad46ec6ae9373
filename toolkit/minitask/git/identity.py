"""The author or committer of a commit with the time, as git writes it."""

from __future__ import annotations

from msgspec import Struct

from minitask.errors import MachineError


class Signature(Struct, frozen=True):
    """A person and a time: `stamp` is `SECONDS TIMEZONE`, as git writes it."""

    name: str
    email: str
    stamp: str

    def __str__(self) -> str:
        """Return the form of a commit header."""
        return f"{self.name} <{self.email}> {self.stamp}"


def signature(ident: str) -> Signature:
    """Parse `Name <email> SECONDS ZONE`."""
    name, _, remainder = ident.rpartition(" <")
    email, _, stamp = remainder.partition("> ")
    if not stamp:
        raise MachineError(f"git returned an unreadable identity: {ident!r}")
    return Signature(_header(name), _header(email), stamp)


def _header(text: str) -> str:
    return "".join(char for char in text if char not in "<>\n\0").strip()
