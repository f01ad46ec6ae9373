"""Detect from a command's failure on the base that the machine lacks something that no change will provide.

Each rule requires clear evidence. A command that may be red because the task has yet to create what it needs is
accepted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable

from msgspec import Struct

from minitask.patterns import lazy_pattern
from minitask.sandbox.commands import first_hosts

CANNOT_RUN, NOT_FOUND = 126, 127
PROGRAM = lazy_pattern(r"(?:^|: )([A-Za-z0-9_.+-]+): (?:command )?not found", re.MULTILINE)
NO_NETWORK = lazy_pattern(
    r"Could not resolve (?:host|proxy)|Temporary failure in name resolution|Name or service not known"
    r"|EAI_AGAIN|ENOTFOUND|Network is unreachable|no such host|nodename nor servname|ENETUNREACH"
    r"|Network connectivity is disabled|--offline was specified|you're using offline mode"
    r"|module lookup disabled by GOPROXY=off|ENOTCACHED"
)
HOST = lazy_pattern(r"[\w.-]*[a-zA-Z][\w.-]*|\d+(?:\.\d+){3}|(?<=\[)[0-9a-f:]+")
REVISION = lazy_pattern(
    r"bad revision '([^']+)'|ambiguous argument '([^']+)': unknown revision|unknown revision:? '?([\w./@{}^~-]+)"
)
PYTHON_MODULE = lazy_pattern(r"No module named '?([\w.-]+)")
NODE_MODULE = lazy_pattern(r"Cannot find (?:module|package) '([^']+)'")
BY_PATH = (".", "/", "node:")
"""Prefixes of module names that are not a package's."""
DENIED = lazy_pattern(r"(?:^|: )(?:\./)?([^\s:]+): Permission denied", re.MULTILINE)
TEMPORARY = lazy_pattern(r"(/(?:var/)?tmp/[^\s:'\"]*)['\"]?: Permission denied")
READ_ONLY_GIT = lazy_pattern(
    r"/slots/[0-9]+/git/[^\n]*(?:Read-only file system|Permission denied)"
    r"|unable to create directory for [^\n]*/slots/[0-9]+/git/"
)
"""What git says if it may not write to the workspace's repository."""
MISSING_FILE = lazy_pattern(
    r"[Nn]o such file|not found|cannot (?:open|access|find)|can't open|Cannot find|does not exist|ENOENT"
)
TOKEN = lazy_pattern(r"[\w.@+/-]+")
CHECK = lazy_pattern(r"\s*(?:!\s*)?(?:test|\[\[?|grep|egrep|rg|ls|wc|cat|diff|head|tail|true)\b")
INSTALL = lazy_pattern(
    r"\b(?:npm (?:i|install|ci)|yarn(?: install)?|pnpm (?:i|install)|bun (?:i|install)|pip3? (?:install|download)"
    r"|uv (?:sync|pip)|poetry install|bundle install|composer install|go mod|cargo (?:install|fetch))\b"
)
MANIFEST = lazy_pattern(
    r"(?:^|/)(?:package\.json|pyproject\.toml|setup\.(?:py|cfg)|Pipfile|requirements[^/]*\.txt|tsconfig[^/]*\.json"
    r"|conftest\.py|pytest\.ini|tox\.ini|go\.mod|Cargo\.toml|Gemfile|composer\.json|Makefile|[^/]*\.config\.\w+)$"
)
"""Files that declare packages, or the folders of modules."""
WANTED_ABSENT = lazy_pattern(r"!\s*(?:(?:test|\[\[?)\s+)?-[a-zA-Z]\s+\S+")
"""A test that a path does not exist."""
PATH_LIKE = lazy_pattern(r"\.[A-Za-z]\w*$")
UNREADABLE = lazy_pattern(
    r"bad (?:tree )?object|unable to read (?:tree |blob )?(?:object )?[0-9a-f]{7}|missing (?:tree|blob) object"
)
EARLIER = lazy_pattern(
    r"(?:bad revision|ambiguous argument|invalid object name) '(?:HEAD|@)~([0-9]+)"
)
ITS_OWN_REVISION = lazy_pattern(r"^(?:HEAD|@)")


class Red(Struct, frozen=True):
    """A command that failed on the base: its text, exit code and output, and the texts of earlier commands.

    `after_checks`: all of these passed, or only read files. `refused_hosts` are hosts that it tried to reach but
    `network` does not list.
    """

    command: str
    exit_code: int | None
    output: str
    earlier: tuple[str, ...] = ()
    after_checks: bool = True
    refused_hosts: tuple[str, ...] = ()

    @property
    def installs(self) -> bool:
        """Return True if it or an earlier command installs packages."""
        return any(INSTALL.search(text) for text in (*self.earlier, self.command))


