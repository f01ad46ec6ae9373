"""The top of a file: whether it is text or another tool's plan, and its YAML front matter.

The values of keys are defined in the schema alone. This file handles YAML's own traps: duplicate keys, aliases, dates
that become objects, octal numbers, nesting that crashes its parser.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

from msgspec import Struct, field

from minitask.patterns import lazy_pattern
from minitask.spec.markdown import Document, blocks, normalise, parse_document
from minitask.spec.model import Options, Problem, Tier
from minitask.spec.schema import check_options

_FENCE = "---"
_MAX_CHARACTERS = 8_000  # libyaml's parser overflows the C stack at some 20,000 nested brackets
_MAX_DEPTH = 8
_INT = lazy_pattern(r"[-+]?(?:0|[1-9][0-9_]{0,17})")
_FLOAT = lazy_pattern(r"[-+]?[0-9]{1,18}\.[0-9]{0,18}")
_NAMES = frozenset({"anchor", "depends_on", "id", "tags"})
"""Options whose values are names, also if they have digits only: a task's number, a commit's short name."""
_TRUE = {"yes", "true", "on"}
_HINT = "write `key: value` lines between two lines of `---`"


class FrontMatter(Struct, frozen=True):
    """The options, the line of each given key (`tier`, `tags/0`), and the errors.

    `end` is the number of lines that it takes up in the file.
    """

    options: Options = field(default_factory=Options)
    lines: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    end: int = 0


class _RefusedError(Exception):
    """YAML that is not acceptable, with the line (from 0 within the block) and the reason."""

    def __init__(self, line: int, why: str, hint: str) -> None:
        super().__init__(why)
        self.line = line
        self.why = why
        self.hint = hint


def parse_front_matter(text: str) -> FrontMatter:
    """Return the front matter at the top of a normalised text; empty if there is none.

    As in pandoc, `---` followed by a blank line is a rule and not front matter.
    """
    lines = text.split("\n", 2)
    if lines[0].rstrip() != _FENCE or len(lines) < 2 or not lines[1].strip():
        return FrontMatter()
    rows = enumerate(text.split("\n")[1:], 2)
    end = next((number for number, line in rows if line.rstrip() in {_FENCE, "..."}), None)
    if end is None:
        hint = "add a line of `---` below its last key"
        return _broken(1, "the front matter is not closed", hint)
    body = text.split("\n", end)[1 : end - 1]
    try:
        values, key_lines = _load("\n".join(body) + "\n")
    except _RefusedError as refused:
        return _broken(refused.line + 2, refused.why, refused.hint, end=end)
    problems = check_options(values, key_lines)
    if problems:
        values = {
            key: value for key, value in values.items() if not check_options({key: value}, {})
        }
    return FrontMatter(_options(values), key_lines, problems, end)


def _broken(line: int, why: str, hint: str, *, end: int = 0) -> FrontMatter:
    return FrontMatter(problems=(Problem(line, "E102", why, hint),), end=end)


@cache
def _loader() -> type[Any]:
    import yaml

    base: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]
        """A YAML loader that leaves dates as text."""

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in pairs if not tag.endswith(":timestamp")]
        for first, pairs in base.yaml_implicit_resolvers.items()
    }
    return Loader


def _load(text: str) -> tuple[dict[str, object], dict[str, int]]:
    """Return the mapping and its keys' lines (1-based, in the file)."""
    import yaml

    if len(text) > _MAX_CHARACTERS:
        message = f"the front matter is longer than {_MAX_CHARACTERS} characters"
        raise _RefusedError(0, message, _HINT)
    try:
        node = yaml.compose(text, Loader=_loader())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        why = f"the front matter is not YAML: {error.problem or error.context}"
        raise _RefusedError(mark.line if mark else 0, why, _HINT) from None
    except (yaml.YAMLError, UnicodeError) as error:
        why = f"the front matter is not YAML: {str(error).splitlines()[0]}"
        raise _RefusedError(0, why, _HINT) from None
    if node is None:
        return {}, {}
    if not isinstance(node, yaml.MappingNode):
        raise _RefusedError(node.start_mark.line, "the front matter is not a mapping", _HINT)
    walk = _Walk(visited=set(), lines={})
    return walk.mapping(node, ""), walk.lines


