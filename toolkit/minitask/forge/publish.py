"""Pull requests of tasks: open or update them for proven branches, follow their state, and attempt tasks again.

Branches are pushed without force, except over an earlier attempt of minitask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from minitask.engine.context import Context, Progress
from minitask.engine.find_tasks import find_tasks
from minitask.engine.task_records import all_records_of
from minitask.engine.tasks import Base, Task
from minitask.errors import MinitaskError, UsageError
from minitask.forge.forge import (
    MERGED,
    OPEN,
    RUNNING,
    Forge,
    NewPullRequest,
    PullRequest,
    TakenError,
)
from minitask.forge.forge_text import (
    PullRequestEvidence,
    issue_link,
    joined,
    pull_request_body,
    pull_request_title,
)
from minitask.git import refs
from minitask.git.remotes import is_changed, remote_tip
from minitask.git.trees import is_ancestor
from minitask.landing.candidate_commits import Candidate
from minitask.landing.land import Landed, push_commit
from minitask.ledger.record import Record, TaskResult, Verdict
from minitask.policy.budget import Budget
from minitask.policy.route import RouteOverrides
from minitask.task.merge_later import merge_task
from minitask.task.state import RunOptions
from minitask.words import counted, plain_text

MOST_CHARACTERS = 8_000
"""Limit of the text on failures and requested changes that an attempt gets."""


class Publisher(Struct):
    """Publishes proven candidates on a forge, by a git remote.

    `opened` holds the pull request of each task, `tips` the remote's commit of each target when it was first queried.
    `replaces` lets a candidate replace an earlier attempt there.
    """

    engine: Context
    forge: Forge
    remote: str
    opened: dict[str, PullRequest]
    tips: dict[str, str | None]
    replaces: bool = False

    def publish(self, task: Task, record: Record, candidate: Candidate) -> Landed:
        """Push a candidate and open or update its pull request; if the remote declines, the result says why."""
        self.engine.emit(Progress(task.name, "pull request", self.forge.host))
        present = _find(self.forge, task.name, task.target)
        if present is not None and present.state != OPEN and present.head == candidate.commit:
            return self._ended(task, present)
        declined = self._lacks_target(task) or self._push(task, candidate)
        if declined is not None:
            return declined
        records = all_records_of(self.engine, task.name)
        issue = issue_link(self.engine.objects.blob(task.blob).decode("utf-8", "replace"))
        evidence = PullRequestEvidence(task, record, candidate, records, issue)
        request, outcome = self._put(evidence, present)
        self.opened[task.name] = request
        reason = f"pull request #{request.number} {outcome}{self._unpushed(task, candidate)}"
        return Landed(Verdict.READY, reason=reason, next_step=request.url)

    def _ended(self, task: Task, request: PullRequest) -> Landed:
        """Return the result for a merged or closed pull request, whose branch is not pushed again."""
        self.opened[task.name] = request
        has_merged = request.state == MERGED
        step = f"git pull {self.remote} {_short(task.target)}" if has_merged else request.url
        end = "has merged" if has_merged else "was closed"
        reason = f"pull request #{request.number} {end} there"
        return Landed(Verdict.READY, reason=reason, next_step=step)

    def _tip(self, target: str) -> str | None:
        """Return the remote's commit of a target, or None if it has no such branch."""
        if target not in self.tips:
            self.tips[target] = remote_tip(self.engine.repository, self.remote, target)
        return self.tips[target]

    def _lacks_target(self, task: Task) -> Landed | None:
        """Return the result if the remote lacks the task's target, else None."""
        if self._tip(task.target) is not None:
            return None
        target = _short(task.target)
        reason = f"passed, but {self.remote} has no branch {target} for a pull request"
        return Landed(Verdict.READY, reason=reason, next_step=f"git push {self.remote} {target}")

    def _push(self, task: Task, candidate: Candidate) -> Landed | None:
        """Push the task's branch; return a result if the remote or the pre-push hook declines it."""
        ref = refs.branch(task.name)
        pushed = push_commit(self.engine, self.remote, ref, candidate.commit, runs_hook=True)
        refusal = pushed.refused.get(ref)
        if refusal is not None and self.replaces and is_changed(refusal):
            refusal = self._replace(task, candidate)
        if refusal is None:
            return None
        step = f"minitask merge {task.name} --pr"
        if is_changed(refusal):
            step = f"git push --force-with-lease {self.remote} {_short(ref)} && {step}"
        reason = f"passed, but {_short(ref)} could not be pushed: {refusal}"
        return Landed(Verdict.READY, reason=reason, next_step=step)

    def _replace(self, task: Task, candidate: Candidate) -> str | None:
        """Push over an earlier attempt at the task, which stays on record here; return the reason if it is refused."""
        ref, git = refs.branch(task.name), self.engine.repository.git
        tip = remote_tip(self.engine.repository, self.remote, ref)
        if tip is None or tip not in refs.snapshot(git, f"{refs.ATTEMPTS}/{task.name}").values():
            return "fetch first: it holds what is no attempt of minitask"
        commit = candidate.commit
        pushed = push_commit(self.engine, self.remote, ref, commit, runs_hook=True, replaced=tip)
        return pushed.refused.get(ref)

    def _put(
        self, evidence: PullRequestEvidence, present: PullRequest | None
    ) -> tuple[PullRequest, str]:
        """Return the pull request of a task's branch, and what was done; `present` is the existing one."""
        branch, target = _short(refs.branch(evidence.task.name)), _short(evidence.task.target)
        body = pull_request_body(evidence)
        if present is None or present.state != OPEN:
            draft = NewPullRequest(branch, target, pull_request_title(evidence.task), body)
            try:
                return self.forge.create(draft), "opened"
            except TakenError:  # another process opened it, or a response was lost
                present = self.forge.find(branch, target)
                if present is None or present.state != OPEN:
                    raise
        new_body = joined(present.body, body)
        if new_body == present.body.replace("\r\n", "\n"):
            return present, "is up to date"
        self.forge.update(present.number, body=new_body)
        return present, "updated"

    def _unpushed(self, task: Task, candidate: Candidate) -> str:
        """Return a note if the pull request includes commits of the target that the remote lacks, such as specs."""
        tip, target = self._tip(task.target), _short(task.target)
        git, base = self.engine.repository.git, f"{candidate.commit}^1"
        if tip is None or self.engine.objects.commit(tip) is None:
            return ""
        if is_ancestor(git, ancestor=base, of=tip):
            return ""
        commits = counted(int(git.line("rev-list", "--count", base, f"^{tip}")), "commit")
        lacks = f"it also holds {commits} of {target} that {self.remote} lacks"
        return f"; {lacks}: git push {self.remote} {target}"


