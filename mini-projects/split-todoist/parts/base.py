# Base: constants, dates and words, the cache and the answers that every tool gives.
Response = dict[str, Any]

INBOX = "Inbox"
CACHE_SECONDS = 60

PRIORITY_NAMES = {
    1: "normal",
    2: "medium",
    3: "high",
    4: "urgent",
}

WEEKDAYS = (
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
)

ENERGY_LEVELS = (
    "low",
    "medium",
    "high",
)

NEXT_ACTION = "next"
WAITING_FOR = "waiting"
SOMEDAY = "someday"

STOP_WORDS = frozenset(
    {
        "about",
        "after",
        "and",
        "before",
        "for",
        "from",
        "have",
        "how",
        "that",
        "the",
        "this",
        "what",
        "when",
        "where",
        "which",
        "with",
        "you",
    }
)


def parse_day(text: str, today: date) -> date | None:
    """Read a day as people write it.

    Understands `today`, `tomorrow`, `next week`, a weekday's name, `in 3 days` and
    ISO dates such as `2025-03-14`.

    Args:
        text: the words to read.
        today: the day that they are relative to.

    Returns:
        The day, or None where the words name none.
    """
    words = text.strip().lower()
    offsets = {"today": 0, "tomorrow": 1, "next week": 7}
    if words in offsets:
        return today + timedelta(days=offsets[words])
    if words in WEEKDAYS:
        ahead = (WEEKDAYS.index(words) - today.weekday()) % 7
        return today + timedelta(days=ahead or 7)
    parts = words.split()
    if len(parts) == 3 and parts[0] == "in" and parts[1].isdigit():
        return today + timedelta(days=int(parts[1]))
    try:
        return date.fromisoformat(words)
    except ValueError:
        return None


def parse_clock(text: str) -> int | None:
    """Read a time of day such as `09:30`.

    Args:
        text: hours and minutes with a colon between them.

    Returns:
        Minutes since midnight, or None where the text is no time of day.
    """
    hours, colon, minutes = text.strip().partition(":")
    if not (colon and hours.isdigit() and minutes.isdigit()):
        return None
    if int(hours) > 23 or int(minutes) > 59:
        return None
    return int(hours) * 60 + int(minutes)


def format_minutes(minutes: int) -> str:
    """Say a length of time briefly.

    Args:
        minutes: the length, zero or more.

    Returns:
        Text such as `45 min`, `2 h` or `1 h 15 min`.
    """
    hours, rest = divmod(minutes, 60)
    if not hours:
        return f"{rest} min"
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def keywords_of(text: str) -> set[str]:
    """Find the words that carry meaning.

    Args:
        text: any prose.

    Returns:
        Its words of three letters or more in lower case, without the stop words.
    """
    cleaned = "".join(char if char.isalnum() else " " for char in text.lower())
    return {word for word in cleaned.split() if len(word) > 2} - STOP_WORDS


def next_occurrence(pattern: str, after: date) -> date | None:
    """Find when a routine is next due.

    Args:
        pattern: `daily`, `weekdays`, `weekly`, `monthly` or a weekday's name.
        after: the day after which to look.

    Returns:
        The first fitting day later than `after`, or None for an unknown pattern.
    """
    following = after + timedelta(days=1)
    if pattern == "daily":
        return following
    if pattern == "weekly":
        return after + timedelta(days=7)
    if pattern == "weekdays":
        while following.weekday() > 4:
            following += timedelta(days=1)
        return following
    if pattern == "monthly":
        first = after.replace(day=1) + timedelta(days=32)
        return first.replace(day=min(after.day, 28))
    return parse_day(pattern, after) if pattern in WEEKDAYS else None


def by_urgency(task: Item) -> tuple[int, str, str]:
    """Give the key that sorts tasks: by priority, then due day, then title.

    Args:
        task: the task to place.

    Returns:
        A key for `sorted`; tasks that have no due day come after those that have.
    """
    return (-task["priority"], task["due"] or "9999-12-31", task["title"].lower())


def titles_of(items: list[Item]) -> list[str]:
    """List titles in the order of their items.

    Args:
        items: anything that has a title.

    Returns:
        The titles alone.
    """
    return [item["title"] for item in items]


