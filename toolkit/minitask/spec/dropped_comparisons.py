"""Find checks that cannot fail: results dropped in inline Python, shell tests that are always true, lost exit codes."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Collection, Iterator
from posixpath import basename
from typing import TYPE_CHECKING

from minitask.patterns import lazy_pattern
from minitask.spec.bash import UnreadableError, node_text, parse_tree
from minitask.spec.model import Problem, Spec
from minitask.spec.vacuous_commands import shell_tokens
from minitask.words import one_line, word_set

if TYPE_CHECKING:
    from tree_sitter import Node

_INLINE = lazy_pattern(r"\b(?:python|pypy)[\d.]*\b")
_HEREDOC = lazy_pattern(r"(?ms)\bpython[\d.]*\b[^\n]*<<-?\s*(['\"]?)(\w+)\1[^\n]*\n(.*?)^\s*\2\s*$")


_COMPARISON = lazy_pattern(r"[^=<>!?&|{}]+[!=]==?[^=<>!?&|{}]+")
_ACTS = lazy_pattern(r"\b(?:if|throw|assert\w*|process|console|return|while|for|expect|ok|equal)\b")
_EACH = lazy_pattern(
    r"\bfind\b[^|;&\n]*?\s-exec(?:dir)?\s+(?P<check>(?:(?!\\;)[^\n])+?)\s+(?:\\;|';'|\";\")\s*(?:$|[12&]?>|;|&&)"
)
"""A search that runs a program for each file, whose exit code it does not pass on."""
_QUOTE = 60
_PREDICATES = word_set("""
isinstance issubclass hasattr all any bool exists isfile isdir is_file is_dir startswith endswith issubset
""")
_TESTS = lazy_pattern(
    r"(?m)(?:^|[\s;&|({!])(?:test|\[\[?)\s+(?!-[a-mo-zA-Z]\s+[^\s\[\]&|;<>()]+\s*(?:\]|[&|;)]|$))"
)
"""Shell tests to parse: all but `test -f FILE` and its like, which can fail, so that most need no parser."""
_BLOCKS = lazy_pattern(r"(?m)(?:^|[\s;)])(?:do|then|else|\{)\s|(?:^|[\s;&|])\(")
_ENDS_AT_ERRORS = lazy_pattern(r"\bset\s+-\w*e|errexit")
_COUNTS = lazy_pattern(r"(?:wc\b|(?:e|f|git )?grep\b.*\s(?:-\w*c\w*|--count)\b)[^|]*")
_JUDGES = lazy_pattern(
    r"(?:(?:npx|uv run|poetry run|pnpm exec|bunx)\s+)?(?:(?:test|cmp)(?=\s)"
    r"|(?:zgrep|[ef]?grep|rg|git grep)\b.*\s(?:-\w*q\w*|--quiet)\b|diff\b.*\s(?:-\w*q\w*|--brief|--quiet)\b"
    r"|python[\d.]*\s+-m\s+(?:py_compile|compileall|pytest|unittest|mypy)\b|pytest\b|mypy\b|ruff\s+check\b"
    r"|(?:ba|z|da)?sh\s+-n\b|node\s+(?:--check|-c|--test)\b|(?:npm|yarn|pnpm|bun)\s+(?:run\s+)?test\b"
    r"|go\s+(?:test|vet|build)\b|cargo\s+(?:test|check|build|clippy)\b|tsc\b|eslint\b|shellcheck\b|jest\b|vitest\b"
    r"|make\s+(?:test|check)\b|git\s+diff\b.*\s--(?:exit-code|quiet)\b).*"
)
"""Shell commands used for their exit code."""
_LOOPS = frozenset({"for_statement", "while_statement", "c_style_for_statement"})
_HOLDERS = frozenset({"do_group", "compound_statement", "subshell", "else_clause", "case_item"})


def find_dropped_checks(spec: Spec) -> Iterator[Problem]:
    """Yield an error for each command with a check that cannot fail."""
    is_strict = any(_ENDS_AT_ERRORS.search(command.text) for command in spec.commands)
    for command in spec.commands:
        line = command.line or spec.line_of("validation")
        dropped = "" if command.expectations else _find_dropped(command.text)
        unseen = "" if dropped or is_strict else _find_unseen(command.text)
        each = None if command.expectations else _EACH.search(command.text)
        fault, code = "nothing sees whether this fails", ""
        if dropped:
            fault, code = "a comparison that nothing asserts", dropped
            hint = "assert it, so that the command fails where it is wrong"
        elif each and _JUDGES.fullmatch(each["check"]):
            code, hint = each["check"], "end `-exec` with `+`, or pipe to `xargs`"
        elif unseen:
            code, hint = unseen, "add `|| exit 1` behind it, or join it to what follows by `&&`"
        if code:
            yield Problem(line, "E421", f"{fault}: {one_line(code, longest=_QUOTE)}", hint)


def _find_dropped(text: str) -> str:
    """Return the first comparison of a command whose result is dropped or always true, or an empty string."""
    if _INLINE.search(text) and (code := next(_in_programs(text), "")):
        return code
    if "node" in text and (code := next(_in_script(text), "")):
        return code
    root = _tree(text) if _TESTS.search(text) else None
    return next((node_text(node) for node in _nodes(root) if _always_holds(node)), "")


def _find_unseen(text: str) -> str:
    """Return the first check in a loop, group or function whose failure is lost, or an empty string."""
    root = _tree(text) if _BLOCKS.search(text) else None
    return next((node_text(node) for node in _nodes(root) if _is_unseen(node)), "")


def _tree(text: str) -> Node | None:
    try:
        return parse_tree(text)
    except UnreadableError:
        return None


def _nodes(root: Node | None) -> Iterator[Node]:
    """Yield the nodes of a tree, without the contents of substitutions, which only give output."""
    waiting = [root] if root is not None else []
    while waiting:
        node = waiting.pop()
        yield node
        if node.type not in {"command_substitution", "process_substitution"}:
            waiting += reversed(node.children)


def _always_holds(node: Node) -> bool:
    """Return True for a shell test of a word that is never empty, or with `>` or `<` that redirects."""
    parent = node.parent
    if node.type == "test_command":
        operands, single = node.named_children, node_text(node).startswith("[ ")
        if parent is not None and parent.type in _LOOPS:
            return False
        if [child.type for child in operands] == ["binary_expression"]:
            return single and any(child.type in {"<", ">"} for child in operands[0].children)
        if [child.type for child in operands] == ["unary_expression"]:
            operands = operands[0].named_children
    elif node.type == "command" and node_text(node.child_by_field_name("name")) == "test":
        operands, single = node.named_children[1:], True
        is_redirected = parent is not None and parent.type == "redirected_statement"
        target = parent.named_children[-1].named_children[-1:] if parent and is_redirected else []
        if target and target[0].type == "number":
            return len(operands) == 1
    else:
        return False
    if len(operands) == 2 and node_text(operands[0]) == "-n":
        unquoted = single and operands[1].type == "command_substitution"
        return unquoted or _is_never_empty(operands[1])
    return len(operands) == 1 and _is_never_empty(operands[0])


def _is_never_empty(word: Node) -> bool:
    if word.type in {"word", "number", "raw_string"}:
        return node_text(word).strip("'") not in {"", "!"}
    if word.type == "concatenation":
        return any(part.type == "word" and "=" in node_text(part) for part in word.children)
    inner = [part for part in word.named_children if part.type != "string_content"]
    has_text = len(inner) < len(word.named_children)
    if word.type == "command_substitution":
        return _COUNTS.fullmatch(node_text(word)[2:-1].strip()) is not None
    return word.type == "string" and (has_text or any(map(_is_never_empty, inner)))


def _is_unseen(node: Node) -> bool:
    """Return True for a check in a block whose exit code a later statement or iteration replaces."""
    holder = node.parent
    if holder is None or not node.is_named or not _judges(node):
        return False
    if holder.type == "if_statement":
        return _is_followed(node) and node.prev_named_sibling is not None
    if holder.type not in _HOLDERS or _handles_failure(holder):
        return False
    repeats = holder.type == "do_group" and not _is_single_round(holder.parent)
    return _is_followed(node) or (repeats and not _reads_status(node))


def _is_followed(node: Node) -> bool:
    following = node.next_named_sibling
    if following is None or following.type in {"elif_clause", "else_clause", "comment"}:
        return False
    return not _reads_status(node)


def _reads_status(node: Node) -> bool:
    following = node_text(node.next_named_sibling)
    return re.search(r"\$\{?(?:\?|PIPESTATUS)", following) is not None


def _handles_failure(holder: Node) -> bool:
    """Return True for a block that runs only after a failure: `… || { …; }`."""
    parent = holder.parent
    return parent is not None and parent.type == "list" and parent.children[-2].type == "||"


def _is_single_round(loop: Node | None) -> bool:
    if loop is None or loop.type != "for_statement":
        return False
    items = loop.named_children[1:-1]
    is_single = len(items) == 1 and items[0].type in {"word", "string"}
    return is_single and not re.search(r"[*?\[{$]", node_text(items[0]))


def _judges(node: Node) -> bool:
    """Return True for a statement that is used only for its exit code."""
    if node.type == "test_command":
        return True
    if node.type == "command":
        return _JUDGES.fullmatch(" ".join(node_text(node).split())) is not None
    if node.type == "list" and node.children[-2].type == "||":
        return _judges(node.children[0]) and _judges(node.children[-1])
    if node.type in {"negated_command", "pipeline", "list", "subshell"}:
        return bool(node.named_children) and _judges(node.named_children[-1])
    return node.type == "redirected_statement" and _judges(node.named_children[0])


def _in_programs(text: str) -> Iterator[str]:
    """Yield the checks in inline programs of Python that cannot fail."""
    for match in _HEREDOC.finditer(text):
        yield from _in_python(match[3], optimized=False)
    tokens = shell_tokens(text)
    for index, word in enumerate(tokens):
        if _INLINE.fullmatch(basename(word)) and (options := _options(tokens[index + 1 :])):
            *flags, code = options
            yield from _in_python(code, optimized=any(flag.startswith("-O") for flag in flags))


def _in_script(text: str) -> Iterator[str]:
    """Yield the comparison with which an inline program of Node ends."""
    tokens = shell_tokens(text)
    for name, option, code in zip(tokens, tokens[1:], tokens[2:], strict=False):
        last = code.rstrip("; \n").rpartition(";")[2].strip()
        is_inline = basename(name) == "node" and option in {"-e", "--eval"}
        if is_inline and _COMPARISON.fullmatch(last) and not _ACTS.search(last):
            yield last


def _options(tokens: list[str]) -> list[str]:
    """Return an interpreter's options up to and including its inline program; empty if it has none."""
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
            if optimized or is_tuple or _has_true(node.test):
                yield ast.unparse(node)
        elif isinstance(node, ast.Try) and any(map(_swallows, node.handlers)):
            yield from (ast.unparse(part) for part in node.body if isinstance(part, ast.Assert))
        elif isinstance(node, ast.Expr) and _compares(node.value):
            yield ast.unparse(node)


def _has_true(node: ast.expr) -> bool:
    """Return True for `… or True`."""
    parts = node.values if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or) else []
    return any(isinstance(part, ast.Constant) and bool(part.value) for part in parts)


def _swallows(handler: ast.ExceptHandler) -> bool:
    """Return True if a handler passes over a failed assertion."""
    catches = handler.type is None or ast.unparse(handler.type) in {"AssertionError", "Exception"}
    return catches and all(isinstance(part, ast.Pass) for part in handler.body)


def _compares(node: ast.expr) -> bool:
    if isinstance(node, ast.BoolOp):
        return _compares(node.values[0]) and all(
            _compares(part) or _is_call(part, {"print"}) for part in node.values
        )
    inner = node.operand if isinstance(node, ast.UnaryOp) else node
    return isinstance(inner, ast.Compare) or _is_call(inner, _PREDICATES)


def _is_call(node: ast.expr, names: Collection[str]) -> bool:
    called = node.func if isinstance(node, ast.Call) else None
    return getattr(called, "id", getattr(called, "attr", None)) in names
