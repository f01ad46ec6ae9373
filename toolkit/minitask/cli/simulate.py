"""`minitask simulate`: the cost and results of routing policies by past results."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import click

from minitask import resources
from minitask.cli.session import dollars_of, json_option, print_json, start, start_folder
from minitask.cli.terminal import show
from minitask.engine.repository_settings import read_text
from minitask.engine.task_records import ledger_of
from minitask.errors import UsageError
from minitask.policy.model_stats import ModelStats, parse_table, stats_of
from minitask.policy.simulate import parse_policy, replay, usual_outcomes
from minitask.reports.forecasts import render_simulation, simulation_document
from minitask.words import did_you_mean

TABLES = "simulate"
SUFFIX = ".yaml"
MOST_USD = Decimal("1e12")


@click.command("simulate")
@click.option(
    "--table",
    metavar="FILE|NAME",
    help="Results by model: a YAML file, or the built-in table aider-polyglot.",
)
@click.option(
    "--policy",
    "policies",
    multiple=True,
    metavar="A,B",
    help="Models or tiers to try in turn, by full or partial name. Repeatable.",
)
@click.option(
    "--loss",
    metavar="USD",
    help="The cost of giving up a task (default: ten tries of the baseline).",
)
@json_option
def command(
    table: str | None, policies: tuple[str, ...], loss: str | None, *, as_json: bool
) -> int:
    """Replay routing policies over what models did already: by default the tiers, by the ledger. Nothing is spent.

    \b
    Example:
      minitask simulate --table aider-polyglot --policy "V3.2,gpt-5"
    """
    loss_usd = None
    if loss is not None:
        loss_usd = dollars_of(loss, option="--loss", allows=lambda usd: 0 < usd < MOST_USD)
    figures = _ledger_figures() if table is None else _table_figures(start_folder(), table)
    if policies:
        chosen = dict.fromkeys(parse_policy(policy, figures.models) for policy in policies)
        outcomes = tuple(replay(policy, figures) for policy in chosen)
    else:
        outcomes = usual_outcomes(figures, loss_usd=loss_usd)
    if as_json:
        print_json(simulation_document(figures, outcomes))
    else:
        show(render_simulation(figures, outcomes, in_detail=bool(policies)))
    return 0


def _ledger_figures() -> ModelStats:
    session = start()
    with session.engine("simulate", quiet=True, looks_only=True) as engine:
        return stats_of(ledger_of(engine).records)


def _table_figures(folder: Path, word: str) -> ModelStats:
    """Return the table in a file, or the built-in one of that name."""
    file = folder / word
    if file.is_file():
        return parse_table(read_text(file) or "", name=word, where=word)
    shipped = resources.path("templates", TABLES)
    names = sorted(path.stem for path in shipped.glob(f"*{SUFFIX}"))
    if word in names:
        text = (shipped / f"{word}{SUFFIX}").read_text("utf-8")
        return parse_table(text, name=word, where=word)
    message = f"--table {word}: no such file, and no built-in table of that name"
    raise UsageError(message, hint=did_you_mean(word, names))
