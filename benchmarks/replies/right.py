"""Right replies in the odd forms that models use; nearly all of them should be read rightly and merge."""

from __future__ import annotations

import difflib
import json
import random
from collections.abc import Callable

from replies.cases import Case, Kind

Form = Callable[[Case, random.Random], str]

_BARS = ("<<<<<<< SEARCH\n", "=======\n", ">>>>>>> REPLACE\n")


def _block(case: Case, *, bars: tuple[str, str, str] = _BARS) -> str:
    """Return a block with enough of its surroundings to be unique."""
    return f"{bars[0]}{case.old_line}{bars[1]}{case.new_line}{bars[2]}"


def _whole(case: Case, info: str) -> str:
    return f"```{info}\n{case.after}```\n"


def _diff(case: Case, *, old: str, new: str) -> str:
    before, after = (text.splitlines(keepends=True) for text in (case.before, case.after))
    return "".join(difflib.unified_diff(before, after, old, new))


def path_in_the_info_string(case: Case, rng: random.Random) -> str:
    """`path=` in its usual and unusual spellings."""
    spelled = rng.choice(
        (
            case.path,
            f"./{case.path}",
            f'"{case.path}"',
            f"'{case.path}'",
            f"{case.path},",
            f"`{case.path}`",
        )
    )
    return _whole(case, f"{case.language.fence} path={spelled}")


def path_behind_a_colon(case: Case, _rng: random.Random) -> str:
    """`python:src/a.py`."""
    return _whole(case, f"{case.language.fence}:{case.path}")


def path_as_the_info_string(case: Case, rng: random.Random) -> str:
    """The path alone, or as `title=` or `file=`."""
    word = rng.choice(("{}", 'title="{}"', "file={}", 'filename="{}"'))
    lead = "" if word == "{}" else f"{case.language.fence} "
    return _whole(case, lead + word.format(case.path))


def path_above_the_fence(case: Case, rng: random.Random) -> str:
    """The path on the line above, dressed in many ways."""
    lead = rng.choice(
        (
            *("**{}**", "`{}`", "### {}", "File: {}", "**File:** `{}`", "{}:", "#### `{}`"),
            *("- **{}**:", "\U0001f4c4 `{}`", "--- {} ---", "<!-- {} -->", "Here's the full `{}`:"),
        )
    )
    return f"{lead.format(case.path)}\n\n" + _whole(case, case.language.fence)


def one_bare_fence(case: Case, _rng: random.Random) -> str:
    """One fence without a path, for a spec of one file."""
    return "Here is the file:\n\n" + _whole(case, case.language.fence)


def blocks_plain(case: Case, _rng: random.Random) -> str:
    """A block as the prompt asks for it."""
    return f"```{case.language.fence} path={case.path}\n{_block(case)}```\n"


def blocks_of_other_tools(case: Case, rng: random.Random) -> str:
    """Blocks with other markers, which can be read in one way only."""
    old, new = rng.choice(
        (("SEARCH", "REPLACE"), ("ORIGINAL", "UPDATED"), ("search", "replace"), ("HEAD", "new"))
    )
    size = rng.choice((6, 7, 8))
    bars = ("<" * size + f" {old}\n", "=" * size + "\n", ">" * size + f" {new}\n")
    return f"```{case.language.fence} path={case.path}\n{_block(case, bars=bars)}```\n"


def dashed_markers(case: Case, _rng: random.Random) -> str:
    """`------- SEARCH` and `+++++++ REPLACE`."""
    bars = ("------- SEARCH\n", "=======\n", "+++++++ REPLACE\n")
    return f"```{case.language.fence} path={case.path}\n{_block(case, bars=bars)}```\n"


def aider_style(case: Case, _rng: random.Random) -> str:
    """The path alone above a fence of blocks."""
    return f"{case.path}\n```{case.language.fence}\n{_block(case)}```\n"


def diff_fence(case: Case, rng: random.Random) -> str:
    """A unified diff, with or without prefixes, in a `diff` or `patch` fence."""
    old, new = rng.choice(((f"a/{case.path}", f"b/{case.path}"), (case.path, case.path)))
    return f"```{rng.choice(('diff', 'patch'))}\n{_diff(case, old=old, new=new)}```\n"


def diff_under_the_path(case: Case, _rng: random.Random) -> str:
    """A unified diff in the file's own fence."""
    body = _diff(case, old=f"a/{case.path}", new=f"b/{case.path}")
    return f"```{case.language.fence} path={case.path}\n{body}```\n"


