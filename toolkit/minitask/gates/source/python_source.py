"""Read Python with its own parser: imports (guarded or not), bound names, duplicate and empty definitions."""

from __future__ import annotations

import ast
import builtins
import io
import re
import symtable
import tokenize
from collections.abc import Iterator
from functools import lru_cache

from msgspec import Struct

from minitask.gates.result import FileChange, LintError, printable
from minitask.gates.source.syntax import LARGEST, without_warnings
from minitask.patterns import lazy_pattern
from minitask.words import word_set

Imports = ast.Import | ast.ImportFrom
Function = ast.FunctionDef | ast.AsyncFunctionDef

_MODULES = (
    r"modules\[[^\]\n]*\]\s*=(?!=)|modules\.(?:setdefault|update|__setitem__)|=\s*sys\.modules\s*$"
    r"|\(\s*sys\.modules\b|__path__|meta_path|path_hooks"
)
MODULE_TRICKS = lazy_pattern(_MODULES, re.MULTILINE)
"""Ways to have modules that are not files, or are files elsewhere."""
_NAME_TRICKS = lazy_pattern(
    rf"(?m)\bglobals\s*\(|\b(?:vars|locals)\s*\(\s*\)\s*(?:\[|\.)|^[ \t]*exec\s*\(|modules\[\s*__name__"
    rf"|\b_convert_\s*\(|\bglobal_enum\b|\(\s*__name__\s*,|\(\s*__name__\s*\)\s*\.__|{_MODULES}"
)
"""Ways to bind names that the file's text does not show."""
# Calls that ask the machine; a condition with one of them, or with a name in capitals, guards its imports.
_ASKS = word_set("environ exists find_spec getenv is_dir is_file isdir isfile")
_VALUES = (ast.Assign, ast.Call, ast.Compare, ast.Constant, ast.Dict, ast.Expr)
"""Nodes that bind only the targets of an assignment, unless they contain `:=`."""
BODIES = ("body", "orelse", "finalbody", "handlers", "cases")
"""Fields of a statement that hold statements."""
BUILT_IN = frozenset((*dir(builtins), "WindowsError", "reveal_type", "reveal_locals", "_"))
"""Names that need no definition: the interpreter's own, of type checkers, and of gettext."""


class Imported(Struct, frozen=True):
    """One module of an `import`, or one name of a `from … import`; `level` counts the leading dots.

    `guarded` is True if the file tolerates a failure of the import, or may not reach it.
    """

    line: int
    level: int
    module: str
    name: str | None
    guarded: bool

    @property
    def source(self) -> str:
        """The module as written, with its dots."""
        return "." * self.level + self.module

    def __str__(self) -> str:
        """Return the import as a statement."""
        if self.name is None:
            return f"import {self.module}"
        return f"from {self.source} import {self.name}"


def parsed_python(text: str) -> ast.Module | None:
    """Return the file's AST, or None if it does not parse or is too long to be handwritten."""
    return python_tree(text) if len(text) <= LARGEST else None


@lru_cache(maxsize=8)
def python_tree(text: str) -> ast.Module | None:
    """Return the AST of a file of any size, or None if it does not parse."""
    try:
        source = text.encode("utf-8", "surrogateescape")
        with without_warnings():
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return None


