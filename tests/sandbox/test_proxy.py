"""What a proxy lets through, and what a hostile client gets out of it: real sockets, and a real server to reach."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from minitask.errors import MachineError
from minitask.sandbox.choose_sandbox import probe
from minitask.sandbox.policy import AllowList, granted, is_public, plain_host
from minitask.sandbox.proxy import Proxy, parse_request
from minitask.sandbox.sandbox import Limits, Sandbox, Strength
from minitask.sandbox.shell_session import run_commands
from minitask.spec.model import Command
from processes import eventually, running

PATH = os.environ["PATH"]


class _Outside(BaseHTTPRequestHandler):
    """Says which host and path it was asked for; closes when it is told to."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = (
            f"<{self.headers['Host']} {self.path} {self.headers['Proxy-Authorization']}>".encode()
        )
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def outside() -> Iterator[int]:
    """The port of a server on the user's loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Outside) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


# what is listed


@pytest.mark.parametrize(
    ("spec", "settings", "grant"),
    [
        (None, False, False),
        (True, False, False),
        (("a.org",), False, False),
        (None, True, False),
        (False, True, False),
        (True, True, True),
        (("a.org",), True, AllowList((("a.org",),))),
        (None, ("a.org",), AllowList((("a.org",),))),
        (True, ("a.org",), AllowList((("a.org",),))),
        (("b.org",), ("a.org",), AllowList((("a.org",), ("b.org",)))),
        (False, ("a.org",), False),
        ((), ("a.org",), False),
        (True, (), False),
    ],
)
def test_a_spec_narrows_what_the_settings_allow(spec: Any, settings: Any, grant: Any) -> None:
    assert granted(spec, settings) == grant


LIST = ("pypi.org", "a.org:443", "*.b.org", "127.0.0.1:5432", "[2001:db8::1]:80", "Localhost:99")


@pytest.mark.parametrize(
    ("host", "port", "permitted"),
    [
        ("pypi.org", 443, True),
        ("PyPI.org.", 22, True),
        ("evilpypi.org", 443, False),
        ("pypi.org.evil.org", 443, False),
        ("a.org", 443, True),
        ("a.org", 80, False),
        ("x.b.org", 1, True),
        ("x.y.b.org", 1, True),
        ("b.org", 1, False),
        ("evilb.org", 1, False),
        ("localhost", 5432, True),
        ("127.0.0.1", 5433, False),
        ("127.0.0.1", 99, True),
        ("::ffff:127.0.0.1", 5432, True),
        ("127.1", 5432, False),
        ("2001:DB8:0::1", 80, True),
    ],
)
def test_a_host_is_permitted_by_name_and_port(host: str, port: int, permitted: bool) -> None:
    assert AllowList((LIST,)).permits(plain_host(host), port) is permitted


def test_every_list_must_hold_a_host_and_the_users_a_private_address() -> None:
    both = AllowList((("a.org", "b.org", "10.0.0.5:1", "127.0.0.1:7"), ("b.org", "127.0.0.1:7")))
    assert [both.permits(host, 1) for host in ("a.org", "b.org", "c.org")] == [False, True, False]
    assert both.permits_address("10.0.0.5", 1)
    assert not both.permits_address("10.0.0.5", 2)
    assert both.services == (("127.0.0.1", 7),)


PRIVATE = """127.0.0.1 10.1.2.3 192.168.0.1 172.16.0.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 255.255.255.255
::1 :: fe80::1 fc00::1 ff02::1 fe80::1%eth0 2002:7f00:1:: 64:ff9b::a00:1 64:ff9b::7f00:1"""


@pytest.mark.parametrize("address", PRIVATE.split())
def test_private_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["151.101.0.223", "2606:4700::1", "64:ff9b::9765:df"])
def test_public_addresses_are(address: str) -> None:
    assert is_public(address)


# what a client can say


@contextlib.contextmanager
def opened(*lists: tuple[str, ...]) -> Iterator[tuple[Proxy, int]]:
    """A proxy on this machine's own loopback, and its port."""
    proxy = Proxy(AllowList(lists), is_apart=False)
    try:
        yield proxy, int(proxy.listeners.addresses[0].rpartition(":")[2])
    finally:
        proxy.close()


