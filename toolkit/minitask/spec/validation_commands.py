"""The commands of a Validation section: from shell fences, or from the code of lines like ``Run: `pytest -q` ``.

Fences are split into top-level commands with their expectations: plain lines of one command without a parser, anything
else with tree-sitter's bash grammar.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from msgspec import Struct, field
from msgspec.structs import replace

from minitask.patterns import lazy_pattern
from minitask.spec.bash import ShellPart, UnreadableError, find_expectation_text, parsed_parts
from minitask.spec.expectations import FORMS, LARGEST_EXIT, apply_remarks, parse_expectation
from minitask.spec.markdown import CODE, code_text, strip_marks
from minitask.spec.model import Command, Criterion, Expectation, ExpectationKind, Fence, Problem
from minitask.spec.remarks import parse_remark
from minitask.words import counted, word_set

_PROGRAMS = word_set("""
alembic ansible ansible-playbook awk bash bazel biome black bun bundle bunx cargo cat cd clang cmake composer
ctest curl dart deno diff docker dotnet echo eslint find flake8 flutter gcc git go gofmt golangci-lint gradle grep
gulp hatch head helm java jest jq julia kubectl ls make mix mkdocs mocha mvn mypy node nox npm npx nx perl php
phpstan phpunit pip pipenv playwright pnpm podman poetry pre-commit prettier psql pyright pytest python python3
rails rake rg rspec rubocop ruby ruff rustc rustfmt sbt sed sh shellcheck sqlite3 swift swiftlint tail terraform
test tox tsc uv uvx vitest vue-tsc wc xcodebuild xmllint yamllint yarn zig zsh
""")
_ALONE = word_set("pytest make tox nox jest vitest mypy ruff phpunit rspec rubocop ctest")
_PROSE = word_set(
    "and are as at by for if in is it of on or out over sure that the these this through to with"
)
_ENGLISH = word_set("black cat diff echo find go head java make mix node nox swift test")
_ASSIGNMENT = lazy_pattern(r"\A(?:[A-Za-z_]\w*=\S*\s+)+(?=\S)")


def looks_like_command(text: str) -> bool:
    """Return True if the text begins with a known program and its arguments, or with a path to one."""
    tokens = _ASSIGNMENT.sub("", text, count=1).split()
    if not tokens or text.endswith(("()", ":")) or not _PROSE.isdisjoint(tokens[1:2]):
        return False
    if tokens[0].startswith("./") or "bin" in tokens[0].split("/")[:-1]:
        return True
    return tokens[0] in (_PROGRAMS | {"!"} if len(tokens) > 1 else _ALONE)


SHELLS = frozenset(
    {"", "bash", "sh", "shell", "console", "zsh", "ksh", "shellscript", "shell-session", "terminal"}
)
_PROMPT = lazy_pattern(r"(?:\([\w.-]+\) ?)?(?:[\w.-]+@[\w.-]+[^\s$#%>]*[$#%>]|[$%]) ")
_STATUS_TEST = lazy_pattern(
    r"(?:test|\[\[?|\(\()\s+[\"']?\$\{?\?\}?[\"']?\s+(?P<operator>-eq|-ne|-gt|==?|!=|>)\s+(?P<number>[0-9]{1,3})"
    r"(?:\s+(?:\]\]?|\)\)))?(?:\s*&&\s*(?:echo|printf)\b[^;|&]*)?"
)
_STATUS_SHOWN = lazy_pattern(r"echo\s+\"?[^\"'$;|&]*\$\{?\?\}?\"?")
_OUTPUT_LEAD = lazy_pattern(
    r"(?i)(?:(?:the\s+)?(?:(?:expected|example|sample)(?:\s+(?:output|results?))?|outputs?)\s*(?:\([^)]*\)\s*)?"
    r"|(?:(?:it|this|that|which|you)\s+)?(?:(?:should|must|will)\s+)?(?:prints?|shows?|see|returns?|displays?|outputs?"
    r"|looks?\s+like)(?:\s+(?:this|something\s+like(?:\s+this)?))?\s*):?"
)

_WORD = r"""(?:[A-Za-z0-9_./=:@%+,^~?*\[\]-]|"[^"$`\\!\n]*"|'[^'\n]*')++"""
_REDIRECT = rf"[012]?(?:>>?|<)(?:&[012]|[ \t]*{_WORD})"
_SIMPLE = rf"{_WORD}(?:[ \t]+(?:{_WORD}|{_REDIRECT}))*"
_PLAIN = lazy_pattern(
    rf"[ \t]*(?:(?P<command>{_SIMPLE}(?:[ \t]*(?:&&|\|\|?)[ \t]*{_SIMPLE})*)"
    r"(?:[ \t]+(?P<tail>\#.*))?|(?P<comment>\#.*))?[ \t]*$"
)
_RESERVED = lazy_pattern(
    r"(?:^|&&|\|\|?)[ \t]*(?:if|then|elif|else|fi|for|select|while|until|do|done|case|esac|in|"
    r"function|time|coproc|\[\[)(?![A-Za-z0-9_./=:@%+,-])"
)


class _Splitter(Struct):
    """The commands of a fence, with the expectations from comments joined to them."""

    offset: int
    commands: list[Command] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    pending: list[tuple[int, Expectation]] = field(default_factory=list)
    last_row: int = -1

    def add(self, part: ShellPart) -> None:
        if part.is_comment:
            self._comment(part.text, part.first)
            return
        waiting = tuple(expectation for _, expectation in self.pending)
        self.pending.clear()
        self.commands.append(Command(part.text, waiting, part.first + self.offset))
        self.last_row = part.first if part.inner else part.last
        for comment in part.inner:
            self._comment(comment, part.first)
        self.last_row = part.last

    def _comment(self, text: str, row: int) -> None:
        expectation_text = find_expectation_text(text)
        if expectation_text is None:
            return
        expectation = parse_expectation(expectation_text)
        if expectation is None:
            self._problem(row, f"unknown expectation `{expectation_text}`", f"write one of {FORMS}")
        elif row == self.last_row and self.commands:
            command = self.commands[-1]
            self.commands[-1] = replace(command, expectations=(*command.expectations, expectation))
        else:
            self.pending.append((row, expectation))

    def finish(self) -> None:
        for row, _ in self.pending:
            self._problem(
                row, "an expectation without a command after it", "put it above its command"
            )

    def _problem(self, row: int, message: str, hint: str) -> None:
        self.problems.append(Problem(row + self.offset, "E107", message, hint))


def is_shell(fence: Fence) -> bool:
    """Return True if a fence of the Validation section is run; one without a language may show output instead."""
    language = shell_language(fence.info)
    return language in SHELLS and not (not language and _OUTPUT_LEAD.fullmatch(fence.lead.strip()))


def shell_language(info: str) -> str:
    """Return a fence's language in lower case: `bash` for `Bash,ignore`, `{.bash}` or `bash {x}`."""
    if info.isalpha():
        return info.casefold()
    return re.split(r"[\s,{}]", info.strip().lstrip("{").lstrip("."), maxsplit=1)[0].casefold()


def split_commands(fence: Fence) -> tuple[tuple[Command, ...], tuple[Problem, ...]]:
    """Return the top-level commands of a shell fence in order, and its problems.

    A fence that bash's grammar cannot read gives no command and one problem.
    """
    content, dropped = _without_prompts(fence)
    offset = fence.line + 1
    parts = _plain_parts(content)
    if parts is None:
        try:
            parts = list(parsed_parts(content))
        except UnreadableError as unreadable:
            return (), (unreadable.problem(offset),)
    splitter = _Splitter(offset)
    for part in parts:
        splitter.add(part)
    splitter.finish()
    commands, unread = apply_remarks(parts, splitter.commands, offset=offset)
    commands = _held_to_tests(commands)
    return commands, (*splitter.problems, *unread, *dropped)


def _held_to_tests(commands: tuple[Command, ...]) -> tuple[Command, ...]:
    """Return the commands; one whose `$?` the next command tests or shows gets the expectation of that command."""
    updated = list(commands)
    for index, following in enumerate(commands[1:]):
        text = following.text.strip()
        test = "?" in text and _STATUS_TEST.fullmatch(text)
        shown = "?" in text and _STATUS_SHOWN.fullmatch(text)
        stated = [e.number for e in following.expectations if e.kind is ExpectationKind.NUMBER]
        if updated[index].expectations:
            continue
        if test:
            number, is_equal = int(test["number"]), test["operator"] in {"-eq", "=", "=="}
        elif shown and len(stated) == 1:
            number, is_equal = stated[0], True
        else:
            continue
        if is_equal and number <= LARGEST_EXIT:
            expected = Expectation(ExpectationKind.EXIT, number)
        elif not is_equal and number == 0:
            expected = Expectation(ExpectationKind.FAILS)
        else:
            continue
        updated[index] = replace(updated[index], expectations=(expected,))
    return tuple(updated)


def _without_prompts(fence: Fence) -> tuple[str, tuple[Problem, ...]]:
    """Return a session as typed: if the first line begins with a prompt, only such lines are commands.

    The other lines are output in a `console` fence; in a `bash` fence they may be commands, so they are reported.
    """
    lines = fence.content.split("\n")
    first = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    if not _PROMPT.match(first):
        return fence.content, ()
    typed, continued, passed_over = [], False, []
    for row, line in enumerate(lines):
        prompt = _PROMPT.match(line)
        if prompt:
            typed.append(line[prompt.end() :])
        elif continued:
            typed.append(line.removeprefix("> "))
        else:
            typed.append(line if line.startswith("#") else "")
            if line.strip() and not line.startswith("#"):
                passed_over.append((row, line.strip()))
        continued = typed[-1].endswith("\\")
    return "\n".join(typed), tuple(_passed_over(fence, passed_over))


def _passed_over(fence: Fence, lines: list[tuple[int, str]]) -> Iterator[Problem]:
    """Yield one warning for the lines without a prompt that may be commands."""
    if shell_language(fence.info) in {"console", "shell-session", "terminal"}:
        lines = [(row, line) for row, line in lines if looks_like_command(line)]
    if lines:
        row, line = lines[0]
        more = f", nor {counted(len(lines) - 1, 'other line')}" if len(lines) > 1 else ""
        yield Problem(
            fence.line + 1 + row,
            "W415",
            f"`{line}` is not run{more}: other lines begin with a prompt",
            "begin every command with `$ `, or none; keep output out of a `bash` fence",
        )


def _plain_parts(content: str) -> list[ShellPart] | None:
    """Return the parts of lines that are one simple command each, or None if a line may be more."""
    parts = []
    for row, line in enumerate(content.split("\n")):
        match = _PLAIN.match(line)
        if match is None or _RESERVED.search(line):
            return None
        if match["command"]:
            parts.append(ShellPart(match["command"].strip(), row, row))
        comment = match["comment"] or match["tail"]
        if comment:
            parts.append(ShellPart(comment, row, row, is_comment=True))
    return parts


_RUN = lazy_pattern(
    r"(?i)(?:\\?\[[ xX]?\\?\]\s*)?(?:\d+[.)]\s*)?[*_]*"
    r"(?:(?:(?:then|the|all|unit|type)\s+)*(?:run|execute|commands?|checks?|verify|tests?|validate|confirm|ensure|validation"
    r"|lint\w*|types?|build|compiles?|format\w*|coverage|syntax)\b[^`:.]{0,60}:?[*_:]*\s*)?"
    r"(?P<ticks>`+)(?P<code>[^`]+)(?P=ticks)[*_]*"
    r"\s*(?:(?:still\s+)?(?:passes|succeeds|works|is\s+(?:green|clean)|(?:must|should)\s+(?:pass|succeed|work)|exits\s+(?:with\s+)?0)"
    r"|(?:reports|shows|has|gives|finds)\s+no\s+\w+|\([^()`]{1,80}\)|(?P<stated>(?:→|->|=>)\s*[^`]{1,80})|[-–—]\s+[^`]{1,80})?[.;]?"
)
_CONDITION = lazy_pattern(
    r"(?i)\b(?:fails?|failure|failing|errors?:|if|unless|optional\w*|undo|revert\w*|roll\w*)(?!\w)"
)
_CHECK_OUTPUT = 'to check it, write `# expect: output contains "…"` behind the command'
_STATED = lazy_pattern(r"(?i)[*_]*expected(?:\s+(?:output|result))?[*_]*:[*_]*\s*\S")
_EXPECTED = lazy_pattern(r"(?i)[*_]*(?:expected|should)\b.*")


