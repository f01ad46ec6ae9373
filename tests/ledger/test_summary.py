"""Summaries: groups add up to the totals, exactly and in any order, and unknown is never 0."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.kit import ATTEMPT, OID, record_of
from minitask.ledger.record import NO_USAGE, Attempt, Record, RecordedDecision, Usage, Verdict
from minitask.ledger.savings import CLASSES, NAMES
from minitask.ledger.summary import Groups, Summary, summarize

MODEL = "frontier-model"
counts = st.none() | st.integers(0, 10**7)
amounts = st.none() | st.decimals(0, 1000, places=9)


def attempt(n: int = 1, **fields: Any) -> Attempt:
    """An attempt of a cheap model that is proven, but for what is said."""
    return replace(ATTEMPT, n=n, **fields)


def record(task: str = "p/01-a", n: int = 1, *, kind: str = "attempt", **fields: Any) -> Record:
    """A record of such an attempt; `spec_blob` and `baseline_cost_usd` are the record's own."""
    told = {name: fields.pop(name) for name in ("spec_blob", "baseline_cost_usd") if name in fields}
    at = fields.pop("at", f"2026-01-01T00:00:{n:02d}.000+00:00")
    return record_of(attempt(n, **fields), task=task, kind=kind, started_at=at, **told)


def failed(task: str = "p/01-a", n: int = 1, **fields: Any) -> Record:
    """A record of an attempt that the validation refused."""
    return record(task, n, **{"verdict": Verdict.FAILED, "gate": "validate", **fields})


records = st.builds(
    record,
    st.sampled_from(["p/01-a", "p/02-b", "q/01-a"]),
    st.integers(1, 4),
    kind=st.sampled_from(["attempt", "attempt", "attempt", "landing", "lost"]),
    spec_blob=st.sampled_from(["a", "b"]),
    baseline_cost_usd=amounts,
    tier=st.sampled_from(["none", "free", "cheap", "balanced", "frontier", "unheard-of"]),
    model=st.sampled_from(["", "tiny", "huge"]),
    verdict=st.sampled_from(Verdict),
    gate=st.sampled_from(["", "lint", "validate"]),
    usage=st.builds(Usage, counts, counts, counts, counts, counts, counts, counts),
    cost_usd=amounts,
    seconds=st.floats(0, 1000),
)


def summary(*given: Record) -> Summary:
    return summarize(given, baseline_model=MODEL)


@given(st.lists(records, max_size=12))
def test_every_grouping_adds_up_to_the_totals(given: list[Record]) -> None:
    found = summary(*given)
    for groups in (found.by_tier, found.by_model, found.by_phase, found.by_project, found.by_day):
        check_sums(groups, found)
    assert found.totals.records == len(given)
    assert sum(found.by_project[name].tasks for name in found.by_project) == found.totals.tasks


def check_sums(groups: Groups, found: Summary) -> None:
    totals, tallies = found.totals, groups.values()
    assert sum((each.cost_usd or Decimal(0) for each in tallies), Decimal(0)) == (
        totals.cost_usd or Decimal(0)
    )
    for name in NAMES:
        assert sum(each.counts[name] or 0 for each in tallies) == (totals.counts[name] or 0)
    for name in ("records", "attempts", "unpriced", "uncounted"):
        assert sum(getattr(each, name) for each in tallies) == getattr(totals, name)


