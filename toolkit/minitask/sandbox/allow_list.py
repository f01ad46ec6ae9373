"""Hosts that commands may reach: allowed by the settings, narrowed by a spec."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct

from minitask.patterns import lazy_pattern

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

NAME = lazy_pattern(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
PORT = lazy_pattern(r"[0-9]{1,5}")
PORTS = 65536


class AllowList(Struct, frozen=True):
    """Lists of `HOST`, `HOST:PORT` and `*.DOMAIN`; a destination must be in each. The first is the user's.

    Entries are compared as by `plain_host`. A host without a port stands for all its ports.
    """

    lists: tuple[tuple[str, ...], ...]

    @property
    def services(self) -> tuple[tuple[str, int], ...]:
        """Return the listed loopback addresses of this machine, with their ports."""
        addresses = map(split_port, self.lists[0])
        plain = {(plain_host(host), port): None for host, port in addresses if port is not None}
        return tuple(
            (host, port) for host, port in plain if is_loopback(host) and self.permits(host, port)
        )

    def describe(self) -> str:
        """Return the reachable hosts in one line."""
        return "network only to " + ", and of these ".join(
            ", ".join(entries) for entries in self.lists
        )

    def permits(self, host: str, port: int) -> bool:
        """Return True if every list contains the host and port."""
        return all(any(_holds(entry, host, port) for entry in entries) for entries in self.lists)

    def permits_address(self, address: str, port: int) -> bool:
        """Return True if a name may resolve to the address: a public one, or one that the user lists."""
        plain = plain_host(address)
        return is_public(plain) or any(_holds(entry, plain, port) for entry in self.lists[0])


Grant = bool | AllowList
"""Reachable destinations: all (True), none (False), or the listed ones."""


def granted(spec: bool | tuple[str, ...] | None, allowed: bool | tuple[str, ...]) -> Grant:
    """Return the destinations of a spec's commands: a spec can only narrow the settings.

    `True` in the settings applies to specs that request it; a list applies to all specs that do not refuse it.
    """
    if not allowed or spec is False:
        return False
    lists = tuple(entries for entries in (allowed, spec) if isinstance(entries, tuple))
    return AllowList(lists) if lists and all(lists) else bool(spec) and not lists


def split_port(text: str) -> tuple[str, int | None]:
    """Return host (without IPv6 brackets) and port; host `""` if the port is invalid."""
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]") or (":" in host and not host.endswith("]")):
        host, port = text, ""
    elif not PORT.fullmatch(port) or not 0 < int(port) < PORTS:
        return "", None
    return host.removeprefix("[").removesuffix("]"), int(port) if port else None


def plain_host(text: str) -> str:
    """Return a host in canonical form: lower case, no final dot, shortest address; empty if invalid.

    An address with a zone is invalid: it has a meaning on one machine only.
    """
    host = text.lower().removesuffix(".")
    address = _address(host)
    if address is not None and "%" not in host:
        return str(getattr(address, "ipv4_mapped", None) or address)
    return "127.0.0.1" if host == "localhost" else host if NAME.fullmatch(host) else ""


def is_loopback(host: str) -> bool:
    """Return True for a loopback address."""
    return (address := _address(host)) is not None and address.is_loopback


def is_public(host: str) -> bool:
    """Return True for a public address; a translated one (NAT64, RFC 6052) is judged by its IPv4 address."""
    address = _address(host)
    if address is None or not address.is_global or address.is_multicast:
        return False
    if host.startswith("64:ff9b:"):
        return is_public(str(_address(int(address) % 2**32)))
    return not host.startswith("2002:")


def _holds(entry: str, host: str, port: int) -> bool:
    listed, listed_port = split_port(entry)
    if listed_port not in (None, port):
        return False
    if listed.startswith("*."):
        return _address(host) is None and host.endswith(listed[1:].lower().removesuffix("."))
    return bool(host) and plain_host(listed) == host


@lru_cache(maxsize=256)
def _address(host: str | int) -> IPv4Address | IPv6Address | None:
    import ipaddress

    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
