"""A task as read from Markdown, and its parsed header fields: model, estimates, files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from msgspec import Struct, field
from msgspec.structs import replace

from minitask.patterns import lazy_pattern
from minitask.spec.filelists import with_tables
from minitask.spec.filerefs import find_action, parse_refs
from minitask.spec.markdown import CODE, Document, MarkdownBlock
from minitask.spec.model import Estimate, FileAction, FileRef, Options, Problem, Spec
from minitask.spec.template import TaskHeading, key_of

_TOKEN_KEYS = {"estimated tokens", "tokens", "token estimate"}
_COST_KEYS = {"estimated cost", "cost"}
_COUNT = lazy_pattern(
    r"(?i)~?(?P<number>[0-9][0-9,]*(?:\.[0-9]+)?)\s*(?P<unit>[km]?)\s*(?:tokens?\s+)?(?P<side>in|out)(?:put)?\b"
)
_MONEY = lazy_pattern(
    r"(?i)[~≈]?\s*\$?\s*(?P<number>[0-9][0-9,]*(?:\.[0-9]+)?|\.[0-9]+)\s*(?:usd)?"
    r"(?:\s+(?:total|per task))?(?:\s*\([^()]*\))?"
)
_LEFT_OVER = lazy_pattern(r"(?i)\b(?:tokens?|total|per task)\b|[\s+/,;&|()~]")
_MONEY_AFTER = lazy_pattern(r"\s*(?:=|\()\s*(?P<money>\$[0-9.,]+)\)?\s*")
_UNITS = {"": 1, "k": 1_000, "m": 1_000_000}
_DIGITS = 15


class RawField(Struct, frozen=True):
    """A header field as found: key, one-line value, and the bullets below it as (text, line).

    `markdown` is the list below it as written.
    """

    key: str
    value: str
    line: int
    bullets: tuple[tuple[str, int], ...] = ()
    markdown: str = ""


class Header(Struct, frozen=True):
    """The header fields of a task or a container of tasks."""

    model: str = ""
    estimate: Estimate = field(default_factory=Estimate)
    files: tuple[FileRef, ...] = ()
    extra: tuple[tuple[str, str], ...] = ()
    lines: dict[str, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def is_header_key(key: str) -> bool:
    """Return True if a label is one of the template's header fields."""
    return key_of(key) in {"model", *_TOKEN_KEYS, *_COST_KEYS} or find_action(key) is not None


def parse_header(fields: Iterable[RawField]) -> Header:
    """Return the parsed header fields; an unknown field is kept in `extra`."""
    header = Header()
    for raw in fields:
        action = find_action(raw.key)
        if action is not None:
            header = _with_files(header, raw, action=action)
        else:
            header = _with_value(header, raw, key_of(raw.key))
    return header


def _with_files(header: Header, raw: RawField, *, action: FileAction) -> Header:
    texts = ((raw.value, raw.line),) if raw.value else ()
    files = list(header.files)
    problems: list[Problem] = []
    for text, line in (*texts, *with_tables(raw.bullets)):
        parsed = parse_refs(text, action=action, line=line)
        files.extend(ref for ref in parsed.refs if ref not in files)
        problems.extend(
            Problem(line, "E110", bad_range, "write `lines A-B` with 1 <= A <= B, digits only")
            for bad_range in parsed.bad_ranges
        )
    return replace(
        header,
        files=tuple(files),
        lines={"files": raw.line, f"files.{action}": raw.line} | header.lines,
        problems=(*header.problems, *problems),
    )


def _with_value(header: Header, raw: RawField, key: str) -> Header:
    value = raw.value or raw.markdown
    if key == "model" and not header.model and raw.value:
        code = CODE.fullmatch(raw.value)
        model = code[2].strip() if code else raw.value
        return replace(header, model=model, lines=header.lines | {"model": raw.line})
    if key in _TOKEN_KEYS or key in _COST_KEYS:
        estimate = (_tokens if key in _TOKEN_KEYS else _cost)(header.estimate, value)
        if estimate is not None:
            lines = {"estimate": raw.line} | header.lines
            return replace(header, estimate=estimate, lines=lines)
    lines = {f"extra.{raw.key}": raw.line} | header.lines
    return replace(header, extra=(*header.extra, (raw.key, value)), lines=lines)


def _tokens(estimate: Estimate, value: str) -> Estimate | None:
    """Return the estimate with the token counts of a value such as `3,000 input + 800 output`."""
    counts = {match["side"].casefold(): _count(match) for match in _COUNT.finditer(value)}
    remainder = _COUNT.sub("", value)
    money = _MONEY_AFTER.search(remainder)
    cost = estimate.cost_usd
    if money:
        cost, remainder = parse_money(money["money"]), _MONEY_AFTER.sub("", remainder, count=1)
    if not counts or None in counts.values() or _LEFT_OVER.sub("", remainder):
        return None
    return Estimate(counts.get("in"), counts.get("out"), cost)


