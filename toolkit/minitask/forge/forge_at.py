"""Find the forge and the repository of a git remote, and the variable that holds its token."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from minitask.errors import UsageError
from minitask.executors.address import is_loopback
from minitask.forge.forge import Forge, RestApi
from minitask.forge.github import GitHub
from minitask.forge.gitlab import GitLab
from minitask.git.remotes import choose_remote
from minitask.git.repository import Repository
from minitask.patterns import lazy_pattern
from minitask.settings import FORGE_TOKENS, ForgeSetting, Settings

GITHUB, GITLAB = "github", "gitlab"
HOSTS = {
    "github.com": (GITHUB, "https://github.com"),
    "ssh.github.com": (GITHUB, "https://github.com"),
    "gitlab.com": (GITLAB, "https://gitlab.com"),
    "altssh.gitlab.com": (GITLAB, "https://gitlab.com"),
}
"""Public forges, by the hosts of their remotes."""
HOSTED = ".ghe.com"
"""Host suffix of GitHub Enterprise Cloud."""
TOKENS = {GITHUB: FORGE_TOKENS[:2], GITLAB: FORGE_TOKENS[2:]}
_SCP = lazy_pattern(r"^(?:[^@/\s]+@)?(\[[^\]/]+\]|[^:/\s]+):(?!//)(.+)$")
_PATH = lazy_pattern(r"^[\w.-]+(?:/[\w.-]+)+$")


class ForgeRepository(Struct, frozen=True):
    """A repository on a forge: the forge's type and URL, and the repository's path."""

    type: str
    url: str
    path: str

    @property
    def api_url(self) -> str:
        """Return the URL of the REST API, which `url` may already be."""
        if "/api/" in urlsplit(self.url).path:
            return self.url
        if self.type == GITLAB:
            return f"{self.url}/api/v4"
        host = urlsplit(self.url).netloc
        is_cloud = host == "github.com" or host.endswith(HOSTED)
        return f"https://api.{host}" if is_cloud else f"{self.url}/api/v3"


def parse_remote(url: str) -> tuple[str, str]:
    """Return the host and the repository's path of a remote's URL; both "" for a local path.

    User names and passwords are dropped.
    """
    if "://" in url:
        try:
            parts = urlsplit(url)
            host, path = parts.hostname or "", parts.path
        except ValueError:
            return "", ""
        if parts.scheme not in ("https", "http", "ssh", "git", "git+ssh"):
            return "", ""
    else:
        match = _SCP.match(url)
        if match is None or re.match(r"^[A-Za-z]:[\\/]", url):
            return "", ""
        host, path = match[1].strip("[]").lower(), match[2]
    path = path.strip("/").removesuffix(".git").rstrip("/")
    return (host, path) if _PATH.match(path) and ".." not in path.split("/") else ("", "")


def find_repository(setting: ForgeSetting, remote: str, remote_url: str) -> ForgeRepository:
    """Return a remote's repository on a forge; raise `UsageError` if the forge or the repository is unknown."""
    host, path = parse_remote(remote_url)
    own_url = _checked(setting.url)
    if setting.repository and (remote or not host):
        kind = setting.type or GITHUB
        return ForgeRepository(kind, own_url or f"https://{kind}.com", setting.repository)
    if own_url and host and urlsplit(own_url).hostname == host:
        kind = setting.type or HOSTS.get(host, ("", ""))[0]
        if not kind:
            raise UsageError(
                f"forge.url {own_url}: the settings do not say whether it is GitHub or GitLab",
                hint="add forge.type: github or gitlab",
            )
        return ForgeRepository(kind, own_url, path)
    if _is_known(host):
        if host in HOSTS:
            return ForgeRepository(*HOSTS[host], path)
        return ForgeRepository(GITHUB, f"https://{host}", path)
    if not host:
        raise UsageError(
            f"the remote {remote} names no repository of a forge",
            hint="name it in your settings: forge: {type: github, repository: OWNER/NAME}",
        )
    raise UsageError(
        f"{f'the remote {remote}' if remote else 'the issue'} is on {host}, which no setting says is GitHub or GitLab",
        hint=f"add to your settings: forge: {{type: gitlab, url: https://{host}}}, or for an ssh alias"
        " forge: {type: github, repository: OWNER/NAME}",
    )


