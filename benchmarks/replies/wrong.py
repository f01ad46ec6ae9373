"""Wrong replies: each form, applied as it stands or read too kindly, would leave a wrong file behind.

A form gives the text of a reply to the task "change one value in one file and nothing else". Where it has one right
reading, the sweep accepts the right file; anything else that merges is a false green.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from replies.cases import Case, Kind

Form = Callable[[Case, random.Random], str]

_REST = (
    "... rest of the file unchanged ...",
    "the rest of the code stays the same",
    "… le reste du fichier est inchangé",
    "der Rest der Datei bleibt unverändert",
    "el resto del archivo no cambia",
    "其余代码保持不变",
    "残りのコードは変更なし",
    "остальной код без изменений",
    "o resto do arquivo permanece igual",
    "나머지 코드는 동일합니다",
    "(snip)",
    "[...]",
    "etc.",
)


def _fence(case: Case, content: str, *, ticks: str = "```") -> str:
    return f"{ticks}{case.language.fence} path={case.path}\n{content}{ticks}\n"


def elision_after(case: Case, rng: random.Random) -> str:
    """The blocks up to the changed one, then a note that the rest is unchanged."""
    kept = case.blocks_after[: case.changed + 1]
    return _fence(case, case.language.head + "".join(kept) + case.note(rng.choice(_REST)))


def elision_around(case: Case, rng: random.Random) -> str:
    """Only the changed block, between two notes."""
    note = case.note(rng.choice(_REST))
    return _fence(case, note + case.blocks_after[case.changed] + note)


def bare_elision(case: Case, rng: random.Random) -> str:
    """The first block and the changed one, with a bare phrase between them."""
    first, changed = case.blocks_after[0], case.blocks_after[case.changed]
    return _fence(case, case.language.head + first + rng.choice(_REST) + "\n" + changed)


def changed_block_alone(case: Case, _rng: random.Random) -> str:
    """Only the changed block, as if it were the file."""
    return _fence(case, case.blocks_after[case.changed])


def some_blocks_lost(case: Case, rng: random.Random) -> str:
    """The whole file, but for one to three blocks that nobody asked to remove."""
    others = [n for n in range(len(case.blocks)) if n != case.changed]
    lost = set(rng.sample(others, rng.randint(1, min(3, len(others) - 1))))
    kept = tuple(b for n, b in enumerate(case.blocks_after) if n not in lost)
    return _fence(case, case.assembled(kept))


def cut_at_the_end(case: Case, rng: random.Random) -> str:
    """The file up to a line in the middle, as where a model stops early and closes the fence."""
    lines = case.after.splitlines(keepends=True)
    first = next(n for n, line in enumerate(lines) if case.marker in line) + 1
    if first >= len(lines) - 2:
        return changed_block_alone(case, rng)
    return _fence(case, "".join(lines[: rng.randint(first, len(lines) - 3)]))


def never_closed(case: Case, rng: random.Random) -> str:
    """A fence that breaks off in the middle of the file."""
    return cut_at_the_end(case, rng).rstrip("`\n") + "\n"


def foreign_markers(case: Case, rng: random.Random) -> str:
    """Blocks with other tools' markers, whose search text is not the file's."""
    names = [
        ("ORIGINAL", "UPDATED"),
        ("HEAD", "branch"),
        ("search", "replace"),
        ("BEFORE", "AFTER"),
    ]
    old, new = rng.choice(names)
    size = rng.choice((5, 6, 7, 8, 9))
    bars = "<" * size, "=" * size, ">" * size
    body = (
        f"{bars[0]} {old}\nno such line {rng.random()}\n{bars[1]}\n{case.new_line}{bars[2]} {new}\n"
    )
    return _fence(case, body)


def half_a_block(case: Case, rng: random.Random) -> str:
    """A block whose dividing line, or whose end, is missing."""
    lines = ["<<<<<<< SEARCH\n", case.old_line, "=======\n", case.new_line, ">>>>>>> REPLACE\n"]
    del lines[rng.choice((0, 2, 4))]
    return _fence(case, "".join(lines))


def whole_file_with_conflict(case: Case, rng: random.Random) -> str:
    """The whole file, with a conflict in it that is left to the reader."""
    ours, theirs = rng.choice(
        (("HEAD", "feature"), ("ours", "theirs"), ("Updated upstream", "Stashed changes"))
    )
    conflict = f"<<<<<<< {ours}\n{case.old_line}=======\n{case.new_line}>>>>>>> {theirs}\n"
    return _fence(case, case.before.replace(case.old_line, conflict, 1))


def diff_of_another_file(case: Case, rng: random.Random) -> str:
    """A unified diff in the fence, whose context is not the file's."""
    body = (
        f"--- a/{case.path}\n+++ b/{case.path}\n@@ -{rng.randint(1, 9)},3 +1,3 @@\n"
        f" nothing like it\n-{case.old_line.rstrip()}x\n+{case.new_line} the same\n"
    )
    return _fence(case, body)


