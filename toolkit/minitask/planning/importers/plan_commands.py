"""The commands of a plan: which are checks, whether they are to pass or to fail, and which are no task's to run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from minitask.patterns import lazy_pattern
from minitask.planning.importers.foreign_plan import PlanCommand
from minitask.spec.model import ExpectationKind, Fence
from minitask.spec.shell_fence import SHELLS, shell_language, split_commands
from minitask.words import one_line

GIT_STEPS = lazy_pattern(
    r"(?:cd\s+\S+\s*&&\s*)?git\s+(?:-\S+\s+\S+\s+)?(?:add|commit|push|checkout|switch|branch|tag|merge|rebase|stash|pull|reset)\b"
)
_NEVER_ENDS = lazy_pattern(
    r"\b(?:npm|pnpm|yarn|bun)\s+(?:run\s+)?(?:dev|start|serve|watch)\b|\b(?:uvicorn|gunicorn)\s|\bflask\s+run\b"
    r"|\b(?:next|vite)\s+dev\b|\btail\s+-f\b|\s--watch\b|\brunserver\b|\bdocker[- ]compose\s+up\b(?!.*\s-d\b)"
)
_INSTALLS = lazy_pattern(
    r"(?:(?:npm|pnpm|yarn|bun)\s+(?:i|install|add|ci)\b|(?:uv\s+)?pip3?\s+install\b|(?:poetry|uv|cargo|go)\s+(?:add|get|sync)\b"
    r"|(?:brew|apt|apt-get|gem|composer)\s+(?:install|require)\b|sudo\b|open\s|code\s)"
)
_NEGATED = lazy_pattern(
    r"\b(?:no|0|zero|without(?:\s+any)?|not|never|free\s+of)\s+(?:\w+\s+){0,2}?(?:fail\w*|errors?|warnings?|exceptions?)",
    re.IGNORECASE,
)
_RED = lazy_pattern(
    r"\b(?:fail(?:s|ed|ure|ures|ing)?|errors?|(?:\w+)?Error|not\s+(?:yet\s+)?(?:defined|found|implemented|exist)|undefined"
    r"|cannot\s+(?:find|import|resolve)|does\s*n[o']t\s+(?:exist|compile)|no\s+such|missing|red|non-?zero|exit\s+(?:code\s+)?[1-9])\b",
    re.IGNORECASE,
)
_GREEN = lazy_pattern(
    r"\b(?:pass(?:es|ed|ing)?|succe(?:ss|eds?|ssful\w*)|no\s+output|ok|clean(?:ly)?|green|builds?|compiles?|valid"
    r"|exits?\s+(?:code\s+|with\s+)?0|all\s+tests)\b|✅|✓",
    re.IGNORECASE,
)
_IS_CHECK = lazy_pattern(
    r"\b(?:verif\w*|validat\w*|confirm\w*|check\w*|tests?|lint\w*|type-?check\w*|build|compil\w*|pass(?:es)?)\b",
    re.IGNORECASE,
)
_SESSION = ("cd ", "export ", "source ", ". ", "pushd ", "popd")


class RunLine(Struct, frozen=True):
    """A command as a plan gives it: its text, what is expected in words, and the title of the step that it is in."""

    text: str
    expected: str = ""
    title: str = ""


def is_shell_fence(fence: Fence) -> bool:
    """Return True for a block of shell commands; one without a language is code or output."""
    language = shell_language(fence.info)
    return bool(language) and language in SHELLS


def is_commit(text: str) -> bool:
    """Return True if every command of a text works on git alone."""
    commands = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return (
        bool(commands)
        and GIT_STEPS.match(commands[0].strip()) is not None
        and all(GIT_STEPS.match(command.text.strip()) for command in _split(text) or ())
    )


def expects_failure(expected: str) -> bool | None:
    """Return True if words want a failure, False if they want success, None if they say neither."""
    text = _NEGATED.sub("pass", expected)
    red, green = _RED.search(text), _GREEN.search(text)
    if red is None and green is None:
        return None
    return red is not None and (green is None or red.start() < green.start())


def read_runs(runs: Iterable[RunLine]) -> tuple[tuple[PlanCommand, ...], tuple[str, ...]]:
    """Return the commands that are to pass, and a remark on each that is left out.

    A command that is to fail first and to pass later is one command, which fails before.
    """
    red: dict[str, str] = {}
    green: dict[str, PlanCommand] = {}
    dropped: list[str] = []
    for run in runs:
        commands = _split(run.text)
        if commands is None:
            dropped.append(f"`{_shown(run.text)}`: it cannot be read as bash")
        for command in commands or ():
            reason = _unfit(command.text, run)
            if reason:
                dropped.append(f"`{_shown(command.text)}`: {reason}")
            elif command.fails_before or _is_red(run):
                red.setdefault(_key(command.text), command.text)
            else:
                key = _key(command.text)
                unique_key = f"{key}\0{len(green)}" if key.startswith(_SESSION) else key
                green[unique_key] = PlanCommand(command.text, expected=run.expected)
    dropped += [
        f"`{_shown(text)}`: it is to fail, and nothing says that it passes later"
        for key, text in red.items()
        if key not in green
    ]
    proven = (
        PlanCommand(command.text, fails_before=key in red, expected=command.expected)
        for key, command in green.items()
    )
    return tuple(proven), tuple(dict.fromkeys(dropped))


def _is_red(run: RunLine) -> bool:
    verdict = expects_failure(run.expected)
    return bool(expects_failure(run.title) if verdict is None else verdict)


def _unfit(command: str, run: RunLine) -> str:
    """Return why a command is no check of a task; empty for one that is."""
    text = command.strip()
    if GIT_STEPS.match(text):
        return "minitask commits and merges itself"
    if _NEVER_ENDS.search(text):
        return "it does not end by itself"
    if _INSTALLS.match(text):
        return "it installs or opens something; set up the workspace in minitask.yaml"
    if not run.expected and not _IS_CHECK.search(f"{run.title} {text}"):
        return "nothing says what it is to show"
    return ""


def _split(text: str) -> tuple[PlanCommand, ...] | None:
    """Return the top-level commands of a shell text; None if it cannot be read."""
    commands, problems = split_commands(Fence("bash", f"{text.strip()}\n"))
    if not commands and any(problem.code == "E106" for problem in problems):
        return None
    kinds = (ExpectationKind.FAILS, ExpectationKind.FAILS_BEFORE)
    return tuple(
        PlanCommand(command.text, any(item.kind in kinds for item in command.expectations))
        for command in commands
    )


def _key(text: str) -> str:
    return " ".join(text.split())


def _shown(text: str) -> str:
    return one_line(text.replace("`", "'"), longest=80)


def with_criteria(commands: Iterable[PlanCommand]) -> Iterator[str]:
    """Yield what each command is to show, in the plan's words."""
    for command in commands:
        if command.expected:
            yield f"`{_shown(command.text)}`: {one_line(command.expected, longest=300)}"
