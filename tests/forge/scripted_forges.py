"""GitHub and GitLab on loopback, in the shapes of their REST APIs: pages, filters, scopes, what they refuse.

    forge = ScriptedForge("github")
    with forge.serve() as url:
        world.configure(forge=forge.settings(url))
        …
    assert forge.requests[0]["title"] == "…"

`faults` are replies given first, to whatever is asked.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from executors.model_server import Received, Reply, raw, scripted_server

TOKEN = "t0ken-of-the-forge-0123456789abcdef"
REPOSITORY = "acme/app"
VARIABLES = {"github": "GITHUB_TOKEN", "gitlab": "GITLAB_TOKEN"}


def answer(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    return raw(json.dumps(document), status=status, headers=headers)


@dataclass
class ScriptedForge:
    """A forge with one repository; `requests` are its pull requests, as neutral values."""

    kind: str
    page_size: int = 2
    requests: list[dict[str, Any]] = field(default_factory=list)
    issues: dict[int, dict[str, Any]] = field(default_factory=dict)
    checks: list[str] = field(default_factory=list)
    statuses: list[dict[str, str]] = field(default_factory=list)
    reviews: list[tuple[str, str, str, int, str]] = field(default_factory=list)
    faults: list[Reply] = field(default_factory=list)
    tip_of: Callable[[str], str] | None = None
    before_a_look: Callable[[], None] = lambda: None
    seen: list[Received] = field(default_factory=list)
    posted: list[tuple[int, str]] = field(default_factory=list)
    url: str = ""

    @contextlib.contextmanager
    def serve(self) -> Iterator[str]:
        with scripted_server(self.reply) as server:
            self.url = server.origin
            yield server.origin

    def settings(self, **more: Any) -> dict[str, Any]:
        return {"type": self.kind, "url": self.url, "repository": REPOSITORY, **more}

    @property
    def env(self) -> dict[str, str]:
        return {VARIABLES[self.kind]: TOKEN}

    @property
    def writes(self) -> list[Received]:
        return [request for request in self.seen if request.method != "GET"]

    def reply(self, received: Received) -> Reply:
        self.seen.append(received)
        if self.faults:
            return self.faults.pop(0)
        parts = urlsplit(received.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        github = self.kind == "github"
        top = f"/api/v3/repos/{REPOSITORY}/" if github else "/api/v4/projects/acme%2Fapp/"
        if not parts.path.startswith(top):
            return answer({"message": "Not Found", "status": "404"}, 404)
        is_known = TOKEN in received.headers.get("authorization" if github else "private-token", "")
        if not is_known and received.method != "GET":
            return answer({"message": "401 Unauthorized"}, 401)
        path = unquote(parts.path.removeprefix(top))
        reply = (self._github if github else self._gitlab)(received, path, query)
        return reply or answer({"message": "404 Not found"}, 404)

    def _pages(
        self, received: Received, items: list[Any], query: dict[str, str], key: str = ""
    ) -> Reply:
        page = int(query.get("page", 1))
        size = min(self.page_size, int(query.get("per_page", 30)))
        part = items[(page - 1) * size : page * size]
        headers = {}
        if page * size < len(items):
            rest = re.sub(r"&page=\d+", "", received.path)
            last = f'<{self.url}{rest}&page=99>; rel="last"'
            headers["Link"] = f'<{self.url}{rest}&page={page + 1}>; rel="next", {last}'
        return answer({"total_count": len(items), key: part} if key else part, 200, headers)

    def _open(self, branch: str, target: str, title: str, body: str) -> dict[str, Any] | None:
        for request in self.requests:
            if (request["branch"], request["target"], request["state"]) == (branch, target, "open"):
                return None
        number = 10 + len(self.requests)
        request = {"number": number, "branch": branch, "target": target, "title": title}
        request |= {"body": body, "state": "open", "sha": "0" * 40}
        self.requests.append(request)
        return request

    def _sha(self, request: Mapping[str, Any]) -> str:
        return self.tip_of(request["branch"]) if self.tip_of else str(request["sha"])

    def _request(self, number: str) -> dict[str, Any]:
        return next(each for each in self.requests if each["number"] == int(number))

    def _github(self, received: Received, path: str, query: dict[str, str]) -> Reply | None:
        if path == "pulls" and received.method == "GET":
            self.before_a_look()
            owner, _, branch = query["head"].partition(":")
            assert owner == "acme"
            assert query["state"] == "all"
            shown = [self._pull(each) for each in self.requests if each["branch"] == branch]
            return self._pages(received, shown, query)
        if path == "pulls":
            wanted = received.json
            made = self._open(wanted["head"], wanted["base"], wanted["title"], wanted["body"])
            if made is None:
                message = f"A pull request already exists for acme:{wanted['head']}."
                errors = [{"resource": "PullRequest", "code": "custom", "message": message}]
                return answer({"message": "Validation Failed", "errors": errors}, 422)
            return answer(self._pull(made), 201)
        if match := re.fullmatch(r"pulls/(\d+)", path):
            self._request(match[1]).update(received.json)
            return answer(self._pull(self._request(match[1])))
        if path.endswith("/check-runs") or path == "actions/runs":
            done = {"passed": ("completed", "success"), "failed": ("completed", "failure")}
            pairs = [done.get(state, ("in_progress", None)) for state in self.checks]
            output = {"title": "2 errors", "summary": "x.py:1 is wrong"}
            runs = [
                {"id": n, "name": f"ci-{n}", "status": s, "conclusion": c, "output": output}
                for n, (s, c) in enumerate(pairs)
            ]
            key = "workflow_runs" if path == "actions/runs" else "check_runs"
            return self._pages(received, runs, query, key)
        if path.endswith("/status"):
            return self._pages(received, self.statuses, query, "statuses")
        if match := re.fullmatch(r"pulls/(\d+)/(reviews|comments)", path):
            sha, roles = (
                self._sha(self._request(match[1])),
                {"bob": "OWNER", "eve": "NONE", "ann": "MEMBER"},
            )
            shown = [
                {
                    "user": {"login": who},
                    "author_association": roles[who],
                    "body": text,
                    "commit_id": sha if line else "0" * 40,
                    "state": state,
                    **({"path": "b.txt", "line": line or None} if match[2] == "comments" else {}),
                }
                for kind, who, state, line, text in self.reviews
                if kind == match[2]
            ]
            return self._pages(received, shown, query)
        if match := re.fullmatch(r"issues/(\d+)", path):
            item = self.issues.get(int(match[1]))
            return item and answer(
                {
                    "number": int(match[1]),
                    "title": item["title"],
                    "body": item["body"],
                    "user": {"login": item["author"]},
                    "html_url": f"{self.url}/{REPOSITORY}/issues/{match[1]}",
                }
            )
        if match := re.fullmatch(r"issues/(\d+)/comments", path):
            if received.method == "POST":
                self.posted.append((int(match[1]), received.json["body"]))
                return answer({"id": 1}, 201)
            roles = {"maintainer": "MEMBER", "author": "NONE", "stranger": "NONE"}
            shown = [
                {"user": {"login": who}, "author_association": roles[role], "body": text}
                for who, role, text in self.issues[int(match[1])]["comments"]
            ]
            return self._pages(received, shown, query)
        return None

    def _pull(self, request: Mapping[str, Any]) -> dict[str, Any]:
        merged = request["state"] == "merged"
        return {
            "number": request["number"],
            "html_url": f"{self.url}/{REPOSITORY}/pull/{request['number']}",
            "state": "closed" if merged else request["state"],
            "merged_at": "2026-11-01T00:00:00Z" if merged else None,
            "title": request["title"],
            "body": request["body"],
            "head": {
                "ref": request["branch"],
                "sha": self._sha(request),
                "repo": {"full_name": "Acme/App"},
            },
            "base": {"ref": request["target"]},
        }

    def _gitlab(self, received: Received, path: str, query: dict[str, str]) -> Reply | None:
        if path == "merge_requests" and received.method == "GET":
            self.before_a_look()
            branch = query["source_branch"]
            shown = [self._merge(each) for each in self.requests if each["branch"] == branch]
            return self._pages(received, shown, query)
        if path == "merge_requests":
            wanted = received.json
            names = ("source_branch", "target_branch", "title", "description")
            made = self._open(*(wanted[name] for name in names))
            if made is None:
                message = ["Another open merge request already exists for this source branch: !10"]
                return answer({"message": message}, 409)
            return answer(self._merge(made), 201)
        if match := re.fullmatch(r"merge_requests/(\d+)", path):
            request = self._request(match[1])
            if received.method == "PUT":
                request["body"] = received.json["description"]
            words = {"passed": "success", "failed": "failed"}
            pipeline = (
                {"id": 3, "status": words.get(self.checks[0], "running")} if self.checks else None
            )
            return answer({**self._merge(request), "head_pipeline": pipeline})
        if path == "pipelines/3/jobs":
            assert query["scope"] == "failed"
            job = {"name": "ci-0", "failure_reason": "script_failure", "allow_failure": False}
            return answer([job, {**job, "name": "flaky", "allow_failure": True}])
        if re.fullmatch(r"merge_requests/\d+/discussions", path):
            shown = [
                {
                    "notes": [
                        {
                            "author": {"id": self._id(who), "username": who},
                            "body": text,
                            "resolvable": True,
                            "resolved": not line,
                            "position": {"new_path": "b.txt", "new_line": line},
                        }
                    ]
                }
                for kind, who, _state, line, text in self.reviews
                if kind == "comments"
            ]
            return self._pages(received, shown, query)
        if match := re.fullmatch(r"issues/(\d+)", path):
            item = self.issues.get(int(match[1]))
            return item and answer(
                {
                    "iid": int(match[1]),
                    "title": item["title"],
                    "description": item["body"],
                    "author": {"id": self._id(item["author"]), "username": item["author"]},
                    "web_url": f"{self.url}/{REPOSITORY}/-/issues/{match[1]}",
                }
            )
        if match := re.fullmatch(r"issues/(\d+)/notes", path):
            if received.method == "POST":
                self.posted.append((int(match[1]), received.json["body"]))
                return answer({"id": 1}, 201)
            shown = [
                {"author": {"id": self._id(who), "username": who}, "body": text, "system": False}
                for who, _role, text in self.issues[int(match[1])]["comments"]
            ]
            shown.append({"author": {"id": 1, "username": "bot"}, "body": "closed", "system": True})
            return self._pages(received, shown, query)
        if match := re.fullmatch(r"members/all/(\d+)", path):
            if int(match[1]) == self._id("bob"):
                return answer({"id": int(match[1]), "access_level": 40})
            return answer({"message": "404 Not found"}, 404)
        return None

    def _merge(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "iid": request["number"],
            "web_url": f"{self.url}/{REPOSITORY}/-/merge_requests/{request['number']}",
            "state": {"open": "opened"}.get(request["state"], request["state"]),
            "title": request["title"],
            "description": request["body"],
            "sha": self._sha(request),
            "source_branch": request["branch"],
            "target_branch": request["target"],
            "source_project_id": 5,
            "target_project_id": 5,
        }

    def _id(self, name: str) -> int:
        return 100 + sum(name.encode())
