"""`python -m tasks.training WORKDIR`: do the job that WORKDIR/spec.json names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.child import Reporter, child_main
from tasks.errors import ConfigError
from tasks.training.allocator import keep_freed_memory
from tasks.training.settings import ScoreJob, TrainJob, parse_job


def work(workdir: Path, spec: dict[str, Any], reporter: Reporter) -> Mapping[str, Any]:
    """Train or score; the result is what result.json holds."""
    keep_freed_memory()
    if spec.get("job") == "train":
        from tasks.training.loop import train

        return train(workdir, parse_job(TrainJob, spec), reporter)
    if spec.get("job") == "score":
        from tasks.training.score import score

        return score(workdir, parse_job(ScoreJob, spec), reporter)
    raise ConfigError(f"spec.json names the job {spec.get('job')!r}; there are: train, score")


if __name__ == "__main__":
    child_main(work)()
