"""Parse a Markdown file to specs. Bad input gives diagnostics, never an exception; one mistake gives one diagnostic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from minitask.patterns import lazy_pattern
from minitask.spec.expectations import enforce_lengths
from minitask.spec.frontmatter import (
    BACKLOG,
    READ,
    FrontMatter,
    find_format,
    find_late_front_matter,
    find_unreadable,
    import_command,
    parse_front_matter,
)
from minitask.spec.header import (
    Header,
    Piece,
    RawTask,
    check_agreement,
    check_numbers,
    merge_headers,
    parse_header,
    stated_options,
)
from minitask.spec.markdown import (
    Document,
    fences,
    items,
    normalise,
    one_line,
    parse_document,
    strip_marks,
    unclosed_fences,
)
from minitask.spec.model import Criterion, Fence, Problem, Spec, SpecFile
from minitask.spec.schema import check_spec
from minitask.spec.sections import read_tasks
from minitask.spec.template import Section
from minitask.spec.validation_commands import (
    indented_commands,
    inline_fences,
    is_shell,
    read_commands,
)

_BOX = lazy_pattern(r"(?s)\\?\[(?P<mark>[ xX]?)\\?\](?:\s+|$)(?P<text>.*)")
_PATH_IN_INFO = lazy_pattern(r"(?:^|\s)path=")


def parse_file(text: str, *, path: str) -> SpecFile:
    """Return the specs of a Markdown file with its diagnostics; `path` is only named in the result."""
    unreadable = find_unreadable(text)
    if unreadable is not None:
        return SpecFile(path, (), (unreadable.at(path),))
    source = normalise(text)
    front = parse_front_matter(source)
    document = parse_document(_body(source, front.end))
    unclosed = unclosed_fences(document)
    hint = "close it with the same marks on a line of their own"
    problems = list(front.problems)
    problems += [Problem(line, "E108", "a fence that is never closed", hint) for line in unclosed]
    problems += find_late_front_matter(document)
    specs: list[Spec] = []
    containers: dict[int, Header] = {}
    tasks = read_tasks(document)
    if len(tasks) == 1 and not tasks[0].heading.number:
        tasks = [] if find_format(source, path, document) in (*READ, BACKLOG) else tasks
    for index, raw in enumerate(tasks):
        inherited = _container_header(raw, containers, problems)
        header = parse_header(raw.fields)
        problems.extend(header.problems)
        header = merge_headers(inherited, header)
        spec, wrong = _read_task(document, raw, header, unclosed=unclosed)
        problems.extend(wrong)
        stated = {k: v for k, v in stated_options(header).items() if k not in front.lines}
        options = replace(front.options, **{key: option for key, (option, _) in stated.items()})
        lines = _lines(raw, front, header)
        lines += tuple((f"options.{key}", line) for key, (_, line) in stated.items())
        position = {"path": path, "index": index, "siblings": len(tasks), "lines": lines}
        specs.append(replace(spec, options=options, **position))
    if not specs and not unclosed:
        problems = [problem for problem in problems if problem not in front.problems]
        problems.append(_no_task(source, path, document))
    for spec in specs:
        problems.extend(check_agreement(spec, front.lines))
    problems.extend(check_numbers(specs, id_line=front.lines.get("id", 0)))
    diagnostics = [problem.at(path) for problem in problems]
    if not problems:
        diagnostics.extend(item for spec in specs for item in check_spec(spec))
    diagnostics.sort(key=lambda diagnostic: diagnostic.line)
    return SpecFile(path, tuple(specs), tuple(diagnostics))


def _body(source: str, front_end: int) -> str:
    """Return the text below the front matter, with lines still numbered from the top of the file."""
    return "\n" * front_end + source.split("\n", front_end)[front_end] if front_end else source


def _container_header(raw: RawTask, headers: dict[int, Header], problems: list[Problem]) -> Header:
    """Return the header of a task's container, parsed once for all its tasks."""
    if raw.container is None:
        return Header()
    key = raw.container.line
    if key not in headers:
        headers[key] = parse_header(raw.container.fields)
        problems.extend(headers[key].problems)
    return headers[key]


def _no_task(source: str, path: str, document: Document) -> Problem:
    """Return the problem of a file without a task; for another tool's plan, with the command that reads it."""
    form = find_format(source, path, document)
    if not form:
        hint = "begin the file with `# Mini-Task N: Title`"
        return Problem(1, "E101", "no mini-task heading", hint)
    message = f"no mini-task heading: this is a plan in the format {form}"
    verb = "import" if form in READ else "plan"
    return Problem(1, "E101", message, f"{verb} it: {import_command(form, path)}")


def _read_task(
    document: Document, raw: RawTask, header: Header, *, unclosed: Sequence[int]
) -> tuple[Spec, tuple[Problem, ...]]:
    """Return a task without its position in the file, and the problems of its commands and lengths."""
    pieces = raw.sections.get(Section.VALIDATION, ())
    texts = sorted((t for p in pieces for t in _texts(document, p)), key=lambda t: t[1])
    shown = _validation_fences(document, raw, texts)
    criteria = tuple(_criteria(document, raw))
    commands, wrong = read_commands([f for f in shown if f.line not in unclosed], texts, criteria)
    wrong += _in_criteria(document, raw)
    commands, lengths = enforce_lengths(criteria, header.files, commands)
    sections = {
        name: "\n\n".join(filter(None, (piece.text(document) for piece in pieces)))
        for name, pieces in raw.sections.items()
    }
    spec = Spec(
        path="",
        number=raw.heading.number,
        title=raw.heading.title,
        model=header.model,
        estimate=header.estimate,
        files=header.files,
        context=sections.get(Section.CONTEXT, ""),
        task=sections.get(Section.TASK, ""),
        snippets=tuple(_snippets(document, raw)),
        snippets_text=sections.get(Section.SNIPPETS, ""),
        criteria=criteria,
        validation=tuple(filter(is_shell, shown)),
        commands=commands,
        on_failure=sections.get(Section.ON_FAILURE, ""),
        next_task=sections.get(Section.NEXT_TASK, ""),
        extra=header.extra,
        rows=tuple((str(name), _rows(document, pieces)) for name, pieces in raw.sections.items()),
    )
    return spec, (*wrong, *lengths)


