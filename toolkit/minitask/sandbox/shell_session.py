"""Run shell commands one after another in one sandboxed bash, and judge each separately.

The shell prints a mark after each command to the stream that it shares with them; only marks with the session's secret
count, so a command's output cannot be taken for one. A command that ends the shell ends the session. After a session no
process of it remains: under bubblewrap by the kernel; else its process group is killed, and processes that left the
group are found by the name of the session's private directory in their environment, which they can hide only on
purpose.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

from msgspec import Struct, field

from minitask.errors import MachineError
from minitask.sandbox.commands import (
    DRIVER,
    CommandResult,
    SessionResult,
    Status,
    find_fault,
    read_status,
    tail,
    unlisted_text,
    wrapper_program,
)
from minitask.sandbox.policy import SHELL, Strength
from minitask.system import pipes, process

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from minitask.sandbox.policy import Grant, Listeners
    from minitask.sandbox.sandbox import Limits, Sandbox, Wrapped
    from minitask.spec.model import Command

LAST_WORDS_SECONDS = 2.0
NAMESPACE_END_SECONDS = 5.0


def run_commands(  # noqa: PLR0913 - the sandbox's decisions, and two of its own
    commands: Sequence[Command],
    *,
    sandbox: Sandbox,
    workspace: Path,
    limits: Limits,
    network: Grant,
    readonly: Sequence[Path],
    env: Mapping[str, str],
    extra_env: Mapping[str, str] | None = None,
    stop_at_first_failure: bool = False,
    on_event: Callable[[CommandResult], None] | None = None,
    on_output: Callable[[int, bytes], None] | None = None,
    put_back: Callable[[], tuple[str, ...]] | None = None,
    stepwise: bool = False,
) -> SessionResult:
    """Run the commands in order in one shell; pass each result to `on_event` immediately.

    `on_output` receives each command's index and whole output. `put_back` runs between commands, with `stepwise` also
    before each part of one: it restores tracked files and returns those that had changed. Of the caller's environment
    `env` the sandbox passes on harmless variables only; `extra_env` is passed on unchanged. Raise `MachineError` if the
    shell could not be started.
    """
    if not commands:
        return SessionResult((), sandbox=sandbox.strength.value)
    with contextlib.ExitStack() as ends:
        record = _Record(tuple(commands), on_event, on_output, put_back)
        wrapped = sandbox.wrap(
            (*SHELL, DRIVER),
            workspace=workspace,
            limits=limits,
            network=network is True,
            listeners=_open_proxy(network, sandbox, record, ends),
            environ=env,
            readonly=readonly,
            extra_env=extra_env,
        )
        is_strong = sandbox.strength is Strength.STRONG
        watching = _Watching(
            record, limits, stops=stop_at_first_failure, namespaced=is_strong, stepwise=stepwise
        )
        ends.enter_context(wrapped)
        with _started(wrapped, workspace) as child:
            watching.follow(child, ends)
        process.wait_until_gone(watching.descendants, timeout_seconds=NAMESPACE_END_SECONDS)
    watching.conclude(child.returncode)
    return SessionResult(
        tuple(record.results), watching.timed_out, watching.killed_reason, sandbox.strength.value
    )


def _started(wrapped: Wrapped, workspace: Path) -> contextlib.AbstractContextManager[pipes.Child]:
    return process.spawn(
        wrapped.argv, cwd=workspace, env=wrapped.env, merge_errors=True, pass_fds=wrapped.pass_fds
    )


def _open_proxy(
    network: Grant, sandbox: Sandbox, record: _Record, ends: contextlib.ExitStack
) -> Listeners | None:
    """Start a proxy for listed hosts; return None for no or full access, or if the sandbox cannot enforce a list."""
    if isinstance(network, bool) or not sandbox.can_list_hosts:
        return None
    from minitask.sandbox.proxy import Proxy

    proxy = Proxy(network, is_apart=sandbox.has_private_mounts)
    ends.callback(proxy.close)
    record.refused = proxy.take_refused
    return proxy.listeners


class _Record(Struct):
    """The results so far, and the callbacks."""

    commands: tuple[Command, ...]
    tell: Callable[[CommandResult], None] | None
    show: Callable[[int, bytes], None] | None
    put_back: Callable[[], tuple[str, ...]] | None
    refused: Callable[[], tuple[str, ...]] | None = None
    results: list[CommandResult] = field(default_factory=list)
    since: float = field(default_factory=time.monotonic)
    changed: dict[str, None] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Return True if every command has a result."""
        return len(self.results) == len(self.commands)

    def restore(self) -> tuple[str, ...]:
        """Restore tracked files; return those that the command has changed so far."""
        if self.put_back is not None:
            self.changed.update(dict.fromkeys(self.put_back()))
        return tuple(self.changed)

    def judge(self, output: bytes, *, code: int, pipeline: Sequence[int] = ()) -> CommandResult:
        """Add and return the result of the command that just ended."""
        command = self.commands[len(self.results)]
        status = read_status(command.text, code=code, pipeline=pipeline)
        reason = find_fault(command, status, output)
        return self._add(output, status=status, reason=reason, changed=self.restore())

    def fail(self, output: bytes, *, reason: str) -> None:
        """Add the result of a command that was cut off."""
        self._add(output, status=None, reason=reason)

    def skip_rest(self, reason: str) -> None:
        """Add results for the commands that were not run."""
        self.since = time.monotonic()
        while not self.complete:
            self._add(b"", status=None, reason=f"not run: {reason}", seconds=0.0)

    def _add(
        self,
        output: bytes,
        *,
        status: Status | None,
        reason: str,
        seconds: float | None = None,
        changed: tuple[str, ...] = (),
    ) -> CommandResult:
        command = self.commands[len(self.results)]
        now = time.monotonic()
        refused = self.refused() if self.refused else ()
        hosts = refused if reason else ()
        reason += f" ({unlisted_text(hosts)})" if hosts else ""
        result = CommandResult(
            line=command.line,
            command=command.text,
            exit_code=status.exit_code if status else None,
            passed=not reason,
            seconds=now - self.since if seconds is None else seconds,
            output_tail=tail(output),
            output_bytes=len(output),
            reason=reason,
            changed=changed,
            refused_hosts=hosts,
        )
        self.since = now
        self.changed.clear()
        if self.show is not None:
            self.show(len(self.results), output)
        self.results.append(result)
        if self.tell is not None:
            self.tell(result)
        return result