@given(st.lists(records, max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_records_plays_no_part(given: list[Record], random: Any) -> None:
    shuffled = list(given)
    random.shuffle(shuffled)
    assert summary(*shuffled) == summary(*given)


@pytest.mark.variant
@given(st.lists(records, max_size=12))
def test_each_token_is_in_one_class(given: list[Record]) -> None:
    found = summary(*given).totals.counts
    whole = (found["input_tokens"] or 0) + (found["output_tokens"] or 0)
    assert sum(found[name] or 0 for name in CLASSES) == whole


def test_nothing_comes_to_zero_not_to_unknown() -> None:
    found = summary()
    assert (found.totals.records, found.totals.cost_usd) == (0, Decimal(0))
    assert set(found.totals.counts.values()) == {0}
    assert found.by_tier == {}
    assert found.first_tries.rate is None
    assert (found.savings.saved_usd, found.savings.saved_percent) == (Decimal(0), None)
    assert (found.first_at, found.last_at) == (None, None)


def test_unknown_costs_are_counted_apart_and_the_known_ones_summed() -> None:
    found = summary(record("p/01-a"), record("p/02-b", cost_usd=None, model="local"))
    assert (found.totals.cost_usd, found.totals.unpriced) == (Decimal("0.01"), 1)
    assert (found.by_model["local"].cost_usd, found.by_model["local"].unpriced) == (None, 1)


def test_a_count_that_only_an_outage_knows_to_be_0_is_unknown() -> None:
    unknown = Usage(1, 100, None, 20)
    found = summary(record("p/01-a", usage=unknown), record("p/02-b", usage=NO_USAGE))
    assert (found.totals.counts["cached_input_tokens"], found.totals.counts["requests"]) == (
        None,
        1,
    )


def test_sums_of_money_are_exact() -> None:
    costs = [Decimal("1000000000000"), *[Decimal("0.0000000000000000000001")] * 3]
    found = summary(*(record(f"p/{n:02d}-a", cost_usd=cost) for n, cost in enumerate(costs)))
    assert str(found.totals.cost_usd) == "1000000000000.0000000000000000000003"


def test_tiers_stand_in_the_order_of_their_price() -> None:
    tiers = ["frontier", "odd", "none", "cheap"]
    found = summary(*(record(f"p/{tier}", tier=tier) for tier in tiers))
    assert list(found.by_tier) == ["none", "cheap", "frontier", "odd"]


def test_work_without_a_model_goes_by_its_executor() -> None:
    assert list(summary(record(model="", executor="script")).by_model) == ["script"]


def test_a_higher_tier_at_the_same_spec_is_an_escalation_and_the_same_one_a_repair() -> None:
    ladder = [failed(), failed(n=2), failed(n=3, tier="frontier"), record(n=4, tier="free")]
    found = summary(*ladder)
    assert (found.repairs, found.escalations) == (1, 1)
    mended = summary(failed(), record(n=2, tier="frontier", spec_blob="b"))
    assert (mended.repairs, mended.escalations) == (0, 0), "a spec that was mended is another"
    again = summary(record(), record(n=2))
    assert again.repairs == 0, "what was proven is not repaired"
    steps = {"first": 0, "repair": 1, "resume": 0}
    for step, count in steps.items():
        later = failed(n=2, decision=RecordedDecision("", step=step))
        assert summary(failed(), later).repairs == count, "a rerun begins anew"


def test_the_first_try_is_that_of_the_task() -> None:
    found = summary(record("p/01-a"), failed("p/02-b"), record("p/02-b", 2), record("p/03-c", 2))
    assert (found.first_tries.proven, found.first_tries.tasks) == (2, 3)
    assert found.first_tries.rate == 0.6667


def test_a_lost_call_is_spent_and_no_attempt_to_judge() -> None:
    lost = failed(n=1, kind="lost", verdict=Verdict.ERROR, gate="implement")
    found = summary(lost, record(n=2))
    assert list(found.by_phase) == ["implement", "lost"]
    assert found.totals.cost_usd == Decimal("0.02")
    assert found.failures_by_gate == {"lost": 1}
    assert (found.first_tries.rate, found.repairs) == (1.0, 0)


def test_a_refused_landing_is_a_failure_and_no_attempt() -> None:
    landing = failed(n=1, kind="landing", gate="land", usage=NO_USAGE, cost_usd=Decimal(0))
    found = summary(record(), landing)
    assert (found.totals.records, found.totals.attempts) == (2, 1)
    assert found.failures_by_gate == {"land": 1}
    assert (found.first_tries.rate, found.repairs, found.totals.seconds) == (1.0, 0, 1.5)


def test_a_verdict_stands_for_a_gate_that_has_no_name() -> None:
    assert summary(failed(gate="", verdict=Verdict.ERROR)).failures_by_gate == {"error": 1}


def test_the_baseline_counts_once_for_a_proven_task_and_costs_count_always() -> None:
    found = summary(failed("p/01-a"), record("p/01-a", 2), record("p/01-a", 3), failed("p/02-b"))
    savings = found.savings
    assert (savings.baseline_model, savings.tasks) == (MODEL, 1)
    assert (savings.baseline_cost_usd, savings.cost_usd) == (Decimal("0.5"), Decimal("0.04"))
    assert (savings.saved_usd, savings.saved_percent) == (Decimal("0.46"), 92.0)


def call(kind: str, task: str = "p/01-a", n: int = 1, **fields: Any) -> Record:
    """A record of a call beside the attempts; of a project where the task says so."""
    blob = "" if "@" in task else OID
    return record(task, n, kind=kind, spec_blob=blob, baseline_cost_usd=None, **fields)


def test_the_baseline_holds_the_kinds_of_calls_that_the_spending_holds() -> None:
    cent = Decimal("0.01")
    given = [
        call("plan", "p/@plan", cost_usd=Decimal(1)),
        call("classify"),
        failed("p/01-a"),
        call("review", n=1, at="2026-01-01T00:00:01.500+00:00"),
        record("p/01-a", 2),
        call("review", n=2, at="2026-01-01T00:00:02.500+00:00"),
        failed("p/02-b"),
        call("review", "p/02-b"),
    ]
    savings = summary(*given).savings
    assert savings.shared_usd == 1 + 2 * cent, "planning, one classification and one review"
    assert savings.shared_phases == ("plan", "classify", "review")
    assert savings.baseline_cost_usd == Decimal("0.5") + savings.shared_usd
    assert savings.cost_usd == 1 + 7 * cent
    assert savings.saved_usd == Decimal("0.5") - 5 * cent, "failures count on one side alone"


def test_the_cost_that_a_spec_states_is_compared_with_all_that_it_took() -> None:
    states = {"decision": RecordedDecision("asked", stated_cost_usd=Decimal("0.025"))}
    given = [failed(**states), record(n=2, **states), call("review", n=2)]
    cheap = record("p/02-b", **states)
    found = summary(*given, cheap, failed("p/03-c", **states), record("p/04-d")).costs
    assert (found.tasks, found.over) == (2, 1)
    assert (found.stated_usd, found.actual_usd) == (Decimal("0.05"), Decimal("0.04"))
    assert found.percent == -20.0
    assert summary(record("p/05-e", cost_usd=None, **states)).costs.tasks == 0


def test_a_spec_that_was_mended_and_proven_again_counts_again() -> None:
    found = summary(record(), record(n=2, spec_blob="b", baseline_cost_usd=Decimal("0.25")))
    assert found.savings.baseline_cost_usd == Decimal("0.75")


def test_failures_alone_save_less_than_nothing() -> None:
    savings = summary(failed()).savings
    assert (savings.saved_usd, savings.saved_percent) == (Decimal("-0.01"), None)


def test_unpriced_work_earns_nothing() -> None:
    mixed = [record("p/01-a"), failed("p/02-b", cost_usd=None), record("p/02-b", 2)]
    savings = summary(*mixed).savings
    assert (savings.tasks, savings.left_out) == (1, 1)
    assert (savings.baseline_cost_usd, savings.cost_usd) == (Decimal("0.5"), Decimal("0.02"))


def test_without_a_baseline_what_was_saved_is_unknown() -> None:
    savings = summary(record(baseline_cost_usd=None)).savings
    assert (savings.baseline_cost_usd, savings.saved_usd) == (None, None)
    assert (savings.saved_percent, savings.left_out) == (None, 1)


def test_an_outage_is_no_try_and_no_failure_and_is_counted_apart() -> None:
    down = {"verdict": Verdict.ERROR, "gate": "implement", "reason": "transport: s: HTTP 503"}
    found = summary(record(n=1, **down), record(n=2), record("p/02-b", 1, **down))
    assert found.outages == 2
    assert (found.first_tries.tasks, found.first_tries.proven) == (1, 1)
    assert (found.repairs, dict(found.failures_by_gate)) == (0, {})
    malformed = record(verdict=Verdict.FAILED, gate="implement", reason="malformed: …")
    assert (summary(malformed).outages, summary(malformed).first_tries.proven) == (0, 0)
