"""Lines that slip while a file is typed again: a lost backslash, lost indentation, a number that became text."""

from __future__ import annotations

import pytest
from test_rewrites import ruling

DOCKER = "FROM a:1\nRUN make \\\n    && make install\nENV T=1000\n"
YAML = "service:\n  port: 1000\n  env:\n    A: 1\nother: 2\n"
JSON = '{\n  "a": {"port": 1000, "on": true},\n  "b": [5],\n  "c": 1\n}\n'
SLIPS = {
    "a backslash": ("Dockerfile", DOCKER, DOCKER.replace(" \\\n", "\n"), "lost the backslash"),
    "a script's": ("a.sh", "run a \\\n  --b\n", "run a\n  --b\n", "lost the backslash"),
    "indentation": ("a.yaml", YAML, YAML.replace("    A", "  A"), "empties service.env"),
    "a number in quotes": ("a.json", JSON, JSON.replace("1000", '"9000"'), 'is "9000" now'),
    "a truth value": ("a.json", JSON, JSON.replace("true", '"false"'), 'is "false" now'),
    "its layout": ("a.json", JSON, '{"a": {"port": 9000, "on": true}, "b": [5], "c": 1}\n', "stand in other lines"),
    "an item": ("a.json", JSON, JSON.replace("[5]", '["6"]'), "b[0] was a value without quotes"),
}  # fmt: skip


@pytest.mark.parametrize("case", SLIPS)
def test_a_line_that_slipped_goes_back(case: str) -> None:
    path, base, content, words = SLIPS[case]
    assert words in ruling(path, base, content.replace("1000", "9000"), task="1. Set it to 9000.")


MEANT = {
    "a command that ends earlier": ("a.sh", "run a \\\n  --b \\\n  --c\n", "run a \\\n  --b\n"),
    "one of two commands": ("a.sh", "run a \\\n  --b\nend\n", "run a\nend\n"),
    "a line break in prose": ("a.md", "one\\\ntwo\n", "one\ntwo\n"),
    "a backslash of two": ("a.rb", 'a = "b\\\\\nc"\n', 'a = "b\nc"\n'),
    "a string of digits": ("a.json", '{"id": "5"}\n', '{"id": "6"}\n'),
    "a version": ("a.json", '{"version": 1}\n', '{"version": "1.0.0"}\n'),
}  # fmt: skip


@pytest.mark.parametrize("case", MEANT)
def test_a_line_that_was_meant_passes(case: str) -> None:
    path, base, content = MEANT[case]
    assert not ruling(path, base, content, explicit=True, task="1. Do it.")


def test_a_number_becomes_text_where_the_task_says_so() -> None:
    quoted = JSON.replace("1000", '"1000"')
    assert not ruling("a.json", JSON, quoted, task="1. Write the port as a string.")
    assert not ruling("a.json", JSON, quoted, task='1. Set it to "1000".')


def test_a_layout_changes_where_the_task_says_so() -> None:
    flat = '{"a": {"port": 1000, "on": true}, "b": [5], "c": 1}\n'
    assert not ruling("a.json", JSON, flat, task="1. Format it on one line.")
