"""What a change may never hold, and what it must: secrets, names, marks, damaged text, all that the spec lists."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from minitask.edits.script_model import Change
from minitask.gates.changes.damage import find_secret, redacted
from minitask.gates.lint import check_lint
from minitask.gates.result import EntryKind
from minitask.gates.scope import Work, check_complete, check_paths, find_bad_name, find_clash
from minitask.spec.model import Fence, FileAction, FileRef, Spec

EDIT = FileAction.EDIT
BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7"
KEYS = {"SHOP_KEY": "sk-shop-0123456789", "TINY": "abc"}


class Files:
    """A candidate of paths alone."""

    def __init__(self, *paths: str) -> None:
        self.paths = paths

    def names(self, folder: str) -> Mapping[str, EntryKind]:
        """The names below a folder."""
        start = f"{folder}/" if folder else ""
        rest = [path.removeprefix(start) for path in self.paths if path.startswith(start)]
        return {
            path.split("/")[0]: EntryKind.FOLDER if "/" in path else EntryKind.FILE for path in rest
        }

    def read(self, path: str) -> str | None:
        """Empty text for each file."""
        return "" if path in self.paths else None


def a_spec(**parts: object) -> Spec:
    """A spec for `a.txt`."""
    told = {"title": "Add a line", "files": (FileRef("a.txt", EDIT),), "task": "1. Do.", **parts}
    return Spec(path="mini-projects/p/01.md", number="1", **told)  # type: ignore[arg-type]


def pem(kind: str = "", end: str = "\n") -> str:
    """A private key's first lines."""
    label = f"{kind}PRIVATE KEY"
    return f"-----BEGIN {label}-----{end}{BODY}{end}-----END {label}-----{end}"


SECRETS = {
    "the user's own key": "key = 'sk-shop-0123456789'\n",
    "a private key": pem(),
    "an RSA key": pem("RSA "),
    "an OpenSSH key": pem("OPENSSH "),
    "an encrypted key": pem("ENCRYPTED "),
    "an EC key": pem("EC "),
    "one in a string": f'KEY = "{pem(end=chr(92) + "n")}"\n',
    "with Windows lines": pem(end="\r\n"),
}


@pytest.mark.parametrize("case", SECRETS)
def test_no_secret_lands(case: str) -> None:
    change = [Change("a.txt", f"one\n{SECRETS[case]}")]
    ruling = find_secret(change, read={"a.txt": "one\n"}.get, spec=a_spec(), secrets=KEYS)
    assert ruling.refused
    assert "a.txt" in ruling.reason
    assert "0123456789" not in ruling.reason
    assert BODY not in ruling.reason
    assert "0123456789" not in redacted(SECRETS[case], KEYS)
    assert BODY not in redacted(SECRETS[case], KEYS)


NO_SECRETS = {
    "the variable's name": "key = os.environ['SHOP_KEY']\n",
    "a short value": "abc\n",
    "a public key": f"-----BEGIN PUBLIC KEY-----\n{BODY}\n",
    "a header alone": "looks for -----BEGIN PRIVATE KEY----- in a file\n",
    "a certificate": f"-----BEGIN CERTIFICATE-----\n{BODY}\n",
}


@pytest.mark.parametrize("case", NO_SECRETS)
def test_what_is_no_secret_passes(case: str) -> None:
    change = [Change("a.txt", NO_SECRETS[case]), Change("gone.txt", None)]
    assert find_secret(change, read={}.get, spec=a_spec(), secrets=KEYS).passed


def test_a_secret_that_the_base_or_the_spec_has_is_none() -> None:
    for text in (SECRETS["the user's own key"], pem()):
        read = {"a.txt": text}.get
        change = [Change("a.txt", f"{text}more\n")]
        assert find_secret(change, read=read, spec=a_spec(), secrets=KEYS).passed
    shown = a_spec(snippets=(Fence("path=a.txt", pem()),))
    assert find_secret([Change("a.txt", pem())], read={}.get, spec=shown, secrets=KEYS).passed