def _count(match: re.Match[str]) -> int | None:
    digits = match["number"].replace(",", "")
    if len(digits) > _DIGITS:
        return None
    return int(Decimal(digits) * _UNITS[match["unit"].casefold()])


def _cost(estimate: Estimate, value: str) -> Estimate | None:
    money = parse_money(value)
    return None if money is None else replace(estimate, cost_usd=money)


def parse_money(text: str) -> Decimal | None:
    """Return US dollars as in `~$0.002` or `0.5 USD`; None for anything else, including ranges."""
    match = _MONEY.fullmatch(text.strip())
    if match is None or len(match["number"]) > _DIGITS:
        return None
    return Decimal(match["number"].replace(",", ""))


def merge_headers(container: Header, header: Header) -> Header:
    """Return a task's header, with missing fields filled in from its container."""
    if container == Header():
        return header
    stated_keys = {key_of(key) for key, _ in header.extra}
    if header.estimate != Estimate():
        stated_keys |= _TOKEN_KEYS | _COST_KEYS
    inherited = tuple(pair for pair in container.extra if key_of(pair[0]) not in stated_keys)
    return Header(
        model=header.model or container.model,
        estimate=header.estimate if header.estimate != Estimate() else container.estimate,
        files=(*container.files, *(ref for ref in header.files if ref not in container.files)),
        extra=(*inherited, *header.extra),
        lines=container.lines | header.lines,
        problems=header.problems,
    )


_DEPENDS = {"depends on", "depends", "dependencies", "blocked by", "prerequisites", "prerequisite"}
_FOR_PEOPLE = lazy_pattern(
    r"(?:estimated|actual|last|if all|next|assigned|story|due|human|models?)\b.*|first project"
    r"|(?:needs |requires )?review|status|state|priority|time|cost|savings|total|tokens|tier|owner|assignee|date"
    r"|created|updated|author|complexity|difficulty|effort|size|points|batch|phase|wave|parallel|type|labels?|tags?|id"
    r"|branch|review required|issue|ticket|pr|epic|sprint|milestone|project|version|executor|agent|feedback|blocks"
)
_REVIEW = {"review", "human review", "requires review", "review required", "needs review"}
_REQUIRED = lazy_pattern(r"(?i)(?:required|yes|true|mandatory)\b.*")
_NUMBER = r"[0-9]+(?:\.[0-9]+)*[A-Za-z]?\b"
_TASKS = lazy_pattern(
    rf"(?i)\b(?:mini[\s_-]?)?tasks?\s+#?(?P<numbers>{_NUMBER}(?:\s*(?:,\s*and|[,&–-]|and|to)\s*#?{_NUMBER})*)"
)
_RANGE = lazy_pattern(r"([0-9]+)\s*(?:[–-]|to)\s*#?([0-9]+)")
_ID = lazy_pattern(r"(?:[-*+]\s+)?`?(?P<id>(?:[\w.-]+/)?[0-9]+[A-Za-z]?-[\w-]+?)(?:\.md)?`?")
_NO_TASK = lazy_pattern(r"(?i)[(\[*_]*(?:none|n/?a|nothing|no\b|[-–—]$)")
_DENIES = lazy_pattern(r"(?i)\b(?:not|no|none|independent|without|parallel|before|until)\b")
_LONGEST_RANGE = 50


def names_dependencies(key: str) -> bool:
    """Return True for a label or heading such as `Depends on`."""
    return key_of(key.rstrip(": ")) in _DEPENDS


def told_context(spec: Spec) -> str:
    """Return the context with the header's other fields, such as `**Constraints**: …`, without data for people."""
    fields = (f"{key}: {value}" for key, value in spec.extra if value and _is_told(key, value))
    return "\n".join((*fields, spec.context))


def _is_told(key: str, value: str) -> bool:
    if names_dependencies(key) and (_named_tasks(value) or _NO_TASK.match(value)):
        return False
    return _FOR_PEOPLE.fullmatch(key_of(key)) is None


def stated_options(header: Header) -> dict[str, tuple[object, int]]:
    """Return the options that header fields state, each with its line: dependencies, and a required review."""
    options: dict[str, tuple[object, int]] = {}
    for key, value in header.extra:
        name, line = key_of(key), header.lines.get(f"extra.{key}", 0)
        if name in _DEPENDS and (tasks := _named_tasks(value)):
            options["depends_on"] = (tasks, line)
        elif name in _REVIEW and _REQUIRED.fullmatch(value.strip(" *_`")):
            options["review"] = ("required", line)
    return options