class _Walk(Struct, frozen=True):
    """A converter of YAML nodes to plain values that records the line of each key."""

    visited: set[int]
    lines: dict[str, int]

    def value(self, node: Any, key_path: str) -> object:
        if id(node) in self.visited:
            line = self.lines.get(key_path, 2) - 2
            raise _RefusedError(line, f"{key_path} is a YAML alias", "write the value out")
        self.visited.add(id(node))
        if key_path.count("/") > _MAX_DEPTH:
            raise _RefusedError(node.start_mark.line, f"{key_path} is nested too deep", _HINT)
        if node.id == "scalar":
            value = _scalar(node)
            is_name = key_path.partition("/")[0] in _NAMES
            return str(node.value) if is_name and type(value) is int else value
        if node.id == "mapping":
            return self.mapping(node, f"{key_path}/")
        return self.sequence(node, key_path)

    def mapping(self, node: Any, prefix: str) -> dict[str, object]:
        self.visited.add(id(node))
        entries: dict[str, object] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line
            if key_node.id != "scalar":
                raise _RefusedError(line, "a key of the front matter is not plain text", _HINT)
            key = str(key_node.value)
            if key in entries:
                message = f"{prefix}{key} is given twice"
                raise _RefusedError(line, message, "keep one of the two lines")
            self.lines[f"{prefix}{key}"] = line + 2
            entries[key] = self.value(value_node, f"{prefix}{key}")
        return entries

    def sequence(self, node: Any, key_path: str) -> list[object]:
        entries = []
        for index, child in enumerate(node.value):
            self.lines[f"{key_path}/{index}"] = child.start_mark.line + 2
            entries.append(self.value(child, f"{key_path}/{index}"))
        return entries


def _scalar(node: Any) -> object:
    """Return a scalar's value; numbers only in unambiguous notation (no octal, no base 60)."""
    text = str(node.value)
    kind = node.tag.rpartition(":")[2]
    if kind == "null":
        return None
    if kind == "bool":
        return text.casefold() in _TRUE
    if kind == "int" and _INT.fullmatch(text):
        return int(text)
    if kind == "float" and _FLOAT.fullmatch(text):
        return Decimal(text)
    return text


def _options(values: Mapping[str, Any]) -> Options:
    options = {key: value for key, value in values.items() if value is not None}
    for key in ("depends_on", "tags", "protected"):
        if key in options:
            options[key] = (options[key],) if isinstance(options[key], str) else tuple(options[key])
    if isinstance(options.get("network"), list):
        options["network"] = tuple(options["network"])
    if "tier" in options:
        options["tier"] = Tier(options["tier"])
    if "max_cost_usd" in options:
        options["max_cost_usd"] = Decimal(str(options["max_cost_usd"]))
    return Options(**options)


MAX_BYTES = 5_000_000
MAX_FILES = 20_000

_UTF16_MARKS = ("\udcff\udcfe", "\udcfe\udcff", "\ufffe")
_SAMPLE = 400
_KEYS = (
    r"(?:id|depends_on|tags|complexity|tier|executor|model|timeout_seconds|max_cost_usd|review|network|protected|anchor"
    r"|proof|grade)"
)
_OPTION = lazy_pattern(rf"{_KEYS}\s*:")
_FOREIGN_FRONT = lazy_pattern(rf"(?:```+|~~~+|\+\+\+)[^\n]*\n(?:---\n)?{_KEYS}\s*[:=]")


def find_unreadable(text: str) -> Problem | None:
    """Return why the file cannot be a spec, judged by its bytes; invalid UTF-8 appears as lone surrogates in `text`."""
    if len(text) > MAX_BYTES:
        size = f"the file is larger than {MAX_BYTES // 1_000_000} MB"
        return Problem(1, "E111", size, "split it: a spec is a few kilobytes of Markdown")
    if text.startswith(_UTF16_MARKS) or _is_wide(text):
        hint = "save it as UTF-8: `iconv -f UTF-16 -t UTF-8`, or `Set-Content -Encoding utf8` in PowerShell"
        return Problem(1, "E111", "the file is UTF-16, and a spec is UTF-8", hint)
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        message = "the file holds a NUL character, so it is not text"
        return Problem(line, "E111", message, "remove it")
    return None


def _is_wide(text: str) -> bool:
    """Return True if every other byte at the start is NUL, as in UTF-16 without a byte order mark."""
    sample = text[:_SAMPLE]
    return len(sample) > 3 and sample.count("\0") * 3 > len(sample)


def find_late_front_matter(document: Document) -> Iterator[Problem]:
    """Yield a problem for each front matter inside the file, which Markdown reads as a rule and a heading.

    So is one at the top that stands in a fence, or is written in TOML.
    """
    top = next((row for row, line in enumerate(document.lines) if line.strip()), 0)
    if _FOREIGN_FRONT.match(document.text(top, top + 3)):
        yield Problem(top + 1, "E112", "front matter in this form is not read", _HINT)
    if not any(token.type == "hr" for token in document.tokens):
        return
    hint = "front matter belongs at the top and applies to the whole file: move this task to its own file"
    for rule, heading in pairwise(blocks(document)):
        underlined = heading.kind == "heading" and document.tokens[heading.first].markup == "-"
        follows = rule.kind == "hr" and rule.end == heading.start
        if follows and underlined and _OPTION.match(heading.text):
            yield Problem(rule.start + 1, "E112", "front matter inside the file is not read", hint)