class Scene(Struct, frozen=True):
    """Facts about the task and the repository.

    `written` and `executable` are the paths that the task writes, and makes executable; `network` is how to reach a
    host (`""`: nothing prevents it); `tools` are the package folders that only the checkout has. `names` returns the
    names of all files and folders of the base; `left_out` returns those of the given paths that only the checkout has,
    with whether git ignores them; `empty` the submodule without content that a text names: the repository's folder and
    its path there; `fill` the command that fetches the history that the clone lacks; `reaches` whether the clone has
    the commit that many before the base.
    """

    written: tuple[str, ...]
    network: str
    names: Callable[[], Collection[str]]
    left_out: Callable[[Iterable[str]], dict[str, bool]]
    tools: tuple[str, ...] = ()
    empty: Callable[[str], tuple[str, str]] = lambda _text: ("", "")
    executable: tuple[str, ...] = ()
    fill: Callable[[], str] = str
    reaches: Callable[[int], bool] = bool


class Lack(Struct, frozen=True):
    """A missing thing: the problem, and how to get it."""

    problem: str
    hint: str


def find_lack(red: Red, scene: Scene) -> Lack | None:
    """Return what the command certainly lacks, whatever the change, or None if the task may provide it."""
    rules = RULES if red.output.strip() else SILENT_RULES
    return next(filter(None, (rule(red, scene) for rule in rules)), None)


def _unlisted(red: Red, _scene: Scene) -> Lack | None:
    if not fails_unlisted(red.refused_hosts, f"{red.command}\n{red.output}"):
        return None
    return Lack(
        f"wanted {first_hosts(red.refused_hosts)}, which `network` does not list",
        "add it to `network` in your settings (and in the spec, if that has a list), or vendor it",
    )


def fails_unlisted(hosts: Collection[str], text: str) -> bool:
    """Return True if a command certainly fails because it may not reach these `hosts`, not just after trying.

    `text`, the command with its output, must name a host, or install packages: a program that reports its use to a
    server does not mention the refusal.
    """
    is_named = any(host in text for host in names_in(hosts))
    return bool(hosts) and (is_named or INSTALL.search(text) is not None)


def names_in(hosts: Collection[str]) -> set[str]:
    """Return the names and addresses in refused hosts: `HOST:PORT`, or `ADDRESS:PORT (NAME)`."""
    return {host for entry in hosts for host in HOST.findall(entry)}


def _network(red: Red, scene: Scene) -> Lack | None:
    if not scene.network or not NO_NETWORK.search(red.output):
        return None
    return Lack("needs the network, which the sandbox blocks", _with_tools(scene.network, scene))


def _temporary(red: Red, scene: Scene) -> Lack | None:
    match = TEMPORARY.search(red.output)
    if match is None or match[1] in scene.written:
        return None
    return Lack(
        f"writes to {match[1]}, and this sandbox has no /tmp of its own",
        "use $TMPDIR (as `mktemp` does), or install bubblewrap (apt, dnf or apk add bubblewrap)",
    )


def _history(red: Red, scene: Scene) -> Lack | None:
    """Return history that a shallow or partial clone lacks; the candidate is one commit later than the base."""
    earlier = EARLIER.search(red.output)
    is_beyond = earlier is not None and not scene.reaches(int(earlier[1]) - 1)
    if not is_beyond and not UNREADABLE.search(red.output):
        return None
    fill = scene.fill()
    return Lack("needs history that this clone lacks", f"fill it: {fill}") if fill else None


def _revision(red: Red, scene: Scene) -> Lack | None:
    match = REVISION.search(red.output)
    name = next(filter(None, match.groups()), "") if match else ""
    if not name or ITS_OWN_REVISION.search(name) or _is_written(name, scene.written):
        return None
    if name in scene.names() or PATH_LIKE.search(name):
        return None  # a path: git reads it as a revision if there is no such file
    return Lack(
        f"names the revision {name}, which is no branch, tag or commit of this repository",
        "fetch it, or compare with HEAD",
    )


def _repository(red: Red, _scene: Scene) -> Lack | None:
    if not READ_ONLY_GIT.search(red.output):
        return None
    return Lack(
        "writes to the repository, which commands may only read in this sandbox",
        'work in a clone: git clone -q . "$TMPDIR/clone" && cd "$TMPDIR/clone"',
    )


def _denied(red: Red, scene: Scene) -> Lack | None:
    match = DENIED.search(red.output) if red.exit_code == CANNOT_RUN else None
    if match is None or match[1].rpartition("/")[2] not in scene.names():
        return None
    path = match[1].removeprefix("./")
    if path in scene.executable:
        return None
    return Lack(
        f"runs {path}, which is not executable in the base",
        f"list it to edit, with the note `(executable)`, or commit its mode: git update-index --chmod=+x {path}",
    )


