"""Decide from a validation command's text whether it can fail.

A command is parsed as pipelines joined by `&&`, `||` and `;`; `if`, loops and groups by the grammar. Anything else
(functions, code that may end the shell) counts as able to fail: only a command that certainly proves nothing is weak.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

from minitask.patterns import lazy_pattern
from minitask.spec.model import Command, ExpectationKind
from minitask.words import word_set

if TYPE_CHECKING:
    from tree_sitter import Node


Pipeline = tuple[list[list[str]], str]


class CommandStrength(StrEnum):
    """The value of a command as proof, from most to least."""

    CHECK = "check"  # it can fail
    SETUP = "setup"  # it prepares what follows and does not check
    SHOW = "show"  # it only shows something
    VOID = "void"  # it cannot fail


_CAN_FAIL = frozenset({True, False})
_SUCCEEDS = frozenset({True})
_OPERATORS = frozenset({"&&", "||", ";", "&", "|", "|&"})
_COMPOUND = frozenset({"if", "for", "while", "until", "case", "select", "function", "{"})
_VOID = frozenset({"true", ":", "echo", "printf"})
_SHOW = frozenset({"date", "pwd", "whoami", "sleep", "env", "wc"})
_NEVER_FAILS = _VOID | {"date", "pwd", "sleep", "whoami"}
_INERT = lazy_pattern(
    r"make\b.* (?:-[Bkrsw]*[in][Bkinrsw]*|--(?:dry-run|just-print|recon|ignore-errors))(?= |$).*"
    r"|(?:ruff|flake8|pylint)\b.* --exit-zero\b.*|\S+ (?:--version|--help)"
    r"|find (?:\. )?-(?:name|iname|path|type) (?!.* -(?:exec|execdir|ok|delete)\b).*"
)
"""Commands that pass whatever they examine."""
_WRITERS = lazy_pattern(
    r"(?:black|isort|gofmt -w|ruff format|prettier (?:--write|-w)|\S+ .*--fix)\b(?!.* (?:--check|--diff|-c)\b).*"
)
"""Commands that fix what they find, and so do not check it."""
_SESSION = frozenset({"cd", "pushd", "popd", "export", "declare", "readonly", "set", "shopt"})
_FILES = frozenset({"mkdir", "touch", "rm", "cp", "mv"})
_SETUP = _SESSION | _FILES | {"source", ".", "unset", "alias", "trap", "umask", "kill", "wait"}
_FILTERS = word_set("cat head less nl sort tac tail tee tr uniq wc")
_GIT_SHOW = frozenset({"status", "log", "branch"})
_ASSIGNMENT = lazy_pattern(r"[A-Za-z_]\w*\+?=")
_REDIRECTION = lazy_pattern(r"\d*(?:>>?|<)")
_ENDS_SHELL = lazy_pattern(
    r"\b(?:(?:exit|return)\b(?!\s+0\b)|(?:kill|exec|set|trap|source|eval|die|fail|abort)\b)|:\?|(?:^|[;&|\s])\.\s"
)
_GROUPS = frozenset({"subshell", "compound_statement", "do_group", "else_clause", "case_item"})
_LOOPS = frozenset({"for_statement", "while_statement", "c_style_for_statement", "case_statement"})
_JOINED = lazy_pattern(r"\d*[<>]&[\d-]+")


def strength(command: Command) -> CommandStrength:
    """Return the strength of a command; every part of a pipe counts, as when the command is run."""
    if any(_can_deny(expectation.kind, expectation.number) for expectation in command.expectations):
        return CommandStrength.CHECK
    tokens = read_words(command.text)
    if not tokens:
        return _compound_strength(command.text)
    if tokens[:2] in (["bash", "-c"], ["sh", "-c"]) and len(tokens) == 3:
        return strength(Command(tokens[2]))
    if _OPERATORS.isdisjoint(tokens):
        return _simple_strength(tokens)
    pipelines = read_pipelines(tokens)
    if tokens[-1] == "&" or _only_prepares(pipelines):
        return CommandStrength.SETUP
    outcomes = _outcomes(pipelines)
    return CommandStrength.CHECK if False in outcomes else CommandStrength.VOID


def _compound_strength(text: str) -> CommandStrength:
    """Return the strength of `if`, a loop or a group: void if no branch ends in a command that can fail."""
    from minitask.spec.bash import UnreadableError, parse_tree

    if _ENDS_SHELL.search(text) or "<<" in text or ">" in text.replace(">&", ""):
        return CommandStrength.CHECK
    try:
        nodes = parse_tree(text).children
    except UnreadableError:
        return CommandStrength.CHECK
    if [node.type for node in nodes] == ["declaration_command"]:
        return CommandStrength.SETUP
    outcomes = _sequence_outcomes(nodes)
    return CommandStrength.CHECK if False in outcomes else CommandStrength.VOID


def _sequence_outcomes(nodes: Iterable[Node]) -> frozenset[bool]:
    """Return the outcomes of commands in sequence: those of the last one."""
    commands = [node for node in nodes if node.is_named and node.type != "comment"]
    return _node_outcomes(commands[-1]) if commands else _SUCCEEDS


def _node_outcomes(node: Node) -> frozenset[bool]:
    from minitask.spec.bash import node_text

    if node.type in _GROUPS:
        return _sequence_outcomes(node.children)
    if node.type == "if_statement":
        return _if_outcomes(node)
    # an `until` loop can run out of time
    if node.type in _LOOPS and node.children[0].type != "until":
        bodies = (child for child in node.children if child.type in _GROUPS)
        return _SUCCEEDS.union(*map(_node_outcomes, bodies))
    if node.type == "list":
        left, operator, right = node.children[0], node.children[-2].type, node.children[-1]
        passed_on = _node_outcomes(left) - {operator == "&&"}
        runs_right = (operator == "&&") in _node_outcomes(left)
        return passed_on | (_node_outcomes(right) if runs_right else frozenset())
    name = node_text(node.child_by_field_name("name")) if node.type == "command" else ""
    # `export A=$(f)` and `echo $(f)` succeed whatever `f` does
    if node.type == "declaration_command" or name in _NEVER_FAILS:
        return _SUCCEEDS
    plain = node.type == "command" and read_words(node_text(node))
    return _pipeline_outcomes([plain]) if plain else _CAN_FAIL


def _if_outcomes(node: Node) -> frozenset[bool]:
    """Return the outcomes of an `if` or `elif`: those of its branches, and success if none may be taken."""
    kinds = [child.type for child in node.children]
    then = kinds.index("then")
    branches = [child for child in node.children if child.type in {"elif_clause", "else_clause"}]
    body = [child for child in node.children[then + 1 :] if child not in branches]
    outcomes = _sequence_outcomes(body)
    for branch in branches:
        outcomes |= (_if_outcomes if branch.type == "elif_clause" else _node_outcomes)(branch)
    return outcomes if "else_clause" in kinds else outcomes | _SUCCEEDS


def _can_deny(kind: ExpectationKind, number: int) -> bool:
    if kind is ExpectationKind.EXIT:
        return number != 0
    return kind is not ExpectationKind.FAILS_BEFORE


def read_words(text: str) -> list[str]:
    """Return the words and operators of a command; empty if it is not a plain list of commands."""
    flat = _JOINED.sub("", text.replace("\\\n", " ")).replace("&>", ">").strip()
    if "\n" in flat or "<<" in flat:
        return []
    tokens = shell_tokens(flat)
    starts = {word for before, word in pairwise((";", *tokens)) if before in _OPERATORS}
    return [] if "(" in tokens or starts & _COMPOUND else tokens


def shell_tokens(text: str) -> list[str]:
    """Return the words, brackets and operators of a text; empty if a quote is open."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="();|&")
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:
        return []


