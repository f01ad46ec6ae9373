"""A proven branch becomes a pull request: pushed, never by force, then opened, or updated where there is one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from minitask.engine.context import Context, Progress
from minitask.engine.task_records import all_records_of
from minitask.engine.tasks import Base, Task
from minitask.errors import MinitaskError
from minitask.forge.forge import MERGED, OPEN, Forge, NewPullRequest, PullRequest
from minitask.forge.issue_link import issue_link
from minitask.forge.pull_request_text import (
    PullRequestEvidence,
    joined,
    pull_request_body,
    pull_request_title,
)
from minitask.forge.rest import TakenError
from minitask.git import refs
from minitask.git.remotes import is_changed, remote_tip
from minitask.git.trees import is_ancestor
from minitask.landing.candidate_commits import Candidate, Landed
from minitask.landing.join import push_commit
from minitask.ledger.record import Record, TaskResult, Verdict
from minitask.task.merge_later import merge_task
from minitask.words import counted


class Publisher(Struct):
    """Gives proven candidates to a forge, by a git remote.

    `opened` has the pull request of each task, `tips` the remote's commit of each target, as it was first asked. With
    `replaces`, a candidate takes the place of an earlier attempt there.
    """

    engine: Context
    forge: Forge
    remote: str
    opened: dict[str, PullRequest]
    tips: dict[str, str | None]
    replaces: bool = False

    def publish(self, task: Task, record: Record, candidate: Candidate) -> Landed:
        """Push a candidate and open or update its pull request; where the remote declines, the result says why."""
        self.engine.emit(Progress(task.name, "pull request", self.forge.host))
        present = self.forge.find(_short(refs.branch(task.name)), _short(task.target))
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
        """Return the result of a candidate whose pull request was merged or closed: its branch is not pushed again."""
        self.opened[task.name] = request
        if request.state == MERGED:
            step = f"git pull {self.remote} {_short(task.target)}"
            reason = f"pull request #{request.number} has merged there"
            return Landed(Verdict.READY, reason=reason, next_step=step)
        reason = f"pull request #{request.number} was closed there"
        return Landed(Verdict.READY, reason=reason, next_step=request.url)

    def _tip(self, target: str) -> str | None:
        """Return the remote's commit of a target; None if it has no such branch."""
        if target not in self.tips:
            self.tips[target] = remote_tip(self.engine.repository, self.remote, target)
        return self.tips[target]

    def _lacks_target(self, task: Task) -> Landed | None:
        """Return the result of a task whose target the remote does not have."""
        if self._tip(task.target) is not None:
            return None
        target = _short(task.target)
        reason = f"passed, but {self.remote} has no branch {target} for a pull request"
        return Landed(Verdict.READY, reason=reason, next_step=f"git push {self.remote} {target}")

    def _push(self, task: Task, candidate: Candidate) -> Landed | None:
        """Push the task's branch; return the result of one that the remote or the pre-push hook declines."""
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
        """Push over an earlier attempt at the task, which stays on record here; return why, if it is refused."""
        ref, git = refs.branch(task.name), self.engine.repository.git
        tip = remote_tip(self.engine.repository, self.remote, ref)
        if tip is None or tip not in refs.snapshot(git, f"{refs.ATTEMPTS}/{task.name}").values():
            return "fetch first: it holds what is no attempt of minitask"
        pushed = push_commit(
            self.engine, self.remote, ref, candidate.commit, runs_hook=True, replaced=tip
        )
        return pushed.refused.get(ref)

    def _put(
        self, evidence: PullRequestEvidence, present: PullRequest | None
    ) -> tuple[PullRequest, str]:
        """Return the pull request of a task's branch, and what was done with it; `present` is the one that is there."""
        branch, target = _short(refs.branch(evidence.task.name)), _short(evidence.task.target)
        body = pull_request_body(evidence)
        if present is None or present.state != OPEN:
            draft = NewPullRequest(branch, target, pull_request_title(evidence.task), body)
            try:
                return self.forge.create(draft), "opened"
            except TakenError:  # somebody else was faster, or an answer was lost
                present = self.forge.find(branch, target)
                if present is None or present.state != OPEN:
                    raise
        new_body = joined(present.body, body)
        if new_body == present.body.replace("\r\n", "\n"):
            return present, "is up to date"
        self.forge.update(present.number, body=new_body)
        return present, "updated"

    def _unpushed(self, task: Task, candidate: Candidate) -> str:
        """Return a note where the pull request holds commits of the target that the remote lacks, such as specs."""
        tip = self._tip(task.target)
        git, base = self.engine.repository.git, f"{candidate.commit}^1"
        if tip is None or self.engine.objects.commit(tip) is None:
            return ""
        if is_ancestor(git, ancestor=base, of=tip):
            return ""
        count = int(git.line("rev-list", "--count", base, f"^{tip}"))
        target = _short(task.target)
        return (
            f"; it also holds {counted(count, 'commit')} of {target} that {self.remote} lacks:"
            f" git push {self.remote} {target}"
        )


class Published(Struct, frozen=True):
    """What became of some tasks; `problem` is why the rest got no pull request."""

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
    """Give each proven task a pull request; after a failure of the forge, no other is tried."""
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
    """Return the results of a run, each ready task with what became of its pull request."""
    by_task = {result.task: result for result in published.results}
    return tuple(
        replace(result, reason=new.reason, next_step=new.next_step, pull_request=new.pull_request)
        if (new := by_task.get(result.task)) is not None
        else result
        for result in results
    )


def _short(ref: str) -> str:
    return ref.removeprefix("refs/heads/")
