"""Find comparisons in a command's inline Python program that nothing asserts."""

from __future__ import annotations

import ast
import shlex
import warnings
from collections.abc import Iterator
from posixpath import basename

from minitask.patterns import lazy_pattern

_INLINE = lazy_pattern(r"\b(?:python|pypy)[\d.]*\b")
_HEREDOC = lazy_pattern(r"\bpython[\d.]*\b[^\n]*<<-?\s*(['\"]?)(\w+)\1[^\n]*\n(.*?)^\s*\2\s*$", 24)


def find_dropped(text: str) -> str:
    """Return the first comparison of an inline Python program that decides nothing; or ""."""
    if not _INLINE.search(text):
        return ""
    return next((code for program in _programs(text) for code in program), "")


def _programs(text: str) -> Iterator[Iterator[str]]:
    for match in _HEREDOC.finditer(text):
        yield _in_python(match[3], optimized=False)
    tokens = _words(text)
    for index, word in enumerate(tokens):
        name = basename(word)
        options = _options(tokens[index + 1 :])
        if not options or not _INLINE.fullmatch(name):
            continue
        *flags, code = options
        yield _in_python(code, optimized=any(flag.startswith("-O") for flag in flags))


def _words(text: str) -> list[str]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars="();|&")
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:
        return []


def _options(tokens: list[str]) -> list[str]:
    """Return the options of an interpreter up to its inline program, with that; none if it has none."""
    for index, word in enumerate(tokens[:-1]):
        if word in {"-c", "-Oc", "-OOc"}:
            return tokens[: index + 2]
        if not word.startswith("-"):
            break
    return []


def _in_python(code: str, *, optimized: bool) -> Iterator[str]:
    try:
        with warnings.catch_warnings(action="ignore"):
            body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in body:
        if isinstance(node, ast.Assert):
            is_tuple = isinstance(node.test, ast.Tuple) and bool(node.test.elts)
            if optimized or is_tuple:
                yield ast.unparse(node)
        elif isinstance(node, ast.Expr) and _compares(node.value):
            yield ast.unparse(node)


def _compares(node: ast.expr) -> bool:
    if isinstance(node, ast.BoolOp):
        return all(map(_compares, node.values))
    inner = node.operand if isinstance(node, ast.UnaryOp) else node
    return isinstance(inner, ast.Compare)
