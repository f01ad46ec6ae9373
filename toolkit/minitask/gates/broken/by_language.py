"""Find code that a compiler, loader or shell certainly rejects although no grammar here rejects it.

Only new faults count, and only those that no build setting or other file can make valid.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from posixpath import basename, splitext
from typing import TYPE_CHECKING

from minitask.errors import MachineError
from minitask.gates.broken import by_format
from minitask.gates.broken.structure import find_cut_off
from minitask.gates.result import FileChange, LintError, printable
from minitask.gates.source.grammars import SCRIPTS, sound_tree
from minitask.gates.source.syntax import LARGEST
from minitask.patterns import lazy_pattern
from minitask.spec.bash import UnreadableError, node_text, parse_tree, walk_in_order
from minitask.system.process import run
from minitask.words import word_set

if TYPE_CHECKING:
    from tree_sitter import Node

Fault = tuple[str, int]
"""The message, and the line from 1."""
_REMEDY = "correct it"
_LONGEST_SCRIPT = 20_000
"""Characters above which a shell script is not parsed: the grammar's time can grow with their square."""


def find_rejected(proposal: FileChange) -> Iterator[LintError]:
    """Yield the faults that keep a file from being compiled, loaded or read, and that its base does not have."""
    finders = (*_finders(proposal.path, proposal.content), _in_another)
    path, base = proposal.path, proposal.base or ""
    if max(len(base), len(proposal.content)) > LARGEST:
        return
    faults = [fault for find in finders for fault in find(path, proposal.content)]
    old = (fault for find in finders for fault in find(path, base))
    had = Counter(message for message, _ in old) if faults and base else Counter[str]()
    for message, line in faults:
        had[message] -= 1
        if had[message] < 0:
            yield LintError(proposal.path, line, message, _REMEDY)


Finders = tuple[Callable[[str, str], Iterator[Fault]], ...]


def _finders(path: str, text: str) -> Finders:
    name, ending = basename(path), splitext(path)[1].lower()
    if name == "Dockerfile" or ending == ".dockerfile":
        return (by_format.find_docker_faults,)
    if ending in {".sh", ".bash"} or (not ending and _SHEBANG.match(text)):
        return (_in_shell,)
    if name.startswith("requirements") and ending == ".txt":
        return (_in_requirements,)
    if (of_data := by_format.data_finder(path)) is not None:
        return (of_data,)
    finders: dict[str, Finders] = {
        **dict.fromkeys(SCRIPTS, (_in_script,)),
        **dict.fromkeys((".scss", ".less"), (by_format.find_style_faults,)),
        ".css": (by_format.find_style_faults, by_format.find_loose_declarations),
        ".tex": (by_format.find_tex_faults,),
        ".tf": (find_cut_off, by_format.find_terraform_faults),
        **dict.fromkeys((".erl", ".hrl"), (_in_erlang,)),
        ".go": (_in_go,),
        ".php": (_in_php, find_cut_off),
        **dict.fromkeys((".vue", ".svelte"), (_in_markup,)),
        ".sql": (find_cut_off, by_format.find_sql_faults),
    }
    return finders.get(ending, (find_cut_off,))


_SHEBANG = lazy_pattern(r"#!\s*(?:/usr/bin/env\s+)?(?:/\S*/)?(?:ba|da)?sh\b")
_OTHER_SHELL = lazy_pattern(r"#!.*\b(?:zsh|ksh|fish|mksh|busybox|python\w*|perl|node)\b")
_BASH_SAYS = lazy_pattern(r".*?line (\d+): (.*)")


def _in_shell(_path: str, text: str) -> Iterator[Fault]:
    """Yield bash's own error if the grammar finds one, too."""
    plain = text.replace("\r\n", "\n")
    is_template = any(mark in plain for mark in ("{{", "{%", "<%"))
    if len(plain) > _LONGEST_SCRIPT or is_template or _OTHER_SHELL.match(plain):
        return
    try:
        parse_tree(plain)
        is_odd = _has_open_here(plain)
    except UnreadableError:
        is_odd = True
    yield from filter(None, [_bash_says(plain) if is_odd else None])


def _bash_says(text: str) -> Fault | None:
    """Return bash's own error, or its warning that a here-document takes the rest of the file; None without bash."""
    argv = ("bash", "--norc", "--noprofile", "-O", "extglob", "-n")
    try:
        judged = run(
            argv, cwd=Path("/"), env={"LC_ALL": "C"}, input=text.encode("utf-8", "replace")
        )
    except MachineError:
        return None
    stderr = judged.stderr.decode("utf-8", "replace")
    said = _BASH_SAYS.match(stderr)
    if said and (judged.exit_code == 2 or "delimited by end-of-file" in said[2]):
        return f"not valid shell: {printable(said[2])}", int(said[1])
    return None


