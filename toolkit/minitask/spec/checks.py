"""Check specs against a repository's tree: paths, files, cited lines.

One mistake gives one diagnostic: a path that is not canonical is not also said to be missing, and a
missing file is said to be missing once, however often the spec names it.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from minitask.spec.file_tree import Tree
from minitask.spec.model import Diagnostic, FileAction, FileRef, Spec
from minitask.spec.paths import check_path
from minitask.spec.placeholders import PLACEHOLDER_PATH
from minitask.spec.project import check_project
from minitask.spec.quality import check_quality
from minitask.spec.rules import diagnose
from minitask.spec.suggest import find_unread_lists
from minitask.spec.task_names import find_hidden, find_twin
from minitask.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["Tree", "check_against_tree", "check_all", "check_anchor", "check_project"]

NEW = frozenset({FileAction.CREATE, FileAction.WRITE})
"""The actions that make a new file."""


def check_all(
    specs: Sequence[Spec],
    *,
    tree: Tree,
    existing: Sequence[Spec] = (),
    anchors: Mapping[str, Tree] = MappingProxyType({}),
) -> tuple[Diagnostic, ...]:
    """Return every diagnostic of the specs that can be known without running them, in the order of the files.

    `existing` are specs that exist beside them: they may be named and waited for, and are not judged.
    `anchors` holds the trees of the specs' anchors, by the specs' paths, where they are not `tree`.
    """
    everyone = OtherSpecs.of((*specs, *existing))
    diagnostics = list(check_project(specs, existing=existing))
    for spec in specs:
        diagnostics += _check_files(spec, tree, others=everyone, anchor=anchors.get(spec.path))
        diagnostics += check_quality(spec)
    return tuple(
        sorted(
            diagnostics, key=lambda diagnostic: (diagnostic.path, diagnostic.line, diagnostic.code)
        )
    )


def check_against_tree(
    spec: Spec,
    tree: Tree,
    *,
    others: Sequence[Spec] = (),
    anchor: Tree | None = None,
    new_name: Callable[[str], str | None] = lambda _path: None,
) -> tuple[Diagnostic, ...]:
    """Check the spec's files against the tree that its task starts from.

    `new_name` gives what a file was renamed to since the spec was written.

    Files that one of `others` creates may be missing still, and those that one deletes may be there
    still. Cited lines are judged by `anchor`'s tree, or by `tree` where there is none.
    """
    beside = replace(OtherSpecs.of(others), new_name=new_name)
    return _check_files(spec, tree, others=beside, anchor=anchor)


class OtherSpecs(Struct, frozen=True):
    """The specs that make each path, those that delete it, and the new names of renamed files."""

    makers: Mapping[str, Sequence[Spec]]
    removers: Mapping[str, Sequence[Spec]]
    new_name: Callable[[str], str | None] = lambda _path: None

    @classmethod
    def of(cls, specs: Sequence[Spec]) -> OtherSpecs:
        """Return the index of the specs' files."""
        makers: dict[str, list[Spec]] = {}
        removers: dict[str, list[Spec]] = {}
        for spec in specs:
            for ref in spec.files:
                if ref.action in {FileAction.CREATE, FileAction.WRITE}:
                    makers.setdefault(ref.path, []).append(spec)
                elif ref.action is FileAction.DELETE:
                    removers.setdefault(ref.path, []).append(spec)
        return cls(makers, removers)

    def makes(self, path: str, *, beside: Spec) -> bool:
        """Return True if a spec other than `beside` creates the path."""
        return any(spec != beside for spec in self.makers.get(path, ()))

    def removes(self, path: str, *, beside: Spec) -> bool:
        """Return True if a spec other than `beside` deletes the path."""
        return any(spec != beside for spec in self.removers.get(path, ()))


def _check_files(
    spec: Spec, tree: Tree, *, others: OtherSpecs, anchor: Tree | None
) -> tuple[Diagnostic, ...]:
    diagnostics = [] if spec.writes() else [_nothing_to_write(spec)]
    judged: set[str] = set()
    for ref in spec.files:
        if ref.path in judged or PLACEHOLDER_PATH.search(ref.path):
            continue
        problem = _judge(spec, ref, tree=tree, others=others)
        if problem is None:
            problem = _check_lines(spec, ref, tree=anchor or tree)
        if problem is not None:
            judged.add(ref.path)
            diagnostics.append(problem)
    return tuple(diagnostics)


def check_anchor(spec: Spec, *, commit: str | None) -> tuple[Diagnostic, ...]:
    """Return a diagnostic if the anchor in the front matter was not found; `commit` is what it resolved to."""
    if spec.options.anchor is None or commit is not None:
        return ()
    return (
        diagnose(
            spec.path,
            spec.line_of("options.anchor"),
            code="E213",
            message=f"the anchor {spec.options.anchor} is not a commit of this repository",
            hint="fetch that commit, fix its name, or remove `anchor`",
        ),
    )


def _nothing_to_write(spec: Spec) -> Diagnostic:
    unread = next(find_unread_lists(spec), None)
    if unread:
        return diagnose(
            spec.path,
            unread.line,
            code="E212",
            message=f"the spec lists no file to create, edit or delete; `{unread.name}` is not a field",
            hint=f"read `{unread.name}` as Files to Edit? Then call it `**Files to Edit**:`",
        )
    return diagnose(
        spec.path,
        spec.line_of("title"),
        code="E212",
        message="the spec lists no file to create, edit or delete",
        hint="list the files under `**Files to Create/Edit**:`",
    )


