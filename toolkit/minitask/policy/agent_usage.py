"""What an agent program takes for a task: the median of its latest attempts, else by what it was measured to send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median_low

from msgspec import Struct

from minitask.ledger.usage import Usage

CHAT_TYPES = frozenset({"openai", "anthropic", "ollama", "scripted"})
"""The types of executors that are sent the files; all others are programs that read them in a workspace."""
ENOUGH_ATTEMPTS = 3
"""From this many attempts on, the ledger is asked."""
OWN_WORDS = 100
"""Output tokens of one request beside the change: the call of a tool, and a word on it."""


class AgentRequests(Struct, frozen=True):
    """What a program sends by itself: tokens of instructions and tools in each request, and requests for a task."""

    own_tokens: int
    requests: int


MEASURED: Mapping[str, AgentRequests] = {
    "aider": AgentRequests(2_200, 1),
    "claude": AgentRequests(7_300, 3),
    "codex": AgentRequests(9_600, 4),
    "gemini": AgentRequests(11_000, 4),
    "mini": AgentRequests(900, 4),
    "opencode": AgentRequests(3_800, 4),
    "qwen": AgentRequests(18_200, 4),
}
"""Tokens as `benchmarks/agent_tokens.py` counts them (November 2026); the requests are assumed: look, edit, end."""
UNCOUNTED_REQUESTS = 4
UNKNOWN = AgentRequests(9_600, UNCOUNTED_REQUESTS)
"""For a program that was not measured: as `codex`, the median of those that were."""


def is_agent(kind: str) -> bool:
    """Return True if executors of this type work on files themselves."""
    return kind not in CHAT_TYPES


def expected_usage(
    kind: str, *, prompt_tokens: int, read_tokens: int, output_tokens: int, scale: float = 1.0
) -> Usage:
    """Return what an agent of this type takes for a task: each request repeats what came before, and none is cached.

    `prompt_tokens` is what it is told, `read_tokens` the lines that the spec lists and it reads itself.
    """
    program = MEASURED.get(kind, UNKNOWN)
    requests = program.requests
    own_tokens = round(program.own_tokens * scale)
    output = output_tokens + requests * OWN_WORDS
    repeated = requests * (own_tokens + prompt_tokens)
    repeated += max(requests - 1, 1) * read_tokens + (requests - 1) * output // 2
    return Usage(requests, repeated, 0, output, 0, 0)


def median_usage(attempts: Sequence[Sequence[int]]) -> Usage | None:
    """Return the medians of attempts' requests, input, cached and output tokens; None if there are too few."""
    if len(attempts) < ENOUGH_ATTEMPTS:
        return None
    requests, total, cached, output = (median_low(counts) for counts in zip(*attempts, strict=True))
    return Usage(requests, total, min(cached, total), output, 0, 0)
