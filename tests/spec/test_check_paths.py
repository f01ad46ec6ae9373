"""Canonical paths and protected files; git itself is the judge of what leads into `.git`."""

from __future__ import annotations

import subprocess
import tempfile
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minitask.spec.paths import check_path, fold, is_protected

EMPTY_BLOB = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
IGNORED_BY_HFS = (*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF)

GOOD = [
    "a.py",
    "src/app.py",
    "src/.gitignore",
    ".gitignore",
    "docs/über/naïve.md",
    "docs/日本語.md",
    "docs/👩‍💻.md",
    "src/foo.git/x",
    "src/git/x",
    "my git~/x",
    "pages/[id].tsx",
    "with space/a b.py",
    "ab:c",
    "-dash",
    "~tilde",
    "a" * 255,
]

BAD = {
    "empty": ["", "  "],
    "absolute": ["/etc/passwd", "//host/share", "C:/Users/x", "C:\\Users\\x", "\\\\host\\share"],
    "home": ["~/x", "~"],
    "`..`": ["../x", "a/../b", "a/.."],
    "`.`": ["./a", "a/./b", "."],
    "empty part": ["a//b", "a//"],
    "folder": ["src/"],
    "backslash": ["a\\b"],
    "control": ["a\nb", "a\x00b", "a\x7fb", "a\x85b", "a\u2028b"],
    "UTF-8": ["a\udce9b"],
    "dot or a space": ["a./b", "a /b", "a/b.py "],
    "255 bytes": ["a" * 256, "é" * 128],
}  # fmt: skip

DOT_GIT = [
    *(".git", ".git/config", "sub/.git/hooks/pre-commit", ".GIT/config"),
    *(".Git", "git~1", "GIT~1/config", "a/git~2"),
    *(".git.", ".git...", ".git /config", ".git . ."),
    *("git~1.", ".git::$INDEX_ALLOCATION", ".git::$INDEX_ALLOCATION/config", ".git:stream"),
    *(".git .:x", ".g\u200cit", "\ufeff.git", ".gi\u200dt\u200e"),
    *(".git\u206f/config", ".g\u00adit", ".gi\ufe0ft", "\uff0egit"),
    *(".\uff47it", "\u2024git", ".gıt", ".Gİt"),
]


@pytest.mark.parametrize("path", GOOD)
def test_a_plain_path_has_nothing_against_it(path: str) -> None:
    assert check_path(path) == ""


@pytest.mark.parametrize(
    ("path", "word"), [(path, word) for word, them in BAD.items() for path in them]
)
def test_a_path_that_is_not_canonical_is_refused_with_its_reason(path: str, word: str) -> None:
    assert word in check_path(path)


@pytest.mark.parametrize("path", DOT_GIT)
def test_no_spelling_of_dot_git_is_taken(path: str) -> None:
    assert "`.git`" in check_path(path)


def _git_takes(path: str, repository: Path) -> bool:
    protected = ("-c", "core.protectHFS=true", "-c", "core.protectNTFS=true")
    done = subprocess.run(
        ("git", *protected, "update-index", "-z", "--index-info"),
        input=f"100644 {EMPTY_BLOB}\t{path}\0".encode("utf-8", "surrogateescape"),
        cwd=repository,
        capture_output=True,
        check=False,
        timeout=30,
    )
    return done.returncode == 0


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("judge")
    subprocess.run(("git", "init", "-q", str(root)), check=True, timeout=30)
    return root


@pytest.mark.parametrize("path", GOOD)
def test_what_is_taken_is_taken_by_git(path: str, repository: Path) -> None:
    assert _git_takes(path, repository)


def _hfs(part: str) -> str:
    kept = "".join(char for char in part if ord(char) not in IGNORED_BY_HFS)
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", kept)).lower()


def _ntfs(part: str) -> str:
    return part.partition(":")[0].rstrip(" .").lower()


_noise = st.sampled_from(
    [*(chr(code) for code in IGNORED_BY_HFS), " ", ".", ":", "/", "x", "~1", ""]
)
_letters = st.sampled_from([*".gitGIT", "git", ".git", "ı", "İ", "．"])
_paths = st.lists(st.one_of(_letters, _noise, st.characters()), max_size=12).map("".join)