def _simple_strength(tokens: list[str]) -> CommandStrength:
    plain, redirected = plain_words(tokens)
    if not plain:
        return CommandStrength.SETUP
    name, arguments = plain[0], [word for word in plain[1:] if not word.startswith("-")]
    if _INERT.fullmatch(" ".join(plain)):
        return CommandStrength.VOID
    if name in _SETUP or _WRITERS.fullmatch(" ".join(plain)):
        return CommandStrength.SETUP
    if name in _VOID or plain == ["exit", "0"]:
        return CommandStrength.SETUP if redirected else CommandStrength.VOID
    if name in _SHOW or (name == "ls" and not arguments):
        return CommandStrength.SHOW
    shows = name == "git" and _git_shows(plain, arguments)
    return CommandStrength.SHOW if shows else CommandStrength.CHECK


def _only_prepares(pipelines: Sequence[Pipeline]) -> bool:
    """Return True if the list only prepares, and otherwise prints: `rm -f a || true`."""
    names = {
        plain[0] for parts, _ in pipelines for part in parts if (plain := plain_words(part)[0])
    }
    return bool(names & _SETUP) and names <= _SETUP | _VOID


def _git_shows(argv: list[str], arguments: list[str]) -> bool:
    """Return True if a git command only shows; `git diff` checks if an option tells it to."""
    if arguments[:1] == ["diff"]:
        return not {"--exit-code", "--quiet", "--check"}.intersection(argv)
    return bool(arguments) and arguments[0] in _GIT_SHOW


