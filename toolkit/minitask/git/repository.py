"""Find the user's repository and identity, or raise a one-line error."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from minitask.errors import MachineError, UsageError
from minitask.git.loose import LooseStore
from minitask.git.run_git import Git, clean_environment
from minitask.system import process
from minitask.system.files import real_path

OLDEST_GIT = (2, 38)


class Repository(Struct, frozen=True):
    """A git repository. `top` is the checkout's folder; None if bare."""

    git: Git
    git_dir: Path
    common_dir: Path
    top: Path | None
    shallow: bool
    object_format: str

    @property
    def home(self) -> Path:
        """Return the toolkit's folder for slots, locks, caches and journals."""
        return self.common_dir / "minitask"

    @property
    def objects_dir(self) -> Path:
        """Return the folder of the object store."""
        return self.common_dir / "objects"

    @property
    def written_stores(self) -> tuple[Path, ...]:
        """Return the object store, and the folder of kept objects, if any."""
        spare = self.git.store.spare if self.git.store else None
        return (self.objects_dir, spare) if spare else (self.objects_dir,)

    def object_stores(self) -> tuple[Path, ...]:
        """Return the object stores, with all direct and indirect alternates."""
        found: dict[Path, None] = {}
        waiting = [*self.written_stores]
        while waiting:
            store = waiting.pop()
            if store not in found:
                found[store] = None
                waiting += _borrowed(store)
        return tuple(found)

    def checkout(self) -> Path:
        """Return the top of the checkout; raise `UsageError` for a bare repository."""
        if self.top is None:
            message = "a bare repository has no files to write to"
            raise UsageError(message, hint="run it in a checkout")
        return self.top

    def locked(self, fd: int) -> Repository:
        """Return the repository with kept objects, and with git children that inherit the lock `fd`."""
        store = LooseStore(self.objects_dir, self.object_format, self.home / "objects")
        return replace(self, git=replace(self.git, lock_fds=(fd,), store=store))


def discover(start: Path, environ: Mapping[str, str]) -> Repository:
    """Return the repository that contains `start`; raise `UsageError` if there is none."""
    questions = ("bare-repository", "inside-work-tree", "shallow-repository")
    argv = ("git", "rev-parse", *(f"--is-{name}" for name in questions))
    argv = (*argv, "--show-object-format", "--show-cdup", "--absolute-git-dir")
    finished = process.run(argv, cwd=start, env=clean_environment(environ), timeout_seconds=60)
    if finished.exit_code != 0:
        raise _not_found(start, finished.stderr.decode("utf-8", "replace"))
    text = finished.stdout.decode("utf-8", "surrogateescape")
    bare, inside, shallow, object_format, remainder = text.split("\n", 4)
    # A bare repository prints no --show-cdup line.
    up, _, git_dir = ("", "", remainder) if bare == "true" else remainder.partition("\n")
    if bare != "true" and inside != "true":
        raise UsageError(
            f"{start} is inside a .git folder",
            hint="run the command in the checkout, or with -C DIR",
        )
    folder = Path(git_dir.removesuffix("\n"))
    top = None if bare == "true" else real_path(start / up)
    git = Git(folder, environ)
    return Repository(git, folder, _common_dir(folder), top, shallow == "true", object_format)


def committer(repository: Repository) -> Signature:
    """Return the committer by the user's configuration; raise `UsageError` if git has none."""
    git = repository.git.with_user_config()
    finished = git.run("var", "GIT_COMMITTER_IDENT")
    if finished.exit_code != 0:
        raise UsageError(
            "git does not know who you are",
            hint='run `git config user.name "Your Name"` and `git config user.email you@example.com`',
        )
    return signature(finished.stdout.decode("utf-8", "surrogateescape").rstrip("\n"))


def exclude_files(repository: Repository) -> tuple[Path, ...]:
    """Return the existing files in which the user ignores files for all repositories, and for this one alone."""
    git = repository.git.with_user_config()
    configured = git.run("config", "--type=path", "--get", "core.excludesFile").stdout
    home = git.environ.get("HOME", "")
    base = git.environ.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else "")
    default = Path(base, "git", "ignore") if base else None
    named = configured.decode("utf-8", "surrogateescape").rstrip("\n")
    everywhere = Path(named) if named else default
    files = (everywhere, repository.common_dir / "info/exclude")
    return tuple(path for path in files if path is not None and path.is_file())