def _judge(spec: Spec, ref: FileRef, *, tree: Tree, others: OtherSpecs) -> Diagnostic | None:
    reason = check_path(ref.path)
    if reason:
        return _at(
            spec,
            ref,
            code="E205",
            message=f"the path {ref.path!r} {reason}",
            hint="write it from the repository's root, with `/` between the parts",
        )
    return _check_links(spec, ref, tree=tree) or _check_presence(
        spec, ref, tree=tree, others=others
    )


def _check_links(spec: Spec, ref: FileRef, *, tree: Tree) -> Diagnostic | None:
    for part in _prefixes(ref.path):
        kind = tree.kind(part)
        if kind in {"symlink", "submodule"}:
            description = "a symbolic link" if kind == "symlink" else "a submodule"
            through = "is" if part == ref.path else f"passes through {part}, which is"
            return _at(
                spec,
                ref,
                code="E206",
                message=f"{ref.path} {through} {description}",
                hint="name the file itself, inside this repository",
            )
    return None


def _check_presence(
    spec: Spec, ref: FileRef, *, tree: Tree, others: OtherSpecs
) -> Diagnostic | None:
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
    return _at(
        spec,
        ref,
        code="E201" if ref.action is FileAction.READ else "E203",
        message=f"{ref.path}, a file to {verb}, "
        + ("is a folder" if kind == "dir" else "does not exist")
        + (f": it is called {now} since the spec was written" if now else ""),
        hint=f"list {now} in its place; cited lines are carried to it"
        if now
        else _missing_hint(ref),
    )


def _check_free(spec: Spec, ref: FileRef, *, tree: Tree, others: OtherSpecs) -> Diagnostic | None:
    """Return E204 if the path, or a folder that it needs, is taken."""
    for part in _prefixes(ref.path):
        kind = tree.kind(part)
        whole = part == ref.path
        if kind is None or (kind == "dir" and not whole) or others.removes(part, beside=spec):
            continue
        description = "a folder" if kind == "dir" else "a file"
        reason = (
            "exists already"
            if whole and kind == "file"
            else f"cannot be created: {part} is {description}"
        )
        return _at(
            spec,
            ref,
            code="E204",
            message=f"{ref.path}, a file to create, {reason}",
            hint="say `(edit)` where it is to change, or choose another path",
        )
    return None


def _check_name(spec: Spec, ref: FileRef, *, tree: Tree) -> Diagnostic | None:
    """Return E204 or E205 for a new file whose name is also a folder's, or another file's to some file system."""
    hidden = find_hidden(ref.path)
    if hidden:
        return _at(
            spec,
            ref,
            code="E205",
            message=f"the path {ref.path!r} has an invisible character ({hidden})",
            hint="type the path anew",
        )
    new_paths = {file.path for file in spec.files if file.action in NEW}
    deleted_paths = {file.path for file in spec.files if file.action is FileAction.DELETE}

    def names(folder: str) -> set[str]:
        start = f"{folder}/" if folder else ""
        new_names = {
            path[len(start) :].partition("/")[0] for path in new_paths if path.startswith(start)
        }
        return new_names | {
            name for name in tree.names(folder) if start + name not in deleted_paths
        }

    inside = next((path for path in sorted(new_paths) if path.startswith(f"{ref.path}/")), "")
    twins = find_twin(ref.path, names=names, is_there=lambda path: tree.kind(path) is not None)
    if not inside and twins is None:
        return None
    why = f"{inside} needs a folder of that name"
    if twins:
        why = f"some file systems take {twins[0]} and {twins[1]} for one"
    return _at(
        spec,
        ref,
        code="E204",
        message=f"{ref.path}, a file to create, cannot be created: {why}",
        hint="choose another path",
    )


def _check_lines(spec: Spec, ref: FileRef, *, tree: Tree) -> Diagnostic | None:
    if not ref.ranges or ref.action is FileAction.CREATE or tree.kind(ref.path) != "file":
        return None
    count = tree.line_count(ref.path)
    if count is None:
        return None
    beyond = [str(cited) for cited in ref.ranges if cited.end > count]
    if not beyond:
        return None
    lines = counted(count, "line")
    return _at(
        spec,
        ref,
        code="E202",
        message=f"lines {', '.join(beyond)} are outside {ref.path}, which has {lines}",
        hint="check the line numbers, or set `anchor:` to the commit they refer to",
    )


def _missing_hint(ref: FileRef) -> str:
    if "*" in ref.path:
        return "patterns are not expanded: name each file"
    if ref.action is FileAction.READ:
        return "fix the path, or mark it `(optional)`"
    return "fix the path, or say `(create)` if the task is to create it"


def _prefixes(path: str) -> Iterator[str]:
    """Return `a`, `a/b`, `a/b/c` for `a/b/c`."""
    parts = path.split("/")
    return ("/".join(parts[:end]) for end in range(1, len(parts) + 1))


def _at(spec: Spec, ref: FileRef, *, code: str, message: str, hint: str) -> Diagnostic:
    line = ref.line or spec.line_of("files")
    return diagnose(spec.path, line, code=code, message=message, hint=hint)
