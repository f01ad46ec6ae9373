"""`minitask` as a process of its own, forked from one that has imported the package: no start pays for that again.

The server is one for each process of the tests, started at the first call. It has a single thread and runs nothing of
the package itself. A forked command has its own folder, environment and output, and is killed like any other process.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

LIBRARIES = [
    *("ctypes", "encodings.ascii", "encodings.idna", "encodings.utf_16_le", "genai_prices.data"),
    *("genai_prices.decompose", "genai_prices.validation", "git", "httpcore", "httpx"),
    *("jinja2", "jsonschema", "markdown_it", "pydantic.deprecated.decorator", "rich.console"),
    *("rich.progress", "tree_sitter", "tree_sitter_bash", "yaml"),
]
SPECS = Path(__file__).parents[1] / "mini-projects"
SLOW_AND_RARE = ("__main__", "cluster", "dask_worker", "mcp_server")
READ_AT_START = ("PYTHON", "LC_", "LANG")
"""Prefixes of variables that an interpreter reads when it starts."""
MOST_BYTES = 1 << 18


USUAL = {name: value for name, value in os.environ.items() if name.startswith("PYTHON")} | {
    "LC_ALL": "C.UTF-8"
}
USUAL.pop("PYTHONDONTWRITEBYTECODE", None)
"""Those that the server is started with: what a test's home has, too."""


def can_fork(env: Mapping[str, str]) -> bool:
    """Whether an interpreter started with these variables would be like the server's, on a system that has pidfd."""
    read = {name: value for name, value in env.items() if name.startswith(READ_AT_START)}
    return hasattr(os, "pidfd_open") and read == USUAL


@cache
def server() -> socket.socket:
    """Start the server, and return the way to it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            (sys.executable, __file__, str(theirs.fileno())),
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env={**os.environ, **USUAL},
        )
    atexit.register(process.wait)
    atexit.register(ours.close)
    return ours


def run_forked(
    arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float
) -> tuple[int, bytes, bytes]:
    """Run `minitask`: its exit code and what it printed; killed after so many seconds."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with theirs:
            asked = json.dumps({"arguments": arguments, "cwd": str(cwd), "env": dict(env)})
            handles = [out.fileno(), err.fileno(), theirs.fileno()]
            socket.send_fds(server(), [asked.encode()], handles)
        pid = int(ours.recv(MOST_BYTES))
        ours.settimeout(timeout)
        try:
            code = int(ours.recv(MOST_BYTES))
        except TimeoutError:
            os.kill(pid, 9)
            raise subprocess.TimeoutExpired(["minitask", *arguments], timeout) from None
        for file in (out, err):
            file.seek(0)
        return code, out.read(), err.read()


def serve(requests: socket.socket) -> None:
    """Fork one command for each request, and say its process and its exit code, until nobody can ask any more."""
    answers: dict[int, tuple[int, socket.socket]] = {}
    poll = select.poll()
    poll.register(requests, select.POLLIN)
    while True:
        for handle, _ in poll.poll():
            if handle in answers:
                pid, answer = answers.pop(handle)
                poll.unregister(handle)
                os.close(handle)
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                with answer, suppress(BrokenPipeError):  # a test no longer waits
                    answer.send(str(code).encode())
                continue
            asked, handles, _, _ = socket.recv_fds(requests, MOST_BYTES, 3)
            if not asked:
                return
            pid = os.fork()
            if not pid:
                become(handles[:2], **json.loads(asked))
            answer = socket.socket(fileno=handles.pop())
            answer.send(str(pid).encode())
            for number in handles:
                os.close(number)
            running = os.pidfd_open(pid)
            answers[running] = pid, answer
            poll.register(running, select.POLLIN)


def become(outputs: Sequence[int], *, arguments: list[str], cwd: str, env: dict[str, str]) -> None:
    """Be the command from here on."""
    for target, number in enumerate(outputs, start=1):
        os.dup2(number, target)
    os.closerange(3, 64)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["minitask", *arguments]
    runpy.run_module("minitask", run_name="__main__", alter_sys=True)


def import_all() -> None:
    """Import what any command may need."""
    import minitask.patterns

    for module in pkgutil.walk_packages(minitask.__path__, "minitask."):
        if not module.name.endswith(SLOW_AND_RARE):
            values = vars(importlib.import_module(module.name)).values()
            for pattern in [value for value in values if isinstance(value, minitask.patterns.Lazy)]:
                _ = pattern.pattern
    for library in LIBRARIES:
        importlib.import_module(library)


def warm_up() -> None:
    """Do once what nearly every command does with the same result: patterns are compiled, schemas and grammars read."""
    from minitask.gates.scope import starts_programs
    from minitask.ledger.record import Usage
    from minitask.policy.prices import cost
    from minitask.spec.parse import parse_file
    from minitask.spec.paths import is_protected

    for path in SPECS.glob("*/*.md"):
        parse_file(path.read_text("utf-8"), path=path.name)
    for model in ("claude-haiku-5-5", "tiny"):
        cost(model, Usage(1, 1, 0, 1), base_url="http://127.0.0.1/v1")
    assert not is_protected("a.txt")
    assert not starts_programs("a.txt")


if __name__ == "__main__":
    import_all()
    warm_up()
    gc.collect()
    gc.freeze()
    sys.path[0] = ""
    serve(socket.socket(fileno=int(sys.argv[1])))
