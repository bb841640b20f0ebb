"""What may be the matter with the recorder, its queue and its database."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from homeassistant.components.recorder.core import Recorder
from homeassistant.components.recorder.tasks import ImportStatisticsTask, RecorderTask, StatisticsTask, SynchronizeTask
from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import get_instance
from sqlalchemy import event
from sqlalchemy.exc import OperationalError


async def queue_done(hass: HomeAssistant) -> None:
    """Wait until the recorder has done all that is in its queue; no time passes meanwhile."""
    done: asyncio.Future[None] = hass.loop.create_future()
    get_instance(hass).queue_task(SynchronizeTask(done))
    await done


async def compile_period(hass: HomeAssistant, start: datetime) -> None:
    """Let the recorder compile five minutes, and with the last ones of an hour that hour, and tell of it."""
    get_instance(hass).queue_task(StatisticsTask(start.astimezone(UTC), fire_events=True))
    done = hass.async_add_executor_job(get_instance(hass).block_till_done)
    # It needs the event loop for that, which so must not stand still; but no time may pass.
    while not done.done():  # noqa: ASYNC110
        await asyncio.sleep(0)
    done.result()


@contextmanager
def database_failing(hass: HomeAssistant) -> Generator[list[str]]:
    """Let the database refuse whatever is about statistics; yield what it has refused."""
    engine = get_instance(hass).engine
    assert engine
    refused: list[str] = []

    def refuse(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "statistics" in statement:
            refused.append(statement)
            raise OperationalError(statement, None, Exception("disk I/O error"))

    event.listen(engine, "before_cursor_execute", refuse)
    try:
        yield refused
    finally:
        event.remove(engine, "before_cursor_execute", refuse)


@contextmanager
def lost(is_lost: Callable[[RecorderTask], bool]) -> Generator[None]:
    """Let what is put into the recorder's queue be lost there."""
    queue_task = Recorder.queue_task

    def put(self: Recorder, task: Any) -> None:
        if not is_lost(task):
            queue_task(self, task)

    with patch.object(Recorder, "queue_task", put):
        yield


def is_rows(task: RecorderTask) -> bool:
    """Tell whether a task of the recorder is to write rows."""
    return isinstance(task, ImportStatisticsTask)


@contextmanager
def seen(is_meant: Callable[[RecorderTask], bool]) -> Generator[list[RecorderTask]]:
    """Yield the list in which all that is meant of what is put into the recorder's queue will be."""
    queue_task = Recorder.queue_task
    tasks: list[RecorderTask] = []

    def put(self: Recorder, task: Any) -> None:
        queue_task(self, task)
        if is_meant(task):
            tasks.append(task)

    with patch.object(Recorder, "queue_task", put):
        yield tasks


@contextmanager
def held(since: Callable[[RecorderTask], bool] = lambda _: True) -> Generator[list[RecorderTask]]:
    """Let the recorder get to nothing that is put into its queue, from a task on, until it gets to all of it."""
    queue_task = Recorder.queue_task
    tasks: list[RecorderTask] = []
    recorders: list[Recorder] = []

    def put(self: Recorder, task: Any) -> None:
        if tasks or since(task):
            recorders.append(self)
            tasks.append(task)
        else:
            queue_task(self, task)

    with patch.object(Recorder, "queue_task", put):
        yield tasks
    for recorder, task in zip(recorders, tasks, strict=True):
        queue_task(recorder, task)
