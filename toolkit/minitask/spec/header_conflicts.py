"""Check that the parts of a file agree: header against front matter, and the numbers of its tasks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from minitask.spec.headings import key_of
from minitask.spec.model import Options, Spec
from minitask.spec.problems import Problem

_HINT = "keep one of the two, or make them say the same"


def check_agreement(spec: Spec, lines: Mapping[str, int]) -> list[Problem]:
    """Header fields that contradict the front matter, whose keys are at `lines`."""
    fields = [("model", spec.model, spec.line_of("model"))] if spec.model else []
    for key, value in spec.extra:
        fields.append((key_of(key).replace(" ", "_"), value, spec.line_of(f"extra.{key}")))
    problems = []
    for name, said, line in fields:
        if name not in lines:
            continue
        wanted = _option(spec.options, name)
        if wanted and not _agree(said, wanted):
            message = f"the header says {name} `{said}`, the front matter `{', '.join(wanted)}`"
            problems.append(Problem(line, "E105", message, _HINT))
    return problems


def _option(options: Options, name: str) -> tuple[str, ...]:
    if name not in options.__struct_fields__:
        return ()
    value = getattr(options, name)
    if value is None:
        return ()
    return value if isinstance(value, tuple) else (str(value),)


def _agree(said: str, wanted: tuple[str, ...]) -> bool:
    """Equal except for case, spacing and order; a header may name alternatives, as in `A (or B)`."""
    asked = {_plain(value) for value in wanted}
    if len(asked) > 1:
        return {_plain(part) for part in said.split(",")} == asked
    alternatives = re.split(r"\s*\(\s*or\b|\s+or\s+|\)", said)
    return not asked.isdisjoint(_plain(part) for part in (said, *alternatives))


def _plain(text: str) -> str:
    return re.sub(r"[\s_-]+", " ", text.replace("`", "")).strip().casefold()


def check_numbers(specs: Iterable[Spec], *, id_line: int) -> list[Problem]:
    """Tasks of a file with one number, or one id (at `id_line`, 0 for none) for several."""
    first: dict[str, int] = {}
    problems = []
    count = 0
    for spec in specs:
        count += 1
        line, number = spec.line_of("title"), spec.number.casefold()
        if number and number in first:
            message = f"task {spec.number} is already on line {first[number]}"
            problems.append(
                Problem(line, "E109", message, "give each task in the file its own number")
            )
        first.setdefault(number, line)
    if id_line and count > 1:
        message = f"one id for the {count} tasks of this file"
        hint = "remove `id` (tasks are addressed as FILE#N), or split the file"
        problems.append(Problem(id_line, "E109", message, hint))
    return problems
