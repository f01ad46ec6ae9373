"""E3xx: the edit script in a spec."""

from __future__ import annotations

from minitask.spec.model import Severity
from minitask.spec.rulebook.rule import Rule

_ERROR = Severity.ERROR

SCRIPT = (
    Rule(
        code="E301",
        title="edit script is malformed",
        severity=_ERROR,
        summary="A fence of the edit script cannot be read.",
        why="A script is applied whole or not at all, so one bad line stops all of it.",
        mend="Correct the line that the message names.",
        bad="```edits\ncopy app.py:10-40 base.py\n```",
        good="```edits\ncopy app.py:10-40 -> base.py\n```",
    ),
    Rule(
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
    Rule(
        code="N303",
        title="edit script does not cover all files",
        severity=Severity.NOTE,
        summary="The spec has an edit script, and lists files that the script does not write.",
        why="A model is paid for what the script leaves; a script that covers all costs nothing.",
        mend="Add the missing edits, or leave them to the model on purpose.",
        bad="**Files to Create**:\n- `a.py`\n- `b.py`\n\n```python path=a.py\nX = 1\n```",
        good="**Files to Create**:\n- `a.py`\n\n```python path=a.py\nX = 1\n```",
    ),
)
