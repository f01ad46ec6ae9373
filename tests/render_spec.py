"""A spec as Markdown in the template's form; parsing it again gives the same value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from enum import Enum
from itertools import groupby
from typing import Any

from msgspec.structs import fields

from minitask.patterns import lazy_pattern
from minitask.spec.findings import render_fence
from minitask.spec.markdown import blocks, code_span, find_fences, normalise, parse_document
from minitask.spec.model import (
    Criterion,
    Estimate,
    Fence,
    FileAction,
    FileRef,
    LineRange,
    Options,
    Spec,
)
from minitask.spec.notes import find_cited, is_wrapped, line_range
from minitask.spec.parse import is_edit_fence
from minitask.spec.template import CANONICAL

_FILE_FIELDS = {
    FileAction.READ: "Files to Read",
    FileAction.CREATE: "Files to Create",
    FileAction.EDIT: "Files to Edit",
    FileAction.WRITE: "Files to Create/Edit",
    FileAction.DELETE: "Files to Delete",
}
_LIST_START = lazy_pattern(r"[-*+]\s|[0-9]+[.)]\s")


def render_spec(spec: Spec) -> str:
    """Return the Markdown of a spec, ending in a newline."""
    parts = [
        render_front_matter(spec.options),
        _title(spec),
        *_header(spec),
        _section("context", spec.context),
        _section("task", spec.task),
        _section("snippets", _snippets_text(spec)),
        _section("criteria", _criteria(spec.criteria)),
        _section("validation", "\n\n".join(_fences(spec.validation))),
        _section("on_failure", spec.on_failure),
        _section("next_task", spec.next_task),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def render_front_matter(options: Options) -> str:
    """Return the YAML front matter that says what differs from the defaults; empty if nothing does."""
    values = {
        field.name: _plain(getattr(options, field.name))
        for field in fields(options)
        if getattr(options, field.name) != field.default
    }
    return f"---\n{_yaml(values)}---" if values else ""


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return list(value)
    return value.value if isinstance(value, Enum) else value


def _yaml(mapping: dict[str, object]) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        """YAML with exact decimals."""

    def decimal(dumper: yaml.SafeDumper, value: Decimal) -> yaml.ScalarNode:
        text = format(value, "f")
        kind = "float" if "." in text else "int"
        return dumper.represent_scalar(f"tag:yaml.org,2002:{kind}", text)

    Dumper.add_representer(Decimal, decimal)
    settings: dict[str, Any] = {"sort_keys": False, "allow_unicode": True, "width": 10_000}
    text: str = yaml.dump(mapping, Dumper=Dumper, **settings)
    return text


def _title(spec: Spec) -> str:
    number = f" {spec.number}" if spec.number else ""
    title = f" {spec.title}" if spec.title else ""
    closing = " #" if spec.title.endswith("#") else ""
    return f"# Mini-Task{number}:{title}{closing}"


def _header(spec: Spec) -> Iterator[str]:
    header_fields = [("Model", spec.model)] if spec.model else []
    header_fields.extend(_estimate(spec.estimate))
    for has_list, pairs in groupby((*header_fields, *spec.extra), key=_has_list):
        if has_list:
            yield from (f"**{key}**:\n{value}" for key, value in pairs)
        else:
            yield "\n".join(f"**{key}**: {value}".rstrip() for key, value in pairs)
    for action, refs in groupby(spec.files, key=lambda ref: ref.action):
        yield "\n".join([f"**{_FILE_FIELDS[action]}**:", *map(_file, refs)])


def _has_list(pair: tuple[str, str]) -> bool:
    return _LIST_START.match(pair[1]) is not None


def _estimate(estimate: Estimate) -> Iterator[tuple[str, str]]:
    sides = (("input", estimate.input_tokens), ("output", estimate.output_tokens))
    tokens = [f"{count:,} {side}" for side, count in sides if count is not None]
    if tokens:
        yield "Estimated Tokens", " + ".join(tokens)
    if estimate.cost_usd is not None:
        yield "Estimated Cost", f"${estimate.cost_usd:f}"


def _file(ref: FileRef) -> str:
    """Return a bullet; ranges that the note does not cite stand behind the path."""
    cited = [line_range(match) for match in find_cited(ref.note)]
    noted = [lines for lines in cited if isinstance(lines, LineRange)]
    before = ref.ranges[: len(ref.ranges) - len(noted)]
    suffix = f":{','.join(map(str, before))}" if before else ""
    note = ref.note or ("optional" if ref.optional else "")
    return f"- {code_span(ref.path + suffix)}{_note(note)}"


def _note(note: str) -> str:
    if not note:
        return ""
    return f" ({note})" if is_wrapped(f"({note})") else f" - {note}"


def _section(name: str, text: str) -> str:
    if not text:
        return ""
    return f"{'#' * _level(text)} {CANONICAL[name]}\n\n{_closed(text)}"


def _level(text: str) -> int:
    """Return the level of a section's heading: above every heading that its text holds."""
    if not re.search(r"^ {0,3}(?:#|=|-)", text, re.MULTILINE):
        return 2
    levels = [block.level for block in blocks(parse_document(normalise(text))) if block.level]
    return max(1, min(2, min(levels, default=3) - 1))


def _closed(text: str) -> str:
    """Return the text with its last fence closed, so that what follows is not swallowed."""
    if "```" not in text and "~~~" not in text:
        return text
    document = parse_document(normalise(text))
    for token in document.tokens:
        if token.type == "fence" and token.level == 0 and token.map:
            start, end = token.map
            if end - start - 1 == token.content.count("\n") and end >= len(document.lines) - 1:
                return f"{text}\n{token.markup}"
    return text


def _snippets_text(spec: Spec) -> str:
    """Return the section as written, or made of the snippets of a spec that was never a file."""
    if spec.snippets_text:
        return spec.snippets_text
    in_task = [fence for fence in find_fences(spec.task) if is_edit_fence(fence)]
    return "\n\n".join(_fences(spec.snippets[len(in_task) :]))


def _fences(fences: Iterable[Fence]) -> Iterator[str]:
    return (render_fence(fence) for fence in fences)


def _criteria(criteria: Iterable[Criterion]) -> str:
    return "\n".join(
        f"- [{'x' if criterion.done else ' '}] {criterion.text}" for criterion in criteria
    )
