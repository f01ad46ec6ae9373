"""Find names between the files of a change and its repository that do not fit, in Go, Java and Rust."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from minitask.edits.script_model import Change, Reader
from minitask.gates.imports.go_packages import find_go_faults
from minitask.gates.imports.java_classes import find_java_faults
from minitask.gates.imports.rust_modules import find_rust_faults
from minitask.gates.result import FilesAfter, LintError


def find_package_faults(
    changes: Sequence[Change], *, read: Reader, candidate: FilesAfter
) -> Iterator[LintError]:
    """Yield each fault once."""
    finders = (find_go_faults, find_java_faults, find_rust_faults)
    reported: set[LintError] = set()
    for find in finders:
        for fault in find(changes, read=read, candidate=candidate):
            if fault not in reported:
                reported.add(fault)
                yield fault
