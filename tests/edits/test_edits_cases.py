"""Edit scripts as files: what stands before, the script, and what comes of it or the error.

A case is Markdown with the sections `base`, `script`, and `expected` or `error`. In `base` and
`expected` a fence is a file; words behind its path tell what Markdown cannot show: `crlf`, `bom`,
`open` (no final newline), `escapes` (`\\u2028` and the like stand for the character), `from=PATH`
(takes that path's mode), `deleted`. A case called `reply-…` is read as a model's reply.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from minitask.edits.apply_script import apply_script
from minitask.edits.grammar import parse_script, render_script
from minitask.edits.script_model import Change
from minitask.errors import EditError
from minitask.spec.model import Fence

CASES = sorted((Path(__file__).parent / "cases").glob("*.md"))


@dataclass
class Case:
    fences: dict[str, list[Fence]] = field(default_factory=dict)

    @property
    def base(self) -> dict[str, str]:
        return {path_of(fence): shown(fence) for fence in self.fences.get("base", [])}

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(change_of(fence) for fence in self.fences.get("expected", []))

    @property
    def error(self) -> str | None:
        found = self.fences.get("error")
        return found[0].content.strip() if found else None


def fences_of(markdown: str) -> list[tuple[str, Fence]]:
    """Each fence with the section that it stands in."""
    section, lead, found = "", "", []
    tokens = MarkdownIt("commonmark").parse(markdown)
    for at, token in enumerate(tokens):
        if token.type == "heading_open" and token.tag == "h2":
            section = tokens[at + 1].content.lower()
        elif token.type == "inline":
            lead = token.content.splitlines()[-1]
        elif token.type == "fence" and token.map:
            found.append((section, Fence(token.info, token.content, lead, token.map[0] + 1)))
            lead = ""
    return found


def load_case(path: Path) -> Case:
    case = Case()
    for section, fence in fences_of(path.read_text(encoding="utf-8")):
        case.fences.setdefault(section, []).append(fence)
    return case


def path_of(fence: Fence) -> str:
    found = re.match(r'path=(?:"([^"]*)"|(\S+))', fence.info)
    assert found, fence.info
    return found[1] or found[2]


def shown(fence: Fence) -> str:
    words, content = fence.info.split(), fence.content
    if "escapes" in words:
        content = re.sub(r"\\u(....)", lambda found: chr(int(found[1], 16)), content)
    if "open" in words:
        content = content.removesuffix("\n")
    if "crlf" in words:
        content = content.replace("\n", "\r\n")
    return ("\ufeff" if "bom" in words else "") + content


def change_of(fence: Fence) -> Change:
    mode = re.search(r"from=(\S+)", fence.info)
    content = None if "deleted" in fence.info.split() else shown(fence)
    return Change(path_of(fence), content, mode[1] if mode else None)


def apply_case(case: Case, *, lead_paths: bool) -> tuple[Change, ...]:
    fences = case.fences.get("script", [])
    script = parse_script(fences, source="script", lead_paths=lead_paths)
    again = parse_script([fence for _, fence in fences_of(render_script(script))])
    assert again == script, "a rendered script reads back"
    return apply_script(script, read=case.base.get, source="script")


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_case_gives_the_expected_files_or_the_expected_error(path: Path) -> None:
    case = load_case(path)
    lead_paths = path.stem.startswith("reply-")
    assert ("expected" in case.fences) != ("error" in case.fences) or "unchanged" in path.stem
    if case.error is None:
        assert apply_case(case, lead_paths=lead_paths) == case.changes
        return
    with pytest.raises(EditError) as caught:
        apply_case(case, lead_paths=lead_paths)
    # Where an edit stands in its Markdown is not part of the story a case tells, but must be known.
    message = str(caught.value)
    assert message.startswith("script:"), message
    assert message.split(": ", 1)[1] == case.error
