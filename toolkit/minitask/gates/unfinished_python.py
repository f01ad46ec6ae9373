"""Python's definitions that do nothing: a body of `...`, `pass` or `raise NotImplementedError` alone."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator

from minitask.gates.python_bindings import parsed_python
from minitask.patterns import lazy_pattern

Function = ast.FunctionDef | ast.AsyncFunctionDef
_ABSTRACT_BASES = frozenset({"ABC", "Protocol", "Interface", "ABCMeta", "NamedTuple", "TypedDict"})
_EXCUSED = frozenset(
    {
        "abstractmethod",
        "abstractproperty",
        "overload",
        "abstractclassmethod",
        "abstractstaticmethod",
    }
)
_NO_WORK = lazy_pattern(
    r"no-?op|null|dummy|fake|mock|stub|ignore|nothing|hook|subclass|overrid|intention|abstract|interface|by default",
    2,
)
Found = tuple[int, str, str]


def find_unfinished_python(text: str) -> Iterator[Found]:
    """Yield the line, what is wrong there, and the name, of each definition that does nothing."""
    tree = parsed_python(text)
    if tree is None:
        return
    extended = {
        _last(base)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for base in node.bases
    }
    yield from _below(tree, "", None, extended, text.split("\n"))


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
    """Return what a body is, without its docstring, where that is nothing; or ""."""
    body = function.body[1:] if ast.get_docstring(function, clean=False) else function.body
    if not body:
        return ""
    if len(body) == 1 and isinstance(body[0], ast.Pass):
        return "`pass`"
    if len(body) == 1 and _is_dots(body[0]):
        return "`...`"
    raises = isinstance(body[-1], ast.Raise) and _last(body[-1].exc) == "NotImplementedError"
    results = any(
        isinstance(node, ast.Return | ast.Yield | ast.YieldFrom) for node in ast.walk(function)
    )
    return "`raise NotImplementedError`" if raises and not results else ""


def _is_dots(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and node.value.value is ...
    )


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
    bases = {_last(base) for base in owner.bases} | {_last(key.value) for key in owner.keywords}
    if (
        bases & _ABSTRACT_BASES
        or owner.name in extended
        or owner.name.startswith(("Base", "Abstract"))
    ):
        return True
    is_dunder = function.name.startswith("__") and function.name.endswith("__")
    return body == "`pass`" and (bool(bases - {"object"}) or is_dunder)


def _is_empty_class(node: ast.ClassDef) -> bool:
    """Return True for a class with nothing in it that it could have from elsewhere, and no word of what it is for."""
    only = len(node.body) == 1 and (isinstance(node.body[0], ast.Pass) or _is_dots(node.body[0]))
    return only and not node.bases and not node.keywords and not node.decorator_list


def _last(node: ast.AST | None) -> str:
    """Return the last name of `a.b.c`, of a call of it, or of a part of it."""
    while isinstance(node, ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def python_comments(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each comment, as far as the text can be cut into tokens."""
    try:
        for token in tokenize.generate_tokens(io.StringIO(text, newline="\n").readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
    except (tokenize.TokenError, SyntaxError, ValueError, RecursionError, MemoryError):
        return
