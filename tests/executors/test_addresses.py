"""A base URL means one thing, however it is spelled; gateways get their headers; errors name the URL that was asked."""

from __future__ import annotations

import pytest
from dialects import ANTHROPIC, GOOD, OLLAMA, OPENAI, Tongue
from model_server import Received, Reply, error, raw, scripted_server
from orders import order

from minitask.executors.address import Headers, agent_url, find_base_url
from minitask.executors.request import ExecutorFailure, FailureKind
from minitask.settings import ExecutorSetting
from world import World

CHAT = "/v1/chat/completions"
DEPLOYED = "/openai/deployments/some-model/chat/completions?api-version=2024-10-21"


def only_at(tongue: Tongue, path: str):
    """Return a server's script that knows one path, as frameworks do that answer 404 to all others."""

    def reply(request: Received) -> Reply:
        return tongue.speak(GOOD) if request.path == path else raw("Not Found", status=404)

    return reply


@pytest.mark.parametrize(
    ("tongue", "ending", "path"),
    [
        (OPENAI, "", CHAT),
        (OPENAI, "/", CHAT),
        (OPENAI, "/v1", CHAT),
        (OPENAI, "/v1/", CHAT),
        (OPENAI, CHAT, CHAT),
        (OPENAI, "", "/chat/completions"),
        (OPENAI, "/chat/completions", "/chat/completions"),
        (OPENAI, "/api", "/api/v1/chat/completions"),
        (OPENAI, "/api", "/api/chat/completions"),
        (OPENAI, "/v1beta/openai/", "/v1beta/openai/chat/completions"),
        (OPENAI, "?api-version=2024-10-21", DEPLOYED),
        (OPENAI, "/openai?api-version=2024-10-21", DEPLOYED),
        (OPENAI, "/openai/deployments/some-model?api-version=2024-10-21", DEPLOYED),
        (OPENAI, DEPLOYED, DEPLOYED),
        (OPENAI, "/openai/v1?api-version=preview", f"/openai{CHAT}?api-version=preview"),
        (ANTHROPIC, "", "/v1/messages"),
        (ANTHROPIC, "/v1/", "/v1/messages"),
        (ANTHROPIC, "/v1/messages", "/v1/messages"),
        (ANTHROPIC, "/gateway", "/gateway/v1/messages"),
        (ANTHROPIC, "/gateway", "/gateway/messages"),
        (OLLAMA, "", "/api/chat"),
        (OLLAMA, "/v1/", "/api/chat"),
        (OLLAMA, "/api", "/api/chat"),
        (OLLAMA, "/api/chat", "/api/chat"),
        (OLLAMA, "/below/v1", "/below/api/chat"),
    ],
)
def test_every_spelling_of_a_base_url_reaches_the_api(tongue: Tongue, ending: str, path: str):
    with scripted_server(only_at(tongue, path), speak=tongue.speak) as server:
        executor = tongue.executor(server.origin + ending, key="sk-secret-key")
        for _ in range(2):
            assert executor.work(order()).reply == GOOD
    asked = [request.path for request in server.requests]
    assert asked[-2:] == [path, path]
    assert len(asked) <= 3, "the other address is tried once, and remembered"


@pytest.mark.parametrize(
    ("ending", "header"), [("/v1", "authorization"), ("?api-version=2024-10-21", "api-key")]
)
def test_the_key_is_in_the_header_that_the_api_wants(ending: str, header: str):
    with scripted_server([GOOD]) as server:
        OPENAI.executor(server.origin + ending, key="sk-secret-key").work(order())
    found = server.requests[0].headers
    assert {"authorization", "api-key"} & set(found) == {header}
    assert found[header].endswith("sk-secret-key")


def test_a_missing_model_is_asked_for_once():
    complaint = error(404, "The model `some-model` does not exist", code="model_not_found")
    with scripted_server([complaint, GOOD]) as server, pytest.raises(ExecutorFailure) as caught:
        OPENAI.executor(server.origin).work(order())
    assert f"{server.origin}{CHAT}" in caught.value.message
    assert len(server.requests) == 1


@pytest.mark.parametrize("ending", ["", "/v1", "?api-version=2024-10-21&secret=s3cret"])
@pytest.mark.parametrize("status", [400, 404, 0])
def test_an_error_names_the_url_that_was_asked(ending: str, status: int):
    with scripted_server(lambda _: raw("no", status=status)) as server:
        executor = OPENAI.executor(server.origin + ending)
        if status:
            with pytest.raises(ExecutorFailure) as caught:
                executor.work(order())
            asked = server.requests[0].path.partition("&")[0]
    if not status:  # nothing listens there any more
        with pytest.raises(ExecutorFailure) as caught:
            executor.work(order(timeout_seconds=0.2))
        asked = executor.address.url(CHAT, model="some-model").partition(CHAT)[0]
        asked = asked.removeprefix(server.origin).removesuffix("/v1")
    assert f"{server.origin}{asked}" in caught.value.message
    assert "s3cret" not in caught.value.message


