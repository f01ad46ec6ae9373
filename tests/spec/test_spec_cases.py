"""Specs as files: `positive/NAME.md` with what it says in `NAME.json`, `negative/NAME.md` with its diagnostics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from minitask.spec.model import Command, Diagnostic, FileRef, Spec
from minitask.spec.parse import parse_file
from minitask.spec.schema import check_document, spec_document
from minitask.system.files import Cache
from render_spec import render_spec

CASES = Path(__file__).parent / "cases"
POSITIVE = sorted((CASES / "positive").glob("*.md"))
NEGATIVE = sorted((CASES / "negative").glob("*.md"))


def read(case: Path) -> str:
    return case.read_text(encoding="utf-8")


def file_line(ref: FileRef) -> str:
    ranges = ",".join(map(str, ref.ranges))
    parts = (str(ref.line), ref.action.value, ref.path, ranges, "optional" if ref.optional else "")
    return " ".join(part for part in parts if part)


def expectations(command: Command) -> list[str]:
    return [
        f"{item.kind} {item.number} {item.tolerance} {item.text}".rstrip()
        for item in command.expectations
    ]


def options(spec: Spec) -> dict[str, object]:
    document = spec_document(spec)["options"]
    assert isinstance(document, dict)
    return {key: value for key, value in document.items() if value not in (None, [])}


def said(spec: Spec, *, key: str) -> object:
    """What a spec says about one key of a case's JSON."""
    views: dict[str, Any] = {
        "tokens": lambda: [spec.estimate.input_tokens, spec.estimate.output_tokens],
        "cost": lambda: None if spec.estimate.cost_usd is None else str(spec.estimate.cost_usd),
        "files": lambda: [file_line(ref) for ref in spec.files],
        "criteria": lambda: len(spec.criteria),
        "snippets": lambda: [f"{fence.line} {fence.info}" for fence in spec.snippets],
        "leads": lambda: [fence.lead for fence in spec.snippets],
        "commands": lambda: [f"{command.line} {command.text}" for command in spec.commands],
        "expectations": lambda: [expectations(command) for command in spec.commands],
        "extra": lambda: [list(pair) for pair in spec.extra],
        "options": lambda: options(spec),
    }
    return views[key]() if key in views else getattr(spec, key)


@pytest.mark.parametrize("case", POSITIVE, ids=lambda case: case.stem)
def test_a_spec_says_what_its_case_states(case: Path) -> None:
    found = parse_file(read(case), path=case.name)
    assert found.diagnostics == ()
    wanted = json.loads(case.with_suffix(".json").read_text(encoding="utf-8"))
    assert len(found.specs) == len(wanted)
    for index, (spec, statement) in enumerate(zip(found.specs, wanted, strict=True)):
        assert spec.path == case.name
        assert (spec.index, spec.siblings) == (index, len(wanted))
        for key, value in statement.items():
            if key == "lines":
                assert {name: spec.line_of(name) for name in value} == value
            elif key == "options":
                assert said(spec, key=key) == value
            else:
                assert said(spec, key=key) == value, key


@pytest.mark.parametrize("case", POSITIVE, ids=lambda case: case.stem)
def test_a_case_rendered_and_parsed_again_is_the_same(case: Path) -> None:
    for spec in parse_file(read(case), path=case.name).specs:
        again = parse_file(render_spec(spec), path=case.name)
        assert again.specs == (replace(spec, index=0),)
        assert again.diagnostics == ()


@pytest.mark.parametrize("case", POSITIVE, ids=lambda case: case.stem)
def test_windows_line_ends_and_a_byte_order_mark_change_nothing(case: Path) -> None:
    text = read(case)
    plain = parse_file(text, path=case.name)
    windows = parse_file("\ufeff" + text.replace("\n", "\r\n"), path=case.name)
    assert windows == plain
    assert [spec.lines for spec in windows.specs] == [spec.lines for spec in plain.specs]


@pytest.mark.parametrize("case", POSITIVE, ids=lambda case: case.stem)
def test_a_parsed_case_fits_the_published_schema(case: Path) -> None:
    for spec in parse_file(read(case), path=case.name).specs:
        document = json.loads(json.dumps(spec_document(spec)))
        assert check_document(document, dict(spec.lines)) == ()


def explained(diagnostic: Diagnostic) -> str:
    return f"{diagnostic.line} {diagnostic.code} {diagnostic.severity} {diagnostic.message}"


@pytest.mark.parametrize("case", NEGATIVE, ids=lambda case: case.stem)
def test_one_mistake_gives_one_diagnostic(case: Path) -> None:
    found = parse_file(read(case), path=case.name).diagnostics
    wanted = case.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    assert len(found) == len(wanted), [explained(item) for item in found]
    for diagnostic, line in zip(found, wanted, strict=True):
        place, code, severity, part = line.split(" ", 3)
        assert diagnostic.path == case.name
        assert (str(diagnostic.line), diagnostic.code) == (place, code)
        assert diagnostic.severity == severity
        assert part in diagnostic.message
        assert diagnostic.hint


@pytest.mark.parametrize("case", [*POSITIVE, *NEGATIVE], ids=lambda case: case.stem)
def test_what_was_parsed_is_read_from_the_cache(case: Path, tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    parsed = cache.values("key", lambda: parse_file(read(case), path="a.md"))
    assert cache.values("key", lambda: None) == parsed
