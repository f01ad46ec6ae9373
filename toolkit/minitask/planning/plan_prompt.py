"""Build a planner's prompt, with the relevant parts of the repository, and parse the specs in its answer."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.engine.tasks import PROJECTS, Base
from minitask.errors import EditError, MinitaskError, UsageError
from minitask.executors.prompt import numbered_lines
from minitask.executors.request import ExecutorFailure
from minitask.forge.forge_text import issue_note
from minitask.ledger.record import Attempt
from minitask.patterns import lazy_pattern
from minitask.policy.budget import Budget
from minitask.policy.estimates import estimate_tokens
from minitask.policy.route import Route
from minitask.routing.requests import shared_context
from minitask.spec.dependency_graph import Graph, slug
from minitask.spec.frontmatter import parse_front_matter
from minitask.spec.markdown import find_fences
from minitask.spec.model import Fence, Spec
from minitask.spec.parse import parse_file
from minitask.task.paid_calls import Answered
from minitask.task.questions import (
    QuestionCall,
    QuestionPrompt,
    QuestionSubject,
    ask_until,
    make_question_call,
)
from minitask.words import fence_of

MOST_PATHS = 600
"""Limit of paths in a planner's prompt; it gives the number of the others."""
READ_TOKENS = 40_000
SUFFIX = ".md"
RULE = "---"
LONGEST_SLUG = 60
FRONT_LINES = 30
"""Limit of lines between a heading and the start of its front matter."""
_PATH = lazy_pattern(r"(?:^|\s)path=\"?([^\"\s]+)")
_NAME = lazy_pattern(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.md$")


class Goal(Struct, frozen=True):
    """A goal to plan: the user's words, the project's name, the files to show, and their limit in tokens.

    `issue` is the URL of the issue that the goal comes from, if any; `mark` is the comment that names a task of another
    tool's plan, `title` that task's title, and `after` the specs that the new ones depend on.
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
    """Return the prompt of a plan; it lists the project's specs, so that the numbers continue."""
    folder = engine.repository.checkout() / PROJECTS / goal.project
    names = sorted(path.name for path in folder.glob("*.md"))
    taken = f" It holds {', '.join(names)}; go on with the next number." if names else ""
    more = f"The specs are for {PROJECTS}/{goal.project}/.{taken}"
    return repository_prompt(engine, base, goal, more)


def ask_of_project(
    engine: Context,
    base: Base,
    topic: str,
    question: QuestionPrompt,
    route: Route,
    *,
    budget: Budget,
) -> tuple[QuestionCall, Answered | ExecutorFailure, tuple[Attempt, ...]]:
    """Return the last call of a question on a project, its outcome, and the failed calls before it.

    If a model cannot answer, the next tier is asked. `topic` is the records' task name. Raises `MinitaskError` if no
    call could be made.
    """
    subject = QuestionSubject(topic, base.base, base.target)
    first = make_question_call(engine, subject, question, route, budget=budget)
    last, outcome, failed = ask_until(engine, first, budget=budget)
    if not isinstance(outcome, Answered | ExecutorFailure):
        raise outcome if isinstance(outcome, MinitaskError) else UsageError(str(outcome))
    return last, outcome, failed


def repository_prompt(engine: Context, base: Base, goal: Goal, more: str) -> str:
    """Return the goal, `more` about it, and the parts of the repository that a planner needs."""
    shared = shared_context(engine, base.base)
    paths = committed_paths(engine, base)
    omitted = f"\n… and {len(paths) - MOST_PATHS} more" if len(paths) > MOST_PATHS else ""
    parts = [
        f"# The goal\n{goal.text.strip()}",
        more,
        f"# The repository's rules\n{shared}" if shared else "",
        "# The repository's files\n" + "\n".join(paths[:MOST_PATHS]) + omitted,
        _files(engine, base, goal),
    ]
    return "\n\n".join(filter(None, parts))


def committed_paths(engine: Context, base: Base) -> list[str]:
    """Return the paths of the base's files, without specs."""
    paths = engine.repository.git.fields("ls-tree", "-r", "-z", "--name-only", base.base)
    return [path for path in paths if path and not path.startswith(f"{PROJECTS}/")]


def _files(engine: Context, base: Base, goal: Goal) -> str:
    """Return the files that the user or the goal names, with numbered lines."""
    texts = {}
    for path in goal.reads:
        text = engine.objects.file(base.base, path)
        if text is None:
            message = f"{path} is not a file of {base.base[:12]}"
            raise UsageError(message, hint="name a committed file")
        texts[path] = text
    for word in re.findall(r"[\w./-]+", goal.text):
        path = word.rstrip(".,:;")
        is_likely = "." in path and ".." not in path and not path.startswith("/")
        if is_likely and path not in texts and (text := engine.objects.file(base.base, path)):
            texts[path] = text
    sizes = {path: estimate_tokens(text) for path, text in texts.items()}
    total = sum(sizes.values())
    if total > goal.read_tokens:
        largest = sorted(sizes.items(), key=lambda entry: -entry[1])[:4]
        shown = ", ".join(f"{path} {size:,}" for path, size in largest)
        raise UsageError(
            f"the files to show take about {total:,} tokens, and {goal.read_tokens:,} are allowed"
            f" ({shown})",
            hint="show fewer files, or raise --read-tokens",
        )
    return "\n\n".join(_shown(path, text) for path, text in texts.items())


def _shown(path: str, text: str) -> str:
    lines = text.removesuffix("\n").split("\n")
    ticks = fence_of(text)
    body = "\n".join(numbered_lines(lines, 1))
    return f"{path} ({len(lines)} lines)\n{ticks}\n{body}\n{ticks}"


class DraftedSpec(Struct, frozen=True):
    """A spec before it is written: its file name and its text."""

    name: str
    text: str


def specs_of(text: str, *, first: int = 1) -> tuple[DraftedSpec, ...]:
    """Return the specs in an answer; `first` numbers those without a name. Raises `EditError` if there are none."""
    plain = text.replace("\r\n", "\n")
    fences = filter(_is_spec, find_fences(plain))
    drafts = [_fenced_spec(fence, number) for number, fence in enumerate(fences, first)]
    drafts = drafts or list(_below_each_other(plain, first))
    if not drafts:
        raise EditError(
            "the answer holds no mini-task",
            hint="put each spec into a fence of four backticks with `path=01-name.md` in its info string",
        )
    names = Counter(draft.name.lower() for draft in drafts)
    for draft in drafts:
        if names[draft.name.lower()] > 1:
            message = f"two specs are named {draft.name}"
            raise EditError(message, hint="give each a unique name in `path=`")
    return tuple(drafts)


def with_source(drafts: Sequence[DraftedSpec], goal: Goal) -> tuple[DraftedSpec, ...]:
    """Return the specs with a comment on their source: the issue's URL, or the task of another tool's plan.

    Specs without dependencies among them get `goal.after` as dependencies.
    """
    notes = [note for note in (issue_note(goal.issue) if goal.issue else "", goal.mark) if note]
    sourced = [_with_comments(draft, notes) for draft in drafts]
    first = _first_of(sourced) if goal.after else set()
    return tuple(
        replace(draft, text=with_dependencies(draft.text, goal.after))
        if draft.name in first
        else draft
        for draft in sourced
    )


def _with_comments(draft: DraftedSpec, comments: Sequence[str]) -> DraftedSpec:
    specs = parse_file(draft.text, path=draft.name).specs
    lines = draft.text.split("\n")
    at = specs[0].line_of("title") - 1 if specs else 0
    lines[at:at] = [line for comment in comments for line in (comment, "")]
    return replace(draft, text="\n".join(lines))


def _first_of(drafts: Sequence[DraftedSpec]) -> set[str]:
    """Return the names of the drafts that depend on none of the others."""
    texts = {f"{PROJECTS}/p/{draft.name}": draft.text for draft in drafts}
    specs = [spec for path, text in texts.items() for spec in parse_file(text, path=path).specs]
    needs = Graph(tuple(specs)).needs
    waiting = {spec.path for spec, needed in zip(specs, needs, strict=True) if needed}
    return {path.rpartition("/")[2] for path in texts if path not in waiting}


def with_dependencies(text: str, names: Sequence[str]) -> str:
    """Return a spec's text with these specs added to `depends_on`; unchanged if the front matter is damaged."""
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
    places = (_path_in(fence.info), fence.lead.strip().strip("`*: "))
    names = (place.rpartition("/")[2] for place in places)
    name = next(filter(_NAME.match, names), "")
    name = name or _name(parse_file(fence.content, path="").specs, number)
    return DraftedSpec(name, fence.content.strip("\n") + "\n")


def _below_each_other(text: str, first: int) -> Iterator[DraftedSpec]:
    """Yield the specs of a text of specs alone, each from its heading, or its front matter, to the next."""
    specs = parse_file(text, path="answer.md").specs
    lines = text.split("\n")
    starts = [_start(lines, spec.line_of("title")) for spec in specs]
    for number, (spec, start) in enumerate(zip(specs, starts, strict=True)):
        end = starts[number + 1] if number + 1 < len(starts) else len(lines)
        body = "\n".join(lines[start:end]).strip("\n")
        yield DraftedSpec(_name([spec], first + number), f"{body}\n")


def _start(lines: Sequence[str], heading: int) -> int:
    """Return the index of a spec's first line; `heading` is the 1-based line of its heading."""
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