@given(_paths)
@example(".g\u200cit")
@example("a/.gIt. ")
@example(".git::$INDEX_ALLOCATION")
def test_nothing_that_folds_to_dot_git_is_accepted(path: str) -> None:
    folds = (_hfs, _ntfs, lambda part: _ntfs(_hfs(part)), lambda p: unicodedata.normalize("NFC", p))
    parts = path.split("/")
    dangerous = any(fold_(part) in {".git", "git~1"} for part in parts for fold_ in folds)
    assert not (dangerous and check_path(path) == "")


@pytest.mark.variant
@given(_paths.filter(lambda path: "\0" not in path and path.isprintable()))
@example("a/.git")
@example("a\\.git")
@example("GIT~1")
@example("./a")
def test_what_is_accepted_is_taken_by_git(path: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(("git", "init", "-q", folder), check=True, timeout=30)
        assert check_path(path) or _git_takes(path, Path(folder))


@given(_paths)
def test_an_accepted_path_is_relative_plain_and_printable_on_one_line(path: str) -> None:
    if check_path(path) == "":
        parts = path.split("/")
        assert not {"", ".", ".."}.intersection(parts)
        assert path.isascii() is False or path.isprintable()
        assert len(path.splitlines()) == 1
        path.encode("utf-8")


@given(st.lists(st.sampled_from(list(".gitGIT\u200c \u00ad")), min_size=1, max_size=8).map("".join))
def test_folding_is_stable(part: str) -> None:
    assert fold(fold(part)) == fold(part)


PROTECTED = [
    *(".github/workflows/ci.yml", ".GitHub/Workflows/ci.yml", ".github/actions/setup/action.yml"),
    *(".gitlab-ci.yml", ".gitlab/ci/test.yml", "Jenkinsfile"),
    *(".circleci/config.yml", ".travis.yml", "azure-pipelines.yml"),
    *(".githooks/pre-commit", ".husky/pre-commit", "packages/web/.husky/pre-push"),
    *(".pre-commit-config.yaml", ".pre-commit-config.yml", ".gitattributes"),
    *("src/.gitattributes", ".gitmodules", "GITMOD~1"),
    *("gitatt~2", ".git\u200cmodules", ".gitmodules "),
    *(".claude/settings.json", "sub/.claude/settings.local.json", ".codex/config.toml"),
    *(".cursor/rules/a.mdc", ".cursorrules", ".aider.conf.yml"),
    *("CLAUDE.md", "docs/CLAUDE.md", "AGENTS.md"),
    *("GEMINI.md", ".mcp.json", "minitask.yaml"),
]
FREE = [
    *("src/app.py", ".github/ISSUE_TEMPLATE.md", "docs/.github/workflows/ci.yml"),
    *("docs/Jenkinsfile/notes.md", "src/minitask.yaml", "claude.py"),
    *("src/claude/settings.json", ".gitignore", "docs/agents.mdx"),
]


@pytest.mark.parametrize("path", PROTECTED)
def test_what_decides_what_runs_is_protected(path: str) -> None:
    assert is_protected(path)


@pytest.mark.parametrize("path", FREE)
def test_other_files_are_free(path: str) -> None:
    assert not is_protected(path)


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("db/migrations/", "db/migrations/0001.sql", True),
        ("db/migrations", "db/migrations/0001.sql", True),
        ("db/migrations", "db/migrations_old/0001.sql", False),
        ("*.lock", "web/yarn.lock", True),
        ("*.lock", "web/yarn.lock.md", False),
        ("infra/*", "infra/a/b.tf", True),
        ("infra/*.tf", "infra/a/b.tf", True),
        ("secrets", "a/secrets/b", True),
        ("Secrets.txt", "a/secrets.TXT", True),
        ("./db/", "db/0001.sql", True),
        ("/a.sql", "a.sql", True),
        ("/a.sql", "db/a.sql", False),
        ("**/*.sql", "a.sql", True),
        ("db/**/a.sql", "db/a.sql", True),
        ("db/**/a.sql", "db/xa.sql", False),
        ("/", "a", False),
        ("./", "a", False),
        ("", "a", False),
    ],
)
def test_a_pattern_protects_what_it_matches(pattern: str, path: str, expected: bool) -> None:
    assert is_protected(path, [pattern]) is expected