_HERE = lazy_pattern(r"(?<!<)<<(-?)[ \t]*(?:\\?(\w+)|'(\w+)'|\"(\w+)\")(?![\w<])")


def _has_open_here(text: str) -> bool:
    """Return True if a here-document may have no end: its word is no line below it."""
    waiting: list[tuple[str, bool]] = []
    for row in text.split("\n"):
        if waiting:
            word, has_tabs = waiting[0]
            waiting = waiting[1:] if (row.lstrip("\t") if has_tabs else row) == word else waiting
        elif "<<" in row:
            heres = (match.groups() for match in _HERE.finditer(row))
            waiting = [(next(filter(None, words)), bool(tabs)) for tabs, *words in heres]
    return bool(waiting)


def _in_requirements(_path: str, text: str) -> Iterator[Fault]:
    required: set[str] = set()
    for number, line in enumerate(text.split("\n"), 1):
        pinned = re.fullmatch(r"([\w.-]+)\s*==\s*[\w.]+", line.strip())
        name = re.sub(r"[-_.]+", "-", pinned[1]).lower() if pinned else ""
        if name in required:
            yield f"{name} is required twice", number
        required |= {name} - {""}
        if re.match(r"\s*(?:\$\s*)?(?:python[\d.]*\s+-m\s+)?pip[\d.]*\s+install\b", line):
            yield f"`{printable(line.strip()[:60])}` is a command, and no requirement", number


def _in_erlang(_path: str, text: str) -> Iterator[Fault]:
    rows = text.rstrip().split("\n")
    code_rows = (row for row in reversed(rows) if row.lstrip()[:1] not in {"", "%"})
    last = next(code_rows, ".")
    code = re.sub(r"\"[^\"]*\"|\$%", "", last).partition("%")[0].rstrip()
    if not code.endswith(".") and last.count('"') % 2 == 0:
        yield "it ends before the `.` of its last form", len(rows)


_PHP = lazy_pattern(r"(?m)^[ \t]*(?:function|(?:final |abstract )?class|namespace|use|\$\w+\s*=)\b")


def _in_php(path: str, text: str) -> Iterator[Fault]:
    is_template = path.lower().endswith(".blade.php")
    if "<?" not in text and not is_template and _PHP.search(text):
        yield "it is no PHP without `<?php`", 1


def _in_markup(_path: str, text: str) -> Iterator[Fault]:
    setups = re.findall(r"^<script\b[^>]*\bsetup\b", text, re.MULTILINE)
    if len(setups) > 1:
        line = text.count("\n", 0, text.rfind("<script")) + 1
        yield "it has two `<script setup>`", line
    for name in ("template", "script", "style"):
        opened = len(re.findall(rf"^[ \t]*<{name}\b(?:[^>]*[^/>])?>", text, re.MULTILINE))
        if opened > text.count(f"</{name}>"):
            yield f"<{name}> is never closed", text.count("\n") or 1


_FUNCTIONS = word_set("""
function_declaration function_expression arrow_function method_definition generator_function
generator_function_declaration class_static_block field_definition public_field_definition
""")


def _in_script(path: str, text: str) -> Iterator[Fault]:
    if "await" not in text and "return" not in text and not path.endswith((".mjs", ".cjs")):
        return
    root = sound_tree(text, splitext(path)[1].lower())
    if root is None:
        return
    is_module = path.endswith((".mjs", ".mts")) or any(
        node.type in {"import_statement", "export_statement"} for node in root.children
    )
    is_made = "createRequire" in text or "typeof require" in text
    for node in walk_in_order(root):
        line, kind = node.start_point.row + 1, node.type
        is_require = kind == "call_expression" and node_text(node.children[0]) == "require"
        if kind == "await_expression" and _is_in_plain_function(node):
            yield "`await` in a function that is not `async`", line
        elif kind == "return_statement" and is_module and _function_of(node) is None:
            yield "`return` outside of a function", line
        elif is_require and path.endswith(".mjs") and not is_made:
            yield "`require` in an ES module", line
        elif kind in {"import_statement", "export_statement"} and path.endswith(".cjs"):
            yield f"`{kind.partition('_')[0]}` in a CommonJS module", line


def _function_of(node: Node) -> Node | None:
    above = node.parent
    while above is not None and above.type not in _FUNCTIONS:
        above = above.parent
    return above