CLASHES = [("lib", "lib/a.txt"), ("a/b", "a/b/c/d.txt"), ("x", "x/y", "z")]


@pytest.mark.parametrize("paths", CLASHES)
def test_a_file_and_a_folder_of_one_name_do_not_land(paths: tuple[str, ...]) -> None:
    changes = [Change(path, "text\n") for path in paths]
    assert "as a file" in find_clash(changes)
    files = tuple(FileRef(path, FileAction.WRITE) for path in paths)
    assert check_paths(a_spec(files=files), changes).refused


def test_a_file_that_makes_way_for_a_folder_is_no_clash() -> None:
    assert not find_clash([Change("lib", None), Change("lib/a.txt", "x\n"), Change("lib2", "x\n")])


BAD_NAMES = [
    ("readme.md", "README.md"),
    ("src/App.ts", "src/app.ts"),
    ("Src/b.ts", "src/a.ts"),
    ("e\u0301.txt", "é.txt"),
    ("straße.txt", "strasse.txt"),
    ("\u202egpj.txt", "other"),
    ("a\u200bb.txt", "other"),
    ("a\u2066b\u2069.txt", "other"),
    ("\ufeffa.txt", "other"),
    ("a\u00adb.txt", "other"),
    ("a\u200db.txt", "other"),
]


@pytest.mark.parametrize(("created", "there"), BAD_NAMES)
def test_a_name_that_is_taken_for_another_does_not_land(created: str, there: str) -> None:
    base, candidate = Files(there), Files(there, created)
    assert find_bad_name([created], base=base, candidate=candidate)


GOOD_NAMES = [
    *("src/b.ts", "é.txt", "ünï/日本.md", "👩\u200d💻.md", "नमस्\u200dते.md", "a b.txt", "READ.md"),
]


@pytest.mark.parametrize("created", GOOD_NAMES)
def test_a_name_of_its_own_lands(created: str) -> None:
    base = Files("src/a.ts", "README.md")
    assert not find_bad_name([created], base=base, candidate=Files(*base.paths, created))


def test_names_that_the_base_has_twice_already_stay() -> None:
    base = Files("src/a.ts", "Src/b.ts")
    assert not find_bad_name(["Src/c.ts"], base=base, candidate=Files(*base.paths, "Src/c.ts"))


def lint(content: str, *, base: str | None = None, path: str = "a.txt", **parts: object) -> str:
    """What lint says of a file."""
    return check_lint([Change(path, content)], read={path: base}.get, spec=a_spec(**parts)).reason


def bytes_as_text(content: bytes) -> str:
    """Bytes as a change has them."""
    return content.decode("utf-8", "surrogateescape")