def _submodule(red: Red, scene: Scene) -> Lack | None:
    text = f"{red.command}\n{red.output}"
    above, path = scene.empty(text)
    if not path:
        return None
    git = f"git -C {above}" if above else "git"
    return Lack(
        f"needs the submodule {f'{above}/{path}' if above else path}, whose recorded commit is not in the checkout",
        f"check it out: {git} submodule update --init {path}",
    )


def _left_out(red: Red, scene: Scene) -> Lack | None:
    """Return a path that the checkout has and the commit lacks."""
    only_reads = all(CHECK.match(text) for text in (red.command, *red.earlier))
    is_missing = MISSING_FILE.search(red.output) or red.exit_code in (CANNOT_RUN, NOT_FOUND)
    if not red.after_checks or not (is_missing or only_reads) or red.installs:
        return None
    needed = TOKEN.findall(WANTED_ABSENT.sub(" ", red.command))
    tokens = {token.removeprefix("./").rstrip("/") for token in needed}
    paths = sorted(t for t in tokens if t and not t.startswith(("/", "-")) and ".." not in t)
    left_out = scene.left_out(path for path in paths if not _is_written(path, scene.written))
    for path, is_ignored in left_out.items():
        if is_ignored:
            return Lack(f"needs {path}, which git ignores, so no commit has it", _bring(path))
        return Lack(f"needs {path}, which is not committed", f"commit it: git add {path}")
    return None


def _program(red: Red, scene: Scene) -> Lack | None:
    match = PROGRAM.search(red.output) if red.exit_code == NOT_FOUND else None
    if match is None or not red.after_checks or red.installs or _may_come(match[1], scene):
        return None
    hint = "install it, or put its folder on PATH; the sandbox sees what PATH names"
    return Lack(f"needs `{match[1]}`, which was not found", _with_tools(hint, scene))


def _module(red: Red, scene: Scene) -> Lack | None:
    for pattern in (PYTHON_MODULE, NODE_MODULE):
        match = pattern.search(red.output)
        if match is None or match[1].startswith(BY_PATH):
            continue
        may_come = _may_come(_package(match[1]), scene) or may_be_brought(match[1], scene.written)
        if not red.after_checks or red.installs or may_come:
            return None
        hint = "install it where the programs on PATH find it"
        return Lack(f"needs the module {match[1]}, which was not found", _with_tools(hint, scene))
    return None


RULES = (
    _unlisted,
    _network,
    _temporary,
    _history,
    _revision,
    _repository,
    _denied,
    _submodule,
    _left_out,
    _program,
    _module,
)
"""Rules, in the order in which they are tried."""
SILENT_RULES = (_unlisted, _submodule, _left_out)
"""The rules that apply to a command without output."""


def missing_modules(output: str) -> frozenset[str]:
    """Return the modules that an output reports as missing, except for those that it names by path."""
    modules = (
        match[1] for pattern in (PYTHON_MODULE, NODE_MODULE) for match in pattern.finditer(output)
    )
    return frozenset(name for name in modules if not name.startswith(BY_PATH))


def may_be_brought(module: str, written: Collection[str]) -> bool:
    """Return True if a change of some paths may provide a module: one is named like a part of it, or is a manifest."""
    parts = {_plain(part) for part in (_package(module), *module.replace("/", ".").split("."))}
    stems = {_stem(name) for path in written for name in path.split("/")}
    names = stems | {stem.strip("_") for stem in stems}
    return not names.isdisjoint(parts) or any(MANIFEST.search(path) for path in written)


def _package(module: str) -> str:
    """Return the package of a module: of `@scope/name/part` the name, of `a.b.c` the first part."""
    parts = module.split("/")
    if module.startswith("@") and len(parts) > 1:
        return parts[1]
    return parts[0].split(".")[0]


def _may_come(name: str, scene: Scene) -> bool:
    """Return True if the repository has a file or folder of that name, or the change may provide it."""
    plain = _plain(name)
    if any(MANIFEST.search(path) or plain in _plain(path) for path in scene.written):
        return True
    return any(_stem(present) == plain for present in scene.names())


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


def _stem(name: str) -> str:
    return _plain(name.partition(".")[0])


def _is_written(path: str, written: Collection[str]) -> bool:
    return any(
        path == target or target.startswith(f"{path}/") or path.startswith(f"{target}/")
        for target in written
    )


def _bring(path: str) -> str:
    name = path.rpartition("/")[2]
    key = "copy" if "." in name.lstrip(".") or name.startswith(".env") else "share"
    return f"bring it into the workspace: `workspace: {{{key}: [{path}]}}` in minitask.yaml"


def _with_tools(hint: str, scene: Scene) -> str:
    if not scene.tools:
        return hint
    return f"{hint}; or bring {', '.join(scene.tools)}: `workspace: {{share: [{scene.tools[0]}]}}` in minitask.yaml"