def find_token(
    setting: ForgeSetting, repository: ForgeRepository, environ: Mapping[str, str]
) -> tuple[str, str]:
    """Return the token and its variable; "" and the first variable if no token is set.

    `token_env` is used only for the forge of the settings.
    """
    is_own = not setting.url or repository.url == setting.url.rstrip("/")
    names = (setting.token_env,) if setting.token_env and is_own else TOKENS[repository.type]
    name = next((name for name in names if environ.get(name, "").strip()), names[0])
    return environ.get(name, "").strip(), name


class ForgeSource(Struct, frozen=True):
    """The inputs that identify the forge: the git repository, the settings and the environment."""

    repository: Repository
    settings: Settings
    environ: Mapping[str, str]

    def remote(self, name: str | None = None) -> str:
        """Return the remote for pull requests: `name`, the one in the settings, origin or the only one."""
        settings = self.settings
        name = name or settings.forge.remote or settings.push or None
        return choose_remote(self.repository, name)

    def remote_url(self, remote: str) -> str:
        """Return a remote's URL after git's rewriting (`insteadOf`), or as written if only that is on a known host."""
        git = self.repository.git.with_user_config()
        own_host = urlsplit(self.settings.forge.url).hostname
        urls = []
        for question in (("remote", "get-url", remote), ("config", f"remote.{remote}.url")):
            answer = git.run(*question)
            urls += [answer.stdout.decode("utf-8", "replace").strip()] * (answer.exit_code == 0)
        for url in urls:
            host = parse_remote(url)[0]
            if _is_known(host) or (host and host == own_host):
                return url
        return urls[0] if urls else remote


def open_forge(source: ForgeSource, remote: str) -> Forge:
    """Return the forge of a remote, for writing; raise `UsageError` if it is unknown or has no token."""
    shown = "URL" if "/" in remote or ":" in remote else remote
    repository = find_repository(source.settings.forge, shown, source.remote_url(remote))
    forge, token, variable = _forge(source, repository)
    if not token:
        raise UsageError(
            f"there is no token for {forge.host}",
            hint=f"export {variable}=TOKEN, one that may read and write pull requests",
        )
    return forge


def open_for_reading(source: ForgeSource, url: str = "") -> Forge:
    """Return the forge of the remote, or of a repository's URL; a public repository needs no token."""
    remote = "" if url else source.remote()
    repository = find_repository(source.settings.forge, remote, url or source.remote_url(remote))
    return _forge(source, repository)[0]


def _forge(source: ForgeSource, repository: ForgeRepository) -> tuple[Forge, str, str]:
    """Return the forge, the token and the variable that holds it."""
    token, variable = find_token(source.settings.forge, repository, source.environ)
    api = RestApi(repository.api_url, token, variable)
    kind: type[GitHub | GitLab] = GitLab if repository.type == GITLAB else GitHub
    return kind(api, repository.path, repository.url), token, variable


def _is_known(host: str) -> bool:
    return host in HOSTS or host.endswith(HOSTED)


def _checked(url: str) -> str:
    """Return the URL in the settings; raise `UsageError` if it is invalid or would send a token unencrypted."""
    try:
        parts = urlsplit(url)
        is_right = not url or (bool(parts.hostname) and not parts.username and not parts.query)
        is_safe = not url or parts.scheme == "https" or is_loopback(url)
    except ValueError:
        is_right = is_safe = False
    if is_right and is_safe and not url.startswith("file"):
        return url.rstrip("/")
    raise UsageError("forge.url is no address of a forge", hint="write it as https://HOST")
