"""What the agent promises, by section; needs nothing but Python."""

from __future__ import annotations

import inspect
import unittest
from datetime import date, datetime, timedelta
from typing import Any

from core.agents.store import Store
from core.agents.todoist import (
    TodoistAgent,
    format_minutes,
    keywords_of,
    next_occurrence,
    parse_clock,
    parse_day,
)

FRIDAY = datetime(2025, 3, 14, 10, 0)


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = FRIDAY

    def __call__(self) -> datetime:
        return self.now

    def pass_time(self, **amounts: int) -> None:
        self.now += timedelta(**amounts)


class AgentCase(unittest.TestCase):
    """An agent on an empty store, on a Friday morning."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = Store()
        self.agent = TodoistAgent(self.store, self.clock)

    def make(self, title: str = "Write the report", **fields: Any) -> str:
        """Create a task and return its identifier."""
        identifier: str = self.agent.create_task(title, **fields)["task"]["id"]
        return identifier


class WordsAndDates(unittest.TestCase):
    def test_days_are_read_as_people_write_them(self) -> None:
        today = date(2025, 3, 14)
        self.assertEqual(parse_day("today", today), today)
        self.assertEqual(parse_day("Tomorrow", today), date(2025, 3, 15))
        self.assertEqual(parse_day("friday", today), date(2025, 3, 21))
        self.assertEqual(parse_day("in 3 days", today), date(2025, 3, 17))
        self.assertEqual(parse_day("2025-12-24", today), date(2025, 12, 24))
        self.assertIsNone(parse_day("some day", today))

    def test_times_and_lengths_are_read_and_said(self) -> None:
        self.assertEqual(parse_clock("09:30"), 570)
        self.assertIsNone(parse_clock("24:00"))
        self.assertIsNone(parse_clock("half past nine"))
        self.assertEqual(format_minutes(45), "45 min")
        self.assertEqual(format_minutes(120), "2 h")
        self.assertEqual(format_minutes(75), "1 h 15 min")

    def test_routines_come_round(self) -> None:
        friday = date(2025, 3, 14)
        self.assertEqual(next_occurrence("daily", friday), date(2025, 3, 15))
        self.assertEqual(next_occurrence("weekdays", friday), date(2025, 3, 17))
        self.assertEqual(next_occurrence("monthly", friday), date(2025, 4, 14))
        self.assertIsNone(next_occurrence("now and then", friday))

    def test_words_without_meaning_are_left_out(self) -> None:
        self.assertEqual(keywords_of("What about the tax form?"), {"tax", "form"})


class Base(AgentCase):
    def test_lists_come_from_the_cache_until_something_changes(self) -> None:
        self.make()
        self.agent.list_tasks()
        calls = self.store.calls
        self.agent.list_tasks()
        self.assertEqual(self.store.calls, calls)
        self.clock.pass_time(seconds=61)
        self.agent.list_tasks()
        self.assertEqual(self.store.calls, calls + 1)

    def test_a_mistake_is_an_answer(self) -> None:
        answer = self.agent.complete_task("task-99")
        self.assertEqual(answer, {"ok": False, "message": "no task 'task-99'"})


class Tasks(AgentCase):
    def test_one_line_makes_a_whole_task(self) -> None:
        task = self.agent.quick_add("Call Ann #home @phone p3 !tomorrow")["task"]
        self.assertEqual((task["title"], task["project"]), ("Call Ann", "home"))
        self.assertEqual((task["labels"], task["priority"]), (["phone"], 3))
        self.assertEqual(task["due"], "2025-03-15")

    def test_a_task_is_completed_once_and_can_be_reopened(self) -> None:
        task_id = self.make()
        self.assertTrue(self.agent.complete_task(task_id, "went well")["ok"])
        self.assertFalse(self.agent.complete_task(task_id)["ok"])
        self.assertEqual(len(self.agent.list_completed()["tasks"]), 1)
        self.assertTrue(self.agent.reopen_task(task_id)["ok"])
        self.assertEqual(self.agent.list_completed()["tasks"], [])

    def test_deleting_takes_what_is_below_along(self) -> None:
        task_id = self.make()
        below = self.agent.create_subtask(task_id, "Outline")["task"]["id"]
        self.agent.create_subtask(below, "Headings")
        self.assertEqual(self.agent.list_subtasks(task_id)["tasks"][0]["id"], below)
        self.agent.delete_task(task_id)
        self.assertEqual(self.store.all("task"), [])

    def test_due_days_sort_tasks_into_lists(self) -> None:
        late = self.make("Late", due="2025-03-10")
        self.make("Now", due="today")
        self.make("Soon", due="in 5 days")
        self.assertEqual(self.agent.list_overdue()["tasks"][0]["title"], "Late")
        self.assertEqual(self.agent.list_due_today()["tasks"][0]["title"], "Now")
        self.assertEqual(len(self.agent.list_upcoming(7)["tasks"]), 2)
        moved = self.agent.postpone_task(late, 2)["task"]
        self.assertEqual(moved["due"], "2025-03-16")

    def test_the_most_urgent_comes_first(self) -> None:
        self.make("Minor")
        self.make("Major", priority=4)
        self.make("Dated", due="tomorrow")
        titles = [task["title"] for task in self.agent.list_tasks()["tasks"]]
        self.assertEqual(titles, ["Major", "Dated", "Minor"])

    def test_wrong_values_are_refused(self) -> None:
        self.assertFalse(self.agent.create_task("  ")["ok"])
        self.assertFalse(self.agent.create_task("Report", priority=5)["ok"])
        self.assertFalse(self.agent.create_task("Report", due="some day")["ok"])
        self.assertEqual(self.store.all("task"), [])

    def test_a_project_with_open_tasks_is_not_archived(self) -> None:
        task_id = self.make(project="Garden")
        self.assertFalse(self.agent.archive_project("garden")["ok"])
        self.agent.complete_task(task_id)
        self.assertTrue(self.agent.archive_project("garden")["ok"])
        self.assertEqual(self.agent.list_projects()["projects"], [])


class Gtd(AgentCase):
    def test_a_thought_becomes_a_next_action(self) -> None:
        task_id = self.agent.capture("car")["task"]["id"]
        self.assertEqual(len(self.agent.clarify_item(task_id)["questions"]), 4)
        task = self.agent.make_actionable(task_id, "Book the garage", "Car")["task"]
        self.assertEqual((task["project"], task["labels"]), ("Car", ["next"]))
        self.assertEqual(task["comments"][0]["text"], "captured as: car")

    def test_every_line_is_captured(self) -> None:
        tasks = self.agent.capture_many("- milk\n\n* bread\n")["tasks"]
        self.assertEqual([task["title"] for task in tasks], ["milk", "bread"])

    def test_a_delegated_task_is_chased_when_it_is_late(self) -> None:
        task_id = self.make()
        self.agent.mark_next_action(task_id)
        task = self.agent.delegate_task(task_id, "Ann")["task"]
        self.assertEqual(task["labels"], ["waiting", "with-ann"])
        self.assertEqual(len(self.agent.list_waiting_for("Ann")["tasks"]), 1)
        self.assertEqual(self.agent.list_waiting_for("Bob")["tasks"], [])
        self.assertEqual(self.agent.chase_waiting(7)["tasks"], [])
        self.clock.pass_time(days=8)
        self.assertEqual(len(self.agent.chase_waiting(7)["messages"]), 1)

    def test_energy_lists_include_what_takes_less(self) -> None:
        self.agent.set_energy(self.make("Read"), "low")
        self.agent.set_energy(self.make("Think"), "high")
        self.assertEqual(len(self.agent.list_by_energy("medium")["tasks"]), 1)
        self.assertEqual(len(self.agent.list_by_energy("high")["tasks"]), 2)

    def test_a_large_task_becomes_a_project(self) -> None:
        task_id = self.make("Move house")
        self.agent.break_down(task_id, ["Find boxes", "Pack"])
        self.agent.convert_to_project(task_id)
        self.assertEqual(self.agent.count_tasks()["counts"], {"Move house": 2})
        self.assertEqual(self.agent.projects_without_next_action()["projects"], [])

    def test_a_plan_fills_the_time_and_leaves_out_what_is_deferred(self) -> None:
        due = self.make("Due", due="today")
        self.agent.estimate_task(due, 50)
        for title in ("Short", "Hidden"):
            self.agent.mark_next_action(self.make(title))
        hidden = self.agent.search_tasks("hidden")["tasks"][0]["id"]
        self.agent.defer_task(hidden, "tomorrow")
        plan = self.agent.daily_plan(90)
        self.assertEqual([task["title"] for task in plan["tasks"]], ["Due", "Short"])
        self.assertEqual(plan["message"], "2 tasks, 10 min to spare")
        self.clock.pass_time(days=1)
        self.assertEqual(self.agent.list_deferred()["tasks"], [])


class Reminders(AgentCase):
    def test_a_reminder_fires_once_and_can_be_snoozed(self) -> None:
        task_id = self.make()
        made = self.agent.add_reminder(task_id, "today", "10:30")["reminder"]
        self.assertEqual(self.agent.fire_reminders()["reminders"], [])
        self.clock.pass_time(minutes=30)
        self.assertEqual(len(self.agent.fire_reminders()["reminders"]), 1)
        self.assertEqual(self.agent.fire_reminders()["reminders"], [])
        self.agent.snooze_reminder(made["id"], 10)
        self.clock.pass_time(minutes=10)
        self.assertEqual(len(self.agent.fire_reminders()["reminders"]), 1)

    def test_quiet_hours_may_span_midnight(self) -> None:
        self.agent.add_reminder(self.make(), "today", "22:30")
        self.agent.set_quiet_hours("22:00", "06:00")
        self.clock.now = datetime(2025, 3, 14, 23, 0)
        self.assertEqual(self.agent.fire_reminders()["reminders"], [])
        self.clock.now = datetime(2025, 3, 15, 5, 0)
        self.assertEqual(self.agent.fire_reminders()["reminders"], [])
        self.clock.now = datetime(2025, 3, 15, 6, 0)
        self.assertEqual(len(self.agent.fire_reminders()["reminders"]), 1)

    def test_a_routine_keeps_its_streak(self) -> None:
        routine = self.agent.create_routine("Stretch", "daily")["routine"]
        for _ in range(3):
            self.agent.complete_routine(routine["id"])
            self.clock.pass_time(days=1)
        self.assertEqual(self.agent.routine_streak(routine["id"])["count"], 3)
        self.assertEqual(len(self.agent.add_routine_tasks()["tasks"]), 1)
        self.assertEqual(self.agent.add_routine_tasks()["tasks"], [])


class Knowledge(AgentCase):
    def test_notes_are_found_by_shared_words(self) -> None:
        self.agent.add_note("Tax form", "The form is due in May.", "Money")
        self.agent.add_note("Garden", "Roses need water.", "home")
        found = self.agent.search_notes("when is the tax form due?")["notes"]
        self.assertEqual([note["title"] for note in found], ["Tax form"])
        self.assertEqual(
            self.agent.answer_question("Do roses need water?")["text"],
            "Roses need water.",
        )
        self.assertFalse(self.agent.answer_question("Which train?")["ok"])

    def test_two_topics_can_become_one(self) -> None:
        self.agent.add_note("Tax form", "Due in May.", "money")
        self.agent.add_note("Bank", "Closed on Monday.", "bank")
        self.agent.rename_topic("bank", "Money")
        self.assertEqual(self.agent.list_topics()["counts"], {"money": 2})
        self.assertIn("## Bank", self.agent.export_topic("money")["text"])

    def test_lessons_are_learned_once(self) -> None:
        task_id = self.make()
        self.agent.complete_task(task_id, "start earlier")
        self.assertEqual(len(self.agent.learn_from_completed()["lessons"]), 1)
        self.assertEqual(self.agent.learn_from_completed()["lessons"], [])
        self.assertEqual(self.agent.knowledge_summary()["counts"]["lessons"], 1)


class Wizards(AgentCase):
    def test_the_inbox_wizard_empties_the_inbox(self) -> None:
        self.assertFalse(self.agent.start_inbox_wizard()["ok"])
        self.agent.capture_many("call\nread\nforget")
        session_id = self.agent.start_inbox_wizard()["session"]["id"]
        for choice in ("do", "someday", "delete"):
            self.assertTrue(self.agent.inbox_wizard_item(session_id)["ok"])
            self.agent.answer_inbox_wizard(session_id, choice)
        self.assertFalse(self.agent.inbox_wizard_item(session_id)["ok"])
        self.assertEqual(len(self.agent.list_someday()["tasks"]), 1)
        self.assertEqual(self.agent.wizard_progress(session_id)["percent"], 100)

    def test_a_review_goes_back_and_forth(self) -> None:
        session_id = self.agent.start_review_wizard()["session"]["id"]
        self.agent.answer_review_wizard(session_id, "the report")
        self.agent.back_to_wizard_step(session_id)
        self.agent.answer_review_wizard(session_id, "the slides")
        self.agent.skip_wizard_step(session_id)
        lines = self.agent.wizard_summary(session_id)["lines"]
        self.assertEqual(lines[0], "What was finished this week? the slides")
        self.assertEqual(len(lines), 2)


class EveryTool(AgentCase):
    """Each tool answers what its signature allows, and refuses what is unknown."""

    def samples(self) -> dict[str, Any]:
        """Give a value that fits for every name of an argument."""
        task_id = self.make(due="tomorrow")
        note = self.agent.add_note("Report", "How to write one.")["note"]
        return {
            "task_id": task_id,
            "task_ids": [task_id],
            "note_id": note["id"],
            "lesson_id": self.agent.record_lesson("Start early")["lesson"]["id"],
            "reminder_id": self.agent.add_reminder(task_id, "today")["reminder"]["id"],
            "routine_id": self.agent.create_routine("Run", "daily")["routine"]["id"],
            "session_id": self.agent.start_inbox_wizard()["session"]["id"],
            "area": "work",
            "choice": "next",
            "clock": "09:30",
            "context": "home",
            "days": 3,
            "due": "tomorrow",
            "end": "06:00",
            "energy": "low",
            "label": "errand",
            "limit": 5,
            "minutes": 15,
            "name": "Later",
            "outcome": "all is written",
            "pattern": "weekly",
            "person": "Ann",
            "priority": 2,
            "project": "Inbox",
            "start": "22:00",
            "steps": ["First", "Second"],
            "text": "write words",
            "title": "Another title",
            "topic": "general",
        }

    def arguments(self, tool: str, samples: dict[str, Any]) -> dict[str, Any]:
        """Choose the samples that a tool requires."""
        parameters = inspect.signature(getattr(self.agent, tool)).parameters.values()
        required = [one.name for one in parameters if one.default is one.empty]
        return {name: samples[name] for name in required}

    def test_every_tool_answers(self) -> None:
        for tool in self.agent.tools():
            with self.subTest(tool=tool):
                self.setUp()
                answer = self.agent.call(tool, **self.arguments(tool, self.samples()))
                self.assertIsInstance(answer["ok"], bool)
                self.assertTrue(answer["message"])

    def test_every_tool_refuses_an_unknown_identifier(self) -> None:
        for tool in self.agent.tools():
            self.setUp()
            arguments = self.arguments(tool, self.samples())
            for name in [name for name in arguments if name.endswith("_id")]:
                with self.subTest(tool=tool, argument=name):
                    answer = self.agent.call(tool, **{**arguments, name: "none-0"})
                    self.assertFalse(answer["ok"])
                    self.assertIn("none-0", answer["message"])

    def test_tools_are_called_by_name(self) -> None:
        self.assertEqual(len(self.agent.tools()), 130)
        self.assertTrue(self.agent.call("capture", text="milk")["ok"])
        self.assertFalse(self.agent.call("capture", words="milk")["ok"])
        self.assertFalse(self.agent.call("_all", kind="task")["ok"])


if __name__ == "__main__":
    unittest.main()
