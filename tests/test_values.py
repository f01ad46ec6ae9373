"""Values: where they stand is not compared, secrets are not shown, and both can be sent to another process."""

from __future__ import annotations

import pickle

import pytest
from msgspec.structs import replace

from minitask.executors.http import HttpRequest
from minitask.spec.model import Command, Spec


def test_where_a_value_stands_is_not_compared() -> None:
    here, there = Command("true", line=3), Command("true", line=9)
    assert here == there
    assert hash(here) == hash(there)
    assert here != Command("false", line=3)
    assert here != "true"


def test_a_spec_is_equal_wherever_its_lines_are() -> None:
    spec = Spec("p/1.md", number="1", title="A")
    assert replace(spec, lines=(("title", 4),), siblings=2) == spec
    assert replace(spec, title="B") != spec


def test_what_may_be_secret_is_not_shown() -> None:
    request = HttpRequest("http://localhost/", body=b"sk-1", headers={"authorization": "sk-2"})
    assert "sk-" not in repr(request)
    assert "http://localhost/" in repr(request)


def test_a_value_survives_pickling() -> None:
    spec = Spec("p/1.md", number="1", title="A", commands=(Command("true", line=3),))
    copy = pickle.loads(pickle.dumps(spec))
    assert copy == spec
    assert copy.commands[0].line == 3


def test_a_value_is_frozen() -> None:
    with pytest.raises(AttributeError):
        Command("true").line = 3  # type: ignore[misc]
