"""Find Python that certainly fails when run, or never runs: unbound names, statements after a `return`.

Scopes are the compiler's. A file that may get names from outside (star import, `globals()`, caught `NameError`) is not
judged, nor is a name that the spec mentions, nor a file whose base already reads unbound names: its host may bind them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from minitask.gates.requested_removals import says_name
from minitask.gates.result import BaseLines, FileChange, LintError, printable
from minitask.gates.source.python_source import (
    BODIES,
    BUILT_IN,
    Function,
    bound_names,
    is_dots,
    parsed_python,
    python_rows,
    python_symbols,
)
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec
from minitask.words import word_set

if TYPE_CHECKING:
    from symtable import Symbol, SymbolTable

_OF_HOSTS = word_set("""
get_ipython display get_config spark dbutils snakemake profile Import Export ngettext pgettext npgettext
""")
"""Names that notebooks, Snakemake, SCons, profilers and gettext bind for the files they run."""
_ELSEWHERE = lazy_pattern(r"\bNameError\b|\bexec\s*\(|\bimport\s+\*|\b(?:vars|locals|globals)\s*\(")
_OLD = lazy_pattern(r"\bversion_info\b|\bPY[23]\b")
_OLD_NAMES = word_set("basestring cmp file long raw_input reduce reload unichr unicode xrange")
_KNOWN = lazy_pattern(r"#.*(?:noqa|type: ?ignore|pyright: ?ignore|undefined-variable|E0602)")
_DEBUGS = lazy_pattern(r"(?i)\bdebug\w*|\bbreakpoints?\b|\bpdb\b")
_DEBUGGERS = frozenset({"pdb", "ipdb", "pudb", "rpdb", "remote_pdb"})
_WITHOUT_CODE = lazy_pattern(
    r"(?i)__init__\.py|conftest\.py|\b(?:comment\w*|licen[cs]e|copyright|header|empty|stub|placeholder|docstring)\b"
)
Find = Callable[[str], Iterator[tuple[int, str]]]
_WIDEST = 60  # characters of a value that is told
_LEAVES = (ast.Return, ast.Raise, ast.Break, ast.Continue)


def find_broken_python(
    proposal: FileChange, others: Sequence[FileChange], spec: Spec, base_lines: BaseLines
) -> Iterator[LintError]:
    """Yield the code that a change adds and that fails, stops in a debugger, or is never reached.

    `others` are the change's other files: what one of them defines, another can import.
    """
    path, text, base = proposal.path, proposal.content, proposal.base or ""
    rows = python_rows(text)
    if not base and _says_nothing(text) and not _may_say_nothing(proposal, spec, base_lines):
        yield LintError(
            path, 1, "it holds no code", "write the code itself, not a remark or a string"
        )
    unbound = _unbound(text)
    has_a_host = bool((unbound and _unbound(base)) or unbound.keys() & _OF_HOSTS)
    own_names = _own_names(base, others) if unbound else frozenset()
    for name, line in unbound.items() if not has_a_host else ():
        is_own = name in own_names or _lost(name, text, base)
        if not _KNOWN.search(rows[line - 1]) and (is_own or not _says(spec, name)):
            message = f"nothing defines or imports {printable(name)}"
            yield LintError(path, line, message, "define or import it, or use what is there")
    for line, _ in _fresh(_unreached, text, base):
        yield LintError(path, line, "it is never reached", "take out one of the two")
    for line, _ in _fresh(_dots_beside_code, text, base) if "..." in text else ():
        yield LintError(path, line, "`...` stands for code that is left out", "write that code")
    for line, value in _fresh(_bare_values, text, base):
        message = f"{value} is a value that nothing uses, such as the output of a run"
        yield LintError(path, line, message, "take it out")
    for line, definition in _fresh(_misplaced, text, base):
        message = f"{definition}, as its indentation is"
        yield LintError(path, line, message, "indent it like what it belongs to")
    if not _DEBUGS.search(f"{spec.title}\n{spec.task}"):
        for line, call in _fresh(_breakpoints, text, base):
            yield LintError(path, line, f"it stops in a debugger: {call}", "take it out")


def _bare_values(text: str) -> Iterator[tuple[int, str]]:
    """Yield each statement of a module that is a list, a dictionary or a number alone, beside other statements."""
    tree = parsed_python(text)
    statements = tree.body[ast.get_docstring(tree, clean=False) is not None :] if tree else []
    for node in statements if len(statements) > 1 else ():
        value = node.value if isinstance(node, ast.Expr) else None
        is_number = isinstance(value, ast.Constant) and isinstance(value.value, int | float)
        if value and (is_number or isinstance(value, ast.List | ast.Tuple | ast.Dict | ast.Set)):
            yield node.lineno, printable(ast.unparse(value))[:_WIDEST]


def _own_names(base: str, others: Sequence[FileChange]) -> frozenset[str]:
    """Return the names that the file bound before, or that another Python file of the change defines."""
    texts = (base, *(file.content for file in others if file.suffix == ".py"))
    return frozenset[str]().union(*(bound_names(text) or () for text in texts))


def _says_nothing(text: str) -> bool:
    """Return True if the text has only comments, or is a whole file written as a one-line string."""
    tree = parsed_python(text)
    if tree is None or not text.strip():
        return False
    is_string = ast.get_docstring(tree, clean=False) is not None and len(tree.body) == 1
    return not tree.body or (is_string and "\\n" in text and "\n" not in text.strip())


def _may_say_nothing(proposal: FileChange, spec: Spec, base_lines: BaseLines) -> bool:
    """Return True if the file may lack code: by its name, by the task, or because its lines were only moved."""
    if _WITHOUT_CODE.search(f"{proposal.path}\n{spec.title}\n{spec.task}"):
        return True
    lines = filter(None, map(str.strip, proposal.content.split("\n")))
    return base_lines().issuperset(lines)


def _fresh(find: Find, text: str, base: str) -> list[tuple[int, str]]:
    """Return the occurrences (line and source) whose source does not occur in the base."""
    places = list(find(text))
    had = {source for _, source in find(base)} if places else set()
    return [(line, source) for line, source in places if source not in had]


def _says(spec: Spec, name: str) -> bool:
    fences = (fence.content for fence in spec.snippets)
    if any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) for text in fences):
        return True
    return says_name(f"{spec.title}\n{spec.task}\n{spec.context}\n{spec.snippets_text}", name)


def _lost(name: str, text: str, base: str) -> bool:
    """Return True if a function that reads the name as a global bound it locally in the base."""
    bound = {table.get_name() for table in _readers(base, name) if _is_bound(table.lookup(name))}
    return any(
        table.get_name() in bound
        for table in _readers(text, name)
        if table.lookup(name).is_global()
    )


def _readers(text: str, name: str) -> Iterator[SymbolTable]:
    """Yield the symbol tables of functions that read the name."""
    module = python_symbols(text)
    for table in _tables(module) if module is not None else ():
        is_function = table.get_type() == "function" and name in table.get_identifiers()
        if is_function and table.lookup(name).is_referenced():
            yield table


@lru_cache(maxsize=32)
def _unbound(text: str) -> dict[str, int]:
    """Return the names that a file reads and nothing in scope binds, each with the line of one use."""
    tree = parsed_python(text)
    if tree is None or _ELSEWHERE.search(text) or bound_names(text) is None:
        return {}
    module = python_symbols(text)
    if module is None:
        return {}
    # The symbol table mistakes a function called `top` for the module.
    tables = [table for table in _tables(module) if table is module or table.get_name() != "top"]
    bound = {symbol.get_name() for symbol in module.get_symbols() if _is_bound(symbol)}
    bound |= _OLD_NAMES if _OLD.search(text) else frozenset()
    bound |= {
        symbol.get_name()
        for table in tables
        for symbol in table.get_symbols()
        if symbol.is_declared_global() and _is_bound(symbol)
    }
    loads = _loads(tree)
    unbound: dict[str, int] = {}
    for table in tables:
        for symbol in table.get_symbols():
            name = symbol.get_name()
            is_free = symbol.is_global() if table is not module else not _is_bound(symbol)
            if not is_free or not symbol.is_referenced() or name in bound | BUILT_IN:
                continue
            lines = [line for line in loads.get(name, ()) if line >= table.get_lineno()]
            if lines and not (name.startswith("__") and name.endswith("__")):
                unbound.setdefault(name, lines[0])
    return unbound


def _tables(table: SymbolTable) -> Iterator[SymbolTable]:
    yield table
    for child in table.get_children():
        yield from _tables(child)


def _is_bound(symbol: Symbol) -> bool:
    return symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()


def _loads(tree: ast.Module) -> dict[str, list[int]]:
    """Return the lines that read each name, without annotations, not all of which are evaluated."""
    lines: dict[str, list[int]] = {}
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            lines.setdefault(node.id, []).append(node.lineno)
        for field, value in ast.iter_fields(node):
            if field not in {"annotation", "returns"}:
                children = value if isinstance(value, list) else [value]
                waiting += [child for child in children if isinstance(child, ast.AST)]
    return {name: sorted(places) for name, places in lines.items()}


def _unreached(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and code of each statement right after one that leaves its block, except a generator's `yield`."""
    tree = parsed_python(text)
    for _, statements in _bodies(tree) if tree is not None else ():
        for first, second in pairwise(statements):
            if isinstance(first, _LEAVES) and not _yields(second):
                yield second.lineno, ast.unparse(second)
        for node in statements:
            if isinstance(node, ast.If | ast.While) and _is_off(node):
                yield node.lineno, ast.unparse(node)


