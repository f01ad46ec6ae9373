"""Run an attempt on a worker, which has only a git remote, the task's name, and the settings.

The worker has a bare repository for each remote, fetches the base there, works like `exec --no-merge`, pushes its
candidates under special refs, and returns its records. The sender lands changes and writes the ledger.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from minitask import settings as config
from minitask.engine.context import Context, open_context
from minitask.engine.task_records import all_records_of, task_at
from minitask.engine.tasks import Base, Task
from minitask.errors import MachineError
from minitask.git import refs
from minitask.git.repository import Repository, Signature, discover
from minitask.git.run_git import clean_environment
from minitask.ledger.record import Record, Verdict
from minitask.ledger.record_json import parse_record, record_document
from minitask.policy.budget import Budget
from minitask.policy.route import RouteOverrides
from minitask.settings import SettingsLayer
from minitask.system import process
from minitask.task.life import run_task
from minitask.task.state import RunOptions

INBOX = "refs/minitask/inbox"
BASES = "refs/minitask/bases"


class WorkerJob(Struct, frozen=True):
    """A job for a worker. `number` is the first attempt's, `limit_usd` the budget ("": no limit).

    `settings` are the sender's without its preset, with only the names of keys. `lessons` are the statistics of the
    sender's ledger, so that routes are the same everywhere.
    """

    remote: str
    run: str
    task: str
    source: str
    base: str
    target: str
    number: int
    settings: Mapping[str, Any]
    signature: Signature
    limit_usd: str = ""
    lessons: Mapping[str, Any] = field(default_factory=dict)


class WorkerResult(Struct, frozen=True):
    """The result of a worker's job: its records, and the verdict on the task."""

    records: tuple[Record, ...]
    verdict: Verdict
    reason: str
    over_budget: bool = False
    stops_run: bool = False


def parse_return(document: Mapping[str, Any]) -> WorkerResult:
    """Parse the result of a job from plain values."""
    records = tuple(map(parse_record, document["records"]))
    return WorkerResult(**{**document, "records": records, "verdict": Verdict(document["verdict"])})


def base_ref(commit: str) -> str:
    """Return the ref of a base for workers to fetch."""
    return f"{BASES}/{commit}"


def inbox_ref(run: str, candidate: str) -> str:
    """Return the ref of a worker's candidate."""
    return f"{INBOX}/{run}/{candidate}"


def run_worker_job(
    document: Mapping[str, Any], *, home: Path, environ: Mapping[str, str]
) -> dict[str, Any]:
    """Run a job, and return its result as plain values; `home` holds the repositories of this worker."""
    job = WorkerJob(**{**document, "signature": Signature(**document["signature"])})
    repository = _repository(job, home, environ)
    settings = config.resolve([SettingsLayer("scheduler", job.settings)], trusted=True)
    with open_context(
        repository, settings, environ=environ, purpose=job.task, emit=lambda _event: None
    ) as engine:
        return _work(engine, job)


def _work(engine: Context, job: WorkerJob) -> dict[str, Any]:
    engine.set_signature(job.signature)
    engine.lessons = {"models": {}, "cells": {}, **job.lessons}
    base = Base(job.base, job.target, engine.repository.git_dir)
    task = replace(task_at(engine, job.task, job.source, base), base=job.base)
    _set_number(engine, task, job.number)
    budget = Budget(Decimal(job.limit_usd) if job.limit_usd else None)
    result = run_task(
        engine, task, RunOptions(RouteOverrides(), merge=False, again=True, budget=budget)
    )
    all_records = all_records_of(engine, job.task)
    records = [record for record in all_records if record.attempt.n >= job.number]
    _push(engine, job, records)
    return {
        "records": [record_document(record) for record in records],
        "verdict": result.verdict.value,
        "reason": result.reason,
        "over_budget": result.over_budget,
        "stops_run": result.stops_run,
    }


def _set_number(engine: Context, task: Task, number: int) -> None:
    """Number the attempts from `number`, and delete the refs of earlier jobs."""
    git = engine.repository.git
    names = refs.snapshot(git, refs.branch(task.name), f"{refs.ATTEMPTS}/{task.name}", refs.LEDGER)
    if names:
        refs.delete(git, tuple(names))
    if number > 1:
        absent = refs.zeros(engine.repository.object_format)
        refs.move(git, [refs.Move(refs.attempt(task.name, number - 1), task.base, absent)])


def _push(engine: Context, job: WorkerJob, records: list[Record]) -> None:
    candidates = [record.candidate for record in records if record.candidate is not None]
    if not candidates:
        return
    specs = [f"{oid}:{inbox_ref(job.run, oid)}" for oid in candidates]
    engine.repository.git.with_user_config().output(
        "push", "--quiet", "--no-verify", job.remote, *specs
    )


def _repository(job: WorkerJob, home: Path, environ: Mapping[str, str]) -> Repository:
    """Return this worker's repository for the remote, with the base fetched."""
    folder = home / hashlib.sha256(job.remote.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    if not (folder / "HEAD").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _git(folder, environ, "init", "-q", "--bare", "--initial-branch=main", "--template=", ".")
    repository = discover(folder, environ)
    git = repository.git.with_user_config()
    if git.run("cat-file", "-e", f"{job.base}^{{commit}}").exit_code != 0:
        ref = base_ref(job.base)
        git.output("fetch", "--quiet", "--no-tags", job.remote, f"+{ref}:{ref}")
    return repository


def _git(folder: Path, environ: Mapping[str, str], *args: str) -> None:
    result = process.run(
        ("git", *args), cwd=folder, env=clean_environment(environ), timeout_seconds=120
    )
    if result.exit_code != 0:
        message = result.stderr.decode("utf-8", "replace").strip()
        raise MachineError(f"git {args[0]} failed in {os.fsdecode(folder)}: {message}")