def python_rows(text: str) -> list[str]:
    """Return the lines as Python counts them: a lone carriage return ends one, too."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def python_symbols(text: str) -> symtable.SymbolTable | None:
    """Return the compiler's symbol table of a file, or None if it does not compile."""
    try:
        with without_warnings():
            return symtable.symtable(text, "file", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return None


def imports(tree: ast.Module) -> Iterator[Imported]:
    """Yield a file's imports, in its order."""
    for node, guarded in sorted(_statements(tree), key=lambda statement: statement[0].lineno):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Imported(node.lineno, 0, alias.name, None, guarded)
        else:
            for alias in node.names:
                module = node.module or ""
                yield Imported(alias.lineno, node.level, module, alias.name, guarded)


def binds(text: str, name: str) -> bool:
    """Return True unless the module certainly lacks the name."""
    escaped = re.escape(name)
    if re.search(rf"^(?:(?:async\s+)?def\s+|class\s+)?{escaped}\b\s*[=:(\[]", text, re.MULTILINE):
        return True
    names = bound_names(text)
    return names is None or name in names


@lru_cache(maxsize=64)
def bound_names(text: str) -> frozenset[str] | None:
    """Return the names that a module binds at its top level, or None if they cannot be determined."""
    tree = None if _NAME_TRICKS.search(text) else parsed_python(text)
    if tree is None:
        return None
    names = frozenset(_bound(tree, text))
    return None if names & {"*", "__getattr__"} else names


def _statements(tree: ast.Module) -> Iterator[tuple[Imports, bool]]:
    waiting: list[tuple[ast.AST, bool]] = [(tree, False)]
    while waiting:
        node, guarded = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, guarded
            continue
        guarded = guarded or _guards(node)
        for body in BODIES:
            waiting.extend((child, guarded) for child in getattr(node, body, ()))


def _guards(node: ast.AST) -> bool:
    """Return True if imports inside the statement may fail without harm."""
    if isinstance(node, ast.Try | ast.TryStar):
        return any(_catches(handler.type) for handler in node.handlers)
    if isinstance(node, ast.If | ast.While):
        return any(_asks(part) for part in ast.walk(node.test))
    return isinstance(node, ast.With | ast.AsyncWith)


def _catches(caught: ast.expr | None) -> bool:
    """Return True if a handler catches a failed import; False only for a known, unrelated exception."""
    if isinstance(caught, ast.Tuple):
        return any(map(_catches, caught.elts))
    if not isinstance(caught, ast.Name):
        return True
    exception = getattr(builtins, caught.id, None)
    if not isinstance(exception, type):
        return True
    return issubclass(ImportError, exception) or issubclass(exception, ImportError)


def _asks(part: ast.AST) -> bool:
    name = part.id if isinstance(part, ast.Name) else getattr(part, "attr", "")
    return name in _ASKS or (len(name) > 1 and name.isupper())


def _bound(tree: ast.Module, text: str) -> Iterator[str]:
    """Yield every name that may be bound at the top level, and those that functions declare as global."""
    has_globals, has_walrus = "global " in text, ":=" in text
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Function | ast.ClassDef):
            yield node.name
            yield from _declared(node) if has_globals else ()
            continue
        yield from names_of(node)
        if has_walrus or not isinstance(node, _VALUES):
            waiting.extend(ast.iter_child_nodes(node))
        elif isinstance(node, ast.Assign):
            waiting.extend(node.targets)


def _declared(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Global):
            yield from part.names


def names_of(node: ast.AST) -> Iterator[str]:
    """Yield the names that a node itself binds, as a target, an import, a handler or a pattern."""
    if isinstance(node, ast.Name):
        if not isinstance(node.ctx, ast.Load):
            yield node.id
    elif isinstance(node, ast.alias):
        yield node.asname or node.name.split(".")[0]
    elif isinstance(node, ast.MatchAs | ast.MatchStar | ast.ExceptHandler) and node.name:
        yield node.name
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest


def find_defined_twice(proposal: FileChange) -> Iterator[LintError]:
    """Yield functions and classes that a change defines twice in one scope, where the last one wins."""
    before = _defined_twice(proposal.base or "")
    for name, line in _defined_twice(proposal.content).items():
        if name not in before:
            message = f"it defines {printable(name)} twice; the first definition is lost"
            yield LintError(proposal.path, line, message, "keep one of them")


def _defined_twice(text: str) -> dict[str, int]:
    """Return the line of the later definition for each undecorated name defined twice in one scope."""
    tree = parsed_python(text)
    twice: dict[str, int] = {}
    nodes = ast.walk(tree) if tree else ()
    for scope in (node for node in nodes if isinstance(node, ast.Module | ast.ClassDef)):
        seen: set[str] = set()
        for node in scope.body:
            if isinstance(node, Function | ast.ClassDef):
                if node.name in seen and not node.decorator_list and node.name != "_":
                    twice[node.name] = node.lineno
                if not node.decorator_list:
                    seen.add(node.name)
            elif isinstance(node, ast.Assign) and len(node.targets) == 1:
                name = ast.unparse(node.targets[0])
                if name in seen and name not in {_last(part) for part in ast.walk(node.value)}:
                    twice[name] = node.lineno
    return twice


