"""Starts a training job's processes through torchrun, and says in one voice how they ended."""

import json
import math
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch.distributed.elastic.multiprocessing import ProcessFailure, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import parse_args, run

from tasks import child
from tasks.child import PartFailed, Stopped
from tasks.errors import ConfigError
from tasks.training.processes import takes_gpus
from tasks.training.settings import TrainJob, check_processes


def launched(workdir: Path, job: TrainJob, module: str = "tasks.training") -> dict[str, Any]:
    """Do `job` in its processes, each `python -m MODULE WORKDIR`; returns its result.

    SIGTERM goes to all of them. Raises Stopped then, PartFailed with the exit code of the process
    that failed first, and ConfigError if there are not enough GPUs, or only one can do it.
    """
    check_processes(job)
    _check_gpus(job)
    threads = job.threads or torch.get_num_threads()
    os.environ["OMP_NUM_THREADS"] = str(max(1, threads // job.processes))
    if sys.flags.safe_path:
        os.environ["PYTHONSAFEPATH"] = "1"  # as this process was started itself
    with TemporaryDirectory() as logs:
        options = {
            "nproc-per-node": job.processes,
            "shutdown-timeout": math.ceil(job.settings.stop_seconds),
            "local-addr": "localhost",
            "log-dir": logs,
        }
        flags = [f"--{name}={value}" for name, value in options.items()]
        command = ["--standalone", *flags, "-m", module, str(workdir)]
        try:
            run(parse_args(command))  # type: ignore[no-untyped-call]
        except ChildFailedError as error:
            raise _failure(workdir, error.failures) from None
        except SignalException:
            (workdir / child.ERROR).unlink(missing_ok=True)  # of processes that ended before others
            raise Stopped from None
    result: dict[str, Any] = json.loads((workdir / child.RESULT).read_text(encoding="utf-8"))
    return result


def _check_gpus(job: TrainJob) -> None:
    if not takes_gpus(job.device):
        return
    there = torch.cuda.device_count()
    if there < job.processes:
        raise ConfigError(
            f"training.processes is {job.processes}, with a GPU for each, but torch sees {there} "
            f"here; set training.processes to {max(there, 1)} or less, or training.device=cpu"
        )


def _failure(workdir: Path, failures: Mapping[int, ProcessFailure]) -> PartFailed:
    """What the process that failed first has to say, or which signal ended it.

    Where one is killed, the others fail for want of it, and may have said so.
    """
    for rank, failure in sorted(failures.items()):
        number = -failure.exitcode
        if number > 0 and number != signal.SIGTERM:
            (workdir / child.ERROR).unlink(missing_ok=True)
            what = f"process {rank} was ended by {signal.Signals(number).name}"
            return PartFailed(what, 128 + number)
    try:
        said = json.loads((workdir / child.ERROR).read_text(encoding="utf-8"))
    except FileNotFoundError:
        rank, failure = min(failures.items())
        code = child.STOPPED if failure.exitcode == -signal.SIGTERM else failure.exitcode
        return PartFailed(f"process {rank} ended with {failure.exitcode} and said nothing", code)
    return PartFailed(f"{said['type']}: {said['message']}", said["exit_code"])
