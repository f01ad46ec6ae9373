"""Check specs against a repository's tree: paths, files, cited lines.

One mistake gives one diagnostic: a path that is not canonical is not also reported as missing, and a missing file is
reported once, however often the spec names it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from minitask.patterns import lazy_pattern
from minitask.spec.model import Diagnostic, FileAction, FileRef, Problem, Spec, Tree
from minitask.spec.paths import (
    check_path,
    find_hidden,
    find_meant,
    find_similar,
    find_twin,
    prefixes,
)
from minitask.spec.quality import UNREAD_LIST, find_unread_lists
from minitask.spec.template import PLACEHOLDER_PATH
from minitask.words import counted

Fault = tuple[str, str, str]  # the rule, the message, the hint

_MARK = lazy_pattern(r"[-+*>•→:=|]+")
NEW = frozenset({FileAction.CREATE, FileAction.WRITE})
"""Actions that can make a new file."""


def check_against_tree(
    spec: Spec,
    tree: Tree,
    *,
    others: Sequence[Spec] = (),
    anchor: Tree | None = None,
    new_name: Callable[[str], str | None] = lambda _path: None,
) -> tuple[Diagnostic, ...]:
    """Check the spec's files against the tree that its task starts from.

    Files that one of `others` creates may be missing, and files that one deletes may exist. `new_name` returns a file's
    name after a rename since the spec was written. Cited lines are checked in the tree of `anchor`, if given.
    """
    index = OtherSpecs.of(others, new_name)
    diagnostics = [] if spec.writes() else [_nothing_to_write(spec).at(spec.path)]
    judged: set[str] = set()
    for ref in spec.files:
        if ref.path in judged or PLACEHOLDER_PATH.search(ref.path):
            continue
        fault = _judge(spec, ref, tree=tree, others=index) or _check_lines(ref, tree=anchor or tree)
        if fault is not None:
            judged.add(ref.path)
            diagnostics.append(Problem(ref.line or spec.line_of("files"), *fault).at(spec.path))
    return tuple(diagnostics)


class OtherSpecs(Struct, frozen=True):
    """The specs that create each path, those that delete it, and the new names of renamed files."""

    makers: Mapping[str, Sequence[Spec]]
    removers: Mapping[str, Sequence[Spec]]
    new_name: Callable[[str], str | None]

    @classmethod
    def of(cls, specs: Sequence[Spec], new_name: Callable[[str], str | None]) -> OtherSpecs:
        """Return the index of the specs' files."""
        makers: dict[str, list[Spec]] = {}
        removers: dict[str, list[Spec]] = {}
        for spec in specs:
            for ref in spec.files:
                if ref.action in NEW:
                    makers.setdefault(ref.path, []).append(spec)
                elif ref.action is FileAction.DELETE:
                    removers.setdefault(ref.path, []).append(spec)
        return cls(makers, removers, new_name)

    def makes(self, path: str, *, beside: Spec) -> bool:
        """Return True if a spec other than `beside` creates the path."""
        return any(spec != beside for spec in self.makers.get(path, ()))

    def removes(self, path: str, *, beside: Spec) -> bool:
        """Return True if a spec other than `beside` deletes the path."""
        return any(spec != beside for spec in self.removers.get(path, ()))


def check_anchor(spec: Spec, *, commit: str | None) -> tuple[Diagnostic, ...]:
    """Return a diagnostic if the front matter's anchor was not found; `commit` is the commit it resolved to."""
    if spec.options.anchor is None or commit is not None:
        return ()
    message = f"the anchor {spec.options.anchor} is not a commit of this repository"
    hint = "fetch that commit, fix its name, or remove `anchor`"
    return (Problem(spec.line_of("options.anchor"), "E213", message, hint).at(spec.path),)


def _nothing_to_write(spec: Spec) -> Problem:
    message = "the spec lists no file to create, edit or delete"
    for name, line in find_unread_lists(spec):
        message = f"{message}; `{name}` is not a field"
        return Problem(line, "E212", message, UNREAD_LIST.format(name))
    hint = "list the files under `**Files to Create/Edit**:`"
    return Problem(spec.line_of("title"), "E212", message, hint)


def _judge(spec: Spec, ref: FileRef, *, tree: Tree, others: OtherSpecs) -> Fault | None:
    reason = check_path(ref.path)
    if reason:
        meant = find_meant(ref.path, tree)
        message = f"the path {ref.path!r} {reason}" + (f"; did you mean {meant}?" if meant else "")
        hint = "write it from the repository's root, with `/` between the parts"
        return "E205", message, hint
    return _check_links(ref, tree=tree) or _check_presence(spec, ref, tree=tree, others=others)


def _check_links(ref: FileRef, *, tree: Tree) -> Fault | None:
    for part in prefixes(ref.path):
        kind = tree.kind(part)
        if kind in {"symlink", "submodule"}:
            description = "a symbolic link" if kind == "symlink" else "a submodule"
            through = "is" if part == ref.path else f"passes through {part}, which is"
            message = f"{ref.path} {through} {description}"
            return "E206", message, "name the file itself, inside this repository"
    return None


