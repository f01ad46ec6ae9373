"""`minitask decide`: whether to delegate work, and otherwise who should do it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from minitask.cli.session import environment, find_repository, json_option, print_json, start_folder
from minitask.engine.repository_settings import load_settings
from minitask.engine.spec_files import read_sources
from minitask.engine.tasks import parse_once
from minitask.engine.validate_specs import check_sources
from minitask.errors import UsageError
from minitask.policy.decide import (
    ATOMIC,
    EXPLORATION,
    JUDGEMENT,
    LARGE,
    REPETITIVE,
    WELL_DEFINED,
    DelegationAnswer,
    DelegationDecision,
    Question,
    answer_atomic,
    decide,
    survey,
    survey_answers,
)


@click.command("decide")
@click.argument("paths", nargs=-1, metavar="[PATH|PROJECT]...")
@click.option(
    "--well-defined/--not-well-defined", default=None, help="It is known exactly what to change."
)
@click.option("--exploration/--no-exploration", default=None, help="The code must be explored.")
@click.option(
    "--judgement/--no-judgement",
    default=None,
    help="It needs a user's judgement, or a decision on architecture.",
)
@click.option("--repetitive/--not-repetitive", default=None, help="10 or more similar edits.")
@click.option("--large/--small", default=None, help="It touches several files.")
@click.option(
    "--atomic-tasks",
    type=click.IntRange(min=0),
    metavar="N",
    help="Number of atomic tasks it can be split into.",
)
@json_option
def command(
    paths: tuple[str, ...],
    atomic_tasks: int | None,
    *,
    well_defined: bool | None,
    exploration: bool | None,
    judgement: bool | None,
    repetitive: bool | None,
    large: bool | None,
    as_json: bool,
) -> int:
    """Say who should do a change: a cheap model, the current one, a big one, or the user first.

    Answers come from the options, else from the specs that PATH names; what is still needed is asked on a terminal.

    \b
    Example:
      minitask decide --well-defined --not-repetitive --large --atomic-tasks 6
      minitask decide mini-projects/api
    """
    answers = _answers_of_specs(start_folder(), paths) if paths else {}
    options = {
        WELL_DEFINED: well_defined,
        EXPLORATION: exploration,
        JUDGEMENT: judgement,
        REPETITIVE: repetitive,
        LARGE: large,
    }
    answers |= _answers_of_options(options, atomic_tasks)
    asks = not paths and sys.stdin.isatty()
    while isinstance(decision := decide(answers), Question):
        answers[decision] = _ask(decision) if asks else _assume(decision)
    if as_json:
        print_json(_document(decision))
    else:
        click.echo(_render(decision))
    return 0


def _answers_of_options(
    options: Mapping[Question, bool | None], atomic_tasks: int | None
) -> dict[Question, DelegationAnswer]:
    answers = {
        question: DelegationAnswer(yes, question.yes_option if yes else question.no_option)
        for question, yes in options.items()
        if yes is not None
    }
    if atomic_tasks is not None:
        answers[ATOMIC] = answer_atomic(atomic_tasks, f"--atomic-tasks {atomic_tasks}")
    return answers


def _answers_of_specs(folder: Path, paths: tuple[str, ...]) -> dict[Question, DelegationAnswer]:
    """Return the answers of the specs; raise `UsageError` if there are none."""
    repository = find_repository(folder)
    around = repository if repository and repository.top else None
    top = around.top if around and around.top else folder
    sources = read_sources(top, folder, paths)
    files = [parse_once(text, path=path, cache=None) for path, text in sources.texts.items()]
    specs = [spec for file in files for spec in file.specs]
    if not specs:
        raise UsageError(
            f"no mini-tasks in {', '.join(paths)}",
            hint="name spec files or their folders; `minitask new` writes a spec",
        )
    settings = load_settings(around, environment())
    return survey_answers(survey(specs, check_sources(sources, around, settings).diagnostics))


def _ask(question: Question) -> DelegationAnswer:
    """Return the user's answer; the question is printed to stderr."""
    if question is ATOMIC:
        text = "how many atomic tasks can it be split into?"
        count = click.prompt(text, type=click.IntRange(min=0), err=True)
        return answer_atomic(count, f"you said {count}")
    yes = click.confirm(question.text, default=question.assumed, err=True)
    return DelegationAnswer(yes, "you said so")


def _assume(question: Question) -> DelegationAnswer:
    """Return the default answer without a terminal; raise `UsageError` if there is none."""
    if question.assumed is None:
        either = " or ".join(dict.fromkeys((question.yes_option, question.no_option)))
        way = question.yes_option if question is ATOMIC else either
        message = f"unanswered: {question.text}"
        raise UsageError(message, hint=f"pass {way}, or run it on a terminal")
    alternative = question.no_option if question.assumed else question.yes_option
    return DelegationAnswer(question.assumed, f"assumed; {alternative} says otherwise")


def _document(decision: DelegationDecision) -> dict[str, Any]:
    return {
        "verdict": decision.verdict.value,
        "reason": decision.reason,
        "path": [
            {"question": question.text, "answer": _word(answer), "source": answer.source}
            for question, answer in decision.path
        ],
    }


def _render(decision: DelegationDecision) -> str:
    width = max(len(question.text) for question, _ in decision.path)
    lines = [
        f"  {question.text:{width}}  {_word(answer):3}  ({answer.source})"
        for question, answer in decision.path
    ]
    return "\n".join([f"{decision.verdict.value}: {decision.reason}", *lines])


def _word(answer: DelegationAnswer) -> str:
    return "yes" if answer.yes else "no"