def git_diff(case: Case, _rng: random.Random) -> str:
    """A diff with git's own head lines."""
    head = f"diff --git a/{case.path} b/{case.path}\nindex 1234567..89abcde 100644\n"
    return f"```diff\n{head}{_diff(case, old=f'a/{case.path}', new=f'b/{case.path}')}```\n"


def apply_patch(case: Case, rng: random.Random) -> str:
    """The patch form of codex, in a fence or bare."""
    lines = case.before.splitlines(keepends=True)
    at = case.line_number - 1
    before, behind = lines[max(0, at - 3) : at], lines[at + 1 : at + 4]
    context = ["".join(" " + line for line in part) for part in (before, behind)]
    body = (
        f"*** Begin Patch\n*** Update File: {case.path}\n@@\n"
        f"{context[0]}-{case.old_line}+{case.new_line}{context[1]}*** End Patch\n"
    )
    return body if rng.random() < 0.3 else f"```{rng.choice(('', 'patch', 'diff'))}\n{body}```\n"


def wrapped_in_four_ticks(case: Case, _rng: random.Random) -> str:
    """The whole reply inside a longer fence."""
    return f"````markdown\n{_whole(case, f'{case.language.fence} path={case.path}')}````\n"


def longer_fence(case: Case, rng: random.Random) -> str:
    """A fence of four ticks or of tildes."""
    bar = rng.choice(("````", "~~~", "~~~~", "`````"))
    return f"{bar}{case.language.fence} path={case.path}\n{case.after}{bar}\n"


def thoughts_first(case: Case, rng: random.Random) -> str:
    """Thoughts with a draft, then the answer."""
    draft = f"```{case.language.fence} path={case.path}\nwrong\n```\n"
    opening, closing = rng.choice(
        (
            ("<think>", "</think>"),
            ("", "</think>"),
            ("[THINK]", "[/THINK]"),
            ("<thinking>", "</thinking>"),
        )
    )
    return f"{opening}\nMaybe:\n{draft}\n{closing}\n" + _whole(case, f"path={case.path}")


def channels(case: Case, _rng: random.Random) -> str:
    """The channels of gpt-oss, left in the text."""
    answer = _whole(case, f"{case.language.fence} path={case.path}")
    return (
        "<|channel|>analysis<|message|>Change one value.<|end|><|start|>assistant"
        f"<|channel|>final<|message|>{answer}<|return|>"
    )


def numbers_copied(case: Case, _rng: random.Random) -> str:
    """The prompt's line numbers kept before each line."""
    rows = "".join(f"{n}\t{line}" for n, line in enumerate(case.after.splitlines(keepends=True), 1))
    return f"```{case.language.fence} path={case.path}\n{rows}```\n"


def twice_the_same(case: Case, _rng: random.Random) -> str:
    """The same whole file twice."""
    once = _whole(case, f"{case.language.fence} path={case.path}")
    return f"{once}\nHere it is again, in full:\n\n{once}"


def chatty(case: Case, _rng: random.Random) -> str:
    """Explanations and a command to run around the edit."""
    edit = f"```{case.language.fence} path={case.path}\n{_block(case)}```\n"
    return f"I'll change the value.\n\n{edit}\nThen check it:\n\n```bash\ngrep {case.marker} {case.path}\n```\n"


def windows_line_ends(case: Case, _rng: random.Random) -> str:
    """A reply with CRLF throughout."""
    return _whole(case, f"{case.language.fence} path={case.path}").replace("\n", "\r\n")


def inside_a_list(case: Case, _rng: random.Random) -> str:
    """A fence indented below a list item."""
    fence = f"```{case.language.fence} path={case.path}\n{_block(case)}```\n"
    return "1. Change the value:\n\n" + "".join(f"   {line}\n" for line in fence.splitlines())


def block_for_an_excerpt(case: Case, _rng: random.Random) -> str:
    """A block for a file that the prompt shows in part."""
    return blocks_plain(case, _rng)


def diff_for_an_excerpt(case: Case, _rng: random.Random) -> str:
    """A unified diff for a file that the prompt shows in part."""
    return diff_fence(case, _rng)


def two_files_created(case: Case, rng: random.Random) -> str:
    """Two new files, their paths written in one of the usual ways."""
    way = rng.choice(("```text path={}", "**{}**\n```text", "```text:{}", "File: {}\n```"))
    files = ((case.path, case.after), (case.companion, "second\n"))
    return "\n".join(f"{way.format(path)}\n{content}```\n" for path, content in files)


