"""Run git isolated from the user's environment and settings.

Every call names its repository, disables hooks, fsmonitor, external diffs, automatic gc and foreign `GIT_*` variables,
and reads NUL-separated output. Only `Git.with_user_config` applies the user's settings: for the identity, remotes, and
writes to the user's checkout.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, cast

from msgspec import Struct
from msgspec.structs import replace

from minitask.errors import MachineError
from minitask.git.loose import LooseStore, object_files, path_of
from minitask.system import pipes, process

NO_HOOKS = "core.hooksPath=/dev/null"
QUIET = (
    "core.fsmonitor=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "merge.verifySignatures=false",
    "merge.autoStash=false",
    "submodule.recurse=false",
    "log.showSignature=false",
    "i18n.logOutputEncoding=UTF-8",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "core.quotePath=false",
    "core.preloadIndex=true",
    "core.warnAmbiguousRefs=false",
    "advice.detachedHead=false",
    "trailer.separators=:",
    "core.commentChar=#",
)
PLAIN = (
    "core.autocrlf=false",
    "core.safecrlf=false",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
)
USER_CONFIG = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM")
TRANSPORT = ("GIT_SSH_COMMAND", "GIT_SSH", "GIT_SSH_VARIANT", "GIT_ASKPASS", "GIT_PROXY_COMMAND")
IDENTITY = tuple(
    f"GIT_{role}_{part}" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL", "DATE")
)
NO_SIGNATURE = "commit.gpgSign=false"
RECALLED_MAX = 50


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in the C locale; of `GIT_*`, keep only variables that locate the user's settings."""
    variables = {key: value for key, value in environ.items() if not key.startswith("GIT_")}
    variables |= {key: environ[key] for key in USER_CONFIG if key in environ}
    variables.pop("LANGUAGE", None)
    return variables | {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}


class Git(Struct, frozen=True):
    """Git on one repository; children inherit `lock_fds`, so that a lock outlives its holder.

    New objects go to the store `new_objects` if given, which must borrow from the repository's. The kept objects of
    `store` are read too. `index_file` replaces the repository's index. `runs_hooks` enables the user's hooks, `signs`
    the user's commit signing.
    """

    git_dir: Path
    environ: Mapping[str, str]
    work_tree: Path | None = None
    lock_fds: tuple[int, ...] = ()
    user_config: bool = False
    new_objects: Path | None = None
    store: LooseStore | None = None
    index_file: Path | None = None
    settings: tuple[tuple[str, str], ...] = ()
    runs_hooks: bool = False
    signs: bool = False

    def with_setting(self, key: str, value: str) -> Git:
        """Return git with one more setting; its key may contain any character."""
        return replace(self, settings=(*self.settings, (key, value)))

    def with_user_config(self, work_tree: Path | None = None) -> Git:
        """Return git with the user's configuration, in a work tree if given."""
        return replace(self, user_config=True, work_tree=work_tree)

    def argv(self, *args: str) -> tuple[str, ...]:
        """Return the command line of `git ARGS`."""
        off = [*(() if self.runs_hooks else (NO_HOOKS,)), *(() if self.signs else (NO_SIGNATURE,))]
        settings = (*off, *(QUIET if self.user_config else QUIET + PLAIN))
        flags = [part for setting in settings for part in ("-c", setting)]
        tree = [f"--work-tree={self.work_tree}"] if self.work_tree else []
        return ("git", f"--git-dir={self.git_dir}", *tree, *flags, *args)

    def env(self) -> dict[str, str]:
        """Return the environment of the command."""
        cleaned = clean_environment(self.environ) | self._settings() | self._alternates()
        if self.user_config:
            names = (*IDENTITY, *TRANSPORT)
            return cleaned | {key: self.environ[key] for key in names if key in self.environ}
        store = {"GIT_OBJECT_DIRECTORY": str(self.new_objects)} if self.new_objects else {}
        store |= {"GIT_INDEX_FILE": str(self.index_file)} if self.index_file else {}
        return (
            cleaned
            | store
            | {
                "GIT_CONFIG_GLOBAL": "/dev/null",
                "GIT_CONFIG_SYSTEM": "/dev/null",
                "GIT_ATTR_NOSYSTEM": "1",
                "GIT_NO_REPLACE_OBJECTS": "1",
            }
        )

    def _alternates(self) -> dict[str, str]:
        """Return the variable that names additional object stores."""
        if self.store is None or self.store.spare is None:
            return {}
        more = (self.store.folder,) if self.new_objects else ()
        stores = (f'"{_escaped(folder)}"' for folder in (self.store.spare, *more))
        return {"GIT_ALTERNATE_OBJECT_DIRECTORIES": os.pathsep.join(stores)}

    def _settings(self) -> dict[str, str]:
        """Return the settings as variables; on a command line a key would end at its first `=`."""
        variables = {"GIT_CONFIG_COUNT": str(len(self.settings))} if self.settings else {}
        for number, (key, value) in enumerate(self.settings):
            variables |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        return variables

    def run(self, *args: str, stdin: bytes = b"", timeout_seconds: float = 600) -> process.Finished:
        """Run the command and return its result, whatever the exit status."""
        return process.run(
            self.argv(*args),
            cwd=self.work_tree or self.git_dir,
            env=self.env(),
            input=stdin,
            timeout_seconds=timeout_seconds,
            max_output_bytes=1 << 30,
            pass_fds=self.lock_fds,
        )

    def output(self, *args: str, stdin: bytes = b"") -> bytes:
        """Return the stdout of the command; raise `MachineError` with git's message if it failed."""
        finished = self.run(*args, stdin=stdin)
        if finished.exit_code != 0 or finished.timed_out:
            raise failure(args, finished)
        return finished.stdout

    def recall(self, *args: str) -> bytes:
        """Return the cached output of a command that depends only on commits given by id."""
        key = (self.git_dir, args)
        output = _recalled.get(key)
        if output is None:
            if len(_recalled) >= RECALLED_MAX:
                _recalled.clear()
            output = _recalled[key] = self.output(*args)
        return output

    def line(self, *args: str) -> str:
        """Return the output without its final newline."""
        return self.output(*args).decode("utf-8", "surrogateescape").rstrip("\n")

    def fields(self, *args: str, stdin: bytes = b"") -> list[str]:
        """Return the NUL-separated output as strings."""
        text = self.output(*args, stdin=stdin).decode("utf-8", "surrogateescape")
        return text.rstrip("\0").split("\0") if text else []

    @contextmanager
    def keeping(self) -> Iterator[Git]:
        """Yield a git that writes to a temporary store, whose objects are kept when the block ends."""
        store = self.store
        if store is None or store.spare is None or self.new_objects is not None:
            yield self
            return
        with TemporaryDirectory(prefix="merge-", dir=store.spare.parent) as folder:
            yield replace(self, new_objects=Path(folder))
            for oid, entry in object_files(Path(folder)):
                store.link(entry.path, path_of(store.spare, oid))
                store.link(entry.path, path_of(store.folder, oid))

    def succeeds(self, *args: str) -> bool:
        """Return True if the exit status is 0."""
        return self.run(*args).exit_code == 0


