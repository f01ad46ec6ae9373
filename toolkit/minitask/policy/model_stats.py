"""Results and costs of models on past tasks, from the ledger or a YAML table."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import Any

from msgspec import Struct

from minitask.errors import UsageError
from minitask.ledger.record import ATTEMPT, Attempt, Record, Verdict, whole
from minitask.ledger.savings import Unit, units_of
from minitask.spec.model import Tier
from minitask.words import did_you_mean, one_line

MAX_CHARACTERS = 200_000
MAX_TASKS = 10**9
MAX_USD = Decimal("1e12")
TABLE_KEYS = ("source", "date", "models")
MODEL_KEYS = ("name", "tasks", "passed", "pass_rate", "cost_usd", "tier")
EXAMPLE = "templates/simulate/aider-polyglot.yaml of the toolkit is an example"
FAILED = (Verdict.FAILED, Verdict.REFUSED)
RANKS = {tier.value: rank for rank, tier in enumerate(Tier)}


class ModelRow(Struct, frozen=True):
    """The results of a model or a tier: the share `q` of `tasks` that passed, and the cost of all of them."""

    name: str
    tasks: int
    q: Decimal
    cost_usd: Decimal
    tier: str = ""

    @property
    def price(self) -> Decimal:
        """Return the cost per task in US dollars."""
        return self.cost_usd / self.tasks


class ModelStats(Struct, frozen=True):
    """The models to choose from, and the baseline to compare them with (None without models).

    `left_out` counts attempts that ended in an error or a conflict, `unpriced` samples of unknown cost; `priceless` are
    the tiers of unknown cost.
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


