"""Read the provider and the login from the user's own configuration of an agent, and nothing else."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from msgspec import field

from minitask.executors.agents.adapter import AgentProgram
from minitask.patterns import lazy_pattern
from minitask.values import Redacted

_PROVIDER = lazy_pattern(
    r"(?:ANTHROPIC|OPENAI|GEMINI|GOOGLE|AZURE|AWS|VERTEX|VERTEXAI|CLOUD_ML|DEEPSEEK|OPENROUTER|DASHSCOPE|MISTRAL|GROQ"
    r"|XAI|OLLAMA|BAILIAN)_\w+|CLAUDE_CODE_(?:USE|SKIP|OAUTH|API)_\w+|(?:https?|all|no)_proxy|NODE_EXTRA_CA_CERTS"
    r"|SSL_CERT_FILE",
    re.IGNORECASE,
)
"""Environment variables that set the provider, the proxy or the key."""
_DOTENV = lazy_pattern(r"^[ \t]*(?:export\s+)?(\w+)\s*=\s*(.*?)\s*$", re.MULTILINE)
_COMMENT = lazy_pattern(r"^[ \t]*//.*$", re.MULTILINE)
_ENV_NAME = lazy_pattern(r"\{env:(\w+)\}")
_FILE_NAME = lazy_pattern(r"\{file:([^}]+)\}")
_AIDER = lazy_pattern(
    r"[\w-]*api-key|openai-(?:api-(?:base|type|version|deployment-id)|organization-id)|set-env|verify-ssl"
)
_CODEX = ("model_provider", "openai_base_url", "chatgpt_base_url", "forced_login_method")
_GEMINI = ("selectedAuthType", "modelProviders")
_OPENCODE = ("provider", "enabled_providers", "disabled_providers")
HELPER = "apiKeyHelper"
KEY_FILE = ".claude/key"
KEY_COMMAND = f'cat "$HOME/{KEY_FILE}"'


MARKS: Mapping[str, str] = {
    ".claude.json": "oauthAccount|primaryApiKey",
    ".codex/auth.json": r'access_token|"OPENAI_API_KEY": *"',
    ".config/goose/config.yaml": "GOOSE_PROVIDER",
    ".cursor/cli-config.json": "authInfo",
}
"""Patterns in a file that holds a login; any other login file exists only with a login."""
SECRETS = ("_KEY", "_TOKEN")
PROBES: Mapping[str, tuple[str, ...]] = {"claude": ("auth", "status"), "codex": ("login", "status")}
"""Arguments with which a program prints whether it is logged in, without asking a model."""
_LOGIN = lazy_pattern(r"^logged in|\"loggedIn\": *true", re.IGNORECASE | re.MULTILINE)
_NO_LOGIN = lazy_pattern(r"not logged in|\"loggedIn\": *false", re.IGNORECASE)
_SETS_LOGIN = lazy_pattern(r"key|token|provider|auth", re.IGNORECASE)


class Setup(Redacted, frozen=True):
    """The user's configuration to copy into an agent's home: `files` by path below it, and `env` variables.

    `names` are the user's variables that these files refer to, `drops` the flags (with their number of values) that
    would make the agent ignore the files. `helper` is the user's command that prints a key. `brought` lists everything,
    without secrets.
    """

    HIDDEN: ClassVar[tuple[str, ...]] = ("files", "env")

    files: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    drops: Mapping[str, int] = field(default_factory=dict)
    helper: str = ""
    brought: tuple[str, ...] = ()


NO_SETUP = Setup()


def find_setup(kind: str, home: Path) -> Setup:
    """Return the provider and login settings in an agent's files below the user's home; damaged files are ignored."""
    finder = _FINDERS.get(kind)
    return finder(home) if finder else NO_SETUP


def merged(setup_text: str, text: str) -> str:
    """Merge two JSON files; values of the second override the first."""
    return json.dumps(_over(json.loads(setup_text), json.loads(text)))


def _over(below: Any, above: Any) -> Any:
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return {**below, **{name: _over(below.get(name), value) for name, value in above.items()}}


def home_of(environ: Mapping[str, str]) -> Path:
    """Return the user's home; a folder that does not exist if HOME is not set."""
    return Path(environ.get("HOME", "/nonexistent"))


def _claude(home: Path) -> Setup:
    settings = _json(home / ".claude/settings.json")
    env = _of_provider(settings.get("env"))
    helper = settings.get(HELPER)
    helper = helper if isinstance(helper, str) else ""
    if not env and not helper:
        return NO_SETUP
    parts = {**({"env": env} if env else {}), **({HELPER: KEY_COMMAND} if helper else {})}
    brought = f"~/.claude/settings.json: {', '.join([*env, *([HELPER] if helper else [])])}"
    return Setup({".claude/settings.json": json.dumps(parts)}, helper=helper, brought=(brought,))