def _lines(raw: RawTask, front: FrontMatter, header: Header) -> tuple[tuple[str, int], ...]:
    options = {"options": 1} if front.end else {}
    options |= {f"options.{key}": line for key, line in front.lines.items()}
    lines = {"title": raw.line} | options | header.lines | raw.lines
    return tuple((str(name), line) for name, line in lines.items())


def _rows(document: Document, pieces: Iterable[Piece]) -> tuple[int, ...]:
    """Return the line in the file of each line of a section's text."""
    rows: list[int] = []
    for piece in pieces:
        if more := piece.rows(document):
            rows += [more[0], *more] if rows else more
    return tuple(rows)


def _fences(document: Document, raw: RawTask, section: str) -> Iterator[Fence]:
    """Yield the fences of a section; a lead on the line of a label counts without the label."""
    for piece in raw.sections.get(section, ()):
        for fence, lead_line in fences(document, piece.first_token, last=piece.last_token):
            if 0 <= lead_line < piece.start:
                lead = strip_marks(piece.first)
                yield Fence(fence.info, fence.content, lead, fence.line)
            else:
                yield fence


def _snippets(document: Document, raw: RawTask) -> Iterator[Fence]:
    """Yield the edit script's fences of the Task section, then all of Code Snippets."""
    yield from (fence for fence in _fences(document, raw, Section.TASK) if is_edit_fence(fence))
    yield from _fences(document, raw, Section.SNIPPETS)


def is_edit_fence(fence: Fence) -> bool:
    """Return True if the fence's info string marks it as part of an edit script."""
    language = fence.info.split(maxsplit=1)[:1]
    return language in (["edits"], ["diff"]) or _PATH_IN_INFO.search(fence.info) is not None


def _criteria(document: Document, raw: RawTask) -> Iterator[Criterion]:
    """Yield the items of Acceptance Criteria (its paragraphs if it has no list) and the boxes under Validation."""
    pieces = raw.sections.get(Section.CRITERIA, [])
    entries = [entry for piece in pieces for entry in _items(document, piece)]
    if not entries:
        entries = [entry for piece in pieces for entry in _paragraphs(document, piece)]
    yield from (_criterion(text, line) for text, line in entries if text)
    for piece in raw.sections.get(Section.VALIDATION, ()):
        for text, line in _items(document, piece):
            if _BOX.match(text):
                yield _criterion(text, line)


def _items(document: Document, piece: Piece) -> Iterator[tuple[str, int]]:
    for block in piece.blocks:
        if block.kind.endswith("_list"):
            yield from ((item.text, item.line) for item in items(document, block))


def _paragraphs(document: Document, piece: Piece) -> Iterator[tuple[str, int]]:
    if piece.first:
        yield piece.first, piece.start
    for block in piece.blocks:
        if block.kind == "paragraph":
            start = max(block.start, piece.start)
            yield one_line(document.text(start, block.end)), start + 1


def _criterion(text: str, line: int) -> Criterion:
    box = _BOX.match(text)
    if box is None:
        return Criterion(text, line=line)
    return Criterion(box["text"].strip(), done=box["mark"] in {"x", "X"}, line=line)


def _validation_fences(
    document: Document, raw: RawTask, texts: list[tuple[str, int]]
) -> tuple[Fence, ...]:
    """Return the fences of the Validation section; without a shell fence, also the commands in its text."""
    fences = tuple(_fences(document, raw, Section.VALIDATION))
    inline = () if any(is_shell(fence) for fence in fences) else inline_fences(texts)
    every = (*fences, *_indented_fences(document, raw), *inline)
    return tuple(sorted(every, key=lambda fence: fence.line))


def _in_criteria(document: Document, raw: RawTask) -> Iterator[Problem]:
    """Yield a warning for each shell fence among the acceptance criteria."""
    for fence in _fences(document, raw, Section.CRITERIA):
        if fence.info and is_shell(fence):
            message = "the commands among the acceptance criteria are not run"
            yield Problem(
                fence.line, "W415", message, "move them below `## Validation` to run them"
            )


def _indented_fences(document: Document, raw: RawTask) -> Iterator[Fence]:
    """Yield the indented blocks of the Validation section that hold only commands."""
    for piece in raw.sections.get(Section.VALIDATION, ()):
        for token in document.tokens[piece.first_token : piece.last_token]:
            if token.type == "code_block" and token.map and indented_commands(token.content):
                yield Fence("bash", token.content, line=token.map[0])


def _texts(document: Document, piece: Piece) -> Iterator[tuple[str, int]]:
    """Yield the lines of a section's text outside fences: its label's value, paragraphs and list items."""
    if piece.first:
        yield piece.first, piece.start
    yield from _items(document, piece)
    for block in piece.blocks:
        if block.kind == "paragraph":
            start = max(block.start, piece.start)
            for row in range(start, block.end):
                yield document.lines[row].strip(), row + 1
