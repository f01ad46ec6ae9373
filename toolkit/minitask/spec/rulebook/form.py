"""E1xx: what the parser cannot read."""

from __future__ import annotations

from minitask.spec.model import Severity
from minitask.spec.rulebook.rule import Rule

_ERROR = Severity.ERROR

FORM = (
    Rule(
        code="E101",
        title="no mini-task in the file",
        severity=_ERROR,
        summary="The file holds no heading that starts a mini-task.",
        why="A spec begins at its heading; without one there is nothing to run.",
        mend="Give each task a heading of the form `# Mini-Task N: Title`.",
        bad="# Notes on the split\n\nMove the helpers first.",
        good="# Mini-Task 1: Move the helpers\n\n## Task\n\n1. Move lines 10-40 of `app.py`.",
    ),
    Rule(
        code="E102",
        title="front matter is not a YAML mapping",
        severity=_ERROR,
        summary="The block between the `---` lines is not valid YAML, or is not a mapping of keys.",
        why="Half-read options would run the task on the wrong tier or without its limits.",
        mend="Correct the YAML: one `key: value` a line, lists in brackets.",
        bad="---\ndepends_on: [01-base\n---",
        good="---\ndepends_on: [01-base]\n---",
    ),
    Rule(
        code="E103",
        title="unknown front matter key",
        severity=_ERROR,
        summary="The front matter has a key that means nothing here.",
        why="A misspelt key is an option that silently does not hold.",
        mend="Correct the spelling, or put the field in the header below the title.",
        bad="---\ndepend_on: [01-base]\n---",
        good="---\ndepends_on: [01-base]\n---",
    ),
    Rule(
        code="E104",
        title="value of the wrong type",
        severity=_ERROR,
        summary="A front matter value is not of the type, or not among the choices, of its key.",
        why="A limit that cannot be read is a limit that is not kept.",
        mend="Write a number, a list or one of the named choices, as the message says.",
        bad="---\ntimeout_seconds: two minutes\n---",
        good="---\ntimeout_seconds: 120\n---",
    ),
    Rule(
        code="E105",
        title="header and front matter disagree",
        severity=_ERROR,
        summary="One field is given both in the header and in the front matter, with two values.",
        why="Either could be the one that is meant, and they may differ in price.",
        mend="Keep one of them, or make them say the same.",
        bad="---\nmodel: claude-haiku-4-5\n---\n\n# Mini-Task 1: Title\n\n**Model**: gpt-4o-mini",
        good="# Mini-Task 1: Title\n\n**Model**: gpt-4o-mini",
    ),
    Rule(
        code="E106",
        title="validation cannot be split into commands",
        severity=_ERROR,
        summary="A fence of the Validation section is not valid bash.",
        why="Every command is judged by itself, so the toolkit must know where each one ends.",
        mend="Close the quote, bracket, `if` or here-document that the message names.",
        bad='```bash\ngrep -q "def load app.py\n```',
        good='```bash\ngrep -q "def load" app.py\n```',
    ),
    Rule(
        code="E107",
        title="unknown expectation",
        severity=_ERROR,
        summary="An `# expect:` comment is in none of the known forms.",
        why="An expectation that is not understood would not be checked.",
        mend=(
            'Use `exit N`, `output ~N ±M`, `output contains "TEXT"`, `no output` or `fails before`.'
        ),
        bad="```bash\nwc -l < app.py  # expect: about 600\n```",
        good="```bash\nwc -l < app.py  # expect: output ~600 ±50\n```",
    ),
    Rule(
        code="E108",
        title="unclosed fence",
        severity=_ERROR,
        summary="A fenced block runs to the end of the file.",
        why="Everything below it, other sections too, would be read as its content.",
        mend="Close it with a line of as many backticks or tildes as opened it, or more.",
        bad="## Validation\n\n```bash\npytest -q\n\n## On Failure",
        good="## Validation\n\n```bash\npytest -q\n```\n\n## On Failure",
    ),
    Rule(
        code="E109",
        title="two tasks with one number in a file",
        severity=_ERROR,
        summary="Two mini-tasks of the same file carry the same number.",
        why="Tasks of a shared file are addressed as `FILE#N`, which must name one of them.",
        mend="Number them apart; a letter will do (`2A`, `2B`).",
        bad="# Mini-Task 2: Move the helpers\n\n# Mini-Task 2: Move the tests",
        good="# Mini-Task 2A: Move the helpers\n\n# Mini-Task 2B: Move the tests",
    ),
    Rule(
        code="E110",
        title="bad line range",
        severity=_ERROR,
        summary="A line range starts below 1 or ends before it starts.",
        why="Which lines are meant cannot be told, and guessing would copy the wrong ones.",
        mend="Write `lines A-B` with 1 <= A <= B.",
        bad="- `app.py` (lines 90-40)",
        good="- `app.py` (lines 40-90)",
    ),
)
