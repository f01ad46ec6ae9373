"""The plan gate: the steps of one task, thought out by a model before another one does it."""

from __future__ import annotations

from minitask.errors import EditError
from minitask.gates.classify import classify_prompt
from minitask.spec.model import Spec

SYSTEM = """\
Plan a programming task for a weaker model that will do it: at most ten numbered steps, each naming the file and what \
to change there, and what is easily overlooked. No code. Nothing beyond the task."""
LONGEST = 4_000


def outline_prompt(spec: Spec) -> str:
    """What there is to go by: the spec, and what it will be judged by."""
    criteria = "\n".join(f"- {each.text}" for each in spec.criteria)
    commands = "\n".join(command.text for command in spec.commands)
    return f"{classify_prompt(spec)}\n\n## Done when\n{criteria}\n\n## Validated by\n{commands}"


def parse_outline(text: str) -> str:
    """The steps; `EditError` where there are none."""
    plain = text.strip()
    if len(plain.split()) < 3:
        raise EditError("the answer holds no steps", hint="write numbered steps")
    return plain[:LONGEST]