def files_created_by_a_patch(case: Case, _rng: random.Random) -> str:
    """Two new files in the patch form of codex."""
    files = ((case.path, case.after), (case.companion, "second\n"))
    added = "".join(
        f"*** Add File: {path}\n"
        + "".join(f"+{line}" for line in content.splitlines(keepends=True))
        for path, content in files
    )
    return f"```\n*** Begin Patch\n{added}*** End Patch\n```\n"


def spaces_behind_the_bars(case: Case, _rng: random.Random) -> str:
    """A whole file between prose, with spaces behind the bars."""
    return f"I did it.\n\n```{case.language.fence} path={case.path}  \n{case.after}```  \n\nThat is all.\n"


def two_blocks_of_context(case: Case, _rng: random.Random) -> str:
    """A block whose search text is the whole block of the file."""
    if case.language.suffix == "json":
        return blocks_plain(case, _rng)
    old, new = case.blocks[case.changed].rstrip("\n"), case.blocks_after[case.changed].rstrip("\n")
    block = f"{_BARS[0]}{old}\n{_BARS[1]}{new}\n{_BARS[2]}"
    return f"```{case.language.fence} path={case.path}\n{block}```\n"


def summary_outside(case: Case, _rng: random.Random) -> str:
    """A whole file, and a summary with bullets behind it."""
    whole = _whole(case, f"{case.language.fence} path={case.path}")
    return f"## Changes\n\n{whole}\n### Summary\n\n- The value is {case.marker} now.\n- All else is as it was.\n"


def block_twice(case: Case, _rng: random.Random) -> str:
    """A block given twice, word for word."""
    return 2 * f"```{case.language.fence} path={case.path}\n{_block(case)}```\n\n"


def fence_with_a_note(case: Case, _rng: random.Random) -> str:
    """A path above the fence, with a note in brackets."""
    return f"**`{case.path}`** (updated)\n\n" + _whole(case, case.language.fence)


def diff_without_a_fence(case: Case, _rng: random.Random) -> str:
    """A diff of git alone, between two sentences."""
    head = f"diff --git a/{case.path} b/{case.path}\nindex 1234567..89abcde 100644\n"
    body = _diff(case, old=f"a/{case.path}", new=f"b/{case.path}")
    return f"The change:\n\n{head}{body}\nIt does what was asked.\n"


def block_without_a_fence(case: Case, _rng: random.Random) -> str:
    """A block below its path."""
    return f"{case.path}\n{_block(case)}"


def hunk_without_its_header(case: Case, _rng: random.Random) -> str:
    """A diff of one changed line below a heading."""
    return f"### {case.path}\n\n```diff\n-{case.old_line}+{case.new_line}```\n"


def here_document(case: Case, _rng: random.Random) -> str:
    """A command that writes the file."""
    return f"```bash\ncat > {case.path} <<'END_OF_FILE'\n{case.after}END_OF_FILE\n```\n"


def file_in_json(case: Case, rng: random.Random) -> str:
    """A list of files, or a text for each path."""
    as_list = {"files": [{"path": case.path, "content": case.after}]}
    document = rng.choice((as_list, {case.path: case.after}))
    return f"```json\n{json.dumps(document, indent=1)}\n```\n"


def artifact(case: Case, _rng: random.Random) -> str:
    """The file in a tag that has its path as a title."""
    tag = f'<antArtifact identifier="a" type="application/vnd.ant.code" title="{case.path}">'
    return f"{tag}\n{case.after}</antArtifact>\n"


KINDS = {
    block_for_an_excerpt: Kind.EXCERPT,
    diff_for_an_excerpt: Kind.EXCERPT,
    two_files_created: Kind.CREATE,
    files_created_by_a_patch: Kind.CREATE,
}
"""The forms that answer another kind of task than one whose file is shown whole."""

RIGHT: tuple[Form, ...] = (
    block_for_an_excerpt,
    diff_for_an_excerpt,
    two_files_created,
    files_created_by_a_patch,
    path_in_the_info_string,
    path_behind_a_colon,
    path_as_the_info_string,
    path_above_the_fence,
    one_bare_fence,
    blocks_plain,
    blocks_of_other_tools,
    dashed_markers,
    aider_style,
    diff_fence,
    diff_under_the_path,
    git_diff,
    apply_patch,
    wrapped_in_four_ticks,
    longer_fence,
    thoughts_first,
    channels,
    numbers_copied,
    twice_the_same,
    chatty,
    windows_line_ends,
    inside_a_list,
    spaces_behind_the_bars,
    two_blocks_of_context,
    summary_outside,
    block_twice,
    fence_with_a_note,
    diff_without_a_fence,
    block_without_a_fence,
    hunk_without_its_header,
    here_document,
    file_in_json,
    artifact,
)
