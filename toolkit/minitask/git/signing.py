"""Signing commits as git is set to, with `commit.gpgSign`, by a key that works without asking.

`git commit-tree -S` signs, so every kind of key that git knows is one here (`gpg.format`, `user.signingKey`). Nobody
can type a passphrase: there is no terminal, and a program that waits for one is stopped.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from msgspec.structs import replace

from minitask.git.commits import NewCommit
from minitask.git.repository import Repository
from minitask.git.run_git import Git

WAIT_SECONDS = 20.0
ASKING = ("DISPLAY", "WAYLAND_DISPLAY", "GPG_TTY", "SSH_ASKPASS")
"""Variables by which a program finds somebody to ask."""
SETTINGS = ("-c", "i18n.commitEncoding=UTF-8")


class Signer:
    """Signs commits until the key fails once; `tell` is told why. Safe to share between threads."""

    def __init__(self, repository: Repository, tell: Callable[[str], None]) -> None:
        asking = dict.fromkeys(ASKING)
        environ = {key: text for key, text in repository.git.environ.items() if key not in asking}
        environ["SSH_ASKPASS_REQUIRE"] = "never"
        self._git = replace(repository.git.with_user_config(), environ=environ, signs=True)
        self._tell = tell
        self._lock = threading.Lock()
        self._works: bool | None = None

    def find_out(self) -> bool:
        """Return True if git is set to sign, and the key has not failed."""
        with self._lock:
            if self._works is None:
                asked = self._git.run("config", "--type=bool", "--get", "commit.gpgSign")
                self._works = asked.stdout.strip() == b"true"
            return self._works

    def signed(self, commit: NewCommit) -> NewCommit:
        """Return a commit with its signature; without one, if the key fails. Its tree is given, and in the store."""
        with self._lock:
            return self._sign(replace(commit, signature="")) if self._works else commit

    def _sign(self, commit: NewCommit) -> NewCommit:
        assert commit.tree is not None  # noqa: S101 - it is given
        parents = [option for parent in commit.parents for option in ("-p", parent)]
        made = self._as(commit).run(
            *(*SETTINGS, "commit-tree", "-S", commit.tree, *parents),
            stdin=commit.message.encode("utf-8", "surrogateescape"),
            timeout_seconds=WAIT_SECONDS,
        )
        if made.exit_code or made.timed_out:
            said = made.stderr.decode("utf-8", "replace").strip().splitlines()
            return self._unsigned(commit, said[-1] if said else "it waits for a passphrase")
        raw = self._git.output("cat-file", "commit", made.stdout.decode().strip())
        head, _, text = raw.decode("utf-8", "surrogateescape").partition("\n\n")
        start = head.find("\ngpgsig")
        if start < 0:
            return self._unsigned(commit, "git made no signature")
        signature = head[start:]
        if f"{head[:start]}\n\n{text}".encode("utf-8", "surrogateescape") != commit.content(
            commit.tree
        ):
            return self._unsigned(commit, "git changes the names or the message")
        return replace(commit, signature=signature)

    def _as(self, commit: NewCommit) -> Git:
        """Return git that commits as the author and committer of a commit."""
        people = {"AUTHOR": commit.author, "COMMITTER": commit.committer}
        environ = dict(self._git.environ)
        for role, person in people.items():
            environ[f"GIT_{role}_NAME"] = person.name
            environ[f"GIT_{role}_EMAIL"] = person.email
            environ[f"GIT_{role}_DATE"] = f"@{person.stamp}"
        return replace(self._git, environ=environ)

    def _unsigned(self, commit: NewCommit, reason: str) -> NewCommit:
        self._works = False
        self._tell(f"commits are not signed: {reason}")
        return commit