_ABSTRACT_BASES = frozenset({"ABC", "Protocol", "Interface", "ABCMeta", "NamedTuple", "TypedDict"})
_EXCUSED = word_set("""
abstractmethod abstractproperty overload abstractclassmethod abstractstaticmethod group callback
""")
_NO_WORK = lazy_pattern(
    r"(?i)no-?op|null|dummy|fake|mock|stub|ignore|nothing|hook|subclass|overrid|intention|abstract|interface|by default"
)
Found = tuple[int, str, str]


def find_unfinished_python(text: str) -> Iterator[Found]:
    """Yield the line, message and key (name and fault) of each definition that does nothing."""
    tree = parsed_python(text)
    if tree is None:
        return
    extended = {
        _last(base)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for base in node.bases
    }
    yield from _below(tree, "", None, extended, python_rows(text))


def _below(
    node: ast.AST, above: str, owner: ast.ClassDef | None, extended: set[str], rows: list[str]
) -> Iterator[Found]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            name = above + child.name
            if _is_empty_class(child):
                yield child.body[-1].lineno, f"the body of {name} is empty", f"{name}: empty"
            yield from _below(child, name + ".", child, extended, rows)
        elif isinstance(child, Function):
            name = above + child.name
            body = _does_nothing(child)
            if body and not _is_excused(child, owner, extended, body, rows):
                message = f"the body of {name} is {body} alone"
                yield child.body[-1].lineno, message, f"{name}: {body}"
            yield from _below(child, name + ".", None, extended, rows)
        elif not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)):
            yield from _below(child, above, owner, extended, rows)


def _does_nothing(function: Function) -> str:
    """Return how a body without its docstring does nothing (such as "`pass`"), or an empty string."""
    body = function.body[1:] if ast.get_docstring(function, clean=False) else function.body
    if not body:
        return ""
    if len(body) == 1 and isinstance(body[0], ast.Pass):
        return "`pass`"
    if len(body) == 1 and is_dots(body[0]):
        return "`...`"
    raises = isinstance(body[-1], ast.Raise) and _last(body[-1].exc) == "NotImplementedError"
    results = any(
        isinstance(node, ast.Return | ast.Yield | ast.YieldFrom) for node in ast.walk(function)
    )
    return "`raise NotImplementedError`" if raises and not results else ""


def is_dots(node: ast.AST) -> bool:
    """Return True for the statement `...`."""
    value = node.value if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.Constant) and value.value is ...


def _is_excused(
    function: Function, owner: ast.ClassDef | None, extended: set[str], body: str, rows: list[str]
) -> bool:
    if any(_last(mark) in _EXCUSED for mark in function.decorator_list):
        return True
    source = "\n".join(rows[function.lineno - 1 : function.end_lineno])
    if _NO_WORK.search(source.replace("NotImplementedError", "")) and body != "`...`":
        return True
    if owner is None:
        return False
    if _NO_WORK.match(owner.name):
        return True
    bases = {_last(base) for base in owner.bases} | {_last(key.value) for key in owner.keywords}
    is_base = owner.name in extended or owner.name.startswith(("Base", "Abstract"))
    if is_base or bases & _ABSTRACT_BASES:
        return True
    is_dunder = function.name.startswith("__") and function.name.endswith("__")
    return body == "`pass`" and (bool(bases - {"object"}) or is_dunder)


def _is_empty_class(node: ast.ClassDef) -> bool:
    """Return True for a class with only `pass` or `...` and without bases, keywords and decorators."""
    only = len(node.body) == 1 and (isinstance(node.body[0], ast.Pass) or is_dots(node.body[0]))
    return only and not node.bases and not node.keywords and not node.decorator_list


def _last(node: ast.AST | None) -> str:
    """Return the last name of a dotted name, of the called function, or of the subscripted value."""
    while isinstance(node, ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def python_comments(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and text of each comment, up to the first tokenizer error."""
    try:
        for token in tokenize.generate_tokens(io.StringIO(text, newline="\n").readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
    except (tokenize.TokenError, SyntaxError, ValueError, RecursionError, MemoryError):
        return
