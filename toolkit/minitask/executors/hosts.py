"""Check that a server can be reached, and whether it is this machine."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def find_absence(url: str, *, seconds: float = 5.0) -> str:
    """Return why nothing listens at a URL; empty if something does, or only a proxy could tell."""
    import socket

    parts = urlsplit(url)
    if not is_loopback(url) and _has_proxy(parts.scheme):
        return ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=seconds).close()
    except OSError as error:
        return str(error)
    return ""


def _has_proxy(scheme: str) -> bool:
    from urllib.request import getproxies

    return bool({scheme, "all"} & set(getproxies()))


def is_loopback(url: str) -> bool:
    """Return True if `url` names this very machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
