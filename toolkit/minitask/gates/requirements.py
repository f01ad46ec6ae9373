"""Find a repository's declared Python dependencies, which an import of the same name may mean."""

from __future__ import annotations

import re
from collections.abc import Iterator

from minitask.gates.result import EntryKind, FilesAfter, above, join
from minitask.patterns import lazy_pattern

_DEPENDENCIES = lazy_pattern(
    r"pyproject\.toml|setup\.(?:py|cfg)|.*requirements.*|constraints.*|Pipfile|.*\.lock|environment.*\.ya?ml|tox\.ini"
    r"|noxfile\.py|Dockerfile"
)
# Settings that list a project's own packages.
_LISTS = lazy_pattern(
    r"^\W*(?:exclude|files|include|known[-_]first[-_]party|module\w*|mypy_path|packages|py[-_]modules|root_packages?"
    r"|source|src|testpaths|where)\s*=.*$",
    re.MULTILINE,
)


def is_required(path: str, top: str, candidate: FilesAfter, *, loosely: bool) -> bool:
    """Return True if a dependency may have the name of the package `top`; `loosely` matches it anywhere."""
    name = re.escape(top).replace("_", "[-_.]")
    project_name = re.compile(
        rf"""^\s*name\s*=\s*["']?{name}["']?\s*,?\s*$""", re.IGNORECASE | re.MULTILINE
    )
    texts = tuple(_dependencies(path, candidate))
    if any(project_name.search(text) for file, text in texts if not file.endswith(".lock")):
        return False
    requirement = re.compile(
        name
        if loosely
        else rf"""(?:^|["'])[\s-]*(?:python-|py)?{name}(?:-python|-py)?(?=["'\[<>=!~;@\s]|$)"""
        rf"""(?!["']?\s*=\s*["'\[{{]?{name})""",
        re.IGNORECASE | re.MULTILINE,
    )
    return any(requirement.search(text if loosely else _LISTS.sub("", text)) for _, text in texts)


def _dependencies(path: str, candidate: FilesAfter) -> Iterator[tuple[str, str]]:
    """Yield the names and texts of the files above a path that declare dependencies."""
    for folder in above(path):
        for location in (folder, join(folder, "requirements")):
            for file, kind in candidate.names(location).items():
                if kind is EntryKind.FILE and (_DEPENDENCIES.fullmatch(file) or location != folder):
                    yield file, candidate.read(join(location, file)) or ""
