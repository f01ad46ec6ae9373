"""N41x: how the tasks of a whole project fall into batches, and what these should take."""

from __future__ import annotations

from minitask.spec.model import Severity
from minitask.spec.rulebook.rule import RuleText

_NOTE = Severity.NOTE

BATCHES = (
    RuleText(
        code="N411",
        title="three or more sequential batches",
        severity=_NOTE,
        summary=(
            "In a project of four tasks or more, three or more tasks cannot run in parallel with "
            "any other. A batch is a wave: all tasks that may start once what they wait for is "
            "done, by `depends_on` and by their files. A task that is the only one of its wave, "
            "or of which one writes what the other uses with every other task there, is a "
            "sequential batch. Successive waves with several tasks each do not count. Only a "
            "project that is validated as a whole is judged, and only once its order is sound."
        ),
        why=(
            "Each sequential batch adds its full time to the run, and if it fails, everything "
            "after it is skipped."
        ),
        mend=(
            "Remove `depends_on` entries that no file and no validation needs, give tasks "
            "separate files, or join small steps into one task. Keep the chain if the work is "
            "really sequential: a note blocks nothing."
        ),
        bad=(
            "01-models: no dependency\n02-store: `depends_on: [01-models]`\n"
            "03-routes: `depends_on: [02-store]`\n04-docs: `depends_on: [03-routes]`"
        ),
        good=(
            "01-models: no dependency\n02-store: `depends_on: [01-models]`\n"
            "03-routes: `depends_on: [01-models]`\n04-docs: `depends_on: [01-models]`"
        ),
    ),
    RuleText(
        code="N412",
        title="fewer than 70 % of the tasks run in parallel",
        severity=_NOTE,
        summary=(
            "In a project of four tasks or more, fewer than 70 % can run in parallel within "
            "their wave. N411 reports the case of three or more sequential batches instead."
        ),
        why="A run takes as long as its waves; if most tasks are in a line, more jobs do not help.",
        mend=(
            "Make independent tasks independent: remove `depends_on` entries that no file and "
            "no validation needs, or give tasks separate files."
        ),
        bad=(
            "01-base: no dependency\n02-tools: `depends_on: [01-base]`\n"
            "03-api: `depends_on: [01-base]`\n04-docs: `depends_on: [02-tools, 03-api]`"
        ),
        good=(
            "01-base: no dependency\n02-tools: `depends_on: [01-base]`\n"
            "03-api: `depends_on: [01-base]`\n04-docs: `depends_on: [01-base]`"
        ),
    ),
    RuleText(
        code="N413",
        title="tasks without an estimate of their tokens",
        severity=_NOTE,
        summary=(
            "In a project of four tasks or more, some specs estimate their input and output tokens and "
            "others do not. Specs whose edit script covers all their files need none."
        ),
        why="A batch total needs an estimate from every task; otherwise the sum is too small.",
        mend="Add `**Estimated Tokens**` with input and output to the specs that the message names.",
        bad="01-base: **Estimated Tokens**: 3,000 input + 800 output\n02-tools: (none)",
        good=(
            "01-base: **Estimated Tokens**: 3,000 input + 800 output\n"
            "02-tools: **Estimated Tokens**: 2,500 input + 600 output"
        ),
    ),
)