class TodoistBase:
    """What all tools share: the store, the clock, the cache, look-ups and answers.

    Every tool returns a response, a dictionary with `ok`, `message` and what was asked
    for; a mistake of the caller is a response whose `ok` is False, never an exception.
    """

    def __init__(
        self,
        store: Store | None = None,
        clock: Callable[[], datetime] = datetime.now,
    ) -> None:
        """Work on a store, by a clock.

        Args:
            store: where items are kept; a new and empty one where none is given.
            clock: tells the present time, so that tests can set it.
        """
        self._store = store if store is not None else Store()
        self._clock = clock
        self._cache: dict[str, tuple[datetime, list[Item]]] = {}
        self._quiet: tuple[int, int] | None = None

    def _success(self, message: str, **values: Any) -> Response:
        """Answer that the tool did what it was asked."""
        return {"ok": True, "message": message, **values}

    def _error(self, message: str) -> Response:
        """Answer that the tool could not do it, and why."""
        return {"ok": False, "message": message}

    def _now(self) -> datetime:
        """Tell the present time."""
        return self._clock()

    def _today(self) -> date:
        """Tell the present day."""
        return self._clock().date()

    def _parse_day(self, text: str) -> date | None:
        """Read a day relative to the present one."""
        return parse_day(text, self._today())

    def _all(self, kind: str) -> list[Item]:
        """List every item of a kind, from the cache while it is fresh."""
        cached = self._cache.get(kind)
        if cached is not None:
            stored_at, items = cached
            if (self._now() - stored_at).total_seconds() < CACHE_SECONDS:
                return list(items)
        items = self._store.all(kind)
        self._cache[kind] = (self._now(), items)
        return list(items)

    def _forget(self, kind: str) -> None:
        """Drop what the cache knows of a kind."""
        self._cache.pop(kind, None)

    def _find(self, kind: str, identifier: str) -> Item | None:
        """Find an item by its identifier."""
        for item in self._all(kind):
            if item["id"] == identifier:
                return item
        return None

    def _add(self, kind: str, **fields: Any) -> Item:
        """Store a new item, stamped with the present time."""
        self._forget(kind)
        return self._store.add(kind, created=self._now().isoformat(), **fields)

    def _update(self, kind: str, identifier: str, **changes: Any) -> Item:
        """Change fields of an item and return it as it is now."""
        self._forget(kind)
        return self._store.update(kind, identifier, **changes)

    def _remove(self, kind: str, identifier: str) -> None:
        """Remove an item for good."""
        self._forget(kind)
        self._store.remove(kind, identifier)

    def _get_projects(self) -> list[Item]:
        """List the projects that are not archived."""
        return [item for item in self._all("project") if not item["archived"]]

    def _find_project_by_name(self, name: str) -> Item | None:
        """Find a project by its name, in any case of letters."""
        wanted = name.strip().lower()
        for project in self._get_projects():
            if project["title"].lower() == wanted:
                return project
        return None

    def _ensure_project(self, name: str) -> Item:
        """Find a project by its name, or create it."""
        found = self._find_project_by_name(name)
        if found is not None:
            return found
        return self._add(
            "project", title=name.strip(), archived=False, area="", outcome=""
        )

    def _add_task(self, title: str, project: str = INBOX, **fields: Any) -> Item:
        """Store a new task with sensible values for what is not given."""
        values: Item = {
            "priority": 1,
            "due": None,
            "labels": [],
            "description": "",
            "parent": None,
            "section": "",
            "minutes": 0,
            "comments": [],
            "done_at": None,
        }
        owner = self._ensure_project(project)
        values.update(fields)
        return self._add("task", title=title.strip(), project=owner["title"], **values)

    def _find_task(self, task_id: str) -> Item | None:
        """Find a task by its identifier, done or not."""
        return self._find("task", task_id)

    def _open_tasks(self) -> list[Item]:
        """List the tasks that are not done, most urgent first."""
        tasks = [task for task in self._all("task") if task["done_at"] is None]
        return sorted(tasks, key=by_urgency)

    def _done_tasks(self, days: int) -> list[Item]:
        """List the tasks completed within the last days, oldest first."""
        since = (self._now() - timedelta(days=days)).isoformat()
        done = [task for task in self._all("task") if (task["done_at"] or "") >= since]
        return sorted(done, key=lambda task: task["done_at"])

    def _in_project(self, name: str) -> list[Item]:
        """List a project's open tasks, most urgent first."""
        wanted = name.strip().lower()
        return [
            task for task in self._open_tasks() if task["project"].lower() == wanted
        ]

    def _with_label(self, label: str) -> list[Item]:
        """List the open tasks that carry a label, most urgent first."""
        return [task for task in self._open_tasks() if label in task["labels"]]

    def _get_labels(self) -> list[str]:
        """List the labels that open tasks carry, each once, in alphabetical order."""
        labels: set[str] = set()
        for task in self._open_tasks():
            labels.update(task["labels"])
        return sorted(labels)

    def _get_sections(self, project: Item) -> dict[str, list[Item]]:
        """Group a project's open tasks by section; the empty name is for the rest."""
        sections: dict[str, list[Item]] = {}
        for task in self._in_project(project["title"]):
            sections.setdefault(task["section"], []).append(task)
        return sections

    def _relabel(self, task: Item, add: str = "", drop: str = "") -> Item:
        """Put a label on a task, take one off, or both."""
        labels = [label for label in task["labels"] if label not in (add, drop)]
        if add:
            labels.append(add)
        return self._update("task", task["id"], labels=labels)

    def _drop_prefix(self, task: Item, prefix: str) -> Item:
        """Take every label that starts with a prefix off a task."""
        labels = [label for label in task["labels"] if not label.startswith(prefix)]
        return self._update("task", task["id"], labels=labels)

    def _comment(self, task: Item, text: str) -> Item:
        """Add a comment, stamped with the present time, to a task."""
        comment = {"at": self._now().isoformat(), "text": text.strip()}
        return self._update("task", task["id"], comments=[*task["comments"], comment])

    def _age_in_days(self, item: Item) -> int:
        """Tell how many whole days ago an item was created."""
        return (self._now() - datetime.fromisoformat(item["created"])).days
