"""Only clock.py knows the hour, and no task is without an owner."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.source import Source, calls, dotted, sources

# File -> why it may ask the machine for the hour.
MAY_READ_THE_CLOCK = {
    "supervision/clock.py": "the one place: everything else is given its Clock",
    "chargepoint_emulator/clock.py": "the emulator's own clock, independent of the service",
}
# File -> why it may start a task by itself.
MAY_START_TASKS = {
    "supervision/store/db.py": "the writer, stopped and awaited by the context manager that starts it",
}

HOURS = {
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "datetime.fromtimestamp",
    "datetime.utcfromtimestamp", "date.fromtimestamp", "time.time", "time.time_ns", "time.localtime",
    "time.gmtime", "time.ctime",
}  # fmt: skip
TASKS = {"create_task", "ensure_future", "run_coroutine_threadsafe"}


def hour_readings(source: Source) -> list[str]:
    """Return the places where a file asks the machine for the hour."""
    found = []
    for call in calls(source.tree):
        name = dotted(call.func)
        local_zone = name.endswith(".astimezone") and not call.args and not call.keywords
        if local_zone or any(name == hour or name.endswith(f".{hour}") for hour in HOURS):
            found.append(f"{source.at(call)} {name}")
    return found


def ownerless_tasks(source: Source) -> list[str]:
    """Return the places where a task is started on something that is no TaskGroup."""
    groups = set(_task_groups(source.tree))
    found = []
    for call in calls(source.tree):
        name = dotted(call.func)
        owner, _, method = name.rpartition(".")
        if method in TASKS and not (method == "create_task" and owner in groups):
            found.append(f"{source.at(call)} {name}")
    return found


def _task_groups(tree: ast.Module) -> Iterator[str]:
    """Yield the names by which this file knows a TaskGroup: from `async with`, arguments and attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.withitem) and dotted(_called(node.context_expr)).endswith("TaskGroup"):
            if node.optional_vars is not None:
                yield dotted(node.optional_vars)
        elif isinstance(node, ast.arg) and "TaskGroup" in ast.unparse(
            node.annotation or ast.Constant(value=0)
        ):
            yield node.arg
            yield f"self._{node.arg}"
        elif isinstance(node, ast.AnnAssign) and "TaskGroup" in ast.unparse(node.annotation):
            yield dotted(node.target)
            yield f"self.{dotted(node.target)}"


def _called(node: ast.expr) -> ast.expr:
    return node.func if isinstance(node, ast.Call) else node


def test_only_the_clock_reads_the_hour() -> None:
    found = [
        place
        for source in sources()
        if source.path not in MAY_READ_THE_CLOCK
        for place in hour_readings(source)
    ]
    assert found == []


def test_every_task_has_an_owner() -> None:
    found = [
        place
        for source in sources()
        if source.path not in MAY_START_TASKS
        for place in ownerless_tasks(source)
    ]
    assert found == []


def test_exceptions_are_still_needed() -> None:
    by_path = {source.path: source for source in sources()}
    assert [path for path in MAY_READ_THE_CLOCK if not hour_readings(by_path[path])] == []
    assert [path for path in MAY_START_TASKS if not ownerless_tasks(by_path[path])] == []


@pytest.mark.parametrize(
    "line",
    ["datetime.now(UTC)", "dt.datetime.utcnow()", "date.today()", "time.time()", "instant.astimezone()"],
)
def test_planted_reading_of_the_hour_is_found(line: str) -> None:
    assert len(hour_readings(Source("x.py", ast.parse(line)))) == 1


@pytest.mark.parametrize(
    "line", ["time.monotonic()", "clock.now()", "instant.astimezone(UTC)", "datetime(1, 1, 1)"]
)
def test_other_times_are_left_alone(line: str) -> None:
    assert hour_readings(Source("x.py", ast.parse(line))) == []


@pytest.mark.parametrize(
    "line",
    ["asyncio.create_task(f())", "asyncio.ensure_future(f())", "loop.create_task(f())", "create_task(f())"],
)
def test_planted_task_without_owner_is_found(line: str) -> None:
    assert len(ownerless_tasks(Source("x.py", ast.parse(line)))) == 1


def test_task_of_a_group_has_an_owner() -> None:
    code = (
        "async def f(tasks: asyncio.TaskGroup):\n"
        "    async with TaskGroup() as group:\n"
        "        group.create_task(tasks.create_task(x))"
    )
    assert ownerless_tasks(Source("x.py", ast.parse(code))) == []