def _is_off(node: ast.If | ast.While) -> bool:
    """Return True for a branch that is never taken, and is not there for its looks: a `yield`, imports for tools."""
    is_off = isinstance(node.test, ast.Constant) and not node.test.value
    shown = (ast.Import, ast.ImportFrom)
    return is_off and not _yields(node) and not any(isinstance(n, shown) for n in ast.walk(node))


def _bodies(tree: ast.Module) -> Iterator[tuple[ast.AST, list[ast.stmt]]]:
    """Yield each node of a tree with each of its lists of statements."""
    for node in ast.walk(tree):
        for body in (getattr(node, name, None) for name in BODIES):
            if isinstance(body, list):
                yield node, body


def _is_constant(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _dots_beside_code(text: str) -> Iterator[tuple[int, str]]:
    """Yield each `...` among other statements of a function, with the first of these statements."""
    tree = parsed_python(text)
    for node, statements in _bodies(tree) if tree is not None else ():
        code = [part for part in statements if not _is_constant(part)]
        if code and not isinstance(node, ast.ClassDef | ast.Module):
            yield from ((dots.lineno, ast.unparse(code[0])) for dots in filter(is_dots, statements))


def _yields(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Yield | ast.YieldFrom) for part in ast.walk(node))


def _breakpoints(text: str) -> Iterator[tuple[int, str]]:
    tree = parsed_python(text) if "breakpoint" in text or "set_trace" in text else None
    for node in ast.walk(tree) if tree is not None else ():
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        owner, _, name = called.rpartition(".")
        if called == "breakpoint" or (name == "set_trace" and owner in _DEBUGGERS):
            yield node.lineno, ast.unparse(node)


