"""What an executor is given: the spec, exactly the lines that it lists, and a way to read the base."""

from __future__ import annotations

from minitask.executors.model import Excerpt, Order
from minitask.run.anchors import Anchor
from minitask.run.engine import Engine
from minitask.run.tasks import Task
from minitask.spec.model import FileAction, FileRef

EXECUTOR_SECONDS = 600.0


def make_order(engine: Engine, task: Task, anchor: Anchor, *, model: str) -> Order:
    """The order for one task on its base; cited lines are carried there, or the task is refused."""
    seconds = task.spec.options.timeout_seconds

    def read(path: str) -> str | None:
        return engine.objects.file(task.base, path)

    return Order(
        spec=task.spec,
        excerpts=tuple(_excerpts(task, anchor, engine)),
        read=read,
        locate=anchor.locate,
        model=model,
        timeout_seconds=min(EXECUTOR_SECONDS, float(seconds)) if seconds else EXECUTOR_SECONDS,
    )


def _excerpts(task: Task, anchor: Anchor, engine: Engine) -> list[Excerpt]:
    """The listed lines of the files to read, then those of the files to edit that are not listed to be read."""
    found: list[Excerpt] = []
    read = {ref.path for ref in task.spec.reads()}
    edited = [
        ref
        for ref in task.spec.writes()
        if ref.path not in read and ref.action is not FileAction.CREATE
    ]
    for ref in (*task.spec.reads(), *edited):
        text = engine.objects.file(task.base, ref.path)
        if text is not None:
            found += _of_file(ref, text, anchor)
    return found


def _of_file(ref: FileRef, text: str, anchor: Anchor) -> list[Excerpt]:
    if not ref.ranges:
        return [Excerpt(ref.path, 1, text, whole=True)]
    lines = text.split("\n")
    here = [anchor.locate(ref.path, cited) for cited in ref.ranges]
    return [
        Excerpt(ref.path, span.start, "\n".join(lines[span.start - 1 : span.end]) + "\n")
        for span in here
    ]
