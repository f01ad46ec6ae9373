"""E3xx: the edit script in a spec."""

from __future__ import annotations

from minitask.spec.model import Severity
from minitask.spec.rulebook.rule import RuleText

_ERROR = Severity.ERROR

SCRIPT = (
    RuleText(
        code="E301",
        title="edit script is malformed",
        severity=_ERROR,
        summary="A fence of the edit script cannot be read.",
        why="A script is applied whole or not at all, so one bad line stops all of it.",
        mend="Correct the line that the message names.",
        bad="```edits\ncopy app.py:10-40 base.py\n```",
        good="```edits\ncopy app.py:10-40 -> base.py\n```",
    ),
    RuleText(
        code="E302",
        title="edit script writes a file that is not listed",
        severity=_ERROR,
        summary="The edit script changes a path that is not among the files to create or edit.",
        why="The scope gate would refuse the result, after the work was done.",
        mend="List the file, or take the edit out. A `move` also changes the file it takes from.",
        bad="**Files to Create**:\n- `base.py`\n\n```edits\nmove app.py:10-40 -> base.py\n```",
        good=(
            "**Files to Create/Edit**:\n- `base.py` (create)\n- `app.py` (edit)\n\n"
            "```edits\nmove app.py:10-40 -> base.py\n```"
        ),
    ),
    RuleText(
        code="N303",
        title="edit script does not cover all files",
        severity=Severity.NOTE,
        summary="The spec has an edit script, and lists files that the script does not write.",
        why="A model is paid for what the script leaves; a script that covers all costs nothing.",
        mend="Add the missing edits, or leave them to the model on purpose.",
        bad="**Files to Create**:\n- `a.py`\n- `b.py`\n\n```python path=a.py\nX = 1\n```",
        good="**Files to Create**:\n- `a.py`\n\n```python path=a.py\nX = 1\n```",
    ),
    RuleText(
        code="E304",
        title="edit script does not apply",
        severity=_ERROR,
        summary=(
            "The edit script was tried and does not fit the files that it will start from: the base, with what "
            "the edit scripts of earlier tasks make of it. A search text is nowhere or stands twice, a range "
            "ends beyond the file, two operations take the same lines, or a diff does not apply."
        ),
        why="The task would be refused when it runs.",
        mend=(
            "Correct the edit at the line that is named; the message shows the nearest lines. Where another "
            "task makes the text, depend on it."
        ),
        bad=(
            "```python path=app.py\n<<<<<<< SEARCH\ndef lod(path):\n=======\ndef load(path, mode):\n"
            ">>>>>>> REPLACE\n```"
        ),
        good=(
            "```python path=app.py\n<<<<<<< SEARCH\ndef load(path):\n=======\ndef load(path, mode):\n"
            ">>>>>>> REPLACE\n```"
        ),
    ),
    RuleText(
        code="E305",
        title="tier none without an edit script for all files",
        severity=_ERROR,
        summary="The spec asks for tier `none`, and its edit script does not write every file that it lists.",
        why="Tier `none` asks no model, so nobody would write the rest.",
        mend="Add the missing edits, or take `tier: none` out.",
        bad="---\ntier: none\n---\n\n(no edit script)",
        good="---\ntier: none\n---\n\n```python path=a.py\nX = 1\n```",
    ),
    RuleText(
        code="W306",
        title="edit that a model is shown does not apply",
        severity=Severity.WARNING,
        summary="A model does this task, and an edit in its Code Snippets does not fit the files.",
        why="The model is shown an edit that cannot be made, and may copy it.",
        mend="Correct the edit at the line that is named, or show the code in a fence without a path.",
        bad="```python path=app.py\n<<<<<<< SEARCH\ndef lod(path):\n=======\n>>>>>>> REPLACE\n```",
        good="```python\ndef load(path, mode):\n```",
    ),
    RuleText(
        code="W307",
        title="fits only once another task has landed",
        severity=Severity.WARNING,
        summary="The spec fits what another task of the project makes, and not the base; it does not depend on it.",
        why="`run` puts it behind that task; `exec` of it alone is skipped until that has landed.",
        mend="Add the other task to `depends_on`.",
        bad="01-names.md renames `lod` to `load`\n02-mode.md searches for `def load(path):`",
        good="01-names.md renames `lod` to `load`\n02-mode.md searches for it, `depends_on: [01-names]`",
    ),
    RuleText(
        code="W308",
        title="no longer fits once another task has landed",
        severity=Severity.WARNING,
        summary=(
            "The spec fits the base, and not what an earlier task of the project makes of it; it does not "
            "depend on that task. The message says what would not fit."
        ),
        why="Whichever of the two lands first, the other is refused.",
        mend=(
            "Depend on the other task and write the spec for what comes of it, or drop one of the two. "
            "`exec` of it alone runs as long as the other has not landed."
        ),
        bad="01-a.md moves `app.py:10-40` to `a.py`\n02-b.md moves `app.py:30-60` to `b.py`",
        good="01-a.md moves `app.py:10-40` to `a.py`\n02-b.md moves `app.py:41-60` to `b.py`",
    ),
)
