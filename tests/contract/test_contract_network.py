"""What validations may reach by the setting `network`, and by the front matter of a spec."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from executors.model_server import ScriptedServer, scripted_server
from world import World, bubblewrap_works, in_strength, model_settings

REPLY = "```text path=b.txt\nb\n```\n"
FETCH = "python3 -c \"import urllib.request as u; u.urlopen('{url}', timeout=20)\""
needs_bubblewrap = pytest.mark.skipif(
    not bubblewrap_works(), reason="no bubblewrap that works on this machine"
)
pytestmark = needs_bubblewrap


@pytest.fixture
def outside() -> Iterator[ScriptedServer]:
    """A server on the user's loopback that answers every request."""
    with scripted_server(lambda _request: REPLY) as server:
        yield server


def port_of(server: ScriptedServer) -> int:
    return urlsplit(server.base_url).port or 0


def connects(port: int) -> str:
    return f"python3 -c \"import socket; socket.create_connection(('127.0.0.1', {port}), 5)\""


def filled(network: bool | list[str], port: int) -> bool | list[str]:
    if isinstance(network, bool):
        return network
    return [entry.format(port=port) for entry in network]


@pytest.mark.parametrize("strength", ["strong", "partial"])
def test_a_listed_service_of_the_users_is_reached_by_its_port(
    world: World, outside: ScriptedServer, strength: str
) -> None:
    port = port_of(outside)
    env = in_strength(world, strength, network=[f"127.0.0.1:{port}"])
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation=f"grep -qx b b.txt\n{connects(port)}")
    outcome = world.exec("p/01-b", env=env)
    assert outcome.json["verdict"] == "merged", outcome.text
    assert outcome.json["attempts"][0]["sandbox"] == strength


@pytest.mark.parametrize(
    ("settings", "front_matter"),
    [
        (False, ["127.0.0.1:{port}"]),
        (["127.0.0.1:2009"], ["127.0.0.1:{port}"]),
        (["127.0.0.1:2009"], True),
        (["127.0.0.1:{port}"], ["a.org"]),
        (["127.0.0.1:{port}"], False),
        (True, ["127.0.0.1:2009"]),
    ],
)
def test_no_spec_reaches_more_than_both_allow(
    world: World,
    outside: ScriptedServer,
    settings: bool | list[str],
    front_matter: bool | list[str],
) -> None:
    port = port_of(outside)
    world.configure(network=filled(settings, port))
    world.landed(
        "p/01-b",
        front={"network": filled(front_matter, port)},
        whole={"b.txt": "b\n"},
        validation=f"grep -qx b b.txt\n! {connects(port)}",
    )


def test_an_untrusted_repository_lists_nothing(world: World, outside: ScriptedServer) -> None:
    port = port_of(outside)
    world.commit({"minitask.yaml": f"network: ['127.0.0.1:{port}']\n"})
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation=f"grep -qx b b.txt\n{connects(port)}")
    ignored = world.exec("p/01-b", "--no-merge")
    assert ignored.json["verdict"] == "failed"
    assert "minitask trust" in ignored.stderr
    world.minitask("trust")
    assert world.exec("p/01-b", "--no-merge", "--again").json["verdict"] == "ready"


def test_a_refused_host_is_named_before_anything_is_spent(
    world: World, outside: ScriptedServer
) -> None:
    world.configure(**model_settings(outside.base_url, network=["127.0.0.1:2009"]))
    fetch = FETCH.format(url="https://pypi.org/simple/")
    world.task("p/01-b", writes=["b.txt"], validation=f"grep -qx b b.txt\n{fetch}")
    outcome = world.exec("p/01-b")
    assert outcome.json["verdict"] == "refused"
    assert "wanted pypi.org:443" in outcome.json["reason"]
    assert "add it to `network`" in outcome.json["reason"]
    assert outside.requests == []


@pytest.mark.variant
def test_a_change_is_not_blamed_for_a_refused_host(world: World, outside: ScriptedServer) -> None:
    world.configure(**model_settings(outside.base_url, network=["127.0.0.1:2009"]))
    fetch = FETCH.format(url="https://pypi.org/simple/")
    world.task("p/01-b", writes=["b.txt"], validation=f"grep -qx b b.txt && {fetch}")
    outcome = world.exec("p/01-b")
    assert outcome.json["verdict"] == "failed"
    reason = outcome.json["reason"]
    assert "wanted pypi.org:443: add it to `network`, or vendor it" in reason
    assert "the network is at fault, not the change" in reason
    [attempt] = outcome.json["attempts"]
    assert attempt["commands"][0]["refused_hosts"] == ["pypi.org:443"]
    assert len(outside.requests) == 1
    shown = world.minitask("show", "p/01-b")
    assert "wanted pypi.org:443: add it to `network`" in shown.stdout


@pytest.mark.variant
def test_a_change_is_blamed_for_a_host_that_it_brings_in(world: World) -> None:
    reply = "```python path=b.py\nimport urllib.request\nurllib.request.urlopen('https://evil.org')\n```\n"
    with world.serve(lambda _request: reply, network=["127.0.0.1:2009"]) as server:
        world.task("p/01-b", writes=["b.py"], validation="test -e b.py && python3 b.py")
        outcome = world.exec("p/01-b")
        assert outcome.json["verdict"] == "failed"
        assert "wanted evil.org:443" in outcome.json["reason"]
        assert "not the change" not in outcome.json["reason"]
        assert len(server.requests) == 2  # it gets it back


def test_a_sandbox_that_cannot_hold_a_list_says_so_before_it_runs(world: World) -> None:
    world.configure(network=["a.org"], sandbox="none")
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation="grep -qx b b.txt")
    outcome = world.minitask("exec", "p/01-b")
    assert outcome.code == 0
    said = outcome.stderr.index("without a sandbox commands reach everything")
    assert said < outcome.stderr.index("before:")
    assert "commands reach everything" in world.minitask("doctor").stdout
