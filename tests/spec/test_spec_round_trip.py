"""Specs drawn at random: rendering one and parsing it again gives the same value."""

from __future__ import annotations

import string
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitask.spec.findings import render_fence
from minitask.spec.model import (
    Criterion,
    Estimate,
    Fence,
    FileAction,
    FileRef,
    LineRange,
    Options,
    Spec,
    Tier,
)
from minitask.spec.parse import parse_file
from minitask.spec.schema import check_document, spec_document
from minitask.spec.validation_commands import split_commands
from render_spec import render_spec

PATH = "mini-projects/x/01-y.md"

LETTERS = string.ascii_letters + string.digits + "äß漢🎯"
WORDS = st.text(LETTERS + "-_.,;'()é", min_size=1, max_size=9).map(lambda text: "w" + text)
SENTENCES = st.lists(WORDS, min_size=1, max_size=5).map(" ".join)
NAMES = st.text(string.ascii_lowercase + "0123456789-", min_size=1, max_size=8).map("n".__add__)
RANGES = st.tuples(st.integers(1, 900), st.integers(0, 90)).map(
    lambda pair: LineRange(pair[0], pair[0] + pair[1])
)
MONEY = st.decimals(0, 99, places=3, allow_nan=False, allow_infinity=False)
PARAGRAPHS = st.one_of(
    SENTENCES,
    st.lists(SENTENCES, min_size=1, max_size=3).map(lambda rows: "\n".join(f"- {r}" for r in rows)),
    st.tuples(SENTENCES, SENTENCES).map(lambda pair: f"### {pair[0]}\n\n{pair[1]}"),
    SENTENCES.map(lambda text: f"> {text}"),
    SENTENCES.map(lambda text: f"**Note**: {text}"),
    SENTENCES.map(lambda text: f"```text\n# Mini-Task 1: {text}\n```"),
)
MARKDOWN = st.lists(PARAGRAPHS, max_size=4).map("\n\n".join)
CONTENT = st.lists(
    st.text(string.printable.replace("\r", "").replace("\x0b", "").replace("\x0c", ""), max_size=30)
    .map(lambda text: text.replace("\n", " ") + "\n"),
    max_size=4,
).map("".join)  # fmt: skip
INFOS = st.sampled_from(["", "python", "edits", "diff", "python path=src/a.py", 'x path="a b.py"'])
LEADS = st.one_of(
    st.just(""),
    SENTENCES,
    st.sampled_from(
        ["src/__init__.py", "1986. a year", "- dash", "# hash", "a*b*c", "`x`_y", "<b>", "[a]: b"]
    ),
)
FENCES = st.builds(Fence, info=INFOS, content=CONTENT, lead=LEADS)
COMMANDS = st.lists(
    st.sampled_from(
        [
            "ls -l",
            'grep -q "def f" a.py && echo OK',
            "# a remark",
            "# expect: exit 1\nfalse",
            "wc -l < a.py  # expect: output ~600 ±50",
            "f() {\n  ls\n}",
            "sleep 1 & wait",
            "cat <<'EOF'\nx; y\nEOF",
        ]
    ),
    max_size=5,
).map(lambda rows: "".join(f"{row}\n" for row in rows))
SHELL_FENCES = st.builds(
    Fence, info=st.sampled_from(["bash", "sh", ""]), content=COMMANDS, lead=LEADS
)


@st.composite
def file_refs(draw: st.DrawFn) -> FileRef:
    """A file whose note says what its fields say."""
    action = draw(st.sampled_from(FileAction))
    ranges = tuple(draw(st.lists(RANGES, max_size=3)))
    optional = draw(st.booleans())
    words = ["optional"] if optional else []
    if ranges and draw(st.booleans()):
        words.append("lines " + ", ".join(map(str, ranges)))
    elif action in {FileAction.CREATE, FileAction.EDIT}:
        words.append(action.value)
    path = draw(st.lists(NAMES, min_size=1, max_size=3).map("/".join)) + draw(
        st.sampled_from(["", ".py", " b.txt", "/[id].tsx", "/__init__.py"])
    )
    return FileRef(path, action, ranges, ", ".join(words), optional)


