"""A training job of ours, `python -m tasks.training`, with the memory its device held at most."""

import time
from pathlib import Path
from typing import Any

import torch

from tasks.child import Reporter, child_main
from tasks.training import loop
from tasks.training.settings import TrainJob, parse_job


class Marks(Reporter):
    """Notes when each step ended, and what the device held during it."""

    def __init__(self, workdir: Path, *, on_gpu: bool) -> None:
        super().__init__(workdir)
        self.on_gpu = on_gpu
        self.ended: list[float] = []
        self.peaks: list[int] = []
        self.held: list[int] = []

    def event(self, event: str, **fields: Any) -> None:
        """Pass the event on; after each step the device is waited for."""
        if event == "step":
            if self.on_gpu:
                torch.cuda.synchronize()
                self.peaks.append(torch.cuda.max_memory_allocated())
                self.held.append(torch.cuda.memory_allocated())
                torch.cuda.reset_peak_memory_stats()
            self.ended.append(time.monotonic())
        super().event(event, **fields)


def measured(workdir: Path, spec: dict[str, Any], reporter: Reporter) -> dict[str, Any]:
    """Do the job of `spec`; what was measured is the result."""
    job = parse_job(TrainJob, spec)
    marks = Marks(workdir, on_gpu=job.device == "cuda")
    loop.train(workdir, job, marks)
    return {"ended": marks.ended, "peak_bytes": marks.peaks, "held_bytes": marks.held}


if __name__ == "__main__":
    child_main(measured)()
