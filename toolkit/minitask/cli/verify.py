"""`minitask verify`: prove a branch or commit again."""

from __future__ import annotations

import click

from minitask.cli.completion import complete_tasks
from minitask.cli.session import json_option, print_json, start
from minitask.cli.terminal import show
from minitask.engine.tasks import Base
from minitask.landing.merged_tasks import verify
from minitask.ledger.record_json import command_document
from minitask.reports.results import render_command


@click.command("verify")
@click.argument("ref", shell_complete=complete_tasks)
@json_option
def command(ref: str, *, as_json: bool) -> int:
    """Run the validation of the task that REF carries, on a fresh checkout of REF.

    REF is a branch, a commit or PROJECT/ID. Exits with 0 if every command passes.

    \b
    Example:
      minitask verify minitask/api/02-routes
    """
    session = start()
    with session.engine(f"verify {ref}", quiet=as_json) as engine:
        commit = engine.tip("HEAD")
        verification = verify(engine, ref, Base(commit, "", session.folder))
    task, commit, proof = verification.task, verification.commit, verification.proof
    if as_json:
        commands = [command_document(item) for item in proof.commands]
        result = {"passed": proof.passed, "sandbox": proof.sandbox, "commands": commands}
        print_json({"task": task, "commit": commit, **result})
    else:
        verdict = "proven" if proof.passed else f"not proven: {proof.reason}"
        show(f"{task} at {commit[:12]}: {verdict} (sandbox: {proof.sandbox})")
        for item in proof.commands:
            show("\n".join(render_command(item)))
    return 0 if proof.passed else 1
