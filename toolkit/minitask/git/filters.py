"""Paths that the user's git sends through a filter, as git-lfs and git-crypt do.

What the toolkit writes passes no filter, so such a file is left to the user. Git is asked only where some file of
attributes mentions a filter, which few do.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from minitask.git.objects import FILE_MODES, Objects
from minitask.git.repository import Repository

ATTRIBUTES = ".gitattributes"
STORES = frozenset(
    {
        "lfs",
        "crypt",
        "git-crypt",
        "gitcrypt",
        "transcrypt",
        "git-annex",
        "annex",
        "agebox",
        "git-agecrypt",
    }
)
"""Filters whose files never stand in the repository as they are, be the filter set up in this clone or not."""
UNSET = frozenset({"unspecified", "unset", "set", ""})


def filtered_paths(
    repository: Repository, objects: Objects, commit: str, paths: Sequence[str]
) -> Mapping[str, str]:
    """Return each path whose content a filter would change, with the filter's name, by a commit's attributes."""
    attributes = dict(_attributes(objects, commit, paths))
    if not any(b"filter" in content for content in attributes.values()) and not _may_be_set(
        repository
    ):
        return {}
    with tempfile.TemporaryDirectory(prefix="minitask-attributes-") as folder:
        for name, content in attributes.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        names = _filters(repository, Path(folder), paths)
    return {path: name for path, name in names.items() if _is_at_work(repository, name)}


def _attributes(objects: Objects, commit: str, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the files of attributes that a commit holds for some paths."""
    folders = {""}
    for path in paths:
        parts = path.split("/")[:-1]
        folders.update("/".join(parts[:count]) + "/" for count in range(1, len(parts) + 1))
    for folder in sorted(folders):
        entry = objects.entry(commit, folder + ATTRIBUTES)
        if entry is not None and entry.mode in FILE_MODES:
            yield folder + ATTRIBUTES, objects.blob(entry.oid)


def _may_be_set(repository: Repository) -> bool:
    """Return True if attributes outside the repository's files may name a filter."""
    configs, attributes = _sources(repository)
    texts = [_text(path).lower() for path in configs]
    if any(b"attributesfile" in text or b"[include" in text for text in texts):
        return True
    return any(b"filter" in _text(path) for path in attributes)


def attribute_sources(repository: Repository) -> bytes:
    """Return a text that changes with the attributes and filters outside of commits, or always, if that is unknown."""
    configs, attributes = _sources(repository)
    texts = [_text(path) for path in (*configs, *attributes)]
    includes = any(b"attributesfile" in text.lower() or b"[include" in text for text in texts)
    return b"\0".join(texts) + (os.urandom(16) if includes else b"")


def _sources(repository: Repository) -> tuple[list[str], list[str]]:
    """Return the files of settings, and those of attributes, beside a commit's own."""
    environ = repository.git.environ
    home = (environ.get("HOME") or "").rstrip("/")
    folder = f"{environ.get('XDG_CONFIG_HOME') or f'{home}/.config'}/git"
    global_config = environ.get("GIT_CONFIG_GLOBAL")
    configs = [global_config] if global_config else [f"{home}/.gitconfig", f"{folder}/config"]
    attributes = [
        f"{repository.common_dir}/info/attributes",
        f"{folder}/attributes",
        "/etc/gitattributes",
    ]
    return [*configs, f"{repository.common_dir}/config"], attributes


def _text(path: str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - often, and strings are several times faster
            return file.read()
    except OSError:
        return b""


def _filters(repository: Repository, folder: Path, paths: Sequence[str]) -> dict[str, str]:
    """Return the filter that git's own rules name for each path."""
    git = repository.git.with_user_config(folder)
    stdin = "".join(f"{path}\0" for path in paths).encode("utf-8", "surrogateescape")
    fields = git.fields("check-attr", "-z", "--stdin", "filter", stdin=stdin)
    pairs = zip(fields[::3], fields[2::3], strict=True)
    return {os.fspath(path): value for path, value in pairs if value not in UNSET}


def _is_at_work(repository: Repository, name: str) -> bool:
    """Return True if a filter is set up here, or keeps its files in another form wherever it is."""
    if name in STORES or name.startswith("git-crypt"):
        return True
    git = repository.git.with_user_config(repository.top)
    keys = [f"filter.{name}.{key}" for key in ("clean", "process", "required")]
    return any(
        git.run("config", "--get", key).stdout.strip() not in (b"", b"false") for key in keys
    )
