"""The result of a session: each command with its exit code, the end of its output, and the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence


TAIL_BYTES = 4000
NAMED_HOSTS = 3


class CommandResult(Struct, frozen=True):
    """The result of one command; `reason` says why it failed, `exit_code` is `None` where there came
    none.

    `output_tail` is the end of what it printed on both streams, `output_bytes` the size of all of
    it; `changed` are the tracked files that it left changed, `refused_hosts` what a failed one tried to reach and
    `network` does not list.
    """

    line: int
    command: str
    exit_code: int | None
    passed: bool
    seconds: float
    output_tail: str = ""
    output_bytes: int = 0
    reason: str = ""
    changed: tuple[str, ...] = ()
    refused_hosts: tuple[str, ...] = ()


class SessionResult(Struct, frozen=True):
    """A result for every command, those not run included; `sandbox` is the strength of the one
    they ran in.
    """

    results: tuple[CommandResult, ...]
    timed_out: bool = False
    killed_reason: str = ""
    sandbox: str = ""

    @property
    def passed(self) -> bool:
        """Return True if every command did."""
        return all(result.passed for result in self.results)


def tail(output: bytes, *, limit: int = TAIL_BYTES) -> str:
    """Return the last `limit` bytes as text, from the start of a line where there is one."""
    end = output[-limit:]
    if len(end) < len(output):
        newline = output.find(b"\n", len(output) - limit - 1, len(output) - 1)
        end = output[newline + 1 :] if newline >= 0 else end.lstrip(bytes(range(0x80, 0xC0)))
    return end.decode("utf-8", "replace")


def unlisted_text(hosts: Sequence[str]) -> str:
    """Return what a command tried to reach and may not, and what to do about it."""
    return f"wanted {first_hosts(hosts)}: add it to `network`, or vendor it"


def first_hosts(hosts: Sequence[str]) -> str:
    """Return some of the hosts, and how many more there are."""
    more = f" and {len(hosts) - NAMED_HOSTS} more" if len(hosts) > NAMED_HOSTS else ""
    return ", ".join(hosts[:NAMED_HOSTS]) + more
