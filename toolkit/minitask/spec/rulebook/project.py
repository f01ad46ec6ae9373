"""N207 to W214: what the specs of a project say of each other."""

from __future__ import annotations

from minitask.spec.model import Severity
from minitask.spec.rulebook.rule import RuleText

_ERROR = Severity.ERROR

PROJECT = (
    RuleText(
        code="N207",
        title="two specs write one file",
        severity=Severity.NOTE,
        summary=(
            "Two or more specs write the same file and do not depend on each other. Reported "
            "once per file; merged specs do not count."
        ),
        why="A run does them one at a time, in any order, so they save no time.",
        mend="Add `depends_on` if the order matters, or give each its own file. This note blocks nothing.",
        bad="01-models.md edits `api.py`\n02-routes.md edits `api.py`",
        good="01-models.md edits `api.py`\n02-routes.md edits `api.py`, `depends_on: [01-models]`",
    ),
    RuleText(
        code="E208",
        title="dependency cycle",
        severity=_ERROR,
        summary="A task depends on itself, directly or through others.",
        why="None of the tasks in the cycle can ever start.",
        mend="Remove the `depends_on` entry that closes the cycle.",
        bad="01-base: `depends_on: [02-tools]`\n02-tools: `depends_on: [01-base]`",
        good="01-base: no dependency\n02-tools: `depends_on: [01-base]`",
    ),
    RuleText(
        code="E209",
        title="dependency does not name one task",
        severity=_ERROR,
        summary="A `depends_on` entry names no task, or several that share a number.",
        why="The planned order would silently be lost.",
        mend="Write the task's id, number or file name, or `PROJECT/ID` for another project.",
        bad="---\ndepends_on: [01-bse]\n---",
        good="---\ndepends_on: [01-base]\n---",
    ),
    RuleText(
        code="W210",
        title="next task does not exist",
        severity=Severity.WARNING,
        summary="The Next Task section names a task that the project does not have.",
        why="A task is missing or the tasks were renumbered; this misleads readers.",
        mend="Fix the number, or say that this is the last task.",
        bad="## Next Task\n\nMini-Task 12: Update the imports   <- there are 9",
        good="## Next Task\n\nNone: report completion.",
    ),
    RuleText(
        code="E211",
        title="two specs with one id",
        severity=_ERROR,
        summary="Two specs have the same task name; case is ignored.",
        why="They would share a branch and a record, and be mistaken for each other.",
        mend="Give one of them another `id`, or rename its file.",
        bad="a.md: `id: base`\nb.md: `id: base`",
        good="a.md: `id: base`\nb.md: `id: base-tests`",
    ),
    RuleText(
        code="W214",
        title="uses a file before it is created",
        severity=Severity.WARNING,
        summary="A task reads or edits a file that another task creates, without depending on it.",
        why=(
            "`run` derives the order from the files; readers of the specs do not see it, and "
            "`exec` of this task is skipped until the file exists."
        ),
        mend="Add the creating task to `depends_on`.",
        bad="01-base.md creates `base.py`\n02-tools.md reads `base.py`",
        good="01-base.md creates `base.py`\n02-tools.md reads `base.py`, `depends_on: [01-base]`",
    ),
)
