"""How many small faults, put into the package one at a time, the tests notice.

    python benchmarks/mutants.py map            # which tests enter the functions that get a fault (runs every test,
                                                # with --plain those of a plain run)
    python benchmarks/mutants.py run            # 100 faults, about half an hour of one core
    python benchmarks/mutants.py run --plain    # against the tests of a plain run alone
    python benchmarks/mutants.py run --only landing --jobs 2

A fault is one change of the syntax tree: a comparison turned or moved by one, `and` for `or`, a condition denied, a
number one higher, True for False, a call left out, None in place of what is returned. The faults are drawn by a hash of
the place (file, function, which node of it, change), a fixed share for each package: the same code gives the same
faults, and a change elsewhere moves none of them. Each runs, in a copy of the package, the tests that enter its
function, those that enter few others first, up to a limit of seconds, until one fails. One that nothing enters
survives.
"""

from __future__ import annotations

import argparse
import ast
import copy
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parents[1]
PACKAGE = Path("toolkit", "minitask")
MAP = TOP / ".pytest_cache" / "mutants.json"
PROBE = Path(__file__).with_name("entered.py")
SHARES = {
    "gates": 18,
    "landing": 14,
    "spec": 14,
    "edits": 12,
    "executors": 12,
    "task": 8,
    "ledger": 6,
    "policy": 6,
    "workspace": 6,
    "project": 4,
}
"""How many faults each package gets: 100 in all."""
TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
MOST_SECONDS = 300
MOST_TESTS = 60
"""How many tests one fault meets at most."""


@dataclass(frozen=True)
class Mutant:
    """One fault: the file below the package, its function, the node by its number there, and the change."""

    path: str
    function: str
    number: int
    line: int
    change: str

    @property
    def rank(self) -> str:
        """What the draw goes by."""
        place = f"{self.path}:{self.function}:{self.number}:{self.change}"
        return hashlib.sha256(place.encode()).hexdigest()

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.function}: {self.change}"


def change_of(node: ast.AST) -> tuple[str, Callable[[Any], ast.AST]] | None:
    """Return what a fault at this node is called and how it is made; None where there is none."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in TURNED:
            return f"{type(op).__name__} → {TURNED[type(op)].__name__}", _turn
        case ast.BoolOp(op=ast.And()):
            return "and → or", lambda n: ast.BoolOp(ast.Or(), n.values)
        case ast.BoolOp():
            return "or → and", lambda n: ast.BoolOp(ast.And(), n.values)
        case ast.UnaryOp(op=ast.Not()):
            return "not left out", lambda n: n.operand
        case ast.If(test=ast.Name() | ast.Call() | ast.Attribute()):
            return "if denied", _deny
        case ast.Constant(value=bool(value)):
            return f"{value} → {not value}", lambda n: ast.Constant(not n.value)
        case ast.Constant(value=int(value)):
            return f"{value} → {value + 1}", lambda n: ast.Constant(n.value + 1)
        case ast.Expr(value=ast.Call()):
            return "call left out", lambda _: ast.Pass()
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            return "return None", lambda _: ast.Return(ast.Constant(None))
    return None


def _turn(node: ast.Compare) -> ast.AST:
    return ast.Compare(node.left, [TURNED[type(node.ops[0])]()], node.comparators)


def _deny(node: ast.If) -> ast.AST:
    return ast.If(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)


def functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yield the functions and methods with their names; what is nested belongs to the outer one."""
    for node in tree.body:
        for inner in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(inner, ast.FunctionDef):
                prefix = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
                yield prefix + inner.name, inner


def nodes(function: ast.FunctionDef) -> list[ast.AST]:
    """Return the nodes of a function's body, in a fixed order: no annotations, defaults or decorators."""
    return [node for statement in function.body for node in ast.walk(statement)]


