"""Addresses of model APIs, in every spelling that users and other tools write, and the extra headers of gateways."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import parse_qsl, quote, urlsplit

from msgspec import Struct, field

from minitask.errors import UsageError
from minitask.settings import HEADER_VARIABLE, ExecutorSetting
from minitask.values import Redacted

DEFAULTS: Mapping[str, str] = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com/v1",
    "ollama": "http://127.0.0.1:11434",
}
"""Default `base_url` of each type of API."""
VARIABLES: Mapping[str, str] = {
    "openai": "OPENAI_BASE_URL",
    "anthropic": "ANTHROPIC_BASE_URL",
    "ollama": "OLLAMA_HOST",
}
"""Environment variable in which each API's own tools look for its address."""
OLLAMA_PORT = {"": 11434, "http": 80, "https": 443}
"""Ollama's port if OLLAMA_HOST names none, by the scheme in OLLAMA_HOST."""
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
"""Addresses that a server listens on, and the address at which a client reaches it."""
ADD_VERSION = frozenset({"claude", "gemini"})
"""Agents that add the API's version to their base URL."""
_VERSION = r"/v\d+[a-z0-9]*(?=/|$)"
_API_VERSION = "api-version"


class Address(Struct, frozen=True):
    """The URL before an API's paths, with `{model}` in place of the model's name, and the query after them."""

    root: str
    query: str = ""

    def url(self, path: str, *, model: str = "") -> str:
        """Return the URL of a path of the API."""
        joint = "&" if "?" in path else "?"
        root = self.root.replace("{model}", quote(model, safe=""))
        return root + path + (f"{joint}{self.query}" if self.query else "")

    @property
    def has_api_version(self) -> bool:
        """Return True for Azure's classic API, which takes the key in a header of its own."""
        return any(name == _API_VERSION for name, _ in parse_qsl(self.query))


class Headers(Redacted, frozen=True):
    """The headers of a setting, and the environment variables that replace each `${NAME}` in their values."""

    HIDDEN: ClassVar[tuple[str, ...]] = ("environ",)

    templates: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def missing(self) -> str:
        """Return the first variable that is named but not set, or ""."""
        named = HEADER_VARIABLE.findall("\n".join(self.templates.values()))
        return next((name for name in named if not self.environ.get(name)), "")

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return the header values that contain environment variables, as they are sent."""
        filled = self.filled().items()
        return tuple(value for name, value in filled if value != self.templates[name])

    def filled(self) -> dict[str, str]:
        """Return the headers as they are sent."""

        def fill(template: str) -> str:
            return HEADER_VARIABLE.sub(lambda m: self.environ.get(m[1], "").strip(), template)

        return {name: fill(template) for name, template in self.templates.items()}


def addresses(base_url: str, path: str) -> tuple[Address, ...]:
    """Return the possible addresses of the API that serves `path`, the likeliest first.

    A base URL with a version (`/v1`), or with `path` at its end, has one address. Otherwise `/v1` is tried first for a
    host alone and for Anthropic's API, whose tools add it, and last for any other path. Raises `UsageError` unless it
    is an HTTP URL.
    """
    parts = urlsplit(_checked(base_url))
    origin, query = f"{parts.scheme}://{parts.netloc}", parts.query
    folder = parts.path.rstrip("/")
    plain = folder.removesuffix(path)
    address = Address(origin + plain, query)
    if plain != folder or re.search(_VERSION, plain):
        return (address,)
    if address.has_api_version:  # Azure's classic API, whose base URL may end before the deployment
        if "/deployments/" not in f"{plain}/":
            plain = f"{plain.removesuffix('/openai')}/openai/deployments/{{model}}"
        return (Address(origin + plain, query),)
    versioned = Address(f"{origin}{plain}/v1", query)
    adds_version = not plain or path == "/messages"
    return (versioned, address) if adds_version else (address, versioned)


def ollama_address(base_url: str) -> Address:
    """Return Ollama's address, whichever of its APIs the base URL names."""
    parts = urlsplit(_checked(base_url))
    folder = re.sub(r"/(?:api(?:/chat)?|v1(?:/chat/completions)?)/*$", "", parts.path)
    return Address(f"{parts.scheme}://{parts.netloc}{folder.rstrip('/')}", parts.query)


def agent_url(setting: ExecutorSetting) -> str:
    """Return an agent's base URL in its program's form: without the version if the program adds it."""
    if not setting.base_url:
        return ""
    if setting.type in ADD_VERSION:
        return re.sub(rf"{_VERSION}(/messages)?/*$", "", setting.base_url).rstrip("/")
    return addresses(setting.base_url, "/chat/completions")[0].url("")


def find_base_url(kind: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the address that the environment sets for an API, and its variable; both "" if not set."""
    variable = VARIABLES.get(kind, "")
    value = environ.get(variable, "").strip().strip("\"'")
    if not value:
        return "", ""
    url = _ollama_url(value) if kind == "ollama" else value
    try:
        return _checked(url), variable
    except UsageError as error:
        meant = f"http://{value}" if not {"/", "@"} & {*value} else DEFAULTS[kind]
        raise UsageError(
            f"{variable}: {error.message.removeprefix('base_url: ')}",
            hint=f"export {variable}={meant}",
        ) from None


def _ollama_url(host: str) -> str:
    """Return the URL for a value of OLLAMA_HOST, in which scheme, host, port and path are optional."""
    scheme, mark, rest = host.partition("://") if "://" in host else ("", "", host)
    place, _, folder = rest.partition("/")
    name, port = _host_and_port(place)
    name = EVERYWHERE.get(name, name) or "127.0.0.1"
    shown = f"[{name}]" if ":" in name else name
    number = port if port.isdecimal() and int(port) < 65_536 else str(OLLAMA_PORT.get(scheme, 80))
    return f"{scheme if mark else 'http'}://{shown}:{number}/{folder}".rstrip("/")


def _checked(base_url: str) -> str:
    """Return a base URL without trailing slashes; raise `UsageError` if it is not an HTTP URL or holds a password."""
    try:
        parts = urlsplit(base_url)
        is_http = parts.scheme in {"http", "https"} and bool(parts.hostname)
        has_secret = parts.username is not None or parts.password is not None
    except ValueError:
        is_http = has_secret = False
    if has_secret or not is_http:
        shown = "a URL with a password in it" if has_secret else repr(base_url)
        raise UsageError(
            f"base_url: {shown} cannot be used",
            hint="write it as https://host/v1, and name the key's variable as api_key_env",
        )
    return base_url.rstrip("/")


def shown_url(url: str) -> str:
    """Return a URL for a message: of its query, only the API's version."""
    bare, _, query = url.partition("?")
    versions = [f"{name}={value}" for name, value in parse_qsl(query) if name == _API_VERSION]
    return f"{bare}?{versions[0]}" if versions else bare


def _host_and_port(place: str) -> tuple[str, str]:
    """Split `host:port`, `[host]:port`, or an address alone."""
    if place.startswith("["):
        name, _, port = place[1:].partition("]")
        return name, port.removeprefix(":")
    if place.count(":") > 1:
        return place, ""
    name, _, port = place.partition(":")
    return name, port


def is_loopback(url: str) -> bool:
    """Return True if `url` names this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
