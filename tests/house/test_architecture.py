"""The rules of the house: layers, doors and sizes. A rule without a check decays."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

PACKAGE = Path(__file__).parents[2] / "toolkit" / "minitask"
LAYERS = (
    *("cli", "reports", "project", "planning", "forge", "task", "routing", "landing"),
    *("engine", "gates", "executors", "policy", "ledger", "workspace", "sandbox", "git"),
    *(
        "system",
        "edits",
        "spec",
        "config",
        "config_file",
        "settings",
        "presets",
        "concurrency",
        "values",
    ),
    *("words", "patterns", "resources", "installed", "errors", "__init__"),
)
PURE = ("spec", "edits")
MACHINE = {
    *("os", "subprocess", "socket", "shutil", "tempfile", "time", "random", "threading", "httpx"),
}
DOORS = {
    "subprocess": {"system/pipes.py", "system/process.py"},
    "httpx": {"executors/http.py"},
    "git": {"project/demo.py"},
    "genai_prices": {"policy/prices.py"},
    "distributed": {"project/cluster.py"},
    "mcp": {"cli/mcp_server.py"},
}
PROGRAMS = {"sandbox/landlock.py"}
"""Started as a program of its own, with nothing but its arguments and its environment."""
CLOCK = re.compile(r"\btime\.(monotonic|perf_counter|time)\(")
MAX_FILE_LINES = 350
MAX_FUNCTION_LINES = 50

FILES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted(PACKAGE.parents[1].glob("tests/**/*.py"))


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@cache
def _nodes(path: Path) -> dict[type[ast.AST], list[Any]]:
    """All nodes of a file by their kind: each file is walked once."""
    nodes = defaultdict(list)
    for node in ast.walk(_tree(path)):
        nodes[type(node)].append(node)
    return nodes


@cache
def _imports(path: Path) -> list[str]:
    """Every module that a file imports, wherever in it the import stands."""
    plain = [alias.name for node in _nodes(path)[ast.Import] for alias in node.names]
    named = [node for node in _nodes(path)[ast.ImportFrom] if node.module]
    return [
        *plain,
        *(node.module for node in named),
        *(f"{node.module}.{alias.name}" for node in named for alias in node.names),
    ]


def _called(path: Path) -> set[str]:
    """The plain names that a file calls."""
    return {node.func.id for node in _nodes(path)[ast.Call] if isinstance(node.func, ast.Name)}


def _layer(module: str) -> str:
    return [*module.split("."), "__init__"][1]


def test_imports_point_only_down() -> None:
    wrong = [
        f"{_name(path)}: {module}"
        for path in FILES
        if (own := _name(path).split("/")[0].removesuffix(".py")) != "__main__"
        for module in _imports(path)
        if module.startswith("minitask.") and _layer(module) in LAYERS[: LAYERS.index(own)]
    ]
    assert wrong == []


def test_every_folder_is_a_layer() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert folders <= set(LAYERS)


def test_imports_never_run_in_a_circle() -> None:
    modules = {_dotted(path): path for path in FILES}
    edges = {
        name: {found for found in _imports(path) if found in modules and found != name}
        for name, path in modules.items()
    }
    left = set(modules)
    while free := {name for name in left if not edges[name] & left}:
        left -= free
    assert left == set()


def test_folders_within_a_package_never_import_each_other_in_a_circle() -> None:
    edges: dict[str, set[str]] = {}
    for path in FILES:
        for module in _imports(path):
            own, other = (name.split(".")[1:-1] for name in (_dotted(path), module))
            if len(own) == len(other) == 2 and own != other:
                edges.setdefault(".".join(own), set()).add(".".join(other))
    tuple(TopologicalSorter(edges).static_order())  # raises CycleError, which names the folders


def _dotted(path: Path) -> str:
    parts = ("minitask", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


def test_each_danger_has_one_door() -> None:
    wrong = [
        f"{_name(path)}: {danger}"
        for path in FILES
        for danger in DOORS.keys() & {module.split(".")[0] for module in _imports(path)}
        if _name(path) not in DOORS[danger]
    ]
    assert wrong == []


def test_a_link_that_leads_to_itself_raises_nothing() -> None:
    """`Path.resolve` raises `RuntimeError` for one before Python 3.13: `system.files.real_path` serves."""
    wrong = [
        f"{_name(path)}:{node.lineno}"
        for path in FILES
        if _name(path) != "resources.py"
        for node in _nodes(path)[ast.Call]
        if isinstance(node.func, ast.Attribute) and node.func.attr == "resolve" and not node.args
    ]
    assert wrong == []


def test_only_the_command_line_reads_the_environment_and_prints() -> None:
    wrong = [
        f"{_name(path)}: {name}"
        for path in FILES
        if not _name(path).startswith("cli/") and _name(path) not in PROGRAMS
        for name in _of_the_command_line(path)
    ]
    assert wrong == []


def _of_the_command_line(path: Path) -> set[str]:
    attributes = {
        f"{node.value.id}.{node.attr}"
        for node in _nodes(path)[ast.Attribute]
        if isinstance(node.value, ast.Name)
    }
    return attributes & {"os.environ", "os.getenv", "click.echo", "sys.exit"} | (
        _called(path) & {"print"}
    )


def test_the_core_touches_nothing() -> None:
    wrong = {
        _name(path): names
        for path in FILES
        if _name(path).split("/")[0] in PURE
        if (
            names := {module.split(".")[0] for module in _imports(path)} & MACHINE
            | _called(path) & {"open"}
        )
    }
    assert wrong == {}


def test_files_and_functions_stay_small() -> None:
    long = [
        f"{_name(path)}:{node.lineno}: {node.name}"
        for path in FILES
        for node in _nodes(path)[ast.FunctionDef] + _nodes(path)[ast.AsyncFunctionDef]
        if (node.end_lineno or 0) - node.lineno + 1 > MAX_FUNCTION_LINES
    ]
    long += [
        _name(path) for path in FILES if len(path.read_text("utf-8").splitlines()) > MAX_FILE_LINES
    ]
    assert long == []


def test_a_module_name_stands_for_one_thing() -> None:
    """A command, what it does and what it prints may have the command's name in `cli/`, a package and `reports/`."""
    commands = {path.stem for path in (PACKAGE / "cli").glob("*.py")}
    places = defaultdict(list)
    for path in FILES:
        if path.stem != "__init__" and not path.is_relative_to(PACKAGE / "cli"):
            places[path.stem].append(_name(path))
    twice = [
        names
        for stem, names in places.items()
        if len([n for n in names if stem not in commands or not n.startswith("reports/")]) > 1
    ]
    assert twice == [], "give one of them another name"


