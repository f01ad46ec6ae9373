"""The commands of a Validation section: its shell fences, or the code of lines such as ``Run: `pytest -q` ``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from minitask.patterns import lazy_pattern
from minitask.spec.inline import CODE, code_text, strip_marks
from minitask.spec.model import Command, Fence, Severity
from minitask.spec.rules import Problem
from minitask.spec.shell_fence import is_shell, split_commands
from minitask.spec.shell_programs import looks_like_command

_RUN = lazy_pattern(
    r"(?:\\?\[[ xX]?\\?\]\s*)?(?:\d+[.)]\s*)?[*_]*"
    r"(?:(?:(?:then\s+)?(?:run|execute|commands?|check|verify|test|validate|confirm|ensure|validation)\b[^`:.]{0,60}:?)[*_:]*\s*)?"
    r"(?P<ticks>`+)(?P<code>[^`]+)(?P=ticks)[*_]*"
    r"\s*(?:(?:still\s+)?(?:passes|succeeds|works|is\s+green|(?:must|should)\s+(?:pass|succeed|work)|exits\s+(?:with\s+)?0))?[.;]?",
    re.IGNORECASE,
)
_EXPECTED = lazy_pattern(r"[*_]*(?:expected|should)\b.*", re.IGNORECASE)


def read_commands(
    fences: Sequence[Fence], texts: Sequence[tuple[str, int]]
) -> tuple[tuple[Command, ...], list[Problem]]:
    """Return the commands of shell fences in order, and what is not run or cannot be read.

    `texts` are the section's lines outside fences, each with its place.
    """
    commands: list[Command] = []
    problems: list[Problem] = []
    for fence in fences:
        if not is_shell(fence):
            problems.append(_ignored(fence))
            continue
        split, wrong = split_commands(fence)
        commands.extend(split)
        problems.extend(wrong)
    problems.extend(_unread(fences, texts))
    return tuple(commands), problems


def _ignored(fence: Fence) -> Problem:
    language = " ".join(fence.info.split(maxsplit=1)[:1])
    name = f"a `{language[:40]}` fence" if language else f"the fence below `{fence.lead}`"
    message = f"{name} in the validation is not run"
    return Problem(
        fence.line, "N416", message, "mark it `bash` if it holds commands", Severity.NOTE
    )


def inline_fences(texts: Sequence[tuple[str, int]]) -> Iterator[Fence]:
    """Return a fence for each line that is nothing but a command, held to the `Expected: …` below it."""
    for index, (text, line) in enumerate(texts):
        command = _whole_command(text)
        if command:
            following = texts[index + 1][0] if index + 1 < len(texts) else ""
            remark = f"  # {strip_marks(following)}" if _EXPECTED.fullmatch(following) else ""
            yield Fence("bash", f"{command}{remark}\n", line=line - 1)


def _whole_command(text: str) -> str:
    """Return the command that a line consists of, beside words such as `Run:`; empty for any other line."""
    match = _RUN.fullmatch(text.strip())
    code = code_text(match["code"]).strip().removeprefix("$ ") if match else ""
    return code if looks_like_command(code) else ""


def _unread(fences: Sequence[Fence], texts: Sequence[tuple[str, int]]) -> Iterator[Problem]:
    """Yield a warning for each command in the text that is not run."""
    written = "".join(fence.content for fence in fences)
    for text, line in texts:
        for span in CODE.finditer(text):
            code = code_text(span[2]).strip().removeprefix("$ ")
            if looks_like_command(code) and code not in written:
                yield Problem(
                    line,
                    "W415",
                    f"`{code}` in the validation's text is not run",
                    "put it in a `bash` fence to run it",
                    Severity.WARNING,
                )