def stats_of(records: Iterable[Record]) -> ModelStats:
    """Return the results of the tiers by the ledger; consecutive attempts of a tier at a spec are one sample.

    Attempts of edit scripts are left out. A sample passes if its last attempt does. The baseline is the highest tier,
    which is used when the others have failed.
    """
    samples: defaultdict[str, list[Sequence[Attempt]]] = defaultdict(list)
    units: set[Unit] = set()
    left_out = 0
    ordered = sorted(records, key=lambda entry: (entry.task, entry.attempt.n, entry.started_at))
    tries_of_models = (
        record for record in ordered if record.kind == ATTEMPT and record.attempt.tier != Tier.NONE
    )
    for unit, unit_records in units_of(tries_of_models).items():
        attempts = [record.attempt for record in unit_records]
        judged = [item for item in attempts if item.verdict.is_good or item.verdict in FAILED]
        left_out += len(attempts) - len(judged)
        for tier, tries in groupby(judged, key=lambda attempt: attempt.tier):
            samples[tier].append(tuple(tries))
            units.add(unit)
    models = {tier: _tier_model(tier, tier_samples) for tier, tier_samples in samples.items()}
    priced = sorted(
        filter(None, models.values()), key=lambda model: (RANKS.get(model.name, -1), model.name)
    )
    return ModelStats(
        name="ledger",
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


def _tier_model(tier: str, samples: Sequence[Sequence[Attempt]]) -> ModelRow | None:
    """Return a tier's results; unpriced samples count at the mean of the others. None if all are unpriced."""
    costs = [cost for cost in map(_cost, samples) if cost is not None]
    if not costs:
        return None
    count = len(samples)
    passed = sum(tries[-1].verdict.is_good for tries in samples)
    mean = sum(costs, Decimal(0)) / len(costs)
    return ModelRow(tier, count, Decimal(passed) / count, mean * count, tier)


def _cost(tries: Sequence[Attempt]) -> Decimal | None:
    return whole(attempt.cost_usd for attempt in tries)


def parse_table(text: str, *, name: str, where: str) -> ModelStats:
    """Return the models of a YAML table; raise `UsageError` at `where` if it is invalid.

    The baseline is the model with the highest pass rate; of several, the most expensive one.
    """
    try:
        return _parse_table(text, name)
    except UsageError as error:
        location = f"{where}{error.where or ''}"
        raise UsageError(error.message, hint=error.hint, where=location) from None


def _parse_table(text: str, name: str) -> ModelStats:
    document = _load(text)
    _check_keys(document, TABLE_KEYS, subject="the table")
    rows = document.get("models")
    if not isinstance(rows, list) or not rows:
        raise UsageError("the table has no list of `models`", hint=EXAMPLE)
    models = tuple(_parse_model(row, f"model {number}") for number, row in enumerate(rows, 1))
    for model, count in Counter(model.name for model in models).items():
        if count > 1:
            message = f"{count} models are named {model}"
            raise UsageError(message, hint="give each a name of its own")
    origins = (document.get(key) for key in ("source", "date"))
    origin = ", ".join(one_line(str(part)) for part in origins if isinstance(part, str | date))
    best = max(models, key=lambda model: (model.q, model.price))
    return ModelStats(name, max(model.tasks for model in models), models, best, origin)


def _load(text: str) -> Mapping[str, Any]:
    import yaml

    if len(text) > MAX_CHARACTERS:
        message = f"the table is longer than {MAX_CHARACTERS:,} characters"
        raise UsageError(message, hint="shorten it")
    try:
        document = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = f"the table is not YAML: {one_line(error.problem or error.context or '')}"
        location = f":{mark.line + 1}" if mark else None
        raise UsageError(message, hint=EXAMPLE, where=location) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        message = f"the table is not YAML: {one_line(str(error), longest=100)}"
        raise UsageError(message, hint=EXAMPLE) from None
    if not isinstance(document, dict):
        raise UsageError("the table is not a mapping with a list of `models`", hint=EXAMPLE)
    return document


def _parse_model(row: object, subject: str) -> ModelRow:
    """Return the model of a row of a table."""
    if not isinstance(row, dict):
        raise UsageError(f"{subject} is not a mapping", hint=EXAMPLE)
    name, tier = row.get("name"), row.get("tier", "")
    if not isinstance(name, str) or not name.strip() or "," in name:
        message = f"{subject} has no usable name"
        raise UsageError(message, hint="give it a text without commas as its `name`")
    name = one_line(name)
    subject = f"{subject} ({name})"
    _check_keys(row, MODEL_KEYS, subject=subject)
    if not isinstance(tier, str) or "," in tier:
        message = f"{subject}: the tier must be text without commas"
        raise UsageError(message, hint="name one, or leave it out")
    tasks = _count(row, "tasks", subject)
    if not tasks:
        raise UsageError(f"{subject}: tasks is 0", hint="remove the model: it has no data")
    q = _rate(row, tasks, subject)
    cost = _number(row, "cost_usd", subject)
    if cost > MAX_USD:
        message = f"{subject}: cost_usd is {_shown(cost)}"
        raise UsageError(message, hint="give US dollars for all tasks together")
    return ModelRow(name, tasks, q, cost, one_line(tier))


def _rate(row: Mapping[str, Any], tasks: int, subject: str) -> Decimal:
    """Return the pass rate, from the number of passed tasks or as given."""
    if ("passed" in row) == ("pass_rate" in row):
        message = f"{subject} needs one of `passed` and `pass_rate`"
        raise UsageError(message, hint="give the number if known")
    if "passed" in row:
        passed = _count(row, "passed", subject)
        if passed > tasks:
            message = f"{subject}: {passed} passed, but it has only {tasks} tasks"
            raise UsageError(message, hint="`passed` counts tasks, not tries")
        return Decimal(passed) / tasks
    rate = _number(row, "pass_rate", subject)
    if rate > 1:
        message = f"{subject}: pass_rate is {_shown(rate)}"
        raise UsageError(message, hint="it is a share from 0 to 1, such as 0.88")
    return rate


def _count(row: Mapping[str, Any], key: str, subject: str) -> int:
    number = _number(row, key, subject)
    if number != number.to_integral_value() or number > MAX_TASKS:
        message = f"{subject}: {key} is {_shown(number)}"
        raise UsageError(message, hint=f"give a whole number, at most {MAX_TASKS:,}")
    return int(number)


def _number(row: Mapping[str, Any], key: str, subject: str) -> Decimal:
    """Return a non-negative number."""
    value = row.get(key)
    if value is None:
        raise UsageError(f"{subject} has no `{key}`", hint=EXAMPLE)
    if isinstance(value, bool) or not isinstance(value, int | float):
        message = f"{subject}: {key} is not a number"
        raise UsageError(message, hint="write it plainly, such as 29.08")
    number = Decimal(str(value)) if isinstance(value, float) else Decimal(value)
    if not number.is_finite() or number < 0:
        raise UsageError(f"{subject}: {key} is {_shown(number)}", hint="it is 0 or more")
    return number


def _shown(number: Decimal) -> str:
    """Return a number as written, or rounded if it has very many digits."""
    return f"{number:.1e}" if abs(number.adjusted()) > 20 else str(number)


def _check_keys(mapping: Mapping[Any, Any], allowed: Sequence[str], *, subject: str) -> None:
    for key in mapping:
        if key not in allowed:
            shown_key = one_line(str(key), longest=40)
            message = f"{subject} has an unknown key `{shown_key}`"
            raise UsageError(message, hint=did_you_mean(shown_key, allowed))
