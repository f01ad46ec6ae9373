"""W4xx: what makes a spec hard to carry out, or its result hard to prove."""

from __future__ import annotations

from minitask.spec.model import Severity
from minitask.spec.rulebook.rule import RuleText

_WARNING = Severity.WARNING

QUALITY = (
    RuleText(
        code="E401",
        title="no validation",
        severity=Severity.ERROR,
        summary="The spec has no validation command.",
        why="Only validated changes merge, and nothing here validates the result.",
        mend="Add a Validation section with a `bash` fence, or waive the proof with `proof: none`.",
        bad="## Acceptance Criteria\n\n- [ ] It works",
        good='## Validation\n\n```bash\npython -c "import app.base"\n```',
    ),
    RuleText(
        code="W402",
        title="validation that cannot fail",
        severity=_WARNING,
        summary=(
            "A command succeeds whatever the result is (`echo`, `|| true`), or no command of the "
            "validation checks anything."
        ),
        why="A check that cannot fail makes every attempt pass.",
        mend=(
            "Drop the `|| true`, test the required result, or state it in an `# expect:` comment."
        ),
        bad="```bash\npytest -q || true\nwc -l base.py\n```",
        good="```bash\npytest -q\nwc -l < base.py  # expect: output ~400 ±50\n```",
    ),
    RuleText(
        code="W403",
        title="vague step",
        severity=_WARNING,
        summary='A step uses vague words, such as "as needed" or "etc.".',
        why="A small model guesses, and two attempts guess differently.",
        mend="Say exactly which, how many and what. Code in backticks is not checked.",
        bad="2. Add appropriate error handling, etc.",
        good="2. Raise `ValueError` when `limit` is below 1.",
    ),
    RuleText(
        code="W404",
        title="context over 100 words",
        severity=_WARNING,
        summary="The Context section has more than 100 words.",
        why="It is sent with every attempt, and hides what matters.",
        mend="Keep what the steps need; put the rest in the project's notes.",
        bad="## Context\n\n(three paragraphs of history)",
        good="## Context\n\nWe are splitting `app.py`; this task takes out the base class.",
    ),
    RuleText(
        code="W405",
        title="more than two files to read",
        severity=_WARNING,
        summary="The spec asks the executor to read more than two files.",
        why="Each adds input, and small models mix files up.",
        mend="Cite the lines that are needed, quote them under Code Snippets, or split the task.",
        bad="**Files to Read**:\n- `a.py`\n- `b.py`\n- `c.py`",
        good="**Files to Read**:\n- `a.py` (lines 10-40)",
    ),
    RuleText(
        code="W406",
        title="estimate beyond 5,000 tokens",
        severity=_WARNING,
        summary="The estimated input and output add up to more than 5,000 tokens.",
        why="Tasks of 2,000 to 5,000 tokens succeed most often on the first try.",
        mend="Split the task, or move code with an edit script instead of having a model retype it.",
        bad="**Estimated Tokens**: 9,000 input + 3,000 output",
        good="**Estimated Tokens**: 3,000 input + 800 output",
    ),
    RuleText(
        code="E407",
        title="template placeholder left in",
        severity=Severity.ERROR,
        summary="A part of the template was not filled in.",
        why="The executor takes it literally, or invents something.",
        mend="Fill it in, or delete the line.",
        bad="# Mini-Task [N]: [Clear, Concise Title]\n\n- `path/to/file.py` (lines X-Y)",
        good="# Mini-Task 3: Move the task tools\n\n- `src/app.py` (lines 40-90)",
    ),
    RuleText(
        code="W408",
        title="no acceptance criteria",
        severity=_WARNING,
        summary="The spec has no acceptance criterion.",
        why="Neither executor nor reviewer knows when the task is done.",
        mend="Add an Acceptance Criteria section with a list of checkable results.",
        bad="## Acceptance Criteria\n",
        good="## Acceptance Criteria\n\n- [ ] `base.py` holds `Base` and nothing else",
    ),
    RuleText(
        code="W409",
        title="no steps",
        severity=_WARNING,
        summary="The Task section is empty, or has no steps.",
        why="A small model follows steps; it does not plan.",
        mend="Write numbered steps, each with its file and lines.",
        bad="## Task\n\nSplit the file.",
        good="## Task\n\n1. Create `base.py`.\n2. Copy lines 18-73 of `app.py` into it.",
    ),
    RuleText(
        code="E410",
        title="protected file listed",
        severity=Severity.ERROR,
        summary=(
            "The spec writes CI, git hooks, agent or toolkit settings, the spec itself, or "
            "a path that its `protected` list names."
        ),
        why="Such files control what runs and what is checked; the scope gate refuses the change.",
        mend="Make that change by hand and remove the file from the list.",
        bad="**Files to Edit**:\n- `.github/workflows/ci.yml`",
        good="**Files to Edit**:\n- `src/app.py`",
    ),
    RuleText(
        code="W414",
        title="number that nothing checks",
        severity=_WARNING,
        summary=(
            "A comment of the validation, or an acceptance criterion, states a number or an "
            "output that cannot be enforced: no adjacent command prints such a number, or the "
            "file is unclear."
        ),
        why="A number that nothing checks lets every result pass, although the author expects a check.",
        mend=(
            "Put it after the command that prints it (`wc -l FILE`, `grep -c`), or write it as "
            "`# expect: output ~600 ±60`."
        ),
        bad="```bash\nls -l src/a.py src/b.py  # Should be ~600 lines each\n```",
        good="```bash\nwc -l src/a.py  # Should be ~600 lines\nwc -l src/b.py  # expect: output ~600 ±60\n```",
    ),
    RuleText(
        code="W415",
        title="command that is not run",
        severity=_WARNING,
        summary=(
            "The validation, or a section such as Tests or Verify, holds a command that is not "
            "run: it is in a sentence beside a fence, in a fence without the `$ ` that other "
            "lines have, or below another heading."
        ),
        why="The author expects it to check the result.",
        mend="Put every validation command into a `bash` fence under `## Validation`.",
        bad="## Validation\n\n```bash\n$ cd app\npytest -q\n```",
        good="## Validation\n\n```bash\ncd app\npytest -q\n```",
    ),
    RuleText(
        code="N416",
        title="fence that is not run",
        severity=Severity.NOTE,
        summary="The Validation section has a fence in a language other than shell.",
        why="Only `bash`, `sh`, `console` and unmarked fences are run.",
        mend="Mark it `bash` if it holds commands.",
        bad="## Validation\n\n```python\nimport app\n```",
        good='## Validation\n\n```bash\npython3 -c "import app"\n```',
    ),
    RuleText(
        code="W417",
        title="list of paths that is not read",
        severity=_WARNING,
        summary="A label or heading that is not in the template lists paths, such as `Scope (allowed files)`.",
        why="The task may not change those files, although the author seems to allow it.",
        mend="Call it Files to Read, Files to Create, Files to Edit or Files to Delete.",
        bad="**Scope (allowed files)**:\n- `src/app.py`",
        good="**Files to Edit**:\n- `src/app.py`",
    ),
    RuleText(
        code="W418",
        title="example path of the template in the text",
        severity=_WARNING,
        summary="The text or a command names `path/to/…`, the template's own example.",
        why="If it was left in by mistake, the executor takes it literally.",
        mend="Name the real file.",
        bad="1. Add the import to `path/to/file.py`.",
        good="1. Add the import to `src/app.py`.",
    ),
    RuleText(
        code="W419",
        title="several issues in one task",
        severity=_WARNING,
        summary="Headings such as `Issue #1` and `Issue #2` stand in one task.",
        why="They are given to one executor, land together or not at all, and share one validation.",
        mend="Give each a heading `# Mini-Task N: Title`, or a file of its own.",
        bad="# Mini-Task 1: Fix the parser\n\n## Issue #1\n\n## Issue #2",
        good="# Mini-Task 1: Issue 1\n\n# Mini-Task 2: Issue 2",
    ),
    RuleText(
        code="N430",
        title="how many planted faults the validation catches",
        severity=Severity.NOTE,
        summary=(
            "`validate --grade` applies the spec's own edit script, plants up to a dozen faults "
            "in the lines that it adds, and runs the spec's commands on each. The note says how "
            "many they caught, and which lines no command tests. Lines that were elsewhere in "
            "the base, documents and tests get no faults."
        ),
        why="A validation that only greps for a name passes whatever the code does.",
        mend="Add a command that fails without these lines: call the code and compare its result.",
        bad='```bash\ngrep -q "def area" area.py\n```',
        good='```bash\npython3 -c "import area; assert area.area(2, 3) == 6"\n```',
    ),
)
