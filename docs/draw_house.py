"""Write docs/house.md, the list of packages and their imports: `python docs/draw_house.py`, or `--check` in CI."""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

TOP = Path(__file__).parents[1]
PACKAGE = TOP / "toolkit" / "minitask"
PAGE = TOP / "docs" / "house.md"
_HEAD = """\
# Packages

This page lists the packages of `toolkit/minitask/` from top to bottom, and their imports. A package imports only
packages below it; there are no circular imports. Small modules beside them (`config`, `settings`, `presets`,
`concurrency`, `errors` …) may be imported by any package. `python docs/draw_house.py` generates this page from the
source; a test fails if it is out of date. The docstring of each package says where to start reading.
"""


def packages() -> list[Path]:
    """Return the package's folders, from the top layer to the bottom."""
    found = [path.parent for path in PACKAGE.glob("*/__init__.py")]
    arrows = {path.name: set(imported(path)) for path in found}
    ordered: list[Path] = []
    left = {path.name: path for path in found}
    while left:
        free = sorted(name for name in left if not any(name in arrows[other] for other in left))
        if not free:
            sys.exit(f"imports run in a circle among {', '.join(sorted(left))}")
        ordered += [left.pop(name) for name in free]
    return ordered


@cache
def imported(folder: Path) -> frozenset[str]:
    """Return the names of the other packages that a package imports."""
    return frozenset(_imported(folder))


def _imported(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in names:
                parts = name.split(".")
                is_package = len(parts) > 1 and (PACKAGE / parts[1] / "__init__.py").exists()
                if parts[0] == "minitask" and is_package and parts[1] != folder.name:
                    yield parts[1]


def shortened(arrows: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Return the arrows without those that a longer way implies."""

    def reach(name: str) -> set[str]:
        return {far for near in arrows[name] for far in {near} | reach(near)}

    return {
        name: {to for to in direct if not any(to in reach(other) for other in direct - {to})}
        for name, direct in arrows.items()
    }


def render() -> str:
    """Return the page: a table of the packages, and their imports as a Mermaid graph."""
    folders = packages()
    arrows = shortened({path.name: set(imported(path)) for path in folders})
    rows = ["| package | holds |", "| --- | --- |"]
    for path in folders:
        doc = ast.get_docstring(ast.parse((path / "__init__.py").read_text("utf-8"))) or ""
        holds = " ".join(doc.partition("\n\n")[0].split())
        rows.append(f"| `{path.name}/` | {holds} |")
    graph = ["```mermaid", "graph TD"]
    graph += [f"  {path.name} --> {to}" for path in folders for to in sorted(arrows[path.name])]
    return "\n".join([_HEAD, *rows, "", *graph, "```", ""])


def print_sizes() -> None:
    """Print the files and lines of each package."""
    for path in packages():
        files = list(path.rglob("*.py"))
        lines = sum(len(file.read_text("utf-8").splitlines()) for file in files)
        print(f"{path.name:10} {len(files):4} files {lines:6,} lines")


def main() -> int:
    """Write the page, or with `--check` return 1 where it is out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether it is up to date")
    parser.add_argument("--sizes", action="store_true", help="print files and lines instead")
    options = parser.parse_args()
    if options.sizes:
        print_sizes()
        return 0
    if options.check:
        return 0 if PAGE.read_text("utf-8") == render() else 1
    PAGE.write_text(render(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
