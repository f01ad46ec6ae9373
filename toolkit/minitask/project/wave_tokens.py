"""The tokens of a run's batches, planned and taken: a batch is a wave of the tasks that ran."""

from __future__ import annotations

from collections.abc import Sequence

from minitask.engine.context import Context
from minitask.engine.tasks import Base, Task
from minitask.ledger.accuracy import BatchTokens, batch_tokens
from minitask.ledger.record import TaskResult
from minitask.project.order import implications
from minitask.spec.critical_path import wave_numbers


def token_budgets(
    engine: Context, tasks: Sequence[Task], results: Sequence[TaskResult], place: Base
) -> tuple[BatchTokens, ...]:
    """Each wave that called a model; nothing for a run of a single task."""
    if len(tasks) < 2 or all(result.usage.requests == 0 for result in results):
        return ()
    links = implications(engine, tasks, place).links
    numbers = wave_numbers([task.spec for task in tasks], links)
    names = [task.name for task in tasks]
    return batch_tokens(
        results,
        waves=dict(zip(names, numbers, strict=True)),
        planned={task.name: task.spec.estimate.tokens for task in tasks},
    )