def _outcomes(pipelines: Sequence[Pipeline]) -> frozenset[bool]:
    """Return the outcomes of a list, read from left to right as bash does."""
    outcome: frozenset[bool] = frozenset()
    joint = ";"
    for pipeline, following in pipelines:
        outcomes = _pipeline_outcomes(pipeline)
        if joint == "&&":
            outcome = (outcome - {True}) | (outcomes if True in outcome else frozenset())
        elif joint == "||":
            outcome = (outcome - {False}) | (outcomes if False in outcome else frozenset())
        else:
            outcome = outcomes
        if following == "&":
            outcome = _SUCCEEDS
        joint = following
    return outcome


def read_pipelines(tokens: list[str]) -> list[Pipeline]:
    """Return the pipelines of a list, each with the operator after it."""
    pipelines: list[Pipeline] = []
    parts: list[list[str]] = [[]]
    for word in (*tokens, ";"):
        if word in {"|", "|&"}:
            parts.append([])
        elif word in _OPERATORS:
            if parts[0]:
                pipelines.append((parts, word))
            parts = [[]]
        else:
            parts[-1].append(word)
    return pipelines


def _pipeline_outcomes(parts: list[list[str]]) -> frozenset[bool]:
    negated = parts[0][0] == "!"
    parts = [parts[0][1:] if negated else parts[0], *parts[1:]]
    piped = len(parts) > 1
    outcome = _SUCCEEDS
    for part in parts:
        last = piped and part is parts[-1]
        if part and not (last and _is_filter(part)) and _single_can_fail(part):
            outcome = _CAN_FAIL
    return frozenset(not ok for ok in outcome) if negated else outcome


def ends_in_filter(text: str) -> bool:
    """Return True if the command ends in a filter, whose exit code it then has without `pipefail`."""
    pipelines = read_pipelines(read_words(text))
    parts = pipelines[-1][0] if pipelines else []
    return len(parts) > 1 and bool(parts[-1]) and _is_filter(parts[-1])


def _is_filter(part: list[str]) -> bool:
    """Return True if the end of a pipe is a filter, which only passes its input on."""
    plain, _ = plain_words(part)
    return bool(plain) and plain[0] in _FILTERS


def _single_can_fail(part: list[str]) -> bool:
    plain, _ = plain_words(part)
    if plain[:1] in (["exit"], ["return"]):
        return plain[1:] != ["0"]
    return bool(plain) and plain[0] not in _NEVER_FAILS


def plain_words(tokens: list[str]) -> tuple[list[str], bool]:
    """Return the words without leading assignments and redirections, and whether output is redirected."""
    plain: list[str] = []
    redirected = skipping = False
    for word in tokens:
        match = _REDIRECTION.match(word)
        if skipping:
            skipping = False
        elif match:
            redirected = redirected or ">" in match.group()
            skipping = match.end() == len(word)
        elif plain or not _ASSIGNMENT.match(word):
            plain.append(word)
    return plain, redirected