def git_version(environ: Mapping[str, str], cwd: Path) -> tuple[int, ...]:
    """Return the version of git as numbers; raise `MachineError` if git is missing."""
    finished = process.run(
        ("git", "version"), cwd=cwd, env=clean_environment(environ), timeout_seconds=60
    )
    tokens = finished.stdout.decode().split()
    numbers = tokens[2].split(".")[:3] if len(tokens) > 2 else []
    return tuple(int(number) for number in numbers if number.isdigit())


def head_branch(repository: Repository) -> str | None:
    """Return the full ref of the branch that is checked out; None on a detached HEAD."""
    try:
        text = (repository.git_dir / "HEAD").read_text("utf-8", "surrogateescape").rstrip("\n")
    except OSError:
        text = ""
    if text.startswith("ref: refs/heads/") and not text.endswith("/.invalid"):
        return text.removeprefix("ref: ")  # read from the file: no git process
    finished = repository.git.run("symbolic-ref", "-q", "HEAD")
    return finished.stdout.decode("utf-8", "surrogateescape").rstrip("\n") or None


def _borrowed(store: Path) -> list[Path]:
    """Return the alternates of an object store."""
    try:
        text = (store / "info/alternates").read_text("utf-8", "surrogateescape")
    except OSError:
        return []
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return [Path(os.path.normpath(store / line)) for line in lines]


def _common_dir(git_dir: Path) -> Path:
    pointer = git_dir / "commondir"
    if not pointer.exists():
        return git_dir
    text = pointer.read_text("utf-8", "surrogateescape").rstrip("\n")
    if not text:
        raise MachineError(
            f"{pointer} is empty", hint="a git command was killed here; run `git worktree repair`"
        )
    return real_path(git_dir / text)


def _not_found(start: Path, message: str) -> UsageError:
    if "dubious ownership" in message:
        return UsageError(
            f"git refuses {start}: another user owns it",
            hint=f"if you trust it, run `git config --global --add safe.directory {start}`",
        )
    if "not a git repository" in message:
        return UsageError(
            f"{start} is not in a git repository", hint="run `git init`, or name one with -C DIR"
        )
    return UsageError(f"git cannot open the repository at {start}: {message.strip()}")


def create_repository(
    folder: Path, files: Mapping[str, str], *, message: str, environ: Mapping[str, str]
) -> None:
    """Create a repository with one commit of the files on `main`, by a demo identity."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    git_dir = folder / ".git"
    git_dir.mkdir()
    Git(git_dir, environ).output("init", "-q", "--template=", "--initial-branch=main")
    git = Git(git_dir, environ, work_tree=folder)
    git.output("config", "core.bare", "false")
    git.output("config", "user.name", "minitask demo")
    git.output("config", "user.email", "demo@minitask.invalid")
    git.output("add", "--all")
    git.output("commit", "-q", "--no-verify", "-m", message)


class Signature(Struct, frozen=True):
    """A person and a time; `stamp` is `SECONDS TIMEZONE`, as in git."""

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


GROUP, ALL = 0o070, 0o075
RIGHTS = {"group": GROUP, "true": GROUP, "1": GROUP, "yes": GROUP, "on": GROUP}
RIGHTS |= {"all": ALL, "world": ALL, "everybody": ALL, "2": ALL}
SET_GROUP = 0o2000


def share_modes(repository: Repository) -> None:
    """Set this process's umask by `core.sharedRepository`, and make the toolkit's folder accordingly."""
    value = _shared(repository)
    if value in RIGHTS:
        os.umask(os.umask(0o077) & ~RIGHTS[value])
    elif value.isdigit() and int(value, 8) >= 0o600:  # an explicit file mode
        rights = int(value, 8)
        os.umask(0o777 & ~(rights | (rights & 0o444) >> 2))
    else:
        return
    with suppress(OSError):
        repository.home.mkdir()
        repository.home.chmod(repository.home.stat().st_mode | SET_GROUP)


def _shared(repository: Repository) -> str:
    """Return `core.sharedRepository`; empty if it is not set."""
    try:
        text = (repository.common_dir / "config").read_bytes()
    except OSError:
        return ""
    if b"sharedrepository" not in text.lower():  # no git process needed
        return ""
    finished = repository.git.run("config", "core.sharedRepository")
    return finished.stdout.decode("utf-8", "replace").strip().lower()
