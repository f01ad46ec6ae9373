"""Share folders of the checkout with a workspace by a private writable layer that protects the user's files.

In the strong sandbox a folder is an overlay, if the kernel lets users mount one. Otherwise it is a copy, reused until
it or its source changes. In a copy, links and paths into the checkout are rewritten to the workspace: otherwise a
linked package would be tested in the user's version, not the commit's.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from msgspec import Struct, msgpack

from minitask.errors import MachineError
from minitask.system import process
from minitask.system.files import force_remove

TEXTS = ("*.pth", "*.egg-link", "__editable__*.py", "direct_url.json", "pyvenv.cfg")
"""Files of installed packages that name the folder of an editable install."""
PROGRAM_FOLDERS = ("bin", ".bin", "Scripts")
TEXT_BYTES = 1 << 20


Facts = dict[bytes, tuple[int, ...]]
"""Stat data by relative path below a folder; it changes whenever the path does."""


class Layer(Struct, frozen=True):
    """A folder of the checkout, its path in the workspace, and the overlay's upper and work folders."""

    source: Path
    target: Path
    upper: Path
    work: Path

    def is_written(self) -> bool:
        """Return True if anything was written to it."""
        try:
            return any(os.scandir(self.upper))
        except OSError:
            return False

    def reset(self) -> None:
        """Discard what was written, and make the folders that a mount needs."""
        for folder in (self.upper, self.work):
            force_remove(folder)
            folder.mkdir(parents=True)
        self.target.mkdir(parents=True, exist_ok=True)


class Copied(Struct, frozen=True):
    """A file or folder of the checkout `top`, copied to the workspace `tree`; `note` stores the stat data of both."""

    source: Path
    target: Path
    note: Path
    top: Path
    tree: Path

    def ensure(self) -> None:
        """Make the copy equal to its source; only differences are copied."""
        there, here = _facts(self.source), _facts(self.target)
        was_there, was_here = self._noted()
        stale = [
            name
            for name in {*there, *here}
            if there.get(name) != was_there.get(name) or here.get(name) != was_here.get(name)
        ]
        if not stale:
            return
        self.note.unlink(missing_ok=True)
        self.target.parent.mkdir(parents=True, exist_ok=True)
        self._renew(set(stale), there)
        here = _facts(self.target)
        if here.keys() != there.keys():  # parts of it were unreadable before
            force_remove(self.target)
            self.ensure()
            return
        self.note.parent.mkdir(parents=True, exist_ok=True)
        self.note.write_bytes(msgpack.encode((there, here)))

    def is_intact(self) -> bool:
        """Return True if the copy exists, and neither it nor its source has changed since."""
        return self._noted() == (_facts(self.source), _facts(self.target))

    def _noted(self) -> tuple[Facts, Facts]:
        """Return the stat data of source and copy when they were last equal; empty if unknown."""
        try:
            return msgpack.decode(self.note.read_bytes(), type=tuple[Facts, Facts])
        except (OSError, ValueError):
            return {}, {}

    def _renew(self, stale: set[bytes], there: Facts) -> None:
        """Copy differences; set folder permissions last, since they may forbid writing."""
        above = {os.path.dirname(name) for name in stale if name}  # noqa: PTH120
        touched = sorted(stale | above)
        for name in touched:
            if name in stale:
                self._bring(name, is_there=name in there)
            if name in above and _is_folder(folder := self._places(name)[1]):
                Path(folder).chmod(0o700)
        for name in reversed([name for name in touched if name in there]):
            source, target = self._places(name)
            if _is_folder(source):
                shutil.copystat(source, target)

    def _places(self, name: bytes) -> tuple[str, str]:
        """Return the path in the source and in the copy."""
        below = f"/{os.fsdecode(name)}" if name else ""
        return f"{self.source}{below}", f"{self.target}{below}"

    def _bring(self, name: bytes, *, is_there: bool) -> None:
        """Update one path of the copy from the source; a folder's content is left alone."""
        source, target = self._places(name)
        is_folder = is_there and _is_folder(source)
        if is_folder and _is_folder(target):
            return
        if os.path.lexists(target):
            force_remove(Path(target))
        if is_folder:
            Path(target).mkdir()
        elif is_there:
            shutil.copy2(source, target, follow_symlinks=False)
            self._lead_into_workspace(target)

    def _lead_into_workspace(self, path: str) -> None:
        """Rewrite a link or file that names the checkout to name the workspace."""
        top, tree = os.fsencode(self.top), os.fsencode(self.tree)
        pattern = re.compile(re.escape(top) + rb"(?=[/\s\"':;,)]|$)")
        kind = os.lstat(path)
        if stat.S_ISLNK(kind.st_mode):
            leads = os.readlink(os.fsencode(path))  # noqa: PTH115
            if pattern.match(leads):
                os.unlink(path)  # noqa: PTH108
                os.symlink(pattern.sub(lambda _: tree, leads, count=1), os.fsencode(path))  # noqa: PTH211
        elif stat.S_ISREG(kind.st_mode) and _may_name_folders(path) and kind.st_size < TEXT_BYTES:
            content = Path(path).read_bytes()
            if pattern.search(content):
                os.chmod(path, kind.st_mode | stat.S_IWUSR)  # noqa: PTH101
                Path(path).write_bytes(pattern.sub(lambda _: tree, content))


