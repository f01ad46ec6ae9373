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
        why="A script is applied whole or not at all, so one bad line blocks all of it.",
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
        mend="List the file, or remove the edit. A `move` also changes its source file.",
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
        why="A model does (and bills) the rest; a script that covers all files costs nothing.",
        mend="Add the missing edits, or leave them to the model on purpose.",
        bad="**Files to Create**:\n- `a.py`\n- `b.py`\n\n```python path=a.py\nX = 1\n```",
        good="**Files to Create**:\n- `a.py`\n\n```python path=a.py\nX = 1\n```",
    ),
    RuleText(
        code="E304",
        title="edit script does not apply",
        severity=_ERROR,
        summary=(
            "The edit script does not apply to the files it will start from: the base with the "
            "edit scripts of earlier tasks applied. A search text is missing or occurs twice, a "
            "range ends beyond the file, two operations take the same lines, or a diff does not "
            "apply."
        ),
        why="The task would be refused when it runs.",
        mend=(
            "Fix the edit at the reported line; the message shows the nearest lines. If another "
            "task writes the text, depend on it."
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
        why="Tier `none` uses no model, so the rest would not be written.",
        mend="Add the missing edits, or remove `tier: none`.",
        bad="---\ntier: none\n---\n\n(no edit script)",
        good="---\ntier: none\n---\n\n```python path=a.py\nX = 1\n```",
    ),
    RuleText(
        code="W306",
        title="edit shown to a model does not apply",
        severity=Severity.WARNING,
        summary="A model does this task, and an edit in its Code Snippets does not apply to the files.",
        why="The model sees an edit that cannot be applied, and may copy it.",
        mend="Fix the edit at the reported line, or show the code in a fence without a path.",
        bad="```python path=app.py\n<<<<<<< SEARCH\ndef lod(path):\n=======\n>>>>>>> REPLACE\n```",
        good="```python\ndef load(path, mode):\n```",
    ),
    RuleText(
        code="W307",
        title="applies only after another task has merged",
        severity=Severity.WARNING,
        summary="The spec applies to the result of another task, not to the base, and does not depend on that task.",
        why="`run` schedules it after that task; `exec` of it is skipped until that task has merged.",
        mend="Add the other task to `depends_on`.",
        bad="01-names.md renames `lod` to `load`\n02-mode.md searches for `def load(path):`",
        good="01-names.md renames `lod` to `load`\n02-mode.md searches for it, `depends_on: [01-names]`",
    ),
    RuleText(
        code="W308",
        title="no longer applies after another task has merged",
        severity=Severity.WARNING,
        summary=(
            "The spec applies to the base, but not to the result of an earlier task, and does "
            "not depend on that task. The message says what does not apply. Where both are checked, it is E309."
        ),
        why="`exec` of it alone runs as long as the other has not merged; after that it is refused.",
        mend="Depend on the other task and write the spec for its result, or remove one of the two.",
        bad="01-a.md moves `app.py:10-40` to `a.py`\n02-b.md moves `app.py:30-60` to `b.py`",
        good="01-a.md moves `app.py:10-40` to `a.py`\n02-b.md moves `app.py:41-60` to `b.py`",
    ),
    RuleText(
        code="E309",
        title="only one of two tasks can merge",
        severity=_ERROR,
        summary=(
            "Two of the checked specs exclude each other: the spec does not apply to the result of an earlier one, "
            "and does not depend on it. The message says what does not apply."
        ),
        why="A run merges the earlier task, and can then only refuse this one.",
        mend=(
            "Depend on the other task and write the spec for its result, or remove one of the two. "
            "Each of them alone passes `validate` and runs with `exec`."
        ),
        bad="01-a.md creates `c.py`\n02-b.md creates `c.py`",
        good="01-a.md creates `c.py`\n02-b.md edits `c.py`, `depends_on: [01-a]`",
    ),
)
