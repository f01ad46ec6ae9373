"""Replaying policies: the sum of bills times the share that is left, and limits where nobody can know more."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from ledger.kit import ATTEMPT, record_of
from minitask.errors import UsageError
from minitask.ledger.record import NO_USAGE, Record, Verdict
from minitask.policy.model_stats import ModelStats, parse_table, stats_of
from minitask.policy.simulate import ladder, parse_policy, replay, usual_outcomes

TABLE = """\
models:
  - {name: mini, tasks: 100, passed: 50, cost_usd: 1, tier: cheap}
  - {name: middle (high), tasks: 100, pass_rate: 0.6, cost_usd: 4, tier: balanced}
  - {name: grand, tasks: 100, passed: 90, cost_usd: 20, tier: frontier}
  - {name: vain, tasks: 100, passed: 80, cost_usd: 50}
"""


def table(text: str = TABLE) -> ModelStats:
    return parse_table(text, name="t", where="t.yaml")


def names(policy: tuple[object, ...]) -> list[str]:
    return [model.name for model in policy]  # type: ignore[attr-defined]


def record(task: str, number: int, tier: str, verdict: str, cost: str | None) -> Record:
    told = {"n": number, "tier": tier, "verdict": Verdict(verdict), "model": "m", "usage": NO_USAGE}
    attempt = replace(ATTEMPT, cost_usd=None if cost is None else Decimal(cost), **told)
    at = f"2026-01-01T00:00:0{number}.000+00:00"
    return record_of(attempt, task=task, started_at=at, baseline_cost_usd=None)


def test_a_pair_costs_the_first_bill_and_the_share_of_the_second_that_is_left() -> None:
    figures = table()
    found = replay(parse_policy("mini,grand", figures.models), figures)
    assert (found.cost_usd, found.baseline_cost_usd, found.saved_usd) == (11, 20, 9)
    assert found.cost_usd_at_most == found.cost_usd, "for two models nothing is estimated"
    assert found.saved_percent == 45.0
    assert found.solved_min == 0.9
    assert found.solved_max == pytest.approx(1 - 0.5 * 0.1)
    assert [step.reached for step in found.steps] == [1, Decimal("0.5")]


def test_a_model_alone_has_no_range() -> None:
    figures = table()
    found = replay(parse_policy("vain", figures.models), figures)
    assert (found.cost_usd, found.saved_usd, found.saved_percent) == (50, -30, -150.0)
    assert found.solved_min == found.solved_max == 0.8


def test_three_models_cost_between_independent_failures_and_common_ones() -> None:
    figures = table()
    found = replay(parse_policy("cheap,balanced,frontier", figures.models), figures)
    assert found.cost_usd == Decimal("1") + Decimal("0.5") * 4 + Decimal("0.2") * 20
    assert found.cost_usd_at_most == Decimal("1") + Decimal("0.5") * 4 + Decimal("0.4") * 20
    assert found.saved_percent_at_least == 45.0
    assert found.solved_min <= found.solved_max == pytest.approx(0.98)


def test_what_is_simulated_by_default() -> None:
    figures = table()
    found = usual_outcomes(figures)
    shown = [[step.model.name for step in outcome.steps] for outcome in found[:-1]]
    assert shown == [
        ["mini"],
        ["middle (high)"],
        ["grand"],
        ["vain"],
        ["mini", "grand"],
        ["middle (high)", "grand"],
    ]
    assert found[-1].is_ladder
    assert found[-1].steps[-1].model is figures.baseline


def test_the_ladder_leaves_out_what_costs_more_than_it_spares() -> None:
    poor = TABLE.replace("pass_rate: 0.6, cost_usd: 4", "pass_rate: 0.05, cost_usd: 10")
    assert names(ladder(table())) == ["mini", "middle (high)", "grand"]
    assert names(ladder(table(poor))) == ["mini", "grand"]


def test_what_giving_up_costs_decides_how_far_to_climb() -> None:
    assert names(ladder(table(), loss_usd=Decimal("0.03"))) == ["mini"]


def test_bills_of_different_numbers_of_tasks_are_brought_to_the_largest() -> None:
    figures = table(
        "models: [{name: a, tasks: 10, passed: 5, cost_usd: 1}, {name: b, tasks: 20, passed: 20, cost_usd: 8}]"
    )
    found = replay(figures.models, figures)
    assert (figures.tasks, found.cost_usd) == (20, 6)


def test_names_are_found_whole_by_tier_and_by_a_part() -> None:
    models = table().models
    assert names(parse_policy("MINI, high ,Frontier", models)) == ["mini", "middle (high)", "grand"]


@pytest.mark.parametrize(
    ("policy", "said", "hint"),
    [
        ("grant", "no model named grant", "did you mean grand?"),
        ("midle", "no model named midle", r"did you mean middle \(high\)?"),
        ("zzz", "no model named zzz", "choose from mini, middle"),
        ("i", "matches several models: mini, middle", "part of the name"),
        ("mini,", "lacks a name", "CHEAP,DEAR"),
        ("", "lacks a name", "CHEAP,DEAR"),
        ("mini,cheap", "names mini twice", "once"),
    ],
)
def test_a_policy_that_cannot_be_read_says_the_way_out(policy: str, said: str, hint: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        parse_policy(policy, table().models)
    assert hint.replace("\\", "") in caught.value.hint


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{name: a, tasks: 10, passed: 11, cost_usd: 1}", "11 passed, but it has only 10 tasks"),
        ("{name: a, tasks: 10, passed: 1, cost_usd: -1}", "cost_usd is -1"),
        ("{name: a, tasks: 10, passed: -1, cost_usd: 1}", "passed is -1"),
        ("{name: a, tasks: 10, passed: 1, cost_usd: .nan}", "cost_usd is NaN"),
        ("{name: a, tasks: 10, passed: 1, cost_usd: .inf}", "cost_usd is Infinity"),
        ("{name: a, tasks: 10, passed: 1, cost_usd: 1.0e+300}", "cost_usd is 1.0e+300"),
        ("{name: a, tasks: 10, passed: 1, cost_usd: cheap}", "cost_usd is not a number"),
        ("{name: a, tasks: 10, passed: true, cost_usd: 1}", "passed is not a number"),
        ("{name: a, tasks: 0, passed: 0, cost_usd: 1}", "tasks is 0"),
        ("{name: a, tasks: 1.5, passed: 0, cost_usd: 1}", "tasks is 1.5"),
        ("{name: a, tasks: 10, cost_usd: 1}", "needs one of `passed` and `pass_rate`"),
        ("{name: a, tasks: 10, passed: 1, pass_rate: 0.1, cost_usd: 1}", "needs one of"),
        ("{name: a, tasks: 10, pass_rate: 88, cost_usd: 1}", "pass_rate is 88"),
        ("{name: a, tasks: 10, passed: 1}", "has no `cost_usd`"),
        ("{name: a, passed: 1, cost_usd: 1}", "has no `tasks`"),
        ("{name: a, tasks: 10, passed: 1, cost_usd: 1, tear: x}", "unknown key `tear`"),
        ('{name: "a,b", tasks: 10, passed: 1, cost_usd: 1}', "no usable name"),
        ("{tasks: 10, passed: 1, cost_usd: 1}", "no usable name"),
        ("{name: a, tasks: 10, passed: 1, cost_usd: 1, tier: [x]}", "the tier must be text"),
        ("just text", "model 1 is not a mapping"),
    ],
)
def test_a_bad_row_names_the_place_and_the_way_out(row: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        table(f"models:\n  - {row}\n")
    assert said in caught.value.message
    assert caught.value.hint
    assert caught.value.where == "t.yaml"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a mapping"),
        ("- a\n", "not a mapping"),
        ("models: []\n", "no list of `models`"),
        ("source: x\n", "no list of `models`"),
        ("modles: []\n", "unknown key `modles`"),
        ("models: [\n", "not YAML"),
        ("date: 2025-99-99\nmodels: []\n", "not YAML"),
        ("a: " + "[" * 600, "not YAML"),
        ("#" * 300_000, "longer than 200,000 characters"),
        (TABLE + TABLE.partition("\n")[2].splitlines()[0], "2 models are named mini"),
    ],
)
def test_what_is_no_table_is_said(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        table(text)
    assert said in caught.value.message
    assert caught.value.hint


def test_of_the_best_models_the_dearest_is_the_baseline() -> None:
    figures = table(TABLE.replace("passed: 80, cost_usd: 50", "passed: 90, cost_usd: 50"))
    assert figures.baseline is not None
    assert figures.baseline.name == "vain"


def test_free_models_save_nothing_that_could_be_a_percentage() -> None:
    figures = table("models: [{name: a, tasks: 10, passed: 5, cost_usd: 0}]")
    found = usual_outcomes(figures)
    assert found[0].saved_percent is None
    assert found[0].cost_usd == 0


def test_consecutive_attempts_of_a_tier_are_one_sample() -> None:
    figures = stats_of(
        [
            record("p/a", 2, "cheap", "merged", "0.1"),
            record("p/a", 1, "cheap", "failed", "0.1"),
            record("p/b", 1, "cheap", "refused", "0.2"),
            record("p/b", 2, "frontier", "ready", "3"),
        ],
    )
    found = {model.name: (model.tasks, float(model.q), model.cost_usd) for model in figures.models}
    assert found == {"cheap": (2, 0.5, Decimal("0.4")), "frontier": (1, 1.0, Decimal(3))}
    assert (figures.tasks, figures.left_out) == (2, 0)
    assert figures.baseline is not None
    assert figures.baseline.name == "frontier"
    outcome = replay(parse_policy("cheap,frontier", figures.models), figures)
    assert outcome.cost_usd == Decimal("0.4") + Decimal("0.5") * 6


def test_errors_edit_scripts_and_landings_teach_nothing() -> None:
    from msgspec.structs import replace

    figures = stats_of(
        [
            record("p/a", 1, "cheap", "error", "9"),
            record("p/a", 2, "cheap", "failed", "1"),
            record("p/b", 1, "none", "merged", "0"),
            replace(record("p/c", 1, "cheap", "failed", "1"), kind="landing"),
            replace(record("p/d", 1, "cheap", "failed", "1"), kind="lost"),
            record("p/e", 1, "cheap", "conflict", "1"),
        ],
    )
    (only,) = figures.models
    assert (only.name, only.tasks, only.q, only.cost_usd) == ("cheap", 1, 0, 1)
    assert figures.left_out == 2


def test_unknown_costs_are_never_nothing() -> None:
    figures = stats_of(
        [
            record("p/a", 1, "cheap", "merged", "1"),
            record("p/b", 1, "cheap", "merged", None),
            record("p/c", 1, "free", "merged", None),
        ],
    )
    (only,) = figures.models
    assert (only.tasks, only.cost_usd) == (2, 2)
    assert (figures.unpriced, figures.priceless) == (2, ("free",))


def test_without_records_there_is_nothing_to_replay() -> None:
    figures = stats_of([])
    assert usual_outcomes(figures) == ()
    with pytest.raises(UsageError, match="no figures"):
        parse_policy("cheap", figures.models)