WIDE = bytes_as_text("one\ntwo\nthree\n".encode("utf-16"))
DAMAGED = {
    "ours": ("a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> main\n", None),
    "a marker's end": ("a\n>>>>>>> 1234abc\n", "a\n"),
    "a document with a conflict": ("```\na\n```\n<<<<<<< HEAD\nb\n", None),
    "the base of three": ("a\n||||||| merged\nb\n", "a\n"),
    "bare": ("<<<<<<<\na\n", None),
    "NUL": ("a\0b\n", None),
    "NUL in a text": ("a\n\0", "a\n"),
    "UTF-16 shifted": (WIDE[:10] + WIDE[11:], WIDE),
    "UTF-16 with ASCII appended": (WIDE + "four\n", WIDE),
    "a part of UTF-16": (WIDE[9:20], None),
    "UTF-16 as UTF-8": ("one\n", WIDE),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_text_does_not_land(case: str) -> None:
    content, base = DAMAGED[case]
    assert lint(content, base=base)


SOUND = {
    "a document on conflicts": ("Text\n\n```\n<<<<<<< HEAD\na\n>>>>>>> b\n```\n", None, "a.md"),
    "a rule of Markdown": ("Title\n=======\n", None, "a.md"),
    "an indented marker": ("  <<<<<<< HEAD\n", None, "a.txt"),
    "an eighth character": ("<<<<<<<< a\n", None, "a.txt"),
    "a marker that was there": ("<<<<<<< HEAD\nb\n", "<<<<<<< HEAD\n", "a.txt"),
    "UTF-16 of an editor": (bytes_as_text("one\nfour\n".encode("utf-16")), WIDE, "a.txt"),
    "UTF-16, big": (bytes_as_text(b"\xfe\xff" + "o\n".encode("utf-16-be")), None, "a.txt"),
    "Chinese in UTF-16": (bytes_as_text("中文字\n".encode("utf-16")), None, "a.txt"),
    "a picture": ("\x89PNG\0\0", None, "a.png"),
    "NUL that was there": ("a\0b\n", "a\0\n", "a.txt"),
}


@pytest.mark.parametrize("case", SOUND)
def test_sound_text_lands(case: str) -> None:
    content, base, path = SOUND[case]
    assert not lint(content, base=base, path=path)


def test_a_spec_may_ask_for_markers() -> None:
    fence = Fence("text", "<<<<<<< HEAD\n")
    assert not lint("<<<<<<< HEAD\n", snippets=(fence,))


def listed(action: FileAction, **parts: object) -> Spec:
    """A spec that lists `a.txt`."""
    return a_spec(files=(FileRef("a.txt", action, **parts),))  # type: ignore[arg-type]


def worked(changes: list[Change]) -> Work:
    return Work(changes, {}.get)


def test_a_file_to_delete_may_not_stay() -> None:
    spec = listed(FileAction.DELETE)
    ruling = check_complete(spec, worked([]), candidate=Files("a.txt", "b.txt"))
    assert not ruling.passed
    assert not ruling.refused
    assert check_complete(spec, worked([]), candidate=Files("b.txt")).passed


def test_a_file_to_create_must_be_there_and_have_something_in_it() -> None:
    spec = listed(FileAction.CREATE)
    full, empty = [Change("a.txt", "x\n")], [Change("a.txt", "")]
    assert not check_complete(spec, worked([]), candidate=Files("b.txt")).passed
    assert not check_complete(spec, worked(empty), candidate=Files("a.txt")).passed
    assert check_complete(spec, worked(full), candidate=Files("a.txt")).passed
    assert check_complete(listed(EDIT), worked([]), candidate=Files("a.txt")).passed
    assert check_complete(
        listed(FileAction.CREATE, optional=True), worked([]), candidate=Files()
    ).passed


def test_a_file_may_be_empty_where_the_spec_or_its_name_says_so() -> None:
    note = listed(FileAction.CREATE, note="empty")
    assert check_complete(note, worked([Change("a.txt", "")]), candidate=Files("a.txt")).passed
    package = a_spec(files=(FileRef("p/__init__.py", FileAction.CREATE),))
    changes = [Change("p/__init__.py", "")]
    assert check_complete(package, worked(changes), candidate=Files("p/__init__.py")).passed


EMPTYING = {
    "Empty the file.": True, "Clear `a.txt`.": True, "Remove all lines of a.txt.": True, "Reset it.": True,
    "Delete everything in it.": True, "Leave nothing in a.txt.": True, "Wipe the contents.": True,
    "Remove trailing spaces.": False, "Clear the cache on start.": False, "Strip all tabs.": False,
    "Reset the password by mail.": False, "The option is no longer needed.": False, "Clean up the names.": False,
    "Move the heading up.": False, "Nothing else changes.": False,
    "Fail when the file is empty.": False, "If it is old, empty it.": True, "Do not clear the file.": False,
    "Say nothing if the text is blank.": False, "It must not be empty.": False,
}  # fmt: skip


@pytest.mark.parametrize("task", EMPTYING)
def test_only_a_sentence_about_all_of_a_file_empties_it(task: str) -> None:
    told = {"task": f"1. {task}", "title": "Adjust the list"}
    spec = a_spec(files=(FileRef("a.txt", EDIT),), **told)
    work = Work([Change("a.txt", "")], {"a.txt": "one\ntwo\n"}.get)
    assert check_complete(spec, work, candidate=Files("a.txt")).passed == EMPTYING[task]
