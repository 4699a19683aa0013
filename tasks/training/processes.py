"""The processes of one training job: which of them this one is, and what all of them agree on.

torchrun starts them (tasks/training/launch.py). Alone, a process agrees with itself at once.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from tasks.child import Part
from tasks.errors import ConfigError

T = TypeVar("T")
LONGEST_WAIT = timedelta(days=30)
"""Processes wait for each other as long as the launcher's deadlines let them."""
PR_SET_PDEATHSIG = 1


def part() -> Part | None:
    """Which process of how many this is, if torchrun started it."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return None
    return Part(rank=int(os.environ["RANK"]), count=int(os.environ["WORLD_SIZE"]))


@contextmanager
def joined(processes: int, device: str) -> Iterator[None]:
    """Within the block this process works with the others that torchrun started, if there are any.

    Raises ConfigError if they are not as many as the job says.
    """
    started = part()
    if started and started.count != processes:
        raise ConfigError(
            f"the job wants processes={processes}, torchrun started {started.count}; "
            "start python -m tasks.training without torchrun, or let both say the same number"
        )
    if started is None:
        yield
        return
    _die_with_launcher()
    if takes_gpus(device):
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group("cpu:gloo,cuda:nccl", timeout=LONGEST_WAIT)
    else:
        dist.init_process_group("gloo", timeout=LONGEST_WAIT)
    yield
    # After a failure the connections stay open until this process has ended, so the others learn
    # of it only when it has said why, and who says why first is the cause.
    together()
    dist.destroy_process_group()


def takes_gpus(device: str) -> bool:
    """Whether a job for `device` runs on accelerators here."""
    return device == "cuda" or (device == "auto" and torch.cuda.is_available())


def _die_with_launcher() -> None:
    """Get SIGKILL when torchrun dies: it gives each process a session of its own."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def rank() -> int:
    """Number of this process; 0 where it is alone. The first one reports and writes."""
    return dist.get_rank() if dist.is_initialized() else 0


def count() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def turns(pieces: int) -> list[tuple[int, bool]]:
    """Which of `pieces` pieces of work are this process's, in as many turns as all others make.

    False: another process counts that piece; this one does it to keep step, because every forward
    and backward pass needs all processes.
    """
    places = range(rank(), -(-pieces // count()) * count(), count())
    return [(min(place, pieces - 1), place < pieces) for place in places]


def together() -> None:
    """Return when every process has come here."""
    if dist.is_initialized():
        dist.barrier()


def gathered(value: T) -> list[T]:
    """`value` of every process, by rank: the same list in all of them."""
    values: list[Any] = [None] * count()
    if not dist.is_initialized():
        return [value]
    dist.all_gather_object(values, value)
    return values


def summed(tensor: Tensor) -> Tensor:
    """Sum over the processes of a tensor that no other code holds."""
    if dist.is_initialized():
        dist.all_reduce(tensor)
    return tensor


def by_first(compute: Callable[[], T]) -> T:
    """What `compute` returns in the first process, the only one to call it."""
    if rank() == 0:
        return gathered(compute())[0]
    return gathered(None)[0]  # type: ignore[return-value]