def test_a_class_name_stands_for_one_thing() -> None:
    places = defaultdict(list)
    for path in FILES:
        for node in _tree(path).body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(_name(path))
    twice = {name: files for name, files in places.items() if len(files) > 1}
    assert twice == {}, "give one of them another name"


VAGUE = frozenset(
    re.findall(
        r"\w+",
        """found place each said known done under words held kept told what own wanted given seen left there here one
        other rest asked named made taken matter""",
    )
)


def test_variables_say_what_they_hold() -> None:
    """Fewer than 3 vague names of variables and parameters in 1,000 lines."""
    vague = [
        f"{_name(path)}:{node.lineno}: {name}"
        for path in FILES
        for node in _nodes(path)[ast.arg] + _nodes(path)[ast.Name]
        if isinstance(node, ast.arg) or isinstance(node.ctx, ast.Store)
        if (name := node.arg if isinstance(node, ast.arg) else node.id) in VAGUE
    ]
    lines = sum(len(path.read_text("utf-8").splitlines()) for path in FILES)
    assert len(vague) * 1000 < 3 * lines, "\n".join(vague)


def test_every_module_says_why_it_exists() -> None:
    assert [_name(path) for path in FILES if not ast.get_docstring(_tree(path))] == []


@pytest.mark.parametrize(
    "package", sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py")), ids=str
)
def test_a_package_names_where_to_start(package: str) -> None:
    """Each `module.name` in its docstring is there."""
    folder = PACKAGE / package
    text = ast.get_docstring(_tree(folder / "__init__.py")) or ""
    for module, name in re.findall(r"`([a-z_.]+?)\.(\w+)`", text):
        path = folder.joinpath(*module.split(".")).with_suffix(".py")
        defined = {getattr(node, "name", "") for node in _tree(path).body}
        assert name in defined, f"{module}.{name}"
    for module in re.findall(r"`([a-z_]+)`", text):
        assert (folder / f"{module}.py").exists(), module


def test_no_test_asserts_wall_clock_time() -> None:
    asserted = [
        f"{path.name}:{difference.lineno}"
        for path in TESTS
        if CLOCK.search(path.read_text("utf-8"))
        for statement in ast.walk(_tree(path))
        if isinstance(statement, ast.Assert)
        for difference in ast.walk(statement.test)
        if isinstance(difference, ast.BinOp) and isinstance(difference.op, ast.Sub)
        if CLOCK.search(ast.unparse(difference))
    ]
    assert asserted == [], "wait for an event, or let the harness's time limit end what hangs"