def _is_in_plain_function(node: Node) -> bool:
    function = _function_of(node)
    if function is None or "field" in function.type or "static" in function.type:
        return False
    return all(child.type != "async" for child in function.children)


_GO_WELL_KNOWN = ("fmt", "strings", "strconv", "os")


def _in_go(path: str, text: str) -> Iterator[Fault]:
    root = sound_tree(text, splitext(path)[1].lower())
    if root is None:
        return
    imports: dict[str, Node] = {}
    leaves: list[Node] = []
    for node in walk_in_order(root):
        is_name = node.type in {"identifier", "package_identifier"}
        if node.type == "import_spec":
            imports[_import_name(node)] = node
        elif is_name and node.parent is not None and node.parent.type != "import_spec":
            leaves.append(node)
    yield from _misused_imports(imports, leaves)
    for node in root.children:
        if node.type in {"function_declaration", "method_declaration"}:
            yield from _unused(node)


def _misused_imports(imports: Mapping[str, Node], leaves: Sequence[Node]) -> Iterator[Fault]:
    names = set(map(node_text, leaves))
    for name, node in imports.items():
        if name and name not in names:
            yield f"{name} is imported and not used", node.start_point.row + 1
    for name in _GO_WELL_KNOWN:
        uses = [leaf for leaf in leaves if node_text(leaf) == name]
        if uses and name not in imports and all(map(_is_package, uses)):
            yield f"{name} is not imported", uses[0].start_point.row + 1


def _import_name(spec: Node) -> str:
    """Return the name of an imported package, or an empty string if it is not certain."""
    path, alias = (node_text(spec.child_by_field_name(field)) for field in ("path", "name"))
    path = path.strip('"`')
    if alias:
        return "" if alias in {"_", "."} else alias
    is_standard = "." not in path.partition("/")[0] and path != "C" and path.count("/") <= 1
    return path.rpartition("/")[2] if is_standard and not re.search(r"/v\d+$", path) else ""


def _is_package(leaf: Node) -> bool:
    """Return True if a name is that of a package: an exported (capitalised) name of it is used."""
    parent = leaf.parent
    if parent is None or parent.type not in {"selector_expression", "qualified_type"}:
        return False
    field = parent.named_children[-1]
    return field != leaf and node_text(field)[:1].isupper()


def _unused(function: Node) -> Iterator[Fault]:
    leaves = [node for node in walk_in_order(function) if node.type == "identifier"]
    counts = Counter(map(node_text, leaves))
    for leaf in leaves:
        name = node_text(leaf)
        if counts[name] == 1 and name != "_" and _is_declaration(leaf):
            yield f"{printable(name)} is declared and not used", leaf.start_point.row + 1


def _is_declaration(leaf: Node) -> bool:
    parent = leaf.parent
    owner = parent.parent if parent is not None and parent.type == "expression_list" else parent
    if owner is None:
        return False
    if owner.type == "var_spec":
        return owner.child_by_field_name("name") == leaf
    is_left = owner.child_by_field_name("left") == parent
    if owner.type == "range_clause":
        return is_left and any(child.type == ":=" for child in owner.children)
    return is_left and owner.type == "short_var_declaration"


_COMMENTS = lazy_pattern(r"(?s)/\*.*?(?:\*/|\Z)|<!--.*?(?:-->|\Z)|(?m:^[ \t]*//[^\n]*)")
_TEMPLATES = lazy_pattern(r"\{\{|\{%|<%|<\?")
_STYLE_MARK = lazy_pattern(r"[{@]")


def _in_another(path: str, text: str) -> Iterator[tuple[str, int]]:
    """Yield that a file is certainly in another language than its name says, such as a page in a style sheet."""
    name, is_foreign = _OTHERS.get(splitext(path)[1].lower(), ("", None))
    if is_foreign is None or _TEMPLATES.search(text):
        return
    bare = _COMMENTS.sub(lambda match: "\n" * match[0].count("\n"), text)
    plain = bare.strip()
    if plain and is_foreign(plain):
        yield f"it is no {name}", bare[: bare.index(plain)].count("\n") + 1


def _is_no_style(plain: str) -> bool:
    return plain.startswith("<") or not _STYLE_MARK.search(plain)


def _is_no_page(plain: str) -> bool:
    return "<" not in plain and "{" not in plain and "=" in plain


_OTHERS: dict[str, tuple[str, Callable[[str], bool] | None]] = {
    ".css": ("style sheet", _is_no_style),
    ".html": ("page of HTML", _is_no_page),
    ".htm": ("page of HTML", _is_no_page),
}
