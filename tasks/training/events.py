"""Training curves for TensorBoard: metrics.jsonl once more, in the format that it reads."""

import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tasks.step_metrics import NO_METRICS

EVENTS = "tensorboard"
"""Folder of the event files of a job under way, relative to the work folder."""
CURVES = "curves"
"""Folder of the one event file of a finished job."""
GROUP = "training"
"""What stands before the name of each curve, so that they share one section."""
NOT_DRAWN = ("step", "steps")
FILE_VERSION = "brain.Event:2"
FIRST_STEP = 1
FLUSHED_EVERY = 10
"""Seconds after which a viewer sees a new point at the latest."""


class EventFiles:
    """Event files of one job; a job that starts or resumes writes a file with every step so far.

    What a killed process wrote after its last checkpoint would count twice, and another machine
    has only the checkpoint. So `purge_step` tells viewers to forget the points of earlier files,
    and metrics.jsonl gives them again. The earlier files stay: viewers lose track where a file
    that they read goes.
    """

    def __init__(self, folder: Path, metrics: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=FIRST_STEP, flush_secs=FLUSHED_EVERY)
        for line in metrics.read_text(encoding="utf-8").splitlines():
            self.add(json.loads(line))

    def add(self, line: Mapping[str, float | None]) -> None:
        """Add the finite numbers of one line of metrics.jsonl to their curves."""
        for name, value in line.items():
            if name not in NOT_DRAWN and value is not None and math.isfinite(value):
                self._writer.add_scalar(f"{GROUP}/{name}", value, int(line["step"] or 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what is still held back, also after a failure."""
        self._writer.close()


def write_curves(folder: Path, metrics: Path) -> None:
    """One event file in `folder`, made of the finished job's metrics.jsonl.

    It is the same however often the job was interrupted: it says nothing of hosts and clocks, and
    its time axis counts steps.
    """
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with (folder / "events.out.tfevents.curves").open("wb") as file:
        writer = RecordWriter(file)
        writer.write(Event(wall_time=0.0, file_version=FILE_VERSION).SerializeToString())
        for line in metrics.read_text(encoding="utf-8").splitlines():
            writer.write(_event(json.loads(line)))


def _event(line: Mapping[str, float | None]) -> bytes:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    values = [
        Summary.Value(tag=f"{GROUP}/{name}", simple_value=value)
        for name, value in line.items()
        if name not in (*NOT_DRAWN, *NO_METRICS) and value is not None and math.isfinite(value)
    ]
    step = int(line["step"] or 0)
    event = Event(wall_time=float(step), step=step, summary=Summary(value=values))
    return bytes(event.SerializeToString())
