"""The published schema, what it makes of documents, and where the toolkit finds it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from msgspec.structs import fields

from minitask import resources
from minitask.errors import UsageError
from minitask.spec.markdown import find_fences
from minitask.spec.model import Options, Spec
from minitask.spec.parse import parse_file
from minitask.spec.schema import check_document, spec_document

SCHEMA = resources.schema("spec")
EXAMPLE = Path(__file__).parent / "cases" / "positive" / "original_example.md"


def objects(schema: object) -> Iterator[dict[str, Any]]:
    """Every object of a schema that lists properties."""
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            yield schema
        for child in schema.values():
            yield from objects(child)
    elif isinstance(schema, list):
        for child in schema:
            yield from objects(child)


def test_the_schema_is_valid_and_has_its_stable_id() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$id"] == "https://minitask.dev/schemas/spec.schema.json"
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_every_property_has_a_title_and_a_description() -> None:
    found = [pair for entry in objects(SCHEMA) for pair in entry["properties"].items()]
    assert len(found) > 50
    for name, entry in found:
        assert entry["title"], name
        assert entry["description"].endswith("."), name


def test_the_schema_names_exactly_the_fields_of_a_spec() -> None:
    assert set(SCHEMA["properties"]) == {field.name for field in fields(Spec)} - {"rows"}
    assert set(SCHEMA["$defs"]["options"]["properties"]) == {
        field.name for field in fields(Options)
    }


def test_one_mistake_in_a_document_gives_one_diagnostic_at_its_line() -> None:
    spec = parse_file(EXAMPLE.read_text(encoding="utf-8"), path="x.md").specs[0]
    document = spec_document(spec)
    assert check_document(document, {}) == ()
    document["index"] = -1
    document["options"] = {"tier": "cheep", "depends_on": ["a", 2]}
    document["colour"] = "red"
    lines = {"options/tier": 3, "options/depends_on": 4}
    found = check_document(document, lines, path="x.md")
    assert {(item.line, item.code) for item in found} == {
        (1, "E103"),
        (1, "E104"),
        (3, "E104"),
        (4, "E104"),
    }
    assert len(found) == 4
    assert {item.path for item in found} == {"x.md"}


def test_a_lacking_field_is_named() -> None:
    document = spec_document(Spec("a.md", "1", "T"))
    del document["title"]
    (found,) = check_document(document, {})
    assert "lacks 'title'" in found.message


@pytest.mark.parametrize("depth", [1_000, 3_900, 100_000])
def test_deeply_nested_front_matter_is_refused(depth: int) -> None:
    text = f"---\ntags: {'[' * depth}{']' * depth}\n---\n# Mini-Task 1: T\n"
    found = parse_file(text, path="x.md")
    assert [item.code for item in found.diagnostics] == ["E102"]
    assert found.specs[0].title == "T"


def test_a_wrong_option_leaves_the_others_standing() -> None:
    text = "---\ntier: cheep\ntags: [a]\ndepend: [b]\n---\n# Mini-Task 1: T\n"
    spec = parse_file(text, path="x.md").specs[0]
    assert spec.options == Options(tags=("a",))


def test_resources_are_found_by_kind_and_name() -> None:
    assert resources.path("schemas", "spec.schema.json").is_file()
    assert resources.path("rules").is_dir()
    for kind, name in (
        ("schemas", "../README.md"),
        ("schemas", "/etc/passwd"),
        ("schemas", "x"),
        ("x", "y"),
    ):
        with pytest.raises(UsageError):
            resources.path(kind, name)


def test_a_template_inside_a_document_is_no_task() -> None:
    inner = EXAMPLE.read_text(encoding="utf-8")
    text = f"# How to delegate\n\n#### Example:\n\n````markdown\n{inner}````\n"
    assert parse_file(text, path="x.md").specs == ()
    (fence,) = find_fences(text)
    assert fence.content == inner
