"""Share parts of the checkout with a workspace by a private writable layer: nothing reaches the user's files.

A folder is an overlay in the strong sandbox, where the kernel lets users mount one. Elsewhere it is a copy, made once
and used as long as neither it nor its source has changed. In a copy, links and paths that lead into the checkout lead
into the workspace: else a package linked there would be tested as the user has it, not as the commit does.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

from minitask.system.files import force_remove

TEXTS = ("*.pth", "*.egg-link", "__editable__*.py", "direct_url.json", "pyvenv.cfg")
"""Files of installed packages that name the folder of what is installed in place."""
PROGRAM_FOLDERS = ("bin", ".bin", "Scripts")
TEXT_BYTES = 1 << 20


class Layer(Struct, frozen=True):
    """A folder of the checkout, where it stands in the workspace, and where what is written to it goes."""

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
        """Forget what was written, and have the folders that a mount needs."""
        for folder in (self.upper, self.work):
            force_remove(folder)
            folder.mkdir(parents=True)
        self.target.mkdir(parents=True, exist_ok=True)


class Copied(Struct, frozen=True):
    """A file or folder of the checkout `top`, copied into the workspace `tree`; `note` is what is known of both."""

    source: Path
    target: Path
    note: Path
    top: Path
    tree: Path

    def ensure(self) -> None:
        """Have the copy, as it was made from what the source holds now."""
        if self.is_intact():
            return
        force_remove(self.target)
        self.note.unlink(missing_ok=True)
        self.target.parent.mkdir(parents=True, exist_ok=True)
        source_state = _state(self.source)
        if self.source.is_dir():
            shutil.copytree(self.source, self.target, symlinks=True)
        else:
            shutil.copy2(self.source, self.target)
        for path in _paths(self.target):
            self._lead_into_workspace(path)
        self.note.parent.mkdir(parents=True, exist_ok=True)
        self.note.write_text(json.dumps([source_state, _state(self.target)]), "utf-8")

    def is_intact(self) -> bool:
        """Return True if the copy is there, and neither it nor its source was changed since it was made."""
        try:
            states = json.loads(self.note.read_bytes())
        except (OSError, ValueError):
            return False
        return bool(states == [_state(self.source), _state(self.target)])

    def _lead_into_workspace(self, path: str) -> None:
        """Make a link or a file that names the checkout name the workspace."""
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


def _may_name_folders(path: str) -> bool:
    above, name = os.path.split(path)
    folder = os.path.basename(above)  # noqa: PTH119
    return folder in PROGRAM_FOLDERS or any(fnmatch(name, pattern) for pattern in TEXTS)


def _paths(top: Path) -> Iterator[str]:
    """Yield a path and all below it; links lead nowhere."""
    waiting = [str(top)]
    while waiting:
        path = waiting.pop()
        yield path
        if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114
            waiting += sorted(entry.path for entry in os.scandir(path))


def _state(top: Path) -> str:
    """Return what tells that nothing at or below a path was changed: each file by its inode, size and times."""
    import hashlib

    digest = hashlib.sha256()
    for path in _paths(top):
        status = os.lstat(path)
        facts = (
            path,
            status.st_ino,
            status.st_mode,
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
        )
        if stat.S_ISDIR(status.st_mode):
            facts = (path, status.st_ino, status.st_mode, 0, 0, 0)
        digest.update(repr(facts).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


SITES = ("lib/python*/site-packages", "lib/python*/dist-packages", "Lib/site-packages")
NAMED = ("*.pth", "__editable__*.py", "*.egg-link")


def variables(path: str, *, checkout: Path | None, workspace: Path) -> dict[str, str]:
    """Return the variables that have Python look in the workspace first, where it would look in the checkout."""
    if checkout is None:
        return {}
    folders = [workspace / name for name in in_place(path, str(checkout))]
    return {"PYTHONPATH": os.pathsep.join(map(str, folders))} if folders else {}


@lru_cache(maxsize=4)
def in_place(path: str, checkout: str) -> tuple[str, ...]:
    """Return the folders, relative to the checkout, that the Pythons on a `PATH` import from."""
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
    """Yield the folders in a text that modules of the checkout are found in; for a package, the folder above it."""
    for match in re.finditer(re.escape(checkout) + r"(/[^\s\"':;,]*)?(?=[\s\"':;,]|$)", text):
        name = (match[1] or "").strip("/")
        folder = Path(checkout, name)
        is_package = (folder / "__init__.py").exists() or folder.is_file()
        yield name.rpartition("/")[0] if is_package else name
