"""A child in two processes, for the tests of how they end: what the second does is in its spec."""

import os
import signal
import sys
import time

import torch

from tasks.child import child_main
from tasks.errors import DataError
from tasks.memory import OutOfMemory
from tasks.training.launch import launched
from tasks.training.processes import gathered, joined, part, together
from tasks.training.settings import TrainJob, parse_job


def work(workdir, spec, reporter):
    job = parse_job(TrainJob, spec["training"])
    me = part()
    if me is None:
        return launched(workdir, job, "tests.training.parts_program")
    with joined(job.processes, job.device):
        reporter.event("parts", launcher=os.getppid(), pids=gathered(os.getpid()))
        if me.silent:
            getattr(sys.modules[__name__], spec["second"])()
        together()
    return {"threads": torch.get_num_threads(), "rank": me.rank}


def nothing():
    pass


def bad_input():
    raise DataError("row 7 has no prompt")


def memory():
    raise OutOfMemory("out of memory", tokens=64)


def bug():
    raise KeyError("no such thing")


def dies():
    os.kill(os.getpid(), signal.SIGKILL)


def crashes():
    os.kill(os.getpid(), signal.SIGSEGV)


def sleeps():
    time.sleep(600)


if __name__ == "__main__":
    child_main(work, part())()