def _is_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)  # noqa: PTH112, PTH114


def _may_name_folders(path: str) -> bool:
    above, name = os.path.split(path)
    folder = os.path.basename(above)  # noqa: PTH119
    return folder in PROGRAM_FOLDERS or any(fnmatch(name, pattern) for pattern in TEXTS)


def can_be_copied(mode: int) -> bool:
    """Return True for a file, a folder or a link: not for a pipe or a socket, which a server may have left."""
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)


def _facts(top: Path) -> Facts:
    """Return the stat data of a path and all below it that can be copied: inode and mode, for files size and times."""
    found: Facts = {}
    waiting = [b""]
    root = os.fsencode(top)
    while waiting:
        name = waiting.pop()
        path = root + b"/" + name if name else root
        try:
            status = os.lstat(path)
            is_folder = stat.S_ISDIR(status.st_mode)
            if not can_be_copied(status.st_mode):
                continue
            if is_folder:
                above = name + b"/" if name else b""
                waiting += [above + below for below in os.listdir(path)]  # noqa: PTH208
        except OSError:
            continue
        times = (0, 0, 0) if is_folder else (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        found[name] = (status.st_ino, status.st_mode, *times)
    return found


SITES = ("lib/python*/site-packages", "lib/python*/dist-packages", "Lib/site-packages")
NAMED = ("*.pth", "__editable__*.py", "*.egg-link")


def variables(path: str, *, checkout: Path | None, workspace: Path) -> dict[str, str]:
    """Return variables that make Python import from the workspace instead of the checkout."""
    if checkout is None:
        return {}
    folders = [workspace / name for name in in_place(path, str(checkout))]
    return {"PYTHONPATH": os.pathsep.join(map(str, folders))} if folders else {}


@lru_cache(maxsize=4)
def in_place(path: str, checkout: str) -> tuple[str, ...]:
    """Return the checkout's folders, relative to it, that the Pythons on a `PATH` import from."""
    paths: dict[str, None] = {}
    for program_folder in path.split(os.pathsep):
        for text in _texts(Path(program_folder).parent):
            paths.update(dict.fromkeys(_folders(text, checkout)))
    return tuple(paths)


def _texts(installation: Path) -> Iterator[str]:
    if not installation.is_absolute():
        return
    for site in (folder for pattern in SITES for folder in installation.glob(pattern)):
        for path in sorted(file for pattern in NAMED for file in site.glob(pattern)):
            try:
                if path.stat().st_size < TEXT_BYTES:
                    yield path.read_text("utf-8", "replace")
            except OSError:
                continue


def _folders(text: str, checkout: str) -> Iterator[str]:
    """Yield the checkout's import folders named in a text; for a package, its parent folder."""
    for match in re.finditer(re.escape(checkout) + r"(/[^\s\"':;,]*)?(?=[\s\"':;,]|$)", text):
        name = (match[1] or "").strip("/")
        folder = Path(checkout, name)
        is_package = (folder / "__init__.py").exists() or folder.is_file()
        yield name.rpartition("/")[0] if is_package else name


PROBE_SECONDS = 20


class Ready(Protocol):
    """A command that can be started."""

    @property
    def argv(self) -> tuple[str, ...]:
        """Return its arguments."""
        ...

    @property
    def env(self) -> dict[str, str]:
        """Return its whole environment."""
        ...


Wrap = Callable[[Sequence[str], Layer], AbstractContextManager[Ready]]
"""Wraps a command in the sandbox with a layer; it runs in the parent folder of the layer's target."""


def can_overlay(folder: Path, wrap: Wrap) -> bool:
    """Return True if the sandbox supports layers whose files are in the folder."""
    target = folder / f"probe-{os.urandom(8).hex()}"
    names = ("source", "target", "upper", "work")
    layer = Layer(*(target / name for name in names))
    try:
        for name in names:
            (target / name).mkdir(parents=True)
        (layer.source / "told").touch()
        command = ("bash", "-c", "test -e target/told && echo n > target/new")
        with wrap(command, layer) as wrapped:
            finished = process.run(
                wrapped.argv, cwd=target, env=wrapped.env, timeout_seconds=PROBE_SECONDS
            )
        return finished.ok and (layer.upper / "new").exists()
    except (OSError, MachineError):
        return False
    finally:
        with contextlib.suppress(OSError):
            force_remove(target)
