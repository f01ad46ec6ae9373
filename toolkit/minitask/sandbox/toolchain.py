"""Find the smallest folders that must be readable for the programs on `PATH` to run.

A compiler or interpreter in the user's home needs its libraries, but next to it may be a key. So a program folder
includes the surrounding installation only if it looks like one, and never the home, anything above it, or a checkout.
"""

# This runs before a command's first session, and strings are several times faster.
# ruff: noqa: PTH112, PTH113, PTH115, PTH118, PTH120

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from minitask.sandbox.policy import SYSTEM, lies_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROGRAM_FOLDERS = ("bin", "sbin", "shims", "Scripts")
INSTALLATION_MARKS = ("pyvenv.cfg", "lib", "lib64", "libexec", "conda-meta")
VERSION_KEEPERS = (".pyenv", ".rbenv", ".nodenv", ".asdf", ".volta", ".bun", ".deno", ".sdkman")
"""Folders in a home that contain only programs, so that they are readable as a whole."""

SHARED_FOLDERS = ("/", "/home", "/root", "/tmp", "/var", "/run", "/mnt", "/srv")  # noqa: S108 - never granted
PRIVATE_IN_HOME = ("", "/.local", "/.local/share", "/.local/state", "/.config", "/.cache")
LINKS_SCANNED = "/usr/local/bin"


class Toolchain(Struct):
    """Readable folders and files outside the system's own, and variables that some programs need to find theirs."""

    home: str
    roots: list[str] = field(default_factory=list)
    env: Mapping[str, str] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    def add_folder(self, folder: str) -> None:
        """Add a program folder, its installation, and the targets of its links."""
        waiting = [folder.rstrip("/")]
        while waiting:
            here = waiting.pop()
            if here in self._seen or not here.startswith("/") or not os.path.isdir(here):
                continue
            self._seen.add(here)
            if not lies_in(here, SYSTEM):
                self._cover(self._root(here))
            if not lies_in(here, SYSTEM) or here == LINKS_SCANNED:
                waiting += self._follow_links(here)

    def _follow_links(self, folder: str) -> list[str]:
        """Add the targets of the folder's links; return the program folders among them, to be followed."""
        links = list(_based_on(os.path.dirname(folder)))
        for target in _link_targets(folder):
            if self._covered(target):
                continue
            parent = os.path.dirname(target)
            if self._root(parent) != parent:
                links.append(parent)
            elif os.path.isfile(target):
                self._cover(target)
        return links

    def _root(self, folder: str) -> str:
        """Return the installation of a program folder, or the folder itself."""
        parts = folder.split("/")
        for index, part in enumerate(parts):
            if part in (*VERSION_KEEPERS, "node_modules"):
                return "/".join(parts[: index + 1])
        parent, name = os.path.split(folder)
        if name in PROGRAM_FOLDERS and self._may_grant(parent) and _looks_installed(parent):
            return parent
        return folder

    def add_program(self, path: str) -> None:
        """Add a program, and its installation or folder if that may be granted."""
        folder = os.path.dirname(path)
        root = self._root(folder)
        self._cover(root if root != folder or self._may_grant(folder) else path)

    def _may_grant(self, folder: str) -> bool:
        """Return True if a folder may be readable as a whole: not the home, anything above it, or a checkout."""
        if folder in SHARED_FOLDERS or os.path.lexists(folder + "/.git"):
            return False
        home = self.home
        return not home or not (
            lies_in(home, [folder]) or folder in {home + name for name in PRIVATE_IN_HOME}
        )

    def _cover(self, path: str) -> None:
        if not self._covered(path):
            self.roots.append(path)

    def _covered(self, path: str) -> bool:
        return lies_in(path, SYSTEM) or lies_in(path, self.roots)


@lru_cache(maxsize=4)
def find_toolchain(path: str, *, home: str) -> Toolchain:
    """Return the toolchain of a `PATH` for a user's home directory; cached, not to be modified."""
    toolchain = Toolchain(home)
    for entry in path.split(os.pathsep):
        toolchain.add_folder(entry)
    return toolchain


class Program(Struct, frozen=True):
    """A program to start: its path without links that a sandbox does not show, and the paths that it must read."""

    path: str
    readable: tuple[Path, ...]


def locate_program(path: str, *, home: str) -> Program:
    """Return how to start the program at a path.

    A version manager's link selects the program by its own name, so its path is not resolved.
    """
    parts = path.split("/")
    is_shim = "shims" in parts or any(part in VERSION_KEEPERS for part in parts)
    start = path if is_shim else os.path.realpath(path)
    toolchain = Toolchain(home)
    toolchain.add_program(os.path.realpath(path))
    return Program(start, tuple(map(Path, toolchain.roots)))


def _looks_installed(folder: str) -> bool:
    return any(os.path.lexists(f"{folder}/{mark}") for mark in INSTALLATION_MARKS)


def _link_targets(folder: str) -> Iterator[str]:
    """Yield the target of each symbolic link in a folder, and the end of its chain if different."""
    try:
        with os.scandir(folder) as entries:
            links = [entry.path for entry in entries if entry.is_symlink()]
    except OSError:
        return
    for link in links:
        try:
            hop = os.path.normpath(os.path.join(folder, os.readlink(link)))
        except OSError:
            continue
        yield hop
        end = os.path.realpath(link)
        if end != hop:
            yield end


def _based_on(environment: str) -> Iterator[str]:
    """Yield the program folder of a virtual environment's base Python."""
    try:
        text = Path(environment, "pyvenv.cfg").read_text("utf-8", "replace")
    except OSError:
        return
    for line in text.splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "home":
            yield value.strip()
