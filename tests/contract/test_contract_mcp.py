"""The tools of `minitask mcp`, called by the SDK's own client over stdin and stdout."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio
import pytest

from minitask.system.pipes import exit_watch
from minitask.system.process import wait_until_gone
from world import MINITASK, Checkpoint, World, environment, spec_text

pytestmark = pytest.mark.skipif(find_spec("mcp") is None, reason="the extra mcp is not installed")

READING = {"validate", "plan_prompt", "status", "show", "diff", "report"}
WRITING = {"new", "exec", "run"}
CLIENT = {"name": "test", "version": "1"}
WHOLE = {"b.txt": "b\n"}
CHECK = "grep -qx b b.txt"


def talk(world: World, conversation: Callable[[Any], Awaitable[None]]) -> None:
    """Hold a conversation with a server of the world's repository."""
    import mcp  # slow

    server = mcp.StdioServerParameters(
        command=sys.executable, args=["-P", *MINITASK[1:], "mcp"], env=environment(), cwd=world.root
    )

    async def main() -> None:
        with anyio.fail_after(60):
            async with mcp.Client(mcp.stdio_client(server)) as client:
                await conversation(client)

    anyio.run(main)


def children_of(pid: int) -> list[int]:
    """The processes that any thread of a process has started."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for children in lists for child in children.read_text().split()]


@contextmanager
def served(world: World) -> Iterator[Any]:
    """A server that has been greeted, with pipes to its input and output."""
    client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": CLIENT}
    with subprocess.Popen(
        (*MINITASK, "mcp"), cwd=world.root, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        send(server, {"id": 1, "method": "initialize", "params": client})
        assert server.stdout is not None
        assert json.loads(server.stdout.readline())["id"] == 1
        send(server, {"method": "notifications/initialized"})
        yield server


def send(server: Any, message: dict[str, Any]) -> None:
    """Send a message of the protocol."""
    server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
    server.stdin.flush()


async def text(client: Any, tool: str, *, fails: bool = False, **arguments: Any) -> str:
    """What a tool answers."""
    result = await client.call_tool(tool, arguments)
    answer = "".join(part.text for part in result.content)
    assert result.is_error is fails, answer
    return answer


async def document(client: Any, tool: str, **arguments: Any) -> Any:
    """The JSON that a tool answers."""
    return json.loads(await text(client, tool, **arguments))


@pytest.mark.variant
def test_an_agent_goes_the_whole_way(world: World) -> None:
    async def conversation(client: Any) -> None:
        created = await text(client, "new", project="p", title="Add b", values={"write": "b.txt"})
        path = created.split()[1]
        assert path == "mini-projects/p/01-add-b.md"
        world.write({path: spec_text(whole=WHOLE, validation=CHECK)})
        assert await document(client, "validate", paths=["p"]) == []
        world.git("add", path)
        world.git("commit", "--message", "specs: p")
        assert (await document(client, "run", project="p", dry_run=True))["tasks"]
        progress = []

        async def note(count: float, _total: float | None, message: str | None) -> None:
            progress.append((count, message))

        called = await client.call_tool("run", {"project": "p"}, progress_callback=note)
        assert json.loads(called.content[0].text)["tasks"][0]["verdict"] == "merged"
        assert [count for count, _ in progress] == list(range(1, len(progress) + 1))
        assert any("p/01-add-b" in message for _, message in progress)
        assert (await document(client, "status", project="p"))["tasks"][0]["state"] == "merged"
        assert (await document(client, "show", task="p/01-add-b"))["records"]
        assert "+b" in await text(client, "diff", task="p/01-add-b")
        assert (await document(client, "report", project="p"))["totals"]
        assert "Split b" in await text(client, "plan_prompt", goal="Split b", read=["b.txt"])

    talk(world, conversation)
    assert world.show("b.txt") == "b\n"


@pytest.mark.variant
def test_tools_widen_no_limit_and_an_error_has_its_fix(world: World) -> None:
    world.write({"minitask.py": "raise SystemExit('a file of the repository')\n"})
    world.task("p/01-b", whole=WHOLE, validation="grep -qx c b.txt")
    world.task("p/02-bad", writes=["../out"], validation=CHECK)

    async def conversation(client: Any) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert tools.keys() == READING | WRITING
        assert {name for name, t in tools.items() if t.annotations.read_only_hint} == READING
        assert all(tool.description for tool in tools.values())
        offered = {name for tool in tools.values() for name in tool.input_schema["properties"]}
        assert offered == {
            *("paths", "project", "title", "template", "values", "goal", "read", "task", "only"),
            *("dry_run", "no_merge", "again", "retry_failed", "attempt", "reply", "stat", "since"),
        }
        for tool, arguments in (
            ("exec", {"task": "p/09-none"}),
            ("show", {"task": "p/09-none"}),
            ("exec", {"task": "--worktree-spec"}),
            ("run", {"project": "--notify=touch noted"}),
            ("new", {"project": "../out", "title": "x"}),
            ("new", {"project": "q", "title": "x", "template": "--list"}),
        ):
            answer = await text(client, tool, fails=True, **arguments)
            assert "fix: " in answer, answer
            assert any(value in answer for value in arguments.values()), answer
        diagnostics = await document(client, "validate")
        assert {each["path"] for each in diagnostics} == {"mini-projects/p/02-bad.md"}
        assert all(each["hint"] for each in diagnostics)
        assert "fix: " in await text(client, "exec", fails=True, task="p/02-bad")
        failed = await document(client, "exec", task="p/01-b")  # no error: a result
        assert (failed["verdict"], failed["attempts"][0]["gate"]) == ("failed", "validate")

    tip = world.tip()
    talk(world, conversation)
    assert (world.tip(), (world.root / "noted").exists()) == (tip, False)


@pytest.mark.variant
def test_two_calls_at_once_both_end(world: World) -> None:
    names = ["p/01-b", "q/01-c"]
    world.task(names[0], whole=WHOLE, validation=CHECK)
    world.task(names[1], whole={"c.txt": "c\n"}, validation="grep -qx c c.txt")
    verdicts = {}

    async def conversation(client: Any) -> None:
        async def call(name: str) -> None:
            verdicts[name] = (await document(client, "exec", task=name))["verdict"]

        async with anyio.create_task_group() as group:
            for name in names:
                group.start_soon(call, name)

    talk(world, conversation)
    assert verdicts == dict.fromkeys(names, "merged")


@pytest.mark.variant
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in /proc")
def test_a_cancelled_call_ends_its_command(world: World, tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path, "b.txt")
    world.configure(sandbox="none")
    world.task("p/01-b", whole=WHOLE, validation=f"{checkpoint.command}\n{CHECK}")
    after = {"depends_on": ["01-b"]}
    world.task("p/02-c", whole={"c.txt": "c\n"}, validation="grep -qx c c.txt", front=after)
    mine = set(children_of(os.getpid()))

    def commands() -> list[int]:
        servers = set(children_of(os.getpid())) - mine
        return [pid for server in servers for pid in children_of(server)]

    async def states(client: Any) -> list[str]:
        return [task["state"] for task in (await document(client, "status"))["tasks"]]

    async def cancel(client: Any, tool: str, **arguments: str) -> None:
        before = checkpoint.times_reached
        async with anyio.create_task_group() as group:
            group.start_soon(client.call_tool, tool, arguments)
            while checkpoint.times_reached == before:
                await anyio.sleep(0.02)
            assert commands()
            group.cancel_scope.cancel()

    async def gone() -> None:
        while commands():
            await anyio.sleep(0.02)

    async def conversation(client: Any) -> None:
        await cancel(client, "exec", task="p/01-b")
        await gone()  # while the validation would still wait
        assert await states(client) == ["new", "new"]
        await cancel(client, "run", project="p")
        checkpoint.open()  # what was under way is judged, and nothing more begins
        await gone()
        assert (await states(client))[1] == "new"
        await text(client, "run", project="p")
        assert await states(client) == ["merged", "merged"]

    talk(world, conversation)


@pytest.mark.variant
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in /proc")
@pytest.mark.sampled(1)
@pytest.mark.parametrize("number", [None, signal.SIGINT, signal.SIGTERM])
def test_a_client_that_goes_ends_what_it_started(
    world: World, tmp_path: Path, number: signal.Signals | None
) -> None:
    checkpoint = Checkpoint(tmp_path, "b.txt")
    world.configure(sandbox="none")
    world.task("p/01-b", whole=WHOLE, validation=f"{checkpoint.command}\n{CHECK}")
    call = {"name": "exec", "arguments": {"task": "p/01-b"}}
    with served(world) as server:
        send(server, {"id": 2, "method": "tools/call", "params": call})
        checkpoint.wait_until_reached(server)
        (command,) = children_of(server.pid)
        with exit_watch(command) as watch:
            server.send_signal(number) if number else server.stdin.close()
            assert wait_until_gone([watch], timeout_seconds=20)
        server.wait(20)
    assert server.returncode == (130 if number else 0)


def test_the_server_says_why_it_does_not_start(world: World, tmp_path: Path) -> None:
    ended = world.minitask("-C", str(tmp_path), "mcp")
    assert (ended.code, ended.stdout, "fix: " in ended.stderr) == (2, "", True)
    code = "import sys; sys.modules['mcp'] = None; from minitask.cli import main; main()"
    done = subprocess.run(
        (sys.executable, "-c", code, "mcp"), cwd=world.root, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"fix: " in done.stderr
    assert b"[mcp]" in done.stderr


def test_stdout_carries_the_protocol_alone(world: World) -> None:
    world.write({"minitask.yaml": "executors: {x: {type: ollama}}\n"})  # a note on each start
    with served(world) as server:
        send(server, {"id": 2, "method": "tools/call", "params": {"name": "status"}})
        answer = json.loads(server.stdout.readline())
        server.stdin.close()
        rest = server.stdout.read()
    assert json.loads(answer["result"]["content"][0]["text"]) == {"tasks": []}
    assert (rest, server.returncode) == (b"", 0)
