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
            "In a project of four tasks or more, three or more tasks can run beside no other. A batch "
            "is a wave: all tasks that may start once what they wait for is done, by `depends_on` and by "
            "their files. A task that is the only one of its wave, or of which one writes what the other "
            "uses with every other task there, is a sequential batch. Waves that follow each other and "
            "hold several tasks each are none. Only a project that is validated as a whole is judged, and "
            "only once its order is sound."
        ),
        why=(
            "Each sequential batch adds its whole time to the run, however many tasks could be worked on "
            "at once, and if it fails, all that comes after it is skipped."
        ),
        mend=(
            "Take out `depends_on` entries that no file and no validation needs, give tasks files of "
            "their own, or join small steps into one task. Keep the chain where the work is one: a note "
            "stops nothing."
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
            "In a project of four tasks or more, fewer than 70 % may run beside another task of their "
            "wave. Where that comes of three or more sequential batches, N411 says it."
        ),
        why="A run is as long as its waves; with most tasks in a line, more jobs do not shorten it.",
        mend=(
            "Untie tasks that need nothing of each other: take out `depends_on` entries that no file and "
            "no validation needs, or give tasks files of their own."
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
        why="A batch has a budget only where every task in it has one: the sum would be too small.",
        mend="Add `**Estimated Tokens**` with input and output to the specs that the message names.",
        bad="01-base: **Estimated Tokens**: 3,000 input + 800 output\n02-tools: (none)",
        good=(
            "01-base: **Estimated Tokens**: 3,000 input + 800 output\n"
            "02-tools: **Estimated Tokens**: 2,500 input + 600 output"
        ),
    ),
)