def _named_tasks(value: str) -> tuple[str, ...]:
    """Return the tasks that a value names, by ids alone or as `Task 2`, `Mini-Tasks 1-3`."""
    value = value.partition("\n**")[0].strip()
    if _NO_TASK.match(value):
        return ()
    ids = [_ID.fullmatch(part.strip()) for part in re.split(r"[,;\n]", value) if part.strip()]
    if ids and all(ids):
        return tuple(match["id"] for match in ids if match)
    numbers: dict[str, None] = {}
    first = _TASKS.search(value)
    if first and _DENIES.search(value, 0, first.start()):
        return ()
    for match in _TASKS.finditer(value):
        numbers |= dict.fromkeys(re.findall(_NUMBER, match["numbers"]))
        for start, end in _RANGE.findall(match["numbers"]):
            between = range(int(start), min(int(end), int(start) + _LONGEST_RANGE))
            numbers |= dict.fromkeys(map(str, between))
    return tuple(numbers)


_HINT = "keep one of the two, or make them say the same"


def check_agreement(spec: Spec, lines: Mapping[str, int]) -> list[Problem]:
    """Return a problem for each header field that contradicts the front matter, whose keys are at `lines`."""
    fields = [("model", spec.model, spec.line_of("model"))] if spec.model else []
    for key, value in spec.extra:
        fields.append((key_of(key).replace(" ", "_"), value, spec.line_of(f"extra.{key}")))
    problems = []
    for name, stated, line in fields:
        if name not in lines:
            continue
        expected = _option(spec.options, name)
        tasks = _named_tasks(stated) if name == "depends_on" else ()
        same = bool(tasks) and {*map(_label, tasks)} == {*map(_label, expected)}
        if expected and not same and not _agree(stated, expected):
            message = f"the header says {name} `{stated}`, the front matter `{', '.join(expected)}`"
            problems.append(Problem(line, "E105", message, _HINT))
    return problems


def _label(task: str) -> str:
    """Return the number with which a task's name begins, without zeros before it."""
    return task.rpartition("/")[2].partition("-")[0].lstrip("0")


def _option(options: Options, name: str) -> tuple[str, ...]:
    value = getattr(options, name, None) if name in options.__struct_fields__ else None
    if value is None:
        return ()
    return value if isinstance(value, tuple) else (str(value),)


def _agree(stated: str, expected: tuple[str, ...]) -> bool:
    """Return True if both agree except for case, spacing and order; a header may give alternatives: `A (or B)`."""
    normalised = {_plain(value) for value in expected}
    if len(normalised) > 1:
        return {_plain(part) for part in stated.split(",")} == normalised
    alternatives = re.split(r"\s*\(\s*or\b|\s+or\s+|\)", stated)
    return not normalised.isdisjoint(_plain(part) for part in (stated, *alternatives))


def _plain(text: str) -> str:
    return re.sub(r"[\s_-]+", " ", text.replace("`", "")).strip().casefold()


def check_numbers(specs: Sequence[Spec], *, id_line: int) -> list[Problem]:
    """Return a problem for each number that two tasks of a file share, and for one id (at `id_line`) of several."""
    first: dict[str, int] = {}
    problems = []
    for spec in specs:
        line, number = spec.line_of("title"), spec.number.casefold()
        if number and number in first:
            message = f"task {spec.number} is already on line {first[number]}"
            hint = "give each task in the file its own number"
            problems.append(Problem(line, "E109", message, hint))
        first.setdefault(number, line)
    if id_line and len(specs) > 1:
        message = f"one id for the {len(specs)} tasks of this file"
        hint = "remove `id` (tasks are addressed as FILE#N), or split the file"
        problems.append(Problem(id_line, "E109", message, hint))
    return problems


class Piece(Struct):
    """Consecutive lines of a section, from 0; `first` is text from the line of its heading or label."""

    first: str
    start: int
    end: int
    first_token: int
    last_token: int
    blocks: list[MarkdownBlock] = field(default_factory=list)
    labelled: bool = False

    def text(self, document: Document) -> str:
        """Return the piece as written."""
        body = document.text(self.start, self.end)
        if not self.first:
            return body
        return f"{_harmless(self.first)}{self._joint(document)}{body}".rstrip()

    def _joint(self, document: Document) -> str:
        return "\n" if self.labelled and document.lines[self.start].strip() else "\n\n"

    def rows(self, document: Document) -> list[int]:
        """Return the line in the file, from 1, of each line of `text`."""
        text = self.text(document)
        if not text:
            return []
        count = text.count("\n") + 1
        start = self.start
        while start < self.end and not document.lines[start].strip():
            start += 1
        joint = len(self._joint(document)) if self.first else 0
        head = [self.start] * min(joint, count)
        return head + [start + 1 + index for index in range(count - len(head))]


class RawTask(Struct):
    """A task, or a container of tasks, as found; `line` is its heading's, from 1."""

    heading: TaskHeading
    line: int
    level: int
    fields: list[RawField] = field(default_factory=list)
    sections: dict[str, list[Piece]] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    container: RawTask | None = None


def _harmless(first: str) -> str:
    """Return text moved to the start of a line, escaped if it would open a block there."""
    opens = first.startswith(("#", "```", "~~~", ">", "<"))
    return f"\\{first}" if opens else first
