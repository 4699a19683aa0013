"""How far each verb is: bars on a terminal, now and then a plain line elsewhere."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress
from rich.progress import Task as RichTask
from rich.text import Text

LINE_SECONDS = 10.0
"""Least time between two plain lines of one verb."""
HEAD_START_SECONDS = 0.5
"""What is counted this soon was done by an earlier attempt and says nothing about the rate."""


class Bar:
    """Counts one verb's work; may be used from any thread.

    `note` is shown beside the count from the next change on: calls, tokens, money.
    """

    def __init__(self, name: str, total: int | None, changed: "Callable[[Bar], None]") -> None:
        self.name = name
        self.total = total
        self.done = 0
        self.note = ""
        self._changed = changed
        self._lock = threading.Lock()

    def advance(self, count: int = 1) -> None:
        """`count` more are done."""
        with self._lock:
            self.done += count
            self._changed(self)

    def at(self, done: int, total: int | None = None) -> None:
        """`done` are done in all; `total` replaces the total if it is given."""
        with self._lock:
            self.done = done
            self.total = self.total if total is None else total
            self._changed(self)

    def __str__(self) -> str:
        return f"{self.done:,}" if self.total is None else f"{self.done:,}/{self.total:,}"


class Progress:
    """Shows the verbs under way; several at a time share the terminal."""

    def __init__(
        self, console: Console | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._clock = clock
        self._lock = threading.Lock()
        self._shown: RichProgress | None = None
        self._open = 0

    def note(self, text: str) -> None:
        """Show one line, above the bars if there are any."""
        self._console.print(text, markup=False, soft_wrap=True)

    @contextmanager
    def verb(self, name: str, total: int | None = None) -> Iterator[Bar]:
        """Show the progress of the verb `name` (of `total` things) while the block runs."""
        show = self._with_bar if self._console.is_terminal else self._with_lines
        with show(name, total) as bar:
            yield bar

    @contextmanager
    def _with_bar(self, name: str, total: int | None) -> Iterator[Bar]:
        shown = self._enter_display()
        task = shown.add_task(name, total=total)
        try:
            yield Bar(name, total, lambda bar: _show(shown, task, bar))
        finally:
            self._leave_display(shown, task)

    def _enter_display(self) -> RichProgress:
        with self._lock:
            if self._shown is None:
                self._shown = RichProgress(
                    TextColumn("{task.description}", markup=False),
                    BarColumn(),
                    MofNCompleteColumn(),
                    _Rate(),
                    TimeElapsedColumn(),
                    TimeRemainingColumn(),
                    console=self._console,
                )
                self._shown.start()
            self._open += 1
            return self._shown

    def _leave_display(self, shown: RichProgress, task: TaskID) -> None:
        with self._lock:
            shown.stop_task(task)
            self._open -= 1
            if self._open == 0:
                shown.stop()
                self._shown = None

    @contextmanager
    def _with_lines(self, name: str, total: int | None) -> Iterator[Bar]:
        lines = _Lines(self.note, self._clock)
        bar = Bar(name, total, lines.changed)
        self.note(name if total is None else f"{name}: {total:,} to do")
        try:
            yield bar
        except BaseException:
            self.note(f"{name}: ended early at {bar} after {lines.seconds:.0f} s")
            raise
        self.note(f"{name}: {bar} in {lines.seconds:.0f} s{_noted(bar)}")


def _show(shown: RichProgress, task: TaskID, bar: Bar) -> None:
    name = f"{bar.name} · {bar.note}" if bar.note else bar.name
    shown.update(task, description=name, completed=bar.done, total=bar.total)


def _noted(bar: Bar) -> str:
    return f" ({bar.note})" if bar.note else ""


class _Rate(TextColumn):
    """Things per second, as rich measures it over the last seconds."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: RichTask) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.3g}/s")


class _Lines:
    """Decides when a plain line is due, and what it says of rate and time left."""

    def __init__(self, note: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._note = note
        self._clock = clock
        self._started = self._last = clock()
        self._before = 0

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return self._clock() - self._started

    def changed(self, bar: Bar) -> None:
        if self.seconds < HEAD_START_SECONDS:
            self._before = bar.done
        if self._clock() - self._last < LINE_SECONDS:
            return
        self._last = self._clock()
        rate = (bar.done - self._before) / self.seconds
        left = ""
        if bar.total is not None and rate > 0:
            left = f", {_time((bar.total - bar.done) / rate)} left"
        self._note(f"{bar.name}: {bar}, {rate:.3g}/s{left}{_noted(bar)}")


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


progress = Progress()
"""The display of this process."""