_recalled: dict[tuple[Path, tuple[str, ...]], bytes] = {}


def _escaped(path: Path) -> str:
    """Return a path escaped for git's double quotes."""
    return str(path).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def failure(args: tuple[str, ...], finished: process.Finished) -> MachineError:
    """Return the error for a failed git command."""
    lines = finished.error_lines
    error_lines = [line for line in lines if line.startswith(("fatal: ", "error: "))]
    summary = (error_lines or lines[-1:] or [f"exit code {finished.exit_code}"])[0]
    reason = (
        "timed out"
        if finished.timed_out
        else summary.removeprefix("fatal: ").removeprefix("error: ")
    )
    return MachineError(f"git {args[0]} failed: {reason}", hint=_hint("\n".join(lines)))


def _hint(message: str) -> str:
    if any(phrase in message for phrase in ("No space left", "Out of diskspace", "Disk quota")):
        return "free some disk space, then run the same command again"
    if ".lock': File exists" in message:
        return "another git process holds that lock; when none runs, remove the file it names"
    if any(phrase in message for phrase in ("unable to access", "Could not read from remote")):
        return "check the connection, and the remote's URL and access: git remote -v"
    if any(phrase in message for phrase in _DAMAGED):
        return DAMAGE
    return "run `minitask doctor` to check the repository and git itself"


DAMAGE = "`git fsck` lists what is damaged: get it back with `git fetch`, or use a full clone"
_DAMAGED = ("unable to read", "bad object", "is corrupt", "missing blob", "unable to unpack")


TIMEOUT_SECONDS = 600.0


class GitProcess:
    """A long-lived `git ARGS`, started at the first request, and again after it ended. Thread-safe."""

    def __init__(self, git: Git, *args: str) -> None:
        self._git = git
        self._args = args
        self._lock = threading.Lock()
        self._held = ExitStack()
        self._child: pipes.Child | None = None

    def ask(self, request: bytes, *, end: bytes) -> bytes | None:
        """Send a request; return the reply up to the marker `end`, or None if git ended early or timed out."""
        with self._lock:
            child = self._child or self._start()
            try:
                stdin = cast("IO[bytes]", child.stdin)
                stdin.write(request)
                stdin.flush()
                answer = _read(cast("IO[bytes]", child.stdout).fileno(), end)
            except BrokenPipeError:
                answer = None
            except BaseException:  # unread output would be taken for the next reply
                self._end()
                raise
            if answer is None:
                self._end()
            return answer

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _start(self) -> pipes.Child:
        git = self._git
        self._child = self._held.enter_context(
            process.spawn(
                git.argv(*self._args), cwd=git.git_dir, env=git.env(), pass_fds=git.lock_fds
            )
        )
        return self._child

    def _end(self) -> None:
        self._child = None
        with suppress(BrokenPipeError):  # of input that it did not read
            self._held.close()


def _read(fd: int, end: bytes) -> bytes | None:
    """Read up to the marker `end`; return None if the stream ends, or times out."""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    answer = b""
    while not answer.endswith(end):
        if not poller.poll(1000 * TIMEOUT_SECONDS):
            return None
        data = os.read(fd, 1 << 16)
        if not data:
            return None
        answer += data
    return answer
