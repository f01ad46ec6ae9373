"""Results and costs of models on past tasks: from a table in a file, or from the ledger's records."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import Any, NoReturn

from msgspec import Struct

from minitask.errors import UsageError
from minitask.ledger.record import Attempt, Record, Verdict
from minitask.spec.model import Tier
from minitask.words import did_you_mean, one_line

MAX_CHARACTERS = 200_000
MAX_TASKS = 10**9
MAX_USD = Decimal("1e12")
TABLE_KEYS = ("source", "date", "models")
MODEL_KEYS = ("name", "tasks", "passed", "pass_rate", "cost_usd", "tier")
EXAMPLE = "templates/simulate/aider-polyglot.yaml of the toolkit is an example"
TRIED, FAILED = "attempt", (Verdict.FAILED, Verdict.REFUSED)
RANKS = {tier.value: rank for rank, tier in enumerate(Tier)}


class ModelRow(Struct, frozen=True):
    """The results of a model, or of a whole tier: the share `q` of `tasks` that passed, and the bill for all of
    them.
    """

    name: str
    tasks: int
    q: Decimal
    cost_usd: Decimal
    tier: str = ""

    @property
    def price(self) -> Decimal:
        """Return US dollars per task."""
        return self.cost_usd / self.tasks


class ModelStats(Struct, frozen=True):
    """The models to choose from and the baseline, alone the measure of the others; None if there are no models.

    `left_out` are attempts that ended in an error or a conflict, `unpriced` samples and `priceless` tiers those whose
    cost nobody knows.
    """

    name: str
    tasks: int
    models: tuple[ModelRow, ...]
    baseline: ModelRow | None
    origin: str = ""
    by_tier: bool = False
    left_out: int = 0
    unpriced: int = 0
    priceless: tuple[str, ...] = ()


def stats_of(records: Iterable[Record], *, name: str) -> ModelStats:
    """Return what the tiers did, by the ledger: consecutive attempts of a tier at one spec are one sample.

    Tries of edit scripts are left out, which no model replaces. A sample passes where its last attempt did. The
    baseline is the highest tier, since it is asked when the others have failed.
    """
    samples: defaultdict[str, list[Sequence[Attempt]]] = defaultdict(list)
    units: set[tuple[str, str]] = set()
    left_out = 0
    for unit, attempts in _units(records).items():
        judged = [
            attempt for attempt in attempts if attempt.verdict.is_good or attempt.verdict in FAILED
        ]
        left_out += len(attempts) - len(judged)
        for tier, tries in groupby(judged, key=lambda attempt: attempt.tier):
            samples[tier].append(tuple(tries))
            units.add(unit)
    models = {tier: _tier_model(tier, tier_samples) for tier, tier_samples in samples.items()}
    priced = sorted(filter(None, models.values()), key=_rank)
    return ModelStats(
        name=name,
        tasks=len(units),
        models=tuple(priced),
        baseline=priced[-1] if priced else None,
        by_tier=True,
        left_out=left_out,
        unpriced=sum(
            _cost(tries) is None for tier_samples in samples.values() for tries in tier_samples
        ),
        priceless=tuple(tier for tier, model in models.items() if model is None),
    )


def _units(records: Iterable[Record]) -> Mapping[tuple[str, str], list[Attempt]]:
    """Return the attempts of models at each statement of a task, oldest first."""
    units: defaultdict[tuple[str, str], list[Attempt]] = defaultdict(list)
    for record in sorted(
        records, key=lambda entry: (entry.task, entry.attempt.n, entry.started_at)
    ):
        if record.kind == TRIED and record.attempt.tier != Tier.NONE:
            units[record.task, record.spec_blob].append(record.attempt)
    return units


def _tier_model(tier: str, samples: Sequence[Sequence[Attempt]]) -> ModelRow | None:
    """Return a tier's figures; None if no sample has a price. Unpriced samples are taken to cost what the
    others do.
    """
    costs = [cost for cost in map(_cost, samples) if cost is not None]
    if not costs:
        return None
    count = len(samples)
    passed = sum(tries[-1].verdict.is_good for tries in samples)
    mean = sum(costs, Decimal(0)) / len(costs)
    return ModelRow(tier, count, Decimal(passed) / count, mean * count, tier)


def _cost(tries: Sequence[Attempt]) -> Decimal | None:
    costs = [attempt.cost_usd for attempt in tries if attempt.cost_usd is not None]
    return sum(costs, Decimal(0)) if len(costs) == len(tries) else None


def _rank(model: ModelRow) -> tuple[int, str]:
    return RANKS.get(model.name, -1), model.name


def parse_table(text: str, *, name: str, where: str) -> ModelStats:
    """Return the models of a YAML table; `UsageError` at `where` for what is no such table.

    The baseline is the model that passes most; of several, the dearest.
    """
    document = _load(text, where)
    _check_keys(document, TABLE_KEYS, where=where, subject="the table")
    rows = document.get("models")
    if not isinstance(rows, list) or not rows:
        _refuse(where, "the table has no list of `models`", EXAMPLE)
    models = tuple(
        _parse_model(row, where=where, subject=f"model {number}")
        for number, row in enumerate(rows, 1)
    )
    for model, count in Counter(model.name for model in models).items():
        if count > 1:
            _refuse(where, f"{count} models are named {model}", "give each a name of its own")
    origins = (document.get(key) for key in ("source", "date"))
    origin = ", ".join(one_line(str(part)) for part in origins if isinstance(part, str | date))
    best = max(models, key=lambda model: (model.q, model.price))
    return ModelStats(name, max(model.tasks for model in models), models, best, origin)


def _load(text: str, where: str) -> Mapping[str, Any]:
    """Return the mapping that the text holds."""
    import yaml

    if len(text) > MAX_CHARACTERS:
        _refuse(where, f"the table is longer than {MAX_CHARACTERS:,} characters", "shorten it")
    try:
        document = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        location = f"{where}:{mark.line + 1}" if mark else where
        why = one_line(error.problem or error.context or "")
        _refuse(location, f"the table is not YAML: {why}", EXAMPLE)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        why = one_line(str(error), longest=100)
        _refuse(where, f"the table is not YAML: {why}", EXAMPLE)
    if not isinstance(document, dict):
        _refuse(where, "the table is not a mapping with a list of `models`", EXAMPLE)
    return document


def _parse_model(row: object, *, where: str, subject: str) -> ModelRow:
    """Return the model of one row of a table."""
    if not isinstance(row, dict):
        _refuse(where, f"{subject} is not a mapping", EXAMPLE)
    name, tier = row.get("name"), row.get("tier", "")
    if not isinstance(name, str) or not name.strip() or "," in name:
        _refuse(
            where, f"{subject} has no usable name", "give it a text without commas as its `name`"
        )
    name = one_line(name)
    subject = f"{subject} ({name})"
    _check_keys(row, MODEL_KEYS, where=where, subject=subject)
    if not isinstance(tier, str) or "," in tier:
        _refuse(
            where, f"{subject}: the tier must be text without commas", "name one, or leave it out"
        )
    tasks = _count(row, "tasks", where=where, subject=subject)
    if not tasks:
        _refuse(where, f"{subject}: tasks is 0", "remove the model: it has no data")
    q = _rate(row, tasks, where=where, subject=subject)
    cost = _number(row, "cost_usd", where=where, subject=subject)
    if cost > MAX_USD:
        _refuse(
            where,
            f"{subject}: cost_usd is {_shown(cost)}",
            "give US dollars for all tasks together",
        )
    return ModelRow(name, tasks, q, cost, one_line(tier))


def _rate(row: Mapping[str, Any], tasks: int, *, where: str, subject: str) -> Decimal:
    """Return the share of tasks that passed, by their number or as it is given."""
    if ("passed" in row) == ("pass_rate" in row):
        _refuse(
            where, f"{subject} needs one of `passed` and `pass_rate`", "give the number if known"
        )
    if "passed" in row:
        passed = _count(row, "passed", where=where, subject=subject)
        if passed > tasks:
            why = f"{subject}: {passed} passed, but it has only {tasks} tasks"
            _refuse(where, why, "`passed` counts tasks, not tries")
        return Decimal(passed) / tasks
    rate = _number(row, "pass_rate", where=where, subject=subject)
    if rate > 1:
        _refuse(
            where,
            f"{subject}: pass_rate is {_shown(rate)}",
            "it is a share from 0 to 1, such as 0.88",
        )
    return rate


def _count(row: Mapping[str, Any], key: str, *, where: str, subject: str) -> int:
    number = _number(row, key, where=where, subject=subject)
    if number != number.to_integral_value() or number > MAX_TASKS:
        _refuse(
            where,
            f"{subject}: {key} is {_shown(number)}",
            f"give a whole number, at most {MAX_TASKS:,}",
        )
    return int(number)


def _number(row: Mapping[str, Any], key: str, *, where: str, subject: str) -> Decimal:
    """Return a number from 0 on."""
    value = row.get(key)
    if value is None:
        _refuse(where, f"{subject} has no `{key}`", EXAMPLE)
    if isinstance(value, bool) or not isinstance(value, int | float):
        _refuse(where, f"{subject}: {key} is not a number", "write it plainly, such as 29.08")
    number = Decimal(str(value)) if isinstance(value, float) else Decimal(value)
    if not number.is_finite() or number < 0:
        _refuse(where, f"{subject}: {key} is {_shown(number)}", "it is 0 or more")
    return number


def _shown(number: Decimal) -> str:
    """Return a number as it was written, unless that would fill the screen."""
    return f"{number:.1e}" if abs(number.adjusted()) > 20 else str(number)


def _check_keys(
    mapping: Mapping[Any, Any], allowed: Sequence[str], *, where: str, subject: str
) -> None:
    for key in mapping:
        if key not in allowed:
            shown_key = one_line(str(key), longest=40)
            _refuse(
                where,
                f"{subject} has an unknown key `{shown_key}`",
                did_you_mean(shown_key, allowed),
            )


def _refuse(where: str, message: str, hint: str) -> NoReturn:
    raise UsageError(message, hint=hint, where=where)
