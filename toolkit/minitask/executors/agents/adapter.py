"""The interface to agent programs: the instructions, the command line, and the parsed output."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import ClassVar, Protocol

from msgspec import Struct, field

from minitask.executors.request import FailureKind
from minitask.ledger.usage import Usage
from minitask.values import Redacted

LITELLM_KEYS = (
    "OPENAI_API_KEY",
    "OPENAI_API_BASE",
    "ANTHROPIC_API_KEY",
    "GEMINI_API_KEY",
    "DEEPSEEK_API_KEY",
    "OPENROUTER_API_KEY",
)
"""Variables that programs read which reach every provider by way of LiteLLM."""
VERSION_SECONDS = 20.0
"""Time that a program may take to print its version."""


class Job(Redacted, frozen=True):
    """One task for an agent program.

    `prompt` is all that it is told. `workspace` holds the base's files. `writes` are the paths (relative,
    `/`-separated) that it may create, edit or delete, `reads` those that it should look at. `home` is an empty home of
    its own, and `seconds` is when it is killed. `base_url` and `key` are the endpoint and its secret where the config
    names them. `extra_args` are the user's own additions to the command line.
    `sandboxed`: it runs in a sandbox already, in which none of its own can start.
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
    """The command that starts the program: arguments, its standard input, and variables on top of the harmless ones.

    `files` are written below `home` first (relative path to text). `outputs` names files below `home` that the program
    writes and `report` wants to read. `optional` are flags that an older version may not know, with the number of their
    values: the program is started without them then.
    """

    HIDDEN: ClassVar[tuple[str, ...]] = ("env", "files")

    argv: tuple[str, ...]
    stdin: bytes = b""
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    optional: Mapping[str, int] = field(default_factory=dict)


class Output(Struct, frozen=True):
    """The output of the program; `files` holds those of `Invocation.outputs` that exist."""

    exit_code: int | None
    stdout: str
    stderr: str
    files: Mapping[str, str] = field(default_factory=dict)
    timed_out: bool = False


class AgentReport(Struct, frozen=True):
    """The parsed output: tokens, the program's own cost (None: it names none), its final message.

    `problem` is set where the provider or the program failed, so that no change can be expected; `message` says how.
    An agent that merely could not do the task has no problem here: its diff, or the lack of one, says so.
    """

    usage: Usage
    cost_usd: Decimal | None = None
    final_message: str = ""
    problem: FailureKind | None = None
    message: str = ""


class AgentProgram(Protocol):
    """One agent program.

    `name` is its type in the config, `program` what is started, `version_argv` the command line that prints its version
    (empty if there is none). `litter` are glob patterns of what it leaves in the workspace for itself. `credentials`
    are files below the user's home that hold its login, and `variables` the names of environment variables that it may
    be given. `caps_cost`: it keeps within `max_cost_usd` by itself.
    """

    name: str
    program: str
    version_argv: tuple[str, ...]
    litter: tuple[str, ...]
    credentials: tuple[str, ...]
    variables: tuple[str, ...]
    caps_cost: bool

    def invocation(self, job: Job) -> Invocation:
        """Return how to start it for a job."""
        ...

    def report(self, output: Output) -> AgentReport:
        """Return what its output says; never raises, whatever was printed."""
        ...


PROMPT_FILE = "prompt.md"
"""The prompt's path below the home, for the agents that read it from a file."""
NO_KEY = "unused"
"""In place of a key for an endpoint of the config's own that has none: the user's key is not for it."""
_BY_NAME = (("claude", "ANTHROPIC"), ("gemini", "GEMINI"), ("deepseek", "DEEPSEEK"))


def prompt_bytes(job: Job) -> bytes:
    """Return the prompt as standard input."""
    return job.prompt.encode("utf-8", "replace")


def prompt_path(job: Job) -> str:
    """Return where `Invocation.files` puts the prompt, absolute."""
    return str(job.home / PROMPT_FILE)


def plain(path: str) -> str:
    """Return a path as an argument: never to be taken for an option."""
    return f"./{path}" if path.startswith("-") else path


def without_flags(argv: tuple[str, ...], flags: Mapping[str, int]) -> tuple[str, ...]:
    """Return a command line without some flags and so many values of each."""
    kept, skip = [], 0
    for part in argv:
        if not skip and part in flags:
            skip = flags[part] + 1
        if skip:
            skip -= 1
        else:
            kept.append(part)
    return tuple(kept)


def unless_given(job: Job, flag: str, value: str) -> tuple[str, ...]:
    """Return a flag and its value, except for a user who gives that flag in `extra_args`."""
    overridden = any(arg == flag or arg.startswith(f"{flag}=") for arg in job.extra_args)
    return () if overridden else (flag, value)


def endpoint_variables(job: Job, *, url: str, key: str) -> dict[str, str]:
    """Return the variables `url` and `key` name, for a program with one provider.

    Where the config names an endpoint of its own without a key, the key is set to a word: a key that the user has for
    the provider itself must not go there.
    """
    if job.base_url:
        return {url: job.base_url, key: job.key or NO_KEY}
    return {key: job.key} if job.key else {}


def litellm_model(job: Job) -> str:
    """Return the model as LiteLLM names it: one at an endpoint of the config's own is spoken to as OpenAI's."""
    is_custom = job.base_url and not job.model.startswith("openai/")
    return f"openai/{job.model}" if is_custom else job.model


def litellm_variables(job: Job) -> dict[str, str]:
    """Return the endpoint and its key for what is built on LiteLLM, and its price list as it was shipped."""
    key = "OPENAI_API_KEY" if job.base_url else key_variable(job.model)
    return {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        **endpoint_variables(job, url="OPENAI_API_BASE", key=key),
    }


def key_variable(model: str) -> str:
    """Return the variable that holds the key for a model called `PROVIDER/NAME` or just `NAME`."""
    provider, slash, _ = model.partition("/")
    if slash:
        return f"{provider.upper().replace('-', '_')}_API_KEY"
    vendor = next((name for start, name in _BY_NAME if model.startswith(start)), "OPENAI")
    return f"{vendor}_API_KEY"
