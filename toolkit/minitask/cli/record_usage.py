"""`minitask record-usage`: record the usage of models elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from minitask.cli.session import dollars_of, json_option, parse_date, print_json, start
from minitask.cli.terminal import say, show
from minitask.engine.tasks import named_project
from minitask.errors import UsageError
from minitask.ledger.record import CALLS, PERSON, PLAN, Record, Usage, money
from minitask.ledger.record_json import usage_document
from minitask.ledger.transcripts import MOST_TOKENS
from minitask.planning.record_usage import (
    ANSWERS,
    ELSEWHERE,
    RecordedUsage,
    UsageTerms,
    is_known,
    load_transcripts,
    narrow,
    record_answers,
    record_figures,
)
from minitask.policy.route import MODEL_TIERS
from minitask.reports.results import dollars, tokens_text
from minitask.words import counted, one_line

INPUT_PARTS = ("cached", "cache_write", "cache_write_1h")
COUNTS = ("input", "output", *INPUT_PARTS, "reasoning", "requests")
FIGURES = ("model", *COUNTS, "cost")
NARROWING = ("since", "until", "session")
FINEST, MOST_USD = Decimal("1e-12"), Decimal("1e9")
DAY = len("2026-01-31")


@click.command("record-usage")
@click.argument("project")
@click.option("--model", help="The model that did it.")
@click.option("--input", type=int, metavar="N", help="All input tokens, cached ones included.")
@click.option("--output", type=int, metavar="N", help="All output tokens, reasoning included.")
@click.option("--cached", type=int, metavar="N", help="Input tokens read from a cache.")
@click.option(
    "--cache-write", type=int, metavar="N", help="Input tokens written to a 5-minute cache."
)
@click.option(
    "--cache-write-1h", type=int, metavar="N", help="Input tokens written to a 1-hour cache."
)
@click.option("--reasoning", type=int, metavar="N", help="Output tokens spent on reasoning.")
@click.option("--requests", type=int, metavar="N", help="Number of requests.")
@click.option(
    "--cost",
    metavar="USD",
    help="The cost billed, in US dollars (default: by the settings' prices, else list prices).",
)
@click.option(
    "--claude-code",
    "path",
    metavar="PATH",
    help="A Claude Code transcript, or a folder of them, to read the usage from.",
)
@click.option("--since", metavar="ISO", help="Only answers started at this time or later.")
@click.option("--until", metavar="ISO", help="Only answers started by this time.")
@click.option("--session", metavar="ID", help="Only answers of one session.")
@click.option(
    "--subscription", is_flag=True, help="Paid by a flat subscription: record a cost of 0."
)
@click.option(
    "--phase",
    type=click.Choice(CALLS),
    default=PLAN,
    show_default=True,
    help="The phase it was for.",
)
@click.option(
    "--tier",
    type=click.Choice(MODEL_TIERS),
    help="The model's tier (default: the settings', else frontier).",
)
@click.option(
    "--executor",
    metavar="NAME",
    default=ELSEWHERE,
    show_default=True,
    help="The chat or agent used.",
)
@click.option("--note", metavar="TEXT", default="", help="A note for the record.")
@click.option("--dry-run", is_flag=True, help="Print what would be recorded; record nothing.")
@json_option
def command(project: str, **options: Any) -> int:
    """Record what models did for PROJECT outside of minitask, so that `minitask report` counts it against the savings.

    \b
    Example:
      minitask record-usage api --model claude-opus-5-5 --input 90000 --output 6000
      minitask record-usage api --claude-code ~/.claude/projects/-my-project --since 2026-01-31
    """
    terms = _terms(project, options)
    _check_source(options)
    path, as_json, dry = options["path"], options["as_json"], terms.dry
    usage = _usage(options) if path is None else None
    billed = _billed(options["cost"])
    since, until = options["since"], options["until"]
    start_at = None if since is None else parse_date(since, option="--since")
    end_at = None if until is None else _end_of(until)
    session = start()
    damaged = 0
    if usage is None:
        transcript = load_transcripts(Path(session.folder, _expanded(path)))
        chosen = narrow(
            transcript.answers, session=options["session"], since=start_at, until=end_at
        )
        damaged = transcript.damaged
    with session.engine(f"record-usage {terms.project}", quiet=as_json, looks_only=dry) as engine:
        has_history = is_known(engine, terms.project)
        if usage is None:
            booked = record_answers(engine, terms, chosen)
        else:
            model = one_line(options["model"])
            booked = record_figures(engine, terms, model=model, usage=usage, billed_usd=billed)
    if as_json:
        print_json(_document(booked))
    else:
        show("\n".join(_lines(booked, dry=dry)))
    for note in _notes(booked, damaged=damaged, is_known=has_history):
        say(f"note: {note}")
    return 0


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:
        message = f"{path} does not name a user's home"
        raise UsageError(message, hint="write the path in full") from None


def _terms(project: str, options: dict[str, Any]) -> UsageTerms:
    from minitask.planning.scaffold import PROJECT_NAME

    name = named_project(project)
    if not PROJECT_NAME.fullmatch(name):
        hint = "letters, digits, dots, dashes and underscores"
        raise UsageError(f"{project!r} is not a valid project name", hint=hint)
    executor = one_line(options["executor"])
    if executor in ("", PERSON):
        message = f"--executor {executor or 'is empty'}: not an executor of models"
        hint = f"name the chat or the agent, or leave it out for `{ELSEWHERE}`"
        raise UsageError(message, hint=hint)
    return UsageTerms(
        project=name,
        phase=options["phase"],
        executor=executor,
        tier=options["tier"],
        note=one_line(options["note"]),
        subscription=options["subscription"],
        dry=options["dry_run"],
    )


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _check_source(options: dict[str, Any]) -> None:
    """Raise `UsageError` unless there is one source, with only its own options."""
    figures = [_flag(name) for name in FIGURES if options[name] is not None]
    narrowing = [_flag(name) for name in NARROWING if options[name] is not None]
    if options["path"] is not None and figures:
        message = f"--claude-code and {figures[0]} exclude each other"
        raise UsageError(message, hint="record them separately")
    if options["path"] is None and narrowing:
        message = f"{narrowing[0]} needs a transcript"
        raise UsageError(message, hint="name it with --claude-code PATH")
    if options["subscription"] and options["cost"] is not None:
        message = "--subscription and --cost exclude each other"
        raise UsageError(message, hint="a subscription's cost is 0")


def _usage(options: dict[str, Any]) -> Usage:
    """Return the usage given by options; raise `UsageError` if it is impossible."""
    if not one_line(options["model"] or ""):
        hint = "add --model NAME, or name a transcript with --claude-code PATH"
        raise UsageError("--model is missing", hint=hint)
    for name in COUNTS:
        count = options[name]
        if count is not None and not 0 <= count <= MOST_TOKENS:
            raise UsageError(f"{_flag(name)} {count} is not a count", hint="give 0 or more")
    for name in ("input", "output"):
        if options[name] is None:
            message = f"{_flag(name)} is missing: a cost needs both token counts"
            raise UsageError(message, hint=f"add {_flag(name)} N, 0 for none")
    if not options["input"] and not options["output"]:
        raise UsageError("--input and --output are 0: no tokens", hint="give the counted tokens")
    if options["requests"] == 0:
        message = "--requests 0 contradicts the token counts"
        raise UsageError(message, hint="write 1 or more, or leave it out")
    _check_parts(options, "input", INPUT_PARTS)
    _check_parts(options, "output", ("reasoning",))
    return Usage(
        requests=options["requests"],
        input_tokens=options["input"],
        cached_input_tokens=options["cached"],
        output_tokens=options["output"],
        cache_write_tokens=options["cache_write"],
        cache_write_1h_tokens=options["cache_write_1h"],
        reasoning_tokens=options["reasoning"],
    )


def _check_parts(options: dict[str, Any], whole: str, parts: tuple[str, ...]) -> None:
    filled = [name for name in parts if options[name]]
    if sum(options[name] for name in filled) > options[whole]:
        terms = " + ".join(f"{_flag(name)} {options[name]}" for name in filled)
        message = f"{terms} is more than {_flag(whole)} {options[whole]}, which it is a part of"
        raise UsageError(message, hint=f"{_flag(whole)} must include its parts")


def _billed(text: str | None) -> Decimal | None:
    if text is None:
        return None
    return dollars_of(
        text, option="--cost", allows=lambda amount: amount == 0 or FINEST <= amount <= MOST_USD
    )


def _end_of(text: str) -> datetime:
    """Return a date or time; a date is the end of that day."""
    end = parse_date(text, option="--until")
    if len(text) == DAY:
        return end.replace(hour=23, minute=59, second=59, microsecond=999_000)
    return end


def _document(booked: RecordedUsage) -> dict[str, Any]:
    return {
        "project": booked.project,
        "records": [
            {
                "phase": record.kind,
                "model": record.attempt.model,
                "usage": usage_document(record.attempt.usage),
                "cost_usd": money(record.attempt.cost_usd),
                "note": _note(record) or None,
            }
            for record in booked.records
        ],
        "cost_usd": money(booked.cost_usd),
        "new": booked.new,
        "skipped": booked.skipped,
    }


def _note(record: Record) -> str:
    """Return the notes for a reader, without the list of answers, which is for the next recording."""
    return "; ".join(note for note in record.notes if not note.startswith(ANSWERS))


def _lines(booked: RecordedUsage, *, dry: bool) -> list[str]:
    lines = [_line(record) for record in booked.records]
    before = f"{counted(booked.skipped, 'answer')} already recorded" if booked.skipped else ""
    if not lines:
        lines.append(f"nothing new to record: {before or 'no answer is from that time'}")
    else:
        verb = "would record" if dry else "recorded"
        total = f"{counted(len(lines), 'record')}: {dollars(booked.cost_usd)}"
        lines.append(f"{verb} {total}{f' ({before})' if before else ''}")
    return [*lines, f"next: minitask report --project {booked.project}"]


def _line(record: Record) -> str:
    attempt = record.attempt
    note = _note(record)
    who = f"{record.kind} by {attempt.model} (tier {attempt.tier})"
    text = f"{who}, {tokens_text(attempt.usage, 'tokens')}: {dollars(attempt.cost_usd)}"
    return f"{text}  ({note})" if note else text


def _notes(booked: RecordedUsage, *, damaged: int, is_known: bool) -> Iterator[str]:
    """Yield the notes on a recording."""
    if not is_known:
        yield f"project {booked.project} has no specs and no records yet"
    if damaged:
        yield f"{counted(damaged, 'line')} of the transcripts cannot be read; ignored"
    attempts = [record.attempt for record in booked.records]
    for model in sorted({attempt.model for attempt in attempts if attempt.cost_usd is None}):
        hint = "set one under `prices` first (check with --dry-run), or pass --cost"
        yield f"{model} has no price, so its cost is unknown (not 0); {hint}"
    if booked.doubled:
        are = counted(booked.doubled, "answer is", "answers are")
        why = "because two clones recorded them differently"
        yield f"{are} recorded more than once, {why}; run `minitask sync` first to avoid this"