class Published(Struct, frozen=True):
    """The results of tasks; `problem` is why the others got no pull request."""

    results: tuple[TaskResult, ...]
    problem: MinitaskError | None = None


def publish_tasks(
    engine: Context,
    names: Iterable[str],
    base: Base,
    forge: Forge,
    remote: str,
    *,
    replaces: bool = False,
) -> Published:
    """Open or update a pull request for each proven task; stop at the first error."""
    publisher = Publisher(engine, forge, remote, {}, {}, replaces)
    results: list[TaskResult] = []
    for name in names:
        try:
            result = merge_task(engine, name, base, publish=publisher.publish)
        except MinitaskError as error:
            return Published(tuple(results), error)
        request = publisher.opened.get(name)
        results.append(replace(result, pull_request=request.url) if request else result)
    return Published(tuple(results))


def with_pull_requests(
    results: Sequence[TaskResult], published: Published
) -> tuple[TaskResult, ...]:
    """Return the results of a run, with the pull requests of ready tasks."""
    by_task = {result.task: result for result in published.results}
    return tuple(_with_pull_request(result, by_task.get(result.task, result)) for result in results)


def _with_pull_request(result: TaskResult, new: TaskResult) -> TaskResult:
    return replace(
        result, reason=new.reason, next_step=new.next_step, pull_request=new.pull_request
    )


def attempt_again(
    engine: Context, name: str, base: Base, forge: Forge, remote: str, *, why: str, budget: Budget
) -> TaskResult:
    """Attempt a task again with `why` as feedback; if it passes, it replaces the earlier attempt on the forge."""
    from minitask.task.human_review import reject
    from minitask.task.life import run_task

    before = engine.objects.commit(refs.branch(name))
    reject(engine, name, why)
    (task,) = find_tasks(engine, [name], base).tasks
    result = run_task(engine, task, RunOptions(RouteOverrides(), merge=False, budget=budget))
    if result.verdict is not Verdict.READY or result.commit is None:
        return result
    trees = engine.objects.tree_of
    if before is not None and trees(result.commit) == trees(before):
        reason = "the next attempt made the same change"
        return replace(result, verdict=Verdict.FAILED, reason=reason, next_step="")
    published = publish_tasks(engine, [name], base, forge, remote, replaces=True)
    if published.problem is not None:
        raise published.problem
    return _with_pull_request(result, published.results[0])


class RequestStatus(Struct, frozen=True):
    """A pull request; `checks` is the result of `Forge.checks`, "" if it is not open."""

    number: int
    url: str
    state: str
    checks: str


def request_statuses(
    forge: Forge, targets: Mapping[str, str], emit: Callable[[Progress], None]
) -> dict[str, RequestStatus]:
    """Return the pull requests by task; `targets` maps each task to a full ref."""
    statuses = {}
    for task, target in targets.items():
        emit(Progress(task, "pull request", forge.host))
        request = _find(forge, task, target)
        if request is not None:
            checks = forge.checks(request) if request.state == OPEN else ""
            statuses[task] = RequestStatus(request.number, request.url, request.state, checks)
    return statuses


def objections_to(forge: Forge, task: str, target: str, tip: str | None) -> str:
    """Return the failures and requested changes in a task's pull request; raise `UsageError` if there are none."""
    request = _find(forge, task, target)
    if request is None or request.state != OPEN:
        message = f"{task} has no open pull request"
        raise UsageError(message, hint=f"open one: minitask merge {task} --pr")
    if request.head != tip:
        here = (tip or "nothing")[:12]
        raise UsageError(
            f"pull request #{request.number} is at {request.head[:12]}, and the branch here at {here}",
            hint=f"push what is here: minitask merge {task} --pr",
        )
    objections = forge.objections(request)
    if not objections:
        raise UsageError(
            f"nothing failed and nobody asks for changes in pull request #{request.number}",
            hint=f"say yourself what is wrong: minitask review {task} --reject REASON",
        )
    return _described(request, objections)


def objections_now(forge: Forge, task: str, target: str, tip: str | None) -> str | None:
    """Return failures and requested changes at a tip; "" while checks run or if there are none, None if not open."""
    request = _find(forge, task, target)
    if request is None or request.state != OPEN:
        return None
    if request.head != tip or forge.checks(request) == RUNNING:
        return ""
    objections = forge.objections(request)
    return _described(request, objections) if objections else ""


def _described(request: PullRequest, objections: Sequence[str]) -> str:
    text = plain_text("\n".join(objections))[:MOST_CHARACTERS]
    return f"in pull request #{request.number}:\n{text}"


def _find(forge: Forge, task: str, target: str) -> PullRequest | None:
    return forge.find(_short(refs.branch(task)), _short(target))


def _short(ref: str) -> str:
    return ref.removeprefix("refs/heads/")
