"""The prompt of a plan: the goal, the repository's paths, and the files that the goal names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from minitask.engine.context import Context
from minitask.engine.tasks import PROJECTS, Base
from minitask.errors import EditError, UsageError
from minitask.executors.prompt import numbered_lines
from minitask.forge.issue_link import issue_note
from minitask.git.repository import Repository
from minitask.patterns import lazy_pattern
from minitask.policy.estimates import estimate_tokens
from minitask.routing.requests import shared_context
from minitask.spec.dependency_graph import Graph, slug
from minitask.spec.frontmatter import parse_front_matter
from minitask.spec.markdown import find_fences
from minitask.spec.model import Fence, Spec
from minitask.spec.parse import parse_file
from minitask.words import fence_of

MOST_PATHS = 600
"""Paths of the tree that a planner is told; of the rest it is told how many there are."""


READ_TOKENS = 40_000


class Goal(Struct, frozen=True):
    """A goal to plan: the user's words, the project's name, the files to show, and how many tokens of them.

    `issue` is the web address of the issue that the goal is taken from, if it is from one; `mark` the comment that
    keeps which task of another tool's plan it is, `title` that task's, and `after` the specs that come before its own.
    """

    text: str
    project: str
    reads: tuple[str, ...] = ()
    read_tokens: int = READ_TOKENS
    issue: str = ""
    mark: str = ""
    title: str = ""
    after: tuple[str, ...] = ()


def plan_prompt(engine: Context, base: Base, goal: Goal) -> str:
    """Return the prompt, with as much of the repository as a planner needs."""
    place = f"The specs are for {PROJECTS}/{goal.project}/.{_taken(engine, goal.project)}"
    return repository_prompt(engine, base, goal, place)


def repository_prompt(engine: Context, base: Base, goal: Goal, more: str) -> str:
    """Return the goal, `more` on it, and as much of the repository as a planner needs."""
    shared = shared_context(engine, base.base)
    parts = [
        f"# The goal\n{goal.text.strip()}",
        more,
        f"# The repository's rules\n{shared}" if shared else "",
        f"# The repository's files\n{_tree(engine, base)}",
        _files(engine, base, goal),
    ]
    return "\n\n".join(part for part in parts if part)


def _taken(engine: Context, project: str) -> str:
    """Return the specs that the project holds already, so that numbers go on."""
    folder = checkout_folder(engine.repository) / PROJECTS / project
    names = sorted(path.name for path in folder.glob("*.md")) if folder.is_dir() else []
    return f" It holds {', '.join(names)}; go on with the next number." if names else ""


def _tree(engine: Context, base: Base) -> str:
    paths = engine.repository.git.fields("ls-tree", "-r", "-z", "--name-only", base.base)
    shown = [path for path in paths if path and not path.startswith(f"{PROJECTS}/")]
    listed = "\n".join(shown[:MOST_PATHS])
    omitted = len(shown) - MOST_PATHS
    return f"{listed}\n… and {omitted} more" if omitted > 0 else listed


def _files(engine: Context, base: Base, goal: Goal) -> str:
    """Return the files that the user named, and those that the goal names, every line with its number."""
    texts = {path: _content(engine, base, path) for path in goal.reads}
    for path in _mentioned(engine, base, goal.text):
        if path not in texts:
            texts[path] = engine.objects.file(base.base, path) or ""
    sizes = {path: estimate_tokens(text) for path, text in texts.items()}
    if sum(sizes.values()) > goal.read_tokens:
        largest = ", ".join(
            f"{path} {sizes[path]:,}" for path in sorted(sizes, key=lambda p: -sizes[p])[:4]
        )
        raise UsageError(
            f"the files to show take about {sum(sizes.values()):,} tokens, and {goal.read_tokens:,} are allowed"
            f" ({largest})",
            hint="show fewer files, or raise --read-tokens",
        )
    return "\n\n".join(_shown(path, text) for path, text in texts.items())


def _content(engine: Context, base: Base, path: str) -> str:
    text = engine.objects.file(base.base, path)
    if text is None:
        raise UsageError(f"{path} is not a file of {base.base[:12]}", hint="name a committed file")
    return text


def _mentioned(engine: Context, base: Base, text: str) -> list[str]:
    """Return the files that a goal names by their path."""
    tokens = (word.rstrip(".,:;") for word in re.findall(r"[\w./-]+", text))
    likely = dict.fromkeys(word for word in tokens if "." in word and not word.startswith("/"))
    return [word for word in likely if ".." not in word and engine.objects.file(base.base, word)]


def _shown(path: str, text: str) -> str:
    lines = text.removesuffix("\n").split("\n")
    ticks = fence_of(text)
    body = "\n".join(numbered_lines(lines, 1))
    return f"{path} ({len(lines)} lines)\n{ticks}\n{body}\n{ticks}"


def checkout_folder(repository: Repository) -> Path:
    """Return the top of the checkout; a bare repository is a `UsageError`."""
    if repository.top is None:
        raise UsageError("a bare repository has no files to write to", hint="run it in a checkout")
    return repository.top


SUFFIX = ".md"
RULE = "---"
LONGEST_SLUG = 60
FRONT_LINES = 30
"""The most lines between a heading and the beginning of its front matter."""
_PATH = lazy_pattern(r"(?:^|\s)path=\"?([^\"\s]+)")
_NAME = lazy_pattern(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.md$")


class DraftedSpec(Struct, frozen=True):
    """A spec that is no file yet: the name that it is to have, and its text."""

    name: str
    text: str


def specs_of(text: str, *, first: int = 1) -> tuple[DraftedSpec, ...]:
    """Return the specs in an answer, in order; `first` numbers those that have no name. `EditError` where there
    are none.
    """
    plain = text.replace("\r\n", "\n")
    fenced = [fence for fence in find_fences(plain) if _is_spec(fence)]
    drafts = (
        [_fenced_spec(fence, number) for number, fence in enumerate(fenced, first)]
        if fenced
        else list(_below_each_other(plain, first))
    )
    if not drafts:
        raise EditError(
            "the answer holds no mini-task",
            hint="put each spec into a fence of four backticks with `path=01-name.md` in its info string",
        )
    _check_names(drafts)
    return tuple(drafts)


def with_source(drafts: Sequence[DraftedSpec], goal: Goal) -> tuple[DraftedSpec, ...]:
    """Return specs that keep what they come from: in a comment above the first heading the address of the issue, or
    the task of another tool's plan; and those that need none of the others come after the specs that the goal does.
    """
    notes = (issue_note(goal.issue) if goal.issue else "", goal.mark)
    sourced = [_with_comments(draft, [note for note in notes if note]) for draft in drafts]
    first = _first_of(sourced) if goal.after else set()
    return tuple(
        DraftedSpec(draft.name, with_dependencies(draft.text, goal.after))
        if draft.name in first
        else draft
        for draft in sourced
    )


def _with_comments(draft: DraftedSpec, comments: Sequence[str]) -> DraftedSpec:
    specs = parse_file(draft.text, path=draft.name).specs
    lines = draft.text.split("\n")
    place = specs[0].line_of("title") - 1 if specs else 0
    added = [line for comment in comments for line in (comment, "")]
    return DraftedSpec(draft.name, "\n".join([*lines[:place], *added, *lines[place:]]))


def _first_of(drafts: Sequence[DraftedSpec]) -> set[str]:
    """Return the names of the drafts that depend on no other of them."""
    paths = [f"{PROJECTS}/p/{draft.name}" for draft in drafts]
    specs = [
        spec
        for path, draft in zip(paths, drafts, strict=True)
        for spec in parse_file(draft.text, path=path).specs
    ]
    needs = Graph(tuple(specs)).needs
    waiting = {spec.path for spec, needed in zip(specs, needs, strict=True) if needed}
    return {path.rpartition("/")[2] for path in paths if path not in waiting}


def with_dependencies(text: str, names: Sequence[str]) -> str:
    """Return the text of a spec whose front matter also depends on these specs; one that is damaged stays."""
    front = parse_front_matter(text)
    merged = dict.fromkeys((*front.options.depends_on, *names))
    entry = f"depends_on: {json.dumps(list(merged))}"
    if front.problems:
        return text
    if not front.end:
        return f"---\n{entry}\n---\n\n{text}"
    lines = text.split("\n")
    start = front.lines.get("depends_on", front.end)
    later = [line for key, line in front.lines.items() if "/" not in key and line > start]
    lines[start - 1 : min(later, default=front.end) - 1] = [entry]
    return "\n".join(lines)


def _path_in(info: str) -> str:
    match = _PATH.search(info)
    return match[1] if match else ""


def _is_spec(fence: Fence) -> bool:
    language = fence.info.split(" ")[0].lower()
    path = _path_in(fence.info)
    looks = language in ("markdown", "md") or path.endswith(SUFFIX)
    return looks and bool(parse_file(fence.content, path="answer.md").specs)


def _fenced_spec(fence: Fence, number: int) -> DraftedSpec:
    path = _path_in(fence.info)
    name = path.rsplit("/", 1)[-1]
    if not _NAME.match(name):
        lead = fence.lead.strip().strip("`*: ").rsplit("/", 1)[-1]
        name = (
            lead if _NAME.match(lead) else _name(parse_file(fence.content, path="").specs, number)
        )
    return DraftedSpec(name, fence.content.strip("\n") + "\n")


def _below_each_other(text: str, first: int) -> Iterator[DraftedSpec]:
    """Yield the specs of a text that holds nothing else, each from its heading, or its front matter, to the next."""
    specs = parse_file(text, path="answer.md").specs
    lines = text.split("\n")
    starts = [_start(lines, spec.line_of("title")) for spec in specs]
    for number, (spec, start) in enumerate(zip(specs, starts, strict=True)):
        end = starts[number + 1] if number + 1 < len(starts) else len(lines)
        body = "\n".join(lines[start:end]).strip("\n")
        yield DraftedSpec(_name([spec], first + number), f"{body}\n")


def _start(lines: Sequence[str], heading: int) -> int:
    """Return the index of the line that a spec begins at; `heading` is its heading's line, from 1."""
    above = heading - 2
    while above >= 0 and not lines[above].strip():
        above -= 1
    if above < 0 or lines[above].strip() != RULE:
        return heading - 1
    for index in range(above - 1, max(-1, above - FRONT_LINES), -1):
        if lines[index].strip() == RULE:
            inside = [line for line in lines[index + 1 : above] if line.strip()]
            is_front = bool(inside) and all(":" in line or line[0] in " -" for line in inside)
            return index if is_front else heading - 1
    return heading - 1


def _name(specs: Sequence[Spec], number: int) -> str:
    title = specs[0].title if specs else ""
    label = specs[0].number if specs else ""
    stated = f"{int(label):02}" if re.fullmatch(r"[0-9]{1,4}", label) else f"{number:02}"
    return f"{stated}-{slug(title)[:LONGEST_SLUG]}".rstrip("-") + SUFFIX


def _check_names(drafts: Sequence[DraftedSpec]) -> None:
    names: set[str] = set()
    for draft in drafts:
        if draft.name.lower() in names:
            raise EditError(
                f"two specs are named {draft.name}", hint="give each a unique name in `path=`"
            )
        names.add(draft.name.lower())
