"""2xx: what a spec says of files, against the repository."""

from __future__ import annotations

from minitask.spec.model import Severity
from minitask.spec.rulebook.rule import RuleText

_ERROR = Severity.ERROR

REPOSITORY = (
    RuleText(
        code="E201",
        title="file to read does not exist",
        severity=_ERROR,
        summary="A path under Files to Read is not a file in the task's base commit.",
        why="The executor would get nothing and would have to guess.",
        mend=(
            "Fix the path, mark it `(optional)`, or depend on the task that creates it. "
            "Patterns are not expanded: name each file."
        ),
        bad="**Files to Read**:\n- `src/ap.py`",
        good="**Files to Read**:\n- `src/app.py`",
    ),
    RuleText(
        code="E202",
        title="cited lines lie outside the file",
        severity=_ERROR,
        summary="A cited range ends beyond the last line of its file at the spec's anchor.",
        why="The plan was made for another version of the file; its other numbers are suspect.",
        mend="Check the line numbers, or set `anchor:` to the commit they refer to.",
        bad="- `src/app.py` (lines 380-460)   <- the file has 402 lines",
        good="- `src/app.py` (lines 380-402)",
    ),
    RuleText(
        code="E203",
        title="file to edit does not exist",
        severity=_ERROR,
        summary="A path to edit or delete is not a file in the task's base commit.",
        why="An edit has nothing to apply to; a misspelt path would become a new file.",
        mend="Fix the path, say `(create)`, or depend on the task that creates it.",
        bad="**Files to Edit**:\n- `src/ap.py`",
        good="**Files to Edit**:\n- `src/app.py`",
    ),
    RuleText(
        code="E204",
        title="file to create exists already",
        severity=_ERROR,
        summary=(
            "A path to be created is taken, by a file or by a folder, or by a name that some file system takes for "
            "the same, as one that differs in case alone."
        ),
        why="Creating it would replace work that the planner did not know of.",
        mend="Say `(edit)` where the file is to change, or choose another path.",
        bad="**Files to Create**:\n- `src/app.py`   <- exists",
        good="**Files to Edit**:\n- `src/app.py`",
    ),
    RuleText(
        code="E205",
        title="path is not a canonical repository path",
        severity=_ERROR,
        summary=(
            "A path is absolute, empty, climbs with `..`, has `//`, `./`, a backslash or a control "
            "character, ends a part in a dot or a space, or spells `.git` on some file system. A new file's name "
            "may not hold invisible characters either."
        ),
        why=(
            "One file must have one name: scope is checked by comparing paths, and a second "
            "spelling would bypass it, on some machines into `.git` itself."
        ),
        mend="Write the path from the repository's root, with `/` between the parts.",
        bad="- `/home/ana/shop/src/app.py`\n- `src/../.GIT/config`",
        good="- `src/app.py`",
    ),
    RuleText(
        code="E206",
        title="symbolic link or submodule in the path",
        severity=_ERROR,
        summary="The path, or a folder that it passes through, is a symbolic link or a submodule.",
        why="Writes there go somewhere else, outside the files of the spec.",
        mend="Name the file that the link points to; give a submodule its own specs.",
        bad="- `current/app.py`   <- `current` links to `releases/7`",
        good="- `releases/7/app.py`",
    ),
    RuleText(
        code="E212",
        title="nothing to write",
        severity=_ERROR,
        summary="The spec lists no file to create, edit or delete.",
        why="Any change would be out of scope.",
        mend="List the files under Files to Create, Files to Edit or Files to Create/Edit.",
        bad="**Files to Read**:\n- `src/app.py`",
        good="**Files to Read**:\n- `src/app.py`\n\n**Files to Create**:\n- `src/base.py`",
    ),
    RuleText(
        code="E213",
        title="anchor commit not found",
        severity=_ERROR,
        summary="The commit that the front matter names in `anchor:` is not in this repository.",
        why="The spec's line numbers refer to that commit; without it they mean nothing.",
        mend="Fetch the commit, fix its name, or remove `anchor`.",
        bad="---\nanchor: 0000000\n---",
        good="---\nanchor: 4f2c9e1\n---",
    ),
    RuleText(
        code="E215",
        title="cited lines have changed",
        severity=_ERROR,
        summary=(
            "A range of a file to edit cites lines that changed since the spec was written, that an earlier "
            "task of the project changes or takes away, or that are in a file which an earlier task creates."
        ),
        why="Line numbers are those of the spec's anchor; applied to other lines, they would edit the wrong ones.",
        mend=(
            "Cite the lines as they are now and commit the spec again, or search for the text "
            "instead of citing lines. The message says where the remaining lines are."
        ),
        bad="01-base.md creates `base.py`\n02-tools.md edits `base.py` (lines 10-20)",
        good="01-base.md creates `base.py`\n02-tools.md edits `base.py`, with a SEARCH/REPLACE block",
    ),
    RuleText(
        code="N216",
        title="lines to read change before the task runs",
        severity=Severity.NOTE,
        summary=(
            "A range of a file to read has changed since the spec was written, or an earlier task changes it "
            "or creates the file."
        ),
        why="The executor sees the lines as they are when it starts, which may differ from what the planner saw.",
        mend="Read the whole file if that matters. This note blocks nothing.",
        bad="01-base.md edits `app.py` (lines 10-20)\n02-tools.md reads `app.py` (lines 15-30)",
        good="01-base.md edits `app.py` (lines 10-20)\n02-tools.md reads `app.py`",
    ),
    RuleText(
        code="W217",
        title="a new version of the spec moved its anchor",
        severity=Severity.WARNING,
        summary=(
            "The spec was changed but cites the same line numbers as its previous version, and "
            "those lines now hold other text."
        ),
        why=(
            "Line numbers refer to the commit that added this version of the spec. Even a "
            "corrected typo makes a new version, so unchanged numbers now mean other lines."
        ),
        mend="Check the line numbers, or set `anchor:` to the commit they refer to.",
        bad="- `src/app.py` (lines 40-90)   <- taken before lines were added above them",
        good="---\nanchor: 4f2c9e1\n---\n\n- `src/app.py` (lines 40-90)",
    ),
    RuleText(
        code="E218",
        title="nobody in the settings is who the spec asks for",
        severity=_ERROR,
        summary="The front matter names an executor that the settings do not have, or a tier that has none.",
        why="The task could not be given to anybody.",
        mend="Name one of the settings' own, add it to the settings, or leave the choice to the rules.",
        bad="---\nexecutor: locl\n---   <- the settings have `local`",
        good="---\nexecutor: local\n---",
    ),
    RuleText(
        code="E219",
        title="file goes through a git filter",
        severity=_ERROR,
        summary="A file to write has a `filter` attribute, as git-lfs and git-crypt set it.",
        why=(
            "What the toolkit writes passes no filter: a text that git would have encrypted or stored elsewhere "
            "would land in plain."
        ),
        mend="Change the file by hand, in a commit of your own, and take it off the list.",
        bad="**Files to Edit**:\n- `secrets/prod.env`   <- `secrets/* filter=git-crypt`",
        good="**Files to Edit**:\n- `config/example.env`",
    ),
    RuleText(
        code="E220",
        title="spec asks for more than the cap",
        severity=_ERROR,
        summary="The front matter or the header asks for a tier, an executor or a model beyond `routing.cap`.",
        why="A spec may narrow what the settings allow, never widen it; whoever runs it may, by an option.",
        mend="Take the wish out, raise `routing.cap`, or run it with `--tier`, `--executor` or `--model`.",
        bad="---\ntier: frontier\n---   <- `routing: {cap: balanced}`",
        good="---\ntier: balanced\n---",
    ),
)