def read_commands(
    fences: Sequence[Fence], texts: Sequence[tuple[str, int]], criteria: Sequence[Criterion]
) -> tuple[tuple[Command, ...], list[Problem]]:
    """Return the commands of shell fences in order, and the problems of those not run or not readable.

    `texts` are the section's lines outside fences, each with its line number.
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
    rows = {line for _, line in texts}
    criteria_codes = (
        (code, item.line)
        for item in criteria
        if item.line not in rows
        for code in _codes(item.text)
    )
    problems.extend(_not_run(fences, criteria_codes, "acceptance criteria"))
    return tuple(commands), problems


def _ignored(fence: Fence) -> Problem:
    language = " ".join(fence.info.split(maxsplit=1)[:1])
    name = f"a `{language[:40]}` fence" if language else f"the fence below `{fence.lead}`"
    message = f"{name} in the validation is not run"
    hint = "mark it `bash` if it holds commands" if language else _CHECK_OUTPUT
    return Problem(fence.line, "N416", message, hint)


def inline_fences(texts: Sequence[tuple[str, int]]) -> Iterator[Fence]:
    """Yield a fence for each line that is only a command, with what is expected behind it or in the line below it."""
    for (text, line), (following, _) in zip_longest(texts, texts[1:], fillvalue=("", 0)):
        match = None if _CONDITION.search(CODE.sub("", text)) else _RUN.fullmatch(text.strip())
        command = code_text(match["code"]).strip().removeprefix("$ ") if match else ""
        if match and looks_like_command(command):
            stated = following if _EXPECTED.fullmatch(following) else match["stated"]
            remark = f"  # {strip_marks(stated)}" if stated else ""
            yield Fence("bash", f"{command}{remark}\n", line=line - 1)


def indented_commands(content: str) -> bool:
    """Return True if each line of an indented block is a command or a comment, so that the block is no output."""
    lines = [line.strip().removeprefix("$ ") for line in content.split("\n") if line.strip()]
    return all(line.startswith("#") or looks_like_command(line) for line in lines)


def _unread(fences: Sequence[Fence], texts: Sequence[tuple[str, int]]) -> Iterator[Problem]:
    """Yield a warning for each command in the text that is not run."""
    in_lines = {fence.line for fence in inline_fences(texts)}
    runs_fences = any(is_shell(fence) and fence.line not in in_lines for fence in fences)
    for text, line in texts:
        remark = parse_remark(strip_marks(text)) if runs_fences and _STATED.match(text) else None
        if remark and (remark.expectation or not remark.tail):
            message = f"`{text[:60]}` states an output that no command checks"
            yield Problem(line, "W414", message, _CHECK_OUTPUT)
    codes = ((code, line) for text, line in texts for code in _codes(text) or _plain_command(text))
    yield from _not_run(fences, codes, "validation's text")


def _codes(text: str) -> list[str]:
    return [code_text(span[2]).strip().removeprefix("$ ") for span in CODE.finditer(text)]


def _plain_command(text: str) -> list[str]:
    """Return a line without marks if it is certainly a command, and no sentence that begins like one."""
    tokens = text.split()
    is_certain = tokens[:1] != [] and (
        tokens[0] not in _ENGLISH or any(token[0] in "-./" for token in tokens[1:])
    )
    is_whole = tokens[-1:] in (["."], ["./..."]) or not text.endswith((".", ",", ";"))
    return [text] if is_certain and is_whole and _PLAIN.match(text) else []


def _on_one_line(text: str) -> str:
    words = text.replace("`", "'").split()  # criteria show a backtick as an apostrophe
    return " ".join(word for word in words if word != "\\")


def _not_run(
    fences: Sequence[Fence], codes: Iterable[tuple[str, int]], place: str
) -> Iterator[Problem]:
    """Yield a warning for each command that no fence holds."""
    written = _on_one_line("\n".join(fence.content for fence in fences))
    for code, line in codes:
        if looks_like_command(code) and _on_one_line(code) not in written:
            message = f"`{code}` in the {place} is not run"
            yield Problem(line, "W415", message, "put it in a `bash` fence to run it")
