"""The tools of `minitask mcp`: each runs a command in a separate process, with the limits of the command line.

No tool passes an option that trusts, approves, raises a budget or loosens the sandbox. Arguments of tools follow `--`,
or are values of options.
"""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import anyio
import anyio.from_thread
import anyio.to_thread
from anyio.streams.memory import MemoryObjectReceiveStream
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from minitask import __version__
from minitask.cli.terminal import INTERRUPTED
from minitask.errors import MinitaskError
from minitask.system import process
from minitask.system.pipes import Child, PipeExchange

ABOUT = """\
Delegate code changes that can be cut into small, exact steps. Write specs with `new` and fill the files in, check them
with `validate`, commit them with git, hand them over with `run`, and read what failed with `show`. Only what passes its
own validation merges. Correct the spec of a task that failed; never edit its branch. Approving tasks and trusting
settings is for people.
"""
LONGEST_SECONDS = 7 * 24 * 3600
ENDINGS = ((signal.SIGINT, 30), (signal.SIGTERM, 5), (signal.SIGKILL, math.inf))
"""Signals that end a cancelled command, and the seconds to wait after each."""
READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
WRITES = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)
RUNS = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=True)

Task = Annotated[
    str, Field(description="A task: PROJECT/ID, as `status` lists it, or its spec's path")
]
Project = Annotated[str, Field(description="A project's name; empty: all of them")]
DryRun = Annotated[bool, Field(description="Only say who would do it, and at what cost")]
NoMerge = Annotated[bool, Field(description="Validate, but do not merge")]
AttemptNumber = Annotated[int, Field(description="An attempt's number; 0: the latest")]


class Commands:
    """The commands of `minitask` in a folder and environment."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = environ
        self._under_way: dict[anyio.CancelScope, anyio.Event] = {}

    async def end(self) -> None:
        """Interrupt all running commands, and wait for them to end."""
        under_way = dict(self._under_way)
        for scope in under_way:
            scope.cancel()
        for ended in under_way.values():
            await ended.wait()

    async def run(self, name: str, *arguments: str, ctx: Context[Any, Any] | None = None) -> str:
        """Return the output of a command; its progress is sent to the client of `ctx`.

        Raises `ToolError` with message and fix if the command prints no result.
        """
        argv = (sys.executable, "-P", "-m", "minitask", "--color", "never", name, *arguments)
        send, receive = anyio.create_memory_object_stream[str](math.inf)
        running, ended = Running(send.send_nowait), anyio.Event()
        code, printed = INTERRUPTED, ""
        async with anyio.create_task_group() as group:
            self._under_way[group.cancel_scope] = ended
            group.start_soon(_interrupt_if_cancelled, running, ended)
            group.start_soon(_report, ctx, receive)
            try:
                work = partial(running.run, argv, cwd=self._folder, env=self._environ)
                code, printed = await anyio.to_thread.run_sync(work)
            finally:
                ended.set()
                send.close()
                del self._under_way[group.cancel_scope]
        if code and not printed.strip():
            raise ToolError(running.messages or f"minitask {name} ended with exit code {code}")
        return printed or running.messages


class Running:
    """A running command: `run` waits for it in a thread, `end` sends it a signal."""

    def __init__(self, report: Callable[[str], None]) -> None:
        """`report` gets each event, on the event loop."""
        self._report = report
        self._child: Child | None = None
        self._signal: signal.Signals | None = None
        self._notes: list[str] = []

    @property
    def messages(self) -> str:
        """Return the command's messages other than its result and progress."""
        return "\n".join(self._notes).removeprefix("error: ")

    def run(self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> tuple[int, str]:
        """Run the command; return its exit code and output. Raise `ToolError` if it cannot start."""
        printed, rest = bytearray(), b""
        try:
            with process.spawn(argv, cwd=cwd, env=env, capture_errors=True) as child:
                self._child = child
                if self._signal is not None:
                    self.end(self._signal)
                exchange = PipeExchange(child, deadline=time.monotonic() + LONGEST_SECONDS)
                for fd, data in exchange.chunks():
                    if child.stdout is not None and fd == child.stdout.fileno():
                        printed += data
                    else:
                        *lines, rest = (rest + data).split(b"\n")
                        self._take(lines)
        except MinitaskError as error:
            raise ToolError(str(error)) from error
        self._take([rest])
        return child.returncode, printed.decode("utf-8", "replace")

    def end(self, number: signal.Signals) -> None:
        """Send a signal to the command, now or as soon as it has started."""
        self._signal = number
        if self._child is not None and self._child.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self._child.pid, number)

    def _take(self, lines: Sequence[bytes]) -> None:
        """Report lines of progress; store the others."""
        for line in lines:
            text = line.decode("utf-8", "replace").rstrip()
            event = _event(text)
            if event is not None:
                anyio.from_thread.run_sync(self._report, event)
            elif text:
                self._notes.append(text)


