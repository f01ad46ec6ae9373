"""GitLab's REST API: gitlab.com and self-managed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from msgspec.structs import replace

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
    NotFoundError,
    PullRequest,
    RestApi,
    latest,
    mappings,
    unexpected,
)
from minitask.words import one_line

MAINTAINER = 40
"""Lowest access level whose comments count."""
MOST_AUTHORS = 30
STATES = {"opened": OPEN, "merged": MERGED, "locked": MERGED}
CHECKS = {"success": PASSED, "skipped": PASSED, "failed": FAILED, "canceled": FAILED}
"""States of pipelines that have ended."""


class GitLab:
    """A project on GitLab."""

    def __init__(self, api: RestApi, path: str, url: str) -> None:
        self.host, self.web_url = api.host, f"{url}/{path}"
        self.path = path
        headers = {"PRIVATE-TOKEN": api.token} if api.token else {}
        self._api = replace(api, root=f"projects/{quote(path, safe='')}/", headers=headers)

    def find(self, branch: str, target: str) -> PullRequest | None:
        """Return the merge request from a branch into another; those from forks are ignored."""
        items = self._api.items("merge_requests", source_branch=branch, target_branch=target)
        return latest(
            self._request(item)
            for item in items
            if item.get("source_project_id") == item.get("target_project_id")
            and (item.get("source_branch"), item.get("target_branch")) == (branch, target)
        )

    def create(self, draft: NewPullRequest) -> PullRequest:
        """Open a merge request."""
        body = {
            "source_branch": draft.branch,
            "target_branch": draft.target,
            "title": draft.title,
            "description": draft.body,
        }
        return self._request(self._api.write("POST", "merge_requests", body))

    def update(self, number: int, *, body: str) -> None:
        """Replace the description of a merge request."""
        self._api.write("PUT", f"merge_requests/{number}", {"description": body})

    def checks(self, request: PullRequest) -> str:
        """Return the state of its newest pipeline."""
        pipeline = self._pipeline(request)
        return CHECKS.get(str(pipeline.get("status")), RUNNING) if pipeline else ""

    def _pipeline(self, request: PullRequest) -> Mapping[str, Any]:
        """Return the newest pipeline; empty if there is none."""
        item = self._api.get(f"merge_requests/{request.number}")
        pipeline = item.get("head_pipeline") if isinstance(item, dict) else None
        return pipeline if isinstance(pipeline, dict) else {}

    def _failed_jobs(self, request: PullRequest) -> Iterator[Mapping[str, Any]]:
        pipeline = self._pipeline(request)
        if CHECKS.get(str(pipeline.get("status"))) == FAILED:
            yield from self._api.items(f"pipelines/{pipeline.get('id')}/jobs", scope="failed")

    def objections(self, request: PullRequest) -> tuple[str, ...]:
        """Return the failed jobs of its newest pipeline, and unresolved comments of maintainers."""
        texts = [
            f"{job.get('name')} failed: {job.get('failure_reason') or ''}"
            for job in self._failed_jobs(request)
            if not job.get("allow_failure")
        ]
        notes = [
            note
            for discussion in self._api.items(f"merge_requests/{request.number}/discussions")
            for note in mappings(discussion.get("notes"), self.host)
            if note.get("resolvable") and not note.get("resolved")
        ]
        speakers = set(filter(self._speaks, {_user(note) for note in notes}))
        texts += [f"{_place(note)}{note.get('body')}" for note in notes if _user(note) in speakers]
        return tuple(text.strip() for text in texts)

    def issue(self, number: int) -> Issue:
        """Return an issue."""
        item = self._api.get(f"issues/{number}")
        if not isinstance(item, dict):
            raise unexpected(self.host)
        author = _user(item)
        notes = [
            note
            for note in self._api.items(f"issues/{number}/notes", sort="asc", order_by="created_at")
            if not note.get("system") and not note.get("internal")
        ]
        authors = list(dict.fromkeys(_user(note) for note in notes))[:MOST_AUTHORS]
        speakers = {who for who in authors if who == author or self._speaks(who)}
        comments = tuple(
            IssueComment(_user(note)[1], str(note.get("body") or ""))
            for note in notes
            if _user(note) in speakers
        )
        title, body, url = (str(item.get(key) or "") for key in ("title", "description", "web_url"))
        return Issue(number, url, title, body, author[1], comments)

    def comment(self, number: int, text: str) -> None:
        """Comment on an issue."""
        self._api.write("POST", f"issues/{number}/notes", {"body": text})

    def _speaks(self, who: tuple[int, str]) -> bool:
        """Return True if a user is a maintainer of the project, or of a group above it."""
        try:
            member = self._api.get(f"members/all/{who[0]}")
        except NotFoundError:
            return False
        level = member.get("access_level") if isinstance(member, dict) else 0
        return isinstance(level, int) and level >= MAINTAINER

    def _request(self, item: Any) -> PullRequest:
        try:
            return PullRequest(
                int(item["iid"]),
                one_line(str(item["web_url"])),
                STATES.get(item["state"], CLOSED),
                str(item.get("sha") or ""),
                item.get("description") or "",
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise unexpected(self.host) from None


def _place(note: Mapping[str, Any]) -> str:
    """Return the file and line of a note, or "" for a general note."""
    position = note.get("position")
    if not isinstance(position, dict) or not position.get("new_path"):
        return ""
    return f"{position['new_path']}:{position.get('new_line') or 1}: "


def _user(item: Mapping[str, Any]) -> tuple[int, str]:
    """Return the id and name of an item's author."""
    user = item.get("author")
    if not isinstance(user, dict) or not isinstance(user.get("id"), int):
        return 0, ""
    return user["id"], str(user.get("username") or "")
