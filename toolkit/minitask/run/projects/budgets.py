"""The tokens of a run's batches, planned and taken: a batch is a wave of the tasks that ran."""

from __future__ import annotations

from collections.abc import Sequence

from minitask.ledger.accuracy import BatchTokens, batch_tokens
from minitask.ledger.record import TaskResult
from minitask.run.engine import Engine
from minitask.run.projects.ordering import implications
from minitask.run.tasks import Place, Task
from minitask.spec.chains import wave_numbers


def token_budgets(
    engine: Engine, tasks: Sequence[Task], results: Sequence[TaskResult], place: Place
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
