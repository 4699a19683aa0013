"""`python -m tasks.training WORKDIR`: do the job that WORKDIR/spec.json names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.child import Reporter, child_main
from tasks.errors import ConfigError
from tasks.training.allocator import keep_freed_memory
from tasks.training.processes import joined, part
from tasks.training.settings import RewardJob, ScoreJob, TrainJob, parse_job

JOBS = ("train", "score", "reward", "fit", "average")


def work(workdir: Path, spec: dict[str, Any], reporter: Reporter) -> Mapping[str, Any]:
    """Train, score, reward, fit or average; the result is what result.json holds."""
    keep_freed_memory()
    if spec.get("job") == "train":
        return _train(workdir, parse_job(TrainJob, spec), reporter)
    if spec.get("job") == "score":
        from tasks.training.score import score

        return score(workdir, parse_job(ScoreJob, spec), reporter)
    if spec.get("job") == "reward":
        from tasks.training.reward import reward

        return reward(workdir, parse_job(RewardJob, spec), reporter)
    if spec.get("job") == "fit":
        from tasks.training.fit import fit
        from tasks.training.fit_settings import FitJob

        return fit(workdir, parse_job(FitJob, spec), reporter)
    if spec.get("job") == "average":
        from tasks.training.average import AverageJob, average

        return average(workdir, parse_job(AverageJob, spec), reporter)
    raise ConfigError(f"spec.json names the job {spec.get('job')!r}; there are: {', '.join(JOBS)}")


def _train(workdir: Path, job: TrainJob, reporter: Reporter) -> Mapping[str, Any]:
    """Train here, or as one of several processes, or start these."""
    if job.processes > 1 and part() is None:
        from tasks.training.launch import launched

        return launched(workdir, job)
    from tasks.training.loop import train

    with joined(job.processes, job.device):
        return train(workdir, job, reporter)


if __name__ == "__main__":
    child_main(work, part())()
