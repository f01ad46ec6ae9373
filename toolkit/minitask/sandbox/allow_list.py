"""Hosts that commands may reach: what the settings allow, and what a spec leaves of it."""

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
    """Lists of `HOST`, `HOST:PORT` and `*.DOMAIN`; each must hold what is reached. The first one is the user's.

    Hosts are given as `plain_host` writes them. A host without a port stands for all its ports.
    """

    lists: tuple[tuple[str, ...], ...]

    @property
    def services(self) -> tuple[tuple[str, int], ...]:
        """Return the listed addresses of this machine's loopback, with their ports."""
        addresses = map(split_port, self.lists[0])
        plain = {(plain_host(host), port): None for host, port in addresses if port is not None}
        return tuple(
            (host, port) for host, port in plain if is_loopback(host) and self.permits(host, port)
        )

    def describe(self) -> str:
        """One line: what may be reached."""
        return "network only to " + ", and of these ".join(
            ", ".join(entries) for entries in self.lists
        )

    def permits(self, host: str, port: int) -> bool:
        """Return True if every list holds the host at that port."""
        return all(any(_holds(entry, host, port) for entry in entries) for entries in self.lists)

    def permits_address(self, address: str, port: int) -> bool:
        """Return True if a name may lead to the address: any public one, and what the user lists as an address."""
        plain = plain_host(address)
        return is_public(plain) or any(_holds(entry, plain, port) for entry in self.lists[0])


Grant = bool | AllowList
"""What commands may reach: everything, nothing, or what is listed."""


def granted(spec: bool | tuple[str, ...] | None, allowed: bool | tuple[str, ...]) -> Grant:
    """Return what a spec's commands may reach: a spec narrows what the settings allow, and never widens it.

    `True` in the settings is for specs that ask; a list is for all specs that do not refuse it.
    """
    if not allowed or spec is False:
        return False
    lists = tuple(entries for entries in (allowed, spec) if isinstance(entries, tuple))
    return AllowList(lists) if lists and all(lists) else bool(spec) and not lists


def split_port(text: str) -> tuple[str, int | None]:
    """Return a host, without the brackets of IPv6, and its port; no host (`""`) where there is no sense in it."""
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]") or (":" in host and not host.endswith("]")):
        host, port = text, ""
    elif not PORT.fullmatch(port) or not 0 < int(port) < PORTS:
        return "", None
    return host.removeprefix("[").removesuffix("]"), int(port) if port else None


def plain_host(text: str) -> str:
    """Return a host as it is compared: lower case, no last dot, an address at its shortest; empty if it is none.

    An address with a zone is none: it means something on one machine only.
    """
    host = text.lower().removesuffix(".")
    address = _address(host)
    if address is not None and "%" not in host:
        return str(getattr(address, "ipv4_mapped", None) or address)
    return "127.0.0.1" if host == "localhost" else host if NAME.fullmatch(host) else ""


def is_loopback(host: str) -> bool:
    """Return True for an address of this machine that no other machine reaches."""
    return (address := _address(host)) is not None and address.is_loopback


def is_public(host: str) -> bool:
    """Return True for an address of the internet; of a translated one (NAT64, RFC 6052), what it stands for counts."""
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
