"""Classify a plan's commands: which are checks, whether they must pass or fail, and which no task should run."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from minitask.patterns import lazy_pattern
from minitask.planning.importers.foreign_plan import PlanCommand
from minitask.spec.markdown import code_span
from minitask.spec.model import Command, ExpectationKind, Fence
from minitask.spec.vacuous_commands import CommandStrength, strength
from minitask.spec.validation_commands import SHELLS, shell_language, split_commands
from minitask.words import one_line

GIT_STEPS = lazy_pattern(
    r"(?:cd\s+\S+\s*&&\s*)?git\s+(?:-\S+\s+\S+\s+)?(?:add|commit|push|checkout|switch|branch|tag|merge|rebase"
    r"|stash|pull|fetch|clone|init|reset|restore|rm|mv|worktree\s+(?:add|remove))\b|gh\s+\w"
)
_NEVER_ENDS = lazy_pattern(
    r"\b(?:npm|pnpm|yarn|bun)\s+(?:run\s+)?(?:dev|start|serve|watch)\b|\b(?:uvicorn|gunicorn)\s|\bflask\s+run\b"
    r"|\b(?:next|vite)\s+dev\b|\btail\s+-f\b|\s--watch\b|\brunserver\b|\bdocker[- ]compose\s+up\b(?!.*\s-d\b)"
)
_INSTALLS = lazy_pattern(
    r"(?:(?:npm|pnpm|yarn|bun)\s+(?:i|install|add|ci)\b|(?:uv\s+)?pip3?\s+install\b|(?:poetry|uv|cargo|go)\s+(?:add|get|sync)\b"
    r"|(?:brew|apt|apt-get|gem|composer)\s+(?:install|require)\b|sudo\b|open\s|code\s)"
)
_MOVES = lazy_pattern(r"\bgit\s+(?:-C\s+\S+\s+)?(?:mv|rm)\s|\bsed\s+(?:-[a-hj-zE]+\s+)*-i")
_CHANGES = lazy_pattern(
    r"(?:mkdir|mv|cp|rm|rmdir|touch|ln|chmod|sed\s+(?:-[a-hj-zE]+\s+)*(?:-i\S*|--in-place))(?P<words>(?:\s+[^\s&|;]+)+)"
    r"|(?:printf|echo|cat)\b[^&|;]*?>>?(?P<target>\s*[^\s&|;]+)",
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
_SESSION = ("export ", "source ", ". ", "unset ", "set ")
_CD = lazy_pattern(
    r"cd\s+(?P<folder>\"[^\"\n]+\"|'[^'\n]+'|[^\s;&|]+)(?:\s*&&\s*(?P<rest>.+))?", re.DOTALL
)
_ELSEWHERE = lazy_pattern(r"(?:^|[\s\"'=(:])(?:/(?:Users|home|root)/|[A-Za-z]:\\\\?\w|~/)")
_REMARK = lazy_pattern(r"# [Ee]xpect")
_SILENT = lazy_pattern(
    r"(?:no|empty|nothing|without)\b(?:\s+\w+)?\s*(?:output|matches|results|hits|printed|found)?\b",
    re.I,
)
_SEARCHES = lazy_pattern(r"(?:git\s+)?(?:grep|rg)\b[^|;&]*", re.DOTALL)
_QUIET = lazy_pattern(r"\s(?:-[A-Za-z]*q[A-Za-z]*|--quiet|--silent)\b")
_NO_MATCH = lazy_pattern(r"\b(?:match|result|hit|found)", re.I)


class RunLine(Struct, frozen=True):
    """A command in a plan: its text, its expected result in words, and the title of its step."""

    text: str
    expected: str = ""
    title: str = ""


def is_shell_fence(fence: Fence) -> bool:
    """Return True for a block of shell commands; one without a language is code or output."""
    return shell_language(fence.info) in SHELLS - {""}


def is_commit(text: str) -> bool:
    """Return True if every command of a text only uses git or changes the folder."""
    commands = [command.text.strip() for command in _split(text) or ()]
    others = [command for command in commands if not GIT_STEPS.match(command)]
    return len(others) < len(commands) and all(map(_CD.fullmatch, others))


def work_of(text: str) -> list[str]:
    """Return the commands that move, remove or change files, as list items: they are a part of the work."""
    commands = [command.text.strip() for command in _split(text) or ()]
    work = (text for text in commands if _MOVES.search(text) or _changes_files(text))
    return [f"- {code_span(one_line(text))}" for text in work]


def only_runs(title: str) -> bool:
    """Return True for the title of a step that holds only commands or a commit."""
    verbs = r"(?:re-?)?(?:run|commit|verify|validate|test|check|final commit)\b|$"
    return re.match(verbs, title, re.IGNORECASE) is not None


def expects_failure(expected: str) -> bool | None:
    """Return True if the words expect a failure, False if success, None if neither."""
    text = _NEGATED.sub("pass", expected)
    red, green = _RED.search(text), _GREEN.search(text)
    if red is None and green is None:
        return None
    return red is not None and (green is None or red.start() < green.start())


def read_runs(
    runs: Iterable[RunLine], folders: Collection[str] = ()
) -> tuple[tuple[PlanCommand, ...], tuple[str, ...]]:
    """Return the commands that must pass, and a remark on each one left out.

    A command that must first fail and later pass becomes one check that fails before. Each run starts in the
    repository's root; `folders` are the folders of the plan's files, to resolve absolute paths.
    """
    red: dict[str, str] = {}
    green: dict[str, PlanCommand] = {}
    dropped: list[str] = []
    for run in runs:
        commands = _in_folders(_split(run.text), folders)
        if commands is None:
            dropped.append(f"`{_shown(run.text)}`: it cannot be read as bash")
        for folder, command in commands or ():
            text = _inside(folder, command.text)
            remark = _stated(text, run.expected) if len(commands or ()) == 1 else ""
            reason = _unfit(command.text, run, remark)
            if reason:
                dropped.append(f"`{_shown(text)}`: {reason}")
            elif command.fails_before or _is_red(run):
                red.setdefault(" ".join(text.split()), text)
            else:
                key = " ".join(text.split())
                key += f"\0{len(green)}" if key.startswith(_SESSION) else ""
                check = _as_check(folder, command.text, run, remark)
                green[key] = PlanCommand(check, expected=run.expected)
    never_pass = (text for key, text in red.items() if key not in green)
    why = "it is to fail, and nothing says that it passes later"
    dropped += [f"`{_shown(text)}`: {why}" for text in never_pass]
    checks = tuple(replace(check, fails_before=key in red) for key, check in green.items())
    if not any(_can_fail(check) for check in checks):
        dropped += [f"`{_shown(check.text)}`: it only prepares something" for check in checks]
        checks = ()
    return checks, tuple(dict.fromkeys(dropped))


def _can_fail(check: PlanCommand) -> bool:
    stated = check.fails_before or _REMARK.search(check.text)
    return bool(stated) or strength(Command(check.text)) is CommandStrength.CHECK


def _is_red(run: RunLine) -> bool:
    verdict = expects_failure(run.expected)
    return bool(expects_failure(run.title) if verdict is None else verdict)


def _stated(text: str, expected: str) -> str:
    """Return the comment that enforces an expected result, or an empty string if its words state nothing certain."""
    if not expected or "\n" in text or "#" in text:
        return ""
    remark = f"  # Expected: {one_line(expected, longest=300)}"
    commands, problems = split_commands(Fence("bash", f"{text}{remark}\n"))
    return remark if len(commands) == 1 and commands[0].expectations and not problems else ""


def _unfit(command: str, run: RunLine, remark: str) -> str:
    """Return why a command is not a check of a task, or "" if it is."""
    text = command.strip()
    if GIT_STEPS.match(text):
        return "minitask commits and merges itself"
    if _NEVER_ENDS.search(text):
        return "it does not end by itself"
    if _INSTALLS.match(text):
        return "it installs or opens something; set up the workspace in minitask.yaml"
    if _changes_files(text):
        return "it changes files, and a check leaves them as they are"
    if _ELSEWHERE.search(text):
        return "it names a folder of another machine"
    worth = strength(Command(text))
    shows = worth is CommandStrength.SHOW and not _is_silent(run)
    if (worth is CommandStrength.VOID or shows) and not remark:
        return "it cannot fail"
    if not run.expected and not _IS_CHECK.search(f"{run.title} {text}"):
        return "nothing says what it is to show"
    return ""


def _changes_files(text: str) -> bool:
    """Return True if a command only changes files, and not only temporary ones."""
    match = _CHANGES.fullmatch(text)
    words = (match["words"] or match["target"]).split() if match else []
    return any(not word.startswith(("-", "/tmp/", "/dev/", "$")) for word in words)  # noqa: S108


def _is_silent(run: RunLine) -> bool:
    return _SILENT.match(run.expected) is not None


def _as_check(folder: str, text: str, run: RunLine, remark: str) -> str:
    """Return a check that fails on output if silence is expected: a search is negated, others get a comment."""
    if not _is_silent(run) or "\n" in text:
        return f"{_inside(folder, text)}{remark}"
    if _SEARCHES.fullmatch(text):
        # a quiet search never prints, so an expectation of no output does not mean that nothing matches
        says_nothing = _QUIET.search(text) and not _NO_MATCH.search(run.expected)
        return _inside(folder, text if says_nothing else f"! {text}")
    is_check = strength(Command(text)) is CommandStrength.CHECK
    prints = text.startswith(("find ", "git ls-files", "git diff", "git status"))
    remark = "  # expect: no output" if prints or not is_check else remark
    return f"{_inside(folder, text)}{remark}"


def _in_folders(
    commands: Sequence[PlanCommand] | None, folders: Collection[str]
) -> tuple[tuple[str, PlanCommand], ...] | None:
    """Return the commands of a run, each with the folder it runs in."""
    if commands is None:
        return None
    folder = ""
    placed = []
    for command in commands:
        change = _CD.fullmatch(command.text.strip())
        target = _joined(folder, change["folder"].strip("\"'"), folders) if change else folder
        if change and not change["rest"]:
            folder = target
            continue
        text = change["rest"].strip() if change else command.text.strip()
        placed.append((target, PlanCommand(text, command.fails_before)))
    return tuple(placed)


def _inside(folder: str, text: str) -> str:
    """Return a command that runs in a folder, in a subshell, so that the next command starts at the root."""
    end = "\n)" if "\n" in text else ")"
    return f"(cd {shlex.quote(folder)} && {text}{end}" if folder else text


def _joined(folder: str, change: str, folders: Collection[str]) -> str:
    """Return the folder after `cd`; for an absolute path, its tail that is in the repository, else the root."""
    if not change.startswith(("/", "~", "$")):
        path = posixpath.normpath(posixpath.join(folder, change))
        return "" if path.startswith("..") or path == "." else path
    parts = [part for part in change.split("/") if part]
    ends = ("/".join(parts[start:]) for start in range(len(parts)))
    return next((end for end in ends if end in folders), "")


def _split(text: str) -> tuple[PlanCommand, ...] | None:
    """Return the top-level commands of a shell text, or None if it is invalid."""
    commands, problems = split_commands(Fence("bash", f"{text.strip()}\n"))
    if not commands and any(problem.code == "E106" for problem in problems):
        return None
    kinds = (ExpectationKind.FAILS, ExpectationKind.FAILS_BEFORE)
    return tuple(
        PlanCommand(command.text, any(item.kind in kinds for item in command.expectations))
        for command in commands
    )


def _shown(text: str) -> str:
    return one_line(text.replace("`", "'"), longest=80)


def with_criteria(commands: Iterable[PlanCommand]) -> Iterator[str]:
    """Yield each command's expected result, in the plan's words."""
    for command in commands:
        if command.expected:
            yield f"`{_shown(command.text)}`: {one_line(command.expected, longest=300)}"