ODD_WORDS = ["yes", "null", "1", "2024-01-01", "a: b", "#"]
OPTIONS = st.builds(
    Options,
    id=st.none() | NAMES,
    depends_on=st.lists(NAMES, max_size=3, unique=True).map(tuple),
    tags=st.lists(NAMES | st.sampled_from(ODD_WORDS), max_size=3, unique=True).map(tuple),
    complexity=st.sampled_from([None, "low", "medium", "high"]),
    tier=st.none() | st.sampled_from(Tier),
    executor=st.none() | NAMES,
    model=st.none() | st.sampled_from(["claude-haiku-4-5", "qwen2.5-coder:14b", "4", "off"]),
    timeout_seconds=st.none() | st.integers(1, 10_000),
    max_cost_usd=st.none() | MONEY,
    review=st.sampled_from([None, "required", "optional", "none"]),
    grade=st.sampled_from([None, "note", 1, 80]),
    network=st.sampled_from([None, True, False, ("pypi.org",), ("*.a.org:443", "127.0.0.1:5432")]),
    protected=st.lists(st.sampled_from(["tests/**", "*.md", "!x", "a b"]), max_size=2, unique=True).map(tuple),
    anchor=st.none() | st.sampled_from(["main~3", "1234567", "0e1", "2024-01-01"]),
    proof=st.sampled_from([None, "none"]),
)  # fmt: skip
EXTRA = st.tuples(
    st.sampled_from(["Priority", "Time", "Depends on", "Estimated Cost", "Übersicht"]),
    st.one_of(st.just(""), SENTENCES.map("~ ".__add__), st.just("- a\n- b")),
)


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    """A spec as the parser would make it: what derives from the text is derived."""
    snippets = tuple(draw(st.lists(FENCES, max_size=3)))
    in_task = tuple(draw(st.lists(FENCES.filter(lambda fence: "path=" in fence.info), max_size=2)))
    task = "\n\n".join(
        [text for text in [draw(MARKDOWN)] if text] + [render_fence(f) for f in in_task]
    )
    if task and in_task and not in_task[0].lead:
        task = f"{render_fence(in_task[0])}\n\n" + "\n\n".join(map(render_fence, in_task[1:]))
        task = task.rstrip("\n")
    validation = tuple(draw(st.lists(SHELL_FENCES, max_size=2)))
    commands = tuple(command for fence in validation for command in split_commands(fence)[0])
    model = draw(st.sampled_from(["", "Claude 3.5 Haiku (or GPT-4o-mini)", "gpt-4o"]))
    options = draw(OPTIONS)
    return Spec(
        path=PATH,
        number=draw(st.sampled_from(["", "0", "2", "1A", "12", "[N]", "3.1"])),
        title=draw(SENTENCES | st.sampled_from(["", "`f()` in C #", "a: b", "Ends in #"])),
        options=options if not model else Options(tier=options.tier),
        model=model,
        estimate=draw(
            st.builds(
                Estimate,
                input_tokens=st.none() | st.integers(0, 99_999),
                output_tokens=st.none() | st.integers(0, 99_999),
                cost_usd=st.none() | MONEY,
            )
        ),
        files=tuple(draw(st.lists(file_refs(), max_size=5, unique=True))),
        context=draw(MARKDOWN),
        task=task,
        snippets=in_task + snippets,
        snippets_text="\n\n".join(map(render_fence, snippets)),
        criteria=tuple(draw(st.lists(st.builds(Criterion, SENTENCES, done=st.booleans()), max_size=3))),
        validation=validation,
        commands=commands,
        on_failure=draw(MARKDOWN),
        next_task=draw(MARKDOWN),
        extra=tuple(draw(st.lists(EXTRA, max_size=2))),
    )  # fmt: skip


@given(specs())
def test_a_rendered_spec_parses_to_the_same_value(spec: Spec) -> None:
    found = parse_file(render_spec(spec), path=PATH)
    assert found.specs == (spec,)


@given(specs())
def test_every_spec_fits_the_published_schema(spec: Spec) -> None:
    assert check_document(spec_document(spec), {}) == ()


@given(st.text(max_size=300) | st.lists(st.sampled_from(
    ["---\n", "# Mini-Task 1: X\n", "## Validation\n", "```bash\n", "```\n", "**Model**: a", "- `a.py` (lines 5-2)\n",
     "**Files to Read**:\n", "> ", "\t", "  ", "\n", "a: &b [*b]\n", "\x00", "\ud800", "# expect: x\n", "$(", "<<E\n"]),
    max_size=25).map("".join))  # fmt: skip
def test_no_text_makes_the_parser_raise(text: str) -> None:
    found = parse_file(text, path=PATH)
    assert found.specs or found.diagnostics


def test_a_spec_that_was_never_a_file_is_rendered_whole() -> None:
    spec = Spec(
        path=PATH,
        number="1",
        title="Built",
        files=(FileRef("a.py", FileAction.READ, (LineRange(3, 9),), optional=True),),
        snippets=(Fence("edits", "delete a.py\n", "Apply:"),),
    )
    found = parse_file(render_spec(spec), path=PATH).specs[0]
    assert found.files[0].ranges == (LineRange(3, 9),)
    assert found.files[0].optional
    assert found.snippets == spec.snippets


def test_the_rendered_form_is_the_template_s() -> None:
    spec = Spec(
        path=PATH,
        number="2",
        title="Extract",
        options=Options(tier=Tier.CHEAP, max_cost_usd=Decimal("0.05")),
        model="gpt-4o-mini",
        estimate=Estimate(3000, 800, Decimal("0.002")),
        files=(
            FileRef("a.py", FileAction.READ, (LineRange(1, 9),), "lines 1-9"),
            FileRef("b.py", FileAction.CREATE),
        ),
        task="1. Move it.",
        criteria=(Criterion("moved"),),
        validation=(Fence("bash", "test -f b.py\n"),),
    )
    assert render_spec(spec) == (
        "---\ntier: cheap\nmax_cost_usd: 0.05\n---\n\n"
        "# Mini-Task 2: Extract\n\n"
        "**Model**: gpt-4o-mini\n"
        "**Estimated Tokens**: 3,000 input + 800 output\n"
        "**Estimated Cost**: $0.002\n\n"
        "**Files to Read**:\n- `a.py` (lines 1-9)\n\n"
        "**Files to Create**:\n- `b.py`\n\n"
        "## Task\n\n1. Move it.\n\n"
        "## Acceptance Criteria\n\n- [ ] moved\n\n"
        "## Validation\n\n```bash\ntest -f b.py\n```\n"
    )


@pytest.mark.parametrize("content", ["```\n", "~~~\n````\n", "", "x\n"])
@pytest.mark.parametrize("info", ["", "a`b", "python", "~x"])
def test_a_fence_is_marked_longer_than_any_inside(content: str, info: str) -> None:
    text = f"# Mini-Task 1: T\n\n## Code Snippets\n\n{render_fence(Fence(info, content))}\n"
    assert parse_file(text, path=PATH).specs[0].snippets == (Fence(info, content),)