def all_mutants(top: Path, package: str) -> list[Mutant]:
    """Return every fault that can be made in a package."""
    found = []
    for path in sorted((top / PACKAGE / package).rglob("*.py")):
        name = path.relative_to(top / PACKAGE).as_posix()
        for function, node in functions(ast.parse(path.read_text("utf-8"))):
            for number, inner in enumerate(nodes(node)):
                if change := change_of(inner):
                    line = getattr(inner, "lineno", node.lineno)
                    found.append(Mutant(name, function, number, line, change[0]))
    return found


def draw(top: Path, shares: dict[str, int]) -> list[Mutant]:
    """Return the faults to try: of each package those of the lowest rank, one a function."""
    drawn = []
    for package, count in shares.items():
        by_function: dict[tuple[str, str], Mutant] = {}
        for mutant in sorted(all_mutants(top, package), key=lambda each: each.rank):
            by_function.setdefault((mutant.path, mutant.function), mutant)
        drawn += list(by_function.values())[:count]
    return sorted(drawn, key=lambda each: each.rank)


class _Replace(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else self.generic_visit(node)


def mutated(text: str, mutant: Mutant) -> str:
    """Return a module's text with the fault in it."""
    tree = ast.parse(text)
    function = dict(functions(tree))[mutant.function]
    node = nodes(function)[mutant.number]
    change = change_of(node)
    assert change is not None, mutant
    new = ast.copy_location(change[1](copy.copy(node)), node)
    return ast.unparse(ast.fix_missing_locations(_Replace(node, new).visit(tree)))


# The map: which tests enter which function.


def copied(top: Path) -> None:
    """Make a copy of what the tests need."""
    for part in ("toolkit", "tests", "schemas", "templates", "mini-projects", "docs"):
        shutil.copytree(TOP / part, top / part, symlinks=True)
    for part in ("pyproject.toml", "README.md", "CHANGELOG.md"):
        shutil.copy2(TOP / part, top)


def probed(text: str, path: str, names: Collection[str]) -> str:
    """Return a module's text in which some functions say first that a test enters them."""
    tree = ast.parse(text)
    for name, function in functions(tree):
        if name in names:
            call = f"__import__('entered').note({f'{path}:{name}'!r})"
            start = 1 if ast.get_docstring(function, clean=False) is not None else 0
            function.body[start:start] = ast.parse(call).body
    return ast.unparse(ast.fix_missing_locations(tree))


def make_map(tests: Sequence[str], *, plain: bool) -> None:
    """Run all tests, or a plain run; keep which of them enter a function that is to get a fault, and their times."""
    places: dict[str, set[str]] = {}
    for mutant in draw(TOP, SHARES):
        places.setdefault(mutant.path, set()).add(mutant.function)
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        copied(top)
        for path, names in places.items():
            file = top / PACKAGE / path
            file.write_text(probed(file.read_text("utf-8"), path, names), "utf-8")
        (top / "written").mkdir()
        shutil.copy2(PROBE, top / "toolkit")
        env = {**os.environ, "PYTHONPATH": str(top / "toolkit"), "ENTERED_FOLDER": f"{top}/written"}
        marks = () if plain else ("-m", "not sweep and not live")
        options = ("-n", "2", *marks, f"--junitxml={top}/report.xml")
        argv = [sys.executable, "-m", "pytest", *options, *tests]
        subprocess.run(argv, cwd=top, env=env, check=False)
        enters: dict[str, set[str]] = {}
        for written in (top / "written").iterdir():
            for line in written.read_text().splitlines():
                test, place = json.loads(line)
                enters.setdefault(place, set()).add(test)
        seconds = _seconds(top / "report.xml")
    kept = {place: sorted(tests) for place, tests in sorted(enters.items())}
    MAP.parent.mkdir(exist_ok=True)
    MAP.write_text(json.dumps({"enters": kept, "seconds": seconds}))
    print(f"{len(kept)} functions entered by {len(seconds)} tests")


def tests_of_a_plain_run() -> set[str]:
    """Return the tests that `pytest` runs by itself: of long tables a sample."""
    argv = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n0", "-o", "addopts="]
    marks = "not sweep and not live and not variant"
    done = subprocess.run([*argv, "-m", marks], cwd=TOP, capture_output=True, text=True, check=True)
    return {line for line in done.stdout.splitlines() if "::" in line}


def _seconds(report: Path) -> dict[str, float]:
    from xml.etree import ElementTree

    found: dict[str, float] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        file = case.get("classname", "").replace(".", "/") + ".py"
        found[f"{file}::{case.get('name')}"] = float(case.get("time", 0))
    return found


# The run.


@dataclass(frozen=True)
class Known:
    """The map: by function the tests that enter it, and by test its seconds."""

    enters: dict[str, list[str]]
    seconds: dict[str, float]

    @cached_property
    def width(self) -> Counter[str]:
        """How many functions each test enters."""
        return Counter(test for tests in self.enters.values() for test in tests)


def tests_of(mutant: Mutant, known: Known, *, seconds: float) -> list[str]:
    """Return the tests that enter a fault's function, the most specific first, as many as the seconds allow."""
    times, width = known.seconds, known.width
    tests = [t for t in known.enters.get(f"{mutant.path}:{mutant.function}", ()) if t in times]
    chosen: list[str] = []
    for test in sorted(tests, key=lambda test: (width[test], test))[:MOST_TESTS]:
        seconds -= times[test]
        if seconds < 0 and chosen:
            break
        chosen.append(test)
    return chosen


def killed(mutant: Mutant, tests: Sequence[str]) -> bool:
    """Whether a test fails with the fault in the package."""
    if not tests:
        return False
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        copied(top)
        path = top / PACKAGE / mutant.path
        path.write_text(mutated(path.read_text("utf-8"), mutant), "utf-8")
        env = {**os.environ, "PYTHONPATH": str(top / "toolkit")}
        marks = ("-m", "not sweep and not live")
        options = ("-n", "0", "-x", *marks, "-p", "no:cacheprovider", f"--basetemp={top}/tmp")
        argv = [sys.executable, "-m", "pytest", *options, *tests]
        call: dict[str, Any] = {"cwd": top, "env": env, "capture_output": True, "text": True}
        try:
            done = subprocess.run(argv, **call, timeout=MOST_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return True
        if done.returncode not in (0, 1):
            sys.exit(f"{mutant}: pytest exited with {done.returncode}\n{done.stdout[-2000:]}")
        return done.returncode == 1


def run(shares: dict[str, int], *, jobs: int, seconds: float, plain: bool) -> int:
    """Print each fault with what became of it, and the sums; return how many survived."""
    known = Known(**json.loads(MAP.read_text()))
    if plain:
        always = tests_of_a_plain_run()
        known = Known(
            known.enters, {test: time for test, time in known.seconds.items() if test in always}
        )
    mutants = draw(TOP, shares)
    survived = 0
    with ThreadPoolExecutor(jobs) as pool:

        def judge(mutant: Mutant) -> tuple[int, bool]:
            tests = tests_of(mutant, known, seconds=seconds)
            return len(tests), killed(mutant, tests)

        for mutant, (tests, dead) in zip(mutants, pool.map(judge, mutants), strict=True):
            survived += not dead
            print(f"{'killed  ' if dead else 'SURVIVED'} {mutant} ({tests} tests)", flush=True)
    print(f"{len(mutants) - survived} of {len(mutants)} killed")
    return survived


def main() -> int:
    """Make the map, or run the faults."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=("map", "run", "list"))
    parser.add_argument("tests", nargs="*", help="map: only these tests")
    parser.add_argument("--only", metavar="PACKAGE", choices=SHARES, help="faults of one package")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=20, help="of tests for each fault")
    parser.add_argument("--plain", action="store_true", help="only the tests of a plain run")
    options = parser.parse_args()
    shares = {options.only: SHARES[options.only]} if options.only else SHARES
    if options.what == "map":
        make_map(options.tests, plain=options.plain)
    elif options.what == "list":
        print("\n".join(map(str, draw(TOP, shares))))
    else:
        run(shares, jobs=options.jobs, seconds=options.seconds, plain=options.plain)
    return 0


if __name__ == "__main__":
    sys.exit(main())
