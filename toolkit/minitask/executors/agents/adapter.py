"""The interface of agent programs, and helpers that adapters share: arguments, variables, output parsing.

No parser here raises: unreadable text counts as absent, and an impossible number becomes None.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from functools import reduce
from pathlib import Path
from typing import ClassVar, Protocol

from msgspec import Struct, field

from minitask.executors.request import FailureKind
from minitask.ledger.record import NO_USAGE, Usage, plus
from minitask.patterns import lazy_pattern
from minitask.values import Redacted
from minitask.words import one_line

Object = Mapping[str, object]

VERSION_SECONDS = 20.0
"""Time limit for a program to print its version."""
PROMPT_FILE = "prompt.md"
"""The prompt's path below the home, for agents that read it from a file."""
NO_KEY = "unused"
"""Placeholder key for an endpoint in the config without a key: the user's own key must not be sent there."""
_BY_NAME = (("claude", "ANTHROPIC"), ("gemini", "GEMINI"), ("deepseek", "DEEPSEEK"))
_MOST = 1_000_000_000
_VERSION_CHARACTERS = 80
_VERSION = lazy_pattern(r"\d+\.\d+")
_TRIES = 100
"""Maximum number of positions tried as the start of an object, so that hostile output cannot stall the parser."""


class Job(Redacted, frozen=True):
    """One task for an agent program.

    `workspace` holds the base's files, `writes` the paths (relative, `/`-separated) that it may create, edit or delete,
    `reads` those that it should look at. `home` is an empty home folder for this run. It is killed after `seconds`.
    `base_url` and `key` are the config's endpoint and its secret, if any, `extra_args` the user's additional arguments.
    `sandboxed`: it runs in a sandbox, where its own sandbox cannot start.
    """

    HIDDEN: ClassVar[tuple[str, ...]] = ("key",)

    prompt: str
    model: str
    workspace: Path
    home: Path
    seconds: float
    writes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    max_cost_usd: Decimal | None = None
    base_url: str = ""
    key: str = ""
    extra_args: tuple[str, ...] = ()
    sandboxed: bool = False


class Invocation(Redacted, frozen=True):
    """The command that starts the program, its standard input, and its environment variables.

    `files` are written below `home` first (relative path to text). `outputs` are the files below `home` that `report`
    reads. `optional` are flags that older versions may not know, with their number of values; if refused, they are left
    out.
    """

    HIDDEN: ClassVar[tuple[str, ...]] = ("env", "files")

    argv: tuple[str, ...]
    stdin: bytes = b""
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    optional: Mapping[str, int] = field(default_factory=dict)


class Output(Struct, frozen=True):
    """The program's output; `files` holds those of `Invocation.outputs` that exist."""

    exit_code: int | None
    stdout: str
    stderr: str
    files: Mapping[str, str] = field(default_factory=dict)
    timed_out: bool = False


Problem = tuple[FailureKind | None, str]
"""The last two fields of a report."""


class AgentReport(Struct, frozen=True):
    """The parsed output: tokens, the cost that the program states (or None), its final message.

    `problem` is set if the provider or the program failed, so that no change can be expected; `message` describes it. A
    task that the agent failed to do is no problem here: the diff shows it.
    """

    usage: Usage
    cost_usd: Decimal | None = None
    final_message: str = ""
    problem: FailureKind | None = None
    message: str = ""


class AgentProgram(Protocol):
    """One agent program; `name` is its type in the config.

    `version_flag` makes it print its version ("": no flag does). `litter` are glob patterns of its own files in the
    workspace. `credentials` are login files below the user's home, `variables` the environment variables that are
    passed on. `caps_cost`: it keeps within `max_cost_usd` by itself.
    """

    name: str
    version_flag: str = "--version"
    litter: tuple[str, ...] = ()
    credentials: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    caps_cost: bool = False

    @property
    def program(self) -> str:
        """Return the program's executable name."""
        return self.name

    def invocation(self, job: Job) -> Invocation:
        """Return the invocation for a job."""
        ...

    def report(self, output: Output) -> AgentReport:
        """Parse its output; never raise."""
        ...


def prompt_bytes(job: Job) -> bytes:
    """Return the prompt as standard input."""
    return job.prompt.encode("utf-8", "replace")


def prompt_path(job: Job) -> str:
    """Return the absolute path of the prompt file in `Invocation.files`."""
    return str(job.home / PROMPT_FILE)


def plain(path: str) -> str:
    """Return a path as an argument that cannot be mistaken for an option."""
    return f"./{path}" if path.startswith("-") else path