def _check_presence(spec: Spec, ref: FileRef, *, tree: Tree, others: OtherSpecs) -> Fault | None:
    kind = tree.kind(ref.path)
    if ref.action in NEW and (ref.action is FileAction.CREATE or kind != "file"):
        conflict = _check_free(spec, ref, tree=tree, others=others)
        return conflict or (_check_name(spec, ref, tree=tree) if kind is None else None)
    if ref.action is FileAction.WRITE:
        return None
    if kind == "file" or ref.optional or (kind is None and others.makes(ref.path, beside=spec)):
        return None
    now = others.new_name(ref.path) if kind is None else None
    verb = {FileAction.READ: "read", FileAction.DELETE: "delete"}.get(ref.action, "edit")
    fault = "is a folder" if kind == "dir" else f"does not exist{_instead(ref.path, tree, now)}"
    message = f"{ref.path}, a file to {verb}, {fault}"
    hint = f"list {now} in its place; cited lines are carried to it" if now else _missing_hint(ref)
    return "E201" if ref.action is FileAction.READ else "E203", message, hint


def _instead(path: str, tree: Tree, new_name: str | None) -> str:
    """Return how a missing file is called now, or which one may be meant."""
    if new_name:
        return f": it is called {new_name} since the spec was written"
    near = find_similar(path, tree)
    shown = near if near.isascii() else ascii(near)  # it can look the same
    return f"; did you mean {shown}?" if near else ""


def _check_free(spec: Spec, ref: FileRef, *, tree: Tree, others: OtherSpecs) -> Fault | None:
    """Return E204 if the path, or a folder above it, is taken."""
    for part in prefixes(ref.path):
        kind = tree.kind(part)
        whole = part == ref.path
        if kind is None or (kind == "dir" and not whole) or others.removes(part, beside=spec):
            continue
        reason = f"cannot be created: {part} is {'a folder' if kind == 'dir' else 'a file'}"
        if whole and kind == "file":
            reason = "exists already"
        message = f"{ref.path}, a file to create, {reason}"
        hint = "say `(edit)` where it is to change, or choose another path"
        return "E204", message, hint
    return None


def _check_name(spec: Spec, ref: FileRef, *, tree: Tree) -> Fault | None:
    """Return E204 or E205 for a new file whose name clashes with a folder, or with a file on some file system."""
    hidden = find_hidden(ref.path)
    if hidden:
        message = f"the path {ref.path!r} has an invisible character ({hidden})"
        return "E205", message, "type the path anew"
    first, *more = ref.path.split()
    named = next((word for word in (first, *more) if tree.kind(word.strip(",;")) == "file"), "")
    if more and (named or _MARK.fullmatch(first)):
        reason = f"names {named} among other words" if named else f"begins with {first}"
        message = f"the path {ref.path!r} {reason}"
        return "E205", message, "put the path alone, in backticks; what is done with it goes behind"
    new_paths = {file.path for file in spec.files if file.action in NEW}
    deleted_paths = {file.path for file in spec.files if file.action is FileAction.DELETE}

    def names(folder: str) -> set[str]:
        start = f"{folder}/" if folder else ""
        inside = (path[len(start) :] for path in new_paths if path.startswith(start))
        kept = (name for name in tree.names(folder) if start + name not in deleted_paths)
        return {*(path.partition("/")[0] for path in inside), *kept}

    inside = next((path for path in sorted(new_paths) if path.startswith(f"{ref.path}/")), "")
    twins = find_twin(ref.path, names=names, is_there=lambda path: tree.kind(path) is not None)
    if not inside and twins is None:
        return None
    why = f"{inside} needs a folder of that name"
    if twins:
        why = f"some file systems take {twins[0]} and {twins[1]} for one"
    message = f"{ref.path}, a file to create, cannot be created: {why}"
    return "E204", message, "choose another path"


def _check_lines(ref: FileRef, *, tree: Tree) -> Fault | None:
    if not ref.ranges or ref.action is FileAction.CREATE or tree.kind(ref.path) != "file":
        return None
    count = tree.line_count(ref.path)
    if count is None:
        return None
    beyond = [str(cited) for cited in ref.ranges if cited.end > count]
    if not beyond:
        return None
    has = counted(count, "line")
    message = f"lines {', '.join(beyond)} are outside {ref.path}, which has {has}"
    hint = "check the line numbers, or set `anchor:` to the commit they refer to"
    return "E202", message, hint


def _missing_hint(ref: FileRef) -> str:
    if "*" in ref.path:
        return "patterns are not expanded: name each file"
    if ref.action is FileAction.READ:
        return "fix the path, or mark it `(optional)`"
    return "fix the path, or say `(create)` if the task is to create it"