class _Watching:
    """A reader of the session's marks, which ends the session if necessary."""

    def __init__(
        self, record: _Record, limits: Limits, *, stops: bool, namespaced: bool, stepwise: bool
    ) -> None:
        self.record = record
        self.limits = limits
        self.stop = stops
        self.gated = stops or record.put_back is not None
        self.namespaced = namespaced
        self.descendants: list[int] = []
        self.killed_reason = ""
        self.timed_out = False
        self._ready = False
        self._stopped = False
        self._pending = bytearray()
        self._scanned = 0
        self._printed = 0
        self._counted = 0
        self._secret = os.urandom(16).hex()
        self._mark = b"\0" + self._secret.encode() + b":"
        self._step = os.urandom(16).hex() if stepwise else ""

    def follow(self, child: pipes.Child, ends: contextlib.ExitStack) -> None:
        """Feed the shell and read its output until it exits or must be ended, which leaving `spawn` does."""
        text = wrapper_program(
            self.record.commands, secret=self._secret, gated=self.gated, step=self._step
        )
        deadline = time.monotonic() + self.limits.seconds
        exchange = pipes.PipeExchange(child, deadline=deadline, input=text, keep_input=self.gated)
        try:
            for _, data in exchange.chunks():
                self._pending += data
                self._printed += len(data)
                self._read_marks(child, ends)
                if self._must_end():
                    return
                if self.record.complete:
                    exchange.deadline = min(
                        exchange.deadline, time.monotonic() + LAST_WORDS_SECONDS
                    )
        except TimeoutError:
            if not self.record.complete:
                self.timed_out = True
                self.killed_reason = f"timed out after {self.limits.seconds:g} s"

    def conclude(self, exit_code: int) -> None:
        """Add the missing results after the shell has ended."""
        if self.record.complete:
            return
        output = bytes(self._pending)
        if self.killed_reason:
            self.record.fail(output, reason=self.killed_reason)
            self.record.skip_rest(self.killed_reason)
        elif self._stopped:
            self.record.skip_rest(f"`{_first_line(self.record.results[-1].command)}` failed")
        elif not self._ready:
            message = tail(output).strip() or f"exit code {exit_code}"
            raise MachineError(
                f"the sandbox's shell did not start: {message}",
                hint="run `minitask doctor` to see what this machine's sandbox lacks",
            )
        else:
            last = self.record.judge(output, code=exit_code if exit_code >= 0 else 128 - exit_code)
            self.record.skip_rest(f"`{_first_line(last.command)}` ended the shell")

    def _must_end(self) -> bool:
        if self._printed > self.limits.output_bytes and not self.record.complete:
            self.killed_reason = f"printed more than {self.limits.output_bytes / 1024**2:g} MiB"
        return self._stopped or bool(self.killed_reason)

    def _read_marks(self, child: pipes.Child, ends: contextlib.ExitStack) -> None:
        """Process every complete mark in the stream, with the output before it."""
        self._take_steps(child)
        while not self._stopped:
            start = self._pending.find(self._mark, self._scanned)
            end = self._pending.find(b"\0", start + len(self._mark)) if start >= 0 else -1
            if end < 0:
                self._scanned = (
                    start if start >= 0 else max(0, len(self._pending) - len(self._mark))
                )
                return
            if self._counted + start > self.limits.output_bytes:
                del self._pending[start:]  # too much, even if the command has ended
                return
            self._counted += start
            output = bytes(self._pending[:start])
            fields = bytes(self._pending[start + len(self._mark) : end]).split()
            del self._pending[: end + 1]
            self._scanned = 0
            self._take(fields, output, child=child, ends=ends)

    def _take_steps(self, child: pipes.Child) -> None:
        """Restore the files before each waiting part of a command, and let it continue."""
        step = b"\0" + self._step.encode() + b"\0"
        while self._step and (at := self._pending.find(step)) >= 0:
            del self._pending[at : at + len(step)]
            self._scanned = min(self._scanned, at)
            self.record.restore()
            _let_go_on(child)

    def _take(
        self,
        fields: Sequence[bytes],
        output: bytes,
        *,
        child: pipes.Child,
        ends: contextlib.ExitStack,
    ) -> None:
        """Process one mark: the shell is ready, or a command has ended."""
        if fields[0] == b"ready":
            self._ready = True
            self.record.since = time.monotonic()
            for pid in process.children_of(child.pid) if self.namespaced else ():
                watch = ends.enter_context(pipes.exit_watch(pid))
                self.descendants += [] if watch is None else [watch]
        elif not self.record.complete:
            code, *pipeline = map(int, fields[1:])
            passed = self.record.judge(output, code=code, pipeline=pipeline).passed
            self._stopped = self.stop and not passed
            if self.gated and not self._stopped:
                _let_go_on(child)


def _let_go_on(child: pipes.Child) -> None:
    """Send the line that the shell waits for."""
    if child.stdin is not None:
        with contextlib.suppress(OSError):
            os.write(child.stdin.fileno(), b"\n")


def _first_line(text: str) -> str:
    return text.strip().split("\n", 1)[0]