def patch_without_context(case: Case, _rng: random.Random) -> str:
    """An `apply_patch` body whose context is not the file's."""
    body = f"*** Begin Patch\n*** Update File: {case.path}\n@@\n-not there\n+{case.new_line}*** End Patch\n"
    return _fence(case, body)


def numbers_that_do_not_count_on(case: Case, rng: random.Random) -> str:
    """Line numbers copied into the file, some of them wrong."""
    lines = case.after.splitlines(keepends=True)
    separator = rng.choice(("\t", ": ", " | ", "  "))
    numbers = [n + (3 if n > len(lines) // 2 else 0) for n in range(1, len(lines) + 1)]
    return _fence(
        case, "".join(f"{n}{separator}{line}" for n, line in zip(numbers, lines, strict=True))
    )


def prose_as_the_file(case: Case, rng: random.Random) -> str:
    """A description of the change where the file should be."""
    said = rng.choice(
        (
            f"I have changed the value to {case.marker}.",
            f"The value in {case.target} is now {case.marker}; everything else is as it was.",
            f"Done: {case.old_line.strip()} -> {case.new_line.strip()}",
        )
    )
    return _fence(case, said + "\n")


def tool_call_as_text(case: Case, _rng: random.Random) -> str:
    """A tool call, written out as JSON in the file's fence."""
    call = {"tool": "str_replace", "path": case.path, "old": case.old_line, "new": case.new_line}
    return _fence(case, json.dumps(call, indent=1) + "\n")


def escaped_newlines(case: Case, _rng: random.Random) -> str:
    r"""The file as the text of a JSON string, with `\n` in place of line ends."""
    return _fence(case, json.dumps(case.after)[1:-1] + "\n")


def html_entities(case: Case, _rng: random.Random) -> str:
    """The file inside a tag, its lines as list items."""
    rows = "".join(f"<li>{line.rstrip()}</li>\n" for line in case.after.splitlines())
    return _fence(case, f"<ul>\n{rows}</ul>\n")


def two_versions(case: Case, _rng: random.Random) -> str:
    """Two whole versions of one file, which differ."""
    second = case.after.replace(case.marker, case.marker + "1")
    return _fence(case, case.after) + "\nOr:\n\n" + _fence(case, second)


def draft_in_thoughts(case: Case, _rng: random.Random) -> str:
    """A wrong draft among thoughts, and an answer without an edit."""
    return (
        f"<think>\nMaybe so:\n{changed_block_alone(case, _rng)}\nNo.\n</think>\nI cannot do that.\n"
    )


def another_file_too(case: Case, rng: random.Random) -> str:
    """The right change, and a file that the task does not list."""
    extra = rng.choice(
        ("conftest.py", "README.md", ".github/workflows/ci.yml", "src/other.txt", "../x.txt")
    )
    return _fence(case, case.after) + f"\n```text path={extra}\nmore\n```\n"


def deletes_the_file(case: Case, _rng: random.Random) -> str:
    """The file is removed or emptied."""
    return f"```edits\ndelete {case.path}\n```\n" if _rng.random() < 0.5 else _fence(case, "")


def wrong_file(case: Case, rng: random.Random) -> str:
    """The right content under the name of another file."""
    other = rng.choice(
        (f"{case.path}.new", f"copy/{case.path}", case.path.replace("sample", "Sample"))
    )
    return f"```{case.language.fence} path={other}\n{case.after}```\n"


def replacement_marks(case: Case, rng: random.Random) -> str:
    """The whole file with characters that were lost on the way: U+FFFD, NUL, or an invisible one in a word."""
    broken = rng.choice(("\ufffd", "\0", "\u202e"))
    return _fence(case, case.after.replace("lock", f"lo{broken}k", 1))


def range_past_the_end(case: Case, _rng: random.Random) -> str:
    """An operation on lines that the file does not have, beside a right block."""
    size = case.before.count("\n")
    block = f"<<<<<<< SEARCH\n{case.old_line}=======\n{case.new_line}>>>>>>> REPLACE\n"
    return _fence(case, block) + f"```edits\ndelete {case.path}:{size + 5}-{size + 9}\n```\n"


def search_that_is_nowhere(case: Case, rng: random.Random) -> str:
    """One right block and one whose text is not in the file."""
    block = f"<<<<<<< SEARCH\n{case.old_line}=======\n{case.new_line}>>>>>>> REPLACE\n"
    bad = f"<<<<<<< SEARCH\nno such line {rng.randint(0, 9)}\n=======\n\n>>>>>>> REPLACE\n"
    return _fence(case, block + bad if rng.random() < 0.5 else bad + block)


def placeholder_added(case: Case, rng: random.Random) -> str:
    """The change is made, and a placeholder is left beside it."""
    note = rng.choice(
        ("TODO: implement the rest", "FIXME: check this", "XXX: not done", "TODO your code here")
    )
    content = case.after.replace(case.new_line, case.new_line + case.note(note), 1)
    if case.language.suffix == "json":
        content = case.after.replace('"name"', '"TODO: implement": 1,\n    "name"', 1)
    return _fence(case, content)


def echo_of_the_prompt(case: Case, _rng: random.Random) -> str:
    """The task's own words under the file's path."""
    task = f"# Do it\nedit: {case.path}\n## Task\n1. Change the value to {case.marker}.\n"
    body = f"{task}## Validated by\ngrep -q {case.marker}\n"
    return _fence(case, body)


def whole_file_of_an_excerpt(case: Case, _rng: random.Random) -> str:
    """The lines that the prompt showed, as if they were the file."""
    return _fence(case, case.excerpt)


def half_of_the_files(case: Case, rng: random.Random) -> str:
    """One of two files to create; the other is not there, or has no name."""
    rest = (
        "",
        "```text\nsecond\n```\n",
        "The second file is trivial.\n",
        "```text path=\nsecond\n```\n",
    )
    return _fence(case, case.after) + "\n" + rng.choice(rest)


def emptied_block(case: Case, rng: random.Random) -> str:
    """Another block keeps its first line and loses what is in it."""
    other = rng.choice([n for n in range(len(case.blocks)) if n != case.changed])
    lines = case.blocks[other].splitlines(keepends=True)
    suffix = case.language.suffix
    if suffix in ("py", "js", "ts", "css", "sh", "json"):
        inside = {"py": "    pass\n", "sh": "  :\n"}.get(suffix, "")
        end = lines[-1] if suffix == "json" else "" if suffix == "py" else "}\n\n"
        emptied = lines[0] + inside + end + ("\n\n" if suffix == "py" else "")
    else:
        emptied = lines[0] + "\n"
    blocks = tuple(emptied if n == other else b for n, b in enumerate(case.blocks_after))
    return _fence(case, case.assembled(blocks))


def block_as_a_remark(case: Case, rng: random.Random) -> str:
    """Another block is replaced by a remark that it stays, in words that no list of phrases has."""
    other = rng.choice([n for n in range(len(case.blocks)) if n != case.changed])
    said = rng.choice(("see original", "block goes here", "(kept)", "idem", "n/a", "siehe oben"))
    blocks = list(case.blocks_after)
    blocks[other] = case.note(f"block {other}: {said}")
    return _fence(case, case.assembled(tuple(blocks)))


def json_envelope(case: Case, _rng: random.Random) -> str:
    """The files as one JSON document, in the file's own fence."""
    files = {"files": [{"path": case.path, "content": case.after}]}
    return _fence(case, json.dumps(files, indent=1) + "\n")


def fence_in_the_file(case: Case, rng: random.Random) -> str:
    """The whole file with the lines of a fence around it, which are not the file's."""
    content = f"```{rng.choice(('', case.language.fence))}\n{case.after}```\n"
    return _fence(case, content, ticks="````")


def answer_around_the_file(case: Case, rng: random.Random) -> str:
    """The whole file with a sentence before or behind it, inside the fence."""
    before = rng.choice(("Here is the updated file:\n\n", "Sure! I changed the value.\n", ""))
    behind = "" if before else "\nI changed the value as you asked. Let me know if you need more.\n"
    return _fence(case, before + case.after + behind)


def answer_and_a_rule(case: Case, _rng: random.Random) -> str:
    """The file with the answer's remark in a block of its own before it, set off by a rule."""
    return _fence(case, f"Sure, here is {case.path} with the new value:\n---\n{case.after}")


def summary_behind(case: Case, rng: random.Random) -> str:
    """The file, and a summary of what was done behind it."""
    said = rng.choice(
        (
            "Summary: only one value is different now.",
            "This change sets the value that you asked for.",
            "Everything else is exactly as it was before.",
            "I hope this helps!",
        )
    )
    return _fence(case, f"{case.after}\n{said}\n")


def block_twice_for_another(case: Case, rng: random.Random) -> str:
    """Another block's lines are lost, and the one before it stands there twice."""
    at = rng.choice(
        [n for n in range(1, len(case.blocks)) if case.changed not in (n, n - 1)] or [0]
    )
    if at == 0:
        return changed_block_alone(case, rng)
    blocks = list(case.blocks_after)
    blocks[at] = blocks[at - 1]
    return _fence(case, case.assembled(tuple(blocks)))


def first_block_lost(case: Case, _rng: random.Random) -> str:
    """The file from its second block on."""
    if case.changed == 0:
        return changed_block_alone(case, _rng)
    return _fence(case, case.assembled(case.blocks_after[1:]))


def every_other_block(case: Case, _rng: random.Random) -> str:
    """Only each second block, and the changed one."""
    kept = tuple(b for n, b in enumerate(case.blocks_after) if n % 2 or n == case.changed)
    return _fence(case, case.assembled(kept))


def half_of_a_block(case: Case, rng: random.Random) -> str:
    """Another block loses its last telling line."""
    other = rng.choice([n for n in range(len(case.blocks)) if n != case.changed])
    lines = case.blocks[other].splitlines(keepends=True)
    at = max(n for n, line in enumerate(lines) if any(map(str.isalnum, line)))
    lost = "".join(lines[:at] + lines[at + 1 :])
    if case.language.suffix == "json":
        lost = lost.replace(f'"name": "block {other}",', f'"name": "block {other}"')
    blocks = tuple(lost if n == other else b for n, b in enumerate(case.blocks_after))
    return _fence(case, case.assembled(blocks))


def hidden_space(case: Case, rng: random.Random) -> str:
    """A character without width in a word of another block."""
    broken = rng.choice(("\u200b", "\u2060", "\u00ad", "\u2066"))
    return _fence(case, case.after.replace("lock", f"l{broken}ock", 1))


def quoted_lines(case: Case, rng: random.Random) -> str:
    """Every line behind the mark of a quotation or of a diff."""
    mark = rng.choice(("> ", "| ", "+ "))
    return _fence(case, "".join(f"{mark}{line}" for line in case.after.splitlines(keepends=True)))


def yaml_envelope(case: Case, _rng: random.Random) -> str:
    """The file as a block of text in YAML."""
    inner = "".join(f"  {line}" for line in case.after.splitlines(keepends=True))
    return _fence(case, f"path: {case.path}\ncontent: |\n{inner}")


def xml_envelope(case: Case, _rng: random.Random) -> str:
    """The file inside the tags of a tool call."""
    call = f"<write_file>\n<path>{case.path}</path>\n<content>\n{case.after}</content>\n</write_file>\n"
    return _fence(case, call)


_IMPORTS = {
    "py": "from .registry import register\n\n",
    "js": 'import { register } from "./registry.js";\n\n',
    "ts": 'import { register } from "./registry";\n\n',
}
"""An import of a file that is not there; in a language without imports, a block is lost."""


def import_of_nothing(case: Case, rng: random.Random) -> str:
    """The changed file with an import that finds nothing."""
    line = _IMPORTS.get(case.language.suffix)
    if line is None:
        return some_blocks_lost(case, rng)
    return _fence(case, line + case.after)


KINDS = {
    whole_file_of_an_excerpt: Kind.EXCERPT,
    half_of_the_files: Kind.CREATE,
}
"""The forms that answer another kind of task than one whose file is shown whole."""

WRONG: tuple[Form, ...] = (
    whole_file_of_an_excerpt,
    half_of_the_files,
    elision_after,
    elision_around,
    bare_elision,
    changed_block_alone,
    some_blocks_lost,
    cut_at_the_end,
    never_closed,
    foreign_markers,
    half_a_block,
    whole_file_with_conflict,
    diff_of_another_file,
    patch_without_context,
    numbers_that_do_not_count_on,
    prose_as_the_file,
    tool_call_as_text,
    escaped_newlines,
    html_entities,
    two_versions,
    draft_in_thoughts,
    another_file_too,
    deletes_the_file,
    wrong_file,
    replacement_marks,
    range_past_the_end,
    search_that_is_nowhere,
    placeholder_added,
    echo_of_the_prompt,
    emptied_block,
    block_as_a_remark,
    json_envelope,
    fence_in_the_file,
    answer_around_the_file,
    answer_and_a_rule,
    summary_behind,
    block_twice_for_another,
    first_block_lost,
    every_other_block,
    half_of_a_block,
    hidden_space,
    quoted_lines,
    yaml_envelope,
    xml_envelope,
    import_of_nothing,
)
