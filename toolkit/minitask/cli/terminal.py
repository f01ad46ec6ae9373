"""Text for people in a terminal's colours; everywhere else, with `--color never` or with `NO_COLOR` set, plain."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TextIO

import click

from minitask.patterns import lazy_pattern
from minitask.words import plain, plain_text

WATCH_SECONDS = 1.0
GREEN, RED, YELLOW, CYAN = "green", "red", "yellow", "cyan"
COLORS: Mapping[str, str] = {
    **dict.fromkeys(("✓", "merged", "passed", "ok", "proven"), GREEN),
    **dict.fromkeys(("✗", "!", "failed", "refused", "conflict", "error", "FAILED"), RED),
    **dict.fromkeys(("–", "skipped", "changed", "undone", "warning", "NOTE"), YELLOW),
    **dict.fromkeys(("●", "ready"), CYAN),
}
"""The colour of each mark, state and verdict, wherever one is printed."""
_WORDS = "|".join(COLORS)
_MARKED = lazy_pattern(rf"^(\s*)({_WORDS})(?=[ :]|$)")
_STATE = lazy_pattern(rf"^(\S+?(?:/\S+)?:?\s+)({_WORDS})(?=[ :,]|$)")
_WORKFLOW_COMMAND = lazy_pattern(r"(?m)^([ \t]*)::")
"""The start of a line that a runner of GitHub's takes for a command to itself."""
_LABEL = lazy_pattern(r"^(\s+)(next|hint|fix|undo|approve|reject|edit)(?=[ :])")
_DIFF: tuple[tuple[tuple[str, ...], Mapping[str, object]], ...] = (
    (("+++", "---", "diff ", "index "), {"bold": True}),
    (("@@",), {"fg": CYAN}),
    (("+",), {"fg": GREEN}),
    (("-",), {"fg": RED}),
)


_wanted: list[bool | None] = [None]
"""Whether colours are wanted; None where the stream decides."""


def choose_colors(word: str, environ: Mapping[str, str]) -> None:
    """Settle colours for the process: `auto`, `always` or `never`, and what `NO_COLOR` says of `auto`."""
    off = word == "never" or (word == "auto" and bool(environ.get("NO_COLOR")))
    _wanted[0] = False if off else True if word == "always" else None


def is_colored(stream: TextIO) -> bool:
    """Return True if a stream is to have colours."""
    return stream.isatty() if _wanted[0] is None else _wanted[0]


def show(text: str, *, err: bool = False) -> None:
    """Print lines to stdout or stderr, marks and states in colour.

    Nothing else in them steers a terminal, or the runner of a workflow.
    """
    colored = is_colored(sys.stderr if err else sys.stdout)
    harmless = _WORKFLOW_COMMAND.sub(r"\1\\::", plain_text(text))
    lines = map(painted, harmless.split("\n")) if colored else [harmless]
    click.echo("\n".join(lines), err=err, color=colored)


def show_diff(text: str) -> None:
    """Print a unified diff to stdout; on a terminal in colour, without characters that could steer it."""
    colored = is_colored(sys.stdout)
    lines = map(_diff_line, text.split("\n")) if colored or sys.stdout.isatty() else [text]
    click.echo("\n".join(lines), color=colored)


def show_changes(render: Callable[[], str]) -> int:
    """Print a text, and again whenever it has become another, until Ctrl-C; the exit code is 0."""
    shown = None
    with suppress(KeyboardInterrupt):
        while True:
            text = render()
            if text != shown:
                click.clear()
                show(text)
                shown = text
            time.sleep(WATCH_SECONDS)
    return 0


def painted(line: str) -> str:
    """Return a line with its mark, state or label in colour, as ANSI sequences."""
    for pattern in (_MARKED, _STATE):
        match = pattern.match(line)
        if match:
            word = click.style(match[2], fg=COLORS[match[2]])
            return f"{match[1]}{word}{line[match.end() :]}"
    match = _LABEL.match(line)
    return f"{match[1]}{click.style(match[2], bold=True)}{line[match.end() :]}" if match else line


def _diff_line(line: str) -> str:
    clean = plain(line)
    for heads, style in _DIFF:
        if clean.startswith(heads):
            return click.style(clean, **style)  # type: ignore[arg-type]
    return clean