def without_flags(argv: tuple[str, ...], flags: Mapping[str, int]) -> tuple[str, ...]:
    """Return a command line without the given flags and their values; `flags` maps each to its number of values."""
    remaining, skip = [], 0
    for part in argv:
        if not skip and part in flags:
            skip = flags[part] + 1
        if skip:
            skip -= 1
        else:
            remaining.append(part)
    return tuple(remaining)


def unless_given(job: Job, flag: str, value: str) -> tuple[str, ...]:
    """Return a flag and its value, or nothing if `extra_args` has that flag."""
    overridden = any(arg == flag or arg.startswith(f"{flag}=") for arg in job.extra_args)
    return () if overridden else (flag, value)


def endpoint_variables(job: Job, *, url: str, key: str) -> dict[str, str]:
    """Return the variables named `url` and `key`, for a program with one provider.

    For an endpoint in the config without a key, the key is a placeholder: the user's own key must not be sent there.
    """
    if job.base_url:
        return {url: job.base_url, key: job.key or NO_KEY}
    return {key: job.key} if job.key else {}


def key_variable(model: str) -> str:
    """Return the variable for the key of a model named `PROVIDER/NAME` or `NAME`."""
    provider, slash, _ = model.partition("/")
    if slash:
        return f"{provider.upper().replace('-', '_')}_API_KEY"
    vendor = next((name for start, name in _BY_NAME if model.startswith(start)), "OPENAI")
    return f"{vendor}_API_KEY"


def parse(text: str) -> object:
    """Return the value of a JSON text, with exact decimals, or None if it is invalid."""
    try:
        value: object = json.loads(text, parse_float=_decimal, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None
    return value


def _decimal(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def version(output: bytes) -> str:
    """Return the last line with a version number, shortened, or ""."""
    lines = output.decode("utf-8", "replace").strip().splitlines()
    named = [line for line in lines if _VERSION.search(line)]
    return one_line(named[-1], longest=_VERSION_CHARACTERS).strip() if named else ""


def records(text: str) -> tuple[Object, ...]:
    """Return all JSON objects of an output: the output itself, the items of its array, or whole lines."""
    whole = parse(text)
    if isinstance(whole, dict):
        whole = [whole]
    candidates = whole if isinstance(whole, list) else map(parse, full_lines(text))
    return tuple(item for item in candidates if isinstance(item, dict))


def of_type(kind: str, objects: Iterable[Object]) -> list[Object]:
    """Return the objects of this `type`."""
    return [item for item in objects if item.get("type") == kind]


def is_whole(text: str) -> bool:
    """Return True if the last non-blank line is a JSON object, so that the output is not truncated there."""
    return bool(lines := full_lines(text)) and isinstance(parse(lines[-1]), dict)


def trailing_object(text: str) -> Object:
    """Return the JSON object at the end of a text, on one or more lines, or an empty one."""
    end, tries = len(text), 0
    while end > 0 and tries < _TRIES:
        start = text.rfind("\n{", 0, end) + 1
        if text.startswith("{", start) and isinstance(value := parse(text[start:]), dict):
            return value
        end, tries = start - 1, tries + 1
    return {}


def last_value(text: str) -> object:
    """Return the output as one JSON value, or else its last line that is JSON, or None."""
    values = map(parse, (text, *reversed(full_lines(text))))
    return next((value for value in values if value is not None), None)


def full_lines(text: str) -> list[str]:
    """Return the lines that are not blank."""
    return [line for line in text.split("\n") if line.strip()]


def items(value: object) -> list[object]:
    """Return a JSON array; an empty one for any other value."""
    return value if isinstance(value, list) else []


def string(value: object) -> str:
    """Return a JSON string; "" for any other value."""
    return value if isinstance(value, str) else ""


def amount(value: object) -> Decimal | None:
    """Return an amount of dollars; None if it is not a number, negative or absurd."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return Decimal(value) if 0 <= value <= _MOST else None


def total(counts: Iterable[int | None]) -> int | None:
    """Return the sum, or None if one of the counts is None."""
    numbers = list(counts)
    known_numbers = [item for item in numbers if item is not None]
    return sum(known_numbers) if len(known_numbers) == len(numbers) else None


def summed(usages: Iterable[Usage]) -> Usage:
    """Return the sum of the usages; all counts are None if there are none."""
    all_usages = list(usages)
    return reduce(plus, all_usages, NO_USAGE) if all_usages else Usage()


def free_or_unknown(cost: Decimal | None, usage: Usage) -> Decimal | None:
    """Return a program's cost, or None for a 0 with tokens, which means that it does not know the model's price."""
    return cost if cost or (usage.input_tokens, usage.output_tokens) == (0, 0) else None
