"""Where the figures of each step are kept: metrics.jsonl, and TensorBoard's event files."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tasks.training.checkpoints import METRICS
from tasks.training.events import EVENTS, EventFiles


class StepLog:
    """Both files of one job; `goes_on`: after the steps that metrics.jsonl has already."""

    def __init__(self, workdir: Path, *, goes_on: bool) -> None:
        self._metrics = (workdir / METRICS).open("a" if goes_on else "w", encoding="utf-8")
        self._events = EventFiles(workdir / EVENTS, workdir / METRICS)

    def add(self, line: Mapping[str, Any]) -> None:
        """Keep the figures of one step; they can be read at once."""
        self._metrics.write(json.dumps(line) + "\n")
        self._metrics.flush()
        self._events.add(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what is still held back, also after a failure."""
        self._metrics.close()
        self._events.__exit__(kind, error, trace)
