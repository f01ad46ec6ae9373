"""GitHub's REST API: github.com, GitHub Enterprise Server and Cloud."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minitask.forge.forge import (
    CLOSED,
    FAILED,
    MERGED,
    OPEN,
    PASSED,
    RUNNING,
    Issue,
    IssueComment,
    NewPullRequest,
    PullRequest,
    latest,
    mappings,
    unexpected,
    worst,
)
from minitask.forge.rest import NotFoundError, RestApi

INSIDERS = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})
GOOD = frozenset({"success", "neutral", "skipped"})


class GitHub:
    """A repository of GitHub."""

    def __init__(self, api: RestApi, path: str, url: str) -> None:
        self.host, self.web_url = api.host, f"{url}/{path}"
        self.path, self._api = path, api
        self._headers = {
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            **({"Authorization": f"Bearer {api.token}"} if api.token else {}),
        }

    def find(self, branch: str, target: str) -> PullRequest | None:
        """Return the pull request of a branch into another; the filter is checked, for a wrong one is ignored."""
        owner = self.path.partition("/")[0]
        pages = self._pages("pulls", head=f"{owner}:{branch}", base=target, state="all")
        return latest(
            self._request(item)
            for page in pages
            for item in mappings(page, self.host)
            if self._is_of(item, branch, target)
        )

    def create(self, draft: NewPullRequest) -> PullRequest:
        """Open a pull request."""
        body = {"title": draft.title, "head": draft.branch, "base": draft.target}
        return self._request(self._write("POST", "pulls", {**body, "body": draft.body}))

    def update(self, number: int, *, body: str) -> None:
        """Give a pull request another description."""
        self._write("PATCH", f"pulls/{number}", {"body": body})

    def checks(self, request: PullRequest) -> str:
        """Return the state of its check runs and commit statuses; GitHub Actions and apps make the former."""
        states = [
            _state(item)
            for page in self._pages(f"commits/{request.head}/check-runs")
            for item in mappings(_inside(page, "check_runs"), self.host)
        ]
        status = self._get(f"commits/{request.head}/status")
        if isinstance(status, dict) and status.get("statuses"):
            states.append(
                {"success": PASSED, "pending": RUNNING}.get(str(status.get("state")), FAILED)
            )
        return worst(states)

    def issue(self, number: int) -> Issue:
        """Return an issue; a pull request is none, though its number is of the same row."""
        item = self._get(f"issues/{number}")
        if isinstance(item, dict) and "pull_request" in item:
            raise NotFoundError(f"#{number} is a pull request", hint="name an issue")
        author = _login(item)
        comments = [
            IssueComment(_login(comment), _text(comment, "body"))
            for page in self._pages(f"issues/{number}/comments")
            for comment in mappings(page, self.host)
            if _login(comment) == author or comment.get("author_association") in INSIDERS
        ]
        title, body, url = (_text(item, key) for key in ("title", "body", "html_url"))
        return Issue(number, url, title, body, author, tuple(comments))

    def comment(self, number: int, text: str) -> None:
        """Comment on an issue."""
        self._write("POST", f"issues/{number}/comments", {"body": text})

    def _get(self, path: str) -> Any:
        return self._api.get(f"repos/{self.path}/{path}", self._headers)

    def _pages(self, path: str, **query: object) -> Any:
        return self._api.pages(f"repos/{self.path}/{path}", self._headers, **query)

    def _write(self, method: str, path: str, body: object) -> Any:
        return self._api.write(method, f"repos/{self.path}/{path}", self._headers, body)

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
                str(item["html_url"]),
                state if state in (OPEN, MERGED) else CLOSED,
                str(item["head"]["sha"]),
                item.get("body") or "",
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise unexpected(self.host) from None


def _inside(page: Any, key: str) -> Any:
    return page.get(key) if isinstance(page, dict) else None


def _state(run: Mapping[str, Any]) -> str:
    if run.get("status") != "completed":
        return RUNNING
    return PASSED if run.get("conclusion") in GOOD else FAILED


def _login(item: Any) -> str:
    user = item.get("user") if isinstance(item, dict) else None
    return str(user.get("login", "")) if isinstance(user, dict) else ""


def _text(item: Any, key: str) -> str:
    return str(item.get(key) or "") if isinstance(item, dict) else ""