def answer(port: int, request: bytes) -> str:
    """All that comes back."""
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        received = b""
        with contextlib.suppress(ConnectionError):
            while data := client.recv(65536):
                received += data
        return received.decode("latin-1")


GET = "GET http://127.0.0.1:{port}/a HTTP/1.1\r\n"


@pytest.mark.parametrize(
    ("request_text", "begins", "holds"),
    [
        ("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\nGET /t HTTP/1.0\r\n\r\n", "200", "/t None>"),
        ("CONNECT LOCALHOST.:{port} HTTP/1.1\r\n\r\n", "200", ""),
        (GET + "Host: other\r\nProxy-Authorization: x\r\n\r\n", "200", "<127.0.0.1:{port} /a None>"),
        ("GET HTTP://127.0.0.1:{port}?q HTTP/1.1\r\n\r\n", "200", " /?q None>"),
        (GET + "\r\nGET http://evil.org/b HTTP/1.1\r\n\r\n", "200", " /a None>"),
        ("CONNECT evil.org:443 HTTP/1.1\r\n\r\n", "403 evil.org:443 is not", ""),
        ("CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n", "403 127.0.0.1:1 is not", ""),
        ("CONNECT [::1]:{port} HTTP/1.1\r\n\r\n", "403 [::1]:{port} is not", ""),
        ("CONNECT [::1%x]:{port} HTTP/1.1\r\n\r\n", "400", ""),
        ("CONNECT 127.1:{port} HTTP/1.1\r\n\r\n", "403 127.0.0.1:9 (127.1) is not", ""),
        ("GET http://evil.org/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n", "403 evil.org:80", ""),
        ("GET http://127.0.0.1:{port}@evil.org/ HTTP/1.1\r\n\r\n", "400", ""),
        ("GET http://127.0.0.1:{port}\\@evil.org/ HTTP/1.1\r\n\r\n", "400", ""),
        ("GET https://127.0.0.1:{port}/ HTTP/1.1\r\n\r\n", "400", ""),
        ("GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n", "400", ""),
        ("GET http://127.0.0.1:{port}/\nHost:x HTTP/1.1\r\n\r\n", "400", ""),
        (GET + "A: b\nHost: x\r\n\r\n", "400", ""),
        (GET + " Host: x\r\n\r\n", "400", ""),
        (GET + "Host : x\r\n\r\n", "400", ""),
        ("CONNECT 127.0.0.1 HTTP/1.1\r\n\r\n", "400", ""),
        ("CONNECT 127.0.0.1:{port}:443 HTTP/1.1\r\n\r\n", "400", ""),
        ("CONNECT 127.0.0.1:0{port}9 HTTP/1.1\r\n\r\n", "400", ""),
        ("CONNECT 127.0.0.1\0.org:{port} HTTP/1.1\r\n\r\n", "400", ""),
        ("connect 127.0.0.1:{port} HTTP/1.1\r\n\r\n", "400", ""),
        ("CONNECT  127.0.0.1:{port} HTTP/1.1\r\n\r\n", "400", ""),
        ("CONNECT 127.0.0.1:{port} HTTP/2\r\n\r\n", "400", ""),
        ("CONNECT 127.0.0.1:{port} HTTP/1.1", "400", ""),
        ("\x05\x01\x00", "400", ""),
    ],
)  # fmt: skip
def test_a_proxy_answers(outside: int, request_text: str, begins: str, holds: str) -> None:
    if "127.1:" in request_text:  # a listed name that leads to the loopback
        lists, port = ("127.1", "127.0.0.1:8"), 9
    else:
        lists, port = (f"127.0.0.1:{outside}",), outside
    with opened(lists) as (proxy, at):
        reply = answer(at, request_text.replace("{port}", str(port)).encode("latin-1"))
        assert reply.startswith(f"HTTP/1.1 {begins.replace('{port}', str(port))}"), reply
        assert holds.replace("{port}", str(port)) in reply
        assert reply.count("<") <= 1
        assert bool(proxy.take_refused()) is begins.startswith("403")
        assert proxy.take_refused() == ()


