"""A training job of ours, `python -m tasks.training`, with time and memory after every step.

The model is loaded once before the job and let go, so that the memory it takes is known.
"""

import time
from pathlib import Path
from typing import Any

# Modules belong to the memory before the job, as TRL's do, which imports all of its own at once.
import pandas  # noqa: F401  (pyarrow imports it when it first converts a column)
import torch.utils.tensorboard  # noqa: F401  (imported when the first curve is written)
from transformers import AutoModelForCausalLM

import tasks.training.loop  # noqa: F401
from benchmarks.trainer.memory import peak_bytes
from tasks.child import Reporter, child_main
from tasks.training.__main__ import work


class Marks(Reporter):
    """Notes when each step ended, less the time spent on saving, and the most memory until then."""

    def __init__(self, workdir: Path) -> None:
        super().__init__(workdir)
        self.step_ended = self.paused = 0.0
        self.seconds: list[float] = []
        self.peaks: list[int] = []
        self.losses: list[float] = []

    def event(self, event: str, **fields: Any) -> None:
        """Pass the event on; `model` comes when a model folder has been saved after a step."""
        if event == "step":
            self.step_ended = time.monotonic()
            self.seconds.append(self.step_ended - self.paused)
            self.peaks.append(peak_bytes())
            self.losses.append(fields["loss"])
        super().event(event, **fields)
        if event == "model":
            self.paused += time.monotonic() - self.step_ended


def measured(workdir: Path, spec: dict[str, Any], reporter: Reporter) -> dict[str, Any]:
    """Do the job of `spec`; what was measured is the result."""
    AutoModelForCausalLM.from_pretrained(spec["model"], local_files_only=True)
    loaded = peak_bytes()
    marks = Marks(workdir)
    work(workdir, spec, marks)
    return {
        "loaded_bytes": loaded,
        "seconds_at": marks.seconds,
        "peak_bytes_at": marks.peaks,
        "losses": marks.losses,
    }


if __name__ == "__main__":
    child_main(measured)()
