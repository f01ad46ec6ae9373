"""Paths that pass a filter of the user's git, such as git-lfs or git-crypt.

The toolkit writes without filters, so it leaves such files to the user. Git runs only if an attributes file mentions a
filter, which is rare.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from minitask.git.objects import FILE_MODES, Objects
from minitask.git.repository import Repository
from minitask.words import word_set

ATTRIBUTES = ".gitattributes"
STORES = word_set("lfs crypt git-crypt gitcrypt transcrypt git-annex annex agebox git-agecrypt")
"""Filters whose files are always stored in another form, even if the filter is not configured in this clone."""
UNSET = frozenset({"unspecified", "unset", "set", ""})


def filtered_paths(
    repository: Repository, objects: Objects, commit: str, paths: Sequence[str]
) -> Mapping[str, str]:
    """Return the paths whose content a filter would change, by the commit's attributes: path → filter name."""
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
    """Yield the commit's attributes files that apply to the paths, as (path, content)."""
    folders = {""}
    for path in paths:
        parts = path.split("/")[:-1]
        folders.update("/".join(parts[:count]) + "/" for count in range(1, len(parts) + 1))
    for folder in sorted(folders):
        entry = objects.entry(commit, folder + ATTRIBUTES)
        if entry is not None and entry.mode in FILE_MODES:
            yield folder + ATTRIBUTES, objects.blob(entry.oid)


def _may_be_set(repository: Repository) -> bool:
    """Return True if attributes outside commits may name a filter."""
    configs, attributes = _sources(repository)
    texts = [_text(path).lower() for path in configs]
    if any(b"attributesfile" in text or b"[include" in text for text in texts):
        return True
    return any(b"filter" in _text(path) for path in attributes)


def attribute_sources(repository: Repository) -> bytes:
    """Return bytes that change with the attributes and filters outside commits; random if that is unknown."""
    configs, attributes = _sources(repository)
    texts = [_text(path) for path in (*configs, *attributes)]
    includes = any(b"attributesfile" in text.lower() or b"[include" in text for text in texts)
    return b"\0".join(texts) + (os.urandom(16) if includes else b"")


def _sources(repository: Repository) -> tuple[list[str], list[str]]:
    """Return the paths of the config files, and of the attributes files outside commits."""
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
        with open(path, "rb") as file:  # noqa: PTH123 - called often, and strings are several times faster
            return file.read()
    except OSError:
        return b""


def _filters(repository: Repository, folder: Path, paths: Sequence[str]) -> dict[str, str]:
    """Return the filter of each path, by `git check-attr`."""
    git = repository.git.with_user_config(folder)
    stdin = "".join(f"{path}\0" for path in paths).encode("utf-8", "surrogateescape")
    fields = git.fields("check-attr", "-z", "--stdin", "filter", stdin=stdin)
    pairs = zip(fields[::3], fields[2::3], strict=True)
    return {os.fspath(path): value for path, value in pairs if value not in UNSET}


def _is_at_work(repository: Repository, name: str) -> bool:
    """Return True if a filter is configured here, or stores its files in another form everywhere."""
    if name in STORES or name.startswith("git-crypt"):
        return True
    git = repository.git.with_user_config(repository.top)
    keys = [f"filter.{name}.{key}" for key in ("clean", "process", "required")]
    return any(
        git.run("config", "--get", key).stdout.strip() not in (b"", b"false") for key in keys
    )