SUPERPOWERS, SPEC_KIT, YAML = "superpowers", "spec-kit", "yaml"
READ = (SUPERPOWERS, SPEC_KIT, YAML)
"""Formats that `minitask import` reads."""
TASK_MASTER, BACKLOG, KIRO = "task-master", "Backlog.md", "Kiro"
OPENSPEC, BEADS = "OpenSpec", "beads"
GOALS = (TASK_MASTER, BACKLOG, KIRO, OPENSPEC, BEADS)
"""Formats whose tasks `minitask plan --from` turns into goals."""
_LONGEST = 400_000
_WORKERS = lazy_pattern(r"(?im)^>\s*\*\*For (?:Claude|agentic workers)\b")
_TASK_HEADING = lazy_pattern(r"(?im)^#{2,4}[^\w#\n]*(?:Task\s+|T\d)\d+")
_PLAN_PARTS = lazy_pattern(
    r"(?im)^(?:#.*Implementation Plan\s*$|.{0,8}\*\*(?:Files|Step \d+)\b"
    r"|#{2,4}[^\w#\n]*(?:Task\s+|T\d)\d[^\n]*\n+(?:[-*] )?\*\*File\b)"
)
_SPEC_KIT_LINE = lazy_pattern(r"(?m)^[ \t]*[-*+]\s+\[[ xX~-]\]\s+[*_]*T\d{2,4}[a-z]?\b")
_NUMBERED_LINE = lazy_pattern(r"(?m)^[ \t]*[-*+]\s+\[[ xX~-]\]\*?\s+\d+(?:\.\d+)*\.?\s")
_BOX = lazy_pattern(r"(?m)^[ \t]*[-*+]\s+\[.\]\*?\s")
_BACKLOG_TASK = lazy_pattern(r"(?ms)\A---\n(?=.*?^id:)(?=.*?^status:).*?^---$")
_YAML_TASKS = lazy_pattern(
    r"(?m)^[ \t]*(?:-\s+)?(?:model_tier|allowed_paths|depends_on|validation)\s*:"
)
_YAML_LIST = lazy_pattern(r"(?m)^(?:tasks\s*:|-\s+(?:id|title|name)\s*:)")


def find_format(text: str, path: str, document: Document | None = None) -> str:
    """Return the format of another tool's plan; empty for any other text. `document` is the text, if already parsed."""
    text, file = text[:_LONGEST], PurePosixPath(path)
    if file.suffix in (".json", ".jsonl") or text.lstrip()[:1] == "{":
        return _in_json(text, file)
    normal = normalise(text)
    if file.suffix != ".md" and _YAML_LIST.search(normal) and _YAML_TASKS.search(normal):
        return YAML
    if _BACKLOG_TASK.search(normal) and "backlog" in file.parts:
        return BACKLOG
    return _in_markdown(_without_fences(document or parse_document(normal)), file)


def import_command(form: str, path: str) -> str:
    """Return the shell command that reads a file of another tool's format."""
    words = ["minitask", "import"] if form in READ else ["minitask", "plan", "--from"]
    return shlex.join([*words, path])


def _in_json(text: str, path: PurePosixPath) -> str:
    is_log = path.name == "issues.jsonl" or ".beads" in path.parts
    if '"issue_type"' in text or (is_log and '"title"' in text):
        return BEADS
    return TASK_MASTER if '"tasks"' in text and '"title"' in text else ""


def _in_markdown(text: str, path: PurePosixPath) -> str:
    if _SPEC_KIT_LINE.search(text):
        return SPEC_KIT
    if _WORKERS.search(text) or (_TASK_HEADING.search(text) and _PLAN_PARTS.search(text)):
        return SUPERPOWERS
    is_listed = path.name == "tasks.md" and bool({"openspec", ".kiro"} & {*path.parts})
    if _NUMBERED_LINE.search(text) or (is_listed and _BOX.search(text)):
        return OPENSPEC if "openspec" in path.parts else KIRO
    return ""


def _without_fences(document: Document) -> str:
    fenced = {
        row
        for token in document.tokens
        if token.type in ("fence", "code_block") and token.map
        for row in range(*token.map)
    }
    return "\n".join(line for row, line in enumerate(document.lines) if row not in fenced)