async def _interrupt_if_cancelled(running: Running, ended: anyio.Event) -> None:
    """Wait for a command's end; if the call is cancelled, end it by increasingly strong signals."""
    try:
        await ended.wait()
    except anyio.get_cancelled_exc_class():
        for number, seconds in ENDINGS:
            running.end(number)
            with anyio.move_on_after(seconds, shield=True):
                await ended.wait()
            if ended.is_set():
                break
        raise


async def _report(ctx: Context[Any, Any] | None, events: MemoryObjectReceiveStream[str]) -> None:
    """Send events to the client."""
    count = 0
    async for event in events:
        count += 1
        if ctx is not None:
            await ctx.report_progress(count, None, event)


def serve(folder: Path, environ: Mapping[str, str]) -> None:
    """Serve a folder's repository until the client disconnects."""
    server: MCPServer[Any] = MCPServer(
        "minitask", instructions=ABOUT, version=__version__, log_level="WARNING"
    )
    commands = Commands(folder, environ)
    _add_spec_tools(server, commands)
    _add_run_tools(server, commands)
    _add_result_tools(server, commands)
    anyio.run(_serve, server, commands)


async def _serve(server: MCPServer[Any], commands: Commands) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(_end_by_signals, commands)
        await server.run_stdio_async()
        group.cancel_scope.cancel()


async def _end_by_signals(commands: Commands) -> None:
    """End the running commands, and then the process, whose thread still waits for input."""
    ending = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    with anyio.open_signal_receiver(*ending) as signals:
        async for _ in signals:
            await commands.end()
            os._exit(INTERRUPTED)


def _add_spec_tools(server: MCPServer[Any], commands: Commands) -> None:
    """Add the tools that write and check specs."""

    @server.tool(annotations=READS, structured_output=False)
    async def validate(
        paths: Annotated[
            list[str], Field(description="Specs, folders or projects; none: all")
        ] = [],  # noqa: B006
    ) -> str:
        """Check specs before they are committed: a list of what is wrong, each with its line and the way to fix it."""
        return await commands.run("validate", "--json", "--", *paths)

    @server.tool(annotations=WRITES, structured_output=False)
    async def new(
        project: Annotated[str, Field(description="The project's name, a folder of specs")],
        title: Annotated[str, Field(description="What the task does, in a few words")],
        template: Annotated[str, Field(description="A template's name")] = "mini-task",
        values: Annotated[dict[str, str], Field(description="The template's variables")] = {},  # noqa: B006
    ) -> str:
        """Write the next spec of a project from a template; fill in the file that it names."""
        pairs = [f"--set={key}={value}" for key, value in values.items()]
        return await commands.run("new", f"--template={template}", *pairs, "--", project, title)

    @server.tool(annotations=READS, structured_output=False)
    async def plan_prompt(
        goal: Annotated[str, Field(description="What is to be reached, in a sentence or two")],
        project: Annotated[str, Field(description="The project's name")] = "",
        read: Annotated[list[str], Field(description="Committed files to show")] = [],  # noqa: B006
    ) -> str:
        """Return how to cut a goal into specs, with the repository's files: answer it yourself and write the specs."""
        options = [f"--read={path}" for path in read]
        options += [f"--project={project}"] if project else []
        return await commands.run("plan", "--prompt-only", *options, "--", goal)


