"""What fails goes back once, with what was wrong, to the same executor; both tries are on record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest

from executors.model_server import (
    Received,
    Script,
    ScriptedServer,
    claude_message,
    completion,
    scripted_server,
)
from world import World

GOOD = "```text path=b.txt\nb\n```\n"
RED = "```text path=b.txt\nnot b\n```\n"
VALIDATION = 'test -e b.txt\ngrep -qx b b.txt || { echo "b.txt says: $(cat b.txt)" >&2; exit 7; }'
PYTHON = "```python path=m.py\ndef f(:\n    return 1\n```\n"
ELIDED = "```python path=m.py\ndef f():\n    return 1\n\n\n# ... rest of the file unchanged\n```\n"
WHOLE = "```python path=m.py\ndef f():\n    return 1\n```\n"
COST = Decimal("0.0014")
"""One request of the scripted server at the settings' prices."""


def usage(prompt: int, answer: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": answer}


@contextmanager
def serving(world: World, script: Script, **more: Any) -> Iterator[ScriptedServer]:
    """A task, and a model that answers so."""
    with world.serve(script, **more) as server:
        world.task("p/01-b", writes=["b.txt"], validation=VALIDATION)
        yield server


def attempts(world: World, task: str = "p/01-b") -> list[dict[str, Any]]:
    return [record["attempt"] for record in world.records(task)]


def roles(request: Received) -> list[str]:
    return [message["role"] for message in request.json["messages"]]


@pytest.mark.variant
def test_a_failed_validation_goes_back_once_as_a_continued_conversation(world: World) -> None:
    with serving(world, [RED, GOOD]) as server:
        outcome = world.exec("p/01-b")
        first, second = server.requests
    assert (outcome.code, outcome.json["verdict"]) == (0, "merged"), outcome.text
    assert world.show("b.txt") == "b\n"
    assert roles(second) == ["system", "user", "assistant", "user"]
    assert second.json["messages"][:2] == first.json["messages"], "the cached prefix stays"
    assert second.json["messages"][2]["content"] == RED
    told = second.json["messages"][3]["content"]
    assert "grep -qx b b.txt" in told, "the failing command"
    assert "b.txt says: not b" in told, "what it printed"
    assert "7" in told, "how it ended"
    assert "test -e b.txt" not in told, "what passed is not paid for"
    assert second.json["model"] == first.json["model"] == "tiny"


@pytest.mark.variant
def test_a_repair_may_be_an_edit_of_the_earlier_reply(world: World) -> None:
    first = "```text path=b.txt\nnot b\n```\n```text path=c.txt\nc\n```\n"
    correction = "```text path=b.txt\n<<<<<<< SEARCH\nnot b\n=======\nb\n>>>>>>> REPLACE\n```\n"
    with world.serve([first, correction]) as server:
        world.task("p/01-b", writes=["b.txt", "c.txt"], validation=f"test -e c.txt\n{VALIDATION}")
        outcome = world.exec("p/01-b")
        _, second = server.requests
    assert outcome.json["verdict"] == "merged", outcome.text
    assert (world.show("b.txt"), world.show("c.txt")) == ("b\n", "c\n")
    told = second.json["messages"][3]["content"]
    assert "as your change left them" in told
    assert "complete" not in told, "the whole reply is not paid for again"


@pytest.mark.variant
def test_both_tries_are_on_record_each_with_its_own_numbers(world: World) -> None:
    replies = [completion(RED, usage=usage(1000, 50)), completion(GOOD, usage=usage(3000, 70))]
    with serving(world, replies):
        result = world.exec("p/01-b").json
    first, second = attempts(world)
    assert (first["n"], first["verdict"], first["gate"]) == (1, "failed", "validate")
    assert (second["n"], second["verdict"], second["gate"]) == (2, "ready", None)
    assert [each["usage"]["input_tokens"] for each in (first, second)] == [1000, 3000]
    assert [each["usage"]["output_tokens"] for each in (first, second)] == [50, 70]
    assert [each["usage"]["requests"] for each in (first, second)] == [1, 1]
    costs = [Decimal(each["cost_usd"]) for each in (first, second)]
    assert costs == [Decimal("0.011"), Decimal("0.0314")]
    assert Decimal(result["cost_usd"]) == sum(costs)
    assert result["usage"] == {
        "requests": 2,
        "input_tokens": 4000,
        "cached_input_tokens": None,
        "output_tokens": 120,
    }
    assert [each["n"] for each in result["attempts"]] == [1, 2]
    assert world.show("b.txt", at="refs/minitask/attempts/p/01-b/1") == "not b\n"
    assert world.show("b.txt", at="refs/minitask/attempts/p/01-b/2") == "b\n"
    assert world.tip("minitask/p/01-b") == world.tip("main^2")


@pytest.mark.variant
def test_a_change_that_fails_twice_fails_and_nobody_asks_a_third_time(world: World) -> None:
    with serving(world, RED) as server:
        before = world.tip()
        outcome = world.exec("p/01-b")
        assert len(server.requests) == 2
    assert (outcome.code, outcome.json["verdict"]) == (1, "failed")
    assert world.tip() == before
    assert [each["verdict"] for each in attempts(world)] == ["failed", "failed"]
    assert Decimal(outcome.json["cost_usd"]) == 2 * COST


@pytest.mark.variant
def test_without_repairs_nothing_goes_back(world: World) -> None:
    with serving(world, RED, routing={"repairs": 0}) as server:
        assert world.exec("p/01-b").json["verdict"] == "failed"
        assert len(server.requests) == 1
    assert len(attempts(world)) == 1


def test_a_malformed_second_reply_fails_with_both_paid(world: World) -> None:
    with serving(world, lambda request: RED if len(roles(request)) == 2 else "No.") as server:
        outcome = world.exec("p/01-b")
        requests = len(server.requests)
    assert outcome.json["verdict"] == "failed", outcome.text
    assert requests <= 3, "each kind of failure goes back once at the most"
    assert Decimal(outcome.json["cost_usd"]) == requests * COST
    assert sum(each["usage"]["requests"] for each in attempts(world)) == requests


def test_a_reply_out_of_scope_goes_back_once_with_the_list_and_then_fails(world: World) -> None:
    stray = GOOD + "\n```text path=c.txt\nc\n```\n"
    with serving(world, stray) as server:
        outcome = world.exec("p/01-b")
        _, second = server.requests
    assert "b.txt" in second.json["messages"][3]["content"].partition("fix:")[2]
    assert (outcome.code, outcome.json["verdict"]) == (1, "failed"), outcome.text
    assert "c.txt" in outcome.json["reason"]
    (attempt,) = attempts(world)
    assert (attempt["gate"], Decimal(attempt["cost_usd"])) == ("scope", 2 * COST)
    assert not world.has("b.txt")


@pytest.mark.parametrize(("bad", "word"), [(PYTHON, "m.py"), (ELIDED, "rest of the file")])
def test_a_change_that_no_tool_would_take_goes_back_likewise(
    world: World, bad: str, word: str
) -> None:
    with world.serve([bad, WHOLE]) as server:
        world.task("p/01-m", writes=["m.py"], validation="grep -q 'def f' m.py")
        outcome = world.exec("p/01-m")
        assert len(server.requests) == 2, outcome.text
        second = server.requests[1]
    assert outcome.json["verdict"] == "merged", outcome.text
    assert roles(second) == ["system", "user", "assistant", "user"]
    assert second.json["messages"][2]["content"] == bad
    assert word in second.json["messages"][3]["content"]
    first, last = attempts(world, "p/01-m")
    assert (first["verdict"], first["gate"], first["commands"]) == ("failed", "lint", [])
    assert last["verdict"] == "ready"


ONLY_NEW = "```text path=allow.txt\nzeta\n```\n"
WHOLE_LIST = "```text path=allow.txt\nalpha\nbeta\ngamma\nzeta\n```\n"


@pytest.mark.variant
@pytest.mark.parametrize(
    ("second", "verdict", "content"),
    [
        (WHOLE_LIST, "merged", "alpha\nbeta\ngamma\nzeta\n"),
        (f"The old lines of allow.txt go: that is meant.\n\n{ONLY_NEW}", "merged", "zeta\n"),
        (ONLY_NEW, "failed", "alpha\nbeta\ngamma\n"),
    ],
)
def test_a_short_list_of_which_only_the_new_line_came_is_asked_back_once(
    world: World, second: str, verdict: str, content: str
) -> None:
    world.commit({"allow.txt": "alpha\nbeta\ngamma\n"}, message="files")
    with world.serve([ONLY_NEW, second]) as server:
        title = "Add zeta to the list"
        check = "grep -qx zeta allow.txt"
        world.task("p/01-b", writes=["allow.txt"], validation=check, title=title)
        outcome = world.exec("p/01-b")
        told = server.requests[1].json["messages"][3]["content"]
    assert (outcome.json["verdict"], world.show("allow.txt")) == (verdict, content), outcome.text
    assert 'it drops "alpha", "beta", "gamma", which the spec does not name' in told
    assert "or if that is meant, say in a line that allow.txt is to lose them" in told


LONG = "".join(f"row {n}\n" for n in range(1, 31))
BEYOND = "```edits\ndelete long.txt:21-22\n```\n"
WITHIN = "```edits\ndelete long.txt:12-12\n```\n"


def test_an_operation_on_lines_that_were_not_shown_goes_back(world: World) -> None:
    world.commit({"long.txt": LONG}, message="files")
    with world.serve([BEYOND, WITHIN]) as server:
        check = "! grep -qx 'row 12' long.txt"
        writes = ["long.txt (lines 10-15)"]
        world.task("p/01-b", writes=writes, validation=check, title="Delete the row of 12")
        outcome = world.exec("p/01-b")
        told = server.requests[1].json["messages"][3]["content"]
    assert outcome.json["verdict"] == "merged", outcome.text
    assert world.show("long.txt") == LONG.replace("row 12\n", "")
    assert "lines 21-22 of long.txt were not shown" in told
    assert "shown of long.txt: lines 10-15" in told


@pytest.mark.variant
def test_a_reply_that_was_cut_off_gets_more_room_once_within_the_attempt(world: World) -> None:
    with serving(world, [completion(GOOD, finish_reason="length"), GOOD]) as server:
        outcome = world.exec("p/01-b")
        limits = [request.json["max_tokens"] for request in server.requests]
    assert outcome.json["verdict"] == "merged", outcome.text
    assert limits[1] > limits[0]
    (attempt,) = attempts(world)
    assert attempt["usage"]["requests"] == 2
    assert Decimal(attempt["cost_usd"]) == 2 * COST


@pytest.mark.variant
def test_a_reply_that_stays_cut_off_fails_and_is_paid(world: World) -> None:
    with serving(world, completion(GOOD, finish_reason="length")) as server:
        outcome = world.exec("p/01-b")
        assert len(server.requests) == 2
    assert (outcome.code, outcome.json["verdict"]) == (1, "failed")
    assert Decimal(outcome.json["cost_usd"]) == 2 * COST


@pytest.mark.variant
def test_the_record_holds_the_rates_and_where_they_came_from(world: World) -> None:
    prices = {"tiny": {"input": 10, "output": 20, "cached": 1, "cache_write": 12}}
    with serving(world, [GOOD], prices=prices):
        world.exec("p/01-b")
    (attempt,) = attempts(world)
    assert attempt["pricing"]["source"] == "config"
    rates = attempt["pricing"]["usd_per_million_tokens"]
    assert (rates["input"], rates["output"], rates["cached_input"]) == ("10", "20", "1")
    assert rates["cache_write"] == "12"


@pytest.mark.variant
def test_list_prices_count_cache_reads_and_both_kinds_of_writes(world: World) -> None:
    tokens = {
        "input_tokens": 1000,
        "cache_read_input_tokens": 10_000,
        "cache_creation_input_tokens": 3000,
        "cache_creation": {"ephemeral_5m_input_tokens": 2000, "ephemeral_1h_input_tokens": 1000},
        "output_tokens": 100,
    }
    model = "claude-haiku-4-5"
    with scripted_server([claude_message(GOOD, usage=tokens, model=model)]) as server:
        world.configure(
            executors={"claude": {"type": "anthropic", "base_url": server.base_url}},
            tiers={"cheap": {"executor": "claude", "model": model}},
        )
        world.task("p/01-b", writes=["b.txt"], validation=VALIDATION)
        result = world.exec("p/01-b").json
    # 1, .10, 1.25, 2 (an hour's write is twice the input) and 5 USD a million
    expected = (
        1000 * 1 + 10_000 * Decimal("0.1") + 2000 * Decimal("1.25") + 1000 * 2 + 100 * 5
    ) / 10**6
    assert Decimal(result["cost_usd"]) == expected
    (attempt,) = attempts(world)
    assert attempt["pricing"]["source"].startswith("genai-prices")
    assert attempt["pricing"]["usd_per_million_tokens"]["cache_write_1h"] == "2"
    assert attempt["tokens"] == {
        "fresh_input": 1000,
        "cache_read": 10_000,
        "cache_write_5m": 2000,
        "cache_write_1h": 1000,
        "output": 100,
        "reasoning": None,
    }


@pytest.mark.variant
def test_an_unpriced_model_costs_null_and_never_zero(world: World) -> None:
    with serving(world, [RED, GOOD], prices={}):
        result = world.exec("p/01-b").json
    assert result["verdict"] == "merged"
    assert result["cost_usd"] is None
    for attempt in attempts(world):
        assert attempt["cost_usd"] is None
        assert attempt["pricing"]["source"] == "unpriced"
        assert attempt["usage"]["input_tokens"] == 100


@pytest.mark.variant
def test_a_priced_model_whose_usage_is_unknown_costs_null(world: World) -> None:
    with serving(world, [completion(GOOD, usage=None)]):
        result = world.exec("p/01-b").json
    assert (result["verdict"], result["cost_usd"]) == ("merged", None)
    (attempt,) = attempts(world)
    assert attempt["pricing"]["usd_per_million_tokens"]["input"] == "10", "the rates stand"
    assert attempt["usage"]["input_tokens"] is None


CODE = "import re\n\n\ndef slug(text):\n    return re.sub('[^a-z]+', '-', text.lower())\n"
TESTS = (
    "from slugs import slug\n\n\ndef test_slug():\n    assert slug('A b') == 'a-b'\n"
    "\n\ndef test_ends():\n    assert slug(' A ') == 'a'\n"
)
MENDED = CODE.replace("text.lower())", "text.lower()).strip('-')")
CAUGHT = "    try:\n        assert slug(' A ') == 'a'\n    except AssertionError: pass"
CORRECTIONS = {
    "the code": ("slugs.py", MENDED, ""),
    "an expected value": ("test_slugs.py", TESTS.replace("== 'a'", "== '-a-'"), "changes what test_slugs.py expects"),
    "a test that is gone": ("test_slugs.py", TESTS[: TESTS.index("\n\ndef test_ends")], "test_ends is gone"),
    "a caught failure": (
        "test_slugs.py",
        TESTS.replace("    assert slug(' A ') == 'a'", CAUGHT),
        "test_ends checks nothing any more",
    ),
}  # fmt: skip


@pytest.mark.sampled(2)
@pytest.mark.parametrize("case", CORRECTIONS)
def test_a_correction_mends_the_code_and_not_its_tests(world: World, case: str) -> None:
    path, text, doubt = CORRECTIONS[case]
    first = f"```python path=slugs.py\n{CODE}```\n\n```python path=test_slugs.py\n{TESTS}```\n"
    with world.serve([first, f"```python path={path}\n{text}```\n"]):
        writes = ["slugs.py", "test_slugs.py"]
        world.task("p/01-b", writes=writes, validation="python -m pytest -q test_slugs.py")
        outcome = world.exec("p/01-b").json
    assert outcome["verdict"] == ("ready" if doubt else "merged"), outcome["reason"]
    assert doubt in (outcome["reason"] or "")


LIMITS = "LIMIT = 10\nRETRIES = 3\n\n\ndef wait():\n    return RETRIES\n"


def block(old: str, new: str) -> str:
    return f"<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n"


@pytest.mark.parametrize("said", ["", "LIMIT of limits.py needs no change after all.\n\n"])
def test_a_reply_that_mends_one_edit_keeps_the_others_or_says_so(world: World, said: str) -> None:
    world.commit({"limits.py": LIMITS})
    good, bad = block("LIMIT = 10", "LIMIT = 20"), block("RETRIES = 4", "RETRIES = 5")
    first, second = (
        f"```python path=limits.py\n{edits}```\n"
        for edits in (good + bad, block("RETRIES = 3", "RETRIES = 5"))
    )
    with world.serve([first, said + second]):
        world.task("p/01-b", writes=["limits.py"], validation="grep -q 'RETRIES = 5' limits.py")
        outcome = world.exec("p/01-b").json
    assert outcome["verdict"] == ("merged" if said else "failed"), outcome["reason"]
    told = "leaves out an edit of limits.py that the one before it made: LIMIT = 20"
    assert (told in (outcome["reason"] or "")) is (not said)
