"""Diagnostics in every format: for people, for scripts, for code scanning, for pull requests."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitask.errors import UsageError
from minitask.reports.diagnostics import FORMATS, render_diagnostics
from minitask.spec.model import Diagnostic, Severity
from minitask.spec.rules import codes

TWO = (
    Diagnostic(
        "mini-projects/api/03-routes.md",
        48,
        "N207",
        Severity.ERROR,
        "src/api.py is also written by 05-auth",
        "add `depends_on: [03-routes]` to 05-auth",
    ),
    Diagnostic("a.md", 0, "E101", Severity.ERROR, "no mini-task in the file"),
    Diagnostic("a.md", 7, "W404", Severity.WARNING, "the context has 120 words", "shorten it"),
)


def _render(form: str, diagnostics: tuple[Diagnostic, ...] = TWO, specs: int = 9) -> str:
    return render_diagnostics(diagnostics, form=form, spec_count=specs)


def test_text_names_place_code_message_and_way_out() -> None:
    assert _render("text") == (
        "mini-projects/api/03-routes.md:48: N207 src/api.py is also written by 05-auth\n"
        "  fix: add `depends_on: [03-routes]` to 05-auth\n"
        "a.md: E101 no mini-task in the file\n"
        "a.md:7: W404 the context has 120 words\n"
        "  fix: shorten it\n"
        "2 errors, 1 warning in 9 specs\n"
    )


@pytest.mark.parametrize(
    ("severities", "specs", "expected"),
    [
        ([], 1, "no errors in 1 spec"),
        ([], 0, "no errors in 0 specs"),
        (["error"], 1, "1 error in 1 spec"),
        (["note", "warning", "warning"], 2, "2 warnings, 1 note in 2 specs"),
        (["error", "error", "note", "note"], 2, "2 errors, 2 notes in 2 specs"),
    ],
)
def test_the_last_line_counts(severities: list[str], specs: int, expected: str) -> None:
    found = tuple(Diagnostic("a.md", 1, "E101", Severity(name), "m") for name in severities)
    assert _render("text", found, specs).splitlines()[-1] == expected


def test_text_lets_nothing_steer_the_terminal() -> None:
    found = (Diagnostic("a\x1b[2J.md", 1, "E205", Severity.ERROR, "x\r\ny\u202e\udce9", "é 🚀"),)
    text = _render("text", found)
    assert "a\\x1b[2J.md:1: E205 x\\x0d\\x0ay\\u202e\\udce9\n  fix: é 🚀\n" in text
    text.encode("utf-8")


def test_quoted_lines_of_a_file_are_lines_in_the_text_and_none_looks_like_a_diagnostic() -> None:
    message = "no such text; nearest: line 1:\n      1 | a\x1b[m\n      2 | b\na.md:1: E101 c"
    text = _render("text", (Diagnostic("a.md", 1, "E304", Severity.ERROR, message),))
    assert text.splitlines()[:-1] == [
        "a.md:1: E304 no such text; nearest: line 1:",
        "      1 | a\\x1b[m",
        "      2 | b\\x0aa.md:1: E101 c",
    ]


def test_json_has_exactly_the_public_keys() -> None:
    rows = json.loads(_render("json"))
    assert rows[0] == {
        "path": "mini-projects/api/03-routes.md",
        "line": 48,
        "code": "N207",
        "severity": "error",
        "message": "src/api.py is also written by 05-auth",
        "hint": "add `depends_on: [03-routes]` to 05-auth",
    }
    assert [list(row) for row in rows] == [
        ["path", "line", "code", "severity", "message", "hint"] for _ in TWO
    ]
    assert json.loads(_render("json", ())) == []


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": False,
    }


_TEXT = {"type": "string"}
_LEVEL = {"enum": ["none", "note", "warning", "error"]}
_MESSAGE = _object(["text"], text=_TEXT, markdown=_TEXT)
_ARTIFACT = _object([], uri={"type": "string", "format": "uri-reference"}, uriBaseId=_TEXT)
_REGION = _object([], startLine={"type": "integer", "minimum": 1})
_PHYSICAL = {
    **_object([], artifactLocation=_ARTIFACT, region=_REGION),
    "anyOf": [{"required": ["address"]}, {"required": ["artifactLocation"]}],
}
_RULE = _object(
    ["id"],
    id=_TEXT,
    name=_TEXT,
    shortDescription=_MESSAGE,
    fullDescription=_MESSAGE,
    help=_MESSAGE,
    defaultConfiguration=_object([], level=_LEVEL),
)
_RESULT = _object(
    ["message"],
    ruleId=_TEXT,
    ruleIndex={"type": "integer", "minimum": -1},
    level=_LEVEL,
    message=_MESSAGE,
    locations={"type": "array", "items": _object([], physicalLocation=_PHYSICAL)},
)
_DRIVER = _object(
    ["name"],
    name=_TEXT,
    semanticVersion=_TEXT,
    rules={"type": "array", "uniqueItems": True, "items": _RULE},
)
_RUN = _object(
    ["tool"],
    tool=_object(["driver"], driver=_DRIVER),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    results={"type": "array", "items": _RESULT},
)
# The part of the SARIF 2.1.0 schema that a log of plain results can touch, no property more.
SARIF = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    **_object(
        ["version", "runs"],
        version={"enum": ["2.1.0"]},
        runs={"type": "array", "items": _RUN},
        **{"$schema": {"type": "string", "format": "uri"}},
    ),
}

_diagnostics = st.builds(
    Diagnostic,
    path=st.text(min_size=1),
    line=st.integers(0, 9999),
    code=st.sampled_from([*codes(), "X999"]),
    severity=st.sampled_from(Severity),
    message=st.text(),
    hint=st.text(),
)


@given(st.lists(_diagnostics, max_size=5))
def test_sarif_keeps_to_its_schema(found: list[Diagnostic]) -> None:
    log = json.loads(render_diagnostics(found, form="sarif", spec_count=1))
    jsonschema.Draft7Validator(SARIF).validate(log)
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(set(rules)) == len(rules)
    for item, result in zip(found, run["results"], strict=True):
        assert rules[result["ruleIndex"]] == result["ruleId"] == item.code
        place = result["locations"][0]["physicalLocation"]
        assert unquote(place["artifactLocation"]["uri"]) == item.path
        assert re.fullmatch(r"[A-Za-z0-9_.~/%-]+", place["artifactLocation"]["uri"])
        assert place.get("region", {}).get("startLine", 0) == item.line


def test_the_schema_of_the_test_can_say_no() -> None:
    log = json.loads(_render("sarif"))
    log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0
    assert not jsonschema.Draft7Validator(SARIF).is_valid(log)


def test_sarif_explains_its_rules() -> None:
    log = json.loads(_render("sarif"))
    rules = {rule["id"]: rule for rule in log["runs"][0]["tool"]["driver"]["rules"]}
    assert sorted(rules) == ["E101", "N207", "W404"]
    assert rules["W404"]["defaultConfiguration"] == {"level": "warning"}
    assert rules["N207"]["help"]["markdown"].startswith("# N207: ")
    assert rules["N207"]["name"] == "TwoSpecsWriteOneFile"


def test_github_annotates_the_line() -> None:
    assert _render("github").splitlines() == [
        (
            "::error file=mini-projects/api/03-routes.md,line=48,title=N207::src/api.py is also "
            "written by 05-auth%0Afix: add `depends_on: [03-routes]` to 05-auth"
        ),
        "::error file=a.md,title=E101::no mini-task in the file",
        "::warning file=a.md,line=7,title=W404::the context has 120 words%0Afix: shorten it",
    ]


def test_github_escapes_what_would_end_a_property_or_a_command() -> None:
    found = (Diagnostic("a,b:c%.md", 1, "E205", Severity.NOTE, "50%, a: b\r\n::error::x"),)
    assert _render("github", found) == (
        "::notice file=a%2Cb%3Ac%25.md,line=1,title=E205::50%25, a: b%0D%0A::error::x\n"
    )


@given(st.lists(_diagnostics, max_size=4))
def test_github_prints_one_line_for_each(found: list[Diagnostic]) -> None:
    text = render_diagnostics(found, form="github", spec_count=1)
    assert len(text.splitlines()) == len(found)
    text.encode("utf-8")


@given(st.lists(_diagnostics, max_size=4))
def test_text_prints_two_lines_at_most_for_each(found: list[Diagnostic]) -> None:
    lines = render_diagnostics(found, form="text", spec_count=1).splitlines()
    assert len(lines) == len(found) + sum(1 for item in found if item.hint) + 1


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="'xml'") as caught:
        _render("xml")
    assert caught.value.hint == f"choose from {', '.join(FORMATS)}"