def _codex(home: Path) -> Setup:
    try:
        settings = tomllib.loads((home / ".codex/config.toml").read_text("utf-8"))
    except (OSError, ValueError):
        return NO_SETUP
    parts: dict[str, Any] = {name: settings[name] for name in _CODEX if name in settings}
    name = str(parts.get("model_provider", ""))
    provider = _table(_table(settings.get("model_providers")).get(name))
    if provider:
        parts["model_providers"] = {name: provider}
    if not parts:
        return NO_SETUP
    text = "".join(f"{json.dumps(key)} = {_toml(value)}\n" for key, value in parts.items())
    headers = _table(provider.get("env_http_headers"))
    names = tuple(map(str, filter(None, [provider.get("env_key"), *headers.values()])))
    brought = f"~/.codex/config.toml: {', '.join(parts)}"
    drops = {"--ignore-user-config": 0}
    return Setup({".codex/config.toml": text}, names=names, drops=drops, brought=(brought,))


def _opencode(home: Path) -> Setup:
    folder = home / ".config/opencode"
    for name in ("opencode.json", "opencode.jsonc", "config.json"):
        settings = _json(folder / name)
        parts = {key: settings[key] for key in _OPENCODE if key in settings}
        if parts:
            text = _FILE_NAME.sub(lambda match: _text(folder, home, match[1]), json.dumps(parts))
            brought = f"~/.config/opencode/{name}: {', '.join(parts)}"
            names = tuple(_ENV_NAME.findall(text))
            return Setup({f".config/opencode/{name}": text}, names=names, brought=(brought,))
    return NO_SETUP


def _text(folder: Path, home: Path, name: str) -> str:
    """Return the content of a file that a setting names, as part of a JSON string."""
    path = home / name[2:] if name.startswith("~/") else folder / name
    try:
        return json.dumps(path.read_text("utf-8").strip())[1:-1]
    except (OSError, ValueError):
        return ""


def _google(folder: str, home: Path) -> Setup:
    """Return the configuration of gemini, and of qwen, which began as its fork."""
    settings = _json(home / folder / "settings.json")
    auth = _table(settings.get("security")).get("auth")
    parts: dict[str, Any] = {"security": {"auth": auth}} if auth else {}
    parts |= {name: settings[name] for name in _GEMINI if name in settings}
    env = {**_of_provider(settings.get("env")), **_dotenv(home, f"{folder}/.env", ".env")}
    brought = [f"~/{folder}/settings.json: {', '.join(parts)}"] if parts else []
    brought += [f"~/{folder}: {', '.join(env)}"] if env else []
    files = {f"{folder}/settings.json": json.dumps(parts)} if parts else {}
    chosen = _table(auth).get("selectedType", "")
    drops = {"--auth-type": 1} if chosen not in ("", "openai") else {}
    return Setup(files, env, drops=drops, brought=tuple(brought))


def _aider(home: Path) -> Setup:
    import yaml

    try:
        settings = yaml.safe_load((home / ".aider.conf.yml").read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        settings = None
    parts = {name: value for name, value in _table(settings).items() if _AIDER.fullmatch(str(name))}
    env = _dotenv(home, ".env")
    brought = [f"~/.aider.conf.yml: {', '.join(map(str, parts))}"] if parts else []
    brought += [f"~/.env: {', '.join(env)}"] if env else []
    files = {".aider.conf.yml": yaml.safe_dump(parts)} if parts else {}
    return Setup(files, env, brought=tuple(brought))


_FINDERS: Mapping[str, Callable[[Path], Setup]] = {
    "claude": _claude,
    "codex": _codex,
    "opencode": _opencode,
    "gemini": partial(_google, ".gemini"),
    "qwen": partial(_google, ".qwen"),
    "aider": _aider,
}


def _json(path: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(_COMMENT.sub("", path.read_text("utf-8")))
    except (OSError, ValueError):
        return {}
    return _table(value)


def _table(value: object) -> Mapping[str, Any]:
    """Return the value if it is a table, else an empty one."""
    return value if isinstance(value, dict) else {}


def _of_provider(values: object) -> dict[str, str]:
    pairs = _table(values).items()
    return {str(name): str(value) for name, value in pairs if _PROVIDER.fullmatch(str(name))}


def _dotenv(home: Path, *names: str) -> dict[str, str]:
    """Return the provider variables set in the first of these files that exists."""
    for name in names:
        try:
            pairs = _DOTENV.findall((home / name).read_text("utf-8"))
        except (OSError, ValueError):
            continue
        return _of_provider({key: value.strip("\"'") for key, value in pairs})
    return {}


def _toml(value: object) -> str:
    """Return a value as TOML on one line; a JSON string is a valid TOML string."""
    if isinstance(value, dict):
        pairs = (f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value)


def has_login(program: AgentProgram, environ: Mapping[str, str]) -> bool:
    """Return True if the program's usual files or variables hold a login or a key."""
    home = home_of(environ)
    if any(map(_SETS_LOGIN.search, find_setup(program.name, home).brought)):
        return True
    return has_key(program, environ) or any(
        _holds_login(home / name, MARKS.get(name, ".")) for name in program.credentials
    )


def has_key(program: AgentProgram, environ: Mapping[str, str]) -> bool:
    """Return True if a variable that the program reads holds a key."""
    return any(environ.get(name) for name in program.variables if name.endswith(SECRETS))


def tells_login(printed: str) -> bool | None:
    """Return whether a program reports that it is logged in, or None if it reports neither."""
    if _NO_LOGIN.search(printed):
        return False
    return True if _LOGIN.search(printed) else None


def _holds_login(path: Path, mark: str) -> bool:
    try:
        return re.search(mark, path.read_text("utf-8", "replace")) is not None
    except OSError:
        return False
