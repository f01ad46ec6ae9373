"""GitHub's REST API: github.com, GitHub Enterprise Server and Cloud."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from minitask.forge.forge import (
    CLOSED,
    FAILED,
    MERGED,
    OPEN,
    PASSED,
    RUNNING,
    UNKNOWN,
    ForbiddenError,
    Issue,
    IssueComment,
    NewPullRequest,
    NotFoundError,
    PullRequest,
    RestApi,
    latest,
    unexpected,
    worst,
)
from minitask.words import one_line

INSIDERS = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})
GOOD = frozenset({"success", "neutral", "skipped"})


class GitHub:
    """A repository on GitHub."""

    def __init__(self, api: RestApi, path: str, url: str) -> None:
        self.host, self.web_url = api.host, f"{url}/{path}"
        self.path = path
        headers = {
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            **({"Authorization": f"Bearer {api.token}"} if api.token else {}),
        }
        self._api = replace(api, root=f"repos/{path}/", headers=headers)

    def find(self, branch: str, target: str) -> PullRequest | None:
        """Return the pull request from a branch into another; filter again, because GitHub ignores invalid filters."""
        owner = self.path.partition("/")[0]
        items = self._api.items("pulls", head=f"{owner}:{branch}", base=target, state="all")
        return latest(self._request(item) for item in items if self._is_of(item, branch, target))

    def create(self, draft: NewPullRequest) -> PullRequest:
        """Open a pull request."""
        body = {"title": draft.title, "head": draft.branch, "base": draft.target}
        return self._request(self._api.write("POST", "pulls", {**body, "body": draft.body}))

    def update(self, number: int, *, body: str) -> None:
        """Replace the description of a pull request."""
        self._api.write("PATCH", f"pulls/{number}", {"body": body})

    def checks(self, request: PullRequest) -> str:
        """Return the state of its check runs and commit statuses; `unknown` if the token may not read them."""
        runs, statuses = self._runs(request.head), self._statuses(request.head)
        unknown = [UNKNOWN] if runs is None or statuses is None else []
        return worst([*unknown, *map(_state, runs or ()), *map(_status, statuses or ())])

    def objections(self, request: PullRequest) -> tuple[str, ...]:
        """Return failed checks, reviews that request changes, and comments on lines of the current commit."""
        failed = [
            f"{_text(run, 'name')} failed: {_text(run.get('output'), 'title')}\n{_text(run.get('output'), 'summary')}"
            for run in self._runs(request.head) or ()
            if _state(run) == FAILED
        ]
        failed += [
            f"{_text(status, 'context')} failed: {_text(status, 'description')}"
            for status in self._statuses(request.head) or ()
            if _status(status) == FAILED
        ]
        reviews = {
            _login(review): review
            for review in self._insiders(f"pulls/{request.number}/reviews")
            if review.get("state") in ("CHANGES_REQUESTED", "APPROVED", "DISMISSED")
        }
        asked = [
            f"{name} asks for changes: {_text(review, 'body')}"
            for name, review in reviews.items()
            if review["state"] == "CHANGES_REQUESTED" and review.get("commit_id") == request.head
        ]
        asked += [
            f"{_text(comment, 'path')}:{comment['line']}: {_text(comment, 'body')}"
            for comment in self._insiders(f"pulls/{request.number}/comments")
            if comment.get("line") and comment.get("commit_id") == request.head
        ]
        return tuple(text.strip() for text in (*failed, *asked))

    def _runs(self, commit: str) -> list[Mapping[str, Any]] | None:
        """Return the check runs of a commit, or None if the token may not read them.

        A fine-grained token may not read check runs of a private repository; then the workflow runs of Actions are
        used.
        """
        runs = self._listed(f"commits/{commit}/check-runs", "check_runs")
        if runs is not None:
            return runs
        return self._listed("actions/runs", "workflow_runs", head_sha=commit)

    def _statuses(self, commit: str) -> list[Mapping[str, Any]] | None:
        return self._listed(f"commits/{commit}/status", "statuses")

    def _listed(self, path: str, key: str, **query: object) -> list[Mapping[str, Any]] | None:
        try:
            return list(self._api.items(path, key, **query))
        except (ForbiddenError, NotFoundError):
            return None

    def _insiders(self, path: str) -> Iterator[Mapping[str, Any]]:
        """Yield the items by people with write access."""
        items = self._api.items(path)
        return (item for item in items if item.get("author_association") in INSIDERS)

    def issue(self, number: int) -> Issue:
        """Return an issue; raise `NotFoundError` for a pull request, because both share their numbers."""
        item = self._api.get(f"issues/{number}")
        if isinstance(item, dict) and "pull_request" in item:
            raise NotFoundError(f"#{number} is a pull request", hint="name an issue")
        author = _login(item)
        comments = [
            IssueComment(_login(comment), _text(comment, "body"))
            for comment in self._api.items(f"issues/{number}/comments")
            if _login(comment) == author or comment.get("author_association") in INSIDERS
        ]
        title, body, url = (_text(item, key) for key in ("title", "body", "html_url"))
        return Issue(number, url, title, body, author, tuple(comments))

    def comment(self, number: int, text: str) -> None:
        """Comment on an issue."""
        self._api.write("POST", f"issues/{number}/comments", {"body": text})

    def _is_of(self, item: Mapping[str, Any], branch: str, target: str) -> bool:
        head, base = item.get("head") or {}, item.get("base") or {}
        home = str((head.get("repo") or {}).get("full_name") or "")
        is_ours = home.casefold() == self.path.casefold()
        return is_ours and (head.get("ref"), base.get("ref")) == (branch, target)

    def _request(self, item: Any) -> PullRequest:
        try:
            state = MERGED if item.get("merged_at") else item["state"]
            return PullRequest(
                int(item["number"]),
                one_line(str(item["html_url"])),
                state if state in (OPEN, MERGED) else CLOSED,
                str(item["head"]["sha"]),
                item.get("body") or "",
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise unexpected(self.host) from None


def _state(run: Mapping[str, Any]) -> str:
    if run.get("status") != "completed":
        return RUNNING
    return PASSED if run.get("conclusion") in GOOD else FAILED


def _status(status: Mapping[str, Any]) -> str:
    return {"success": PASSED, "pending": RUNNING}.get(str(status.get("state")), FAILED)


def _login(item: Any) -> str:
    user = item.get("user") if isinstance(item, dict) else None
    return str(user.get("login", "")) if isinstance(user, dict) else ""


def _text(item: Any, key: str) -> str:
    return str(item.get(key) or "") if isinstance(item, dict) else ""
