"""`minitask report --serve`: the page, live on the loopback, for whoever has its address, and read-only."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from minitask.cli.live_page import LiveServer
from reports.chromium import headless
from world import MINITASK, TIMEOUT_SECONDS, World, environment, write_program


@contextmanager
def served(world: World, *options: str, **variables: str) -> Iterator[str]:
    """The address of the page, until Ctrl-C."""
    argv = (*MINITASK, "report", "--serve", *options)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(argv, cwd=world.root, env=environment(variables), **pipes) as process:
        try:
            address = process.stdout.readline().strip()
            assert address, process.communicate()
            yield address
        finally:
            process.send_signal(signal.SIGINT)
            _, complaints = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 0, complaints
    assert "Traceback" not in complaints


def work(world: World, name: str) -> None:
    world.task(f"p/{name}", whole={f"{name}.txt": "x\n"}, validation=f"grep -qx x {name}.txt")
    assert world.exec(f"p/{name}").code == 0


def next_head(lines: Iterator[str]) -> str:
    """The ledger's head that the next event names."""
    while next(lines) != "event: head":
        pass
    return next(lines).removeprefix("data: ")


@pytest.mark.variant
def test_events_say_when_the_ledger_has_changed_and_the_page_follows(world: World) -> None:
    with served(world) as url, httpx.Client(timeout=TIMEOUT_SECONDS) as client:
        assert "no attempts" in client.get(url).text
        with client.stream("GET", f"{url}events") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            lines = stream.iter_lines()
            assert next_head(lines) == ""
            work(world, "a")
            head = next_head(lines)
            page = client.get(url).text
            assert (
                f'data-head="{head}"' in page
                or f'data-head="{world.tip("refs/minitask/ledger")}"' in page
            )
            assert "p/a" in page
        assert client.get(url).content == client.get(url).content


REFUSED = {
    "wrong token": ({}, "/wrong-token/", 404),
    "no token": ({}, "/", 404),
    "below": ({}, "{path}../", 404),
    "another host": ({"Host": "example.org"}, "{path}", 403),
    "another port": ({"Host": "127.0.0.1:1"}, "{path}", 403),
    "foreign origin": ({"Origin": "https://example.org"}, "{path}", 403),
    "foreign origin of events": ({"Origin": "null"}, "{path}events", 403),
}


def raw_status(
    address: httpx.URL, method: str, path: str, headers: dict[str, str]
) -> tuple[int, str]:
    """The status and head of an answer to a request that is sent as it is written."""
    lines = {"Host": address.netloc.decode(), **headers}
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    with socket.create_connection((address.host, address.port), timeout=TIMEOUT_SECONDS) as line:
        line.sendall(f"{method} {path} HTTP/1.1\r\n{text}\r\n".encode())
        answer = line.makefile("rb").read().decode()
    return int(answer.split()[1]), answer


def test_only_its_own_address_is_answered_and_nothing_can_be_changed(world: World) -> None:
    work(world, "a")
    before = world.refs()
    with served(world) as url:
        address = httpx.URL(url)
        assert address.host == "127.0.0.1"
        for name, (headers, path, status) in REFUSED.items():
            written = path.format(path=address.path)
            given, answer = raw_status(address, "GET", written, headers)
            assert (given, "p/a" in answer) == (status, False), name
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"):
            assert raw_status(address, method, address.path, {})[0] == 405, method
        own = {"Origin": f"http://127.0.0.1:{address.port}"}
        given, answer = raw_status(address, "GET", address.path, own)
        assert (given, "p/a" in answer, "nosniff" in answer) == (200, True, True)
        with pytest.raises(OSError), socket.create_connection(("127.0.0.2", address.port), 5):
            pass
        taken = world.minitask("report", "--serve", "--port", str(address.port))
        assert (taken.code, "fix: leave --port out" in taken.stderr) == (2, True)
    assert world.refs() == before


def test_open_opens_the_browser_with_the_address(world: World, tmp_path: Path) -> None:
    script, opened = tmp_path / "browser", tmp_path / "opened"
    write_program(script, f'#!/bin/sh\necho "$1" > {opened}\n')
    with served(world, "--open", BROWSER=str(script)) as url, httpx.Client() as client:
        assert client.get(url).status_code == 200
    assert opened.read_text().strip() == url


@pytest.mark.variant
def test_in_a_browser_the_page_follows_a_run(world: World, tmp_path: Path) -> None:
    work(world, "a")
    with served(world) as url, headless(tmp_path) as browser:
        browser.open(url)
        browser.wait('document.getElementById("live").textContent.startsWith("Live")')
        browser.value('document.querySelector(".open").click()')
        browser.value('document.querySelector(".detail summary").click()')
        browser.wait('document.querySelector(".detail pre")')
        work(world, "b")
        browser.wait('document.getElementById("count").textContent === "2 tasks"')
        assert "2 attempts at 2 tasks" in browser.value(
            'document.getElementById("title").textContent'
        )
        assert browser.value('document.querySelectorAll(".detail").length') == 1, "it stays open"
        spec = 'document.querySelector(".detail details[open] pre").textContent'
        assert "# Mini-Task 1" in browser.value(spec), "and so does what is open in it"
        browser.value('document.querySelector(".open[title=\\"p/b\\"]").click()')
        browser.value('document.querySelector(".detail summary").click()')
        browser.wait('document.querySelector(".detail pre")?.textContent.includes("b.txt")')
        assert browser.value('document.querySelectorAll(".graph .box").length') == 2
        assert browser.complaints == []
        assert {
            httpx.URL(asked).host for asked in browser.asked if not asked.startswith("data:")
        } == {"127.0.0.1"}


def test_the_ledger_is_read_only_when_its_head_has_changed() -> None:
    heads, read = ["a"], []

    def render(head: str) -> bytes:
        read.append(head)
        return head.encode()

    with LiveServer(lambda: heads[-1], render, 0) as server:
        assert [server.page() for _ in range(3)] == [b"a"] * 3
        server.look()
        assert server.head_after(None, 0) == "a"
        heads.append("b")
        server.look()
        assert (server.head_after("a", TIMEOUT_SECONDS), server.page(), server.page()) == (
            "b",
            b"b",
            b"b",
        )
    assert read == ["a", "b"]