def test_headers_reach_the_gateway_with_their_secrets_filled_in_and_kept_out_of_messages():
    headers = Headers({"X-Team": "core", "X-Pass": "Basic ${PASS}"}, {"PASS": "hunter2hunter2"})
    refusal = error(400, "bad pass Basic hunter2hunter2")
    with scripted_server([GOOD, refusal]) as server:
        executor = OPENAI.executor(server.base_url, headers=headers)
        executor.work(order())
        with pytest.raises(ExecutorFailure) as caught:
            executor.work(order())
    found = server.requests[0].headers
    assert (found["x-team"], found["x-pass"]) == ("core", "Basic hunter2hunter2")
    assert "hunter2" not in caught.value.message + repr(headers)


def test_a_header_whose_variable_is_not_set_stops_the_call():
    headers = Headers({"X-Pass": "${PASS}"}, {})
    with scripted_server([GOOD]) as server, pytest.raises(ExecutorFailure, match="PASS") as caught:
        OPENAI.executor(server.base_url, headers=headers).work(order())
    assert (caught.value.kind, server.requests) == (FailureKind.AUTH, [])


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("gpu", "http://gpu:11434"),
        ("gpu:80", "http://gpu:80"),
        (":1234", "http://127.0.0.1:1234"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:99", "http://127.0.0.1:99"),
        ("[::]", "http://[::1]:11434"),
        ("::1", "http://[::1]:11434"),
        ("http://gpu", "http://gpu:80"),
        ("https://gpu/below/", "https://gpu:443/below"),
        ("gpu:none", "http://gpu:11434"),
        (' "gpu" ', "http://gpu:11434"),
    ],
)
def test_ollama_host_is_read_as_ollama_reads_it(host: str, url: str):
    assert find_base_url("ollama", {"OLLAMA_HOST": host}) == (url, "OLLAMA_HOST")


@pytest.mark.parametrize(
    ("kind", "base_url", "wanted"),
    [
        ("claude", "http://h/v1/", "http://h"),
        ("claude", "http://h/x", "http://h/x"),
        ("gemini", "http://h/v1beta", "http://h"),
        ("codex", "http://h", "http://h/v1"),
        ("aider", "http://h/v1/chat/completions", "http://h/v1"),
        ("qwen", "", ""),
    ],
)
def test_an_agent_gets_its_base_url_as_its_program_wants_it(kind: str, base_url: str, wanted: str):
    assert agent_url(ExecutorSetting("a", kind, base_url=base_url)) == wanted


@pytest.mark.variant
@pytest.mark.parametrize(
    ("tongue", "kind", "variable"),
    [
        (OPENAI, "openai", "OPENAI_BASE_URL"),
        (ANTHROPIC, "anthropic", "ANTHROPIC_BASE_URL"),
        (OLLAMA, "ollama", "OLLAMA_HOST"),
    ],
)
def test_the_ecosystems_variables_count_where_the_config_is_silent(
    world: World, tongue: Tongue, kind: str, variable: str
):
    tiers = {"free": {"executor": "mine", "model": "tiny"}}
    world.task("p/01-b", writes=["b.txt"], validation="grep -qx b b.txt")
    reply = "```text path=b.txt\nb\n```\n"
    with scripted_server([reply], speak=tongue.speak) as server:
        world.configure(executors={"mine": {"type": kind}}, tiers=tiers)
        env = {variable: server.origin.removeprefix("http://" if kind == "ollama" else "")}
        outcome = world.exec("p/01-b", env=env)
        assert outcome.json["verdict"] == "merged", outcome.text
        shown = world.minitask("config", "show", "--sources", env=env).stdout
        assert f'executors.mine.base_url: "{server.origin}"  # {variable}' in shown
        mine = {"type": kind, "base_url": "http://127.0.0.1:9"}
        world.configure(executors={"mine": mine}, tiers=tiers)
        assert "127.0.0.1:9" in world.minitask("config", "show", env=env).stdout
    assert len(server.requests) == 1


def test_a_variable_that_is_no_url_is_named(world: World):
    world.configure(executors={"mine": {"type": "openai"}})
    outcome = world.minitask("status", env={"OPENAI_BASE_URL": "localhost:8000"})
    assert outcome.code == 2
    assert "OPENAI_BASE_URL: 'localhost:8000' cannot be used" in outcome.stderr
    assert "fix: export OPENAI_BASE_URL=http://localhost:8000\n" in outcome.stderr