_OWN = frozenset({"self", "cls", "mcs", "mcls", "metacls", "this", "_", "__self"})
_LOOKS_UP = lazy_pattern(r"\b(?:locals|globals|vars|exec|eval)\s*\(|__code__|inspect\.")


def _misplaced(text: str) -> Iterator[tuple[int, str]]:
    """Yield each undecorated function that nothing can call where it stands, with what it is.

    That is one inside a function that does not name it, a method outside of its class, and a function among methods.
    """
    tree = parsed_python(text) if "def " in text else None
    if tree is None or _LOOKS_UP.search(text):
        return
    for node, statements in _bodies(tree):
        for part in statements:
            if isinstance(part, Function) and not part.decorator_list:
                where = _where(part, node, statements)
                if where:
                    yield part.lineno, f"{printable(part.name)} {where}"


def _where(part: Function, owner: ast.AST, statements: Sequence[ast.stmt]) -> str:
    first = next((a.arg for a in (*part.args.posonlyargs, *part.args.args)), "")
    if isinstance(owner, ast.ClassDef):
        methods = [n for n in statements if isinstance(n, Function) and not n.decorator_list]
        others = [n for n in methods if n is not part and n.args.args]
        is_foreign = first not in _OWN and not part.args.vararg and not part.name.startswith("__")
        is_usual = bool(others) and all(n.args.args[0].arg in _OWN for n in others)
        if is_foreign and is_usual and not owner.keywords and not _is_named(part, owner):
            return f"is a method of {printable(owner.name)} without `self`"
    elif isinstance(owner, ast.Module):
        above = statements[: statements.index(part)]
        has_class = any(isinstance(node, ast.ClassDef) for node in above)
        if first == "self" and has_class and not _is_named(part, owner):
            return "takes `self`, and is no method"
    elif isinstance(owner, Function) and not _is_named(part, owner):
        return f"is inside {printable(owner.name)}, which does not use it"
    return ""


def _is_named(part: Function, owner: ast.AST) -> bool:
    """Return True if anything in the owner, but for the function itself, has its name."""
    own = set(ast.walk(part))
    return any(
        part.name == getattr(node, "id", getattr(node, "attr", getattr(node, "value", None)))
        or (isinstance(node, ast.Global | ast.Nonlocal) and part.name in node.names)
        for node in ast.walk(owner)
        if node not in own
    )