def _add_run_tools(server: MCPServer[Any], commands: Commands) -> None:
    """Add the tools that run tasks."""

    @server.tool(name="exec", annotations=RUNS, structured_output=False)
    async def exec_task(
        ctx: Context[Any, Any],
        task: Task,
        dry_run: DryRun = False,
        no_merge: NoMerge = False,
        again: Annotated[bool, Field(description="Run it even if it has merged")] = False,
    ) -> str:
        """Run one committed task on a branch of its own: its verdict, cost, and how each command went."""
        switches = _switches(dry_run=dry_run, no_merge=no_merge, again=again)
        return await commands.run("exec", "--json", "--events", *switches, "--", task, ctx=ctx)

    @server.tool(annotations=RUNS, structured_output=False)
    async def run(
        ctx: Context[Any, Any],
        project: Annotated[str, Field(description="A project's name")],
        only: Annotated[list[str], Field(description="Only these of its tasks")] = [],  # noqa: B006
        dry_run: DryRun = False,
        no_merge: NoMerge = False,
        retry_failed: Annotated[bool, Field(description="Only tasks that failed")] = False,
    ) -> str:
        """Run all tasks of a project that have not merged, in the order of their dependencies."""
        switches = _switches(dry_run=dry_run, no_merge=no_merge, retry_failed=retry_failed)
        picked = [f"--only={task}" for task in only]
        options = ("--json", "--events", *switches, *picked)
        return await commands.run("run", *options, "--", project, ctx=ctx)


def _add_result_tools(server: MCPServer[Any], commands: Commands) -> None:
    """Add the tools that read results."""

    @server.tool(annotations=READS, structured_output=False)
    async def status(project: Project = "") -> str:
        """List tasks with states: new, ready, merged, failed, refused, conflict, error, skipped, changed or undone."""
        return await commands.run("status", "--json", "--", *([project] if project else []))

    @server.tool(annotations=READS, structured_output=False)
    async def show(
        task: Task,
        attempt: AttemptNumber = 0,
        reply: Annotated[bool, Field(description="The model's reply instead")] = False,
    ) -> str:
        """Show a task's attempts: which gate failed, what each command printed, what it cost."""
        options = [f"--attempt={attempt}"] if attempt else []
        return await commands.run("show", "--json", *options, *_switches(reply=reply), "--", task)

    @server.tool(annotations=READS, structured_output=False)
    async def diff(
        task: Task,
        attempt: AttemptNumber = 0,
        stat: Annotated[bool, Field(description="Only the files and their counts")] = False,
    ) -> str:
        """Return what an attempt changed, as a diff."""
        options = [f"--attempt={attempt}"] if attempt else []
        return await commands.run("diff", *options, *_switches(stat=stat), "--", task)

    @server.tool(annotations=READS, structured_output=False)
    async def report(
        project: Project = "",
        since: Annotated[str, Field(description="Only attempts since this date: 2026-01-31")] = "",
    ) -> str:
        """Add up what attempts took, cost and saved, and at which gates they failed."""
        options = [f"--project={project}"] if project else []
        options += [f"--since={since}"] if since else []
        return await commands.run("report", "--json", *options)


def _switches(**switches: bool) -> Iterator[str]:
    """Yield the options that are on."""
    return (f"--{name.replace('_', '-')}" for name, on in switches.items() if on)


def _event(line: str) -> str | None:
    """Return the text of a line of `--events`, or None for any other line."""
    try:
        event = json.loads(line) if line.startswith("{") else None
    except ValueError:
        return None
    if not isinstance(event, dict) or "stage" not in event:
        return None
    return " ".join(str(event[key]) for key in ("task", "stage", "text") if event.get(key))
