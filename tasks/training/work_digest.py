"""Is it the same work? What decides whether a checkpoint may be continued."""

from pathlib import Path

from tasks.canonical import digest
from tasks.training.settings import TrainJob
from tasks.variants import settings_of
from tasks.weights import file_digest, weights_digest

NAMES = ("stage", "model", "examples", "side", "item_log")
"""Fields of a job that say where something is; what is there counts."""
HOW = ("device", "threads", "processes")
"""Fields that change how it is done, and what comes out by rounding alone."""


def work_digest(workdir: Path, job: TrainJob) -> str:
    """Digest of what decides the trained weights: inputs by content, never by name."""
    settings = {name: one for name, one in settings_of(job).items() if name not in (*NAMES, *HOW)}
    tables = [job.examples, *([job.side] if job.side else [])]
    return digest(
        [settings, weights_digest(workdir / job.model), *(file_digest(workdir / t) for t in tables)]
    )
