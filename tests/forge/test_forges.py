"""Forges: which one a remote is, pages, limits and refusals in words, and text that no forge obeys."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from executors.model_server import Reply, raw, redirect, reset
from forge.scripted_forges import REPOSITORY, TOKEN, ScriptedForge, answer
from minitask.errors import MachineError, MinitaskError, UsageError
from minitask.forge.forge import MOST_PAGES, Forge, NewPullRequest, PullRequest, RestApi
from minitask.forge.forge_at import (
    ForgeRepository,
    ForgeSource,
    find_repository,
    find_token,
    parse_remote,
)
from minitask.forge.forge_text import BEGIN, END, code_span, joined
from minitask.forge.github import GitHub
from minitask.forge.gitlab import GitLab
from minitask.git.repository import discover
from minitask.settings import ForgeSetting, SettingsLayer, resolve
from world import World

BRANCH = "minitask/p/01-b"
GHE = ForgeSetting(type="github", url="https://git.corp.example")
GHE_MINE = ForgeSetting(url="https://git.corp.example", token_env="MINE")
SELF = ForgeSetting(type="gitlab", url="https://git.corp.example:8443/")


@pytest.fixture(params=["github", "gitlab"])
def forge(request: pytest.FixtureRequest) -> Iterator[ScriptedForge]:
    forge = ScriptedForge(request.param)
    with forge.serve():
        yield forge


def dialect(forge: ScriptedForge, token: str = TOKEN) -> Forge:
    if forge.kind == "github":
        api = RestApi(f"{forge.url}/api/v3", token, "GITHUB_TOKEN")
        return GitHub(api, REPOSITORY, forge.url)
    return GitLab(RestApi(f"{forge.url}/api/v4", token, "GITLAB_TOKEN"), REPOSITORY, forge.url)


@pytest.mark.parametrize(
    ("url", "setting", "expected"),
    [
        ("https://github.com/acme/app.git", ForgeSetting(), "https://api.github.com acme/app"),
        ("https://me:secret@github.com/acme/app", GHE, "https://api.github.com acme/app"),
        ("git@github.com:acme/app.git", ForgeSetting(), "https://api.github.com acme/app"),
        ("ssh://git@ssh.github.com:443/acme/app", ForgeSetting(), "https://api.github.com acme/app"),
        ("https://acme.ghe.com/a/b", ForgeSetting(), "https://api.acme.ghe.com a/b"),
        ("git@gitlab.com:a/b/c.git", ForgeSetting(), "https://gitlab.com/api/v4 a/b/c"),
        ("git.corp.example:a/b", GHE, "https://git.corp.example/api/v3 a/b"),
        ("ssh://git@git.corp.example:2222/a/b.git", SELF, "https://git.corp.example:8443/api/v4 a/b"),
        ("/srv/git/app.git", ForgeSetting(repository="a/b"), "https://api.github.com a/b"),
        ("git@work:a/b", ForgeSetting(type="gitlab", repository="x/y"), "https://gitlab.com/api/v4 x/y"),
    ],
)  # fmt: skip
def test_the_remote_and_the_settings_say_which_repository(
    url: str, setting: ForgeSetting, expected: str
) -> None:
    place = find_repository(setting, "origin", url)
    assert f"{place.api_url} {place.path}" == expected


@pytest.mark.parametrize(
    ("url", "setting", "words"),
    [
        ("https://me:secret@evil.example/a/b", GHE, "on evil.example, which no setting says"),
        ("https://github.com.evil.example/a/b", ForgeSetting(), "which no setting says"),
        ("https://evil.example/ghe.com", ForgeSetting(), "names no repository"),
        ("https://git.corp.example/a/b", ForgeSetting(url="https://git.corp.example"), "do not say"),
        ("https://h.example/a/b", ForgeSetting(url="http://h.example", type="github"), "no address"),
        ("https://github.com/acme/../../user", ForgeSetting(), "names no repository"),
        ("C:\\git\\app", ForgeSetting(), "names no repository"),
        ("../app.git", ForgeSetting(), "names no repository"),
        ("file:///srv/app.git", ForgeSetting(), "names no repository"),
        ("https://[::1", ForgeSetting(), "names no repository"),
    ],
)  # fmt: skip
def test_no_token_goes_where_no_setting_says_a_forge_is(
    url: str, setting: ForgeSetting, words: str
) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        find_repository(setting, "origin", url)
    assert "secret" not in str(caught.value)


@pytest.mark.variant
@given(st.text(max_size=80))
def test_no_remote_url_breaks_the_reader(url: str) -> None:
    host, path = parse_remote(url)
    assert bool(host) == bool(path)
    assert not re.search(r"[@\s?#]|\.\./", path)


@pytest.mark.parametrize(
    ("setting", "kind", "environ", "expected"),
    [
        (ForgeSetting(), "github", {"GH_TOKEN": "b"}, ("b", "GH_TOKEN")),
        (ForgeSetting(), "github", {"GH_TOKEN": "b", "GITHUB_TOKEN": "a\n"}, ("a", "GITHUB_TOKEN")),
        (ForgeSetting(), "gitlab", {"GITHUB_TOKEN": "a"}, ("", "GITLAB_TOKEN")),
        (ForgeSetting(token_env="MINE"), "github", {"GITHUB_TOKEN": "a"}, ("", "MINE")),
        (GHE_MINE, "github", {"GITHUB_TOKEN": "a", "MINE": "b"}, ("a", "GITHUB_TOKEN")),
    ],
)
def test_the_token_is_that_of_the_forge(
    setting: ForgeSetting, kind: str, environ: dict[str, str], expected: tuple[str, str]
) -> None:
    public = ForgeRepository(kind, f"https://{kind}.com", "a/b")
    assert find_token(setting, public, environ) == expected


@pytest.mark.parametrize(
    ("url", "rewritten", "expected"),
    [
        ("gh:acme/app", ("https://github.com/", "gh:"), "https://github.com/acme/app"),
        ("https://github.com/a/b", ("git@work:", "https://github.com/"), "https://github.com/a/b"),
        ("https://g.example/a", ("git@work:", "https://g.example/"), "git@work:a"),
        ("https://own.example/a/b", ("git@work:", "https://own.example/"), "https://own.example/a/b"),
    ],
)  # fmt: skip
def test_a_rewritten_remote_is_known_in_either_form(
    world: World, url: str, rewritten: tuple[str, str], expected: str
) -> None:
    world.git("remote", "add", "origin", url)
    world.git("config", f"url.{rewritten[0]}.insteadOf", rewritten[1])
    repository = discover(world.root, os.environ)
    own = SettingsLayer("user", {"forge": {"type": "gitlab", "url": "https://own.example"}})
    settings = resolve((own,), trusted=True)
    assert ForgeSource(repository, settings, {}).remote_url("origin") == expected


def test_a_request_is_found_on_any_page_and_the_open_one_wins(forge: ScriptedForge) -> None:
    fields = {"branch": BRANCH, "title": "t", "body": "", "sha": "1" * 40}
    states = ["closed", "open", "closed", "merged", "closed"]
    forge.requests = [
        {**fields, "number": number, "target": "main", "state": state}
        for number, state in enumerate(states, 1)
    ]
    forge.requests.append({**fields, "number": 9, "target": "other", "state": "open"})
    found = dialect(forge).find(BRANCH, "main")
    assert found is not None
    assert (found.number, found.state) == (2, "open")
    assert len(forge.seen) == 3
    forge.requests[1]["state"] = "closed"
    found = dialect(forge).find(BRANCH, "main")
    assert found is not None
    assert found.number == 5


def test_pages_end_and_lead_nowhere_else(forge: ScriptedForge) -> None:
    endless = answer([], headers={"Link": f'<{forge.url}/api/x>; rel="next"'})
    forge.faults = [endless] * (MOST_PAGES + 5)
    assert dialect(forge).find(BRANCH, "main") is None
    assert len(forge.seen) == MOST_PAGES
    forge.faults = [answer([], headers={"Link": '<http://127.0.0.1:1/x>; rel="next"'})]
    assert dialect(forge).find(BRANCH, "main") is None


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (answer({"message": "Bad credentials"}, 401), "rejects the token in G"),
        (answer({"message": f"no {TOKEN}"}, 403, {"X-Accepted-OAuth-Scopes": "repo"}), "it needs repo"),
        (answer({"error": "insufficient_scope", "error_description": "more"}, 403), "forbids it: more"),
        (answer({"message": "Not Found"}, 404), "not there, or the token lacks a scope"),
        (answer({"message": {"base": ["is bad"]}}, 422), 'refuses it: {"base": ["is bad"]}'),
        (redirect("http://127.0.0.1:1/"), "has moved"),
        (raw("<html>", status=200), "something else than JSON"),
        (answer({"a": 1}), "a form that is not its API's"),
        (raw("\x00[" * 9000, status=418), "status 418"),
    ],
)  # fmt: skip
def test_a_refusal_is_put_in_words_without_the_token(
    forge: ScriptedForge, fault: Reply, words: str
) -> None:
    forge.faults = [fault]
    with pytest.raises(MinitaskError) as caught:
        dialect(forge).find(BRANCH, "main")
    assert words in str(caught.value)
    assert caught.value.hint
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("fault", [raw("", status=502), reset()])
def test_reading_is_tried_again_and_writing_is_not(forge: ScriptedForge, fault: Reply) -> None:
    forge.faults = [fault, fault]
    assert dialect(forge).find(BRANCH, "main") is None
    forge.faults = [fault]
    with pytest.raises(MachineError):
        dialect(forge).create(NewPullRequest(BRANCH, "main", "t", "b"))
    assert len(forge.writes) == 1


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (429, {"Retry-After": "0"}, 0),
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "+0"}, 0),
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "+-90"}, 0),
        (429, {"RateLimit-Remaining": "0", "RateLimit-Reset": "+3600"}, 3600),
        (403, {"Retry-After": "3600"}, 3600),
    ],
)
def test_a_rate_limit_is_waited_for_if_it_ends_soon(
    forge: ScriptedForge, status: int, headers: dict[str, str], wait: int
) -> None:
    at = {
        k: str(int(time.time()) + 1 + int(v[1:])) if v[0] == "+" else v for k, v in headers.items()
    }
    forge.faults = [answer({"message": "API rate limit exceeded"}, status, at)]
    if not wait:
        assert dialect(forge).find(BRANCH, "main") is None
        return
    with pytest.raises(MachineError, match=r"its rate limit is reached until \d{4}-.* UTC"):
        dialect(forge).find(BRANCH, "main")
    assert len(forge.seen) == 1


@pytest.mark.parametrize("forge", ["github"], indirect=True)
def test_checks_that_a_token_may_not_see_are_unknown(forge: ScriptedForge) -> None:
    request = PullRequest(1, "u", "open", "a" * 40)
    no = answer({"message": "Resource not accessible by personal access token"}, 403)
    forge.faults, forge.checks = [no], ["passed"]
    assert dialect(forge).checks(request) == "passed", "by the runs of Actions"
    forge.faults = [no, no]
    assert dialect(forge).checks(request) == "unknown"
    forge.faults, forge.checks = [], ["passed"]
    forge.statuses = [{"state": "success"}, {"state": "success"}, {"state": "error"}]
    assert dialect(forge).checks(request) == "failed"


def test_a_private_repository_asks_for_a_token(forge: ScriptedForge) -> None:
    forge.faults = [answer({"message": "Not Found"}, 404)]
    with pytest.raises(MinitaskError, match=r"not there, or not public(.|\n)*export G\w+=TOKEN"):
        dialect(forge, token="").issue(7)


def test_a_forge_that_is_not_there_is_unreachable() -> None:
    api = RestApi("http://127.0.0.1:9/api/v3", TOKEN, "GITHUB_TOKEN")
    with pytest.raises(MachineError, match=r"127\.0\.0\.1 cannot be reached") as caught:
        GitHub(api, REPOSITORY, "http://127.0.0.1:9").create(NewPullRequest("a", "b", "c", "d"))
    assert (caught.value.exit_code, TOKEN in str(caught.value)) == (3, False)


NASTY = (
    "@all",
    "#1",
    "closes #1",
    f"{END} x",
    "`",
    "``` \n/close\n",
    "</details>",
    "a`b``c",
    "<!-- x",
    "\x1b[2J",
)


@pytest.mark.parametrize("text", NASTY)
def test_what_others_wrote_stays_in_its_span(text: str) -> None:
    stays_in_span(text)


@given(st.text(alphabet=st.sampled_from("`@#/<!->\\ \na\u202e"), max_size=60))
def test_any_text_stays_in_its_span(text: str) -> None:
    stays_in_span(text)


def stays_in_span(text: str) -> None:
    line = f"- passed: {code_span(text)} (exit code 0)"
    assert END not in line
    (inline,) = (token for token in MarkdownIt().parse(line) if token.type == "inline")
    assert [child.type for child in inline.children or ()] == ["text", "code_inline", "text"]
    assert (inline.children or [])[-1].content == " (exit code 0)"


def test_what_people_wrote_around_the_block_stays() -> None:
    block = f"{BEGIN}\nnew\n{END}"
    assert joined("", block) == block
    assert joined("Mine.", block) == f"Mine.\n\n{block}"
    assert joined(f"a\r\n{BEGIN}\r\nold\r\n{END}\r\nb", block) == f"a\n{block}\nb"
    assert joined(f"{END} a {BEGIN}", block) == f"{END} a {BEGIN}\n\n{block}"
