"""Whether a change's own lines switch off what judges it, where counting tests cannot tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from minitask.gates.lint_error import quoted
from minitask.gates.requested_removals import task_sentences
from minitask.gates.rigged_code import FileVersions, IsOwn, find_patches, find_skips
from minitask.gates.rigged_settings import find_settings
from minitask.gates.sentinel import allows_losses
from minitask.gates.spec_words import told
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec

_SKIPS = lazy_pattern(
    r"\b(?:skip\w*|disabl\w*|ignor\w*|quarantin\w*|flaky|only on|platform\w*)\b", 2
)


def find_rigged(files: Sequence[FileVersions], *, spec: Spec, is_own: IsOwn) -> tuple[str, ...]:
    """Return a reason for each added line by which the validation may pass without the change being right.

    What the spec itself shows, or asks for in words, is none.
    """
    return tuple(dict.fromkeys(reason for file in files for reason in _of(file, spec, is_own)))


def _of(file: FileVersions, spec: Spec, is_own: IsOwn) -> Iterator[str]:
    commands = [command.text for command in spec.commands]
    said = told(spec, file.path)
    asked = allows_losses(spec) or any(map(_SKIPS.search, task_sentences(spec, file.path)))
    found = [
        (find_patches(file, is_own=is_own), "replaces what its tests run or assert with"),
        (() if asked else find_skips(file), "leaves tests out"),
        (find_settings(file, commands), "narrows or hides what the validation checks"),
    ]
    for lines, why in found:
        for line in lines:
            if line not in said:
                yield f"{file.path}: {quoted(line)} {why}, which the spec does not ask for"