def test_a_request_without_an_end_is_cut_off() -> None:
    with (
        opened(("a.org",)) as (proxy, at),
        socket.create_connection(("127.0.0.1", at), 10) as client,
    ):
        with contextlib.suppress(ConnectionError):
            for _ in range(1000):
                client.sendall(b"CONNECT " + b"a" * 10_000)
            pytest.fail("it reads without end")
        assert proxy.take_refused() == ()


def test_of_a_request_only_what_names_the_host_is_changed() -> None:
    head = b"POST http://a.org/p?q#f HTTP/1.1\r\nhost: x\r\nContent-Length: 3\r\nX: \xe9\r\nConnection: X"
    sent = b"POST /p?q HTTP/1.1\r\nHost: a.org\r\nContent-Length: 3\r\nX: \xe9\r\nConnection: close\r\n\r\n"
    assert parse_request(head).head == sent


def test_nothing_gets_through_once_the_session_is_over(outside: int) -> None:
    before = threading.active_count()
    with opened((f"127.0.0.1:{outside}",)) as (_, at):
        held = socket.create_connection(("127.0.0.1", at), 10)
        held.sendall(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n" % outside)
        assert held.recv(100).startswith(b"HTTP/1.1 200")
    with held, contextlib.suppress(ConnectionError):
        assert held.recv(1) == b""
    assert eventually(
        lambda: threading.active_count() <= before + 1, seconds=10
    )  # the outside may still be in a request
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", at), 10)


# in a sandbox


@pytest.fixture(params=["strong", "partial"])
def apart(request: pytest.FixtureRequest, tmp_path: Path) -> Sandbox:
    """A sandbox with a network of its own."""
    path = PATH if request.param == "strong" else str(tmp_path)
    sandbox = probe(environ={"PATH": path}, scratch=tmp_path / "scratch")
    if sandbox.strength.value != request.param or not sandbox.has_private_mounts:
        pytest.skip(f"this machine has no {request.param} sandbox with a network of its own")
    return sandbox


def run(
    sandbox: Sandbox, workspace: Path, *commands: str, network: AllowList, path: str = PATH
) -> Any:
    return run_commands(
        [Command(text) for text in commands],
        sandbox=sandbox,
        workspace=workspace,
        limits=Limits(seconds=60),
        network=network,
        readonly=(),
        env={"PATH": path, "HOME": "/root"},
    )


FETCH = "python3 -c 'import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read())' {url}"
RAW = "python3 -c 'import socket, sys; socket.create_connection((sys.argv[1], 443), 3)' 1.1.1.1"
OWN = """python3 -c '
import socket
listener = socket.create_server(("127.0.0.1", 0))
socket.create_connection(listener.getsockname(), 3)'"""


@pytest.mark.sampled(1)
def test_commands_reach_what_is_listed_and_nothing_else(
    apart: Sandbox, tmp_path: Path, outside: int
) -> None:
    url = f"http://127.0.0.1:{outside}/x"
    through = "-c \"import os, sys; os.environ['no_proxy'] = ''; exec(open('fetch.py').read())\""
    (tmp_path / "fetch.py").write_text(
        "import urllib.request as u\nprint(u.urlopen(sys.argv[1]).read())\n"
    )
    commands = {
        FETCH.format(url=url): True,
        f"python3 {through} {url}": True,
        OWN: True,
        FETCH.format(url="https://pypi.org/simple/"): False,
        FETCH.format(url=f"http://127.0.0.1:{outside + 1}/"): False,
        RAW: False,
        RAW.replace("1.1.1.1", "$(hostname -I | cut -d' ' -f1)"): False,
        "true": True,
    }
    result = run(
        apart,
        tmp_path,
        *commands,
        network=AllowList(((f"127.0.0.1:{outside}",), ("localhost:" + str(outside),))),
    )
    passed = {each.command: each.passed for each in result.results}
    assert passed == commands, [each.output_tail for each in result.results]
    by_name = next(each for each in result.results if "pypi" in each.command)
    assert by_name.refused_hosts == ("pypi.org:443",)
    assert "wanted pypi.org:443: add it to `network`, or vendor it" in by_name.reason
    assert [each.refused_hosts for each in result.results].count(()) == len(commands) - 1


@pytest.mark.skipif("not __import__('shutil').which('curl')", reason="no curl on this machine")
def test_curl_tunnels_through_the_proxy(apart: Sandbox, tmp_path: Path, outside: int) -> None:
    url = f"http://127.0.0.1:{outside}/x"
    result = run(
        apart,
        tmp_path,
        f"curl -sSf --noproxy '' -p {url}",
        f"curl -sSf {url}",
        "curl -sSf https://pypi.org/",
        network=AllowList(((f"localhost:{outside}",),)),
    )
    assert [each.passed for each in result.results] == [True, True, False]
    refused = result.results[2]
    assert refused.refused_hosts == ("pypi.org:443",), refused


def test_the_launcher_needs_no_python_on_the_path(apart: Sandbox, tmp_path: Path) -> None:
    listed = AllowList((("a.org",),))
    assert run(apart, tmp_path, "true", network=listed, path="/usr/bin:/bin").passed


def test_a_command_gets_no_socket_of_the_proxys(apart: Sandbox, tmp_path: Path) -> None:
    text = "ls -l /proc/self/fd; ! ls -l /proc/self/fd | grep socket:"
    result = run(apart, tmp_path, text, network=AllowList((("a.org", "127.0.0.1:7777"),)))
    assert result.passed, result.results[0].output_tail


def test_a_port_that_cannot_be_offered_is_named(apart: Sandbox, tmp_path: Path) -> None:
    if apart.strength is not Strength.STRONG:
        pytest.skip("the launcher may listen at any port here")
    with pytest.raises(MachineError, match=r"listen at 127\.0\.0\.1:80"):
        run(apart, tmp_path, "true", network=AllowList((("127.0.0.1:80",),)))


def test_a_sandbox_without_a_network_of_its_own_stays_shut(tmp_path: Path, outside: int) -> None:
    alone = replace(
        probe(environ={"PATH": str(tmp_path)}, scratch=tmp_path / "s"), namespaces=False
    )
    if alone.strength is not Strength.PARTIAL or alone.landlock < 4:
        pytest.skip("no Landlock that holds TCP back")
    listed = AllowList(((f"127.0.0.1:{outside}",),))
    url = f"http://127.0.0.1:{outside}/"
    assert not run(alone, tmp_path, FETCH.format(url=url), network=listed).passed
    assert "cannot let single hosts through" in alone.cannot_list(listed)
    assert "reach everything" in Sandbox(Strength.NONE).cannot_list(listed)


@pytest.mark.variant
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.sampled(2)
def test_nothing_is_left_of_a_session_that_is_killed(
    apart: Sandbox, tmp_path: Path, number: int
) -> None:
    if number == signal.SIGKILL and apart.strength is not Strength.STRONG:
        pytest.skip("only the strong sandbox ends what a killed minitask was running")
    words = f"sleep 9{os.getpid()}{int(number)}"
    script = f"""
from pathlib import Path
from minitask.sandbox.policy import AllowList
from minitask.sandbox.sandbox import Limits, Sandbox, Strength
from minitask.sandbox.shell_session import run_commands
from minitask.spec.model import Command
sandbox = Sandbox(Strength({apart.strength.value!r}), program={apart.program!r}, variant={apart.variant!r},
                  landlock={apart.landlock}, namespaces={apart.namespaces}, scratch=Path({str(tmp_path)!r}))
run_commands([Command({words!r})], sandbox=sandbox, workspace=Path({str(tmp_path)!r}), limits=Limits(),
             network=AllowList((("a.org", "127.0.0.1:7777"),)), readonly=(), env={{"PATH": {PATH!r}}})
"""
    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL) as parent:
        assert eventually(lambda: running(words), seconds=30)
        parent.send_signal(number)
        parent.wait(timeout=30)
    assert eventually(lambda: not running(words), seconds=30)
